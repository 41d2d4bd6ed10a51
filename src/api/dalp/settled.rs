//! Answers about operations that settle on a chain: 200 when final in time, else 202 with the operation (dalp.md A10, A11).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::mutate::{Answer, Made, Steps, Terms, build, no_locks, replayed, respond};
use super::operation::OperationObject;
use super::prefer::Prefer;
use super::token_object::{token_answer, token_body};
use super::{Body, Call, Code, DalpError};
use crate::asset;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::mint::Stored;
use crate::operation::{self, IdempotencyKey, Operation, Replay, Status};
use crate::types::{AssetId, OperationId};
use crate::{reports, settlement};

/// The status under which an open operation is kept: its answer is made anew each time until it is final.
const OPEN: u16 = 202;

/// What is kept of an answer that was not final.
pub fn stored(id: OperationId) -> Stored {
    Stored {
        status: OPEN,
        headers: vec![("X-Operation-Id".to_owned(), id.to_string())],
        body: id.to_string(),
    }
}

/// Makes a change of an asset that settles as the asset does: the asset when it is final in time, else its operation. A
/// change without an operation found that all was so already.
pub async fn make<A, C>(
    call: &Call,
    body: &Body,
    (id, code): (AssetId, Option<Code>),
    prefer: Prefer,
    allowed: A,
    change: C,
) -> Result<HttpResponse, DalpError>
where
    A: Fn(&mut Tx<'_>, &Ctx) -> Result<(), Error> + Clone + Send + 'static,
    C: Fn(&mut Tx<'_>, &Ctx) -> Result<Option<Operation>, Error> + Clone + Send + 'static,
{
    let base_currency = call.app.base_currency();
    let steps = Steps {
        allowed,
        locks: no_locks,
        prepare: async || Ok(()),
        change: move |tx: &mut Tx<'_>, ctx: &Ctx, ()| {
            let operation = change(tx, ctx)?;
            if let Some(open) = operation.as_ref().filter(|operation| !operation.status.is_final()) {
                let Stored { headers, body, .. } = stored(open.id);
                return Ok(Answer {
                    status: StatusCode::ACCEPTED,
                    headers,
                    body,
                    replay: None,
                });
            }
            let asset = asset::find(tx, id)?;
            let answer = token_answer(tx, ctx, &asset, base_currency)?;
            Ok(match operation {
                Some(operation) => answer.header("X-Operation-Id", operation.id),
                None => answer,
            })
        },
    };
    let terms = Terms { code, asset: Some(id) };
    let made = call.make(body, terms, steps).await?;
    let key = call.idempotency()?;
    match made {
        Made::Now(open) if open.status == StatusCode::ACCEPTED => {
            let id = OperationId::parse(&open.body).map_err(Error::internal)?;
            answer(call, id, prefer, key.as_ref()).await
        }
        Made::Now(mut done) => {
            let applied = prefer.applied();
            done.headers
                .extend(applied.map(|applied| ("Preference-Applied".to_owned(), applied)));
            respond(&done)
        }
        Made::Before(replay) => again(call, &replay, prefer, key.as_ref()).await,
    }
}

/// A request that was made before: what was sent then, or what has become of the operation since. Once it is final the
/// answer is kept under the key, and every later one is the same.
pub async fn again(
    call: &Call,
    replay: &Replay,
    prefer: Prefer,
    key: Option<&IdempotencyKey>,
) -> Result<HttpResponse, DalpError> {
    if replay.status != OPEN {
        return replayed(replay);
    }
    let id = OperationId::parse(&replay.body).map_err(Error::internal)?;
    let mut answer = answer(call, id, prefer, key).await?;
    let name = actix_web::http::header::HeaderName::from_static("idempotent-replayed");
    answer
        .headers_mut()
        .insert(name, actix_web::http::header::HeaderValue::from_static("true"));
    Ok(answer)
}

/// Waits as long as the caller wants to.
pub async fn answer(
    call: &Call,
    id: OperationId,
    prefer: Prefer,
    key: Option<&IdempotencyKey>,
) -> Result<HttpResponse, DalpError> {
    let operation = settlement::wait(call.app.db(), id, prefer.patience()).await?;
    let applied = prefer
        .applied()
        .map(|applied| ("Preference-Applied".to_owned(), applied));
    match operation.status {
        Status::Succeeded => succeeded(call, operation, applied, key).await,
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
    key: Option<&IdempotencyKey>,
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
    let answer = Replay {
        status: StatusCode::OK.as_u16(),
        headers,
        body,
    };
    let mut answer = match key.cloned() {
        None => answer,
        // Whoever renders it first decides for all.
        Some(key) => {
            let db = call.app.db();
            db.write(move |tx| operation::close(tx, &key, OPEN, &answer)).await?
        }
    };
    answer.headers.extend(applied);
    Ok(build(StatusCode::OK, &answer.headers, answer.body))
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
