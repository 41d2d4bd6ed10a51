use diesel::prelude::*;
use diesel::sql_types::Text;

use super::search::SearchTerms;
use super::{
    Asset, AssetKind, AssetName, BasisPoints, Collateral, ConfiguredModule, Decimals, Direction, Lifecycle, Links,
    Listing, NewModule, Order, Price, Settlement, Symbol, Token,
};
use crate::db::schema::{asset_modules, assets, chain_assets, identities, users};
use crate::db::{Cursor, Page, Tx};
use crate::error::Error;
use crate::on;
use crate::types::{
    Address, Amount, AssetId, CountryCode, Currency, Dnum, IdentityId, Isin, Timestamp, TopicName, UserId,
};

diesel::define_sql_function! {
    /// Lower case; on SQLite of ASCII letters only.
    fn lower(text: Text) -> Text;
}

/// The columns in the order of the table.
#[derive(Queryable)]
struct Row {
    id: AssetId,
    address: Address,
    kind: String,
    name: String,
    symbol: String,
    decimals: i16,
    isin: Option<String>,
    country: Option<i16>,
    class: Option<String>,
    category: Option<String>,
    base_price: Option<String>,
    base_price_currency: Option<String>,
    face_value: Option<Amount>,
    maturity: Option<Timestamp>,
    denomination_asset: Option<Address>,
    management_fee_bps: Option<i32>,
    settlement: String,
    policy: Option<String>,
    identity_id: IdentityId,
    cap: Option<Amount>,
    collateral_topic: Option<String>,
    collateral_ratio_bps: Option<i32>,
    paused: bool,
    supply: Amount,
    pending: Amount,
    holders: i64,
    next_operation: i64,
    revision: i64,
    created_by: UserId,
    created_at: Timestamp,
    balances: i64,
}

impl Row {
    /// What is stored was parsed before; a value that no longer parses is a fault of the database.
    fn into_asset(self) -> Result<Asset, Error> {
        let price = price(self.base_price.as_deref(), self.base_price_currency.as_deref())?;
        let collateral = collateral(self.collateral_topic.as_deref(), self.collateral_ratio_bps)?;
        let fee = |bps: i32| BasisPoints::parse(unsigned(bps), BasisPoints::FEE_MAX);
        Ok(Asset {
            id: self.id,
            address: self.address,
            kind: stored(AssetKind::parse(&self.kind))?,
            name: stored(AssetName::parse(&self.name))?,
            symbol: stored(Symbol::parse(&self.symbol))?,
            decimals: stored(Decimals::parse(unsigned(i32::from(self.decimals))))?,
            isin: stored(self.isin.as_deref().map(Isin::parse).transpose())?,
            country: self.country.map(country).transpose()?,
            class: stored(self.class.as_deref().map(Token::parse).transpose())?,
            category: stored(self.category.as_deref().map(Token::parse).transpose())?,
            price,
            face_value: self.face_value,
            denomination_asset: self.denomination_asset,
            maturity: self.maturity,
            management_fee: stored(self.management_fee_bps.map(fee).transpose())?,
            settlement: stored(Settlement::parse(&self.settlement))?,
            policy: self.policy,
            identity: self.identity_id,
            cap: self.cap,
            collateral,
            lifecycle: if self.paused {
                Lifecycle::Paused
            } else {
                Lifecycle::Active
            },
            supply: self.supply,
            pending: self.pending,
            holders: self.holders,
            balances: self.balances,
            next_operation: self.next_operation,
            revision: self.revision,
            created_by: self.created_by,
            created_at: self.created_at,
        })
    }
}

fn stored<T, E: std::fmt::Display>(value: Result<T, E>) -> Result<T, Error> {
    value.map_err(|error| Error::internal(format!("a stored asset does not read back: {error}")))
}

fn unsigned(number: i32) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn country(numeric: i16) -> Result<CountryCode, Error> {
    stored(CountryCode::from_numeric(numeric.unsigned_abs()))
}

/// A price is stored as its dnum, so that its scale is kept.
fn price(value: Option<&str>, currency: Option<&str>) -> Result<Option<Price>, Error> {
    let (Some(value), Some(currency)) = (value, currency) else {
        return Ok(None);
    };
    let (digits, decimals): (String, u64) = stored(serde_json::from_str(value))?;
    Ok(Some(Price {
        value: stored(Dnum::parse(&digits, decimals))?,
        currency: stored(Currency::parse(currency))?,
    }))
}

