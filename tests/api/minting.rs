//! The minting API's routes, on collections whose mints a test makes final itself.

use moneyer::access::environment::Tier;
use moneyer::collection::{
    self, Collection, ContractType, Minted, Minting as Way, Moved, NewCollection, Place, Profile, RequestFilter,
    RequestStatus, Right, Window,
};
use moneyer::ctx::Ctx;
use moneyer::db::Tx;
use moneyer::error::Error;
use moneyer::types::{Address, EnvironmentId, Hash32, TokenId};
use moneyer::{asset, operation};
use reqwest::Method;
use serde_json::{Value, json};

use super::minting_shell::{Minting, minting, refused};
use crate::both_databases;
use crate::support::{Answer, Server, golden, recipient, wallet};

both_databases! {
    tokens_are_requested_by_id_by_quantity_and_as_amounts,
    what_was_minted_is_told_to_everybody,
    a_reference_that_was_used_refuses_the_whole_request,
    a_token_id_that_was_used_refuses_the_whole_request,
    the_same_request_under_an_idempotency_key_is_accepted_once,
    what_is_malformed_is_refused_and_nothing_is_accepted,
    a_key_of_another_project_opens_nothing_of_a_collection,
    without_a_good_secret_key_nobody_mints,
    lists_are_walked_to_their_end_and_back,
    metadata_is_replaced_by_token_by_stack_and_of_the_collection,
    an_environment_mints_as_much_as_its_tier_says,
    a_request_that_came_to_nothing_costs_nothing,
    what_is_not_there_is_404_in_the_dialects_envelope,
}

const IMAGE: &str = "https://example.test/sword.png";

/// A collection of the environment, without a contract: no test here sends anything.
pub async fn found(server: &Server, minting: &Minting, way: Way, number: u16) -> Collection {
    let environment = EnvironmentId::parse(&minting.environment).unwrap();
    let policies = std::sync::Arc::clone(server.app.policy());
    server
        .write(&server.world.creator, move |tx, ctx| {
            let new = NewCollection {
                environment: Some(environment),
                minting: way,
                many: true,
                adopted: false,
                owner: ctx.actor.wallet,
                profile: Profile {
                    name: Some("Swords".to_owned()),
                    symbol: Some("SWD".to_owned()),
                    ..Profile::default()
                },
                metadata_api_url: None,
                policy: None,
            };
            let by = by(ctx, environment);
            collection::found(tx, &by, &policies, &new, |_| wallet(number))
        })
        .await
}

fn by(ctx: &Ctx, environment: EnvironmentId) -> collection::Caller<'_> {
    collection::Caller {
        ctx,
        right: Right::Environment(environment),
    }
}

pub fn base(collection: &Collection) -> String {
    format!(
        "/v1/chains/book/collections/{}",
        collection.address.to_string().to_lowercase()
    )
}

pub async fn send(server: &Server, method: Method, key: Option<&str>, path: &str, body: Option<&Value>) -> Answer {
    let mut call = server.call(method, None, path);
    if let Some(key) = key {
        call = call.header("x-immutable-api-key", key);
    }
    if let Some(body) = body {
        call = call.json(body);
    }
    call.send().await
}

pub async fn mint(server: &Server, minting: &Minting, collection: &Collection, assets: Value) -> Answer {
    let path = format!("{}/nfts/mint-requests", base(collection));
    let body = json!({ "assets": assets });
    send(server, Method::POST, Some(&minting.secret), &path, Some(&body)).await
}

pub async fn get(server: &Server, path: &str) -> Answer {
    send(server, Method::GET, None, path, None).await
}

pub async fn get_with(server: &Server, minting: &Minting, path: &str) -> Answer {
    send(server, Method::GET, Some(&minting.secret), path, None).await
}

pub fn wish(reference: &str, token_id: Option<&str>) -> Value {
    json!({ "reference_id": reference, "owner_address": recipient(0), "token_id": token_id, "amount": null,
        "metadata": null })
}

/// Makes every pending request of a collection final, in one transaction and block.
pub async fn settle(server: &Server, found: &Collection, first_given: u64) {
    let (id, found) = (found.id, found.clone());
    server
        .write(&server.world.creator, move |tx, ctx| {
            settle_in(tx, ctx, &found, first_given)
        })
        .await;
    let _ = id;
}

