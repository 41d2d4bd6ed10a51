//! `Idempotency-Key`: the first answer to a wish, given again when the same wish comes again (dalp.md A10).

use actix_web::HttpResponse;
use serde_json::Value;

use super::fields::Fields;
use super::{CerthisError, Holder};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::operation::{self, Fingerprint, IdempotencyKey, Remembered};

/// First answers are kept this long (dalp.md A10).
const REMEMBERED_SECONDS: i64 = 30 * 24 * 3_600;

/// The caller's key and what tells this wish from another; without the header it does nothing.
#[derive(Clone)]
pub(super) struct Once {
    key: Option<IdempotencyKey>,
    fingerprint: Fingerprint,
}

impl Once {
    /// The same fields are the same wish, whatever form they came in: a multipart body has another boundary each time.
    pub fn of(holder: &Holder, fields: &Fields) -> Result<Self, CerthisError> {
        Ok(Self {
            key: holder.idempotency_key()?,
            fingerprint: fields.fingerprint(holder.app.vault())?,
        })
    }

    /// The first answer, if there was one. Errors: `Conflict` when the key was used with another wish.
    pub async fn replay(&self, holder: &Holder) -> Result<Option<HttpResponse>, CerthisError> {
        let (Some(key), now) = (self.key.clone(), holder.ctx.now) else {
            return Ok(None);
        };
        let read = key.clone();
        let read = move |tx: &mut Tx<'_>| operation::remembered(tx, &[&read], now);
        let found = holder.app.db().read(read).await?;
        let Some(first) = found.get(&key) else { return Ok(None) };
        let first = first.replay(&self.fingerprint)?;
        let answer = HttpResponse::Ok()
            .insert_header(("Idempotent-Replayed", "true"))
            .content_type("application/json")
            .body(first.body);
        Ok(Some(answer))
    }

    /// What to answer when nothing was done: whoever came first under the key may have been answered while this one waited.
    pub async fn or_replay(&self, holder: &Holder, error: CerthisError) -> Result<HttpResponse, CerthisError> {
        self.replay(holder).await?.ok_or(error)
    }

    /// Nobody else acts under the key until the commit.
    pub fn claim(&self, tx: &mut Tx<'_>, ctx: &Ctx) -> Result<(), Error> {
        match &self.key {
            Some(key) if !operation::claim(tx, key, &self.fingerprint, ctx.now)? => Err(Error::Conflict(
                "The first request with this Idempotency-Key was answered just now".to_owned(),
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// Keeps the good answer, in the transaction of the change.
    pub fn settle(&self, tx: &mut Tx<'_>, ctx: &Ctx, body: &Value) -> Result<(), Error> {
        let Some(key) = &self.key else { return Ok(()) };
        let answer = Remembered {
            fingerprint: self.fingerprint,
            status: 200,
            headers: Vec::new(),
            body: body.to_string(),
            operation: None,
            created_at: ctx.now,
            expires_at: Some(ctx.now.plus_seconds(REMEMBERED_SECONDS)),
        };
        operation::settle_claim(tx, key, &answer)
    }

    /// It came to nothing: the key is free again.
    pub fn release(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        match &self.key {
            Some(key) => operation::release_claim(tx, key),
            None => Ok(()),
        }
    }
}
