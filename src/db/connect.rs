use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::pg::PgConnection;
use diesel::sqlite::SqliteConnection;
use diesel::{Connection, RunQueryDsl};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::catalogue::schema_state;
use super::error::{BUSY, LOST, UNWRITTEN, is_connection_lost, is_retryable, is_unknown};
use super::{MigrationReport, SchemaState, Tx, migrate, postgres};
use crate::error::Error;

/// How often a transaction that lost against another is run again before the caller gets 503.
const ATTEMPTS_MAX: u32 = 8;
/// A connection that rested longer is asked whether it still lives before it is used.
const REST_MAX: Duration = Duration::from_millis(500);

#[derive(Clone)]
pub struct Settings {
    /// `postgres://…`, or `sqlite:PATH` (also a bare path).
    pub url: SecretString,
    /// Connections to PostgreSQL, or readers on SQLite (which has one writer beside them).
    pub connections_max: u32,
    /// How long a caller waits for a connection before it is told 503.
    pub wait: Duration,
}

/// A database and its connections. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
}

struct Inner {
    pools: Pools,
    readers: Arc<Semaphore>,
    writers: Arc<Semaphore>,
    wait: Duration,
    in_use: AtomicUsize,
}

enum Pools {
    Pg(r2d2::Pool<Manager<PgConnection>>),
    Sqlite {
        read: r2d2::Pool<Manager<SqliteConnection>>,
        write: r2d2::Pool<Manager<SqliteConnection>>,
    },
}

/// A pooled connection with what the pool must know of it.
struct Link<C> {
    connection: C,
    used: Instant,
    broken: bool,
}

struct Manager<C> {
    url: SecretString,
    open: fn(&str) -> Result<C, diesel::ConnectionError>,
}

impl<C> r2d2::ManageConnection for Manager<C>
where
    C: Connection<TransactionManager = AnsiTransactionManager> + Send + 'static,
{
    type Connection = Link<C>;
    type Error = diesel::ConnectionError;

    fn connect(&self) -> Result<Link<C>, diesel::ConnectionError> {
        let connection = (self.open)(self.url.expose_secret())?;
        Ok(Link {
            connection,
            used: Instant::now(),
            broken: false,
        })
    }

    fn is_valid(&self, link: &mut Link<C>) -> Result<(), diesel::ConnectionError> {
        if link.used.elapsed() < REST_MAX {
            return Ok(());
        }
        link.connection.batch_execute("SELECT 1").map_err(|error| {
            link.broken = true;
            diesel::ConnectionError::BadConnection(error.to_string())
        })
    }

    fn has_broken(&self, link: &mut Link<C>) -> bool {
        link.broken || AnsiTransactionManager::is_broken_transaction_manager(&mut link.connection)
    }
}

/// The connection was lost while the commit was on its way: the database may have made the change.
fn lost_in_commit(error: Error, decided: bool) -> Error {
    if decided && is_connection_lost(&error) {
        return Error::OutcomeUnknown(LOST);
    }
    error
}

/// A file that could not be written in COMMIT (full disk, I/O error) may hold the whole transaction all the same, and a
/// restart would find it. Only a commit that lost against another one is known to have done nothing.
fn failed_in_commit(error: Error, decided: bool) -> Error {
    if decided && !is_retryable(&error) {
        tracing::error!(%error, "a commit failed: what it wrote may or may not be there after a restart");
        return Error::OutcomeUnknown(UNWRITTEN);
    }
    error
}

/// WAL and FULL: an acknowledged commit survives a power cut (NORMAL can lose the last ones). Each connection keeps 8 MiB
/// of pages: what a batch of mints reads is read again when it is sent and when it is final.
fn open_sqlite(path: &str) -> Result<SqliteConnection, diesel::ConnectionError> {
    let mut connection = SqliteConnection::establish(path)?;
    let pragmas = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                   PRAGMA foreign_keys = ON; PRAGMA cache_size = -8192;";
    connection
        .batch_execute(pragmas)
        .map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}

/// One connection in use, counted until it is dropped: work that panics gives it back too.
struct InUse<'a>(&'a AtomicUsize);

