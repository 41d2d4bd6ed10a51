use std::collections::HashMap;

use diesel::prelude::*;

use super::day::Day;
use super::{Caller, DayUsage, Environment, EnvironmentChange, EnvironmentKey, KeyPurpose, KeyState, Project, Tier};
use crate::ctx::Actor;
use crate::db::schema::{environment_keys, environments, projects, publishable_usage, users};
use crate::db::{Bulk, Tx};
use crate::error::Error;
use crate::on;
use crate::types::{Address, EnvironmentId, Hash32, KeyId, ProjectId, Timestamp, UserId};

/// Keys of one look-up: far below the parameters that SQLite takes.
const HASHES_MAX: usize = 1_000;

type ProjectRow = (ProjectId, String, Option<UserId>, Timestamp);
type EnvironmentRow = (
    EnvironmentId,
    ProjectId,
    String,
    String,
    bool,
    String,
    Option<i64>,
    Option<i64>,
    UserId,
    Timestamp,
);
type KeyRow = (
    String,
    EnvironmentId,
    String,
    String,
    (String, Option<Timestamp>),
    Timestamp,
    Option<Timestamp>,
);

/// Everything of a key but its hash.
const KEY: (
    environment_keys::id,
    environment_keys::environment_id,
    environment_keys::kind,
    environment_keys::start,
    (environment_keys::state, environment_keys::accepted_until),
    environment_keys::created_at,
    environment_keys::ended_at,
) = (
    environment_keys::id,
    environment_keys::environment_id,
    environment_keys::kind,
    environment_keys::start,
    (environment_keys::state, environment_keys::accepted_until),
    environment_keys::created_at,
    environment_keys::ended_at,
);

fn project_of((id, name, created_by, created_at): ProjectRow) -> Project {
    Project {
        id,
        name,
        created_by,
        created_at,
    }
}

fn environment_of(row: EnvironmentRow) -> Result<Environment, Error> {
    let (id, project, name, chain, test, tier, per_minute, burst, owner, created_at) = row;
    Ok(Environment {
        id,
        project,
        name,
        chain,
        test,
        tier: Tier::parse(&tier, per_minute, burst).map_err(Error::internal)?,
        owner,
        created_at,
    })
}

fn key_of(row: KeyRow) -> Result<EnvironmentKey, Error> {
    let (id, environment, purpose, start, (state, until), created_at, ended_at) = row;
    let purpose = KeyPurpose::parse(&purpose);
    Ok(EnvironmentKey {
        id: KeyId::parse(&id).map_err(Error::internal)?,
        environment,
        purpose: purpose.ok_or_else(|| Error::internal("a key of no known purpose"))?,
        start,
        state: KeyState::of(&state, until)?,
        created_at,
        ended_at,
    })
}

/// The columns of a tier: its rate is one only where it is agreed.
fn tier_columns(tier: Tier) -> (&'static str, Option<i64>, Option<i64>) {
    match tier {
        Tier::Standard | Tier::Partner => (tier.as_str(), None, None),
        Tier::Enterprise { per_minute, burst } => (tier.as_str(), Some(per_minute), Some(burst)),
    }
}

// --- projects and environments --------------------------------------------------------------------------------------

pub(super) fn insert_project(tx: &mut Tx<'_>, project: &Project) -> Result<(), Error> {
    let row = (
        projects::id.eq(project.id),
        projects::name.eq(&project.name),
        projects::created_by.eq(project.created_by),
        projects::created_at.eq(project.created_at),
    );
    on!(tx, c => diesel::insert_into(projects::table).values(row).execute(c))?;
    Ok(())
}

pub(super) fn project(tx: &mut Tx<'_>, id: ProjectId) -> Result<Option<Project>, Error> {
    let row: Option<ProjectRow> = on!(tx, c => projects::table.find(id).first(c).optional())?;
    Ok(row.map(project_of))
}

pub(super) fn projects(tx: &mut Tx<'_>) -> Result<Vec<Project>, Error> {
    let rows: Vec<ProjectRow> = on!(tx, c => projects::table.order(projects::name).load(c))?;
    Ok(rows.into_iter().map(project_of).collect())
}

pub(super) fn insert_environment(tx: &mut Tx<'_>, environment: &Environment) -> Result<(), Error> {
    let (tier, per_minute, burst) = tier_columns(environment.tier);
    let row = (
        environments::id.eq(environment.id),
        environments::project_id.eq(environment.project),
        environments::name.eq(&environment.name),
        environments::chain.eq(&environment.chain),
        environments::test.eq(environment.test),
        environments::tier.eq(tier),
        environments::mints_per_minute.eq(per_minute),
        environments::mints_burst.eq(burst),
        environments::owner_id.eq(environment.owner),
        environments::created_at.eq(environment.created_at),
    );
    on!(tx, c => diesel::insert_into(environments::table).values(row).execute(c))?;
    Ok(())
}

