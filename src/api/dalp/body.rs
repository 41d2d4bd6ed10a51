//! A JSON body: read once within its bound, parsed with the path of what is wrong.

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::Value;
use validator::{Validate, ValidationErrors, ValidationErrorsKind};

use super::DalpError;
use super::known::{fields_of, unknown_fields};
use crate::access::Vault;
use crate::api::json::{self, Bounds, Unread};
use crate::api::unserved::Unserved;
use crate::audit::canonical_json;
use crate::error::{Error, Issue};
use crate::operation::Fingerprint;
use crate::types::sha256;

/// The bytes of a body, not parsed yet: the order of checks (dalp.md A6) puts the asset before the body.
pub struct Body {
    bytes: Vec<u8>,
    /// Why the bytes are not there. Told by [`Body::parse`], because key and asset come first.
    fault: Option<Fault>,
}

#[derive(Clone, Copy)]
enum Fault {
    Unread(Unread),
    MediaType,
}

impl From<Fault> for DalpError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unread(Unread::TooLarge { max }) => Unserved::BodyTooLarge { max }.into(),
            Fault::Unread(Unread::TooSlow { seconds }) => Unserved::BodyTooSlow { seconds }.into(),
            Fault::MediaType => Self::MediaType,
            Fault::Unread(Unread::EndedEarly) => Error::invalid("", "the body ended early").into(),
        }
    }
}

impl FromRequest for Body {
    type Error = DalpError;
    type Future = LocalBoxFuture<'static, Result<Self, DalpError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = Self::read(request, payload, Bounds::of(request));
        Box::pin(async move { Ok(body.await) })
    }
}

/// A body with a list of tokens to mint.
pub struct MintsBody(pub Body);

impl FromRequest for MintsBody {
    type Error = DalpError;
    type Future = LocalBoxFuture<'static, Result<Self, DalpError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = Body::read(request, payload, Bounds::of(request).for_mints());
        Box::pin(async move { Ok(Self(body.await)) })
    }
}

fn is_json(value: &header::HeaderValue) -> bool {
    let text = value.to_str().unwrap_or("");
    let essence = text.split(';').next().unwrap_or("").trim();
    essence.eq_ignore_ascii_case("application/json")
}

impl Body {
    fn read(request: &HttpRequest, payload: &mut Payload, bounds: Bounds) -> impl Future<Output = Self> + use<> {
        let is_json = request.headers().get(header::CONTENT_TYPE).is_some_and(is_json);
        let payload = payload.take();
        async move {
            let (bytes, fault) = match json::read(payload, bounds).await {
                Err(unread) => (Vec::new(), Some(Fault::Unread(unread))),
                Ok(bytes) if !bytes.is_empty() && !is_json => (bytes, Some(Fault::MediaType)),
                Ok(bytes) => (bytes, None),
            };
            Self { bytes, fault }
        }
    }

    /// The typed body. Unknown fields are dropped, as the reference does. All broken bounds are reported at once.
    pub fn parse<T: DeserializeOwned + Validate>(&self) -> Result<T, DalpError> {
        self.whole()?;
        let value: T = json::parse(&self.bytes)?;
        value
            .validate()
            .map_err(|errors| Error::Invalid(issues_of("", &errors)))?;
        Ok(value)
    }

    /// As [`Self::parse`], of a body with fields that may be left out: one that is misspelt would be missed by nobody, and
    /// is an issue as well.
    pub fn parse_strict<T: DeserializeOwned + Validate>(&self) -> Result<T, DalpError> {
        self.whole()?;
        Ok(self.parse_json(&[fields_of::<T>()])?)
    }

    /// As [`Self::parse_strict`], of a body that is read as two types: what either has is known.
    pub fn parse_both<T, U>(&self) -> Result<(T, U), DalpError>
    where
        T: DeserializeOwned + Validate,
        U: DeserializeOwned + Validate,
    {
        self.whole()?;
        let known = [fields_of::<T>(), fields_of::<U>()];
        Ok((self.parse_json(&known)?, self.parse_json(&known)?))
    }

    fn whole(&self) -> Result<(), DalpError> {
        self.fault.map_or(Ok(()), |fault| Err(fault.into()))
    }

