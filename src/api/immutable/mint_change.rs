//! What a caller may do about a mint request afterwards: take it back before it is sent, make it again when it failed
//! (beyond the original).

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, post};
use serde_json::Value;

use super::asked::{Asked, Body};
use super::mint_request::{one_shown, reference_of};
use super::once::{Kept, NotMade, Once};
use super::quota::MintQuota;
use super::shown::Shown;
use super::{Caller, ImmutableError};
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
    let shown = Shown::of(caller.app.gate());
    let change = move |tx: &mut Tx<'_>, by: &collection::Caller<'_>| {
        let cancelled = collection::cancel(tx, by, linked.id, &reference)?;
        let body: Value = one_shown(tx, &shown, &linked, cancelled)?;
        Ok(Kept::new(StatusCode::OK, Vec::new(), &body)?)
    };
    let made = once.made(&caller, change).await;
    once.answer(&caller, made).await
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
    let spending = caller.mints(1);
    let quota = MintQuota::from(&caller.spend(&spending).await?);
    let (policies, shown) = (Arc::clone(caller.app.policy()), Shown::of(caller.app.gate()));
    let change = move |tx: &mut Tx<'_>, by: &collection::Caller<'_>| {
        if let Requested::Conflict(conflict) = collection::retry(tx, by, &policies, linked.id, &reference)? {
            return Err(NotMade::Used(conflict));
        }
        let again = collection::mint_request(tx, linked.id, &reference)?;
        let body: Value = one_shown(tx, &shown, &linked, again)?;
        Ok(Kept::new(StatusCode::ACCEPTED, quota.headers(), &body)?)
    };
    let made = once.made(&caller, change).await;
    once.answer_paid(&caller, &spending, made).await
}
