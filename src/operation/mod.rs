//! *Operation*: one requested change of an asset, numbered per asset without a gap, with a status and a plan made of
//! plain types. No chain and no rules here.
//!
//! *Idempotency*: the first answer to a request with an `Idempotency-Key` is stored in the transaction of its change; the
//! same request gets it again, another request under the same key is a conflict (dalp.md A10). Refusals are not stored.
//!
//! After a crash an operation is there with its lines, its events and its stored answer, or none of them is.

mod model;
mod store;

pub use model::{
    ContractTexts, Fingerprint, IdempotencyKey, NewOperation, Operation, OperationKind, Plan, Remembered, Replay,
    Status,
};

use std::collections::{HashMap, HashSet};

use crate::db::{Page, Tx};
use crate::error::Error;
use crate::types::{AssetId, Hash32, OperationId, Timestamp, UserId};

/// Whoever has more than this part of a full backlog on one asset asks for much.
const MUCH: i64 = 8;

/// Stores operations of one asset whose row is locked.
pub fn enqueue(tx: &mut Tx<'_>, operations: &[Operation]) -> Result<(), Error> {
    store::insert(tx, operations)
}

pub fn find(tx: &mut Tx<'_>, id: OperationId) -> Result<Operation, Error> {
    store::find(tx, id)?.ok_or(Error::NotFound("operation"))
}

/// Newest first: those a user requested, or all of an asset.
pub fn list(tx: &mut Tx<'_>, of: Of, page: &Page) -> Result<Vec<Operation>, Error> {
    store::list(tx, of, page)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    Requester(UserId),
    Asset(AssetId),
}

/// A part of what is accepted and not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queue {
    /// Creations, and switches of a contract: what is neither a move nor a mint.
    Changes,
    /// Burns and forced transfers that nothing was seen to hold.
    Moves,
    /// Burns and forced transfers that were seen to wait for something.
    HeldMoves,
    /// Mints that nothing was seen to hold.
    Mints,
    /// Mints that were seen to wait for something.
    HeldMints,
}

/// Which part of what waits for something is looked at next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turns {
    pub moves: i64,
    pub mints: i64,
}

/// Accepted and not sent: the oldest first, and of one asset in its order. Where there are more than the limit of one sort,
/// they hide none of another: a pause comes however many burns wait. Of what waits for something another part comes each
/// time: `turns` says which, and what is returned beside them are the next ones. Six times the limit at most.
pub fn queued(tx: &mut Tx<'_>, limit: i64, turns: Turns) -> Result<(Vec<Operation>, Turns), Error> {
    let mut found = store::queued(tx, Queue::Changes, &[], (limit, 0))?;
    found.extend(store::queued(tx, Queue::Moves, &[], (limit, 0))?);
    found.extend(free_mints(tx, limit)?);
    let mut held = |queue, turn: i64| -> Result<i64, Error> {
        let part = store::queued(tx, queue, &[], (limit, turn.saturating_mul(limit)))?;
        let is_last = i64::try_from(part.len()).unwrap_or(i64::MAX) < limit;
        found.extend(part);
        Ok(if is_last { 0 } else { turn.saturating_add(1) })
    };
    let next = Turns {
        moves: held(Queue::HeldMoves, turns.moves)?,
        mints: held(Queue::HeldMints, turns.mints)?,
    };
    found.sort_by_key(|operation| (operation.created_at, operation.asset, operation.sequence));
    Ok((found, next))
}

