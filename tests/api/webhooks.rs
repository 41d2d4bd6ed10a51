//! What receivers are told of mint requests, how it is signed, how often it is tried, and where it is never sent.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::{BASE64, HEXLOWER};
use diesel::{ExpressionMethods as _, QueryDsl as _, RunQueryDsl as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use moneyer::access::Role;
use moneyer::access::environment::Tier;
use moneyer::audit::EventFilter;
use moneyer::collection::{self, Collection, Minting as Way};
use moneyer::config::Webhooks;
use moneyer::types::{EnvironmentId, Network, ReferenceId};
use moneyer::webhook::Deliverer;
use moneyer::{on, start};
use serde_json::{Value, json};
use sha2::Sha256;

use super::minting::{found, mint, settle, wish};
use super::minting_shell::{Minting, minting};
use crate::both_databases;
use crate::support::{Answer, Options, Person, Received, Receiver, Reply, Server, golden};

both_databases! {
    options: super::options();
    every_change_of_a_request_is_told_and_signed,
    an_amount_is_told_of_an_erc1155_alone,
    the_standard_scheme_has_words_of_our_own,
    a_webhook_is_told_of_its_scope_and_its_events_alone,
    what_fails_is_tried_at_1_5_30_and_120_minutes_and_again_by_hand,
    both_secrets_sign_until_the_overlap_ends,
    two_processes_tell_each_event_once,
    an_attempt_that_was_not_recorded_is_made_again_under_the_same_id,
    a_receiver_that_is_silent_endless_or_points_elsewhere_is_not_waited_for,
    a_target_that_only_this_server_can_reach_is_refused,
    a_webhook_that_was_disabled_or_deleted_is_told_nothing,
    what_concerns_every_collection_is_the_admins,
    a_login_is_kept_and_never_shown,
    what_is_malformed_is_refused_with_every_issue,
    secrets_are_in_no_event_and_no_answer_but_one,
    lists_are_walked_to_their_end,
    what_ended_a_month_ago_is_forgotten,
    what_was_noted_while_its_webhook_was_deleted_ends_as_well,
}

pub fn options() -> Options {
    Options::default().with("webhooks.private_networks", "127.0.0.0/8")
}

fn settings(networks: &[&str]) -> Webhooks {
    Webhooks {
        private_networks: networks.iter().map(|text| Network::parse(text).unwrap()).collect(),
        timeout: Duration::from_secs(1),
    }
}

/// A process that sends, on this server's database and clock.
fn deliverer(server: &Server) -> Arc<Deliverer> {
    Arc::new(start::deliverer(&server.app, &settings(&["127.0.0.0/8"])))
}

/// What is due is sent once; how many attempts that were.
pub async fn deliver(server: &Server) -> usize {
    deliverer(server).deliver_due().await.unwrap()
}

fn manager(server: &Server) -> &Person {
    &server.world.system[&Role::SystemManager]
}

struct Hook {
    id: String,
    secret: String,
    path: String,
}

async fn post(server: &Server, path: &str, body: Value) -> Answer {
    server.verified().post(manager(server), path, &body).await
}

async fn subscribe(server: &Server, body: Value) -> Hook {
    let created = post(server, "/api/webhooks", body).await.ok();
    let id = created["id"].as_str().unwrap().to_owned();
    Hook {
        path: format!("/api/webhooks/{id}"),
        id,
        secret: created["secret"].as_str().unwrap_or_default().to_owned(),
    }
}

/// Told of everything in the environment.
async fn hook(server: &Server, game: &Minting, receiver: &Receiver, scheme: &str) -> Hook {
    let body = json!({ "url": receiver.url(), "scheme": scheme, "environmentId": game.environment });
    subscribe(server, body).await
}

async fn deliveries(server: &Server, hook: &Hook) -> Vec<Value> {
    let path = format!("{}/deliveries", hook.path);
    let list = server.get(manager(server), &path).await.ok();
    list.as_array().unwrap().clone()
}

async fn details(server: &Server, hook: &Hook, delivery: &Value) -> Value {
    let path = format!("{}/deliveries/{}", hook.path, delivery["id"].as_str().unwrap());
    server.get(manager(server), &path).await.ok()
}

async fn cancel(server: &Server, game: &Minting, swords: &Collection, reference: &'static str) {
    let (id, environment) = (swords.id, EnvironmentId::parse(&game.environment).unwrap());
    server
        .write(&server.world.creator, move |tx, ctx| {
            let caller = collection::Caller {
                ctx,
                right: collection::Right::Environment(environment),
            };
            collection::cancel(tx, &caller, id, &ReferenceId::parse(reference).unwrap())
        })
        .await;
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn immutable_signature(secret: &str, received: &Received) -> String {
    HEXLOWER.encode(&mac(secret.as_bytes(), &received.body))
}

fn standard_signature(secret: &str, received: &Received) -> String {
    let key = BASE64
        .decode(secret.strip_prefix("whsec_").unwrap().as_bytes())
        .unwrap();
    let (id, time) = (received.header("webhook-id"), received.header("webhook-timestamp"));
    format!(
        "v1,{}",
        BASE64.encode(&mac(&key, &format!("{id}.{time}.{}", received.body)))
    )
}

/// As a receiver written for either description would check.
#[track_caller]
fn verify(secret: &str, received: &Received) {
    assert_eq!(
        received.header("x-immutable-signature"),
        immutable_signature(secret, received)
    );
    assert_eq!(
        received.header("webhook-signature"),
        standard_signature(secret, received)
    );
    assert_eq!(received.header("content-type"), "application/json");
    // Sample code parses, writes again and hashes that.
    assert_eq!(serde_json::to_string(&received.json()).unwrap(), received.body);
}

/// Ids are different each time.
fn steady(value: &Value) -> Value {
    let mut value = value.clone();
    if let Value::Object(fields) = &mut value {
        for (name, field) in fields.iter_mut() {
            let is_id = name.ends_with("_id") || name.ends_with("Id");
            let is_uuid = field.as_str().is_some_and(|text| text.len() == 36);
            *field = if is_id && is_uuid { json!("…") } else { steady(field) };
        }
    }
    value
}

/// What arrived, by reference and status.
fn told(receiver: &Receiver) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut told: Vec<_> = receiver
        .received()
        .iter()
        .map(|one| one.json()["data"].clone())
        .map(|data| (text(&data["reference_id"]), text(&data["status"])))
        .collect();
    told.sort();
    told
}

fn pair(reference: &str, status: &str) -> (String, String) {
    (reference.to_owned(), status.to_owned())
}

async fn every_change_of_a_request_is_told_and_signed(server: &Server) {
    let game = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &game, Way::Hybrid, 801).await;
    let receiver = Receiver::start();
    let hook = hook(server, &game, &receiver, "immutable").await;
    let wishes = json!([wish("a", Some("7")), wish("b", None)]);

    mint(server, &game, &swords, wishes).await;
    assert_eq!(deliver(server).await, 2);
    server.advance(5);
    cancel(server, &game, &swords, "b").await;
    assert_eq!(deliver(server).await, 1);
    settle(server, &swords, 500).await;
    assert_eq!(deliver(server).await, 1);

    assert_eq!(deliver(server).await, 0, "everything was told");
    let expected = [
        pair("a", "pending"),
        pair("a", "succeeded"),
        pair("b", "failed"),
        pair("b", "pending"),
    ];
    assert_eq!(told(&receiver), expected);
    let mut bodies = Vec::new();
    for received in receiver.received() {
        verify(&hook.secret, &received);
        assert_eq!(received.json()["event_id"], received.header("webhook-id"));
        bodies.push(steady(&received.json()));
    }
    bodies.sort_by_key(|body| format!("{}{}", body["data"]["reference_id"], body["data"]["status"]));
    golden("immutable_webhooks.json", &Value::Array(bodies));
    let log = deliveries(server, &hook).await;
    assert_eq!(log.len(), 4);
    assert!(
        log.iter()
            .all(|one| one["state"] == "delivered" && one["attempts"] == 1)
    );
}

