use std::collections::{HashMap, HashSet};

use super::notice;
use super::register::Register;
use super::store;
use super::{Activity, Collection, MintKind, MintRequest, Minted, Moved, Place, RequestStatus};
use crate::asset::{Asset, Books};
use crate::db::Tx;
use crate::error::Error;
use crate::ledger;
use crate::types::{Address, AssetId, Hash32, Timestamp};

/// The requests of these operations, in the order of the operations: what settlement sends.
pub fn requests_of(tx: &mut Tx<'_>, collection: AssetId, operations: &[i64]) -> Result<Vec<MintRequest>, Error> {
    store::of_operations(tx, collection, operations)
}

/// How each of these operations mints, and to whom.
pub fn kinds_of(
    tx: &mut Tx<'_>,
    collection: AssetId,
    operations: &[i64],
) -> Result<Vec<(i64, MintKind, Address)>, Error> {
    store::kinds_of_operations(tx, collection, operations)
}

/// Ends requests well, under the lock of the collection's row: their lines are posted, their tokens have owners, and each
/// has its activity. Their operations are the caller's. `Internal` when one of them has no request or nothing pending.
///
/// A contract may log what cannot be, such as a token that has an owner already: then nothing is written, and the reason is
/// returned.
pub fn succeed(
    tx: &mut Tx<'_>,
    asset: &Asset,
    collection: &Collection,
    minted: &[Minted],
    now: Timestamp,
) -> Result<Result<(), String>, Error> {
    let by_number: HashMap<i64, &Minted> = minted.iter().map(|one| (one.sequence, one)).collect();
    let numbers: Vec<i64> = minted.iter().map(|one| one.sequence).collect();
    let mut requests = store::of_operations(tx, asset.id, &numbers)?;
    if requests.len() != by_number.len() || by_number.len() != minted.len() {
        return Err(Error::internal(format!(
            "of operations {numbers:?} some have no mint request"
        )));
    }
    let moved: Vec<Moved> = minted.iter().map(|one| one.moved).collect();
    let mut register = Register::open(tx, asset.id, collection.contract_type(), &moved, now)?;
    let mut activities = HashMap::new();
    for one in minted {
        match register.apply(&one.moved) {
            Ok(activity) => activities.insert(one.sequence, activity),
            Err(unexplained) => {
                let Moved { token_id, to, .. } = one.moved;
                return Ok(Err(format!(
                    "the receipt mints token {token_id} to {to}, and {unexplained}"
                )));
            }
        };
    }
    let mut books = Books::open(tx, asset, requests.iter().map(|one| one.owner).collect())?;
    ledger::post_all(tx, &mut books.sheet, &numbers)?;
    ledger::save(tx, books.sheet, now)?;

    for request in &mut requests {
        let Some((number, one)) = request
            .sequence
            .and_then(|number| Some((number, by_number.get(&number)?)))
        else {
            continue;
        };
        register.show(one.moved.token_id, request.metadata);
        *request = MintRequest {
            token_id: Some(one.moved.token_id),
            status: RequestStatus::Succeeded,
            transaction: Some(one.moved.place.transaction),
            activity: activities.get(&number).copied(),
            gas: Some(one.gas),
            updated_at: now,
            ..request.clone()
        };
    }
    register.save(tx)?;
    store::save_requests(tx, &requests)?;
    notice::tell(tx, collection, &requests, now)?;
    Ok(Ok(()))
}

/// Ends requests badly; their operations and lines are the caller's. `transaction` carried them, if there was one.
pub fn fail(
    tx: &mut Tx<'_>,
    collection: AssetId,
    operations: &[i64],
    reason: &str,
    transaction: Option<Hash32>,
    now: Timestamp,
) -> Result<(), Error> {
    let requests = store::of_operations(tx, collection, operations)?;
    let failed: Vec<MintRequest> = requests
        .into_iter()
        .map(|request| MintRequest {
            status: RequestStatus::Failed,
            error: Some(reason.to_owned()),
            transaction,
            updated_at: now,
            ..request
        })
        .collect();
    store::save_requests(tx, &failed)?;
    let collection = super::find(tx, collection)?;
    notice::tell(tx, &collection, &failed, now)
}

/// What these transactions moved, as it was recorded.
pub fn moved_in(tx: &mut Tx<'_>, collection: AssetId, transactions: &[Hash32]) -> Result<Vec<Moved>, Error> {
    let activities = store::activities_in(tx, collection, transactions)?;
    Ok(activities.iter().map(Activity::moved).collect())
}

/// Where everything moved that was recorded.
pub fn places(tx: &mut Tx<'_>, collection: AssetId) -> Result<HashSet<Place>, Error> {
    store::places(tx, collection)
}

/// Those of these movements that are not recorded yet, in their order.
pub fn unrecorded(tx: &mut Tx<'_>, collection: AssetId, moved: &[Moved]) -> Result<Vec<Moved>, Error> {
    let mut transactions: Vec<Hash32> = moved.iter().map(|one| one.place.transaction).collect();
    transactions.sort_unstable();
    transactions.dedup();
    let known: HashSet<(Hash32, u64, u32)> = store::known_places(tx, collection, &transactions)?;
    let is_new = |one: &&Moved| !known.contains(&(one.place.transaction, one.place.log_index, one.place.position));
    Ok(moved.iter().filter(is_new).copied().collect())
}
