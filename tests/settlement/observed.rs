//! What happens on the chain without us: it is posted as it was seen, or told, and never repaired.

use moneyer::chain::contracts::token::{self, Switch};
use moneyer::ledger;
use moneyer::operation::{self, Of, Operation, OperationKind};
use moneyer::types::{Address, Amount, Hash32, UserId};
use serde_json::json;

use crate::node::ACCOUNTS;
use crate::stage::Stage;
use crate::support::Database;

/// Two holders of 100 units each; holders may transfer by themselves.
async fn stage_with_holders(database: Database) -> (Stage, Address, Address, Address) {
    let stage = Stage::start(database).await;
    let token = stage.asset("CHAIN").await;
    let recipients = stage.server.world.recipients[..2].to_vec();
    stage.server.mint_each(&token, &recipients, 100).await.ok();
    stage.send(ACCOUNTS[0], token, &token::set_holder_transfers(Switch::On));
    (stage, token, recipients[0], recipients[1])
}

/// ERC-20 `transfer(address,uint256)`.
pub fn transfer(to: Address, amount: u64) -> Vec<u8> {
    let mut data = vec![0xa9, 0x05, 0x9c, 0xbb];
    data.extend([0; 12]);
    data.extend(to.as_bytes());
    data.extend(Amount::from(amount).to_be_bytes());
    data
}

pub async fn posted(stage: &Stage, token: Address, wallet: Address) -> Amount {
    let asset = stage.server.asset(&token).await.id;
    let account = stage.server.read(move |tx| ledger::account(tx, asset, wallet)).await;
    account.map_or(Amount::ZERO, |account| account.posted)
}

pub async fn observed(stage: &Stage, token: Address) -> Vec<Operation> {
    let asset = stage.server.asset(&token).await.id;
    let page = moneyer::db::Page::default();
    let mut all = stage
        .server
        .read(move |tx| operation::list(tx, Of::Asset(asset), &page))
        .await;
    all.retain(|operation| operation.kind == OperationKind::Observed);
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_holders_own_transfer_is_posted_as_observed_and_once() {
    for database in [Database::Sqlite, Database::Postgres] {
        let (mut stage, token, one, two) = stage_with_holders(database).await;

        let transaction = stage.send(&one.to_string(), token, &transfer(two, 30));

        stage
            .wait("the transfer in the books", async || {
                (posted(&stage, token, two).await == Amount::from(130_u64)).then_some(())
            })
            .await;
        assert_eq!(posted(&stage, token, one).await, Amount::from(70_u64));
        let seen = observed(&stage, token).await;
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].requested_by, UserId::NOBODY);
        assert!(seen[0].plan.contains(&transaction.to_string()), "{}", seen[0].plan);
        assert_eq!(stage.server.asset(&token).await.supply, Amount::from(200_u64));

        stage.crash().await;
        stage.settle().await;
        stage.server.mint_each(&token, &[one], 5).await.ok();

        assert_eq!(observed(&stage, token).await.len(), 1);
        let found = stage.reconciled().await;
        assert_eq!((found.assets, found.drift), (1, Vec::<String>::new()));
        stage.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_books_cannot_follow_is_told_and_not_posted() {
    let (stage, token, one, _) = stage_with_holders(Database::Sqlite).await;
    let stranger = stage.server.world.recipients[2];
    // Straight into the storage: no event says where these units come from.
    let slot = balance_slot(&stage, token, stranger);
    let units = format!("0x{:064x}", 50);
    stage
        .node
        .rpc("anvil_setStorageAt", json!([token.to_string(), slot, units]));

    stage.send(&stranger.to_string(), token, &transfer(one, 20));
    stage
        .wait("the drift", async || {
            let found = stage.reconciled().await;
            let is_seen = found
                .drift
                .iter()
                .any(|what| what.contains(&format!("the balance of {one}")));
            is_seen.then_some(())
        })
        .await;

    assert_eq!(posted(&stage, token, one).await, Amount::from(100_u64));
    assert_eq!(observed(&stage, token).await.len(), 0);
    let asset = stage.server.asset(&token).await.id;
    let told = stage
        .server
        .read(move |tx| moneyer::audit::of_asset(tx, asset, "transfer.unexplained"))
        .await;
    assert_eq!(told.len(), 1);
    stage.finish().await;
}

/// Where OpenZeppelin's upgradeable ERC-20 keeps a balance (ERC-7201, `openzeppelin.storage.ERC20`, first field).
fn balance_slot(stage: &Stage, token: Address, holder: Address) -> String {
    let base = "52c63247e1f47db19d5ce0460030c497f067ca4cebf71ba98eeadabe20bace00";
    let base = Hash32::parse(base).unwrap();
    let mut key = vec![0; 12];
    key.extend(holder.as_bytes());
    key.extend(base.as_bytes());
    let slot = moneyer::types::keccak256(&key).to_string();
    let before = stage
        .node
        .rpc("eth_getStorageAt", json!([token.to_string(), slot, "latest"]));
    assert_eq!(
        before
            .as_str()
            .unwrap()
            .trim_start_matches("0x")
            .trim_start_matches('0'),
        ""
    );
    slot
}

/// Rule 20: whoever settles compares when it starts, and readiness tells what it found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_differs_when_settlement_starts_is_told() {
    let (mut stage, token, ..) = stage_with_holders(Database::Sqlite).await;
    stage.stop_settling().await;
    stage.send(ACCOUNTS[0], token, &token::pause());
    let paused_at = stage.node.head();
    stage
        .wait("the pause to be final", async || {
            (stage.node.head() > paused_at + 8).then_some(())
        })
        .await;

    stage.settle().await;

    stage.until_told("books and chain differ in 1 places").await;
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_behind_our_back_is_drift() {
    let (stage, token, ..) = stage_with_holders(Database::Sqlite).await;
    assert_eq!(stage.reconciled().await.drift, Vec::<String>::new());

    stage.send(ACCOUNTS[0], token, &token::pause());

    stage
        .wait("the drift", async || {
            let found = stage.reconciled().await;
            let is_told = found
                .drift
                .iter()
                .any(|what| what.contains("paused is true on the chain and false"));
            is_told.then_some(())
        })
        .await;
    stage.finish().await;
}