async fn an_amount_is_told_of_an_erc1155_alone(server: &Server) {
    let game = minting(server, "Game", Tier::Standard).await;
    let (swords, potions) = (
        found(server, &game, Way::Hybrid, 801).await,
        found(server, &game, Way::Amounts, 802).await,
    );
    let receiver = Receiver::start();
    hook(server, &game, &receiver, "immutable").await;
    let potion = |reference: &str, amount: &str| {
        let mut wish = wish(reference, Some("1"));
        wish["amount"] = json!(amount);
        wish
    };

    mint(server, &game, &swords, json!([wish("sword", None)])).await;
    let amounts = json!([potion("small", "9007199254740991"), potion("large", "9007199254740992")]);
    mint(server, &game, &potions, amounts).await;
    deliver(server).await;

    let amounts: Vec<(String, Value)> = receiver
        .received()
        .iter()
        .map(|one| one.json()["data"].clone())
        .map(|data| {
            (
                data["reference_id"].as_str().unwrap().to_owned(),
                data["amount"].clone(),
            )
        })
        .collect();
    let of = |reference: &str| amounts.iter().find(|(name, _)| name == reference).unwrap().1.clone();
    assert_eq!(of("sword"), Value::Null);
    assert_eq!(of("small"), json!(9_007_199_254_740_991_u64));
    assert_eq!(of("large"), json!("9007199254740992"));
}

