use std::time::Duration;

use serde_json::{Value, json};

use super::super::failure::Failure;
use super::super::model::{Signed, Transaction};
use super::super::node::{Node, Question};
use super::super::transaction::require_signed;
use super::super::wire;
use crate::config::Endpoint;
use crate::types::Address;

/// A signer may ask a hardware module.
const PATIENCE: Duration = Duration::from_secs(10);
/// Twice the largest transaction that nodes take (128 KiB), in hex.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// A signer that speaks `eth_signTransaction` over JSON-RPC, as Web3Signer does.
pub struct Remote {
    node: Node,
    address: Address,
}

impl Remote {
    pub(super) fn new(url: Endpoint, address: Address) -> Result<Self, Failure> {
        let node = Node::new(url, ANSWER_BYTES_MAX)?;
        Ok(Self { node, address })
    }

    pub fn address(&self) -> Address {
        self.address
    }

    /// Asking twice is safe: a signature moves nothing until it is sent.
    pub async fn sign(&self, transaction: &Transaction) -> Result<Signed, Failure> {
        let question = Question::new("eth_signTransaction", json!([self.asked(transaction)]));
        let answer = self.node.ask_one(question, PATIENCE).await;
        let answer = answer.map_err(|silence| Failure::Signer(silence.text().to_owned()))?;
        let value = answer.map_err(|refusal| Failure::Signer(self.node.refused(&refusal).to_string()))?;
        // Web3Signer gives the bytes, geth's clef an object around them.
        let raw = value.get("raw").unwrap_or(&value);
        let gives = |reason: String| Failure::Signer(format!("{} gives {reason}", self.node.name()));
        let raw = wire::bytes(raw).map_err(gives)?;
        require_signed(transaction, &self.address, raw).map_err(gives)
    }

    fn asked(&self, transaction: &Transaction) -> Value {
        let mut asked = json!({
            "from": self.address.to_lower_hex(),
            "chainId": wire::hex_number(transaction.chain_id),
            "nonce": wire::hex_number(transaction.nonce),
            "gas": wire::hex_number(transaction.gas_limit),
            "maxFeePerGas": format!("{:#x}", transaction.fees.max),
            "maxPriorityFeePerGas": format!("{:#x}", transaction.fees.priority),
            "value": wire::hex_amount(transaction.value),
            "data": wire::hex(&transaction.data),
        });
        if let (Some(to), Some(fields)) = (transaction.to, asked.as_object_mut()) {
            fields.insert("to".to_owned(), json!(to.to_lower_hex()));
        }
        asked
    }
}
