//! Rule 20, log by log: every posting has its Transfer log and every log its posting, also where balances agree.

use diesel::prelude::*;
use moneyer::chain::contracts::token::{self, Switch};
use moneyer::on;
use moneyer::types::Address;

use crate::node::ACCOUNTS;
use crate::observed::{observed, posted, transfer};
use crate::stage::Stage;
use crate::support::Database;

/// What nobody but the owner of the database could do.
async fn tamper(stage: &Stage, statement: String, rows: usize) {
    let owner = stage.server.database.owner();
    let changed = owner.write(move |tx| Ok(on!(tx, c => diesel::sql_query(&statement).execute(c))?));
    assert_eq!(changed.await.unwrap(), rows);
}

/// Two mints of the same amount, each in its transaction, change owners: no balance changes.
async fn swap_owners(stage: &Stage, database: Database, [one, two]: [Address; 2]) {
    let literal = |wallet: Address| {
        let hex = wallet.to_lower_hex().replacen("0x", "", 1);
        match database {
            Database::Sqlite => format!("x'{hex}'"),
            Database::Postgres => format!("'\\x{hex}'::bytea"),
        }
    };
    let (one, two) = (literal(one), literal(two));
    let swap = format!("UPDATE postings SET account = CASE account WHEN {one} THEN {two} ELSE {one} END");
    tamper(stage, format!("{swap} WHERE kind = 'holder'"), 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_that_name_each_others_transactions_are_told_although_every_balance_agrees() {
    for database in [Database::Sqlite, Database::Postgres] {
        let mut stage = Stage::start(database).await;
        let token = stage.asset("CHAIN").await;
        let [one, two] = [0, 1].map(|place| stage.server.world.recipients[place]);
        for recipient in [one, two] {
            stage.server.mint_each(&token, &[recipient], 100).await.ok();
        }
        let found = stage.reconciled().await;
        assert_eq!((found.logs, found.drift), (2, Vec::<String>::new()));
        stage.stop_settling().await;

        swap_owners(&stage, database, [one, two]).await;

        let told = stage.reconciled().await.drift;
        assert_eq!(told.len(), 4, "{told:?}");
        for wallet in [one, two] {
            let of_wallet = format!(" 100 from {} to {wallet}", Address::ZERO);
            let ends = |end: &str| {
                told.iter()
                    .filter(|what| what.contains(&of_wallet) && what.ends_with(end))
                    .count()
            };
            assert_eq!((ends("is not in the books"), ends("(1 times)")), (1, 1), "{told:?}");
        }
        // Whoever settles next compares what came since the last time.
        stage.settle().await;
        stage.until_told("books and chain differ in 4 places").await;
        swap_owners(&stage, database, [one, two]).await;
        stage.finish_in_agreement().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_observed_transfer_has_the_place_of_its_log() {
    for database in [Database::Sqlite, Database::Postgres] {
        let stage = Stage::start(database).await;
        let token = stage.asset("CHAIN").await;
        let [one, two] = [0, 1].map(|place| stage.server.world.recipients[place]);
        stage.server.mint_each(&token, &[one], 100).await.ok();
        stage.send(ACCOUNTS[0], token, &token::set_holder_transfers(Switch::On));
        stage.send(&one.to_string(), token, &transfer(two, 30));
        stage
            .wait("the transfer in the books", async || {
                (posted(&stage, token, two).await == 30_u64.into()).then_some(())
            })
            .await;
        let number = observed(&stage, token).await[0].sequence;
        let found = stage.reconciled().await;
        assert_eq!((found.logs, found.drift), (2, Vec::<String>::new()));
        let moved = |from: &str, to: &str| {
            format!(
                "UPDATE operations SET plan = replace(plan, '\"logIndex\":\"{from}', '\"logIndex\":\"{to}') WHERE kind = 'observed'"
            )
        };

        tamper(&stage, moved("", "7"), 1).await;

        let told = stage.reconciled().await.drift;
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            told[0].contains(&format!("30 from {one} to {two}, log 0 of transaction")),
            "{told:?}"
        );
        assert!(
            told[1].ends_with(&format!(
                "operation {number} was posted and no log of the chain says so"
            )),
            "{told:?}"
        );
        tamper(&stage, moved("7", ""), 1).await;
        stage.finish_in_agreement().await;
    }
}
