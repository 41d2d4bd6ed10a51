//! What a node's answer to `eth_sendRawTransaction` proves. Codes differ from node to node, so the words decide; a word
//! that we do not know decides nothing (specs/chain.md, rule 5).

use std::time::Duration;

use serde_json::json;

use super::model::Sent;
use super::node::{Node, Question, Silence};
use super::rpc::Rpc;
use super::wire;
use crate::types::keccak256;

/// What became of an offer to one endpoint.
enum Offer {
    Accepted,
    Unclear(String),
    Impossible(String),
    Unsent(String),
}

impl Rpc {
    /// Offers a signed transaction to the endpoints, one after the other until one has it. Safe to repeat.
    pub async fn send(&self, raw: &[u8]) -> Sent {
        let (mut refusals, mut doubts, mut unsent) = (Vec::new(), Vec::new(), Vec::new());
        for (node, patience) in self.attempts(self.nodes.len()) {
            match self.offer(node, raw, patience).await {
                Offer::Accepted => return Sent::Accepted,
                Offer::Unclear(text) => doubts.push(text),
                Offer::Impossible(text) => refusals.push(text),
                Offer::Unsent(text) => unsent.push(text),
            }
        }
        if doubts.is_empty() && !refusals.is_empty() {
            return Sent::Refused(refusals.join("; "));
        }
        Sent::Unclear([doubts, refusals, unsent].concat().join("; "))
    }

    async fn offer(&self, node: &Node, raw: &[u8], patience: Duration) -> Offer {
        // A node of another chain would refuse in words that sound like a proof.
        if let Err(failure) = self.verify(node, patience).await {
            node.rest();
            return Offer::Unsent(failure.to_string());
        }
        let question = Question::new("eth_sendRawTransaction", json!([wire::hex(raw)]));
        match node.ask_one(question, patience).await {
            Ok(Ok(value)) if wire::hash(&value) == Ok(keccak256(raw)) => Offer::Accepted,
            Ok(Ok(_)) => Offer::Unclear(format!("{}: answers with another hash", node.name())),
            Ok(Err(refusal)) => {
                let text = node.refused(&refusal).to_string();
                match judge(&refusal.message) {
                    Verdict::Known => Offer::Accepted,
                    Verdict::Unclear => Offer::Unclear(text),
                    Verdict::Impossible => Offer::Impossible(text),
                }
            }
            Err(Silence::Unsent(text)) => {
                node.rest();
                Offer::Unsent(text)
            }
            Err(Silence::Unanswered(text)) => {
                node.rest();
                Offer::Unclear(text)
            }
        }
    }
}

/// What one endpoint's refusal says about the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The endpoint has these very bytes.
    Known,
    /// It may be there, or may be taken later.
    Unclear,
    /// It is invalid as it stands: this endpoint did not take it and never will.
    Impossible,
}

/// The same bytes are in the pool already.
const KNOWN: &[&str] = &[
    "already known",
    "alreadyknown",
    "already imported",
    "known transaction",
    "already in the pool",
    "already exists in the pool",
];

/// These win over everything below: each can be about a transaction of ours that was accepted before, or will pass when
/// the chain, our balance or a setting of the node changes.
const UNCLEAR: &[&str] = &[
    "nonce",
    "underpriced",
    "replacement",
    "insufficient funds",
    "insufficientfunds",
    "base fee",
    "pool is full",
    "exceeds the configured cap",
    "timeout",
    "timed out",
];

const IMPOSSIBLE: &[&str] = &[
    // gas that no block allows, or that is not enough to begin with
    "intrinsic gas",
    "exceeds block gas limit",
    "exceeds the block gas limit",
    "gaslimitexceeded",
    "gas limit too high",
    "transaction gas limit",
    "tx gas limit",
    // the signature or who it belongs to
    "invalid sender",
    "invalid signature",
    "invalid transaction signature",
    "invalid v, r, s",
    "failedtoresolvesender",
    "sender is contract",
    "senderiscontract",
    "sender not an eoa",
    // another chain
    "chain id",
    "chainid",
    "chain_id",
    "wrong chain",
    // a form that the node does not know
    "transaction type not supported",
    "unsupported transaction type",
    "invalid transaction type",
    "invalid rlp",
    "rlp:",
    "failed to decode",
    "could not decode",
    "oversized data",
    "initcode size",
    // caps that contradict each other
    "max priority fee per gas higher than max fee per gas",
    "tip higher than fee cap",
];

