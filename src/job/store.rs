use diesel::prelude::*;

use crate::db::Tx;
use crate::db::schema::leases;
use crate::error::Error;
use crate::on;
use crate::types::Timestamp;

/// The fencing token when the lease is ours now.
pub(super) fn acquire(
    tx: &mut Tx<'_>,
    name: &str,
    owner: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<Option<i64>, Error> {
    let first = (
        leases::name.eq(name),
        leases::owner.eq(owner),
        leases::fence.eq(1_i64),
        leases::held_until.eq(until),
    );
    let created = on!(tx, c => diesel::insert_into(leases::table).values(&first).on_conflict_do_nothing().execute(c))?;
    if created == 1 {
        return Ok(Some(1));
    }
    let ours = leases::table
        .filter(leases::name.eq(name))
        .filter(leases::owner.eq(owner));
    let kept = on!(tx, c => diesel::update(ours).set(leases::held_until.eq(until)).execute(c))?;
    if kept == 0 {
        let free = leases::table
            .filter(leases::name.eq(name))
            .filter(leases::held_until.lt(now));
        let taken = (
            leases::owner.eq(owner),
            leases::fence.eq(leases::fence + 1),
            leases::held_until.eq(until),
        );
        let changed = on!(tx, c => diesel::update(free).set(taken).execute(c))?;
        if changed == 0 {
            return Ok(None);
        }
    }
    let fence = leases::table.find(name).select(leases::fence);
    Ok(Some(on!(tx, c => fence.first(c))?))
}

/// The row stays as it is until the commit.
pub(super) fn holds(tx: &mut Tx<'_>, name: &str, owner: &str, fence: i64) -> Result<bool, Error> {
    let query = leases::table
        .filter(leases::name.eq(name))
        .filter(leases::owner.eq(owner))
        .filter(leases::fence.eq(fence))
        .select(leases::fence);
    let found: Option<i64> = match tx {
        Tx::Pg(c) => query.for_share().first(*c).optional()?,
        Tx::Sqlite(c) => query.first(*c).optional()?,
    };
    Ok(found.is_some())
}

pub(super) fn release(tx: &mut Tx<'_>, name: &str, owner: &str, fence: i64, now: Timestamp) -> Result<(), Error> {
    let ours = leases::table
        .filter(leases::name.eq(name))
        .filter(leases::owner.eq(owner))
        .filter(leases::fence.eq(fence));
    // Free is what ended before now.
    let ended = leases::held_until.eq(now.plus_seconds(-1));
    on!(tx, c => diesel::update(ours).set(ended).execute(c))?;
    Ok(())
}
