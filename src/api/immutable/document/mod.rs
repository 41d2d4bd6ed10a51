//! The OpenAPI 3.1 document of this dialect, served at `/v1/openapi.json` and committed as `openapi-v1.json`.
//!
//! What a route takes and answers is in [`operations`], what its objects have in [`schemas`]; the examples are rendered by
//! the code that answers ([`examples`]), so that they cannot say anything else than the server.

mod examples;
mod lists;
mod operations;
mod schemas;

use actix_web::{HttpResponse, get};
use serde_json::{Map, Value, json};

use super::error::ImmutableError;
use super::{May, ROUTES, Reader};
use crate::api::document::{self, Document};
use operations::{Operation, Take};

#[get("/v1/openapi.json")]
pub(super) async fn openapi_v1(_: Reader) -> Result<HttpResponse, ImmutableError> {
    Ok(document::answer(text())?)
}

/// As it is served and committed.
pub fn text() -> Result<String, serde_json::Error> {
    document::text(&whole())
}

/// Statuses that every route may answer with, those of routes with a secret key, and those with a body.
const OF_ALL: [u16; 7] = [400, 403, 404, 405, 429, 500, 503];
const OF_KEYS: [u16; 1] = [401];
const OF_BODIES: [u16; 2] = [408, 413];

fn whole() -> Value {
    let mut paths = Map::new();
    for operation in operations::OPERATIONS {
        let item = paths.entry(operation.path).or_insert_with(|| json!({}));
        if let Value::Object(methods) = item {
            methods.insert(operation.method.to_lowercase(), described(operation));
        }
    }
    let errors = examples::errors().into_iter().map(|(name, error)| {
        let (status, body) = error.told(examples::TRACE_ID);
        (name, status, body)
    });
    let key = |name: &str| json!({ "type": "apiKey", "in": "header", "name": name });
    Document {
        title: "Moneyer: the minting API",
        description: "Immutable's minting API, as its published client packages call it, and what goes beyond it: \
            requests are taken back and made again, files of requests, hosted metadata. Reads are public.",
        paths,
        schemas: schemas::all(),
        responses: document::errors("APIError", errors),
        security_schemes: json!({
            "secretKey": key("x-immutable-api-key"),
            "publishableKey": key("x-immutable-publishable-key"),
            "rateLimitKey": key("x-api-key"),
        }),
    }
    .into_json()
}

fn may(operation: &Operation) -> May {
    let known = ROUTES
        .iter()
        .find(|(method, path, _)| (*method, *path) == (operation.method, operation.path));
    known.map_or(May::Act, |(_, _, may)| *may)
}

fn described(operation: &Operation) -> Value {
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": parameters(operation),
        "responses": responses(operation),
        "security": match may(operation) {
            May::Act => json!([{ "secretKey": [] }]),
            May::Read => json!([{}, { "rateLimitKey": [] }, { "publishableKey": [] }]),
        },
    });
    let content = match operation.takes {
        Take::Nothing => return described,
        Take::Json(schema) => json!({ "application/json": content(schema) }),
        Take::Lines(csv, lines) => json!({
            "text/csv": { "schema": { "type": "string" }, "example": csv },
            "application/x-ndjson": { "schema": { "type": "string" }, "example": lines },
        }),
    };
    if let Value::Object(fields) = &mut described {
        fields.insert(
            "requestBody".to_owned(),
            json!({ "required": true, "content": content }),
        );
    }
    described
}

fn content(schema: &str) -> Value {
    document::content(schema, examples::of(schema))
}

/// Those of the path, of the query, and the key under which a change is made once.
fn parameters(operation: &Operation) -> Value {
    let names = operation
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let of_path = names.map(|name| {
        json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" }, "example": examples::part(name) })
    });
    let of_query = operation.query.iter().map(|query| {
        json!({ "name": query.name, "in": "query", "required": query.required, "schema": schemas::query(query.kind) })
    });
    let once = "The same request under the same key is made once, and answered again with Idempotent-Replayed: true";
    let of_header = operation.is_made_once.then(|| document::idempotency_key(once));
    of_path.chain(of_query).chain(of_header).collect()
}

fn responses(operation: &Operation) -> Value {
    let good = (operation.status, operation.summary, content(operation.answers));
    let of_keys = matches!(may(operation), May::Act).then_some(OF_KEYS);
    let of_bodies = (!matches!(operation.takes, Take::Nothing)).then_some(OF_BODIES);
    let statuses = OF_ALL
        .into_iter()
        .chain(of_keys.into_iter().flatten())
        .chain(of_bodies.into_iter().flatten());
    document::responses(good, statuses.chain(operation.refuses.iter().copied()))
}
