//! Where the owner of a collection wants to be told, and what is told there.

use data_encoding::BASE64;
use moneyer::collection::Minting;
use reqwest::Method;
use serde_json::{Value, json};

use super::certhis_shop::{Pair, Shop, post, refused};
use super::minting::settle;
use super::webhooks::deliver;
use crate::both_databases;
use crate::support::{Answer, Options, Receiver, Role, Server, golden, recipient};

both_databases! {
    options: super::options();
    what_was_registered_is_shown_to_whoever_has_the_pair,
    what_is_wrong_with_a_registration_is_told_in_published_words,
    a_task_is_told_with_the_login,
    a_login_goes_to_no_receiver_that_it_was_not_given_for,
    what_somebody_else_registered_is_not_shown,
    a_receiver_with_a_login_is_told_the_events_that_were_chosen_for_it,
    an_e_mail_recipient_is_told_to_the_receiver_and_kept_in_no_log,
    an_e_mail_recipient_is_told_to_nobody_but_the_owner_whose_pair_the_wish_came_with,
}

pub fn options() -> Options {
    Options::default()
        .with("webhooks.private_networks", "127.0.0.0/8")
        .with("certhis.email_wallets", "true")
        .with("certhis.custody_seed", "5e".repeat(32))
        .with("certhis.email_retention_days", 1)
}

/// What an owner registers: a receiver there, and what it is shown.
fn form(url: &str) -> [(&str, &str); 3] {
    [
        ("webhook", url),
        ("webhook_pass", "c0rrect horse"),
        ("webhook_login", "shop"),
    ]
}

async fn register(shop: &Shop<'_>, pair: &Pair, form: &[(&str, &str)]) -> Answer {
    let headers = [("api_key", pair.key.as_str()), ("api_secret", &pair.secret)];
    post(shop.server, "/register_webhook", &headers, form).await
}

/// A shop whose owner is told at a receiver of theirs.
async fn told(server: &Server) -> (Shop<'_>, Pair, Receiver) {
    let shop = Shop::open(server, Minting::Hybrid, 1).await;
    let (pair, receiver) = (shop.pair().await, Receiver::start());
    assert!(register(&shop, &pair, &form(&receiver.url())).await.is_success());
    (shop, pair, receiver)
}

async fn registered(shop: &Shop<'_>, pair: &Pair) -> Value {
    let call = shop.server.call(Method::GET, None, "/get_webhook");
    let call = call.header("api_key", &pair.key).header("api_secret", &pair.secret);
    call.send().await.ok()
}

fn shown(url: &str, pass: &str, login: &str) -> Value {
    json!({ "status": true, "data": { "webhook": url, "webhook_pass": pass, "webhook_login": login } })
}

async fn what_was_registered_is_shown_to_whoever_has_the_pair(server: &Server) {
    let (shop, other) = (
        Shop::open(server, Minting::Hybrid, 1).await,
        Shop::open(server, Minting::Hybrid, 2).await,
    );
    let (pair, others) = (shop.pair().await, other.pair().await);
    let nothing = json!({ "status": true, "data": { "webhook": null, "webhook_pass": null, "webhook_login": null } });
    assert_eq!(registered(&shop, &pair).await, nothing);

    for (url, pass, login) in [
        ("https://shop.example/hook?a=1", "c0rrect horse", "shop"),
        ("https://shop.example/other", "battery", "shop 2"),
    ] {
        let form = [("webhook", url), ("webhook_pass", pass), ("webhook_login", login)];
        let updated = register(&shop, &pair, &form).await.ok();
        assert_eq!(updated, json!({ "status": true, "message": "updated" }));
        assert_eq!(registered(&shop, &pair).await, shown(url, pass, login));
    }
    assert_eq!(registered(&other, &others).await, nothing);
}

async fn what_is_wrong_with_a_registration_is_told_in_published_words(server: &Server) {
    let shop = Shop::open(server, Minting::Hybrid, 1).await;
    let pair = shop.pair().await;
    let url = |length: usize| format!("https://shop.example/{}", "a".repeat(length - 21));
    let (url_250, url_251, text_250, text_251) = (url(250), url(251), "a".repeat(250), "a".repeat(251));
    let good = [
        ("webhook", url_250.as_str()),
        ("webhook_pass", &text_250),
        ("webhook_login", &text_250),
    ];

    for (field, value) in [
        ("webhook", ""),
        ("webhook", "shop.example"),
        ("webhook", "ftp://shop.example/hook"),
        ("webhook", "https://10.0.0.1/hook"),
        ("webhook", &url_251),
        ("webhook_pass", ""),
        ("webhook_pass", &text_251),
        ("webhook_login", ""),
        ("webhook_login", &text_251),
        ("webhook_login", "a:b"),
        ("webhook_login", "a\nb"),
        ("webhook_pass", "a\u{7f}"),
    ] {
        let form: Vec<_> = good
            .into_iter()
            .filter(|(name, _)| *name != field)
            .chain([(field, value)])
            .collect();
        let expected = format!("{field} invalid");
        let answer = register(&shop, &pair, &form).await;
        assert_eq!(refused(&answer), (400, expected.as_str()), "{field} {value}");
    }
    assert!(registered(&shop, &pair).await["data"]["webhook"].is_null());
    assert!(register(&shop, &pair, &good).await.is_success());
}

