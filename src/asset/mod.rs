//! Assets: what they are, what is attached to them, and the state that rules look at.
//!
//! *Kind*: bond, equity, fund, stablecoin, deposit; erc721 and erc1155 for the row of an NFT collection (`collection/`),
//! which has no decimals and is not among the assets that are listed, searched and found by address here. *Feature*: a
//! part that requests rely on; cap, collateral and a maturity date attach at creation to any kind, the others follow
//! from the kind. *Lifecycle*: paused or active; a new asset is paused, a new collection is not. *Supply* is posted,
//! *pending* is on its way in; both belong to `ledger/`, which changes them under the lock of the asset's row.
//! *Revision* moves with every change of what rules look at.
//!
//! Invariants: an address belongs to one asset; 0 to 18 decimals; a cap is above zero and never set below supply and
//! pending; a module is attached once; every asset has an identity. Nothing about what an asset is (kind, decimals,
//! price, policy, settlement) changes after creation.
//!
//! Source: dalp.md 1.5, A9 and section 5.

mod books;
mod model;
mod names;
mod rules;
mod search;
mod store;
mod view;

pub use books::Books;
#[cfg(test)]
pub(crate) use model::sample;
pub use model::{
    Asset, AssetKind, Collateral, ConfiguredModule, Direction, EquityClass, Feature, Lifecycle, Listing, NewAsset,
    NewModule, Order, Price, Settlement,
};
pub use names::{AssetName, BasisPoints, Decimals, ParseError, Symbol, Token};
pub use view::{AssetView, Denomination, Fixtures, Known, Links};

use std::collections::HashMap;

use serde_json::json;

use crate::access::{self, Permission, Role, Scope};
use crate::audit::{self, Event, Stream};
use crate::compliance::Attached;
use crate::ctx::Ctx;
use crate::db::{Page, Tx};
use crate::error::{Error, Issue};
use crate::identity;
use crate::policy::{Definitions, PolicySet};
use crate::types::{Address, Amount, AssetId, Currency, Timestamp};

/// The most that a search gives, and what it gives when nothing was said (dalp.md 1.6).
pub const SEARCH_LIMIT_MAX: i64 = 50;
pub const SEARCH_LIMIT_DEFAULT: i64 = 10;
/// A search of nothing finds nothing.
pub const SEARCH_LENGTH_MIN: usize = 1;
pub const SEARCH_LENGTH_MAX: usize = 100;

/// Creates an asset with its identity, its modules and its first roles: paused, nothing issued, its creator `admin` and
/// `governance` and nothing else (dalp.md A9).
///
/// `address_of` says where the contract of an asset is or would be ([`book_address`], or where a factory puts it).
///
/// `Invalid` with everything that is wrong with the fields, also a policy that is not loaded; `Forbidden` without
/// `tokenManager`.
pub fn create(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    policies: &PolicySet,
    new: NewAsset,
    address_of: impl FnOnce(AssetId) -> Address,
) -> Result<Asset, Error> {
    may_create(tx, ctx, policies, &new)?;
    found(tx, ctx, policies, new, address_of)
}

/// As [`create`] without asking for the right: for who may create by something else than a role, as an environment may
/// create collections. A collection is not paused.
///
/// `Invalid` for fields that do not fit, also a policy that is not loaded; `AlreadyExists` when the address is taken.
pub fn found(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    policies: &PolicySet,
    new: NewAsset,
    address_of: impl FnOnce(AssetId) -> Address,
) -> Result<Asset, Error> {
    rules::check(&new, policies, ctx.now)?;
    let id = AssetId::generate();
    let beginning = Beginning {
        id,
        address: address_of(id),
        lifecycle: None,
        action: "asset.created",
    };
    begin(tx, ctx, new, beginning)
}

/// As [`create`], for a contract that is there already and is paused or not.
///
/// `AlreadyExists` too, when it is an asset of this server.
pub fn adopt(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    policies: &PolicySet,
    new: NewAsset,
    address: Address,
    lifecycle: Lifecycle,
) -> Result<Asset, Error> {
    may_create(tx, ctx, policies, &new)?;
    let beginning = Beginning {
        id: AssetId::generate(),
        address,
        lifecycle: Some(lifecycle),
        action: "asset.adopted",
    };
    begin(tx, ctx, new, beginning)
}

