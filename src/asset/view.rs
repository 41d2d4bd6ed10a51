use super::{Asset, ConfiguredModule, Decimals, Symbol, store};
use crate::access::{self, Role};
use crate::db::Tx;
use crate::error::Error;
use crate::identity::{self, Claim, Collateral};
use crate::types::{Address, Currency, Timestamp};

/// What belongs to an asset and is not in its row: with the row, everything that an answer about it shows.
#[derive(Clone, Debug, PartialEq)]
pub struct AssetView {
    /// The clock reading that maturity and collateral are judged by.
    pub at: Timestamp,
    /// What the value of the asset is counted in.
    pub base_currency: Option<Currency>,
    pub links: Links,
    /// Claims on the asset's identity that were not superseded, newest first.
    pub claims: Vec<Claim>,
    /// `None` too when the asset needs no collateral.
    pub collateral: Collateral,
    pub denomination: Option<Denomination>,
    pub grants: Vec<(Role, Address)>,
    pub modules: Vec<ConfiguredModule>,
}

/// Addresses that the row knows by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Links {
    pub identity: Address,
    /// The wallet of the asset's creator.
    pub creator: Address,
    /// Recipients of one operation that fit one transaction of its contract; none where it has none.
    pub recipients_max: Option<usize>,
}

/// The part of a view that moves only with the asset's revision, or never.
#[derive(Clone, Debug, PartialEq)]
pub struct Fixtures {
    pub links: Links,
    pub denomination: Option<Denomination>,
    pub modules: Vec<ConfiguredModule>,
}

/// What a commit knows already of an asset that it changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// Of the asset's revision.
    pub fixtures: Fixtures,
    /// All on the asset.
    pub grants: Vec<(Role, Address)>,
    /// As it is at the time of the view.
    pub collateral: Collateral,
}

/// The asset that a bond is paid out in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denomination {
    pub address: Address,
    pub symbol: Symbol,
    pub decimals: Decimals,
}

/// Two queries, one more with a denomination asset.
pub(super) fn fixtures(tx: &mut Tx<'_>, asset: &Asset) -> Result<Fixtures, Error> {
    let denomination = asset
        .denomination_asset
        .map(|address| denomination(tx, &address))
        .transpose()?;
    Ok(Fixtures {
        links: store::links_of(tx, asset.id)?,
        denomination,
        modules: store::modules_of(tx, asset.id)?,
    })
}

/// Three queries, four with a denomination asset, three more with collateral.
pub(super) fn known(tx: &mut Tx<'_>, asset: &Asset, at: Timestamp) -> Result<Known, Error> {
    let collateral = match &asset.collateral {
        Some(feature) => identity::collateral_of(tx, asset.identity, &feature.topic, at)?,
        None => Collateral::None,
    };
    Ok(Known {
        fixtures: fixtures(tx, asset)?,
        grants: access::grants_of_asset(tx, asset.id)?,
        collateral,
    })
}

/// One query.
pub(super) fn view(
    tx: &mut Tx<'_>,
    asset: &Asset,
    known: Known,
    at: Timestamp,
    base_currency: Option<Currency>,
) -> Result<AssetView, Error> {
    let Fixtures {
        links,
        denomination,
        modules,
    } = known.fixtures;
    Ok(AssetView {
        at,
        base_currency,
        links,
        claims: identity::standing_claims(tx, asset.identity)?,
        collateral: known.collateral,
        denomination,
        grants: known.grants,
        modules,
    })
}

fn denomination(tx: &mut Tx<'_>, address: &Address) -> Result<Denomination, Error> {
    let asset = store::by_address(tx, address)?;
    Ok(Denomination {
        address: asset.address,
        symbol: asset.symbol,
        decimals: asset.decimals,
    })
}