async fn the_standard_scheme_has_words_of_our_own(server: &Server) {
    let game = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &game, Way::Hybrid, 801).await;
    let receiver = Receiver::start();
    let hook = hook(server, &game, &receiver, "standard").await;

    mint(server, &game, &swords, json!([wish("a", Some("7"))])).await;
    deliver(server).await;

    let received = receiver.received();
    assert_eq!(
        received[0].header("webhook-signature"),
        standard_signature(&hook.secret, &received[0])
    );
    assert_eq!(received[0].header("x-immutable-signature"), "");
    golden("standard_webhook.json", &steady(&received[0].json()));
}

async fn a_webhook_is_told_of_its_scope_and_its_events_alone(server: &Server) {
    let (game, other) = (
        minting(server, "Game", Tier::Standard).await,
        minting(server, "Other", Tier::Standard).await,
    );
    let (swords, shields) = (
        found(server, &game, Way::Hybrid, 801).await,
        found(server, &game, Way::Hybrid, 802).await,
    );
    let strange = found(server, &other, Way::Hybrid, 803).await;
    let receivers = [Receiver::start(), Receiver::start(), Receiver::start()];
    let [of_environment, of_collection, of_all] = &receivers;
    hook(server, &game, of_environment, "immutable").await;
    let body = json!({ "url": of_collection.url(), "scheme": "immutable", "collection": swords.address,
        "events": ["mint_request.succeeded"] });
    subscribe(server, body).await;
    let body = json!({ "url": of_all.url(), "scheme": "immutable", "events": ["mint_request.accepted"] });
    server
        .verified()
        .post(&server.world.admin, "/api/webhooks", &body)
        .await
        .ok();

    for (game, collection, reference) in [
        (&game, &swords, "sword"),
        (&game, &shields, "shield"),
        (&other, &strange, "x"),
    ] {
        mint(server, game, collection, json!([wish(reference, None)])).await;
        settle(server, collection, 500).await;
    }
    deliver(server).await;

    let both = |reference| [pair(reference, "pending"), pair(reference, "succeeded")];
    assert_eq!(told(of_environment), [both("shield"), both("sword")].concat());
    assert_eq!(told(of_collection), [pair("sword", "succeeded")]);
    assert_eq!(
        told(of_all),
        ["shield", "sword", "x"].map(|reference| pair(reference, "pending"))
    );
}

