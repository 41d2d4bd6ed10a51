//! Plans of readers: how many requests a rate-limit key may make (immutable.md section 7, seeds 001 and 003).
//!
//! *Plan*: requests in a window, by name. *Rate-limit key*: belongs to a plan and to no environment; shown once, kept as a
//! keyed hash, refused from the next request on once it is revoked.

mod model;
mod store;

use serde_json::json;

pub use model::{IssuedPlanKey, Plan, PlanKey, PlanName, Reader};

use super::environment::KeyText;
use super::{By, Vault};
use crate::audit::{self, Event, Stream};
use crate::db::Tx;
use crate::error::Error;
use crate::types::{Hash32, KeyId};

/// Creates the plan, or changes it for all its keys. Asks for no right, as every function here: the caller of the route
/// does. Errors: `Invalid` for numbers out of bounds.
pub fn put(tx: &mut Tx<'_>, by: impl Into<By>, name: &PlanName, requests: i64, seconds: i64) -> Result<Plan, Error> {
    let by = by.into();
    Plan::check(requests, seconds)?;
    let plan = store::put(tx, name, requests, seconds, by.now)?;
    let data = json!({ "plan": name.as_str(), "requests": requests, "windowSeconds": seconds });
    record(tx, &by, "rate_plan.updated", data)?;
    Ok(plan)
}

/// By name.
pub fn list(tx: &mut Tx<'_>) -> Result<Vec<Plan>, Error> {
    store::plans(tx)
}

/// The only moment the key can be read. Errors: `NotFound` for the plan.
pub fn create_key(tx: &mut Tx<'_>, vault: &Vault, by: impl Into<By>, plan: &PlanName) -> Result<IssuedPlanKey, Error> {
    let by = by.into();
    let plan = store::plan(tx, plan)?.ok_or(Error::NotFound("plan"))?;
    let key = KeyText::generate(PlanKey::PREFIX)?;
    let stored = PlanKey {
        id: key.id.clone(),
        plan: plan.name,
        start: key.start.clone(),
        active: true,
        created_at: by.now,
        ended_at: None,
    };
    store::insert_key(tx, &stored, hash(vault, key.reveal()), by.user)?;
    let data = json!({ "plan": stored.plan.as_str(), "key": stored.id.as_str() });
    record(tx, &by, "rate_limit_key.created", data)?;
    Ok(IssuedPlanKey { stored, key })
}

/// Newest first; those that have ended too. Errors: `NotFound` for the plan.
pub fn list_keys(tx: &mut Tx<'_>, plan: &PlanName) -> Result<Vec<PlanKey>, Error> {
    store::plan(tx, plan)?.ok_or(Error::NotFound("plan"))?;
    store::keys_of(tx, plan)
}

/// The key is refused from the next request on. Errors: `NotFound` for a key of another plan, `Conflict` for one that has
/// ended.
pub fn revoke_key(tx: &mut Tx<'_>, by: impl Into<By>, plan: &PlanName, id: &KeyId) -> Result<PlanKey, Error> {
    let by = by.into();
    let known = store::key(tx, plan, id)?.ok_or(Error::NotFound("key"))?;
    let ended = store::end_key(tx, &known.id, by.now)?;
    let ended = ended.ok_or_else(|| Error::Conflict("The key has ended already".to_owned()))?;
    let data = json!({ "plan": plan.as_str(), "key": id.as_str() });
    record(tx, &by, "rate_limit_key.revoked", data)?;
    Ok(ended)
}

/// Whose rate-limit key this is, and what its plan allows now: one query, asked at each request. None for what is no key
/// of a plan.
pub fn reader(tx: &mut Tx<'_>, vault: &Vault, token: &str) -> Result<Option<Reader>, Error> {
    store::reader(tx, hash(vault, token))
}

/// What is stored instead of a key.
pub fn hash(vault: &Vault, token: &str) -> Hash32 {
    vault.mac("access.rate_limit_key", &[token.as_bytes()])
}

/// Plans are the system's: their events are in one stream.
fn record(tx: &mut Tx<'_>, by: &By, action: &'static str, data: serde_json::Value) -> Result<(), Error> {
    let event = Event {
        stream: Stream::System(0),
        actor: by.name.clone(),
        action,
        asset: None,
        operation: None,
        subjects: Vec::new(),
        data,
    };
    audit::append(tx, by.now, vec![event])
}
