//! `/api/environments/{environmentId}/keys…` and `…/usage`: the keys of the minting API (immutable.md A and section 7).

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::body::Issues;
use super::identity::terms;
use super::page::strict_query;
use super::project::{environment_in_path, may_manage, may_read};
use super::{Answer, Body, Call, DalpError, Terms, WalletVerification};
use crate::access::environment::{
    self, Day, DayUsage, EnvironmentKey, IssuedEnvironmentKey, KeyPurpose, KeyState, OVERLAP_SECONDS_MAX,
};
use crate::error::Error;
use crate::types::{EnvironmentId, KeyId, Timestamp};

/// Days of usage that one request may ask for.
const DAYS_MAX: i32 = 366;
/// Days without `from`.
const DAYS_DEFAULT: i32 = 30;

/// A key of an environment, without its secret.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentKeyObject {
    #[schema(example = "k3Jd82Lm")]
    id: String,
    #[schema(value_type = String, example = "0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b59")]
    environment_id: EnvironmentId,
    /// `publishable` or `secret`.
    #[schema(example = "secret")]
    kind: &'static str,
    /// The first characters: enough to recognise it.
    #[schema(example = "sk_imapik_test-k3Jd82Lm")]
    start: String,
    /// `active`; `retiring`: replaced and still accepted; `ended`.
    #[schema(example = "active")]
    state: &'static str,
    /// Of a key that is retiring.
    #[schema(value_type = Option<String>)]
    accepted_until: Option<Timestamp>,
    #[schema(value_type = String, example = "2026-11-21T10:30:00.000Z")]
    created_at: Timestamp,
    #[schema(value_type = Option<String>)]
    ended_at: Option<Timestamp>,
}

impl From<&EnvironmentKey> for EnvironmentKeyObject {
    fn from(key: &EnvironmentKey) -> Self {
        let accepted_until = match key.state {
            KeyState::Retiring { until } => Some(until),
            KeyState::Active | KeyState::Ended => None,
        };
        Self {
            id: key.id.to_string(),
            environment_id: key.environment,
            kind: key.purpose.as_str(),
            start: key.start.clone(),
            state: key.state.as_str(),
            accepted_until,
            created_at: key.created_at,
            ended_at: key.ended_at,
        }
    }
}

/// A new key of an environment.
#[derive(Serialize, ToSchema)]
pub struct CreatedEnvironmentKey {
    /// The key, shown this once.
    #[schema(example = "sk_imapik_test-k3Jd82Lm0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0u")]
    key: String,
    #[serde(flatten)]
    stored: EnvironmentKeyObject,
}

impl CreatedEnvironmentKey {
    fn answer(issued: &IssuedEnvironmentKey) -> Result<Answer, Error> {
        let created = Self {
            key: issued.key.reveal().to_owned(),
            stored: (&issued.stored).into(),
        };
        Answer::ok(&created)?.reveals_once(&EnvironmentKeyObject::from(&issued.stored))
    }
}

pub(super) fn key_in_path(text: &str) -> Result<KeyId, Error> {
    KeyId::parse(text).map_err(|error| Error::invalid("keyId", error.to_string()))
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "kind": "secret",
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" } }))]
pub struct EnvironmentKeyCreateBody {
    /// `publishable` or `secret`.
    kind: String,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

/// Create the publishable or the secret key of an environment.
///
/// Needs `systemManager`. 409 `RESOURCE_ALREADY_EXISTS` while it has an active one: rotate that.
#[utoipa::path(tag = "Projects", operation_id = "environmentKeyCreate", request_body = EnvironmentKeyCreateBody,
    params(("environmentId" = String, Path)),
    responses((status = 200, description = "The key, shown once", body = CreatedEnvironmentKey)))]
