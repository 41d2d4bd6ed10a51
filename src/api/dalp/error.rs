//! The envelope of the asset API (dalp.md A7): `{"defined":true,"code":…,"status":…,"message":…,"data":…}`.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Map, Value, json};

use crate::api::unserved::{self, Unserved};
use crate::error::{Error, Finding, Issue, RefusalKind};

/// What a route of this dialect fails with: an error of the domain, or one of the framework.
#[derive(Debug, thiserror::Error)]
pub enum DalpError {
    #[error(transparent)]
    Domain(#[from] Error),
    #[error(transparent)]
    Unserved(#[from] Unserved),
    #[error("the body must be application/json")]
    MediaType,
    /// Fields that are good each and make no sense together.
    #[error("{0}")]
    Combination(&'static str),
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
            Self::Unserved(unserved) => render_unserved(unserved),
            Self::MediaType => Rendered::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UNSUPPORTED_MEDIA_TYPE",
                "The body must be application/json",
            ),
            Self::Combination(reason) => {
                Rendered::new(StatusCode::UNPROCESSABLE_ENTITY, "INPUT_VALIDATION_FAILED", *reason)
                    .with(json!({ "errors": [reason] }))
            }
        }
    }
}

fn render_unserved(unserved: &Unserved) -> Rendered {
    let status = unserved.status();
    match unserved {
        Unserved::RouteUnknown => Rendered::new(status, "NOT_FOUND", "No such route"),
        Unserved::MethodUnknown { .. } => {
            Rendered::new(status, "METHOD_NOT_SUPPORTED", "This route does not have this method")
        }
        Unserved::BodyTooLarge { .. } => Rendered::new(status, "PAYLOAD_TOO_LARGE", unserved.to_string()),
        Unserved::BodyTooSlow { .. } => Rendered::new(status, "REQUEST_TIMEOUT", unserved.to_string()),
        Unserved::Panicked { .. } => internal(),
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
        let header = match self {
            Self::Domain(error) => {
                unserved::log_cause(error);
                unserved::retry_after(error)
            }
            Self::Unserved(unserved) => unserved.header(),
            Self::MediaType | Self::Combination(_) => None,
        };
        let rendered = self.render();
        let mut response = HttpResponse::build(rendered.status);
        if let Some(header) = header {
            response.insert_header(header);
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
