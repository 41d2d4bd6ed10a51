use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::failure::Failure;
use super::fees::FeePolicy;
use super::model::{Block, Log, Receipt};
use super::node::{ANSWER_BYTES_MAX, Answer, Node, Question, Silence, credentials, read_credentials};
use super::wire;
use crate::config::{Chain, Finality, Saved};
use crate::types::{Address, Hash32};

/// While another endpoint can be asked, one gets this long: a dead endpoint costs less than two seconds.
const PATIENCE_WITH_OTHERS: Duration = Duration::from_millis(1_500);
/// An endpoint that is asked twice in a row gets a breath in between.
const PAUSE: Duration = Duration::from_millis(100);
/// When the head has not moved for so long another endpoint is asked: the one that answers may have stopped following.
const STANDSTILL: Duration = Duration::from_secs(5);
/// Blocks of one `eth_getLogs`: what public nodes allow.
const LOG_BLOCKS_MAX: u64 = 1_000;

/// One chain through its endpoints. A reading is made of answers of one endpoint only, whose chain id was checked and
/// whose head is not behind what was seen before (specs/chain.md, rule 17). Questions are repeated elsewhere when an
/// endpoint fails; a signed transaction may be offered again too, since its bytes can only count once.
pub struct Rpc {
    pub(super) chain_id: u64,
    pub(super) finality: Finality,
    /// Above it nothing is final, where somebody watches what the node has on disk.
    pub(super) saved: Option<Saved>,
    pub(super) fees: FeePolicy,
    gas_per_transaction_max: u64,
    pub(super) nodes: Vec<Node>,
    /// Who answered last is asked first.
    preferred: AtomicUsize,
    pub(super) timeout: Duration,
    lag_patience: Duration,
    seen: Mutex<Seen>,
}

/// The highest block that was seen, since when, and since when every endpoint was below it.
#[derive(Clone, Copy)]
struct Seen {
    head: u64,
    since: Instant,
    behind_since: Option<Instant>,
}

impl Rpc {
    /// Nothing is asked yet. Errors: the settings cannot be used, such as a machine without certificates for TLS.
    pub fn connect(chain: &Chain) -> Result<Self, Failure> {
        let nodes = chain
            .rpc
            .iter()
            .map(|endpoint| Node::new(endpoint.clone(), ANSWER_BYTES_MAX));
        Ok(Self {
            chain_id: chain.id,
            finality: chain.finality,
            saved: chain.saved.clone(),
            fees: FeePolicy {
                max: chain.fee_max,
                priority_min: chain.priority_min,
            },
            gas_per_transaction_max: chain.gas_per_transaction_max,
            nodes: nodes.collect::<Result<_, _>>()?,
            preferred: AtomicUsize::new(0),
            timeout: chain.timeout,
            lag_patience: chain.lag_patience,
            seen: Mutex::new(Seen {
                head: 0,
                since: Instant::now(),
                behind_since: None,
            }),
        })
    }

    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// What we are willing to pay.
    pub fn fee_policy(&self) -> FeePolicy {
        self.fees
    }

    /// Gas that one transaction of ours may spend.
    pub fn gas_per_transaction_max(&self) -> u64 {
        self.gas_per_transaction_max
    }

    /// Asks every endpoint which chain it serves. Errors: `WrongChain` when one serves another chain, which is a mistake
    /// in the settings; `Unreachable` when none answers, which may pass.
    pub async fn verify_chain_id(&self) -> Result<(), Failure> {
        let asked = self.nodes.iter().map(|node| self.verify(node, self.timeout));
        let verdicts = futures_util::future::join_all(asked).await;
        let mut silent = Vec::new();
        for verdict in &verdicts {
            match verdict {
                Ok(()) => {}
                Err(failure @ Failure::WrongChain { .. }) => return Err(failure.clone()),
                Err(Failure::Unreachable(text)) => silent.push(text.clone()),
                Err(failure) => silent.push(failure.to_string()),
            }
        }
        if silent.len() == self.nodes.len() {
            return Err(Failure::Unreachable(silent.join("; ")));
        }
        Ok(())
    }

