//! The hands of [`Sender`](super::sender::Sender): reads the chain, keeps the rows, signs, sends, and settles what is
//! final. It decides nothing that the state machine or the planner decides.
//!
//! Order of things for one transaction (specs/chain.md section 5, rules 2 to 4): row with its nonce, commit; sign; bytes
//! and hash, commit; send; what came of it, commit. A crash between any two finds what is there and goes on with it.
//! Every commit checks the lease: two processes never use one key.

mod act;
mod backlog;
mod collections;
mod dispatch;
mod finalise;
mod lease;
mod mints;
mod moves;
mod planned;
mod preflight;
mod receipts;
mod refusing;
mod report;
mod resolve;
mod setup;
mod watch;

use lease::{LEASE_SECONDS, lease_name};
pub(super) use preflight::without_margin;
pub(super) use setup::salt_of;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::gas::GasBook;
use super::lot::{self, Group};
use super::model::{ChainRecord, Look, Part, SenderKey};
use super::ruling::Judging;
use super::sender::{Action, Event, Intent, Policy, Sender, State};
use super::{join, store};
use crate::chain::{Block, Failure, Rpc, Signer, is_refused};
use crate::db::{Db, Tx};
use crate::error::Error;
use crate::job::{self, Lease};
use crate::operation::Turns;
use crate::types::{AssetId, Hash32, Timestamp};

/// How long to wait after a failure; a node or a database that is away comes back when it does.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(500);

/// What a chain's settings say to the driver.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub policy: Policy,
    /// Gas that one transaction may spend: the chain's cap, or less.
    pub gas_per_transaction_max: u64,
    /// Between two looks at the chain.
    pub poll: Duration,
}

/// Settles operations on one chain with one key.
#[derive(Clone)]
pub struct Driver {
    pub db: Db,
    pub rpc: Arc<Rpc>,
    pub signer: Arc<Signer>,
    pub settings: Settings,
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Names this process in the lease.
    pub owner: String,
    /// Judges operations again before they are sent.
    pub judging: Judging,
}

impl Driver {
    /// Works until the token is cancelled. Whatever fails is logged and begun anew from what the database holds.
    pub async fn run(self, cancel: CancellationToken) {
        let mut ticks = tokio::time::interval(self.settings.poll);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut session: Option<Session> = None;
        // What was compared, and when, outlives a session.
        let mut watch = None;
        let mut next = Next::AtTick;
        loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                () = std::future::ready(()), if next == Next::AtOnce => {}
                _ = ticks.tick() => {}
            }
            let result = match session.as_mut() {
                Some(session) => session.tick().await,
                None => match Session::open(self.clone()).await {
                    Ok(opened) => {
                        session = opened;
                        if let Some(session) = session.as_mut() {
                            session.watch = watch.take().unwrap_or_else(|| watch::Watch::from(self.now()));
                        }
                        Ok(Next::AtTick)
                    }
                    Err(error) => Err(error),
                },
            };
            next = result.unwrap_or_else(|error| {
                metrics::counter!("settlement_failures_total").increment(1);
                tracing::warn!(%error, "settlement stopped short and begins again from the database");
                watch = session.take().map(|session| session.watch).or_else(|| watch.take());
                Next::AfterPause
            });
            if next == Next::AfterPause {
                tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
            }
        }
        if let Some(session) = session {
            session.close().await;
        }
    }

    /// Takes note of the chain, or finds that it is another one than this database knows: `Conflict`. A node that was
    /// wiped is another chain with the same number, and what we sent there would be lost.
    pub async fn join(&self) -> Result<(), Error> {
        let genesis = self.genesis().await?;
        self.join_at(genesis).await
    }

    async fn genesis(&self) -> Result<Hash32, Failure> {
        self.rpc.verify_chain_id().await?;
        let block = self.rpc.block(0).await?;
        let genesis = block.ok_or_else(|| Failure::Settings("the node has no block 0".to_owned()))?;
        Ok(genesis.hash)
    }

    async fn join_at(&self, genesis: Hash32) -> Result<(), Error> {
        let (key, now) = (self.key(), self.now());
        self.db
            .write(move |tx| join(tx, key.chain_id, key.sender, genesis, now))
            .await
    }

    fn now(&self) -> Timestamp {
        (self.now)()
    }

    fn key(&self) -> SenderKey {
        SenderKey {
            chain_id: self.rpc.chain_id(),
            sender: self.signer.address(),
        }
    }
}

