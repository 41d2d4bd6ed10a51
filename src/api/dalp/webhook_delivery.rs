//! `/api/webhooks/{webhookId}/deliveries…`: what a webhook was told, every attempt, and once more by hand.

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::Issues;
use super::environment_key::KeyRevokeBody;
use super::page::{next_link, page_of, strict_query};
use super::webhook::{may_manage_this, webhook_in_path};
use super::{Answer, Body, Call, DalpError};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::types::{DeliveryId, Timestamp, WebhookEventId, WebhookId};
use crate::webhook::{self, Attempt, Delivery, DeliveryState};

/// One event on its way to one webhook.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "id": "0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b5b",
    "webhookId": "0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b5a", "eventId": "0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b5c",
    "event": "mint_request.succeeded", "state": "pending", "attempts": 1,
    "nextAttemptAt": "2026-11-21T10:31:00.000Z", "replayOf": null, "createdAt": "2026-11-21T10:30:00.000Z",
    "endedAt": null }))]
pub struct DeliveryObject {
    #[schema(value_type = String)]
    id: DeliveryId,
    #[schema(value_type = String)]
    webhook_id: WebhookId,
    /// The same however often it is sent.
    #[schema(value_type = String)]
    event_id: WebhookEventId,
    event: &'static str,
    /// `pending`, `delivered`, `failed` (after its last attempt) or `cancelled` (the webhook was deleted).
    state: &'static str,
    attempts: u32,
    #[schema(value_type = Option<String>)]
    next_attempt_at: Option<Timestamp>,
    /// The delivery that this one repeats.
    #[schema(value_type = Option<String>)]
    replay_of: Option<DeliveryId>,
    #[schema(value_type = String)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>)]
    ended_at: Option<Timestamp>,
}

impl From<&Delivery> for DeliveryObject {
    fn from(delivery: &Delivery) -> Self {
        Self {
            id: delivery.id,
            webhook_id: delivery.subscription,
            event_id: delivery.event,
            event: delivery.kind.text(),
            state: delivery.state.text(),
            attempts: delivery.attempts,
            next_attempt_at: delivery.due_at,
            replay_of: delivery.replay_of,
            created_at: delivery.created_at,
            ended_at: delivery.ended_at,
        }
    }
}

/// One attempt to deliver.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "number": 1, "at": "2026-11-21T10:30:00.000Z", "tookMs": 41, "status": 503, "error": null,
    "answer": "try later" }))]
pub struct AttemptObject {
    number: u32,
    #[schema(value_type = String)]
    at: Timestamp,
    took_ms: u64,
    /// Of the answer; 2xx is success.
    status: Option<u16>,
    /// Why there was no answer.
    error: Option<String>,
    /// How the answer's text begins.
    answer: Option<String>,
}

impl From<&Attempt> for AttemptObject {
    fn from(attempt: &Attempt) -> Self {
        Self {
            number: attempt.number,
            at: attempt.at,
            took_ms: u64::try_from(attempt.took.as_millis()).unwrap_or(u64::MAX),
            status: attempt.status,
            error: attempt.error.clone(),
            answer: attempt.answer.clone(),
        }
    }
}

/// A delivery with what is sent and what came of it.
#[derive(Serialize, ToSchema)]
pub struct DeliveryDetails {
    #[serde(flatten)]
    delivery: DeliveryObject,
    /// Byte for byte; none before the first attempt.
    #[schema(example = "{\"type\":\"mint_request.succeeded\"}")]
    body: Option<String>,
    /// The first one first.
    log: Vec<AttemptObject>,
}

fn delivery_in_path(text: &str) -> Result<DeliveryId, Error> {
    DeliveryId::parse(text).map_err(|error| Error::invalid("deliveryId", error.to_string()))
}

#[derive(Deserialize)]
struct ListQuery {
    state: Option<String>,
    limit: Option<String>,
    offset: Option<String>,
    cursor: Option<String>,
}

