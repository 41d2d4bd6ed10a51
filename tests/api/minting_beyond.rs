//! What the minting API does beyond the original: requests are taken back and made again, metadata is hosted; and what its
//! keys open.

use std::sync::Arc;

use moneyer::access::environment::{self, KeyPurpose, NewEnvironment, Tier};
use moneyer::audit::EventFilter;
use moneyer::collection::{self, Collection, NewCollection, Profile, Right};
use moneyer::config::TestMarker;
use moneyer::types::EnvironmentId;
use reqwest::Method;
use serde_json::json;

use super::minting::{base, found, get, get_with, list, mint, send, settle, sword, wish};
use super::minting_shell::{Minting, minting, refused};
use crate::both_databases;
use crate::support::{Answer, Database, Options, Server, recipient, wallet};

both_databases! {
    a_key_opens_the_collections_of_its_project_and_of_no_other,
    the_same_values_written_otherwise_are_the_same_request,
    a_key_for_repeats_is_of_one_environment,
    a_known_collection_is_linked_once_however_many_ask_at_once,
    a_request_is_taken_back_and_made_again,
    what_a_token_shows_is_hosted,
}

/// Another environment of the project, and its secret key.
async fn sibling(server: &Server, of: &Minting, tier: Tier) -> Minting {
    let (vault, owner) = (server.app.vault().clone(), server.world.creator.user);
    let known = EnvironmentId::parse(&of.environment).unwrap();
    let publishable = of.publishable.clone();
    server
        .write(&server.world.admin, move |tx, ctx| {
            let known = environment::find(tx, known)?;
            let new = NewEnvironment {
                project: known.project,
                name: "staging".to_owned(),
                chain: known.chain,
                test: true,
                tier,
                owner,
            };
            let made = environment::create(tx, ctx, new)?.id;
            let marker = TestMarker::BeforeHyphen;
            let secret = environment::create_key(tx, &vault, marker, ctx, made, KeyPurpose::Secret)?;
            Ok(Minting {
                secret: secret.key.reveal().to_owned(),
                publishable: publishable.clone(),
                environment: made.to_string(),
            })
        })
        .await
}

async fn a_key_opens_the_collections_of_its_project_and_of_no_other(server: &Server) {
    let game = minting(server, "Game", Tier::Standard).await;
    let staging = sibling(server, &game, Tier::Partner).await;
    let other = minting(server, "Other", Tier::Standard).await;
    let swords = found(server, &game, collection::Minting::Hybrid, 801).await;

    let answer = mint(server, &staging, &swords, json!([wish("a", None)])).await;

    assert_eq!(answer.status.as_u16(), 202, "{}", answer.text);
    // The quota is that of the key's environment.
    assert_eq!(answer.body["imx_remaining_mint_requests"], "19999");
    let path = format!("{}/nfts/mint-requests/a", base(&swords));
    get_with(server, &game, &path).await.ok();
    refused(&get_with(server, &other, &path).await, 403, "AUTHENTICATION_ERROR");
    let refused_mint = mint(server, &other, &swords, json!([wish("b", None)])).await;
    refused(&refused_mint, 403, "AUTHENTICATION_ERROR");
}

async fn the_same_values_written_otherwise_are_the_same_request(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, collection::Minting::Hybrid, 801).await;
    let owner = recipient(0);
    let ask = async |body: String| {
        let path = format!("{}/nfts/mint-requests", base(&swords));
        let call = server
            .call(Method::POST, None, &path)
            .header("x-immutable-api-key", &minting.secret);
        call.idempotency_key("order-1")
            .text("application/json", body)
            .send()
            .await
    };

    let first = ask(format!(
        "{{\"assets\":[{{\"reference_id\":\"a\",\"owner_address\":\"{owner}\"}}]}}"
    ))
    .await;
    let again = ask(format!(
        "{{ \"assets\": [ {{ \"owner_address\": \"{owner}\",\n \"reference_id\": \"\\u0061\" }} ] }}"
    ))
    .await;

    assert_eq!(first.status.as_u16(), 202, "{}", first.text);
    assert_eq!(again.status.as_u16(), 202, "{}", again.text);
    assert_eq!(again.header("Idempotent-Replayed"), Some("true"));
    assert_eq!(first.text, again.text);
}

