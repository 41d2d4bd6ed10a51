//! `/api/webhooks…`: who is told what happened to mint requests (immutable.md A and section 9, certhis.md).

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, delete, get, post, put, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::body::Issues;
use super::environment_key::KeyRevokeBody;
use super::identity::terms;
use super::page::{next_link, page_of, strict_query};
use super::webhook_create::LoginBody;
use super::{Answer, Body, Call, DalpError, WalletVerification};
use crate::access::{self, Permission};
use crate::collection;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::types::{Address, AssetId, EnvironmentId, Timestamp, UserId, WebhookId};
use crate::webhook::{
    self, EventKind, OVERLAP_SECONDS_MAX, Scope, Secret, State, Subscription, SubscriptionChange, SubscriptionFilter,
    Target,
};

/// Somebody who is told what happened to mint requests.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "id": "0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b5a",
    "environmentId": "0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b59", "collection": null, "url": "https://example.com/hook",
    "scheme": "immutable", "events": ["mint_request.accepted", "mint_request.succeeded", "mint_request.failed"],
    "active": true, "replacedSecretSignsUntil": null, "createdBy": "0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b58",
    "createdAt": "2026-11-21T10:30:00.000Z", "updatedAt": "2026-11-21T10:30:00.000Z" }))]
pub struct WebhookObject {
    #[schema(value_type = String)]
    id: WebhookId,
    /// Told of the collections that are linked to it. With neither this nor a collection: of all.
    #[schema(value_type = Option<String>)]
    environment_id: Option<EnvironmentId>,
    /// Told of this one.
    #[schema(value_type = Option<String>)]
    collection: Option<Address>,
    url: String,
    /// `immutable`, `standard` or `certhis`.
    scheme: &'static str,
    events: Vec<&'static str>,
    /// False: it is told nothing new, and what waits goes on waiting.
    active: bool,
    /// The secret before this one signs too until then.
    #[schema(value_type = Option<String>)]
    replaced_secret_signs_until: Option<Timestamp>,
    #[schema(value_type = Option<String>)]
    created_by: Option<UserId>,
    #[schema(value_type = String)]
    created_at: Timestamp,
    #[schema(value_type = String)]
    updated_at: Timestamp,
}

impl WebhookObject {
    fn of(tx: &mut Tx<'_>, subscription: &Subscription) -> Result<Self, Error> {
        let collection = collection_of(subscription)
            .map(|id| collection::find(tx, id))
            .transpose()?;
        Ok(Self::with(
            subscription,
            collection.map(|collection| collection.address),
        ))
    }

    /// Of a page: one query for all collections.
    fn list(tx: &mut Tx<'_>, subscriptions: &[Subscription]) -> Result<Vec<Self>, Error> {
        let ids: Vec<AssetId> = subscriptions.iter().filter_map(collection_of).collect();
        let collections = collection::find_many(tx, &ids)?;
        let shown = subscriptions.iter().map(|one| {
            let collection = collection_of(one).and_then(|id| collections.get(&id));
            Self::with(one, collection.map(|collection| collection.address))
        });
        Ok(shown.collect())
    }

    fn with(subscription: &Subscription, collection: Option<Address>) -> Self {
        Self {
            id: subscription.id,
            environment_id: match subscription.scope {
                Scope::Environment(environment) => Some(environment),
                Scope::System | Scope::Collection(_) => None,
            },
            collection,
            url: subscription.target.to_string(),
            scheme: subscription.scheme.text(),
            events: subscription.events.iter().map(|kind| kind.text()).collect(),
            active: subscription.state == State::Active,
            replaced_secret_signs_until: subscription.retiring_until,
            created_by: subscription.created_by,
            created_at: subscription.created_at,
            updated_at: subscription.updated_at,
        }
    }
}

fn collection_of(subscription: &Subscription) -> Option<AssetId> {
    match subscription.scope {
        Scope::Collection(id) => Some(id),
        Scope::System | Scope::Environment(_) => None,
    }
}

/// A webhook with a new secret.
#[derive(Serialize, ToSchema)]
pub struct CreatedWebhook {
    /// What signs, shown this once; none with the scheme `certhis`.
    #[schema(example = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")]
    secret: Option<String>,
    #[serde(flatten)]
    stored: WebhookObject,
}

impl CreatedWebhook {
    pub(super) fn answer(tx: &mut Tx<'_>, stored: &Subscription, secret: Option<&Secret>) -> Result<Answer, Error> {
        let created = Self {
            secret: secret.map(|secret| secret.reveal().to_owned()),
            stored: WebhookObject::of(tx, stored)?,
        };
        let answer = Answer::ok(&created)?;
        match secret {
            Some(_) => answer.reveals_once(&created.stored),
            None => Ok(answer),
        }
    }
}

