//! The envelope of the asset API (dalp.md A7): `{"defined":true,"code":…,"status":…,"message":…,"data":…}`.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Map, Value, json};

use crate::error::{Error, Finding, Issue, RefusalKind};

/// What a route of this dialect fails with: an error of the domain, or one of the framework.
#[derive(Debug, thiserror::Error)]
pub enum DalpError {
    #[error(transparent)]
    Domain(#[from] Error),
    #[error("no such route")]
    RouteUnknown,
    #[error("this route does not have this method")]
    MethodUnknown { allow: String },
    #[error("the body is larger than {max} bytes")]
    BodyTooLarge { max: usize },
    #[error("the body must be application/json")]
    MediaType,
    /// Fields that are good each and make no sense together.
    #[error("{0}")]
    Combination(&'static str),
    #[error("the request panicked")]
    Panicked { request_id: String },
}

struct Rendered {
    status: StatusCode,
    code: &'static str,
    message: String,
    data: Option<Value>,
}

impl Rendered {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            data: None,
        }
    }

    fn with(self, data: Value) -> Self {
        Self {
            data: Some(data),
            ..self
        }
    }

    fn body(self) -> Value {
        let Self {
            status,
            code,
            message,
            data,
        } = self;
        let mut body = json!({ "defined": true, "code": code, "status": status.as_u16(), "message": message });
        if let (Some(data), Value::Object(fields)) = (data, &mut body) {
            fields.insert("data".into(), data);
        }
        body
    }
}

impl DalpError {
    /// What the envelope holds.
    pub fn body(&self) -> Value {
        self.render().body()
    }

    fn render(&self) -> Rendered {
        match self {
            Self::Domain(error) => render_domain(error),
            Self::RouteUnknown => Rendered::new(StatusCode::NOT_FOUND, "NOT_FOUND", "No such route"),
            Self::MethodUnknown { .. } => Rendered::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "METHOD_NOT_SUPPORTED",
                "This route does not have this method",
            ),
            Self::BodyTooLarge { .. } => {
                Rendered::new(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", self.to_string())
            }
            Self::MediaType => Rendered::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UNSUPPORTED_MEDIA_TYPE",
                "The body must be application/json",
            ),
            Self::Combination(reason) => {
                Rendered::new(StatusCode::UNPROCESSABLE_ENTITY, "INPUT_VALIDATION_FAILED", *reason)
                    .with(json!({ "errors": [reason] }))
            }
            Self::Panicked { .. } => internal(),
        }
    }
}

fn internal() -> Rendered {
    Rendered::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "INTERNAL_SERVER_ERROR",
        "Internal server error",
    )
}

fn unknown(reason: &str) -> Rendered {
    let message = format!(
        "It is not known whether this was done: {reason}. Look at GET /api/operations, or repeat the request with the same \
         Idempotency-Key"
    );
    Rendered::new(StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", message).with(json!({ "outcome": "unknown" }))
}

fn render_domain(error: &Error) -> Rendered {
    match error {
        Error::Invalid(issues) => render_invalid(issues),
        Error::Unauthenticated => Rendered::new(
            StatusCode::UNAUTHORIZED,
            "UNAUTHORIZED",
            "API key is missing, invalid, expired or disabled",
        ),
        Error::ChallengeFailed { method, attempts_left } => {
            let data = json!({ "verificationType": method, "attemptsLeft": attempts_left });
            Rendered::new(
                StatusCode::UNAUTHORIZED,
                "CHALLENGE_FAILED",
                "Wallet verification failed",
            )
            .with(data)
        }
        Error::VerificationMissing { method } => Rendered::new(
            StatusCode::NOT_FOUND,
            "VERIFICATION_ID_NOT_FOUND",
            "This wallet verification method is not set up",
        )
        .with(json!({ "verificationType": method })),
        Error::Forbidden { required } => Rendered::new(
            StatusCode::FORBIDDEN,
            "USER_NOT_AUTHORIZED",
            "User does not have the required role to execute this action",
        )
        .with(json!({ "requiredRoles": required_roles(required) })),
        Error::Reverted { reason, operation } => Rendered::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "TRANSACTION_REVERTED",
            format!("The chain refused: {reason}"),
        )
        .with(json!({ "operationId": operation })),
        Error::NotAllowed(reason) => Rendered::new(StatusCode::FORBIDDEN, "FORBIDDEN", reason),
        Error::NotFound(what) => {
            Rendered::new(StatusCode::NOT_FOUND, "NOT_FOUND", format!("{} not found", upper(what)))
        }
        Error::Conflict(reason) => Rendered::new(StatusCode::CONFLICT, "CONFLICT", reason),
        Error::AlreadyExists(reason) => Rendered::new(StatusCode::CONFLICT, "RESOURCE_ALREADY_EXISTS", reason),
        Error::FeatureMissing(feature) => Rendered::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "TOKEN_INTERFACE_NOT_SUPPORTED",
            format!("The asset does not have the feature {feature}"),
        )
        .with(json!({ "requiredInterfaces": [feature] })),
        Error::Refused(findings) => render_refusal(findings),
        Error::Limited {
            retry_after_seconds,
            method,
        } => {
            let data = json!({ "retryAfter": retry_after_seconds, "verificationType": method });
            Rendered::new(
                StatusCode::TOO_MANY_REQUESTS,
                "RATE_LIMIT_EXCEEDED",
                "Too many attempts",
            )
            .with(data)
        }
        Error::Unavailable(reason) => Rendered::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "SERVICE_UNAVAILABLE",
            format!("Temporarily unavailable: {reason}. Nothing was done; try again"),
        ),
        Error::OutcomeUnknown(reason) => unknown(reason),
        Error::Internal(_) => internal(),
    }
}

