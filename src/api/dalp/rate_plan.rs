//! `/api/rate-plans…`: how much readers of the minting API may ask, and their rate-limit keys (immutable.md A and section 7).

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, delete, get, post, put, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::bare_list::bare_list;
use super::body::Issues;
use super::environment_key::{KeyRevokeBody, key_in_path};
use super::identity::terms;
use super::project::{asked_page, may_manage, may_read};
use super::{Answer, Body, Call, DalpError, WalletVerification};
use crate::access::plan::{self, Plan, PlanKey, PlanName};
use crate::types::Timestamp;

/// How much a reader may ask.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "name": "partners", "requests": 15_000, "windowSeconds": 300,
    "createdAt": "2026-11-21T10:30:00.000Z", "updatedAt": "2026-11-21T10:30:00.000Z" }))]
pub struct RatePlanObject {
    name: String,
    /// In each window, and at once after a rest.
    requests: i64,
    window_seconds: i64,
    #[schema(value_type = String)]
    created_at: Timestamp,
    #[schema(value_type = String)]
    updated_at: Timestamp,
}

impl From<&Plan> for RatePlanObject {
    fn from(plan: &Plan) -> Self {
        Self {
            name: plan.name.as_str().to_owned(),
            requests: plan.requests,
            window_seconds: plan.window_seconds,
            created_at: plan.created_at,
            updated_at: plan.updated_at,
        }
    }
}

/// A rate-limit key, without its secret.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RateLimitKeyObject {
    #[schema(example = "k3Jd82Lm")]
    id: String,
    #[schema(example = "partners")]
    plan: String,
    /// The first characters: enough to recognise it.
    #[schema(example = "rk_moneyer-k3Jd82Lm")]
    start: String,
    #[schema(example = true)]
    active: bool,
    #[schema(value_type = String, example = "2026-11-21T10:30:00.000Z")]
    created_at: Timestamp,
    #[schema(value_type = Option<String>)]
    ended_at: Option<Timestamp>,
}

impl From<&PlanKey> for RateLimitKeyObject {
    fn from(key: &PlanKey) -> Self {
        Self {
            id: key.id.to_string(),
            plan: key.plan.as_str().to_owned(),
            start: key.start.clone(),
            active: key.active,
            created_at: key.created_at,
            ended_at: key.ended_at,
        }
    }
}

/// A new rate-limit key.
#[derive(Serialize, ToSchema)]
pub struct CreatedRateLimitKey {
    /// The key, shown this once.
    #[schema(example = "rk_moneyer-k3Jd82Lm0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0u")]
    key: String,
    #[serde(flatten)]
    stored: RateLimitKeyObject,
}

/// List the plans, by name.
#[utoipa::path(tag = "Projects", operation_id = "ratePlanList",
    params(("limit" = Option<u32>, Query, description = "1 to 200, 100 when left out"),
        ("offset" = Option<u64>, Query), ("cursor" = Option<String>, Query, description = "From the header `Link`")),
    responses((status = 200, description = "One page; the next one in the header `Link`", body = Vec<RatePlanObject>)))]
#[get("/rate-plans")]
pub async fn list(call: Call, request: HttpRequest) -> Result<HttpResponse, DalpError> {
    let page = asked_page(&request)?;
    let plans = call
        .read(|tx, ctx| {
            may_read(tx, ctx)?;
            plan::list(tx)
        })
        .await?;
    let plans: Vec<RatePlanObject> = plans.iter().map(RatePlanObject::from).collect();
    bare_list(plans, |plan| plan.name.clone(), &page, &request)
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "requests": 15_000, "windowSeconds": 300,
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" } }))]
pub struct RatePlanPutBody {
    /// In each window, and at once after a rest.
    #[validate(range(min = 1, max = 10_000_000))]
    #[schema(minimum = 1, maximum = 10_000_000)]
    requests: i64,
    #[validate(range(min = 1, max = 86_400))]
    #[schema(minimum = 1, maximum = 86_400)]
    window_seconds: i64,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

/// Create a plan, or change it for all its keys.
///
/// Needs `systemManager`.
#[utoipa::path(tag = "Projects", operation_id = "ratePlanPut", request_body = RatePlanPutBody,
    params(("planName" = String, Path, description = "1 to 50 of a-z, 0-9 and -")),
    responses((status = 200, description = "The plan as it is now", body = RatePlanObject)))]
