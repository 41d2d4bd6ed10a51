use std::collections::{HashMap, HashSet};

use diesel::prelude::*;

use super::model::Credential;
use super::rules::Attempts;
use super::{Algorithm, Method};
use crate::db::schema::{secret_codes, wallet_methods};
use crate::db::{Bulk, Tx};
use crate::error::Error;
use crate::on;
use crate::types::{Hash32, Timestamp, UserId};

type Row = (
    UserId,
    String,
    i64,
    String,
    Option<String>,
    bool,
    i32,
    i32,
    Option<Timestamp>,
    Option<i64>,
);

/// Everything of a credential but the time of its last change.
const CREDENTIAL: (
    wallet_methods::user_id,
    wallet_methods::method,
    wallet_methods::version,
    wallet_methods::secret,
    wallet_methods::algorithm,
    wallet_methods::confirmed,
    wallet_methods::failures,
    wallet_methods::lock_count,
    wallet_methods::locked_until,
    wallet_methods::last_step,
) = (
    wallet_methods::user_id,
    wallet_methods::method,
    wallet_methods::version,
    wallet_methods::secret,
    wallet_methods::algorithm,
    wallet_methods::confirmed,
    wallet_methods::failures,
    wallet_methods::lock_count,
    wallet_methods::locked_until,
    wallet_methods::last_step,
);

fn credential(row: Row) -> Result<Credential, Error> {
    let (user, method, version, secret, algorithm, confirmed, failures, lock_count, locked_until, last_step) = row;
    let algorithm = algorithm.as_deref().map(Algorithm::parse).transpose();
    Ok(Credential {
        user,
        method: Method::parse(&method).map_err(Error::internal)?,
        version,
        secret,
        algorithm: algorithm.map_err(Error::internal)?.unwrap_or_default(),
        confirmed,
        attempts: Attempts {
            failures: u32::try_from(failures).map_err(Error::internal)?,
            lock_count: u32::try_from(lock_count).map_err(Error::internal)?,
            locked_until,
        },
        last_step,
    })
}

