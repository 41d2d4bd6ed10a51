use std::collections::HashMap;

use diesel::prelude::*;

use super::stored;
use crate::collection::page::{Begin, List, Order, Slice, Window};
use crate::collection::{Metadata, Stack, StackFilter};
use crate::db::schema::nft_metadata;
use crate::db::{Bulk, Tx};
use crate::error::Error;
use crate::on;
use crate::types::{AssetId, Hash32, MetadataId, Timestamp};

/// The columns in the order of the table.
#[derive(Queryable)]
struct Row {
    asset_id: AssetId,
    id: MetadataId,
    name: Option<String>,
    description: Option<String>,
    image: Option<String>,
    external_url: Option<String>,
    animation_url: Option<String>,
    youtube_url: Option<String>,
    attributes: String,
    _digest: Hash32,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl TryFrom<Row> for Stack {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            collection: row.asset_id,
            metadata: Metadata {
                name: row.name,
                description: row.description,
                image: row.image,
                external_url: row.external_url,
                animation_url: row.animation_url,
                youtube_url: row.youtube_url,
                attributes: stored(serde_json::from_str(&row.attributes))?,
            },
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// The oldest stack of this content for each digest.
pub(in crate::collection) fn by_digests(
    tx: &mut Tx<'_>,
    asset: AssetId,
    digests: &[Hash32],
) -> Result<HashMap<Hash32, MetadataId>, Error> {
    let query = nft_metadata::table
        .filter(nft_metadata::asset_id.eq(asset))
        .filter(nft_metadata::digest.eq_any(digests))
        .order(nft_metadata::id.desc())
        .select((nft_metadata::digest, nft_metadata::id));
    let rows: Vec<(Hash32, MetadataId)> = on!(tx, c => query.load(c))?;
    Ok(rows.into_iter().collect())
}

pub(in crate::collection) fn insert_metadata(
    tx: &mut Tx<'_>,
    asset: AssetId,
    rows: &[(MetadataId, Metadata)],
    now: Timestamp,
) -> Result<(), Error> {
    bulk(asset, rows, now)?.execute(tx)?;
    Ok(())
}

/// Replaces what stacks show.
pub(in crate::collection) fn save_metadata(
    tx: &mut Tx<'_>,
    asset: AssetId,
    rows: &[(MetadataId, Metadata)],
    now: Timestamp,
) -> Result<(), Error> {
    bulk(asset, rows, now)?
        .on_conflict(
            "ON CONFLICT (asset_id, id) DO UPDATE SET name = excluded.name, description = excluded.description, \
             image = excluded.image, external_url = excluded.external_url, animation_url = excluded.animation_url, \
             youtube_url = excluded.youtube_url, attributes = excluded.attributes, digest = excluded.digest, \
             updated_at = excluded.updated_at",
        )
        .execute(tx)?;
    Ok(())
}

fn bulk(asset: AssetId, rows: &[(MetadataId, Metadata)], now: Timestamp) -> Result<Bulk, Error> {
    let texts = |of: fn(&Metadata) -> &Option<String>| rows.iter().map(|(_, one)| of(one).clone()).collect::<Vec<_>>();
    let attributes = rows.iter().map(|(_, one)| serde_json::to_string(&one.attributes));
    let attributes: Vec<String> = attributes.collect::<Result<_, _>>().map_err(Error::internal)?;
    let bulk = Bulk::into("nft_metadata")
        .column("asset_id", vec![*asset.as_uuid(); rows.len()])
        .column("id", rows.iter().map(|(id, _)| *id.as_uuid()).collect::<Vec<_>>())
        .column("name", texts(|one| &one.name))
        .column("description", texts(|one| &one.description))
        .column("image", texts(|one| &one.image))
        .column("external_url", texts(|one| &one.external_url))
        .column("animation_url", texts(|one| &one.animation_url))
        .column("youtube_url", texts(|one| &one.youtube_url))
        .column("attributes", attributes)
        .column("digest", rows.iter().map(|(_, one)| one.digest()).collect::<Vec<_>>())
        .column("created_at", vec![now; rows.len()])
        .column("updated_at", vec![now; rows.len()]);
    Ok(bulk)
}

pub(in crate::collection) fn stacks_by_ids(
    tx: &mut Tx<'_>,
    ids: &[(AssetId, MetadataId)],
) -> Result<HashMap<MetadataId, Stack>, Error> {
    let mut assets: Vec<AssetId> = ids.iter().map(|(asset, _)| *asset).collect();
    assets.sort_unstable();
    assets.dedup();
    let ids: Vec<MetadataId> = ids.iter().map(|(_, id)| *id).collect();
    let query = nft_metadata::table
        .filter(nft_metadata::asset_id.eq_any(assets))
        .filter(nft_metadata::id.eq_any(ids));
    let rows: Vec<Row> = on!(tx, c => query.load(c))?;
    rows.into_iter()
        .map(|row| Ok((row.id, Stack::try_from(row)?)))
        .collect()
}

pub(in crate::collection) fn stacks(
    tx: &mut Tx<'_>,
    filter: &StackFilter,
    window: &Window,
) -> Result<Slice<Stack>, Error> {
    let order = Order::of([List::Stacks, List::StacksChanged], filter.updated_since, window)?;
    let rows: Vec<Row> = on!(tx, c => {
        let mut query = nft_metadata::table.into_boxed();
        if let Some(collection) = filter.collection {
            query = query.filter(nft_metadata::asset_id.eq(collection));
        }
        if !filter.ids.is_empty() {
            query = query.filter(nft_metadata::id.eq_any(&filter.ids));
        }
        if let Some(since) = filter.updated_since {
            query = query.filter(nft_metadata::updated_at.ge(since));
        }
        let limit = window.limit.saturating_add(1);
        match order {
            Order::OfIds(_, begin) => in_order!(query, begin, nft_metadata.id as MetadataId).limit(limit).load(c),
            Order::OfChanges(_, begin) => {
                in_order!(query, begin, nft_metadata.updated_at and id as MetadataId).limit(limit).load(c)
            }
        }
    })?;
    let found = rows.into_iter().map(Stack::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(order.slice(window, found, |one| (one.updated_at, *one.id.as_uuid())))
}
