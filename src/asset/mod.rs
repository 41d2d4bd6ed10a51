//! Fungible assets: what they are, what is attached to them, and the state that rules look at.
//!
//! *Kind*: bond, equity, fund, stablecoin, deposit. *Feature*: a part that requests rely on; cap, collateral and a
//! maturity date attach at creation to any kind, the others follow from the kind. *Lifecycle*: paused or active; a new
//! asset is paused. *Supply* is posted, *pending* is on its way in; both belong to `ledger/`, which changes them under
//! the lock of the asset's row. *Revision* moves with every change of what rules look at.
//!
//! Invariants: an address belongs to one asset; 0 to 18 decimals; a cap is above zero and never set below supply and
//! pending; a module is attached once; every asset has an identity. Nothing about what an asset is (kind, decimals,
//! price, policy, settlement) changes after creation.
//!
//! Source: dalp.md 1.5, A9 and section 5.

mod model;
mod names;
mod search;
mod store;

pub use model::{
    Asset, AssetKind, Collateral, ConfiguredModule, Direction, EquityClass, Feature, Lifecycle, Listing, NewAsset,
    NewModule, Order, Price, Settlement,
};
pub use names::{AssetName, BasisPoints, Decimals, ParseError, Symbol, Token};

use crate::db::{Page, Tx};
use crate::error::Error;
use crate::types::{Address, Amount, AssetId};

/// The most that a search gives, and what it gives when nothing was said (dalp.md 1.6).
pub const SEARCH_LIMIT_MAX: i64 = 50;
pub const SEARCH_LIMIT_DEFAULT: i64 = 10;
/// A search of nothing finds nothing.
pub const SEARCH_LENGTH_MIN: usize = 1;
pub const SEARCH_LENGTH_MAX: usize = 100;

/// The asset, whose row stays locked until the commit: the first lock of whatever changes an asset.
///
/// `NotFound` when there is none.
pub fn lock(tx: &mut Tx<'_>, asset: AssetId) -> Result<Asset, Error> {
    store::lock(tx, asset)
}

pub fn find(tx: &mut Tx<'_>, asset: AssetId) -> Result<Asset, Error> {
    store::by_id(tx, asset)
}

pub fn find_by_address(tx: &mut Tx<'_>, address: &Address) -> Result<Asset, Error> {
    store::by_address(tx, address)
}

/// The modules of an asset in the order of their evaluation.
pub fn modules_of(tx: &mut Tx<'_>, asset: AssetId) -> Result<Vec<ConfiguredModule>, Error> {
    store::modules_of(tx, asset)
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

/// Notes that something changed that rules look at.
pub fn bump_revision(tx: &mut Tx<'_>, asset: AssetId) -> Result<(), Error> {
    store::bump_revision(tx, asset)
}