fn settle_in(tx: &mut Tx<'_>, ctx: &Ctx, found: &Collection, first_given: u64) -> Result<(), Error> {
    let asset = asset::lock(tx, found.id)?;
    let filter = RequestFilter {
        collection: Some(found.id),
        status: Some(RequestStatus::Pending),
        ..RequestFilter::default()
    };
    let mut pending = collection::mint_requests(tx, &filter, &Window::first(200))?.items;
    pending.reverse();
    let mut given = first_given;
    let minted: Vec<Minted> = (0_u64..)
        .zip(pending)
        .map(|(log_index, request)| {
            let token_id = request.token_id.unwrap_or_else(|| {
                given += 1;
                TokenId::parse(&(given - 1).to_string()).unwrap()
            });
            let place = Place {
                transaction: Hash32::from_bytes([7; 32]),
                block: 12,
                block_hash: Hash32::from_bytes([8; 32]),
                transaction_index: 3,
                log_index,
                position: 0,
            };
            let moved = Moved {
                from: Address::ZERO,
                to: request.owner,
                token_id,
                amount: request.amount,
                place,
            };
            Minted {
                sequence: request.sequence.unwrap(),
                moved,
                gas: 51_000,
            }
        })
        .collect();
    collection::succeed(tx, &asset, found, &minted, ctx.now)?.unwrap();
    let numbers: Vec<i64> = minted.iter().map(|one| one.sequence).collect();
    operation::finish(tx, asset.id, &numbers, None, ctx.now)
}

/// Ids are different each time.
fn steady(value: &Value) -> Value {
    let mut value = value.clone();
    match &mut value {
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                let is_id = matches!(name.as_str(), "id" | "activity_id" | "metadata_id")
                    && field.as_str().is_some_and(|text| !text.contains(':'));
                *field = if is_id { json!("…") } else { steady(field) };
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = steady(item)),
        _ => {}
    }
    value
}

pub fn list(answer: &Value) -> Vec<Value> {
    answer["result"].as_array().unwrap().clone()
}

pub fn sword() -> Value {
    json!({ "name": "Sword", "image": IMAGE, "attributes": [
        { "trait_type": "power", "value": 7, "display_type": "number" },
        { "trait_type": "rare", "value": true },
        { "trait_type": "kind", "value": "long" },
    ] })
}

async fn tokens_are_requested_by_id_by_quantity_and_as_amounts(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::Hybrid, 801).await;
    let potions = found(server, &minting, Way::Amounts, 802).await;
    let mut with_metadata = wish("by id", Some("7"));
    with_metadata["metadata"] = sword();

    let answer = mint(
        server,
        &minting,
        &swords,
        json!([with_metadata, wish("by quantity", None)]),
    )
    .await;

    assert_eq!(answer.status.as_u16(), 202, "{}", answer.text);
    let quota = json!({
        "imx_mint_requests_limit": "2000", "imx_mint_requests_limit_reset": "2026-06-01 12:00:01 UTC",
        "imx_remaining_mint_requests": "1998", "imx_mint_requests_retry_after": "0-seconds",
    });
    assert_eq!(answer.body, quota);
    for (name, value) in quota.as_object().unwrap() {
        assert_eq!(answer.header(name), value.as_str(), "{name}");
        assert_eq!(answer.header(&name.replace('_', "-")), value.as_str(), "{name}");
    }
    let amounts = json!([
        { "reference_id": "p1", "owner_address": recipient(1), "token_id": "1", "amount": "1000" },
        { "reference_id": "p2", "owner_address": recipient(2), "token_id": "1", "amount": "5" },
    ]);
    let answer = mint(server, &minting, &potions, amounts).await;
    assert_eq!(
        answer.body["imx_remaining_mint_requests"], "1997",
        "one token id: {}",
        answer.text
    );

    let path = format!("{}/nfts/mint-requests", base(&swords));
    let pending = get_with(server, &minting, &path).await.ok();
    settle(server, &swords, 500).await;
    settle(server, &potions, 0).await;
    let succeeded = get_with(server, &minting, &format!("{path}?status=succeeded"))
        .await
        .ok();
    let one = get_with(server, &minting, &format!("{path}/by%20id")).await.ok();
    let of_potions = get_with(server, &minting, &format!("{}/nfts/mint-requests", base(&potions)))
        .await
        .ok();
    let none = get_with(server, &minting, &format!("{path}?status=failed")).await.ok();

    assert_eq!(list(&one)[0]["token_id"], "7");
    assert_eq!(
        none,
        json!({ "result": [], "page": { "previous_cursor": null, "next_cursor": null } })
    );
    golden(
        "immutable_mint_requests.json",
        &steady(&json!({ "pending": pending, "succeeded": succeeded, "one": one, "amounts": of_potions })),
    );
}

