//! Several server processes on one PostgreSQL: what one of them decides holds for all from the next request on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    reason = "tests fail by panicking"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use moneyer::access::environment::{self, Day, Tier};
use moneyer::app::Clock;
use moneyer::collection::{self, Caller, Collection, Minting, NewCollection, Profile, Right};
use moneyer::ctx::Ctx;
use moneyer::types::{EnvironmentId, RequestId};
use reqwest::Method;
use serde_json::{Value, json};
use support::process::{Ground, Key, Process};
use support::{Answer, Database, Role, recipient, wallet};

/// Of tier Standard (seed 000, "Rate Limits"): 200 tokens a minute, 2,000 at once.
const BURST: usize = 2_000;
/// Distinct ids in the burst.
const ASKED: usize = 5_000;
const REFILL_PER_SECOND: f64 = 200.0 / 60.0;

/// A collection of an environment, without a contract: nothing here is sent to a chain.
async fn found(ground: &Ground, environment: EnvironmentId) -> Collection {
    let (creator, policies) = (ground.world.creator.clone(), Arc::clone(ground.app.policy()));
    let ctx = Ctx {
        actor: creator.actor(),
        request_id: RequestId::generate(),
        now: Clock::System.now(),
    };
    let founded = ground.app.db().write(move |tx| {
        let caller = Caller {
            ctx: &ctx,
            right: Right::Environment(environment),
        };
        let new = NewCollection {
            environment: Some(environment),
            minting: Minting::Hybrid,
            many: false,
            adopted: false,
            owner: creator.wallet,
            profile: Profile {
                name: Some("Swords".to_owned()),
                ..Profile::default()
            },
            metadata_api_url: None,
            policy: None,
        };
        collection::found(tx, &caller, &policies, &new, |_| wallet(801))
    });
    founded.await.unwrap()
}

struct Replicas {
    ground: Ground,
    processes: Vec<Process>,
    key: Key,
    path: String,
}

impl Replicas {
    async fn start(count: usize, tier: Tier) -> Arc<Self> {
        let ground = Ground::new(Database::Postgres).await;
        let owner = ground.world.creator.user;
        let [key, _] = ground.environment("Game", "book", tier, owner).await;
        let collection = found(&ground, key.environment).await;
        let mut processes = Vec::new();
        for _ in 0..count {
            processes.push(Process::start(&ground.database.url, &[]).await);
        }
        let contract = collection.address.to_string().to_lowercase();
        Arc::new(Self {
            ground,
            processes,
            key,
            path: format!("/v1/chains/book/collections/{contract}/nfts/mint-requests"),
        })
    }

    async fn mint(&self, process: usize, key: &str, references: &[String]) -> Answer {
        let asset = |reference: &String| json!({ "reference_id": reference, "owner_address": recipient(0) });
        let assets: Vec<Value> = references.iter().map(asset).collect();
        let body = json!({ "assets": assets });
        let call = self.processes[process].call(Method::POST, &self.path);
        call.header("x-immutable-api-key", key).json(&body).send().await
    }

    /// Whether all of them were accepted; none was when the quota says no.
    async fn takes(&self, process: usize, references: &[String]) -> bool {
        let answer = self.mint(process, &self.key.text, references).await;
        match answer.status.as_u16() {
            202 => true,
            429 => {
                assert_eq!(answer.body["code"], "TOO_MANY_REQUESTS_ERROR");
                let left: usize = answer.header("imx-remaining-mint-requests").unwrap().parse().unwrap();
                assert!(left < references.len(), "{left} are left");
                assert!(answer.header("Retry-After").is_some());
                false
            }
            _ => panic!("{}", answer.text),
        }
    }

    async fn list(&self, process: usize, key: &str, query: &str) -> Answer {
        let path = format!("{}?{query}", self.path);
        let call = self.processes[process].call(Method::GET, &path);
        call.header("x-immutable-api-key", key).send().await
    }

    async fn references(&self) -> Vec<String> {
        let (mut all, mut query) = (Vec::new(), "page_size=200".to_owned());
        loop {
            let page = self.list(0, &self.key.text, &query).await.ok();
            let rows = page["result"].as_array().unwrap().iter();
            all.extend(rows.map(|row| row["reference_id"].as_str().unwrap().to_owned()));
            match page["page"]["next_cursor"].as_str() {
                Some(cursor) => query = format!("page_size=200&page_cursor={cursor}"),
                None => return all,
            }
        }
    }