pub(super) fn environment(tx: &mut Tx<'_>, id: EnvironmentId) -> Result<Option<Environment>, Error> {
    let row: Option<EnvironmentRow> = on!(tx, c => environments::table.find(id).first(c).optional())?;
    row.map(environment_of).transpose()
}

pub(super) fn lock_environment(tx: &mut Tx<'_>, id: EnvironmentId) -> Result<Option<()>, Error> {
    let query = environments::table.find(id).select(environments::id);
    let row: Option<EnvironmentId> = match tx {
        Tx::Pg(c) => query.for_no_key_update().first(*c).optional()?,
        Tx::Sqlite(c) => query.first(*c).optional()?,
    };
    Ok(row.map(|_| ()))
}

pub(super) fn environments_of(tx: &mut Tx<'_>, project: ProjectId) -> Result<Vec<Environment>, Error> {
    let query = environments::table
        .filter(environments::project_id.eq(project))
        .order(environments::name);
    let rows: Vec<EnvironmentRow> = on!(tx, c => query.load(c))?;
    rows.into_iter().map(environment_of).collect()
}

pub(super) fn update_environment(
    tx: &mut Tx<'_>,
    id: EnvironmentId,
    change: &EnvironmentChange,
) -> Result<Option<Environment>, Error> {
    let tier = change.tier.map(tier_columns);
    let set = (
        change.name.as_ref().map(|name| environments::name.eq(name)),
        tier.map(|(tier, _, _)| environments::tier.eq(tier)),
        tier.map(|(_, per_minute, _)| environments::mints_per_minute.eq(per_minute)),
        tier.map(|(_, _, burst)| environments::mints_burst.eq(burst)),
    );
    let row: Option<EnvironmentRow> = on!(tx, c => diesel::update(environments::table.find(id))
        .set(set)
        .returning(environments::all_columns)
        .get_result(c)
        .optional())?;
    row.map(environment_of).transpose()
}

// --- keys -----------------------------------------------------------------------------------------------------------

pub(super) fn insert_key(
    tx: &mut Tx<'_>,
    key: &EnvironmentKey,
    hash: Hash32,
    created_by: Option<UserId>,
) -> Result<(), Error> {
    let row = (
        environment_keys::id.eq(key.id.as_str()),
        environment_keys::environment_id.eq(key.environment),
        environment_keys::kind.eq(key.purpose.as_str()),
        environment_keys::start.eq(&key.start),
        environment_keys::key_hash.eq(hash),
        environment_keys::state.eq(key.state.as_str()),
        environment_keys::created_by.eq(created_by),
        environment_keys::created_at.eq(key.created_at),
    );
    on!(tx, c => diesel::insert_into(environment_keys::table).values(row).execute(c))?;
    Ok(())
}

/// The key stays locked until the commit: of two rotations the second finds that it is not active any more.
pub(super) fn lock_key(
    tx: &mut Tx<'_>,
    environment: EnvironmentId,
    id: &KeyId,
) -> Result<Option<EnvironmentKey>, Error> {
    let query = environment_keys::table
        .filter(environment_keys::id.eq(id.as_str()))
        .filter(environment_keys::environment_id.eq(environment))
        .select(KEY);
    let row: Option<KeyRow> = match tx {
        Tx::Pg(c) => query.for_no_key_update().first(*c).optional()?,
        Tx::Sqlite(c) => query.first(*c).optional()?,
    };
    row.map(key_of).transpose()
}

pub(super) fn put_state(tx: &mut Tx<'_>, id: &KeyId, state: KeyState, now: Timestamp) -> Result<(), Error> {
    let (until, ended_at) = match state {
        KeyState::Active => (None, None),
        KeyState::Retiring { until } => (Some(until), None),
        KeyState::Ended => (None, Some(now)),
    };
    let set = (
        environment_keys::state.eq(state.as_str()),
        environment_keys::accepted_until.eq(until),
        environment_keys::ended_at.eq(ended_at),
    );
    let row = environment_keys::table.find(id.as_str());
    on!(tx, c => diesel::update(row).set(set).execute(c))?;
    Ok(())
}

/// Ends what an earlier rotation left.
pub(super) fn end_retiring(
    tx: &mut Tx<'_>,
    environment: EnvironmentId,
    purpose: KeyPurpose,
    now: Timestamp,
) -> Result<(), Error> {
    let rows = environment_keys::table
        .filter(environment_keys::environment_id.eq(environment))
        .filter(environment_keys::kind.eq(purpose.as_str()))
        .filter(environment_keys::state.eq("retiring"));
    let set = (
        environment_keys::state.eq("ended"),
        environment_keys::accepted_until.eq(None::<Timestamp>),
        environment_keys::ended_at.eq(now),
    );
    on!(tx, c => diesel::update(rows).set(set).execute(c))?;
    Ok(())
}

