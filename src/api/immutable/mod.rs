//! Immutable's minting API: `/v1/…`, JSON, as its published client packages call it (immutable.md).
//!
//! *Secret key*: header `x-immutable-api-key`; opens the writing routes for the collections of its project. *Publishable
//! key*: header `x-immutable-publishable-key`; counted, opens nothing. *Rate-limit key*: header `x-api-key`; a wrong one is
//! refused before anything else is looked at. Reads need no key.
//!
//! A new route is: a handler in the file of its resource ([`Reader`] or [`Caller`] as the first argument), and a line in
//! [`ROUTES`] and in [`routes`]. Every answer, also of the framework, has the five fields of [`ImmutableError`] when it is
//! an error, and `x-trace-id`.

mod activity;
mod asked;
mod call;
mod cors;
mod create;
mod document;
mod dress;
mod error;
mod file;
mod hosting;
mod mint_change;
mod mint_request;
mod once;
mod quota;
mod read;
mod refresh;
mod shown;
mod webhook;

pub use call::{Caller, Reader};
pub use cors::preflight;
pub use document::text as document_text;
pub use dress::{dress, trace_id_of};
pub use error::ImmutableError;
pub use webhook::render as webhook_render;

use actix_web::web::ServiceConfig;

use crate::access::environment;
use crate::app::App;

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum May {
    /// Everybody, within the rate of their address or of their rate-limit key.
    Read,
    /// Whoever has a secret key.
    Act,
}

/// Below a chain.
macro_rules! C {
    () => {
        "/v1/chains/{chain_name}"
    };
}

/// Below a collection.
macro_rules! K {
    () => {
        "/v1/chains/{chain_name}/collections/{contract_address}"
    };
}

/// Method, path and who may call it: immutable.md section 2, and what goes beyond the original (taking back, making again,
/// files, hosted metadata).
pub const ROUTES: &[(&str, &str, May)] = &[
    ("POST", "/v1/collections", May::Act),
    ("POST", concat!(K!(), "/nfts/mint-requests"), May::Act),
    ("GET", concat!(K!(), "/nfts/mint-requests"), May::Act),
    ("GET", concat!(K!(), "/nfts/mint-requests/{reference_id}"), May::Act),
    (
        "POST",
        concat!(K!(), "/nfts/mint-requests/{reference_id}/cancel"),
        May::Act,
    ),
    (
        "POST",
        concat!(K!(), "/nfts/mint-requests/{reference_id}/retry"),
        May::Act,
    ),
    ("POST", concat!(K!(), "/nfts/mint-requests/bulk"), May::Act),
    ("GET", concat!(K!(), "/nfts/mint-requests/bulk/{file_id}"), May::Act),
    (
        "POST",
        concat!(K!(), "/nfts/mint-requests/bulk/{file_id}/cancel"),
        May::Act,
    ),
    ("POST", concat!(K!(), "/nfts/refresh-metadata"), May::Act),
    ("POST", concat!(K!(), "/metadata/refresh-metadata"), May::Act),
    ("POST", concat!(K!(), "/refresh-metadata"), May::Act),
    ("GET", "/v1/chains", May::Read),
    ("GET", concat!(C!(), "/collections"), May::Read),
    ("GET", K!(), May::Read),
    (
        "GET",
        concat!(C!(), "/accounts/{account_address}/collections"),
        May::Read,
    ),
    ("GET", concat!(K!(), "/nfts/{token_id}"), May::Read),
    ("GET", concat!(K!(), "/nfts"), May::Read),
    ("GET", concat!(C!(), "/nfts"), May::Read),
    ("GET", concat!(C!(), "/accounts/{account_address}/nfts"), May::Read),
    ("GET", concat!(K!(), "/nfts/{token_id}/owners"), May::Read),
    ("GET", concat!(K!(), "/owners"), May::Read),
    ("GET", concat!(C!(), "/nft-owners"), May::Read),
    ("GET", concat!(K!(), "/metadata/{metadata_id}"), May::Read),
    ("GET", concat!(K!(), "/metadata"), May::Read),
    ("GET", concat!(C!(), "/metadata"), May::Read),
    ("GET", concat!(C!(), "/activities"), May::Read),
    ("GET", concat!(C!(), "/activities/{activity_id}"), May::Read),
    ("GET", concat!(C!(), "/activity-history"), May::Read),
    ("GET", "/v1/metadata/{contract_address}/{token_id}", May::Read),
    ("GET", "/v1/openapi.json", May::Read),
];

/// Every route of this dialect. Fixed paths come before those with a parameter in the same place.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(create::create_collection)
        .service(mint_request::create_requests)
        .service(mint_request::list_requests)
        .service(mint_request::get_request)
        .service(mint_change::cancel_request)
        .service(mint_change::retry_request)
        .service(file::submit_file)
        .service(file::get_file)
        .service(file::cancel_file)
        .service(refresh::refresh_tokens)
        .service(refresh::refresh_stacks)
        .service(refresh::refresh_collection)
        .service(read::list_chains)
        .service(read::list_collections)
        .service(read::get_collection)
        .service(read::collections_of_account)
        .service(read::list_nfts)
        .service(read::get_nft)
        .service(read::all_nfts)
        .service(read::nfts_of_account)
        .service(read::owners_of_nft)
        .service(read::owners_of_collection)
        .service(read::all_owners)
        .service(read::list_stacks)
        .service(read::get_stack)
        .service(read::all_stacks)
        .service(activity::list_activities)
        .service(activity::get_activity)
        .service(activity::activity_history)
        .service(hosting::hosted_metadata)
        .service(document::openapi_v1);
}

/// Writes the usage of publishable keys that is not written yet: when the server stops.
pub async fn finish(app: &App) {
    write_usage(app).await;
}

/// What cannot be written now stays counted.
async fn write_usage(app: &App) {
    if let Err(error) = environment::write_usage(app.db(), &app.gate().usage, app.now()).await {
        tracing::warn!(%error, "the usage of publishable keys was not written");
    }
}
