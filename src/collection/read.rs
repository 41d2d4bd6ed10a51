use std::collections::{BTreeSet, HashMap, HashSet};

use super::store;
use super::{
    Activity, ActivityKind, Collection, Metadata, MintRequest, Nft, Ownership, RequestStatus, Slice, Stack, TokenRow,
    Verification, Window,
};
use crate::db::Tx;
use crate::error::Error;
use crate::types::{
    ActivityId, Address, Amount, AssetId, EnvironmentId, Hash32, MetadataId, ReferenceId, Timestamp, TokenId,
};

/// Ids that are read at once where a free one is wanted.
const TAKEN_STEP: i64 = 10_000;

/// What a list of collections is narrowed by; everything given must match, empty is everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectionFilter {
    pub addresses: Vec<Address>,
    pub verification: Vec<Verification>,
    pub environment: Option<EnvironmentId>,
    /// Of which this account has something.
    pub held_by: Option<Address>,
    /// Inclusive.
    pub updated_since: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestFilter {
    pub collection: Option<AssetId>,
    pub environment: Option<EnvironmentId>,
    pub status: Option<RequestStatus>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NftFilter {
    pub collection: Option<AssetId>,
    pub token_ids: Vec<TokenId>,
    /// Inclusive.
    pub updated_since: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerFilter {
    pub collection: Option<AssetId>,
    pub token_ids: Vec<TokenId>,
    pub accounts: Vec<Address>,
    /// Inclusive.
    pub updated_since: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StackFilter {
    pub collection: Option<AssetId>,
    pub ids: Vec<MetadataId>,
    /// Inclusive.
    pub updated_since: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActivityFilter {
    pub collection: Option<AssetId>,
    pub token_id: Option<TokenId>,
    pub kind: Option<ActivityKind>,
    /// Who gave or got something.
    pub account: Option<Address>,
    pub transaction: Option<Hash32>,
    /// Inclusive.
    pub indexed_since: Option<Timestamp>,
    /// Exclusive.
    pub indexed_until: Option<Timestamp>,
}

pub fn find(tx: &mut Tx<'_>, id: AssetId) -> Result<Collection, Error> {
    store::by_id(tx, id)?.ok_or(Error::NotFound("collection"))
}

/// Those of these that exist, by id: what lists over several collections need to name them.
pub fn find_many(tx: &mut Tx<'_>, ids: &[AssetId]) -> Result<HashMap<AssetId, Collection>, Error> {
    store::by_ids(tx, ids)
}

pub fn find_by_address(tx: &mut Tx<'_>, address: &Address) -> Result<Collection, Error> {
    store::by_address(tx, address)?.ok_or(Error::NotFound("collection"))
}

/// The collection that callers name by a number.
pub fn find_by_number(tx: &mut Tx<'_>, number: i64) -> Result<Collection, Error> {
    store::by_number(tx, number)?.ok_or(Error::NotFound("collection"))
}

pub fn list(tx: &mut Tx<'_>, filter: &CollectionFilter, window: &Window) -> Result<Slice<Collection>, Error> {
    store::collections(tx, filter, window)
}

/// The newest request under a reference; `NotFound` when there is none.
pub fn mint_request(tx: &mut Tx<'_>, collection: AssetId, reference: &ReferenceId) -> Result<MintRequest, Error> {
    store::latest(tx, collection, reference)?.ok_or(Error::NotFound("mint request"))
}

/// The newest request under each of these references; an unknown one is absent. In no order.
pub fn mint_requests_named(
    tx: &mut Tx<'_>,
    collection: AssetId,
    references: &[ReferenceId],
) -> Result<Vec<MintRequest>, Error> {
    let references: Vec<&str> = references.iter().map(ReferenceId::as_str).collect();
    store::named(tx, collection, &references)
}

/// Ids among these that were minted, also if they were burned since, or are about to be.
pub fn taken_ids(tx: &mut Tx<'_>, collection: AssetId, ids: &[TokenId]) -> Result<HashSet<TokenId>, Error> {
    let mut taken = store::minted_token_ids(tx, collection, ids)?;
    let others: Vec<TokenId> = ids.iter().filter(|id| !taken.contains(id)).copied().collect();
    taken.extend(store::live_token_ids(tx, collection, &others)?);
    Ok(taken)
}

/// The lowest id from `first` on that was not minted and is not about to be. Each of those in between is read once: under
/// the lock of the collection, and whoever asks begins behind it the next time.
pub fn free_id(tx: &mut Tx<'_>, collection: AssetId, first: u64) -> Result<u64, Error> {
    let mut free = first;
    loop {
        let taken = store::taken_from(tx, collection, TokenId::from(Amount::from(free)), TAKEN_STEP)?;
        let known = taken
            .ids
            .iter()
            .filter(|id| taken.complete_to.is_none_or(|last| **id <= last));
        let known: HashSet<TokenId> = known.copied().collect();
        let before = free;
        while known.contains(&TokenId::from(Amount::from(free))) {
            free = free
                .checked_add(1)
                .ok_or(Error::Conflict("every id is taken".to_owned()))?;
        }
        let is_known_free = taken
            .complete_to
            .is_none_or(|last| TokenId::from(Amount::from(free)) <= last);
        if is_known_free || free == before {
            return Ok(free);
        }
    }
}

/// Each reference once, with its newest request.
pub fn mint_requests(tx: &mut Tx<'_>, filter: &RequestFilter, window: &Window) -> Result<Slice<MintRequest>, Error> {
    store::page_of_requests(tx, filter, window)
}

/// A token; `NotFound` when it was never minted.
pub fn nft(tx: &mut Tx<'_>, collection: AssetId, token_id: TokenId) -> Result<Nft, Error> {
    let row = store::tokens_by_ids(tx, collection, &[token_id])?.remove(&token_id);
    let row = row.ok_or(Error::NotFound("token"))?;
    shown(tx, vec![row])?.into_iter().next().ok_or(Error::NotFound("token"))
}

pub fn nfts(tx: &mut Tx<'_>, filter: &NftFilter, window: &Window) -> Result<Slice<Nft>, Error> {
    let Slice { items, previous, next } = store::tokens(tx, filter, window)?;
    Ok(Slice {
        items: shown(tx, items)?,
        previous,
        next,
    })
}

/// The tokens that accounts have, each with how much of it.
pub fn nfts_held(tx: &mut Tx<'_>, filter: &OwnerFilter, window: &Window) -> Result<Slice<(Nft, Ownership)>, Error> {
    let Slice { items, previous, next } = store::owners(tx, filter, window)?;
    let tokens: BTreeSet<(AssetId, TokenId)> = items.iter().map(|one| (one.collection, one.token_id)).collect();
    let held = store::tokens_by_keys(tx, &tokens)?;
    let known = shown(tx, held)?;
    let of = |one: &Ownership| {
        known
            .iter()
            .find(|nft| nft.collection == one.collection && nft.token_id == one.token_id)
            .cloned()
    };
    Ok(Slice {
        items: items.iter().filter_map(|one| Some((of(one)?, *one))).collect(),
        previous,
        next,
    })
}

/// Puts to each token what it shows.
fn shown(tx: &mut Tx<'_>, rows: Vec<TokenRow>) -> Result<Vec<Nft>, Error> {
    let ids: Vec<(AssetId, MetadataId)> = rows
        .iter()
        .filter_map(|row| Some((row.collection, row.metadata_id?)))
        .collect();
    let stacks = store::stacks_by_ids(tx, &ids)?;
    let nfts = rows.into_iter().map(|row| Nft {
        collection: row.collection,
        token_id: row.token_id,
        metadata_id: row.metadata_id,
        metadata: row
            .metadata_id
            .and_then(|id| stacks.get(&id))
            .map(|stack| stack.metadata.clone())
            .unwrap_or_default(),
        total_supply: row.total_supply,
        indexed_at: row.indexed_at,
        updated_at: row.updated_at,
        metadata_synced_at: row.metadata_synced_at,
    });
    Ok(nfts.collect())
}

/// Who has something, by token or by account.
pub fn owners(tx: &mut Tx<'_>, filter: &OwnerFilter, window: &Window) -> Result<Slice<Ownership>, Error> {
    store::owners(tx, filter, window)
}

/// `NotFound` when the collection has no such stack.
pub fn stack(tx: &mut Tx<'_>, collection: AssetId, id: MetadataId) -> Result<Stack, Error> {
    let found = store::stacks_by_ids(tx, &[(collection, id)])?.remove(&id);
    found.ok_or(Error::NotFound("metadata"))
}

pub fn stacks(tx: &mut Tx<'_>, filter: &StackFilter, window: &Window) -> Result<Slice<Stack>, Error> {
    store::stacks(tx, filter, window)
}

pub fn activity(tx: &mut Tx<'_>, id: ActivityId) -> Result<Activity, Error> {
    store::activity(tx, id)?.ok_or(Error::NotFound("activity"))
}

pub fn activities(tx: &mut Tx<'_>, filter: &ActivityFilter, window: &Window) -> Result<Slice<Activity>, Error> {
    store::activities(tx, filter, window)
}

/// What `{baseURI}/{token_id}` is to answer: what a minted token shows, or what one shows that is about to be minted. None
/// when nothing was said about the token.
pub fn metadata_of(tx: &mut Tx<'_>, collection: AssetId, token_id: TokenId) -> Result<Option<Metadata>, Error> {
    let stack = stacks_shown(tx, collection, &[token_id])?.remove(&token_id);
    Ok(stack.map(|stack| stack.metadata))
}

/// What each of these tokens shows that is minted or about to be; one of which nothing was said is absent.
pub(super) fn stacks_shown(
    tx: &mut Tx<'_>,
    collection: AssetId,
    ids: &[TokenId],
) -> Result<HashMap<TokenId, Stack>, Error> {
    let minted = store::tokens_by_ids(tx, collection, ids)?;
    let mut shown: HashMap<TokenId, MetadataId> = minted
        .values()
        .filter_map(|row| Some((row.token_id, row.metadata_id?)))
        .collect();
    let others: Vec<TokenId> = ids.iter().filter(|id| !minted.contains_key(id)).copied().collect();
    for (token_id, id) in store::requested_metadata(tx, collection, &others)? {
        shown.entry(token_id).or_insert(id);
    }
    let asked: Vec<(AssetId, MetadataId)> = shown.values().map(|id| (collection, *id)).collect();
    let stacks = store::stacks_by_ids(tx, &asked)?;
    let of_token = |(token_id, id): (TokenId, MetadataId)| Some((token_id, stacks.get(&id)?.clone()));
    Ok(shown.into_iter().filter_map(of_token).collect())
}
