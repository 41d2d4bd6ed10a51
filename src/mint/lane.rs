//! *Lane*: the queue in which the requests for one asset wait for the commit in progress.
//!
//! A request that finds its lane empty goes at once; those that arrive meanwhile are taken together by the next commit.
//! Nothing ever waits for company. On a database with one writer a single lane serves all assets.
//!
//! A group that fails unexpectedly is halved until the culprit is alone, so that nobody fails for a neighbour.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moka::sync::Cache;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::rules::Reading;
use super::{Judge, Request, Target, Verdict, issue};
use crate::asset::{self, Settlement};
use crate::config;
use crate::db::{Db, Tx};
use crate::error::Error;
use crate::operation::IdempotencyKey;
use crate::policy::PolicySet;
use crate::settlement;
use crate::telemetry::Stopwatch;
use crate::types::{Address, AssetId, Currency, UserId};

/// What a caller is told whose lane ended before it was answered.
const STOPPED: &str = "the server is stopping";
/// Pairs of asset and caller; beyond it the least used cost a query.
const MINTERS_MAX: u64 = 100_000;
const MINTER_TTL: Duration = Duration::from_secs(60);
/// Assets; beyond it the least used cost a query per request.
const TARGETS_MAX: u64 = 100_000;

/// What a caller is told when too many recipients wait in front of it.
const FULL: &str = "the asset's queue is full";

type Reply = oneshot::Sender<Result<Verdict, Error>>;

/// The lanes of this process.
#[derive(Clone)]
pub struct Lanes {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    judge: Judge,
    waiting_max: usize,
    commit_max: usize,
    lanes: Mutex<HashMap<Option<AssetId>, Arc<Lane>>>,
    waiting: AtomicUsize,
    /// Callers whose mint of an asset was accepted a moment ago: they had the role then. The lane asks again.
    minters: Cache<(AssetId, UserId), ()>,
    /// By address. What is in here never changes, so nothing has to be taken out.
    targets: Cache<Address, Target>,
    /// Where lanes run: not on the thread of the request that set one going, which may end before the lane does.
    runtime: Handle,
}

#[derive(Default)]
struct Lane {
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    lines: usize,
    is_running: bool,
}

struct Job {
    request: Request,
    reply: Reply,
}

impl Job {
    fn key(&self) -> Option<&IdempotencyKey> {
        self.request.idempotency.as_ref().map(|(key, _)| key)
    }
}

impl Lanes {
    /// `clock` is read once per commit, under the asset's lock.
    ///
    /// Errors: outside of a tokio runtime, which the lanes run on.
    pub fn new(
        db: Db,
        policy: Arc<PolicySet>,
        clock: Reading,
        base_currency: Option<Currency>,
        settings: &config::Lanes,
    ) -> Result<Self, Error> {
        let inner = Inner {
            db,
            judge: Judge::new(policy, clock, base_currency),
            waiting_max: settings.waiting_max,
            commit_max: settings.commit_max,
            lanes: Mutex::new(HashMap::new()),
            waiting: AtomicUsize::new(0),
            minters: Cache::builder()
                .max_capacity(MINTERS_MAX)
                .time_to_live(MINTER_TTL)
                .build(),
            targets: Cache::new(TARGETS_MAX),
            runtime: Handle::try_current().map_err(Error::internal)?,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The asset at an address: one or two queries when it is asked for first, then none. `NotFound` when there is none.
    pub async fn target(&self, address: Address) -> Result<Target, Error> {
        if let Some(known) = self.inner.targets.get(&address) {
            return Ok(known);
        }
        let found = self.inner.db.read(move |tx| {
            let asset = asset::find_by_address(tx, &address)?;
            Ok(Target {
                asset: asset.id,
                decimals: asset.decimals,
                is_adopted: asset.settlement == Settlement::Evm && settlement::is_adopted(tx, asset.id)?,
            })
        });
        let target = found.await?;
        self.inner.targets.insert(address, target);
        Ok(target)
    }

    /// Whether this caller's last mint of the asset, less than a minute ago, was accepted: then its role need not be asked
    /// for before it enters the lane.
    pub fn is_known_minter(&self, asset: AssetId, user: UserId) -> bool {
        self.inner.minters.contains_key(&(asset, user))
    }

    pub fn judge(&self) -> &Judge {
        &self.inner.judge
    }

    /// Recipients that wait, over all lanes.
    pub fn waiting(&self) -> usize {
        self.inner.waiting.load(Ordering::Relaxed)
    }

    /// Puts the request into its lane and waits for its verdict. A caller that goes away does not take the request with
    /// it: what is in a lane is judged and committed.
    pub async fn submit(&self, request: Request) -> Result<Verdict, Error> {
        let key = (!self.inner.db.has_single_writer()).then_some(request.asset);
        let lane = self.inner.lane(key);
        let (reply, verdict) = oneshot::channel();
        if lane.push(Job { request, reply }, &self.inner)? {
            self.inner.runtime.spawn(Arc::clone(&self.inner).run(lane));
        }
        verdict.await.map_err(|_| Error::OutcomeUnknown(STOPPED))?
    }
}

impl Lane {
    /// True when the lane was at rest and the caller has to set it going.
    fn push(&self, job: Job, inner: &Inner) -> Result<bool, Error> {
        let lines = job.request.lines.len();
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.lines.saturating_add(lines) > inner.waiting_max {
            return Err(Error::Unavailable(FULL));
        }
        queue.lines = queue.lines.saturating_add(lines);
        inner.waiting.fetch_add(lines, Ordering::Relaxed);
        queue.jobs.push_back(job);
        Ok(!std::mem::replace(&mut queue.is_running, true))
    }

    /// What the next commit takes: the oldest first, up to a number of lines but at least one request. None puts the
    /// lane to rest.
    fn take(&self, inner: &Inner) -> Option<Vec<Job>> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let mut group: Vec<Job> = Vec::new();
        let mut lines: usize = 0;
        while let Some(job) = queue.jobs.front() {
            let of_job = job.request.lines.len();
            let full = lines.saturating_add(of_job) > inner.commit_max;
            // The same request twice: the second waits for the next commit and finds the first one's answer there.
            let repeated = job.key().is_some() && group.iter().any(|earlier| earlier.key() == job.key());
            if !group.is_empty() && (full || repeated) {
                break;
            }
            lines = lines.saturating_add(of_job);
            group.extend(queue.jobs.pop_front());
        }
        queue.lines = queue.lines.saturating_sub(lines);
        inner.waiting.fetch_sub(lines, Ordering::Relaxed);
        if group.is_empty() {
            queue.is_running = false;
            return None;
        }
        Some(group)
    }
}

impl Inner {
    fn lane(&self, key: Option<AssetId>) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lanes.entry(key).or_default())
    }

    async fn run(self: Arc<Self>, lane: Arc<Lane>) {
        while let Some(group) = lane.take(&self) {
            let (requests, replies): (Vec<Request>, Vec<Reply>) =
                group.into_iter().map(|job| (job.request, job.reply)).unzip();
            self.settle(requests, replies).await;
        }
    }

    /// Commits a group, and its halves when it fails for a reason that may be one request's.
    async fn settle(self: &Arc<Self>, requests: Vec<Request>, replies: Vec<Reply>) {
        let mut groups = vec![(requests, replies)];
        while let Some((mut requests, mut replies)) = groups.pop() {
            let shared = Arc::new(requests);
            match self.commit(Arc::clone(&shared)).await {
                Ok(verdicts) => {
                    self.note_minters(&verdicts);
                    answer(replies, verdicts);
                }
                Err(error) if replies.len() > 1 && may_be_of_one(&error) => {
                    tracing::warn!(%error, requests = replies.len(), "a group of mints failed and is halved");
                    requests = shared.to_vec();
                    let half = replies.len() / 2;
                    let late = (requests.split_off(half), replies.split_off(half));
                    groups.push(late);
                    groups.push((requests, replies));
                }
                Err(error) => fail(replies, error),
            }
        }
    }

    fn note_minters(&self, verdicts: &[Verdict]) {
        for verdict in verdicts {
            if let Verdict::Accepted(issued) = verdict {
                self.minters
                    .insert((issued.operation.asset, issued.operation.requested_by), ());
            }
        }
    }

    async fn commit(self: &Arc<Self>, requests: Arc<Vec<Request>>) -> Result<Vec<Verdict>, Error> {
        let watch = Stopwatch::start();
        let lines: usize = requests.iter().map(|request| request.lines.len()).sum();
        let inner = Arc::clone(self);
        let verdicts = self.db.write(move |tx| issue_all(tx, &inner.judge, &requests)).await?;
        metrics::histogram!("mint_commit_seconds").record(watch.elapsed());
        metrics::histogram!("mint_commit_recipients").record(u32::try_from(lines).unwrap_or(u32::MAX));
        Ok(verdicts)
    }
}

