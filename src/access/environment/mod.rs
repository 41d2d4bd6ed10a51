//! Projects, their environments, and the keys that the minting API is called with (immutable.md section 7).
//!
//! *Project*: what somebody builds. *Environment*: a project on one chain, with its own keys, collections and tier. *Tier*:
//! how much it may mint: each environment for itself, also where a project has several (issue and seed 000 speak of "a
//! Standard environment"; immutable.md 3.3 says "per project"). *Secret key*: acts for the environment; who does it is the environment's owner. *Publishable
//! key*: says who asks, opens nothing, and is counted per day.
//!
//! Invariants: at most one active key of each purpose per environment; a key is shown once and kept as a keyed hash; a key
//! that was rotated without overlap, or revoked, is refused from the next request on, by every process, because each
//! request asks the database (that a key is good is never cached; that it was refused is, for a minute); every change is an audit event in its transaction.
//!
//! Limits: names of 1 to 100 characters; an overlap of at most seven days. Source: seeds 001 and 003, immutable.md A and 7.

mod day;
mod model;
mod store;
#[cfg(test)]
mod tests;
mod usage;

use serde_json::{Value, json};

pub use day::Day;
pub use model::{
    Caller, DayUsage, Environment, EnvironmentChange, EnvironmentKey, IssuedEnvironmentKey, KeyPurpose, KeyState,
    KeyText, NewEnvironment, Project, Tier,
};
pub use usage::{UsageBuffer, UsageCounts};

use super::{By, Vault, rules};
use crate::audit::{self, Event, Stream};
use crate::config::TestMarker;
use crate::db::{Db, Tx};
use crate::error::Error;
use crate::types::{Address, EnvironmentId, Hash32, KeyId, ProjectId, Timestamp};

/// How long a key that was replaced may still be accepted.
pub const OVERLAP_SECONDS_MAX: i64 = 7 * 86_400;

// --- projects -------------------------------------------------------------------------------------------------------

/// Asks for no right, as every function here: the caller of the route does.
///
/// Errors: `Invalid` for a name out of bounds, `AlreadyExists` when it is taken.
pub fn create_project(tx: &mut Tx<'_>, by: impl Into<By>, name: &str) -> Result<Project, Error> {
    let by = by.into();
    rules::text("name", name, Project::NAME_LENGTH_MAX)?;
    let project = Project {
        id: ProjectId::generate(),
        name: name.to_owned(),
        created_by: by.user,
        created_at: by.now,
    };
    store::insert_project(tx, &project)?;
    record(
        tx,
        &by,
        project.id,
        &[],
        "project.created",
        json!({ "name": project.name }),
    )?;
    Ok(project)
}

pub fn find_project(tx: &mut Tx<'_>, id: ProjectId) -> Result<Project, Error> {
    store::project(tx, id)?.ok_or(Error::NotFound("project"))
}

/// By name.
pub fn list_projects(tx: &mut Tx<'_>) -> Result<Vec<Project>, Error> {
    store::projects(tx)
}

// --- environments ---------------------------------------------------------------------------------------------------

/// Errors: `NotFound` for the project or the owner, `Invalid` for a name out of bounds, `AlreadyExists` when the project
/// has an environment of that name.
pub fn create(tx: &mut Tx<'_>, by: impl Into<By>, new: NewEnvironment) -> Result<Environment, Error> {
    let by = by.into();
    rules::text("name", &new.name, Environment::NAME_LENGTH_MAX)?;
    find_project(tx, new.project)?;
    let owner = super::find_user(tx, new.owner)?;
    let environment = Environment {
        id: EnvironmentId::generate(),
        project: new.project,
        name: new.name,
        chain: new.chain,
        test: new.test,
        tier: new.tier,
        owner: owner.id,
        created_at: by.now,
    };
    store::insert_environment(tx, &environment)?;
    let data = described(&environment);
    record(
        tx,
        &by,
        environment.project,
        &[owner.wallet],
        "environment.created",
        data,
    )?;
    Ok(environment)
}

pub fn find(tx: &mut Tx<'_>, id: EnvironmentId) -> Result<Environment, Error> {
    store::environment(tx, id)?.ok_or(Error::NotFound("environment"))
}

/// The environment's row stays locked until the commit, for what is counted per environment. Taken before the audit stream.
/// Errors: `NotFound`.
pub fn lock(tx: &mut Tx<'_>, id: EnvironmentId) -> Result<(), Error> {
    store::lock_environment(tx, id)?.ok_or(Error::NotFound("environment"))
}

/// Of a project, by name. Errors: `NotFound` for the project.
pub fn list(tx: &mut Tx<'_>, project: ProjectId) -> Result<Vec<Environment>, Error> {
    find_project(tx, project)?;
    store::environments_of(tx, project)
}

