//! Migrations, run under a lease so that two processes that start at once do not both run them.

use diesel::migration::{MigrationSource, MigrationVersion};
use diesel::pg::{Pg, PgConnection};
use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel::{Connection, RunQueryDsl};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::error::Error;

const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");
const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// The lease table comes before every migration, because the migrations run under it.
const LEASES_POSTGRES: &str = "CREATE TABLE IF NOT EXISTS leases (name text NOT NULL, owner text NOT NULL, \
     fence bigint NOT NULL, held_until timestamptz NOT NULL, CONSTRAINT leases_pk PRIMARY KEY (name))";
const LEASES_SQLITE: &str = "CREATE TABLE IF NOT EXISTS leases (name TEXT NOT NULL, owner TEXT NOT NULL, \
     fence INTEGER NOT NULL, held_until TEXT NOT NULL, CONSTRAINT leases_pk PRIMARY KEY (name)) STRICT";

/// What a run of the migrations found and did, as version names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MigrationReport {
    pub applied: Vec<String>,
    pub pending: Vec<String>,
}

/// Names of the embedded migrations, oldest first (the same on both databases).
pub fn migrations_of() -> Result<Vec<String>, Error> {
    let all = MigrationSource::<Pg>::migrations(&POSTGRES).map_err(Error::internal)?;
    Ok(all.iter().map(|m| m.name().version().to_string()).collect())
}

pub(super) fn run_postgres(connection: &mut PgConnection, dry_run: bool) -> Result<MigrationReport, Error> {
    create_leases_postgres(connection)?;
    connection.transaction(|connection| {
        // The row lock on the lease is held until the commit, so a second process waits here and then finds nothing to do.
        diesel::sql_query(
            "INSERT INTO leases (name, owner, fence, held_until) VALUES ('migrations', 'migrate', 1, now()) \
             ON CONFLICT (name) DO UPDATE SET fence = leases.fence + 1",
        )
        .execute(connection)?;
        report(connection, || POSTGRES, dry_run)
    })
}

/// Two processes may both find the table missing; the loser of that race looks again.
fn create_leases_postgres(connection: &mut PgConnection) -> Result<(), Error> {
    let first = diesel::sql_query(LEASES_POSTGRES).execute(connection);
    if first.is_err() {
        diesel::sql_query(LEASES_POSTGRES).execute(connection)?;
    }
    Ok(())
}

pub(super) fn run_sqlite(connection: &mut SqliteConnection, dry_run: bool) -> Result<MigrationReport, Error> {
    diesel::sql_query(LEASES_SQLITE).execute(connection)?;
    connection.immediate_transaction(|connection| report(connection, || SQLITE, dry_run))
}

fn report<C, DB>(
    connection: &mut C,
    source: fn() -> EmbeddedMigrations,
    dry_run: bool,
) -> Result<MigrationReport, Error>
where
    DB: diesel::backend::Backend,
    C: MigrationHarness<DB>,
    EmbeddedMigrations: MigrationSource<DB>,
{
    refuse_newer(connection, &source())?;
    let pending: Vec<String> = connection
        .pending_migrations(source())
        .map_err(Error::internal)?
        .iter()
        .map(|migration| migration.name().version().to_string())
        .collect();
    if dry_run {
        return Ok(MigrationReport {
            applied: Vec::new(),
            pending,
        });
    }
    connection.run_pending_migrations(source()).map_err(Error::internal)?;
    Ok(MigrationReport {
        applied: pending,
        pending: Vec::new(),
    })
}

/// A schema that a newer binary migrated is not ours to write to.
fn refuse_newer<C, DB>(connection: &mut C, source: &EmbeddedMigrations) -> Result<(), Error>
where
    DB: diesel::backend::Backend,
    C: MigrationHarness<DB>,
    EmbeddedMigrations: MigrationSource<DB>,
{
    let embedded = source.migrations().map_err(Error::internal)?;
    let known: Vec<MigrationVersion<'_>> = embedded.iter().map(|migration| migration.name().version()).collect();
    let applied = connection.applied_migrations().map_err(Error::internal)?;
    match applied.iter().find(|version| !known.contains(version)) {
        None => Ok(()),
        Some(version) => Err(Error::Internal(format!(
            "the database has migration {version}, which this binary does not know: run a newer binary"
        ))),
    }
}

/// Takes every migration back, newest first.
pub(super) fn revert_postgres(connection: &mut PgConnection) -> Result<(), Error> {
    MigrationHarness::<Pg>::revert_all_migrations(connection, POSTGRES)
        .map(|_| ())
        .map_err(Error::internal)
}

pub(super) fn revert_sqlite(connection: &mut SqliteConnection) -> Result<(), Error> {
    MigrationHarness::<Sqlite>::revert_all_migrations(connection, SQLITE)
        .map(|_| ())
        .map_err(Error::internal)
}
