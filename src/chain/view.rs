use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::failure::Failure;
use super::model::{Block, Fees, Receipt, View};
use super::node::{Answer, Node, Question, Refusal};
use super::rpc::Rpc;
use super::wire;
use crate::config::Finality;
use crate::types::{Address, Hash32};

/// A chain that moves during every one of this many readings is read at the next tick.
const READINGS_MAX: usize = 3;
/// Blocks whose rewards suggest a priority fee.
const FEE_BLOCKS: u64 = 10;

impl Rpc {
    /// One consistent reading: what `sender` has at the head, the receipts of `hashes`, and which blocks are at the
    /// heights `blocks`. Everything is asked of one endpoint for one head, by its number; when the head's hash is
    /// another one afterwards, all of it is read again.
    pub async fn view(&self, sender: &Address, hashes: &[Hash32], blocks: &[u64]) -> Result<View, Failure> {
        self.read(|node, patience| self.view_of(node, patience, sender, hashes, blocks))
            .await
    }

    async fn view_of(
        &self,
        node: &Node,
        patience: Duration,
        sender: &Address,
        hashes: &[Hash32],
        blocks: &[u64],
    ) -> Result<View, Failure> {
        for _ in 0..READINGS_MAX {
            let head = self.head_of(node, patience).await?;
            let reading = Reading::new(self, head, sender, hashes, blocks);
            let answers = self.ask_checked(node, reading.questions(), patience).await?;
            if self.hash_at(node, head.number, patience).await? == Some(head.hash) {
                let view = reading.understand(node, answers)?;
                if reading.is_of_one_chain(&view) {
                    return Ok(view);
                }
            }
        }
        Err(Failure::Moved { endpoint: node.name() })
    }

    async fn hash_at(&self, node: &Node, number: u64, patience: Duration) -> Result<Option<Hash32>, Failure> {
        let question = Question::new("eth_getBlockByNumber", json!([wire::hex_number(number), false]));
        let values = self.ask_current(node, vec![question], patience).await?;
        let block = wire::block(values.first().unwrap_or(&Value::Null)).map_err(|reason| node.malformed(reason))?;
        Ok(block.map(|block| block.hash))
    }
}

/// The questions of one reading at one head, and what their answers mean.
struct Reading<'r> {
    rpc: &'r Rpc,
    head: Block,
    sender: &'r Address,
    hashes: &'r [Hash32],
    /// Without those above the head: some nodes refuse to be asked for them.
    blocks: Vec<u64>,
}

impl<'r> Reading<'r> {
    fn new(rpc: &'r Rpc, head: Block, sender: &'r Address, hashes: &'r [Hash32], blocks: &[u64]) -> Self {
        let below = blocks.iter().copied().filter(|number| *number <= head.number);
        Self {
            rpc,
            head,
            sender,
            hashes,
            blocks: below.collect(),
        }
    }

    /// A node in the middle of a reorganisation may lack a block below the head that it names before and after.
    fn is_of_one_chain(&self, view: &View) -> bool {
        let stands = |number: u64, hash: Hash32| view.blocks.get(&number).is_none_or(|found| *found == hash);
        self.blocks.iter().all(|number| view.blocks.contains_key(number))
            && stands(self.head.number, self.head.hash)
            && self
                .head
                .number
                .checked_sub(1)
                .is_none_or(|below| stands(below, self.head.parent))
    }

    /// Three of fixed place, then the finalized block where it is a rule, then the receipts, then the blocks.
    fn questions(&self) -> Vec<Question> {
        let at = wire::hex_number(self.head.number);
        let sender = self.sender.to_lower_hex();
        let block = |tag: Value| Question::new("eth_getBlockByNumber", json!([tag, false]));
        let history = json!([wire::hex_number(FEE_BLOCKS), at, [50]]);
        let mut questions = vec![
            Question::new("eth_getTransactionCount", json!([sender, at])),
            Question::new("eth_getBalance", json!([sender, at])),
            Question::new("eth_feeHistory", history),
        ];
        if self.rpc.finality == Finality::Tag {
            questions.push(block(json!("finalized")));
        }
        let receipt = |hash| Question::new("eth_getTransactionReceipt", json!([hash]));
        questions.extend(self.hashes.iter().map(receipt));
        questions.extend(self.blocks.iter().map(|number| block(wire::hex_number(*number))));
        questions
    }

    fn understand(&self, node: &Node, answers: Vec<Answer>) -> Result<View, Failure> {
        let malformed = |reason: String| node.malformed(reason);
        let mut answers = answers.into_iter();
        let mut next = || {
            answers
                .next()
                .ok_or_else(|| node.malformed("fewer answers than questions"))
        };
        let (count, balance, history) = (next()?, next()?, next()?);
        let finalized = match self.rpc.finality {
            Finality::Tag => self.finalized_by_tag(node, next()?)?,
            Finality::Depth(depth) => self.head.number.saturating_sub(depth),
        };
        let finalized = self
            .rpc
            .saved
            .as_ref()
            .map_or(finalized, |saved| finalized.min(saved.block()));
        let mut receipts = HashMap::new();
        for hash in self.hashes {
            let value = next()?.map_err(|refusal| node.refused(&refusal))?;
            let receipt = wire::receipt(&value, hash).map_err(malformed)?;
            receipts.insert(*hash, self.up_to_head(receipt));
        }
        let mut blocks = HashMap::new();
        for number in &self.blocks {
            let value = next()?.map_err(|refusal| node.refused(&refusal))?;
            if let Some(block) = wire::block(&value).map_err(malformed)? {
                blocks.insert(*number, block.hash);
            }
        }
        let count = count.map_err(|refusal| node.refused(&refusal))?;
        let balance = balance.map_err(|refusal| node.refused(&refusal))?;
        Ok(View {
            head: self.head,
            finalized,
            count: wire::number(&count).map_err(malformed)?,
            balance: wire::amount(&balance).map_err(malformed)?,
            receipts,
            blocks,
            suggested: self.suggested(history),
        })
    }

    /// A block that came after the head was read is in the next view, with the count that belongs to it.
    fn up_to_head(&self, receipt: Option<Receipt>) -> Option<Receipt> {
        receipt.filter(|receipt| receipt.block_number <= self.head.number)
    }

    fn finalized_by_tag(&self, node: &Node, answer: Answer) -> Result<u64, Failure> {
        match answer {
            Ok(value) => {
                let block = wire::block(&value).map_err(|reason| node.malformed(reason))?;
                Ok(block.map_or(0, |block| block.number.min(self.head.number)))
            }
            // A young chain has none yet, which some nodes call an error.
            Err(refusal) if says_none_yet(&refusal) => Ok(0),
            Err(refusal) => Err(node.refused(&refusal)),
        }
    }

    /// Without a fee history the head's base fee has to do.
    fn suggested(&self, history: Answer) -> Fees {
        let history = history.ok().and_then(|value| wire::fee_history(&value).ok());
        let (next, rewards) = history.unwrap_or((self.head.base_fee, Vec::new()));
        self.rpc.fees.suggest(next.max(self.head.base_fee), &rewards)
    }
}

fn says_none_yet(refusal: &Refusal) -> bool {
    let message = refusal.message.to_lowercase();
    message.contains("finalized") && message.contains("not found")
}
