//! What the path, the query and the body of a request ask for.

use std::collections::HashMap;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ImmutableError;
use crate::api::json::{self, Bounds, Unread};
use crate::api::unserved::Unserved;
use crate::app::App;
use crate::audit::canonical_json;
use crate::collection::Window;
use crate::error::{Error, Issue};
use crate::operation::Fingerprint;
use crate::types::{Address, Timestamp, TokenId, sha256};

/// Values of a filter in one request (immutable.md section 6).
pub(super) const FILTER_MAX: usize = 30;

/// The bytes of a body. Parsed after key and collection were looked at.
pub struct Body(Result<Vec<u8>, Unread>);

impl FromRequest for Body {
    type Error = ImmutableError;
    type Future = LocalBoxFuture<'static, Result<Self, ImmutableError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (payload, bounds) = (payload.take(), Bounds::of(request));
        Box::pin(async move { Ok(Self(json::read(payload, bounds).await)) })
    }
}

/// A body with a list of tokens to mint.
pub struct MintsBody(pub Body);

impl FromRequest for MintsBody {
    type Error = ImmutableError;
    type Future = LocalBoxFuture<'static, Result<Self, ImmutableError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (payload, bounds) = (payload.take(), Bounds::of(request).for_mints());
        Box::pin(async move { Ok(Self(Body(json::read(payload, bounds).await))) })
    }
}

impl From<Unread> for ImmutableError {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::TooLarge { max } => Unserved::BodyTooLarge { max }.into(),
            Unread::TooSlow { seconds } => Unserved::BodyTooSlow { seconds }.into(),
            Unread::EndedEarly => Error::invalid("", "the body ended early").into(),
        }
    }
}

impl Body {
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, ImmutableError> {
        Ok(json::parse(self.bytes()?)?)
    }

    /// What tells one request from another under the same `Idempotency-Key`: its values, however they are written. A body
    /// that is not JSON has none.
    pub fn fingerprint(&self) -> Result<Fingerprint, ImmutableError> {
        let value: Value = serde_json::from_slice(self.bytes()?).unwrap_or(Value::Null);
        Ok(sha256(canonical_json(&value).as_bytes()))
    }

    /// How long the value of a field is without white space; 0 for none, and for a body that is not JSON.
    pub fn compact_bytes_of(&self, field: &str) -> Result<usize, ImmutableError> {
        let value: Value = serde_json::from_slice(self.bytes()?).unwrap_or(Value::Null);
        Ok(value.get(field).map_or(0, |list| list.to_string().len()))
    }

    fn bytes(&self) -> Result<&[u8], ImmutableError> {
        match &self.0 {
            Ok(bytes) => Ok(bytes),
            Err(unread) => Err((*unread).into()),
        }
    }
}

/// The parts of the path and the query, as text without percent signs.
pub struct Asked {
    path: HashMap<String, String>,
    query: Vec<(String, String)>,
}

impl Asked {
    /// Errors: `Invalid` for what is not UTF-8 or has a NUL, which PostgreSQL keeps in no text.
    pub async fn of(request: &HttpRequest) -> Result<Self, ImmutableError> {
        // Without percent signs only after it was split: a reference may have slashes.
        let values = web::Path::<Vec<String>>::extract(request).await;
        let values = values
            .map_err(|_| Error::invalid("path", "must be UTF-8"))?
            .into_inner();
        let names = request.match_info().iter().map(|(name, _)| name.to_owned());
        let path: HashMap<String, String> = names.zip(values).collect();
        let query = web::Query::<Vec<(String, String)>>::from_query(request.query_string());
        let query = query
            .map_err(|error| Error::invalid("query", error.to_string()))?
            .into_inner();
        let texts = path.values().chain(query.iter().map(|(_, value)| value));
        if texts.into_iter().any(|text| text.contains('\0')) {
            return Err(Error::invalid("", "must not contain the character NUL").into());
        }
        Ok(Self { path, query })
    }

