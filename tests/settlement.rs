//! Settlement on a real node: what the ledger accepted is on the chain once, and the books say so when it is final.

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

use support::node;

#[path = "settlement/crashes.rs"]
mod crashes;
#[path = "settlement/health.rs"]
mod health;
#[path = "settlement/mints.rs"]
mod mints;
#[path = "settlement/observed.rs"]
mod observed;
#[path = "settlement/stage.rs"]
mod stage;