async fn what_was_minted_is_told_to_everybody(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::Hybrid, 801).await;
    let mut first = wish("a", Some("7"));
    first["metadata"] = sword();
    mint(server, &minting, &swords, json!([first, wish("b", None)])).await;
    settle(server, &swords, 500).await;
    let (base, account) = (base(&swords), recipient(0));
    let chain = "/v1/chains/book";

    let mut told = serde_json::Map::new();
    for (name, path) in [
        ("collections", format!("{chain}/collections")),
        ("collection", base.clone()),
        (
            "collections of account",
            format!("{chain}/accounts/{account}/collections"),
        ),
        ("nft", format!("{base}/nfts/7")),
        ("nft without metadata", format!("{base}/nfts/500")),
        ("nfts", format!("{base}/nfts?token_id=7&token_id=500")),
        ("all nfts", format!("{chain}/nfts")),
        ("nfts of account", format!("{chain}/accounts/{account}/nfts")),
        ("owners of nft", format!("{base}/nfts/7/owners")),
        ("owners", format!("{base}/owners?account_address={account}")),
        ("all owners", format!("{chain}/nft-owners")),
        ("metadata", format!("{base}/metadata")),
        ("all metadata", format!("{chain}/metadata")),
        (
            "activities",
            format!(
                "{chain}/activities?contract_address={}&activity_type=mint",
                swords.address
            ),
        ),
        ("no sales", format!("{chain}/activities?activity_type=sale")),
        (
            "history",
            format!("{chain}/activity-history?from_updated_at=2026-06-01T00:00:00Z"),
        ),
    ] {
        told.insert(name.to_owned(), get(server, &path).await.ok());
    }
    for (list_of, single) in [
        ("metadata", format!("{base}/metadata")),
        ("activities", format!("{chain}/activities")),
    ] {
        let first = list(&told[list_of])[0].clone();
        let one = get(server, &format!("{single}/{}", first["id"].as_str().unwrap()))
            .await
            .ok();
        assert_eq!(one, json!({ "result": first }));
    }
    golden("immutable_reads.json", &steady(&Value::Object(told)));
}

async fn a_reference_that_was_used_refuses_the_whole_request(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::Hybrid, 801).await;
    let other = found(server, &minting, Way::Hybrid, 802).await;
    mint(server, &minting, &swords, json!([wish("a", None), wish("b", None)])).await;

    let answer = mint(
        server,
        &minting,
        &swords,
        json!([wish("a", None), wish("c", None), wish("b", None)]),
    )
    .await;

    let details = refused(&answer, 409, "CONFLICT_ERROR");
    assert_eq!(details["id"], "reference_id");
    let mut values: Vec<&str> = details["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_str().unwrap())
        .collect();
    values.sort_unstable();
    assert_eq!(values, ["a", "b"]);
    let path = format!("{}/nfts/mint-requests/c", base(&swords));
    refused(&get_with(server, &minting, &path).await, 404, "RESOURCE_NOT_FOUND");
    // Another collection has names of its own.
    assert_eq!(
        mint(server, &minting, &other, json!([wish("a", None)]))
            .await
            .status
            .as_u16(),
        202
    );
}

async fn a_token_id_that_was_used_refuses_the_whole_request(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::Hybrid, 801).await;
    mint(server, &minting, &swords, json!([wish("a", Some("7"))])).await;

    let answer = mint(
        server,
        &minting,
        &swords,
        json!([wish("b", Some("7")), wish("c", Some("8"))]),
    )
    .await;

    let details = refused(&answer, 409, "CONFLICT_ERROR");
    assert_eq!(details, json!({ "id": "token_id", "values": ["7"] }));
}

async fn the_same_request_under_an_idempotency_key_is_accepted_once(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::Hybrid, 801).await;
    let path = format!("{}/nfts/mint-requests", base(&swords));
    let ask = async |reference: &str| {
        let call = server
            .call(Method::POST, None, &path)
            .header("x-immutable-api-key", &minting.secret);
        let body = json!({ "assets": [wish(reference, None)] });
        call.idempotency_key("order-1").json(&body).send().await
    };

    let first = ask("a").await;
    let again = ask("a").await;

    assert_eq!(
        (first.status.as_u16(), again.status.as_u16()),
        (202, 202),
        "{}",
        again.text
    );
    assert_eq!(first.text, again.text);
    assert_eq!(again.header("Idempotent-Replayed"), Some("true"));
    assert_eq!(again.header("imx-remaining-mint-requests"), Some("1999"));
    refused(&ask("b").await, 409, "CONFLICT_ERROR");
}

