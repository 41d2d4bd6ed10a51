//! Liveness and readiness, for whoever restarts and routes.

use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::{HttpResponse, get, web};
use serde_json::json;

use crate::app::App;
use crate::compliance;
use crate::db;
use crate::error::Error;

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
#[utoipa::path(tag = "Health", operation_id = "readyz", security(()),
    responses(
        (status = 200, description = "Ready; every check by name", body = Object, example = json!({
            "status": "ready", "checks": { "database": "ok", "policy": "ok", "process": "ok" },
            "policyHash": "0x9c22ff5f21f0b81b113e63f7db6da94fedef11b2119b4088b89664fb9a3cb658" })),
        (status = 503, description = "Not ready; the failing check says why", body = Object, example = json!({
            "status": "not ready", "checks": { "database": "ok", "policy": "ok", "process": "stopping" },
            "policyHash": "0x9c22ff5f21f0b81b113e63f7db6da94fedef11b2119b4088b89664fb9a3cb658" }))))]
#[get("/readyz")]
pub async fn readyz(app: web::Data<App>, stopping: web::Data<Stopping>) -> HttpResponse {
    answer(&app, &stopping).await
}

/// The same as `/readyz`.
#[utoipa::path(tag = "Health", operation_id = "healthz", security(()),
    responses(
        (status = 200, description = "Ready; every check by name", body = Object, example = json!({
            "status": "ready", "checks": { "database": "ok", "policy": "ok", "process": "ok" },
            "policyHash": "0x9c22ff5f21f0b81b113e63f7db6da94fedef11b2119b4088b89664fb9a3cb658" })),
        (status = 503, description = "Not ready; the failing check says why", body = Object, example = json!({
            "status": "not ready", "checks": { "database": "ok", "policy": "ok", "process": "stopping" },
            "policyHash": "0x9c22ff5f21f0b81b113e63f7db6da94fedef11b2119b4088b89664fb9a3cb658" }))))]
#[get("/healthz")]
pub async fn healthz(app: web::Data<App>, stopping: web::Data<Stopping>) -> HttpResponse {
    answer(&app, &stopping).await
}

async fn answer(app: &App, stopping: &Stopping) -> HttpResponse {
    let hash = app.policy().hash;
    let policy = app.db().read(compliance::active_policy).await;
    let database = match &policy {
        Ok(_) => "ok".to_owned(),
        Err(error) if db::is_away(error) => error.to_string(),
        // Every connection is in use: busy is not away, and taking this process out would only move the load.
        Err(Error::Unavailable(_)) => "ok".to_owned(),
        Err(_) => "the schema is not ours: run moneyer migrate".to_owned(),
    };
    let in_force = match &policy {
        Ok(Some(active)) if *active == hash => "ok".to_owned(),
        Ok(_) => "policy_error: this process loaded another policy than the one in force".to_owned(),
        Err(Error::Unavailable(_)) if database == "ok" => "ok".to_owned(),
        Err(_) => "unknown".to_owned(),
    };
    let process = if stopping.is_stopping() { "stopping" } else { "ok" };
    let ready = database == "ok" && in_force == "ok" && process == "ok";
    let body = json!({
        "status": if ready { "ready" } else { "not ready" },
        "checks": { "database": database, "policy": in_force, "process": process },
        "policyHash": hash,
    });
    if ready {
        HttpResponse::Ok().json(body)
    } else {
        HttpResponse::ServiceUnavailable().json(body)
    }
}
