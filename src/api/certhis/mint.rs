//! `/mint`, `/mint_status`, `/mint_task_list`: wishes to mint with a key pair, and what became of them.

use actix_web::{HttpRequest, HttpResponse, get, post};
use serde_json::{Value, json};

use super::error::Shortage;
use super::fields::{Body, Fields};
use super::once::Once;
use super::shown::Shown;
use super::{CerthisError, Holder};
use crate::certhis::{self, Asked, Means, NewTask, Recipient, Task, TokenUri};
use crate::collection;
use crate::ctx::Ctx;
use crate::custody::Email;
use crate::db::Tx;
use crate::error::Error;
use crate::types::{Address, TokenId};

type Answer = Result<HttpResponse, CerthisError>;

#[post("/mint")]
pub(super) async fn mint(holder: Holder, body: Body) -> Answer {
    let fields = body.fields()?;
    let new = NewTask {
        recipient: recipient(fields.required("wallet")?)?,
        token_id: fields.text("nft_id").map(token_id).transpose()?,
        token_uri: fields.text("token_uri").map(token_uri).transpose()?,
    };
    let once = Once::of(&holder, &fields)?;
    if let Some(first) = once.replay(&holder).await? {
        return Ok(first);
    }
    let (app, known, kept) = (holder.app.clone(), holder.known.clone(), once.clone());
    let change = move |tx: &mut Tx<'_>, ctx: &Ctx| {
        kept.claim(tx, ctx)?;
        let means = Means {
            policies: app.policy(),
            vault: app.vault(),
            custody: app.custody(),
            email_retention_days: app.email_retention_days(),
        };
        let asked = certhis::mint(tx, ctx, &known, &means, &new)?;
        match &asked {
            Asked::Created(number) => kept.settle(tx, ctx, &created(*number))?,
            Asked::Taken | Asked::Described | Asked::Exhausted { .. } => kept.release(tx)?,
        }
        Ok(asked)
    };
    let asked = match holder.change(change).await {
        Err(error @ CerthisError::Domain(Error::Conflict(_))) => return once.or_replay(&holder, error).await,
        asked => asked?,
    };
    match asked {
        Asked::Created(number) => Ok(HttpResponse::Ok().json(created(number))),
        Asked::Taken => Err(CerthisError::Taken),
        Asked::Described => Err(CerthisError::Described),
        Asked::Exhausted {
            rate,
            standing,
            wait_micros,
        } => Err(CerthisError::Exhausted(Shortage {
            rate,
            standing,
            wait_micros,
        })),
    }
}

pub(super) fn created(number: i64) -> Value {
    json!({ "status": true, "message": "created", "data": { "task_id": number } })
}

/// An address never has an at sign.
fn recipient(text: &str) -> Result<Recipient, CerthisError> {
    if text.contains('@') {
        let email = Email::parse(text.trim());
        return email.map(Recipient::Email).map_err(|_| CerthisError::Invalid("wallet"));
    }
    let address = Address::parse(text).ok().filter(|address| !address.is_zero());
    address.map(Recipient::Wallet).ok_or(CerthisError::Invalid("wallet"))
}

fn token_id(text: &str) -> Result<TokenId, CerthisError> {
    TokenId::parse(text).map_err(|_| CerthisError::Invalid("nft_id"))
}

fn token_uri(text: &str) -> Result<TokenUri, CerthisError> {
    TokenUri::parse(text).map_err(|_| CerthisError::Invalid("token_uri"))
}

#[get("/mint_status")]
pub(super) async fn mint_status(holder: Holder, request: HttpRequest) -> Answer {
    let number = Fields::of_query(&request)?.number("task_id")?;
    let id = holder.known.collection;
    let read = move |tx: &mut Tx<'_>| {
        let collection = collection::find(tx, id)?;
        let task = certhis::task(tx, id, number)?;
        let minted = certhis::minted(tx, &collection, &task)?;
        Ok((collection, task, minted))
    };
    let (collection, task, minted) = holder.app.db().read(read).await?;
    let shown = Shown::of(&holder.app);
    let nft = minted.map(|minted| shown.nft(&collection, &task, &minted));
    Ok(HttpResponse::Ok().json(json!({ "status": true, "data": status_of(&task, nft) })))
}

pub(super) fn status_of(task: &Task, nft: Option<Value>) -> Value {
    json!({
        "nft": nft,
        "status": Shown::status(task.status),
        "message": Shown::message(task),
        "updated": task.request.updated_at,
        "created": task.request.created_at,
        "wallet": task.request.owner,
    })
}

#[get("/mint_task_list")]
pub(super) async fn mint_task_list(holder: Holder, request: HttpRequest) -> Answer {
    let query = Fields::of_query(&request)?;
    let offset = match query.text("offset") {
        None => 0,
        Some(text) => text.parse::<u32>().map_err(|_| CerthisError::Invalid("offset"))?,
    };
    let id = holder.known.collection;
    let tasks = holder.app.db().read(move |tx| certhis::tasks(tx, id, offset)).await?;
    let data: Vec<_> = tasks.iter().map(Shown::task).collect();
    Ok(HttpResponse::Ok().json(json!({ "status": true, "data": data })))
}