fn collateral(topic: Option<&str>, ratio_bps: Option<i32>) -> Result<Option<Collateral>, Error> {
    let (Some(topic), Some(ratio_bps)) = (topic, ratio_bps) else {
        return Ok(None);
    };
    Ok(Some(Collateral {
        topic: stored(TopicName::parse(topic))?,
        ratio: stored(BasisPoints::parse(unsigned(ratio_bps), Collateral::RATIO_MAX))?,
    }))
}

/// The words of the kinds that are not shown among fungible assets.
fn collections() -> [&'static str; 2] {
    AssetKind::COLLECTIONS.map(AssetKind::as_str)
}

fn found(row: Option<Row>) -> Result<Asset, Error> {
    row.ok_or(Error::NotFound("asset"))?.into_asset()
}

fn all(rows: Vec<Row>) -> Result<Vec<Asset>, Error> {
    rows.into_iter().map(Row::into_asset).collect()
}

/// The asset, whose row stays locked until the commit.
pub(super) fn lock(tx: &mut Tx<'_>, id: AssetId) -> Result<Asset, Error> {
    let row = assets::table.find(id);
    found(match tx {
        Tx::Pg(c) => row.for_update().first(*c).optional()?,
        Tx::Sqlite(c) => row.first(*c).optional()?,
    })
}

pub(super) fn by_id(tx: &mut Tx<'_>, id: AssetId) -> Result<Asset, Error> {
    found(on!(tx, c => assets::table.find(id).first(c).optional())?)
}

pub(super) fn by_ids(tx: &mut Tx<'_>, ids: &[AssetId]) -> Result<Vec<Asset>, Error> {
    let query = assets::table.filter(assets::id.eq_any(ids));
    all(on!(tx, c => query.load(c))?)
}

pub(super) fn by_address(tx: &mut Tx<'_>, address: &Address) -> Result<Asset, Error> {
    let query = assets::table
        .filter(assets::address.eq(address))
        .filter(assets::kind.ne_all(collections()));
    found(on!(tx, c => query.first(c).optional())?)
}

pub(super) fn id_at(tx: &mut Tx<'_>, address: &Address) -> Result<Option<AssetId>, Error> {
    let query = assets::table.filter(assets::address.eq(address)).select(assets::id);
    Ok(on!(tx, c => query.first(c).optional())?)
}

pub(super) fn insert(tx: &mut Tx<'_>, asset: &Asset) -> Result<(), Error> {
    let identification = (
        assets::id.eq(asset.id),
        assets::address.eq(asset.address),
        assets::kind.eq(asset.kind.as_str()),
        assets::name.eq(asset.name.as_str()),
        assets::symbol.eq(asset.symbol.as_str()),
        assets::decimals.eq(i16::from(asset.decimals.get())),
        assets::isin.eq(asset.isin.as_ref().map(Isin::as_str)),
        assets::country.eq(asset.country.and_then(|country| i16::try_from(country.numeric()).ok())),
        assets::class.eq(asset.class.as_ref().map(Token::as_str)),
        assets::category.eq(asset.category.as_ref().map(Token::as_str)),
        assets::settlement.eq(asset.settlement.as_str()),
        assets::policy.eq(asset.policy.as_deref()),
        assets::identity_id.eq(asset.identity),
    );
    let economics = (
        assets::base_price.eq(asset.price.map(|price| price.value.to_string())),
        assets::base_price_currency.eq(asset.price.map(|price| price.currency.to_string())),
        assets::face_value.eq(asset.face_value),
        assets::maturity.eq(asset.maturity),
        assets::denomination_asset.eq(asset.denomination_asset),
        assets::management_fee_bps.eq(asset.management_fee.map(|fee| i32::from(fee.get()))),
        assets::cap.eq(asset.cap),
        assets::collateral_topic.eq(asset.collateral.as_ref().map(|c| c.topic.as_str())),
        assets::collateral_ratio_bps.eq(asset.collateral.as_ref().map(|c| i32::from(c.ratio.get()))),
    );
    let state = (
        assets::paused.eq(asset.is_paused()),
        assets::supply.eq(asset.supply),
        assets::pending.eq(asset.pending),
        assets::holders.eq(asset.holders),
        assets::balances.eq(asset.balances),
        assets::next_operation.eq(asset.next_operation),
        assets::revision.eq(asset.revision),
        assets::created_by.eq(asset.created_by),
        assets::created_at.eq(asset.created_at),
    );
    let new = (identification, economics, state);
    on!(tx, c => diesel::insert_into(assets::table).values(new).execute(c))?;
    Ok(())
}

