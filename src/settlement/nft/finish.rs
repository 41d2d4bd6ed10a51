use std::collections::HashMap;

use serde_json::json;

use crate::asset;
use crate::audit;
use crate::collection::{self, Minted};
use crate::db::Tx;
use crate::error::Error;
use crate::operation;
use crate::settlement::finish::{self, Proof};
use crate::types::{AssetId, Timestamp};

/// Ends operations of one collection well: their lines are posted, their tokens have owners. When the register cannot follow
/// the receipt nothing is written, and the reason is returned.
pub(in crate::settlement) fn succeed(
    tx: &mut Tx<'_>,
    asset: AssetId,
    minted: &[Minted],
    proof: Proof,
    now: Timestamp,
) -> Result<Result<(), String>, Error> {
    let asset = asset::lock(tx, asset)?;
    let collection = collection::find(tx, asset.id)?;
    if let Err(reason) = collection::succeed(tx, &asset, &collection, minted, now)? {
        return Ok(Err(reason));
    }
    let numbers: Vec<i64> = minted.iter().map(|one| one.sequence).collect();
    let operations = operation::of_numbers(tx, asset.id, &numbers)?;
    operation::finish(tx, asset.id, &numbers, None, now)?;
    let by_number: HashMap<i64, &Minted> = minted.iter().map(|one| (one.sequence, one)).collect();
    let events = operations.iter().map(|operation| {
        let token_id = by_number.get(&operation.sequence).map(|one| one.moved.token_id);
        let data = json!({ "number": operation.sequence, "settled": proof.to_json(), "tokenId": token_id });
        finish::event(operation, "mint.posted", data)
    });
    audit::append(tx, now, events.collect())?;
    Ok(Ok(()))
}
