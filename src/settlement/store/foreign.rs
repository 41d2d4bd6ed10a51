use diesel::prelude::*;

use super::{column, number};
use crate::db::Tx;
use crate::db::schema::chain_foreign_nonces;
use crate::error::Error;
use crate::on;
use crate::settlement::model::SenderKey;
use crate::settlement::sender::{Foreign, Noticed};
use crate::types::Timestamp;

/// What others did with the key, and when that was noticed last; none while nobody else was seen to use it.
pub(in super::super) fn foreign(tx: &mut Tx<'_>, key: &SenderKey) -> Result<Option<(Foreign, Timestamp)>, Error> {
    let row = chain_foreign_nonces::table
        .find((column(key.chain_id)?, key.sender))
        .select((
            chain_foreign_nonces::seen_end,
            chain_foreign_nonces::unwatched,
            chain_foreign_nonces::acknowledged_end,
            chain_foreign_nonces::seen_at,
        ));
    let found: Option<(i64, bool, i64, Timestamp)> = on!(tx, c => row.first(c).optional())?;
    let read = |(end, unwatched, acknowledged, at): (i64, bool, i64, Timestamp)| {
        let foreign = Foreign {
            end: number(end)?,
            noticed: match unwatched {
                true => Noticed::AtFirstLook,
                false => Noticed::WhileLooking,
            },
            acknowledged: number(acknowledged)?,
        };
        Ok((foreign, at))
    };
    found.map(read).transpose()
}

/// Notes what was seen; what a person acknowledged stays as it is.
pub(in super::super) fn save_foreign(
    tx: &mut Tx<'_>,
    key: &SenderKey,
    foreign: &Foreign,
    now: Timestamp,
) -> Result<(), Error> {
    let seen = (
        chain_foreign_nonces::seen_end.eq(column(foreign.end)?),
        chain_foreign_nonces::seen_at.eq(now),
        chain_foreign_nonces::unwatched.eq(foreign.noticed == Noticed::AtFirstLook),
    );
    let row = chain_foreign_nonces::table.find((column(key.chain_id)?, key.sender));
    let changed = on!(tx, c => diesel::update(row).set(seen).execute(c))?;
    if changed > 0 {
        return Ok(());
    }
    let new = (
        chain_foreign_nonces::chain_id.eq(column(key.chain_id)?),
        chain_foreign_nonces::sender.eq(key.sender),
        seen,
        chain_foreign_nonces::acknowledged_end.eq(0),
    );
    on!(tx, c => diesel::insert_into(chain_foreign_nonces::table).values(new).execute(c))?;
    Ok(())
}

/// Notes that a person knows of all that was seen.
pub(in super::super) fn acknowledge_foreign(tx: &mut Tx<'_>, key: &SenderKey, end: u64) -> Result<(), Error> {
    let row = chain_foreign_nonces::table.find((column(key.chain_id)?, key.sender));
    let change = chain_foreign_nonces::acknowledged_end.eq(column(end)?);
    on!(tx, c => diesel::update(row).set(change).execute(c))?;
    Ok(())
}
