//! Two processes of the real program on one PostgreSQL, with one key: one of them sends at a time (rules 2, 3 and 19).

use std::time::{Duration, Instant};

use diesel::prelude::*;
use moneyer::app::Clock;
use moneyer::asset::{self, AssetKind, Settlement};
use moneyer::chain::Rpc;
use moneyer::chain::contracts::{returned, token};
use moneyer::db::schema::{chain_intents, leases};
use moneyer::on;
use moneyer::operation::{self, Status};
use moneyer::settlement;
use moneyer::types::{Address, Amount, OperationId, Timestamp};
use reqwest::Method;
use serde_json::Value;

use crate::node::{ACCOUNTS, CHAIN_ID, KEYS, Mining, Node, Options};
use crate::stage::{PATIENCE, chain_at};
use crate::support::process::{Ground, Process};
use crate::support::{self, Database, Server, batch, found_asset};

/// What a process says that has the key now.
const SENDS: &str = "this process sends for the key";
/// What only whoever has the key may say.
const WORK: [&str; 3] = ["signed", "sent", "final"];

struct Pair {
    ground: Ground,
    node: Node,
    settings: Vec<(&'static str, String)>,
    processes: Vec<Process>,
    token: Address,
    ids: Vec<OperationId>,
}

impl Pair {
    /// Two processes at work, and an asset on the chain that may be minted.
    async fn start() -> Self {
        let ground = Ground::new(Database::Postgres).await;
        let node = Node::start(Options {
            mining: Mining::Every(1),
            ..Options::default()
        });
        let settings = vec![
            ("MONEYER_CHAIN__ID", CHAIN_ID.to_string()),
            ("MONEYER_CHAIN__RPC", node.url()),
            ("MONEYER_CHAIN__SIGNER_KEY", KEYS[0].to_owned()),
            ("MONEYER_CHAIN__FINALITY", "1".to_owned()),
            ("MONEYER_CHAIN__POLL_MS", "50".to_owned()),
        ];
        let mut pair = Self {
            ground,
            node,
            settings,
            processes: Vec::new(),
            token: Address::ZERO,
            ids: Vec::new(),
        };
        pair.add_process().await;
        pair.add_process().await;
        pair.wait("the contracts", async |pair| {
            let site = pair.ground.app.db().read(settlement::site).await;
            site.is_ok().then_some(())
        })
        .await;
        let mut new = support::token(AssetKind::Deposit, "PAIR");
        new.settlement = Settlement::Evm;
        let (policies, world) = (pair.ground.app.policy().clone(), pair.ground.world.clone());
        let founded = pair
            .ground
            .app
            .db()
            .write(move |tx| found_asset(tx, &policies, &world, new.clone()));
        pair.token = founded.await.unwrap();
        pair
    }

    async fn add_process(&mut self) {
        let url = &self.ground.database.url;
        self.processes.push(Process::start(url, &self.settings).await);
    }

    fn recipients(&self) -> &[Address] {
        &self.ground.world.recipients[..3]
    }

    /// Each recipient gets one unit more, by as many mints through each of these processes, in turn.
    async fn accept(&mut self, processes: &[usize], times: usize) {
        let issuer = &self.ground.world.issuer;
        let body = batch(self.recipients(), 1);
        for _ in 0..times {
            for process in processes {
                let call = self.processes[*process].call(Method::POST, &Server::mint_path(&self.token));
                let call = call.header("X-Api-Key", &issuer.key).header("Prefer", "respond-async");
                let answer = call.json(&body).send().await;
                assert_eq!(answer.status, 202, "{}", answer.text);
                let id = answer.header("x-operation-id").unwrap();
                self.ids.push(OperationId::parse(id).unwrap());
            }
        }
    }

    async fn status(&self, id: OperationId) -> Status {
        let read = self.ground.app.db().read(move |tx| operation::find(tx, id));
        let found = read.await.unwrap();
        assert_ne!(found.status, Status::Failed, "{:?}", found.error);
        found.status
    }

    async fn until_all_have_ended(&self) {
        for id in &self.ids {
            let id = *id;
            self.wait("a mint", async |pair| {
                (pair.status(id).await == Status::Succeeded).then_some(())
            })
            .await;
        }
    }

    /// The fence of the lease, and when it ends.
    async fn lease(&self) -> (i64, Timestamp) {
        let read = self.ground.app.db().read(|tx| {
            let row = leases::table
                .filter(leases::name.like("sender:%"))
                .select((leases::fence, leases::held_until));
            Ok(on!(tx, c => row.first(c))?)
        });
        read.await.unwrap()
    }

    /// Which process has the key, with its fence.
    async fn holder(&self) -> (usize, i64) {
        self.wait("somebody who sends", async |pair| {
            let (fence, until) = pair.lease().await;
            let took = |process: &Process| fences(&process.log()).contains(&fence);
            let holder = pair.processes.iter().position(took)?;
            (until > Clock::System.now()).then_some((holder, fence))
        })
        .await
    }

