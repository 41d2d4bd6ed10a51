//! What a caller may do about a mint request afterwards: take it back before it is sent, make it again when it failed
//! (beyond the original).

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, post};
use serde_json::Value;

use super::asked::{Asked, Body};
use super::call::Spending;
use super::mint_request::{one_shown, reference_of, used};
use super::once::{Kept, Once};
use super::quota::{MintQuota, What};
use super::shown::Shown;
use super::{Caller, ImmutableError};
use crate::access::quota::Account;
use crate::collection::{self, Requested};
use crate::db::Tx;

type Answer = Result<HttpResponse, ImmutableError>;

/// 409 when it was sent already, or has ended.
#[post("/v1/chains/{chain_name}/collections/{contract_address}/nfts/mint-requests/{reference_id}/cancel")]
pub(super) async fn cancel_request(caller: Caller, request: HttpRequest, body: Body) -> Answer {
    let asked = Asked::of(&request).await?;
    let linked = caller.linked(&asked).await?;
    let reference = reference_of(&asked)?;
    let once = Once::of(&caller, &body)?;
    if let Some(first) = once.replay(&caller).await? {
        return Ok(first);
    }
    let (first, shown) = (once.clone(), Shown::of(caller.app.gate()));
    let change = move |tx: &mut Tx<'_>, by: &collection::Caller<'_>| {
        first.claim(tx, by)?;
        let cancelled = collection::cancel(tx, by, linked.id, &reference)?;
        let body: Value = one_shown(tx, &shown, &linked, cancelled)?;
        let kept = Kept::new(StatusCode::OK, Vec::new(), &body)?;
        first.settle(tx, by, &kept)?;
        Ok(kept)
    };
    match caller.change(change).await {
        Ok(kept) => Ok(kept.respond()),
        Err(error) => once.or_replay(&caller, error).await,
    }
}

/// Costs what a mint costs; 409 when the newest request under the reference has not failed.
#[post("/v1/chains/{chain_name}/collections/{contract_address}/nfts/mint-requests/{reference_id}/retry")]
pub(super) async fn retry_request(caller: Caller, request: HttpRequest, body: Body) -> Answer {
    let asked = Asked::of(&request).await?;
    let linked = caller.linked(&asked).await?;
    let reference = reference_of(&asked)?;
    let once = Once::of(&caller, &body)?;
    if let Some(first) = once.replay(&caller).await? {
        return Ok(first);
    }
    let rate = caller.known.environment.tier.rate();
    let spending = Spending {
        account: Account::new(caller.known.environment.id, "mint", rate),
        rate,
        tokens: 1,
        what: What::Mints,
    };
    let quota = MintQuota::from(&caller.spend(&spending).await?);
    let policies = Arc::clone(caller.app.policy());
    let (first, shown) = (once.clone(), Shown::of(caller.app.gate()));
    let change = move |tx: &mut Tx<'_>, by: &collection::Caller<'_>| {
        first.claim(tx, by)?;
        match collection::retry(tx, by, &policies, linked.id, &reference)? {
            Requested::Conflict(conflict) => {
                first.release(tx)?;
                Ok(Err(conflict))
            }
            Requested::Accepted(_) => {
                let again = collection::mint_request(tx, linked.id, &reference)?;
                let body: Value = one_shown(tx, &shown, &linked, again)?;
                let kept = Kept::new(StatusCode::ACCEPTED, quota.headers(), &body)?;
                first.settle(tx, by, &kept)?;
                Ok(Ok(kept))
            }
        }
    };
    match caller.change(change).await {
        Ok(Ok(kept)) => Ok(kept.respond()),
        Ok(Err(conflict)) => {
            caller.give_back(&spending).await;
            Err(used(conflict))
        }
        Err(error) => {
            caller.give_back_after(&error, &spending).await;
            once.or_replay(&caller, error).await
        }
    }
}
