use diesel::prelude::*;

use crate::db::Tx;
use crate::db::schema::{active_policy, policies};
use crate::error::Error;
use crate::on;
use crate::types::{Hash32, Timestamp};

/// The one row of `active_policy`.
const SINGLETON: i32 = 1;

pub(super) fn record(tx: &mut Tx<'_>, hash: Hash32, text: &str, now: Timestamp) -> Result<(), Error> {
    let row = (
        policies::hash.eq(hash),
        policies::text.eq(text),
        policies::loaded_at.eq(now),
    );
    on!(tx, c => diesel::insert_into(policies::table).values(row).on_conflict_do_nothing().execute(c))?;
    Ok(())
}

pub(super) fn active(tx: &mut Tx<'_>) -> Result<Option<Hash32>, Error> {
    let query = active_policy::table.find(SINGLETON).select(active_policy::hash);
    Ok(on!(tx, c => query.first(c).optional())?)
}

pub(super) fn activate(tx: &mut Tx<'_>, hash: Hash32, now: Timestamp) -> Result<(), Error> {
    let row = (
        active_policy::singleton.eq(SINGLETON),
        active_policy::hash.eq(hash),
        active_policy::activated_at.eq(now),
    );
    let change = (active_policy::hash.eq(hash), active_policy::activated_at.eq(now));
    on!(tx, c => diesel::insert_into(active_policy::table)
        .values(row)
        .on_conflict(active_policy::singleton)
        .do_update()
        .set(change)
        .execute(c))?;
    Ok(())
}
