//! The migrations of both databases: they go up, down and up again, name what they make, and leave behind what
//! `src/db/schema.rs` says; and amounts, which no database holds by itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    reason = "tests fail by panicking"
)]

#[path = "migrations/catalogue.rs"]
mod catalogue;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use catalogue::Raw;
use diesel::ExpressionMethods as _;
use diesel::backend::Backend;
use diesel::prelude::*;
use diesel_migrations::{FileBasedMigrations, MigrationHarness};
use moneyer::db::schema::claim_topics;
use moneyer::db::{Db, Settings, migrations_of};
use moneyer::error::Error;
use moneyer::on;
use moneyer::types::{Amount, Timestamp};
use support::{Database, Server, TestDatabase};

const BOTH: [Database; 2] = [Database::Sqlite, Database::Postgres];

fn folder(database: Database) -> PathBuf {
    let name = match database {
        Database::Sqlite => "sqlite",
        Database::Postgres => "postgres",
    };
    Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(name)
}

/// Names of the migrations of one database, oldest first.
fn names_in(database: Database) -> Vec<String> {
    let entries = fs::read_dir(folder(database)).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Everything that goes up, and the table that the migrations run under.
fn text_of(database: Database) -> String {
    let migrations = names_in(database);
    let mut text = include_str!("../src/db/migrate.rs").to_owned();
    for name in migrations {
        text += &fs::read_to_string(folder(database).join(name).join("up.sql")).unwrap();
    }
    text
}

fn open(database: &TestDatabase) -> Db {
    let settings = Settings {
        url: database.url.clone().into(),
        connections_max: 2,
        wait: Duration::from_secs(10),
    };
    Db::connect(&settings).unwrap()
}

/// A database of each kind with the schema of this binary in it.
async fn migrated() -> Vec<(Database, TestDatabase)> {
    let mut databases = Vec::new();
    for kind in BOTH {
        let database = TestDatabase::empty(kind).await;
        open(&database).migrate(false).unwrap();
        databases.push((kind, database));
    }
    databases
}

// --- up and down ----------------------------------------------------------------------------------------------------

#[test]
fn both_databases_have_the_same_migrations_each_with_a_way_up_and_down() {
    assert_eq!(names_in(Database::Sqlite), names_in(Database::Postgres));
    for database in BOTH {
        for name in names_in(database) {
            for file in ["up.sql", "down.sql"] {
                let text = fs::read_to_string(folder(database).join(&name).join(file)).unwrap();
                assert!(!text.trim().is_empty(), "{database:?} {name}/{file} is empty");
            }
        }
    }
    let numbers = names_in(Database::Postgres).into_iter();
    let numbers: Vec<String> = numbers
        .map(|name| name.split('_').next().unwrap().replace('-', ""))
        .collect();
    assert_eq!(
        migrations_of().unwrap(),
        numbers,
        "what is in the folder is in the binary"
    );
}

/// Takes each migration up, down and up again; what goes down leaves what it found.
fn walk<C, DB>(connection: &mut C, database: Database, schema: &mut dyn FnMut() -> Vec<String>)
where
    DB: Backend,
    C: MigrationHarness<DB>,
{
    let source = || FileBasedMigrations::from_path(folder(database)).unwrap();
    for name in names_in(database) {
        let before = schema();
        connection.run_next_migration(source()).unwrap();
        let after = schema();
        assert_ne!(before, after, "{name} changes nothing");
        connection.revert_last_migration(source()).unwrap();
        assert_eq!(schema(), before, "{name} leaves something behind when it goes down");
        connection.run_next_migration(source()).unwrap();
        assert_eq!(schema(), after, "{name} does something else the second time");
    }
    assert!(!connection.has_pending_migration(source()).unwrap());
}

#[tokio::test]
async fn each_migration_goes_up_down_and_up_again() {
    for kind in BOTH {
        let database = TestDatabase::empty(kind).await;
        let mut other = Raw::open(&database.url);

        match Raw::open(&database.url) {
            Raw::Pg(mut connection) => walk(connection.as_mut(), kind, &mut || other.text()),
            Raw::Sqlite(mut connection) => walk(connection.as_mut(), kind, &mut || other.text()),
        }

        drop(other);
        database.remove().await;
    }
}

#[tokio::test]
async fn the_binary_brings_a_database_up_once_and_takes_all_of_it_back() {
    for kind in BOTH {
        let database = TestDatabase::empty(kind).await;
        let (db, mut raw) = (open(&database), Raw::open(&database.url));
        let all = migrations_of().unwrap();

        let planned = db.migrate(true).unwrap();
        assert_eq!((planned.applied, planned.pending), (Vec::new(), all.clone()));
        assert_eq!(raw.tables().into_keys().collect::<Vec<_>>(), ["leases"], "a dry run");

        let first = db.migrate(false).unwrap();
        assert_eq!((first.applied, first.pending), (all, Vec::new()));
        let schema = raw.text();
        let second = db.migrate(false).unwrap();
        assert_eq!((second.applied, second.pending), (Vec::new(), Vec::new()));

        db.revert_migrations().unwrap();
        assert_eq!(raw.tables().into_keys().collect::<Vec<_>>(), ["leases"]);
        db.migrate(false).unwrap();
        assert_eq!(raw.text(), schema);

        drop((db, raw));
        database.remove().await;
    }
}

#[tokio::test]
async fn a_database_that_a_newer_binary_migrated_is_refused() {
    for (_, database) in migrated().await {
        let (db, mut raw) = (open(&database), Raw::open(&database.url));
        raw.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')")
            .unwrap();
        let schema = raw.text();

        for dry_run in [true, false] {
            match db.migrate(dry_run) {
                Err(Error::Internal(reason)) => {
                    assert!(reason.contains("29990101000000"), "{reason}");
                    assert!(reason.contains("newer binary"), "{reason}");
                }
                other => panic!("{other:?}"),
            }
        }

        assert_eq!(raw.text(), schema);
        drop((db, raw));
        database.remove().await;
    }
}

#[tokio::test]
async fn processes_that_migrate_at_once_all_succeed_and_one_of_them_does_it() {
    const PROCESSES: usize = 4;
    for kind in BOTH {
        for _ in 0..3 {
            let database = TestDatabase::empty(kind).await;
            let barrier = Arc::new(Barrier::new(PROCESSES));
            let processes: Vec<_> = (0..PROCESSES)
                .map(|_| {
                    let (db, barrier) = (open(&database), Arc::clone(&barrier));
                    std::thread::spawn(move || {
                        barrier.wait();
                        db.migrate(false)
                    })
                })
                .collect();

            let reports = processes.into_iter().map(|process| process.join().unwrap().unwrap());

            let applied: Vec<String> = reports.flat_map(|report| report.applied).collect();
            assert_eq!(applied, migrations_of().unwrap(), "{kind:?}");
            database.remove().await;
        }
    }
}

// --- what they leave behind -----------------------------------------------------------------------------------------

#[tokio::test]
async fn the_schema_in_rust_agrees_with_both_catalogues() {
    for (kind, database) in migrated().await {
        let written = catalogue::written_schema(match kind {
            Database::Sqlite => catalogue::kind_on_sqlite,
            Database::Postgres => catalogue::kind_on_postgres,
        });
        let found = Raw::open(&database.url).tables();

        let names = |tables: &catalogue::Tables| tables.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&written), names(&found), "{kind:?}");
        for (table, columns) in &written {
            assert_eq!(columns, &found[table], "{kind:?} {table}");
        }
        database.remove().await;
    }
}

