//! Mints from the request to the final block.

use moneyer::chain::contracts::{returned, token};
use moneyer::operation::Status;
use moneyer::settlement::{self, Decision};
use moneyer::types::{Address, Amount, OperationId};
use serde_json::json;

use crate::stage::Stage;
use crate::support::{Answer, Database, PIN, Server};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_asset_has_its_address_at_once_and_its_contract_when_its_operation_is_final() {
    let stage = Stage::start(Database::Sqlite).await;
    stage.asset("FIRST").await;
    let creator = stage.server.world.creator.clone();
    let body = json!({
        "type": "deposit", "name": "On the chain", "symbol": "CHAIN", "decimals": 6, "countryCode": "056",
        "basePrice": "1.00", "basePriceCurrencyCode": "EUR", "settlement": "evm",
        "walletVerification": { "secretVerificationCode": PIN },
    });

    let answer = stage.server.post(&creator, "/api/token/create", &body).await;

    assert_eq!(answer.status, 202, "{:?}", answer.body);
    let id = OperationId::parse(answer.header("x-operation-id").unwrap()).unwrap();
    assert_eq!(answer.header("location").unwrap(), format!("/api/operations/{id}"));
    let asset = answer.body.clone();
    assert_eq!(
        (&asset["settlement"], &asset["pausable"]["paused"]),
        (&json!("evm"), &json!(true))
    );
    assert_eq!(stage.ended(id).await.status, Status::Succeeded);
    let token = Address::parse(asset["id"].as_str().unwrap()).unwrap();
    let name = stage.ask(token, token::name()).await;
    assert_eq!(returned::text(&name).unwrap(), "On the chain");
    assert_eq!(returned::flag(&stage.ask(token, token::paused()).await), Some(true));
    stage.finish().await;
}

