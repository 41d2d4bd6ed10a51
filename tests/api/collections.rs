//! NFT collections by the asset API: a role, a code, findings. What a test mints it makes final itself.

use moneyer::access::environment::Tier;
use moneyer::access::{Role, Scope};
use moneyer::collection::{Collection, Minting as Way};
use moneyer::compliance::SANCTIONS_SAMPLE;
use moneyer::types::Address;
use serde_json::{Value, json};

use crate::both_databases;
use crate::minting::{found, settle};
use crate::minting_shell::minting;
use crate::support::{Answer, Server, recipient};

both_databases! {
    tokens_are_minted_by_a_role_and_told_when_they_are_final,
    one_refused_recipient_refuses_the_whole_call_and_nothing_is_written,
    what_is_used_already_is_a_conflict_that_names_it,
    a_call_has_one_to_a_hundred_tokens,
    what_is_malformed_is_named_in_this_dialects_spelling,
    the_same_call_under_one_key_mints_once_and_ends_in_one_answer,
    a_collection_is_listed_read_and_linked,
    who_may_mint_is_granted_and_revoked,
    a_server_without_a_chain_deploys_and_adopts_nothing,
}

/// A collection of an environment, on which the world's issuer may mint.
async fn swords(server: &Server, way: Way) -> Collection {
    let studio = minting(server, "Game", Tier::Standard).await;
    let collection = found(server, &studio, way, 700).await;
    let role = [(server.world.issuer.wallet, Role::SupplyManagement)];
    server.grant(Scope::Asset(collection.id), &role).await;
    collection
}

async fn mint(server: &Server, collection: &Collection, assets: Value) -> Answer {
    let path = format!("/api/collections/{}/mint", collection.address);
    let body = json!({ "assets": assets });
    server.verified().post(&server.world.issuer, &path, &body).await
}

/// As [`mint`], without waiting for a chain that is not there.
async fn mint_at_once(server: &Server, collection: &Collection, assets: Value, key: Option<&str>) -> Answer {
    let path = format!("/api/collections/{}/mint", collection.address);
    let body = crate::support::with_pin(&json!({ "assets": assets }));
    let mut call = server
        .request(reqwest::Method::POST, &server.world.issuer, &path)
        .header("Prefer", "respond-async");
    if let Some(key) = key {
        call = call.header("Idempotency-Key", key);
    }
    call.json(&body).send().await
}

async fn pending(server: &Server, collection: &Collection) -> Value {
    let path = format!("/api/collections/{}", collection.address);
    server.get(&server.world.issuer, &path).await.ok()["pendingSupply"].clone()
}

/// The first address of the made-up list.
fn sanctioned() -> Address {
    let text = std::str::from_utf8(SANCTIONS_SAMPLE).unwrap();
    let words = text.split([',', '\n', '"', ' ']);
    words
        .filter_map(|word| Address::parse(word.trim()).ok())
        .next()
        .unwrap()
}

async fn tokens_are_minted_by_a_role_and_told_when_they_are_final(server: &Server) {
    let collection = swords(server, Way::Hybrid).await;
    let assets = json!([
        { "referenceId": "with-id", "ownerAddress": recipient(0), "tokenId": "7", "metadata": { "name": "Sword" } },
        { "ownerAddress": recipient(1) },
    ]);

    let accepted = mint_at_once(server, &collection, assets, None).await;

    assert_eq!(accepted.status, 202, "{}", accepted.text);
    let requests = accepted.body["mintRequests"].as_array().unwrap();
    let told: Vec<_> = requests
        .iter()
        .map(|one| (one["tokenId"].clone(), one["status"].clone(), one["amount"].clone()))
        .collect();
    assert_eq!(
        told,
        [
            (json!("7"), json!("pending"), json!("1")),
            (json!(null), json!("pending"), json!("1"))
        ]
    );
    assert_eq!(requests[0]["referenceId"], "with-id");
    assert_eq!(pending(server, &collection).await, "2");
    let operation = requests[1]["operationId"].as_str().unwrap();
    let path = format!("/api/operations/{operation}");
    let operation = server.get(&server.world.issuer, &path).await.ok();
    assert_eq!(
        (&operation["kind"], &operation["status"]),
        (&json!("mint"), &json!("pending"))
    );

    settle(server, &collection, 900).await;

    assert_eq!(pending(server, &collection).await, "0");
    let path = format!("/api/collections/{}", collection.address);
    let shown = server.get(&server.world.issuer, &path).await.ok();
    assert_eq!(shown["totalSupply"], "2");
    let path = format!("/api/audit?asset={}", collection.address);
    let events = server.get(&server.world.issuer, &path).await.ok();
    let actions = events["events"].as_array().unwrap().iter();
    let accepted = actions.filter(|event| event["action"] == "mint.accepted");
    assert_eq!(accepted.count(), 2);
}

