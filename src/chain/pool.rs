use serde_json::json;

use super::failure::Failure;
use super::node::{Node, Question};
use super::rpc::Rpc;
use super::wire;
use crate::types::Address;

/// How many transactions an account has, the highest that an endpoint says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KnownOf {
    pub mined: u64,
    /// Those in the pools, too.
    pub pooled: u64,
}

impl Rpc {
    /// What the endpoints know of an account. `Syncing` while all that answer are catching up with their chain; `Unreachable`
    /// when none answers.
    pub async fn known_of(&self, account: &Address) -> Result<KnownOf, Failure> {
        let count = |tag: &str| Question::new("eth_getTransactionCount", json!([account.to_lower_hex(), tag]));
        let questions = [
            Question::new("eth_syncing", json!([])),
            count("latest"),
            count("pending"),
        ];
        let asked = self.nodes.iter().map(|node| self.ask_of(node, &questions));
        let (mut known, mut syncing, mut silent): (Option<KnownOf>, _, _) = (None, None, Vec::new());
        for said in futures_util::future::join_all(asked).await {
            match said {
                Said::Known(said) => {
                    let so_far = known.unwrap_or_default();
                    known = Some(KnownOf {
                        mined: so_far.mined.max(said.mined),
                        pooled: so_far.pooled.max(said.pooled),
                    });
                }
                Said::Syncing(endpoint) => syncing = Some(endpoint),
                Said::Nothing(endpoint) => silent.push(endpoint),
            }
        }
        match (known, syncing) {
            (Some(known), _) => Ok(known),
            (None, Some(endpoint)) => Err(Failure::Syncing { endpoint }),
            (None, None) => Err(Failure::Unreachable(silent.join(", "))),
        }
    }

    async fn ask_of(&self, node: &Node, questions: &[Question]) -> Said {
        let Ok(answers) = node.ask(questions, self.timeout).await else {
            return Said::Nothing(node.name());
        };
        let mut answers = answers.into_iter();
        // `false`, or how far it is; not every node knows the question.
        if matches!(answers.next(), Some(Ok(value)) if value.is_object()) {
            return Said::Syncing(node.name());
        }
        // Nor does every node tell of its pool.
        let mut count = || {
            let value = answers.next()?.ok()?;
            wire::number(&value).ok()
        };
        let (mined, pooled) = (count().unwrap_or(0), count().unwrap_or(0));
        Said::Known(KnownOf { mined, pooled })
    }
}

enum Said {
    Known(KnownOf),
    Syncing(String),
    Nothing(String),
}
