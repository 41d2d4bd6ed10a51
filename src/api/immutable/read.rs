//! What everybody may read: collections, tokens, owners, metadata (immutable.md sections 2 and 6).

use actix_web::{HttpRequest, HttpResponse, get};
use serde_json::Value;

use super::asked::{Asked, address, token_id};
use super::shown::{Collections, Shown, collections_of, page, result};
use super::{ImmutableError, Reader};
use crate::collection::{self, Collection, CollectionFilter, NftFilter, OwnerFilter, Slice, StackFilter, Verification};
use crate::db::Tx;
use crate::error::Error;
use crate::settlement;
use crate::types::{AssetId, MetadataId};

pub(super) type Answer = Result<HttpResponse, ImmutableError>;

/// Collections that one request may name.
const COLLECTIONS_MAX: usize = 200;

/// Runs the queries of a read on the chain of the path, and answers with what they found.
pub(super) async fn on_chain<F>(reader: &Reader, asked: &Asked, queries: F) -> Answer
where
    F: FnOnce(&mut Tx<'_>, &Shown) -> Result<Value, Error> + Send + 'static,
{
    asked.chain(&reader.app)?;
    let shown = Shown::of(reader.app.gate());
    let body = reader.app.db().read(move |tx| queries(tx, &shown)).await?;
    Ok(HttpResponse::Ok().json(body))
}

/// As [`on_chain`], about the collection of the path.
async fn on_collection<F>(reader: &Reader, asked: &Asked, queries: F) -> Answer
where
    F: FnOnce(&mut Tx<'_>, &Shown, &Collection) -> Result<Value, Error> + Send + 'static,
{
    asked.chain(&reader.app)?;
    let contract = asked.address("contract_address")?;
    on_chain(reader, asked, move |tx, shown| {
        let collection = collection::find_by_address(tx, &contract)?;
        queries(tx, shown, &collection)
    })
    .await
}

/// A page of rows, each with its collection.
pub(super) fn rows<T>(
    tx: &mut Tx<'_>,
    slice: Slice<T>,
    of: impl Fn(&T) -> AssetId,
    show: impl Fn(&Collection, &T) -> Value,
) -> Result<Value, Error> {
    let collections: Collections = collections_of(tx, slice.items.iter().map(&of))?;
    let shown = |row: T| {
        collections
            .get(&of(&row))
            .map_or(Value::Null, |collection| show(collection, &row))
    };
    Ok(page(slice.map(shown)))
}

// --- chains and collections -----------------------------------------------------------------------------------------

#[get("/v1/chains")]
pub(super) async fn list_chains(reader: Reader, request: HttpRequest) -> Answer {
    Asked::of(&request).await?.window()?.check_only()?;
    let gate = reader.app.gate();
    let minter = match gate.chain_id {
        Some(id) => reader.app.db().read(move |tx| settlement::sender_of(tx, id)).await?,
        None => None,
    };
    let only = Slice {
        items: vec![Shown::of(gate).chain_with_details(minter.as_ref())],
        previous: None,
        next: None,
    };
    Ok(HttpResponse::Ok().json(page(only)))
}

fn verification(text: &str) -> Result<Verification, Error> {
    Verification::parse(text)
        .ok_or_else(|| Error::invalid("verification_status", "must be verified, unverified, spam or inactive"))
}

#[get("/v1/chains/{chain_name}/collections")]
pub(super) async fn list_collections(reader: Reader, request: HttpRequest) -> Answer {
    let asked = Asked::of(&request).await?;
    let filter = CollectionFilter {
        addresses: asked.many("contract_address", COLLECTIONS_MAX, |text| {
            address("contract_address", text)
        })?,
        verification: asked.many("verification_status", Verification::ALL.len(), verification)?,
        updated_since: asked.time("from_updated_at")?,
        ..CollectionFilter::default()
    };
    collections_page(&reader, &asked, filter).await
}

#[get("/v1/chains/{chain_name}/accounts/{account_address}/collections")]
pub(super) async fn collections_of_account(reader: Reader, request: HttpRequest) -> Answer {
    let asked = Asked::of(&request).await?;
    let filter = CollectionFilter {
        held_by: Some(asked.address("account_address")?),
        ..CollectionFilter::default()
    };
    collections_page(&reader, &asked, filter).await
}

async fn collections_page(reader: &Reader, asked: &Asked, filter: CollectionFilter) -> Answer {
    let window = asked.window()?;
    on_chain(reader, asked, move |tx, shown| {
        let slice = collection::list(tx, &filter, &window)?;
        Ok(page(slice.map(|collection| shown.collection(&collection))))
    })
    .await
}

#[get("/v1/chains/{chain_name}/collections/{contract_address}")]
pub(super) async fn get_collection(reader: Reader, request: HttpRequest) -> Answer {
    let asked = Asked::of(&request).await?;
    on_collection(&reader, &asked, |_, shown, collection| {
        Ok(result(shown.collection(collection)))
    })
    .await
}

// --- tokens ---------------------------------------------------------------------------------------------------------

#[get("/v1/chains/{chain_name}/collections/{contract_address}/nfts/{token_id}")]
pub(super) async fn get_nft(reader: Reader, request: HttpRequest) -> Answer {
    let asked = Asked::of(&request).await?;
    let id = token_id("token_id", asked.part("token_id"))?;
    on_collection(&reader, &asked, move |tx, shown, collection| {
        let nft = collection::nft(tx, collection.id, id)?;
        Ok(result(shown.nft(collection, &nft)))
    })
    .await
}

#[get("/v1/chains/{chain_name}/collections/{contract_address}/nfts")]
pub(super) async fn list_nfts(reader: Reader, request: HttpRequest) -> Answer {
    let asked = Asked::of(&request).await?;
    let (window, token_ids, updated_since) = (asked.window()?, asked.token_ids()?, asked.time("from_updated_at")?);
    on_collection(&reader, &asked, move |tx, shown, collection| {
        let filter = NftFilter {
            collection: Some(collection.id),
            token_ids,
            updated_since,
        };
        let slice = collection::nfts(tx, &filter, &window)?;
        Ok(page(slice.map(|nft| shown.nft(collection, &nft))))
    })
    .await
}

#[get("/v1/chains/{chain_name}/nfts")]
pub(super) async fn all_nfts(reader: Reader, request: HttpRequest) -> Answer {
    let asked = Asked::of(&request).await?;
    let window = asked.window()?;
    let filter = NftFilter {
        updated_since: asked.time("from_updated_at")?,
        ..NftFilter::default()
    };
    on_chain(&reader, &asked, move |tx, shown| {
        let slice = collection::nfts(tx, &filter, &window)?;
        rows(
            tx,
            slice,
            |nft| nft.collection,
            |collection, nft| shown.nft(collection, nft),
        )
    })
    .await
}

#[get("/v1/chains/{chain_name}/accounts/{account_address}/nfts")]
pub(super) async fn nfts_of_account(reader: Reader, request: HttpRequest) -> Answer {
    let asked = Asked::of(&request).await?;
    let window = asked.window()?;
    let contract = asked.contract()?;
    let mut filter = OwnerFilter {
        accounts: vec![asked.address("account_address")?],
        token_ids: asked.token_ids()?,
        updated_since: asked.time("from_updated_at")?,
        ..OwnerFilter::default()
    };
    on_chain(&reader, &asked, move |tx, shown| {
        if let Some(contract) = contract {
            filter.collection = Some(collection::find_by_address(tx, &contract)?.id);
        }
        let slice = collection::nfts_held(tx, &filter, &window)?;
        let show = |collection: &Collection, (nft, held): &(_, _)| shown.nft_with_balance(collection, nft, held);
        rows(tx, slice, |(nft, _)| nft.collection, show)
    })
    .await
}

// --- owners ---------------------------------------------------------------------------------------------------------

#[get("/v1/chains/{chain_name}/collections/{contract_address}/nfts/{token_id}/owners")]
pub(super) async fn owners_of_nft(reader: Reader, request: HttpRequest) -> Answer {
    let asked = Asked::of(&request).await?;
    let token_ids = vec![token_id("token_id", asked.part("token_id"))?];
    owners_in_collection(&reader, &asked, token_ids, Vec::new()).await
}

#[get("/v1/chains/{chain_name}/collections/{contract_address}/owners")]
pub(super) async fn owners_of_collection(reader: Reader, request: HttpRequest) -> Answer {
    let asked = Asked::of(&request).await?;
    let accounts = asked.addresses("account_address")?;
    owners_in_collection(&reader, &asked, Vec::new(), accounts).await
}

async fn owners_in_collection(
    reader: &Reader,
    asked: &Asked,
    token_ids: Vec<crate::types::TokenId>,
    accounts: Vec<crate::types::Address>,
) -> Answer {
    let (window, updated_since) = (asked.window()?, asked.time("from_updated_at")?);
    on_collection(reader, asked, move |tx, shown, collection| {
        let filter = OwnerFilter {
            collection: Some(collection.id),
            token_ids,
            accounts,
            updated_since,
        };
        let slice = collection::owners(tx, &filter, &window)?;
        Ok(page(slice.map(|held| shown.owner(collection, &held))))
    })
    .await
}

#[get("/v1/chains/{chain_name}/nft-owners")]
pub(super) async fn all_owners(reader: Reader, request: HttpRequest) -> Answer {
    let asked = Asked::of(&request).await?;
    let window = asked.window()?;
    let filter = OwnerFilter {
        updated_since: asked.time("from_updated_at")?,
        ..OwnerFilter::default()
    };
    on_chain(&reader, &asked, move |tx, shown| {
        let slice = collection::owners(tx, &filter, &window)?;
        rows(
            tx,
            slice,
            |held| held.collection,
            |collection, held| shown.owner(collection, held),
        )
    })
    .await
}

// --- metadata -------------------------------------------------------------------------------------------------------

pub(super) fn metadata_id(name: &str, text: &str) -> Result<MetadataId, Error> {
    MetadataId::parse(text).map_err(|error| Error::invalid(name, error.to_string()))
}

#[get("/v1/chains/{chain_name}/collections/{contract_address}/metadata/{metadata_id}")]
pub(super) async fn get_stack(reader: Reader, request: HttpRequest) -> Answer {
    let asked = Asked::of(&request).await?;
    let id = metadata_id("metadata_id", asked.part("metadata_id"))?;
    on_collection(&reader, &asked, move |tx, shown, collection| {
        let stack = collection::stack(tx, collection.id, id)?;
        Ok(result(shown.stack(collection, &stack)))
    })
    .await
}

#[get("/v1/chains/{chain_name}/collections/{contract_address}/metadata")]
pub(super) async fn list_stacks(reader: Reader, request: HttpRequest) -> Answer {
    let asked = Asked::of(&request).await?;
    let (window, updated_since) = (asked.window()?, asked.time("from_updated_at")?);
    let ids = asked.many("metadata_id", COLLECTIONS_MAX, |text| metadata_id("metadata_id", text))?;
    on_collection(&reader, &asked, move |tx, shown, collection| {
        let filter = StackFilter {
            collection: Some(collection.id),
            ids,
            updated_since,
        };
        let slice = collection::stacks(tx, &filter, &window)?;
        Ok(page(slice.map(|stack| shown.stack(collection, &stack))))
    })
    .await
}

#[get("/v1/chains/{chain_name}/metadata")]
pub(super) async fn all_stacks(reader: Reader, request: HttpRequest) -> Answer {
    let asked = Asked::of(&request).await?;
    let window = asked.window()?;
    let filter = StackFilter {
        ids: asked.many("metadata_id", COLLECTIONS_MAX, |text| metadata_id("metadata_id", text))?,
        updated_since: asked.time("from_updated_at")?,
        ..StackFilter::default()
    };
    on_chain(&reader, &asked, move |tx, shown| {
        let slice = collection::stacks(tx, &filter, &window)?;
        rows(
            tx,
            slice,
            |stack| stack.collection,
            |collection, stack| shown.stack(collection, stack),
        )
    })
    .await
}
