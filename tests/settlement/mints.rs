//! Mints from the request to the final block.

use moneyer::operation::Status;
use moneyer::types::{Amount, OperationId};
use serde_json::json;

use crate::stage::Stage;
use crate::support::{Database, Server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_a_hundred_is_on_the_chain_when_the_answer_says_so() {
    for database in [Database::Sqlite, Database::Postgres] {
        let stage = Stage::start(database).await;
        let token = stage.asset("CHAIN").await;
        let recipients = stage.server.world.recipients[..100].to_vec();

        let answer = stage.server.mint_each(&token, &recipients, 7).await;

        let operation = answer.header("x-operation-id").unwrap().to_owned();
        let transaction = answer.header("x-transaction-hash").unwrap().to_owned();
        let body = answer.ok();
        assert_eq!(body["totalSupply"], json!("[\"700\",0]"), "{body}");
        assert_eq!(stage.supply(token).await, Amount::from(700_u64));
        for recipient in &recipients {
            assert_eq!(stage.balance(token, *recipient).await, Amount::from(7_u64));
        }
        let receipt = stage.node.receipt(&transaction);
        assert_eq!(receipt["logs"].as_array().unwrap().len(), 100);
        let ended = stage.operation(OperationId::parse(&operation).unwrap()).await;
        assert_eq!(ended.status, Status::Succeeded);
        stage.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mint_that_is_not_awaited_is_accepted_and_told_by_its_operation() {
    let stage = Stage::start(Database::Sqlite).await;
    let token = stage.asset("CHAIN").await;
    let recipient = stage.server.world.recipients[0];
    let body = Server::mint_body(recipient.to_string(), "5");
    let path = Server::mint_path(&token);
    let issuer = stage.server.world.issuer.clone();

    let answer = stage
        .server
        .request(reqwest::Method::POST, &issuer, &path)
        .header("Prefer", "respond-async")
        .json(&body)
        .send()
        .await;

    assert_eq!(answer.status, 202);
    let location = answer.header("location").unwrap().to_owned();
    let id = OperationId::parse(answer.header("x-operation-id").unwrap()).unwrap();
    let open = stage.server.get(&issuer, &location).await.ok();
    assert_eq!(open["id"], json!(id.to_string()));
    let asset = stage.server.asset(&token).await;
    assert_eq!((asset.supply, asset.pending), (Amount::ZERO, Amount::from(5_u64)));

    assert_eq!(stage.ended(id).await.status, Status::Succeeded);

    let asset = stage.server.asset(&token).await;
    assert_eq!((asset.supply, asset.pending), (Amount::from(5_u64), Amount::ZERO));
    assert_eq!(stage.balance(token, recipient).await, Amount::from(5_u64));
    let done = stage.server.get(&issuer, &location).await.ok();
    assert_eq!(done["status"], "succeeded");
    assert_eq!(done["transactionHashes"].as_array().unwrap().len(), 1);
    assert!(done["confirmations"].as_u64().unwrap() >= 1, "{done}");
    stage.finish().await;
}