async fn what_fails_is_tried_at_1_5_30_and_120_minutes_and_again_by_hand(server: &Server) {
    let game = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &game, Way::Hybrid, 801).await;
    let receiver = Receiver::start();
    let hook = hook(server, &game, &receiver, "immutable").await;
    receiver.answer(Reply::Status(503));
    mint(server, &game, &swords, json!([wish("a", None)])).await;

    assert_eq!(deliver(server).await, 1);
    let mut minutes = 0;
    for next in [1, 5, 30, 120] {
        server.advance((next - minutes) * 60 - 1);
        assert_eq!(deliver(server).await, 0, "a second before minute {next}");
        server.advance(1);
        assert_eq!(deliver(server).await, 1, "at minute {next}");
        minutes = next;
    }
    server.advance(86_400);
    assert_eq!(deliver(server).await, 0, "there is no sixth attempt");

    let failed = deliveries(server, &hook).await.remove(0);
    assert_eq!((&failed["state"], &failed["attempts"]), (&json!("failed"), &json!(5)));
    assert_eq!(failed["nextAttemptAt"], Value::Null);
    let log = details(server, &hook, &failed).await["log"].as_array().unwrap().clone();
    assert_eq!(log.len(), 5);
    assert!(log.iter().all(|one| one["status"] == 503 && one["answer"] == "said."));

    receiver.answer(Reply::Status(204));
    let path = format!("{}/deliveries/{}/replay", hook.path, failed["id"].as_str().unwrap());
    let again = server.post(manager(server), &path, &json!({})).await.ok();
    assert_eq!(
        (&again["state"], &again["replayOf"]),
        (&json!("pending"), &failed["id"])
    );
    let still = format!("{}/deliveries/{}/replay", hook.path, again["id"].as_str().unwrap());
    server
        .post(manager(server), &still, &json!({}))
        .await
        .error(409, "CONFLICT");
    assert_eq!(deliver(server).await, 1);

    let received = receiver.received();
    let ids: BTreeSet<&str> = received.iter().map(|one| one.header("webhook-id")).collect();
    let bodies: BTreeSet<&str> = received.iter().map(|one| one.body.as_str()).collect();
    let times: BTreeSet<&str> = received.iter().map(|one| one.header("webhook-timestamp")).collect();
    assert_eq!((received.len(), ids.len(), bodies.len(), times.len()), (6, 1, 1, 6));
    received.iter().for_each(|one| verify(&hook.secret, one));
    assert_eq!(deliveries(server, &hook).await[0]["state"], "delivered");
}

async fn both_secrets_sign_until_the_overlap_ends(server: &Server) {
    let game = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &game, Way::Hybrid, 801).await;
    let receiver = Receiver::start();
    let hook = hook(server, &game, &receiver, "immutable").await;
    let rotate = async |overlap: i64| {
        let path = format!("{}/rotate", hook.path);
        let rotated = post(server, &path, json!({ "overlapSeconds": overlap })).await.ok();
        rotated["secret"].as_str().unwrap().to_owned()
    };
    let tell = async |reference: &str| {
        mint(server, &game, &swords, json!([wish(reference, None)])).await;
        deliver(server).await;
        receiver.received().pop().unwrap()
    };

    let new = rotate(60).await;
    server.advance(59);
    let inside = tell("inside").await;
    server.advance(1);
    let outside = tell("outside").await;
    let newest = rotate(0).await;
    let at_once = tell("at once").await;

    let both = format!(
        "{} {}",
        standard_signature(&new, &inside),
        standard_signature(&hook.secret, &inside)
    );
    assert_eq!(inside.header("webhook-signature"), both);
    assert_eq!(
        inside.header("x-immutable-signature"),
        immutable_signature(&hook.secret, &inside)
    );
    verify(&new, &outside);
    verify(&newest, &at_once);
    for overlap in [-1, 604_801] {
        let path = format!("{}/rotate", hook.path);
        let refused = post(server, &path, json!({ "overlapSeconds": overlap })).await;
        assert_eq!(refused.issues(), ["overlapSeconds range"]);
    }
}

async fn two_processes_tell_each_event_once(server: &Server) {
    let game = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &game, Way::Hybrid, 801).await;
    let receiver = Receiver::start();
    hook(server, &game, &receiver, "immutable").await;
    let wishes: Vec<Value> = (0..90).map(|number| wish(&number.to_string(), None)).collect();
    mint(server, &game, &swords, Value::Array(wishes)).await;
    let other = server.replica();

    let (here, there) = (deliverer(server), deliverer(&other));
    let (first, second) = tokio::join!(here.deliver_due(), there.deliver_due());

    assert_eq!(first.unwrap() + second.unwrap(), 90);
    let received = receiver.received();
    let ids: BTreeSet<&str> = received.iter().map(|one| one.header("webhook-id")).collect();
    assert_eq!((received.len(), ids.len()), (90, 90));
    other.stop().await;
}

async fn an_attempt_that_was_not_recorded_is_made_again_under_the_same_id(server: &Server) {
    let game = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &game, Way::Hybrid, 801).await;
    let receiver = Receiver::start();
    hook(server, &game, &receiver, "immutable").await;
    mint(server, &game, &swords, json!([wish("a", None)])).await;
    receiver.answer(Reply::Silence);

    let process = deliverer(server);
    let dying = tokio::spawn(async move { process.deliver_due().await });
    receiver.wait_for(1).await;
    dying.abort();
    assert!(dying.await.unwrap_err().is_cancelled());
    receiver.answer(Reply::Status(200));
    server.advance(120);
    assert_eq!(deliver(server).await, 0, "it may still be on its way");
    server.advance(1);
    assert_eq!(deliver(server).await, 1);

    let received = receiver.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].header("webhook-id"), received[1].header("webhook-id"));
    assert_eq!(received[0].body, received[1].body);
}

