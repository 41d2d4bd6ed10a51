//! Who is calling: a guest, or whoever has a key pair.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use secrecy::SecretString;

use super::CerthisError;
use super::error::Shortage;
use super::fields::Fields;
use super::owner;
use crate::access::quota::Taken;
use crate::access::{self, Scope};
use crate::api::client::client_of;
use crate::api::once::{self, Given};
use crate::app::App;
use crate::certhis::{self, KeyHolder};
use crate::collection;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::operation::IdempotencyKey;
use crate::types::{RequestId, Timestamp};

/// Each part of a pair by the names of its header, the published one first, and its name in a query.
const KEY: ([&str; 2], &str) = (["api_key", "x-api-key"], "api_key");
const SECRET: ([&str; 2], &str) = (["api_secret", "x-api-secret"], "api_secret");
/// The routes that were published with the pair in the query.
const IN_QUERY: [&str; 2] = ["/mint_status", "/mint_task_list"];

/// Somebody without a key pair. As a handler's first argument it makes the rate of their address the first check.
pub struct Guest {
    pub app: App,
    pub now: Timestamp,
}

/// Somebody with a key pair. As a handler's first argument it makes the pair the first check.
pub struct Holder {
    pub app: App,
    pub known: KeyHolder,
    pub ctx: Ctx,
    route: String,
    idempotency_key: Given,
}

impl FromRequest for Guest {
    type Error = CerthisError;
    type Future = LocalBoxFuture<'static, Result<Self, CerthisError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let visit = Visit::of(request);
        Box::pin(async move {
            let visit = visit?;
            visit.count()?;
            Ok(Self {
                app: visit.app,
                now: visit.now,
            })
        })
    }
}

impl FromRequest for Holder {
    type Error = CerthisError;
    type Future = LocalBoxFuture<'static, Result<Self, CerthisError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let visit = Visit::of(request);
        let pair = pair_of(request);
        let route = format!("{} {}", request.method(), request.path());
        let idempotency_key = Given::of(request);
        Box::pin(async move {
            let visit = visit?;
            let known = match visit.holder(pair).await {
                Err(error @ (CerthisError::KeysMissing | CerthisError::KeysInvalid)) => {
                    // Guesses are counted as what they are: requests of a guest.
                    visit.count()?;
                    return Err(error);
                }
                known => known?,
            };
            let ctx = Ctx {
                actor: known.actor,
                request_id: visit.request_id,
                now: visit.now,
            };
            Ok(Self {
                app: visit.app,
                known,
                ctx,
                route,
                idempotency_key,
            })
        })
    }
}

impl Holder {
    /// Where a first answer is kept: per owner, route and collection, also beyond a rotation of the pair.
    ///
    /// Errors: `Invalid` for a key that is empty, too long or not of visible ASCII characters.
    pub fn idempotency_key(&self) -> Result<Option<IdempotencyKey>, CerthisError> {
        let key = self.idempotency_key.key();
        let key = key.map_err(|_| CerthisError::Invalid(once::HEADER))?;
        Ok(key.map(|key| IdempotencyKey {
            user: self.known.actor.user,
            route: format!("{} {}", self.route, self.known.collection),
            key,
        }))
    }

    /// One transaction, in the name of the collection's owner. A 403 leaves an audit event.
    pub async fn change<T, C>(&self, change: C) -> Result<T, CerthisError>
    where
        T: Send + 'static,
        C: Fn(&mut Tx<'_>, &Ctx) -> Result<T, Error> + Send + 'static,
    {
        let ctx = self.ctx.clone();
        let changed = self.app.db().write(move |tx| change(tx, &ctx)).await;
        if let Err(Error::Forbidden { .. } | Error::NotAllowed(_)) = &changed {
            let (ctx, route) = (self.ctx.clone(), self.route.clone());
            let scope = Scope::Asset(self.known.collection);
            let note = move |tx: &mut Tx<'_>| access::note_forbidden(tx, &ctx, scope, &route, &[]);
            self.app.db().write(note).await?;
        }
        Ok(changed?)
    }
}

/// What was sent as a key and as a secret.
type Pair = Option<(SecretString, SecretString)>;

/// Headers are preferred: what is in a query is in the logs of every proxy on the way.
fn pair_of(request: &HttpRequest) -> Pair {
    let takes_query = request.method() == Method::GET && IN_QUERY.contains(&request.path());
    let query = takes_query.then(|| Fields::of_query(request).unwrap_or_default());
    let part = |(headers, name): ([&str; 2], &str)| {
        let header = headers.iter().find_map(|name| {
            let value = request.headers().get(*name)?;
            value.to_str().ok().filter(|text| !text.is_empty())
        });
        let text = header.or_else(|| query.as_ref()?.text(name))?;
        Some(SecretString::from(text.to_owned()))
    };
    Some((part(KEY)?, part(SECRET)?))
}

/// A request that has come in.
struct Visit {
    app: App,
    now: Timestamp,
    request_id: RequestId,
    client: IpAddr,
}

impl Visit {
    fn of(request: &HttpRequest) -> Result<Self, Error> {
        let app = request.app_data::<web::Data<App>>();
        let app = App::clone(app.ok_or_else(|| Error::internal("the application is not configured"))?);
        let request_id = request.extensions().get::<RequestId>().cloned();
        Ok(Self {
            now: app.now(),
            request_id: request_id.unwrap_or_else(RequestId::generate),
            client: client_of(request, app.proxies()),
            app,
        })
    }

    fn count(&self) -> Result<(), CerthisError> {
        let clients = &self.app.gate().clients;
        match clients.count(self.client, self.now) {
            Taken::Granted(_) => Ok(()),
            Taken::Refused { standing, wait_micros } => Err(CerthisError::Exhausted(Shortage {
                rate: clients.rate(),
                standing,
                wait_micros,
            })),
        }
    }

    /// Asked at each request: a pair that was replaced opens nothing.
    async fn holder(&self, pair: Pair) -> Result<KeyHolder, CerthisError> {
        let (key, secret) = pair.ok_or(CerthisError::KeysMissing)?;
        let vault = Arc::clone(self.app.vault());
        let read = move |tx: &mut Tx<'_>| certhis::authenticate(tx, &vault, &key, &secret);
        let known = match self.app.db().read(read).await {
            Err(Error::Unauthenticated) => return Err(CerthisError::KeysInvalid),
            known => known?,
        };
        match known.is_in_doubt(self.now) {
            true => self.confirmed(known).await,
            false => Ok(known),
        }
    }

    /// Asks the contract again whose the collection is. The pair of whoever gave it away opens nothing, and ends when no
    /// reorganisation can give the collection back.
    async fn confirmed(&self, known: KeyHolder) -> Result<KeyHolder, CerthisError> {
        let (db, id, now) = (self.app.db(), known.collection, self.now);
        let collection = db.read(move |tx| collection::find(tx, id)).await?;
        let holder = known.clone();
        if owner::owns(&self.app, &collection, known.owner).await? {
            db.write(move |tx| certhis::confirm(tx, &holder, now)).await?;
            return Ok(known);
        }
        if owner::has_lost(&self.app, &collection, known.owner).await {
            db.write(move |tx| certhis::end(tx, &holder, now)).await?;
        }
        Err(CerthisError::KeysInvalid)
    }
}
