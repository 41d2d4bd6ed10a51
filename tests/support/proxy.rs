//! What stands between a client and its node when the network is bad: an HTTP proxy for JSON-RPC with faults on demand
//! or by chance from a seed.
//!
//! A fault is chosen once per HTTP request, by the first rule that fits one of the methods in it (a batch has
//! several). Rules are used up in the order they were given.

#![allow(dead_code, reason = "each test binary uses its own part of the harness")]

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use super::node::{exchange, hex, number};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The node never hears of it; the connection closes.
    Refuse,
    /// The node hears of it and does it; its answer is lost.
    DropReply,
    /// The node never hears of it; the connection stays open for so long and then closes.
    TimeOut(Duration),
    /// The node does it; the connection stays open for so long and then closes.
    TimeOutAfter(Duration),
    /// The node never hears of it; a gateway answers with this status.
    Status(u16),
    /// The node does it; a gateway answers with this status.
    StatusAfter(u16),
    /// The node never hears of it; the answer says that no node ever will do it.
    Refusal,
    /// The node does it; the answer says that no node ever will.
    RefusalAfter,
    /// Every receipt asked for is null.
    NullReceipts,
}

struct Rule {
    /// Every method where none is named.
    method: Option<String>,
    fault: Fault,
    /// How often it is still used; for ever where nothing is said.
    left: Option<u32>,
}

#[derive(Default)]
struct State {
    rules: Vec<Rule>,
    chance: Option<Chance>,
    /// The proxy knows no later block.
    head: Option<u64>,
    /// So much of every hundred units of gas is what estimates say.
    estimate_percent: Option<u64>,
    /// Whoever asks what this contract would do is told that the node cannot say.
    untried: Option<String>,
    counts: HashMap<String, u64>,
    injected: u64,
}

struct Chance {
    random: StdRng,
    per_mille: u32,
    faults: Vec<Fault>,
}

pub struct Proxy {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stopped: Arc<AtomicBool>,
}

impl Proxy {
    /// Forwards everything until told otherwise.
    pub fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::default(),
            stopped: Arc::default(),
        };
        let (state, stopped) = (Arc::clone(&proxy.state), Arc::clone(&proxy.stopped));
        thread::spawn(move || {
            for client in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(client) = client else { continue };
                let state = Arc::clone(&state);
                thread::spawn(move || serve(&client, upstream, &state));
            }
        });
        proxy
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    // --- faults -----------------------------------------------------------------------------------------------------

    /// The next `times` requests with this method have this fault.
    pub fn inject(&self, method: &str, fault: Fault, times: u32) {
        self.add(Some(method), fault, Some(times));
    }

    /// Every request with this method has this fault, until [`Proxy::heal`].
    pub fn break_method(&self, method: &str, fault: Fault) {
        self.add(Some(method), fault, None);
    }

    /// Every request has this fault, until [`Proxy::heal`].
    pub fn break_everything(&self, fault: Fault) {
        self.add(None, fault, None);
    }

    /// One request in a thousand, times `per_mille`, has one of these faults. The same seed and the same order of
    /// requests give the same faults.
    pub fn misbehave(&self, seed: u64, per_mille: u32, faults: &[Fault]) {
        self.state().chance = Some(Chance {
            random: StdRng::seed_from_u64(seed),
            per_mille,
            faults: faults.to_vec(),
        });
    }

    /// From now on the proxy lies behind: it knows no block after this one, nor what they changed.
    pub fn lag_at(&self, block: u64) {
        self.state().head = Some(block);
    }

    /// Estimates of gas are wrong from now on: so much of every hundred.
    pub fn estimate(&self, percent: u64) {
        self.state().estimate_percent = Some(percent);
    }

    /// From now on the node cannot say what a call of this contract would do, in words that nobody knows.
    pub fn try_nothing_of(&self, contract: &str) {
        self.state().untried = Some(contract.to_lowercase());
    }

    pub fn catch_up(&self) {
        self.state().head = None;
    }

    /// Ends every fault.
    pub fn heal(&self) {
        let mut state = self.state();
        state.rules.clear();
        state.chance = None;
        state.head = None;
        state.estimate_percent = None;
        state.untried = None;
    }

    // --- what happened ----------------------------------------------------------------------------------------------

    /// How often a method was asked for, faults included.
    pub fn count(&self, method: &str) -> u64 {
        self.state().counts.get(method).copied().unwrap_or_default()
    }

    /// How many requests had a fault.
    pub fn injected(&self) -> u64 {
        self.state().injected
    }

    fn add(&self, method: Option<&str>, fault: Fault, left: Option<u32>) {
        let method = method.map(str::to_owned);
        self.state().rules.push(Rule { method, fault, left });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // The listener looks at the flag when somebody comes.
        let _nobody = TcpStream::connect(self.address);
    }
}

