//! One fault after the other, on the way between a server and a local chain.

use std::collections::BTreeMap;
use std::process::Child;
use std::time::{Duration, Instant};

use moneyer::chain::{Fees, Signer, Transaction};
use moneyer::config::{Chain, Endpoint, KeySource};
use moneyer::db::Db;
use moneyer::types::{Address, Amount};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use secrecy::SecretBox;
use serde_json::{Value, json};

use crate::Outcome;
use crate::chaos::{CALM_MAX, FINALITY_DEPTH, LOOK, PAUSE, comparable_at, open_operations, until};
use crate::kill::{self, Load, Shared};
use crate::node::{ACCOUNTS, CHAIN_ID, KEYS, Node, number};
use crate::people::People;
use crate::proxy::{Fault, Proxy};
use crate::server::Server;
use crate::world::World;

/// The deepest reorganisation: it never reaches what is final, see `chaos.rs`.
const REORG_DEPTH_MAX: u64 = 3;
/// How long a fault that lasts lasts.
const FAULT_MILLIS: std::ops::Range<u64> = 100..1_200;
const WEI_PER_GWEI: u128 = 1_000_000_000;
/// In wei; as much as the node gives its accounts.
const PURSE: u128 = 10_000_000_000_000 * WEI_PER_GWEI;

/// What can go wrong (issue "Settle on a real EVM chain": bad times).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Evil {
    ReplyLost,
    GatewayFailsAfterwards,
    KilledAnywhere,
    KilledAfterSigning,
    KilledAfterSending,
    NodeForgetsItsPool,
    OneDropped,
    PoolDropped,
    BaseFeeJumps,
    BlocksVanish,
    NonceTaken,
    ReceiptsNull,
    EndpointLags,
    PurseEmpty,
    NodeFrozen,
    NetworkBad,
    EstimatesWrong,
    TwoSenders,
    RecipientUnverified,
    HolderTransfers,
    RecipientFrozen,
}

impl Evil {
    const ALL: [Self; 21] = [
        Self::ReplyLost,
        Self::GatewayFailsAfterwards,
        Self::KilledAnywhere,
        Self::KilledAfterSigning,
        Self::KilledAfterSending,
        Self::NodeForgetsItsPool,
        Self::OneDropped,
        Self::PoolDropped,
        Self::BaseFeeJumps,
        Self::BlocksVanish,
        Self::NonceTaken,
        Self::ReceiptsNull,
        Self::EndpointLags,
        Self::PurseEmpty,
        Self::NodeFrozen,
        Self::NetworkBad,
        Self::EstimatesWrong,
        Self::TwoSenders,
        Self::RecipientUnverified,
        Self::HolderTransfers,
        Self::RecipientFrozen,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::ReplyLost => "reply_lost",
            Self::GatewayFailsAfterwards => "gateway_fails_afterwards",
            Self::KilledAnywhere => "killed_anywhere",
            Self::KilledAfterSigning => "killed_after_signing",
            Self::KilledAfterSending => "killed_after_sending",
            Self::NodeForgetsItsPool => "node_forgets_its_pool",
            Self::OneDropped => "one_dropped",
            Self::PoolDropped => "pool_dropped",
            Self::BaseFeeJumps => "base_fee_jumps",
            Self::BlocksVanish => "blocks_vanish",
            Self::NonceTaken => "nonce_taken",
            Self::ReceiptsNull => "receipts_null",
            Self::EndpointLags => "endpoint_lags",
            Self::PurseEmpty => "purse_empty",
            Self::NodeFrozen => "node_frozen",
            Self::NetworkBad => "network_bad",
            Self::EstimatesWrong => "estimates_wrong",
            Self::TwoSenders => "two_senders",
            Self::RecipientUnverified => "recipient_unverified",
            Self::HolderTransfers => "holder_transfers",
            Self::RecipientFrozen => "recipient_frozen",
        }
    }
}

/// The chain as the run itself looks at it, its key included.
fn chain() -> Outcome<Chain> {
    let mut key = [0; 32];
    let text = KEYS[0].trim_start_matches("0x");
    key.copy_from_slice(&data_encoding::HEXLOWER.decode(text.as_bytes())?);
    let nobody = Endpoint::parse("http://127.0.0.1:9")?;
    Ok(Chain::new(
        CHAIN_ID,
        vec![nobody],
        KeySource::Key(SecretBox::new(Box::new(key))),
    ))
}

/// Everything that can fail, and what was done to it.
pub struct Chaos<'a> {
    pub node: Node,
    proxy: Proxy,
    pub db: &'a Db,
    pub load: &'a Load<'a>,
    chain: Chain,
    pub random: StdRng,
    /// Struck in this order, the last one first; then all of them again.
    deck: Vec<Evil>,
    pub people: People<'a>,
    pub struck: BTreeMap<&'static str, u32>,
    pub decisions: u32,
}