/// The names that the text gives to constraints and indexes, each with how often; one that is dropped is given again, or gone.
fn given_names(text: &str) -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    let words: Vec<&str> = text
        .split([' ', '\n', '(', ')'])
        .filter(|word| !word.is_empty())
        .collect();
    for triple in words
        .windows(3)
        .filter(|triple| ["CONSTRAINT", "INDEX"].contains(&triple[1]))
    {
        let times: &mut usize = names.entry(triple[2].trim_end_matches(';').to_owned()).or_default();
        match triple[0] {
            "DROP" => *times -= 1,
            _ => *times += 1,
        }
    }
    names.retain(|_, times| *times > 0);
    names
}

#[tokio::test]
async fn every_constraint_and_index_has_the_name_that_we_gave_it() {
    let given = given_names(&text_of(Database::Postgres));
    let given: BTreeSet<String> = given.into_keys().collect();

    for (kind, database) in migrated().await {
        if kind == Database::Postgres {
            assert_eq!(Raw::open(&database.url).names(), given);
        }
        database.remove().await;
    }
}

/// SQLite forgets the names of constraints, so its text is asked: what constrains is a part of its own, with a name.
#[test]
fn no_column_on_sqlite_has_a_constraint_without_a_name() {
    let text = text_of(Database::Sqlite);
    let (_, tables) = text.split_once("CREATE TABLE users").unwrap();
    let parts = tables.lines().map(str::trim).filter(|line| !line.starts_with("--"));
    for part in parts {
        let constrains = ["PRIMARY KEY", "UNIQUE (", "CHECK", "REFERENCES"].iter();
        let constrains = constrains.filter(|word| part.contains(*word)).count() > 0;
        assert!(
            !constrains || part.starts_with("CONSTRAINT ") || part.starts_with("CREATE UNIQUE INDEX "),
            "{part}"
        );
        // A column that is added needs a value for the rows that are there, and for those of a binary that is older.
        let is_added = part.starts_with("ALTER TABLE ");
        assert!(
            is_added || !part.contains(" DEFAULT "),
            "a default hides a forgotten value: {part}"
        );
    }
}

