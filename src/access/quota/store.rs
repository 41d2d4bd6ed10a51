use diesel::sql_types::{BigInt, Text};
use diesel::{QueryableByName, RunQueryDsl};

use super::Account;
use super::bucket::{Bucket, Rate};
use crate::db::Tx;
use crate::error::Error;
use crate::on;
use crate::types::Timestamp;

/// What a bucket holds at `$5`, as [`Bucket::at`] computes it: `$3` is a full one, `$6` what a microsecond adds.
macro_rules! available {
    () => {
        "CASE WHEN CASE WHEN $5 > held.at_micros THEN $5 - held.at_micros ELSE 0 END \
         >= ($3 - held.level + $6 - 1) / $6 THEN $3 \
         ELSE held.level + CASE WHEN $5 > held.at_micros THEN $5 - held.at_micros ELSE 0 END * $6 END"
    };
}

/// Both databases read it: `$n` is a numbered parameter for one and a name for the other, which numbers names in the order
/// in which it meets them.
const TAKE: &str = concat!(
    "INSERT INTO quotas AS held (subject, kind, level, at_micros, taken) VALUES ($1, $2, $3 - $4, $5, $4) \
     ON CONFLICT (subject, kind) DO UPDATE SET level = ",
    available!(),
    " - CASE WHEN ",
    available!(),
    " >= $4 THEN $4 ELSE 0 END, taken = CASE WHEN ",
    available!(),
    " >= $4 THEN $4 ELSE 0 END, \
     at_micros = CASE WHEN $5 > held.at_micros THEN $5 ELSE held.at_micros END \
     RETURNING level, at_micros, taken"
);

const GIVE_BACK: &str = "UPDATE quotas SET level = CASE WHEN level + $1 > $2 THEN $2 ELSE level + $1 END \
     WHERE subject = $3 AND kind = $4";

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    level: i64,
    #[diesel(sql_type = BigInt)]
    at_micros: i64,
    #[diesel(sql_type = BigInt)]
    taken: i64,
}

/// The bucket afterwards, and what was taken: all of the cost or nothing. The cost is at most what a full bucket holds.
pub(super) fn take(
    tx: &mut Tx<'_>,
    account: &Account,
    rate: Rate,
    cost: i64,
    now: Timestamp,
) -> Result<(Bucket, i64), Error> {
    let query = diesel::sql_query(TAKE)
        .bind::<Text, _>(&account.subject)
        .bind::<Text, _>(&account.kind)
        .bind::<BigInt, _>(rate.capacity())
        .bind::<BigInt, _>(cost)
        .bind::<BigInt, _>(now.micros())
        .bind::<BigInt, _>(rate.per_micro());
    let row: Row = on!(tx, c => query.get_result(c))?;
    let Row {
        level,
        at_micros,
        taken,
    } = row;
    Ok((Bucket { level, at_micros }, taken))
}

pub(super) fn give_back(tx: &mut Tx<'_>, account: &Account, capacity: i64, units: i64) -> Result<(), Error> {
    let query = diesel::sql_query(GIVE_BACK)
        .bind::<BigInt, _>(units)
        .bind::<BigInt, _>(capacity)
        .bind::<Text, _>(&account.subject)
        .bind::<Text, _>(&account.kind);
    on!(tx, c => query.execute(c))?;
    Ok(())
}
