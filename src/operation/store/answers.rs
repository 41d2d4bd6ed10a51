//! First answers by their idempotency keys.

use diesel::prelude::*;

use crate::db::schema::idempotency_keys;
use crate::db::{Bulk, Tx};
use crate::error::Error;
use crate::on;
use crate::operation::{IdempotencyKey, Remembered, Replay};
use crate::types::{Hash32, OperationId, Timestamp, UserId};

type KeyRow = (
    UserId,
    String,
    String,
    Hash32,
    i32,
    String,
    String,
    Option<OperationId>,
    Timestamp,
    Option<Timestamp>,
);

/// The three parts are looked up one by one list each; what matches only in parts is sorted out here.
pub(in super::super) fn remembered(
    tx: &mut Tx<'_>,
    keys: &[&IdempotencyKey],
) -> Result<Vec<(IdempotencyKey, Remembered)>, Error> {
    let users: Vec<UserId> = keys.iter().map(|key| key.user).collect();
    let routes: Vec<String> = keys.iter().map(|key| key.route.clone()).collect();
    let names: Vec<String> = keys.iter().map(|key| key.key.clone()).collect();
    let rows: Vec<KeyRow> = on!(tx, c => idempotency_keys::table
        .filter(idempotency_keys::user_id.eq_any(users))
        .filter(idempotency_keys::route.eq_any(routes))
        .filter(idempotency_keys::key.eq_any(names))
        .load(c))?;
    let found = rows.into_iter().map(remembered_of).collect::<Result<Vec<_>, Error>>()?;
    Ok(found.into_iter().filter(|(key, _)| keys.contains(&key)).collect())
}

fn remembered_of(row: KeyRow) -> Result<(IdempotencyKey, Remembered), Error> {
    let (user, route, key, fingerprint, status, headers, body, operation, created_at, expires_at) = row;
    let answer = Remembered {
        fingerprint,
        status: u16::try_from(status).map_err(Error::internal)?,
        headers: serde_json::from_str(&headers).map_err(Error::internal)?,
        body,
        operation,
        created_at,
        expires_at,
    };
    Ok((IdempotencyKey { user, route, key }, answer))
}

pub(in super::super) fn remember(tx: &mut Tx<'_>, answers: &[(IdempotencyKey, Remembered)]) -> Result<(), Error> {
    let headers = answers
        .iter()
        .map(|(_, answer)| serde_json::to_string(&answer.headers).map_err(Error::internal))
        .collect::<Result<Vec<_>, _>>()?;
    Bulk::into("idempotency_keys")
        .column(
            "user_id",
            answers.iter().map(|(key, _)| *key.user.as_uuid()).collect::<Vec<_>>(),
        )
        .column(
            "route",
            answers.iter().map(|(key, _)| key.route.clone()).collect::<Vec<_>>(),
        )
        .column(
            "key",
            answers.iter().map(|(key, _)| key.key.clone()).collect::<Vec<_>>(),
        )
        .column(
            "fingerprint",
            answers.iter().map(|(_, answer)| answer.fingerprint).collect::<Vec<_>>(),
        )
        .column(
            "status",
            answers
                .iter()
                .map(|(_, answer)| i32::from(answer.status))
                .collect::<Vec<_>>(),
        )
        .column("headers", headers)
        .column(
            "body",
            answers
                .iter()
                .map(|(_, answer)| answer.body.clone())
                .collect::<Vec<_>>(),
        )
        .column(
            "operation_id",
            answers
                .iter()
                .map(|(_, a)| a.operation.map(|id| *id.as_uuid()))
                .collect::<Vec<_>>(),
        )
        .column(
            "created_at",
            answers.iter().map(|(_, answer)| answer.created_at).collect::<Vec<_>>(),
        )
        .column(
            "expires_at",
            answers.iter().map(|(_, answer)| answer.expires_at).collect::<Vec<_>>(),
        )
        .execute(tx)?;
    Ok(())
}

type KeyOf<'k> = (UserId, &'k str, &'k str);

fn name_of(key: &IdempotencyKey) -> KeyOf<'_> {
    (key.user, key.route.as_str(), key.key.as_str())
}

pub(in super::super) fn forget_expired(tx: &mut Tx<'_>, key: &IdempotencyKey, now: Timestamp) -> Result<(), Error> {
    let row = idempotency_keys::table
        .find(name_of(key))
        .filter(idempotency_keys::expires_at.le(now));
    on!(tx, c => diesel::delete(row).execute(c))?;
    Ok(())
}

/// The claimed row has status 0 and no body; nobody else sees it before the commit that gives it both.
pub(in super::super) fn claim(
    tx: &mut Tx<'_>,
    key: &IdempotencyKey,
    fingerprint: &Hash32,
    now: Timestamp,
) -> Result<bool, Error> {
    let row = (
        idempotency_keys::user_id.eq(key.user),
        idempotency_keys::route.eq(&key.route),
        idempotency_keys::key.eq(&key.key),
        idempotency_keys::fingerprint.eq(fingerprint),
        idempotency_keys::status.eq(0),
        idempotency_keys::headers.eq("[]"),
        idempotency_keys::body.eq(""),
        idempotency_keys::created_at.eq(now),
    );
    let rows = on!(tx, c => diesel::insert_into(idempotency_keys::table)
        .values(row)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(rows == 1)
}

pub(in super::super) fn settle_claim(tx: &mut Tx<'_>, key: &IdempotencyKey, answer: &Remembered) -> Result<(), Error> {
    let headers = serde_json::to_string(&answer.headers).map_err(Error::internal)?;
    let change = (
        idempotency_keys::status.eq(i32::from(answer.status)),
        idempotency_keys::headers.eq(headers),
        idempotency_keys::body.eq(&answer.body),
        idempotency_keys::operation_id.eq(answer.operation),
        idempotency_keys::expires_at.eq(answer.expires_at),
    );
    on!(tx, c => diesel::update(idempotency_keys::table.find(name_of(key))).set(change).execute(c))?;
    Ok(())
}

/// True when it was open until now.
pub(in super::super) fn close(
    tx: &mut Tx<'_>,
    key: &IdempotencyKey,
    open: u16,
    answer: &Replay,
) -> Result<bool, Error> {
    let row = idempotency_keys::table
        .find(name_of(key))
        .filter(idempotency_keys::status.eq(i32::from(open)));
    let change = (
        idempotency_keys::status.eq(i32::from(answer.status)),
        idempotency_keys::headers.eq(serde_json::to_string(&answer.headers).map_err(Error::internal)?),
        idempotency_keys::body.eq(&answer.body),
    );
    Ok(on!(tx, c => diesel::update(row).set(change).execute(c))? == 1)
}

pub(in super::super) fn release(tx: &mut Tx<'_>, key: &IdempotencyKey) -> Result<(), Error> {
    on!(tx, c => diesel::delete(idempotency_keys::table.find(name_of(key))).execute(c))?;
    Ok(())
}

pub(in super::super) fn prune(tx: &mut Tx<'_>, now: Timestamp) -> Result<usize, Error> {
    let rows = idempotency_keys::table.filter(idempotency_keys::expires_at.le(now));
    Ok(on!(tx, c => diesel::delete(rows).execute(c))?)
}
