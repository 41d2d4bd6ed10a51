//! Which policy is in force. Every policy that was ever loaded is stored with its text, so that an old decision can be
//! read again; one is in force, and a process that loaded another one refuses mints and says so in `/readyz`.

mod store;

use serde_json::json;

use crate::audit::{self, Event, Stream, canonical_json};
use crate::db::Tx;
use crate::error::{Error, Refusal};
use crate::policy::PolicySet;
use crate::types::{Address, Hash32, Timestamp};

/// Stores the text of a loaded policy under its hash; without effect when it is there.
pub fn record_policy(tx: &mut Tx<'_>, set: &PolicySet, now: Timestamp) -> Result<(), Error> {
    let files: Vec<_> = set
        .files
        .iter()
        .map(|file| json!({ "path": &*file.path, "sha256": file.hash, "text": &*file.text }))
        .collect();
    store::record(tx, set.hash, &canonical_json(&json!({ "files": files })), now)
}

/// Puts a loaded policy in force; false when it was.
pub fn activate_policy(tx: &mut Tx<'_>, set: &PolicySet, actor: &str, now: Timestamp) -> Result<bool, Error> {
    record_policy(tx, set, now)?;
    let before = store::active(tx)?;
    if before == Some(set.hash) {
        return Ok(false);
    }
    store::activate(tx, set.hash, now)?;
    let event = Event {
        stream: Stream::of_subject(&Address::ZERO),
        actor: actor.to_owned(),
        action: "policy.activated",
        asset: None,
        operation: None,
        subjects: Vec::new(),
        data: json!({ "before": before, "hash": set.hash }),
    };
    audit::append(tx, now, vec![event])?;
    Ok(true)
}

pub fn active_policy(tx: &mut Tx<'_>) -> Result<Option<Hash32>, Error> {
    store::active(tx)
}

/// Why nobody may be judged with this set; none while it is the one in force.
pub fn policy_refusal(tx: &mut Tx<'_>, set: &PolicySet) -> Result<Option<Refusal>, Error> {
    let active = store::active(tx)?;
    if active == Some(set.hash) {
        return Ok(None);
    }
    let in_force = active.map_or_else(|| "none".to_owned(), |hash| hash.to_string());
    let reason = format!("this server loaded {}, in force is {in_force}", set.hash);
    Ok(Some(Refusal::PolicyError { reason }))
}
