//! Processes that die between any two steps, two of them with one key, and nodes that forget.

use std::time::Duration;

use moneyer::operation::Status;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::node::{Mining, Options};
use crate::stage::{Stage, driver};
use crate::support::Database;

#[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the server")]
fn seed() -> u64 {
    std::env::var("MONEYER_SEED").map_or_else(|_| rand::rng().random(), |seed| seed.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_dies_at_any_moment_loses_and_doubles_nothing() {
    let seed = seed();
    println!("MONEYER_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    for database in [Database::Sqlite, Database::Postgres] {
        let mut stage = Stage::start(database).await;
        let token = stage.asset("CRASH").await;
        let recipients = stage.server.world.recipients[..5].to_vec();
        let mut ids = Vec::new();
        for _life in 0..12 {
            for _mint in 0..random.random_range(1..4) {
                ids.push(stage.accept(&token, &recipients, 1).await);
            }
            tokio::time::sleep(Duration::from_millis(random.random_range(0..700))).await;
            stage.crash().await;
            stage.settle().await;
        }

        stage.every_mint_is_there_once(token, &ids, &recipients).await;
        stage.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_with_one_key_send_as_one() {
    let stage = Stage::start(Database::Postgres).await;
    let token = stage.asset("TWO").await;
    let recipients = stage.server.world.recipients[..3].to_vec();
    let cancel = tokio_util::sync::CancellationToken::new();
    let replica = stage.server.replica();
    let second = tokio::spawn(driver(&replica, &stage.chain).await.run(cancel.clone()));
    let mut ids = Vec::new();
    for _round in 0..6 {
        for _mint in 0..3 {
            ids.push(stage.accept(&token, &recipients, 1).await);
        }
        stage.take_lease_away().await;
        tokio::time::sleep(Duration::from_millis(400)).await;
    }

    stage.every_mint_is_there_once(token, &ids, &recipients).await;
    cancel.cancel();
    second.await.unwrap();
    replica.stop().await;
    stage.finish().await;
}

/// Rule 3: it does not know yet that its lease has another holder, and does what it would do next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_whose_key_was_taken_while_it_waited_for_the_node_writes_and_sends_nothing_more() {
    for database in [Database::Sqlite, Database::Postgres] {
        let stage = Stage::start_bad(database, |_| {}).await;
        let token = stage.quiet_asset("FENCE").await;
        let recipients = stage.server.world.recipients[..3].to_vec();
        let before = stage.count();
        stage.node.freeze();
        let id = stage.accept(&token, &recipients, 1).await;
        // Long enough for a look to have begun, which waits for the node.
        tokio::time::sleep(Duration::from_millis(300)).await;

        stage.take_lease_away().await;
        assert!(stage.take_lease("another", 60).await);
        stage.node.thaw();
        // A dozen looks, in which it would be sent.
        tokio::time::sleep(Duration::from_secs(1)).await;

        assert_eq!(stage.operation(id).await.status, Status::Queued);
        assert!(stage.signed(id).await.is_empty());
        assert!(stage.node.pool().0.is_empty());
        assert!(!stage.take_lease("a third", 60).await, "the other one has it");
        stage.take_lease_away().await;
        stage.ended_by_mining(id).await;
        stage.every_mint_is_there_once(token, &[id], &recipients).await;
        assert_eq!(stage.count(), before + 1);
        stage.finish_in_agreement().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_killed_and_forgets_its_pool_is_told_again() {
    let mut stage = Stage::start_on(
        Database::Sqlite,
        Options {
            mining: Mining::Every(1),
            kept: true,
            ..Options::default()
        },
    )
    .await;
    let token = stage.asset("POOL").await;
    let recipients = stage.server.world.recipients[..3].to_vec();
    let first = stage.accept(&token, &recipients, 1).await;
    stage.ended(first).await;
    stage.node.wait_until_saved();
    stage.node.stop_mining();
    let ids = [first, stage.accept(&token, &recipients, 1).await];
    stage
        .wait("the transaction to be in the pool", async || {
            (!stage.node.pool().0.is_empty()).then_some(())
        })
        .await;

    stage.node.kill();
    stage.node.start_again();

    stage.every_mint_is_there_once(token, &ids, &recipients).await;
    assert_eq!(stage.signed(ids[1]).await.len(), 1, "the same bytes");
    stage.finish().await;
}
