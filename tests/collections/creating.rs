//! `POST /v1/collections`: a new contract, once, within the rate; or a contract that is there, for its administrator.

use moneyer::access::environment::{self, KeyPurpose, NewEnvironment, Tier};
use moneyer::access::quota::{self, Account};
use moneyer::chain::contracts::collection as contract;
use moneyer::chain::contracts::returned;
use moneyer::config::TestMarker;
use moneyer::types::Address;
use reqwest::Method;
use serde_json::{Value, json};

use crate::node::ACCOUNTS;
use crate::stage::Stage;
use crate::support::evm::funded;
use crate::support::presets::Preset;
use crate::support::{Answer, Database, Server};

const GAS: u64 = 1 << 24;

struct Minting {
    environment: String,
    secret: String,
}

/// An environment of the creator's, and its secret key.
async fn minting(server: &Server) -> Minting {
    let (vault, owner) = (server.app.vault().clone(), server.world.creator.user);
    server
        .write(&server.world.admin, move |tx, ctx| {
            let project = environment::create_project(tx, ctx, "Game")?;
            let new = NewEnvironment {
                project: project.id,
                name: "sandbox".to_owned(),
                chain: "local".to_owned(),
                test: true,
                tier: Tier::Standard,
                owner,
            };
            let made = environment::create(tx, ctx, new)?.id;
            let marker = TestMarker::BeforeHyphen;
            let issued = environment::create_key(tx, &vault, marker, ctx, made, KeyPurpose::Secret)?;
            Ok(Minting {
                environment: made.to_string(),
                secret: issued.key.reveal().to_owned(),
            })
        })
        .await
}

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    let found = (answer.status.as_u16(), answer.body["code"].as_str());
    assert_eq!(found, (status, Some(code)), "{}", answer.text);
}

async fn ask(stage: &Stage, minting: &Minting, key: Option<&str>, body: String) -> Answer {
    let call = stage.server.call(Method::POST, None, "/v1/collections");
    let call = call.header("x-immutable-api-key", &minting.secret);
    let call = match key {
        Some(key) => call.idempotency_key(key),
        None => call,
    };
    call.text("application/json", body).send().await
}

/// Again while the chain is being set up or read.
async fn create(stage: &Stage, minting: &Minting, body: &Value) -> Answer {
    stage
        .wait("a collection", async || {
            let answer = ask(stage, minting, None, body.to_string()).await;
            (answer.status.as_u16() != 503).then_some(answer)
        })
        .await
}