impl<'a> InUse<'a> {
    fn count(counter: &'a AtomicUsize) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter)
    }
}

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Db {
    /// Opens the pools; connections are made when they are first needed, so that a database that is away for a moment
    /// does not stop the start.
    pub fn connect(settings: &Settings) -> Result<Self, Error> {
        let url = settings.url.expose_secret();
        let readers = usize::try_from(settings.connections_max).unwrap_or(1).max(1);
        let (pools, writers) = if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let manager = Manager {
                url: settings.url.clone(),
                open: postgres::open,
            };
            (
                Pools::Pg(pool(manager, settings.connections_max, settings.wait)),
                readers,
            )
        } else {
            let path = url.strip_prefix("sqlite:").unwrap_or(url).trim_start_matches("//");
            let path = SecretString::from(path.to_owned());
            let read = Manager {
                url: path.clone(),
                open: open_sqlite,
            };
            let write = Manager {
                url: path,
                open: open_sqlite,
            };
            let read = pool(read, settings.connections_max, settings.wait);
            (
                Pools::Sqlite {
                    read,
                    write: pool(write, 1, settings.wait),
                },
                1,
            )
        };
        let readers = Arc::new(Semaphore::new(readers));
        let writers = match pools {
            Pools::Pg(_) => Arc::clone(&readers),
            Pools::Sqlite { .. } => Arc::new(Semaphore::new(writers)),
        };
        let inner = Inner {
            pools,
            readers,
            writers,
            wait: settings.wait,
            in_use: AtomicUsize::new(0),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// There is one writer at a time (SQLite), so one mint lane serves all assets.
    pub fn has_single_writer(&self) -> bool {
        matches!(self.inner.pools, Pools::Sqlite { .. })
    }

    /// `sqlite` or `postgres`: for people and metrics.
    pub fn kind(&self) -> &'static str {
        if self.has_single_writer() { "sqlite" } else { "postgres" }
    }

    pub fn connections_in_use(&self) -> usize {
        self.inner.in_use.load(Ordering::Relaxed)
    }

    /// Runs queries without a transaction: each sees what is committed when it runs.
    pub async fn read<T, F>(&self, queries: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    {
        let permit = self.permit(&self.inner.readers).await?;
        let db = self.clone();
        blocking(move || {
            let _permit = permit;
            db.read_blocking(queries)
        })
        .await
    }

    /// Runs one transaction and commits it, again when it lost against another one.
    pub async fn write<T, F>(&self, transaction: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    {
        let permit = self.permit(&self.inner.writers).await?;
        let db = self.clone();
        blocking(move || {
            let _permit = permit;
            db.write_blocking(transaction)
        })
        .await
    }

    /// [`Self::read`] for a thread that may block.
    pub fn read_blocking<T>(&self, queries: impl FnOnce(&mut Tx<'_>) -> Result<T, Error>) -> Result<T, Error> {
        match &self.inner.pools {
            Pools::Pg(pool) => self.with(pool, |connection| queries(&mut Tx::Pg(connection))),
            Pools::Sqlite { read, .. } => self.with(read, |connection| queries(&mut Tx::Sqlite(connection))),
        }
    }

    /// [`Self::write`] for a thread that may block.
    pub fn write_blocking<T>(&self, transaction: impl Fn(&mut Tx<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let mut attempt = 1;
        loop {
            let result = self.write_once(&transaction);
            match result {
                Err(error) if is_retryable(&error) && attempt < ATTEMPTS_MAX => {
                    metrics::counter!("db_retries_total").increment(1);
                    std::thread::sleep(pause_before(attempt));
                    attempt += 1;
                }
                other => return other,
            }
        }
    }

    fn write_once<T>(&self, transaction: &impl Fn(&mut Tx<'_>) -> Result<T, Error>) -> Result<T, Error> {
        match &self.inner.pools {
            Pools::Pg(pool) => self.with(pool, |connection| {
                let decided = Cell::new(false);
                let committed = connection.transaction(|connection| {
                    let value = transaction(&mut Tx::Pg(connection))?;
                    decided.set(true);
                    Ok(value)
                });
                committed.map_err(|error| lost_in_commit(error, decided.get()))
            }),
            Pools::Sqlite { write, .. } => self.with(write, |connection| {
                let decided = Cell::new(false);
                let committed = connection.immediate_transaction(|connection| {
                    let value = transaction(&mut Tx::Sqlite(connection))?;
                    decided.set(true);
                    Ok(value)
                });
                committed.map_err(|error| failed_in_commit(error, decided.get()))
            }),
        }
    }

    /// Runs queries that all see the database as it was at one instant, and write nothing.
    pub async fn snapshot<T, F>(&self, queries: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    {
        let permit = self.permit(&self.inner.readers).await?;
        let db = self.clone();
        blocking(move || {
            let _permit = permit;
            match &db.inner.pools {
                Pools::Pg(pool) => db.with(pool, |connection| {
                    let mut transaction = connection.build_transaction().repeatable_read().read_only();
                    transaction.run(|connection| queries(&mut Tx::Pg(connection)))
                }),
                Pools::Sqlite { read, .. } => db.with(read, |connection| {
                    connection.transaction(|connection| queries(&mut Tx::Sqlite(connection)))
                }),
            }
        })
        .await
    }

    fn with<C, T>(
        &self,
        pool: &r2d2::Pool<Manager<C>>,
        work: impl FnOnce(&mut C) -> Result<T, Error>,
    ) -> Result<T, Error>
    where
        C: Connection<TransactionManager = AnsiTransactionManager> + Send + 'static,
    {
        let mut link = pool.get().map_err(|error| {
            tracing::warn!(%error, "no database connection");
            Error::Unavailable(LOST)
        })?;
        let in_use = InUse::count(&self.inner.in_use);
        let result = work(&mut link.connection);
        drop(in_use);
        link.used = Instant::now();
        link.broken = result
            .as_ref()
            .is_err_and(|error| is_connection_lost(error) || is_unknown(error));
        result
    }

    async fn permit(&self, permits: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Error> {
        match tokio::time::timeout(self.inner.wait, Arc::clone(permits).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(Error::Unavailable(BUSY)),
        }
    }

    /// Brings the schema up to this binary's; with `dry_run` only says what it would do. Refuses a newer schema. Where
    /// nothing is to be done nothing is written, so that a role that may not migrate can ask for it.
    pub fn migrate(&self, dry_run: bool) -> Result<MigrationReport, Error> {
        if self.read_blocking(schema_state)? == SchemaState::Current {
            return Ok(MigrationReport::default());
        }
        match &self.inner.pools {
            Pools::Pg(pool) => self.with(pool, |connection| migrate::run_postgres(connection, dry_run)),
            Pools::Sqlite { write, .. } => self.with(write, |connection| migrate::run_sqlite(connection, dry_run)),
        }
    }

    /// Takes every migration back, and everything stored with it: for a demo that begins anew, and the tests of the
    /// migrations.
    pub fn revert_migrations(&self) -> Result<(), Error> {
        match &self.inner.pools {
            Pools::Pg(pool) => self.with(pool, migrate::revert_postgres),
            Pools::Sqlite { write, .. } => self.with(write, migrate::revert_sqlite),
        }
    }

    /// One round trip to the database.
    pub async fn ping(&self) -> Result<(), Error> {
        self.read(|tx| {
            crate::on!(tx, c => diesel::sql_query("SELECT 1").execute(c))?;
            Ok(())
        })
        .await
    }
}

fn pool<C>(manager: Manager<C>, connections_max: u32, wait: Duration) -> r2d2::Pool<Manager<C>>
where
    C: Connection<TransactionManager = AnsiTransactionManager> + Send + 'static,
{
    r2d2::Pool::builder()
        .max_size(connections_max.max(1))
        .min_idle(Some(0))
        .connection_timeout(wait)
        .test_on_check_out(true)
        .build_unchecked(manager)
}

/// Exponential from 2 ms, with the low bits of the time as jitter, so that two losers do not meet again.
fn pause_before(attempt: u32) -> Duration {
    let step = 2_u64.saturating_pow(attempt.min(7));
    let jitter = u64::from(rand::random::<u16>()) % step.max(1);
    Duration::from_millis(step.saturating_add(jitter))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(join) => Err(Error::Internal(format!("a database task ended early: {join}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::OVERLOADED;
    use super::*;

    #[test]
    fn a_commit_that_the_disk_refused_is_not_known_to_have_done_nothing() {
        for refused in [
            Error::internal("database: disk I/O error"),
            Error::Unavailable(OVERLOADED),
        ] {
            let told = failed_in_commit(refused, true);

            assert!(matches!(told, Error::OutcomeUnknown(UNWRITTEN)), "{told}");
        }
    }

    #[test]
    fn a_commit_that_was_not_reached_or_lost_against_another_is_known_to_have_done_nothing() {
        let before = failed_in_commit(Error::internal("database: disk I/O error"), false);
        let busy = failed_in_commit(Error::Unavailable(BUSY), true);

        assert!(matches!(before, Error::Internal(_)), "{before}");
        assert!(is_retryable(&busy), "{busy}");
    }
}
