//! `…/nfts/mint-requests`: wishes to mint, and what became of them (immutable.md section 3).

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderValue;
use actix_web::{HttpRequest, HttpResponse, get, post};
use serde::Deserialize;
use serde_json::Value;

use super::asked::{Asked, Body, address, token_id};
use super::call::Spending;
use super::quota::{MintQuota, What};
use super::shown::{Shown, page};
use super::{Caller, ImmutableError};
use crate::access::quota::Account;
use crate::collection::{
    self, Attribute, Collection, Conflict, Metadata, NewMintRequest, RequestFilter, RequestStatus, Requested, Slice,
};
use crate::db::Tx;
use crate::error::{Error, Issue};
use crate::operation::{self, IdempotencyKey, Remembered, Replay};
use crate::types::{Amount, Hash32, ReferenceId, TokenId, sha256};

type Answer = Result<HttpResponse, ImmutableError>;

/// First answers are kept this long (dalp.md A10).
const REMEMBERED_SECONDS: i64 = 30 * 24 * 3_600;

// --- create ---------------------------------------------------------------------------------------------------------

#[derive(Deserialize)]
struct MintBody {
    assets: Vec<MintAsset>,
}

/// Explicit nulls are as good as nothing: the published helper sends them (immutable.md 1.4).
#[derive(Deserialize)]
struct MintAsset {
    reference_id: String,
    owner_address: String,
    token_id: Option<String>,
    amount: Option<String>,
    metadata: Option<Content>,
}

/// What a token is to show.
#[derive(Deserialize)]
pub(super) struct Content {
    name: Option<String>,
    description: Option<String>,
    image: Option<String>,
    external_url: Option<String>,
    animation_url: Option<String>,
    youtube_url: Option<String>,
    attributes: Option<Vec<Attribute>>,
}

impl From<Content> for Metadata {
    fn from(content: Content) -> Self {
        Self {
            name: content.name,
            description: content.description,
            image: content.image,
            external_url: content.external_url,
            animation_url: content.animation_url,
            youtube_url: content.youtube_url,
            attributes: content.attributes.unwrap_or_default(),
        }
    }
}

/// Everything that is wrong with the fields of the assets, at once.
fn requests_of(assets: Vec<MintAsset>) -> Result<Vec<NewMintRequest>, Error> {
    // Before each is looked at: nobody makes us parse a million.
    if !(1..=NewMintRequest::COUNT_MAX).contains(&assets.len()) {
        let message = format!("must have 1 to {} items", NewMintRequest::COUNT_MAX);
        return Err(Error::Invalid(vec![Issue::new("assets", "range", message)]));
    }
    let (mut requests, mut issues) = (Vec::new(), Vec::new());
    for (index, asset) in assets.into_iter().enumerate() {
        match request_of(index, asset) {
            Ok(request) => requests.push(request),
            Err(Error::Invalid(found)) => issues.extend(found),
            Err(error) => return Err(error),
        }
    }
    if issues.is_empty() {
        return Ok(requests);
    }
    Err(Error::Invalid(issues))
}

fn request_of(index: usize, asset: MintAsset) -> Result<NewMintRequest, Error> {
    let path = |field: &str| format!("assets.{index}.{field}");
    let reference = ReferenceId::parse(&asset.reference_id);
    let amount = asset.amount.as_deref().map(Amount::parse).transpose();
    Ok(NewMintRequest {
        reference: reference.map_err(|error| Error::invalid(&path("reference_id"), error.to_string()))?,
        owner: address(&path("owner_address"), &asset.owner_address)?,
        token_id: asset
            .token_id
            .map(|text| token_id(&path("token_id"), &text))
            .transpose()?,
        amount: amount.map_err(|error| Error::invalid(&path("amount"), error.to_string()))?,
        metadata: asset.metadata.map(Metadata::from),
    })
}

/// What a call costs: distinct token ids; each token whose id the contract gives is one (immutable.md 3.3).
fn cost(requests: &[NewMintRequest]) -> i64 {
    let ids: BTreeSet<TokenId> = requests.iter().filter_map(|request| request.token_id).collect();
    let without = requests.iter().filter(|request| request.token_id.is_none()).count();
    i64::try_from(ids.len().saturating_add(without)).unwrap_or(i64::MAX)
}

