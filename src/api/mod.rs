//! HTTP: who is calling, the edge that every request passes, health, and the dialects.
//!
//! A handler extracts, parses, calls and renders. A dialect never names another dialect and never names a store.

pub mod certhis;
mod client;
pub mod dalp;
pub mod dialect;
mod document;
pub mod edge;
mod examples;
pub mod health;
pub mod immutable;
mod json;
mod once;
pub mod openapi;
pub mod unserved;
