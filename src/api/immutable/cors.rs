//! Browsers of any place may ask: nothing here depends on a cookie.

use actix_web::HttpResponse;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderMap, HeaderValue,
};

/// The keys, what Immutable's own packages send by mistake (immutable.md 1.2), and what every API has.
const ALLOWED: &str = "x-immutable-api-key, x-immutable-publishable-key, x-api-key, basePath, headers, baseConfig, \
    overrides, sdkVersion, x-sdk-version, content-type, accept, idempotency-key, x-request-id";
const EXPOSED: &str = "x-trace-id, x-request-id, retry-after, x-ratelimit-limit, x-ratelimit-remaining, \
    x-ratelimit-reset, imx-mint-requests-limit, imx-mint-requests-limit-reset, imx-remaining-mint-requests, \
    imx-mint-requests-retry-after, imx-refreshes-limit, imx-refresh-limit-reset, imx-remaining-refreshes";
const METHODS: &str = "GET, POST, OPTIONS";
/// A day: what is allowed does not change while a server runs.
const MAX_AGE_SECONDS: u32 = 86_400;

/// The answer to what a browser asks before it sends a request.
pub fn preflight(request: &ServiceRequest) -> Option<HttpResponse> {
    if request.method() != Method::OPTIONS {
        return None;
    }
    let mut response = HttpResponse::NoContent();
    response
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, METHODS))
        .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED))
        .insert_header((ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS));
    Some(response.finish())
}

pub(super) fn allow(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
}