#[post("/v1/chains/{chain_name}/collections/{contract_address}/nfts/mint-requests")]
pub(super) async fn create_requests(caller: Caller, request: HttpRequest, body: Body) -> Answer {
    let asked = Asked::of(&request).await?;
    let linked = caller.linked(&asked).await?;
    let requests = requests_of(body.parse::<MintBody>()?.assets)?;
    let rate = caller.known.environment.tier.rate();
    let spending = Spending {
        account: Account::new(caller.known.environment.id, "mint", rate),
        rate,
        tokens: cost(&requests),
        what: What::Mints,
    };
    let once = Once::of(&caller, &body)?;
    if let Some(replay) = once.replay(&caller).await? {
        return replayed(&replay);
    }
    let quota = MintQuota::from(&caller.spend(&spending).await?);
    let policies = Arc::clone(caller.app.policy());
    let (first, again) = ((once.clone(), quota.clone()), once);
    let change = move |tx: &mut Tx<'_>, by: &collection::Caller<'_>| {
        let (once, quota) = &first;
        once.claim(tx, by)?;
        let requested = collection::request_mints(tx, by, &policies, linked.id, &requests)?;
        once.settle(tx, by, &requested, quota)?;
        Ok(requested)
    };
    match caller.change(change).await {
        Ok(Requested::Accepted(_)) => Ok(accepted(&quota)),
        Ok(Requested::Conflict(conflict)) => {
            caller.give_back(&spending).await;
            Err(used(conflict))
        }
        Err(error) => {
            caller.give_back_after(&error, &spending).await;
            // Whoever came first under the key was answered while this one waited.
            match again.replay(&caller).await? {
                Some(replay) => replayed(&replay),
                None => Err(error),
            }
        }
    }
}

fn accepted(quota: &MintQuota) -> HttpResponse {
    let mut response = HttpResponse::Accepted();
    for header in quota.headers() {
        response.insert_header(header);
    }
    response.json(quota)
}

/// The first answer under an `Idempotency-Key`, for the same request again; without the header nothing.
#[derive(Clone)]
struct Once {
    key: Option<IdempotencyKey>,
    fingerprint: Hash32,
}

impl Once {
    fn of(caller: &Caller, body: &Body) -> Result<Self, ImmutableError> {
        Ok(Self {
            key: caller.idempotency_key()?,
            fingerprint: sha256(body.bytes()?),
        })
    }

    /// Errors: `Conflict` when the key was used with another body.
    async fn replay(&self, caller: &Caller) -> Result<Option<Replay>, ImmutableError> {
        let (Some(key), now) = (self.key.clone(), caller.ctx.now) else {
            return Ok(None);
        };
        let read = key.clone();
        let found = caller
            .app
            .db()
            .read(move |tx| operation::remembered(tx, &[&read], now))
            .await?;
        let replay = found.get(&key).map(|first| first.replay(&self.fingerprint)).transpose();
        Ok(replay?)
    }

    /// Nobody else acts under the key until the commit.
    fn claim(&self, tx: &mut Tx<'_>, by: &collection::Caller<'_>) -> Result<(), Error> {
        match &self.key {
            Some(key) if !operation::claim(tx, key, &self.fingerprint, by.ctx.now)? => Err(Error::Conflict(
                "The first request with this Idempotency-Key was answered just now".to_owned(),
            )),
            Some(_) | None => Ok(()),
        }
    }

    fn settle(
        &self,
        tx: &mut Tx<'_>,
        by: &collection::Caller<'_>,
        requested: &Requested,
        quota: &MintQuota,
    ) -> Result<(), Error> {
        let Some(key) = &self.key else { return Ok(()) };
        if let Requested::Conflict(_) = requested {
            return operation::release_claim(tx, key);
        }
        let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let headers = quota.headers();
        let answer = Remembered {
            fingerprint: self.fingerprint,
            status: StatusCode::ACCEPTED.as_u16(),
            headers: headers
                .iter()
                .map(|(name, value)| (name.to_string(), text(value)))
                .collect(),
            body: serde_json::to_string(quota).map_err(Error::internal)?,
            operation: None,
            created_at: by.ctx.now,
            expires_at: Some(by.ctx.now.plus_seconds(REMEMBERED_SECONDS)),
        };
        operation::settle_claim(tx, key, &answer)
    }
}

fn replayed(replay: &Replay) -> Answer {
    let status = StatusCode::from_u16(replay.status).map_err(Error::internal)?;
    let mut response = HttpResponse::build(status);
    for (name, value) in &replay.headers {
        response.insert_header((name.as_str(), value.as_str()));
    }
    response.insert_header(("Idempotent-Replayed", "true"));
    Ok(response.content_type("application/json").body(replay.body.clone()))
}

