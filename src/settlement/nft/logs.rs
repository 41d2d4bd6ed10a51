use std::collections::{HashMap, HashSet};

use super::batch::moved;
use crate::chain::contracts::events::TokenTransfer;
use crate::collection::{self, Moved, Place};
use crate::db::Tx;
use crate::error::Error;
use crate::types::{AssetId, Hash32};

/// Compares logs of a collection with what was recorded of it: what was recorded where, and one sentence per difference.
pub(in crate::settlement) fn compare_logs(
    tx: &mut Tx<'_>,
    collection: AssetId,
    transfers: &[&TokenTransfer],
) -> Result<(Vec<Place>, Vec<String>), Error> {
    let transactions: HashSet<Hash32> = transfers.iter().map(|one| one.transaction).collect();
    let transactions: Vec<Hash32> = transactions.into_iter().collect();
    let recorded = collection::moved_in(tx, collection, &transactions)?;
    let recorded: HashMap<Place, Moved> = recorded.into_iter().map(|moved| (moved.place, moved)).collect();
    let (mut known, mut drift) = (Vec::new(), Vec::new());
    for logged in transfers.iter().map(|transfer| moved(transfer)) {
        let found = recorded.get(&logged.place);
        known.extend(found.map(|found| found.place));
        if found != Some(&logged) {
            drift.push(format!(
                "collection {collection}: {} of token {} from {} to {}, {}, is not recorded",
                logged.amount, logged.token_id, logged.from, logged.to, logged.place
            ));
        }
    }
    Ok((known, drift))
}
