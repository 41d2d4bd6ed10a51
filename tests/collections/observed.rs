//! What holders do by themselves.

use std::sync::Arc;

use moneyer::collection::{ActivityKind, ContractType};
use moneyer::types::{Address, Amount};
use serde_json::json;

use crate::game::{Game, amount_of, by_id, player, token};
use crate::support::Database;
use crate::support::abi::Abi;
use crate::support::evm::Contract;

fn holder<'n>(game: &'n Game, abi: &str, who: Address) -> Contract<'n> {
    let node = &game.stage.node;
    node.impersonate(&who.to_string());
    node.set_balance(&who.to_string(), 10_u128.pow(20));
    let abi = Arc::new(Abi::of(abi));
    Contract::at(node, &abi, game.collection.address.to_string(), &who.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_its_owner_gives_away_and_one_that_is_burned_are_followed() {
    for database in [Database::Sqlite, Database::Postgres] {
        let mut game = Game::start(database, ContractType::Erc721).await;
        let (a, b) = (player(), player());
        game.accept(vec![by_id("one", a, 1), by_id("two", a, 2)]).await;
        game.all_ended(2).await;

        let as_holder = holder(&game, "MoneyerERC721", a);
        as_holder.send("transferFrom", json!([a.to_string(), b.to_string(), 1]));
        as_holder.send("burn", json!([2]));

        game.stage
            .wait("the register to follow", async || {
                let moved = game.has(b, token(1)).await == Amount::ONE;
                (moved && game.has(a, token(2)).await.is_zero()).then_some(())
            })
            .await;
        assert!(game.has(a, token(1)).await.is_zero());
        game.stage.crash().await;
        game.stage.settle().await;
        game.accept(vec![by_id("three", b, 3)]).await;
        game.succeeded("three").await;
        let kinds: Vec<ActivityKind> = game.activities().await.iter().map(|one| one.kind).collect();
        let count = |kind: ActivityKind| kinds.iter().filter(|one| **one == kind).count();
        assert_eq!(
            (
                count(ActivityKind::Mint),
                count(ActivityKind::Transfer),
                count(ActivityKind::Burn)
            ),
            (3, 1, 1)
        );
        game.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_amounts_that_moves_at_once_is_followed_token_by_token() {
    let game = Game::start(Database::Postgres, ContractType::Erc1155).await;
    let (a, b) = (player(), player());
    game.accept(vec![amount_of("one", a, 1, 10), amount_of("two", a, 2, 20)])
        .await;
    game.all_ended(2).await;

    let as_holder = holder(&game, "MoneyerERC1155", a);
    as_holder.send(
        "safeBatchTransferFrom",
        json!([a.to_string(), b.to_string(), [1, 2], [4, 20], "0x"]),
    );

    game.stage
        .wait("the register to follow", async || {
            (game.has(b, token(2)).await == Amount::from(20)).then_some(())
        })
        .await;
    assert_eq!(game.has(b, token(1)).await, Amount::from(4));
    assert_eq!(game.has(a, token(1)).await, Amount::from(6));
    assert!(game.has(a, token(2)).await.is_zero());
    game.finish().await;
}
