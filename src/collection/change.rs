use std::collections::HashMap;

use serde_json::json;

use super::accept::{self, Refusing, Shows, Wish};
use super::{
    Caller, Collection, Metadata, MintKind, MintRequest, Profile, RequestStatus, Requested, TokenRow, events, find,
    may, rules, store,
};
use crate::access::{self, Permission};
use crate::asset::{self, Books};
use crate::audit;
use crate::db::Tx;
use crate::error::Error;
use crate::ledger;
use crate::operation::{self, Status};
use crate::policy::PolicySet;
use crate::types::{AssetId, EnvironmentId, MetadataId, ReferenceId, TokenId};

/// Why a request that was taken back has failed.
const CANCELLED: &str = "cancelled before it was sent";

/// Takes back a request that was not sent. `Conflict` when it was, or has ended.
pub fn cancel(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    collection: AssetId,
    reference: &ReferenceId,
) -> Result<MintRequest, Error> {
    let collection = find(tx, collection)?;
    may(tx, caller, &collection, Permission::Mint)?;
    let asset = asset::lock(tx, collection.id)?;
    let request = super::mint_request(tx, collection.id, reference)?;
    let sent = || Error::Conflict("The mint request was sent already, or has ended".to_owned());
    let number = request.sequence.ok_or_else(sent)?;
    let operations = operation::of_numbers(tx, asset.id, &[number])?;
    let is_queued = |one: &operation::Operation| one.status == Status::Queued;
    let operation = operations.into_iter().find(is_queued).ok_or_else(sent)?;

    let now = caller.ctx.now;
    let mut books = Books::open(tx, &asset, vec![request.owner])?;
    ledger::void(tx, &mut books.sheet, number, &books.countries)?;
    ledger::save(tx, books.sheet, now)?;
    operation::cancel(tx, asset.id, &[number], CANCELLED, now)?;
    super::fail(tx, asset.id, &[number], CANCELLED, None, now)?;
    let data = json!({ "mintRequest": request.id, "number": number, "reason": CANCELLED });
    let event = audit::Event {
        operation: Some(operation.id),
        ..events::changed(caller, &collection, "mint.voided", data)
    };
    audit::append(tx, now, vec![event])?;
    super::mint_request(tx, collection.id, reference)
}

/// Makes a request that failed again, under the same reference and with the same content. `Conflict` when the newest
/// request under it has not failed.
pub fn retry(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    policies: &PolicySet,
    collection: AssetId,
    reference: &ReferenceId,
) -> Result<Requested, Error> {
    let collection = find(tx, collection)?;
    may(tx, caller, &collection, Permission::Mint)?;
    let failed = super::mint_request(tx, collection.id, reference)?;
    if failed.status != RequestStatus::Failed {
        return Err(Error::Conflict("The mint request has not failed".to_owned()));
    }
    let wish = Wish {
        reference: failed.reference,
        kind: failed.kind,
        owner: failed.owner,
        token_id: match failed.kind {
            MintKind::ById | MintKind::Amounts => failed.token_id,
            MintKind::ByQuantity => None,
        },
        amount: failed.amount,
        shows: failed.metadata.map_or(Shows::Nothing, Shows::Known),
    };
    accept::accept(tx, caller, policies, &collection, &[wish], Refusing::Alone)
}

/// Links a collection to another environment, or to none. `NotFound` for an unknown environment.
pub fn link(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    collection: AssetId,
    environment: Option<EnvironmentId>,
) -> Result<Collection, Error> {
    let known = find(tx, collection)?;
    may(tx, caller, &known, Permission::GrantAssetRole)?;
    if let Some(environment) = environment {
        access::environment::find(tx, environment)?;
    }
    asset::lock(tx, collection)?;
    let before = find(tx, collection)?;
    store::set_environment(tx, collection, environment, caller.ctx.now)?;
    let data = json!({ "before": before.environment, "environment": environment });
    let event = events::changed(caller, &before, "collection.linked", data);
    audit::append(tx, caller.ctx.now, vec![event])?;
    find(tx, collection)
}

/// As [`link`], a collection that is linked to no environment: of two who ask at once one gets it. `AlreadyExists` when it is
/// linked.
pub fn claim(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    collection: AssetId,
    environment: EnvironmentId,
) -> Result<Collection, Error> {
    asset::lock(tx, collection)?;
    if find(tx, collection)?.environment.is_some() {
        let message = "The collection is linked to an environment already".to_owned();
        return Err(Error::AlreadyExists(message));
    }
    link(tx, caller, collection, Some(environment))
}