async fn count(stage: &Stage) -> usize {
    let answer = stage
        .server
        .call(Method::GET, None, "/v1/chains/local/collections")
        .send()
        .await;
    answer.ok()["result"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collection_is_created_once_under_a_key_and_no_more_of_them_than_an_hour_allows() {
    for database in [Database::Sqlite, Database::Postgres] {
        let stage = Stage::start_reading(database, GAS).await;
        let minting = minting(&stage.server).await;
        let first = create(
            &stage,
            &minting,
            &json!({ "name": "First", "metadata_api_url": "https://meta.test/1" }),
        )
        .await;
        assert_eq!(first.status.as_u16(), 201, "{}", first.text);
        assert_eq!(first.body["result"]["base_uri"], "https://meta.test/1/");
        assert_eq!(first.header("x-ratelimit-limit"), Some("60, 60;w=3600"));

        let made = ask(
            &stage,
            &minting,
            Some("one"),
            r#"{"name":"Swords","symbol":"SWD"}"#.to_owned(),
        )
        .await;
        let again = ask(
            &stage,
            &minting,
            Some("one"),
            r#"{ "symbol": "SWD", "name": "Swords" }"#.to_owned(),
        )
        .await;
        let other = ask(&stage, &minting, Some("one"), r#"{"name":"Axes"}"#.to_owned()).await;

        assert_eq!(
            (made.status.as_u16(), again.status.as_u16()),
            (201, 201),
            "{}",
            again.text
        );
        assert_eq!(made.text, again.text);
        assert_eq!(again.header("Idempotent-Replayed"), Some("true"));
        refused(&other, 409, "CONFLICT_ERROR");
        assert_eq!(count(&stage).await, 2);

        // Nobody named a place for its metadata: it is hosted here.
        let address = made.body["result"]["contract_address"].as_str().unwrap().to_owned();
        let hosted = format!("https://mint.test/v1/metadata/{address}/");
        assert_eq!(made.body["result"]["base_uri"], hosted);
        let place = Address::parse(&address).unwrap();
        let rpc = moneyer::chain::Rpc::connect(&stage.chain).unwrap();
        let call = moneyer::chain::Call {
            from: Address::ZERO,
            to: place,
            data: contract::base_uri(),
        };
        let says = stage
            .wait("the contract", async || {
                let answer = rpc.call(&call).await.unwrap().ok()?;
                returned::text(&answer)
            })
            .await;
        assert_eq!(says, hosted);

        let (rate, environment) = (stage.server.app.gate().collection_rate(), minting.environment.clone());
        let (account, now) = (Account::new(&environment, "collection", rate), stage.server.now());
        let rest = stage
            .server
            .app
            .db()
            .write(move |tx| quota::take(tx, &account, rate, 58, now));
        assert!(matches!(rest.await.unwrap(), quota::Taken::Granted(_)));
        let over = ask(&stage, &minting, None, r#"{"name":"Axes"}"#.to_owned()).await;
        refused(&over, 429, "TOO_MANY_REQUESTS_ERROR");
        assert_eq!(over.header("Retry-After"), Some("60"));
        assert_eq!(over.header("x-ratelimit-remaining"), Some("0"));
        stage.server.advance(60);
        let later = ask(&stage, &minting, None, r#"{"name":"Axes"}"#.to_owned()).await;
        assert_eq!(later.status.as_u16(), 201, "{}", later.text);
        stage.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contract_that_is_there_is_linked_by_its_administrator_and_by_nobody_else() {
    let stage = Stage::start_reading(Database::Postgres, GAS).await;
    let minting = minting(&stage.server).await;
    let owner = stage.server.world.creator.wallet.to_string();
    stage.node.set_balance(&owner, 10_u128.pow(21));
    let (stranger, at) = (
        funded(&stage.node),
        |address: Address| json!({ "contract_address": address }),
    );

    let foreign = Preset::deploy(&stage.node, &stranger, "ImmutableERC721");
    foreign.let_mint(ACCOUNTS[0]);
    let own = Preset::deploy(&stage.node, &owner, "ImmutableERC721");
    let without = create(&stage, &minting, &at(own.address())).await;
    refused(&without, 403, "AUTHENTICATION_ERROR");
    assert!(without.message().contains("grantMinterRole"), "{}", without.text);
    own.let_mint(ACCOUNTS[0]);

    let of_stranger = create(&stage, &minting, &at(foreign.address())).await;
    refused(&of_stranger, 403, "AUTHENTICATION_ERROR");
    assert!(of_stranger.message().contains(&stranger), "{}", of_stranger.text);
    let other_type = json!({ "contract_address": own.address(), "contract_type": "ERC1155" });
    refused(&create(&stage, &minting, &other_type).await, 400, "VALIDATION_ERROR");
    let nothing = create(&stage, &minting, &at(Address::from_bytes([9; 20]))).await;
    refused(&nothing, 400, "VALIDATION_ERROR");
    assert_eq!(count(&stage).await, 0);

    let linked = create(&stage, &minting, &at(own.address())).await;
    assert_eq!(linked.status.as_u16(), 201, "{}", linked.text);
    assert_eq!(linked.body["result"]["name"], "Heroes");
    refused(
        &create(&stage, &minting, &at(own.address())).await,
        409,
        "CONFLICT_ERROR",
    );
    // One more for each time that a contract was too young to be read.
    let left: u32 = linked.header("x-ratelimit-remaining").unwrap().parse().unwrap();
    assert!(left <= 55, "what was asked of the chain is paid for: {left} left");
    stage.finish().await;
}