async fn a_receiver_that_is_silent_endless_or_points_elsewhere_is_not_waited_for(server: &Server) {
    let game = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &game, Way::Hybrid, 801).await;
    let (receiver, elsewhere) = (Receiver::start(), Receiver::start());
    let hook = hook(server, &game, &receiver, "immutable").await;

    let mut told = Vec::new();
    for (reference, reply) in [
        ("silent", Reply::Silence),
        ("endless", Reply::Endless(500)),
        ("pointing", Reply::Redirect(elsewhere.url())),
        ("endless and good", Reply::Endless(200)),
    ] {
        receiver.answer(reply);
        mint(server, &game, &swords, json!([wish(reference, None)])).await;
        assert_eq!(deliver(server).await, 1, "{reference}");
        let delivery = deliveries(server, &hook).await.remove(0);
        let log = details(server, &hook, &delivery).await["log"][0].clone();
        told.push((delivery["state"].clone(), log["status"].clone(), log["error"].clone()));
        let answer = log["answer"].as_str().unwrap_or_default();
        assert!(answer.len() <= 1_024, "{} characters of an answer", answer.len());
    }

    assert_eq!(told[0], (json!("pending"), Value::Null, json!("no answer in time")));
    assert_eq!(told[1], (json!("pending"), json!(500), Value::Null));
    assert_eq!(told[2], (json!("pending"), json!(302), Value::Null));
    assert_eq!(told[3], (json!("delivered"), json!(200), Value::Null));
    assert_eq!(elsewhere.count(), 0, "a redirect was followed");
}

async fn a_target_that_only_this_server_can_reach_is_refused(server: &Server) {
    let game = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &game, Way::Hybrid, 801).await;
    for url in [
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[fd00:ec2::254]/",
        "https://100.64.0.1/",
        "https://0x0a.1/",
        "http://8.8.8.8/",
        "ftp://example.com/",
        "https://user:password@example.com/",
    ] {
        let body = json!({ "url": url, "environmentId": game.environment });
        assert_eq!(
            post(server, "/api/webhooks", body).await.issues(),
            ["url format"],
            "{url}"
        );
    }

    // Allowed when it was made, and not any more; and a name that leads here.
    let receiver = Receiver::start();
    let by_address = hook(server, &game, &receiver, "immutable").await;
    let url = format!("http://localhost:{}/hook", receiver.port);
    let by_name = subscribe(server, json!({ "url": url, "environmentId": game.environment })).await;
    mint(server, &game, &swords, json!([wish("a", None)])).await;
    let strict = Arc::new(start::deliverer(&server.app, &settings(&[])));
    assert_eq!(strict.deliver_due().await.unwrap(), 2);

    for hook in [by_address, by_name] {
        let delivery = deliveries(server, &hook).await.remove(0);
        assert_eq!(delivery["state"], "pending");
        let error = details(server, &hook, &delivery).await["log"][0]["error"].clone();
        assert!(error.as_str().unwrap().contains("is not allowed: it is"), "{error}");
    }
    assert_eq!(receiver.count(), 0);
    server.advance(60);
    assert_eq!(deliver(server).await, 2, "where the network is allowed it arrives");
    assert_eq!(receiver.count(), 2);
}

async fn a_webhook_that_was_disabled_or_deleted_is_told_nothing(server: &Server) {
    let game = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &game, Way::Hybrid, 801).await;
    let receiver = Receiver::start();
    let hook = hook(server, &game, &receiver, "immutable").await;
    let put = async |active: bool| {
        let changed = server
            .verified()
            .put(manager(server), &hook.path, &json!({ "active": active }))
            .await;
        assert_eq!(changed.ok()["active"], active);
    };
    let tell = async |reference: &str| {
        mint(server, &game, &swords, json!([wish(reference, None)])).await;
    };

    tell("waits").await;
    put(false).await;
    tell("not told").await;
    assert_eq!(deliver(server).await, 0);
    let waiting = deliveries(server, &hook).await.remove(0);
    let path = format!("{}/deliveries/{}/replay", hook.path, waiting["id"].as_str().unwrap());
    server
        .post(manager(server), &path, &json!({}))
        .await
        .error(409, "CONFLICT");
    put(true).await;
    assert_eq!(deliver(server).await, 1);
    tell("cancelled").await;
    let deleted = server.delete(manager(server), &hook.path, &json!({})).await.ok();
    tell("not told either").await;

    assert_eq!(deliver(server).await, 0);
    assert_eq!(told(&receiver), [pair("waits", "pending")]);
    assert_eq!(deleted["active"], false);
    server.get(manager(server), &hook.path).await.error(404, "NOT_FOUND");
    server
        .delete(manager(server), &hook.path, &json!({}))
        .await
        .error(404, "NOT_FOUND");
    let list = server.get(manager(server), "/api/webhooks").await.ok();
    assert_eq!(list, json!([]));
}

