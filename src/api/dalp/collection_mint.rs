//! `POST /api/collections/{collection}/mint`: tokens by a role, with wallet verification and findings, like units of an
//! asset (immutable.md A; dalp.md A5, A10, A11).

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::body::{Issues, MintsBody};
use super::collection::{by_role, in_camel_case, in_path};
use super::fields::{optional, required};
use super::mutate::{Answer, Made, Steps, Terms, build, no_locks, replayed};
use super::prefer::Prefer;
use super::{Call, DalpError, WalletVerification};
use crate::access::{self, Permission, Scope};
use crate::collection::{self, Conflict, Metadata, MintRequest, NewMintRequest, Requested};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::operation::{self, Operation, Replay};
use crate::settlement;
use crate::telemetry::Stopwatch;
use crate::types::{Address, Amount, AssetId, MintRequestId, OperationId, ReferenceId, Timestamp, TokenId};

/// The status under which requests are kept that are not final: their answer is made anew each time until they are.
const OPEN: u16 = 202;

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "assets": [{ "ownerAddress": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "tokenId": "7",
        "metadata": { "name": "Sword", "image": "https://example.com/sword.png" } }],
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" } }))]
pub struct MintTokensBody {
    /// 1 to 100 tokens; all or nothing.
    #[schema(required = true, value_type = Vec<TokenWish>)]
    assets: Option<Vec<TokenWish>>,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenWish {
    /// The caller's name for it, 1 to 255 characters, unique in the collection; one is made when it is left out.
    reference_id: Option<String>,
    #[schema(required = true, value_type = String)]
    owner_address: Option<String>,
    /// Digits. Left out, the contract gives the id; an ERC-1155 needs it.
    token_id: Option<String>,
    /// Digits; needed for an ERC-1155, 1 or left out for an ERC-721.
    amount: Option<String>,
    /// `name, description, image, external_url, animation_url, youtube_url, attributes`; at most 16 KiB.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Metadata>,
}

impl TokenWish {
    fn parse(self, index: usize, issues: &mut Issues) -> Option<NewMintRequest> {
        let path = |field: &str| format!("assets.{index}.{field}");
        let owner = required(
            &path("ownerAddress"),
            self.owner_address.as_deref(),
            issues,
            Address::parse,
        );
        let made = || ReferenceId::parse(&MintRequestId::generate().to_string());
        let reference = self.reference_id.map_or_else(made, |text| ReferenceId::parse(&text));
        let reference = issues.take(&path("referenceId"), reference);
        let token_id = optional(&path("tokenId"), self.token_id.as_deref(), issues, TokenId::parse);
        let amount = optional(&path("amount"), self.amount.as_deref(), issues, Amount::parse);
        Some(NewMintRequest {
            reference: reference?,
            owner: owner?,
            token_id,
            amount,
            metadata: self.metadata,
        })
    }
}

fn wishes_of(assets: Option<Vec<TokenWish>>, issues: &mut Issues) -> Vec<NewMintRequest> {
    let Some(assets) = assets else {
        issues.add("assets", "required", "is required");
        return Vec::new();
    };
    if !(1..=NewMintRequest::COUNT_MAX).contains(&assets.len()) {
        let message = format!("must have 1 to {} elements", NewMintRequest::COUNT_MAX);
        issues.add("assets", "range", message);
        return Vec::new();
    }
    let numbered = assets.into_iter().enumerate();
    numbered.filter_map(|(index, wish)| wish.parse(index, issues)).collect()
}

/// A wish to mint one token and what became of it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MintRequestObject {
    #[schema(example = "order-4711")]
    reference_id: String,
    #[schema(value_type = String, example = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")]
    owner_address: Address,
    /// Null until the contract has given it.
    #[schema(example = "7")]
    token_id: Option<String>,
    #[schema(value_type = String, example = "1")]
    amount: Amount,
    /// `pending`, `succeeded` or `failed`.
    #[schema(example = "succeeded")]
    status: &'static str,
    /// Why it failed.
    error: Option<String>,
    #[schema(value_type = Option<String>, example = "0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b57")]
    operation_id: Option<OperationId>,
    #[schema(value_type = Option<String>, example = "0x9c22ff5f21f0b81b113e63f7db6da94fedef11b2119b4088b89664fb9a3cb658")]
    transaction_hash: Option<String>,
    /// Its share of the gas of its transaction.
    gas_used: Option<i64>,
    #[schema(value_type = String, example = "2026-11-21T10:30:00.000Z")]
    created_at: Timestamp,
    #[schema(value_type = String, example = "2026-11-21T10:30:00.000Z")]
    updated_at: Timestamp,
}