async fn one_refused_recipient_refuses_the_whole_call_and_nothing_is_written(server: &Server) {
    let collection = swords(server, Way::Hybrid).await;
    let assets = json!([{ "ownerAddress": recipient(0) }, { "ownerAddress": sanctioned() }]);

    let refused = mint(server, &collection, assets).await;

    assert_eq!(refused.findings(), ["1 address_sanctioned"]);
    assert_eq!(pending(server, &collection).await, "0");
}

async fn what_is_used_already_is_a_conflict_that_names_it(server: &Server) {
    let collection = swords(server, Way::Hybrid).await;
    let first = json!([{ "referenceId": "one", "ownerAddress": recipient(0), "tokenId": "7" }]);
    let first = mint_at_once(server, &collection, first, None).await;
    assert_eq!(first.status, 202, "{}", first.text);

    let reference = json!([{ "referenceId": "two", "ownerAddress": recipient(0) },
        { "referenceId": "one", "ownerAddress": recipient(0) }]);
    let reference = mint(server, &collection, reference).await;
    let token = mint(
        server,
        &collection,
        json!([{ "ownerAddress": recipient(0), "tokenId": "7" }]),
    )
    .await;

    reference.error(409, "CONFLICT");
    assert!(reference.message().contains("one"), "{}", reference.message());
    token.error(409, "CONFLICT");
    assert!(token.message().contains('7'), "{}", token.message());
    assert_eq!(pending(server, &collection).await, "1");
}

async fn a_call_has_one_to_a_hundred_tokens(server: &Server) {
    let collection = swords(server, Way::Hybrid).await;
    let many = |count: usize| Value::from(vec![json!({ "ownerAddress": recipient(0) }); count]);

    for wrong in [0, 101] {
        let refused = mint(server, &collection, many(wrong)).await;
        let data = refused.error(400, "BAD_REQUEST");
        assert_eq!(data["issues"][0]["path"], json!(["assets"]), "{wrong}");
    }
    for good in [1, 100] {
        let taken = mint_at_once(server, &collection, many(good), None).await;
        assert_eq!(taken.status, 202, "{good}: {}", taken.text);
    }
    assert_eq!(pending(server, &collection).await, "101");
}

async fn what_is_malformed_is_named_in_this_dialects_spelling(server: &Server) {
    let collection = swords(server, Way::Hybrid).await;
    let too_high = "340282366920938463463374607431768211456";
    for (asset, path) in [
        (json!({}), "ownerAddress"),
        (json!({ "ownerAddress": "0x1" }), "ownerAddress"),
        (json!({ "ownerAddress": Address::ZERO }), "ownerAddress"),
        (json!({ "ownerAddress": recipient(0), "tokenId": "-1" }), "tokenId"),
        (json!({ "ownerAddress": recipient(0), "tokenId": too_high }), "tokenId"),
        (json!({ "ownerAddress": recipient(0), "amount": "2" }), "amount"),
        (
            json!({ "ownerAddress": recipient(0), "referenceId": "" }),
            "referenceId",
        ),
        (
            json!({ "ownerAddress": recipient(0), "metadata": { "name": "x".repeat(16 * 1_024) } }),
            "metadata",
        ),
    ] {
        let refused = mint(server, &collection, json!([asset])).await;

        let data = refused.error(400, "BAD_REQUEST");
        assert_eq!(
            data["issues"][0]["path"],
            json!(["assets", "0", path]),
            "{}",
            refused.text
        );
    }
    let nothing = format!("/api/collections/{}/mint", recipient(5));
    let body = json!({ "assets": [{ "ownerAddress": recipient(0) }] });
    let nothing = server.verified().post(&server.world.issuer, &nothing, &body).await;
    assert_eq!(nothing.status, 404, "{}", nothing.text);
    assert_eq!(pending(server, &collection).await, "0");
}

