//! NFT collections: ERC-721 and ERC-1155 contracts, who wishes to mint into them, what their tokens show and who has them.
//!
//! *Collection*: a row among the assets (its numbers, stream, roles, policy, books and lock are those of an asset) with
//! what only a collection has. *Mint request*: one wish under its caller's *reference*; each is one operation.
//! *By id*: the caller gives the token id. *By quantity*: the contract gives it, and it is read from the transaction's
//! logs, never computed. *Stack*: tokens of a collection that show the same. *Activity*: one token that moved, as a final
//! log says. *Register*: who has which tokens.
//!
//! The postings of a collection are in units: what ERC-721 counts with `balanceOf`, and the sum over all ids of an
//! ERC-1155. Which tokens they are is on the requests, the activities and the register.
//!
//! Invariants, checked by [`verify`]: the balances of a token sum to its supply, and the supplies to the collection's; an
//! ERC-721 token has one owner at most; a request that succeeded has one activity of its own. A reference has at most one
//! request that has not failed, and so has a token id of an ERC-721 (partial unique indexes). A call to mint is taken
//! whole or not at all; a request whose recipient the rules refuse has failed and takes no operation. Owners and balances
//! change only with final logs.
//!
//! Without a policy of its own a collection does not ask who its recipients are: the baseline's rules about addresses
//! count (sanctions), those about identities do not. With one its recipients are judged as those of an asset.
//!
//! Limits: 100 requests in a call, 16 KiB of metadata each; what refreshes say is bounded by the call alone. Source: immutable.md sections 3, 5, 6 and 8.

mod accept;
mod activity;
mod change;
mod check;
mod events;
mod file;
mod finish;
mod judge;
mod metadata;
mod model;
mod notice;
mod owner;
mod page;
mod read;
mod register;
mod request;
mod rules;
mod store;

use accept::{Refusing, Wish};
pub use activity::{Activity, ActivityKind, Minted, Moved, Place};
pub use change::{cancel, claim, host, link, refresh_collection, refresh_stacks, refresh_tokens, retry};
pub use check::verify;
pub use file::{
    FileLine, FileState, LineRefusal, MintFile, NewMintFile, Worked, cancel_file, mint_file, prune_files,
    refused_lines, submit_file, work_off, work_off_files,
};
pub use finish::{fail, kinds_of, moved_in, places, requests_of, succeed, unrecorded};
pub use judge::judge_again;
pub use metadata::{Attribute, AttributeValue, DisplayType, Metadata};
use model::TokenRow;
pub use model::{
    Caller, Collection, ContractType, Minting, NewCollection, Nft, Ownership, Profile, Right, Stack, Verification,
};
pub use owner::note_owner;
pub use page::{Slice, Window};
pub use read::{
    ActivityFilter, CollectionFilter, NftFilter, OwnerFilter, RequestFilter, StackFilter, activities, activity, find,
    find_by_address, find_by_number, find_many, free_id, list, metadata_of, mint_request, mint_requests,
    mint_requests_named, nft, nfts, nfts_held, owners, stack, stacks, taken_ids,
};
pub use register::{Register, Unexplained};
pub use request::{Conflict, MintKind, MintRequest, NewMintRequest, RequestStatus, Requested};

use serde_json::json;

use crate::access::{self, Permission, Scope};
use crate::asset;
use crate::audit;
use crate::db::Tx;
use crate::error::Error;
use crate::policy::PolicySet;
use crate::types::{Address, AssetId};

/// Founds a collection: its row among the assets, not paused, with its identity and its creator's first roles, and what
/// only a collection has. `address_of` says where its contract is or will be.
///
/// By role `Permission::CreateAsset` is needed; an environment founds collections of its own. `Invalid` for texts beyond
/// their bounds and a policy that is not loaded; `NotFound` for an unknown environment; `AlreadyExists` when the address is known here; `NotAllowed` when an
/// environment founds for another one.
pub fn found(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    policies: &PolicySet,
    new: &NewCollection,
    address_of: impl FnOnce(AssetId) -> Address,
) -> Result<Collection, Error> {
    match caller.right {
        Right::Role => access::require(tx, caller.ctx, Permission::CreateAsset, Scope::System)?,
        Right::Environment(environment) if new.environment == Some(environment) => {}
        Right::Environment(_) | Right::Owner(_) => return Err(foreign()),
    }
    rules::check_profile(&new.profile)?;
    rules::check_metadata_url(new.metadata_api_url.as_deref())?;
    if let Some(environment) = new.environment {
        access::environment::find(tx, environment)?;
    }
    let asset = asset::found(tx, caller.ctx, policies, rules::asset_of(new)?, address_of)?;
    store::insert(tx, asset.id, new, caller.ctx.now)?;
    let collection = find(tx, asset.id)?;
    let data = json!({
        "address": collection.address,
        "adopted": new.adopted,
        "environment": new.environment,
        "minting": new.minting.text(),
        "owner": new.owner,
    });
    let event = events::changed(caller, &collection, "collection.founded", data);
    audit::append(tx, caller.ctx.now, vec![event])?;
    Ok(collection)
}

/// Takes wishes to mint: all of them or none. Settlement sends them; a wish whose recipient the rules refuse has failed
/// when this returns.
///
/// `Invalid` with everything that is wrong (paths are those of Immutable's API); `Forbidden` without `Permission::Mint`
/// on the collection, `NotAllowed` for an environment that is not linked to it; `NotFound` without such a collection.
pub fn request_mints(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    policies: &PolicySet,
    collection: AssetId,
    requests: &[NewMintRequest],
) -> Result<Requested, Error> {
    take(tx, caller, policies, collection, requests, Refusing::Alone)
}

/// As [`request_mints`], but a recipient whom the rules refuse refuses the whole call: `Refused` with every finding.
pub fn mint_all(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    policies: &PolicySet,
    collection: AssetId,
    requests: &[NewMintRequest],
) -> Result<Requested, Error> {
    take(tx, caller, policies, collection, requests, Refusing::All)
}

fn take(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    policies: &PolicySet,
    collection: AssetId,
    requests: &[NewMintRequest],
    refusing: Refusing,
) -> Result<Requested, Error> {
    let collection = find(tx, collection)?;
    may(tx, caller, &collection, Permission::Mint)?;
    rules::check(&collection, requests)?;
    let wishes: Vec<Wish> = requests.iter().map(|request| Wish::of(&collection, request)).collect();
    accept::accept(tx, caller, policies, &collection, &wishes, refusing)
}

/// Whether the caller may act on this collection: by a role that gives the permission, by an environment of the project to
/// which it is linked (immutable.md part A: "whose project is linked to the collection"), or as its owner.
pub fn may(tx: &mut Tx<'_>, caller: &Caller<'_>, collection: &Collection, permission: Permission) -> Result<(), Error> {
    match (caller.right, collection.environment) {
        (Right::Role, _) => access::require(tx, caller.ctx, permission, Scope::Asset(collection.id)),
        (Right::Environment(own), Some(linked)) if access::environment::are_of_one_project(tx, own, linked)? => Ok(()),
        (Right::Owner(wallet), _) if collection.owner == wallet => Ok(()),
        (Right::Environment(_) | Right::Owner(_), _) => Err(foreign()),
    }
}

fn foreign() -> Error {
    Error::NotAllowed("The collection does not belong to this key".to_owned())
}
