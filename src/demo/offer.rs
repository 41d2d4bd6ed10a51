//! The assets of the demo.

use super::manifest::AssetEntry;
use crate::asset::{Asset, AssetKind, AssetName, Decimals, EquityClass, NewAsset, Price, Settlement, Symbol, Token};
use crate::error::Error;
use crate::types::{Amount, CountryCode, Currency, Dnum};

/// The policy file of the equities; the stablecoin has the baseline alone.
const EQUITY_POLICY: &str = "demo-equity";
/// A million whole units.
const EQUITY_CAP: &str = "1000000000000000000000000";
/// A million whole units of six decimals.
const STABLECOIN_COLLATERAL: u64 = 1_000_000_000_000;

pub(super) fn equity(settlement: Settlement) -> Result<NewAsset, Error> {
    let equity = shares(settlement, "ACME Holdings Common Stock", "ACME", "VOTING_COMMON_STOCK")?;
    Ok(NewAsset {
        cap: Some(Amount::parse(EQUITY_CAP).map_err(Error::internal)?),
        ..equity
    })
}

pub(super) fn stablecoin(settlement: Settlement) -> Result<NewAsset, Error> {
    Ok(NewAsset {
        settlement,
        ..asset(AssetKind::Stablecoin, "ACME Dollar", "ACMEUSD", 6, "1.00")?
    })
}

/// Stays paused, as every asset begins.
pub(super) fn paused(settlement: Settlement) -> Result<NewAsset, Error> {
    shares(
        settlement,
        "ACME Holdings Second Offering",
        "ACMEP",
        "NON_VOTING_COMMON_STOCK",
    )
}

pub(super) fn collateral() -> Amount {
    Amount::from(STABLECOIN_COLLATERAL)
}

fn shares(settlement: Settlement, name: &str, symbol: &str, category: &str) -> Result<NewAsset, Error> {
    Ok(NewAsset {
        class: Some(Token::parse(EquityClass::Common.as_str()).map_err(Error::internal)?),
        category: Some(Token::parse(category).map_err(Error::internal)?),
        policy: Some(EQUITY_POLICY.to_owned()),
        settlement,
        ..asset(AssetKind::Equity, name, symbol, 18, "100.00")?
    })
}

fn asset(kind: AssetKind, name: &str, symbol: &str, decimals: u64, price: &str) -> Result<NewAsset, Error> {
    Ok(NewAsset {
        kind,
        name: AssetName::parse(name).map_err(Error::internal)?,
        symbol: Symbol::parse(symbol).map_err(Error::internal)?,
        decimals: Decimals::parse(decimals).map_err(Error::internal)?,
        isin: None,
        country: Some(CountryCode::parse_alpha2("BE").map_err(Error::internal)?),
        class: None,
        category: None,
        price: Some(Price {
            value: Dnum::parse_decimal(price).map_err(Error::internal)?,
            currency: Currency::parse("USD").map_err(Error::internal)?,
        }),
        face_value: None,
        denomination_asset: None,
        maturity: None,
        management_fee: None,
        settlement: Settlement::Book,
        policy: None,
        cap: None,
        collateral: None,
        modules: Vec::new(),
    })
}

/// As the manifest tells of it.
pub(super) fn entry(asset: &Asset) -> AssetEntry {
    AssetEntry {
        address: asset.address,
        symbol: asset.symbol.to_string(),
        decimals: asset.decimals.get(),
        cap: asset.cap,
        collateral: asset.collateral.as_ref().map(|_| collateral()),
    }
}
