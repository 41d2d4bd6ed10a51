//! The server killed at random moments under load: what it acknowledged is there exactly once, and nothing is there that
//! nobody asked for, in the books and, where it settles there, on the chain. `MONEYER_KILLS` is the number of kills,
//! `MONEYER_FAULTS` that of faults on the way to the chain; `MONEYER_SEED` repeats a run, and each prints its own.

#![expect(
    clippy::as_conversions,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot be set up fails by panicking"
)]

#[path = "../benches/load/ceiling.rs"]
mod ceiling;
#[path = "../benches/load/chaos.rs"]
mod chaos;
#[path = "../benches/load/client.rs"]
mod client;
#[path = "../benches/load/evil.rs"]
mod evil;
#[path = "../benches/load/journal.rs"]
mod journal;
#[path = "../benches/load/kill.rs"]
mod kill;
#[path = "../benches/load/logs.rs"]
mod logs;
#[path = "../benches/load/mint.rs"]
mod mint;
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    reason = "the tests' own, which fail by panicking"
)]
#[path = "support/node.rs"]
mod node;
#[path = "../benches/load/order.rs"]
#[expect(dead_code, reason = "the bench of settlement uses more of it")]
mod order;
#[path = "../benches/load/people.rs"]
mod people;
#[path = "../benches/load/person.rs"]
mod person;
#[path = "../benches/load/place.rs"]
mod place;
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    reason = "the tests' own, which fail by panicking"
)]
#[path = "support/proxy.rs"]
mod proxy;
#[path = "../benches/load/reconcile.rs"]
mod reconcile;
#[path = "../benches/load/server.rs"]
mod server;
#[path = "../benches/load/world.rs"]
mod world;

use std::fs;

use clap::Parser;
use diesel::RunQueryDsl as _;
use kill::{Aftermath, KillArgs};
use moneyer::on;
use place::Engine;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Enough to hit requests in every stage, few enough for every run of the tests.
const KILLS_DEFAULT: u32 = 8;
/// Less than a minute on each database.
const FAULTS_DEFAULT: u32 = 15;

#[expect(clippy::disallowed_methods, reason = "settings of the tests, not of the server")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn number<T: std::str::FromStr>(name: &str) -> Option<T> {
    setting(name).map(|text| text.parse().ok().unwrap_or_else(|| panic!("{name} is not a number")))
}

fn arguments(database: Engine, kills: u32) -> KillArgs {
    KillArgs {
        database,
        kills,
        clients: 8,
        recipients: 20,
        seed: number("MONEYER_SEED"),
    }
}

fn kill_again_and_again(database: Engine) {
    let args = arguments(database, number("MONEYER_KILLS").unwrap_or(KILLS_DEFAULT));

    let aftermath = kill::run(&args, setting("MONEYER_TEST_POSTGRES").as_deref()).expect("a run that comes to its end");
    let report = aftermath.judge(&args).expect("a run that can be judged");

    println!("{report:?}");
    assert!(report.acknowledged > 0);
    assert!(report.is_sound(), "{report:#?}");
}

#[test]
fn every_acknowledged_mint_is_there_once_after_kills_on_sqlite() {
    kill_again_and_again(Engine::Sqlite);
}

#[test]
fn every_acknowledged_mint_is_there_once_after_kills_on_postgres() {
    kill_again_and_again(Engine::Postgres);
}

