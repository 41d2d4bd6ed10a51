//! What PostgreSQL says is understood in whatever language it says it. In German here; skipped, and said so, where the
//! cluster has no German.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use diesel::RunQueryDsl as _;
use moneyer::db::{Db, Settings, Tx, is_away};
use moneyer::error::Error;
use moneyer::on;

use crate::support::{Database, TestDatabase, administer};

const GERMAN: &str = "de_DE.UTF-8";

struct German {
    database: TestDatabase,
    clerk: String,
}

impl German {
    /// A table of two rows, and a role that may write to it and is nobody otherwise.
    async fn new(test: &str) -> Option<Self> {
        let database = TestDatabase::empty(Database::Postgres).await;
        let clerk = format!("clerk_{test}_{}", std::process::id());
        let german = Self { database, clerk };
        if !german.database.speak(GERMAN).await {
            eprintln!("SKIPPED: the cluster has no locale {GERMAN}");
            german.remove().await;
            return None;
        }
        administer(format!("CREATE ROLE {} LOGIN", german.clerk)).await;
        let table = format!(
            "CREATE TABLE ledgers (id integer PRIMARY KEY, pages integer NOT NULL); \
             INSERT INTO ledgers VALUES (1, 0), (2, 0); GRANT SELECT, UPDATE ON ledgers TO {}",
            german.clerk
        );
        let superuser = german.open(&german.database.url);
        for statement in table.split("; ") {
            let statement = statement.to_owned();
            superuser.write(move |tx| run(tx, &statement)).await.unwrap();
        }
        Some(german)
    }

    fn open(&self, url: &str) -> Db {
        let settings = Settings {
            url: url.to_owned().into(),
            connections_max: 2,
            wait: Duration::from_secs(10),
        };
        Db::connect(&settings).unwrap()
    }

    fn as_clerk(&self) -> Db {
        self.open(&self.database.url_as(&self.clerk))
    }

    async fn remove(self) {
        self.database.remove().await;
        administer(format!("DROP ROLE IF EXISTS {}", self.clerk)).await;
    }
}

fn run(tx: &mut Tx<'_>, statement: &str) -> Result<(), Error> {
    on!(tx, c => diesel::sql_query(statement).execute(c))?;
    Ok(())
}

fn add_page(tx: &mut Tx<'_>, ledger: i32) -> Result<(), Error> {
    run(tx, &format!("UPDATE ledgers SET pages = pages + 1 WHERE id = {ledger}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_may_not_choose_the_language_hears_german() {
    let Some(german) = German::new("hears").await else {
        return;
    };

    let heard = german.as_clerk().write(|tx| run(tx, "SELECT 1 / 0")).await;

    assert!(heard.unwrap_err().to_string().contains("Division durch Null"));
    german.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_superuser_chooses_english() {
    let Some(german) = German::new("superuser").await else {
        return;
    };

    let heard = german
        .open(&german.database.url)
        .write(|tx| run(tx, "SELECT 1 / 0"))
        .await;

    assert!(heard.unwrap_err().to_string().contains("division by zero"));
    german.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_loser_of_a_deadlock_runs_again_although_it_is_told_so_in_german() {
    let Some(german) = German::new("deadlock").await else {
        return;
    };
    let (db, barrier) = (german.as_clerk(), Arc::new(Barrier::new(2)));

    let crossing = |first: i32, second: i32| {
        let (db, barrier, runs) = (db.clone(), Arc::clone(&barrier), AtomicUsize::new(0));
        std::thread::spawn(move || {
            db.write_blocking(|tx| {
                add_page(tx, first)?;
                // Both hold a row before either asks for the other one.
                if runs.fetch_add(1, Ordering::SeqCst) == 0 {
                    barrier.wait();
                }
                add_page(tx, second)
            })?;
            Ok::<_, Error>(runs.load(Ordering::SeqCst))
        })
    };
    let (one, other) = (crossing(1, 2), crossing(2, 1));
    let runs = tokio::task::spawn_blocking(move || one.join().unwrap().unwrap() + other.join().unwrap().unwrap());

    assert_eq!(runs.await.unwrap(), 3, "one of them lost once");
    german.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_was_cut_is_lost_in_german_too() {
    let Some(german) = German::new("cut").await else { return };
    let db = german.as_clerk();

    let cut = db
        .write(|tx| run(tx, "SELECT pg_terminate_backend(pg_backend_pid())"))
        .await;

    assert!(is_away(&cut.unwrap_err()));
    db.write(|tx| add_page(tx, 1)).await.unwrap();
    german.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_is_answered_in_english_knows_a_lock_that_timed_out() {
    let Some(german) = German::new("lock").await else {
        return;
    };
    administer(format!("ALTER ROLE {} SET lc_messages = 'C'", german.clerk)).await;
    let db = german.as_clerk();
    let (taken, release) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let holder = {
        let (db, taken, release) = (db.clone(), Arc::clone(&taken), Arc::clone(&release));
        std::thread::spawn(move || {
            db.write_blocking(|tx| {
                add_page(tx, 1)?;
                taken.wait();
                release.wait();
                Ok(())
            })
        })
    };
    taken.wait();

    let waiting = db.write(|tx| {
        run(tx, "SET LOCAL lock_timeout = '20ms'")?;
        add_page(tx, 1)
    });
    let refused = waiting.await.unwrap_err();

    assert!(matches!(refused, Error::Unavailable(_)), "{refused}");
    assert!(!is_away(&refused));
    release.wait();
    holder.join().unwrap().unwrap();
    german.remove().await;
}