pub(super) fn insert_modules(tx: &mut Tx<'_>, asset: AssetId, modules: &[NewModule]) -> Result<(), Error> {
    let positions: Vec<i32> = (0..).take(modules.len()).collect();
    for (position, module) in positions.into_iter().zip(modules) {
        let new = (
            asset_modules::asset_id.eq(asset),
            asset_modules::position.eq(position),
            asset_modules::type_id.eq(&module.type_id),
            asset_modules::module.eq(module.module),
            asset_modules::values_json.eq(module.values.to_string()),
        );
        on!(tx, c => diesel::insert_into(asset_modules::table).values(new).execute(c))?;
    }
    Ok(())
}

pub(super) fn links_of(tx: &mut Tx<'_>, asset: AssetId) -> Result<Links, Error> {
    let query = assets::table
        .inner_join(identities::table.on(identities::id.eq(assets::identity_id)))
        .inner_join(users::table.on(users::id.eq(assets::created_by)))
        .left_join(chain_assets::table.on(chain_assets::asset_id.eq(assets::id)))
        .filter(assets::id.eq(asset))
        .select((
            identities::address,
            users::wallet,
            chain_assets::recipients_max.nullable(),
        ));
    let (identity, creator, recipients_max): (Address, Address, Option<i32>) = on!(tx, c => query.first(c))?;
    Ok(Links {
        identity,
        creator,
        recipients_max: recipients_max.and_then(|max| usize::try_from(max).ok()),
    })
}

/// In the order of evaluation.
pub(super) fn modules_of(tx: &mut Tx<'_>, asset: AssetId) -> Result<Vec<ConfiguredModule>, Error> {
    let query = asset_modules::table
        .filter(asset_modules::asset_id.eq(asset))
        .order(asset_modules::position)
        .select((
            asset_modules::position,
            asset_modules::type_id,
            asset_modules::module,
            asset_modules::values_json,
        ));
    let rows: Vec<(i32, String, Option<Address>, String)> = on!(tx, c => query.load(c))?;
    let configured = rows.into_iter().map(|(position, type_id, module, values)| {
        let values = stored(serde_json::from_str(&values))?;
        Ok(ConfiguredModule {
            position,
            type_id,
            module,
            values,
        })
    });
    configured.collect()
}

pub(super) fn set_lifecycle(tx: &mut Tx<'_>, asset: AssetId, lifecycle: Lifecycle) -> Result<(), Error> {
    let row = assets::table.find(asset);
    let change = assets::paused.eq(lifecycle == Lifecycle::Paused);
    on!(tx, c => diesel::update(row).set(change).execute(c))?;
    bump_revision(tx, asset)
}

pub(super) fn set_cap(tx: &mut Tx<'_>, asset: AssetId, cap: Amount) -> Result<(), Error> {
    let row = assets::table.find(asset);
    on!(tx, c => diesel::update(row).set(assets::cap.eq(cap)).execute(c))?;
    bump_revision(tx, asset)
}

pub(super) fn set_next_operation(tx: &mut Tx<'_>, asset: AssetId, next: i64) -> Result<(), Error> {
    let change = assets::next_operation.eq(next);
    on!(tx, c => diesel::update(assets::table.find(asset)).set(change).execute(c))?;
    Ok(())
}

pub(super) fn bump_revision(tx: &mut Tx<'_>, asset: AssetId) -> Result<(), Error> {
    let row = assets::table.find(asset);
    on!(tx, c => diesel::update(row).set(assets::revision.eq(assets::revision + 1)).execute(c))?;
    Ok(())
}