async fn what_concerns_every_collection_is_the_admins(server: &Server) {
    let receiver = Receiver::start();
    let body = json!({ "url": receiver.url() });
    let (admin, manager) = (&server.world.admin, manager(server));

    server
        .verified()
        .post(manager, "/api/webhooks", &body)
        .await
        .error(403, "USER_NOT_AUTHORIZED");
    let created = server.verified().post(admin, "/api/webhooks", &body).await.ok();
    let path = format!("/api/webhooks/{}", created["id"].as_str().unwrap());

    assert_eq!(server.get(admin, &path).await.ok()["url"], receiver.url());
    assert_eq!(
        server.get(admin, "/api/webhooks").await.ok().as_array().unwrap().len(),
        1
    );
    assert_eq!(server.get(manager, "/api/webhooks").await.ok(), json!([]));
    server.get(manager, &path).await.error(403, "USER_NOT_AUTHORIZED");
    let change = json!({ "active": false });
    server
        .verified()
        .put(manager, &path, &change)
        .await
        .error(403, "USER_NOT_AUTHORIZED");
    server
        .delete(manager, &path, &json!({}))
        .await
        .error(403, "USER_NOT_AUTHORIZED");
    server
        .get(manager, &format!("{path}/deliveries"))
        .await
        .error(403, "USER_NOT_AUTHORIZED");
}

async fn a_login_is_kept_and_never_shown(server: &Server) {
    let game = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &game, Way::Hybrid, 801).await;
    let receiver = Receiver::start();
    let login = |name: &str, password: &str| {
        json!({ "url": receiver.url(), "scheme": "certhis", "collection": swords.address,
            "login": { "name": name, "password": password } })
    };

    let first = post(server, "/api/webhooks", login("moneyer", "c0rrect horse"))
        .await
        .ok();
    let second = post(server, "/api/webhooks", login("moneyer", "battery")).await.ok();

    assert_eq!((&first["secret"], &first["id"]), (&Value::Null, &second["id"]));
    assert!(!first.to_string().contains("c0rrect"));
    let rotate = format!("/api/webhooks/{}/rotate", first["id"].as_str().unwrap());
    post(server, &rotate, json!({})).await.error(409, "CONFLICT");
    let vault = server.app.vault().clone();
    let (giver, nobody) = (manager(server).user, server.world.admin.user);
    let kept = server
        .read(move |tx| {
            let other = moneyer::webhook::registered_login(tx, &vault, swords.id, nobody)?;
            assert!(other.is_none(), "shown to somebody who did not give it");
            moneyer::webhook::registered_login(tx, &vault, swords.id, giver)
        })
        .await;
    let (target, login) = kept.unwrap();
    assert_eq!(target.to_string(), receiver.url());
    assert_eq!(login.password.reveal(), "battery");
    for (path, body) in [
        (
            "login required",
            json!({ "url": receiver.url(), "scheme": "certhis", "collection": swords.address }),
        ),
        (
            "collection required",
            json!({ "url": receiver.url(), "scheme": "certhis", "login": { "name": "a", "password": "b" } }),
        ),
        (
            "login unknown",
            json!({ "url": receiver.url(), "environmentId": game.environment, "login": { "name": "a", "password": "b" } }),
        ),
    ] {
        let person = &server.world.admin;
        let refused = server.verified().post(person, "/api/webhooks", &body).await;
        assert_eq!(refused.issues(), [path]);
    }
}