#[test]
fn a_name_is_given_once_and_means_the_same_on_both_databases() {
    let (postgres, sqlite) = (
        given_names(&text_of(Database::Postgres)),
        given_names(&text_of(Database::Sqlite)),
    );

    // The text of the lease table is in both: once for each database.
    let twice = |names: &BTreeMap<String, usize>| {
        let twice = names.iter().filter(|(_, times)| **times > 1);
        twice.map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        (twice(&postgres), twice(&sqlite)),
        (vec!["leases_pk".to_owned()], vec!["leases_pk".to_owned()])
    );
    // PostgreSQL's types say what SQLite needs a check for: booleans and times.
    let only_sqlite = sqlite.keys().filter(|name| !postgres.contains_key(*name));
    let only_sqlite: Vec<&String> = only_sqlite.filter(|name| !name.ends_with("_form")).collect();
    assert_eq!(only_sqlite, Vec::<&String>::new());
    let only_postgres: Vec<&String> = postgres.keys().filter(|name| !sqlite.contains_key(*name)).collect();
    assert_eq!(only_postgres, Vec::<&String>::new());
}

#[tokio::test]
async fn every_table_on_sqlite_refuses_a_value_of_another_type() {
    let database = TestDatabase::empty(Database::Sqlite).await;
    open(&database).migrate(false).unwrap();

    assert_eq!(Raw::open(&database.url).loose_tables(), Vec::<String>::new());
}

// --- the audit log --------------------------------------------------------------------------------------------------

both_databases! {
    nobody_changes_or_deletes_what_the_audit_log_holds,
    what_is_recorded_is_not_recorded_again,
}

async fn nobody_changes_or_deletes_what_the_audit_log_holds(server: &Server) {
    let mut owner = Raw::open(&server.database.owner_url);
    let tables = ["audit_events", "audit_subjects", "audit_streams"];
    let rows = tables.map(|table| owner.count(table, "TRUE"));
    assert!(rows.iter().all(|rows| *rows > 0), "{rows:?}");

    let mut statements = vec![
        "UPDATE audit_events SET data = '{}'".to_owned(),
        "UPDATE audit_events SET sequence = sequence + 1000".to_owned(),
        "UPDATE audit_subjects SET sequence = sequence + 1000".to_owned(),
    ];
    statements.extend(tables.map(|table| format!("DELETE FROM {table}")));
    if let Raw::Pg(_) = owner {
        statements.extend(tables.map(|table| format!("TRUNCATE {table}")));
        owner.execute("SET session_replication_role = replica").unwrap();
    }
    for statement in &statements {
        let refusal = owner.refusal(statement);
        assert!(refusal.contains("append-only"), "{statement}: {refusal}");
    }

    assert_eq!(tables.map(|table| owner.count(table, "TRUE")), rows);
}

async fn what_is_recorded_is_not_recorded_again(server: &Server) {
    let mut owner = Raw::open(&server.database.owner_url);
    let again = "INTO audit_events SELECT * FROM audit_events WHERE sequence = 1";

    let refusal = match owner {
        Raw::Pg(_) => owner.refusal(&format!("INSERT {again}")),
        Raw::Sqlite(_) => owner.refusal(&format!("INSERT OR REPLACE {again}")),
    };

    assert!(
        refusal.contains("audit_events_pk") || refusal.contains("append-only"),
        "{refusal}"
    );
}

