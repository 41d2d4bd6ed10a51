//! What an operator types, on databases that are there, are not there, or belong to other secrets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and their runtime is made for them"
)]

mod support;

use std::process::{Command, Output};

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, SqliteConnection};
use support::{Database, TestDatabase};

const WALLET: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";

fn moneyer(url: &str, secrets: [&str; 2], arguments: &[&str]) -> Output {
    let [pepper, data_key] = secrets.map(|secret| secret.repeat(32));
    let mut command = without_secrets(url, arguments);
    command
        .env("MONEYER_MODE", "production")
        .env("MONEYER_SECRETS__PEPPER", pepper)
        .env("MONEYER_SECRETS__DATA_KEY", data_key);
    command.output().unwrap()
}

fn without_secrets(url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_moneyer"));
    command
        .args(["--database", url])
        .args(arguments)
        .env_clear()
        .env("MONEYER_DATABASE__WAIT_SECONDS", "1")
        .env(
            "MONEYER_POLICIES__DIR",
            concat!(env!("CARGO_MANIFEST_DIR"), "/policies"),
        );
    command
}

/// What it said, on either stream, and its exit code.
fn said(output: &Output) -> (Option<i32>, String) {
    let (out, err) = (&output.stdout, &output.stderr);
    let text = format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err));
    (output.status.code(), text)
}

fn refused(output: &Output, code: i32, why: &str) {
    let (found, text) = said(output);
    assert_eq!(found, Some(code), "{text}");
    assert!(text.contains(why), "{text}");
}

fn done(output: &Output) -> String {
    let (found, text) = said(output);
    assert_eq!(found, Some(0), "{text}");
    text
}

const BOOTSTRAP: [&str; 6] = ["admin", "bootstrap", "--name", "First admin", "--wallet", WALLET];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_start_in_production_needs_the_owner_for_the_schema_only() {
    let database = TestDatabase::empty(Database::Postgres).await;
    let own = ["11", "22"];
    done(&moneyer(&database.owner_url, own, &["migrate"]));
    let url = database.granted().await;

    let bootstrapped = done(&moneyer(&url, own, &BOOTSTRAP));
    let migrated = done(&moneyer(&url, own, &["migrate"]));
    let users = done(&moneyer(&url, own, &["admin", "user", "list"]));

    assert!(bootstrapped.contains("mny_live_"), "{bootstrapped}");
    assert!(migrated.contains("up to date"), "{migrated}");
    assert!(users.contains("First admin"), "{users}");
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_development_keys_make_no_administrator_on_postgres() {
    let database = TestDatabase::empty(Database::Postgres).await;

    let bootstrapped = without_secrets(&database.url, &BOOTSTRAP).output().unwrap();

    refused(&bootstrapped, 2, "is the development key");
    let users = without_secrets(&database.url, &["admin", "user", "list"]).output();
    refused(&users.unwrap(), 2, "has no schema of Moneyer");
    database.remove().await;
}

#[test]
fn other_secrets_than_those_of_the_database_are_refused_by_server_and_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db").display().to_string();
    let url = format!("sqlite:{path}");
    let own = ["11", "22"];
    done(&moneyer(&url, own, &BOOTSTRAP));
    let users = done(&moneyer(&url, own, &["admin", "user", "list"]));
    let user = users.split_whitespace().next().unwrap();
    let create_key = ["admin", "key", "create", user];

    for (secrets, differing) in [
        (["33", "22"], "secrets.pepper is not"),
        (["11", "33"], "secrets.data_key is not"),
        (["33", "33"], "secrets.pepper and secrets.data_key are not"),
    ] {
        for command in [create_key.as_slice(), &["serve"], &["work"]] {
            refused(&moneyer(&url, secrets, command), 2, differing);
        }
    }
    refused(
        &without_secrets(&url, &create_key).output().unwrap(),
        2,
        "secrets.pepper and secrets.data_key are not",
    );
    assert!(done(&moneyer(&url, own, &create_key)).contains("mny_live_"));

    // A database from before there was such a check knows no secrets, until a server starts.
    let mut connection = SqliteConnection::establish(&path).unwrap();
    connection.batch_execute("DELETE FROM secret_checks").unwrap();
    done(&moneyer(&url, own, &create_key));
    let other = moneyer(&url, ["33", "33"], &["admin", "user", "list"]);
    assert_eq!(other.status.code(), Some(0), "{}", said(&other).1);
}

#[test]
fn what_reads_a_database_makes_none() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("nowhere");
    let url = format!("sqlite:{}", place.join("x.db").display());
    let own = ["11", "22"];

    for command in [
        ["check"].as_slice(),
        &["admin", "user", "list"],
        &["admin", "settlement", "list"],
        &["admin", "policy", "show"],
    ] {
        refused(&moneyer(&url, own, command), 2, "there is no database");
    }
    assert!(!place.exists());

    let mut unknown = without_secrets("mysql://x", &["check"]);
    unknown.current_dir(folder.path());
    refused(&unknown.output().unwrap(), 2, "must be postgres://");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_check_that_cannot_compare_is_told_from_one_that_found_a_fault() {
    let away = "postgres://nobody@127.0.0.1:1/nothing";

    refused(&moneyer(away, ["11", "22"], &["check"]), 3, "the database");
}

#[test]
fn a_check_shows_the_heads_that_fix_what_it_checked() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("x.db").display());
    let own = ["11", "22"];
    done(&moneyer(&url, own, &BOOTSTRAP));

    let heads = done(&moneyer(&url, own, &["check", "--heads"]));
    let unasked = done(&moneyer(&url, own, &["check"]));

    let is_head = |line: &&str| {
        let words: Vec<&str> = line.split(' ').collect();
        words.len() == 4 && words[0] == "head" && words[1].starts_with("system:") && words[3].len() == 66
    };
    assert!(heads.lines().any(|line| is_head(&line)), "{heads}");
    assert!(heads.contains("sound"), "{heads}");
    assert!(!unasked.contains("head "), "{unasked}");
}