async fn what_is_malformed_is_refused_with_every_issue(server: &Server) {
    let nothing = "00000000-0000-7000-8000-000000000000";
    let body = json!({ "url": "nonsense", "scheme": "carrier pigeon", "events": ["mint_request.accepted", "sunrise"],
        "environmentId": "x" });

    let refused = post(server, "/api/webhooks", body).await;

    assert_eq!(
        refused.issues(),
        ["url format", "scheme format", "events.1 format", "environmentId format"]
    );
    let good = "https://example.com/hook";
    let both = json!({ "url": good, "environmentId": nothing, "collection": server.world.equity });
    assert_eq!(
        post(server, "/api/webhooks", both).await.issues(),
        ["collection unknown"]
    );
    let empty = json!({ "url": good, "environmentId": nothing, "events": [] });
    post(server, "/api/webhooks", empty).await.error(404, "NOT_FOUND");
    let unknown = json!({ "url": good, "collection": server.world.equity });
    post(server, "/api/webhooks", unknown).await.error(404, "NOT_FOUND");
    server
        .get(manager(server), "/api/webhooks/x")
        .await
        .error(400, "BAD_REQUEST");
    server
        .get(manager(server), &format!("/api/webhooks/{nothing}"))
        .await
        .error(404, "NOT_FOUND");
    let deliveries = format!("/api/webhooks/{nothing}/deliveries");
    server.get(manager(server), &deliveries).await.error(404, "NOT_FOUND");
    let game = minting(server, "Game", Tier::Standard).await;
    let empty = json!({ "url": good, "environmentId": game.environment, "events": [] });
    assert_eq!(post(server, "/api/webhooks", empty).await.issues(), ["events format"]);
    let hook = subscribe(server, json!({ "url": good, "environmentId": game.environment })).await;
    let unchanged = server.verified().put(manager(server), &hook.path, &json!({})).await;
    assert_eq!(unchanged.issues().len(), 1);
    let state = format!("{}/deliveries?state=lost&limit=201&cursor=x", hook.path);
    let refused = server.get(manager(server), &state).await;
    assert_eq!(refused.issues(), ["limit range", "state format"]);
}

async fn secrets_are_in_no_event_and_no_answer_but_one(server: &Server) {
    server.advance(1);
    let from = server.now();
    let game = minting(server, "Game", Tier::Standard).await;
    let receiver = Receiver::start();
    let hook = hook(server, &game, &receiver, "standard").await;
    let call = server
        .request(reqwest::Method::POST, manager(server), &format!("{}/rotate", hook.path))
        .idempotency_key("once");
    let rotated = call.json(&crate::support::with_pin(&json!({}))).send().await.ok();
    let call = server
        .request(reqwest::Method::POST, manager(server), &format!("{}/rotate", hook.path))
        .idempotency_key("once");
    let again = call.json(&crate::support::with_pin(&json!({}))).send().await;
    again.error(409, "CONFLICT");
    server.delete(manager(server), &hook.path, &json!({})).await.ok();

    let filter = EventFilter {
        from: Some(from),
        actor: Some(manager(server).actor().name()),
        ..EventFilter::default()
    };
    let events = server.events(filter).await;

    let actions: Vec<&str> = events.iter().map(|event| event.action.as_str()).collect();
    assert_eq!(
        actions,
        ["webhook.created", "webhook.secret_rotated", "webhook.deleted"]
    );
    let told: String = events.iter().map(|event| event.data.as_str()).collect();
    for secret in [&hook.secret, rotated["secret"].as_str().unwrap(), "t0ken"] {
        assert!(!told.contains(secret), "{told}");
    }
    assert!(!again.text.contains(rotated["secret"].as_str().unwrap()));
    assert_ne!(rotated["secret"], hook.secret);
    assert_eq!(rotated["id"], hook.id);
}