/// The README's grants are those that every test on PostgreSQL works with; here what they leave out.
#[tokio::test]
async fn the_role_of_the_server_may_not_touch_evidence_or_schema() {
    let server = Server::start(Database::Postgres).await;
    let mut role = Raw::open(&server.database.url);

    for statement in [
        "UPDATE audit_events SET data = '{}'",
        "DELETE FROM audit_subjects",
        "TRUNCATE audit_events",
        "DELETE FROM postings",
        "DELETE FROM operations",
        "DELETE FROM assets",
        "UPDATE __diesel_schema_migrations SET version = ''",
        "ALTER TABLE audit_events DISABLE TRIGGER ALL",
        "DROP TRIGGER audit_events_append_only ON audit_events",
        "DROP TABLE audit_subjects",
    ] {
        let refusal = role.refusal(statement);
        assert!(
            refusal.contains("permission denied") || refusal.contains("must be owner"),
            "{statement}: {refusal}"
        );
    }

    drop(role);
    server.finish().await;
}

// --- amounts --------------------------------------------------------------------------------------------------------

const TOO_MUCH: &str = "115792089237316195423570985008687907853269984665640564039457584007913129639936";

/// Amounts that a database gets wrong when it is not careful: around 2^53, 2^63, 2^64, 10^18, and the largest.
fn amounts() -> Vec<Amount> {
    let parsed = [
        "0",
        "1",
        "9999",
        "10000",
        "100000000",
        "9007199254740993",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551616",
        "1000000000000000000",
        "1000000000000000001",
        "79228162514264337593543950336",
        "100000000000000000000000000000000000000000000000000000000000000000000000000000",
        "115792089237316195423570985008687907853269984665640564039457584007913129639934",
    ];
    let parsed = parsed.into_iter().map(|text| Amount::parse(text).unwrap());
    parsed.chain([Amount::MAX]).collect()
}

#[tokio::test]
async fn every_amount_comes_back_as_it_went_in_and_in_the_right_order() {
    for (kind, database) in migrated().await {
        let db = open(&database);
        let write = |tx: &mut moneyer::db::Tx<'_>| {
            for amount in amounts() {
                let row = (
                    claim_topics::name.eq(amount.to_string()),
                    claim_topics::number.eq(amount),
                    claim_topics::signature.eq(""),
                    claim_topics::validity_seconds_max.eq(1_i64),
                    claim_topics::created_at.eq(Timestamp::from_seconds(1)),
                );
                on!(tx, c => diesel::insert_into(claim_topics::table).values(row).execute(c))?;
            }
            Ok(())
        };
        db.write(write).await.unwrap();

        let stored: Vec<(String, Amount)> = db
            .read(|tx| {
                let query = claim_topics::table
                    .select((claim_topics::name, claim_topics::number))
                    .order(claim_topics::number);
                Ok(on!(tx, c => query.load(c))?)
            })
            .await
            .unwrap();

        let mut expected = amounts();
        expected.sort();
        assert_eq!(stored.iter().map(|row| row.1).collect::<Vec<_>>(), expected, "{kind:?}");
        for (name, amount) in stored {
            assert_eq!(name, amount.to_string(), "{kind:?}");
        }
        drop(db);
        database.remove().await;
    }
}

both_databases! {
    no_amount_column_takes_more_than_the_largest_amount,
}

async fn no_amount_column_takes_more_than_the_largest_amount(server: &Server) {
    fill_every_amount(server).await;
    let mut raw = Raw::open(&server.database.url);
    let wrong = match raw {
        Raw::Pg(_) => vec![TOO_MUCH.to_owned(), "9".repeat(78), "-1".to_owned()],
        Raw::Sqlite(_) => {
            let short_negative_and_long = ["5".to_owned(), format!("-{:077}", 1), format!("{:079}", 1)];
            let texts = [TOO_MUCH.to_owned(), "9".repeat(78)]
                .into_iter()
                .chain(short_negative_and_long);
            texts.map(|text| format!("'{text}'")).collect()
        }
    };

    assert!(catalogue::amount_columns().len() >= 11, "the schema was not read");
    for (table, column) in catalogue::amount_columns() {
        let rows = raw.count(&table, &format!("{column} IS NOT NULL"));
        assert!(rows > 0, "{table}.{column} has no row to try it on");
        for value in &wrong {
            let statement = format!("UPDATE {table} SET {column} = {value} WHERE {column} IS NOT NULL");
            let refusal = raw.refusal(&statement);
            assert!(
                refusal.contains(&format!("{table}_{column}_form")),
                "{statement}: {refusal}"
            );
        }
    }
    take_away_what_nothing_explains(&mut raw);
}

/// A task of the mint API without its key pair and its mint request would be told as a fault, rightly.
fn take_away_what_nothing_explains(raw: &mut Raw) {
    raw.execute("DELETE FROM certhis_tasks").unwrap();
}