impl State {
    fn choose(&mut self, methods: &[String]) -> Option<Fault> {
        for method in methods {
            *self.counts.entry(method.clone()).or_default() += 1;
        }
        let fault = self.by_rule(methods).or_else(|| self.by_chance());
        self.injected += u64::from(fault.is_some());
        fault
    }

    fn by_rule(&mut self, methods: &[String]) -> Option<Fault> {
        let fits = |rule: &Rule| rule.method.as_ref().is_none_or(|method| methods.contains(method));
        let at = self.rules.iter().position(fits)?;
        let rule = &mut self.rules[at];
        let fault = rule.fault;
        if let Some(left) = &mut rule.left {
            *left -= 1;
            if *left == 0 {
                self.rules.remove(at);
            }
        }
        Some(fault)
    }

    fn by_chance(&mut self) -> Option<Fault> {
        let chance = self.chance.as_mut()?;
        let happens = chance.random.random_range(0..1000) < chance.per_mille;
        happens.then(|| *chance.faults.choose(&mut chance.random).unwrap())
    }
}

/// One request per connection: the answer says that it closes.
fn serve(client: &TcpStream, upstream: SocketAddr, state: &Mutex<State>) {
    let Some(body) = read_request(client) else { return };
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let (fault, glass) = {
        let mut state = state.lock().unwrap();
        let fault = state.choose(&methods_of(&request));
        if state.untried.as_ref().is_some_and(|contract| tries(&request, contract)) {
            reply(client, 200, &failing_trials(&request));
            return;
        }
        let glass = Glass {
            head: state.head,
            estimate_percent: state.estimate_percent,
            null_receipts: fault == Some(Fault::NullReceipts),
        };
        (fault, glass)
    };
    let forward = || forward(upstream, &request, glass);

    match fault {
        Some(Fault::Refuse) => {}
        Some(Fault::TimeOut(time)) => thread::sleep(time),
        Some(Fault::Status(status)) => reply(client, status, "the gateway is unwell"),
        Some(Fault::DropReply) => drop(forward()),
        Some(Fault::TimeOutAfter(time)) => {
            drop(forward());
            thread::sleep(time);
        }
        Some(Fault::StatusAfter(status)) => {
            drop(forward());
            reply(client, status, "the gateway is unwell");
        }
        Some(Fault::Refusal) => reply(client, 200, &refusal(&request)),
        Some(Fault::RefusalAfter) => {
            drop(forward());
            reply(client, 200, &refusal(&request));
        }
        Some(Fault::NullReceipts) | None => {
            if let Some((status, answer)) = forward() {
                reply(client, status, &answer);
            }
        }
    }
}

/// Words that prove that a transaction cannot be taken.
fn refusal(request: &Value) -> String {
    let error = json!({ "code": -32000, "message": "exceeds block gas limit" });
    json!({ "jsonrpc": "2.0", "id": request["id"], "error": error }).to_string()
}

/// Whether something is asked about what a call of the contract would do.
fn tries(request: &Value, contract: &str) -> bool {
    calls_of(request).any(|call| {
        let to = call["params"][0]["to"].as_str().unwrap_or_default();
        let method = call["method"].as_str().unwrap_or_default();
        matches!(method, "eth_call" | "eth_estimateGas") && to.eq_ignore_ascii_case(contract)
    })
}