async fn a_task_is_told_with_the_login(server: &Server) {
    let (shop, pair, receiver) = told(server).await;

    let task = Shop::created(shop.mint(&pair, &[("wallet", &recipient(0).to_string())]).await);
    assert_eq!(deliver(server).await, 1);
    settle(server, &shop.collection, 0).await;
    assert_eq!(deliver(server).await, 1);

    let received = receiver.received();
    for one in &received {
        assert_eq!(one.header("authorization"), basic("shop:c0rrect horse"));
        assert_eq!(
            (&one.json()["to"], &one.json()["task_id"]),
            (&json!(recipient(0)), &json!(task))
        );
    }
    let told: Vec<Value> = received.iter().map(|one| one.json()).collect();
    assert_eq!((&told[0]["status"], &told[0]["nft"]), (&json!(0), &Value::Null));
    assert_eq!((&told[1]["status"], &told[1]["nft"]["nft_id"]), (&json!(2), &json!(0)));
    golden("certhis_webhook.json", &told[1]);
}

/// The webhook of scheme `certhis` of a shop, as the asset API names it.
async fn managed(shop: &Shop<'_>) -> String {
    let manager = &shop.server.world.system[&Role::SystemManager];
    let path = format!("/api/webhooks?collection={}", shop.collection.address);
    let list = shop.server.get(manager, &path).await.ok();
    format!("/api/webhooks/{}", list[0]["id"].as_str().unwrap())
}

async fn change(shop: &Shop<'_>, body: &Value) -> Answer {
    let manager = &shop.server.world.system[&Role::SystemManager];
    let path = managed(shop).await;
    shop.server.verified().put(manager, &path, body).await
}

async fn a_login_goes_to_no_receiver_that_it_was_not_given_for(server: &Server) {
    let ((shop, pair, own), other) = (told(server).await, Receiver::start());
    Shop::created(shop.mint(&pair, &[("wallet", &recipient(0).to_string())]).await);

    for elsewhere in [
        other.url(),
        own.url().replace("127.0.0.1", "localhost"),
        own.url().replace("http:", "https:"),
    ] {
        let refused = change(&shop, &json!({ "url": elsewhere })).await;
        assert_eq!(refused.issues(), ["login format"], "{elsewhere}");
    }
    change(&shop, &json!({ "url": format!("{}&more=1", own.url()) }))
        .await
        .ok();
    assert_eq!(deliver(server).await, 1);
    assert_eq!(own.received()[0].header("authorization"), basic("shop:c0rrect horse"));

    let anew = json!({ "url": other.url(), "login": { "name": "new", "password": "battery" } });
    let changed = change(&shop, &anew).await;
    assert!(
        changed.is_success() && !changed.text.contains("battery"),
        "{}",
        changed.text
    );
    Shop::created(shop.mint(&pair, &[("wallet", &recipient(0).to_string())]).await);
    assert_eq!(deliver(server).await, 1);
    assert_eq!(other.received()[0].header("authorization"), basic("new:battery"));
    // Parts that are none, and a login for those who sign.
    let wrong = json!({ "login": { "name": "", "password": "a\nb" } });
    let issues = ["login.name format", "login.password format"];
    assert_eq!(change(&shop, &wrong).await.issues(), issues);
    let manager = &server.world.system[&Role::SystemManager];
    let signing = json!({ "url": "https://example.com/hook", "collection": shop.collection.address });
    let signing = server.verified().post(manager, "/api/webhooks", &signing).await.ok();
    let path = format!("/api/webhooks/{}", signing["id"].as_str().unwrap());
    let login = json!({ "login": { "name": "a", "password": "b" } });
    let refused = server.verified().put(manager, &path, &login).await;
    assert_eq!(refused.issues(), ["login format"]);
}

fn basic(pair: &str) -> String {
    format!("Basic {}", BASE64.encode(pair.as_bytes()))
}

async fn what_somebody_else_registered_is_not_shown(server: &Server) {
    let shop = Shop::open(server, Minting::Hybrid, 1).await;
    let pair = shop.pair().await;
    let nothing = json!({ "status": true, "data": { "webhook": null, "webhook_pass": null, "webhook_login": null } });
    let manager = &server.world.system[&Role::SystemManager];
    let body = json!({ "url": "https://books.example/hook?token=t0ken", "scheme": "certhis",
        "collection": shop.collection.address, "login": { "name": "books", "password": "c0rrect horse" } });
    server.verified().post(manager, "/api/webhooks", &body).await.ok();
    assert_eq!(registered(&shop, &pair).await, nothing);

    let url = "https://shop.example/hook";
    assert!(register(&shop, &pair, &form(url)).await.is_success());
    assert_eq!(registered(&shop, &pair).await, shown(url, "c0rrect horse", "shop"));
    let anew = json!({ "login": { "name": "books", "password": "c0rrect horse" } });
    change(&shop, &anew).await.ok();
    assert_eq!(registered(&shop, &pair).await, nothing);
}

