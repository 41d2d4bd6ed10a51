//! What `moneyer check` says of tasks that something is wrong with.

use std::time::Duration;

use diesel::RunQueryDsl as _;
use moneyer::collection::Minting;
use moneyer::db::{Db, Settings};
use moneyer::error::Error;
use moneyer::{on, reports};

use super::certhis_shop::Shop;
use super::minting::settle;
use crate::both_databases;
use crate::support::{Server, recipient};

both_databases! {
    whatever_is_changed_of_a_task_behind_the_servers_back_is_found_and_named,
}

/// Each changes one stored fact; what is said of it names it. Task 1 is final, task 2 waits.
const TAMPERING: [(&str, &str); 9] = [
    (
        "DELETE FROM certhis_tasks WHERE number = 1",
        "belongs to a task that is gone",
    ),
    (
        "UPDATE mint_requests SET reference_id = 'elsewhere' WHERE status = 'pending'",
        "task 2 has no mint request",
    ),
    (
        "UPDATE certhis_tasks SET token_id = (SELECT max(token_id) FROM mint_requests) WHERE number = 1",
        "task 1 is about another token than its mint request",
    ),
    (
        "UPDATE mint_requests SET amount = token_id WHERE status = 'pending'",
        "task 2 has a mint request of",
    ),
    (
        "UPDATE mint_requests SET status = 'failed' WHERE status = 'succeeded'",
        "task 1 has a mint request that is failed, and the operation of that is succeeded",
    ),
    (
        "UPDATE operations SET status = 'succeeded' WHERE status = 'queued'",
        "task 2 has a mint request that is pending, and the operation of that is succeeded",
    ),
    (
        "UPDATE operations SET kind = 'burn' WHERE status = 'queued'",
        "task 2 has a mint request that is pending, and the operation of that is queued",
    ),
    (
        "UPDATE mint_requests SET sequence = NULL WHERE status = 'pending'",
        "task 2 has a mint request that is pending, and the operation of that is missing",
    ),
    (
        "UPDATE certhis_tasks SET key_number = key_number + 1000 WHERE number = 2",
        "task 2 came with key pair",
    ),
];

async fn whatever_is_changed_of_a_task_behind_the_servers_back_is_found_and_named(server: &Server) {
    let shop = Shop::open(server, Minting::Hybrid, 1).await;
    let pair = shop.pair().await;
    let mint = async |id: &str| {
        let form = [("wallet", &*recipient(0).to_string()), ("nft_id", id)];
        Shop::created(shop.mint(&pair, &form).await)
    };
    assert_eq!(mint("5").await, 1);
    settle(server, &shop.collection, 0).await;
    assert_eq!(mint("9").await, 2);
    server.verify().await;
    let owner = Db::connect(&Settings {
        url: server.database.owner_url.clone().into(),
        connections_max: 1,
        wait: Duration::from_secs(5),
    });
    let owner = owner.unwrap();

    for (statement, named) in TAMPERING {
        let found = owner.write(move |tx| {
            let mut faults = Vec::new();
            let undone = tx.nested(|tx| {
                let changed = on!(tx, c => diesel::sql_query(statement).execute(c))?;
                assert_eq!(changed, 1, "{statement}");
                faults = reports::verify(tx)?.faults;
                Err::<(), _>(Error::NotFound("reason to keep it"))
            });
            assert!(matches!(undone, Err(Error::NotFound(_))), "{statement}: {undone:?}");
            Ok(faults)
        });
        let faults = found.await.unwrap();
        assert!(
            faults.iter().any(|fault| fault.contains(named)),
            "{statement}: {faults:#?}"
        );
    }
}
