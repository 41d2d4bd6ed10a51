//! Certhis' mint API: `/mint_access`, `/mint` …, forms in and its own envelope out (certhis.md, seed 004).
//!
//! *Key pair*: headers `api_key` and `api_secret`. Many proxies drop names with an underscore, so `x-api-key` and
//! `x-api-secret` are taken too; `/mint_status` and `/mint_task_list` take both from the query, where they were published.
//! Query strings are therefore never logged. *Guest*: whoever calls without a key pair, within the rate of their address.
//!
//! A body is `multipart/form-data`, `application/x-www-form-urlencoded` or a JSON object. Every answer is `{"status":…}`:
//! `true` with `data`, or `false` with a `message`, also where the framework refuses. A new route is: a handler in the file
//! of its resource ([`Guest`] or [`Holder`] as the first argument), a line in [`ROUTES`] and in [`routes`], and one in
//! [`document`].

mod access;
mod call;
mod document;
mod error;
mod fields;
mod mint;
mod multipart;
mod once;
mod owner;
mod shown;
mod sign;
mod webhook;

pub use call::{Guest, Holder};
pub use document::text as document_text;
pub use error::CerthisError;
pub use webhook::{webhook_recipient, webhook_render};

use actix_web::web::ServiceConfig;

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum May {
    /// Everybody, within the rate of their address.
    Guest,
    /// Whoever has a key pair.
    Hold,
}

/// Method, path and who may call it.
pub const ROUTES: &[(&str, &str, May)] = &[
    ("POST", "/mint_access", May::Guest),
    ("POST", "/mint", May::Hold),
    ("GET", "/mint_status", May::Hold),
    ("GET", "/mint_task_list", May::Hold),
    ("POST", "/register_webhook", May::Hold),
    ("GET", "/get_webhook", May::Hold),
    ("GET", "/sign", May::Guest),
    ("GET", "/check", May::Guest),
    ("GET", "/mint/openapi.json", May::Guest),
];

/// Whether the path, or what is above it, is a route of this dialect.
pub fn is_path(path: &str) -> bool {
    ROUTES.iter().any(|(_, route, _)| {
        let rest = path.strip_prefix(route);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

pub fn routes(config: &mut ServiceConfig) {
    config
        .service(access::mint_access)
        .service(mint::mint)
        .service(mint::mint_status)
        .service(mint::mint_task_list)
        .service(webhook::register_webhook)
        .service(webhook::get_webhook)
        .service(sign::sign)
        .service(sign::check)
        .service(document::openapi_mint);
}