/// List the deliveries of a webhook, the newest first.
///
/// Those that ended a month ago are not kept.
#[utoipa::path(tag = "Webhooks", operation_id = "webhookDeliveryList",
    params(("webhookId" = String, Path),
        ("state" = Option<String>, Query, description = "`pending`, `delivered`, `failed` or `cancelled`"),
        ("limit" = Option<u32>, Query, description = "1 to 200, 100 when left out"),
        ("offset" = Option<u64>, Query), ("cursor" = Option<String>, Query, description = "From the header `Link`")),
    responses((status = 200, description = "One page; the next one in the header `Link`", body = Vec<DeliveryObject>)))]
#[get("/webhooks/{webhookId}/deliveries")]
pub async fn list(call: Call, path: web::Path<String>, request: HttpRequest) -> Result<HttpResponse, DalpError> {
    let id = webhook_in_path(&path)?;
    let asked: ListQuery = strict_query(request.query_string())?;
    let mut issues = Issues::default();
    let (limit, offset, cursor) = (asked.limit.as_deref(), asked.offset.as_deref(), asked.cursor.as_deref());
    let page = page_of(limit, offset, cursor, &mut issues);
    let state = asked.state.as_deref().and_then(|text| {
        let state = DeliveryState::parse(text).ok_or("must be pending, delivered, failed or cancelled");
        issues.take("state", state)
    });
    issues.finish()?;
    let (found, next) = call
        .read(move |tx, ctx| {
            may_manage_this(tx, ctx, id)?;
            webhook::find(tx, id)?;
            webhook::deliveries(tx, id, state, &page)
        })
        .await?;
    let found: Vec<DeliveryObject> = found.iter().map(DeliveryObject::from).collect();
    let mut response = HttpResponse::Ok();
    if let Some(link) = next_link(&request, next.as_deref()) {
        response.insert_header(link);
    }
    Ok(response.json(found))
}

/// Read a delivery: the body that is sent, and every attempt.
#[utoipa::path(tag = "Webhooks", operation_id = "webhookDeliveryRead",
    params(("webhookId" = String, Path), ("deliveryId" = String, Path)),
    responses((status = 200, description = "The delivery", body = DeliveryDetails)))]
#[get("/webhooks/{webhookId}/deliveries/{deliveryId}")]
pub async fn read(call: Call, path: web::Path<(String, String)>) -> Result<HttpResponse, DalpError> {
    let (id, delivery) = (webhook_in_path(&path.0)?, delivery_in_path(&path.1)?);
    let found = call
        .read(move |tx, ctx| {
            may_manage_this(tx, ctx, id)?;
            webhook::find(tx, id)?;
            webhook::delivery(tx, id, delivery)
        })
        .await?;
    Ok(HttpResponse::Ok().json(DeliveryDetails {
        delivery: (&found.delivery).into(),
        body: found.body,
        log: found.attempts.iter().map(AttemptObject::from).collect(),
    }))
}

/// Send an event once more: the same id and body, with attempts of its own.
///
/// 409 for a delivery that is still being tried, and for a webhook that is not active.
#[utoipa::path(tag = "Webhooks", operation_id = "webhookDeliveryReplay", request_body = KeyRevokeBody,
    params(("webhookId" = String, Path), ("deliveryId" = String, Path)),
    responses((status = 200, description = "The new delivery", body = DeliveryObject)))]
#[post("/webhooks/{webhookId}/deliveries/{deliveryId}/replay")]
pub async fn replay(call: Call, path: web::Path<(String, String)>, body: Body) -> Result<HttpResponse, DalpError> {
    let (id, delivery) = (webhook_in_path(&path.0)?, delivery_in_path(&path.1)?);
    let terms = body.parse::<KeyRevokeBody>()?.terms()?;
    let allowed = move |tx: &mut Tx<'_>, ctx: &Ctx| may_manage_this(tx, ctx, id);
    call.mutate(&body, terms, allowed, move |tx, ctx| {
        let again = webhook::replay(tx, ctx, id, delivery)?;
        Answer::ok(&DeliveryObject::from(&again))
    })
    .await
}
