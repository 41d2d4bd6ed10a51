//! `POST /api/webhooks`: somebody new is told what happens to mint requests.

use std::sync::Arc;

use actix_web::{HttpResponse, post};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;
use validator::Validate;

use super::body::{Issues, secret_text};
use super::identity::terms;
use super::webhook::{CreatedWebhook, events_of, may_manage};
use super::{Body, Call, DalpError, WalletVerification};
use crate::asset;
use crate::collection;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::types::{Address, EnvironmentId};
use crate::webhook::{
    self, EventKind, Login, LoginName, LoginPassword, NewSubscription, Registration, Scheme, Scope, Target,
};

/// What a receiver with the scheme `certhis` wants to be shown.
#[derive(Clone, Deserialize, ToSchema)]
#[schema(example = json!({ "name": "moneyer", "password": "a long one" }))]
pub struct LoginBody {
    #[schema(value_type = String, min_length = 1, max_length = 250)]
    #[serde(deserialize_with = "secret_text")]
    name: SecretString,
    #[schema(value_type = String, min_length = 1, max_length = 250)]
    #[serde(deserialize_with = "secret_text")]
    password: SecretString,
}

impl LoginBody {
    pub(super) fn login(&self, issues: &mut Issues) -> Option<Login> {
        let name = issues.take("login.name", LoginName::parse(self.name.expose_secret()));
        let password = issues.take("login.password", LoginPassword::parse(self.password.expose_secret()));
        Some(Login {
            name: name?,
            password: password?,
        })
    }
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "url": "https://example.com/hook", "scheme": "immutable",
    "environmentId": "0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b59",
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" } }))]
pub struct WebhookCreateBody {
    /// `https`; `http` only where `webhooks.private_networks` is set.
    #[schema(max_length = 2_000)]
    url: String,
    /// `standard` (the default), `immutable`, or `certhis` (with `collection` and `login`).
    scheme: Option<String>,
    /// All when left out: `mint_request.accepted`, `mint_request.succeeded`, `mint_request.failed`.
    events: Option<Vec<String>>,
    /// Told of the collections that are linked to it when something happens.
    environment_id: Option<String>,
    /// Address of a collection. With neither: told of all collections.
    collection: Option<String>,
    /// For the scheme `certhis`, which has no secret.
    login: Option<LoginBody>,
    #[schema(required = true, value_type = WalletVerification)]
    wallet_verification: Option<WalletVerification>,
}

/// Whose mints, before a collection is looked up.
#[derive(Clone, Copy)]
enum Asked {
    System,
    Environment(EnvironmentId),
    Collection(Address),
}

/// A body whose parts are what they should be.
#[derive(Clone)]
struct Wanted {
    asked: Asked,
    target: Target,
    scheme: Scheme,
    events: Option<Vec<EventKind>>,
    login: Option<Login>,
}

impl WebhookCreateBody {
    fn wanted(&self, call: &Call, issues: &mut Issues) -> Option<Wanted> {
        let target = issues.take("url", Target::parse(&self.url, call.app.targets()));
        let scheme = self.scheme.as_deref().unwrap_or(Scheme::Standard.text());
        let known = Scheme::parse(scheme).ok_or("must be immutable, standard or certhis");
        let scheme = issues.take("scheme", known);
        let events = events_of(self.events.as_deref(), issues);
        let asked = self.asked(issues);
        let login = self.login.as_ref().and_then(|login| login.login(issues));
        match (scheme, &self.login, asked) {
            (Some(Scheme::Certhis), None, _) => issues.add("login", "required", "is required with certhis"),
            (Some(Scheme::Certhis), Some(_), Some(Asked::System | Asked::Environment(_))) => {
                issues.add("collection", "required", "is required with certhis");
            }
            (Some(Scheme::Immutable | Scheme::Standard), Some(_), _) => {
                issues.add("login", "unknown", "is for certhis alone");
            }
            (_, _, _) => {}
        }
        Some(Wanted {
            asked: asked?,
            target: target?,
            scheme: scheme?,
            events,
            login,
        })
    }

    fn asked(&self, issues: &mut Issues) -> Option<Asked> {
        match (self.environment_id.as_deref(), self.collection.as_deref()) {
            (None, None) => Some(Asked::System),
            (Some(text), None) => {
                let id = issues.take("environmentId", EnvironmentId::parse(text));
                id.map(Asked::Environment)
            }
            (None, Some(text)) => issues.take("collection", Address::parse(text)).map(Asked::Collection),
            (Some(_), Some(_)) => {
                issues.add("collection", "unknown", "must be left out with environmentId");
                None
            }
        }
    }
}

/// Tell somebody what happens to mint requests.
///
/// Needs `systemManager` or `admin`; `admin` without an environment or a collection. The answer has the secret that signs,
/// shown once: `webhook-signature` as Standard Webhooks has it, and with the scheme `immutable` also
/// `x-immutable-signature`, the hexadecimal HMAC-SHA256 of the body under the secret as it is written. Attempts are made at
/// 0, 1, 5, 30 and 120 minutes; redirects are not followed. The same `event_id` (`webhook-id`) may arrive more than once.
#[utoipa::path(tag = "Webhooks", operation_id = "webhookCreate", request_body = WebhookCreateBody,
    responses((status = 200, description = "The webhook with its secret, shown once", body = CreatedWebhook)))]
#[post("/webhooks")]
pub async fn create(call: Call, body: Body) -> Result<HttpResponse, DalpError> {
    let parsed: WebhookCreateBody = body.parse()?;
    let mut issues = Issues::default();
    let wanted = parsed.wanted(&call, &mut issues);
    let terms = terms(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    let wanted = wanted.ok_or_else(|| Error::internal("a webhook without an issue is there"))?;
    let is_of_system = matches!(wanted.asked, Asked::System);
    let vault = Arc::clone(call.app.vault());
    let allowed = move |tx: &mut Tx<'_>, ctx: &Ctx| may_manage(tx, ctx, is_of_system);
    let body = body.veil(&vault, &["login"]);
    call.mutate(&body, terms, allowed, move |tx, ctx| {
        let Wanted {
            asked,
            target,
            scheme,
            events,
            login,
        } = wanted.clone();
        let scope = match asked {
            Asked::System => Scope::System,
            Asked::Environment(environment) => Scope::Environment(environment),
            Asked::Collection(address) => Scope::Collection(collection::find_by_address(tx, &address)?.id),
        };
        if let (Some(login), Scope::Collection(id)) = (login, scope) {
            let registration = Registration { target, login, events };
            // A collection has one at most: two who come at once come one after the other.
            asset::lock(tx, id)?;
            let stored = webhook::register_login(tx, &vault, ctx, id, registration)?;
            return CreatedWebhook::answer(tx, &stored, None);
        }
        let new = NewSubscription {
            scope,
            target,
            scheme,
            events,
        };
        let (stored, secret) = webhook::subscribe(tx, &vault, ctx, new)?;
        CreatedWebhook::answer(tx, &stored, Some(&secret))
    })
    .await
}
