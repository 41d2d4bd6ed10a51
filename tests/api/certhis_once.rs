//! The same wish of a shop under one `Idempotency-Key` is one task.

use moneyer::collection::Minting;
use reqwest::Method;

use super::certhis_shop::{Pair, Shop, refused};
use crate::both_databases;
use crate::support::{Answer, Server, Signer, recipient};

both_databases! {
    the_same_wish_under_a_key_is_one_task_in_whatever_form_it_comes,
    another_wish_under_the_key_is_refused,
    a_key_counts_for_one_collection_and_outlives_its_pair,
    a_wish_that_came_to_nothing_leaves_the_key_free,
    two_at_once_under_one_key_make_one_task,
    a_key_has_1_to_255_visible_characters,
}

const FORM: &str = "application/x-www-form-urlencoded";

async fn mint(shop: &Shop<'_>, pair: &Pair, key: &str, (content_type, body): (&str, String)) -> Answer {
    let call = shop.server.call(Method::POST, None, "/mint").idempotency_key(key);
    let call = call.header("api_key", &pair.key).header("api_secret", &pair.secret);
    call.text(content_type, body).send().await
}

fn wish(number: u16) -> (&'static str, String) {
    (FORM, format!("wallet={}&nft_id=7", recipient(number)))
}

async fn the_same_wish_under_a_key_is_one_task_in_whatever_form_it_comes(server: &Server) {
    let shop = Shop::open(server, Minting::Hybrid, 1).await;
    let pair = shop.pair().await;
    let to = recipient(0);
    let multipart = |boundary: &str| {
        let part = |name: &str, value: &str| {
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let body = format!(
            "{}{}--{boundary}--\r\n",
            part("nft_id", "7"),
            part("wallet", &to.to_string())
        );
        (format!("multipart/form-data; boundary={boundary}"), body)
    };

    let first = mint(&shop, &pair, "k1", wish(0)).await;
    assert_eq!(first.header("Idempotent-Replayed"), None);
    let task = Shop::created(first);
    let json = ("application/json", format!(r#"{{"nft_id":7,"wallet":"{to}"}}"#));
    let (one, two) = (multipart("a"), multipart("b"));
    for (content_type, body) in [wish(0), json, (&one.0, one.1), (&two.0, two.1)] {
        let again = mint(&shop, &pair, "k1", (content_type, body)).await;

        assert_eq!(again.header("Idempotent-Replayed"), Some("true"), "{content_type}");
        assert_eq!(Shop::created(again), task, "{content_type}");
    }
    assert_eq!(shop.tasks(&pair, "0").await.len(), 1);
    // Without a key, or under another one, the token is taken.
    assert_eq!(
        refused(&mint(&shop, &pair, "k2", wish(0)).await),
        (400, "nft_id already minted")
    );
}

async fn another_wish_under_the_key_is_refused(server: &Server) {
    let shop = Shop::open(server, Minting::Hybrid, 1).await;
    let pair = shop.pair().await;
    Shop::created(mint(&shop, &pair, "k", wish(0)).await);

    let (status, message) = {
        let answer = mint(&shop, &pair, "k", wish(1)).await;
        let (status, message) = refused(&answer);
        (status, message.to_owned())
    };

    assert_eq!(status, 409, "{message}");
    assert_eq!(shop.tasks(&pair, "0").await.len(), 1);
}

async fn a_key_counts_for_one_collection_and_outlives_its_pair(server: &Server) {
    let shop = Shop::open(server, Minting::Hybrid, 1).await;
    // Another one of the same owner.
    let other = Shop::open_of(server, Signer::from_seed(1), Minting::Hybrid, (2, None)).await;
    let (pair, others) = (shop.pair().await, other.pair().await);
    let task = Shop::created(mint(&shop, &pair, "k", wish(0)).await);

    Shop::created(mint(&other, &others, "k", wish(1)).await);
    let new = shop.asked_pair(Some("1")).await;

    assert_eq!(Shop::created(mint(&shop, &new, "k", wish(0)).await), task);
    assert_eq!(other.tasks(&others, "0").await.len(), 1);
    server.advance(30 * 86_400);
    let forgotten = mint(&shop, &new, "k", (FORM, format!("wallet={}", recipient(0)))).await;
    assert_ne!(Shop::created(forgotten), task);
}

async fn a_wish_that_came_to_nothing_leaves_the_key_free(server: &Server) {
    let shop = Shop::open(server, Minting::Hybrid, 1).await;
    let pair = shop.pair().await;
    Shop::created(mint(&shop, &pair, "first", wish(0)).await);
    assert_eq!(refused(&mint(&shop, &pair, "k", wish(1)).await).0, 400);

    let free = mint(&shop, &pair, "k", (FORM, format!("wallet={}&nft_id=8", recipient(1)))).await;

    Shop::created(free);
}

async fn two_at_once_under_one_key_make_one_task(server: &Server) {
    let shop = Shop::open(server, Minting::Hybrid, 1).await;
    let pair = shop.pair().await;
    let once = async || Shop::created(mint(&shop, &pair, "k", wish(0)).await);

    let (a, b, c) = tokio::join!(once(), once(), once());

    assert_eq!((a, b), (b, c));
    assert_eq!(shop.tasks(&pair, "0").await.len(), 1);
}

async fn a_key_has_1_to_255_visible_characters(server: &Server) {
    let shop = Shop::open(server, Minting::Hybrid, 1).await;
    let pair = shop.pair().await;
    for (key, is_good) in [
        ("a".repeat(255), true),
        ("a".repeat(256), false),
        ("a b".to_owned(), false),
    ] {
        let answer = mint(&shop, &pair, &key, (FORM, format!("wallet={}", recipient(0)))).await;
        match is_good {
            true => assert!(answer.is_success(), "{}", answer.text),
            false => assert_eq!(refused(&answer), (400, "Idempotency-Key invalid")),
        }
    }
}
