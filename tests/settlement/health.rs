//! `/readyz` while settlement is in trouble: the server stays ready for reading and accepting, and says what is wrong.

use moneyer::types::OperationId;
use reqwest::Method;
use serde_json::{Value, json};

use crate::node::{ACCOUNTS, Mining, Options};
use crate::stage::Stage;
use crate::support::{Database, Server};

const ETHER: u128 = 1_000_000_000_000_000_000;

async fn readiness(stage: &Stage) -> Value {
    let answer = stage.server.call(Method::GET, None, "/readyz").send().await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body
}

/// Waits until the check of the chain says this; what the whole says then.
async fn until_chain_says(stage: &Stage, words: &str) -> String {
    let body = stage.wait(words, async || {
        let body = readiness(stage).await;
        let says = body["checks"]["chain"].as_str().unwrap().to_owned();
        (says == words || (words != "ok" && says.contains(words))).then_some(body)
    });
    body.await["status"].as_str().unwrap().to_owned()
}

fn every_second() -> Options {
    Options {
        mining: Mining::Every(1),
        kept: true,
        ..Options::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_node_is_away_mints_are_accepted_and_the_server_says_that_it_is_degraded() {
    for database in [Database::Sqlite, Database::Postgres] {
        let mut stage = Stage::start_on(database, every_second()).await;
        let token = stage.asset("HEALTH").await;
        let recipient = stage.server.world.recipients[0];
        stage.server.mint_each(&token, &[recipient], 1).await.ok();
        assert_eq!(until_chain_says(&stage, "ok").await, "ready");

        stage.node.wait_until_saved();
        stage.node.kill();
        assert_eq!(until_chain_says(&stage, "no endpoint answers").await, "degraded");
        let issuer = stage.server.world.issuer.clone();
        let body = Server::mint_body(json!(recipient), "2");
        let request = stage.server.request(Method::POST, &issuer, &Server::mint_path(&token));
        let answer = request.header("Prefer", "respond-async").json(&body).send().await;
        assert_eq!(answer.status, 202, "{}", answer.text);

        stage.node.start_again();
        assert_eq!(until_chain_says(&stage, "ok").await, "ready");
        let id = OperationId::parse(answer.header("x-operation-id").unwrap()).unwrap();
        stage.ended(id).await;
        assert_eq!(stage.supply(token).await.to_string(), "3");
        stage.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signer_without_funds_and_a_key_that_somebody_else_uses_are_told() {
    let stage = Stage::start(Database::Sqlite).await;
    let token = stage.asset("HEALTH").await;
    // Nothing of ours is under way any more.
    stage
        .server
        .mint_each(&token, &stage.server.world.recipients[..1], 1)
        .await
        .ok();
    assert_eq!(until_chain_says(&stage, "ok").await, "ready");

    stage.node.set_balance(ACCOUNTS[0], 1);
    assert_eq!(until_chain_says(&stage, "is low on funds").await, "degraded");
    stage.node.set_balance(ACCOUNTS[0], 1_000 * ETHER);
    assert_eq!(until_chain_says(&stage, "ok").await, "ready");

    stage
        .node
        .send_as(json!({ "from": ACCOUNTS[0], "to": ACCOUNTS[1], "value": "0x1" }));
    assert_eq!(until_chain_says(&stage, "key_used_elsewhere").await, "degraded");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_wiped_while_the_server_ran_is_told_and_nothing_is_sent_to_it() {
    let options = Options {
        kept: false,
        ..every_second()
    };
    let mut stage = Stage::start_on(Database::Sqlite, options).await;
    let token = stage.asset("HEALTH").await;
    assert_eq!(until_chain_says(&stage, "ok").await, "ready");
    let recipient = stage.server.world.recipients[0];
    stage.server.mint_each(&token, &[recipient], 1).await.ok();

    stage.node.kill();
    until_chain_says(&stage, "no endpoint answers").await;
    stage.node.start_again();

    assert_eq!(until_chain_says(&stage, "began with block").await, "degraded");
    let head = stage.node.head();
    stage
        .wait("some blocks", async || (stage.node.head() > head + 3).then_some(()))
        .await;
    assert_eq!(stage.node.count(ACCOUNTS[0]), 0);
    stage.finish().await;
}