fn used(conflict: Conflict) -> ImmutableError {
    match conflict {
        Conflict::References(references) => ImmutableError::Used {
            field: "reference_id",
            values: references.iter().map(ToString::to_string).collect(),
        },
        Conflict::TokenIds(ids) => ImmutableError::Used {
            field: "token_id",
            values: ids.iter().map(ToString::to_string).collect(),
        },
    }
}

// --- read -----------------------------------------------------------------------------------------------------------

#[get("/v1/chains/{chain_name}/collections/{contract_address}/nfts/mint-requests")]
pub(super) async fn list_requests(caller: Caller, request: HttpRequest) -> Answer {
    let asked = Asked::of(&request).await?;
    let linked = caller.linked(&asked).await?;
    let window = asked.window()?;
    let filter = RequestFilter {
        collection: Some(linked.id),
        status: asked.one("status").map(status).transpose()?,
        ..RequestFilter::default()
    };
    let slice = caller
        .app
        .db()
        .read(move |tx| collection::mint_requests(tx, &filter, &window))
        .await?;
    Ok(shown(&caller, &linked, slice))
}

fn status(text: &str) -> Result<RequestStatus, Error> {
    RequestStatus::parse(text).ok_or_else(|| Error::invalid("status", "must be pending, succeeded or failed"))
}

/// A list of one, as the original has it.
#[get("/v1/chains/{chain_name}/collections/{contract_address}/nfts/mint-requests/{reference_id}")]
pub(super) async fn get_request(caller: Caller, request: HttpRequest) -> Answer {
    let asked = Asked::of(&request).await?;
    let linked = caller.linked(&asked).await?;
    let reference = ReferenceId::parse(asked.part("reference_id"));
    let reference = reference.map_err(|error| Error::invalid("reference_id", error.to_string()))?;
    let id = linked.id;
    let found = caller
        .app
        .db()
        .read(move |tx| collection::mint_request(tx, id, &reference))
        .await?;
    let slice = Slice {
        items: vec![found],
        previous: None,
        next: None,
    };
    Ok(shown(&caller, &linked, slice))
}

fn shown(caller: &Caller, linked: &Collection, slice: Slice<collection::MintRequest>) -> HttpResponse {
    let shown = Shown::of(caller.app.gate());
    let slice: Slice<Value> = slice.map(|request| shown.mint_request(linked, &request));
    HttpResponse::Ok().json(page(slice))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(assets: Value) -> Result<Vec<NewMintRequest>, Error> {
        let body: MintBody = serde_json::from_value(json!({ "assets": assets })).unwrap();
        requests_of(body.assets)
    }

    fn asset(reference: &str) -> Value {
        json!({ "reference_id": reference, "owner_address": "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed" })
    }

    #[test]
    fn explicit_nulls_are_as_good_as_nothing() {
        let mut given = asset("r1");
        given["token_id"] = Value::Null;
        given["amount"] = Value::Null;
        given["metadata"] = Value::Null;

        assert_eq!(parse(json!([given])).unwrap(), parse(json!([asset("r1")])).unwrap());
    }

    #[test]
    fn one_to_a_hundred_assets_are_taken() {
        let assets = |count: usize| Value::Array((0..count).map(|number| asset(&number.to_string())).collect());

        assert!(parse(assets(0)).is_err());
        assert_eq!(parse(assets(1)).unwrap().len(), 1);
        assert_eq!(parse(assets(100)).unwrap().len(), 100);
        assert!(parse(assets(101)).is_err());
    }

    #[test]
    fn everything_that_is_wrong_is_told_by_its_path() {
        let mut wrong = asset("");
        wrong["token_id"] = json!("1");
        let mut amount = asset("r2");
        amount["amount"] = json!("");

        let Err(Error::Invalid(issues)) = parse(json!([wrong, asset("r1"), amount])) else {
            panic!("taken")
        };

        let paths: Vec<String> = issues.iter().map(|issue| issue.path.join(".")).collect();
        assert_eq!(paths, ["assets.0.reference_id", "assets.2.amount"]);
    }

    #[test]
    fn a_call_costs_its_distinct_token_ids_and_each_token_without_one() {
        let with_id = |reference: &str, id: &str| {
            let mut asset = asset(reference);
            asset["token_id"] = json!(id);
            asset
        };

        let mixed = json!([
            with_id("a", "1"),
            with_id("b", "1"),
            with_id("c", "2"),
            asset("d"),
            asset("e")
        ]);

        assert_eq!(cost(&parse(mixed).unwrap()), 4);
    }
}
