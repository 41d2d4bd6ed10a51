//! `GET /api/audit`: the events, as JSON or CSV (architecture, section 9).

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, get};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::body::Issues;
use super::page::{page_of, strict_query};
use super::{Call, DalpError};
use crate::audit::{Head, Recorded};
use crate::error::Error;
use crate::reports::{self, AuditQuestion};
use crate::types::{Address, Hash32, Timestamp};

/// One event. `leafHash` is SHA-256 of a zero byte and the canonical JSON of the other fields (keys sorted, no spaces;
/// `at` with microseconds, `assetId` as the internal id).
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "stream": "asset:0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b57", "sequence": 17, "at": "2026-11-21T10:30:00.000000Z",
    "actor": "user:0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b57", "action": "mint.accepted", "assetId": "0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b57",
    "operationId": "0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b57", "data": { "total": "1000" }, "leafHash": "0x9c22ff5f21f0b81b113e63f7db6da94fedef11b2119b4088b89664fb9a3cb658",
}))]
pub struct EventObject {
    stream: String,
    /// Without a gap within its stream.
    sequence: i64,
    /// With microseconds: part of what is hashed.
    at: String,
    actor: String,
    action: String,
    asset_id: Option<String>,
    operation_id: Option<String>,
    #[schema(value_type = Object)]
    data: Value,
    #[schema(value_type = String)]
    leaf_hash: Hash32,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventList {
    events: Vec<EventObject>,
    next_cursor: Option<String>,
}

impl From<Recorded> for EventObject {
    fn from(event: Recorded) -> Self {
        Self {
            stream: event.stream,
            sequence: event.sequence,
            at: event.at.to_micros_text(),
            actor: event.actor,
            action: event.action,
            asset_id: event.asset.map(|id| id.to_string()),
            operation_id: event.operation.map(|id| id.to_string()),
            data: serde_json::from_str(&event.data).unwrap_or(Value::Null),
            leaf_hash: event.leaf_hash,
        }
    }
}

/// Where one stream ends. A head that was noted elsewhere fixes every event up to its number.
#[derive(Serialize, ToSchema)]
pub struct HeadObject {
    #[schema(example = "asset:0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b57")]
    stream: String,
    /// Of its last event.
    #[schema(example = 17)]
    sequence: i64,
    /// From 32 zero bytes on, with every event: SHA-256 of the head before it and its `leafHash`.
    #[schema(value_type = String, example = "0x9c22ff5f21f0b81b113e63f7db6da94fedef11b2119b4088b89664fb9a3cb658")]
    head: Hash32,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeadList {
    heads: Vec<HeadObject>,
    next_cursor: Option<String>,
}

impl From<Head> for HeadObject {
    fn from(head: Head) -> Self {
        let Head { stream, sequence, head } = head;
        Self { stream, sequence, head }
    }
}

#[derive(Deserialize)]
struct HeadQuery {
    asset: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct AuditQuery {
    asset: Option<String>,
    action: Option<String>,
    actor: Option<String>,
    recipient: Option<String>,
    from: Option<String>,
    to: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
    stream: Option<String>,
    #[serde(rename = "afterSequence")]
    after_sequence: Option<String>,
}

impl AuditQuery {
    fn question(self, issues: &mut Issues) -> AuditQuestion {
        let mut address =
            |name: &str, text: Option<String>| text.and_then(|text| issues.take(name, Address::parse(&text)));
        let (asset, recipient) = (address("asset", self.asset), address("recipient", self.recipient));
        let mut time =
            |name: &str, text: Option<String>| text.and_then(|text| issues.take(name, Timestamp::parse(&text)));
        let (from, to) = (time("from", self.from), time("to", self.to));
        let after_sequence = self.after_sequence.and_then(|text| {
            issues.take(
                "afterSequence",
                text.parse::<i64>().map_err(|_| "must be a whole number"),
            )
        });
        AuditQuestion {
            stream: self.stream,
            after_sequence,
            asset,
            recipient,
            from,
            to,
            action: self.action,
            actor: self.actor,
        }
    }
}

/// The head of a CSV and one row.
const CSV_EXAMPLE: &str = "stream,sequence,at,actor,action,assetId,operationId,data,leafHash\n\
    asset:0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b57,17,2026-11-21T10:30:00.000000Z,\
    user:0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b57,mint.accepted,0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b57,\
    0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b57,\"{}\",\
    0x9c22ff5f21f0b81b113e63f7db6da94fedef11b2119b4088b89664fb9a3cb658\n";

/// Read the audit log, the newest event first.
///
/// With `asset`: for everybody with a role on it. Without: for the system auditor. As CSV with `Accept: text/csv`.
#[utoipa::path(tag = "Audit", operation_id = "auditList",
    params(("asset" = Option<String>, Query, description = "Address of the asset or collection"),
        ("action" = Option<String>, Query, description = "For example `mint.accepted`"),
        ("actor" = Option<String>, Query, description = "For example `user:<id>`"),
        ("recipient" = Option<String>, Query, description = "A wallet that the event is about"),
        ("from" = Option<String>, Query, description = "RFC 3339, inclusive"),
        ("to" = Option<String>, Query, description = "RFC 3339, exclusive"),
        ("stream" = Option<String>, Query, description = "`stream` of an event"),
        ("afterSequence" = Option<i64>, Query, description = "Only later events of the stream, the oldest first: follows a stream without missing one"),
        ("limit" = Option<i64>, Query, description = "1 to 200, 100 without it"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before")),
    responses((status = 200, description = "Events", content(
        (EventList = "application/json"), (String = "text/csv", example = json!(CSV_EXAMPLE))))))]
#[get("/audit")]
pub async fn list(call: Call, request: HttpRequest) -> Result<HttpResponse, DalpError> {
    let asked: AuditQuery = strict_query(request.query_string())?;
    let mut issues = Issues::default();
    let page = page_of(asked.limit.as_deref(), None, asked.cursor.as_deref(), &mut issues);
    let question = asked.question(&mut issues);
    issues.finish()?;
    let (events, next_cursor) = call
        .read(move |tx, ctx| reports::audit_events(tx, ctx, &question, &page))
        .await?;
    let events: Vec<EventObject> = events.into_iter().map(EventObject::from).collect();
    let accept = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    if !accept.contains("text/csv") {
        return Ok(HttpResponse::Ok().json(EventList { events, next_cursor }));
    }
    let mut response = HttpResponse::Ok();
    if let Some(cursor) = next_cursor {
        response.insert_header(("X-Next-Cursor", cursor));
    }
    Ok(response.content_type("text/csv; charset=utf-8").body(csv_of(&events)?))
}

/// Read where each stream of the audit log ends.
///
/// With `asset`: of its stream, for everybody with a role on it. Without: of all streams, for the system auditor.
#[utoipa::path(tag = "Audit", operation_id = "auditHeads",
    params(("asset" = Option<String>, Query, description = "Address of the asset or collection"),
        ("limit" = Option<i64>, Query, description = "1 to 200, 100 without it"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before")),
    responses((status = 200, description = "One head per stream, by name", body = HeadList)))]
#[get("/audit/heads")]
pub async fn heads(call: Call, request: HttpRequest) -> Result<HttpResponse, DalpError> {
    let asked: HeadQuery = strict_query(request.query_string())?;
    let mut issues = Issues::default();
    let page = page_of(asked.limit.as_deref(), None, asked.cursor.as_deref(), &mut issues);
    let asset = asked.asset.and_then(|text| issues.take("asset", Address::parse(&text)));
    issues.finish()?;
    let (heads, next_cursor) = call
        .read(move |tx, ctx| reports::audit_heads(tx, ctx, asset, &page))
        .await?;
    let heads = heads.into_iter().map(HeadObject::from).collect();
    Ok(HttpResponse::Ok().json(HeadList { heads, next_cursor }))
}

fn csv_of(events: &[EventObject]) -> Result<String, Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let head = [
        "stream",
        "sequence",
        "at",
        "actor",
        "action",
        "assetId",
        "operationId",
        "data",
        "leafHash",
    ];
    writer.write_record(head).map_err(Error::internal)?;
    for event in events {
        let record = [
            event.stream.clone(),
            event.sequence.to_string(),
            event.at.clone(),
            event.actor.clone(),
            event.action.clone(),
            event.asset_id.clone().unwrap_or_default(),
            event.operation_id.clone().unwrap_or_default(),
            event.data.to_string(),
            event.leaf_hash.to_string(),
        ];
        writer.write_record(record.map(harmless)).map_err(Error::internal)?;
    }
    let bytes = writer.into_inner().map_err(Error::internal)?;
    String::from_utf8(bytes).map_err(Error::internal)
}

/// A cell that a spreadsheet would run as a formula begins with an apostrophe instead.
fn harmless(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@']) {
        format!("'{cell}")
    } else {
        cell
    }
}