pub(super) fn keys_of(tx: &mut Tx<'_>, environment: EnvironmentId) -> Result<Vec<EnvironmentKey>, Error> {
    let query = environment_keys::table
        .filter(environment_keys::environment_id.eq(environment))
        .order((environment_keys::created_at.desc(), environment_keys::id))
        .select(KEY);
    let rows: Vec<KeyRow> = on!(tx, c => query.load(c))?;
    rows.into_iter().map(key_of).collect()
}

/// A secret key with its environment and that one's owner, in one query.
pub(super) fn secret_key(tx: &mut Tx<'_>, hash: Hash32) -> Result<Option<(KeyState, Caller)>, Error> {
    type Row = ((String, String, Option<Timestamp>), EnvironmentRow, Address);
    let query = environment_keys::table
        .inner_join(environments::table.on(environments::id.eq(environment_keys::environment_id)))
        .inner_join(users::table.on(users::id.eq(environments::owner_id)))
        .filter(environment_keys::key_hash.eq(hash))
        .filter(environment_keys::kind.eq(KeyPurpose::Secret.as_str()))
        .select((
            (
                environment_keys::id,
                environment_keys::state,
                environment_keys::accepted_until,
            ),
            environments::all_columns,
            users::wallet,
        ));
    let row: Option<Row> = on!(tx, c => query.first(c).optional())?;
    let Some(((id, state, until), environment, wallet)) = row else {
        return Ok(None);
    };
    let environment = environment_of(environment)?;
    let actor = Actor {
        user: environment.owner,
        wallet,
    };
    let caller = Caller {
        key: KeyId::parse(&id).map_err(Error::internal)?,
        environment,
        actor,
    };
    Ok(Some((KeyState::of(&state, until)?, caller)))
}

// --- usage ----------------------------------------------------------------------------------------------------------

/// Adds to the days of the keys that are accepted now. How many requests named none of those.
pub(super) fn add_usage(tx: &mut Tx<'_>, counts: &[((Hash32, Day), i64)], now: Timestamp) -> Result<u64, Error> {
    let hashes: Vec<Hash32> = counts.iter().map(|((hash, _), _)| *hash).collect();
    let mut known: HashMap<Hash32, String> = HashMap::new();
    for hashes in hashes.chunks(HASHES_MAX) {
        let query = environment_keys::table
            .filter(environment_keys::key_hash.eq_any(hashes))
            .filter(environment_keys::kind.eq(KeyPurpose::Publishable.as_str()))
            .select((
                environment_keys::key_hash,
                environment_keys::id,
                environment_keys::state,
                environment_keys::accepted_until,
            ));
        let rows: Vec<(Hash32, String, String, Option<Timestamp>)> = on!(tx, c => query.load(c))?;
        for (hash, id, state, until) in rows {
            if KeyState::of(&state, until)?.is_accepted(now) {
                known.insert(hash, id);
            }
        }
    }
    let (mut ids, mut days, mut requests, mut unknown) = (Vec::new(), Vec::new(), Vec::new(), 0_u64);
    let mut counts = counts.to_vec();
    // Two processes that write at once lock the rows in one order.
    counts.sort_unstable_by_key(|((hash, day), _)| (*hash.as_bytes(), *day));
    for ((hash, day), count) in counts {
        match known.get(&hash) {
            Some(id) => {
                ids.push(id.clone());
                days.push(day.number());
                requests.push(count);
            }
            None => unknown = unknown.saturating_add(u64::try_from(count).unwrap_or(0)),
        }
    }
    Bulk::into("publishable_usage")
        .column("key_id", ids)
        .column("day", days)
        .column("requests", requests)
        .on_conflict(
            "ON CONFLICT (key_id, day) DO UPDATE SET requests = publishable_usage.requests + excluded.requests",
        )
        .execute(tx)?;
    Ok(unknown)
}

pub(super) fn usage_of(
    tx: &mut Tx<'_>,
    environment: EnvironmentId,
    from: Day,
    to: Day,
) -> Result<Vec<DayUsage>, Error> {
    let query = publishable_usage::table
        .inner_join(environment_keys::table.on(environment_keys::id.eq(publishable_usage::key_id)))
        .filter(environment_keys::environment_id.eq(environment))
        .filter(publishable_usage::day.between(from.number(), to.number()))
        .order(publishable_usage::day)
        .select((publishable_usage::day, publishable_usage::requests));
    let rows: Vec<(i32, i64)> = on!(tx, c => query.load(c))?;
    let mut days: Vec<DayUsage> = Vec::new();
    for (day, requests) in rows {
        let day = Day::from_number(day);
        match days.last_mut() {
            Some(last) if last.day == day => last.requests = last.requests.saturating_add(requests),
            Some(_) | None => days.push(DayUsage { day, requests }),
        }
    }
    Ok(days)
}
