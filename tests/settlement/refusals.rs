//! Transactions that a node refuses for good: the empty one in their place does nothing of what they were for.

use moneyer::operation::Status;
use moneyer::settlement::{self, Decision};
use moneyer::types::{Address, Amount, OperationId};
use reqwest::Method;
use serde_json::{Value, json};

use crate::adoption::grant_roles;
use crate::lines::newcomer;
use crate::proxy::Fault;
use crate::stage::Stage;
use crate::support::{Database, PIN, Server, batch, with_pin};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registration_that_the_node_refuses_is_told_again_and_the_mint_that_waited_goes() {
    for database in [Database::Sqlite, Database::Postgres] {
        let stage = Stage::start_bad(database, |_| {}).await;
        let token = stage.asset("REGISTER").await;
        stage.until_mintable(&[token]).await;
        stage.proxy().inject("eth_sendRawTransaction", Fault::Refusal, 1);
        let wallet = newcomer(&stage).await;

        let id = stage.accept(&token, &[wallet], 1).await;

        stage.every_mint_is_there_once(token, &[id], &[wallet]).await;
        assert!(stage.server.read(settlement::cases).await.is_empty());
        stage.finish_in_agreement().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_asset_whose_creation_the_node_refuses_does_not_stand() {
    let stage = Stage::start_bad(Database::Sqlite, |_| {}).await;
    let first = stage.asset("FIRST").await;
    stage.until_mintable(&[first]).await;
    let creator = stage.server.world.creator.clone();
    let body = json!({
        "type": "deposit", "name": "Refused", "symbol": "REFUSED", "decimals": 6, "countryCode": "056",
        "basePrice": "1.00", "basePriceCurrencyCode": "EUR", "settlement": "evm",
        "walletVerification": { "secretVerificationCode": PIN },
    });

    stage.proxy().inject("eth_sendRawTransaction", Fault::Refusal, 1);
    let answer = stage.server.post(&creator, "/api/token/create", &body).await;
    let id = OperationId::parse(answer.header("x-operation-id").unwrap()).unwrap();
    let ended = stage.ended(id).await;

    assert_eq!(ended.status, Status::Failed);
    let token = Address::parse(answer.body["id"].as_str().unwrap()).unwrap();
    let asset = stage.server.asset(&token).await.id;
    assert!(!stage.server.read(move |tx| settlement::stands(tx, asset)).await);
    stage.finish_in_agreement().await;
}

/// What waits for a contract that will never be there ends with it, and nothing further is taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_asset_whose_creation_the_node_refuses_fails_with_all_that_waited_for_it() {
    for database in [Database::Sqlite, Database::Postgres] {
        let mut stage = Stage::start_bad(database, |_| {}).await;
        let first = stage.asset("FIRST").await;
        stage.until_mintable(&[first]).await;
        stage.stop_settling().await;
        let world = stage.server.world.clone();
        let body = json!({
            "type": "deposit", "name": "Refused", "symbol": "REFUSED", "decimals": 6, "countryCode": "056",
            "basePrice": "1.00", "basePriceCurrencyCode": "EUR", "settlement": "evm",
            "walletVerification": { "secretVerificationCode": PIN },
        });
        let later = async |person, path: &str, body: &Value| {
            let call = stage.server.request(Method::POST, person, path);
            let answer = call.header("Prefer", "respond-async").json(body).send().await;
            assert_eq!(answer.status, 202, "{:?}", answer.body);
            let id = OperationId::parse(answer.header("x-operation-id").unwrap()).unwrap();
            (id, answer)
        };
        let (create, answer) = later(&world.creator, "/api/token/create", &body).await;
        let token = Address::parse(answer.body["id"].as_str().unwrap()).unwrap();
        grant_roles(&stage, token).await;
        let unpause_path = format!("/api/token/{token}/unpause");
        let (unpause, _) = later(&world.emergency, &unpause_path, &with_pin(&json!({}))).await;
        let mint = stage.accept(&token, &world.recipients[..2], 5).await;
        stage.proxy().inject("eth_sendRawTransaction", Fault::Refusal, 1);

        stage.settle().await;

        for id in [create, unpause, mint] {
            let ended = stage.ended(id).await;
            assert_eq!(ended.status, Status::Failed);
            let reason = ended.error.unwrap();
            assert!(reason.contains("the node refuses the transaction for good"), "{reason}");
        }
        assert!(
            stage.signed(unpause).await.is_empty(),
            "nothing is sent where no contract is"
        );
        let asset = stage.server.asset(&token).await;
        assert_eq!((asset.pending, asset.is_paused()), (Amount::ZERO, true));
        let mint_path = Server::mint_path(&token);
        let emergency = stage
            .server
            .verified()
            .post(&world.emergency, &unpause_path, &json!({}))
            .await;
        let issuer = stage
            .server
            .post(&world.issuer, &mint_path, &batch(&world.recipients[..1], 1))
            .await;
        for refused in [emergency, issuer] {
            assert_eq!(refused.status, 409, "{:?}", refused.body);
            let message = refused.body["message"].as_str().unwrap();
            assert!(message.contains("could not be created"), "{message}");
        }
        stage.finish_in_agreement().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_transaction_that_is_refused_too_is_signed_again_when_a_person_says_so() {
    for database in [Database::Sqlite, Database::Postgres] {
        let stage = Stage::start_bad(database, |_| {}).await;
        let token = stage.quiet_asset("BOTH").await;
        let recipients = stage.server.world.recipients[..3].to_vec();
        stage.proxy().inject("eth_sendRawTransaction", Fault::Refusal, 2);
        let id = stage.accept(&token, &recipients, 1).await;
        let nonce = stage.count();
        let both_refused = async || {
            let case = stage.server.read(settlement::cases).await.pop()?;
            (case.transactions.len() == 2).then_some(())
        };
        stage.wait("two refusals", both_refused).await;
        for _look in 0..5 {
            stage.node.mine(1);
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert_eq!(stage.count(), nonce, "nothing of it can be mined");

        let now = stage.server.now();
        let decided = stage
            .server
            .app
            .db()
            .write(move |tx| settlement::decide(tx, nonce, Decision::Again, "the node has room again", now));
        decided.await.unwrap();
        let ended = stage.ended_by_mining(id).await;

        assert_eq!(ended.error.unwrap(), "the node refuses the transaction for good");
        assert_eq!(stage.count(), nonce + 1);
        let next = stage.accept(&token, &recipients, 1).await;
        stage.ended_by_mining(next).await;
        stage.every_mint_is_there_once(token, &[next], &recipients).await;
        stage.finish_in_agreement().await;
    }
}
