//! Thousands of random operations on both databases, each compared with a small model that knows nothing of the server;
//! the same for the two phases of the ledger; and what a mint asks of the database.
//!
//! `MONEYER_SEQUENCE_SEED` repeats a sequence, `MONEYER_SEQUENCE_STEPS` says how long it is. A step is one change, or a
//! group of one to seven requests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests fail by panicking"
)]

#[path = "ledger_sequences/cast.rs"]
mod cast;
#[path = "ledger_sequences/changes.rs"]
mod changes;
#[path = "ledger_sequences/chooser.rs"]
mod chooser;
#[path = "ledger_sequences/model.rs"]
mod model;
#[path = "ledger_sequences/queries.rs"]
mod queries;
#[path = "ledger_sequences/sequence.rs"]
mod sequence;
mod support;
#[path = "ledger_sequences/two_phases.rs"]
mod two_phases;

use sequence::{Sequence, Tally};
use support::Server;

/// Some 3,000 operations.
const STEPS: usize = 1_500;

/// A number that somebody set, or what is taken when nobody did.
fn setting(name: &str, otherwise: impl FnOnce() -> u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the server")]
    let text = std::env::var(name);
    text.map_or_else(|_| otherwise(), |text| text.parse().expect("a number"))
}

/// Five digits are enough to repeat a sequence and can be remembered.
fn seed() -> u64 {
    let seed = setting("MONEYER_SEQUENCE_SEED", || rand::random_range(0..100_000));
    println!("MONEYER_SEQUENCE_SEED={seed}");
    seed
}

fn steps(otherwise: usize) -> usize {
    let otherwise = otherwise.try_into().unwrap();
    setting("MONEYER_SEQUENCE_STEPS", || otherwise).try_into().unwrap()
}

both_databases! {
    whatever_happens_the_server_does_what_the_model_does,
    a_mint_reads_as_often_for_a_hundred_recipients_as_for_one,
}

async fn whatever_happens_the_server_does_what_the_model_does(server: &Server) {
    let sequence = Sequence::begin(server).await;

    let tally = sequence.go(seed(), steps(STEPS)).await;

    println!("{tally:#?}");
    if tally.steps >= STEPS {
        assert_thorough(&tally);
    }
}

/// A sequence that is refused everything proves little. What is asked for here comes dozens of times in every sequence.
fn assert_thorough(tally: &Tally) {
    let common = [
        "address_sanctioned",
        "amount_overflow",
        "amount_zero",
        "asset_paused",
        "cap_exceeded",
        "collateral_short",
        "holder_limit",
        "identity_unknown",
        "max_holding",
        "recipient_blocked",
        "recipient_frozen",
        "supply_window",
    ];
    for slug in common {
        assert!(tally.slugs.contains_key(slug), "{slug} did not come up: {tally:#?}");
    }
    assert!(tally.slugs.len() > 16, "{tally:#?}");
    for outcome in ["accepted", "refused", "replayed", "conflict", "forbidden"] {
        assert!(
            tally.outcomes.contains_key(outcome),
            "no mint was {outcome}: {tally:#?}"
        );
    }
    assert!(tally.outcomes["accepted"] * 4 > tally.outcomes["refused"], "{tally:#?}");
}

async fn a_mint_reads_as_often_for_a_hundred_recipients_as_for_one(server: &Server) {
    queries::compare(server).await;
}

mod whatever_is_reserved_posted_and_voided_the_books_balance {
    use super::{seed, steps, two_phases};
    use crate::support::{Database, Server};

    #[tokio::test]
    async fn sqlite() {
        test(Database::Sqlite).await;
    }

    #[tokio::test]
    async fn postgres() {
        test(Database::Postgres).await;
    }

    async fn test(database: Database) {
        let server = Server::start(database).await;
        two_phases::go(&server, seed(), steps(300)).await;
        // No operations belong to these postings, so the ledger alone is checked, after every step.
        server.stop().await;
    }
}
