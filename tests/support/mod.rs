//! The server from the outside: each test has a server of its own, in this process, over real HTTP, on a database of its
//! own.
//!
//! The first test of a process makes one template per database: the schema, and a [`World`] of people, recipients and
//! assets that most tests can begin with. Every test then works on a copy. Time is [`START`] and moves only when a test
//! moves it ([`Server::advance`]). When a test ends, every invariant of ledger, operations and audit log is checked.
//!
//! [`both_databases!`] runs a test on SQLite and on PostgreSQL. The latter needs `MONEYER_TEST_POSTGRES`: the URL of a
//! superuser of a cluster that may be filled with databases. `bin/test` makes one.
//!
//! [`node`] is a real EVM node, [`proxy`] a bad network before it, [`evm`] and [`abi`] call its contracts by name.

#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary uses its own part of the harness"
)]

pub mod abi;
mod client;
mod database;
pub mod evm;
mod golden;
pub mod node;
pub mod presets;
pub mod process;
pub mod proxy;
mod receiver;
mod server;
mod signer;
pub mod trex;
mod world;

pub use client::{Answer, Call, findings_of, http};
pub use database::{Database, TestDatabase, administer};
pub use golden::golden;
pub use moneyer::access::Role;
pub use receiver::{Received, Receiver, Reply};
pub use server::{Options, Server, batch, with_pin};
pub use signer::Signer;
pub use world::{PIN, Person, START, World, approve, found_asset, import_sanctions, recipient, token, topic, wallet};

/// Runs each test on both databases, as `a_name::sqlite` and `a_name::postgres`. A test is a function that takes the
/// server; one that is not listed is never used, and the compiler says so.
#[macro_export]
macro_rules! both_databases {
    (options: $options:expr; $($name:ident,)+) => {
        $(
            mod $name {
                use $crate::support::{Database, Server};

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn sqlite() {
                    let server = Server::start_with(Database::Sqlite, &$options).await;
                    super::$name(&server).await;
                    server.finish().await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn postgres() {
                    let server = Server::start_with(Database::Postgres, &$options).await;
                    super::$name(&server).await;
                    server.finish().await;
                }
            }
        )+
    };
    ($($name:ident,)+) => {
        $crate::both_databases! { options: $crate::support::Options::default(); $($name,)+ }
    };
}
