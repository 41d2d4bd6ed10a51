use std::time::Duration;

use serde_json::{Value, json};

use super::contracts;
use super::failure::Failure;
use super::model::{Call, Revert};
use super::node::{Answer, Node, Question, Refusal};
use super::rpc::Rpc;
use super::wire;

/// The state in which something is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    Latest,
    Block(u64),
}

impl At {
    pub(super) fn tag(self) -> Value {
        match self {
            Self::Latest => json!("latest"),
            Self::Block(number) => wire::hex_number(number),
        }
    }
}

impl Rpc {
    /// What the contract answers now, or why it refuses.
    pub async fn call(&self, call: &Call) -> Result<Result<Vec<u8>, Revert>, Failure> {
        let answers = self.call_many(std::slice::from_ref(call), At::Latest).await?;
        let answer = answers.into_iter().next();
        answer.ok_or_else(|| Failure::Unreachable("no answer to a call".to_owned()))
    }

    /// As [`Self::call`] for several, in their order, all of one endpoint. With [`At::Block`] they are of one state; an
    /// endpoint may have forgotten the state of old blocks.
    pub async fn call_many(&self, calls: &[Call], at: At) -> Result<Vec<Result<Vec<u8>, Revert>>, Failure> {
        let question = |call: &Call| Question::new("eth_call", json!([of_call(call), at.tag()]));
        let questions: Vec<Question> = calls.iter().map(question).collect();
        self.read(|node, patience| self.tried(node, questions.clone(), patience, wire::bytes))
            .await
    }

    /// As [`Self::call`], with no more gas than a transaction of this limit has. What a contract says when it lacks gas is
    /// anything: a refusal proves nothing about the call with more of it.
    pub async fn call_with_gas(&self, call: &Call, gas_limit: u64) -> Result<Result<Vec<u8>, Revert>, Failure> {
        let mut question = of_call(call);
        if let Some(fields) = question.as_object_mut() {
            fields.insert("gas".to_owned(), wire::hex_number(gas_limit));
        }
        let questions = vec![Question::new("eth_call", json!([question, "latest"]))];
        let answers = self
            .read(|node, patience| self.tried(node, questions.clone(), patience, wire::bytes))
            .await?;
        let answer = answers.into_iter().next();
        answer.ok_or_else(|| Failure::Unreachable("no answer to a call".to_owned()))
    }

    /// The gas that the call needs when it is sent now, without a margin; or why it would be reverted.
    pub async fn estimate_gas(&self, call: &Call) -> Result<Result<u64, Revert>, Failure> {
        let questions = vec![Question::new("eth_estimateGas", json!([of_call(call), "latest"]))];
        let answers = self
            .read(|node, patience| self.tried(node, questions.clone(), patience, wire::number))
            .await?;
        let answer = answers.into_iter().next();
        answer.ok_or_else(|| Failure::Unreachable("no answer to an estimate".to_owned()))
    }

    async fn tried<T>(
        &self,
        node: &Node,
        questions: Vec<Question>,
        patience: Duration,
        understand: impl Fn(&Value) -> Result<T, wire::Malformed>,
    ) -> Result<Vec<Result<T, Revert>>, Failure> {
        let answers = self.ask_checked(node, questions, patience).await?;
        let read = |answer: Answer| match answer {
            Ok(value) => understand(&value).map(Ok).map_err(|reason| node.malformed(reason)),
            Err(refusal) => match revert_of(&refusal) {
                Some(revert) => Ok(Err(revert)),
                None => Err(node.refused(&refusal)),
            },
        };
        answers.into_iter().map(read).collect()
    }
}

fn of_call(call: &Call) -> Value {
    json!({ "from": call.from.to_lower_hex(), "to": call.to.to_lower_hex(), "data": wire::hex(&call.data) })
}

/// Words by which nodes say that the machine stopped, whatever the code of the error is.
const STOPPED: &[&str] = &[
    "revert",
    "invalid opcode",
    "stack underflow",
    "stack overflow",
    "invalid jump",
    "vm execution error",
];

