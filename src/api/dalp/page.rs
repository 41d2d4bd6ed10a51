//! What a list is asked for: `limit`, and `offset` or `cursor`.

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, HeaderValue};
use serde::de::DeserializeOwned;

use super::body::Issues;
use super::known::{fields_of, unknown};
use crate::db::Page;
use crate::error::Error;

/// Parses a query string into its wire type, all of it text: `?limit=5` is not a type error.
pub fn query<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    if text.contains("%00") {
        return Err(Error::invalid("query", "must not contain the character NUL"));
    }
    let query = actix_web::web::Query::<T>::from_query(text);
    query
        .map(actix_web::web::Query::into_inner)
        .map_err(|error| Error::invalid("query", error.to_string()))
}

/// As [`query`], for lists of our own: a filter that is not known would answer with what nobody asked for.
pub fn strict_query<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    let asked: T = query(text)?;
    let names = query::<Vec<(String, String)>>(text)?.into_iter().map(|(name, _)| name);
    let issues = unknown(names, &[fields_of::<T>()], "is not a parameter of this list");
    match issues.is_empty() {
        true => Ok(asked),
        false => Err(Error::Invalid(issues)),
    }
}

/// The page that a query asks for, within 1 to [`Page::LIMIT_MAX`] rows.
pub fn page_of(limit: Option<&str>, offset: Option<&str>, cursor: Option<&str>, issues: &mut Issues) -> Page {
    let limit = match limit.map(str::parse::<i64>) {
        None => Page::LIMIT_DEFAULT,
        Some(Ok(limit)) if (1..=Page::LIMIT_MAX).contains(&limit) => limit,
        Some(_) => {
            issues.add(
                "limit",
                "range",
                format!("must be a number from 1 to {}", Page::LIMIT_MAX),
            );
            Page::LIMIT_DEFAULT
        }
    };
    let offset = match offset.map(str::parse::<i64>) {
        None => 0,
        Some(Ok(offset)) if offset >= 0 => offset,
        Some(_) => {
            issues.add("offset", "range", "must be a number from 0 on");
            0
        }
    };
    Page {
        limit,
        offset,
        cursor: cursor.map(str::to_owned),
    }
}

/// The header of an answer that is a bare list (dalp.md A14): `Link: <…>; rel="next"`, the same question after the last
/// row of this page. None on the last page.
pub fn next_link(request: &HttpRequest, cursor: Option<&str>) -> Option<(HeaderName, HeaderValue)> {
    let asked = query::<Vec<(String, String)>>(request.query_string()).unwrap_or_default();
    let mut link = format!("<{}?", request.path());
    for (name, value) in asked {
        if !matches!(name.as_str(), "cursor" | "offset") {
            link.push_str(&format!("{}={}&", escaped(&name), escaped(&value)));
        }
    }
    link.push_str(&format!("cursor={}>; rel=\"next\"", escaped(cursor?)));
    let value = HeaderValue::from_str(&link).ok()?;
    Some((HeaderName::from_static("link"), value))
}

/// Percent-encoded but for what RFC 3986 calls unreserved.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_link_keeps_the_filters_and_replaces_the_position() {
        let request = actix_web::test::TestRequest::with_uri("/api/user/list?name=a%26b&offset=3&limit=2");
        let request = request.to_http_request();

        let (name, value) = next_link(&request, Some("Zm9v")).unwrap();

        assert_eq!(name.as_str(), "link");
        let link = "</api/user/list?name=a%26b&limit=2&cursor=Zm9v>; rel=\"next\"";
        assert_eq!(value.to_str().unwrap(), link);
        assert_eq!(next_link(&request, None), None);
    }

    #[test]
    fn a_limit_is_taken_inside_its_bounds_only() {
        for (text, taken) in [("0", false), ("1", true), ("200", true), ("201", false), ("x", false)] {
            let mut issues = Issues::default();
            page_of(Some(text), None, None, &mut issues);
            assert_eq!(issues.finish().is_ok(), taken, "{text}");
        }
    }
}
