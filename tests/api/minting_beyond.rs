//! What the minting API does beyond the original: requests are taken back and made again, files are worked off, metadata is
//! hosted; and what its keys open.

use std::sync::Arc;

use moneyer::access::environment::{self, KeyPurpose, NewEnvironment, Tier};
use moneyer::access::quota::{self, Account};
use moneyer::collection::{self, Collection, NewCollection, Profile, Right, Worked};
use moneyer::config::TestMarker;
use moneyer::types::{Amount, EnvironmentId};
use reqwest::Method;
use serde_json::{Value, json};

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
    a_file_is_worked_off_in_parts_and_says_what_was_refused,
    a_file_waits_for_the_quota_and_takes_no_more,
    a_part_that_was_not_committed_is_worked_off_again,
    a_file_that_cannot_be_read_is_refused_whole,
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

// --- files ----------------------------------------------------------------------------------------------------------

struct File<'s> {
    server: &'s Server,
    minting: &'s Minting,
    path: String,
}

impl<'s> File<'s> {
    /// A file that was taken.
    async fn submit(
        server: &'s Server,
        minting: &'s Minting,
        swords: &collection::Collection,
        kind: &str,
        text: String,
    ) -> (Self, Value) {
        let path = format!("{}/nfts/mint-requests/bulk", base(swords));
        let answer = submit(server, minting, &path, kind, text).await;
        assert_eq!(answer.status.as_u16(), 202, "{}", answer.text);
        let result = answer.body["result"].clone();
        let path = format!("{path}/{}", result["id"].as_str().unwrap());
        (Self { server, minting, path }, result)
    }

    async fn look(&self) -> Value {
        get_with(self.server, self.minting, &self.path).await.ok()["result"].clone()
    }
}

async fn submit(server: &Server, minting: &Minting, path: &str, kind: &str, text: String) -> Answer {
    let call = server
        .call(Method::POST, None, path)
        .header("x-immutable-api-key", &minting.secret);
    call.text(kind, text).send().await
}

/// One part, as a process does that has time.
async fn work_off(server: &Server) -> Worked {
    let (policies, now) = (Arc::clone(server.app.policy()), server.now());
    let worked = server
        .app
        .db()
        .write(move |tx| collection::work_off(tx, &policies, now));
    worked.await.unwrap()
}

fn csv(lines: impl Iterator<Item = usize>) -> String {
    let lines = lines.map(|number| format!("r{number},{},{number}\n", recipient(0)));
    format!("reference_id,owner_address,token_id\n{}", lines.collect::<String>())
}

fn counts(file: &Value) -> [i64; 4] {
    ["lines", "accepted", "refused", "waiting"].map(|name| file[name].as_i64().unwrap())
}

async fn a_file_is_worked_off_in_parts_and_says_what_was_refused(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, collection::Minting::Hybrid, 801).await;
    mint(server, &minting, &swords, json!([wish("r7", Some("999"))])).await;
    // Line 2 is r0; what is wrong stands behind 250 good lines: no address, a token above its bound, a reference again.
    let above = "340282366920938463463374607431768211456";
    let text = csv(0..250) + "bad,0x12,1\n" + &format!("high,{0},{above}\nr3,{0},5000\n", recipient(1));
    let (file, taken) = File::submit(server, &minting, &swords, "text/csv; charset=utf-8", text).await;
    assert_eq!(
        (counts(&taken), &taken["status"]),
        ([253, 0, 1, 252], &json!("working"))
    );

    assert_eq!(work_off(server).await, Worked::Part);
    assert_eq!(counts(&file.look().await), [253, 99, 2, 152]);
    while work_off(server).await == Worked::Part {}

    let done = file.look().await;
    assert_eq!((counts(&done), &done["status"]), ([253, 249, 4, 0], &json!("done")));
    let refusals: Vec<(i64, &str, &str)> = done["refusals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let text = |name: &str| one[name].as_str().unwrap_or("");
            (one["line"].as_i64().unwrap(), text("reference_id"), text("reason"))
        })
        .collect();
    assert_eq!(refusals[0], (9, "r7", "reference_id is used already"));
    assert_eq!((refusals[1].0, refusals[1].1), (252, "bad"));
    assert!(refusals[1].2.starts_with("owner_address "), "{refusals:?}");
    assert_eq!((refusals[2].0, refusals[2].1), (253, "high"));
    assert!(
        refusals[2].2.starts_with("token_id must be below 2^128"),
        "{refusals:?}"
    );
    assert_eq!(refusals[3], (254, "r3", "reference_id is used already"));
    let first = get_with(server, &minting, &format!("{}?page_size=3", file.path))
        .await
        .ok();
    assert_eq!(first["result"]["refusals"].as_array().unwrap().len(), 3);
    let next = first["page"]["next_cursor"].as_str().unwrap();
    let rest = get_with(server, &minting, &format!("{}?page_cursor={next}", file.path))
        .await
        .ok();
    assert_eq!(rest["result"]["refusals"][0]["line"], 254);
    assert_eq!(rest["page"]["next_cursor"], Value::Null);
}

