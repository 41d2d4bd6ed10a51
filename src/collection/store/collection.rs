use std::collections::HashMap;

use diesel::prelude::*;

use super::{known, stored};
use crate::collection::page::{Begin, List, Slice, Window};
use crate::collection::{Collection, CollectionFilter, Minting, NewCollection, Profile, Verification};
use crate::db::schema::{assets, collections, nft_balances};
use crate::db::{self, Tx};
use crate::error::Error;
use crate::on;
use crate::types::{Address, Amount, AssetId, EnvironmentId, Timestamp, UserId};

type TextsRow = (
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
);

/// Of the asset, of the collection, its texts, its times.
type Row = (
    (AssetId, Address, Option<String>, UserId),
    (Option<EnvironmentId>, String, bool, bool, Address, String, Option<i64>),
    TextsRow,
    (Timestamp, Timestamp, Option<Timestamp>),
);

#[diesel::dsl::auto_type]
fn columns() -> _ {
    (
        (assets::id, assets::address, assets::policy, assets::created_by),
        (
            collections::environment_id,
            collections::minting,
            collections::many,
            collections::adopted,
            collections::owner,
            collections::verification_status,
            collections::number,
        ),
        (
            collections::name,
            collections::symbol,
            collections::description,
            collections::image,
            collections::external_link,
            collections::contract_uri,
            collections::base_uri,
            collections::metadata_api_url,
        ),
        (
            collections::indexed_at,
            collections::updated_at,
            collections::metadata_synced_at,
        ),
    )
}

fn collection(row: Row) -> Result<Collection, Error> {
    let (of_asset, of_collection, texts, (indexed_at, updated_at, metadata_synced_at)) = row;
    let (id, address, policy, created_by) = of_asset;
    let (environment, minting, many, adopted, owner, verification, number) = of_collection;
    let (name, symbol, description, image, external_link, contract_uri, base_uri, metadata_api_url) = texts;
    Ok(Collection {
        id,
        address,
        environment,
        minting: stored(Minting::parse(&minting))?,
        many,
        adopted,
        owner,
        number,
        profile: Profile {
            name,
            symbol,
            description,
            image,
            external_link,
            contract_uri,
            base_uri,
        },
        metadata_api_url,
        verification: known(Verification::parse(&verification), &verification)?,
        policy,
        created_by,
        indexed_at,
        updated_at,
        metadata_synced_at,
    })
}

pub(in crate::collection) fn by_id(tx: &mut Tx<'_>, id: AssetId) -> Result<Option<Collection>, Error> {
    let query = collections::table
        .inner_join(assets::table.on(assets::id.eq(collections::asset_id)))
        .filter(collections::asset_id.eq(id))
        .select(columns());
    let row: Option<Row> = on!(tx, c => query.first(c).optional())?;
    row.map(collection).transpose()
}

pub(in crate::collection) fn by_ids(tx: &mut Tx<'_>, ids: &[AssetId]) -> Result<HashMap<AssetId, Collection>, Error> {
    let query = collections::table
        .inner_join(assets::table.on(assets::id.eq(collections::asset_id)))
        .filter(collections::asset_id.eq_any(ids))
        .select(columns());
    let rows: Vec<Row> = on!(tx, c => query.load(c))?;
    let found = rows.into_iter().map(|row| {
        let collection = collection(row)?;
        Ok((collection.id, collection))
    });
    found.collect()
}

pub(in crate::collection) fn by_address(tx: &mut Tx<'_>, address: &Address) -> Result<Option<Collection>, Error> {
    let query = collections::table
        .inner_join(assets::table.on(assets::id.eq(collections::asset_id)))
        .filter(assets::address.eq(address))
        .select(columns());
    let row: Option<Row> = on!(tx, c => query.first(c).optional())?;
    row.map(collection).transpose()
}

pub(in crate::collection) fn by_number(tx: &mut Tx<'_>, number: i64) -> Result<Option<Collection>, Error> {
    let query = collections::table
        .inner_join(assets::table.on(assets::id.eq(collections::asset_id)))
        .filter(collections::number.eq(number))
        .select(columns());
    let row: Option<Row> = on!(tx, c => query.first(c).optional())?;
    row.map(collection).transpose()
}