/// When the chain is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    AtTick,
    /// More could be sent, after a look at what became of the rest.
    AtOnce,
    AfterPause,
}

/// The time in which this process holds the key.
struct Session {
    driver: Driver,
    key: SenderKey,
    lease: Lease,
    /// When it was extended last, in seconds.
    lease_since: AtomicI64,
    chain: ChainRecord,
    sender: Sender,
    /// What each open intent is about.
    about: HashMap<u64, About>,
    head: Option<Block>,
    receipts: receipts::Receipts,
    /// Nonces that the last look found final, not posted yet.
    finals: VecDeque<u64>,
    /// Mints that were found to wait in this look: those behind them go.
    passed_over: HashSet<(AssetId, i64)>,
    /// Which part of what waits for something is looked at next.
    turns_of_held: Turns,
    /// Assets whose token refuses everything: until when it is not tried, and what it says.
    refusing: HashMap<AssetId, (Timestamp, String)>,
    /// What kept single assets or transactions from going on in this look.
    obstacles: Vec<String>,
    gas: GasBook,
    watch: watch::Watch,
    /// The node was seen to serve the chain that the database knows.
    is_met: bool,
    /// What a node said last when it failed.
    ailing: Option<String>,
    signer_fails: bool,
    /// Intents whose row is older than this look and that were not signed: what they carry is judged again before.
    late: HashSet<u64>,
    /// What the database says about all this.
    told: Look,
    /// Intents that ended and still need a person.
    flagged: u64,
}

/// What an open intent is about, and how far its operations were told to be.
#[derive(Clone, Debug)]
struct About {
    operations: Vec<(AssetId, i64)>,
    /// What it mints, if it does.
    mints: Option<Group>,
    /// It could have taken more of these.
    has_room: bool,
    told: Option<crate::operation::Status>,
}

impl Session {
    /// Takes the lease and loads what there is; none while another process has it.
    async fn open(driver: Driver) -> Result<Option<Self>, Error> {
        if driver.db.read(store::chain).await?.is_none() {
            driver.join().await?;
        }
        let (key, now, owner) = (driver.key(), driver.now(), driver.owner.clone());
        let policy = driver.settings.policy;
        let loaded = driver
            .db
            .write(move |tx| {
                let name = lease_name(&key);
                let Some(lease) = job::acquire_for(tx, &name, &owner, now, LEASE_SECONDS)? else {
                    return Ok(None);
                };
                let chain = store::chain(tx)?.ok_or_else(|| Error::internal("the chain is not set up"))?;
                let intents = store::open_intents(tx, &key)?;
                let about = about(tx, &key, &intents)?;
                let sender = Sender::load(policy, intents, store::known(tx, &key)?);
                let flagged = store::flagged_count(tx, &key)?;
                Ok(Some((lease, chain, sender, about, flagged)))
            })
            .await?;
        let Some((lease, chain, sender, about, flagged)) = loaded else {
            return Ok(None);
        };
        let unsigned = sender.intents().filter(|intent| intent.state == State::Assigned);
        let late = unsigned.map(|intent| intent.nonce).collect();
        tracing::info!(chain = key.chain_id, sender = %key.sender, fence = lease.fence, "this process sends for the key");
        Ok(Some(Self {
            driver,
            key,
            lease,
            lease_since: AtomicI64::new(now.seconds()),
            told: chain.look.clone(),
            chain,
            sender,
            about,
            head: None,
            receipts: receipts::Receipts::default(),
            finals: VecDeque::new(),
            passed_over: HashSet::new(),
            turns_of_held: Turns::default(),
            refusing: HashMap::new(),
            obstacles: Vec::new(),
            gas: GasBook::default(),
            watch: watch::Watch::from(now),
            is_met: false,
            ailing: None,
            signer_fails: false,
            late,
            flagged,
        }))
    }

    async fn close(self) {
        let (lease, now) = (self.lease, self.driver.now());
        let released = self.driver.db.write(move |tx| job::release(tx, &lease, now)).await;
        if let Err(error) = released {
            tracing::warn!(%error, "the sender's lease was not released: the next holder waits for its end");
        }
    }

