//! A fresh database with a folder beside it; both are gone with the value.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::ValueEnum;
use diesel::pg::PgConnection;
use diesel::{Connection, RunQueryDsl};
use moneyer::db::{Db, Settings};
use secrecy::SecretString;
use tempfile::TempDir;

use crate::Outcome;

/// The default of the server's setting `database.connections_max`.
pub const CONNECTIONS_MAX: u32 = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

pub struct Place {
    url: String,
    /// Where the server logs, and where the SQLite file is: on the disk of the build, because a folder for temporary
    /// files may be in memory, where a durable commit costs nothing.
    folder: TempDir,
    postgres: Option<PostgresDatabase>,
}

struct PostgresDatabase {
    maintenance: String,
    name: String,
}

impl Place {
    /// `maintenance` is the URL of any database on the PostgreSQL server, as a user who may create databases.
    pub fn create(engine: Engine, maintenance: Option<&str>) -> Outcome<Self> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        match engine {
            Engine::Sqlite => Ok(Self {
                url: format!("sqlite:{}", folder.path().join("moneyer.db").display()),
                folder,
                postgres: None,
            }),
            Engine::Postgres => {
                let maintenance =
                    maintenance.ok_or("MONEYER_TEST_POSTGRES is not set: bin/bench and bin/test set it")?;
                let (server, _) = maintenance.rsplit_once('/').ok_or("not the URL of a database")?;
                let name = format!("moneyer_load_{}", unique());
                execute(maintenance, &format!("CREATE DATABASE {name}"))?;
                Ok(Self {
                    url: format!("{server}/{name}"),
                    folder,
                    postgres: Some(PostgresDatabase {
                        maintenance: maintenance.to_owned(),
                        name,
                    }),
                })
            }
        }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn connect(&self) -> Outcome<Db> {
        let settings = Settings {
            url: SecretString::from(self.url.clone()),
            connections_max: CONNECTIONS_MAX,
            wait: Duration::from_secs(30),
        };
        Ok(Db::connect(&settings)?)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(PostgresDatabase { maintenance, name }) = &self.postgres
            && let Err(error) = execute(maintenance, &format!("DROP DATABASE {name} WITH (FORCE)"))
        {
            eprintln!("database {name} was left behind: {error}");
        }
    }
}

fn execute(url: &str, statement: &str) -> Outcome<()> {
    let mut connection = PgConnection::establish(url)?;
    diesel::sql_query(statement).execute(&mut connection)?;
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a name that no earlier run has, not business time"
)]
fn unique() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}_{}", std::process::id(), since.as_nanos())
}
