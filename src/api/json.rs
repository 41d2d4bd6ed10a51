//! JSON as every dialect takes it: a body read within its bound, and what is wrong with it told by path, without repeating
//! what was sent.

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::{HttpRequest, web};
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::app::App;
use crate::error::{Error, Issue};

/// Why a body is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    TooLarge { max: usize },
    TooSlow { seconds: u64 },
    EndedEarly,
}

/// How much of a body is taken, and for how long: who sends a byte a minute holds neither memory nor a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub bytes_max: usize,
    pub within: Duration,
}

impl Bounds {
    /// A hundred tokens with 16 KiB of metadata each are 1.6 MiB; escapes and white space make more of them.
    pub const MINTS_BYTES_MAX: usize = 4 * 1_024 * 1_024;

    /// As the settings have them. Without an application nothing is taken.
    pub fn of(request: &HttpRequest) -> Self {
        let app = request.app_data::<web::Data<App>>();
        Self {
            bytes_max: app.map_or(0, |app| app.body_bytes_max()),
            within: app.map_or(Duration::ZERO, |app| app.body_within()),
        }
    }

    /// Of a list of tokens to mint: never less than such a list may have.
    pub fn for_mints(self) -> Self {
        Self {
            bytes_max: self.bytes_max.max(Self::MINTS_BYTES_MAX),
            ..self
        }
    }
}

/// The bytes of a body within its bounds.
pub async fn read(payload: Payload, bounds: Bounds) -> Result<Vec<u8>, Unread> {
    let late = |_| Unread::TooSlow {
        seconds: bounds.within.as_secs(),
    };
    timeout(bounds.within, read_all(payload, bounds.bytes_max))
        .await
        .map_err(late)?
}

async fn read_all(mut payload: Payload, max: usize) -> Result<Vec<u8>, Unread> {
    let mut bytes = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Unread::EndedEarly)?;
        if bytes.len().saturating_add(chunk.len()) > max {
            return Err(Unread::TooLarge { max });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The typed body; no body is an empty object. Unknown fields are dropped.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    refuse_nul(bytes)?;
    let text: &[u8] = if bytes.is_empty() { b"{}" } else { bytes };
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value: T = serde_path_to_error::deserialize(&mut reader).map_err(issue_of)?;
    reader.end().map_err(|error| Error::invalid("", sentence(&error)))?;
    Ok(value)
}

/// A NUL is text for JSON and not for PostgreSQL.
fn refuse_nul(bytes: &[u8]) -> Result<(), Error> {
    const ESCAPED: &[u8] = b"\\u0000";
    let mut backslashes: usize = 0;
    let mut is_escaped = false;
    for window in bytes.windows(ESCAPED.len()) {
        // After an odd number of backslashes this one is the text of the one before it.
        is_escaped |= window == ESCAPED && backslashes.is_multiple_of(2);
        backslashes = if window.first() == Some(&b'\\') {
            backslashes.saturating_add(1)
        } else {
            0
        };
    }
    if bytes.contains(&0) || is_escaped {
        return Err(Error::invalid("", "the body must not contain the character NUL"));
    }
    Ok(())
}

/// serde speaks of a field that is missing from within the object that lacks it.
const MISSING_FIELD: &str = "missing field `";

fn issue_of(error: serde_path_to_error::Error<serde_json::Error>) -> Error {
    let path = error.path().to_string().replace('[', ".").replace(']', "");
    let path = if path == "." || path == "?" { "" } else { path.as_str() };
    let message = sentence(error.inner());
    let missing = message.strip_prefix(MISSING_FIELD);
    let issue = match (
        error.inner().classify(),
        missing.and_then(|rest| rest.strip_suffix('`')),
    ) {
        (serde_json::error::Category::Data, Some(field)) if path.is_empty() => Issue::new(field, "required", &message),
        (serde_json::error::Category::Data, Some(field)) => {
            Issue::new(&format!("{path}.{field}"), "required", &message)
        }
        (serde_json::error::Category::Data, None) => Issue::new(path, "type", message),
        (
            serde_json::error::Category::Io | serde_json::error::Category::Syntax | serde_json::error::Category::Eof,
            _,
        ) => Issue::new(path, "syntax", message),
    };
    Error::Invalid(vec![issue])
}

/// What serde says without the value that it refuses, which may be a code in the wrong place.
fn sentence(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Data => {
            let text = error.to_string();
            let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(said, _)| said);
            match text.rsplit_once(", expected ") {
                Some((_, expected)) if expected.starts_with("struct ") => "expected an object".to_owned(),
                Some((_, expected)) => format!("expected {expected}"),
                None => text.to_owned(),
            }
        }
        serde_json::error::Category::Io | serde_json::error::Category::Syntax | serde_json::error::Category::Eof => {
            format!("the body is not JSON: {error}")
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::web::Bytes;
    use futures_util::stream;

    use super::*;

    fn payload(chunks: usize, ends: bool) -> Payload {
        let chunks = stream::iter((0..chunks).map(|_| Ok(Bytes::from_static(b"x"))));
        match ends {
            true => Payload::Stream {
                payload: Box::pin(chunks),
            },
            false => Payload::Stream {
                payload: Box::pin(chunks.chain(stream::pending())),
            },
        }
    }

    #[actix_web::test]
    async fn a_body_is_taken_within_its_bound_and_its_time() {
        let bounds = |within| Bounds { bytes_max: 3, within };
        let long = bounds(Duration::from_secs(60));

        for (chunks, ends, expected) in [
            (2, true, Ok(2)),
            (3, true, Ok(3)),
            (4, true, Err(Unread::TooLarge { max: 3 })),
            (4, false, Err(Unread::TooLarge { max: 3 })),
        ] {
            let read = read(payload(chunks, ends), long).await;
            assert_eq!(read.map(|bytes| bytes.len()), expected, "{chunks}");
        }
        let slow = read(payload(1, false), bounds(Duration::from_millis(20))).await;
        assert_eq!(slow, Err(Unread::TooSlow { seconds: 0 }));
    }

    #[test]
    fn a_nul_is_refused_and_the_text_that_speaks_of_one_is_not() {
        let nul: [&[u8]; 4] = [
            b"{\"a\":\"\\u0000\"}",
            b"{\"a\":\"\\\\\\u0000\"}",
            b"\\u0000",
            b"{\"a\":\"\0\"}",
        ];
        let text: [&[u8]; 3] = [b"{\"a\":\"\\\\u0000\"}", b"{\"a\":\"\\u0001\"}", b"{\"a\":\"u0000\"}"];

        for body in nul {
            assert!(refuse_nul(body).is_err(), "{}", body.escape_ascii());
        }
        for body in text {
            assert!(refuse_nul(body).is_ok(), "{}", body.escape_ascii());
        }
    }
}
