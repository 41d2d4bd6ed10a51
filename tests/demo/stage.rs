//! The program, its folder, its manifest, and its node's chain.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use moneyer::chain::contracts::{returned, token};
use moneyer::types::{Address, Amount};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::node::exchange;
use crate::support::http;

pub const THOUSAND: &str = "1000000000000000000000";
pub const ONE: &str = "1000000000000000000";
/// What the specification allows for a start on two cores.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// A node that is asked to end writes its state first.
const ENDS_WITHIN: Duration = Duration::from_secs(20);
/// Longer than a caller waits for finality.
const FINAL_WITHIN: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(5);

// --- the program ----------------------------------------------------------------------------------------------------

/// A folder for a demo; the database may be elsewhere.
pub struct Place {
    pub folder: TempDir,
    database: Option<String>,
}

impl Place {
    pub fn new(database: Option<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, database }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("demo").join(name)
    }

    pub fn database_url(&self) -> String {
        let file = format!("sqlite:{}", self.path("demo.db").display());
        self.database.clone().unwrap_or(file)
    }

    pub fn command(&self, more: &[&str]) -> Command {
        let mut command = moneyer(&["demo"]);
        let folder = self.folder.path().join("demo");
        for (flag, value) in [("--listen", "127.0.0.1:0"), ("--data", folder.to_str().unwrap())] {
            if !more.contains(&flag) {
                command.args([flag, value]);
            }
        }
        if let Some(url) = &self.database {
            command.args(["--database", url]);
        }
        command.args(more);
        command
    }

    pub fn start(&self, more: &[&str]) -> Demo {
        self.start_with(self.command(more))
    }

    pub fn start_with(&self, mut command: Command) -> Demo {
        let output = self.folder.path().join("output");
        let child = command
            .stdout(File::create(&output).unwrap())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        Demo {
            child,
            output,
            manifest: self.path("manifest.json"),
        }
    }

    /// A start that must be refused: its one sentence.
    pub fn refusal(&self, more: &[&str]) -> String {
        refusal_of(self.command(more))
    }

    /// Of the node that runs there, or ran last.
    pub fn node(&self) -> Process {
        let text = fs::read_to_string(self.path("node/pid")).unwrap();
        Process(text.trim().parse().unwrap())
    }
}

pub fn refusal_of(mut command: Command) -> String {
    let output = command.output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    told
}

pub fn moneyer(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_moneyer"));
    command.args(arguments).env_clear();
    command
}

/// Somebody else's child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process(u32);

impl Process {
    /// As a power cut does.
    pub fn kill(self) {
        let pid = self.0.to_string();
        let killed = Command::new("sh")
            .args(["-c", "kill -KILL \"$1\"", "sh", &pid])
            .status();
        assert!(killed.unwrap().success(), "no such process: {pid}");
    }

    pub fn parent(self) -> Self {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).unwrap();
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap();
        Self(parent.trim().parse().unwrap())
    }

    pub fn is_there(self) -> bool {
        // What has ended and was not waited for has no arguments any more.
        fs::read(format!("/proc/{}/cmdline", self.0)).is_ok_and(|arguments| !arguments.is_empty())
    }

    pub async fn ended(self) {
        let waiting = async {
            while self.is_there() {
                tokio::time::sleep(PAUSE).await;
            }
        };
        let in_time = tokio::time::timeout(ENDS_WITHIN, waiting).await;
        assert!(in_time.is_ok(), "process {} does not end", self.0);
    }
}

pub struct Demo {
    child: Child,
    output: PathBuf,
    manifest: PathBuf,
}

