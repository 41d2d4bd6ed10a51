use std::collections::HashMap;

use diesel::prelude::*;

use super::column;
use crate::db::Tx;
use crate::db::schema::{chain_intents, intent_operations};
use crate::error::Error;
use crate::on;
use crate::settlement::model::SenderKey;
use crate::types::AssetId;

/// How often each of these operations was in a transaction that ran out of gas; those that never were are left out.
///
/// Whoever runs out of gas deep inside leaves a little to each caller (EIP-150), so all but an eighth counts as all.
pub(in super::super) fn starved(tx: &mut Tx<'_>, asset: AssetId, numbers: &[i64]) -> Result<HashMap<i64, u32>, Error> {
    let linked = intent_operations::chain_id
        .eq(chain_intents::chain_id)
        .and(intent_operations::sender.eq(chain_intents::sender))
        .and(intent_operations::nonce.eq(chain_intents::nonce));
    let query = chain_intents::table
        .inner_join(intent_operations::table.on(linked))
        .filter(intent_operations::asset_id.eq(asset))
        .filter(intent_operations::sequence.eq_any(numbers))
        .filter(chain_intents::success.eq(false))
        .filter(chain_intents::gas_used.is_not_null())
        .select((
            intent_operations::sequence,
            chain_intents::gas_limit,
            chain_intents::gas_used,
        ));
    let rows: Vec<(i64, i64, Option<i64>)> = on!(tx, c => query.load(c))?;
    let mut found: HashMap<i64, u32> = HashMap::new();
    for (number, limit, used) in rows {
        if used.is_some_and(|used| used >= limit.saturating_sub(limit / 8)) {
            let count = found.entry(number).or_default();
            *count = count.saturating_add(1);
        }
    }
    Ok(found)
}

/// Whether the intents of this kind up to this nonce were mined without effect so many times in a row: reverted, or replaced
/// by a no-op.
pub(in super::super) fn is_giving_up(
    tx: &mut Tx<'_>,
    key: &SenderKey,
    kind: &str,
    nonce: u64,
    times: i64,
) -> Result<bool, Error> {
    let query = chain_intents::table
        .filter(chain_intents::chain_id.eq(column(key.chain_id)?))
        .filter(chain_intents::sender.eq(key.sender))
        .filter(chain_intents::kind.eq(kind))
        .filter(chain_intents::nonce.le(column(nonce)?))
        .order(chain_intents::nonce.desc())
        .limit(times)
        .select((chain_intents::mined_attempt, chain_intents::success));
    let last: Vec<(Option<i32>, Option<bool>)> = on!(tx, c => query.load(c))?;
    let in_vain = last
        .iter()
        .filter(|(mined, success)| mined.is_some() && *success != Some(true))
        .count();
    Ok(i64::try_from(in_vain).map_err(Error::internal)? >= times)
}

/// Intents that ended and still need a person.
pub(in super::super) fn flagged_count(tx: &mut Tx<'_>, key: &SenderKey) -> Result<u64, Error> {
    let query = chain_intents::table
        .filter(chain_intents::chain_id.eq(column(key.chain_id)?))
        .filter(chain_intents::sender.eq(key.sender))
        .filter(chain_intents::attention_reason.eq_any(["result", "reverted", "refused_for_good"]));
    let count: i64 = on!(tx, c => query.count().get_result(c))?;
    u64::try_from(count).map_err(Error::internal)
}
