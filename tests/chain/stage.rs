//! What the tests begin with: a node, a client of it, and an account with money.

use std::time::Duration;

use moneyer::chain::{Fees, Receipt, Rpc, Sent, Signed, Signer, Transaction};
use moneyer::config::{Chain, Endpoint, Finality, KeySource};
use moneyer::types::{Address, Amount};
use secrecy::SecretBox;

use crate::node::{ACCOUNTS, CHAIN_ID, KEYS, Mining, Node, Options};

pub const GWEI: u128 = 1_000_000_000;

pub fn manual() -> Node {
    Node::start(Options {
        mining: Mining::Manual,
        ..Options::default()
    })
}

pub fn key(place: usize) -> KeySource {
    let bytes = data_encoding::HEXLOWER.decode(KEYS[place].trim_start_matches("0x").as_bytes());
    KeySource::Key(SecretBox::new(Box::new(bytes.unwrap().try_into().unwrap())))
}

pub fn account(place: usize) -> Address {
    Address::parse(ACCOUNTS[place]).unwrap()
}

/// Every endpoint has three seconds; a block is final when one is on top of it.
pub fn chain(urls: &[String]) -> Chain {
    let endpoints = urls.iter().map(|url| Endpoint::parse(url).unwrap()).collect();
    Chain {
        finality: Finality::Depth(1),
        timeout: Duration::from_secs(3),
        ..Chain::new(CHAIN_ID, endpoints, key(0))
    }
}

pub fn rpc(urls: &[String]) -> Rpc {
    Rpc::connect(&chain(urls)).unwrap()
}

pub async fn signer(place: usize) -> Signer {
    Signer::open(&key(place)).await.unwrap()
}

/// A payment of one wei at this nonce that any block takes.
pub fn payment(nonce: u64) -> Transaction {
    Transaction {
        chain_id: CHAIN_ID,
        nonce,
        to: Some(Address::from_bytes([5; 20])),
        value: Amount::ONE,
        data: Vec::new(),
        gas_limit: 21_000,
        fees: Fees {
            max: 20 * GWEI,
            priority: GWEI,
        },
    }
}

pub async fn signed(transaction: &Transaction) -> Signed {
    signer(0).await.sign(transaction).await.unwrap()
}

/// Sends it and has it mined.
pub async fn mined(node: &Node, rpc: &Rpc, to: Option<Address>, data: Vec<u8>) -> Receipt {
    let view = rpc.view(&account(0), &[], &[]).await.unwrap();
    let transaction = Transaction {
        to,
        value: Amount::ZERO,
        data,
        gas_limit: 15_000_000,
        ..payment(view.count)
    };
    let signed = signed(&transaction).await;
    assert_eq!(rpc.send(&signed.raw).await, Sent::Accepted);
    node.mine(1);
    let receipt = rpc.receipt(&signed.hash).await.unwrap().unwrap();
    assert!(receipt.success, "reverted: {to:?}");
    receipt
}
