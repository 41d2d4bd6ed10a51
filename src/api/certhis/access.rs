//! `POST /mint_access`: the key pair of a collection, for the wallet that owns it.

use std::sync::Arc;

use actix_web::{HttpResponse, post};
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::fields::Body;
use super::owner;
use super::sign::{Proof, signature};
use super::{CerthisError, Guest};
use crate::certhis::{self, Ask, Owner};
use crate::collection;
use crate::db::Tx;
use crate::error::Error;

#[post("/mint_access")]
pub(super) async fn mint_access(guest: Guest, body: Body) -> Result<HttpResponse, CerthisError> {
    let fields = body.fields()?;
    let number = fields.number("collection_index")?;
    let proof = Proof {
        wallet: fields.address("wallet")?,
        sign_id: fields.text("sign_id").map(str::to_owned),
        signature: signature(&fields, "signature")?,
    };
    let ask = match fields.text("ask") {
        None | Some("0") => Ask::Present,
        Some("1") => Ask::New,
        Some(_) => return Err(CerthisError::Invalid("ask")),
    };
    let app = &guest.app;
    let found = app.db().read(move |tx| collection::find_by_number(tx, number)).await;
    let collection = match found {
        Err(Error::NotFound(_)) => return Err(CerthisError::Invalid("collection_index")),
        found => found?,
    };
    let challenge = proof.hold(app, guest.now).await?;
    let challenge = challenge.ok_or(CerthisError::Invalid("signature"))?;
    if !owner::owns(app, &collection, proof.wallet).await? {
        return Err(CerthisError::NotTheOwner);
    }
    let (vault, now) = (Arc::clone(app.vault()), guest.now);
    let owner = Owner {
        wallet: proof.wallet,
        seen_at: now,
    };
    let change = move |tx: &mut Tx<'_>| {
        if !certhis::spend(tx, &challenge)? {
            return Ok(None);
        }
        certhis::key_pair(tx, &vault, collection.id, (owner, ask), now).map(Some)
    };
    // Somebody else was quicker with the same signature.
    let pair = app
        .db()
        .write(change)
        .await?
        .ok_or(CerthisError::Invalid("signature"))?;
    let secret = pair.secret.as_ref().map(|secret| secret.expose_secret());
    Ok(HttpResponse::Ok().json(json!({
        "status": true,
        "data": { "api_key": pair.key.expose_secret(), "api_secret": secret },
    })))
}
