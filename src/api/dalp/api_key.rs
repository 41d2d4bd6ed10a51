//! `/api/auth/api-key/…`: the caller's own API keys (dalp.md A8, section 9).

use actix_web::{HttpRequest, HttpResponse, get, post};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::body::Issues;
use super::page::{next_link, page_of, query};
use super::{Answer, Body, Call, DalpError, Terms, WalletVerification};
use crate::access::{self, KeyChange, NewKey, StoredKey};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::types::{KeyId, Timestamp, UserId};

const LIFETIME_SECONDS_MIN: i64 = StoredKey::LIFETIME_DAYS_MIN * 86_400;
const LIFETIME_SECONDS_MAX: i64 = StoredKey::LIFETIME_DAYS_MAX * 86_400;

/// An API key without its secret.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiKeyObject {
    #[schema(example = "k3Jd82Lm")]
    id: String,
    #[schema(example = "mint robot")]
    name: Option<String>,
    /// The first characters: enough to recognise it.
    #[schema(example = "mny_live_k3Jd82Lm")]
    start: String,
    #[schema(value_type = String, example = "0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b57")]
    user_id: UserId,
    #[schema(example = true)]
    enabled: bool,
    /// None: for ever.
    #[schema(value_type = Option<String>, example = "2026-12-21T10:30:00.000Z")]
    expires_at: Option<Timestamp>,
    /// Exact to a minute.
    #[schema(value_type = Option<String>)]
    last_request: Option<Timestamp>,
    #[schema(value_type = String, example = "2026-11-21T10:30:00.000Z")]
    created_at: Timestamp,
}

impl From<&StoredKey> for ApiKeyObject {
    fn from(key: &StoredKey) -> Self {
        Self {
            id: key.id.to_string(),
            name: key.name.clone(),
            start: key.start.clone(),
            user_id: key.user,
            enabled: key.enabled,
            expires_at: key.expires_at,
            last_request: key.last_used_at,
            created_at: key.created_at,
        }
    }
}

/// A new API key.
#[derive(Serialize, ToSchema)]
pub struct CreatedApiKey {
    /// The key, shown this once.
    #[schema(example = "mny_live_k3Jd82Lm0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0u2vWxYz")]
    key: String,
    #[serde(flatten)]
    stored: ApiKeyObject,
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "name": "mint robot", "expiresIn": 2592000,
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" } }))]
pub struct CreateKeyBody {
    /// 1 to 100 characters.
    name: Option<String>,
    /// Seconds from now, 1 to 365 days. Without it and `expiresAt` the key lives for ever.
    #[validate(range(min = LIFETIME_SECONDS_MIN, max = LIFETIME_SECONDS_MAX))]
    #[schema(minimum = 86400, maximum = 31536000)]
    expires_in: Option<i64>,
    /// RFC 3339, 1 to 365 days from now; instead of `expiresIn`.
    expires_at: Option<String>,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

impl CreateKeyBody {
    fn expiry(&self, now: Timestamp, issues: &mut Issues) -> Option<Timestamp> {
        match (self.expires_in, self.expires_at.as_deref()) {
            (Some(_), Some(_)) => {
                issues.add("expiresAt", "unknown", "give expiresIn or expiresAt, not both");
                None
            }
            (Some(seconds), None) => Some(now.plus_seconds(seconds)),
            (None, Some(text)) => issues.take("expiresAt", Timestamp::parse(text)),
            (None, None) => None,
        }
    }
}

fn anybody(_: &mut Tx<'_>, _: &Ctx) -> Result<(), Error> {
    Ok(())
}

fn key_id(path: &str, text: &str, issues: &mut Issues) -> Option<KeyId> {
    issues.take(path, KeyId::parse(text))
}

/// Create an API key with the full rights of the caller.
///
/// Needs `walletVerification` with a method that is set up.
#[utoipa::path(tag = "API keys", operation_id = "apiKeyCreate", request_body = CreateKeyBody,
    responses((status = 200, description = "The key, shown once", body = CreatedApiKey)))]
#[post("/auth/api-key/create")]
pub async fn create(call: Call, body: Body) -> Result<HttpResponse, DalpError> {
    let parsed: CreateKeyBody = body.parse()?;
    let mut issues = Issues::default();
    let expires_at = parsed.expiry(call.ctx.now, &mut issues);
    let code = WalletVerification::take(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    let new = NewKey {
        user: call.ctx.actor.user,
        name: parsed.name,
        kind: call.app.key_kind(),
        expires_at,
    };
    let vault = std::sync::Arc::clone(call.app.vault());
    let terms = Terms { code, asset: None };
    call.mutate(&body, terms, anybody, move |tx, ctx| {
        let issued = access::create_key(tx, &vault, ctx, new.clone())?;
        let created = CreatedApiKey {
            key: issued.key.reveal().to_owned(),
            stored: (&issued.stored).into(),
        };
        Answer::ok(&created)?.reveals_once(&ApiKeyObject::from(&issued.stored))
    })
    .await
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "keyId": "k3Jd82Lm", "enabled": false }))]
pub struct UpdateKeyBody {
    key_id: String,
    /// 1 to 100 characters.
    name: Option<String>,
    /// Disabling acts at once and needs no code; enabling needs `walletVerification`.
    enabled: Option<bool>,
    /// Needed to enable; else checked when it is given.
    wallet_verification: Option<WalletVerification>,
}

