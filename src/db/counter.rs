//! Small numbers, for callers whose interface has no room for ids. They say nothing about order, and one that was taken
//! by a transaction that failed is given again.

use diesel::prelude::*;

use super::Tx;
use super::schema::counters;
use crate::error::Error;
use crate::on;

/// The next number under this name, from 1. Whoever takes the next one waits for the end of this transaction: take it
/// last.
pub fn next_number(tx: &mut Tx<'_>, name: &str) -> Result<i64, Error> {
    let first = (counters::name.eq(name), counters::last.eq(1));
    let number = on!(tx, c => diesel::insert_into(counters::table)
        .values(first)
        .on_conflict(counters::name)
        .do_update()
        .set(counters::last.eq(counters::last + 1))
        .returning(counters::last)
        .get_result(c))?;
    Ok(number)
}

/// The last number that was taken; 0 before the first.
pub fn last_number(tx: &mut Tx<'_>, name: &str) -> Result<i64, Error> {
    let row = counters::table.find(name).select(counters::last);
    let last: Option<i64> = on!(tx, c => row.first(c).optional())?;
    Ok(last.unwrap_or(0))
}

/// Goes on from this number. The caller holds a lock under which nobody else takes numbers of this name.
pub fn set_last_number(tx: &mut Tx<'_>, name: &str, last: i64) -> Result<(), Error> {
    let row = (counters::name.eq(name), counters::last.eq(last));
    on!(tx, c => diesel::insert_into(counters::table)
        .values(row)
        .on_conflict(counters::name)
        .do_update()
        .set(counters::last.eq(last))
        .execute(c))?;
    Ok(())
}