async fn lists_are_walked_to_their_end(server: &Server) {
    let game = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &game, Way::Hybrid, 801).await;
    let receiver = Receiver::start();
    let hooks = [
        hook(server, &game, &receiver, "standard").await,
        hook(server, &game, &receiver, "standard").await,
        hook(server, &game, &receiver, "standard").await,
    ];
    let wishes: Vec<Value> = (0..5).map(|number| wish(&number.to_string(), None)).collect();
    mint(server, &game, &swords, Value::Array(wishes)).await;
    deliver(server).await;

    // With their collections, one query for all of them.
    let shields = found(server, &game, Way::Hybrid, 802).await;
    let of = |collection: &Collection| json!({ "url": receiver.url(), "collection": collection.address });
    for collection in [&swords, &shields, &swords] {
        subscribe(server, of(collection)).await;
    }
    let all = server.get(manager(server), "/api/webhooks").await.ok();
    let shown: Vec<&Value> = all.as_array().unwrap().iter().map(|one| &one["collection"]).collect();
    let (swords_at, shields_at) = (json!(swords.address), json!(shields.address));
    let none = &Value::Null;
    assert_eq!(shown, [&swords_at, &shields_at, &swords_at, none, none, none]);

    let of_environment = format!("/api/webhooks?environmentId={}&limit=2", game.environment);
    let of_hook = format!("{}/deliveries?state=delivered&limit=2", hooks[0].path);
    let elsewhere = format!("/api/webhooks?collection={}", swords.address);

    assert_eq!(walk(server, &of_environment).await, 3);
    assert_eq!(walk(server, &of_hook).await, 5);
    assert_eq!(walk(server, &elsewhere).await, 2);
    assert_eq!(
        walk(server, &format!("{}/deliveries?state=failed", hooks[0].path)).await,
        0
    );
}

/// How many rows the pages of a list have, none of them twice.
async fn walk(server: &Server, path: &str) -> usize {
    let (mut path, mut ids, mut rows) = (path.to_owned(), BTreeSet::new(), 0);
    loop {
        let answer = server.get(manager(server), &path).await;
        let link = answer.header("Link").map(str::to_owned);
        for row in answer.ok().as_array().unwrap() {
            ids.insert(row["id"].as_str().unwrap().to_owned());
            rows += 1;
        }
        match link {
            Some(link) => path = link[1..link.find('>').unwrap()].to_owned(),
            None => break,
        }
    }
    assert_eq!(ids.len(), rows);
    rows
}

async fn what_ended_a_month_ago_is_forgotten(server: &Server) {
    let game = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &game, Way::Hybrid, 801).await;
    let (good, bad) = (Receiver::start(), Receiver::start());
    let told = hook(server, &game, &good, "immutable").await;
    let waiting = hook(server, &game, &bad, "immutable").await;
    bad.answer(Reply::Status(500));
    mint(server, &game, &swords, json!([wish("a", None)])).await;
    deliver(server).await;
    let month = 30 * 86_400;
    let prune = async || {
        let now = server.now();
        server
            .write(&server.world.admin, move |tx, _| moneyer::webhook::prune(tx, now))
            .await
    };

    server.advance(month);
    assert_eq!(prune().await, 0, "a month and no longer");
    server.advance(1);
    assert_eq!(prune().await, 1);

    assert_eq!(deliveries(server, &told).await.len(), 0);
    assert_eq!(
        deliveries(server, &waiting).await.len(),
        1,
        "what waits is kept, with its event"
    );
    assert_eq!(deliver(server).await, 1);
}

async fn what_was_noted_while_its_webhook_was_deleted_ends_as_well(server: &Server) {
    let game = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &game, Way::Hybrid, 801).await;
    let receiver = Receiver::start();
    let hook = hook(server, &game, &receiver, "immutable").await;
    server.delete(manager(server), &hook.path, &json!({})).await.ok();
    // The transaction of a mint that does not see the other one, which deletes.
    let set = |state: &'static str| {
        server.write(&server.world.admin, move |tx, _| {
            let statement = format!("UPDATE webhook_subscriptions SET state = '{state}'");
            on!(tx, c => diesel::sql_query(statement).execute(c))?;
            Ok(())
        })
    };
    set("active").await;
    mint(server, &game, &swords, json!([wish("a", None)])).await;
    set("deleted").await;
    let open = async || {
        let count = server.read(|tx| {
            on!(tx, c => {
                let waiting = moneyer::db::schema::webhook_deliveries::due_at.is_not_null();
                let rows = moneyer::db::schema::webhook_deliveries::table.filter(waiting);
                Ok(rows.count().get_result::<i64>(c)?)
            })
        });
        count.await
    };
    let prune = async || {
        let now = server.now();
        server
            .write(&server.world.admin, move |tx, _| moneyer::webhook::prune(tx, now))
            .await
    };
    assert_eq!((deliver(server).await, open().await), (0, 1));

    assert_eq!(prune().await, 0);

    assert_eq!((open().await, receiver.count()), (0, 0));
    server.advance(30 * 86_400 + 1);
    assert_eq!(prune().await, 2, "the delivery and its event");
}
