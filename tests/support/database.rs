//! A database per test, copied from a template that is made once per process.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, PgConnection, SqliteConnection};
use moneyer::db::{Db, Settings};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::world::{self, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
}

/// The schema with a [`World`] in it.
struct Template {
    /// A file, or the name of a database in the cluster.
    place: Place,
    world: Arc<World>,
}

enum Place {
    File { path: PathBuf, _folder: TempDir },
    Name(String),
}

static SQLITE: OnceCell<Template> = OnceCell::const_new();
static POSTGRES: OnceCell<Template> = OnceCell::const_new();
static COUNTER: AtomicU64 = AtomicU64::new(0);

/// The role of the server on PostgreSQL: it has the grants of the README and nothing else.
const ROLE: &str = "moneyer";

/// One test's database. Removed by [`TestDatabase::remove`]; a test that fails leaves it to the end of the cluster.
pub struct TestDatabase {
    /// As the server connects.
    pub url: String,
    /// As who migrates and owns the tables.
    pub owner_url: String,
    name: Option<String>,
    _folder: Option<TempDir>,
}

impl TestDatabase {
    /// A database without anything in it.
    pub async fn empty(database: Database) -> Self {
        match database {
            Database::Sqlite => Self::file(tempfile::tempdir().unwrap()),
            Database::Postgres => {
                let name = new_name("empty");
                administer(format!("CREATE DATABASE {name}")).await;
                Self::named(name)
            }
        }
    }

    /// A copy of the template.
    pub async fn copied(database: Database) -> (Self, Arc<World>) {
        match database {
            Database::Sqlite => {
                let template = SQLITE.get_or_init(sqlite_template).await;
                let Place::File { path, .. } = &template.place else {
                    panic!("the template of SQLite is a file")
                };
                let folder = tempfile::tempdir().unwrap();
                std::fs::copy(path, folder.path().join("test.db")).unwrap();
                (Self::file(folder), Arc::clone(&template.world))
            }
            Database::Postgres => {
                let template = POSTGRES.get_or_init(postgres_template).await;
                let Place::Name(from) = &template.place else {
                    panic!("the template of PostgreSQL is a database")
                };
                let name = new_name("test");
                administer(format!("CREATE DATABASE {name} TEMPLATE {from}")).await;
                let database = Self::named(name);
                let url = database.url_as(ROLE);
                (Self { url, ..database }, Arc::clone(&template.world))
            }
        }
    }

    fn file(folder: TempDir) -> Self {
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        Self {
            owner_url: url.clone(),
            url,
            name: None,
            _folder: Some(folder),
        }
    }

    fn named(name: String) -> Self {
        Self {
            url: url_of(&name),
            owner_url: url_of(&name),
            name: Some(name),
            _folder: None,
        }
    }

    /// Cuts the database off as a failover does: connections end and new ones are refused. PostgreSQL only.
    pub async fn go_away(&self) {
        let name = self.name.as_ref().expect("only PostgreSQL goes away");
        administer(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await;
        administer(format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        ))
        .await;
    }

    /// Lets new connections be answered in this language; false when the cluster cannot speak it. PostgreSQL only.
    pub async fn speak(&self, locale: &str) -> bool {
        let name = self.name.clone().expect("only PostgreSQL speaks");
        let statement = format!("ALTER DATABASE {name} SET lc_messages = '{locale}'");
        let work = move || {
            let mut connection = PgConnection::establish(&maintenance_url()).unwrap();
            connection.batch_execute(&statement).is_ok()
        };
        tokio::task::spawn_blocking(work).await.unwrap()
    }

    /// The database for a role that is no superuser and owns nothing. PostgreSQL only.
    pub fn url_as(&self, role: &str) -> String {
        self.owner_url.replacen("//postgres@", &format!("//{role}@"), 1)
    }

    /// Gives the server's role what the README tells an operator to give it, and the database as that role connects.
    /// PostgreSQL only.
    pub async fn granted(&self) -> String {
        grant(self.name.as_ref().expect("only PostgreSQL has roles")).await;
        self.url_as(ROLE)
    }

    /// A connection of who owns the tables, for what a server may not do to them.
    pub fn owner(&self) -> Db {
        let settings = Settings {
            url: self.owner_url.clone().into(),
            connections_max: 1,
            wait: Duration::from_secs(5),
        };
        Db::connect(&settings).unwrap()
    }

    pub async fn come_back(&self) {
        let name = self.name.as_ref().expect("only PostgreSQL comes back");
        administer(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).await;
    }

    pub async fn remove(self) {
        if let Some(name) = &self.name {
            administer(format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }
}

async fn sqlite_template() -> Template {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("seed.db").display());
    let world = world::create(&url).await;
    let path = folder.path().join("template.db");
    let source = folder.path().join("seed.db").display().to_string();
    let mut connection = SqliteConnection::establish(&source).unwrap();
    // A copy of the file alone would lack what is still in its log.
    connection
        .batch_execute(&format!("VACUUM INTO '{}'", path.display()))
        .unwrap();
    Template {
        place: Place::File { path, _folder: folder },
        world: Arc::new(world),
    }
}

async fn postgres_template() -> Template {
    let name = new_name("template");
    administer(format!("CREATE DATABASE {name}")).await;
    let world = world::create(&url_of(&name)).await;
    grant(&name).await;
    // A database that somebody is connected to cannot be copied.
    administer(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await;
    Template {
        place: Place::Name(name),
        world: Arc::new(world),
    }
}

/// What the README tells an operator to grant.
async fn grant(name: &str) {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("```sql\n").expect("the README shows the grants");
    let (grants, _) = rest.split_once("```").unwrap();
    let (url, grants) = (url_of(name), grants.to_owned());
    let work = move || {
        let mut connection = PgConnection::establish(&url).unwrap();
        // One cluster serves many test processes.
        connection.batch_execute(&format!("CREATE ROLE {ROLE} LOGIN")).ok();
        connection.batch_execute(&grants).unwrap();
    };
    tokio::task::spawn_blocking(work).await.unwrap();
}

fn new_name(kind: &str) -> String {
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("moneyer_{kind}_{}_{number}", std::process::id())
}

fn maintenance_url() -> String {
    #[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the server")]
    std::env::var("MONEYER_TEST_POSTGRES")
        .expect("MONEYER_TEST_POSTGRES is not set: run bin/test, which starts a PostgreSQL")
}

fn url_of(name: &str) -> String {
    let url = maintenance_url();
    let (server, _) = url.rsplit_once('/').expect("MONEYER_TEST_POSTGRES names a database");
    format!("{server}/{name}")
}

/// Runs a statement as the superuser of the cluster.
pub async fn administer(statement: String) {
    let work = move || {
        let mut connection = PgConnection::establish(&maintenance_url()).unwrap();
        connection.batch_execute(&statement).unwrap();
    };
    tokio::task::spawn_blocking(work).await.unwrap();
}