    pub(super) async fn verify(&self, node: &Node, patience: Duration) -> Result<(), Failure> {
        if node.is_verified() {
            return Ok(());
        }
        let question = Question::new("eth_chainId", json!([]));
        let answer = node.ask_one(question, patience).await.map_err(unreachable)?;
        let value = answer.map_err(|refusal| node.refused(&refusal))?;
        let found = wire::number(&value).map_err(|reason| node.malformed(reason))?;
        self.require_chain(node, found)
    }

    fn require_chain(&self, node: &Node, found: u64) -> Result<(), Failure> {
        if found != self.chain_id {
            return Err(Failure::WrongChain {
                endpoint: node.name(),
                expected: self.chain_id,
                found,
            });
        }
        node.set_verified();
        Ok(())
    }

    /// The newest block.
    pub async fn head(&self) -> Result<Block, Failure> {
        self.read(|node, patience| self.head_of(node, patience)).await
    }

    pub(super) async fn head_of(&self, node: &Node, patience: Duration) -> Result<Block, Failure> {
        let question = Question::new("eth_getBlockByNumber", json!(["latest", false]));
        let value = self.ask_current(node, vec![question], patience).await?;
        let block = wire::block(value.first().unwrap_or(&Value::Null)).map_err(|reason| node.malformed(reason))?;
        block.ok_or_else(|| node.malformed("no latest block"))
    }

    /// The block at this height; none while there is none.
    pub async fn block(&self, number: u64) -> Result<Option<Block>, Failure> {
        let question = Question::new("eth_getBlockByNumber", json!([wire::hex_number(number), false]));
        self.read_one(question, wire::block).await
    }

    /// None while the transaction is in no block, as one endpoint says.
    pub async fn receipt(&self, hash: &Hash32) -> Result<Option<Receipt>, Failure> {
        let question = Question::new("eth_getTransactionReceipt", json!([hash]));
        self.read_one(question, |value| wire::receipt(value, hash)).await
    }

    /// The code of a contract; empty where there is none.
    pub async fn code(&self, address: &Address) -> Result<Vec<u8>, Failure> {
        let question = Question::new("eth_getCode", json!([address.to_lower_hex(), "latest"]));
        self.read_one(question, wire::bytes).await
    }

