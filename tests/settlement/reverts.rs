//! What a trial lets pass and a block does not.

use moneyer::chain::contracts::{returned, token};
use moneyer::operation::Status;
use moneyer::types::{Address, Amount};
use serde_json::json;

use crate::stage::Stage;
use crate::support::Database;
use crate::support::abi::to_hex;

/// A registry that knows everybody where gas costs nothing, as it does where a node only tries, and reverts in a block
/// when it is asked about this one.
fn liar(about: Address) -> String {
    // The argument is he, and GASPRICE is not zero: to 42. Else 1. 42: JUMPDEST, revert.
    let about = to_hex(about.as_bytes());
    format!("0x60043573{about}143a151516602a57600160005260206000f35b60006000fd")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mint_that_is_reverted_only_in_a_block_fails_alone_after_a_few_transactions() {
    let mut stage = Stage::start_bad(Database::Sqlite, |_| {}).await;
    let token = stage.asset("LIAR").await;
    stage.until_mintable(&[token]).await;
    let recipients = stage.server.world.recipients[..8].to_vec();
    let registry = returned::address(&stage.ask(token, token::identity_registry()).await).unwrap();
    let code = stage.node.rpc("eth_getCode", json!([registry.to_string(), "latest"]));
    stage
        .node
        .rpc("anvil_setCode", json!([registry.to_string(), liar(recipients[5])]));
    stage.stop_settling().await;
    let mut ids = Vec::new();
    for recipient in &recipients {
        ids.push(stage.accept(&token, &[*recipient], 1).await);
    }
    let before = stage.count();

    stage.settle().await;

    for (id, recipient) in ids.iter().zip(&recipients) {
        let ended = stage.ended(*id).await;
        let is_good = *id != ids[5];
        let expected = if is_good { Status::Succeeded } else { Status::Failed };
        assert_eq!(ended.status, expected, "{:?}", ended.error);
        assert_eq!(stage.balance(token, *recipient).await, Amount::from(u64::from(is_good)));
    }
    let reason = stage.operation(ids[5]).await.error.unwrap();
    assert!(reason.contains("reverted 2 times alone"), "{reason}");
    assert_eq!(stage.signed(ids[5]).await.len(), 5, "of 8, 4, 2, 1 and 1");
    let sent = stage.count() - before;
    assert!(sent <= 8, "{sent} transactions");
    stage.node.rpc("anvil_setCode", json!([registry.to_string(), code]));
    stage.finish_in_agreement().await;
}
