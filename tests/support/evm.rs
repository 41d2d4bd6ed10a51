//! Contracts on a test node, called by name. The node signs for everybody, so nobody needs a key.

#![allow(dead_code, reason = "each test binary uses its own part of the harness")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moneyer::types::{Address, keccak256};
use serde_json::{Value, json};

use super::abi::Abi;
use super::node::{Node, number};

/// Below the 2^24 that one transaction may use.
const GAS: &str = "0xffffff";
const ETHER: u128 = 1_000_000_000_000_000_000;

static COUNTER: AtomicU64 = AtomicU64::new(1);

/// An address nobody else has.
pub fn somebody() -> String {
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let hash = keccak256(format!("somebody {number}").as_bytes()).to_string();
    let tail = hash.get(26..).unwrap();
    Address::parse(&format!("0x{tail}")).unwrap().to_string()
}

pub fn many(count: usize) -> Vec<String> {
    (0..count).map(|_| somebody()).collect()
}

/// A contract at an address, and who calls it unless somebody else is named.
#[derive(Clone)]
pub struct Contract<'n> {
    pub node: &'n Node,
    pub abi: Arc<Abi>,
    pub address: String,
    pub caller: String,
}

/// A mined transaction.
#[derive(Clone, Debug)]
pub struct Mined {
    pub gas: u64,
    /// The contract's own events, as `Name(value, value)`.
    pub events: Vec<String>,
    pub receipt: Value,
}

/// Somebody with money for gas, who can send on a node that impersonates everybody.
pub fn funded(node: &Node) -> String {
    let account = somebody();
    node.set_balance(&account, 1_000 * ETHER);
    account
}

impl<'n> Contract<'n> {
    pub fn deploy(node: &'n Node, abi: &Arc<Abi>, caller: &str, arguments: Value) -> Self {
        let mined = transact(
            node,
            json!({ "from": caller, "data": abi.creation(&arguments), "gas": GAS }),
        );
        assert_eq!(mined["status"], json!("0x1"), "the deployment reverts");
        let address = Address::parse(mined["contractAddress"].as_str().unwrap()).unwrap();
        Self::at(node, abi, address.to_string(), caller)
    }

    pub fn at(node: &'n Node, abi: &Arc<Abi>, address: impl Into<String>, caller: &str) -> Self {
        Self {
            node,
            abi: Arc::clone(abi),
            address: address.into(),
            caller: caller.to_owned(),
        }
    }

    /// The same contract with somebody else calling.
    pub fn by(&self, caller: &str) -> Self {
        Self::at(self.node, &self.abi, self.address.clone(), caller)
    }

    /// Asks, or says how it reverts.
    pub fn ask(&self, function: &str, arguments: Value) -> Result<Value, String> {
        let call = self.call(function, &arguments);
        match self.node.try_rpc("eth_call", json!([call, "latest"])) {
            Ok(data) => Ok(self.abi.result(function, data.as_str().unwrap())),
            Err(error) => Err(match error["data"].as_str() {
                Some(data) => self.abi.revert(data),
                None => error.to_string(),
            }),
        }
    }

    /// What a view answers.
    pub fn view(&self, function: &str, arguments: Value) -> Value {
        self.ask(function, arguments)
            .unwrap_or_else(|revert| panic!("{function}: {revert}"))
    }

    /// Sends, or says how it would revert.
    pub fn try_send(&self, function: &str, arguments: Value) -> Result<Mined, String> {
        self.ask(function, arguments.clone())?;
        let receipt = transact(self.node, self.call(function, &arguments));
        assert_eq!(
            receipt["status"],
            json!("0x1"),
            "{function} reverts only when it is sent"
        );
        let logs = receipt["logs"].as_array().unwrap().iter();
        let own = logs.filter(|log| self.address.eq_ignore_ascii_case(log["address"].as_str().unwrap()));
        Ok(Mined {
            gas: number(&receipt["gasUsed"]).try_into().unwrap(),
            events: own.filter_map(|log| self.abi.event(log)).collect(),
            receipt,
        })
    }

    pub fn send(&self, function: &str, arguments: Value) -> Mined {
        self.try_send(function, arguments)
            .unwrap_or_else(|revert| panic!("{function}: {revert}"))
    }

    /// How sending it reverts.
    pub fn revert(&self, function: &str, arguments: Value) -> String {
        self.ask(function, arguments).expect_err("it does not revert")
    }

    fn call(&self, function: &str, arguments: &Value) -> Value {
        let data = self.abi.calldata(function, arguments);
        json!({ "from": self.caller, "to": self.address, "data": data, "gas": GAS })
    }
}

/// Sends and waits for the receipt: on a node that mines by itself.
pub fn transact(node: &Node, transaction: Value) -> Value {
    let hash = node.send_as(transaction);
    for _ in 0..2_000 {
        let receipt = node.receipt(&hash);
        if !receipt.is_null() {
            return receipt;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("transaction {hash} is not mined");
}
