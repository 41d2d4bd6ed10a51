//! A process that is killed between two steps of one transaction (rule 19): after the row, after the signature, after
//! sending, after the receipt. The one that comes after it goes on with what is there.

use std::sync::mpsc;
use std::time::Duration;

use moneyer::config::{Endpoint, KeySource};
use moneyer::operation::Status;
use moneyer::types::{Address, Amount, OperationId};
use reqwest::Method;
use serde_json::json;

use crate::lines::freeze;
use crate::node::ACCOUNTS;
use crate::proxy::Fault;
use crate::stage::Stage;
use crate::support::{Database, with_pin};

/// Longer than the process lives.
const NEVER: Duration = Duration::from_secs(30);

/// Another process comes up, and everything is done once, with one transaction.
async fn goes_on(stage: &mut Stage, token: Address, id: OperationId, count_before: u64) {
    stage.proxy().heal();
    stage.settle().await;
    stage.ended_by_mining(id).await;

    let recipients = stage.server.world.recipients[..3].to_vec();
    stage.every_mint_is_there_once(token, &[id], &recipients).await;
    assert_eq!(stage.signed(id).await.len(), 1);
    assert_eq!(stage.count(), count_before + 1);
}

async fn start(database: Database, symbol: &str) -> (Stage, Address) {
    let stage = Stage::start_bad(database, |chain| chain.timeout = NEVER).await;
    let token = stage.quiet_asset(symbol).await;
    (stage, token)
}

async fn accept(stage: &Stage, token: &Address) -> OperationId {
    let recipients = stage.server.world.recipients[..3].to_vec();
    stage.accept(token, &recipients, 1).await
}

/// Settles with a signer that is behind the bad network; the key it replaces. The node signs for its own accounts as
/// Web3Signer does.
async fn settle_by_remote_signer(stage: &mut Stage) -> KeySource {
    stage.stop_settling().await;
    let remote = KeySource::Remote {
        url: Endpoint::parse(&stage.proxy().url()).unwrap(),
        address: Address::parse(ACCOUNTS[0]).unwrap(),
    };
    let local = std::mem::replace(&mut stage.chain.signer, remote);
    stage.proxy().break_method("eth_signTransaction", Fault::Refuse);
    stage.settle().await;
    local
}

/// Rule 14: what was not signed when its recipient was frozen is not signed when the signer is there again, and nothing
/// further gets a nonce meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_signer_was_not_there_for_is_judged_again_before_it_is_signed() {
    let (mut stage, token) = start(Database::Sqlite, "LATE").await;
    let (before, recipients) = (stage.count(), stage.server.world.recipients[..4].to_vec());
    settle_by_remote_signer(&mut stage).await;
    let first = stage.accept(&token, &recipients[..3], 1).await;
    stage.until(first, Status::Signed).await;
    stage.until_told("the signer does not sign").await;
    let second = stage.accept(&token, &recipients[3..], 1).await;
    freeze(&stage, token, recipients[0], true).await;

    stage.proxy().heal();

    stage
        .wait("the mint to be held", async || {
            stage.node.mine(1);
            let operation = stage.operation(first).await;
            operation
                .hold
                .is_some_and(|hold| hold.contains("is frozen"))
                .then_some(())
        })
        .await;
    assert!(stage.signed(first).await.is_empty());
    stage.ended_by_mining(second).await;
    assert_eq!(
        stage.count(),
        before + 3,
        "an empty transaction, the freeze, and the second mint"
    );
    freeze(&stage, token, recipients[0], false).await;
    assert_eq!(stage.ended_by_mining(first).await.status, Status::Succeeded);
    stage.finish_in_agreement().await;
}

