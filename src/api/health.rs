//! Liveness and readiness, for whoever restarts and routes.

use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::{HttpResponse, get, web};
use serde_json::{Value, json};

use crate::app::App;
use crate::compliance;
use crate::db;
use crate::error::Error;
use crate::settlement::{self, Health};
use crate::types::Hash32;

/// True once a stop was asked for: `/readyz` says so first, so that the balancer looks elsewhere before we go.
#[derive(Debug, Default)]
pub struct Stopping(AtomicBool);

impl Stopping {
    pub fn begin(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub fn is_stopping(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// The process runs.
#[utoipa::path(tag = "Health", operation_id = "livez", security(()),
    responses((status = 200, description = "The process runs", content_type = "text/plain", body = String,
        example = json!("ok"))))]
#[get("/livez")]
pub async fn livez() -> HttpResponse {
    HttpResponse::Ok().body("ok")
}

/// The server can do its work: the database answers, its schema is ours, the policy is the one in force.
///
/// A chain that is away or a signer that needs a person makes it `degraded`, with the reason, and stays 200: reading and
/// accepting go on, what was accepted waits.
#[utoipa::path(tag = "Health", operation_id = "readyz", security(()),
    responses(
        (status = 200, description = "Ready, or degraded; every check by name", body = Object, example = json!({
            "status": "degraded", "checks": { "database": "ok", "policy": "ok", "process": "ok",
                "chain": "no endpoint answers: 127.0.0.1:8545: no connection" },
            "chain": { "id": "eip155:31337", "name": "local node (no value)" },
            "policyHash": "0x9c22ff5f21f0b81b113e63f7db6da94fedef11b2119b4088b89664fb9a3cb658" })),
        (status = 503, description = "Not ready; the failing check says why", body = Object, example = json!({
            "status": "not ready", "checks": { "database": "ok", "policy": "ok", "process": "stopping" },
            "chain": null,
            "policyHash": "0x9c22ff5f21f0b81b113e63f7db6da94fedef11b2119b4088b89664fb9a3cb658" }))))]
#[get("/readyz")]
pub async fn readyz(app: web::Data<App>, stopping: web::Data<Stopping>) -> HttpResponse {
    answer(&app, &stopping).await
}

/// The same as `/readyz`.
#[utoipa::path(tag = "Health", operation_id = "healthz", security(()),
    responses(
        (status = 200, description = "Ready, or degraded; every check by name", body = Object, example = json!({
            "status": "ready", "checks": { "database": "ok", "policy": "ok", "process": "ok", "chain": "ok" },
            "chain": { "id": "eip155:1", "name": "Ethereum" },
            "policyHash": "0x9c22ff5f21f0b81b113e63f7db6da94fedef11b2119b4088b89664fb9a3cb658" })),
        (status = 503, description = "Not ready; the failing check says why", body = Object, example = json!({
            "status": "not ready", "checks": { "database": "ok", "policy": "ok", "process": "stopping" },
            "chain": null,
            "policyHash": "0x9c22ff5f21f0b81b113e63f7db6da94fedef11b2119b4088b89664fb9a3cb658" }))))]
#[get("/healthz")]
pub async fn healthz(app: web::Data<App>, stopping: web::Data<Stopping>) -> HttpResponse {
    answer(&app, &stopping).await
}

async fn answer(app: &App, stopping: &Stopping) -> HttpResponse {
    let now = app.now();
    let seen = app
        .db()
        .read(move |tx| Ok((compliance::active_policy(tx)?, settlement::health(tx, now)?)));
    let seen = seen.await;
    let (database, policy) = judge(&seen, app.policy().hash);
    let process = if stopping.is_stopping() { "stopping" } else { "ok" };
    let ready = database == "ok" && policy == "ok" && process == "ok";
    let chain = chain_check(app, seen);
    let is_degraded = chain.as_ref().is_some_and(|check| check != "ok");
    let mut checks = json!({ "database": database, "policy": policy, "process": process });
    if let (Some(checks), Some(chain)) = (checks.as_object_mut(), chain) {
        checks.insert("chain".to_owned(), Value::String(chain));
    }
    let status = match (ready, is_degraded) {
        (true, false) => "ready",
        (true, true) => "degraded",
        (false, _) => "not ready",
    };
    let body = json!({
        "status": status,
        "checks": checks,
        "chain": app.chain().map(|chain| json!({ "id": format!("eip155:{}", chain.id), "name": chain.name })),
        "policyHash": app.policy().hash,
    });
    if ready {
        HttpResponse::Ok().json(body)
    } else {
        HttpResponse::ServiceUnavailable().json(body)
    }
}

type Seen = Result<(Option<Hash32>, Option<Health>), Error>;

/// Of the database and of the policy.
fn judge(seen: &Seen, loaded: Hash32) -> (String, String) {
    let database = match seen {
        Ok(_) => "ok".to_owned(),
        Err(error) if db::is_away(error) => error.to_string(),
        // Every connection is in use: busy is not away, and taking this process out would only move the load.
        Err(Error::Unavailable(_)) => "ok".to_owned(),
        Err(_) => "the schema is not ours: run moneyer migrate".to_owned(),
    };
    let policy = match seen {
        Ok((Some(active), _)) if *active == loaded => "ok".to_owned(),
        Ok(_) => "policy_error: this process loaded another policy than the one in force".to_owned(),
        Err(Error::Unavailable(_)) if database == "ok" => "ok".to_owned(),
        Err(_) => "unknown".to_owned(),
    };
    (database, policy)
}

/// None where nothing settles on a chain.
fn chain_check(app: &App, seen: Seen) -> Option<String> {
    match seen {
        Ok((_, Some(Health::Well))) => Some("ok".to_owned()),
        Ok((_, Some(Health::Degraded(trouble)))) => Some(trouble),
        Ok((_, None)) => app.chain().map(|_| "the chain was not reached yet".to_owned()),
        Err(_) => app.chain().map(|_| "unknown".to_owned()),
    }
}
