//! `/sign` and `/check`: a text for a wallet, and whether the wallet signed it.

use actix_web::{HttpRequest, HttpResponse, get};
use serde_json::{Map, json};

use super::fields::Fields;
use super::{CerthisError, Guest};
use crate::app::App;
use crate::certhis::{self, Challenge, Filing, NewChallenge};
use crate::chain::PersonalSignature;
use crate::types::{Address, Timestamp};

#[get("/sign")]
pub(super) async fn sign(guest: Guest, request: HttpRequest) -> Result<HttpResponse, CerthisError> {
    let query = Fields::of_query(&request)?;
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let new = NewChallenge {
        wallet: query.address("wallet")?,
        contract: owned(query.bounded("contract_id", NewChallenge::CONTRACT_LENGTH_MAX)?),
        header: owned(query.bounded("header_signature", NewChallenge::HEADER_LENGTH_MAX)?),
        filing: match query.text("secure_sign") {
            None | Some("0" | "false") => Filing::Wallet,
            Some("1" | "true") => Filing::Own,
            Some(_) => return Err(CerthisError::Invalid("secure_sign")),
        },
    };
    let now = guest.now;
    let challenge = guest
        .app
        .db()
        .write(move |tx| certhis::challenge(tx, &new, now))
        .await?;
    let mut data = Map::from_iter([("signature".to_owned(), json!(challenge.message))]);
    if let Some(id) = challenge.sign_id() {
        data.insert("sign_id".to_owned(), json!(id));
    }
    Ok(HttpResponse::Ok().json(json!({ "status": true, "message": "get_sign", "data": data })))
}

/// Uses nothing up: a GET changes nothing, and the same signature may still open `/mint_access`.
#[get("/check")]
pub(super) async fn check(guest: Guest, request: HttpRequest) -> Result<HttpResponse, CerthisError> {
    let query = Fields::of_query(&request)?;
    let proof = Proof {
        wallet: query.address("wallet")?,
        sign_id: query.text("sign_id").map(str::to_owned),
        signature: signature(&query, "sign_message")?,
    };
    match proof.hold(&guest.app, guest.now).await? {
        Some(_) => Ok(HttpResponse::Ok().json(json!({
            "status": true, "message": "good signature", "connexion": true,
        }))),
        None => Err(CerthisError::BadSignature),
    }
}

/// What somebody offers to show that a wallet is theirs.
pub(super) struct Proof {
    pub wallet: Address,
    pub sign_id: Option<String>,
    pub signature: PersonalSignature,
}

impl Proof {
    /// The challenge that was signed; none when none is open, or the signature is not the wallet's.
    pub async fn hold(&self, app: &App, now: Timestamp) -> Result<Option<Challenge>, CerthisError> {
        let (wallet, sign_id) = (self.wallet, self.sign_id.clone());
        let open = app
            .db()
            .read(move |tx| certhis::open_challenge(tx, &wallet, sign_id.as_deref(), now))
            .await?;
        let Some(challenge) = open else { return Ok(None) };
        let rpc = app.rpc().map(AsRef::as_ref);
        let is_signed = challenge.is_signed(&self.signature, rpc).await?;
        Ok(is_signed.then_some(challenge))
    }
}

pub(super) fn signature(fields: &Fields, name: &'static str) -> Result<PersonalSignature, CerthisError> {
    PersonalSignature::parse(fields.required(name)?).map_err(|_| CerthisError::Invalid(name))
}