async fn ask(stage: &Stage, token: &Address, key: &str, prefer: &str) -> Answer {
    let body = Server::mint_body(stage.server.world.recipients[0].to_string(), "5");
    let issuer = stage.server.world.issuer.clone();
    let call = stage
        .server
        .request(reqwest::Method::POST, &issuer, &Server::mint_path(token));
    call.header("Prefer", prefer)
        .idempotency_key(key)
        .json(&body)
        .send()
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_tells_the_open_operation_and_then_one_body_for_ever() {
    let mut stage = Stage::start(Database::Sqlite).await;
    let token = stage.asset("CHAIN").await;
    stage.stop_settling().await;

    let accepted = ask(&stage, &token, "order-1", "respond-async").await;
    let open = ask(&stage, &token, "order-1", "respond-async").await;
    stage.settle().await;
    let id = OperationId::parse(accepted.header("x-operation-id").unwrap()).unwrap();
    assert_eq!(stage.ended(id).await.status, Status::Succeeded);
    let first = ask(&stage, &token, "order-1", "respond-async").await;
    let other = ask(&stage, &token, "order-2", "wait=30").await;
    let again = ask(&stage, &token, "order-1", "wait=30").await;
    let other_again = ask(&stage, &token, "order-2", "respond-async").await;

    assert_eq!((accepted.status.as_u16(), open.status.as_u16()), (202, 202));
    for replay in [&open, &first, &again, &other_again] {
        assert_eq!(replay.header("idempotent-replayed"), Some("true"));
    }
    assert_eq!(first.header("x-operation-id"), accepted.header("x-operation-id"));
    assert_eq!(again.header("x-transaction-hash"), first.header("x-transaction-hash"));
    assert!(first.header("x-transaction-hash").is_some());
    assert_eq!((&first.text, &other.text), (&again.text, &other_again.text));
    assert_eq!(first.ok()["totalSupply"], json!("[\"5\",0]"));
    assert_eq!(other.ok()["totalSupply"], json!("[\"10\",0]"));
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_that_does_not_show_what_was_sent_posts_nothing_and_needs_a_person() {
    for database in [Database::Sqlite, Database::Postgres] {
        let stage = Stage::start_bad(database, |_| {}).await;
        let token = stage.quiet_asset("SILENT").await;
        let recipients = stage.server.world.recipients[..3].to_vec();
        let supply = stage.server.asset(&token).await.supply;
        let code = stage.node.rpc("eth_getCode", json!([token.to_string(), "latest"]));
        // STOP: every call succeeds and does nothing.
        stage.node.rpc("anvil_setCode", json!([token.to_string(), "0x00"]));

        let id = stage.accept(&token, &recipients, 1).await;
        let case = stage
            .wait("the case", async || {
                stage.node.mine(1);
                stage.server.read(settlement::cases).await.pop()
            })
            .await;

        assert_eq!((case.kind.as_str(), case.attention.as_str()), ("mint", "result"));
        assert_eq!(case.operations[0].id, id);
        let waiting = stage.operation(id).await;
        assert_eq!(waiting.status, Status::Mined);
        assert!(waiting.attention.unwrap().0.contains("less often than was sent"));
        let asset = stage.server.asset(&token).await;
        assert_eq!((asset.supply, asset.pending), (supply, Amount::from(3_u64)));
        stage.node.rpc("anvil_setCode", json!([token.to_string(), code]));
        let (nonce, now) = (case.nonce, stage.server.now());
        let decided = stage
            .server
            .app
            .db()
            .write(move |tx| settlement::decide(tx, nonce, Decision::Failed, "no Transfer on the explorer", now));
        decided.await.unwrap();
        assert_eq!(stage.ended_by_mining(id).await.status, Status::Failed);
        assert_eq!(stage.server.asset(&token).await.pending, Amount::ZERO);
        stage.until_agreement().await;
        stage.finish_in_agreement().await;
    }
}

/// The clone of a token with one change: what is minted last in a call of several is two units. Its address is that of
/// the code it hands every call on to (EIP-1167).
fn generous(clone: &str) -> String {
    let at = &clone[22..62];
    // More than 100 bytes of input: 2 goes where the last 32 of them are. 19: JUMPDEST, and on to the code as before.
    format!("0x363d3d373660641015601357600260203603525b3d3d3d363d73{at}5af43d82803e903d91603b57fd5bf3")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_wrong_receipt_moved_is_posted_as_observed_when_a_person_ends_the_mint() {
    for database in [Database::Sqlite, Database::Postgres] {
        let stage = Stage::start_bad(database, |_| {}).await;
        let token = stage.quiet_asset("GENEROUS").await;
        let recipients = stage.server.world.recipients[..3].to_vec();
        let supply = stage.server.asset(&token).await.supply;
        let code = stage.node.rpc("eth_getCode", json!([token.to_string(), "latest"]));
        let wrong = generous(code.as_str().unwrap());
        stage.node.rpc("anvil_setCode", json!([token.to_string(), wrong]));
        let id = stage.accept(&token, &recipients, 1).await;
        let case = stage
            .wait("the case", async || {
                stage.node.mine(1);
                stage.server.read(settlement::cases).await.pop()
            })
            .await;
        assert_eq!((case.kind.as_str(), case.attention.as_str()), ("mint", "result"));
        stage.node.rpc("anvil_setCode", json!([token.to_string(), code]));
        assert_eq!(stage.balance(token, recipients[2]).await, Amount::from(2_u64));

        let (nonce, now) = (case.nonce, stage.server.now());
        let decided = stage
            .server
            .app
            .db()
            .write(move |tx| settlement::decide(tx, nonce, Decision::Failed, "more than was sent", now));
        decided.await.unwrap();

        assert_eq!(stage.ended_by_mining(id).await.status, Status::Failed);
        let asset = stage.server.asset(&token).await;
        let minted = supply.checked_add(Amount::from(4_u64)).unwrap();
        assert_eq!((asset.supply, asset.pending), (minted, Amount::ZERO));
        assert!(stage.server.read(settlement::cases).await.is_empty());
        stage.until_agreement().await;
        stage.finish_in_agreement().await;
    }
}
