//! `…/nfts/mint-requests`: wishes to mint, and what became of them (immutable.md section 3).

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, get, post};
use serde::Deserialize;
use serde_json::Value;

use super::asked::{Asked, MintsBody, address, all, token_id};
use super::once::{Kept, NotMade, Once};
use super::quota::MintQuota;
use super::shown::{Depth, Shown, page};
use super::{Caller, ImmutableError};
use crate::collection::{self, Collection, Metadata, NewMintRequest, RequestFilter, RequestStatus, Requested, Slice};
use crate::db::Tx;
use crate::error::{Error, Issue};
use crate::settlement;
use crate::types::{Amount, ReferenceId};

type Answer = Result<HttpResponse, ImmutableError>;

// --- create ---------------------------------------------------------------------------------------------------------

#[derive(Deserialize)]
struct MintBody {
    assets: Vec<MintAsset>,
}

/// Explicit nulls are as good as nothing: the published helper sends them (immutable.md 1.4).
#[derive(Deserialize)]
pub(super) struct MintAsset {
    reference_id: String,
    owner_address: String,
    token_id: Option<String>,
    amount: Option<String>,
    metadata: Option<Metadata>,
}

impl MintAsset {
    pub fn reference(&self) -> &str {
        &self.reference_id
    }
}

/// Everything that is wrong with the fields of the assets, at once.
fn requests_of(assets: Vec<MintAsset>) -> Result<Vec<NewMintRequest>, Error> {
    // Before each is looked at: nobody makes us parse a million.
    if !(1..=NewMintRequest::COUNT_MAX).contains(&assets.len()) {
        let message = format!("must have 1 to {} items", NewMintRequest::COUNT_MAX);
        return Err(Error::Invalid(vec![Issue::new("assets", "range", message)]));
    }
    let parsed = assets.into_iter().enumerate();
    all(parsed.map(|(index, asset)| request_of(index, asset)))
}

/// The wish at a place of the list.
pub(super) fn request_of(index: usize, asset: MintAsset) -> Result<NewMintRequest, Error> {
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
        metadata: asset.metadata,
    })
}

#[post("/v1/chains/{chain_name}/collections/{contract_address}/nfts/mint-requests")]
pub(super) async fn create_requests(caller: Caller, request: HttpRequest, body: MintsBody) -> Answer {
    let MintsBody(body) = body;
    let asked = Asked::of(&request).await?;
    let linked = caller.linked(&asked).await?;
    let requests = requests_of(body.parse::<MintBody>()?.assets)?;
    let spending = caller.mints(NewMintRequest::cost(&requests));
    let once = Once::of(&caller, &body)?;
    if let Some(first) = once.replay(&caller).await? {
        return Ok(first);
    }
    let quota = MintQuota::from(&caller.spend(&spending).await?);
    let accepted = Kept::new(StatusCode::ACCEPTED, quota.headers(), &quota)?;
    let policies = Arc::clone(caller.app.policy());
    let change = move |tx: &mut Tx<'_>, by: &collection::Caller<'_>| match collection::request_mints(
        tx, by, &policies, linked.id, &requests,
    )? {
        Requested::Accepted(_) => Ok(accepted.clone()),
        Requested::Conflict(conflict) => Err(NotMade::Used(conflict)),
    };
    let made = once.made(&caller, change).await;
    once.answer_paid(&caller, &spending, made).await
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
    let shown = Shown::of(caller.app.gate());
    let page = caller.app.db().read(move |tx| {
        let slice = collection::mint_requests(tx, &filter, &window)?;
        page_shown(tx, &shown, &linked, slice)
    });
    Ok(HttpResponse::Ok().json(page.await?))
}

fn status(text: &str) -> Result<RequestStatus, Error> {
    RequestStatus::parse(text).ok_or_else(|| Error::invalid("status", "must be pending, succeeded or failed"))
}

/// A list of one, as the original has it.
#[get("/v1/chains/{chain_name}/collections/{contract_address}/nfts/mint-requests/{reference_id}")]
pub(super) async fn get_request(caller: Caller, request: HttpRequest) -> Answer {
    let asked = Asked::of(&request).await?;
    let linked = caller.linked(&asked).await?;
    let reference = reference_of(&asked)?;
    let shown = Shown::of(caller.app.gate());
    let page = caller.app.db().read(move |tx| {
        let found = collection::mint_request(tx, linked.id, &reference)?;
        one_shown(tx, &shown, &linked, found)
    });
    Ok(HttpResponse::Ok().json(page.await?))
}

pub(super) fn reference_of(asked: &Asked) -> Result<ReferenceId, Error> {
    let reference = ReferenceId::parse(asked.part("reference_id"));
    reference.map_err(|error| Error::invalid("reference_id", error.to_string()))
}

pub(super) fn one_shown(
    tx: &mut Tx<'_>,
    shown: &Shown,
    linked: &Collection,
    request: collection::MintRequest,
) -> Result<Value, Error> {
    let slice = Slice {
        items: vec![request],
        previous: None,
        next: None,
    };
    page_shown(tx, shown, linked, slice)
}

/// With where on the chain each of them is.
fn page_shown(
    tx: &mut Tx<'_>,
    shown: &Shown,
    linked: &Collection,
    slice: Slice<collection::MintRequest>,
) -> Result<Value, Error> {
    let numbers: Vec<i64> = slice.items.iter().filter_map(|request| request.sequence).collect();
    let blocks = settlement::blocks_of(tx, linked.id, &numbers)?;
    let head = settlement::head(tx)?;
    Ok(page(slice.map(|request| {
        let block = request.sequence.and_then(|number| blocks.get(&number)).copied();
        shown.mint_request(linked, &request, Depth::of(block, head))
    })))
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

        assert_eq!(NewMintRequest::cost(&parse(mixed).unwrap()), 4);
    }
}
