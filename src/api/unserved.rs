//! What every dialect answers alike, each in its own envelope: what no handler answers, and what an error of the domain says
//! besides its text.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};

use crate::error::Error;
use crate::types::Timestamp;

pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Why a request came to no handler, or did not come back from one.
#[derive(Debug, thiserror::Error)]
pub enum Unserved {
    #[error("no such route")]
    RouteUnknown,
    #[error("this route does not have this method")]
    MethodUnknown { allow: String },
    #[error("the body is larger than {max} bytes")]
    BodyTooLarge { max: usize },
    #[error("the body did not arrive within {seconds} seconds")]
    BodyTooSlow { seconds: u64 },
    #[error("the request panicked")]
    Panicked { request_id: String },
}

pub type Header = (HeaderName, HeaderValue);

impl Unserved {
    pub fn status(&self) -> StatusCode {
        match self {
            Self::RouteUnknown => StatusCode::NOT_FOUND,
            Self::MethodUnknown { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::Panicked { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What the answer has besides the envelope.
    pub fn header(&self) -> Option<Header> {
        let (name, value) = match self {
            Self::MethodUnknown { allow } => (header::ALLOW, allow),
            Self::Panicked { request_id } => (REQUEST_ID, request_id),
            Self::RouteUnknown | Self::BodyTooLarge { .. } | Self::BodyTooSlow { .. } => return None,
        };
        Some((name, HeaderValue::from_str(value).ok()?))
    }
}

/// When to come again, where that helps.
pub fn retry_after(error: &Error) -> Option<Header> {
    let seconds = match error {
        Error::Limited {
            retry_after_seconds, ..
        } => *retry_after_seconds,
        Error::Unavailable(_) | Error::OutcomeUnknown(_) => 1,
        Error::Invalid(_)
        | Error::Unauthenticated
        | Error::ChallengeFailed { .. }
        | Error::VerificationMissing { .. }
        | Error::Forbidden { .. }
        | Error::NotAllowed(_)
        | Error::NotFound(_)
        | Error::Conflict(_)
        | Error::AlreadyExists(_)
        | Error::FeatureMissing(_)
        | Error::Refused(_)
        | Error::Reverted { .. }
        | Error::Internal(_) => return None,
    };
    Some((header::RETRY_AFTER, HeaderValue::from(seconds)))
}

/// Rounded up: who comes then does not come too early.
pub fn whole_seconds(micros: i64) -> i64 {
    let up = micros.saturating_add(Timestamp::SECOND.saturating_sub(1));
    up.div_euclid(Timestamp::SECOND)
}

/// A cause of our own is in the log, once, and in no answer.
pub fn log_cause(error: &Error) {
    if let Error::Internal(cause) = error {
        tracing::error!(cause, "a request failed for a reason of our own");
    }
}
