use diesel::prelude::*;

use crate::db::Tx;
use crate::db::schema::postings;
use crate::error::Error;
use crate::ledger::{HolderLine, Phase, Side};
use crate::on;
use crate::types::{Address, Amount, AssetId};

type LineRow = (i32, Address, Amount, String);

/// The lines of one side of an operation.
pub(in crate::ledger) fn lines_of(
    tx: &mut Tx<'_>,
    asset: AssetId,
    operation: i64,
    side: Side,
) -> Result<Vec<HolderLine>, Error> {
    let query = postings::table
        .filter(postings::asset_id.eq(asset))
        .filter(postings::operation.eq(operation))
        .filter(postings::kind.eq("holder"))
        .filter(postings::side.eq(side.text()))
        .order(postings::line)
        .select((postings::line, postings::account, postings::amount, postings::state));
    let rows: Vec<LineRow> = on!(tx, c => query.load(c))?;
    rows.into_iter()
        .map(|(line, recipient, amount, state)| {
            Ok(HolderLine {
                line,
                recipient,
                amount,
                phase: Phase::parse(&state)?,
            })
        })
        .collect()
}

/// (operation, line) of what is pending, in the order of operations and lines.
pub(in crate::ledger) fn pending_lines_of(
    tx: &mut Tx<'_>,
    asset: AssetId,
    operations: &[i64],
) -> Result<Vec<(i64, HolderLine)>, Error> {
    let query = postings::table
        .filter(postings::asset_id.eq(asset))
        .filter(postings::operation.eq_any(operations))
        .filter(postings::kind.eq("holder"))
        .filter(postings::state.eq(Phase::Pending.text()))
        .order((postings::operation, postings::line))
        .select((postings::operation, postings::line, postings::account, postings::amount));
    let rows: Vec<(i64, i32, Address, Amount)> = on!(tx, c => query.load(c))?;
    let lines = rows.into_iter().map(|(operation, line, recipient, amount)| {
        let line = HolderLine {
            line,
            recipient,
            amount,
            phase: Phase::Pending,
        };
        (operation, line)
    });
    Ok(lines.collect())
}

/// (operation, side, line) of what is posted to holders, in the order of operations and lines.
pub(in crate::ledger) fn posted_lines_of(
    tx: &mut Tx<'_>,
    asset: AssetId,
    operations: &[i64],
) -> Result<Vec<(i64, Side, HolderLine)>, Error> {
    let query = postings::table
        .filter(postings::asset_id.eq(asset))
        .filter(postings::operation.eq_any(operations))
        .filter(postings::kind.eq("holder"))
        .filter(postings::state.eq(Phase::Posted.text()))
        .order((postings::operation, postings::line))
        .select((
            postings::operation,
            postings::side,
            postings::line,
            postings::account,
            postings::amount,
        ));
    let rows: Vec<(i64, String, i32, Address, Amount)> = on!(tx, c => query.load(c))?;
    let lines = rows.into_iter().map(|(operation, side, line, recipient, amount)| {
        let line = HolderLine {
            line,
            recipient,
            amount,
            phase: Phase::Posted,
        };
        let side = if side == Side::Debit.text() {
            Side::Debit
        } else {
            Side::Credit
        };
        (operation, side, line)
    });
    Ok(lines.collect())
}