impl<'a> Chaos<'a> {
    pub fn new(node: Node, proxy: Proxy, db: &'a Db, load: &'a Load<'a>, people: People<'a>) -> Outcome<Self> {
        Ok(Self {
            node,
            proxy,
            db,
            load,
            chain: chain()?,
            random: StdRng::seed_from_u64(load.seed),
            deck: Vec::new(),
            people,
            struck: Evil::ALL.into_iter().map(|evil| (evil.name(), 0)).collect(),
            decisions: 0,
        })
    }

    pub fn rage(&mut self, faults: u32, server: &mut Server, shared: &Shared) -> Outcome<()> {
        kill::wait_for_an_answer(server, shared)?;
        self.give_to_holders(shared)?;
        let (mut left, begin) = (faults, Instant::now());
        while left > 0 {
            let evil = self.next();
            eprintln!("{:.1} s: {}", begin.elapsed().as_secs_f32(), evil.name());
            if self.strike(evil, server, shared)? {
                *self.struck.entry(evil.name()).or_default() += 1;
                left -= 1;
            }
            self.heal();
            server.expect_alive()?;
            self.decide()?;
            self.pause();
        }
        Ok(())
    }

    /// Each comes before any comes again, so that a short run has many of them and a long one all.
    fn next(&mut self) -> Evil {
        loop {
            if let Some(evil) = self.deck.pop() {
                return evil;
            }
            self.deck = Evil::ALL.to_vec();
            self.deck.shuffle(&mut self.random);
        }
    }

    pub fn pause(&mut self) {
        let millis = self.random.random_range(FAULT_MILLIS);
        std::thread::sleep(Duration::from_millis(millis));
    }

    /// False when there was nothing to strike at.
    fn strike(&mut self, evil: Evil, server: &mut Server, shared: &Shared) -> Outcome<bool> {
        match evil {
            Evil::ReplyLost => self.next_sending(Fault::DropReply),
            Evil::GatewayFailsAfterwards => self.next_sending(Fault::StatusAfter(502)),
            Evil::KilledAnywhere => shared.kill(server, self.load.launch)?,
            Evil::KilledAfterSigning => return self.kill_in_sending(Fault::TimeOut(PAUSE * 20), server, shared),
            Evil::KilledAfterSending => return self.kill_in_sending(Fault::TimeOutAfter(PAUSE * 20), server, shared),
            Evil::OneDropped => return Ok(self.drop_one()),
            Evil::NodeForgetsItsPool => self.start_node_again()?,
            Evil::PoolDropped => self.node.drop_all_transactions(),
            Evil::BaseFeeJumps => {
                let gwei = self.random.random_range(3..40);
                self.node.set_next_base_fee(gwei * WEI_PER_GWEI);
                self.pause();
            }
            Evil::BlocksVanish => return Ok(self.reorganise(&json!([]))),
            Evil::NonceTaken => return self.take_nonce(),
            Evil::ReceiptsNull => {
                self.proxy
                    .break_method("eth_getTransactionReceipt", Fault::NullReceipts);
                self.pause();
            }
            Evil::EndpointLags => {
                self.proxy.lag_at(self.node.head());
                self.pause();
                self.pause();
            }
            Evil::PurseEmpty => {
                self.node.set_balance(ACCOUNTS[0], 1_000);
                self.pause();
            }
            Evil::NodeFrozen => {
                self.node.freeze();
                self.pause();
                self.node.thaw();
            }
            Evil::NetworkBad => self.misbehave(),
            Evil::EstimatesWrong => {
                self.proxy.estimate(60);
                self.pause();
            }
            Evil::TwoSenders => self.two_senders(server, shared)?,
            Evil::RecipientUnverified => self.mint_to_the_stranger(shared)?,
            Evil::HolderTransfers => return self.transfer_of_a_holder(),
            Evil::RecipientFrozen => return self.freeze_a_recipient(shared),
        }
        Ok(true)
    }

    /// The purse is filled after every fault: blocks that vanish take away with them what was paid in.
    fn heal(&self) {
        self.proxy.heal();
        self.node.set_balance(ACCOUNTS[0], PURSE);
    }

    fn next_sending(&mut self, fault: Fault) {
        self.proxy.inject("eth_sendRawTransaction", fault, 2);
        self.pause();
    }

    /// The process dies while it waits for the answer to what it sent.
    fn kill_in_sending(&mut self, fault: Fault, server: &mut Server, shared: &Shared) -> Outcome<bool> {
        let before = self.proxy.count("eth_sendRawTransaction");
        self.proxy.break_method("eth_sendRawTransaction", fault);
        let begin = Instant::now();
        while self.proxy.count("eth_sendRawTransaction") == before {
            if begin.elapsed() > CALM_MAX / 30 {
                return Ok(false);
            }
            std::thread::sleep(LOOK / 10);
        }
        std::thread::sleep(LOOK / 2);
        shared.kill(server, self.load.launch)?;
        Ok(true)
    }