#[put("/rate-plans/{planName}")]
pub async fn put_plan(call: Call, path: web::Path<String>, body: Body) -> Result<HttpResponse, DalpError> {
    let name = PlanName::parse(&path)?;
    let parsed: RatePlanPutBody = body.parse()?;
    let mut issues = Issues::default();
    let terms = terms(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    call.mutate(&body, terms, may_manage, move |tx, ctx| {
        let plan = plan::put(tx, ctx, &name, parsed.requests, parsed.window_seconds)?;
        Answer::ok(&RatePlanObject::from(&plan))
    })
    .await
}

/// List the rate-limit keys of a plan, the newest first, without their secrets; those that have ended too.
#[utoipa::path(tag = "Projects", operation_id = "rateLimitKeyList", params(("planName" = String, Path)),
    responses((status = 200, description = "The keys", body = Vec<RateLimitKeyObject>)))]
#[get("/rate-plans/{planName}/keys")]
pub async fn list_keys(call: Call, path: web::Path<String>) -> Result<HttpResponse, DalpError> {
    let name = PlanName::parse(&path)?;
    let keys = call
        .read(move |tx, ctx| {
            may_read(tx, ctx)?;
            plan::list_keys(tx, &name)
        })
        .await?;
    let keys: Vec<RateLimitKeyObject> = keys.iter().map(RateLimitKeyObject::from).collect();
    Ok(HttpResponse::Ok().json(keys))
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" } }))]
pub struct RateLimitKeyCreateBody {
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

/// Create a rate-limit key of a plan, for the header `x-api-key` of the minting API.
///
/// Needs `systemManager`.
#[utoipa::path(tag = "Projects", operation_id = "rateLimitKeyCreate", request_body = RateLimitKeyCreateBody,
    params(("planName" = String, Path)),
    responses((status = 200, description = "The key, shown once", body = CreatedRateLimitKey)))]
#[post("/rate-plans/{planName}/keys")]
pub async fn create_key(call: Call, path: web::Path<String>, body: Body) -> Result<HttpResponse, DalpError> {
    let name = PlanName::parse(&path)?;
    let parsed: RateLimitKeyCreateBody = body.parse()?;
    let mut issues = Issues::default();
    let terms = terms(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    let vault = Arc::clone(call.app.vault());
    call.mutate(&body, terms, may_manage, move |tx, ctx| {
        let issued = plan::create_key(tx, &vault, ctx, &name)?;
        let created = CreatedRateLimitKey {
            key: issued.key.reveal().to_owned(),
            stored: (&issued.stored).into(),
        };
        Answer::ok(&created)?.reveals_once(&RateLimitKeyObject::from(&issued.stored))
    })
    .await
}

/// Revoke a rate-limit key. It is refused from the next request on, by every process.
///
/// Needs `systemManager`. 409 for a key that has ended.
#[utoipa::path(tag = "Projects", operation_id = "rateLimitKeyRevoke", request_body = KeyRevokeBody,
    params(("planName" = String, Path), ("keyId" = String, Path)),
    responses((status = 200, description = "The key as it is now", body = RateLimitKeyObject)))]
#[delete("/rate-plans/{planName}/keys/{keyId}")]
pub async fn revoke_key(call: Call, path: web::Path<(String, String)>, body: Body) -> Result<HttpResponse, DalpError> {
    let (name, key) = (PlanName::parse(&path.0)?, key_in_path(&path.1)?);
    let terms = body.parse::<KeyRevokeBody>()?.terms()?;
    call.mutate(&body, terms, may_manage, move |tx, ctx| {
        let key = plan::revoke_key(tx, ctx, &name, &key)?;
        Answer::ok(&RateLimitKeyObject::from(&key))
    })
    .await
}
