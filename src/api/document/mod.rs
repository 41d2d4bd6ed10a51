//! The OpenAPI 3.1 documents of the dialects whose routes are tables of their own: what they have in common.

pub mod sample;
pub mod shapes;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::error::Error;

/// What one dialect says. Keys of `paths` are paths, of the others names.
pub struct Document {
    pub title: &'static str,
    pub description: &'static str,
    pub paths: Map<String, Value>,
    pub schemas: Value,
    pub responses: Value,
    pub security_schemes: Value,
}

impl Document {
    pub fn into_json(self) -> Value {
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": self.title,
                "version": env!("CARGO_PKG_VERSION"),
                "description": self.description,
                "license": { "name": "MIT", "identifier": "MIT" },
            },
            "paths": self.paths,
            "components": {
                "schemas": self.schemas,
                "responses": self.responses,
                "securitySchemes": self.security_schemes,
            },
        })
    }
}

/// As a document is served and committed: keys in order, so that a change shows as a change.
pub fn text(document: &Value) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(document).map(|text| text + "\n")
}

/// The answer of the route that serves it.
pub fn answer(text: Result<String, serde_json::Error>) -> Result<HttpResponse, Error> {
    let text = text.map_err(Error::internal)?;
    Ok(HttpResponse::Ok().content_type("application/json").body(text))
}

/// What is sent, either way: a schema of the document, and an example of it.
pub fn content(schema: &str, example: Value) -> Value {
    json!({ "schema": shapes::known(schema), "example": example })
}

/// The header under which a change is made once.
pub fn idempotency_key(description: &str) -> Value {
    json!({
        "name": "Idempotency-Key", "in": "header", "required": false,
        "schema": { "type": "string", "minLength": 1, "maxLength": 255 },
        "description": description,
    })
}

/// The good answer of an operation, and the statuses that [`errors`] describes.
pub fn responses((status, description, content): (u16, &str, Value), refuses: impl IntoIterator<Item = u16>) -> Value {
    let good = json!({ "description": description, "content": { "application/json": content } });
    let mut responses = Map::from_iter([(status.to_string(), good)]);
    for status in refuses {
        let reference = json!({ "$ref": format!("#/components/responses/Error{status}") });
        responses.insert(status.to_string(), reference);
    }
    Value::Object(responses)
}

/// Every status that the dialect refuses with, each with an example of each way to be refused so, by a name. `envelope` is
/// the schema of all of them.
pub fn errors(envelope: &str, ways: impl IntoIterator<Item = (&'static str, StatusCode, Value)>) -> Value {
    let mut responses = Map::new();
    for (name, status, body) in ways {
        let description = status.canonical_reason().unwrap_or("An error");
        let response = responses.entry(format!("Error{}", status.as_u16())).or_insert_with(|| {
            json!({
                "description": description,
                "content": { "application/json": { "schema": shapes::known(envelope), "examples": {} } },
            })
        });
        if let Some(Value::Object(examples)) = response.pointer_mut("/content/application~1json/examples") {
            examples.insert(name.to_owned(), json!({ "value": body }));
        }
    }
    Value::Object(responses)
}