/// What a node says that ran out of time or meets code that it does not know.
fn failing_trials(request: &Value) -> String {
    let error = json!({ "code": -32000, "message": "execution aborted (timeout = 5s)" });
    let answer = |call: &Value| json!({ "jsonrpc": "2.0", "id": call["id"], "error": error });
    match request.as_array() {
        Some(calls) => Value::Array(calls.iter().map(answer).collect()).to_string(),
        None => answer(request).to_string(),
    }
}

/// The body of an HTTP request, or nothing when the client went away.
fn read_request(client: &TcpStream) -> Option<Vec<u8>> {
    let mut reader = BufReader::new(client);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}

/// A client that went away is no fault of the proxy's.
fn reply(mut client: &TcpStream, status: u16, body: &str) {
    let head = format!(
        "HTTP/1.1 {status} Reply\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _gone = client
        .write_all(head.as_bytes())
        .and_then(|()| client.write_all(body.as_bytes()));
}

fn methods_of(request: &Value) -> Vec<String> {
    calls_of(request)
        .map(|call| call["method"].as_str().unwrap_or_default().to_owned())
        .collect()
}

fn calls_of(request: &Value) -> impl Iterator<Item = &Value> {
    request
        .as_array()
        .map_or(std::slice::from_ref(request), Vec::as_slice)
        .iter()
}

/// Through which a client sees the node.
#[derive(Clone, Copy)]
struct Glass {
    head: Option<u64>,
    estimate_percent: Option<u64>,
    null_receipts: bool,
}

/// The node's status and answer, as a node would give it that knows no block after the glass's head.
fn forward(upstream: SocketAddr, request: &Value, glass: Glass) -> Option<(u16, String)> {
    let mut asked = request.clone();
    if let Some(head) = glass.head {
        each(&mut asked, |call| pin(call, head));
    }
    let (status, body) = exchange(upstream, asked.to_string().as_bytes(), Duration::from_secs(60)).ok()?;

    let mut answer: Value = serde_json::from_slice(&body).ok()?;
    each(&mut answer, |one| {
        let call = calls_of(request).find(|call| call["id"] == one["id"]);
        let method = call.and_then(|call| call["method"].as_str()).unwrap_or_default();
        censor(method, &mut one["result"], glass);
        if one.get("error").is_some() {
            one.as_object_mut().unwrap().remove("result");
        }
    });
    Some((status, answer.to_string()))
}

fn each(value: &mut Value, change: impl Fn(&mut Value)) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(change),
        single => change(single),
    }
}

/// Asks about the block at `head` where the question is about the newest one. `safe` and `finalized` follow the head by
/// one and two blocks, as they do on the node.
fn pin(call: &mut Value, head: u64) {
    let Some(parameters) = call["params"].as_array_mut() else {
        return;
    };
    for parameter in parameters {
        let behind = match parameter.as_str() {
            Some("latest" | "pending") => 0,
            Some("safe") => 1,
            Some("finalized") => 2,
            _ => continue,
        };
        *parameter = json!(hex(head.saturating_sub(behind).into()));
    }
}

fn censor(method: &str, result: &mut Value, glass: Glass) {
    let Glass {
        head,
        estimate_percent,
        null_receipts,
    } = glass;
    // What has no number is not mined.
    let unseen = |block: &Value| !block.is_null() && head.is_some_and(|head| number(block) > head.into());
    match method {
        "eth_getTransactionReceipt" if null_receipts || unseen(&result["blockNumber"]) => *result = Value::Null,
        "eth_getTransactionByHash" if unseen(&result["blockNumber"]) => *result = Value::Null,
        "eth_getBlockByNumber" | "eth_getBlockByHash" if unseen(&result["number"]) => *result = Value::Null,
        "eth_getLogs" => {
            if let Some(logs) = result.as_array_mut() {
                logs.retain(|log| !unseen(&log["blockNumber"]));
            }
        }
        "eth_estimateGas" if !result.is_null() => {
            if let Some(percent) = estimate_percent {
                *result = json!(hex(number(result) * u128::from(percent) / 100));
            }
        }
        "eth_blockNumber" => {
            if let Some(head) = head {
                *result = json!(hex(head.into()));
            }
        }
        _ => {}
    }
}