/// How an asset begins.
struct Beginning {
    id: AssetId,
    address: Address,
    /// Of a contract that is there already; else what is usual for the kind.
    lifecycle: Option<Lifecycle>,
    action: &'static str,
}

/// The fields are sound, and the caller may.
fn begin(tx: &mut Tx<'_>, ctx: &Ctx, new: NewAsset, beginning: Beginning) -> Result<Asset, Error> {
    let Beginning { id, address, .. } = beginning;
    let (identity, _) = identity::create_for_asset(tx, ctx.now, address)?;
    let (asset, modules) = rules::begin(id, address, identity, new, ctx);
    let asset = Asset {
        lifecycle: beginning.lifecycle.unwrap_or(asset.lifecycle),
        ..asset
    };
    store::insert(tx, &asset)?;
    store::insert_modules(tx, id, &modules)?;

    let creator = ctx.actor.wallet;
    audit::append(tx, ctx.now, vec![begun(ctx, &asset, &modules, beginning.action)])?;
    access::grant(
        tx,
        ctx,
        Scope::Asset(id),
        &[(creator, Role::Admin), (creator, Role::Governance)],
    )?;
    Ok(asset)
}

/// The address of an asset that settles in the books: where a factory would put it on a chain with the number 0.
pub fn book_address(asset: AssetId) -> Address {
    rules::address_of(asset)
}

/// Whether the fields are sound and the caller may create: what [`create`] asks first.
pub fn may_create(tx: &mut Tx<'_>, ctx: &Ctx, policies: &PolicySet, new: &NewAsset) -> Result<(), Error> {
    rules::check(new, policies, ctx.now)?;
    rules::check_topics(new, policies, &identity::list_topics(tx)?)?;
    require_denomination(tx, new.denomination_asset)?;
    access::require(tx, ctx, Permission::CreateAsset, Scope::System)
}

/// A bond is paid out in an asset that this server knows.
fn require_denomination(tx: &mut Tx<'_>, address: Option<Address>) -> Result<(), Error> {
    let Some(address) = address else { return Ok(()) };
    match store::by_address(tx, &address) {
        Err(Error::NotFound(_)) => {
            let issue = Issue::new("denominationAsset", "unknown", "is not an asset of this server");
            Err(Error::Invalid(vec![issue]))
        }
        other => other.map(|_| ()),
    }
}

fn begun(ctx: &Ctx, asset: &Asset, modules: &[NewModule], action: &'static str) -> Event {
    let modules: Vec<_> = modules
        .iter()
        .map(|module| json!({ "typeId": module.type_id, "values": module.values.to_string() }))
        .collect();
    Event {
        stream: Stream::Asset(asset.id),
        actor: ctx.actor.name(),
        action,
        asset: Some(asset.id),
        operation: None,
        subjects: vec![asset.address],
        data: json!({
            "address": asset.address,
            "type": asset.kind.as_str(),
            "name": asset.name.as_str(),
            "symbol": asset.symbol.as_str(),
            "decimals": asset.decimals.get(),
            "isin": asset.isin.as_ref().map(ToString::to_string),
            "country": asset.country,
            "price": asset.price.map(|price| price.value),
            "currency": asset.price.map(|price| price.currency.to_string()),
            "cap": asset.cap,
            "collateral": asset.collateral.as_ref().map(|collateral| {
                json!({ "topic": collateral.topic, "ratioBps": collateral.ratio.get() })
            }),
            "maturity": asset.maturity,
            "settlement": asset.settlement.as_str(),
            "policy": asset.policy,
            "modules": modules,
        }),
    }
}

/// The asset, whose row stays locked until the commit: the first lock of whatever changes an asset.
///
/// `NotFound` when there is none.
pub fn lock(tx: &mut Tx<'_>, asset: AssetId) -> Result<Asset, Error> {
    store::lock(tx, asset)
}

pub fn find(tx: &mut Tx<'_>, asset: AssetId) -> Result<Asset, Error> {
    store::by_id(tx, asset)
}

