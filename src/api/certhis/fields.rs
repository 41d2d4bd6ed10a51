//! What a form, or the query, says: texts by name, whatever form they came in.

use std::collections::BTreeMap;

use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use serde_json::Value;

use super::CerthisError;
use super::multipart;
use crate::access::Vault;
use crate::api::json::{self, Bounds, Unread};
use crate::api::unserved::Unserved;
use crate::error::Error;
use crate::operation::Fingerprint;
use crate::types::Address;

/// Names and values. What is empty, and the words that scripts write for nothing, count as not given. Cannot be printed:
/// there are secrets and e-mail addresses among them.
#[derive(Default)]
pub struct Fields(BTreeMap<String, String>);

/// The body of a request, read within its bound and parsed after the caller is known.
pub struct Body {
    content_type: Option<String>,
    bytes: Result<Vec<u8>, Unread>,
}

impl FromRequest for Body {
    type Error = CerthisError;
    type Future = LocalBoxFuture<'static, Result<Self, CerthisError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (payload, bounds) = (payload.take(), Bounds::of(request));
        let content_type = request.headers().get(CONTENT_TYPE);
        let content_type = content_type.map(|value| value.to_str().unwrap_or("").to_owned());
        Box::pin(async move {
            Ok(Self {
                content_type,
                bytes: json::read(payload, bounds).await,
            })
        })
    }
}

impl Body {
    pub fn fields(&self) -> Result<Fields, CerthisError> {
        let bytes = match &self.bytes {
            Ok(bytes) => bytes.as_slice(),
            Err(Unread::TooLarge { max }) => return Err(Unserved::BodyTooLarge { max: *max }.into()),
            Err(Unread::TooSlow { seconds }) => return Err(Unserved::BodyTooSlow { seconds: *seconds }.into()),
            Err(Unread::EndedEarly) => return Err(CerthisError::Invalid("body")),
        };
        let content_type = self.content_type.as_deref().unwrap_or_default();
        let kind = content_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        let pairs = match kind.as_str() {
            "application/json" => of_json(bytes),
            "application/x-www-form-urlencoded" => std::str::from_utf8(bytes).ok().and_then(of_query),
            "multipart/form-data" => multipart::fields(content_type, bytes),
            "" if bytes.is_empty() => Some(Vec::new()),
            _ => return Err(CerthisError::Invalid("content-type")),
        };
        Fields::of(pairs.ok_or(CerthisError::Invalid("body"))?)
    }
}

/// Texts, numbers and truths of an object.
fn of_json(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let text = |value: Value| match value {
        Value::Null => Some(String::new()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text),
        Value::Array(_) | Value::Object(_) => None,
    };
    let Value::Object(fields) = serde_json::from_slice(bytes).ok()? else {
        return None;
    };
    fields
        .into_iter()
        .map(|(name, value)| Some((name, text(value)?)))
        .collect()
}

fn of_query(text: &str) -> Option<Vec<(String, String)>> {
    let pairs = web::Query::<Vec<(String, String)>>::from_query(text);
    pairs.ok().map(web::Query::into_inner)
}

impl Fields {
    /// Errors: `Invalid` for a NUL, which PostgreSQL keeps in no text.
    fn of(pairs: Vec<(String, String)>) -> Result<Self, CerthisError> {
        if pairs.iter().any(|(_, value)| value.contains('\0')) {
            return Err(Error::invalid("", "the character NUL is not allowed").into());
        }
        let is_said = |value: &str| !matches!(value, "" | "null" | "undefined");
        let said = pairs.into_iter().filter(|(_, value)| is_said(value));
        Ok(Self(said.collect()))
    }

    pub fn of_query(request: &HttpRequest) -> Result<Self, CerthisError> {
        Self::of(of_query(request.query_string()).ok_or(CerthisError::Invalid("query"))?)
    }

