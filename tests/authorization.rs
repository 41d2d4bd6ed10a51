//! Who may call what: every route is called as nobody, as somebody without a role, and with each role held alone.
//!
//! [`routes::table`] has a row per route. The statuses are compared with what the table of rights says
//! (`src/access/permission.rs`) and with the reviewed tests/golden/authorization.txt; the audit log has one event per
//! refusal and nothing else, and no other table has changed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    reason = "tests fail by panicking"
)]

mod support;

#[path = "authorization/boundaries.rs"]
mod boundaries;
#[allow(dead_code, reason = "written for the tests of the API, which use the rest of it")]
#[path = "api/certhis_shop.rs"]
mod certhis_shop;
#[path = "authorization/contents.rs"]
mod contents;
#[path = "authorization/matrix.rs"]
mod matrix;
#[path = "authorization/mint_api.rs"]
mod mint_api;
#[path = "authorization/minting_api.rs"]
mod minting_api;
#[path = "authorization/routes.rs"]
mod routes;
#[path = "authorization/stage.rs"]
mod stage;