    async fn wait<T>(&self, what: &str, ask: impl AsyncFn(&Self) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = ask(self).await {
                return answer;
            }
            assert!(Instant::now() < end, "waited in vain for {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// As many transactions of the key are on the chain as the books have rows, and each recipient has a unit of each mint.
    async fn everything_is_there_once(&self) {
        let chain = chain_at(&self.node.url());
        let rpc = Rpc::connect(&chain).unwrap();
        let minted = Amount::from(u64::try_from(self.ids.len()).unwrap());
        for recipient in self.recipients() {
            let call = moneyer::chain::Call {
                from: Address::ZERO,
                to: self.token,
                data: token::balance_of(*recipient),
            };
            let balance = rpc.call(&call).await.unwrap().unwrap();
            assert_eq!(returned::amount(&balance), Some(minted));
        }
        let token = self.token;
        let read = self.ground.app.db().read(move |tx| {
            let intents: i64 = on!(tx, c => chain_intents::table.count().get_result(c))?;
            Ok((asset::find_by_address(tx, &token)?, intents))
        });
        let (asset, intents) = read.await.unwrap();
        let supply = Amount::checked_sum(self.recipients().iter().map(|_| minted)).unwrap();
        assert_eq!((asset.supply, asset.pending), (supply, Amount::ZERO));
        assert_eq!(i64::try_from(self.node.count(ACCOUNTS[0])).unwrap(), intents);
        let found = self
            .wait("books at one block", async |pair| {
                settlement::reconcile(pair.ground.app.db(), &rpc).await.unwrap()
            })
            .await;
        assert_eq!((found.assets, found.drift), (1, Vec::new()));
    }
}

/// What a process said about the key, in JSON, oldest first.
fn said(log: &str) -> Vec<Value> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let is_about_the_key = |line: &Value| {
        let message = line["message"].as_str().unwrap_or_default();
        message == SENDS || WORK.contains(&message)
    };
    lines.filter(is_about_the_key).collect()
}

fn fences(log: &str) -> Vec<i64> {
    said(log).iter().filter_map(|line| line["fence"].as_i64()).collect()
}

/// In the order of time whoever signs, sends or posts is the one who took the key last, and nobody signs what is signed.
fn one_sends_at_a_time(logs: &[String]) {
    let of_process = |(process, log): (usize, &String)| said(log).into_iter().map(move |line| (process, line));
    let mut lines: Vec<(usize, Value)> = logs.iter().enumerate().flat_map(of_process).collect();
    let at = |line: &Value| line["timestamp"].as_str().unwrap().to_owned();
    lines.sort_by_key(|(_, line)| at(line));
    let (mut holder, mut last_fence, mut signed) = (None, 0, std::collections::BTreeSet::new());
    for (process, line) in lines {
        if line["message"] == SENDS {
            let fence = line["fence"].as_i64().unwrap();
            assert_eq!(fence, last_fence + 1, "{line}");
            (holder, last_fence) = (Some(process), fence);
            continue;
        }
        assert_eq!(holder, Some(process), "has not the key: {line}");
        if line["message"] == "signed" {
            let attempt = (line["nonce"].as_u64().unwrap(), line["attempt"].as_u64().unwrap());
            assert!(signed.insert(attempt), "signed twice: {line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_server_processes_with_one_key_send_in_turn_when_the_one_that_sends_is_killed_or_stopped() {
    let mut pair = Pair::start().await;
    pair.accept(&[0, 1], 3).await;
    pair.until_all_have_ended().await;

    // Dead in the middle of its work, with the key in its hand.
    let (first, fence) = pair.holder().await;
    let survivor = 1 - first;
    pair.accept(&[0, 1], 2).await;
    let on_its_way = *pair.ids.last().unwrap();
    pair.wait("a mint on its way", async |pair| {
        (pair.status(on_its_way).await != Status::Queued).then_some(())
    })
    .await;
    pair.processes[first].kill();
    let (fence_at_the_kill, held_until) = pair.lease().await;
    assert_eq!(fence_at_the_kill, fence);
    assert!(held_until > Clock::System.now(), "the lease outlives its holder");
    pair.accept(&[survivor], 3).await;
    assert_eq!(pair.lease().await.0, fence, "the other waits for the end of the lease");
    pair.until_all_have_ended().await;
    assert_eq!(pair.holder().await, (survivor, fence + 1));
    assert!(Clock::System.now() > held_until);

    // Another one comes up, and the one that sends goes as it should.
    pair.add_process().await;
    pair.accept(&[survivor, 2], 2).await;
    pair.processes[survivor].stop();
    pair.accept(&[2], 2).await;
    pair.until_all_have_ended().await;
    assert_eq!(pair.holder().await, (2, fence + 2));

    pair.everything_is_there_once().await;
    let logs: Vec<String> = pair.processes.iter().map(Process::log).collect();
    one_sends_at_a_time(&logs);
    drop(pair.processes);
    pair.ground.remove().await;
}