/// Words by which they say that it needs more gas than a transaction or a block may have (EIP-7825).
const OUT_OF_GAS: &[&str] = &[
    "out of gas",
    "outofgas",
    "gas required exceeds",
    "intrinsic gas too high",
    "exceeds block gas limit",
    "exceeds the block gas limit",
    "gas limit too high",
    "gas limit cap",
    "gas_limit_cap",
    "transaction gas limit",
];

fn says(words: &[&str], message: &str) -> bool {
    let message = message.to_lowercase();
    words.iter().any(|word| message.contains(word))
}

impl Revert {
    /// It may well do, in smaller parts. Contracts cannot say so: what they say comes with data.
    pub fn is_out_of_gas(&self) -> bool {
        self.data.is_empty() && says(OUT_OF_GAS, &self.reason)
    }
}

/// None when the node could not try it at all.
fn revert_of(refusal: &Refusal) -> Option<Revert> {
    let is_told = says(STOPPED, &refusal.message) || says(OUT_OF_GAS, &refusal.message);
    if refusal.code != 3 && !is_told {
        return None;
    }
    match data_of(&refusal.data).filter(|data| !data.is_empty()) {
        Some(data) => Some(Revert::decode(&data, contracts::errors())),
        None => Some(Revert::without_data(&refusal.message)),
    }
}

/// Where nodes put what the contract said: text, text after the word "Reverted", or an object around either.
fn data_of(value: &Value) -> Option<Vec<u8>> {
    if let Some(text) = value.as_str() {
        let hex = text.split_whitespace().find(|word| word.starts_with("0x"))?;
        return wire::bytes(&json!(hex)).ok();
    }
    ["data", "result", "output"]
        .iter()
        .find_map(|name| value.get(name).and_then(data_of))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "0x08c379a00000000000000000000000000000000000000000000000000000000000000020\
                        0000000000000000000000000000000000000000000000000000000000000002\
                        6e6f000000000000000000000000000000000000000000000000000000000000";

    fn refusal(code: i64, message: &str, data: Value) -> Refusal {
        Refusal {
            code,
            message: message.to_owned(),
            data,
        }
    }

    #[test]
    fn the_contracts_words_are_found_where_each_node_puts_them() {
        for (node, refusal) in [
            ("geth", refusal(3, "execution reverted: no", json!(TEXT))),
            ("besu", refusal(-32000, "Execution reverted", json!(TEXT))),
            (
                "nethermind",
                refusal(-32015, "VM execution error.", json!(format!("Reverted {TEXT}"))),
            ),
            (
                "a wrapper",
                refusal(-32603, "VM Exception: revert", json!({ "data": { "result": TEXT } })),
            ),
        ] {
            assert_eq!(revert_of(&refusal).unwrap().reason, "no", "{node}");
        }
    }

    #[test]
    fn a_machine_that_stopped_is_a_revert_in_the_nodes_words() {
        for message in [
            "execution reverted",
            "out of gas",
            "gas required exceeds allowance (16777216)",
            "invalid opcode: INVALID",
        ] {
            let revert = revert_of(&refusal(-32000, message, Value::Null)).unwrap();
            assert_eq!(revert.reason, message);
            assert_eq!(revert.is_out_of_gas(), message.contains("gas"), "{message}");
        }
    }

    #[test]
    fn a_contract_cannot_say_that_it_lacks_gas() {
        let revert = Revert {
            reason: "out of gas".to_owned(),
            data: vec![0x08, 0xc3, 0x79, 0xa0],
            ..Revert::without_data("")
        };

        assert!(!revert.is_out_of_gas());
    }

    #[test]
    fn a_node_that_cannot_try_it_is_no_revert() {
        for message in [
            "header not found",
            "missing trie node",
            "rate limit exceeded",
            "method not found",
            "",
        ] {
            assert!(revert_of(&refusal(-32000, message, Value::Null)).is_none(), "{message}");
        }
    }
}