    /// Everything that these contracts logged in the blocks from `from` to `to`, in order. Long ranges are asked in
    /// parts; each part is from one endpoint.
    pub async fn logs(&self, addresses: &[Address], from: u64, to: u64) -> Result<Vec<Log>, Failure> {
        let mut found = Vec::new();
        let mut next = Some(from);
        let mut length = LOG_BLOCKS_MAX;
        while let Some(start) = next.filter(|start| *start <= to) {
            let end = start.saturating_add(length.saturating_sub(1)).min(to);
            match self.logs_of_part(addresses, start, end).await {
                Ok(logs) => {
                    found.extend(logs);
                    next = end.checked_add(1);
                }
                // Too many blocks or too many logs for this node: ask for less.
                Err(Failure::Refused { .. } | Failure::Unreachable(_)) if length > 1 && start < end => {
                    length = (length / 8).max(1);
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(found)
    }

    async fn logs_of_part(&self, addresses: &[Address], from: u64, to: u64) -> Result<Vec<Log>, Failure> {
        let addresses: Vec<String> = addresses.iter().map(Address::to_lower_hex).collect();
        let filter = json!([{
            "address": addresses,
            "fromBlock": wire::hex_number(from),
            "toBlock": wire::hex_number(to),
        }]);
        self.read_one(Question::new("eth_getLogs", filter), wire::logs).await
    }

    pub(super) async fn read_one<T>(
        &self,
        question: Question,
        understand: impl Fn(&Value) -> Result<T, wire::Malformed> + Copy + Send,
    ) -> Result<T, Failure> {
        self.read(|node, patience| {
            let questions = vec![question.clone()];
            async move {
                let values = self.ask_current(node, questions, patience).await?;
                let value = values.first().unwrap_or(&Value::Null);
                understand(value).map_err(|reason| node.malformed(reason))
            }
        })
        .await
    }

    /// Puts a question that may take several requests to one endpoint after the other, until one answers all of it.
    pub(super) async fn read<'s, T, F, Answered>(&'s self, question: F) -> Result<T, Failure>
    where
        F: Fn(&'s Node, Duration) -> Answered,
        Answered: Future<Output = Result<T, Failure>> + Send,
    {
        let mut failures: Vec<Failure> = Vec::new();
        for (place, (node, patience)) in self.attempts(self.nodes.len().max(2)).enumerate() {
            // A single endpoint is asked again only when it was silent: a clear answer stays as it is.
            let is_repeat = place >= self.nodes.len();
            if is_repeat && !matches!(failures.last(), Some(Failure::Unreachable(_))) {
                break;
            }
            if is_repeat {
                tokio::time::sleep(PAUSE).await;
            }
            match question(node, patience).await {
                Ok(found) => {
                    self.prefer(node);
                    return Ok(found);
                }
                Err(failure) => {
                    tracing::debug!(%failure, "an endpoint failed");
                    if !matches!(failure, Failure::Refused { .. }) {
                        node.rest();
                    }
                    failures.push(failure);
                }
            }
        }
        Err(gravest(failures))
    }

    /// The answers of an endpoint that serves our chain and is not behind; the questions travel with the proof.
    pub(super) async fn ask_checked(
        &self,
        node: &Node,
        questions: Vec<Question>,
        patience: Duration,
    ) -> Result<Vec<Answer>, Failure> {
        let mut all = credentials().to_vec();
        all.extend(questions);
        let mut answers = node.ask(&all, patience).await.map_err(unreachable)?.into_iter();
        let (Some(chain), Some(head)) = (answers.next(), answers.next()) else {
            return Err(node.malformed("fewer answers than questions"));
        };
        let (chain, head) = read_credentials(node, &chain, &head)?;
        self.require_chain(node, chain)?;
        self.require_head(node, head)?;
        Ok(answers.collect())
    }

    pub(super) async fn ask_current(
        &self,
        node: &Node,
        questions: Vec<Question>,
        patience: Duration,
    ) -> Result<Vec<Value>, Failure> {
        let answers = self.ask_checked(node, questions, patience).await?;
        let values = answers.into_iter().map(|a| a.map_err(|refusal| node.refused(&refusal)));
        values.collect()
    }

    /// An endpoint that is behind may not know of our transactions. Only when every answer was behind for long do we
    /// believe that the blocks are gone.
    fn require_head(&self, node: &Node, head: u64) -> Result<(), Failure> {
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if head < seen.head {
            let since = *seen.behind_since.get_or_insert_with(Instant::now);
            if since.elapsed() < self.lag_patience {
                return Err(Failure::Behind {
                    endpoint: node.name(),
                    head,
                    seen: seen.head,
                });
            }
            tracing::warn!(head, seen = seen.head, "the chain has lost blocks that were seen");
        }
        *seen = Seen {
            head,
            since: if head == seen.head { seen.since } else { Instant::now() },
            behind_since: None,
        };
        metrics::gauge!("chain_head").set(u32::try_from(head).map_or(f64::MAX, f64::from));
        Ok(())
    }

    /// Endpoints in the order in which they are asked, again from the first when there are more attempts than endpoints,
    /// each with the time it gets.
    pub(super) fn attempts(&self, count: usize) -> impl Iterator<Item = (&Node, Duration)> {
        let preferred = self.preferred.load(Ordering::Relaxed);
        let mut order: Vec<(usize, &Node)> = self.nodes.iter().enumerate().collect();
        order.sort_by_key(|(place, node)| (node.is_resting(), *place != preferred));
        let short = PATIENCE_WITH_OTHERS.min(self.timeout);
        let others = order.len();
        let timeout = self.timeout;
        (0..count).filter_map(move |attempt| {
            let (_, node) = order.get(attempt.checked_rem(others)?)?;
            let is_last = attempt.saturating_add(1) >= others;
            Some((*node, if is_last { timeout } else { short }))
        })
    }

    /// Who answered is asked first the next time, unless the head stands still: then the one after it is.
    fn prefer(&self, chosen: &Node) {
        chosen.wake();
        if let Some(place) = self.nodes.iter().position(|node| std::ptr::eq(node, chosen)) {
            let place = place.saturating_add(usize::from(self.stands_still()));
            let place = place.checked_rem(self.nodes.len()).unwrap_or(0);
            self.preferred.store(place, Ordering::Relaxed);
        }
    }

    /// True once for every [`STANDSTILL`] in which the head did not move.
    fn stands_still(&self) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let stands = seen.since.elapsed() >= STANDSTILL;
        if stands {
            seen.since = Instant::now();
        }
        stands
    }
}

fn unreachable(silence: Silence) -> Failure {
    Failure::Unreachable(silence.text().to_owned())
}

/// What to tell when every endpoint failed: the clearest, or all of them.
fn gravest(failures: Vec<Failure>) -> Failure {
    let is_clear = |failure: &&Failure| !matches!(failure, Failure::Unreachable(_));
    if let Some(clear) = failures.iter().find(is_clear) {
        return clear.clone();
    }
    let texts: Vec<String> = failures
        .into_iter()
        .map(|failure| match failure {
            Failure::Unreachable(text) => text,
            other => other.to_string(),
        })
        .collect();
    Failure::Unreachable(texts.join("; "))
}

#[cfg(test)]
mod tests {
    use secrecy::SecretBox;

    use super::*;
    use crate::chain::Sent;
    use crate::chain::{At, Call};
    use crate::config::{Endpoint, KeySource};

    fn nobody_there() -> Rpc {
        let key = KeySource::Key(SecretBox::new(Box::new([1; 32])));
        // Port 9 (discard) of this machine: nobody listens.
        let endpoint = Endpoint::parse("http://user:hunter2@127.0.0.1:9/hunter2").unwrap();
        Rpc::connect(&Chain::new(1, vec![endpoint], key)).unwrap()
    }

    /// A task of its own may do all of it.
    fn can_be_spawned(_: impl Send) {}

    #[test]
    fn everything_it_does_can_be_a_task() {
        let rpc = nobody_there();
        let (address, hash) = (Address::ZERO, Hash32::ZERO);
        let call = Call {
            from: address,
            to: address,
            data: Vec::new(),
        };

        can_be_spawned(rpc.verify_chain_id());
        can_be_spawned(rpc.head());
        can_be_spawned(rpc.view(&address, &[hash], &[1]));
        can_be_spawned(rpc.receipt(&hash));
        can_be_spawned(rpc.logs(&[address], 0, 1));
        can_be_spawned(rpc.call(&call));
        can_be_spawned(rpc.call_many(std::slice::from_ref(&call), At::Latest));
        can_be_spawned(rpc.estimate_gas(&call));
        can_be_spawned(rpc.send(&[]));
    }

    #[tokio::test]
    async fn what_may_be_a_key_is_in_no_failure() {
        let rpc = nobody_there();

        let failure = rpc.head().await.unwrap_err();
        let sent = rpc.send(&[2]).await;

        assert!(matches!(failure, Failure::Unreachable(_)), "{failure}");
        assert!(matches!(sent, Sent::Unclear(_)), "{sent:?}");
        assert!(!format!("{failure} {failure:?} {sent:?}").contains("hunter2"));
        assert!(failure.to_string().contains("127.0.0.1:9"), "{failure}");
    }
}