/// Counters far below this bound; a value beyond it stays at it.
fn count(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

pub(super) fn credential_of(tx: &mut Tx<'_>, user: UserId, method: Method) -> Result<Option<Credential>, Error> {
    let query = wallet_methods::table.find((user, method.as_str())).select(CREDENTIAL);
    let row: Option<Row> = on!(tx, c => query.first(c).optional())?;
    row.map(credential).transpose()
}

/// In the order of their names.
pub(super) fn credentials_of(tx: &mut Tx<'_>, user: UserId) -> Result<Vec<Credential>, Error> {
    let query = wallet_methods::table
        .filter(wallet_methods::user_id.eq(user))
        .order(wallet_methods::method)
        .select(CREDENTIAL);
    let rows: Vec<Row> = on!(tx, c => query.load(c))?;
    rows.into_iter().map(credential).collect()
}

/// One method of many users, as it is now, without waiting for anybody.
pub(super) fn current(
    tx: &mut Tx<'_>,
    method: Method,
    users: &[UserId],
) -> Result<HashMap<(UserId, Method), Credential>, Error> {
    let query = wallet_methods::table
        .filter(wallet_methods::method.eq(method.as_str()))
        .filter(wallet_methods::user_id.eq_any(users))
        .select(CREDENTIAL);
    keyed(on!(tx, c => query.load(c))?)
}

/// The methods of these users whose codes are used up; the rows stay locked until the commit, taken in the order of user ids.
pub(super) fn lock_current(tx: &mut Tx<'_>, users: &[UserId]) -> Result<HashMap<(UserId, Method), Credential>, Error> {
    let query = wallet_methods::table
        .filter(wallet_methods::user_id.eq_any(users))
        .filter(wallet_methods::method.ne(Method::Pincode.as_str()))
        .order((wallet_methods::user_id, wallet_methods::method))
        .select(CREDENTIAL);
    keyed(match tx {
        Tx::Pg(c) => query.for_update().load(*c)?,
        Tx::Sqlite(c) => query.load(*c)?,
    })
}

fn keyed(rows: Vec<Row>) -> Result<HashMap<(UserId, Method), Credential>, Error> {
    let credentials = rows.into_iter().map(credential);
    credentials
        .map(|credential| credential.map(|known| ((known.user, known.method), known)))
        .collect()
}

/// The conditional update that reserves an attempt: only when the counters are still the ones that were read.
pub(super) fn count_attempt(tx: &mut Tx<'_>, read: &Credential, attempts: Attempts) -> Result<bool, Error> {
    let row = wallet_methods::table
        .filter(wallet_methods::user_id.eq(read.user))
        .filter(wallet_methods::method.eq(read.method.as_str()))
        .filter(wallet_methods::version.eq(read.version))
        .filter(wallet_methods::confirmed.eq(read.confirmed))
        .filter(wallet_methods::failures.eq(count(read.attempts.failures)))
        .filter(wallet_methods::lock_count.eq(count(read.attempts.lock_count)));
    let set = (
        wallet_methods::failures.eq(count(attempts.failures)),
        wallet_methods::lock_count.eq(count(attempts.lock_count)),
        wallet_methods::locked_until.eq(attempts.locked_until),
    );
    Ok(on!(tx, c => diesel::update(row).set(set).execute(c))? == 1)
}

/// Nothing when the credential was changed meanwhile: its counters are new too.
pub(super) fn put_attempts(tx: &mut Tx<'_>, of: &Credential, attempts: Attempts) -> Result<bool, Error> {
    let row = wallet_methods::table
        .filter(wallet_methods::user_id.eq(of.user))
        .filter(wallet_methods::method.eq(of.method.as_str()))
        .filter(wallet_methods::version.eq(of.version));
    let set = (
        wallet_methods::failures.eq(count(attempts.failures)),
        wallet_methods::lock_count.eq(count(attempts.lock_count)),
        wallet_methods::locked_until.eq(attempts.locked_until),
    );
    Ok(on!(tx, c => diesel::update(row).set(set).execute(c))? == 1)
}

/// Replaces the credential of this user and method, with new counters.
pub(super) fn put(tx: &mut Tx<'_>, new: &Credential, now: Timestamp) -> Result<(), Error> {
    Bulk::into("wallet_methods")
        .column("user_id", vec![*new.user.as_uuid()])
        .column("method", vec![new.method.as_str()])
        .column("version", vec![new.version])
        .column("secret", vec![new.secret.clone()])
        .column(
            "algorithm",
            vec![(new.method == Method::Otp).then(|| new.algorithm.as_str().to_owned())],
        )
        .column("confirmed", vec![new.confirmed])
        .column("failures", vec![0_i32])
        .column("lock_count", vec![0_i32])
        .column("locked_until", vec![None::<Timestamp>])
        .column("updated_at", vec![now])
        .on_conflict(
            "ON CONFLICT (user_id, method) DO UPDATE SET version = excluded.version, secret = excluded.secret, \
             algorithm = excluded.algorithm, confirmed = excluded.confirmed, failures = 0, lock_count = 0, \
             locked_until = NULL, last_step = NULL, updated_at = excluded.updated_at",
        )
        .execute(tx)?;
    Ok(())
}

/// Ends the set-up of a pending credential; `step` is the time step whose password did it.
pub(super) fn confirm(
    tx: &mut Tx<'_>,
    user: UserId,
    method: Method,
    version: i64,
    step: Option<i64>,
    now: Timestamp,
) -> Result<bool, Error> {
    let row = wallet_methods::table
        .filter(wallet_methods::user_id.eq(user))
        .filter(wallet_methods::method.eq(method.as_str()))
        .filter(wallet_methods::version.eq(version))
        .filter(wallet_methods::confirmed.eq(false));
    let set = (
        wallet_methods::confirmed.eq(true),
        wallet_methods::last_step.eq(step),
        wallet_methods::updated_at.eq(now),
    );
    Ok(on!(tx, c => diesel::update(row).set(set).execute(c))? == 1)
}

/// Only forward: a step is never accepted twice.
pub(super) fn accept_step(tx: &mut Tx<'_>, users: &[UserId], step: i64) -> Result<(), Error> {
    let rows = wallet_methods::table
        .filter(wallet_methods::method.eq(Method::Otp.as_str()))
        .filter(wallet_methods::user_id.eq_any(users))
        .filter(
            wallet_methods::last_step
                .is_null()
                .or(wallet_methods::last_step.lt(step)),
        );
    on!(tx, c => diesel::update(rows).set(wallet_methods::last_step.eq(step)).execute(c))?;
    Ok(())
}

pub(super) fn remove(tx: &mut Tx<'_>, user: UserId, method: Method) -> Result<usize, Error> {
    if method == Method::SecretCodes {
        delete_codes(tx, user, None)?;
    }
    let row = wallet_methods::table.find((user, method.as_str()));
    Ok(on!(tx, c => diesel::delete(row).execute(c))?)
}

// --- secret codes ---------------------------------------------------------------------------------------------------

/// All codes of the user but those of one set.
pub(super) fn delete_codes(tx: &mut Tx<'_>, user: UserId, but: Option<i64>) -> Result<(), Error> {
    let rows = secret_codes::table
        .filter(secret_codes::user_id.eq(user))
        // No set has a version below zero.
        .filter(secret_codes::version.ne(but.unwrap_or(-1)));
    on!(tx, c => diesel::delete(rows).execute(c))?;
    Ok(())
}

/// Notes a set that waits beside the one that counts; that one goes on as it is, with its counters.
pub(super) fn put_pending_set(
    tx: &mut Tx<'_>,
    counting: &Credential,
    version: i64,
    now: Timestamp,
) -> Result<(), Error> {
    let row = wallet_methods::table.find((counting.user, counting.method.as_str()));
    let set = (
        wallet_methods::secret.eq(version.to_string()),
        wallet_methods::updated_at.eq(now),
    );
    on!(tx, c => diesel::update(row).set(set).execute(c))?;
    Ok(())
}

pub(super) fn insert_codes(tx: &mut Tx<'_>, user: UserId, version: i64, hashes: &[Hash32]) -> Result<(), Error> {
    Bulk::into("secret_codes")
        .column("user_id", vec![*user.as_uuid(); hashes.len()])
        .column("code_hash", hashes.to_vec())
        .column("version", vec![version; hashes.len()])
        .execute(tx)?;
    Ok(())
}

/// Whether this code of the set was used; `None` when the set has no such code.
pub(super) fn is_code_used(tx: &mut Tx<'_>, user: UserId, version: i64, hash: &Hash32) -> Result<Option<bool>, Error> {
    let query = secret_codes::table
        .find((user, hash))
        .filter(secret_codes::version.eq(version))
        .select(secret_codes::used_at.is_not_null());
    Ok(on!(tx, c => query.first(c).optional())?)
}

/// Which of these codes are unused. A hash is keyed with its user, so it names one code of one user.
pub(super) fn unused_codes(tx: &mut Tx<'_>, users: &[UserId], hashes: &[Hash32]) -> Result<HashSet<Hash32>, Error> {
    let query = secret_codes::table
        .filter(secret_codes::user_id.eq_any(users))
        .filter(secret_codes::code_hash.eq_any(hashes))
        .filter(secret_codes::used_at.is_null())
        .select(secret_codes::code_hash);
    let rows: Vec<Hash32> = on!(tx, c => query.load(c))?;
    Ok(rows.into_iter().collect())
}

pub(super) fn use_codes(tx: &mut Tx<'_>, users: &[UserId], hashes: &[Hash32], now: Timestamp) -> Result<(), Error> {
    let rows = secret_codes::table
        .filter(secret_codes::user_id.eq_any(users))
        .filter(secret_codes::code_hash.eq_any(hashes))
        .filter(secret_codes::used_at.is_null());
    on!(tx, c => diesel::update(rows).set(secret_codes::used_at.eq(now)).execute(c))?;
    Ok(())
}

/// Of the set that counts, or of the first one while it waits to be confirmed.
pub(super) fn codes_left(tx: &mut Tx<'_>, user: UserId) -> Result<i64, Error> {
    let Some(set) = credential_of(tx, user, Method::SecretCodes)? else {
        return Ok(0);
    };
    let query = secret_codes::table
        .filter(secret_codes::user_id.eq(user))
        .filter(secret_codes::version.eq(set.version))
        .filter(secret_codes::used_at.is_null());
    Ok(on!(tx, c => query.count().get_result(c))?)
}