    /// The same for the same names and values, in whatever order and form they came. Keyed: it is kept for longer than the
    /// e-mail address that the fields may hold, and a plain hash of that is guessed.
    pub fn fingerprint(&self, vault: &Vault) -> Result<Fingerprint, Error> {
        let text = serde_json::to_string(&self.0).map_err(Error::internal)?;
        Ok(vault.mac("certhis.fingerprint", &[text.as_bytes()]))
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// At most so many characters.
    pub fn bounded(&self, name: &'static str, length_max: usize) -> Result<Option<&str>, CerthisError> {
        match self.text(name) {
            Some(text) if text.chars().count() > length_max => Err(CerthisError::Invalid(name)),
            text => Ok(text),
        }
    }

    pub fn required(&self, name: &'static str) -> Result<&str, CerthisError> {
        self.text(name).ok_or(CerthisError::Missing(name))
    }

    pub fn address(&self, name: &'static str) -> Result<Address, CerthisError> {
        let address = Address::parse(self.required(name)?);
        let address = address.map_err(|_| CerthisError::Invalid(name))?;
        match address.is_zero() {
            true => Err(CerthisError::Invalid(name)),
            false => Ok(address),
        }
    }

    /// A number of this dialect, from 1.
    pub fn number(&self, name: &'static str) -> Result<i64, CerthisError> {
        let number = self.required(name)?.parse::<i64>();
        number
            .ok()
            .filter(|number| *number > 0)
            .ok_or(CerthisError::Invalid(name))
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretBox;

    use super::*;

    fn body(content_type: Option<&str>, bytes: &[u8]) -> Body {
        Body {
            content_type: content_type.map(str::to_owned),
            bytes: Ok(bytes.to_vec()),
        }
    }

    #[test]
    fn the_same_is_said_in_each_form() {
        let multipart = b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x\r\n\
                          Content-Disposition: form-data; name=\"b\"\r\n\r\nc d\r\n--x--\r\n";
        for (content_type, bytes) in [
            (
                "application/json; charset=utf-8",
                br#"{"a":1,"b":"c d","c":null}"#.as_slice(),
            ),
            ("application/x-www-form-urlencoded", b"a=1&b=c+d&c=".as_slice()),
            ("multipart/form-data; boundary=x", multipart.as_slice()),
        ] {
            let fields = body(Some(content_type), bytes).fields().unwrap();

            assert_eq!(fields.number("a").unwrap(), 1, "{content_type}");
            assert_eq!(fields.text("b"), Some("c d"), "{content_type}");
            assert_eq!(fields.text("c"), None, "{content_type}");
        }
    }

    #[test]
    fn a_fingerprint_tells_nothing_to_whoever_has_no_pepper() {
        let key = |byte: u8| SecretBox::new(Box::new([byte; 32]));
        let fields = |order: &[(&str, &str)]| {
            let pairs = order
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            Fields::of(pairs.collect()).unwrap()
        };
        let (one, other) = (Vault::new(&key(1), &key(2)), Vault::new(&key(3), &key(2)));
        let wish = fields(&[("wallet", "ada@example.com"), ("nft_id", "7")]);
        let again = fields(&[("nft_id", "7"), ("wallet", "ada@example.com")]);

        let print = wish.fingerprint(&one).unwrap();

        assert_eq!(again.fingerprint(&one).unwrap(), print);
        assert_ne!(fields(&[("nft_id", "7")]).fingerprint(&one).unwrap(), print);
        assert_ne!(wish.fingerprint(&other).unwrap(), print);
    }

    #[test]
    fn what_is_no_form_is_refused() {
        for (content_type, bytes) in [
            (Some("application/json"), b"{".as_slice()),
            (Some("application/json"), b"[]"),
            (Some("application/json"), br#"{"a":{}}"#),
            (Some("application/json"), br#"{"a":"\u0000"}"#),
            (Some("application/x-www-form-urlencoded"), b"\xff"),
            (Some("application/x-www-form-urlencoded"), b"a=%00"),
            (Some("multipart/form-data"), b"--x--"),
            (Some("text/plain"), b"a=1"),
            (None, b"a=1"),
        ] {
            assert!(
                body(content_type, bytes).fields().is_err(),
                "{content_type:?} {bytes:?}"
            );
        }
        assert!(body(None, b"").fields().is_ok());
    }

    #[test]
    fn a_number_is_a_whole_one_from_1() {
        for (text, number) in [
            ("1", Some(1)),
            ("9223372036854775807", Some(i64::MAX)),
            ("0", None),
            ("-1", None),
            ("1.5", None),
        ] {
            let fields = Fields::of(vec![("n".to_owned(), text.to_owned())]).unwrap();
            assert_eq!(fields.number("n").ok(), number, "{text}");
        }
    }
}
