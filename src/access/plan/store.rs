use diesel::prelude::*;

use super::{Plan, PlanKey, PlanName, Reader};
use crate::access::quota::Rate;
use crate::db::Tx;
use crate::db::schema::{rate_limit_keys, rate_plans};
use crate::error::Error;
use crate::on;
use crate::types::{Hash32, KeyId, Timestamp, UserId};

type PlanRow = (String, i64, i64, Timestamp, Timestamp);
type KeyRow = (String, String, String, bool, Timestamp, Option<Timestamp>);

const KEY: (
    rate_limit_keys::id,
    rate_limit_keys::plan,
    rate_limit_keys::start,
    rate_limit_keys::active,
    rate_limit_keys::created_at,
    rate_limit_keys::ended_at,
) = (
    rate_limit_keys::id,
    rate_limit_keys::plan,
    rate_limit_keys::start,
    rate_limit_keys::active,
    rate_limit_keys::created_at,
    rate_limit_keys::ended_at,
);

fn plan_of((name, requests, window_seconds, created_at, updated_at): PlanRow) -> Result<Plan, Error> {
    Ok(Plan {
        name: PlanName::parse(&name).map_err(Error::internal)?,
        requests,
        window_seconds,
        created_at,
        updated_at,
    })
}

fn key_of((id, plan, start, active, created_at, ended_at): KeyRow) -> Result<PlanKey, Error> {
    Ok(PlanKey {
        id: KeyId::parse(&id).map_err(Error::internal)?,
        plan: PlanName::parse(&plan).map_err(Error::internal)?,
        start,
        active,
        created_at,
        ended_at,
    })
}

pub(super) fn put(
    tx: &mut Tx<'_>,
    name: &PlanName,
    requests: i64,
    window_seconds: i64,
    now: Timestamp,
) -> Result<Plan, Error> {
    let set = (
        rate_plans::requests.eq(requests),
        rate_plans::window_seconds.eq(window_seconds),
        rate_plans::updated_at.eq(now),
    );
    let row = (rate_plans::name.eq(name.as_str()), set, rate_plans::created_at.eq(now));
    let row: PlanRow = on!(tx, c => diesel::insert_into(rate_plans::table)
        .values(row)
        .on_conflict(rate_plans::name)
        .do_update()
        .set(set)
        .returning(rate_plans::all_columns)
        .get_result(c))?;
    plan_of(row)
}

pub(super) fn plan(tx: &mut Tx<'_>, name: &PlanName) -> Result<Option<Plan>, Error> {
    let row: Option<PlanRow> = on!(tx, c => rate_plans::table.find(name.as_str()).first(c).optional())?;
    row.map(plan_of).transpose()
}

pub(super) fn plans(tx: &mut Tx<'_>) -> Result<Vec<Plan>, Error> {
    let rows: Vec<PlanRow> = on!(tx, c => rate_plans::table.order(rate_plans::name).load(c))?;
    rows.into_iter().map(plan_of).collect()
}

pub(super) fn insert_key(
    tx: &mut Tx<'_>,
    key: &PlanKey,
    hash: Hash32,
    created_by: Option<UserId>,
) -> Result<(), Error> {
    let row = (
        rate_limit_keys::id.eq(key.id.as_str()),
        rate_limit_keys::plan.eq(key.plan.as_str()),
        rate_limit_keys::start.eq(&key.start),
        rate_limit_keys::key_hash.eq(hash),
        rate_limit_keys::active.eq(key.active),
        rate_limit_keys::created_by.eq(created_by),
        rate_limit_keys::created_at.eq(key.created_at),
    );
    on!(tx, c => diesel::insert_into(rate_limit_keys::table).values(row).execute(c))?;
    Ok(())
}

pub(super) fn key(tx: &mut Tx<'_>, plan: &PlanName, id: &KeyId) -> Result<Option<PlanKey>, Error> {
    let query = rate_limit_keys::table
        .filter(rate_limit_keys::id.eq(id.as_str()))
        .filter(rate_limit_keys::plan.eq(plan.as_str()))
        .select(KEY);
    let row: Option<KeyRow> = on!(tx, c => query.first(c).optional())?;
    row.map(key_of).transpose()
}

pub(super) fn keys_of(tx: &mut Tx<'_>, plan: &PlanName) -> Result<Vec<PlanKey>, Error> {
    let query = rate_limit_keys::table
        .filter(rate_limit_keys::plan.eq(plan.as_str()))
        .order((rate_limit_keys::created_at.desc(), rate_limit_keys::id))
        .select(KEY);
    let rows: Vec<KeyRow> = on!(tx, c => query.load(c))?;
    rows.into_iter().map(key_of).collect()
}

/// None when it has ended before.
pub(super) fn end_key(tx: &mut Tx<'_>, id: &KeyId, now: Timestamp) -> Result<Option<PlanKey>, Error> {
    let row = rate_limit_keys::table
        .filter(rate_limit_keys::id.eq(id.as_str()))
        .filter(rate_limit_keys::active.eq(true));
    let set = (rate_limit_keys::active.eq(false), rate_limit_keys::ended_at.eq(now));
    let row: Option<KeyRow> = on!(tx, c => diesel::update(row).set(set).returning(KEY).get_result(c).optional())?;
    row.map(key_of).transpose()
}

/// The key with its plan, in one query.
pub(super) fn reader(tx: &mut Tx<'_>, hash: Hash32) -> Result<Option<Reader>, Error> {
    let query = rate_limit_keys::table
        .inner_join(rate_plans::table.on(rate_plans::name.eq(rate_limit_keys::plan)))
        .filter(rate_limit_keys::key_hash.eq(hash))
        .filter(rate_limit_keys::active.eq(true))
        .select((rate_limit_keys::id, rate_plans::requests, rate_plans::window_seconds));
    let row: Option<(String, i64, i64)> = on!(tx, c => query.first(c).optional())?;
    row.map(|(id, requests, window_seconds)| {
        Ok(Reader {
            key: KeyId::parse(&id).map_err(Error::internal)?,
            rate: Rate::bounded(requests, window_seconds, requests),
        })
    })
    .transpose()
}
