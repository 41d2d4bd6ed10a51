//! What every request passes first and last: its id, its span, its time, and a net under panics.

use std::panic::AssertUnwindSafe;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderValue;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _};
use futures_util::FutureExt as _;
use tracing::Instrument as _;

use super::dialect::Dialect;
use super::unserved::{REQUEST_ID, Unserved};
use crate::telemetry::Stopwatch;
use crate::types::RequestId;

/// Gives the request its id (the caller's when it is a good one), measures it, and turns a panic into an answer.
pub async fn edge<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let watch = Stopwatch::start();
    let given = request.headers().get(&REQUEST_ID).and_then(|value| value.to_str().ok());
    let request_id = given
        .and_then(|text| RequestId::parse(text).ok())
        .unwrap_or_else(RequestId::generate);
    let method = request.method().clone();
    let dialect = Dialect::of(request.path());
    let span = tracing::info_span!("request", request_id = %request_id, method = %method, path = request.path(),
        trace_id = dialect.trace_id(&request_id));
    request.extensions_mut().insert(request_id.clone());

    let answering = async {
        match dialect.preflight(&request) {
            Some(answer) => Ok(request.into_response(answer).map_into_right_body()),
            None => next.call(request).await.map(ServiceResponse::map_into_left_body),
        }
    };
    let outcome = AssertUnwindSafe(answering.instrument(span)).catch_unwind().await;
    let Ok(answered) = outcome else {
        metrics::counter!("panics_total").increment(1);
        tracing::error!(%request_id, "a request panicked: this is a defect, please report it with the log before this line");
        let request_id = request_id.to_string();
        return Err(dialect.refuse(Unserved::Panicked { request_id }));
    };
    let mut response = dialect.dress(answered?, &request_id);
    if let Ok(value) = HeaderValue::from_str(request_id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let route = response
        .request()
        .match_pattern()
        .unwrap_or_else(|| "unknown".to_owned());
    let status = response.status().as_u16();
    metrics::histogram!("http_server_request_duration_seconds",
        "route" => route, "method" => method_label(&method), "status" => status.to_string())
    .record(watch.elapsed());
    tracing::debug!(%request_id, %method, path = response.request().path(), status, "answered");
    Ok(response)
}

/// Only methods that exist become labels: a caller must not be able to make metrics without end.
fn method_label(method: &actix_web::http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
