//! A network that loses, delays and invents answers, and endpoints that lie.

use std::process::Command;
use std::time::{Duration, Instant};

use moneyer::config::Endpoint;
use moneyer::operation::Status;
use moneyer::settlement;
use moneyer::types::{Address, Amount, Hash32, OperationId};

use crate::fees::offers;
use crate::node::{KEYS, Node, Options};
use crate::proxy::{Fault, Proxy};
use crate::stage::{PATIENCE, Stage};
use crate::support::Database;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_that_is_lost_after_the_node_took_the_transaction_decides_nothing() {
    let stage = Stage::start_bad(Database::Postgres, |_| {}).await;
    let token = stage.quiet_asset("REPLY").await;
    let recipients = stage.server.world.recipients[..3].to_vec();
    let before = stage.count();

    let mut ids = Vec::new();
    for fault in [Fault::DropReply, Fault::StatusAfter(502)] {
        // However often it is offered.
        stage.proxy().break_method("eth_sendRawTransaction", fault);
        let id = stage.accept(&token, &recipients, 1).await;
        stage.pool(1).await;
        stage.until(id, Status::Sent).await;
        stage.proxy().heal();
        stage.ended_by_mining(id).await;
        ids.push(id);
    }
    let attempts: Vec<usize> = offers(&stage, before).await.iter().map(Vec::len).collect();
    assert_eq!(attempts, [1, 1], "nothing took the place of either");

    stage.every_mint_is_there_once(token, &ids, &recipients).await;
    assert_eq!(stage.count(), before + 2);
    stage.finish_in_agreement().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_that_is_null_for_a_while_fails_nothing_and_mints_nothing_again() {
    let stage = Stage::start_bad(Database::Sqlite, |_| {}).await;
    let token = stage.quiet_asset("NULL").await;
    let recipients = stage.server.world.recipients[..3].to_vec();
    let before = stage.count();
    stage
        .proxy()
        .break_method("eth_getTransactionReceipt", Fault::NullReceipts);
    let id = stage.accept(&token, &recipients, 1).await;
    stage.pool(1).await;

    // A dozen looks without a receipt, at one block: nobody is called yet.
    stage.node.mine(1);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let waiting = stage.operation(id).await;
    assert_eq!((waiting.status, waiting.attention), (Status::Sent, None));
    // Long enough for a person to be called: even then it has not failed and nothing else is sent for it.
    stage
        .wait("an alarm", async || {
            stage.node.mine(1);
            stage.operation(id).await.attention.is_some().then_some(())
        })
        .await;
    assert_eq!(stage.operation(id).await.status, Status::Sent);
    stage.proxy().heal();

    let ended = stage.ended_by_mining(id).await;
    assert_eq!((ended.status, ended.attention), (Status::Succeeded, None));
    assert_eq!(stage.signed(id).await.len(), 1);
    assert_eq!(stage.count(), before + 1);
    stage.every_mint_is_there_once(token, &[id], &recipients).await;
    stage.finish_in_agreement().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_lies_behind_is_not_believed() {
    let mut honest = None;
    // Both look at the same node; only the first will lie.
    let stage = Stage::start_bad_through(Database::Sqlite, |node, chain| {
        let proxy = Proxy::start(node.address());
        chain.rpc.push(Endpoint::parse(&proxy.url()).unwrap());
        chain.lag_patience = Duration::from_secs(60);
        honest = Some(proxy);
    })
    .await;
    let honest = honest.unwrap();
    let token = stage.asset("LAG").await;
    stage.until_mintable(&[token]).await;
    let recipients = stage.server.world.recipients[..3].to_vec();
    let asked = || honest.count("eth_blockNumber") + honest.count("eth_getBlockByNumber");

    let mut ids = Vec::new();
    // It stands still at what was seen, and is known by that after a while; or it knows less than was seen.
    for (behind, patience) in [(0, PATIENCE), (5, Duration::from_secs(2))] {
        let (before, begin) = (asked(), Instant::now());
        stage.proxy().lag_at(stage.node.head() - behind);
        ids.push(stage.accept(&token, &recipients, 1).await);
        stage
            .wait("the honest one to be asked", async || (asked() > before).then_some(()))
            .await;
        assert!(begin.elapsed() < patience, "the one that lies was believed for long");
        ids.push(stage.accept(&token, &recipients, 1).await);
        for id in &ids {
            assert_eq!(stage.ended(*id).await.status, Status::Succeeded);
        }
        stage.proxy().catch_up();
    }
    stage.every_mint_is_there_once(token, &ids, &recipients).await;
    stage.finish_in_agreement().await;
}

/// Settings of the environment for a server on this chain.
fn serve(folder: &std::path::Path, url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_moneyer"));
    command
        .args(["--database", &format!("sqlite:{}", folder.join("moneyer.db").display())])
        .args(["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"])
        .env(
            "MONEYER_POLICIES__DIR",
            concat!(env!("CARGO_MANIFEST_DIR"), "/policies"),
        )
        .env("MONEYER_CHAIN__ID", "31337")
        .env("MONEYER_CHAIN__RPC", url)
        .env("MONEYER_CHAIN__SIGNER_KEY", KEYS[0]);
    command
}

#[test]
fn a_server_does_not_start_on_another_chain_than_the_configured_one() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(Options {
        chain_id: 5,
        ..Options::default()
    });

    let output = serve(folder.path(), &node.url()).output().unwrap();

    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("serves chain 5, not 31337: see chain.id and chain.rpc"),
        "{said}"
    );
}

