//! Immutable's minting API: `/v1/…`, JSON, as its published client packages call it (immutable.md).
//!
//! *Secret key*: header `x-immutable-api-key`; opens the writing routes for the collections of its project. *Publishable
//! key*: header `x-immutable-publishable-key`; counted, opens nothing. *Rate-limit key*: header `x-api-key`; a wrong one is
//! refused before anything else is looked at. Reads need no key.
//!
//! A new route is: a handler in the file of its resource ([`Reader`] or [`Caller`] as the first argument), and a line in
//! [`ROUTES`] and in [`routes`]. Every answer, also of the framework, has the five fields of [`ImmutableError`] when it is
//! an error, and `x-trace-id`.

mod call;
mod chain;
mod cors;
mod dress;
mod error;
mod quota;

pub use call::{Caller, Reader};
pub use cors::preflight;
pub use dress::{dress, trace_id_of};
pub use error::ImmutableError;

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

/// Method, path and who may call it (immutable.md section 2).
pub const ROUTES: &[(&str, &str, May)] = &[("GET", "/v1/chains", May::Read)];

/// Every route of this dialect. Fixed paths come before those with a parameter in the same place.
pub fn routes(config: &mut ServiceConfig) {
    config.service(chain::list);
}

/// Writes the usage of publishable keys that is not written yet: when the server stops.
pub async fn finish(app: &App) {
    if let Err(error) = environment::write_usage(app.db(), &app.gate().usage, app.now()).await {
        tracing::warn!(%error, "the usage of publishable keys was not written");
    }
}
