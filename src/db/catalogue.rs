//! What is in a database before we have written anything to it.

use diesel::sql_types::Text;
use diesel::{QueryableByName, RunQueryDsl};

use super::{Db, Tx};
use crate::error::Error;

#[derive(QueryableByName)]
struct Table {
    #[diesel(sql_type = Text)]
    name: String,
}

const POSTGRES: &str = "SELECT tablename::text AS name FROM pg_catalog.pg_tables WHERE schemaname = current_schema() \
                        ORDER BY tablename";
const SQLITE: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
                      ORDER BY name";

/// An interrupted first migration leaves these and nothing else.
const BEFORE_MIGRATIONS: [&str; 2] = ["leases", "__diesel_schema_migrations"];

impl Db {
    /// The tables that are there, ours or not, without those that a migration makes before it begins. Writes nothing, so
    /// that it can be asked of somebody else's database.
    pub async fn tables(&self) -> Result<Vec<String>, Error> {
        self.read(|tx| {
            let tables: Vec<Table> = match tx {
                Tx::Pg(connection) => diesel::sql_query(POSTGRES).load(*connection)?,
                Tx::Sqlite(connection) => diesel::sql_query(SQLITE).load(*connection)?,
            };
            let names = tables.into_iter().map(|table| table.name);
            Ok(names
                .filter(|name| !BEFORE_MIGRATIONS.contains(&name.as_str()))
                .collect())
        })
        .await
    }
}