/// A mint whose transaction is refused for good with this fault. With it its two transactions: its own, and the no-op that
/// is to take its nonce.
async fn refused(stage: &Stage, symbol: &str, fault: Fault) -> (Address, OperationId, [String; 2]) {
    let token = stage.quiet_asset(symbol).await;
    stage.proxy().inject("eth_sendRawTransaction", fault, 1);
    let recipients = stage.server.world.recipients[..3].to_vec();
    let id = stage.accept(&token, &recipients, 1).await;
    let signed = stage
        .wait("the no-op", async || {
            let case = stage.server.read(settlement::cases).await.pop()?;
            assert_eq!(case.attention, "refused_by_node");
            let signed: Vec<String> = case.transactions.iter().map(Hash32::to_string).collect();
            <[String; 2]>::try_from(signed).ok()
        })
        .await;
    (token, id, signed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_mint_that_is_mined_before_the_no_op_in_its_place_is_posted() {
    let stage = Stage::start_bad(Database::Sqlite, |_| {}).await;
    let (token, id, [original, _]) = refused(&stage, "ORIGINAL", Fault::RefusalAfter).await;
    assert_eq!(stage.pool(1).await, [original], "the node has it all the same");

    let ended = stage.ended_by_mining(id).await;

    assert_eq!(ended.status, Status::Succeeded, "{:?}", ended.error);
    let recipients = stage.server.world.recipients[..3].to_vec();
    stage.every_mint_is_there_once(token, &[id], &recipients).await;
    stage.finish_in_agreement().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_no_op_that_is_mined_in_place_of_a_refused_mint_fails_it_and_frees_what_it_reserved() {
    let stage = Stage::start_bad(Database::Postgres, |_| {}).await;
    let (token, id, [_, noop]) = refused(&stage, "NOOP", Fault::Refusal).await;
    let before = stage.count();
    assert_eq!(stage.pool(1).await.first(), Some(&noop));

    let ended = stage.ended_by_mining(id).await;

    assert_eq!(ended.status, Status::Failed);
    assert_eq!(ended.error.unwrap(), "the node refuses the transaction for good");
    let receipt = stage.node.receipt(&noop);
    assert_eq!(receipt["status"], "0x1");
    assert_eq!(receipt["logs"].as_array().unwrap().len(), 0);
    assert_eq!(stage.count(), before + 1);
    let recipient = stage.server.world.recipients[0];
    assert_eq!(stage.balance(token, recipient).await, Amount::ZERO);
    assert_eq!(stage.server.asset(&token).await.pending, Amount::ZERO);
    stage.finish_in_agreement().await;
}