/// How many fungible assets there are of a kind, or of all.
pub(super) fn count(tx: &mut Tx<'_>, kind: Option<AssetKind>) -> Result<i64, Error> {
    Ok(on!(tx, c => {
        let mut query = assets::table.filter(assets::kind.ne_all(collections())).into_boxed();
        if let Some(kind) = kind {
            query = query.filter(assets::kind.eq(kind.as_str()));
        }
        query.count().get_result(c)
    })?)
}

/// One page and the cursor of the next. A cursor is the id of the last asset seen.
pub(super) fn page(tx: &mut Tx<'_>, listing: Listing, page: &Page) -> Result<(Vec<Asset>, Option<String>), Error> {
    let last = page.cursor.as_deref().map(|cursor| last_seen(tx, cursor)).transpose()?;
    let rows: Vec<Row> = on!(tx, c => {
        let mut query = assets::table.filter(assets::kind.ne_all(collections())).into_boxed();
        if let Some(kind) = listing.kind {
            query = query.filter(assets::kind.eq(kind.as_str()));
        }
        // One arm for each pair of key and direction: the type of an order is that of its column.
        macro_rules! ordered {
            ($key:ident, $value:expr) => {
                match listing.direction {
                    Direction::Ascending => {
                        if let Some(last) = &last {
                            let after = assets::$key.gt($value(last)).or(
                                assets::$key.eq($value(last)).and(assets::id.gt(last.id)));
                            query = query.filter(after);
                        }
                        query.order((assets::$key.asc(), assets::id.asc()))
                    }
                    Direction::Descending => {
                        if let Some(last) = &last {
                            let after = assets::$key.lt($value(last)).or(
                                assets::$key.eq($value(last)).and(assets::id.lt(last.id)));
                            query = query.filter(after);
                        }
                        query.order((assets::$key.desc(), assets::id.desc()))
                    }
                }
            };
        }
        let query = match listing.order {
            Order::Address => ordered!(address, |last: &Asset| last.address),
            Order::CreatedAt => ordered!(created_at, |last: &Asset| last.created_at),
            Order::Name => ordered!(name, |last: &Asset| last.name.as_str().to_owned()),
            Order::Symbol => ordered!(symbol, |last: &Asset| last.symbol.as_str().to_owned()),
        };
        query.limit(page.limit.saturating_add(1)).offset(page.offset).load(c)
    })?;
    cut(all(rows)?, page.limit)
}

fn last_seen(tx: &mut Tx<'_>, cursor: &str) -> Result<Asset, Error> {
    let invalid = || Error::invalid("cursor", "is not a cursor that this list gave out");
    let [id] = Cursor::parse::<1>(cursor).map_err(|_| invalid())?;
    let id = AssetId::parse(&id).map_err(|_| invalid())?;
    on!(tx, c => assets::table.find(id).first::<Row>(c).optional())?
        .ok_or_else(invalid)?
        .into_asset()
}

fn cut(mut assets: Vec<Asset>, limit: i64) -> Result<(Vec<Asset>, Option<String>), Error> {
    let limit = usize::try_from(limit).unwrap_or(0);
    let more = assets.len() > limit;
    assets.truncate(limit);
    let last = assets.last().filter(|_| more);
    let cursor = last.map(|last| Cursor::new([last.id.to_string()]).to_string());
    Ok((assets, cursor))
}

/// The assets that match, by symbol.
pub(super) fn search(tx: &mut Tx<'_>, terms: &SearchTerms, limit: i64) -> Result<Vec<Asset>, Error> {
    let (pattern, lower_pattern) = (terms.pattern.as_str(), terms.lower_pattern.as_str());
    let rows: Vec<Row> = on!(tx, c => {
        let mut query = assets::table
            .filter(assets::name.like(pattern).escape('\\'))
            .or_filter(lower(assets::name).like(lower_pattern).escape('\\'))
            .or_filter(lower(assets::symbol).like(lower_pattern).escape('\\'))
            .or_filter(lower(assets::isin.assume_not_null()).like(lower_pattern).escape('\\'))
            .into_boxed();
        if let Some((first, last)) = terms.addresses {
            query = query.or_filter(assets::address.between(first, last));
        }
        query
            .filter(assets::kind.ne_all(collections()))
            .order((assets::symbol.asc(), assets::id.asc()))
            .limit(limit)
            .load(c)
    })?;
    all(rows)
}