async fn a_key_for_repeats_is_of_one_environment(server: &Server) {
    let game = minting(server, "Game", Tier::Standard).await;
    let staging = sibling(server, &game, Tier::Standard).await;
    let swords = found(server, &game, collection::Minting::Hybrid, 801).await;
    let ask = async |minting: &Minting, reference: &str| {
        let path = format!("{}/nfts/mint-requests", base(&swords));
        let call = server
            .call(Method::POST, None, &path)
            .header("x-immutable-api-key", &minting.secret);
        let body = json!({ "assets": [wish(reference, None)] });
        let answer = call.idempotency_key("order-1").json(&body).send().await;
        assert_eq!(answer.status.as_u16(), 202, "{}", answer.text);
        answer.header("Idempotent-Replayed").is_some()
    };

    // The same owner, path and key.
    let first = [ask(&game, "a").await, ask(&staging, "b").await];
    let again = [ask(&game, "a").await, ask(&staging, "b").await];

    assert_eq!((first, again), ([false; 2], [true; 2]));
    let path = format!("{}/nfts/mint-requests", base(&swords));
    assert_eq!(list(&get_with(server, &game, &path).await.ok()).len(), 2);
}

/// A collection that an operator brought here.
async fn brought(server: &Server, number: u16) -> Collection {
    let policies = Arc::clone(server.app.policy());
    server
        .write(&server.world.creator, move |tx, ctx| {
            let by = collection::Caller {
                ctx,
                right: Right::Role,
            };
            let new = NewCollection {
                environment: None,
                minting: collection::Minting::Hybrid,
                many: true,
                adopted: true,
                owner: ctx.actor.wallet,
                profile: Profile::default(),
                metadata_api_url: None,
                policy: None,
            };
            collection::found(tx, &by, &policies, &new, |_| wallet(number))
        })
        .await
}

async fn a_known_collection_is_linked_once_however_many_ask_at_once(server: &Server) {
    let game = minting(server, "Game", Tier::Standard).await;
    let other = minting(server, "Other", Tier::Standard).await;
    for number in 810..820 {
        let known = brought(server, number).await;
        let ask = async |minting: &Minting| {
            let body = json!({ "contract_address": known.address });
            let answer = send(
                server,
                Method::POST,
                Some(&minting.secret),
                "/v1/collections",
                Some(&body),
            )
            .await;
            (minting.environment.clone(), answer)
        };

        let answers: [(String, Answer); 4] = tokio::join!(ask(&game), ask(&other), ask(&game), ask(&other)).into();

        let (linked, turned_away): (Vec<_>, Vec<_>) = answers
            .into_iter()
            .partition(|(_, answer)| answer.status.as_u16() == 201);
        assert_eq!(linked.len(), 1, "of {}", known.address);
        for (_, answer) in turned_away {
            refused(&answer, 409, "CONFLICT_ERROR");
        }
        let id = known.id;
        let now = server.read(move |tx| collection::find(tx, id)).await;
        assert_eq!(now.environment.map(|id| id.to_string()), Some(linked[0].0.clone()));
    }
}

async fn post(server: &Server, minting: &Minting, path: &str) -> Answer {
    send(server, Method::POST, Some(&minting.secret), path, None).await
}

async fn a_request_is_taken_back_and_made_again(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let other = self::minting(server, "Other", Tier::Standard).await;
    let swords = found(server, &minting, collection::Minting::Hybrid, 801).await;
    mint(
        server,
        &minting,
        &swords,
        json!([wish("a/b", Some("7")), wish("c", None)]),
    )
    .await;
    let path = format!("{}/nfts/mint-requests/a%2Fb", base(&swords));
    let (cancel, retry) = (format!("{path}/cancel"), format!("{path}/retry"));

    refused(&post(server, &minting, &retry).await, 409, "CONFLICT_ERROR");
    refused(&post(server, &other, &cancel).await, 403, "AUTHENTICATION_ERROR");
    let cancelled = list(&post(server, &minting, &cancel).await.ok());
    assert_eq!(
        (&cancelled[0]["status"], &cancelled[0]["error"]["message"]),
        (&json!("failed"), &json!("cancelled before it was sent"))
    );
    refused(&post(server, &minting, &cancel).await, 409, "CONFLICT_ERROR");
    let unknown = format!("{}/nfts/mint-requests/nobody/cancel", base(&swords));
    refused(&post(server, &minting, &unknown).await, 404, "RESOURCE_NOT_FOUND");

    let again = post(server, &minting, &retry).await;
    assert_eq!(again.status.as_u16(), 202, "{}", again.text);
    assert_eq!(list(&again.body)[0]["status"], "pending");
    assert_eq!(again.header("imx-remaining-mint-requests"), Some("1997"));
    refused(&post(server, &minting, &retry).await, 409, "CONFLICT_ERROR");
    settle(server, &swords, 500).await;
    let done = list(&get_with(server, &minting, &path).await.ok());
    assert_eq!(
        (&done[0]["status"], &done[0]["token_id"]),
        (&json!("succeeded"), &json!("7"))
    );
    refused(&post(server, &minting, &cancel).await, 409, "CONFLICT_ERROR");
}