    /// The node ends and comes up with its chain and without its pool. It saves its chain once a second: with blocks coming
    /// it would lose more of them than finality allows for, so it ends between two.
    fn start_node_again(&mut self) -> Outcome<()> {
        let genesis = self.node.block("0x0");
        self.node.stop_mining();
        std::thread::sleep(LOOK * 5);
        self.node.stop();
        self.node.start_again();
        match self.node.block("0x0")["hash"] == genesis["hash"] {
            true => Ok(()),
            false => Err("the node has begun another chain".into()),
        }
    }

    fn drop_one(&mut self) -> bool {
        self.node.stop_mining();
        let pending = self.gathered();
        let dropped = match pending.len() {
            0 => false,
            count => {
                let one = self.random.random_range(0..count);
                self.node.drop_transaction(&pending[one])
            }
        };
        self.go_on_mining();
        dropped
    }

    /// What waits in the pool of a node that makes no blocks, once it is more than one, or what it is after a while.
    fn gathered(&self) -> Vec<String> {
        let begin = Instant::now();
        loop {
            std::thread::sleep(LOOK);
            let (pending, _) = self.node.pool();
            if pending.len() > 1 || begin.elapsed() > PAUSE * 10 {
                return pending;
            }
        }
    }

    fn go_on_mining(&self) {
        self.node.mine_automatically();
        self.node.rpc("evm_setIntervalMining", json!([1]));
    }

    /// Replaces the last blocks; a node that was started again has forgotten what was before and refuses.
    fn reorganise(&mut self, transactions: &Value) -> bool {
        let depth = self.random.random_range(1..=REORG_DEPTH_MAX);
        self.node.try_rpc("anvil_reorg", json!([depth, transactions])).is_ok()
    }

    /// Something else that our key signed is mined at one of our nonces.
    fn take_nonce(&mut self) -> Outcome<bool> {
        let base = self.node.head().saturating_sub(REORG_DEPTH_MAX);
        let count = self
            .node
            .try_rpc("eth_getTransactionCount", json!([ACCOUNTS[0], format!("{base:#x}")]));
        let Ok(count) = count else { return Ok(false) };
        let nonce = u64::try_from(number(&count))?;
        let raw = foreign(&self.chain, nonce)?;
        let reorganised = self.node.try_rpc("anvil_reorg", json!([REORG_DEPTH_MAX, [[raw, 0]]]));
        Ok(reorganised.is_ok())
    }

    fn misbehave(&mut self) {
        let faults = [
            Fault::Refuse,
            Fault::DropReply,
            Fault::TimeOutAfter(PAUSE),
            Fault::Status(429),
            Fault::Status(503),
            Fault::StatusAfter(502),
            Fault::NullReceipts,
        ];
        let seed = self.random.random();
        self.proxy.misbehave(seed, 300, &faults);
        self.pause();
        self.pause();
    }

    /// A second process with the same key; the first dies while it looks on.
    fn two_senders(&mut self, server: &mut Server, shared: &Shared) -> Outcome<()> {
        let mut second = Second(self.load.launch.spawn_worker()?);
        self.pause();
        shared.kill(server, self.load.launch)?;
        self.pause();
        self.pause();
        second.0.kill()?;
        second.0.wait()?;
        Ok(())
    }

    /// Waits until every operation has ended and books and chain can be compared as of then.
    pub fn calm_down(&mut self, server: &mut Server, world: &World) -> Outcome<Duration> {
        self.heal();
        self.go_on_mining();
        let waited = until("every operation to end", || {
            server.expect_alive()?;
            self.decide()?;
            Ok(open_operations(self.db, world)? == 0)
        })
        .map_err(|error| format!("{error}: {}", server.log_end()))?;
        let (chain, last) = (self.chain_at_node()?, self.node.head());
        self.node.mine(FINALITY_DEPTH + 1);
        until("books at one block", || {
            Ok(comparable_at(self.db, &chain)?.is_some_and(|block| block >= last))
        })?;
        Ok(waited)
    }

    pub fn chain_at_node(&self) -> Outcome<Chain> {
        let mut chain = chain()?;
        chain.rpc = vec![Endpoint::parse(&self.node.url())?];
        Ok(chain)
    }
}

/// Killed with the value: an error on the way leaves no process behind.
struct Second(Child);

impl Drop for Second {
    fn drop(&mut self) {
        // An error means that it is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::main(flavor = "current_thread")]
async fn foreign(chain: &Chain, nonce: u64) -> Outcome<String> {
    let signer = Signer::open(&chain.signer).await?;
    let payment = Transaction {
        chain_id: chain.id,
        nonce,
        to: Some(Address::from_bytes([5; 20])),
        value: Amount::ONE,
        data: Vec::new(),
        gas_limit: 21_000,
        fees: Fees {
            max: 90 * WEI_PER_GWEI,
            priority: 2 * WEI_PER_GWEI,
        },
    };
    let signed = signer.sign(&payment).await?;
    Ok(format!("0x{}", data_encoding::HEXLOWER.encode(&signed.raw)))
}