    fn parse_json<T: DeserializeOwned + Validate>(&self, known: &[&[&str]]) -> Result<T, Error> {
        let value: T = json::parse(&self.bytes)?;
        let mut issues = Issues::default();
        if let Err(errors) = value.validate() {
            issues.extend(issues_of("", &errors));
        }
        issues.extend(unknown_fields(&self.bytes, known));
        issues.finish()?;
        Ok(value)
    }

    /// What tells one request from another under the same `Idempotency-Key`. A body that is not JSON has none.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut value: Value = serde_json::from_slice(&self.bytes).unwrap_or(Value::Null);
        if let Value::Object(fields) = &mut value {
            fields.remove("walletVerification");
            // Nobody looks at it, and a plain hash of somebody's password is not to be kept (dalp.md A8).
            fields.remove("password");
        }
        sha256(canonical_json(&value).as_bytes())
    }

    /// The same body with keyed hashes in place of short secrets: the fingerprint is stored, and a plain hash of a PIN
    /// is guessed in a moment.
    #[must_use]
    pub fn veil(&self, vault: &Vault, fields: &[&str]) -> Self {
        let mut value: Value = serde_json::from_slice(&self.bytes).unwrap_or(Value::Null);
        for name in fields {
            if let Some(field) = value.get_mut(*name) {
                let hash = vault.mac("api.fingerprint", &[name.as_bytes(), field.to_string().as_bytes()]);
                *field = Value::String(hash.to_string());
            }
        }
        Self {
            bytes: value.to_string().into_bytes(),
            fault: self.fault,
        }
    }
}

/// A secret from a body: a wrong type is refused without repeating what was sent.
pub fn secret_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    match <Value as serde::Deserialize>::deserialize(deserializer)? {
        Value::String(text) => Ok(SecretString::from(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(serde::de::Error::custom("must be a string"))
        }
    }
}

/// validator's own text prints the rejected value, so only code and bounds are taken from it.
fn issues_of(prefix: &str, errors: &ValidationErrors) -> Vec<Issue> {
    let mut issues = Vec::new();
    for (field, kind) in errors.errors() {
        let field = camel(field);
        let path = if prefix.is_empty() {
            field
        } else {
            format!("{prefix}.{field}")
        };
        match kind {
            ValidationErrorsKind::Field(found) => issues.extend(found.iter().map(|error| {
                let bounds: Vec<String> = ["min", "max", "equal"]
                    .iter()
                    .filter_map(|name| error.params.get(*name).map(|bound| format!("{name} {bound}")))
                    .collect();
                let text = match &error.message {
                    Some(message) => message.to_string(),
                    None => format!(
                        "fails {}{}{}",
                        error.code,
                        if bounds.is_empty() { "" } else { ": " },
                        bounds.join(", ")
                    ),
                };
                Issue::new(&path, "range", text)
            })),
            ValidationErrorsKind::Struct(inner) => issues.extend(issues_of(&path, inner)),
            ValidationErrorsKind::List(items) => {
                for (index, inner) in items {
                    issues.extend(issues_of(&format!("{path}.{index}"), inner));
                }
            }
        }
    }
    issues.sort_by(|a, b| a.path.cmp(&b.path));
    issues
}