/// Issues asset by asset, in the order of their ids (the lock order), and puts the verdicts back in the order of the
/// requests.
fn issue_all(tx: &mut Tx<'_>, judge: &Judge, requests: &[Request]) -> Result<Vec<Verdict>, Error> {
    let mut by_asset: BTreeMap<AssetId, Vec<usize>> = BTreeMap::new();
    for (index, request) in requests.iter().enumerate() {
        by_asset.entry(request.asset).or_default().push(index);
    }
    let mut verdicts: BTreeMap<usize, Verdict> = BTreeMap::new();
    for (asset, indexes) in by_asset {
        let group: Vec<Request> = indexes
            .iter()
            .filter_map(|index| requests.get(*index))
            .cloned()
            .collect();
        verdicts.extend(indexes.into_iter().zip(issue(tx, judge, asset, &group)?));
    }
    Ok(verdicts.into_values().collect())
}

fn answer(replies: Vec<Reply>, verdicts: Vec<Verdict>) {
    for (reply, verdict) in replies.into_iter().zip(verdicts) {
        let result = match &verdict {
            Verdict::Accepted(issued) => {
                let lines = u64::try_from(issued.operation.lines).unwrap_or(0);
                metrics::counter!("mint_recipients_total").increment(lines);
                "accepted"
            }
            Verdict::Replayed(_) => "replayed",
            Verdict::Stale => "stale",
            Verdict::Refused(_) => "refused",
        };
        metrics::counter!("mints_total", "result" => result).increment(1);
        // The caller may have gone away; the verdict is committed all the same.
        let _ = reply.send(Ok(verdict));
    }
}

/// Whether a smaller group may fare better: not while the database is away, and never where this one may be committed.
fn may_be_of_one(error: &Error) -> bool {
    !matches!(error, Error::Unavailable(_) | Error::OutcomeUnknown(_))
}

/// What befell all of them is told to each; the error of one request is its own and keeps its kind.
fn fail(replies: Vec<Reply>, error: Error) {
    metrics::counter!("mints_total", "result" => "error").increment(u64::try_from(replies.len()).unwrap_or(u64::MAX));
    let mut replies = replies.into_iter();
    let Some(first) = replies.next() else { return };
    for reply in replies {
        let copy = match &error {
            Error::Unavailable(reason) => Error::Unavailable(reason),
            Error::OutcomeUnknown(reason) => Error::OutcomeUnknown(reason),
            other => Error::Internal(other.to_string()),
        };
        // A caller may have gone away; nobody else is told.
        let _ = reply.send(Err(copy));
    }
    let _ = first.send(Err(error));
}