async fn a_file_waits_for_the_quota_and_takes_no_more(server: &Server) {
    let tier = Tier::Enterprise {
        per_minute: 600,
        burst: 150,
    };
    let minting = minting(server, "Game", tier).await;
    let swords = found(server, &minting, collection::Minting::Hybrid, 801).await;
    let lines = (0..220).map(|number| json!({ "reference_id": number.to_string(), "owner_address": recipient(0) }));
    let text = lines.map(|line| line.to_string() + "\n").collect::<String>();
    let (file, _) = File::submit(server, &minting, &swords, "application/x-ndjson", text).await;

    while work_off(server).await == Worked::Part {}
    assert_eq!(counts(&file.look().await), [220, 100, 0, 120]);
    // 50 are left; ten come in a second.
    server.advance(4);
    while work_off(server).await == Worked::Part {}
    assert_eq!(counts(&file.look().await)[1], 100);
    server.advance(1);
    while work_off(server).await == Worked::Part {}
    assert_eq!(counts(&file.look().await)[1], 200);
    server.advance(2);
    while work_off(server).await == Worked::Part {}

    let done = file.look().await;
    assert_eq!((counts(&done), &done["status"]), ([220, 220, 0, 0], &json!("done")));
    let rate = tier.rate();
    let account = Account::new(&minting.environment, "mint", rate);
    let now = server.now();
    let over = server
        .app
        .db()
        .write(move |tx| quota::take(tx, &account, rate, 1, now))
        .await;
    assert!(
        matches!(over.unwrap(), quota::Taken::Refused { .. }),
        "the file paid for all of it"
    );
}

async fn a_part_that_was_not_committed_is_worked_off_again(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, collection::Minting::Hybrid, 801).await;
    let (file, _) = File::submit(server, &minting, &swords, "text/csv", csv(0..150)).await;
    work_off(server).await;

    let (policies, now) = (Arc::clone(server.app.policy()), server.now());
    let killed = server.app.db().write(move |tx| {
        collection::work_off(tx, &policies, now)?;
        Err::<(), _>(moneyer::error::Error::internal("the process dies before its commit"))
    });
    assert!(killed.await.is_err());

    assert_eq!(counts(&file.look().await), [150, 100, 0, 50]);
    while work_off(server).await == Worked::Part {}
    assert_eq!(counts(&file.look().await), [150, 150, 0, 0]);
    let asset = server.read(move |tx| moneyer::asset::find(tx, swords.id)).await;
    assert_eq!(asset.pending, Amount::from(150));
}

async fn a_file_that_cannot_be_read_is_refused_whole(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let other = self::minting(server, "Other", Tier::Standard).await;
    let swords = found(server, &minting, collection::Minting::Hybrid, 801).await;
    let path = format!("{}/nfts/mint-requests/bulk", base(&swords));

    for (kind, text) in [
        ("text/csv", String::new()),
        ("text/csv", "reference_id,owner_address\n".to_owned()),
        ("text/csv", "reference,owner\na,b\n".to_owned()),
        ("application/x-ndjson", "\n\n".to_owned()),
        ("application/json", csv(0..1)),
        ("application/x-ndjson", "{}\n".repeat(100_001)),
    ] {
        let answer = submit(server, &minting, &path, kind, text).await;
        refused(&answer, 400, "VALIDATION_ERROR");
    }
    let foreign = submit(server, &other, &path, "text/csv", csv(0..1)).await;
    refused(&foreign, 403, "AUTHENTICATION_ERROR");
    let unknown = format!("{path}/0197a1f0-5c3e-7b44-9d21-3f6a1c0e8b57");
    refused(&get_with(server, &minting, &unknown).await, 404, "RESOURCE_NOT_FOUND");
    assert_eq!(work_off(server).await, Worked::Nothing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_work_off_different_files_at_once() {
    let server = Server::start(Database::Postgres).await;
    let minting = minting(&server, "Game", Tier::Partner).await;
    let swords = found(&server, &minting, collection::Minting::Hybrid, 801).await;
    let axes = found(&server, &minting, collection::Minting::Hybrid, 802).await;
    let (first, _) = File::submit(&server, &minting, &swords, "text/csv", csv(0..1_000)).await;
    let (second, _) = File::submit(&server, &minting, &axes, "text/csv", csv(0..1_000)).await;
    let replica = server.replica();

    let all = async |server: &Server| while work_off(server).await == Worked::Part {};
    tokio::join!(all(&server), all(&replica), all(&server));
    all(&server).await;

    for file in [first, second] {
        assert_eq!(counts(&file.look().await), [1_000, 1_000, 0, 0]);
    }
    replica.stop().await;
    server.finish().await;
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
async fn guesses_at_any_key_are_counted_by_the_address_they_come_from() {
    for header in ["x-api-key", "x-immutable-api-key"] {
        let options = Options::default().with("minting.anonymous_requests", 3);
        let server = Server::start_with(Database::Sqlite, &options).await;
        let guess = async |number: usize| {
            let path = "/v1/chains/book/collections/0x00/nfts/mint-requests";
            let call = server.call(Method::GET, None, path);
            call.header(header, &format!("guess {number}")).send().await
        };

        for number in 0..3 {
            assert!(matches!(guess(number).await.status.as_u16(), 401 | 403));
        }
        let limited = guess(3).await;

        refused(&limited, 429, "TOO_MANY_REQUESTS_ERROR");
        assert!(limited.header("Retry-After").is_some());
        server.finish().await;
    }
}