fn render_invalid(issues: &[Issue]) -> Rendered {
    let rendered: Vec<Value> = issues
        .iter()
        .map(|issue| json!({ "path": issue.path, "message": issue.message, "code": issue.code }))
        .collect();
    let message = match issues {
        [only] => only.message.as_str(),
        _ => "Input validation failed",
    };
    Rendered::new(StatusCode::BAD_REQUEST, "BAD_REQUEST", message).with(json!({ "issues": rendered }))
}

/// A role, or any of several (dalp.md section 4, "Role requirement language").
fn required_roles(required: &[&'static str]) -> Value {
    match required {
        [role] => json!(role),
        roles => json!({ "any": roles }),
    }
}

fn upper(what: &str) -> String {
    let mut characters = what.chars();
    characters
        .next()
        .map(|first| first.to_uppercase().chain(characters).collect())
        .unwrap_or_default()
}

/// The code is that of the first kind in the order of A7; the data has every finding.
fn render_refusal(findings: &[Finding]) -> Rendered {
    let first = findings.iter().min_by_key(|finding| finding.refusal.kind());
    let kind = first.map_or(RefusalKind::Compliance, |finding| finding.refusal.kind());
    let (code, message) = match kind {
        RefusalKind::Zero => ("INPUT_VALIDATION_FAILED", "Amount must be positive"),
        RefusalKind::Matured => ("ASSET_MATURED", "Asset has matured"),
        RefusalKind::Paused => ("ASSET_PAUSED", "Asset is paused"),
        RefusalKind::Cap => ("SUPPLY_CAP_EXCEEDED", "Exceeds supply cap"),
        RefusalKind::Collateral => ("INSUFFICIENT_COLLATERAL", "Insufficient collateral"),
        RefusalKind::Identity => ("RECIPIENT_IDENTITY_NOT_FOUND", "Recipient identity not found"),
        RefusalKind::Compliance => ("RECIPIENT_NOT_COMPLIANT", "Recipient not compliant"),
        RefusalKind::Balance => ("INPUT_VALIDATION_FAILED", "Insufficient balance"),
        RefusalKind::Agent => ("INPUT_VALIDATION_FAILED", "The signer is not an agent of the token"),
    };
    let mut data = Map::new();
    if let (Some(Value::Object(numbers)), RefusalKind::Cap | RefusalKind::Collateral | RefusalKind::Agent) =
        (first.map(|finding| finding.refusal.params()), kind)
    {
        data.extend(numbers);
    }
    data.insert("findings".into(), render_findings(findings));
    Rendered::new(StatusCode::UNPROCESSABLE_ENTITY, code, message).with(Value::Object(data))
}

/// `[{index, recipient, rule, slug, message, params}]`, one per failing rule and line.
pub fn render_findings(findings: &[Finding]) -> Value {
    let rendered = findings.iter().map(|finding| {
        json!({
            "index": finding.line.map(|line| line.index),
            "recipient": finding.line.map(|line| line.recipient),
            "rule": finding.rule,
            "slug": finding.refusal.slug(),
            "message": finding.refusal.message(),
            "params": finding.refusal.params(),
        })
    });
    Value::Array(rendered.collect())
}

impl ResponseError for DalpError {
    fn status_code(&self) -> StatusCode {
        self.render().status
    }

    fn error_response(&self) -> HttpResponse {
        if let Self::Domain(Error::Internal(cause)) = self {
            tracing::error!(cause, "a request failed for a reason of our own");
        }
        let rendered = self.render();
        let mut response = HttpResponse::build(rendered.status);
        match self {
            Self::Domain(Error::Limited {
                retry_after_seconds, ..
            }) => {
                response.insert_header((header::RETRY_AFTER, *retry_after_seconds));
            }
            Self::Domain(Error::Unavailable(_) | Error::OutcomeUnknown(_)) => {
                response.insert_header((header::RETRY_AFTER, 1));
            }
            Self::MethodUnknown { allow } => {
                if let Ok(allow) = HeaderValue::from_str(allow) {
                    response.insert_header((header::ALLOW, allow));
                }
            }
            Self::Panicked { request_id } => {
                response.insert_header(("X-Request-Id", request_id.as_str()));
            }
            Self::Domain(_)
            | Self::RouteUnknown
            | Self::BodyTooLarge { .. }
            | Self::MediaType
            | Self::Combination(_) => {}
        }
        response.json(rendered.body())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Line, Refusal};
    use crate::types::{Address, Amount};

    fn finding(refusal: Refusal) -> Finding {
        let line = Line {
            index: 0,
            recipient: Address::from_bytes([1; 20]),
        };
        Finding {
            line: Some(line),
            rule: "r".into(),
            refusal,
        }
    }

    #[test]
    fn the_first_kind_in_the_documents_order_names_the_code() {
        let error = Error::Refused(vec![finding(Refusal::IdentityUnknown), finding(Refusal::AmountZero)]);

        let rendered = DalpError::from(error).render();

        assert_eq!(
            (rendered.status.as_u16(), rendered.code),
            (422, "INPUT_VALIDATION_FAILED")
        );
        assert_eq!(rendered.data.unwrap()["findings"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn a_cap_refusal_carries_its_numbers() {
        let one = Amount::from(1);
        let refusal = Refusal::CapExceeded {
            cap: one,
            supply: one,
            pending: one,
            requested: one,
        };

        let data = DalpError::from(Error::Refused(vec![finding(refusal)]))
            .render()
            .data
            .unwrap();

        assert_eq!(data["cap"], "1");
    }

    #[test]
    fn an_internal_cause_never_leaves() {
        let rendered = DalpError::from(Error::Internal("password=hunter2".into())).render();

        assert!(!rendered.message.contains("hunter2") && rendered.data.is_none());
    }

    #[test]
    fn one_required_role_is_a_word_and_several_are_any_of() {
        assert_eq!(required_roles(&["supplyManagement"]), json!("supplyManagement"));
        assert_eq!(required_roles(&["a", "b"]), json!({ "any": ["a", "b"] }));
    }

    /// The answers that no request can bring about at will.
    #[test]
    fn what_went_wrong_behind_the_server_has_its_reviewed_body() {
        let reverted = Error::Reverted {
            reason: "line 3: the recipient is not verified".to_owned(),
            operation: "0192".to_owned(),
        };
        let body = |error: Error| DalpError::from(error).body();

        assert_eq!(
            body(Error::Unavailable("the database is away")),
            json!({ "defined": true, "code": "SERVICE_UNAVAILABLE", "status": 503,
                "message": "Temporarily unavailable: the database is away. Nothing was done; try again" })
        );
        assert_eq!(
            body(Error::OutcomeUnknown("the server is stopping")),
            json!({ "defined": true, "code": "SERVICE_UNAVAILABLE", "status": 503,
                "message": "It is not known whether this was done: the server is stopping. Look at GET /api/operations, or \
                    repeat the request with the same Idempotency-Key",
                "data": { "outcome": "unknown" } })
        );
        assert_eq!(
            body(Error::Internal("a secret".to_owned())),
            json!({ "defined": true, "code": "INTERNAL_SERVER_ERROR", "status": 500, "message": "Internal server error" })
        );
        assert_eq!(
            body(reverted),
            json!({ "defined": true, "code": "TRANSACTION_REVERTED", "status": 422,
                "message": "The chain refused: line 3: the recipient is not verified",
                "data": { "operationId": "0192" } })
        );
    }
}
