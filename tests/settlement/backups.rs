//! A database that is older than the chain, and others who have our key.

use std::process::{Command, Output};

use moneyer::chain::contracts::token;
use moneyer::error::Error;
use moneyer::operation::Status;
use moneyer::settlement;
use moneyer::types::{Address, Amount, OperationId};

use serde_json::json;

use crate::node::ACCOUNTS;
use crate::stage::Stage;
use crate::support::Database;
use crate::support::abi::to_hex;

/// A restored backup, as it looks from inside: two mints wait, and the chain has the transaction that did the first.
async fn restored(database: Database) -> (Stage, Address, [OperationId; 2], [Address; 2]) {
    let mut stage = Stage::start_bad(database, |_| {}).await;
    let token = stage.asset("BACKUP").await;
    stage.until_mintable(&[token]).await;
    stage.stop_settling().await;
    let (first, second) = (stage.server.world.recipients[0], stage.server.world.recipients[1]);
    let ids = [
        stage.accept(&token, &[first], 5).await,
        stage.accept(&token, &[second], 7).await,
    ];
    let lines = [(first, Amount::from(5_u64))];
    stage.send(ACCOUNTS[0], token, &token::batch_mint(&lines));
    (stage, token, ids, [first, second])
}

/// `moneyer admin settlement …` on the stage's database, as an operator types it.
fn admin(stage: &Stage, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_moneyer"))
        .args(["--database", &stage.server.database.url, "admin", "settlement"])
        .args(arguments)
        .env(
            "MONEYER_POLICIES__DIR",
            concat!(env!("CARGO_MANIFEST_DIR"), "/policies"),
        )
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_backup_mints_nothing_again_until_a_person_has_compared_it_with_the_chain() {
    for database in [Database::Sqlite, Database::Postgres] {
        let (mut stage, token, [done, waits], recipients) = restored(database).await;
        let count = stage.count();

        stage.settle_alone().await;
        let told = stage.foreign_use().await;

        assert_eq!((told.last, told.rows_end), (count - 1, count - 1));
        let held: Vec<OperationId> = told.held.unwrap().iter().map(|one| one.id).collect();
        assert_eq!(held, [done, waits]);
        // Another process asks the same: what stopped one stops the next.
        stage.crash().await;
        stage.settle_alone().await;
        for _look in 0..10 {
            stage.node.mine(1);
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert_eq!(stage.count(), count, "nothing was sent");
        assert_eq!(stage.operation(waits).await.status, Status::Queued);
        let too_early = stage.acknowledge(told.last - 1, &[]).await;
        assert!(matches!(too_early, Err(Error::Conflict(_))), "{too_early:?}");

        let (last, id) = (told.last.to_string(), done.to_string());
        let list = said(&admin(&stage, &["list"]));
        let said = said(&admin(
            &stage,
            &[
                "acknowledge",
                &last,
                "--failed",
                &id,
                "--reason",
                "restored from monday",
            ],
        ));

        assert!(list.contains("key_used_elsewhere"), "{list}");
        assert!(list.contains(&format!("acknowledge {last} --reason")), "{list}");
        assert!(list.contains(&format!("waits: operation {id}")), "{list}");
        assert!(said.contains(&format!("acknowledged up to nonce {last}")), "{said}");
        assert_eq!(stage.operation(done).await.status, Status::Failed);
        assert_eq!(stage.ended(waits).await.status, Status::Succeeded);
        assert_eq!(stage.balance(token, recipients[0]).await, Amount::from(5_u64), "once");
        assert_eq!(stage.balance(token, recipients[1]).await, Amount::from(7_u64));
        // Who comes up next does not ask again.
        stage.crash().await;
        stage.settle_alone().await;
        let next = stage.accept(&token, &recipients, 1).await;
        assert_eq!(stage.ended(next).await.status, Status::Succeeded);
        assert!(stage.server.read(settlement::foreign_use).await.is_none());
        let events = stage
            .server
            .events(moneyer::audit::EventFilter {
                actor: Some("admin".to_owned()),
                ..moneyer::audit::EventFilter::default()
            })
            .await;
        let told: Vec<_> = events
            .iter()
            .filter(|event| event.action == "settlement.acknowledged")
            .collect();
        assert_eq!(told.len(), 1);
        let data: serde_json::Value = serde_json::from_str(&told[0].data).unwrap();
        assert_eq!(data["reason"], "restored from monday");
        assert_eq!(data["failed"], serde_json::json!([id]));
        stage.finish_in_agreement().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_others_use_while_we_look_is_told_and_stops_nothing() {
    let stage = Stage::start_bad(Database::Sqlite, |_| {}).await;
    let token = stage.asset("OTHERS").await;
    stage.until_mintable(&[token]).await;
    stage.send(ACCOUNTS[0], token, &token::set_cap(Amount::ZERO));

    let told = stage.foreign_use().await;
    let recipients = stage.server.world.recipients[..2].to_vec();
    let id = stage.accept(&token, &recipients, 1).await;

    assert_eq!(told.held, None);
    assert_eq!(stage.ended(id).await.status, Status::Succeeded);
    let nothing_stops = stage.acknowledge(told.last, &[id]).await;
    assert!(matches!(nothing_stops, Err(Error::Conflict(_))), "{nothing_stops:?}");
    stage.acknowledge(told.last, &[]).await.unwrap();
    assert!(stage.server.read(settlement::foreign_use).await.is_none());
    stage
        .wait("the alarm to end", async || {
            let now = stage.server.now();
            let health = stage.server.read(move |tx| settlement::health(tx, now)).await;
            (health == Some(settlement::Health::Well)).then_some(())
        })
        .await;
    stage.finish_in_agreement().await;
}

/// The old process sent it before the backup was restored, and no block has it yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_pool_has_of_us_that_the_database_never_held_is_waited_for() {
    let mut stage = Stage::start_bad(Database::Sqlite, |_| {}).await;
    let token = stage.asset("POOL").await;
    stage.until_mintable(&[token]).await;
    stage.stop_settling().await;
    let recipient = stage.server.world.recipients[0];
    let id = stage.accept(&token, &[recipient], 5).await;
    let count = stage.count();
    stage.node.stop_mining();
    let data = token::batch_mint(&[(recipient, Amount::from(5_u64))]);
    stage.node.impersonate(ACCOUNTS[0]);
    stage.node.send_as(json!({
        "from": ACCOUNTS[0],
        "to": token.to_string(),
        "data": format!("0x{}", to_hex(&data)),
        "gas": "0x100000",
    }));

    stage.settle_alone().await;

    stage.until_told("that this database never held").await;
    assert_eq!(stage.node.pool().0.len(), 1, "nothing was sent");
    stage.node.mine(1);
    let told = stage.foreign_use().await;
    assert_eq!((told.last, told.rows_end), (count, count));
    assert_eq!(told.held.unwrap().len(), 1);
    stage.acknowledge(told.last, &[id]).await.unwrap();
    assert_eq!(stage.ended_by_mining(id).await.status, Status::Failed);
    stage.finish_in_agreement().await;
}
