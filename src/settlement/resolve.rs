//! What a person decides about a nonce that we cannot settle by ourselves, and how the decision is carried out.
//!
//! *Case*: an intent that needs a person. *Decision*: its operations are planned again, or they have failed, or they are
//! done. A decision is written down here and carried out by the process that sends, under its lease, when it looks next:
//! it knows the chain, and refuses what is no longer true. Both are events of the audit log.
//!
//! Only whoever compared the chain with the case can know which decision is right: to plan again what was mined after
//! all would do it twice. Source: specs/chain.md section 5, rules 7, 8, 13 and 16.

use serde_json::{Value, json};

use super::model::SenderKey;
use super::sender::Attention;
use super::store;
use crate::audit::{self, Event, Stream};
use crate::db::Tx;
use crate::error::Error;
use crate::operation::Operation;
use crate::types::{Hash32, Timestamp};

/// Characters of the reason that a person gives.
const REASON_LENGTH_MAX: usize = 300;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing of it happened: its operations go back into the queue and get another nonce. Where the node refused all that
    /// was signed for a nonce, it is signed once more.
    Again,
    /// Its operations have failed; what they reserved is voided.
    Failed,
    /// What was asked for is so.
    Done,
}

impl Decision {
    pub const ALL: [Self; 3] = [Self::Again, Self::Failed, Self::Done];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Again => "again",
            Self::Failed => "failed",
            Self::Done => "done",
        }
    }

    pub fn parse(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|decision| decision.code() == text);
        found.ok_or_else(|| format!("{text} is none of again, failed, done"))
    }
}

/// A decision that was written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resolution {
    pub nonce: u64,
    pub decision: Decision,
    pub reason: String,
}

/// An intent that needs a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    pub nonce: u64,
    /// `mint`, `change`, `registry`, `setup`.
    pub kind: String,
    /// How far the intent has come: `unknown`, `final`, `closed`, or on its way.
    pub state: String,
    /// A stable code for why.
    pub attention: String,
    pub since: Option<Timestamp>,
    /// Every transaction that was signed for it.
    pub transactions: Vec<Hash32>,
    pub operations: Vec<Operation>,
}

/// How far a decision is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// No process that sends has looked yet.
    Waits,
    Done,
    Refused(String),
}

/// Every intent that needs a person, by nonce; none where there is no chain.
pub fn cases(tx: &mut Tx<'_>) -> Result<Vec<Case>, Error> {
    match key(tx)? {
        None => Ok(Vec::new()),
        Some(key) => store::cases(tx, &key),
    }
}

/// Writes a decision down. `Conflict` when the nonce needs no person, or none can help; `Invalid` without a reason.
pub fn decide(tx: &mut Tx<'_>, nonce: u64, decision: Decision, reason: &str, now: Timestamp) -> Result<(), Error> {
    let reason = reason_of(reason)?;
    let conflict = || Error::Conflict(format!("nonce {nonce} needs no person"));
    let key = key(tx)?.ok_or_else(conflict)?;
    let attention = store::attention_of(tx, &key, nonce)?.ok_or_else(conflict)?;
    let is_of_setup = store::part(tx, &key, nonce)?.kind == "setup";
    if is_of_setup && attention != Attention::LateReorg.code() {
        return Err(Error::Conflict(format!(
            "the addresses of the contracts follow from nonce {nonce}: begin with another key or another database"
        )));
    }
    let resolution = Resolution {
        nonce,
        decision,
        reason: reason.to_owned(),
    };
    store::insert_resolution(tx, &key, &resolution, now)?;
    let event = event(&key, "settlement.decided", &resolution, json!({}));
    audit::append(tx, now, vec![event])
}

/// How far the decision about a nonce is. What was refused is forgotten once it was told.
pub fn progress(tx: &mut Tx<'_>, nonce: u64) -> Result<Progress, Error> {
    let Some(key) = key(tx)? else {
        return Ok(Progress::Done);
    };
    match store::resolution_refusal(tx, &key, nonce)? {
        None => Ok(Progress::Done),
        Some(None) => Ok(Progress::Waits),
        Some(Some(why)) => {
            store::delete_resolution(tx, &key, nonce)?;
            Ok(Progress::Refused(why))
        }
    }
}

/// `Invalid` when it is none, or too long.
pub(super) fn reason_of(text: &str) -> Result<&str, Error> {
    let reason = text.trim();
    if reason.is_empty() || reason.chars().count() > REASON_LENGTH_MAX {
        let message = format!("must have 1 to {REASON_LENGTH_MAX} characters");
        return Err(Error::invalid("reason", message));
    }
    Ok(reason)
}

pub(super) fn key(tx: &mut Tx<'_>) -> Result<Option<SenderKey>, Error> {
    let chain = store::chain(tx)?;
    Ok(chain.map(|chain| SenderKey {
        chain_id: chain.chain_id,
        sender: chain.sender,
    }))
}

pub(super) fn event(key: &SenderKey, action: &'static str, resolution: &Resolution, more: Value) -> Event {
    Event {
        stream: Stream::of_subject(&key.sender),
        actor: "admin".to_owned(),
        action,
        asset: None,
        operation: None,
        subjects: Vec::new(),
        data: json!({
            "chain": format!("eip155:{}", key.chain_id),
            "sender": key.sender,
            "nonce": resolution.nonce.to_string(),
            "decision": resolution.decision.code(),
            "reason": resolution.reason,
            "effect": more,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_read_as_it_is_written_and_nothing_else_is() {
        for decision in Decision::ALL {
            assert_eq!(Decision::parse(decision.code()), Ok(decision));
        }
        assert!(Decision::parse("Again").is_err());
        assert!(Decision::parse("").is_err());
    }
}