    async fn end(self: Arc<Self>) {
        let Ok(replicas) = Arc::try_unwrap(self) else {
            panic!("somebody still asks")
        };
        drop(replicas.processes);
        replicas.ground.remove().await;
    }
}

/// One caller of the burst: asks for ten ids at once and, where those are too many, for one after another until none is
/// left. Returns what was accepted, and when it asked last.
async fn ask_for_tens(replicas: Arc<Replicas>, client: usize, next: Arc<AtomicUsize>) -> (Vec<String>, Instant) {
    let (mut accepted, mut last) = (Vec::new(), Instant::now());
    loop {
        let ten = next.fetch_add(1, Ordering::Relaxed);
        if ten >= ASKED / 10 {
            return (accepted, last);
        }
        let references: Vec<String> = (ten * 10..ten * 10 + 10).map(|number| number.to_string()).collect();
        if replicas.takes(client % 3, &references).await {
            accepted.extend(references);
            continue;
        }
        for reference in references {
            last = Instant::now();
            if !replicas.takes(client % 3, std::slice::from_ref(&reference)).await {
                break;
            }
            accepted.push(reference);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_processes_accept_together_what_one_environment_may_mint_and_its_refill() {
    let replicas = Replicas::start(3, Tier::Standard).await;
    let next = Arc::new(AtomicUsize::new(0));
    let begin = Instant::now();

    let clients = (0..24).map(|client| tokio::spawn(ask_for_tens(Arc::clone(&replicas), client, Arc::clone(&next))));
    let (mut accepted, mut last) = (Vec::new(), begin);
    for client in clients.collect::<Vec<_>>() {
        let (some, asked) = client.await.unwrap();
        accepted.extend(some);
        last = last.max(asked);
    }

    // What the last one who asked may have found; a request on its way at either end makes one of a difference.
    let refill = |span: Duration| (span.as_secs_f64() * REFILL_PER_SECOND) as usize;
    let (least, most) = (BURST + refill(last - begin), BURST + refill(begin.elapsed()));
    println!("{} of {ASKED} accepted in {:?}", accepted.len(), begin.elapsed());
    assert!(
        (least.saturating_sub(1)..=most + 1).contains(&accepted.len()),
        "{} accepted, {least} to {most} expected",
        accepted.len()
    );
    let mut known = replicas.references().await;
    known.sort_unstable();
    accepted.sort_unstable();
    assert_eq!(known, accepted, "what was accepted is there, and nothing else");
    replicas.end().await;
}

/// What somebody who loads a server saw: when a request began and ended, and the status.
type Seen = (Instant, Instant, u16);

async fn load(replicas: Arc<Replicas>, client: usize, stop: Arc<AtomicBool>) -> Vec<Seen> {
    let (mut seen, mut number) = (Vec::new(), 0);
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let (key, process) = (&replicas.key.text, client % replicas.processes.len());
        let begin = Instant::now();
        let answer = match number % 3 {
            0 => replicas.mint(process, key, &[format!("{client}/{number}")]).await,
            _ => replicas.list(process, key, "page_size=1").await,
        };
        seen.push((begin, Instant::now(), answer.status.as_u16()));
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_rotated_under_load_is_dead_from_the_next_request_on_in_every_process() {
    let tier = Tier::Enterprise {
        per_minute: 100_000,
        burst: 100_000,
    };
    let replicas = Replicas::start(2, tier).await;
    let stop = Arc::new(AtomicBool::new(false));
    let clients = (0..12).map(|client| tokio::spawn(load(Arc::clone(&replicas), client, Arc::clone(&stop))));
    let clients: Vec<_> = clients.collect();
    tokio::time::sleep(Duration::from_secs(2)).await;

    let manager = &replicas.ground.world.system[&Role::SystemManager];
    let path = format!(
        "/api/environments/{}/keys/{}/rotate",
        replicas.key.environment, replicas.key.id
    );
    let asked = Instant::now();
    let call = replicas.processes[0].call(Method::POST, &path);
    let rotated = call
        .header("X-Api-Key", &manager.key)
        .json(&support::with_pin(&json!({})))
        .send()
        .await;
    let answered = Instant::now();
    let new = rotated.ok()["key"].as_str().unwrap().to_owned();
    for process in [0, 1] {
        assert_eq!(
            replicas.list(process, &replicas.key.text, "").await.status.as_u16(),
            401
        );
        replicas.list(process, &new, "").await.ok();
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.store(true, Ordering::Relaxed);

    let (mut before, mut after) = ([0, 0], [0, 0]);
    for (client, seen) in clients.into_iter().enumerate() {
        for (begin, end, status) in seen.await.unwrap() {
            if end < asked {
                assert!((200..300).contains(&status), "{status} before the rotation");
                before[client % 2] += 1;
            } else if begin > answered {
                assert_eq!(status, 401, "after the rotation");
                after[client % 2] += 1;
            }
        }
    }
    println!("before {before:?}, after {after:?}");
    assert!(
        before.iter().chain(&after).all(|count| *count > 10),
        "{before:?} {after:?}"
    );
    replicas.end().await;
}

/// How long a count may be in memory alone (README, "Configuration").
const COUNTED_WITHIN: Duration = Duration::from_secs(5);

struct Counting {
    ground: Ground,
    publishable: Key,
}

impl Counting {
    async fn start(&self) -> Process {
        let settings = [("MONEYER_MINTING__ANONYMOUS_REQUESTS", "1000000".to_owned())];
        Process::start(&self.ground.database.url, &settings).await
    }

    async fn read(&self, process: &Process, times: usize) {
        for _ in 0..times {
            let call = process.call(Method::GET, "/v1/chains");
            let call = call.header("x-immutable-publishable-key", &self.publishable.text);
            call.send().await.ok();
        }
    }

    /// As a process that counted none of it tells.
    async fn told(&self, process: &Process) -> i64 {
        let manager = &self.ground.world.system[&Role::SystemManager];
        let path = format!("/api/environments/{}/usage", self.publishable.environment);
        let call = process.call(Method::GET, &path).header("X-Api-Key", &manager.key);
        let days = call.send().await.ok();
        let days = days.as_array().unwrap().iter();
        days.map(|day| day["requests"].as_i64().unwrap()).sum()
    }

    /// As it is in the database, whoever counted it.
    async fn written(&self) -> i64 {
        let environment = self.publishable.environment;
        let today = Day::of(Clock::System.now());
        let days = self
            .ground
            .app
            .db()
            .read(move |tx| environment::usage(tx, environment, today.minus(1), today));
        days.await.unwrap().iter().map(|day| day.requests).sum()
    }
}

/// Processes are killed and stopped; what was counted longer ago than the window is never lost, and nothing is counted
/// twice.
async fn counts_outlive_processes(database: Database, processes: usize) {
    let ground = Ground::new(database).await;
    let owner = ground.world.creator.user;
    let [_, publishable] = ground.environment("Game", "book", Tier::Standard, owner).await;
    let counting = Counting { ground, publishable };
    let mut killed = Vec::new();
    for _ in 0..processes {
        killed.push(counting.start().await);
    }

    for process in &killed {
        counting.read(process, 30).await;
    }
    let (asked, all) = (Instant::now(), 30 * i64::try_from(processes).unwrap());
    while counting.written().await < all {
        // As long again for a machine that is busy.
        assert!(asked.elapsed() < 2 * COUNTED_WITHIN, "a count is not written");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    killed.iter_mut().for_each(Process::kill);

    let mut stopped = counting.start().await;
    assert_eq!(counting.told(&stopped).await, all, "after a kill");
    counting.read(&stopped, 7).await;
    stopped.stop();
    assert_eq!(counting.written().await, all + 7, "a stop writes what was counted");
    let mut last = counting.start().await;
    assert_eq!(counting.told(&last).await, all + 7);
    counting.read(&last, 5).await;
    last.kill();
    let kept = counting.written().await;
    assert!(
        (all + 7..=all + 12).contains(&kept),
        "{kept} after a kill within the window"
    );
    counting.ground.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_counted_of_a_publishable_key_outlives_the_process_on_sqlite() {
    counts_outlive_processes(Database::Sqlite, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_counted_of_a_publishable_key_outlives_two_processes_on_postgres() {
    counts_outlive_processes(Database::Postgres, 2).await;
}
