//! The OpenAPI 3.1 document of this dialect, served at `/v1/openapi.json` and committed as `openapi-v1.json`.
//!
//! What a route takes and answers is in [`operations`], what its objects have in [`schemas`]; the examples are rendered by
//! the code that answers ([`examples`]), so that they cannot say anything else than the server.

mod examples;
mod lists;
mod operations;
mod schemas;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpResponse, get};
use serde_json::{Map, Value, json};

use super::error::ImmutableError;
use super::{May, ROUTES, Reader};
use operations::{Operation, Take};

#[get("/v1/openapi.json")]
pub(super) async fn openapi_v1(_: Reader) -> Result<HttpResponse, ImmutableError> {
    let text = text().map_err(crate::error::Error::internal)?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .body(text))
}

/// As it is served and committed.
pub fn text() -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(&document()).map(|text| text + "\n")
}

/// Statuses that every route may answer with, those of routes with a secret key, and those with a body.
const OF_ALL: [u16; 7] = [400, 403, 404, 405, 429, 500, 503];
const OF_KEYS: [u16; 1] = [401];
const OF_BODIES: [u16; 1] = [413];

fn document() -> Value {
    let mut paths = Map::new();
    for operation in operations::OPERATIONS {
        let item = paths.entry(operation.path).or_insert_with(|| json!({}));
        if let Value::Object(methods) = item {
            methods.insert(operation.method.to_lowercase(), described(operation));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Moneyer: the minting API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Immutable's minting API, as its published client packages call it, and what goes beyond it: \
                requests are taken back and made again, files of requests, hosted metadata. Reads are public.",
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "paths": paths,
        "components": {
            "schemas": schemas::all(),
            "responses": errors(),
            "securitySchemes": {
                "secretKey": { "type": "apiKey", "in": "header", "name": "x-immutable-api-key" },
                "publishableKey": { "type": "apiKey", "in": "header", "name": "x-immutable-publishable-key" },
                "rateLimitKey": { "type": "apiKey", "in": "header", "name": "x-api-key" },
            },
        },
    })
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
    json!({ "schema": { "$ref": format!("#/components/schemas/{schema}") }, "example": examples::of(schema) })
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
    let of_header = operation.is_made_once.then(|| {
        json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "schema": { "type": "string", "minLength": 1, "maxLength": 255 },
            "description": "The same request under the same key is made once, and answered again with Idempotent-Replayed: true",
        })
    });
    of_path.chain(of_query).chain(of_header).collect()
}

fn responses(operation: &Operation) -> Value {
    let mut responses = Map::new();
    let good =
        json!({ "description": operation.summary, "content": { "application/json": content(operation.answers) } });
    responses.insert(operation.status.to_string(), good);
    let of_keys = matches!(may(operation), May::Act).then_some(OF_KEYS);
    let of_bodies = (!matches!(operation.takes, Take::Nothing)).then_some(OF_BODIES);
    let more = operation.refuses.iter().copied();
    let statuses = OF_ALL
        .into_iter()
        .chain(of_keys.into_iter().flatten())
        .chain(of_bodies.into_iter().flatten());
    for status in statuses.chain(more) {
        let reference = json!({ "$ref": format!("#/components/responses/Error{status}") });
        responses.insert(status.to_string(), reference);
    }
    Value::Object(responses)
}

/// With an example of each way to be refused with the status.
fn errors() -> Value {
    let mut responses = Map::new();
    for (name, error) in examples::errors() {
        let (status, body) = error.told(examples::TRACE_ID);
        let description = status.canonical_reason().unwrap_or("An error");
        let response = responses.entry(format!("Error{}", status.as_u16())).or_insert_with(|| {
            json!({
                "description": description,
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/APIError" }, "examples": {} } },
            })
        });
        if let Some(Value::Object(examples)) = response.pointer_mut("/content/application~1json/examples") {
            examples.insert(name.to_owned(), json!({ "value": body }));
        }
    }
    Value::Object(responses)
}
