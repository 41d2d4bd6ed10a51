//! `…/nfts/mint-requests/bulk`: files of up to 100,000 wishes, as CSV or JSON lines (beyond the original).

mod lines;
mod room;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde_json::{Value, json};

use super::asked::{Asked, Body};
use super::once::{Kept, Once};
use super::{Caller, ImmutableError};
use crate::collection::{self, FileLine, FileState, LineRefusal, MintFile, NewMintFile};
use crate::db::{Cursor, Tx};
use crate::error::Error;
use crate::operation::Fingerprint;
use crate::types::{MintFileId, sha256};
use lines::Form;
use room::{Arrived, Room};

type Answer = Result<HttpResponse, ImmutableError>;

/// Takes the file, of any length within its bound at once; its lines are mint requests once their turn has come.
#[post("/v1/chains/{chain_name}/collections/{contract_address}/nfts/mint-requests/bulk")]
pub(super) async fn submit_file(caller: Caller, request: HttpRequest, payload: web::Payload) -> Answer {
    let linked = caller.linked(&Asked::of(&request).await?).await?;
    let form = Form::of(&request)?;
    let environment = caller.known.environment.id;
    let arrived = Arrived::receive(caller.app.gate(), environment, payload.into_inner()).await?;
    let Read {
        fingerprint,
        lines,
        room,
    } = Read::of(form, arrived).await?;
    let once = Once::with(&caller, fingerprint)?;
    if let Some(first) = once.replay(&caller).await? {
        return Ok(first);
    }
    let new = NewMintFile {
        collection: linked.id,
        environment,
        lines: lines?,
    };
    let change = move |tx: &mut Tx<'_>, by: &collection::Caller<'_>| {
        let _kept_until_it_is_done = &room;
        let file = collection::submit_file(tx, by, &new)?;
        Ok(Kept::new(
            StatusCode::ACCEPTED,
            Vec::new(),
            &json!({ "result": shown(&file) }),
        )?)
    };
    let made = once.made(&caller, change).await.map_err(open_files_told);
    once.answer(&caller, made).await
}

fn open_files_told(error: ImmutableError) -> ImmutableError {
    if let ImmutableError::Domain(Error::Limited {
        retry_after_seconds, ..
    }) = error
    {
        return ImmutableError::FilesOpen { retry_after_seconds };
    }
    error
}

/// What a file is, read where nobody else waits for it: 32 MiB keep a thread for seconds.
struct Read {
    /// Of its bytes: the same file is the same request.
    fingerprint: Fingerprint,
    lines: Result<Vec<FileLine>, Error>,
    room: Room,
}

impl Read {
    async fn of(form: Form, arrived: Arrived) -> Result<Self, Error> {
        let read = move || {
            let Arrived { bytes, room } = arrived;
            Self {
                fingerprint: sha256(&bytes),
                lines: form.lines(&bytes),
                room,
            }
        };
        tokio::task::spawn_blocking(read).await.map_err(Error::internal)
    }
}

/// Drops the lines whose turn has not come; 409 when the file has ended.
#[post("/v1/chains/{chain_name}/collections/{contract_address}/nfts/mint-requests/bulk/{file_id}/cancel")]
pub(super) async fn cancel_file(caller: Caller, request: HttpRequest, body: Body) -> Answer {
    let asked = Asked::of(&request).await?;
    let linked = caller.linked(&asked).await?;
    let id = file_id(&asked)?;
    let once = Once::of(&caller, &body)?;
    if let Some(first) = once.replay(&caller).await? {
        return Ok(first);
    }
    let change = move |tx: &mut Tx<'_>, by: &collection::Caller<'_>| {
        let file = collection::cancel_file(tx, by, linked.id, id)?;
        Ok(Kept::new(
            StatusCode::OK,
            Vec::new(),
            &json!({ "result": shown(&file) }),
        )?)
    };
    let made = once.made(&caller, change).await;
    once.answer(&caller, made).await
}

/// How far a file is, and which of its lines were not taken.
#[get("/v1/chains/{chain_name}/collections/{contract_address}/nfts/mint-requests/bulk/{file_id}")]
pub(super) async fn get_file(caller: Caller, request: HttpRequest) -> Answer {
    let asked = Asked::of(&request).await?;
    let linked = caller.linked(&asked).await?;
    let id = file_id(&asked)?;
    let window = asked.window()?;
    let after = window.cursor.as_deref().map(line_after).transpose()?.unwrap_or(0);
    let found = caller.app.db().read(move |tx| {
        let file = collection::mint_file(tx, linked.id, id)?;
        let refused = collection::refused_lines(tx, &file, after, window.limit.saturating_add(1))?;
        Ok((file, refused))
    });
    let (file, mut refused) = found.await?;
    let has_more = i64::try_from(refused.len()).unwrap_or(i64::MAX) > window.limit;
    if has_more {
        refused.pop();
    }
    let last = refused.last().filter(|_| has_more);
    let next = last.map(|last| Cursor::new([last.line.to_string()]).to_string());
    let mut result = shown(&file);
    if let Value::Object(fields) = &mut result {
        fields.insert("refusals".to_owned(), refused.iter().map(refusal).collect());
    }
    Ok(HttpResponse::Ok().json(json!({
        "result": result,
        "page": { "previous_cursor": null, "next_cursor": next },
    })))
}

fn file_id(asked: &Asked) -> Result<MintFileId, Error> {
    let id = MintFileId::parse(asked.part("file_id"));
    id.map_err(|error| Error::invalid("file_id", error.to_string()))
}

fn line_after(cursor: &str) -> Result<i32, Error> {
    let invalid = || Error::invalid("page_cursor", "is not a cursor that this list gave out");
    let [line] = Cursor::parse::<1>(cursor).map_err(|_| invalid())?;
    line.parse().map_err(|_| invalid())
}

pub(super) fn shown(file: &MintFile) -> Value {
    let status = match file.state() {
        FileState::Working => "working",
        FileState::Done => "done",
        FileState::Cancelled => "cancelled",
    };
    let until = file.waiting_for.as_ref().map(|_| file.not_before.to_micros_text());
    json!({
        "id": file.id,
        "status": status,
        "lines": file.lines,
        "accepted": file.accepted,
        "refused": file.refused,
        "cancelled": file.cancelled,
        "waiting": file.waiting(),
        "waiting_for": file.waiting_for,
        "waiting_until": until,
        "created_at": file.created_at.to_micros_text(),
        "updated_at": file.updated_at.to_micros_text(),
    })
}

fn refusal(refusal: &LineRefusal) -> Value {
    json!({ "line": refusal.line, "reference_id": refusal.reference, "reason": refusal.reason })
}
