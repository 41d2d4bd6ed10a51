//! `Idempotency-Key`: the first answer to a change, given again when the same request comes again.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use serde::Serialize;

use super::asked::Body;
use super::call::Spending;
use super::{Caller, ImmutableError};
use crate::api::once;
use crate::collection::{self, Conflict};
use crate::db::Tx;
use crate::error::Error;
use crate::operation::{Fingerprint, Replay};

#[derive(Clone)]
pub(super) struct Once(once::Once);

/// An answer that can be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    status: StatusCode,
    headers: Vec<(String, String)>,
    body: String,
}

impl Kept {
    pub fn new(
        status: StatusCode,
        headers: Vec<(HeaderName, HeaderValue)>,
        body: &impl Serialize,
    ) -> Result<Self, Error> {
        let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
        Ok(Self {
            status,
            headers: headers
                .iter()
                .map(|(name, value)| (name.to_string(), text(value)))
                .collect(),
            body: serde_json::to_string(body).map_err(Error::internal)?,
        })
    }

    fn remembered(&self) -> Replay {
        Replay {
            status: self.status.as_u16(),
            headers: self.headers.clone(),
            body: self.body.clone(),
        }
    }

    pub fn respond(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        for (name, value) in &self.headers {
            response.insert_header((name.as_str(), value.as_str()));
        }
        response.content_type("application/json").body(self.body.clone())
    }
}

/// Why a change was not made.
pub(super) enum NotMade {
    Failed(Error),
    /// Names that are used already: nothing was changed.
    Used(Conflict),
}

impl From<Error> for NotMade {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Once {
    pub fn of(caller: &Caller, body: &Body) -> Result<Self, ImmutableError> {
        Self::with(caller, body.fingerprint()?)
    }

    /// Of a body that is not JSON.
    pub fn with(caller: &Caller, fingerprint: Fingerprint) -> Result<Self, ImmutableError> {
        Ok(Self(once::Once::new(caller.idempotency_key()?, fingerprint)))
    }

    /// The first answer, if there was one. Errors: `Conflict` when the key was used with another body.
    pub async fn replay(&self, caller: &Caller) -> Result<Option<HttpResponse>, ImmutableError> {
        let first = self.0.replay(caller.app.db(), caller.ctx.now).await?;
        first.as_ref().map(replayed).transpose()
    }

    /// Makes the change, and keeps its answer in the same transaction.
    pub async fn made<C>(&self, caller: &Caller, change: C) -> Result<Kept, ImmutableError>
    where
        C: Fn(&mut Tx<'_>, &collection::Caller<'_>) -> Result<Kept, NotMade> + Send + 'static,
    {
        let once = self.clone();
        let made = caller.change(move |tx, by| {
            once.0.claim(tx, by.ctx.now)?;
            match change(tx, by) {
                Ok(kept) => {
                    once.0.settle(tx, by.ctx.now, kept.remembered())?;
                    Ok(Ok(kept))
                }
                Err(NotMade::Used(conflict)) => {
                    once.0.release(tx)?;
                    Ok(Err(conflict))
                }
                Err(NotMade::Failed(error)) => Err(error),
            }
        });
        Ok(made.await??)
    }

    /// What to answer. Where the change was not made, whoever came first under the key may have been answered while this one
    /// waited.
    pub async fn answer(
        &self,
        caller: &Caller,
        made: Result<Kept, ImmutableError>,
    ) -> Result<HttpResponse, ImmutableError> {
        match made {
            Ok(kept) => Ok(kept.respond()),
            Err(error) => self.replay(caller).await?.ok_or(error),
        }
    }

    /// As [`Self::answer`], of a change that was paid for: what was spent is given back where nothing was changed.
    pub async fn answer_paid(
        &self,
        caller: &Caller,
        spending: &Spending,
        made: Result<Kept, ImmutableError>,
    ) -> Result<HttpResponse, ImmutableError> {
        if let Err(error) = &made {
            caller.give_back_after(error, spending).await;
        }
        self.answer(caller, made).await
    }
}

fn replayed(replay: &Replay) -> Result<HttpResponse, ImmutableError> {
    let kept = Kept {
        status: StatusCode::from_u16(replay.status).map_err(Error::internal)?,
        headers: replay.headers.clone(),
        body: replay.body.clone(),
    };
    let mut response = kept.respond();
    let name = HeaderName::from_static("idempotent-replayed");
    response.headers_mut().insert(name, HeaderValue::from_static("true"));
    Ok(response)
}
