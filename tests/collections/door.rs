//! The asset API's door to collections on a chain: deploy, adopt, mint, over HTTP.

use moneyer::types::Address;
use serde_json::{Value, json};

use crate::game::player;
use crate::node::ACCOUNTS;

use crate::stage::Stage;
use crate::support::evm::funded;
use crate::support::presets::Preset;
use crate::support::{Answer, Database, Person};

/// EIP-7825, as every server has it.
const GAS: u64 = 1 << 24;

async fn post(stage: &Stage, person: &Person, path: &str, body: &Value) -> Answer {
    stage.server.verified().post(person, path, body).await
}

/// The world's issuer may mint into it.
async fn let_issuer_mint(stage: &Stage, collection: &str) {
    let world = &stage.server.world;
    let body = json!({ "accounts": [world.issuer.wallet], "role": "supplyManagement" });
    let path = format!("/api/collections/{collection}/grant-role");
    post(stage, &world.creator, &path, &body).await.ok();
}

async fn mint(stage: &Stage, collection: &str, assets: Value) -> Value {
    let path = format!("/api/collections/{collection}/mint");
    let minted = post(stage, &stage.server.world.issuer, &path, &json!({ "assets": assets })).await;
    minted.ok()
}

fn statuses(minted: &Value) -> Vec<&str> {
    let requests = minted["mintRequests"].as_array().unwrap();
    requests.iter().map(|one| one["status"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collection_is_deployed_and_minted_into_and_the_answer_waits_for_the_chain() {
    for database in [Database::Sqlite, Database::Postgres] {
        let stage = Stage::start_reading(database, GAS).await;
        let ready = async || stage.server.app.db().read(moneyer::settlement::site).await.ok();
        stage.wait("the contracts", ready).await;
        let creator = stage.server.world.creator.clone();
        let body = json!({ "name": "Swords", "symbol": "SWD", "contractType": "ERC721" });

        let deployed = post(&stage, &creator, "/api/collections", &body).await;

        assert_eq!(deployed.status, 202, "{}", deployed.text);
        let address = deployed.body["address"].as_str().unwrap().to_owned();
        assert_eq!(deployed.body["minting"], "hybrid");
        let operation = deployed.header("X-Operation-Id").unwrap();
        assert_eq!(
            deployed.header("Location").unwrap(),
            format!("/api/operations/{operation}")
        );
        let_issuer_mint(&stage, &address).await;
        let (one, two) = (player(), player());
        let assets = json!([{ "ownerAddress": one, "tokenId": "7" }, { "ownerAddress": two }]);
        let minted = mint(&stage, &address, assets).await;

        assert_eq!(statuses(&minted), ["succeeded", "succeeded"], "{minted}");
        let requests = &minted["mintRequests"];
        assert_eq!(requests[0]["tokenId"], "7");
        assert_eq!(requests[1]["tokenId"], "340282366920938463463374607431768211456");
        assert!(
            requests[0]["transactionHash"].is_string() && requests[0]["gasUsed"].is_u64(),
            "{minted}"
        );
        let shown = stage
            .server
            .get(&creator, &format!("/api/collections/{address}"))
            .await
            .ok();
        assert_eq!(
            (&shown["totalSupply"], &shown["pendingSupply"]),
            (&json!("2"), &json!("0"))
        );
        stage.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_studios_contract_is_adopted_with_its_tokens_while_the_chain_goes_on() {
    let stage = Stage::start_reading(Database::Sqlite, GAS).await;
    let creator = stage.server.world.creator.clone();
    let preset = Preset::deploy(&stage.node, &funded(&stage.node), "ImmutableERC721");
    let body = json!({ "address": preset.contract.address, "description": "Heroes of old" });
    let nobody = stage
        .wait("the contract to be final", async || {
            let answer = post(&stage, &creator, "/api/collections/adopt", &body).await;
            (answer.status != 503).then_some(answer)
        })
        .await;
    nobody.error(403, "FORBIDDEN");
    assert!(nobody.message().contains("grantMinterRole"), "{}", nobody.text);
    preset.let_mint(&preset.owner);
    preset.let_mint(ACCOUNTS[0]);
    let old = player();
    preset.contract.send("mintBatch", json!([[[old.to_string(), [1, 2]]]]));
    let adopted = stage
        .wait("the minter to be final", async || {
            let answer = post(&stage, &creator, "/api/collections/adopt", &body).await;
            (answer.status == 200).then_some(answer)
        })
        .await;

    let shown = adopted.ok();
    assert_eq!((&shown["name"], &shown["adopted"]), (&json!("Heroes"), &json!(true)));
    assert_eq!(shown["description"], "Heroes of old");
    let address = Address::parse(&preset.contract.address).unwrap().to_string();
    let_issuer_mint(&stage, &address).await;
    let minted = mint(&stage, &address, json!([{ "ownerAddress": player(), "tokenId": "3" }])).await;
    assert_eq!(statuses(&minted), ["succeeded"], "{minted}");
    let path = format!("/api/collections/{address}");
    let holds_all = async || {
        let shown = stage.server.get(&creator, &path).await.ok();
        (shown["totalSupply"] == "3").then_some(())
    };
    stage.wait("what was there before and since", holds_all).await;
    let again = post(&stage, &creator, "/api/collections/adopt", &body).await;
    again.error(409, "RESOURCE_ALREADY_EXISTS");
    let found = stage.reconciled().await;
    assert_eq!(found.drift, Vec::<String>::new());
    stage.finish().await;
}