pub(super) fn judge(message: &str) -> Verdict {
    let message = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(KNOWN) {
        Verdict::Known
    } else if says(UNCLEAR) {
        Verdict::Unclear
    } else if says(IMPOSSIBLE) {
        Verdict::Impossible
    } else {
        Verdict::Unclear
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict::{Impossible, Known, Unclear};
    use super::*;

    #[test]
    fn the_words_of_several_nodes_are_understood() {
        for (node, message, verdict) in [
            ("geth", "already known", Known),
            ("anvil", "transaction already imported", Known),
            ("besu", "Known transaction", Known),
            ("nethermind", "AlreadyKnown", Known),
            ("erigon", "ALREADY_EXISTS: already known", Known),
            ("geth", "nonce too low: next nonce 7, tx nonce 6", Unclear),
            (
                "nethermind",
                "OldNonce, Current nonce: 7, nonce of rejected tx: 6",
                Unclear,
            ),
            ("besu", "Nonce too low", Unclear),
            ("geth", "replacement transaction underpriced", Unclear),
            ("nethermind", "ReplacementNotAllowed", Unclear),
            (
                "geth",
                "transaction underpriced: tip needed 1, tip permitted 0",
                Unclear,
            ),
            ("nethermind", "FeeTooLowToCompete", Unclear),
            (
                "geth",
                "insufficient funds for gas * price + value: balance 0, tx cost 1",
                Unclear,
            ),
            (
                "nethermind",
                "InsufficientFunds, Balance is zero, cannot pay gas",
                Unclear,
            ),
            ("besu", "Upfront cost exceeds account balance", Unclear),
            ("anvil", "max fee per gas less than block base fee", Unclear),
            ("geth", "txpool is full", Unclear),
            (
                "geth",
                "in-flight transaction limit reached for delegated accounts",
                Unclear,
            ),
            ("a proxy", "request timed out", Unclear),
            ("a proxy", "internal error", Unclear),
            (
                "geth",
                "intrinsic gas too low: gas 20000, minimum needed 21000",
                Impossible,
            ),
            ("besu", "Intrinsic gas exceeds gas limit", Impossible),
            (
                "anvil",
                "intrinsic gas too high -- tx.gas_limit > env.cfg.tx_gas_limit_cap",
                Impossible,
            ),
            (
                "geth",
                "transaction gas limit too high (cap: 16777216, tx: 16777217)",
                Impossible,
            ),
            ("geth", "exceeds block gas limit", Impossible),
            ("nethermind", "GasLimitExceeded, Gas limit: 30000000", Impossible),
            ("geth", "invalid sender", Impossible),
            ("nethermind", "FailedToResolveSender", Impossible),
            ("geth", "invalid chain id for signer: have 1 want 5", Impossible),
            (
                "besu",
                "Transaction was meant for chain id 1 and not this chain id 5",
                Impossible,
            ),
            (
                "geth",
                "max priority fee per gas higher than max fee per gas",
                Impossible,
            ),
            (
                "geth",
                "tx fee (1.68 ether) exceeds the configured cap (1.00 ether)",
                Unclear,
            ),
            ("erigon", "rlp: expected List", Impossible),
            ("anvil", "Failed to decode transaction", Impossible),
        ] {
            assert_eq!(judge(message), verdict, "{node}: {message}");
        }
    }

    #[test]
    fn a_word_that_nobody_knows_decides_nothing() {
        for message in ["", "no", "Invalid", "boom: 0xdeadbeef"] {
            assert_eq!(judge(message), Unclear, "{message}");
        }
    }
}
