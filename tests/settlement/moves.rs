//! Burns and forced transfers, from the request to the final block.

use moneyer::ledger;
use moneyer::operation::Status;
use moneyer::types::{Address, Amount, OperationId};
use reqwest::Method;
use serde_json::{Value, json};

use crate::observed::posted;
use crate::stage::Stage;
use crate::support::{Answer, Database, Person, with_pin};

async fn later(stage: &Stage, person: &Person, method: Method, path: &str, body: &Value) -> Answer {
    let call = stage
        .server
        .request(method, person, path)
        .header("Prefer", "respond-async");
    call.json(&with_pin(body)).send().await
}

fn burn_path(token: Address) -> String {
    format!("/api/token/{token}/burn")
}

async fn leaving(stage: &Stage, token: Address, wallet: Address) -> Amount {
    let asset = stage.server.asset(&token).await.id;
    let account = stage.server.read(move |tx| ledger::account(tx, asset, wallet)).await;
    account.map_or(Amount::ZERO, |account| account.leaving)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burn_is_leaving_until_its_block_is_final() {
    for database in [Database::Sqlite, Database::Postgres] {
        let mut stage = Stage::start(database).await;
        let token = stage.asset("BURN").await;
        let holders = stage.server.world.recipients[..2].to_vec();
        stage.server.mint_each(&token, &holders, 100).await.ok();
        stage.stop_settling().await;
        let issuer = stage.server.world.issuer.clone();
        let body = json!({ "addresses": holders, "amounts": ["30", "100"] });

        let accepted = later(&stage, &issuer, Method::DELETE, &burn_path(token), &body).await;

        assert_eq!(accepted.status, 202, "{:?}", accepted.body);
        assert_eq!(accepted.body["kind"], "burn");
        assert_eq!(leaving(&stage, token, holders[0]).await, Amount::from(30_u64));
        assert_eq!(stage.server.asset(&token).await.supply, Amount::from(200_u64));
        let over = json!({ "addresses": holders[0], "amounts": "71" });
        let refused = stage.server.verified().post(&issuer, &burn_path(token), &over).await;
        assert_eq!(
            refused.error(422, "INPUT_VALIDATION_FAILED")["findings"][0]["params"]["held"],
            "70"
        );
        stage.server.verify().await;
        stage.settle().await;
        let id = OperationId::parse(accepted.header("x-operation-id").unwrap()).unwrap();
        assert_eq!(stage.ended(id).await.status, Status::Succeeded);

        assert_eq!(
            (stage.supply(token).await, leaving(&stage, token, holders[0]).await),
            (Amount::from(70_u64), Amount::ZERO)
        );
        assert_eq!(posted(&stage, token, holders[0]).await, Amount::from(70_u64));
        assert_eq!(stage.balance(token, holders[1]).await, Amount::ZERO);
        assert_eq!(stage.reconciled().await.drift, Vec::<String>::new());
        stage.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forced_transfer_goes_through_a_pause_and_a_freeze_on_the_chain_too() {
    let stage = Stage::start(Database::Sqlite).await;
    let token = stage.asset("FORCE").await;
    let (from, to) = (stage.server.world.recipients[0], stage.server.world.recipients[1]);
    stage.server.mint_each(&token, &[from], 100).await.ok();
    let world = stage.server.world.clone();
    let freeze = json!({ "userAddress": from, "freeze": true });
    let path = format!("/api/token/{token}/freeze-address");
    stage
        .server
        .verified()
        .post(&world.custodian, &path, &freeze)
        .await
        .ok();
    let path = format!("/api/token/{token}/pause");
    stage
        .server
        .verified()
        .post(&world.emergency, &path, &json!({}))
        .await
        .ok();
    let body = json!({ "from": from, "recipients": to, "amounts": "60" });
    let path = format!("/api/token/{token}/transfer/forced");

    let answer = stage.server.verified().post(&world.custodian, &path, &body).await;

    assert!(answer.header("x-transaction-hash").is_some());
    assert_eq!(answer.ok()["totalSupply"], json!("[\"100\",0]"));
    assert_eq!(
        (stage.balance(token, from).await, stage.balance(token, to).await),
        (Amount::from(40_u64), Amount::from(60_u64))
    );
    assert_eq!(posted(&stage, token, to).await, Amount::from(60_u64));
    assert_eq!(stage.reconciled().await.drift, Vec::<String>::new());
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_holder_moved_away_meanwhile_is_not_burned_and_the_burn_says_why() {
    let mut stage = Stage::start(Database::Sqlite).await;
    let creator = stage.server.world.creator.clone();
    stage.asset("FIRST").await;
    let new = json!({
        "type": "deposit", "name": "Free", "symbol": "FREE", "decimals": 0, "countryCode": "056",
        "basePrice": "1.00", "basePriceCurrencyCode": "EUR", "settlement": "evm", "holderTransfers": true,
    });
    let created = stage.server.verified().post(&creator, "/api/token/create", &new).await;
    let token = Address::parse(created.body["id"].as_str().unwrap()).unwrap();
    crate::adoption::grant_roles(&stage, token).await;
    let emergency = stage.server.world.emergency.clone();
    stage
        .server
        .verified()
        .post(&emergency, &format!("/api/token/{token}/unpause"), &json!({}))
        .await
        .ok();
    let (from, to) = (stage.server.world.recipients[0], stage.server.world.recipients[1]);
    stage.server.mint_each(&token, &[from], 100).await.ok();
    stage.stop_settling().await;
    let issuer = stage.server.world.issuer.clone();
    let body = json!({ "addresses": from, "amounts": "90" });
    let accepted = later(&stage, &issuer, Method::POST, &burn_path(token), &body).await;
    stage.send(&from.to_string(), token, &crate::observed::transfer(to, 20));

    stage.settle().await;

    let id = OperationId::parse(accepted.header("x-operation-id").unwrap()).unwrap();
    let ended = stage.ended(id).await;
    assert_eq!(ended.status, Status::Failed);
    let reason = ended.error.unwrap();
    assert!(reason.starts_with(&format!("line 0 ({from}):")), "{reason}");
    stage
        .wait("the transfer in the books", async || {
            (posted(&stage, token, from).await == Amount::from(80_u64)).then_some(())
        })
        .await;
    assert_eq!(leaving(&stage, token, from).await, Amount::ZERO);
    assert_eq!(stage.reconciled().await.drift, Vec::<String>::new());
    stage.finish().await;
}