/// The same of a forced transfer, whose receiver was free to receive when it got its nonce.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forced_transfer_that_the_signer_was_not_there_for_is_judged_again_before_it_is_signed() {
    let (mut stage, token) = start(Database::Sqlite, "FORCED").await;
    let (before, world) = (stage.count(), stage.server.world.clone());
    let (from, to) = (*world.recipients.last().unwrap(), world.recipients[0]);
    settle_by_remote_signer(&mut stage).await;
    let path = format!("/api/token/{token}/transfer/forced");
    let body = with_pin(&json!({ "from": from, "recipients": to, "amounts": "1" }));
    let call = stage.server.request(Method::POST, &world.custodian, &path);
    let accepted = call.header("Prefer", "respond-async").json(&body).send().await;
    let id = OperationId::parse(accepted.header("x-operation-id").unwrap()).unwrap();
    stage.until(id, Status::Signed).await;
    stage.until_told("the signer does not sign").await;
    freeze(&stage, token, to, true).await;

    stage.proxy().heal();

    stage
        .wait("the transfer to be held", async || {
            stage.node.mine(1);
            let hold = stage.operation(id).await.hold?;
            hold.contains("recipient_frozen").then_some(())
        })
        .await;
    assert!(stage.signed(id).await.is_empty());
    assert_eq!(stage.balance(token, to).await, Amount::ZERO);
    freeze(&stage, token, to, false).await;
    assert_eq!(stage.ended_by_mining(id).await.status, Status::Succeeded);
    assert_eq!(
        stage.count(),
        before + 4,
        "an empty transaction, the freeze, its end, and the transfer"
    );
    stage.finish_in_agreement().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_after_the_row_and_before_the_signature_signs_at_the_same_nonce() {
    let (mut stage, token) = start(Database::Sqlite, "ROW").await;
    let before = stage.count();
    let local = settle_by_remote_signer(&mut stage).await;
    stage.proxy().heal();
    stage.proxy().break_method("eth_signTransaction", Fault::TimeOut(NEVER));

    let id = accept(&stage, &token).await;
    stage.until(id, Status::Signed).await;
    assert!(stage.signed(id).await.is_empty(), "the signer has not answered");
    stage.crash().await;

    stage.chain.signer = local;
    goes_on(&mut stage, token, id, before).await;
    stage.finish_in_agreement().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_after_the_signature_and_before_sending_sends_the_same_bytes() {
    let (mut stage, token) = start(Database::Postgres, "SIGN").await;
    let before = stage.count();
    stage
        .proxy()
        .break_method("eth_sendRawTransaction", Fault::TimeOut(NEVER));

    let id = accept(&stage, &token).await;
    let signed = stage
        .wait("the signature", async || {
            let signed = stage.signed(id).await;
            (!signed.is_empty()).then_some(signed)
        })
        .await;
    assert!(stage.node.pool().0.is_empty(), "the node has not heard of it");
    stage.crash().await;

    let hash = signed[0];
    goes_on(&mut stage, token, id, before).await;
    assert_eq!(stage.signed(id).await, [hash]);
    stage.finish_in_agreement().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_after_sending_and_before_it_is_recorded_finds_its_own_transaction() {
    let (mut stage, token) = start(Database::Sqlite, "SENT").await;
    let before = stage.count();
    stage
        .proxy()
        .break_method("eth_sendRawTransaction", Fault::TimeOutAfter(NEVER));

    let id = accept(&stage, &token).await;
    stage.pool(1).await;
    assert_eq!(
        stage.operation(id).await.status,
        Status::Signed,
        "nobody has said so yet"
    );
    stage.crash().await;

    // It is even mined while nobody looks.
    stage.node.mine(1);
    goes_on(&mut stage, token, id, before).await;
    stage.finish_in_agreement().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_after_the_receipt_and_before_posting_posts_once() {
    for database in [Database::Sqlite, Database::Postgres] {
        let (mut stage, token) = start(database, "POST").await;
        let before = stage.count();
        let id = accept(&stage, &token).await;
        stage.pool(1).await;
        stage.node.mine(1);
        stage.until(id, Status::Mined).await;

        // Whoever posts has to wait: the asset's row is somebody else's, or the one writer's place is.
        let asset = stage.server.asset(&token).await.id;
        let (let_go, held) = mpsc::channel::<()>();
        let (begun, begins) = mpsc::channel::<()>();
        let held = std::sync::Mutex::new(held);
        let db = stage.server.app.db().clone();
        let holder = tokio::spawn(async move {
            db.write(move |tx| {
                moneyer::asset::lock(tx, asset)?;
                begun.send(()).unwrap();
                let _ended = held.lock().unwrap().recv();
                Ok(())
            })
            .await
        });
        tokio::task::spawn_blocking(move || begins.recv().unwrap())
            .await
            .unwrap();
        stage.node.mine(1);
        // Long enough to see that the block is final, and to want to post.
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(stage.operation(id).await.status, Status::Mined);
        stage.kill_settling().await;
        let_go.send(()).unwrap();
        holder.await.unwrap().unwrap();
        stage.take_lease_away().await;

        goes_on(&mut stage, token, id, before).await;
        stage.finish_in_agreement().await;
    }
}
