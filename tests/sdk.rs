//! Immutable's own published packages, 2.24.8 from npm, drive the real program in a process of its own, on a real node: on
//! contracts of ours and on Immutable's presets. The scripts are in `tests/sdk`; one that fails fails here with what it
//! said.

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

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use moneyer::access::By;
use moneyer::access::environment::Tier;
use moneyer::access::plan::{self, PlanName};
use moneyer::app::Clock;
use reqwest::Method;
use serde_json::{Value, json};
use support::node::{ACCOUNTS, KEYS, Mining, Node, Options};
use support::presets::Preset;
use support::process::{Ground, Key, Process, repository};
use support::{Answer, Database, PIN};

/// What nobody deploys.
const FOREIGN: &str = "0x00000000000000000000000000000000000000f0";
const SCRIPT_TIME_OUT: Duration = Duration::from_secs(240);
const SET_UP_TIME_OUT: Duration = Duration::from_secs(90);

/// A game studio: a node, a server that settles on it, and the keys of an environment.
struct Studio {
    ground: Ground,
    node: Node,
    process: Process,
    key: Key,
    stage: Value,
}

impl Studio {
    async fn open(database: Database) -> Self {
        let ground = Ground::new(database).await;
        let node = Node::start(Options {
            mining: Mining::Quick,
            ..Options::default()
        });
        let settings = [
            ("MONEYER_CHAIN__ID", "31337".to_owned()),
            ("MONEYER_CHAIN__RPC", node.url()),
            ("MONEYER_CHAIN__SIGNER_KEY", KEYS[0].trim_start_matches("0x").to_owned()),
            ("MONEYER_CHAIN__FINALITY", "1".to_owned()),
            ("MONEYER_CHAIN__POLL_MS", "100".to_owned()),
            ("MONEYER_MINTING__ANONYMOUS_REQUESTS", "100000".to_owned()),
            ("MONEYER_WEBHOOKS__PRIVATE_NETWORKS", "127.0.0.0/8".to_owned()),
        ];
        let process = Process::start(&ground.database.url, &settings).await;
        let tier = Tier::Enterprise {
            per_minute: 100_000,
            burst: 100_000,
        };
        let owner = ground.world.creator.user;
        let [key, publishable] = ground.environment("Game", "local", tier, owner).await;
        let [other, _] = ground.environment("Other", "local", Tier::Standard, owner).await;
        let stage = json!({
            "baseUrl": process.base, "chainName": "local", "chainId": "eip155:31337", "secret": key.text,
            "otherSecret": other.text, "publishable": publishable.text, "foreign": FOREIGN,
            "rateLimitKey": rate_limit_key(&ground).await, "collections": [], "environment": key.environment,
            "manager": { "key": ground.world.admin.key, "pin": PIN },
        });
        Self {
            ground,
            node,
            process,
            key,
            stage,
        }
    }

    /// `POST /v1/collections`, again while the chain is being set up or read.
    async fn create(&self, body: &Value) -> Value {
        let begin = Instant::now();
        loop {
            let answer = self.post("/v1/collections", body).await;
            match answer.status.as_u16() {
                201 => return answer.body["result"].clone(),
                503 if begin.elapsed() < SET_UP_TIME_OUT => tokio::time::sleep(Duration::from_millis(200)).await,
                _ => panic!("{}", answer.text),
            }
        }
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        let call = self.process.call(Method::POST, path);
        call.header("x-immutable-api-key", &self.key.text)
            .json(body)
            .send()
            .await
    }

    fn tell(&mut self, collection: &Value, ways: &[&str]) {
        let known = self.stage["collections"].as_array_mut().unwrap();
        known.push(json!({
            "address": collection["contract_address"], "contractType": collection["contract_type"], "ways": ways,
        }));
    }

    async fn play(&self, script: &'static str) {
        let stage = self.stage.to_string();
        let ended = tokio::task::spawn_blocking(move || run(script, &stage)).await.unwrap();
        if let Err(said) = ended {
            panic!("{script}: {said}\nthe server said: {}", tail(&self.process.log()));
        }
    }

    async fn close(self) {
        drop(self.process);
        drop(self.node);
        self.ground.remove().await;
    }
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

async fn rate_limit_key(ground: &Ground) -> String {
    let (vault, now) = (ground.app.vault().clone(), Clock::System.now());
    let made = ground.app.db().write(move |tx| {
        let (by, name) = (By::command_line(now), PlanName::parse("partners")?);
        plan::put(tx, by.clone(), &name, 1_000, 60)?;
        let issued = plan::create_key(tx, &vault, by, &name)?;
        Ok(issued.key.reveal().to_owned())
    });
    made.await.unwrap()
}

/// What the script said, when it failed.
fn run(script: &str, stage: &str) -> Result<(), String> {
    let folder = repository("tests/sdk");
    let packages = folder.join("node_modules/@imtbl/minting-backend");
    assert!(
        packages.exists(),
        "{} is missing: run bin/test, or npm install in tests/sdk",
        packages.display()
    );
    let mut child = Command::new("node")
        .arg(script)
        .current_dir(folder)
        .env("STAGE", stage)
        // The packages report to Immutable's host unless this is set before they are loaded (immutable.md 1.5).
        .env("JEST_WORKER_ID", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begin.elapsed() > SCRIPT_TIME_OUT {
            child.kill().unwrap();
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let output = child.wait_with_output().unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    match output.status.success() {
        true => {
            println!("{script}: {said}");
            Ok(())
        }
        false => Err(format!("{}: {said}", output.status)),
    }
}

const SCRIPTS: [&str; 6] = [
    "minting.mjs",
    "lists.mjs",
    "refreshes.mjs",
    "helper.mjs",
    "errors.mjs",
    "webhook.mjs",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_published_packages_work_on_contracts_of_ours() {
    let mut studio = Studio::open(Database::Postgres).await;
    let swords = studio.create(&json!({ "name": "Swords", "symbol": "SWD" })).await;
    let potions = studio
        .create(&json!({ "name": "Potions", "contract_type": "ERC1155" }))
        .await;
    studio.tell(&swords, &["id", "quantity"]);
    studio.tell(&potions, &["amounts"]);

    for script in SCRIPTS {
        studio.play(script).await;
    }

    studio.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_published_packages_work_on_immutables_presets() {
    let mut studio = Studio::open(Database::Sqlite).await;
    let owner = studio.ground.world.creator.wallet.to_string();
    studio.node.set_balance(&owner, 10_u128.pow(21));
    let mut linked = Vec::new();
    for (name, ways) in [
        ("ImmutableERC721", &["id", "quantity"][..]),
        ("ImmutableERC721MintByID", &["id"]),
        ("ImmutableERC1155", &["amounts"]),
    ] {
        let preset = Preset::deploy(&studio.node, &owner, name);
        preset.let_mint(ACCOUNTS[0]);
        linked.push((preset.address(), ways));
    }
    for (address, ways) in linked {
        let collection = studio.create(&json!({ "contract_address": address })).await;
        studio.tell(&collection, ways);
    }

    for script in SCRIPTS {
        studio.play(script).await;
    }

    studio.close().await;
}