async fn what_is_malformed_is_refused_and_nothing_is_accepted(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::Hybrid, 801).await;
    let potions = found(server, &minting, Way::Amounts, 802).await;
    let path = format!("{}/nfts/mint-requests", base(&swords));
    let wishes = |count: usize| Value::Array((0..count).map(|n| wish(&n.to_string(), None)).collect());
    let with = |field: &str, value: Value| {
        let mut asset = wish("x", Some("1"));
        asset[field] = value;
        json!([wish("good", None), asset])
    };

    for assets in [
        wishes(0),
        wishes(101),
        json!([wish("a", None), wish("a", None)]),
        with("owner_address", json!("0x12")),
        with("owner_address", json!(Address::ZERO)),
        with("token_id", json!("-1")),
        with("token_id", json!("340282366920938463463374607431768211456")),
        with("amount", json!("2")),
        with("amount", json!("")),
        with("reference_id", json!("")),
        with("reference_id", json!("x".repeat(256))),
        with("reference_id", json!(7)),
        with("metadata", json!({ "description": "x".repeat(16 * 1_024) })),
        with(
            "metadata",
            json!({ "attributes": [{ "trait_type": "a", "value": null }] }),
        ),
        with("metadata", json!([])),
        with("metadata", json!(["Sword"])),
        with("metadata", json!("Sword")),
    ] {
        let answer = mint(server, &minting, &swords, assets.clone()).await;
        let details = refused(&answer, 400, "VALIDATION_ERROR");
        assert!(
            details["issues"].as_array().is_some_and(|issues| !issues.is_empty()),
            "{assets}"
        );
    }
    let incomplete = json!([{ "reference_id": "x", "owner_address": recipient(0), "token_id": "1" }]);
    refused(
        &mint(server, &minting, &potions, incomplete).await,
        400,
        "VALIDATION_ERROR",
    );
    for body in ["", "{", "[]", "null", "{\"assets\":{}}"] {
        let call = server
            .call(Method::POST, None, &path)
            .header("x-immutable-api-key", &minting.secret);
        refused(
            &call.text("application/json", body).send().await,
            400,
            "VALIDATION_ERROR",
        );
    }
    let large = json!([{ "reference_id": "x".repeat(4 * 1_024 * 1_024) }]);
    refused(&mint(server, &minting, &swords, large).await, 413, "VALIDATION_ERROR");
    for query in ["page_size=0", "page_size=201", "page_cursor=nonsense", "status=done"] {
        let answer = get_with(server, &minting, &format!("{path}?{query}")).await;
        refused(&answer, 400, "VALIDATION_ERROR");
    }
    let all = get_with(server, &minting, &path).await.ok();
    assert_eq!(list(&all), Vec::<Value>::new());
}

async fn a_key_of_another_project_opens_nothing_of_a_collection(server: &Server) {
    let mine = minting(server, "Mine", Tier::Standard).await;
    let other = minting(server, "Other", Tier::Standard).await;
    let swords = found(server, &mine, Way::Hybrid, 801).await;
    let base = base(&swords);

    for (method, path, body) in [
        (
            Method::POST,
            format!("{base}/nfts/mint-requests"),
            Some(json!({ "assets": [wish("a", None)] })),
        ),
        (Method::GET, format!("{base}/nfts/mint-requests"), None),
        (Method::GET, format!("{base}/nfts/mint-requests/a"), None),
        (
            Method::POST,
            format!("{base}/nfts/refresh-metadata"),
            Some(json!({ "nft_metadata": [] })),
        ),
        (
            Method::POST,
            format!("{base}/metadata/refresh-metadata"),
            Some(json!({ "metadata": [] })),
        ),
        (
            Method::POST,
            format!("{base}/refresh-metadata"),
            Some(json!({ "collection_metadata": {} })),
        ),
    ] {
        let answer = send(server, method, Some(&other.secret), &path, body.as_ref()).await;
        refused(&answer, 403, "AUTHENTICATION_ERROR");
    }
}

