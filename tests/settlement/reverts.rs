//! What a trial lets pass and a block does not.

use moneyer::chain::contracts::token::Switch;
use moneyer::chain::contracts::{returned, token};
use moneyer::config::Finality;
use moneyer::operation::Status;
use moneyer::types::{Address, Amount};
use serde_json::json;

use crate::lines::freeze;
use crate::node::ACCOUNTS;
use crate::proxy::Fault;
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

/// Somebody else froze the recipient in the block of the mint. The books know that he is free again, and the contract does
/// not yet when the revert is final.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mint_that_was_reverted_waits_for_a_change_that_the_contract_does_not_know_yet() {
    for database in [Database::Sqlite, Database::Postgres] {
        let mut stage = Stage::start_bad(database, |_| {}).await;
        let token = stage.asset("FREED").await;
        stage.until_mintable(&[token]).await;
        stage.stop_settling().await;
        let agent = Address::parse(ACCOUNTS[1]).unwrap();
        stage.send(ACCOUNTS[0], token, &token::add_agent(agent));
        stage.node.stop_mining();
        stage.settle().await;
        let recipients = stage.server.world.recipients[..1].to_vec();
        let id = stage.accept(&token, &recipients, 1).await;
        stage.pool(1).await;
        let data = format!("0x{}", to_hex(&token::set_address_frozen(recipients[0], Switch::On)));
        let dear = format!("{:#x}", 200_000_000_000_u64);
        stage.node.send_as(json!({
            "from": ACCOUNTS[1], "to": token.to_string(), "data": data, "gas": "0x100000", "gasPrice": dear,
        }));
        freeze(&stage, token, recipients[0], true).await;
        stage.pool(3).await;
        stage.proxy().break_method("eth_sendRawTransaction", Fault::Refuse);
        freeze(&stage, token, recipients[0], false).await;

        stage.node.mine(1);
        stage.until(id, Status::Mined).await;
        stage.node.mine(1);
        let after = stage
            .wait("the revert to be final", async || {
                let mint = stage.operation(id).await;
                (mint.status != Status::Mined).then_some(mint)
            })
            .await;

        assert_eq!(after.status, Status::Queued, "{:?}", after.error);
        stage.proxy().heal();
        stage.ended_by_mining(id).await;
        stage.every_mint_is_there_once(token, &[id], &recipients).await;
        stage.finish_in_agreement().await;
    }
}

/// It was out of gas, and when that is final the contract says of it that its recipient is frozen: true, and no reason to
/// fail it. A freeze holds what is not minted (specs/chain.md part A).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mint_that_was_reverted_waits_for_a_recipient_who_was_frozen_meanwhile_and_is_minted_when_he_is_free() {
    for is_freed_before_it_is_final in [true, false] {
        let mut stage = Stage::start_bad(Database::Sqlite, |chain| chain.finality = Finality::Depth(3)).await;
        let token = stage.asset("FREED").await;
        stage.until_mintable(&[token]).await;
        stage.stop_settling().await;
        stage.node.stop_mining();
        let recipients = stage.server.world.recipients[..20].to_vec();
        stage.proxy().estimate(60);
        let id = stage.accept(&token, &recipients, 1).await;
        stage.settle().await;
        stage.pool(1).await;
        assert_eq!(freeze(&stage, token, recipients[7], true).await.status, 202);
        stage.pool(2).await;
        stage.proxy().heal();
        // The end of the freeze gets no further than the books.
        stage.proxy().break_method("eth_sendRawTransaction", Fault::Refuse);
        stage.node.mine(1);
        if is_freed_before_it_is_final {
            assert_eq!(freeze(&stage, token, recipients[7], false).await.status, 202);
        }

        stage.until(id, Status::Mined).await;
        stage.node.mine(3);
        let reverted = stage
            .wait("the revert to be final", async || {
                let operation = stage.operation(id).await;
                (operation.status != Status::Mined).then_some(operation)
            })
            .await;

        assert_eq!((reverted.error, reverted.status), (None, Status::Queued));
        stage.proxy().heal();
        if !is_freed_before_it_is_final {
            stage
                .wait("the mint to be held", async || {
                    let hold = stage.operation(id).await.hold.unwrap_or_default();
                    hold.contains("is frozen").then_some(())
                })
                .await;
            assert_eq!(freeze(&stage, token, recipients[7], false).await.status, 202);
        }
        stage.ended_by_mining(id).await;
        stage.every_mint_is_there_once(token, &[id], &recipients).await;
        stage.finish_in_agreement().await;
    }
}