    pub fn part(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    /// Errors: `NotFound` for another chain than this server's.
    pub fn chain(&self, app: &App) -> Result<(), Error> {
        match self.part("chain_name") == app.gate().settings.chain_name {
            true => Ok(()),
            false => Err(Error::NotFound("chain")),
        }
    }

    pub fn address(&self, name: &str) -> Result<Address, Error> {
        address(name, self.part(name))
    }

    /// Of the query.
    pub fn contract(&self) -> Result<Option<Address>, Error> {
        let contract = self.one("contract_address");
        contract.map(|text| address("contract_address", text)).transpose()
    }

    pub fn one(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A filter that may be repeated. Errors: `Invalid` for more than `max` values and for one that does not parse.
    pub fn many<T>(&self, name: &str, max: usize, parse: impl Fn(&str) -> Result<T, Error>) -> Result<Vec<T>, Error> {
        let values: Vec<&str> = self
            .query
            .iter()
            .filter(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .collect();
        if values.len() > max {
            return Err(Error::Invalid(vec![Issue::new(
                name,
                "range",
                format!("at most {max} can be given"),
            )]));
        }
        values.into_iter().map(parse).collect()
    }

    pub fn addresses(&self, name: &str) -> Result<Vec<Address>, Error> {
        self.many(name, FILTER_MAX, |text| address(name, text))
    }

    pub fn token_ids(&self) -> Result<Vec<TokenId>, Error> {
        self.many("token_id", FILTER_MAX, |text| token_id("token_id", text))
    }

    pub fn time(&self, name: &str) -> Result<Option<Timestamp>, Error> {
        let time = self.one(name).map(Timestamp::parse).transpose();
        time.map_err(|error| Error::invalid(name, error.to_string()))
    }

    /// `page_size` of 1 to 200, and `page_cursor`.
    pub fn window(&self) -> Result<Window, Error> {
        let limit = match self.one("page_size").map(str::parse::<i64>) {
            None => Window::LIMIT_DEFAULT,
            Some(Ok(size)) if (1..=Window::LIMIT_MAX).contains(&size) => size,
            Some(_) => {
                let message = format!("must be a number from 1 to {}", Window::LIMIT_MAX);
                return Err(Error::Invalid(vec![Issue::new("page_size", "range", message)]));
            }
        };
        Ok(Window {
            limit,
            cursor: self.one("page_cursor").map(str::to_owned),
        })
    }
}

/// In any case, as the original takes it: capitals are no checksum here.
pub(super) fn address(name: &str, text: &str) -> Result<Address, Error> {
    let parsed = Address::parse(&text.to_ascii_lowercase());
    parsed.map_err(|error| Error::invalid(name, error.to_string()))
}

pub(super) fn token_id(name: &str, text: &str) -> Result<TokenId, Error> {
    TokenId::parse(text).map_err(|error| Error::invalid(name, error.to_string()))
}

/// The values, or everything that is wrong with them.
pub(super) fn all<T>(parsed: impl Iterator<Item = Result<T, Error>>) -> Result<Vec<T>, Error> {
    let (mut values, mut issues) = (Vec::new(), Vec::new());
    for one in parsed {
        match one {
            Ok(value) => values.push(value),
            Err(Error::Invalid(found)) => issues.extend(found),
            Err(error) => return Err(error),
        }
    }
    if issues.is_empty() {
        return Ok(values);
    }
    Err(Error::Invalid(issues))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    async fn asked(query: &str) -> Asked {
        let request = TestRequest::with_uri(&format!("/v1/x?{query}")).to_http_request();
        Asked::of(&request).await.ok().unwrap()
    }

    #[actix_web::test]
    async fn a_page_size_is_taken_inside_its_bounds_only() {
        assert_eq!(asked("").await.window().unwrap(), Window::first(100));
        for (size, taken) in [
            ("0", false),
            ("1", true),
            ("200", true),
            ("201", false),
            ("x", false),
            ("", false),
        ] {
            let window = asked(&format!("page_size={size}")).await.window();
            assert_eq!(window.is_ok(), taken, "{size}");
        }
        let window = asked("page_cursor=a%2Bb%2Fc%3D%3D").await.window().unwrap();
        assert_eq!(window.cursor.as_deref(), Some("a+b/c=="));
    }

    #[actix_web::test]
    async fn a_filter_repeats_its_name_up_to_its_bound() {
        let ids = |count: usize| vec!["token_id=7"; count].join("&");

        assert_eq!(asked(&ids(30)).await.token_ids().unwrap().len(), 30);
        assert!(asked(&ids(31)).await.token_ids().is_err());
        assert!(asked("token_id=-1").await.token_ids().is_err());
        assert!(asked("").await.token_ids().unwrap().is_empty());
    }

    #[test]
    fn an_address_is_taken_in_any_case() {
        let lower = "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed";

        for text in [
            lower,
            "0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED",
            "0x5Aaeb6053F3e94C9b9A09f33669435E7eF1BeAed",
        ] {
            assert_eq!(address("a", text).unwrap().to_string().to_lowercase(), lower);
        }
        assert!(address("a", "0x5a").is_err());
    }
}
