//! NFT collections on a real node: what was wished under a reference is minted once, and the register says what the chain
//! says.

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

use support::{node, proxy};

#[path = "collections/asking.rs"]
mod asking;
#[path = "collections/certhis.rs"]
mod certhis;
#[path = "collections/certhis_owner.rs"]
mod certhis_owner;
#[allow(dead_code, reason = "written for the tests of the API, which use the rest of it")]
#[path = "api/certhis_shop.rs"]
mod certhis_shop;
#[path = "collections/creating.rs"]
mod creating;
#[path = "collections/door.rs"]
mod door;
#[path = "collections/faults.rs"]
mod faults;
#[path = "collections/game.rs"]
mod game;
#[path = "collections/judged.rs"]
mod judged;
#[path = "collections/minting.rs"]
mod minting;
#[path = "collections/observed.rs"]
mod observed;
#[path = "collections/presets.rs"]
mod presets;
#[path = "collections/reverts.rs"]
mod reverts;
#[path = "collections/showing.rs"]
mod showing;
#[allow(dead_code, reason = "written for settlement's tests, which use the rest of it")]
#[path = "settlement/stage.rs"]
mod stage;