/// Those of these that exist, by id.
pub fn find_many(tx: &mut Tx<'_>, assets: &[AssetId]) -> Result<HashMap<AssetId, Asset>, Error> {
    let found = store::by_ids(tx, assets)?;
    Ok(found.into_iter().map(|asset| (asset.id, asset)).collect())
}

/// A fungible one: the address of a collection is not found.
pub fn find_by_address(tx: &mut Tx<'_>, address: &Address) -> Result<Asset, Error> {
    store::by_address(tx, address)
}

/// Of an asset or a collection: their events and roles are kept alike. `NotFound` when there is neither.
pub fn id_at(tx: &mut Tx<'_>, address: &Address) -> Result<AssetId, Error> {
    store::id_at(tx, address)?.ok_or(Error::NotFound("asset"))
}

/// The modules of an asset in the order of their evaluation.
pub fn modules_of(tx: &mut Tx<'_>, asset: AssetId) -> Result<Vec<ConfiguredModule>, Error> {
    store::modules_of(tx, asset)
}

/// What an answer about the asset shows besides its row; its value is counted in the base currency, if there is one. Needs
/// no right: whoever has a key may read it.
pub fn view(
    tx: &mut Tx<'_>,
    asset: &Asset,
    at: Timestamp,
    base_currency: Option<Currency>,
) -> Result<AssetView, Error> {
    let known = view::known(tx, asset, at)?;
    view::view(tx, asset, known, at, base_currency)
}

/// What [`view`] shows of this revision of the asset, whenever it is asked.
pub fn fixtures(tx: &mut Tx<'_>, asset: &Asset) -> Result<Fixtures, Error> {
    view::fixtures(tx, asset)
}

/// As [`view`], for who has read most of it.
pub fn view_with(
    tx: &mut Tx<'_>,
    asset: &Asset,
    known: Known,
    at: Timestamp,
    base_currency: Option<Currency>,
) -> Result<AssetView, Error> {
    view::view(tx, asset, known, at, base_currency)
}

/// The modules as rules read them. An issue means that a module does not read any more with these definitions: then
/// nobody may pass.
pub fn attached(
    modules: &[ConfiguredModule],
    decimals: Decimals,
    definitions: &Definitions,
) -> Result<Vec<Attached>, Vec<Issue>> {
    rules::attached(modules, decimals, definitions)
}

/// One page, how many match in all, and the cursor of the next page.
pub fn list(tx: &mut Tx<'_>, listing: Listing, page: &Page) -> Result<(Vec<Asset>, i64, Option<String>), Error> {
    let (assets, cursor) = store::page(tx, listing, page)?;
    let total = store::count(tx, listing.kind)?;
    Ok((assets, total, cursor))
}

/// Assets whose name, symbol or ISIN contains the query, or whose address begins with it, by symbol.
pub fn search(tx: &mut Tx<'_>, query: &str, limit: i64) -> Result<Vec<Asset>, Error> {
    store::search(tx, &search::search_terms(query), limit)
}

/// Pauses or unpauses; the caller holds the lock and has checked the state that holds.
pub fn set_lifecycle(tx: &mut Tx<'_>, asset: AssetId, lifecycle: Lifecycle) -> Result<(), Error> {
    store::set_lifecycle(tx, asset, lifecycle)
}

/// Sets the cap; the caller holds the lock and has compared it with the supply.
pub fn set_cap(tx: &mut Tx<'_>, asset: AssetId, cap: Amount) -> Result<(), Error> {
    store::set_cap(tx, asset, cap)
}

/// The number of the asset's next operation; the caller holds the lock and stores that operation.
pub fn take_number(tx: &mut Tx<'_>, asset: &Asset) -> Result<i64, Error> {
    store::set_next_operation(tx, asset.id, asset.next_operation.saturating_add(1))?;
    Ok(asset.next_operation)
}

/// Notes that something changed that rules look at.
pub fn bump_revision(tx: &mut Tx<'_>, asset: AssetId) -> Result<(), Error> {
    store::bump_revision(tx, asset)
}

#[cfg(test)]
mod tests;
