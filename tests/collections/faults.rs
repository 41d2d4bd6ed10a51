//! Recipients that refuse, ids that somebody else took, processes that die.

use std::collections::BTreeSet;
use std::time::Duration;

use moneyer::collection::{ContractType, RequestStatus};
use moneyer::error::Error;
use moneyer::types::Amount;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

use crate::game::{Game, amount_of, by_id, by_quantity, deploy, player, token};
use crate::node::ACCOUNTS;
use crate::proxy::Fault;
use crate::stage::Stage;
use crate::support::Database;
use crate::support::abi::Abi;
use crate::support::evm::Contract;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_recipient_whose_hook_reverts_fails_alone() {
    let game = Game::start(Database::Postgres, ContractType::Erc1155).await;
    // A contract that takes no tokens: another collection.
    let refuses = deploy(&game.stage, ContractType::Erc721).await.address;
    game.stands().await;
    game.stage
        .wait("the other contract", async || {
            let code = game
                .stage
                .node
                .rpc("eth_getCode", json!([refuses.to_string(), "latest"]));
            (code.as_str().unwrap().len() > 2).then_some(())
        })
        .await;
    let mut wishes: Vec<_> = (0..30).map(|n| amount_of(&format!("r{n}"), player(), 1, 2)).collect();
    wishes[13].owner = refuses;

    game.accept(wishes).await;
    let requests = game.all_ended(30).await;

    let failed: Vec<&str> = requests
        .iter()
        .filter(|one| one.status == RequestStatus::Failed)
        .map(|one| one.reference.as_str())
        .collect();
    assert_eq!(failed, ["r13"]);
    let reason = game.found("r13").await.error.unwrap();
    assert!(!reason.is_empty(), "{reason}");
    game.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collection_that_the_node_does_not_create_fails_with_the_requests_that_waited_for_it() {
    for database in [Database::Sqlite, Database::Postgres] {
        let mut stage = Stage::start_bad(database, |_| {}).await;
        let first = stage.asset("FIRST").await;
        stage.until_mintable(&[first]).await;
        stage.stop_settling().await;
        let collection = deploy(&stage, ContractType::Erc721).await;
        let mut game = Game { stage, collection };
        game.accept(vec![by_quantity("one", player()), by_id("two", player(), 7)])
            .await;
        game.stage.proxy().inject("eth_sendRawTransaction", Fault::Refusal, 1);

        game.stage.settle().await;

        for name in ["one", "two"] {
            let ended = game.ended(name).await;
            assert_eq!(ended.status, RequestStatus::Failed);
            let reason = ended.error.unwrap();
            assert!(reason.starts_with("the asset's contract was not created"), "{reason}");
        }
        let late = game.request(vec![by_quantity("three", player())]).await;
        assert!(matches!(late, Err(Error::Conflict(why)) if why.contains("could not be created")));
        game.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_that_somebody_else_minted_fails_alone_with_the_contracts_words() {
    let game = Game::start(Database::Sqlite, ContractType::Erc721).await;
    game.stands().await;
    let (node, other) = (&game.stage.node, player());
    // Our signer's own key, behind our back.
    node.impersonate(ACCOUNTS[0]);
    let mut game = game;
    game.stage.stop_settling().await;
    let abi = std::sync::Arc::new(Abi::of("MoneyerERC721"));
    let contract = game.collection.address.to_string();
    let owner = game.server().world.creator.wallet.to_string();
    game.stage.node.impersonate(&owner);
    game.stage.node.set_balance(&owner, 10_u128.pow(20));
    let as_owner = Contract::at(&game.stage.node, &abi, contract.clone(), &owner);
    as_owner.send("grantMinterRole", json!([owner]));
    as_owner.send("mintBatch", json!([[[other.to_string(), [3]]]]));
    game.accept(vec![
        by_id("a", player(), 1),
        by_id("b", player(), 3),
        by_id("c", player(), 4),
    ])
    .await;

    game.stage.settle().await;
    let requests = game.all_ended(3).await;

    assert_eq!(game.found("b").await.status, RequestStatus::Failed);
    let reason = game.found("b").await.error.unwrap();
    assert!(reason.contains("TokenAlreadyMinted"), "{reason}");
    assert_eq!(
        requests
            .iter()
            .filter(|one| one.status == RequestStatus::Succeeded)
            .count(),
        2
    );
    game.stage
        .wait("the other's token", async || {
            (game.has(other, token(3)).await == Amount::ONE).then_some(())
        })
        .await;
    game.finish().await;
}

#[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the server")]
fn seed() -> u64 {
    std::env::var("MONEYER_SEED").map_or_else(|_| rand::rng().random(), |seed| seed.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_dies_at_any_moment_mints_every_reference_once() {
    let seed = seed();
    println!("MONEYER_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    for database in [Database::Sqlite, Database::Postgres] {
        let mut game = Game::start(database, ContractType::Erc721).await;
        game.stands().await;
        let owners: Vec<_> = (0..5).map(|_| player()).collect();
        let mut count = 0;
        for _life in 0..8 {
            let wishes = (0..random.random_range(1..6)).map(|_| {
                count += 1;
                by_quantity(&format!("r{count}"), owners[count % 5])
            });
            let wishes: Vec<_> = wishes.collect();
            game.accept(wishes).await;
            tokio::time::sleep(Duration::from_millis(random.random_range(0..700))).await;
            game.stage.crash().await;
            game.stage.settle().await;
        }

        let requests = game.all_ended(count).await;

        assert!(requests.iter().all(|one| one.status == RequestStatus::Succeeded));
        let ids: BTreeSet<_> = requests.iter().filter_map(|one| one.token_id).collect();
        assert_eq!(ids.len(), count);
        let supply = game.stage.supply(game.collection.address).await;
        assert_eq!(supply, Amount::from(u64::try_from(count).unwrap()));
        game.finish().await;
    }
}
