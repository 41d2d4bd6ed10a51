//! `src/chain` against a real node: what it reads, sends, signs and understands, and what it makes of a bad network.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    reason = "tests fail by panicking"
)]

#[path = "support/node.rs"]
mod node;
#[path = "support/proxy.rs"]
mod proxy;

#[path = "chain/contracts.rs"]
mod contracts;
#[path = "chain/endpoints.rs"]
mod endpoints;
#[path = "chain/sending.rs"]
mod sending;
#[path = "chain/signing.rs"]
mod signing;
#[path = "chain/stage.rs"]
mod stage;
#[path = "chain/views.rs"]
mod views;