/// What would be wrong after a crash is done by hand, one thing at a time, and must be seen.
#[test]
fn a_mint_that_is_lost_doubled_or_nobodys_is_found() {
    let args = arguments(Engine::Sqlite, 1);
    let aftermath = kill::run(&args, None).expect("a run that comes to its end");
    let judge = || aftermath.judge(&args).expect("a run that can be judged");
    let sound = judge();
    assert!(sound.is_sound(), "{sound:#?}");
    let journal = fs::read_to_string(&aftermath.journal).expect("a journal");
    let write = |text: &str| fs::write(&aftermath.journal, text).expect("a journal");
    let (first, others) = journal.split_once('\n').expect("a first line");

    // Committed, and no client knows of it: as a mint that was done twice, or without anybody's wish.
    write(others);
    let unknown = judge();
    assert!(
        unknown.faults.iter().any(|fault| fault.contains("is nobody's")),
        "{unknown:#?}"
    );

    write(&format!("{journal}{first}\n"));
    let twice = judge();
    assert_eq!((twice.doubled, twice.lost), (1, 0), "{twice:#?}");

    // Another recipient than the one that was asked for.
    let (known, stranger) = (recipient_of(first), "0x00000000000000000000000000000000000000AA");
    write(&journal.replacen(&known, stranger, 1));
    let other = judge();
    assert_eq!((other.doubled, other.lost), (0, 1), "{other:#?}");

    write(&journal);
    assert!(judge().is_sound());
    delete_operation(&aftermath, first);
    let lost = judge();
    assert_eq!(
        (lost.doubled, lost.lost, lost.check.as_str()),
        (0, 1, "faults"),
        "{lost:#?}"
    );
}

fn chaos_on_a_chain(database: Engine) {
    let args = chaos::ChaosArgs {
        database,
        faults: number("MONEYER_FAULTS").unwrap_or(FAULTS_DEFAULT),
        clients: 3,
        recipients: 10,
        seed: number("MONEYER_SEED"),
    };

    let report = chaos::run(&args, setting("MONEYER_TEST_POSTGRES").as_deref()).expect("a run that comes to its end");

    println!("{}", serde_json::to_string(&report).expect("a line of JSON"));
    assert!(report.acknowledged > 0);
    assert!(report.is_sound(), "{report:#?}");
    // So many that each was tried several times: one that never finds anything to strike at proves nothing.
    if args.faults >= 100 {
        assert!(report.struck.values().all(|times| *times > 0), "{report:#?}");
    }
}

#[test]
fn every_acknowledged_mint_is_on_the_chain_once_after_random_faults_on_sqlite() {
    chaos_on_a_chain(Engine::Sqlite);
}

#[test]
fn every_acknowledged_mint_is_on_the_chain_once_after_random_faults_on_postgres() {
    chaos_on_a_chain(Engine::Postgres);
}

fn line_of(journal: &str) -> serde_json::Value {
    serde_json::from_str(journal).expect("a line of the journal")
}

/// The first recipient of a line of the journal, as it is written there.
fn recipient_of(line: &str) -> String {
    line_of(line)["lines"][0][0].as_str().expect("a recipient").to_owned()
}

/// Takes back what a line of the journal acknowledges; on SQLite, where an id is its 16 bytes.
fn delete_operation(aftermath: &Aftermath, line: &str) {
    let id = line_of(line)["operation"]
        .as_str()
        .expect("an operation")
        .replace('-', "");
    let statement = format!("DELETE FROM operations WHERE id = x'{id}'");
    let deleted = aftermath
        .db
        .write_blocking(|tx| Ok(on!(tx, c => diesel::sql_query(&statement).execute(c))?))
        .expect("a change");
    assert_eq!(deleted, 1, "{statement}");
}

#[derive(Parser)]
struct Measure {
    #[command(flatten)]
    args: mint::MintArgs,
}

/// The bench that prints the figures is run by hand; here it runs for a second, so that it still can.
fn measure(database: &str) {
    let line = format!("bench --database {database} --recipients 3 --assets 2 --clients 4 --seconds 1 --pool 100");
    let Measure { args } = Measure::parse_from(line.split(' '));

    let report = mint::run(&args, setting("MONEYER_TEST_POSTGRES").as_deref()).expect("figures");

    println!("{report}");
    let report: serde_json::Value = serde_json::from_str(&report).expect("a line of JSON");
    assert_eq!(report["errors"], 0, "{report}");
    for figure in [
        "recipients_per_s",
        "ceiling_recipients_per_s",
        "server_cpu_us_per_request",
        "rss_mb",
    ] {
        assert!(report[figure].as_f64().is_some_and(|figure| figure > 0.0), "{report}");
    }
}

#[test]
fn the_load_is_measured_without_errors_on_sqlite() {
    measure("sqlite");
}

#[test]
fn the_load_is_measured_without_errors_on_postgres() {
    measure("postgres");
}
