//! The OpenAPI 3.1 document: what the handlers say, plus what every route has in common.

use serde_json::{Value, json};
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, LicenseBuilder, ObjectBuilder, OpenApi, OpenApiBuilder, PathItem,
    Ref, RefOr, Required, Type,
};

use super::dalp::{self, DalpError};
use super::{document, examples};

/// One error status that routes share.
struct Shared {
    status: u16,
    description: &'static str,
    on: On,
}

impl Shared {
    /// Its name in the document.
    fn name(&self) -> String {
        format!("Error{}", self.status)
    }
}

#[derive(PartialEq, Eq)]
enum On {
    Every,
    Changes,
    Bodies,
}

const SHARED: &[Shared] = &[
    Shared {
        status: 400,
        description: "Malformed path, query or body: every issue with its path",
        on: On::Every,
    },
    Shared {
        status: 401,
        description: "No valid API key, or (CHALLENGE_FAILED) a wrong, replayed or used-up code",
        on: On::Every,
    },
    Shared {
        status: 403,
        description: "The role is missing: data.requiredRoles",
        on: On::Every,
    },
    Shared {
        status: 404,
        description: "What the path names is unknown, or (VERIFICATION_ID_NOT_FOUND) the method is not set up",
        on: On::Every,
    },
    Shared {
        status: 405,
        description: "Another method: header Allow",
        on: On::Every,
    },
    Shared {
        status: 408,
        description: "The body did not arrive in time",
        on: On::Bodies,
    },
    Shared {
        status: 409,
        description: "The state is not what the request assumes, or the idempotency key was used with another request",
        on: On::Changes,
    },
    Shared {
        status: 413,
        description: "The body is too large",
        on: On::Bodies,
    },
    Shared {
        status: 415,
        description: "The body is not JSON",
        on: On::Bodies,
    },
    Shared {
        status: 422,
        description: "The rules refuse: data.findings has every failing rule and line",
        on: On::Changes,
    },
    Shared {
        status: 429,
        description: "The verification method is locked, or too many requests: data.retryAfter, header Retry-After",
        on: On::Every,
    },
    Shared {
        status: 500,
        description: "A defect of ours; quote X-Request-Id",
        on: On::Every,
    },
    Shared {
        status: 503,
        description: "Database away or queue full: header Retry-After",
        on: On::Every,
    },
];

/// The document without its paths.
pub fn base() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Moneyer")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Issues units of tokenized assets, only to recipients who may hold them, only on the word of somebody who \
             may issue them. Amounts are base units; a dnum in an answer is a string of compact JSON, `[\"1000\",18]`. An \
             asset exists in Moneyer's own book, or on the EVM chain that `/readyz` names; nothing on a local node has a \
             value.",
        ))
        .license(Some(LicenseBuilder::new().name("MIT").identifier(Some("MIT")).build()))
        .build();
    OpenApiBuilder::new().info(info).build()
}

/// Adds the key, the error envelope, and the error statuses that routes have in common.
pub fn finish(mut document: OpenApi) -> OpenApi {
    let scheme = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
        "X-Api-Key",
        "A key of a user, shown once when it is created",
    )));
    let mut components = document
        .components
        .take()
        .unwrap_or_else(|| ComponentsBuilder::new().build());
    components.add_security_scheme("apiKey", scheme);
    components.schemas.insert("Error".to_owned(), error_schema());
    let errors: Vec<Value> = dalp::error_examples().iter().map(DalpError::body).collect();
    let responses = SHARED
        .iter()
        .map(|shared| (shared.name(), RefOr::T(response_of(shared, &errors))));
    components.responses.extend(responses);
    document.components = Some(components);
    document.security = Some(vec![SecurityRequirement::new("apiKey", Vec::<String>::new())]);
    for (path, item) in &mut document.paths.paths {
        if path.starts_with("/api/") {
            add_shared(item);
            // A dry run changes nothing.
            if !path.ends_with("/check") {
                add_idempotency_key(item);
            }
        }
    }
    examples::complete(&mut document);
    document
}

fn error_schema() -> RefOr<utoipa::openapi::Schema> {
    let schema = json!({
        "type": "object",
        "required": ["defined", "code", "status", "message"],
        "properties": {
            "defined": { "type": "boolean" },
            "code": { "type": "string" },
            "status": { "type": "integer" },
            "message": { "type": "string" },
            "data": { "type": "object", "additionalProperties": true },
        },
    });
    serde_json::from_value(schema).map_or_else(|_| RefOr::Ref(Ref::new("#/components/schemas/Error")), RefOr::T)
}

fn changes(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let changes = [&mut item.post, &mut item.put, &mut item.delete, &mut item.patch];
    changes.into_iter().flatten()
}

/// Every change takes one (dalp.md A10).
fn add_idempotency_key(item: &mut PathItem) {
    for operation in changes(item) {
        let key = ParameterBuilder::new()
            .name("Idempotency-Key")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(
                "1 to 255 visible characters: the same request under the same key is made once, and told again with \
                 `Idempotent-Replayed: true`",
            ))
            .schema(Some(
                ObjectBuilder::new().schema_type(Type::String).max_length(Some(255)),
            ))
            .build();
        operation.parameters.get_or_insert_default().push(RefOr::T(key));
    }
}

fn add_shared(item: &mut PathItem) {
    for operation in changes(item) {
        let has_body = operation.request_body.is_some();
        let shared = SHARED.iter().filter(|shared| has_body || shared.on != On::Bodies);
        shared.for_each(|shared| add(operation, shared));
    }
    if let Some(operation) = &mut item.get {
        SHARED
            .iter()
            .filter(|shared| shared.on == On::Every)
            .for_each(|shared| add(operation, shared));
    }
}

fn add(operation: &mut Operation, shared: &Shared) {
    let status = shared.status.to_string();
    let reference = Ref::new(format!("#/components/responses/{}", shared.name()));
    operation
        .responses
        .responses
        .entry(status)
        .or_insert(RefOr::Ref(reference));
}

/// With an example of every code that the status comes with.
fn response_of(shared: &Shared, errors: &[Value]) -> Response {
    let of_status = errors.iter().filter(|body| body["status"] == shared.status);
    let examples = of_status.map(|body| {
        let code = body["code"].as_str().unwrap_or_default();
        (code, ExampleBuilder::new().value(Some(body.clone())).build())
    });
    let content = ContentBuilder::new()
        .schema(Some(Ref::new("#/components/schemas/Error")))
        .examples_from_iter(examples)
        .build();
    ResponseBuilder::new()
        .description(shared.description)
        .content("application/json", content)
        .build()
}

/// The document as it is served and committed.
pub fn render(openapi: &OpenApi) -> Result<String, serde_json::Error> {
    document::text(&serde_json::to_value(openapi)?)
}

/// Every method and path of the document, sorted: `GET /api/token`.
pub fn route_list(document: &OpenApi) -> Vec<(String, String)> {
    let mut routes = Vec::new();
    for (path, item) in &document.paths.paths {
        let methods = [
            ("GET", item.get.is_some()),
            ("PUT", item.put.is_some()),
            ("POST", item.post.is_some()),
            ("DELETE", item.delete.is_some()),
            ("PATCH", item.patch.is_some()),
        ];
        let present = methods.into_iter().filter(|(_, is_there)| *is_there);
        routes.extend(present.map(|(method, _)| (method.to_owned(), path.clone())));
    }
    routes.sort_unstable();
    routes
}
