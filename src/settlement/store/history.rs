use std::collections::{HashMap, HashSet};

use diesel::prelude::*;

use super::column;
use crate::db::Tx;
use crate::db::schema::{chain_intents, intent_operations};
use crate::error::Error;
use crate::on;
use crate::settlement::model::SenderKey;
use crate::settlement::reverts::{Cause, Reverts};
use crate::types::{Address, AssetId};

/// What the reverted transactions of these operations say of them; those that have none are left out.
///
/// Whoever runs out of gas deep inside leaves a little to each caller (EIP-150), so all but an eighth counts as all.
pub(in super::super) fn reverts(
    tx: &mut Tx<'_>,
    asset: AssetId,
    numbers: &[i64],
) -> Result<HashMap<i64, Reverts>, Error> {
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
            (chain_intents::chain_id, chain_intents::sender, chain_intents::nonce),
            chain_intents::gas_limit,
            chain_intents::gas_used,
        ));
    let rows: Vec<(i64, Place, i64, Option<i64>)> = on!(tx, c => query.load(c))?;
    let companies = companies(tx, rows.iter().map(|(_, place, ..)| *place).collect())?;
    let mut found: HashMap<i64, Reverts> = HashMap::new();
    for (number, place, limit, used) in rows {
        let ran_out = used.is_some_and(|used| used >= limit.saturating_sub(limit / 8));
        let cause = if ran_out { Cause::Gas } else { Cause::Other };
        let company = companies.get(&place).copied().unwrap_or(1);
        found.entry(number).or_default().count(company, cause);
    }
    Ok(found)
}

/// Chain, sender and nonce of an intent.
type Place = (i64, Address, i64);

/// How many operations each of these intents carries.
fn companies(tx: &mut Tx<'_>, places: HashSet<Place>) -> Result<HashMap<Place, usize>, Error> {
    let mut found = HashMap::new();
    for place in places {
        let (chain, sender, nonce) = place;
        let query = intent_operations::table
            .filter(intent_operations::chain_id.eq(chain))
            .filter(intent_operations::sender.eq(sender))
            .filter(intent_operations::nonce.eq(nonce));
        let count: i64 = on!(tx, c => query.count().get_result(c))?;
        found.insert(place, usize::try_from(count).map_err(Error::internal)?);
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
