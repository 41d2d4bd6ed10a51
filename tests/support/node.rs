//! A real EVM node (anvil from `contracts/node_modules`) and every fault it can be made to have.
//!
//! The methods block and panic on an answer they did not expect: they arrange a test. What is under test talks to
//! [`Node::url`] by itself. A node ends with the value, with the test that panics, and with the process, however that
//! ends: a shell between them kills the node when its input closes.

#![allow(dead_code, reason = "each test binary uses its own part of the harness")]

use std::fs::File;
use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result as Io, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use moneyer::app::Clock;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The keys of the first accounts anvil fills: published with it, worth nothing anywhere.
pub const KEYS: [&str; 3] = [
    "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
];
/// Their addresses.
pub const ACCOUNTS: [&str; 3] = [
    "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
];
pub const CHAIN_ID: u64 = 31_337;
/// Gas that the node lets one transaction have (EIP-7825).
pub const TRANSACTION_GAS_MAX: u64 = 16_777_216;

/// A node answers within a third of a second; a busy machine may take longer.
const START_TIME_OUT: Duration = Duration::from_secs(20);
const CALL_TIME_OUT: Duration = Duration::from_secs(60);

/// Starts the node, tells its process id, and kills it when the input closes before the node has ended.
const GUARD: &str = r#"exec 3<&0
"$@" </dev/null >>"$LOG" 2>&1 &
node=$!
echo "$node"
{ read -r _ <&3; kill -KILL "$node"; } >/dev/null 2>&1 &
wait "$node"
kill "$!" 2>/dev/null"#;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mining {
    /// A block per transaction, at once.
    Automatic,
    /// Only [`Node::mine`] makes blocks.
    Manual,
    /// A block per transaction, and one every so many seconds.
    Every(u64),
    /// A block per transaction, and four every second: what waits for further blocks does not wait for long.
    Quick,
}

#[derive(Clone, Debug)]
pub struct Options {
    pub mining: Mining,
    pub chain_id: u64,
    /// Base fee of the first block, in wei. Without it anvil begins at 1 gwei.
    pub base_fee: Option<u128>,
    /// Gas in a block; without it anvil's own.
    pub block_gas: Option<u64>,
    /// Keeps the chain, not the pool, over [`Node::stop`] and, up to its last save, over [`Node::kill`].
    pub kept: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mining: Mining::Automatic,
            chain_id: CHAIN_ID,
            base_fee: None,
            block_gas: None,
            kept: false,
        }
    }
}

pub struct Node {
    options: Options,
    folder: TempDir,
    address: SocketAddr,
    guard: Option<Child>,
    process: u32,
    /// Seconds since 1970.
    began: i64,
}