/// The world has topics, collateral, caps and a face value; with a mint, and an attempt of a transaction, no column of
/// amounts is left without a row.
async fn fill_every_amount(server: &Server) {
    let (asset, recipient) = (&server.world.equity, &server.world.recipients[0]);
    server.mint(asset, recipient, "1").await.ok();
    let mut raw = Raw::open(&server.database.url);
    let (address, hash, amount, no, at) = match raw {
        Raw::Pg(_) => (
            "decode(repeat('00', 20), 'hex')",
            "decode(repeat('00', 32), 'hex')",
            "1".to_owned(),
            "false",
            "now()",
        ),
        Raw::Sqlite(_) => (
            "zeroblob(20)",
            "zeroblob(32)",
            format!("'{:078}'", 1),
            "0",
            "'2026-06-01T12:00:00.000000Z'",
        ),
    };
    let zero = amount.replace('1', "0");
    for statement in [
        format!(
            "INSERT INTO collections (asset_id, minting, many, adopted, owner, verification_status, indexed_at, updated_at) \
             SELECT id, 'amounts', {no}, {no}, {address}, 'unverified', {at}, {at} FROM assets WHERE symbol = 'PAUSED'"
        ),
        format!(
            "INSERT INTO mint_requests (asset_id, id, reference_id, requested_by, kind, owner, token_id, amount, status, \
             superseded, created_at, updated_at) SELECT asset_id, asset_id, 'r', asset_id, 'amounts', {address}, {amount}, \
             {amount}, 'failed', {no}, {at}, {at} FROM collections"
        ),
        format!(
            "INSERT INTO nft_tokens (asset_id, token_id, id, total_supply, indexed_at, updated_at) \
             SELECT asset_id, {amount}, asset_id, {zero}, {at}, {at} FROM collections"
        ),
        format!(
            "INSERT INTO nft_balances (asset_id, token_id, account, id, balance, updated_at) \
             SELECT asset_id, {amount}, {address}, asset_id, {zero}, {at} FROM collections"
        ),
        format!(
            "INSERT INTO activities (asset_id, transaction_hash, log_index, position, id, kind, token_id, amount, \
             block_number, block_hash, transaction_index, indexed_at) SELECT asset_id, {hash}, 0, 0, asset_id, 'mint', \
             {amount}, {amount}, 1, {hash}, 0, {at} FROM collections"
        ),
        format!(
            "INSERT INTO certhis_tasks (asset_id, id, number, key_number, account, nft_number, token_id, given) \
             SELECT asset_id, asset_id, 1, 1, 1, 1, {amount}, {no} FROM collections"
        ),
        format!(
            "INSERT INTO custody_transfers (wallet, nonce, asset_id, token_id, amount, recipient, raw, transaction_hash, \
             status, created_at, updated_at) SELECT {address}, 0, asset_id, {amount}, {amount}, {address}, {hash}, {hash}, \
             'signed', {at}, {at} FROM collections"
        ),
        format!(
            "INSERT INTO chains (chain_id, sender, genesis, ready, observed_block, created_at) \
             VALUES (1, {address}, {hash}, {no}, 0, {at})"
        ),
        format!(
            "INSERT INTO chain_intents (chain_id, sender, nonce, kind, data, gas_limit, state, cancelled, assigned_at) \
             VALUES (1, {address}, 0, 'filler', {hash}, 21000, 'assigned', {no}, {at})"
        ),
        format!(
            "INSERT INTO chain_attempts (chain_id, sender, nonce, attempt, noop, fee_max, fee_priority, accepted, \
             refused, created_at) VALUES (1, {address}, 0, 0, {no}, {amount}, {amount}, {no}, {no}, {at})"
        ),
    ] {
        raw.execute(&statement).unwrap();
    }
}

/// SQLite would compute with a text as with a double and store what comes out.
#[tokio::test]
async fn sqlite_refuses_arithmetic_on_an_amount_instead_of_rounding_it() {
    let server = Server::start(Database::Sqlite).await;
    fill_every_amount(&server).await;
    let mut raw = Raw::open(&server.database.url);

    for (table, column) in catalogue::amount_columns() {
        for sum in ["+ 1", "- 1", "* 1", "+ 100000000000000000000", "|| '0'"] {
            let statement = format!("UPDATE {table} SET {column} = {column} {sum} WHERE {column} IS NOT NULL");
            let refusal = raw.refusal(&statement);
            assert!(
                refusal.contains(&format!("{table}_{column}_form")),
                "{statement}: {refusal}"
            );
        }
    }

    take_away_what_nothing_explains(&mut raw);
    drop(raw);
    server.finish().await;
}
