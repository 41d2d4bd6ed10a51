//! `/register_webhook` and `/get_webhook`: where the owner of a collection is told what becomes of its mints; and what is
//! told there.

use std::sync::Arc;

use actix_web::{HttpResponse, get, post};
use serde_json::{Map, Value, json};

use super::fields::{Body, Fields};
use super::shown::Shown;
use super::{CerthisError, Holder};
use crate::app::App;
use crate::asset;
use crate::certhis;
use crate::collection;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::webhook::{
    self, Event, EventKind, Login, LoginName, LoginPassword, Personal, Registration, Render, Target, TargetRules,
};

/// Of the address (certhis.md), and of each part of the login.
pub(super) const LENGTH_MAX: usize = Login::LENGTH_MAX;

#[post("/register_webhook")]
pub(super) async fn register_webhook(holder: Holder, body: Body) -> Result<HttpResponse, CerthisError> {
    let registration = registration(&body.fields()?, holder.app.targets())?;
    let (vault, id) = (Arc::clone(holder.app.vault()), holder.known.collection);
    let change = move |tx: &mut Tx<'_>, ctx: &Ctx| {
        // A collection has one at most: two who come at once come one after the other.
        asset::lock(tx, id)?;
        webhook::register_login(tx, &vault, ctx, id, registration.clone()).map(|_| ())
    };
    holder.change(change).await?;
    Ok(HttpResponse::Ok().json(json!({ "status": true, "message": "updated" })))
}

/// Of each there is one published sentence, whatever is wrong with it.
fn registration(fields: &Fields, targets: &TargetRules) -> Result<Registration, CerthisError> {
    let given = |name| fields.text(name).unwrap_or_default();
    let url = fields.bounded("webhook", LENGTH_MAX)?.unwrap_or_default();
    Ok(Registration {
        target: Target::parse(url, targets).map_err(|_| CerthisError::Invalid("webhook"))?,
        login: Login {
            password: LoginPassword::parse(given("webhook_pass")).map_err(|_| CerthisError::Invalid("webhook_pass"))?,
            name: LoginName::parse(given("webhook_login")).map_err(|_| CerthisError::Invalid("webhook_login"))?,
        },
        events: None,
    })
}

/// Shows what this owner registered. What somebody else did (an owner of before, a manager through `/api/webhooks`) may
/// hold a login that is none of theirs, and counts as nothing.
#[get("/get_webhook")]
pub(super) async fn get_webhook(holder: Holder) -> Result<HttpResponse, CerthisError> {
    let (vault, id, user) = (
        Arc::clone(holder.app.vault()),
        holder.known.collection,
        holder.known.actor.user,
    );
    let read = move |tx: &mut Tx<'_>| webhook::registered_login(tx, &vault, id, user);
    let data = match holder.app.db().read(read).await? {
        None => json!({ "webhook": null, "webhook_pass": null, "webhook_login": null }),
        Some((target, login)) => json!({
            "webhook": target.to_string(),
            "webhook_pass": login.password.reveal(),
            "webhook_login": login.name.reveal(),
        }),
    };
    Ok(HttpResponse::Ok().json(json!({ "status": true, "data": data })))
}

/// What a webhook is told: the published page shows that it begins with `to`, and no more of it. What is kept of it has the
/// wallet there, also where the recipient was an e-mail address ([`webhook_recipient`]).
pub fn webhook_render(app: &App) -> Render {
    let shown = Shown::of(app);
    Arc::new(move |tx, event| Ok::<_, Error>(told(tx, &shown, event)?.to_string()))
}

/// The published `to` is the e-mail address of whoever the token is for: the receiver is sent it, for as long as it is known
/// here, and the log of deliveries is not. The receiver is the one that the owner named whose key pair the wish came with: a
/// manager, or an owner after them, may lead the webhook elsewhere and replay what was told before.
pub fn webhook_recipient(app: &App) -> Personal {
    let vault = Arc::clone(app.vault());
    Arc::new(move |tx, subscription, event, kept| {
        let Some(owner) = subscription.created_by else {
            return Ok(None);
        };
        let email = certhis::recipient_email(tx, &vault, (event.collection, &event.news.reference_id), owner)?;
        let Some(email) = email else { return Ok(None) };
        let mut body: Map<String, Value> = serde_json::from_str(kept).map_err(Error::internal)?;
        body.insert("to".to_owned(), json!(email.reveal()));
        Ok(Some(Value::Object(body).to_string()))
    })
}

fn told(tx: &mut Tx<'_>, shown: &Shown, event: &Event) -> Result<Value, Error> {
    let news = &event.news;
    let collection = collection::find(tx, event.collection)?;
    let task = certhis::task_named(tx, event.collection, &news.reference_id)?;
    let (status, message) = match event.kind {
        EventKind::MintAccepted => (0, "queued"),
        EventKind::MintSucceeded => (2, "success"),
        EventKind::MintFailed => (3, news.error.as_deref().unwrap_or("failed")),
    };
    let minted = match &task {
        Some(task) if event.kind == EventKind::MintSucceeded => certhis::minted(tx, &collection, task)?,
        Some(_) | None => None,
    };
    let nft = task.as_ref().zip(minted.as_ref());
    Ok(json!({
        "to": news.owner_address,
        "task_id": task.as_ref().map(|task| task.number),
        "collection_index": collection.number,
        "status": status,
        "message": message,
        "nft": nft.map(|(task, minted)| shown.nft(&collection, task, minted)),
        "created": task.as_ref().map(|task| task.request.created_at),
        "updated": event.at,
    }))
}