impl Demo {
    /// Waits until the condition holds; fails when the program ends before.
    pub async fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !condition(self) {
                let ended = self.child.try_wait().unwrap();
                assert!(ended.is_none(), "ended before {what}: {}", self.printed());
                tokio::time::sleep(PAUSE).await;
            }
        };
        let in_time = tokio::time::timeout(READY_WITHIN, waiting).await;
        assert!(in_time.is_ok(), "no {what} in time: {}", self.printed());
    }

    pub async fn ready(&mut self) -> Manifest {
        self.until("guide", |demo| demo.printed().contains("mint-100.json"))
            .await;
        Manifest(serde_json::from_slice(&fs::read(&self.manifest).unwrap()).unwrap())
    }

    pub fn printed(&self) -> String {
        fs::read_to_string(&self.output).unwrap_or_default()
    }

    /// As a power cut does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// It sees nothing of what happens until it is killed.
    pub fn freeze(&self) {
        let pid = self.child.id().to_string();
        let frozen = Command::new("sh")
            .args(["-c", "kill -STOP \"$1\"", "sh", &pid])
            .status();
        assert!(frozen.unwrap().success());
    }

    /// As Ctrl-C does.
    pub fn stop(mut self) {
        let pid = self.child.id().to_string();
        let asked = Command::new("sh").args(["-c", "kill -INT \"$1\"", "sh", &pid]).status();
        assert!(asked.unwrap().success());
        let ended = self.child.wait().unwrap();
        assert!(ended.success(), "{}", self.printed());
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// --- the manifest ---------------------------------------------------------------------------------------------------

pub struct Manifest(pub Value);

impl Manifest {
    pub fn text(&self, pointer: &str) -> String {
        let found = self.0.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}"));
        found.as_str().unwrap().to_owned()
    }

    /// Of a collection, in the minting API.
    pub fn collection_url(&self, name: &str) -> String {
        let (base, chain) = (self.text("/baseUrl"), self.text("/chain/name"));
        let address = self.text(&format!("/collections/{name}/address"));
        format!("{base}/v1/chains/{chain}/collections/{address}")
    }

    pub fn is_on_chain(&self) -> bool {
        self.0["settlement"] == "evm"
    }

    pub fn recipients(&self, kind: &str) -> Vec<Value> {
        self.0["recipients"][kind].as_array().unwrap().clone()
    }

    pub fn asset(&self, asset: &str) -> Address {
        Address::parse(&self.text(&format!("/assets/{asset}/address"))).unwrap()
    }

    pub fn url(&self, asset: &str, action: &str) -> String {
        format!("{}/api/token/{}/{action}", self.text("/baseUrl"), self.asset(asset))
    }

    pub fn pin(&self) -> Value {
        json!({ "secretVerificationCode": self.0["users"]["issuer"]["pin"], "verificationType": "PINCODE" })
    }

    pub async fn mint(&self, asset: &str, recipients: Value, amounts: Value, verification: Value) -> (u16, Value) {
        let body = json!({ "recipients": recipients, "amounts": amounts, "walletVerification": verification });
        self.post("issuer", &self.url(asset, "mint"), &body).await
    }

    pub async fn post(&self, user: &str, url: &str, body: &Value) -> (u16, Value) {
        let (status, _, answer) = self.post_for_headers(user, url, body).await;
        (status, answer)
    }

    pub async fn post_for_headers(
        &self,
        user: &str,
        url: &str,
        body: &Value,
    ) -> (u16, reqwest::header::HeaderMap, Value) {
        let key = self.text(&format!("/users/{user}/apiKey"));
        let request = http().post(url).header("X-Api-Key", key).json(body);
        let answer = request.send().await.unwrap();
        (
            answer.status().as_u16(),
            answer.headers().clone(),
            answer.json().await.unwrap(),
        )
    }

    pub async fn get(&self, user: &str, url: &str) -> Value {
        let key = self.text(&format!("/users/{user}/apiKey"));
        let answer = http().get(url).header("X-Api-Key", key).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{url}");
        answer.json().await.unwrap()
    }

    /// Slugs of what a mint to this recipient would be told.
    pub async fn slugs(&self, asset: &str, recipient: &Value) -> BTreeSet<String> {
        let body = json!({ "recipients": recipient, "amounts": "1" });
        let (status, answer) = self.post("issuer", &self.url(asset, "mint/check"), &body).await;
        assert_eq!(status, 200, "{answer}");
        let findings = answer["findings"].as_array().unwrap().iter();
        findings.map(|f| f["slug"].as_str().unwrap().to_owned()).collect()
    }

    /// Base units of the equity, told by minting one more.
    pub async fn supply_after_one_more(&self) -> u128 {
        let recipient = self.recipients("approved")[0].clone();
        let (status, answer) = self.mint("equity", recipient, json!("1"), self.pin()).await;
        if status == 200 {
            return supply(&answer);
        }
        // A node that was killed a moment ago, on a busy machine, may take longer than a caller waits.
        assert_eq!(status, 202, "{answer}");
        let operation = format!(
            "{}/api/operations/{}",
            self.text("/baseUrl"),
            answer["id"].as_str().unwrap()
        );
        let waiting = async {
            while self.get("issuer", &operation).await["status"] != json!("succeeded") {
                tokio::time::sleep(PAUSE).await;
            }
        };
        let in_time = tokio::time::timeout(FINAL_WITHIN, waiting).await;
        assert!(
            in_time.is_ok(),
            "the mint is not final: {}",
            self.get("issuer", &operation).await
        );
        let asset = format!("{}/api/token/{}", self.text("/baseUrl"), self.asset("equity"));
        supply(&self.get("issuer", &asset).await)
    }

    // --- what the API says and what the chain says ------------------------------------------------------------------

    /// Base units of every holder of the equity, as the API tells them.
    pub async fn balances(&self) -> BTreeMap<Address, u128> {
        let url = self.url("equity", "holders?limit=200");
        let holders = self.get("issuer", &url).await;
        let rows = holders["token"]["balances"].as_array().unwrap().iter();
        rows.map(|row| {
            let holder = Address::parse(row["account"]["id"].as_str().unwrap()).unwrap();
            (holder, dnum(&row["value"]))
        })
        .collect()
    }

    pub fn rpc(&self, method: &str, params: Value) -> Value {
        let address = self.text("/chain/rpcUrl");
        let address = address.strip_prefix("http://").unwrap().parse().unwrap();
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let (_, body) = exchange(address, request.to_string().as_bytes(), READY_WITHIN).unwrap();
        let mut answer: Value = serde_json::from_slice(&body).unwrap();
        assert!(answer.get("error").is_none(), "{answer}");
        answer["result"].take()
    }

    fn ask_token(&self, data: &[u8]) -> u128 {
        let data = format!("0x{}", data_encoding::HEXLOWER.encode(data));
        let call = json!({ "to": self.asset("equity"), "data": data });
        let answer = self.rpc("eth_call", json!([call, "latest"]));
        let bytes = answer.as_str().unwrap().trim_start_matches("0x");
        let amount: Amount = returned::amount(&data_encoding::HEXLOWER.decode(bytes.as_bytes()).unwrap()).unwrap();
        amount.to_string().parse().unwrap()
    }

    /// The equity's contract.
    pub fn supply_on_chain(&self) -> u128 {
        self.ask_token(&token::total_supply())
    }

    pub fn balance_on_chain(&self, holder: Address) -> u128 {
        self.ask_token(&token::balance_of(holder))
    }

    /// Supply and every balance, at a moment when nothing is under way.
    pub async fn books_and_chain_agree(&self) {
        let url = format!("{}/api/token/{}", self.text("/baseUrl"), self.asset("equity"));
        let asset = self.get("issuer", &url).await;
        assert_eq!(asset["pendingSupply"], "[\"0\",18]", "something is under way");
        assert_eq!(self.supply_on_chain(), supply(&asset));
        let balances = self.balances().await;
        assert_eq!(balances.values().sum::<u128>(), supply(&asset));
        for (holder, balance) in balances {
            assert_eq!(self.balance_on_chain(holder), balance, "{holder}");
        }
    }
}

pub fn supply(asset: &Value) -> u128 {
    dnum(&asset["totalSupply"])
}

/// Base units.
fn dnum(value: &Value) -> u128 {
    let dnum: Value = serde_json::from_str(value.as_str().unwrap()).unwrap();
    dnum[0].as_str().unwrap().parse().unwrap()
}