#[post("/environments/{environmentId}/keys")]
pub async fn create(call: Call, path: web::Path<String>, body: Body) -> Result<HttpResponse, DalpError> {
    let environment = environment_in_path(&path)?;
    let parsed: EnvironmentKeyCreateBody = body.parse()?;
    let mut issues = Issues::default();
    let purpose = KeyPurpose::parse(&parsed.kind).ok_or("must be publishable or secret");
    let purpose = issues.take("kind", purpose);
    let terms = terms(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    let purpose = purpose.ok_or_else(|| Error::internal("a purpose without an issue is there"))?;
    let (vault, marker) = (Arc::clone(call.app.vault()), call.app.gate().settings.test_marker);
    call.mutate(&body, terms, may_manage, move |tx, ctx| {
        let issued = environment::create_key(tx, &vault, marker, ctx, environment, purpose)?;
        CreatedEnvironmentKey::answer(&issued)
    })
    .await
}

/// List the keys of an environment, the newest first, without their secrets; those that have ended too.
#[utoipa::path(tag = "Projects", operation_id = "environmentKeyList",
    params(("environmentId" = String, Path)),
    responses((status = 200, description = "The keys", body = Vec<EnvironmentKeyObject>)))]
#[get("/environments/{environmentId}/keys")]
pub async fn list(call: Call, path: web::Path<String>) -> Result<HttpResponse, DalpError> {
    let environment = environment_in_path(&path)?;
    let keys = call
        .read(move |tx, ctx| {
            may_read(tx, ctx)?;
            environment::list_keys(tx, environment)
        })
        .await?;
    let keys: Vec<EnvironmentKeyObject> = keys.iter().map(EnvironmentKeyObject::from).collect();
    Ok(HttpResponse::Ok().json(keys))
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "overlapSeconds": 3_600,
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" } }))]
pub struct EnvironmentKeyRotateBody {
    /// How long the old key is still accepted, up to seven days; 0, the default, ends it at once.
    #[validate(range(min = 0, max = OVERLAP_SECONDS_MAX))]
    #[schema(minimum = 0, maximum = 604_800)]
    overlap_seconds: Option<i64>,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

/// Put a new key in the place of an active one.
///
/// Needs `systemManager`. Without an overlap the old key is refused from the next request on, by every process. 409 for a
/// key that is not active.
#[utoipa::path(tag = "Projects", operation_id = "environmentKeyRotate", request_body = EnvironmentKeyRotateBody,
    params(("environmentId" = String, Path), ("keyId" = String, Path, description = "Of the key to be replaced")),
    responses((status = 200, description = "The new key, shown once", body = CreatedEnvironmentKey)))]
#[post("/environments/{environmentId}/keys/{keyId}/rotate")]
pub async fn rotate(call: Call, path: web::Path<(String, String)>, body: Body) -> Result<HttpResponse, DalpError> {
    let (environment, key) = (environment_in_path(&path.0)?, key_in_path(&path.1)?);
    let parsed: EnvironmentKeyRotateBody = body.parse()?;
    let mut issues = Issues::default();
    let terms = terms(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    let overlap = parsed.overlap_seconds.unwrap_or(0);
    let (vault, marker) = (Arc::clone(call.app.vault()), call.app.gate().settings.test_marker);
    call.mutate(&body, terms, may_manage, move |tx, ctx| {
        let issued = environment::rotate_key(tx, &vault, marker, ctx, (environment, &key), overlap)?;
        CreatedEnvironmentKey::answer(&issued)
    })
    .await
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({}))]
pub struct KeyRevokeBody {
    /// Checked when it is given.
    pub(super) wallet_verification: Option<WalletVerification>,
}

impl KeyRevokeBody {
    /// Taking a right away needs no code.
    pub(super) fn terms(&self) -> Result<Terms, Error> {
        let mut issues = Issues::default();
        let code = WalletVerification::take_given(self.wallet_verification.as_ref(), &mut issues);
        issues.finish()?;
        Ok(Terms { code, asset: None })
    }
}

/// Revoke a key. It is refused from the next request on, by every process.
///
/// Needs `systemManager`. 409 for a key that has ended.
#[utoipa::path(tag = "Projects", operation_id = "environmentKeyRevoke", request_body = KeyRevokeBody,
    params(("environmentId" = String, Path), ("keyId" = String, Path)),
    responses((status = 200, description = "The key as it is now", body = EnvironmentKeyObject)))]
