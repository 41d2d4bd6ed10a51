//! `moneyer demo` as somebody meets it: the real program, its manifest, its printed lines.

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

#[path = "demo/interrupted.rs"]
mod interrupted;
#[path = "demo/life.rs"]
mod life;
#[path = "demo/node_and_demo.rs"]
mod node_and_demo;
#[path = "demo/refusals.rs"]
mod refusals;
#[path = "demo/stage.rs"]
mod stage;
