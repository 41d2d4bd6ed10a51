//! The envelope of errors (immutable.md section 4): `code, message, link, trace_id, details`, all five always there.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Value, json};

use super::dress::trace_id_of;
use super::quota::Shortage;
use crate::api::unserved::{self, Header, Unserved};
use crate::collection::{Conflict, NewMintFile};
use crate::error::{Error, Issue};

/// Where the page is that explains the API: this server's own.
const LINK: &str = "/docs/";

/// What a route of this dialect fails with: an error of the domain, or one of the framework.
#[derive(Debug, thiserror::Error)]
pub enum ImmutableError {
    #[error(transparent)]
    Domain(#[from] Error),
    #[error(transparent)]
    Unserved(#[from] Unserved),
    /// A rate-limit key that belongs to no plan.
    #[error("the rate-limit key is not valid")]
    ReaderUnknown,
    /// A good key of another project.
    #[error("the collection is not linked to the project of this API key")]
    NotLinked,
    /// Names that are used already: a client puts the others back and asks for those.
    #[error("{field} is used already")]
    Used { field: &'static str, values: Vec<String> },
    #[error("the rate limit is exceeded")]
    Exhausted(Shortage),
    /// An environment has as many files as it may have that are not worked off.
    #[error("too many files are not worked off")]
    FilesOpen { retry_after_seconds: u64 },
    /// An environment's file before this one is still being read.
    #[error("another file is being read")]
    FileArriving { retry_after_seconds: u64 },
    /// A file whose bytes come too slowly for the room that they hold.
    #[error("the file arrives too slowly")]
    FileSlow { mebibyte_seconds: u64 },
}

impl From<Conflict> for ImmutableError {
    fn from(conflict: Conflict) -> Self {
        match conflict {
            Conflict::References(references) => Self::Used {
                field: "reference_id",
                values: references.iter().map(ToString::to_string).collect(),
            },
            Conflict::TokenIds(ids) => Self::Used {
                field: "token_id",
                values: ids.iter().map(ToString::to_string).collect(),
            },
        }
    }
}

struct Rendered {
    status: StatusCode,
    code: &'static str,
    message: String,
    details: Value,
}

impl Rendered {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            details: Value::Null,
        }
    }

    fn with(self, details: Value) -> Self {
        Self { details, ..self }
    }
}

fn validation(status: StatusCode, message: impl Into<String>) -> Rendered {
    Rendered::new(status, "VALIDATION_ERROR", message)
}

fn forbidden(message: impl Into<String>) -> Rendered {
    Rendered::new(StatusCode::FORBIDDEN, "AUTHENTICATION_ERROR", message)
}

fn conflict(message: impl Into<String>) -> Rendered {
    Rendered::new(StatusCode::CONFLICT, "CONFLICT_ERROR", message)
}

fn too_many(message: impl Into<String>) -> Rendered {
    Rendered::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS_ERROR", message)
}

fn unavailable(message: impl Into<String>) -> Rendered {
    Rendered::new(StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", message)
}

fn internal() -> Rendered {
    Rendered::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "INTERNAL_SERVER_ERROR",
        "Internal server error",
    )
}

fn unprocessable(message: impl Into<String>) -> Rendered {
    Rendered::new(StatusCode::UNPROCESSABLE_ENTITY, "UNPROCESSABLE_ENTITY_ERROR", message)
}

fn unauthorised() -> Rendered {
    Rendered::new(
        StatusCode::UNAUTHORIZED,
        "UNAUTHORISED_REQUEST",
        "The secret API key is missing or not valid",
    )
}

impl ImmutableError {
    fn render(&self) -> Rendered {
        match self {
            Self::Domain(error) => render_domain(error),
            Self::Unserved(unserved) => render_unserved(unserved),
            Self::ReaderUnknown => forbidden("The rate-limit key (x-api-key) is not valid"),
            Self::NotLinked => forbidden("The collection is not linked to the project of this API key"),
            Self::Used { field, values } => conflict(format!("{field} is used already: {}", values.join(", ")))
                .with(json!({ "id": field, "values": values })),
            Self::Exhausted(_) => too_many("The rate limit is exceeded"),
            Self::FilesOpen { .. } => too_many(format!(
                "{} files of this environment are not worked off yet: wait for one of them, or cancel one",
                NewMintFile::OPEN_MAX
            )),
            Self::FileArriving { .. } => {
                too_many("Another file of this environment is still being read: send them one after the other")
            }
            Self::FileSlow { mebibyte_seconds } => validation(
                StatusCode::REQUEST_TIMEOUT,
                format!("The file arrives too slowly: each MiB of it has {mebibyte_seconds} seconds"),
            ),
        }
    }

