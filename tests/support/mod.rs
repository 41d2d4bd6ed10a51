//! The server from the outside: each test has a server of its own, in this process, over real HTTP, on a database of its
//! own.
//!
//! The first test of a process makes one template per database: the schema, and a [`World`] of people, recipients and
//! assets that most tests can begin with. Every test then works on a copy. Time is [`START`] and moves only when a test
//! moves it ([`Server::advance`]). When a test ends, every invariant of ledger, operations and audit log is checked.
//!
//! [`both_databases!`] runs a test on SQLite and on PostgreSQL. The latter needs `MONEYER_TEST_POSTGRES`: the URL of a
//! superuser of a cluster that may be filled with databases. `bin/test` makes one.

#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary uses its own part of the harness"
)]

mod client;
mod database;
mod server;
mod world;

pub use client::{Answer, Call, findings_of};
pub use database::Database;
pub use server::{Options, Server};
pub use world::{PIN, Person, START, World, recipient, token, wallet};

/// Runs each of the tests on both databases: `a_name::sqlite` and `a_name::postgres`. A test takes the server.
#[macro_export]
macro_rules! both_databases {
    ($($(#[$attribute:meta])* async fn $name:ident($server:ident) $body:block)+) => {
        $(
            $(#[$attribute])*
            mod $name {
                #[allow(unused_imports, reason = "what the file of the test imports")]
                use super::*;

                async fn test($server: &$crate::support::Server) $body

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn sqlite() {
                    let server = $crate::support::Server::start($crate::support::Database::Sqlite).await;
                    test(&server).await;
                    server.finish().await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn postgres() {
                    let server = $crate::support::Server::start($crate::support::Database::Postgres).await;
                    test(&server).await;
                    server.finish().await;
                }
            }
        )+
    };
}