async fn the_same_call_under_one_key_mints_once_and_ends_in_one_answer(server: &Server) {
    let collection = swords(server, Way::Amounts).await;
    let assets = json!([{ "ownerAddress": recipient(0), "tokenId": "3", "amount": "40" }]);
    let again = async || mint_at_once(server, &collection, assets.clone(), Some("order-1")).await;

    let (first, second) = (again().await, again().await);
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (202, 202));
    assert_eq!(first.body, second.body);
    assert_eq!(second.header("Idempotent-Replayed"), Some("true"));
    assert_eq!(pending(server, &collection).await, "40");

    settle(server, &collection, 900).await;
    let (third, fourth) = (again().await, again().await);
    assert_eq!(
        (third.status.as_u16(), fourth.status.as_u16()),
        (200, 200),
        "{}",
        third.text
    );
    assert_eq!(third.body["mintRequests"][0]["status"], "succeeded");
    assert_eq!(third.text, fourth.text);
}

async fn a_collection_is_listed_read_and_linked(server: &Server) {
    let studio = minting(server, "Game", Tier::Standard).await;
    let collection = found(server, &studio, Way::Hybrid, 700).await;
    let creator = &server.world.creator;
    let list = |environment: &str| format!("/api/collections?environmentId={environment}");

    let listed = server.get(creator, &list(&studio.environment)).await.ok();
    assert_eq!(listed["collections"][0]["address"], json!(collection.address));
    assert_eq!(listed["collections"][0]["environmentId"], json!(studio.environment));

    let path = format!("/api/collections/{}/link", collection.address);
    let unknown = json!({ "environmentId": "0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b59" });
    let unknown = server.verified().post(creator, &path, &unknown).await;
    let data = unknown.error(400, "BAD_REQUEST");
    assert_eq!(data["issues"][0]["path"], json!(["environmentId"]));

    let body = json!({ "environmentId": null });
    let unlinked = server.verified().post(creator, &path, &body).await.ok();
    assert_eq!(unlinked["environmentId"], json!(null));
    let listed = server.get(creator, &list(&studio.environment)).await.ok();
    assert_eq!(listed["collections"], json!([]));
    let bad_cursor = server.get(creator, "/api/collections?cursor=x").await;
    let data = bad_cursor.error(400, "BAD_REQUEST");
    assert_eq!(data["issues"][0]["path"], json!(["cursor"]));
}

async fn who_may_mint_is_granted_and_revoked(server: &Server) {
    let studio = minting(server, "Game", Tier::Standard).await;
    let collection = found(server, &studio, Way::Hybrid, 700).await;
    let (creator, issuer) = (&server.world.creator, server.world.issuer.wallet);
    let path = |action: &str| format!("/api/collections/{}/{action}", collection.address);
    let wish = json!([{ "ownerAddress": recipient(0) }]);

    mint(server, &collection, wish.clone())
        .await
        .error(403, "USER_NOT_AUTHORIZED");
    let grant = json!({ "accounts": [issuer], "role": "supplyManagement" });
    let granted = server.verified().post(creator, &path("grant-role"), &grant).await.ok();
    assert_eq!(granted["accounts"], json!([issuer]));
    let accepted = mint_at_once(server, &collection, wish.clone(), None).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    let revoke = json!({ "address": issuer, "role": "supplyManagement" });
    server
        .verified()
        .delete(creator, &path("revoke-role"), &revoke)
        .await
        .ok();
    mint(server, &collection, wish).await.error(403, "USER_NOT_AUTHORIZED");
}

async fn a_server_without_a_chain_deploys_and_adopts_nothing(server: &Server) {
    let creator = &server.world.creator;
    let deploy = server
        .verified()
        .post(creator, "/api/collections", &json!({ "name": "Swords" }))
        .await;
    let body = json!({ "address": recipient(0) });
    let adopt = server.verified().post(creator, "/api/collections/adopt", &body).await;

    deploy.error(400, "BAD_REQUEST");
    assert!(deploy.text.contains("chain"), "{}", deploy.text);
    adopt.error(400, "BAD_REQUEST");
    assert!(adopt.text.contains("settles on no chain"), "{}", adopt.text);
}