    /// Status and body, naming the request.
    pub(super) fn told(&self, trace_id: &str) -> (StatusCode, Value) {
        let Rendered {
            status,
            code,
            message,
            details,
        } = self.render();
        let body = json!({
            "code": code, "message": message, "link": LINK, "trace_id": trace_id, "details": details,
        });
        (status, body)
    }

    /// The answer, naming the request.
    pub(super) fn respond(&self, trace_id: &str) -> HttpResponse {
        let (status, body) = self.told(trace_id);
        let mut response = HttpResponse::build(status);
        for header in self.headers() {
            response.insert_header(header);
        }
        if let Self::Unserved(Unserved::Panicked { .. }) = self {
            response.insert_header(("X-Trace-Id", trace_id));
        }
        response.json(body)
    }

    fn headers(&self) -> Vec<Header> {
        match self {
            Self::Domain(error) => unserved::retry_after(error).into_iter().collect(),
            Self::Unserved(unserved) => unserved.header().into_iter().collect(),
            Self::Exhausted(shortage) => shortage.headers(),
            Self::FilesOpen { retry_after_seconds } | Self::FileArriving { retry_after_seconds } => {
                vec![(header::RETRY_AFTER, HeaderValue::from(*retry_after_seconds))]
            }
            Self::ReaderUnknown | Self::NotLinked | Self::FileSlow { .. } | Self::Used { .. } => Vec::new(),
        }
    }
}

fn render_unserved(unserved: &Unserved) -> Rendered {
    let status = unserved.status();
    match unserved {
        Unserved::RouteUnknown => Rendered::new(status, "RESOURCE_NOT_FOUND", "No such route"),
        Unserved::MethodUnknown { .. } => validation(status, "This route does not have this method"),
        Unserved::BodyTooLarge { .. } | Unserved::BodyTooSlow { .. } => validation(status, unserved.to_string()),
        Unserved::Panicked { .. } => internal(),
    }
}

fn render_domain(error: &Error) -> Rendered {
    match error {
        Error::Invalid(issues) => render_invalid(issues),
        Error::Unauthenticated => unauthorised(),
        Error::ChallengeFailed { .. } | Error::VerificationMissing { .. } => unauthorised(),
        Error::Forbidden { .. } => forbidden("The API key does not have the right to do this"),
        Error::NotAllowed(reason) => forbidden(reason),
        Error::NotFound(what) => Rendered::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_FOUND", format!("No such {what}")),
        Error::Conflict(reason) | Error::AlreadyExists(reason) => conflict(reason),
        Error::FeatureMissing(feature) => validation(
            StatusCode::BAD_REQUEST,
            format!("The collection does not have the feature {feature}"),
        ),
        Error::Refused(_) | Error::Reverted { .. } => unprocessable(error.to_string()),
        Error::Limited { .. } => too_many("Too many requests"),
        Error::Unavailable(reason) => unavailable(format!(
            "Temporarily unavailable: {reason}. Nothing was done; try again"
        )),
        Error::OutcomeUnknown(reason) => unavailable(format!("It is not known whether this was done: {reason}")),
        Error::Internal(_) => internal(),
    }
}

/// The first issue is the message, because clients show nothing else; all of them are in the details.
fn render_invalid(issues: &[Issue]) -> Rendered {
    let message = issues
        .first()
        .map_or_else(String::new, |issue| match issue.path.as_slice() {
            [] => issue.message.clone(),
            path => format!("{}: {}", path.join("."), issue.message),
        });
    let issues: Vec<Value> = issues
        .iter()
        .map(|issue| json!({ "path": issue.path.join("."), "message": issue.message }))
        .collect();
    validation(StatusCode::BAD_REQUEST, message).with(json!({ "issues": issues }))
}

impl ResponseError for ImmutableError {
    fn status_code(&self) -> StatusCode {
        self.render().status
    }

    /// Without the name of the request, which [`super::dress`] puts in.
    fn error_response(&self) -> HttpResponse {
        match self {
            Self::Unserved(Unserved::Panicked { request_id }) => return self.respond(&trace_id_of(request_id)),
            Self::Domain(error) => unserved::log_cause(error),
            Self::Unserved(_)
            | Self::ReaderUnknown
            | Self::NotLinked
            | Self::Used { .. }
            | Self::FilesOpen { .. }
            | Self::FileArriving { .. }
            | Self::FileSlow { .. }
            | Self::Exhausted(_) => {}
        }
        self.respond("")
    }
}
