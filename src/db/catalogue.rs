//! What is in a database before we have written anything to it.

use diesel::sql_types::Text;
use diesel::{QueryableByName, RunQueryDsl};

use super::{Db, Tx, migrations_of};
use crate::error::Error;
use crate::on;

#[derive(QueryableByName)]
struct Table {
    #[diesel(sql_type = Text)]
    name: String,
}

const POSTGRES: &str = "SELECT tablename::text AS name FROM pg_catalog.pg_tables WHERE schemaname = current_schema() \
                        ORDER BY tablename";
const SQLITE: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
                      ORDER BY name";

/// Which migrations have been made.
const MADE: &str = "__diesel_schema_migrations";
/// An interrupted first migration leaves these and nothing else.
const BEFORE_MIGRATIONS: [&str; 2] = ["leases", MADE];

/// What the schema of a database is to this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaState {
    /// None of ours.
    Absent,
    /// Migrations are missing.
    Behind,
    Current,
    /// It has migrations that this program does not know.
    Ahead,
}

fn tables_of(tx: &mut Tx<'_>) -> Result<Vec<String>, Error> {
    let tables: Vec<Table> = match tx {
        Tx::Pg(connection) => diesel::sql_query(POSTGRES).load(*connection)?,
        Tx::Sqlite(connection) => diesel::sql_query(SQLITE).load(*connection)?,
    };
    Ok(tables.into_iter().map(|table| table.name).collect())
}

/// Writes nothing, so that it can be asked of any database, by a role that may only read.
pub(super) fn schema_state(tx: &mut Tx<'_>) -> Result<SchemaState, Error> {
    if !tables_of(tx)?.iter().any(|table| table == MADE) {
        return Ok(SchemaState::Absent);
    }
    let query = format!("SELECT version AS name FROM {MADE}");
    let made: Vec<Table> = on!(tx, c => diesel::sql_query(query).load(c))?;
    let made: Vec<String> = made.into_iter().map(|version| version.name).collect();
    let known = migrations_of()?;
    Ok(match made.is_empty() {
        true => SchemaState::Absent,
        false if made.iter().any(|version| !known.contains(version)) => SchemaState::Ahead,
        false if made.len() < known.len() => SchemaState::Behind,
        false => SchemaState::Current,
    })
}

impl Db {
    /// The tables that are there, ours or not, without those that a migration makes before it begins. Writes nothing, so
    /// that it can be asked of somebody else's database.
    pub async fn tables(&self) -> Result<Vec<String>, Error> {
        let mut tables = self.read(tables_of).await?;
        tables.retain(|name| !BEFORE_MIGRATIONS.contains(&name.as_str()));
        Ok(tables)
    }

    /// What its schema is to this program. Writes nothing.
    pub async fn schema_state(&self) -> Result<SchemaState, Error> {
        self.read(schema_state).await
    }
}