impl Node {
    pub fn start(options: Options) -> Self {
        let mut log = String::new();
        // Another process may take the port between the look and the start.
        for _attempt in 0..5 {
            let mut node = Self {
                options: options.clone(),
                folder: tempfile::tempdir().unwrap(),
                address: free_address(),
                guard: None,
                process: 0,
                began: Clock::System.now().seconds(),
            };
            if node.spawn() {
                return node;
            }
            log = log_of(node.folder.path());
        }
        panic!("the node does not start: {log}");
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    // --- its life ---------------------------------------------------------------------------------------------------

    /// Ends the node as an operator does; it writes its state where it is kept.
    pub fn stop(&mut self) {
        if self.options.kept {
            // Its last save would get in the way of one that is going on.
            self.wait_until_saved();
        }
        self.signal("-TERM");
        self.wait_for_end();
    }

    /// Ends the node as a power cut does. What is not in the last whole save is lost: [`Node::wait_until_saved`].
    pub fn kill(&mut self) {
        self.signal("-KILL");
        self.wait_for_end();
    }

    /// Waits until everything mined so far is on disk: the first save may have begun earlier, the second did not.
    pub fn wait_until_saved(&self) {
        let written = || {
            std::fs::metadata(self.state_file())
                .and_then(|file| file.modified())
                .ok()
        };
        let until = Instant::now() + START_TIME_OUT;
        for _save in 0..2 {
            let before = written();
            while written() == before || !self.is_saved() {
                assert!(Instant::now() < until, "the node does not save its state");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        std::fs::copy(self.state_file(), self.copy_file()).unwrap();
    }

    fn state_file(&self) -> PathBuf {
        self.folder.path().join("state.json")
    }

    fn copy_file(&self) -> PathBuf {
        self.folder.path().join("copy.json")
    }

    /// Whether the state is whole: anvil overwrites its file in place.
    fn is_saved(&self) -> bool {
        std::fs::read(self.state_file()).is_ok_and(|text| serde_json::from_slice::<IgnoredAny>(&text).is_ok())
    }

    /// An end in the middle of a save leaves half a file, which the node refuses to start with.
    fn mend_state(&self) {
        if !self.options.kept || self.is_saved() {
            return;
        }
        if self.copy_file().exists() {
            std::fs::copy(self.copy_file(), self.state_file()).unwrap();
        } else {
            let _never_written = std::fs::remove_file(self.state_file());
        }
    }

    /// Starts the node again at the same address: with its chain where that is kept, without its pool.
    pub fn start_again(&mut self) {
        assert!(self.guard.is_none(), "the node runs");
        self.mend_state();
        let until = Instant::now() + START_TIME_OUT;
        while !self.spawn() {
            assert!(
                Instant::now() < until,
                "the node does not start again: {}",
                log_of(self.folder.path())
            );
        }
    }

    /// The node takes connections and answers nothing until [`Node::thaw`].
    pub fn freeze(&self) {
        self.signal("-STOP");
        // The signal is on its way when `kill` returns.
        let until = Instant::now() + START_TIME_OUT;
        while !self.state().starts_with('T') {
            assert!(Instant::now() < until, "the node does not freeze");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    /// True when it answers.
    fn spawn(&mut self) -> bool {
        let mut command = Command::new("sh");
        command
            .args(["-c", GUARD, "sh"])
            .arg(binary())
            .args(self.arguments())
            .env("LOG", self.folder.path().join("log"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // The shell remarks on how the node ended.
            .stderr(Stdio::null());
        let mut guard = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(guard.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        self.process = line.trim().parse().unwrap();
        self.guard = Some(guard);

        let until = Instant::now() + START_TIME_OUT;
        while Instant::now() < until {
            if self.guard.as_mut().unwrap().try_wait().unwrap().is_some() {
                break;
            }
            // Its clock begins with the chain.
            let now = json!([Clock::System.now().seconds()]);
            if self.try_rpc("anvil_setTime", now).is_ok() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.end();
        false
    }

    fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["--silent".to_owned(), "--enable-tx-gas-limit".to_owned()];
        let mut add = |name: &str, value: String| arguments.extend([format!("--{name}"), value]);
        add("port", self.address.port().to_string());
        add("chain-id", self.options.chain_id.to_string());
        // `safe` and `finalized` follow the head by two and one blocks instead of by dozens.
        add("slots-in-an-epoch", "1".to_owned());
        if self.options.kept {
            add("state", self.state_file().display().to_string());
            add("state-interval", "1".to_owned());
            // A start makes block 0 anew and keeps the one of the state beside it: they must be the same one.
            add("timestamp", self.began.to_string());
        }
        if let Some(fee) = self.options.base_fee {
            add("base-fee", fee.to_string());
        }
        if let Some(gas) = self.options.block_gas {
            add("gas-limit", gas.to_string());
        }
        match self.options.mining {
            Mining::Automatic => {}
            Mining::Manual => arguments.push("--no-mining".to_owned()),
            Mining::Every(seconds) => {
                add("block-time", seconds.to_string());
                arguments.push("--mixed-mining".to_owned());
            }
            Mining::Quick => {
                add("block-time", "0.25".to_owned());
                arguments.push("--mixed-mining".to_owned());
            }
        }
        arguments
    }

    fn signal(&self, signal: &str) {
        // Every shell has `kill`; a program of that name is not on every machine.
        let status = Command::new("sh")
            .args(["-c", "kill \"$0\" \"$1\"", signal, &self.process.to_string()])
            .stderr(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "no such process: {}", self.process);
    }

    /// A letter of proc(5): `T` is stopped.
    fn state(&self) -> String {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process)).unwrap_or_default();
        // The name, in parentheses, may hold spaces.
        let (_, fields) = stat.rsplit_once(") ").unwrap_or_default();
        fields.chars().take(1).collect()
    }

    fn wait_for_end(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            guard.wait().unwrap();
        }
    }

    /// Closes the guard's input, on which it kills the node.
    fn end(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            drop(guard.stdin.take());
            let _already_ended = guard.wait();
        }
    }

    // --- questions --------------------------------------------------------------------------------------------------

    pub fn rpc(&self, method: &str, parameters: Value) -> Value {
        match self.try_rpc(method, parameters) {
            Ok(result) => result,
            Err(error) => panic!("{method}: {error}"),
        }
    }

    /// The result, or the error's object.
    pub fn try_rpc(&self, method: &str, parameters: Value) -> Result<Value, Value> {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": parameters });
        let (_, body) = exchange(self.address, request.to_string().as_bytes(), CALL_TIME_OUT)
            .map_err(|error| json!({ "message": error.to_string() }))?;
        let answer: Value = serde_json::from_slice(&body).map_err(|error| json!({ "message": error.to_string() }))?;
        match answer.get("error") {
            Some(error) => Err(error.clone()),
            None => Ok(answer["result"].clone()),
        }
    }

    /// A number the node writes as hexadecimal text.
    pub fn number(&self, method: &str, parameters: Value) -> u128 {
        number(&self.rpc(method, parameters))
    }

    pub fn head(&self) -> u64 {
        self.number("eth_blockNumber", json!([])).try_into().unwrap()
    }

    /// How many transactions of an account are mined.
    pub fn count(&self, account: &str) -> u64 {
        self.number("eth_getTransactionCount", json!([account, "latest"]))
            .try_into()
            .unwrap()
    }

    pub fn balance(&self, account: &str) -> u128 {
        self.number("eth_getBalance", json!([account, "latest"]))
    }

    pub fn base_fee(&self) -> u128 {
        number(&self.block("latest")["baseFeePerGas"])
    }

    pub fn block(&self, tag: &str) -> Value {
        self.rpc("eth_getBlockByNumber", json!([tag, false]))
    }

    /// Null while the transaction is not mined.
    pub fn receipt(&self, transaction: &str) -> Value {
        self.rpc("eth_getTransactionReceipt", json!([transaction]))
    }

    /// The hashes of the transactions that wait: those that could be mined now, and those after a gap.
    pub fn pool(&self) -> (Vec<String>, Vec<String>) {
        let content = self.rpc("txpool_content", json!([]));
        let hashes = |part: &str| {
            let accounts = content[part].as_object().unwrap().values();
            let waiting = accounts.flat_map(|nonces| nonces.as_object().unwrap().values());
            waiting.map(|one| one["hash"].as_str().unwrap().to_owned()).collect()
        };
        (hashes("pending"), hashes("queued"))
    }

    // --- transactions without a key -----------------------------------------------------------------------------------

    /// The node signs for anybody from now on.
    pub fn impersonate_everybody(&self) {
        self.rpc("anvil_autoImpersonateAccount", json!([true]));
    }

    pub fn impersonate(&self, account: &str) {
        self.rpc("anvil_impersonateAccount", json!([account]));
    }

    pub fn stop_impersonating(&self, account: &str) {
        self.rpc("anvil_stopImpersonatingAccount", json!([account]));
    }

    /// Sends as an account of the node's, or an impersonated one; the transaction's hash.
    pub fn send_as(&self, transaction: Value) -> String {
        self.rpc("eth_sendTransaction", json!([transaction]))
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// The hash, or the node's refusal.
    pub fn send_raw(&self, raw: &str) -> Result<String, Value> {
        let sent = self.try_rpc("eth_sendRawTransaction", json!([raw]))?;
        Ok(sent.as_str().unwrap().to_owned())
    }

    // --- faults -----------------------------------------------------------------------------------------------------

    /// No block comes by itself any more.
    pub fn stop_mining(&self) {
        self.rpc("evm_setAutomine", json!([false]));
        self.rpc("evm_setIntervalMining", json!([0]));
    }

    pub fn mine_automatically(&self) {
        self.rpc("evm_setAutomine", json!([true]));
    }

    pub fn mine(&self, blocks: u64) {
        self.rpc("anvil_mine", json!([blocks]));
    }

    pub fn set_next_base_fee(&self, wei: u128) {
        self.rpc("anvil_setNextBlockBaseFeePerGas", json!([hex(wei)]));
    }

    /// Whether the pool knew it.
    pub fn drop_transaction(&self, hash: &str) -> bool {
        !self.rpc("anvil_dropTransaction", json!([hash])).is_null()
    }

    pub fn drop_all_transactions(&self) {
        self.rpc("anvil_dropAllTransactions", json!([]));
    }

    /// Replaces the last `depth` blocks by empty ones. Their transactions are gone, from the pool too.
    pub fn reorg(&self, depth: u64) {
        self.reorg_with(depth, &[]);
    }

    /// Replaces the last `depth` blocks; the new ones hold these transactions (signed bytes, and which block counted
    /// from 0).
    pub fn reorg_with(&self, depth: u64, transactions: &[(&str, u64)]) {
        let pairs: Vec<Value> = transactions.iter().map(|(raw, block)| json!([raw, block])).collect();
        self.rpc("anvil_reorg", json!([depth, pairs]));
    }

    pub fn snapshot(&self) -> String {
        self.rpc("evm_snapshot", json!([])).as_str().unwrap().to_owned()
    }

    pub fn revert_to(&self, snapshot: &str) {
        assert_eq!(self.rpc("evm_revert", json!([snapshot])), json!(true));
    }

    pub fn set_balance(&self, account: &str, wei: u128) {
        self.rpc("anvil_setBalance", json!([account, hex(wei)]));
    }

    pub fn set_nonce(&self, account: &str, nonce: u64) {
        self.rpc("anvil_setNonce", json!([account, hex(nonce.into())]));
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // A stopped process hears nothing but this.
        self.end();
    }
}

pub fn hex(number: u128) -> String {
    format!("{number:#x}")
}

pub fn number(value: &Value) -> u128 {
    let text = value.as_str().unwrap_or_else(|| panic!("not a number: {value}"));
    u128::from_str_radix(text.trim_start_matches("0x"), 16).unwrap()
}

/// The platform's own binary: starting it through npx takes a second longer.
pub fn binary() -> PathBuf {
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let processor = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let package = format!("contracts/node_modules/@foundry-rs/anvil-{system}-{processor}/bin/anvil");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(package);
    assert!(
        path.exists(),
        "{} is missing: run bin/test, or npm ci in contracts/",
        path.display()
    );
    path
}

/// A port below the range from which the kernel takes those of outgoing connections: until a server listens there, and
/// while it is down, no client must be given it, and meet itself.
pub fn free_address() -> SocketAddr {
    let mut ports =
        std::iter::repeat_with(|| SocketAddr::from((Ipv4Addr::LOCALHOST, rand::random_range(20_000..32_000))));
    let free = ports
        .by_ref()
        .take(100)
        .find(|address| TcpListener::bind(address).is_ok());
    free.unwrap_or_else(|| panic!("no free port between 20000 and 32000"))
}

fn log_of(folder: &Path) -> String {
    let mut log = String::new();
    if let Ok(mut file) = File::open(folder.join("log")) {
        let _incomplete = file.read_to_string(&mut log);
    }
    log
}

/// One HTTP exchange, blocking: the status and the body. It needs no runtime and disturbs none.
pub fn exchange(address: SocketAddr, body: &[u8], time_out: Duration) -> Io<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect_timeout(&address, time_out)?;
    stream.set_read_timeout(Some(time_out))?;
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;

    let broken = || Error::new(ErrorKind::UnexpectedEof, "the answer ends early");
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .ok_or_else(broken)?;
    let status = String::from_utf8_lossy(&answer[..end])
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok());
    Ok((status.ok_or_else(broken)?, answer[end + 4..].to_vec()))
}
