use std::collections::HashMap;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use crate::db::Tx;
use crate::db::schema::operations;
use crate::error::Error;
use crate::on;
use crate::operation::{OperationKind, Plan, Status};
use crate::types::{AssetId, Hash32};

pub(in crate::operation) fn observed_at(
    tx: &mut Tx<'_>,
    asset: AssetId,
    places: &[(Hash32, u64)],
) -> Result<HashMap<(Hash32, u64), i64>, Error> {
    let plan = |(transaction, log_index): &(Hash32, u64)| Plan::Observed {
        transaction: *transaction,
        log_index: *log_index,
    };
    let plans: Vec<String> = places.iter().map(|place| plan(place).to_json().to_string()).collect();
    let query = operations::table
        .filter(operations::asset_id.eq(asset))
        .filter(operations::plan.eq_any(&plans))
        // In the words of its index.
        .filter(sql::<Bool>("operations.kind = 'observed'"))
        .select((operations::plan, operations::sequence));
    let found: Vec<(String, i64)> = on!(tx, c => query.load(c))?;
    let found: HashMap<String, i64> = found.into_iter().collect();
    let pairs = places.iter().zip(&plans);
    Ok(pairs
        .filter_map(|(place, plan)| Some((*place, *found.get(plan)?)))
        .collect())
}

/// What moves units on the chain. An opening says what was there before.
const MOVING: [OperationKind; 4] = [
    OperationKind::Mint,
    OperationKind::Burn,
    OperationKind::ForcedTransfer,
    OperationKind::Observed,
];

pub(in crate::operation) fn that_moved(tx: &mut Tx<'_>, asset: AssetId) -> Result<Vec<i64>, Error> {
    let query = operations::table
        .filter(operations::asset_id.eq(asset))
        .filter(operations::kind.eq_any(MOVING.map(OperationKind::text)))
        .filter(operations::status.eq(Status::Succeeded.text()))
        .select(operations::sequence);
    Ok(on!(tx, c => query.load(c))?)
}

pub(in crate::operation) fn openings(tx: &mut Tx<'_>, assets: &[AssetId]) -> Result<HashMap<AssetId, u64>, Error> {
    let query = operations::table
        .filter(operations::asset_id.eq_any(assets))
        .filter(operations::kind.eq(OperationKind::Adopt.text()))
        .select((operations::asset_id, operations::plan));
    let rows: Vec<(AssetId, String)> = on!(tx, c => query.load(c))?;
    let blocks = rows
        .into_iter()
        .map(|(asset, plan)| match Plan::read(OperationKind::Adopt, &plan)? {
            Plan::Adopt { block } => Ok(Some((asset, block))),
            Plan::Create
            | Plan::CreateCollection { .. }
            | Plan::Mint
            | Plan::Burn
            | Plan::ForcedTransfer
            | Plan::Pause
            | Plan::Unpause
            | Plan::SetCap { .. }
            | Plan::FreezeAddress { .. }
            | Plan::Observed { .. } => Ok(None),
        });
    blocks.filter_map(Result::transpose).collect()
}
