//! What every answer of the dialect has: the name of the request in its error, `x-trace-id`, and leave for browsers.

use actix_web::HttpMessage as _;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{HeaderName, HeaderValue};

use super::cors;
use super::error::ImmutableError;
use super::quota::ReadStanding;
use crate::types::{RequestId, sha256};

const TRACE_ID: HeaderName = HeaderName::from_static("x-trace-id");
/// Of 32 hex characters, as at Immutable.
const TRACE_ID_LENGTH: usize = 32;

/// The request's id without its hyphens, or a hash of it when the caller chose it in another form.
pub fn trace_id_of(request_id: &str) -> String {
    let hex = request_id.replace('-', "").to_ascii_lowercase();
    if hex.len() == TRACE_ID_LENGTH && hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return hex;
    }
    let hash = sha256(request_id.as_bytes()).to_string();
    hash.chars().skip("0x".len()).take(TRACE_ID_LENGTH).collect()
}

/// Renders an error again with the name of its request, and adds the headers that every answer has.
pub fn dress<B: MessageBody>(
    response: ServiceResponse<EitherBody<B>>,
    request_id: &RequestId,
) -> ServiceResponse<EitherBody<B>> {
    let trace_id = trace_id_of(request_id.as_str());
    let error = response
        .response()
        .error()
        .and_then(|error| error.as_error::<ImmutableError>());
    let rendered = error.map(|error| error.respond(&trace_id));
    let mut dressed = match rendered {
        None => response,
        Some(mut rendered) => {
            for (name, value) in response.headers() {
                if !rendered.headers().contains_key(name) && *name != actix_web::http::header::CONTENT_LENGTH {
                    rendered.headers_mut().insert(name.clone(), value.clone());
                }
            }
            response.into_response(rendered).map_into_right_body()
        }
    };
    let standing = dressed.request().extensions().get::<ReadStanding>().copied();
    let headers = dressed.headers_mut();
    if let Some(standing) = standing {
        for (name, value) in standing.headers() {
            headers.insert(name, value);
        }
    }
    if let Ok(value) = HeaderValue::from_str(&trace_id) {
        headers.insert(TRACE_ID, value);
    }
    cors::allow(headers);
    dressed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_id_is_32_hex_characters_whatever_the_request_is_called() {
        let of_uuid = trace_id_of("0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b57");

        assert_eq!(of_uuid, "0197a1f05c3e7b449d213f6a1c0e8b57");
        for chosen in ["my-request", "0197a1f05c3e7b449d213f6a1c0e8b5z"] {
            let trace_id = trace_id_of(chosen);
            assert_eq!(trace_id.len(), 32, "{chosen}");
            assert!(trace_id.bytes().all(|b| b.is_ascii_hexdigit()), "{chosen}");
            assert_eq!(trace_id, trace_id_of(chosen));
        }
    }
}
