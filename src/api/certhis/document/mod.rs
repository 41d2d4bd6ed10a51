//! The OpenAPI 3.1 document of this dialect, served at `/mint/openapi.json` and committed as `openapi-mint.json`.
//!
//! Examples of what is shown are rendered by the code that answers ([`examples`]), so that they cannot say anything else than
//! the server.

mod examples;
mod schemas;

use actix_web::{HttpResponse, ResponseError as _, get};
use serde_json::{Map, Value, json};

use super::{CerthisError, Guest, May, ROUTES};
use crate::api::document::{self, Document};

#[get("/mint/openapi.json")]
pub(super) async fn openapi_mint(_: Guest) -> Result<HttpResponse, CerthisError> {
    Ok(document::answer(text())?)
}

/// As it is served and committed.
pub fn text() -> Result<String, serde_json::Error> {
    document::text(&whole())
}

/// A route of [`ROUTES`]. What a form and an answer have is in [`schemas`].
struct Operation {
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    /// The schema of its form; none where everything is in the query.
    form: Option<&'static str>,
    /// Names in the query, a `?` behind those that may be left out.
    query: &'static [&'static str],
    answers: &'static str,
    /// Statuses beyond those of all routes.
    refuses: &'static [u16],
    is_made_once: bool,
}

const READ: Operation = Operation {
    path: "",
    id: "",
    summary: "",
    form: None,
    query: &[],
    answers: "",
    refuses: &[],
    is_made_once: false,
};

#[rustfmt::skip]
const OPERATIONS: &[Operation] = &[
    Operation { path: "/mint_access", id: "mintAccess", summary: "The key pair of a collection, for the wallet that its contract calls the owner now",
        form: Some("AccessForm"), answers: "AccessResult", refuses: &[403], ..READ },
    Operation { path: "/mint", id: "mint", summary: "Ask for one token",
        form: Some("MintForm"), answers: "MintResult", refuses: &[403, 409], is_made_once: true, ..READ },
    Operation { path: "/mint_status", id: "mintStatus", summary: "What became of a task",
        query: &["task_id"], answers: "StatusResult", ..READ },
    Operation { path: "/mint_task_list", id: "mintTaskList", summary: "Tasks of the collection, newest first, 50 a page",
        query: &["offset?"], answers: "TaskListResult", ..READ },
    Operation { path: "/register_webhook", id: "registerWebhook", summary: "Where to tell what becomes of tasks, and what to show there (HTTP Basic)",
        form: Some("WebhookForm"), answers: "RegisterResult", refuses: &[403], ..READ },
    Operation { path: "/get_webhook", id: "getWebhook", summary: "What this owner registered; null where somebody else did",
        answers: "WebhookResult", ..READ },
    Operation { path: "/sign", id: "sign", summary: "A text for a wallet to sign (EIP-191), good once, for ten minutes",
        query: &["wallet", "contract_id?", "header_signature?", "secure_sign?"], answers: "SignResult", ..READ },
    Operation { path: "/check", id: "check", summary: "Whether the wallet signed its text; uses nothing up",
        query: &["wallet", "sign_message", "sign_id?"], answers: "CheckResult", ..READ },
    Operation { path: "/mint/openapi.json", id: "openApi", summary: "This document", answers: "OpenApi", ..READ },
];

/// Statuses that every route may answer with, and those with a body.
const OF_ALL: [u16; 6] = [400, 404, 405, 429, 500, 503];
const OF_BODIES: [u16; 2] = [408, 413];

fn whole() -> Value {
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let method = match operation.form {
            Some(_) => "post",
            None => "get",
        };
        paths.insert(operation.path.to_owned(), json!({ method: described(operation) }));
    }
    let errors = examples::errors().into_iter();
    let errors = errors.map(|(name, error)| (name, error.status_code(), error.told()));
    let key = |name: &str, place: &str| json!({ "type": "apiKey", "in": place, "name": name });
    Document {
        title: "Moneyer: the mint API",
        description: "Certhis' mint API: forms in, and `{\"status\": …}` out. A key pair is sent in headers; where \
            proxies drop names with an underscore, `x-api-key` and `x-api-secret` are taken too. A pair opens nothing \
            once its wallet does not own the collection any more (at most a minute later), and nothing while the chain \
            cannot be asked.",
        paths,
        schemas: schemas::all(),
        responses: document::errors("Error", errors),
        security_schemes: json!({
            "key": key("api_key", "header"), "secret": key("api_secret", "header"),
            "keyInQuery": key("api_key", "query"), "secretInQuery": key("api_secret", "query"),
        }),
    }
    .into_json()
}

fn may(operation: &Operation) -> May {
    let known = ROUTES.iter().find(|(_, path, _)| *path == operation.path);
    known.map_or(May::Hold, |(_, _, may)| *may)
}

fn described(operation: &Operation) -> Value {
    let headers = json!({ "key": [], "secret": [] });
    let security = match (may(operation), operation.form) {
        (May::Guest, _) => json!([{}]),
        (May::Hold, None) if operation.path != "/get_webhook" => {
            json!([headers, { "keyInQuery": [], "secretInQuery": [] }])
        }
        (May::Hold, _) => json!([headers]),
    };
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": parameters(operation),
        "responses": responses(operation),
        "security": security,
    });
    if let (Value::Object(fields), Some(form)) = (&mut described, operation.form) {
        let types = [
            "multipart/form-data",
            "application/x-www-form-urlencoded",
            "application/json",
        ];
        let content: Map<String, Value> = types.map(|name| (name.to_owned(), content(form))).into_iter().collect();
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

fn parameters(operation: &Operation) -> Value {
    let of_query = operation.query.iter().map(|name| {
        let plain = name.trim_end_matches('?');
        json!({
            "name": plain, "in": "query", "required": *name == plain, "schema": schemas::query(plain),
            "example": examples::query(plain),
        })
    });
    let once = "The same fields under the same key are one task, answered again with Idempotent-Replayed: true";
    let of_header = operation.is_made_once.then(|| document::idempotency_key(once));
    of_query.chain(of_header).collect()
}

fn responses(operation: &Operation) -> Value {
    let good = (200, operation.summary, content(operation.answers));
    let of_bodies = operation.form.map(|_| OF_BODIES);
    let statuses = OF_ALL.into_iter().chain(of_bodies.into_iter().flatten());
    document::responses(good, statuses.chain(operation.refuses.iter().copied()))
}