#[delete("/environments/{environmentId}/keys/{keyId}")]
pub async fn revoke(call: Call, path: web::Path<(String, String)>, body: Body) -> Result<HttpResponse, DalpError> {
    let (environment, key) = (environment_in_path(&path.0)?, key_in_path(&path.1)?);
    let terms = body.parse::<KeyRevokeBody>()?.terms()?;
    call.mutate(&body, terms, may_manage, move |tx, ctx| {
        let key = environment::revoke_key(tx, ctx, environment, &key)?;
        Answer::ok(&EnvironmentKeyObject::from(&key))
    })
    .await
}

// --- usage ----------------------------------------------------------------------------------------------------------

/// Requests that named a publishable key of an environment, on one day.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({ "date": "2026-11-21", "requests": 1_204 }))]
pub struct UsageObject {
    /// In UTC.
    date: String,
    requests: i64,
}

impl From<&DayUsage> for UsageObject {
    fn from(counted: &DayUsage) -> Self {
        Self {
            date: counted.day.to_string(),
            requests: counted.requests,
        }
    }
}

#[derive(Deserialize)]
struct UsageQuery {
    from: Option<String>,
    to: Option<String>,
}

impl UsageQuery {
    fn days(&self, today: Day) -> Result<(Day, Day), Error> {
        let mut issues = Issues::default();
        let mut day = |path: &str, text: Option<&str>, default: Day| match text.map(Day::parse) {
            None => default,
            Some(Some(day)) => day,
            Some(None) => {
                issues.add(path, "format", "must be a day such as 2026-11-21");
                default
            }
        };
        let to = day("to", self.to.as_deref(), today);
        let from = day("from", self.from.as_deref(), to.minus(DAYS_DEFAULT - 1));
        if from > to || from < to.minus(DAYS_MAX - 1) {
            issues.add("from", "range", format!("must be at most {DAYS_MAX} days before to"));
        }
        issues.finish()?;
        Ok((from, to))
    }
}

/// How often the publishable keys of an environment were named, by day; days without a request are left out.
///
/// Counts of other processes are some seconds behind.
#[utoipa::path(tag = "Projects", operation_id = "environmentUsage",
    params(("environmentId" = String, Path),
        ("from" = Option<String>, Query, description = "First day, such as 2026-11-21; 30 days when left out, at most 366"),
        ("to" = Option<String>, Query, description = "Last day; today when left out")),
    responses((status = 200, description = "The days, the first one first", body = Vec<UsageObject>)))]
#[get("/environments/{environmentId}/usage")]
pub async fn usage(call: Call, path: web::Path<String>, request: HttpRequest) -> Result<HttpResponse, DalpError> {
    let environment = environment_in_path(&path)?;
    let asked: UsageQuery = strict_query(request.query_string())?;
    let (from, to) = asked.days(Day::of(call.ctx.now))?;
    call.read(may_read).await?;
    environment::write_usage(call.app.db(), &call.app.gate().usage, call.ctx.now).await?;
    let days = call
        .read(move |tx, ctx| {
            may_read(tx, ctx)?;
            environment::usage(tx, environment, from, to)
        })
        .await?;
    let days: Vec<UsageObject> = days.iter().map(UsageObject::from).collect();
    Ok(HttpResponse::Ok().json(days))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(from: Option<&str>, to: Option<&str>) -> Option<(String, String)> {
        let query = UsageQuery {
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
        };
        let (from, to) = query.days(Day::parse("2026-11-21").unwrap()).ok()?;
        Some((from.to_string(), to.to_string()))
    }

    #[test]
    fn usage_is_asked_for_at_most_a_year_at_a_time() {
        let pair = |from: &str, to: &str| Some((from.to_owned(), to.to_owned()));

        assert_eq!(days(None, None), pair("2026-10-23", "2026-11-21"));
        assert_eq!(days(Some("2026-11-21"), None), pair("2026-11-21", "2026-11-21"));
        assert_eq!(days(Some("2025-11-21"), None), pair("2025-11-21", "2026-11-21"));
        assert_eq!(days(Some("2025-11-20"), None), None);
        assert_eq!(days(Some("2026-11-22"), None), None);
        assert_eq!(days(Some("yesterday"), None), None);
    }
}
