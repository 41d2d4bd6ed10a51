//! Who is calling: with a secret key, or to read.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use secrecy::{ExposeSecret as _, SecretString};

use super::ImmutableError;
use super::asked::Asked;
use super::quota::{ReadStanding, Shortage, What};
use crate::access::environment::{self, Day};
use crate::access::plan;
use crate::access::quota::{self, Account, Rate, Standing, Taken};
use crate::access::{self, Permission, Scope};
use crate::api::client::client_of;
use crate::api::once::Given;
use crate::app::App;
use crate::collection::{self, Collection, Right};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::operation::IdempotencyKey;
use crate::types::{AssetId, RequestId, Timestamp};

const SECRET_KEY: &str = "x-immutable-api-key";
const PUBLISHABLE_KEY: &str = "x-immutable-publishable-key";
const RATE_LIMIT_KEY: &str = "x-api-key";
/// How long the usage of publishable keys is gathered before it is written.
const USAGE_GATHERED: Duration = Duration::from_secs(5);

/// Somebody who reads. As a handler's first argument it makes the rate the first check.
pub struct Reader {
    pub app: App,
}

/// Somebody with a secret key. As a handler's first argument it makes 401 the first check (403 for a wrong rate-limit key).
pub struct Caller {
    pub app: App,
    pub known: environment::Caller,
    pub ctx: Ctx,
    /// The method and the path as called.
    route: String,
    idempotency_key: Given,
}

impl FromRequest for Reader {
    type Error = ImmutableError;
    type Future = LocalBoxFuture<'static, Result<Self, ImmutableError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let visit = Visit::of(request);
        let request = request.clone();
        Box::pin(async move {
            let visit = visit?;
            let reader = visit.rate_limit_key().await?;
            let standing = visit.count_read(reader).await?;
            request.extensions_mut().insert(standing);
            Ok(Self { app: visit.app })
        })
    }
}