/// Rename, disable or enable one of the caller's API keys.
#[utoipa::path(tag = "API keys", operation_id = "apiKeyUpdate", request_body = UpdateKeyBody,
    responses((status = 200, description = "The key as it is now", body = ApiKeyObject)))]
#[post("/auth/api-key/update")]
pub async fn update(call: Call, body: Body) -> Result<HttpResponse, DalpError> {
    let parsed: UpdateKeyBody = body.parse()?;
    let mut issues = Issues::default();
    let id = key_id("keyId", &parsed.key_id, &mut issues);
    let given = parsed.wallet_verification.as_ref();
    let code = match parsed.enabled {
        Some(true) => WalletVerification::take(given, &mut issues),
        Some(false) | None => WalletVerification::take_given(given, &mut issues),
    };
    issues.finish()?;
    let id = id.ok_or_else(|| Error::internal("an id without an issue is there"))?;
    let change = KeyChange {
        name: parsed.name,
        enabled: parsed.enabled,
    };
    let terms = Terms { code, asset: None };
    call.mutate(&body, terms, anybody, move |tx, ctx| {
        let key = access::update_key(tx, ctx, ctx.actor.user, &id, &change)?;
        Answer::ok(&ApiKeyObject::from(&key))
    })
    .await
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "keyId": "k3Jd82Lm" }))]
pub struct DeleteKeyBody {
    key_id: String,
    /// Checked when it is given.
    wallet_verification: Option<WalletVerification>,
}

#[derive(Serialize, ToSchema)]
pub struct Deleted {
    #[schema(example = true)]
    success: bool,
}

/// Delete one of the caller's API keys. It opens nothing from then on.
#[utoipa::path(tag = "API keys", operation_id = "apiKeyDelete", request_body = DeleteKeyBody,
    responses((status = 200, description = "The key is gone", body = Deleted)))]
#[post("/auth/api-key/delete")]
pub async fn delete(call: Call, body: Body) -> Result<HttpResponse, DalpError> {
    let parsed: DeleteKeyBody = body.parse()?;
    let mut issues = Issues::default();
    let id = key_id("keyId", &parsed.key_id, &mut issues);
    let code = WalletVerification::take_given(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    let id = id.ok_or_else(|| Error::internal("an id without an issue is there"))?;
    let terms = Terms { code, asset: None };
    call.mutate(&body, terms, anybody, move |tx, ctx| {
        access::delete_key(tx, ctx, ctx.actor.user, &id)?;
        Answer::ok(&Deleted { success: true })
    })
    .await
}

#[derive(Deserialize)]
struct GetQuery {
    id: Option<String>,
}

/// Read one of the caller's API keys, without its secret.
#[utoipa::path(tag = "API keys", operation_id = "apiKeyRead",
    params(("id" = String, Query, description = "Id of the key, the 8 characters after its prefix")),
    responses((status = 200, description = "The key", body = ApiKeyObject)))]
#[get("/auth/api-key/get")]
pub async fn read(call: Call, request: HttpRequest) -> Result<HttpResponse, DalpError> {
    let asked: GetQuery = query(request.query_string())?;
    let mut issues = Issues::default();
    let id = key_id("id", asked.id.as_deref().unwrap_or_default(), &mut issues);
    issues.finish()?;
    let id = id.ok_or_else(|| Error::internal("an id without an issue is there"))?;
    let key = call
        .read(move |tx, ctx| access::find_key(tx, ctx.actor.user, &id))
        .await?;
    Ok(HttpResponse::Ok().json(ApiKeyObject::from(&key)))
}

#[derive(Deserialize)]
struct ListQuery {
    limit: Option<String>,
    offset: Option<String>,
    cursor: Option<String>,
}

/// List the caller's API keys, the newest first, without their secrets.
#[utoipa::path(tag = "API keys", operation_id = "apiKeyList",
    params(("limit" = Option<i64>, Query, description = "1 to 200, 100 without it"),
        ("offset" = Option<i64>, Query, description = "Rows to skip"),
        ("cursor" = Option<String>, Query, description = "From the header Link of the page before")),
    responses((status = 200, description = "The keys", body = Vec<ApiKeyObject>,
        headers(("Link" = String, description = "`rel=\"next\"`: the next page, when there is one")))))]
#[get("/auth/api-key/list")]
pub async fn list(call: Call, request: HttpRequest) -> Result<HttpResponse, DalpError> {
    let asked: ListQuery = query(request.query_string())?;
    let mut issues = Issues::default();
    let page = page_of(
        asked.limit.as_deref(),
        asked.offset.as_deref(),
        asked.cursor.as_deref(),
        &mut issues,
    );
    issues.finish()?;
    let (keys, next) = call
        .read(move |tx, ctx| access::list_keys(tx, ctx.actor.user, &page))
        .await?;
    let keys: Vec<ApiKeyObject> = keys.iter().map(ApiKeyObject::from).collect();
    let mut response = HttpResponse::Ok();
    if let Some(link) = next_link(&request, next.as_deref()) {
        response.insert_header(link);
    }
    Ok(response.json(keys))
}