/// Whether what is linked to the one may be used with the key of the other: they are one, or two of one project on one
/// chain. Unknown ones are of no project.
pub fn are_of_one_project(tx: &mut Tx<'_>, one: EnvironmentId, other: EnvironmentId) -> Result<bool, Error> {
    if one == other {
        return Ok(true);
    }
    let (one, other) = (store::environment(tx, one)?, store::environment(tx, other)?);
    Ok(one
        .zip(other)
        .is_some_and(|(one, other)| (one.project, &one.chain) == (other.project, &other.chain)))
}

/// Renames, or puts into another tier. What was used of the quota stays used.
///
/// Errors: `Invalid` when nothing is to change, `NotFound`, `AlreadyExists` for a name that is taken.
pub fn update(
    tx: &mut Tx<'_>,
    by: impl Into<By>,
    id: EnvironmentId,
    change: &EnvironmentChange,
) -> Result<Environment, Error> {
    let by = by.into();
    if *change == EnvironmentChange::default() {
        return Err(Error::invalid("", "nothing to change: give name or tier"));
    }
    if let Some(name) = &change.name {
        rules::text("name", name, Environment::NAME_LENGTH_MAX)?;
    }
    let changed = store::update_environment(tx, id, change)?.ok_or(Error::NotFound("environment"))?;
    let owner = super::find_user(tx, changed.owner)?;
    let data = described(&changed);
    record(tx, &by, changed.project, &[owner.wallet], "environment.updated", data)?;
    Ok(changed)
}

// --- keys -----------------------------------------------------------------------------------------------------------

/// The only moment, but a rotation, at which a key can be read.
///
/// Errors: `NotFound` for the environment, `AlreadyExists` while it has an active key of this purpose.
pub fn create_key(
    tx: &mut Tx<'_>,
    vault: &Vault,
    marker: TestMarker,
    by: impl Into<By>,
    environment: EnvironmentId,
    purpose: KeyPurpose,
) -> Result<IssuedEnvironmentKey, Error> {
    let by = by.into();
    let environment = find(tx, environment)?;
    let issued = issue(tx, vault, marker, &by, &environment, purpose)?;
    let data = json!({ "key": issued.stored.id.as_str(), "purpose": purpose.as_str() });
    record_key(tx, &by, &environment, "environment_key.created", data)?;
    Ok(issued)
}

/// Puts a new key in the place of an active one, which is refused from now on, or `overlap_seconds` from now. What was
/// still accepted from an earlier rotation ends now.
///
/// Errors: `NotFound` for a key of another environment, `Conflict` for one that is not active, `Invalid` for an overlap
/// out of bounds.
pub fn rotate_key(
    tx: &mut Tx<'_>,
    vault: &Vault,
    marker: TestMarker,
    by: impl Into<By>,
    old: (EnvironmentId, &KeyId),
    overlap_seconds: i64,
) -> Result<IssuedEnvironmentKey, Error> {
    let by = by.into();
    if !(0..=OVERLAP_SECONDS_MAX).contains(&overlap_seconds) {
        let message = format!("must be from 0 to {OVERLAP_SECONDS_MAX}");
        return Err(Error::invalid("overlapSeconds", message));
    }
    let environment = find(tx, old.0)?;
    let key = store::lock_key(tx, environment.id, old.1)?.ok_or(Error::NotFound("key"))?;
    if key.state != KeyState::Active {
        return Err(Error::Conflict(
            "The key is not active: only the active key is rotated".to_owned(),
        ));
    }
    store::end_retiring(tx, environment.id, key.purpose, by.now)?;
    let until = (overlap_seconds > 0).then(|| by.now.plus_seconds(overlap_seconds));
    let state = until.map_or(KeyState::Ended, |until| KeyState::Retiring { until });
    store::put_state(tx, &key.id, state, by.now)?;
    let issued = issue(tx, vault, marker, &by, &environment, key.purpose)?;
    let data = json!({
        "key": issued.stored.id.as_str(), "purpose": key.purpose.as_str(), "replaced": key.id.as_str(),
        "replacedAcceptedUntil": until,
    });
    record_key(tx, &by, &environment, "environment_key.rotated", data)?;
    Ok(issued)
}

/// The key is refused from the next request on. Errors: `NotFound` for a key of another environment, `Conflict` for one
/// that has ended.
pub fn revoke_key(
    tx: &mut Tx<'_>,
    by: impl Into<By>,
    environment: EnvironmentId,
    id: &KeyId,
) -> Result<EnvironmentKey, Error> {
    let by = by.into();
    let environment = find(tx, environment)?;
    let key = store::lock_key(tx, environment.id, id)?.ok_or(Error::NotFound("key"))?;
    if key.state == KeyState::Ended {
        return Err(Error::Conflict("The key has ended already".to_owned()));
    }
    store::put_state(tx, &key.id, KeyState::Ended, by.now)?;
    let data = json!({ "key": key.id.as_str(), "purpose": key.purpose.as_str() });
    record_key(tx, &by, &environment, "environment_key.revoked", data)?;
    Ok(EnvironmentKey {
        state: KeyState::Ended,
        ended_at: Some(by.now),
        ..key
    })
}

