//! The contracts on a real node. One node serves the whole binary; every test deploys its own contracts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    reason = "tests fail by panicking"
)]

#[path = "support/abi.rs"]
mod abi;
#[path = "support/evm.rs"]
mod evm;
#[path = "support/node.rs"]
mod node;
#[path = "support/proxy.rs"]
mod proxy;
#[path = "support/trex.rs"]
mod trex;

#[path = "contracts/collections.rs"]
mod collections;
#[path = "contracts/control.rs"]
mod control;
#[path = "contracts/factory.rs"]
mod factory;
#[path = "contracts/network.rs"]
mod network;
#[path = "contracts/registry.rs"]
mod registry;
#[path = "contracts/stage.rs"]
mod stage;
#[path = "contracts/supply.rs"]
mod supply;
#[path = "contracts/trex.rs"]
mod t_rex;
#[path = "contracts/transfers.rs"]
mod transfers;