impl FromRequest for Caller {
    type Error = ImmutableError;
    type Future = LocalBoxFuture<'static, Result<Self, ImmutableError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let visit = Visit::of(request);
        let route = format!("{} {}", request.method(), request.path());
        let idempotency_key = Given::of(request);
        Box::pin(async move {
            let visit = visit?;
            visit.rate_limit_key().await?;
            let known = visit.secret_key().await?;
            let ctx = Ctx {
                actor: known.actor,
                request_id: visit.request_id.clone(),
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

/// Tokens of a quota that a request takes.
pub struct Spending {
    pub account: Account,
    pub rate: Rate,
    pub tokens: i64,
    pub what: What,
}

impl Caller {
    /// The caller's key for this route of its environment, if one was given: who has several environments may use a key in
    /// each. Errors: `Invalid` unless it is 1 to 255 visible characters.
    pub fn idempotency_key(&self) -> Result<Option<IdempotencyKey>, Error> {
        let key = self.idempotency_key.key()?;
        Ok(key.map(|key| IdempotencyKey {
            user: self.ctx.actor.user,
            route: format!("{} {}", self.known.environment.id, self.route),
            key,
        }))
    }

    /// The collection of the path. Errors: 404 for another chain or an unknown collection, 403 for one that is not linked
    /// to the project of the key.
    pub async fn linked(&self, asked: &Asked) -> Result<Collection, ImmutableError> {
        asked.chain(&self.app)?;
        let contract = asked.address("contract_address")?;
        let (ctx, environment) = (self.ctx.clone(), self.known.environment.id);
        let found = self.app.db().read(move |tx| {
            let found = collection::find_by_address(tx, &contract)?;
            let by = collection::Caller {
                ctx: &ctx,
                right: Right::Environment(environment),
            };
            match collection::may(tx, &by, &found, Permission::Mint) {
                Err(Error::NotAllowed(_)) => Ok((found, false)),
                allowed => allowed.map(|()| (found, true)),
            }
        });
        let (found, is_linked) = found.await?;
        if is_linked {
            return Ok(found);
        }
        self.note_refusal(Some(found.id)).await?;
        Err(ImmutableError::NotLinked)
    }

    /// So many mints of its environment's quota.
    pub fn mints(&self, tokens: i64) -> Spending {
        let environment = &self.known.environment;
        let rate = environment.tier.rate();
        Spending {
            account: Account::new(environment.id, "mint", rate),
            rate,
            tokens,
            what: What::Mints,
        }
    }

    /// Takes tokens of the environment's quota, all or none, in a transaction of their own: nobody waits for a mint.
    pub async fn spend(&self, spending: &Spending) -> Result<Standing, ImmutableError> {
        let (account, rate, tokens, now) = (spending.account.clone(), spending.rate, spending.tokens, self.ctx.now);
        let taken = self
            .app
            .db()
            .write(move |tx| quota::take(tx, &account, rate, tokens, now))
            .await?;
        match taken {
            Taken::Granted(standing) => Ok(standing),
            Taken::Refused { standing, wait_micros } => {
                let shortage = Shortage::new(spending.what, standing, wait_micros);
                Err(ImmutableError::Exhausted(shortage))
            }
        }
    }

    /// As [`Self::give_back`], but not where nobody knows whether the change was made.
    pub async fn give_back_after(&self, error: &ImmutableError, spending: &Spending) {
        if !matches!(error, ImmutableError::Domain(Error::OutcomeUnknown(_))) {
            self.give_back(spending).await;
        }
    }

    /// Of a request that came to nothing. Tokens that cannot be given back come back with time.
    async fn give_back(&self, spending: &Spending) {
        let (account, rate, tokens) = (spending.account.clone(), spending.rate, spending.tokens);
        let given = self
            .app
            .db()
            .write(move |tx| quota::give_back(tx, &account, rate, tokens))
            .await;
        if let Err(error) = given {
            tracing::warn!(%error, "tokens of a quota were not given back");
        }
    }

    /// One transaction, by the environment. A 403 leaves an audit event.
    pub async fn change<T, C>(&self, change: C) -> Result<T, ImmutableError>
    where
        T: Send + 'static,
        C: Fn(&mut Tx<'_>, &collection::Caller<'_>) -> Result<T, Error> + Send + 'static,
    {
        let (ctx, environment) = (self.ctx.clone(), self.known.environment.id);
        let changed = self.app.db().write(move |tx| {
            let by = collection::Caller {
                ctx: &ctx,
                right: Right::Environment(environment),
            };
            change(tx, &by)
        });
        let changed = changed.await;
        if let Err(Error::Forbidden { .. } | Error::NotAllowed(_)) = &changed {
            self.note_refusal(None).await?;
        }
        Ok(changed?)
    }

    /// Records that a known caller was turned away (architecture, section 9), unless that was recorded often enough: who may
    /// do nothing must not fill the audit log either.
    pub async fn note_refusal(&self, collection: Option<AssetId>) -> Result<(), Error> {
        let refusals = &self.app.gate().refusals;
        if let Taken::Refused { .. } = refusals.count(self.ctx.actor.user, self.ctx.now) {
            metrics::counter!("refusals_not_noted_total").increment(1);
            return Ok(());
        }
        let (ctx, route) = (self.ctx.clone(), self.route.clone());
        let scope = collection.map_or(Scope::System, Scope::Asset);
        let noted = self
            .app
            .db()
            .write(move |tx| access::note_forbidden(tx, &ctx, scope, &route, &[]));
        noted.await
    }
}

/// A request that has come in: its keys as they were sent, and where it comes from.
struct Visit {
    app: App,
    now: Timestamp,
    request_id: RequestId,
    client: IpAddr,
    secret: Option<SecretString>,
    rate_limit: Option<SecretString>,
}

impl Visit {
    fn of(request: &HttpRequest) -> Result<Self, Error> {
        let app = request.app_data::<web::Data<App>>();
        let app = app.ok_or_else(|| Error::internal("the application is not configured"))?;
        let app = App::clone(app);
        let now = app.now();
        let header = |name: &str| {
            let value = request.headers().get(name)?;
            Some(SecretString::from(value.to_str().unwrap_or("").to_owned()))
        };
        if let Some(key) = header(PUBLISHABLE_KEY) {
            count_publishable(&app, &key, now);
        }
        let request_id = request.extensions().get::<RequestId>().cloned();
        Ok(Self {
            now,
            request_id: request_id.unwrap_or_else(RequestId::generate),
            client: client_of(request, app.proxies()),
            secret: header(SECRET_KEY),
            rate_limit: header(RATE_LIMIT_KEY),
            app,
        })
    }

    /// Who reads with a rate-limit key; none without one. Asked at each request: a key that was revoked opens nothing.
    async fn rate_limit_key(&self) -> Result<Option<plan::Reader>, ImmutableError> {
        let Some(token) = self.rate_limit.clone() else {
            return Ok(None);
        };
        let vault = Arc::clone(self.app.vault());
        let (refused, hash) = (&self.app.gate().refused, plan::hash(&vault, token.expose_secret()));
        if refused.knows(&hash) {
            return Err(ImmutableError::ReaderUnknown);
        }
        let reader = self
            .app
            .db()
            .read(move |tx| plan::reader(tx, &vault, token.expose_secret()));
        let reader = reader.await?;
        if reader.is_none() {
            refused.note(hash);
            return Err(ImmutableError::ReaderUnknown);
        }
        Ok(reader)
    }

    /// A dead key is refused as such, however often it comes and whatever else comes from the same address.
    async fn secret_key(&self) -> Result<environment::Caller, Error> {
        let token = self.secret.clone().ok_or(Error::Unauthenticated)?;
        let (vault, now) = (Arc::clone(self.app.vault()), self.now);
        let (refused, hash) = (
            &self.app.gate().refused,
            environment::hash(&vault, token.expose_secret()),
        );
        if refused.knows(&hash) {
            return Err(Error::Unauthenticated);
        }
        let known = self
            .app
            .db()
            .read(move |tx| environment::authenticate(tx, &vault, token.expose_secret(), now));
        let known = known.await;
        if let Err(Error::Unauthenticated) = &known {
            refused.note(hash);
        }
        known
    }

    async fn count_read(&self, reader: Option<plan::Reader>) -> Result<ReadStanding, ImmutableError> {
        let Some(reader) = reader else {
            return self.count_client();
        };
        let (rate, now) = (reader.rate, self.now);
        let account = Account::new(&reader.key, "read", rate);
        let taken = self
            .app
            .db()
            .write(move |tx| quota::take(tx, &account, rate, 1, now))
            .await?;
        standing_of(rate, taken)
    }

    fn count_client(&self) -> Result<ReadStanding, ImmutableError> {
        let clients = &self.app.gate().clients;
        standing_of(clients.rate(), clients.count(self.client, self.now))
    }
}

fn standing_of(rate: Rate, taken: Taken) -> Result<ReadStanding, ImmutableError> {
    match taken {
        Taken::Granted(standing) => Ok(ReadStanding { rate, standing }),
        Taken::Refused { standing, wait_micros } => {
            let shortage = Shortage::new(What::Reads(rate), standing, wait_micros);
            Err(ImmutableError::Exhausted(shortage))
        }
    }
}

/// Counts; the first one in a while sees to it that all are written, again and again while the database is away.
fn count_publishable(app: &App, key: &SecretString, now: Timestamp) {
    let hash = environment::hash(app.vault(), key.expose_secret());
    if app.gate().usage.note(hash, Day::of(now)) {
        let app = app.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(USAGE_GATHERED).await;
                super::write_usage(&app).await;
                if app.gate().usage.lets_writer_go() {
                    return;
                }
            }
        });
    }
}
