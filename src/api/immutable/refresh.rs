//! Refreshes of metadata: by token, by stack, of the collection (immutable.md section 5). Each replaces the whole: a field
//! that is left out is gone.

use std::collections::BTreeSet;

use actix_web::{HttpRequest, HttpResponse, post};
use serde::Deserialize;

use super::asked::{Asked, Body, all, token_id};
use super::call::Spending;
use super::quota::{RefreshQuota, What};
use super::read::metadata_id;
use super::shown::Shown;
use super::{Caller, ImmutableError};
use crate::access::quota::Account;
use crate::collection::{self, Metadata, Profile};
use crate::db::Tx;
use crate::error::{Error, Issue};

type Answer = Result<HttpResponse, ImmutableError>;

const TOKENS_MAX: usize = 250;
const STACKS_MAX: usize = 10;
/// Of a list, without white space.
const SIZE_BYTES_MAX: usize = 228 * 1_024;

#[derive(Deserialize)]
struct TokensBody {
    nft_metadata: Vec<TokenContent>,
}

#[derive(Deserialize)]
struct TokenContent {
    token_id: String,
    #[serde(flatten)]
    content: Metadata,
}

#[derive(Deserialize)]
struct StacksBody {
    metadata: Vec<StackContent>,
}

#[derive(Deserialize)]
struct StackContent {
    metadata_id: String,
    #[serde(flatten)]
    content: Metadata,
}

#[post("/v1/chains/{chain_name}/collections/{contract_address}/nfts/refresh-metadata")]
pub(super) async fn refresh_tokens(caller: Caller, request: HttpRequest, body: Body) -> Answer {
    let linked = caller.linked(&Asked::of(&request).await?).await?;
    check_size(&body, "nft_metadata")?;
    let list = body.parse::<TokensBody>()?.nft_metadata;
    check_count("nft_metadata", list.len(), TOKENS_MAX)?;
    let parsed = list.into_iter().enumerate().map(|(index, one)| {
        let id = token_id(&format!("nft_metadata.{index}.token_id"), &one.token_id)?;
        Ok((id, one.content))
    });
    let contents = all(parsed)?;
    let distinct = distinct("nft_metadata", contents.iter().map(|(id, _)| *id))?;
    let spending = spending(&caller, "refresh_tokens", distinct);
    let change =
        move |tx: &mut Tx<'_>, by: &collection::Caller<'_>| collection::refresh_tokens(tx, by, linked.id, &contents);
    refresh(&caller, &spending, change).await
}

#[post("/v1/chains/{chain_name}/collections/{contract_address}/metadata/refresh-metadata")]
pub(super) async fn refresh_stacks(caller: Caller, request: HttpRequest, body: Body) -> Answer {
    let linked = caller.linked(&Asked::of(&request).await?).await?;
    check_size(&body, "metadata")?;
    let list = body.parse::<StacksBody>()?.metadata;
    check_count("metadata", list.len(), STACKS_MAX)?;
    let parsed = list.into_iter().enumerate().map(|(index, one)| {
        let id = metadata_id(&format!("metadata.{index}.metadata_id"), &one.metadata_id)?;
        Ok((id, one.content))
    });
    let contents = all(parsed)?;
    let distinct = distinct("metadata", contents.iter().map(|(id, _)| *id))?;
    let spending = spending(&caller, "refresh_stacks", distinct);
    let change =
        move |tx: &mut Tx<'_>, by: &collection::Caller<'_>| collection::refresh_stacks(tx, by, linked.id, &contents);
    refresh(&caller, &spending, change).await
}

/// Takes the quota, makes the change, and answers with what is left.
async fn refresh<C>(caller: &Caller, spending: &Spending, change: C) -> Answer
where
    C: Fn(&mut Tx<'_>, &collection::Caller<'_>) -> Result<(), Error> + Send + 'static,
{
    let standing = caller.spend(spending).await?;
    if let Err(error) = caller.change(change).await {
        caller.give_back_after(&error, spending).await;
        return Err(error);
    }
    let quota = RefreshQuota::from(&standing);
    let mut response = HttpResponse::Accepted();
    for header in quota.headers() {
        response.insert_header(header);
    }
    Ok(response.json(quota))
}

fn spending(caller: &Caller, kind: &str, tokens: i64) -> Spending {
    let rate = caller.app.gate().refresh_rate();
    Spending {
        account: Account::new(caller.known.environment.id, kind, rate),
        rate,
        tokens,
        what: What::Refreshes,
    }
}

fn check_size(body: &Body, field: &str) -> Result<(), ImmutableError> {
    let size = body.compact_bytes_of(field)?;
    if size <= SIZE_BYTES_MAX {
        return Ok(());
    }
    let message = format!("must be at most {SIZE_BYTES_MAX} bytes, is {size}");
    Err(Error::Invalid(vec![Issue::new(field, "range", message)]).into())
}

fn check_count(field: &str, count: usize, max: usize) -> Result<(), Error> {
    if (1..=max).contains(&count) {
        return Ok(());
    }
    Err(Error::Invalid(vec![Issue::new(
        field,
        "range",
        format!("must have 1 to {max} items"),
    )]))
}

/// How many there are. Errors: `Invalid` when one is there twice: which of the two would count?
fn distinct<T: Ord>(field: &str, ids: impl Iterator<Item = T>) -> Result<i64, Error> {
    let mut known = BTreeSet::new();
    let mut issues = Vec::new();
    for (index, id) in ids.enumerate() {
        if !known.insert(id) {
            let path = format!("{field}.{index}");
            issues.push(Issue::new(&path, "duplicate", "is there twice in this request"));
        }
    }
    if issues.is_empty() {
        return Ok(i64::try_from(known.len()).unwrap_or(i64::MAX));
    }
    Err(Error::Invalid(issues))
}

// --- of the collection ----------------------------------------------------------------------------------------------

#[derive(Deserialize)]
struct CollectionBody {
    collection_metadata: CollectionContent,
}

#[derive(Deserialize)]
struct CollectionContent {
    name: Option<String>,
    symbol: Option<String>,
    description: Option<String>,
    image: Option<String>,
    external_link: Option<String>,
    contract_uri: Option<String>,
    base_uri: Option<String>,
}

#[post("/v1/chains/{chain_name}/collections/{contract_address}/refresh-metadata")]
pub(super) async fn refresh_collection(caller: Caller, request: HttpRequest, body: Body) -> Answer {
    let linked = caller.linked(&Asked::of(&request).await?).await?;
    let content = body.parse::<CollectionBody>()?.collection_metadata;
    let profile = Profile {
        name: content.name,
        symbol: content.symbol,
        description: content.description,
        image: content.image,
        external_link: content.external_link,
        contract_uri: content.contract_uri,
        base_uri: content.base_uri,
    };
    let change =
        move |tx: &mut Tx<'_>, by: &collection::Caller<'_>| collection::refresh_collection(tx, by, linked.id, &profile);
    let refreshed = caller.change(change).await?;
    Ok(HttpResponse::Ok().json(Shown::of(caller.app.gate()).refreshed(&refreshed)))
}