/// The wire's spelling of a field: validator knows only Rust's.
fn camel(field: &str) -> String {
    let mut words = field.split('_');
    let mut name = words.next().unwrap_or("").to_owned();
    for word in words {
        let mut letters = word.chars();
        name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    name
}

/// Collects what is wrong with the fields of a body, so that all of it is reported at once.
#[derive(Default)]
pub struct Issues(Vec<Issue>);

impl Issues {
    /// The value, or none and an issue at `path`.
    pub fn take<T, E: std::fmt::Display>(&mut self, path: &str, parsed: Result<T, E>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(error) => {
                self.add(path, "format", error.to_string());
                None
            }
        }
    }

    pub fn add(&mut self, path: &str, code: &'static str, message: impl Into<String>) {
        self.0.push(Issue::new(path, code, message));
    }

    pub fn extend(&mut self, issues: impl IntoIterator<Item = Issue>) {
        self.0.extend(issues);
    }

    /// `Err` with everything that was wrong, if anything was.
    pub fn finish(self) -> Result<(), Error> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Error::Invalid(self.0))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, Validate)]
    #[serde(rename_all = "camelCase")]
    struct Sample {
        #[validate(length(min = 1, max = 3))]
        name: String,
        #[serde(default)]
        #[expect(dead_code, reason = "only its parsing is tested")]
        user_ids: Vec<u32>,
        #[expect(dead_code, reason = "only its parsing is tested")]
        inner: Option<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Inner {
        #[serde(deserialize_with = "secret_text")]
        #[expect(dead_code, reason = "only its parsing is tested")]
        their_name: SecretString,
    }

    fn body(text: &str) -> Body {
        Body {
            bytes: text.as_bytes().to_vec(),
            fault: None,
        }
    }

    fn parse(text: &str) -> Result<Sample, Error> {
        body(text).parse_json(&[fields_of::<Sample>()])
    }

    fn issue(text: &str) -> Issue {
        match parse(text) {
            Err(Error::Invalid(issues)) => issues[0].clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_issue_names_the_field_in_the_words_of_the_wire() {
        assert_eq!(issue(r#"{"name":"a","userIds":[1,"x"]}"#).path, ["userIds", "1"]);
        assert_eq!(issue(r#"{"userIds":[]}"#).path, ["name"]);
        assert_eq!(issue(r#"{"userIds":[]}"#).message, "missing field `name`");
        assert_eq!(issue(r#"{"name":"a","inner":{}}"#).path, ["inner", "theirName"]);
        assert_eq!(issue(r#"{"name":"abcd"}"#).path, ["name"]);
        assert_eq!(issue(r#"{"name":"a","userIDs":[1]}"#).path, ["userIDs"]);
        assert_eq!(issue(r#"{"name":"#).code, "syntax");
        assert_eq!(issue(r#"{"name":"a"} x"#).code, "format");
    }

    #[test]
    fn what_is_refused_is_not_repeated() {
        for text in [
            r#"{"name":"a","inner":{"theirName":123456}}"#,
            r#"{"name":"a","inner":"123456"}"#,
            r#"{"name":"a","inner":"1, expected 123456 at line 3"}"#,
            r#"{"name":"a","userIds":["123456"]}"#,
            r#"{"name":123456}"#,
        ] {
            let found = issue(text);
            assert_eq!(found.code, "type", "{text}");
            assert!(!found.message.contains("123456"), "{text}: {}", found.message);
        }
        assert_eq!(issue(r#"{"name":"a","inner":"1"}"#).message, "expected an object");
        assert_eq!(issue(r#"{"name":1}"#).message, "expected a string");
    }

    #[test]
    fn bounds_hold_on_the_edge() {
        assert!(parse(r#"{"name":"abc"}"#).is_ok());
        assert!(parse(r#"{"name":""}"#).is_err());
    }

    #[test]
    fn a_veiled_secret_tells_requests_apart_and_does_not_show() {
        let key = |byte| secrecy::SecretBox::new(Box::new([byte; 32]));
        let vault = Vault::new(&key(1), &key(2));
        let veiled = |text: &str| body(text).veil(&vault, &["pincode"]);
        let first = veiled(r#"{"a":1,"pincode":"123456"}"#);

        assert_eq!(
            first.fingerprint(),
            veiled(r#"{"pincode":"123456","a":1}"#).fingerprint()
        );
        assert_ne!(
            first.fingerprint(),
            veiled(r#"{"a":1,"pincode":"123457"}"#).fingerprint()
        );
        assert_ne!(first.fingerprint(), body(r#"{"a":1,"pincode":"123456"}"#).fingerprint());
        assert!(!String::from_utf8(first.bytes).unwrap().contains("123456"));
    }

    #[test]
    fn the_fingerprint_leaves_the_verification_out() {
        let print = |text: &str| body(text).fingerprint();

        let first = print(r#"{"a":1,"walletVerification":{"secretVerificationCode":"1"}}"#);
        assert_eq!(
            first,
            print(r#"{"walletVerification":{"secretVerificationCode":"2"}, "a":1}"#)
        );
        assert_ne!(first, print(r#"{"a":2}"#));
        assert_eq!(first, print(r#"{"a":1,"password":"hunter2"}"#));
    }
}