/// Replaces what tokens show: each whole, a field that is left out is gone. Only the list as a whole has a bound, which its
/// door keeps (immutable.md section 5). A token of a stack gets its own content, and
/// the others keep theirs. `NotFound` when one was never minted; then nothing changes.
pub fn refresh_tokens(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    collection: AssetId,
    contents: &[(TokenId, Metadata)],
) -> Result<(), Error> {
    let collection = find(tx, collection)?;
    may(tx, caller, &collection, Permission::Mint)?;
    asset::lock(tx, collection.id)?;
    let now = caller.ctx.now;
    let ids: Vec<TokenId> = contents.iter().map(|(id, _)| *id).collect();
    let mut tokens = store::tokens_by_ids(tx, collection.id, &ids)?;
    let stacks: Vec<MetadataId> = tokens.values().filter_map(|row| row.metadata_id).collect();
    let sharing = store::sharing(tx, collection.id, &stacks)?;
    let awaited = store::awaited(tx, collection.id, &stacks)?;
    let is_own = |id: &MetadataId| sharing.get(id).is_none_or(|count| *count <= 1) && !awaited.contains(id);

    let mut saved: HashMap<MetadataId, Metadata> = HashMap::new();
    for (token_id, metadata) in contents {
        let row: &mut TokenRow = tokens.get_mut(token_id).ok_or(Error::NotFound("token"))?;
        let id = row.metadata_id.filter(is_own).unwrap_or_else(MetadataId::generate);
        row.metadata_id = Some(id);
        row.updated_at = now;
        row.metadata_synced_at = Some(now);
        saved.insert(id, metadata.clone());
    }
    let saved: Vec<(MetadataId, Metadata)> = saved.into_iter().collect();
    store::save_metadata(tx, collection.id, &saved, now)?;
    let rows: Vec<TokenRow> = tokens.into_values().collect();
    store::save_tokens(tx, &rows)?;
    let event = events::changed(caller, &collection, "metadata.refreshed", json!({ "tokenIds": ids }));
    audit::append(tx, now, vec![event])
}

/// Replaces what every token of some stacks shows. `NotFound` when there is no such stack; then nothing changes.
pub fn refresh_stacks(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    collection: AssetId,
    contents: &[(MetadataId, Metadata)],
) -> Result<(), Error> {
    let collection = find(tx, collection)?;
    may(tx, caller, &collection, Permission::Mint)?;
    asset::lock(tx, collection.id)?;
    let now = caller.ctx.now;
    let asked: Vec<(AssetId, MetadataId)> = contents.iter().map(|(id, _)| (collection.id, *id)).collect();
    let known = store::stacks_by_ids(tx, &asked)?;
    if contents.iter().any(|(id, _)| !known.contains_key(id)) {
        return Err(Error::NotFound("metadata"));
    }
    let last: HashMap<MetadataId, Metadata> = contents.iter().cloned().collect();
    let saved: Vec<(MetadataId, Metadata)> = last.into_iter().collect();
    store::save_metadata(tx, collection.id, &saved, now)?;
    let ids: Vec<MetadataId> = saved.iter().map(|(id, _)| *id).collect();
    store::note_synced(tx, collection.id, &ids, now)?;
    let event = events::changed(caller, &collection, "metadata.refreshed", json!({ "stacks": ids }));
    audit::append(tx, now, vec![event])
}

/// Replaces what the collection shows of itself. The names in its contract stay what they are.
pub fn refresh_collection(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    collection: AssetId,
    profile: &Profile,
) -> Result<Collection, Error> {
    let before = find(tx, collection)?;
    may(tx, caller, &before, Permission::Mint)?;
    rules::check_profile(profile)?;
    asset::lock(tx, collection)?;
    store::set_profile(tx, collection, profile, caller.ctx.now)?;
    let event = events::changed(caller, &before, "collection.refreshed", json!({}));
    audit::append(tx, caller.ctx.now, vec![event])?;
    find(tx, collection)
}

/// Puts the metadata of a new collection's tokens where this server hosts it, below `url`. Before its contract is made: that
/// keeps the address from then on.
pub fn host(tx: &mut Tx<'_>, caller: &Caller<'_>, collection: &Collection, url: &str) -> Result<Collection, Error> {
    let address = collection.address.to_lower_hex();
    let profile = Profile {
        base_uri: Some(format!("{url}/{address}/")),
        ..collection.profile.clone()
    };
    store::set_profile(tx, collection.id, &profile, caller.ctx.now)?;
    find(tx, collection.id)
}