    /// One look, what follows from it, and how it went.
    async fn tick(&mut self) -> Result<Next, Error> {
        let done = self.look().await;
        let trouble = match &done {
            Ok(_) => self.trouble(),
            Err(error) => Some(self.ailing.take().unwrap_or_else(|| error.to_string())),
        };
        let told = self.tell(trouble).await;
        told.and(done)
    }

    async fn look(&mut self) -> Result<Next, Error> {
        self.obstacles.clear();
        self.keep_lease().await?;
        self.meet().await?;
        let wanted = self.sender.wanted();
        let unknown = self.receipts.unknown(&wanted);
        let view = self.driver.rpc.view(&self.key.sender, &unknown, &wanted.blocks).await;
        let mut view = view.map_err(|failure| self.ail(failure))?;
        self.receipts.complete(&mut view, &wanted);
        self.head = Some(view.head);
        let now = self.driver.now();
        let finalized = view.finalized;
        self.gauge(&view);
        let before = self.in_blocks();
        let actions = self.sender.step(Event::Observed { view, now });
        self.count_reorg(&before);
        self.finals.clear();
        self.act(actions).await?;
        self.resolve().await?;
        // The chain works on what waits while the books are written. What is final is posted whatever became of that.
        let dispatched = self.dispatch().await;
        while !self.finals.is_empty() {
            self.post_next().await?;
        }
        let next = dispatched?;
        self.watch(finalized).await;
        Ok(next)
    }

    /// Settles one of the transactions that the last look found final, if there is one left.
    async fn post_next(&mut self) -> Result<(), Error> {
        match self.finals.pop_front() {
            Some(nonce) if self.sender.stands(&Action::Finalise { nonce }) => {
                let posted = self.finalise(nonce).await;
                self.or_later(posted, (), || format!("nonce {nonce}"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// What the node would not answer about one transaction or one asset keeps no other from going on; it is asked again at
    /// the next look, and people are told.
    fn or_later<T>(&mut self, done: Result<T, Error>, otherwise: T, what: impl Fn() -> String) -> Result<T, Error> {
        match done {
            Err(error) if is_refused(&error) => {
                self.obstacles.push(format!("{} waits: {error}", what()));
                Ok(otherwise)
            }
            done => done,
        }
    }

    /// Before anything is sent: every session begins with a node that may have been wiped since the last one.
    async fn meet(&mut self) -> Result<(), Error> {
        if !self.is_met {
            let genesis = self.driver.genesis().await.map_err(|failure| self.ail(failure))?;
            self.driver.join_at(genesis).await?;
            let known = self.driver.rpc.known_of(&self.key.sender).await;
            let known = known.map_err(|failure| self.ail(failure))?;
            // Those that are mined are seen with the first look.
            let is_mined = self.sender.unknown_beyond(known.mined).is_some();
            if let Some(first) = self.sender.unknown_beyond(known.pooled).filter(|_| !is_mined) {
                self.ailing = Some(format!(
                    "a pool has transactions of {} from nonce {first} on that this database never held: nothing is sent \
                     until they are mined or gone",
                    self.key.sender
                ));
                return Err(Error::Unavailable(
                    "a pool has transactions of the signer that are not ours",
                ));
            }
            self.is_met = true;
        }
        Ok(())
    }
}

fn group_of(tx: &mut Tx<'_>, part: &Part) -> Result<Option<Group>, Error> {
    let Some((asset, first)) = part.operations.first().copied() else {
        return Ok(None);
    };
    match part.kind.as_str() {
        "mint" => Ok(Some(Group::units(asset))),
        collections::NFT => {
            let lot = lot::lots(tx, asset, &[first])?.remove(&first);
            Ok(Some(Group { asset, lot }))
        }
        _ => Ok(None),
    }
}

fn about(tx: &mut Tx<'_>, key: &SenderKey, intents: &[Intent]) -> Result<HashMap<u64, About>, Error> {
    intents
        .iter()
        .map(|intent| {
            let part = store::part(tx, key, intent.nonce)?;
            let mints = group_of(tx, &part)?;
            let about = About {
                mints,
                // Of what another session sent it is not known.
                has_room: true,
                operations: part.operations,
                told: None,
            };
            Ok((intent.nonce, about))
        })
        .collect()
}