impl MintRequestObject {
    fn of(request: MintRequest, operations: &[Operation]) -> Self {
        let operation = operations.iter().find(|one| Some(one.sequence) == request.sequence);
        Self {
            reference_id: request.reference.to_string(),
            owner_address: request.owner,
            token_id: request.token_id.map(|id| id.to_string()),
            amount: request.amount,
            status: request.status.text(),
            error: request.error,
            operation_id: operation.map(|one| one.id),
            transaction_hash: request.transaction.map(|hash| hash.to_string()),
            gas_used: request.gas,
            created_at: request.created_at,
            updated_at: request.updated_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MintedTokens {
    #[schema(value_type = String, example = "0x9459D52E60edBD3178f00F9055f6C117a21b4220")]
    collection: Address,
    /// In the order of the request.
    mint_requests: Vec<MintRequestObject>,
}

/// Mint tokens of a collection.
///
/// All or nothing: when any recipient is refused nothing is minted, and every finding is in `data.findings`. Each token is
/// an operation of its own; one that fails on the chain, because its recipient does not take it, fails alone. It costs no
/// quota of an environment: whoever mints here has the role on the collection, and gives a code for each call.
#[utoipa::path(tag = "Collections", operation_id = "collectionMint",
    params(("collection" = String, Path, description = "Address of the collection"),
        ("Prefer" = Option<String>, Header, description = "`wait=N` (at most 60 s) or `respond-async`")),
    request_body = MintTokensBody,
    responses(
        (status = 200, description = "Every request has ended: each says how", body = MintedTokens),
        (status = 202, description = "Accepted and not all final yet", body = MintedTokens)))]
#[post("/collections/{collection}/mint")]
pub async fn mint(
    call: Call,
    path: web::Path<String>,
    prefer: Prefer,
    body: MintsBody,
) -> Result<HttpResponse, DalpError> {
    let MintsBody(body) = body;
    let found = in_path(&call, &path).await?;
    let parsed: MintTokensBody = body.parse_strict()?;
    let mut issues = Issues::default();
    let code = WalletVerification::take(parsed.wallet_verification.as_ref(), &mut issues);
    let wishes = wishes_of(parsed.assets, &mut issues);
    issues.finish()?;
    let (id, policies) = (found.id, Arc::clone(call.app.policy()));
    let steps = Steps {
        allowed: move |tx: &mut Tx<'_>, ctx: &Ctx| access::require(tx, ctx, Permission::Mint, Scope::Asset(id)),
        locks: no_locks,
        prepare: async || Ok(()),
        change: move |tx: &mut Tx<'_>, ctx: &Ctx, ()| {
            let requested = collection::mint_all(tx, &by_role(ctx), &policies, id, &wishes).map_err(in_camel_case)?;
            stored(&taken(requested)?)
        },
    };
    let terms = Terms { code, asset: Some(id) };
    match call.make(&body, terms, steps).await? {
        Made::Now(answer) => tell(&call, (id, found.address), &answer.body, prefer).await,
        Made::Before(replay) => again(&call, (id, found.address), &replay, prefer).await,
    }
}

fn taken(requested: Requested) -> Result<Vec<MintRequest>, Error> {
    let used = |what: &str, values: Vec<String>| Error::Conflict(format!("{what} used already: {}", values.join(", ")));
    match requested {
        Requested::Accepted(requests) => Ok(requests),
        Requested::Conflict(Conflict::References(references)) => {
            let values = references.iter().map(ToString::to_string).collect();
            Err(used("Reference ids", values))
        }
        Requested::Conflict(Conflict::TokenIds(ids)) => {
            Err(used("Token ids", ids.iter().map(ToString::to_string).collect()))
        }
    }
}

/// What is kept of a call: the numbers of its operations.
fn stored(requests: &[MintRequest]) -> Result<Answer, Error> {
    let numbers: Vec<i64> = requests.iter().filter_map(|request| request.sequence).collect();
    Answer::with_status(StatusCode::ACCEPTED, &numbers)
}

async fn again(
    call: &Call,
    collection: (AssetId, Address),
    replay: &Replay,
    prefer: Prefer,
) -> Result<HttpResponse, DalpError> {
    if replay.status != OPEN {
        return replayed(replay);
    }
    let mut response = tell(call, collection, &replay.body, prefer).await?;
    let name = actix_web::http::header::HeaderName::from_static("idempotent-replayed");
    let value = actix_web::http::header::HeaderValue::from_static("true");
    response.headers_mut().insert(name, value);
    Ok(response)
}

/// Waits as long as the caller wants to, then tells what became of each request. The answer is fixed under the
/// idempotency key once all of them have ended.
async fn tell(
    call: &Call,
    (id, address): (AssetId, Address),
    stored: &str,
    prefer: Prefer,
) -> Result<HttpResponse, DalpError> {
    let numbers: Vec<i64> = serde_json::from_str(stored).map_err(Error::internal)?;
    let all_final = wait(call, id, &numbers, prefer).await?;
    let (requests, operations) = call
        .read(move |tx, _| {
            let requests = collection::requests_of(tx, id, &numbers)?;
            let operations = operation::of_numbers(tx, id, &numbers)?;
            Ok((requests, operations))
        })
        .await?;
    let minted = MintedTokens {
        collection: address,
        mint_requests: requests
            .into_iter()
            .map(|request| MintRequestObject::of(request, &operations))
            .collect(),
    };
    let body = serde_json::to_string(&minted).map_err(Error::internal)?;
    let status = if all_final {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    let mut answer = Replay {
        status: status.as_u16(),
        headers: Vec::new(),
        body,
    };
    if let Some(key) = call.idempotency()?.filter(|_| all_final) {
        let db = call.app.db();
        answer = db.write(move |tx| operation::close(tx, &key, OPEN, &answer)).await?;
    }
    let applied = prefer.applied();
    answer
        .headers
        .extend(applied.map(|applied| ("Preference-Applied".to_owned(), applied)));
    Ok(build(status, &answer.headers, answer.body))
}

/// Whether all of them are final when it returns.
async fn wait(call: &Call, id: AssetId, numbers: &[i64], prefer: Prefer) -> Result<bool, DalpError> {
    let (watch, patience) = (Stopwatch::start(), prefer.patience());
    loop {
        let numbers = numbers.to_vec();
        let operations = call.read(move |tx, _| operation::of_numbers(tx, id, &numbers)).await?;
        let Some(open) = operations.iter().find(|one| !one.status.is_final()) else {
            return Ok(true);
        };
        let left = patience.saturating_sub(watch.elapsed());
        if left.is_zero() {
            return Ok(false);
        }
        settlement::wait(call.app.db(), open.id, left).await?;
    }
}
