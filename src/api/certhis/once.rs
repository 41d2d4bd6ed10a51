//! `Idempotency-Key`: the first answer to a wish, given again when the same wish comes again (dalp.md A10).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde_json::Value;

use super::fields::Fields;
use super::{CerthisError, Holder};
use crate::api::once;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::operation::Replay;

#[derive(Clone)]
pub(super) struct Once(once::Once);

impl Once {
    /// The same fields are the same wish, whatever form they came in: a multipart body has another boundary each time.
    pub fn of(holder: &Holder, fields: &Fields) -> Result<Self, CerthisError> {
        let fingerprint = fields.fingerprint(holder.app.vault())?;
        Ok(Self(once::Once::new(holder.idempotency_key()?, fingerprint)))
    }

    /// The first answer, if there was one. Errors: `Conflict` when the key was used with another wish.
    pub async fn replay(&self, holder: &Holder) -> Result<Option<HttpResponse>, CerthisError> {
        let first = self.0.replay(holder.app.db(), holder.ctx.now).await?;
        Ok(first.map(|first| {
            HttpResponse::Ok()
                .insert_header(("Idempotent-Replayed", "true"))
                .content_type("application/json")
                .body(first.body)
        }))
    }

    /// What to answer when nothing was done: whoever came first under the key may have been answered while this one waited.
    pub async fn or_replay(&self, holder: &Holder, error: CerthisError) -> Result<HttpResponse, CerthisError> {
        self.replay(holder).await?.ok_or(error)
    }

    /// Nobody else acts under the key until the commit.
    pub fn claim(&self, tx: &mut Tx<'_>, ctx: &Ctx) -> Result<(), Error> {
        self.0.claim(tx, ctx.now)
    }

    /// Keeps the good answer, in the transaction of the change.
    pub fn settle(&self, tx: &mut Tx<'_>, ctx: &Ctx, body: &Value) -> Result<(), Error> {
        let answer = Replay {
            status: StatusCode::OK.as_u16(),
            headers: Vec::new(),
            body: body.to_string(),
        };
        self.0.settle(tx, ctx.now, answer)
    }

    /// It came to nothing: the key is free again.
    pub fn release(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        self.0.release(tx)
    }
}
