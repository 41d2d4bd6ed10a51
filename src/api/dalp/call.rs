//! Who is calling, and which request it is.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use secrecy::{ExposeSecret as _, SecretString};

use super::DalpError;
use crate::access::{self, Scope};
use crate::api::once::Given;
use crate::app::App;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::operation::IdempotencyKey;
use crate::types::{AssetId, RequestId};

const API_KEY: &str = "x-api-key";

/// An authenticated request. As a handler's first argument it makes 401 the first check.
pub struct Call {
    pub app: App,
    pub ctx: Ctx,
    /// The method and the path as called: the scope of an idempotency key.
    pub route: String,
    idempotency_key: Given,
}

impl FromRequest for Call {
    type Error = DalpError;
    type Future = LocalBoxFuture<'static, Result<Self, DalpError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let app = request.app_data::<web::Data<App>>().cloned();
        let token = request.headers().get(API_KEY);
        let token = token.map(|value| SecretString::from(value.to_str().unwrap_or("").to_owned()));
        let idempotency_key = Given::of(request);
        let route = format!("{} {}", request.method(), request.path());
        let request_id = request
            .extensions()
            .get::<RequestId>()
            .cloned()
            .unwrap_or_else(RequestId::generate);
        Box::pin(async move {
            let app = app.ok_or_else(|| Error::internal("the application is not configured"))?;
            let app = App::clone(&app);
            let token = token.ok_or(Error::Unauthenticated)?;
            let ctx = authenticate(&app, token, request_id).await?;
            Ok(Self {
                app,
                ctx,
                route,
                idempotency_key,
            })
        })
    }
}

async fn authenticate(app: &App, token: SecretString, request_id: RequestId) -> Result<Ctx, Error> {
    let now = app.now();
    let known = app.door().admit(token.expose_secret(), now).await?;
    if access::is_use_worth_noting(&known, now) {
        let db = app.db().clone();
        let key_id = known.key_id.clone();
        // Outside the request: nobody waits for it, and a note that is lost costs nothing.
        tokio::spawn(async move {
            let noted = db.write(move |tx| access::note_use(tx, &key_id, now)).await;
            if let Err(error) = noted {
                tracing::warn!(%error, "the use of an API key was not noted");
            }
        });
    }
    Ok(Ctx {
        actor: known.actor,
        request_id,
        now,
    })
}

impl Call {
    /// The caller's idempotency key for this route, if one was given.
    pub fn idempotency(&self) -> Result<Option<IdempotencyKey>, Error> {
        let (user, route) = (self.ctx.actor.user, self.route.clone());
        let key = self.idempotency_key.key()?;
        Ok(key.map(|key| IdempotencyKey { user, route, key }))
    }

    /// Runs the queries of a read. A 403 leaves an audit event.
    pub async fn read<T, F>(&self, queries: F) -> Result<T, DalpError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>, &Ctx) -> Result<T, Error> + Send + 'static,
    {
        self.read_on(None, queries).await
    }

    /// As [`Self::read`], about an asset: there a 403 is an event about the asset, in the stream of whoever was refused.
    pub async fn read_on<T, F>(&self, asset: Option<AssetId>, queries: F) -> Result<T, DalpError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>, &Ctx) -> Result<T, Error> + Send + 'static,
    {
        let ctx = self.ctx.clone();
        let result = self.app.db().read(move |tx| queries(tx, &ctx)).await;
        self.note_refusal(asset, result).await
    }

    /// Records that a known user was turned away (architecture, section 9).
    pub(super) async fn note_refusal<T>(
        &self,
        asset: Option<AssetId>,
        result: Result<T, Error>,
    ) -> Result<T, DalpError> {
        if let Err(Error::Forbidden { .. } | Error::NotAllowed(_)) = &result {
            let (ctx, route) = (self.ctx.clone(), self.route.clone());
            let scope = asset.map_or(Scope::System, Scope::Asset);
            let required = match &result {
                Err(Error::Forbidden { required }) => required.clone(),
                _ => Vec::new(),
            };
            let noted = self
                .app
                .db()
                .write(move |tx| access::note_forbidden(tx, &ctx, scope, &route, &required));
            noted.await?;
        }
        result.map_err(DalpError::from)
    }
}
