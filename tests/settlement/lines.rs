//! Operations that the chain or the rules refuse after they were accepted, and the neighbours they share a transaction with.

use moneyer::asset::{AssetKind, Settlement};
use moneyer::chain::contracts::{registry, returned, token};
use moneyer::identity::{self, Revocation};
use moneyer::operation::Status;
use moneyer::settlement::{self, Decision};
use moneyer::types::{Address, Amount, OperationId};
use reqwest::Method;
use serde_json::json;

use crate::node::ACCOUNTS;
use crate::stage::Stage;
use crate::support::{self, Answer, Database, approve, recipient, topic, with_pin};

pub async fn registry_of(stage: &Stage, token: Address) -> Address {
    returned::address(&stage.ask(token, token::identity_registry()).await).unwrap()
}

/// The transaction that an operation was mined in.
async fn transaction_of(stage: &Stage, id: OperationId) -> String {
    let found = stage.server.read(move |tx| {
        let operation = moneyer::operation::find(tx, id)?;
        settlement::transactions_of(tx, &operation)
    });
    let mined = found.await.into_iter().rfind(|one| one.block.is_some());
    mined.unwrap().hash.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_recipient_unverified_on_the_chain_among_a_hundred_fails_its_operation_and_the_merged_neighbours_are_minted()
 {
    for database in [Database::Sqlite, Database::Postgres] {
        let mut stage = Stage::start_bad(database, |_| {}).await;
        let token = stage.asset("HUNDRED").await;
        stage.until_mintable(&[token]).await;
        let recipients = stage.server.world.recipients[..100].to_vec();
        let bad = recipients[60];
        stage.stop_settling().await;
        let registry_at = registry_of(&stage, token).await;
        stage.send(ACCOUNTS[0], registry_at, &registry::delete_identity(bad));
        let good: Vec<Address> = recipients.iter().copied().filter(|one| *one != bad).collect();
        let first = stage.accept(&token, &good[..10], 1).await;
        let broken = stage.accept(&token, &recipients, 1).await;
        let last = stage.accept(&token, &good[..10], 1).await;

        stage.settle().await;

        let failed = stage.ended(broken).await;
        let reason = failed.error.unwrap();
        assert_eq!(failed.status, Status::Failed);
        assert!(reason.starts_with(&format!("line 60 ({bad})")), "{reason}");
        assert!(reason.contains("RecipientNotVerified"), "{reason}");
        assert!(stage.signed(broken).await.is_empty(), "it was tried before it was sent");
        stage.every_mint_is_there_once(token, &[first, last], &good[..10]).await;
        assert_eq!(stage.balance(token, good[20]).await, Amount::ZERO, "no line of it");
        assert_eq!(transaction_of(&stage, first).await, transaction_of(&stage, last).await);
        stage.finish_in_agreement().await;
    }
}

/// The cap on the chain was lowered behind our back: together the mints pass it, and the contract blames no line.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mints_that_only_fit_alone_go_alone_and_what_is_too_much_waits_for_a_person() {
    let mut stage = Stage::start_bad(Database::Sqlite, |_| {}).await;
    let token = stage.asset("TOGETHER").await;
    stage.until_mintable(&[token]).await;
    let recipients = stage.server.world.recipients[..2].to_vec();
    stage.stop_settling().await;
    stage.send(ACCOUNTS[0], token, &token::set_cap(Amount::from(15_u64)));
    let first = stage.accept(&token, &recipients[..1], 10).await;
    let second = stage.accept(&token, &recipients[1..], 10).await;

    stage.settle().await;

    assert_eq!(stage.ended(first).await.status, Status::Succeeded);
    let waiting = stage
        .wait("the call for a person", async || {
            let operation = stage.operation(second).await;
            operation.attention.is_some().then_some(operation)
        })
        .await;
    assert_eq!(waiting.status, Status::Queued);
    let (reason, _) = waiting.attention.unwrap();
    assert!(reason.contains("CapExceeded"), "{reason}");
    stage.stop_settling().await;
    stage.send(ACCOUNTS[0], token, &token::set_cap(Amount::ZERO));
    stage.settle().await;
    assert_eq!(stage.ended(second).await.status, Status::Succeeded);
    for recipient in recipients {
        assert_eq!(stage.balance(token, recipient).await, Amount::from(10_u64));
    }
    stage.finish_in_agreement().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contract_that_the_node_does_not_try_holds_up_no_other() {
    let stage = Stage::start_bad(Database::Sqlite, |_| {}).await;
    let tokens = [stage.asset("UNTRIED").await, stage.asset("OTHER").await];
    stage.until_mintable(&tokens).await;
    let recipients = stage.server.world.recipients[..2].to_vec();
    stage.proxy().try_nothing_of(&tokens[0].to_string());

    let waiting = stage.accept(&tokens[0], &recipients, 1).await;
    let other = stage.accept(&tokens[1], &recipients, 1).await;

    assert_eq!(stage.ended(other).await.status, Status::Succeeded);
    assert_eq!(stage.operation(waiting).await.status, Status::Queued);
    stage.until_told(&format!("asset {} waits", tokens[0])).await;
    stage.proxy().heal();
    assert_eq!(stage.ended(waiting).await.status, Status::Succeeded);
    stage.finish_in_agreement().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_beyond_the_gas_of_one_transaction_go_in_several_and_are_never_split() {
    let mut stage = Stage::start_bad(Database::Sqlite, |chain| chain.gas_per_transaction_max = 1_200_000).await;
    let token = stage.asset("GAS").await;
    stage.until_mintable(&[token]).await;
    let all = stage.server.world.recipients[..100].to_vec();
    stage.stop_settling().await;
    let mut ids = Vec::new();
    for part in all.chunks(10) {
        ids.push(stage.accept(&token, part, 1).await);
    }

    stage.settle().await;

    let mut transactions = Vec::new();
    for (id, part) in ids.iter().zip(all.chunks(10)) {
        assert_eq!(stage.ended(*id).await.status, Status::Succeeded);
        assert_eq!(stage.balance(token, part[9]).await, Amount::ONE);
        transactions.push(transaction_of(&stage, *id).await);
    }
    transactions.dedup();
    let mut gas = 0;
    for transaction in &transactions {
        let receipt = stage.node.receipt(transaction);
        let lines = receipt["logs"].as_array().unwrap().len();
        assert!(lines.is_multiple_of(10), "an operation was split: {lines}");
        gas += crate::node::number(&receipt["gasUsed"]);
    }
    let usable = 1_200_000 * 100 / 110;
    let fewest = gas.div_ceil(usable);
    assert!(transactions.len() >= 2);
    let count = u128::try_from(transactions.len()).unwrap();
    // The first is planned before anything is known of what a line costs.
    assert!(count <= fewest + 1, "{count} transactions where {fewest} could do");
    stage.finish_in_agreement().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mints_that_run_out_of_gas_are_planned_with_more_then_alone_and_succeed() {
    let mut stage = Stage::start_bad(Database::Sqlite, |_| {}).await;
    let token = stage.asset("STARVED").await;
    stage.until_mintable(&[token]).await;
    let recipients = stage.server.world.recipients[..20].to_vec();
    stage.stop_settling().await;
    // With its margin of a tenth an estimate is two thirds of what is needed, then nine tenths, then enough.
    stage.proxy().estimate(60);
    let ids = [
        stage.accept(&token, &recipients, 1).await,
        stage.accept(&token, &recipients, 1).await,
    ];

    stage.settle().await;

    stage.every_mint_is_there_once(token, &ids, &recipients).await;
    for id in ids {
        assert_eq!(stage.signed(id).await.len(), 3, "two that starved and one that did not");
    }
    assert_ne!(
        transaction_of(&stage, ids[0]).await,
        transaction_of(&stage, ids[1]).await
    );
    stage.finish_in_agreement().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mint_that_runs_out_of_all_the_gas_of_one_transaction_fails_and_says_so() {
    let mut stage = Stage::start_bad(Database::Sqlite, |chain| chain.gas_per_transaction_max = 300_000).await;
    let token = stage.asset("HUNGRY").await;
    stage.until_mintable(&[token]).await;
    let recipients = stage.server.world.recipients[..20].to_vec();
    stage.stop_settling().await;
    stage.proxy().estimate(20);
    let id = stage.accept(&token, &recipients, 1).await;

    stage.settle().await;

    let failed = stage.ended(id).await;
    assert_eq!(failed.status, Status::Failed);
    assert_eq!(failed.error.unwrap(), "ran out of gas 4 times, at last with 300000");
    assert_eq!(stage.server.asset(&token).await.pending, Amount::ZERO);
    stage.finish_in_agreement().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_loses_a_claim_before_the_mint_is_sent_is_not_minted_to_and_the_others_are() {
    for database in [Database::Sqlite, Database::Postgres] {
        let mut stage = Stage::start_bad(database, |_| {}).await;
        stage.asset("FIRST").await;
        let mut new = support::token(AssetKind::Equity, "CLAIMS");
        new.settlement = Settlement::Evm;
        let token = stage.server.found(new).await;
        stage.until_mintable(&[token]).await;
        let recipients = stage.server.world.recipients[..4].to_vec();
        stage.stop_settling().await;
        let refused = stage.accept(&token, &recipients[..2], 1).await;
        let minted = stage.accept(&token, &recipients[2..], 1).await;
        let revoked = recipients[1];
        let trusted = stage.server.world.trusted.clone();
        stage
            .server
            .write(&trusted, move |tx, ctx| {
                let target = identity::registrations(tx, &[revoked])?[0].address;
                let revocation = Revocation {
                    target,
                    topic: topic("knowYourCustomer"),
                    issuer: None,
                };
                identity::revoke_claim(tx, ctx, &revocation).map(|_| ())
            })
            .await;

        stage.settle().await;

        let failed = stage.ended(refused).await;
        let reason = failed.error.unwrap();
        assert_eq!(failed.status, Status::Failed);
        assert!(reason.starts_with(&format!("line 1 ({revoked})")), "{reason}");
        assert!(reason.contains("claim_revoked"), "{reason}");
        stage.every_mint_is_there_once(token, &[minted], &recipients[2..]).await;
        assert_eq!(stage.balance(token, recipients[0]).await, Amount::ZERO, "no line of it");
        assert!(stage.signed(refused).await.is_empty(), "it was never sent");
        stage.finish_in_agreement().await;
    }
}

/// The registry reverts whatever it is told, until this code is put back.
fn break_registry(stage: &Stage, at: Address) -> serde_json::Value {
    let code = stage.node.rpc("eth_getCode", json!([at.to_string(), "latest"]));
    // PUSH1 0, PUSH1 0, REVERT
    stage.node.rpc("anvil_setCode", json!([at.to_string(), "0x60006000fd"]));
    code
}

fn mend_registry(stage: &Stage, at: Address, code: &serde_json::Value) {
    stage.node.rpc("anvil_setCode", json!([at.to_string(), code]));
}

/// Somebody whom the registry on the chain has not heard of.
pub async fn newcomer(stage: &Stage) -> Address {
    let (world, wallet) = (std::sync::Arc::clone(&stage.server.world), recipient(5_000));
    stage
        .server
        .write(&stage.server.world.officer, move |tx, _| approve(tx, &world, &[wallet]))
        .await;
    wallet
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_reverts_is_told_again_and_the_mints_that_waited_go() {
    let stage = Stage::start_bad(Database::Postgres, |_| {}).await;
    let token = stage.asset("REGISTER").await;
    stage.until_mintable(&[token]).await;
    let at = registry_of(&stage, token).await;
    let (code, before) = (break_registry(&stage, at), stage.count());
    // One block, so that it reverts once, however long this test takes to look.
    stage.node.stop_mining();
    let wallet = newcomer(&stage).await;
    let id = stage.accept(&token, &[wallet], 1).await;
    stage.pool(1).await;
    stage.node.mine(1);
    stage
        .wait("a revert", async || (stage.count() > before).then_some(()))
        .await;

    mend_registry(&stage, at, &code);

    stage.ended_by_mining(id).await;
    stage.every_mint_is_there_once(token, &[id], &[wallet]).await;
    assert!(stage.server.read(settlement::cases).await.is_empty());
    stage.finish_in_agreement().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_goes_on_reverting_needs_a_person_after_three_times() {
    let stage = Stage::start_bad(Database::Sqlite, |_| {}).await;
    let token = stage.asset("REGISTER").await;
    stage.until_mintable(&[token]).await;
    let at = registry_of(&stage, token).await;
    let (code, before) = (break_registry(&stage, at), stage.count());
    let wallet = newcomer(&stage).await;
    let id = stage.accept(&token, &[wallet], 1).await;

    let case = stage
        .wait("the case", async || stage.server.read(settlement::cases).await.pop())
        .await;
    assert_eq!((case.kind.as_str(), case.attention.as_str()), ("registry", "reverted"));
    assert_eq!((stage.count() - before, case.nonce), (3, before + 2));
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(stage.count() - before, 3, "it is not told for ever");
    let waiting = stage.operation(id).await;
    assert_eq!(waiting.status, Status::Queued);
    assert!(waiting.hold.unwrap().contains("registration"), "the mint waits");
    mend_registry(&stage, at, &code);
    let (nonce, now) = (case.nonce, stage.server.now());
    let decided = stage
        .server
        .app
        .db()
        .write(move |tx| settlement::decide(tx, nonce, Decision::Again, "the agent role was given back", now));
    decided.await.unwrap();

    stage.every_mint_is_there_once(token, &[id], &[wallet]).await;
    assert!(stage.server.read(settlement::cases).await.is_empty());
    stage.finish_in_agreement().await;
}

pub async fn freeze(stage: &Stage, token: Address, wallet: Address, freeze: bool) -> Answer {
    let (custodian, path) = (
        &stage.server.world.custodian,
        format!("/api/token/{token}/freeze-address"),
    );
    let call = stage.server.request(Method::POST, custodian, &path);
    let body = with_pin(&json!({ "userAddress": wallet, "freeze": freeze }));
    call.header("Prefer", "respond-async").json(&body).send().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mints_that_wait_for_their_recipient_keep_nobody_behind_them_waiting() {
    // Four lines fill a transaction, as long as nothing is known of what they cost.
    let mut stage = Stage::start_bad(Database::Sqlite, |chain| chain.gas_per_transaction_max = 200_000).await;
    let token = stage.asset("BEHIND").await;
    let (waits, goes) = (stage.server.world.recipients[0], stage.server.world.recipients[1]);
    stage.until_mintable(&[token]).await;
    stage.stop_settling().await;
    let mut held = Vec::new();
    for _ in 0..12 {
        held.push(stage.accept(&token, &[waits], 1).await);
    }
    let behind = stage.accept(&token, &[goes], 5).await;
    assert_eq!(freeze(&stage, token, waits, true).await.status, 202);

    stage.settle().await;

    let ended = stage.ended(behind).await;
    assert_eq!((ended.error, ended.status), (None, Status::Succeeded));
    assert_eq!(stage.balance(token, waits).await, Amount::ZERO);
    for id in &held {
        let hold = stage.operation(*id).await.hold.unwrap_or_default();
        assert!(hold.contains("is frozen"), "{hold}");
    }
    assert_eq!(freeze(&stage, token, waits, false).await.status, 202);
    for id in &held {
        let ended = stage.ended(*id).await;
        assert_eq!(ended.error, None);
        assert_eq!(ended.status, Status::Succeeded);
    }
    assert_eq!(stage.balance(token, waits).await, Amount::from(12_u64));
    stage.finish_in_agreement().await;
}
