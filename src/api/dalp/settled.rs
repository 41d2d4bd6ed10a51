//! Answers about operations that settle on a chain: 200 when final in time, else 202 with the operation (dalp.md A10, A11).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::mutate::{build, replayed};
use super::operation::OperationObject;
use super::prefer::Prefer;
use super::token_object::token_body;
use super::{Call, DalpError};
use crate::asset;
use crate::error::Error;
use crate::mint::Stored;
use crate::operation::{Operation, Replay, Status};
use crate::types::OperationId;
use crate::{reports, settlement};

/// The status under which an open operation is kept: its answer is made anew each time.
const OPEN: u16 = 202;

/// What is kept of an answer that was not final.
pub fn stored(id: OperationId) -> Stored {
    Stored {
        status: OPEN,
        headers: vec![("X-Operation-Id".to_owned(), id.to_string())],
        body: id.to_string(),
    }
}

/// A request that was made before: what was sent then, or what has become of the operation since.
pub async fn again(call: &Call, replay: &Replay, prefer: Prefer) -> Result<HttpResponse, DalpError> {
    if replay.status != OPEN {
        return replayed(replay);
    }
    let id = OperationId::parse(&replay.body).map_err(Error::internal)?;
    let mut answer = answer(call, id, prefer).await?;
    let name = actix_web::http::header::HeaderName::from_static("idempotent-replayed");
    answer
        .headers_mut()
        .insert(name, actix_web::http::header::HeaderValue::from_static("true"));
    Ok(answer)
}

/// Waits as long as the caller wants to.
pub async fn answer(call: &Call, id: OperationId, prefer: Prefer) -> Result<HttpResponse, DalpError> {
    let operation = settlement::wait(call.app.db(), id, prefer.patience()).await?;
    let applied = prefer
        .applied()
        .map(|applied| ("Preference-Applied".to_owned(), applied));
    match operation.status {
        Status::Succeeded => succeeded(call, operation, applied).await,
        Status::Failed | Status::Cancelled => Err(Error::Reverted {
            reason: operation
                .error
                .unwrap_or_else(|| "the operation was cancelled".to_owned()),
            operation: id.to_string(),
        }
        .into()),
        Status::Queued | Status::Signed | Status::Sent | Status::Mined => accepted(call, id, applied).await,
    }
}

async fn succeeded(
    call: &Call,
    operation: Operation,
    applied: Option<(String, String)>,
) -> Result<HttpResponse, DalpError> {
    let base_currency = call.app.base_currency();
    let id = operation.id;
    let (body, transaction) = call
        .read(move |tx, ctx| {
            let asset = asset::find(tx, operation.asset)?;
            let body = token_body(tx, ctx, &asset, base_currency)?;
            let transactions = settlement::transactions_of(tx, &operation)?;
            Ok((
                body,
                transactions.into_iter().find(|transaction| transaction.block.is_some()),
            ))
        })
        .await?;
    let mut headers = vec![("X-Operation-Id".to_owned(), id.to_string())];
    headers.extend(transaction.map(|transaction| ("X-Transaction-Hash".to_owned(), transaction.hash.to_string())));
    headers.extend(applied);
    Ok(build(StatusCode::OK, &headers, body))
}

async fn accepted(call: &Call, id: OperationId, applied: Option<(String, String)>) -> Result<HttpResponse, DalpError> {
    let report = call.read(move |tx, ctx| reports::operation(tx, ctx, id)).await?;
    let mut headers = vec![
        ("X-Operation-Id".to_owned(), id.to_string()),
        ("Location".to_owned(), format!("/api/operations/{id}")),
    ];
    let newest = report.transactions.last();
    headers.extend(newest.map(|transaction| ("X-Transaction-Hash".to_owned(), transaction.hash.to_string())));
    headers.extend(applied);
    let body = serde_json::to_string(&OperationObject::from(report)).map_err(Error::internal)?;
    Ok(build(StatusCode::ACCEPTED, &headers, body))
}
