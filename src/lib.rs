//! Moneyer issues units of tokenized assets, only to recipients who may hold them, only on the word of somebody who may
//! issue them, with evidence that an auditor can check without trusting us.
//!
//! Folders are domains. A module imports only modules listed before it here; `tests/architecture.rs` checks it:
//! `types`, `error`, `policy`, `config`, `telemetry`, `ctx`, `db`, `job`, `chain`, `audit`, `ledger`, `operation`,
//! `access`, `webhook`, `identity`, `wallet`, `compliance`, `asset`, `collection`, `custody`, `certhis`, `settlement`,
//! `servicing`, `mint`, `reports`, `app`, `api`, `server`, `start`, `demo`, `cli`. The path of a mint is told in [`mint`]
//! and in the README.

pub mod access;
pub mod api;
pub mod app;
pub mod asset;
pub mod audit;
pub mod certhis;
pub mod chain;
pub mod cli;
pub mod collection;
pub mod compliance;
pub mod config;
pub mod ctx;
pub mod custody;
pub mod db;
pub mod demo;
pub mod error;
pub mod identity;
pub mod job;
pub mod ledger;
pub mod mint;
pub mod operation;
pub mod policy;
pub mod reports;
pub mod server;
pub mod servicing;
pub mod settlement;
pub mod start;
pub mod telemetry;
pub mod types;
pub mod wallet;
pub mod webhook;