pub(in crate::collection) fn collections(
    tx: &mut Tx<'_>,
    filter: &CollectionFilter,
    window: &Window,
) -> Result<Slice<Collection>, Error> {
    let begin = Begin::of(List::Collections, window)?;
    let statuses: Vec<&str> = filter.verification.iter().map(|status| status.text()).collect();
    let rows: Vec<Row> = on!(tx, c => {
        let mut query = collections::table
            .inner_join(assets::table.on(assets::id.eq(collections::asset_id)))
            .select(columns())
            .into_boxed();
        if !filter.addresses.is_empty() {
            query = query.filter(assets::address.eq_any(&filter.addresses));
        }
        if !statuses.is_empty() {
            query = query.filter(collections::verification_status.eq_any(&statuses));
        }
        if let Some(environment) = filter.environment {
            query = query.filter(collections::environment_id.eq(environment));
        }
        if let Some(since) = filter.updated_since {
            query = query.filter(collections::updated_at.ge(since));
        }
        if let Some(held_by) = filter.held_by {
            let held = nft_balances::table
                .filter(nft_balances::account.eq(held_by))
                .filter(nft_balances::balance.gt(Amount::ZERO))
                .select(nft_balances::asset_id);
            query = query.filter(collections::asset_id.eq_any(held));
        }
        let query = in_order!(query, begin, collections.asset_id as AssetId);
        query.limit(window.limit.saturating_add(1)).load(c)
    })?;
    let found = rows.into_iter().map(collection).collect::<Result<Vec<_>, Error>>()?;
    Ok(begin.slice(List::Collections, window, found, |one| *one.id.as_uuid()))
}

pub(in crate::collection) fn insert(
    tx: &mut Tx<'_>,
    id: AssetId,
    new: &NewCollection,
    now: Timestamp,
) -> Result<(), Error> {
    let profile = &new.profile;
    let number = db::next_number(tx, "collection")?;
    let row = (
        (
            collections::asset_id.eq(id),
            collections::environment_id.eq(new.environment),
            collections::minting.eq(new.minting.text()),
            collections::many.eq(new.many),
            collections::adopted.eq(new.adopted),
            collections::owner.eq(new.owner),
            collections::verification_status.eq(Verification::Unverified.text()),
            collections::number.eq(number),
        ),
        (
            collections::name.eq(&profile.name),
            collections::symbol.eq(&profile.symbol),
            collections::description.eq(&profile.description),
            collections::image.eq(&profile.image),
            collections::external_link.eq(&profile.external_link),
            collections::contract_uri.eq(&profile.contract_uri),
            collections::base_uri.eq(&profile.base_uri),
            collections::metadata_api_url.eq(&new.metadata_api_url),
        ),
        (
            collections::indexed_at.eq(now),
            collections::updated_at.eq(now),
            collections::metadata_synced_at.eq(Some(now)),
        ),
    );
    on!(tx, c => diesel::insert_into(collections::table).values(row).execute(c))?;
    Ok(())
}

pub(in crate::collection) fn set_profile(
    tx: &mut Tx<'_>,
    id: AssetId,
    profile: &Profile,
    now: Timestamp,
) -> Result<(), Error> {
    let change = (
        collections::name.eq(&profile.name),
        collections::symbol.eq(&profile.symbol),
        collections::description.eq(&profile.description),
        collections::image.eq(&profile.image),
        collections::external_link.eq(&profile.external_link),
        collections::contract_uri.eq(&profile.contract_uri),
        collections::base_uri.eq(&profile.base_uri),
        collections::updated_at.eq(now),
        collections::metadata_synced_at.eq(now),
    );
    on!(tx, c => diesel::update(collections::table.find(id)).set(change).execute(c))?;
    Ok(())
}

pub(in crate::collection) fn set_environment(
    tx: &mut Tx<'_>,
    id: AssetId,
    environment: Option<EnvironmentId>,
    now: Timestamp,
) -> Result<(), Error> {
    let change = (
        collections::environment_id.eq(environment),
        collections::updated_at.eq(now),
    );
    on!(tx, c => diesel::update(collections::table.find(id)).set(change).execute(c))?;
    Ok(())
}

pub(in crate::collection) fn set_owner(
    tx: &mut Tx<'_>,
    id: AssetId,
    owner: Address,
    now: Timestamp,
) -> Result<(), Error> {
    let change = (collections::owner.eq(owner), collections::updated_at.eq(now));
    on!(tx, c => diesel::update(collections::table.find(id)).set(change).execute(c))?;
    Ok(())
}