/// Where there are more than the limit, those of callers who ask for less come too, so that nobody's backlog hides theirs.
fn free_mints(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<Operation>, Error> {
    let mut oldest = store::queued(tx, Queue::Mints, &[], (limit, 0))?;
    let count = |operations: usize| i64::try_from(operations).unwrap_or(i64::MAX);
    if count(oldest.len()) < limit {
        return Ok(oldest);
    }
    let mut asked: HashMap<(AssetId, UserId), usize> = HashMap::new();
    for operation in &oldest {
        let asks = asked.entry((operation.asset, operation.requested_by)).or_default();
        *asks = asks.saturating_add(1);
    }
    let is_much = |asks: &usize| count(*asks) > limit / MUCH;
    let much = asked.iter().filter(|(_, asks)| is_much(asks));
    let much: Vec<(AssetId, UserId)> = much.map(|(who, _)| *who).collect();
    let known: HashSet<OperationId> = oldest.iter().map(|operation| operation.id).collect();
    let others = store::queued(tx, Queue::Mints, &much, (limit, 0))?.into_iter();
    oldest.extend(others.filter(|operation| !known.contains(&operation.id)));
    Ok(oldest)
}

/// Assets with a change that is signed or sent and not mined yet, and what changes.
pub fn changes_on_their_way(tx: &mut Tx<'_>) -> Result<Vec<(AssetId, OperationKind)>, Error> {
    store::changes_on_their_way(tx)
}

/// A change of this asset that is not final and after which its contract may take what it refuses now. None of them waits
/// for what is refused, or both would wait for ever.
pub fn open_change(tx: &mut Tx<'_>, refused: &Operation) -> Result<Option<OperationKind>, Error> {
    store::open_change(tx, refused)
}

/// The operations that posted what was observed in these places, a transaction and a log's place in its block each; those
/// that were not observed are left out.
pub fn observed_at(
    tx: &mut Tx<'_>,
    asset: AssetId,
    places: &[(Hash32, u64)],
) -> Result<HashMap<(Hash32, u64), i64>, Error> {
    store::observed_at(tx, asset, places)
}

/// The numbers of those that moved units on the chain, openings apart.
pub fn that_moved(tx: &mut Tx<'_>, asset: AssetId) -> Result<Vec<i64>, Error> {
    store::that_moved(tx, asset)
}

/// Up to which block each of these adopted assets was opened with what its holders had.
pub fn openings(tx: &mut Tx<'_>, assets: &[AssetId]) -> Result<HashMap<AssetId, u64>, Error> {
    store::openings(tx, assets)
}

/// Operations of one asset by their numbers, in their order; numbers that do not exist are left out.
pub fn of_numbers(tx: &mut Tx<'_>, asset: AssetId, numbers: &[i64]) -> Result<Vec<Operation>, Error> {
    store::of_numbers(tx, asset, numbers)
}

/// Whatever of one asset is accepted and not sent, in its order; where its contract could not be created, all of it fails
/// together.
pub fn queued_of(tx: &mut Tx<'_>, asset: AssetId) -> Result<Vec<Operation>, Error> {
    store::queued_of(tx, asset)
}

/// For whoever asks something new of an asset whose row is locked. `Conflict` where its contract could not be created, and
/// never will be: nothing that is accepted there could be sent.
pub fn check_created(tx: &mut Tx<'_>, asset: AssetId) -> Result<(), Error> {
    match uncreated(tx, asset)? {
        None => Ok(()),
        Some(why) => Err(Error::Conflict(why)),
    }
}

/// Why there is nothing to be asked of an asset: its contract could not be created.
pub fn uncreated(tx: &mut Tx<'_>, asset: AssetId) -> Result<Option<String>, Error> {
    let reason = store::failed_creation(tx, asset)?;
    Ok(reason.map(|reason| format!("The contract could not be created ({reason}): create another one")))
}

/// Notes how far operations have come that are not final; they are not held any more, and need nobody.
pub fn advance(tx: &mut Tx<'_>, asset: AssetId, numbers: &[i64], status: Status) -> Result<(), Error> {
    store::advance(tx, asset, numbers, status)
}

/// Ends operations that are not final; an error says why they failed. `Internal` when one of them has ended before: an
/// operation ends once.
pub fn finish(
    tx: &mut Tx<'_>,
    asset: AssetId,
    numbers: &[i64],
    error: Option<&str>,
    now: Timestamp,
) -> Result<(), Error> {
    let status = match error {
        None => Status::Succeeded,
        Some(_) => Status::Failed,
    };
    let ended = store::finish(tx, asset, numbers, (status, error), now)?;
    if ended == numbers.len() {
        return Ok(());
    }
    Err(Error::internal(format!(
        "of operations {numbers:?} some had ended before"
    )))
}

/// Ends operations that were not sent: their requester took them back. `Internal` when one of them was sent or has ended;
/// the caller looked under the lock of the asset.
pub fn cancel(tx: &mut Tx<'_>, asset: AssetId, numbers: &[i64], reason: &str, now: Timestamp) -> Result<(), Error> {
    let ended = store::finish(tx, asset, numbers, (Status::Cancelled, Some(reason)), now)?;
    if ended == numbers.len() {
        return Ok(());
    }
    Err(Error::internal(format!(
        "of operations {numbers:?} some had ended before"
    )))
}

/// Says why queued operations are not sent yet.
pub fn hold(tx: &mut Tx<'_>, asset: AssetId, numbers: &[i64], reason: &str) -> Result<(), Error> {
    store::hold(tx, asset, numbers, reason)
}

/// Flags open operations that need a person; the first reason stays.
pub fn call_for_attention(
    tx: &mut Tx<'_>,
    asset: AssetId,
    numbers: &[i64],
    reason: &str,
    now: Timestamp,
) -> Result<(), Error> {
    store::call_for_attention(tx, asset, numbers, reason, now)
}

/// Open operations that need a person, those that have needed one for longest first.
pub fn needing_a_person(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<Operation>, Error> {
    store::needing_a_person(tx, limit)
}

/// Stored answers of these keys, by key: one query. The caller compares fingerprints with [`Remembered::replay`].
pub fn remembered(
    tx: &mut Tx<'_>,
    keys: &[&IdempotencyKey],
    now: Timestamp,
) -> Result<HashMap<IdempotencyKey, Remembered>, Error> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let found = store::remembered(tx, keys)?;
    Ok(found
        .into_iter()
        .filter(|(_, answer)| answer.expires_at.is_none_or(|end| end > now))
        .collect())
}

/// Stores first answers of requests that nobody else can make at the same time: their asset's row is locked.
pub fn remember(tx: &mut Tx<'_>, answers: &[(IdempotencyKey, Remembered)]) -> Result<(), Error> {
    store::remember(tx, answers)
}

/// Takes a key for the rest of this transaction, before anything is done; waits for another request that holds it. False
/// when that one was answered: its answer is there to be replayed.
pub fn claim(tx: &mut Tx<'_>, key: &IdempotencyKey, fingerprint: &Fingerprint, now: Timestamp) -> Result<bool, Error> {
    store::forget_expired(tx, key, now)?;
    store::claim(tx, key, fingerprint, now)
}

/// Stores the first answer under a claimed key.
pub fn settle_claim(tx: &mut Tx<'_>, key: &IdempotencyKey, answer: &Remembered) -> Result<(), Error> {
    store::settle_claim(tx, key, answer)
}

/// Keeps the final answer to a request that was kept as open (by this status); an answer that is there already stays.
/// Returns the one that is kept: what every replay gives from now on.
pub fn close(tx: &mut Tx<'_>, key: &IdempotencyKey, open: u16, answer: &Replay) -> Result<Replay, Error> {
    if store::close(tx, key, open, answer)? {
        return Ok(answer.clone());
    }
    let found = store::remembered(tx, &[key])?.into_iter().next();
    let kept = found.filter(|(_, kept)| kept.status != open);
    Ok(kept.map_or_else(
        || answer.clone(),
        |(_, kept)| Replay {
            status: kept.status,
            headers: kept.headers,
            body: kept.body,
        },
    ))
}

/// Leaves a claimed key free: its request was refused.
pub fn release_claim(tx: &mut Tx<'_>, key: &IdempotencyKey) -> Result<(), Error> {
    store::release(tx, key)
}

/// Deletes answers whose time is over; returns how many.
pub fn prune(tx: &mut Tx<'_>, now: Timestamp) -> Result<usize, Error> {
    store::prune(tx, now)
}

/// Faults of the operations against the numbers on their assets' rows. Empty means sound.
pub fn verify(tx: &mut Tx<'_>) -> Result<Vec<String>, Error> {
    let mut faults = Vec::new();
    for (asset, symbol, next, count, highest) in store::numbers(tx)? {
        let last = next.saturating_sub(1);
        if count != last || highest != last {
            faults.push(format!(
                "asset {symbol} ({asset}): {count} operations up to number {highest}, the asset says {last}"
            ));
        }
    }
    Ok(faults)
}
