use std::collections::HashMap;

use crate::types::{Address, Amount, Hash32};

/// A block, as far as settlement looks at it. `base_fee` is in wei per gas, `time` in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    pub number: u64,
    pub hash: Hash32,
    pub parent: Hash32,
    pub base_fee: u128,
    pub gas_limit: u64,
    pub time: u64,
}

/// The two caps of EIP-1559, in wei per gas: what is paid at most, and what of it goes to the block's proposer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fees {
    pub max: u128,
    pub priority: u128,
}

/// What became of a transaction that is in a block. A reorganisation can take it back until that block is final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub transaction: Hash32,
    pub block_number: u64,
    pub block_hash: Hash32,
    /// False when it ran and was reverted: the nonce and the fee are spent, nothing else changed.
    pub success: bool,
    pub gas_used: u64,
    pub logs: Vec<Log>,
}

/// One event of a contract. `index` is its place in the block, `transaction_index` that of its transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    pub address: Address,
    pub topics: Vec<Hash32>,
    pub data: Vec<u8>,
    pub block_number: u64,
    pub block_hash: Hash32,
    pub transaction: Hash32,
    pub transaction_index: u64,
    pub index: u64,
}

/// One consistent reading of one endpoint: everything in it holds in the chain that ends with `head`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    pub head: Block,
    /// The highest block that the chain's rule calls final. Never above `head`.
    pub finalized: u64,
    /// How many transactions the sender has in blocks up to `head`: the lowest nonce that is free there.
    pub count: u64,
    /// What the sender owns at `head`, in wei.
    pub balance: Amount,
    /// For every hash that was asked for: its receipt, or none when it is in no block up to `head`, as this endpoint
    /// says. None alone is no evidence that the transaction is lost.
    pub receipts: HashMap<Hash32, Option<Receipt>>,
    /// For every block number that was asked for and is not above `head`: the hash of the block that is there now.
    pub blocks: HashMap<u64, Hash32>,
    /// What a new transaction should offer now; never above the configured ceiling.
    pub suggested: Fees,
}

/// What is known after a transaction was offered to the endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// An endpoint has it.
    Accepted,
    /// Nothing is decided: look for it by its hash, keep the nonce. The text is for the log.
    Unclear(String),
    /// Every endpoint that saw it said that it can never accept it. Says nothing about earlier offers.
    Refused(String),
}

/// A question to a contract, or a transaction that is only tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub from: Address,
    pub to: Address,
    pub data: Vec<u8>,
}

/// Why a contract refused. `line` is the place in the batch and `recipient` who is there, when the contract says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revert {
    /// For a person: the contract's own words, or its data in hex where it uses none that we know.
    pub reason: String,
    pub line: Option<u64>,
    pub recipient: Option<Address>,
    /// As the contract gave it, cut at [`Revert::DATA_BYTES_MAX`].
    pub data: Vec<u8>,
}

impl Revert {
    /// A contract chooses how much it says; we keep what fits a log line and a table cell.
    pub const DATA_BYTES_MAX: usize = 1_024;
}

/// A transaction of type 2 (EIP-1559) before it is signed. `value` is in wei; `to` is none when it creates a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    pub chain_id: u64,
    pub nonce: u64,
    pub to: Option<Address>,
    pub value: Amount,
    pub data: Vec<u8>,
    pub gas_limit: u64,
    pub fees: Fees,
}

/// The bytes that go to the chain and the hash by which they are found there: keccak256 of the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    pub raw: Vec<u8>,
    pub hash: Hash32,
}
