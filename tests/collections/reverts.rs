//! Recipients that take a token when they are asked and refuse it in a block.

use moneyer::collection::{ContractType, RequestStatus};
use serde_json::json;

use crate::game::{Game, amount_of, player};
use crate::support::Database;

/// Takes tokens where gas costs nothing, as it does where a node only tries; reverts in a block.
/// GASPRICE, PUSH1 21, JUMPI; the selector of the call is what a hook returns; 21: JUMPDEST, revert.
const LIAR: &str = "0x3a60155760003560e01c60e01b60005260206000f35b60006000fd";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recipient_who_refuses_only_in_a_block_fails_alone_after_a_few_transactions() {
    let mut game = Game::start(Database::Sqlite, ContractType::Erc1155).await;
    game.stands().await;
    game.stage.stop_settling().await;
    let liar = player();
    game.stage.node.rpc("anvil_setCode", json!([liar.to_string(), LIAR]));
    let mut wishes: Vec<_> = (0..16).map(|n| amount_of(&format!("r{n}"), player(), 1, 2)).collect();
    wishes[5].owner = liar;
    game.accept(wishes).await;
    let before = game.stage.count();

    game.stage.settle().await;
    let requests = game.all_ended(16).await;

    let failed: Vec<&str> = requests
        .iter()
        .filter(|one| one.status == RequestStatus::Failed)
        .map(|one| one.reference.as_str())
        .collect();
    assert_eq!(failed, ["r5"]);
    let reason = game.found("r5").await.error.unwrap();
    assert!(reason.contains("reverted 2 times alone"), "{reason}");
    // With it 16, 8, 4, 2, 1 and 1 are reverted; the other half of each is minted beside it, or in two of which one comes late.
    let sent = game.stage.count() - before;
    assert!((6..=15).contains(&sent), "{sent} transactions");
    game.finish().await;
}