/// What concerns every collection is the admin's; the rest is also the system manager's.
pub(super) fn may_manage(tx: &mut Tx<'_>, ctx: &Ctx, is_of_system: bool) -> Result<(), Error> {
    access::require(tx, ctx, Permission::ManageWebhooks, access::Scope::System)?;
    match is_of_system {
        true => access::require(tx, ctx, Permission::ManageSystemWebhooks, access::Scope::System),
        false => Ok(()),
    }
}

/// Whoever has the right at all is told by the change that there is no such webhook.
pub(super) fn may_manage_this(tx: &mut Tx<'_>, ctx: &Ctx, id: WebhookId) -> Result<(), Error> {
    may_manage(tx, ctx, false)?;
    match webhook::find(tx, id) {
        Ok(found) => may_manage(tx, ctx, found.scope == Scope::System),
        Err(Error::NotFound(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

pub(super) fn webhook_in_path(text: &str) -> Result<WebhookId, Error> {
    WebhookId::parse(text).map_err(|error| Error::invalid("webhookId", error.to_string()))
}

pub(super) fn events_of(words: Option<&[String]>, issues: &mut Issues) -> Option<Vec<EventKind>> {
    let kinds = words?.iter().enumerate().filter_map(|(place, word)| {
        let known = EventKind::ALL.map(EventKind::text).join(", ");
        let kind = EventKind::parse(word).ok_or_else(|| format!("must be one of {known}"));
        issues.take(&format!("events.{place}"), kind)
    });
    Some(kinds.collect())
}

// --- read -----------------------------------------------------------------------------------------------------------

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListQuery {
    environment_id: Option<String>,
    collection: Option<String>,
    limit: Option<String>,
    offset: Option<String>,
    cursor: Option<String>,
}

/// List webhooks, the newest first, without their secrets.
///
/// Needs `systemManager` or `admin`; those of all collections are shown to `admin` alone.
#[utoipa::path(tag = "Webhooks", operation_id = "webhookList",
    params(("environmentId" = Option<String>, Query, description = "Only those of this environment"),
        ("collection" = Option<String>, Query, description = "Only those of the collection with this address"),
        ("limit" = Option<u32>, Query, description = "1 to 200, 100 when left out"),
        ("offset" = Option<u64>, Query), ("cursor" = Option<String>, Query, description = "From the header `Link`")),
    responses((status = 200, description = "One page; the next one in the header `Link`", body = Vec<WebhookObject>)))]
#[get("/webhooks")]
pub async fn list(call: Call, request: HttpRequest) -> Result<HttpResponse, DalpError> {
    let asked: ListQuery = strict_query(request.query_string())?;
    let mut issues = Issues::default();
    let (limit, offset, cursor) = (asked.limit.as_deref(), asked.offset.as_deref(), asked.cursor.as_deref());
    let page = page_of(limit, offset, cursor, &mut issues);
    let environment = asked.environment_id.as_deref().map(EnvironmentId::parse);
    let environment = environment.and_then(|id| issues.take("environmentId", id));
    let address = asked.collection.as_deref().map(Address::parse);
    let address = address.and_then(|address| issues.take("collection", address));
    issues.finish()?;
    let (found, next) = call
        .read(move |tx, ctx| {
            may_manage(tx, ctx, false)?;
            let collection = address
                .map(|address| collection::find_by_address(tx, &address))
                .transpose()?;
            let of_system = Permission::ManageSystemWebhooks;
            let filter = SubscriptionFilter {
                environment,
                collection: collection.map(|collection| collection.id),
                without_system: access::require(tx, ctx, of_system, access::Scope::System).is_err(),
            };
            let (found, next) = webhook::list(tx, filter, &page)?;
            Ok((WebhookObject::list(tx, &found)?, next))
        })
        .await?;
    let mut response = HttpResponse::Ok();
    if let Some(link) = next_link(&request, next.as_deref()) {
        response.insert_header(link);
    }
    Ok(response.json(found))
}

/// Read a webhook, without its secret.
#[utoipa::path(tag = "Webhooks", operation_id = "webhookRead", params(("webhookId" = String, Path)),
    responses((status = 200, description = "The webhook", body = WebhookObject)))]
#[get("/webhooks/{webhookId}")]
pub async fn read(call: Call, path: web::Path<String>) -> Result<HttpResponse, DalpError> {
    let id = webhook_in_path(&path)?;
    let found = call
        .read(move |tx, ctx| {
            may_manage_this(tx, ctx, id)?;
            let found = webhook::find(tx, id)?;
            WebhookObject::of(tx, &found)
        })
        .await?;
    Ok(HttpResponse::Ok().json(found))
}