/// Newest first; those that have ended too. Errors: `NotFound` for the environment.
pub fn list_keys(tx: &mut Tx<'_>, environment: EnvironmentId) -> Result<Vec<EnvironmentKey>, Error> {
    find(tx, environment)?;
    store::keys_of(tx, environment)
}

/// Whose secret key this is. One query, asked at each request.
///
/// Errors: `Unauthenticated` for everything that is not an accepted secret key, without saying why.
pub fn authenticate(tx: &mut Tx<'_>, vault: &Vault, token: &str, now: Timestamp) -> Result<Caller, Error> {
    let found = store::secret_key(tx, hash(vault, token))?.ok_or(Error::Unauthenticated)?;
    let (state, caller) = found;
    if state.is_accepted(now) {
        Ok(caller)
    } else {
        Err(Error::Unauthenticated)
    }
}

/// What is stored instead of a key.
pub fn hash(vault: &Vault, token: &str) -> Hash32 {
    vault.mac("access.environment_key", &[token.as_bytes()])
}

// --- usage of publishable keys --------------------------------------------------------------------------------------

/// Writes what this process has counted; what cannot be written now stays counted. An unknown key is counted as such and
/// ignored.
pub async fn write_usage(db: &Db, buffer: &UsageBuffer, now: Timestamp) -> Result<(), Error> {
    let counts = buffer.take();
    if counts.is_empty() {
        return Ok(());
    }
    let writing = counts.clone();
    match db.write(move |tx| store::add_usage(tx, &writing, now)).await {
        Ok(unknown) => {
            metrics::counter!("publishable_keys_unknown_total").increment(unknown);
            Ok(())
        }
        Err(error) => {
            buffer.put_back(counts);
            Err(error)
        }
    }
}

/// Requests per day, both days included, of all publishable keys that the environment has or had; days without a request
/// are left out. Errors: `NotFound` for the environment.
pub fn usage(tx: &mut Tx<'_>, environment: EnvironmentId, from: Day, to: Day) -> Result<Vec<DayUsage>, Error> {
    find(tx, environment)?;
    store::usage_of(tx, environment, from, to)
}

// --- details --------------------------------------------------------------------------------------------------------

fn issue(
    tx: &mut Tx<'_>,
    vault: &Vault,
    marker: TestMarker,
    by: &By,
    environment: &Environment,
    purpose: KeyPurpose,
) -> Result<IssuedEnvironmentKey, Error> {
    let key = KeyText::of(purpose, environment.test.then_some(marker))?;
    let stored = EnvironmentKey {
        id: key.id.clone(),
        environment: environment.id,
        purpose,
        start: key.start.clone(),
        state: KeyState::Active,
        created_at: by.now,
        ended_at: None,
    };
    store::insert_key(tx, &stored, hash(vault, key.reveal()), by.user)?;
    Ok(IssuedEnvironmentKey { stored, key })
}

fn described(environment: &Environment) -> Value {
    json!({
        "environment": environment.id, "name": environment.name, "chain": environment.chain,
        "test": environment.test, "tier": environment.tier.as_str(), "mintsPerMinute": environment.tier.per_minute(),
        "mintsBurst": environment.tier.burst(), "owner": environment.owner,
    })
}

fn record_key(
    tx: &mut Tx<'_>,
    by: &By,
    environment: &Environment,
    action: &'static str,
    mut data: Value,
) -> Result<(), Error> {
    let owner = super::find_user(tx, environment.owner)?;
    if let Value::Object(fields) = &mut data {
        fields.insert("environment".to_owned(), json!(environment.id));
    }
    record(tx, by, environment.project, &[owner.wallet], action, data)
}

/// All events of a project are in one stream, in their order.
fn record(
    tx: &mut Tx<'_>,
    by: &By,
    project: ProjectId,
    subjects: &[Address],
    action: &'static str,
    mut data: Value,
) -> Result<(), Error> {
    if let Value::Object(fields) = &mut data {
        fields.insert("project".to_owned(), json!(project));
    }
    let event = Event {
        stream: Stream::of_id(project.as_uuid()),
        actor: by.name.clone(),
        action,
        asset: None,
        operation: None,
        subjects: subjects.to_vec(),
        data,
    };
    audit::append(tx, by.now, vec![event])
}
