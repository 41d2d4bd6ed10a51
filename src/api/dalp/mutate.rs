//! The path of every mutation but the mint: rights, replay, wallet verification, then one transaction that spends the
//! code, makes the change, stores the answer under the idempotency key and commits all of it or nothing.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::json;

use super::verification::Code;
use super::{Body, Call, DalpError};
use crate::api::once::REMEMBERED_SECONDS;
use crate::asset;
use crate::audit::{self, Event, Stream};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Finding};
use crate::operation::{self, IdempotencyKey, Remembered, Replay};
use crate::types::{AssetId, Timestamp};
use crate::wallet::{self, Proof, Spend};

/// A remembered success may turn out stale once; a second time the credential changes under our hands.
const PROOFS_MAX: usize = 2;

/// What a mutation answers.
pub struct Answer {
    pub status: StatusCode,
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// What a replay gives instead, for answers that reveal a secret once.
    pub replay: Option<(StatusCode, String)>,
}

impl Answer {
    pub fn ok(body: &impl Serialize) -> Result<Self, Error> {
        Self::with_status(StatusCode::OK, body)
    }

    pub fn with_status(status: StatusCode, body: &impl Serialize) -> Result<Self, Error> {
        let body = serde_json::to_string(body).map_err(Error::internal)?;
        Ok(Self {
            status,
            headers: Vec::new(),
            body,
            replay: None,
        })
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// The answer shows a secret that is shown once: a replay is 409 with the object without its secret.
    pub fn reveals_once(mut self, without_secret: &impl Serialize) -> Result<Self, Error> {
        let data = serde_json::to_value(without_secret).map_err(Error::internal)?;
        let body = json!({
            "defined": true, "code": "CONFLICT", "status": 409, "message": "already created", "data": data,
        });
        self.replay = Some((StatusCode::CONFLICT, body.to_string()));
        Ok(self)
    }

    fn remembered(&self, fingerprint: operation::Fingerprint, now: Timestamp) -> Remembered {
        let (status, text) = match &self.replay {
            Some((status, text)) => (*status, text.clone()),
            None => (self.status, self.body.clone()),
        };
        Remembered {
            fingerprint,
            status: status.as_u16(),
            headers: self.headers.clone(),
            body: text,
            operation: None,
            created_at: now,
            expires_at: Some(now.plus_seconds(REMEMBERED_SECONDS)),
        }
    }
}

/// What a mutation is checked against and about.
#[derive(Default)]
pub struct Terms {
    /// The code of the caller; none where the route asks for none.
    pub code: Option<Code>,
    /// The asset that changes: it is locked first, and refusals are events about it.
    pub asset: Option<AssetId>,
}

/// A change that was made, in this request or in an earlier one with the same key.
pub(super) enum Made {
    Now(Answer),
    Before(Replay),
}

enum Outcome {
    Done(Answer),
    Replayed(Replay),
    /// The code is spent and the refusal recorded, the change is not made.
    Refused(Error),
    Stale,
}

/// A change that has more to it than a right and what it writes.
pub struct Steps<A, L, P, C> {
    /// Whether the caller has the right: before anything is told about codes, and again inside the transaction.
    pub allowed: A,
    /// Locks that come before the rows of the verification (assets, in the order of their ids).
    pub locks: L,
    /// What costs much and needs no lock: after the replay and the code, before the transaction.
    pub prepare: P,
    /// Decides and then writes.
    pub change: C,
}

/// For [`Steps::locks`]: nothing but the asset of the terms.
pub fn no_locks(_: &mut Tx<'_>, _: &Ctx) -> Result<(), Error> {
    Ok(())
}

impl Call {
    /// Makes a change that has no other [`Steps`] than these two.
    pub async fn mutate<A, C>(
        &self,
        body: &Body,
        terms: Terms,
        allowed: A,
        change: C,
    ) -> Result<HttpResponse, DalpError>
    where
        A: Fn(&mut Tx<'_>, &Ctx) -> Result<(), Error> + Clone + Send + 'static,
        C: Fn(&mut Tx<'_>, &Ctx) -> Result<Answer, Error> + Clone + Send + 'static,
    {
        let steps = Steps {
            allowed,
            locks: no_locks,
            prepare: async || Ok(()),
            change: move |tx: &mut Tx<'_>, ctx: &Ctx, ()| change(tx, ctx),
        };
        self.mutate_in_steps(body, terms, steps).await
    }

    /// As [`Self::mutate`], with locks of its own and something to prepare.
    pub async fn mutate_in_steps<A, L, P, C, T>(
        &self,
        body: &Body,
        terms: Terms,
        steps: Steps<A, L, P, C>,
    ) -> Result<HttpResponse, DalpError>
    where
        T: Clone + Send + 'static,
        A: Fn(&mut Tx<'_>, &Ctx) -> Result<(), Error> + Clone + Send + 'static,
        L: Fn(&mut Tx<'_>, &Ctx) -> Result<(), Error> + Clone + Send + 'static,
        P: AsyncFn() -> Result<T, DalpError>,
        C: Fn(&mut Tx<'_>, &Ctx, T) -> Result<Answer, Error> + Clone + Send + 'static,
    {
        match self.make(body, terms, steps).await? {
            Made::Now(answer) => respond(&answer),
            Made::Before(replay) => replayed(&replay),
        }
    }

    /// Makes a change, or finds it made; the caller answers.
    pub(super) async fn make<A, L, P, C, T>(
        &self,
        body: &Body,
        terms: Terms,
        steps: Steps<A, L, P, C>,
    ) -> Result<Made, DalpError>
    where
        T: Clone + Send + 'static,
        A: Fn(&mut Tx<'_>, &Ctx) -> Result<(), Error> + Clone + Send + 'static,
        L: Fn(&mut Tx<'_>, &Ctx) -> Result<(), Error> + Clone + Send + 'static,
        P: AsyncFn() -> Result<T, DalpError>,
        C: Fn(&mut Tx<'_>, &Ctx, T) -> Result<Answer, Error> + Clone + Send + 'static,
    {
        let Steps {
            allowed,
            locks,
            prepare,
            change,
        } = steps;
        let key = self.idempotency()?;
        let before = self.before(body, terms.asset, key.clone(), allowed.clone()).await?;
        if let Some(replay) = before {
            return Ok(Made::Before(replay));
        }
        let asset = terms.asset;
        let enter = move |tx: &mut Tx<'_>, ctx: &Ctx| {
            allowed(tx, ctx)?;
            if let Some(asset) = asset {
                // The first lock of every transaction that changes an asset, also before the rows of the verification.
                asset::lock(tx, asset)?;
            }
            locks(tx, ctx)
        };
        for attempt in 0..PROOFS_MAX {
            let proof = self.proof(terms.code.as_ref(), attempt).await?;
            let (prepared, change) = (prepare().await?, change.clone());
            let change = move |tx: &mut Tx<'_>, ctx: &Ctx| change(tx, ctx, prepared.clone());
            let outcome = self
                .commit(body, key.clone(), proof, asset, enter.clone(), change)
                .await?;
            match outcome {
                Outcome::Done(answer) => return Ok(Made::Now(answer)),
                Outcome::Replayed(replay) => return Ok(Made::Before(replay)),
                Outcome::Refused(error) => return Err(error.into()),
                Outcome::Stale => {}
            }
        }
        Err(Error::Conflict("The wallet verification changed meanwhile".into()).into())
    }

    async fn before<A>(
        &self,
        body: &Body,
        asset: Option<AssetId>,
        key: Option<IdempotencyKey>,
        allowed: A,
    ) -> Result<Option<Replay>, DalpError>
    where
        A: Fn(&mut Tx<'_>, &Ctx) -> Result<(), Error> + Send + 'static,
    {
        let fingerprint = body.fingerprint();
        self.read_on(asset, move |tx, ctx| {
            allowed(tx, ctx)?;
            replay_of(tx, key.as_ref(), &fingerprint, ctx.now)
        })
        .await
    }

    async fn proof(&self, code: Option<&Code>, attempt: usize) -> Result<Option<Proof>, DalpError> {
        let Some(Code { method, code }) = code else {
            return Ok(None);
        };
        let (verifier, db, ctx) = (self.app.verifier(), self.app.db(), &self.ctx);
        let proof = match attempt {
            0 => verifier.prove(db, ctx.actor, ctx.now, *method, code).await?,
            _ => verifier.prove_fresh(db, ctx.actor, ctx.now, *method, code).await?,
        };
        Ok(Some(proof))
    }

    async fn commit<E, C>(
        &self,
        body: &Body,
        key: Option<IdempotencyKey>,
        proof: Option<Proof>,
        asset: Option<AssetId>,
        enter: E,
        change: C,
    ) -> Result<Outcome, DalpError>
    where
        E: Fn(&mut Tx<'_>, &Ctx) -> Result<(), Error> + Send + 'static,
        C: Fn(&mut Tx<'_>, &Ctx) -> Result<Answer, Error> + Send + 'static,
    {
        let (ctx, route) = (self.ctx.clone(), self.route.clone());
        let fingerprint = body.fingerprint();
        let result = self.app.db().write(move |tx| {
            enter(tx, &ctx)?;
            let Some(key) = &key else {
                return decide(tx, &ctx, &route, proof.as_ref(), asset, &change);
            };
            if !operation::claim(tx, key, &fingerprint, ctx.now)? {
                // Another request with this key came first, and its answer is there.
                let replay = replay_of(tx, Some(key), &fingerprint, ctx.now)?;
                return replay
                    .map(Outcome::Replayed)
                    .ok_or(Error::Unavailable("the first request is still running"));
            }
            let outcome = decide(tx, &ctx, &route, proof.as_ref(), asset, &change)?;
            match &outcome {
                Outcome::Done(answer) => {
                    operation::settle_claim(tx, key, &answer.remembered(fingerprint, ctx.now))?;
                }
                Outcome::Refused(_) | Outcome::Stale | Outcome::Replayed(_) => operation::release_claim(tx, key)?,
            }
            Ok(outcome)
        });
        self.note_refusal(asset, result.await).await
    }
}

/// Spends the code, then makes the change. What is refused by rules is recorded; a code that was right stays spent.
fn decide(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    route: &str,
    proof: Option<&Proof>,
    asset: Option<AssetId>,
    change: &impl Fn(&mut Tx<'_>, &Ctx) -> Result<Answer, Error>,
) -> Result<Outcome, Error> {
    if let Some(proof) = proof {
        match spend(tx, proof, ctx.now)? {
            Spend::Spent => {}
            Spend::Stale => return Ok(Outcome::Stale),
            Spend::Refused(error) => return Ok(Outcome::Refused(error)),
        }
    }
    match tx.nested(|tx| change(tx, ctx)) {
        Ok(answer) => Ok(Outcome::Done(answer)),
        Err(Error::Refused(findings)) => {
            audit::append(tx, ctx.now, vec![refusal_event(ctx, route, asset, &findings)])?;
            Ok(Outcome::Refused(Error::Refused(findings)))
        }
        Err(error @ (Error::Unavailable(_) | Error::OutcomeUnknown(_) | Error::Internal(_))) => Err(error),
        // A right that was lost meanwhile: recorded like every 403.
        Err(error @ (Error::Forbidden { .. } | Error::NotAllowed(_))) => Err(error),
        Err(error) => Ok(Outcome::Refused(error)),
    }
}

fn spend(tx: &mut Tx<'_>, proof: &Proof, now: Timestamp) -> Result<Spend, Error> {
    let mut spent = wallet::spend(tx, std::slice::from_ref(proof), now)?;
    spent.pop().ok_or_else(|| Error::internal("a proof was not answered"))
}

fn replay_of(
    tx: &mut Tx<'_>,
    key: Option<&IdempotencyKey>,
    fingerprint: &operation::Fingerprint,
    now: Timestamp,
) -> Result<Option<Replay>, Error> {
    let Some(key) = key else { return Ok(None) };
    let found = operation::remembered(tx, &[key], now)?;
    found
        .get(key)
        .map(|remembered| remembered.replay(fingerprint))
        .transpose()
}

fn refusal_event(ctx: &Ctx, route: &str, asset: Option<AssetId>, findings: &[Finding]) -> Event {
    let findings: Vec<_> = findings
        .iter()
        .map(|finding| json!({ "rule": finding.rule, "slug": finding.refusal.slug(), "params": finding.refusal.params() }))
        .collect();
    Event {
        stream: asset.map_or_else(|| Stream::of_subject(&ctx.actor.wallet), Stream::Asset),
        actor: ctx.actor.name(),
        action: "change.refused",
        asset,
        operation: None,
        subjects: vec![ctx.actor.wallet],
        data: json!({ "attempt": route, "findings": findings, "requestId": ctx.request_id.as_str() }),
    }
}

pub(super) fn respond(answer: &Answer) -> Result<HttpResponse, DalpError> {
    Ok(build(answer.status, &answer.headers, answer.body.clone()))
}

/// A stored answer, as it was sent, marked as such.
pub(super) fn replayed(replay: &Replay) -> Result<HttpResponse, DalpError> {
    let status = StatusCode::from_u16(replay.status).map_err(Error::internal)?;
    let mut headers = replay.headers.clone();
    headers.push(("Idempotent-Replayed".to_owned(), "true".to_owned()));
    Ok(build(status, &headers, replay.body.clone()))
}

pub(super) fn build(status: StatusCode, headers: &[(String, String)], body: String) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    for (name, value) in headers {
        response.insert_header((name.as_str(), value.as_str()));
    }
    response.content_type("application/json").body(body)
}