// --- change ---------------------------------------------------------------------------------------------------------

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "active": false,
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" } }))]
pub struct WebhookUpdateBody {
    #[schema(max_length = 2_000)]
    url: Option<String>,
    events: Option<Vec<String>>,
    /// False: it is told nothing new until it is true again.
    active: Option<bool>,
    /// With the scheme `certhis`: what the receiver is shown from now on. Required with a `url` of another origin.
    login: Option<LoginBody>,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

/// Change where a webhook leads, what it is told, or whether it is told anything; what is left out stays.
///
/// What waits is sent to where it leads now. A login is shown to one receiver: a `url` of another origin (scheme, host or
/// port) needs a `login` of its own, and whoever gives one counts as `createdBy`.
#[utoipa::path(tag = "Webhooks", operation_id = "webhookUpdate", request_body = WebhookUpdateBody,
    params(("webhookId" = String, Path)),
    responses((status = 200, description = "Changed", body = WebhookObject)))]
#[put("/webhooks/{webhookId}")]
pub async fn update(call: Call, path: web::Path<String>, body: Body) -> Result<HttpResponse, DalpError> {
    let id = webhook_in_path(&path)?;
    let parsed: WebhookUpdateBody = body.parse()?;
    let mut issues = Issues::default();
    let target = parsed.url.as_deref().map(|url| Target::parse(url, call.app.targets()));
    let change = SubscriptionChange {
        target: target.and_then(|target| issues.take("url", target)),
        events: events_of(parsed.events.as_deref(), &mut issues),
        is_active: parsed.active,
        login: parsed.login.as_ref().and_then(|login| login.login(&mut issues)),
    };
    let terms = terms(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    let vault = Arc::clone(call.app.vault());
    let body = body.veil(&vault, &["login"]);
    let allowed = move |tx: &mut Tx<'_>, ctx: &Ctx| may_manage_this(tx, ctx, id);
    call.mutate(&body, terms, allowed, move |tx, ctx| {
        let changed = webhook::update(tx, &vault, ctx, id, &change)?;
        Answer::ok(&WebhookObject::of(tx, &changed)?)
    })
    .await
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "overlapSeconds": 3_600,
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" } }))]
pub struct WebhookRotateBody {
    /// How long the old secret signs too, up to seven days; 0, the default, ends it at once.
    #[validate(range(min = 0, max = OVERLAP_SECONDS_MAX))]
    #[schema(minimum = 0, maximum = 604_800)]
    overlap_seconds: Option<i64>,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

/// Put a new secret in the place of the one that signs.
///
/// With an overlap `webhook-signature` has a signature of each, and `x-immutable-signature`, which has room for one, stays
/// with the old secret until it ends. 409 for the scheme `certhis`, which has a login and no secret.
#[utoipa::path(tag = "Webhooks", operation_id = "webhookRotate", request_body = WebhookRotateBody,
    params(("webhookId" = String, Path)),
    responses((status = 200, description = "The webhook with its new secret, shown once", body = CreatedWebhook)))]
#[post("/webhooks/{webhookId}/rotate")]
pub async fn rotate(call: Call, path: web::Path<String>, body: Body) -> Result<HttpResponse, DalpError> {
    let id = webhook_in_path(&path)?;
    let parsed: WebhookRotateBody = body.parse()?;
    let mut issues = Issues::default();
    let terms = terms(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    let overlap = parsed.overlap_seconds.unwrap_or(0);
    let vault = Arc::clone(call.app.vault());
    let allowed = move |tx: &mut Tx<'_>, ctx: &Ctx| may_manage_this(tx, ctx, id);
    call.mutate(&body, terms, allowed, move |tx, ctx| {
        let (stored, secret) = webhook::rotate_secret(tx, &vault, ctx, id, overlap)?;
        CreatedWebhook::answer(tx, &stored, Some(&secret))
    })
    .await
}

/// Delete a webhook. What waits for it is not sent any more; the log of what was sent is kept for a month.
#[utoipa::path(tag = "Webhooks", operation_id = "webhookDelete", request_body = KeyRevokeBody,
    params(("webhookId" = String, Path)),
    responses((status = 200, description = "As it was last, and not active any more", body = WebhookObject)))]
#[delete("/webhooks/{webhookId}")]
pub async fn delete(call: Call, path: web::Path<String>, body: Body) -> Result<HttpResponse, DalpError> {
    let id = webhook_in_path(&path)?;
    let terms = body.parse::<KeyRevokeBody>()?.terms()?;
    let allowed = move |tx: &mut Tx<'_>, ctx: &Ctx| may_manage_this(tx, ctx, id);
    call.mutate(&body, terms, allowed, move |tx, ctx| {
        let deleted = webhook::delete(tx, ctx, id)?;
        Answer::ok(&WebhookObject::of(tx, &deleted)?)
    })
    .await
}