async fn without_a_good_secret_key_nobody_mints(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::Hybrid, 801).await;
    let path = format!("{}/nfts/mint-requests", base(&swords));
    let body = json!({ "assets": [wish("a", None)] });

    for key in [
        None,
        Some(""),
        Some("sk_imapik-nonsense"),
        Some(minting.publishable.as_str()),
    ] {
        for path in [path.as_str(), "/v1/chains/mars/collections/0x0/nfts/mint-requests"] {
            let answer = send(server, Method::POST, key, path, Some(&body)).await;
            refused(&answer, 401, "UNAUTHORISED_REQUEST");
        }
    }
}

async fn lists_are_walked_to_their_end_and_back(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::Hybrid, 801).await;
    for number in 0..5 {
        mint(server, &minting, &swords, json!([wish(&number.to_string(), None)])).await;
    }
    let path = format!("{}/nfts/mint-requests?page_size=2", base(&swords));
    let page = async |cursor: &Value| {
        let path = match cursor.as_str() {
            Some(cursor) => format!("{path}&page_cursor={cursor}"),
            None => path.clone(),
        };
        get_with(server, &minting, &path).await.ok()
    };
    let names = |page: &Value| -> Vec<String> {
        list(page)
            .iter()
            .map(|row| row["reference_id"].as_str().unwrap().to_owned())
            .collect()
    };

    let first = page(&Value::Null).await;
    let second = page(&first["page"]["next_cursor"]).await;
    mint(server, &minting, &swords, json!([wish("new", None)])).await;
    let third = page(&second["page"]["next_cursor"]).await;
    let back = page(&third["page"]["previous_cursor"]).await;

    assert_eq!(
        (names(&first), &first["page"]["previous_cursor"]),
        (vec!["4".into(), "3".into()], &Value::Null)
    );
    assert_eq!(names(&second), ["2", "1"]);
    assert_eq!(
        (names(&third), &third["page"]["next_cursor"]),
        (vec!["0".to_owned()], &Value::Null)
    );
    assert_eq!(names(&back), ["2", "1"]);
}

async fn metadata_is_replaced_by_token_by_stack_and_of_the_collection(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::Hybrid, 801).await;
    let asset = |reference: &str, id: &str| {
        let mut asset = wish(reference, Some(id));
        asset["metadata"] = sword();
        asset
    };
    mint(server, &minting, &swords, json!([asset("a", "1"), asset("b", "2")])).await;
    settle(server, &swords, 500).await;
    let base = base(&swords);
    let post = async |path: &str, body: Value| {
        send(
            server,
            Method::POST,
            Some(&minting.secret),
            &format!("{base}{path}"),
            Some(&body),
        )
        .await
    };
    let nft = async |id: &str| get(server, &format!("{base}/nfts/{id}")).await.ok()["result"].clone();
    server.advance(10);

    let one = json!({ "nft_metadata": [{ "token_id": "1", "name": "Broken sword", "description": null }] });
    let answer = post("/nfts/refresh-metadata", one).await;
    assert_eq!(answer.status.as_u16(), 202, "{}", answer.text);
    assert_eq!(answer.body["imx_refreshes_limit"], "677");
    assert_eq!(answer.body["imx_remaining_refreshes"], "676");
    assert_eq!(answer.header("imx_remaining_refreshes"), Some("676"));
    let (first, second) = (nft("1").await, nft("2").await);
    assert_eq!(
        (&first["name"], &first["image"], &first["attributes"]),
        (&json!("Broken sword"), &Value::Null, &json!([]))
    );
    assert_eq!(first["metadata_synced_at"], "2026-06-01T12:00:10.000000Z");
    assert_eq!(second["name"], "Sword");

    let stack = json!({ "metadata": [{ "metadata_id": second["metadata_id"], "name": "Stacked" }] });
    assert_eq!(post("/metadata/refresh-metadata", stack).await.status.as_u16(), 202);
    assert_eq!(nft("2").await["name"], "Stacked");

    let whole = json!({ "collection_metadata": { "name": "Blades", "base_uri": "https://example.test" } });
    let refreshed = post("/refresh-metadata", whole).await.ok();
    assert_eq!(refreshed["collection_metadata"]["name"], "Blades");
    assert_eq!(refreshed["collection_metadata"]["symbol"], Value::Null);
    assert_eq!(refreshed["contract_address"], swords.address.to_string().to_lowercase());

    let tokens = |count: usize| Value::Array((0..count).map(|id| json!({ "token_id": id.to_string() })).collect());
    for (path, body) in [
        ("/nfts/refresh-metadata", json!({ "nft_metadata": [] })),
        ("/nfts/refresh-metadata", json!({ "nft_metadata": tokens(251) })),
        (
            "/nfts/refresh-metadata",
            json!({ "nft_metadata": [{ "token_id": "1" }, { "token_id": "1" }] }),
        ),
        (
            "/metadata/refresh-metadata",
            json!({ "metadata": [{ "metadata_id": "7" }] }),
        ),
        ("/refresh-metadata", json!({})),
    ] {
        refused(&post(path, body).await, 400, "VALIDATION_ERROR");
    }
    let unknown = json!({ "nft_metadata": [{ "token_id": "99" }] });
    refused(
        &post("/nfts/refresh-metadata", unknown).await,
        404,
        "RESOURCE_NOT_FOUND",
    );
}