async fn a_receiver_with_a_login_is_told_the_events_that_were_chosen_for_it(server: &Server) {
    let (shop, pair, receiver) = told(server).await;
    let manager = &server.world.system[&Role::SystemManager];
    let body = json!({ "url": receiver.url(), "scheme": "certhis", "collection": shop.collection.address,
        "events": ["mint_request.succeeded"], "login": { "name": "books", "password": "battery" } });
    let chosen = server.verified().post(manager, "/api/webhooks", &body).await.ok();
    assert_eq!(chosen["events"], json!(["mint_request.succeeded"]));

    Shop::created(shop.mint(&pair, &[("wallet", &recipient(0).to_string())]).await);
    settle(server, &shop.collection, 0).await;
    assert_eq!(deliver(server).await, 1);
    assert_eq!(receiver.received()[0].json()["status"], json!(2));

    // Whoever registers without a choice leaves it, and is told again.
    assert!(change(&shop, &json!({ "active": false })).await.is_success());
    assert!(register(&shop, &pair, &form(&receiver.url())).await.is_success());
    let left = server.get(manager, &managed(&shop).await).await.ok();
    assert_eq!((&left["events"], &left["active"]), (&chosen["events"], &json!(true)));
    let none = json!({ "url": receiver.url(), "scheme": "certhis", "collection": shop.collection.address,
        "events": [], "login": { "name": "books", "password": "battery" } });
    let refused = server.verified().post(manager, "/api/webhooks", &none).await;
    assert_eq!(refused.issues(), ["events format"]);
}

async fn an_e_mail_recipient_is_told_to_the_receiver_and_kept_in_no_log(server: &Server) {
    let (shop, pair, receiver) = told(server).await;

    Shop::created(shop.mint(&pair, &[("wallet", "Ada.Lovelace@example.com")]).await);
    assert_eq!(deliver(server).await, 1);

    assert_eq!(receiver.received()[0].json()["to"], json!("ada.lovelace@example.com"));
    let manager = &server.world.system[&Role::SystemManager];
    let hook = managed(&shop).await;
    let list = server.get(manager, &format!("{hook}/deliveries")).await.ok();
    let id = list[0]["id"].as_str().unwrap().to_owned();
    let path = format!("{hook}/deliveries/{id}");
    let kept = server.get(manager, &path).await;
    assert!(!kept.text.contains("lovelace"), "{}", kept.text);
    assert_eq!(
        kept.ok()["log"][0]["answer"],
        Value::Null,
        "it may repeat what it was sent"
    );
    // Once it is forgotten a replay has the wallet.
    server.advance(86_400);
    let now = server.now();
    server
        .write(&server.world.admin, move |tx, _| {
            moneyer::certhis::forget_emails(tx, now)
        })
        .await;
    let replay = format!("{path}/replay");
    server.verified().post(manager, &replay, &json!({})).await.ok();
    assert_eq!(deliver(server).await, 1);
    let again = receiver.received()[1].json();
    let wallet = shop.tasks(&pair, "0").await[0]["address"].clone();
    assert_eq!(again["to"], wallet);
}

async fn an_e_mail_recipient_is_told_to_nobody_but_the_owner_whose_pair_the_wish_came_with(server: &Server) {
    let ((shop, pair, own), other) = (told(server).await, Receiver::start());
    Shop::created(shop.mint(&pair, &[("wallet", "ada.lovelace@example.com")]).await);
    assert_eq!(deliver(server).await, 1);
    let manager = &server.world.system[&Role::SystemManager];
    let hook = managed(&shop).await;
    let list = server.get(manager, &format!("{hook}/deliveries")).await.ok();
    let replay = format!("{hook}/deliveries/{}/replay", list[0]["id"].as_str().unwrap());
    Shop::created(shop.mint(&pair, &[("wallet", "ada.lovelace@example.com")]).await);
    let wallet = shop.tasks(&pair, "0").await[0]["address"].clone();

    // What waits, and what was told before, goes where a manager says now.
    let anew = json!({ "url": other.url(), "login": { "name": "new", "password": "battery" } });
    change(&shop, &anew).await.ok();
    assert_eq!(deliver(server).await, 1);
    server.verified().post(manager, &replay, &json!({})).await.ok();
    assert_eq!(deliver(server).await, 1);
    let told: Vec<Value> = other.received().iter().map(|one| one.json()["to"].clone()).collect();
    assert_eq!(told, [wallet.clone(), wallet]);

    // The owner's own receiver is told it again.
    assert!(register(&shop, &pair, &form(&own.url())).await.is_success());
    server.verified().post(manager, &replay, &json!({})).await.ok();
    assert_eq!(deliver(server).await, 1);
    let told: Vec<Value> = own.received().iter().map(|one| one.json()["to"].clone()).collect();
    assert_eq!(told, ["ada.lovelace@example.com", "ada.lovelace@example.com"]);
}
