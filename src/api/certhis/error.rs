//! The envelope of errors: `{"status":false,"message":…}`, 400 unless something else is said here (certhis.md).

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Value, json};

use crate::access::quota::{Rate, Standing};
use crate::api::unserved::{self, Header, Unserved, whole_seconds};
use crate::error::{Error, Issue};

/// What a route of this dialect fails with: an error of the domain, or one of the framework.
#[derive(Debug, thiserror::Error)]
pub enum CerthisError {
    #[error(transparent)]
    Domain(#[from] Error),
    #[error(transparent)]
    Unserved(#[from] Unserved),
    #[error("api_key or api_secret missing")]
    KeysMissing,
    #[error("api_key or api_secret invalid")]
    KeysInvalid,
    #[error("{0} missing")]
    Missing(&'static str),
    #[error("{0} invalid")]
    Invalid(&'static str),
    #[error("bad signature")]
    BadSignature,
    #[error("wallet is not the owner of this collection")]
    NotTheOwner,
    #[error("nft_id already minted")]
    Taken,
    /// Of an ERC-1155: the token shows what was said when it was minted first.
    #[error("token_uri already set")]
    Described,
    #[error("too many requests")]
    Exhausted(Shortage),
}

/// What is left of a quota that did not suffice.
#[derive(Clone, Copy, Debug)]
pub struct Shortage {
    pub rate: Rate,
    pub standing: Standing,
    pub wait_micros: i64,
}

impl Shortage {
    /// In both spellings, and whole seconds, never too few.
    fn headers(&self) -> Vec<Header> {
        let (limit, remaining) = (self.standing.limit, self.standing.remaining);
        let (window, wait) = (
            whole_seconds(self.rate.window_micros()),
            whole_seconds(self.wait_micros).max(1),
        );
        let pairs = [
            ("x-ratelimit-limit", format!("{limit}, {limit};w={window}")),
            ("x-ratelimit-remaining", remaining.to_string()),
            ("x-ratelimit-reset", wait.to_string()),
            ("x_ratelimit_limit", limit.to_string()),
            ("x_ratelimit_remaining", remaining.to_string()),
            ("x_ratelimit_reset", wait.to_string()),
            ("retry-after", wait.to_string()),
        ];
        let headers = pairs
            .into_iter()
            .filter_map(|(name, value)| Some((HeaderName::from_static(name), HeaderValue::from_str(&value).ok()?)));
        headers.collect()
    }
}

/// `field: what is wrong`, of the first field: clients show one line.
fn sentence(issues: &[Issue]) -> String {
    let Some(issue) = issues.first() else {
        return "invalid".to_owned();
    };
    match issue.path.last().map(|field| named(field)) {
        None => issue.message.clone(),
        Some(field) => format!("{field} invalid: {}", issue.message),
    }
}

/// The domain speaks of mint requests as Immutable's API names their fields.
fn named(field: &str) -> &str {
    match field {
        "owner_address" => "wallet",
        "token_id" => "nft_id",
        "metadata" => "token_uri",
        other => other,
    }
}

impl CerthisError {
    /// The envelope.
    pub(super) fn told(&self) -> Value {
        json!({ "status": false, "message": self.message() })
    }

    fn message(&self) -> String {
        match self {
            Self::Domain(error) => of_domain(error),
            Self::Unserved(Unserved::Panicked { .. }) => "internal error".to_owned(),
            Self::Unserved(_)
            | Self::KeysMissing
            | Self::KeysInvalid
            | Self::Missing(_)
            | Self::Invalid(_)
            | Self::BadSignature
            | Self::NotTheOwner
            | Self::Taken
            | Self::Described
            | Self::Exhausted(_) => self.to_string(),
        }
    }
}

fn of_domain(error: &Error) -> String {
    match error {
        Error::Invalid(issues) => sentence(issues),
        Error::Unauthenticated => CerthisError::KeysInvalid.to_string(),
        Error::NotFound(what) => format!("{what} not found"),
        Error::Forbidden { .. } => "not allowed".to_owned(),
        Error::Unavailable(reason) => format!("temporarily unavailable: {reason}"),
        Error::Internal(_) => "internal error".to_owned(),
        Error::NotAllowed(_)
        | Error::Conflict(_)
        | Error::AlreadyExists(_)
        | Error::ChallengeFailed { .. }
        | Error::VerificationMissing { .. }
        | Error::FeatureMissing(_)
        | Error::Refused(_)
        | Error::Reverted { .. }
        | Error::Limited { .. }
        | Error::OutcomeUnknown(_) => error.to_string(),
    }
}

fn status_of_domain(error: &Error) -> StatusCode {
    match error {
        Error::NotFound(_) => StatusCode::NOT_FOUND,
        Error::Forbidden { .. } | Error::NotAllowed(_) => StatusCode::FORBIDDEN,
        Error::Conflict(_) => StatusCode::CONFLICT,
        Error::Limited { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::Unavailable(_) | Error::OutcomeUnknown(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        Error::Invalid(_)
        | Error::Unauthenticated
        | Error::ChallengeFailed { .. }
        | Error::VerificationMissing { .. }
        | Error::AlreadyExists(_)
        | Error::FeatureMissing(_)
        | Error::Refused(_)
        | Error::Reverted { .. } => StatusCode::BAD_REQUEST,
    }
}

impl ResponseError for CerthisError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Domain(error) => status_of_domain(error),
            Self::Unserved(unserved) => unserved.status(),
            Self::NotTheOwner => StatusCode::FORBIDDEN,
            Self::Exhausted(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::KeysMissing
            | Self::KeysInvalid
            | Self::Missing(_)
            | Self::Invalid(_)
            | Self::BadSignature
            | Self::Taken
            | Self::Described => StatusCode::BAD_REQUEST,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let headers = match self {
            Self::Domain(error) => {
                unserved::log_cause(error);
                unserved::retry_after(error).into_iter().collect()
            }
            Self::Unserved(unserved) => unserved.header().into_iter().collect(),
            Self::Exhausted(shortage) => shortage.headers(),
            Self::KeysMissing
            | Self::KeysInvalid
            | Self::Missing(_)
            | Self::Invalid(_)
            | Self::BadSignature
            | Self::NotTheOwner
            | Self::Taken
            | Self::Described => Vec::new(),
        };
        let mut response = HttpResponse::build(self.status_code());
        for header in headers {
            response.insert_header(header);
        }
        response.json(self.told())
    }
}
