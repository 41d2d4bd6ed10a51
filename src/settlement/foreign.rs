//! Nonces of our signer that others used beyond all of our rows, and what a person says about them.
//!
//! Two things look the same from here: somebody else has the key, and this database is a copy of an earlier day, so that
//! what it did since is in the chain and not in the database. Where they were there when a process first looked, nothing new
//! is sent before a person has compared the two: what waits here may be done there. Source: specs/chain.md section 5, rule
//! 8; specs/reliability.md, R19.

use serde_json::json;

use super::model::SenderKey;
use super::resolve::{key, reason_of};
use super::sender::Foreign;
use super::{finish, store};
use crate::asset;
use crate::audit::{self, Event, Stream};
use crate::db::Tx;
use crate::error::Error;
use crate::operation::{self, Operation, Status};
use crate::types::{Address, OperationId, Timestamp};

/// Operations that wait and are told at once.
const WAITING_MAX: i64 = 500;

/// Nonces that others used and that no person has acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignUse {
    pub sender: Address,
    /// The highest of them.
    pub last: u64,
    /// One more than the highest nonce of this database.
    pub rows_end: u64,
    pub since: Timestamp,
    /// What is not sent until they are acknowledged; none where sending goes on.
    pub held: Option<Vec<Operation>>,
}

/// None where nobody else used the key, or a person knows of it.
pub fn foreign_use(tx: &mut Tx<'_>) -> Result<Option<ForeignUse>, Error> {
    let Some(key) = key(tx)? else { return Ok(None) };
    let Some((foreign, since)) = open(tx, &key)? else {
        return Ok(None);
    };
    let held = match foreign.stops() {
        true => Some(operation::queued(tx, WAITING_MAX, operation::Turns::default())?.0),
        false => None,
    };
    Ok(Some(ForeignUse {
        sender: key.sender,
        last: foreign.end.saturating_sub(1),
        rows_end: store::known(tx, &key)?.rows_end.unwrap_or(0),
        since,
        held,
    }))
}

/// Writes down that a person knows of the nonces up to `last`, and ends those operations that wait here and are done there,
/// or are not to be done any more: they fail, and what they reserved is voided. The process that sends goes on when it looks
/// next.
///
/// `Conflict` when nothing is to be acknowledged, when others have gone further than `last`, and for an operation that does
/// not wait, or while others do not stop us: it may be on its way. `Invalid` without a reason.
pub fn acknowledge(
    tx: &mut Tx<'_>,
    last: u64,
    ended: &[OperationId],
    reason: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let reason = reason_of(reason)?;
    let none = || Error::Conflict("no nonces of others are to be acknowledged".to_owned());
    let key = key(tx)?.ok_or_else(none)?;
    let (foreign, _) = open(tx, &key)?.ok_or_else(none)?;
    let seen = foreign.end.saturating_sub(1);
    if last != seen {
        return Err(Error::Conflict(format!(
            "the nonces of others go up to {seen}: look all of them up"
        )));
    }
    if !ended.is_empty() && !foreign.stops() {
        return Err(Error::Conflict(
            "sending goes on: what waits may be on its way".to_owned(),
        ));
    }
    for id in ended {
        end(tx, *id, reason, now)?;
    }
    store::acknowledge_foreign(tx, &key, foreign.end)?;
    audit::append(tx, now, vec![event(&key, last, ended, reason)])
}

fn open(tx: &mut Tx<'_>, key: &SenderKey) -> Result<Option<(Foreign, Timestamp)>, Error> {
    Ok(store::foreign(tx, key)?.filter(|(foreign, _)| foreign.needs_a_person()))
}

fn end(tx: &mut Tx<'_>, id: OperationId, reason: &str, now: Timestamp) -> Result<(), Error> {
    let asset = operation::find(tx, id)?.asset;
    asset::lock(tx, asset)?;
    let operation = operation::find(tx, id)?;
    if operation.status != Status::Queued {
        let status = operation.status.text();
        return Err(Error::Conflict(format!("operation {id} does not wait: it is {status}")));
    }
    let reason = format!("ended by a person: {reason}");
    finish::fail(tx, asset, operation.sequence, &reason, None, now)
}

fn event(key: &SenderKey, last: u64, ended: &[OperationId], reason: &str) -> Event {
    Event {
        stream: Stream::of_subject(&key.sender),
        actor: "admin".to_owned(),
        action: "settlement.acknowledged",
        asset: None,
        operation: None,
        subjects: Vec::new(),
        data: json!({
            "chain": format!("eip155:{}", key.chain_id),
            "sender": key.sender,
            "nonce": last.to_string(),
            "failed": ended.iter().map(OperationId::to_string).collect::<Vec<_>>(),
            "reason": reason,
        }),
    }
}
