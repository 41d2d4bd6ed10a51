//! The only module that knows which database runs.
//!
//! Two real databases, chosen at run time by the URL: SQLite (bundled, one writer) and PostgreSQL. A domain's `store.rs`
//! takes a [`Tx`], the connection of one transaction, which knows nobody; [`on!`](crate::on) writes one Diesel expression
//! for both. Diesel is synchronous: [`Db::read`] and [`Db::write`] run their closure on a blocking thread, and never more
//! closures at a time than there are connections.
//!
//! A closure given to [`Db::write`] has no side effects but its queries and may run more than once: it is repeated when
//! the database answers that it lost against another transaction. What it returns `Ok` for is committed; on `Err`
//! nothing is.

mod bulk;
mod catalogue;
mod columns;
mod connect;
mod counter;
mod error;
mod lookup;
mod migrate;
mod page;
mod parts;
mod postgres;
pub mod schema;
pub mod sql;

use diesel::Connection;
use diesel::pg::PgConnection;
use diesel::sqlite::SqliteConnection;

pub use bulk::{Bulk, Column};
pub use catalogue::SchemaState;
pub use connect::{Db, Settings};
pub use counter::{last_number, next_number, set_last_number};
pub use error::is_away;
pub use lookup::{Lookup, address_key, id_key, token_key};
pub use migrate::{MigrationReport, migrations_of};
pub use page::{Cursor, Page, PageError};
pub use parts::{in_parts, in_parts_of};

use crate::error::Error;

/// The connection of one transaction (or of a single read).
pub enum Tx<'c> {
    Pg(&'c mut PgConnection),
    Sqlite(&'c mut SqliteConnection),
}

impl Tx<'_> {
    /// Runs a part that may fail without taking the rest of the transaction with it (a savepoint): on `Err` what the
    /// part wrote is gone, what was written before stays.
    pub fn nested<T>(&mut self, part: impl FnOnce(&mut Tx<'_>) -> Result<T, Error>) -> Result<T, Error> {
        match self {
            Self::Pg(connection) => connection.transaction(|connection| part(&mut Tx::Pg(connection))),
            Self::Sqlite(connection) => connection.transaction(|connection| part(&mut Tx::Sqlite(connection))),
        }
    }
}

/// Runs the same Diesel expression on whichever connection there is: `on!(tx, c => users.load(c))`.
#[macro_export]
macro_rules! on {
    ($tx:expr, $connection:ident => $body:expr) => {
        match $tx {
            $crate::db::Tx::Pg(connection) => {
                let $connection: &mut diesel::pg::PgConnection = connection;
                $body
            }
            $crate::db::Tx::Sqlite(connection) => {
                let $connection: &mut diesel::sqlite::SqliteConnection = connection;
                $body
            }
        }
    };
}