async fn an_environment_mints_as_much_as_its_tier_says(server: &Server) {
    let tier = Tier::Enterprise {
        per_minute: 60,
        burst: 100,
    };
    let minting = minting(server, "Game", tier).await;
    let swords = found(server, &minting, Way::Hybrid, 801).await;
    let replica = server.replica();
    let wishes =
        |from: usize, count: usize| Value::Array((from..from + count).map(|n| wish(&n.to_string(), None)).collect());
    assert_eq!(
        mint(server, &minting, &swords, wishes(0, 99)).await.body["imx_remaining_mint_requests"],
        "1"
    );

    let answer = mint(&replica, &minting, &swords, wishes(99, 2)).await;

    refused(&answer, 429, "TOO_MANY_REQUESTS_ERROR");
    assert_eq!(answer.header("Retry-After"), Some("1"));
    assert_eq!(answer.header("imx-remaining-mint-requests"), Some("1"));
    assert_eq!(answer.header("imx_remaining_mint_requests"), Some("1"));
    assert_eq!(answer.header("imx-mint-requests-limit"), Some("100"));
    assert_eq!(
        mint(&replica, &minting, &swords, wishes(99, 1)).await.status.as_u16(),
        202
    );
    refused(
        &mint(server, &minting, &swords, wishes(100, 1)).await,
        429,
        "TOO_MANY_REQUESTS_ERROR",
    );
    server.advance(1);
    assert_eq!(
        mint(server, &minting, &swords, wishes(100, 1)).await.status.as_u16(),
        202
    );
    replica.stop().await;
}

async fn a_request_that_came_to_nothing_costs_nothing(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::Hybrid, 801).await;
    let remaining = async |reference: &str| {
        let answer = mint(server, &minting, &swords, json!([wish(reference, None)])).await;
        answer.body["imx_remaining_mint_requests"].clone()
    };
    assert_eq!(remaining("a").await, "1999");

    refused(
        &mint(server, &minting, &swords, json!([wish("a", None), wish("b", None)])).await,
        409,
        "CONFLICT_ERROR",
    );
    refused(
        &mint(server, &minting, &swords, json!([wish("c", None), wish("c", None)])).await,
        400,
        "VALIDATION_ERROR",
    );

    assert_eq!(remaining("d").await, "1998");
}

async fn what_is_not_there_is_404_in_the_dialects_envelope(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::Hybrid, 801).await;
    let base = base(&swords);
    let id = "0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b57";

    for path in [
        "/v1/chains/mars/collections".to_owned(),
        base.replace("/book/", "/mars/"),
        format!("/v1/chains/book/collections/{}", recipient(5)),
        format!("{base}/nfts/1"),
        format!("{base}/metadata/{id}"),
        format!("/v1/chains/book/activities/{id}"),
        format!("{base}/nonsense"),
    ] {
        refused(&get(server, &path).await, 404, "RESOURCE_NOT_FOUND");
    }
    for path in [
        "/v1/chains/book/collections/0x12".to_owned(),
        format!("{base}/nfts/x"),
        format!("{base}/nfts/1%00"),
        format!("{base}/metadata/7"),
        "/v1/chains/book/activities/7".to_owned(),
        "/v1/chains/book/activity-history".to_owned(),
        "/v1/chains/book/activities?activity_type=gift".to_owned(),
    ] {
        refused(&get(server, &path).await, 400, "VALIDATION_ERROR");
    }
    let unknown = format!("{base}/nfts/mint-requests/nobody");
    refused(&get_with(server, &minting, &unknown).await, 404, "RESOURCE_NOT_FOUND");
    let types = [ContractType::Erc721.text(), ContractType::Erc1155.text()];
    assert_eq!(types, ["ERC721", "ERC1155"]);
}
