//! `GET /api/collections`: NFT collections as this dialect shows them.

use actix_web::{HttpRequest, HttpResponse, get, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::Issues;
use super::collection::in_camel_case;
use super::fields::optional;
use super::page::{page_of, strict_query};
use super::{Call, DalpError, address_in_path};
use crate::asset::{self, Asset};
use crate::collection::{self, Collection, CollectionFilter, Profile, Window};
use crate::db::Tx;
use crate::error::Error;
use crate::types::{Address, Amount, AssetId, EnvironmentId, Timestamp};

/// An ERC-721 or ERC-1155 contract and what it shows of itself.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CollectionObject {
    #[schema(value_type = String, example = "0x9459D52E60edBD3178f00F9055f6C117a21b4220")]
    address: Address,
    /// `ERC721` or `ERC1155`.
    #[schema(example = "ERC721")]
    contract_type: &'static str,
    /// `by_id`: the caller gives ids; `by_quantity`: the contract does; `hybrid`: below 2^128 the caller, above the
    /// contract; `amounts`: an ERC-1155.
    #[schema(example = "hybrid")]
    minting: &'static str,
    #[schema(example = "Swords")]
    name: Option<String>,
    #[schema(example = "SWD")]
    symbol: Option<String>,
    description: Option<String>,
    image: Option<String>,
    external_link: Option<String>,
    contract_uri: Option<String>,
    base_uri: Option<String>,
    metadata_api_url: Option<String>,
    /// Whose secret key mints into it through the minting API.
    #[schema(value_type = Option<String>, example = "0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b59")]
    environment_id: Option<EnvironmentId>,
    /// The administrator of the contract, as it was when the collection came here.
    #[schema(value_type = String, example = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")]
    owner: Address,
    /// What Certhis' mint API calls it: `collection_index` of `/mint_access`, with which `owner` gets a key pair.
    #[schema(example = 1)]
    collection_index: Option<i64>,
    /// The contract was there before us.
    adopted: bool,
    /// The policy that judges recipients; null is the baseline, which asks nobody who they are.
    policy: Option<String>,
    /// Tokens that exist, of an ERC-1155 all ids together.
    #[schema(value_type = String, example = "12")]
    total_supply: Amount,
    /// Requested and not final.
    #[schema(value_type = String, example = "3")]
    pending_supply: Amount,
    #[schema(value_type = String, example = "2026-11-21T10:30:00.000Z")]
    created_at: Timestamp,
    #[schema(value_type = String, example = "2026-11-21T10:30:00.000Z")]
    updated_at: Timestamp,
}

impl CollectionObject {
    pub(super) fn of(tx: &mut Tx<'_>, collection: Collection) -> Result<Self, Error> {
        let asset = asset::find(tx, collection.id)?;
        Ok(Self::with(&asset, collection))
    }

    fn with(asset: &Asset, collection: Collection) -> Self {
        let (contract_type, minting) = (collection.contract_type().text(), collection.minting.text());
        let Profile {
            name,
            symbol,
            description,
            image,
            external_link,
            contract_uri,
            base_uri,
        } = collection.profile;
        Self {
            address: collection.address,
            contract_type,
            minting,
            name,
            symbol,
            description,
            image,
            external_link,
            contract_uri,
            base_uri,
            metadata_api_url: collection.metadata_api_url,
            environment_id: collection.environment,
            owner: collection.owner,
            collection_index: collection.number,
            adopted: collection.adopted,
            policy: collection.policy,
            total_supply: asset.supply,
            pending_supply: asset.pending,
            created_at: collection.indexed_at,
            updated_at: collection.updated_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CollectionList {
    collections: Vec<CollectionObject>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct ListQuery {
    #[serde(rename = "environmentId")]
    environment: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

/// List collections, the newest first.
#[utoipa::path(tag = "Collections", operation_id = "collectionList",
    params(("environmentId" = Option<String>, Query, description = "Only those that are linked to this environment"),
        ("limit" = Option<i64>, Query, description = "1 to 200, 100 without it"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before")),
    responses((status = 200, description = "Collections", body = CollectionList)))]
#[get("/collections")]
pub async fn list(call: Call, request: HttpRequest) -> Result<HttpResponse, DalpError> {
    let asked: ListQuery = strict_query(request.query_string())?;
    let mut issues = Issues::default();
    let page = page_of(asked.limit.as_deref(), None, asked.cursor.as_deref(), &mut issues);
    let environment = optional(
        "environmentId",
        asked.environment.as_deref(),
        &mut issues,
        EnvironmentId::parse,
    );
    issues.finish()?;
    let filter = CollectionFilter {
        environment,
        ..CollectionFilter::default()
    };
    let window = Window {
        limit: page.limit,
        cursor: page.cursor,
    };
    let listed = call
        .read(move |tx, _| {
            let slice = collection::list(tx, &filter, &window).map_err(in_camel_case)?;
            let ids: Vec<AssetId> = slice.items.iter().map(|one| one.id).collect();
            let assets = asset::find_many(tx, &ids)?;
            let shown = |one: Collection| Some(CollectionObject::with(assets.get(&one.id)?, one));
            Ok(CollectionList {
                collections: slice.items.into_iter().filter_map(shown).collect(),
                next_cursor: slice.next,
            })
        })
        .await?;
    Ok(HttpResponse::Ok().json(listed))
}

/// Read a collection.
#[utoipa::path(tag = "Collections", operation_id = "collectionRead",
    params(("collection" = String, Path, description = "Address of the collection")),
    responses((status = 200, description = "The collection", body = CollectionObject)))]
#[get("/collections/{collection}")]
pub async fn read(call: Call, path: web::Path<String>) -> Result<HttpResponse, DalpError> {
    let address = address_in_path("collection", &path)?;
    let shown = call
        .read(move |tx, _| {
            let found = collection::find_by_address(tx, &address)?;
            CollectionObject::of(tx, found)
        })
        .await?;
    Ok(HttpResponse::Ok().json(shown))
}