// --- metadata -------------------------------------------------------------------------------------------------------

async fn what_a_token_shows_is_hosted(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, collection::Minting::Hybrid, 801).await;
    let mut described = wish("a", Some("7"));
    described["metadata"] = sword();
    mint(server, &minting, &swords, json!([described, wish("b", Some("8"))])).await;
    let at = |id: &str| format!("/v1/metadata/{}/{id}", swords.address);

    let pending = get(server, &at("7")).await;
    settle(server, &swords, 500).await;
    let minted = get(server, &at("7")).await;

    assert_eq!(pending.clone().ok(), sword());
    assert_eq!(minted.header("Cache-Control"), Some("public, max-age=60"));
    assert_eq!(minted.header("Access-Control-Allow-Origin"), Some("*"));
    assert_eq!(minted.ok(), sword());
    for unknown in [at("8"), at("9"), format!("/v1/metadata/{}/7", recipient(5))] {
        let answer = get(server, &unknown).await;
        refused(&answer, 404, "RESOURCE_NOT_FOUND");
        assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    }
    for malformed in [at("x"), "/v1/metadata/0x12/7".to_owned()] {
        refused(&get(server, &malformed).await, 400, "VALIDATION_ERROR");
    }
}

// --- guesses --------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_not_good_is_refused_as_such_however_often_it_comes() {
    let options = Options::default().with("minting.anonymous_requests", 3);
    let server = Server::start_with(Database::Sqlite, &options).await;
    let good = minting(&server, "Game", Tier::Standard).await;
    let swords = found(&server, &good, collection::Minting::Hybrid, 860).await;
    let path = format!("{}/nfts/mint-requests", base(&swords));
    for (header, status, code) in [
        ("x-api-key", 403, "AUTHENTICATION_ERROR"),
        ("x-immutable-api-key", 401, "UNAUTHORISED_REQUEST"),
    ] {
        for guess in ["same", "same", "same", "same", "one", "two", "three", "four", "same"] {
            let call = server.call(Method::GET, None, &path);
            refused(&call.header(header, guess).send().await, status, code);
        }
    }

    // Whoever has a good key at the same address is let in, and so is whoever reads.
    let list = server
        .call(Method::GET, None, &path)
        .header("x-immutable-api-key", &good.secret);
    assert_eq!(list.send().await.status, 200);
    assert_eq!(get(&server, "/v1/chains").await.status, 200);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_tries_what_is_not_theirs_fills_nobodys_history() {
    let server = Server::start(Database::Sqlite).await;
    let mine = minting(&server, "Mine", Tier::Standard).await;
    let other = minting(&server, "Other", Tier::Standard).await;
    let swords = found(&server, &mine, collection::Minting::Hybrid, 861).await;
    let path = format!("{}/nfts/mint-requests", base(&swords));
    let stream = format!("asset:{}", swords.id);
    let of_stream = EventFilter {
        stream: Some(stream),
        ..EventFilter::default()
    };
    let before = server.events(of_stream.clone()).await.len();
    let noted = async || {
        let refused = EventFilter {
            action: Some("access.refused".to_owned()),
            asset: Some(swords.id),
            ..EventFilter::default()
        };
        server.events(refused).await.len()
    };

    for expected in [1, 2] {
        let call = server
            .call(Method::GET, None, &path)
            .header("x-immutable-api-key", &other.secret);
        refused(&call.send().await, 403, "AUTHENTICATION_ERROR");
        assert_eq!(noted().await, expected);
    }
    for _ in 0..70 {
        let call = server
            .call(Method::GET, None, &path)
            .header("x-immutable-api-key", &other.secret);
        refused(&call.send().await, 403, "AUTHENTICATION_ERROR");
    }

    assert_eq!(noted().await, 60);
    assert_eq!(server.events(of_stream).await.len(), before);
    server.advance(60);
    let call = server
        .call(Method::GET, None, &path)
        .header("x-immutable-api-key", &other.secret);
    refused(&call.send().await, 403, "AUTHENTICATION_ERROR");
    assert_eq!(noted().await, 61, "one a minute");
    server.finish().await;
}
