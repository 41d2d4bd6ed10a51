//! Who may call what of Certhis' mint API: every route of its table as nobody, with the keys of other dialects, with halves of
//! pairs, with the pair of another collection, with one that was replaced, and with the right one.

use moneyer::api::certhis::{May, ROUTES};
use moneyer::collection::Minting;
use reqwest::Method;

use super::certhis_shop::{Pair, Shop, refused};
use super::contents::contents;
use crate::both_databases;
use crate::support::{Answer, Server};

both_databases! {
    every_route_of_the_mint_api_opens_to_whom_it_should,
}

const MISSING: (u16, &str) = (400, "api_key or api_secret missing");
const INVALID: (u16, &str) = (400, "api_key or api_secret invalid");

/// A route, without a body and with a task in the query that the right pair has.
struct Asked<'s> {
    server: &'s Server,
    method: Method,
    path: String,
}

impl Asked<'_> {
    async fn with(&self, headers: &[(&str, &str)]) -> Answer {
        let call = self.server.call(self.method.clone(), None, &self.path);
        let call = headers
            .iter()
            .fold(call, |call, (name, value)| call.header(name, value));
        call.send().await
    }

    async fn as_holder(&self, pair: &Pair) -> Answer {
        self.with(&[("api_key", &pair.key), ("api_secret", &pair.secret)]).await
    }
}

async fn every_route_of_the_mint_api_opens_to_whom_it_should(server: &Server) {
    let (shop, other) = (
        Shop::open(server, Minting::Hybrid, 1).await,
        Shop::open(server, Minting::Hybrid, 2).await,
    );
    let (old, others) = (shop.pair().await, other.pair().await);
    let pair = shop.asked_pair(Some("1")).await;
    let wallet = shop.owner.address().to_string();
    let task = Shop::created(shop.mint(&pair, &[("wallet", &wallet)]).await);
    let ours = server.world.admin.key.clone();
    let before = contents(server).await;

    for (method, path, may) in ROUTES {
        let asked = Asked {
            server,
            method: Method::from_bytes(method.as_bytes()).unwrap(),
            path: format!("{path}?task_id={task}"),
        };
        let name = format!("{method} {path}");
        let without_a_pair: [&[(&str, &str)]; 5] = [
            &[],
            &[("x-api-key", &ours)],
            &[("api_key", &pair.key)],
            &[("api_secret", &pair.secret)],
            &[("authorization", &pair.secret)],
        ];
        let with_another: [&[(&str, &str)]; 5] = [
            &[("api_key", &ours), ("api_secret", &ours)],
            &[("api_key", &pair.key), ("api_secret", &others.secret)],
            &[("api_key", &pair.key), ("api_secret", &old.secret)],
            &[("api_key", &pair.secret), ("api_secret", &pair.key)],
            &[("x-api-key", &old.key), ("x-api-secret", &old.secret)],
        ];
        for (closed, says) in [(without_a_pair, MISSING), (with_another, INVALID)] {
            for headers in closed {
                let answer = asked.with(headers).await;
                match may {
                    May::Hold => assert_eq!(refused(&answer), says, "{name} {headers:?}"),
                    May::Guest => assert_open(&name, &answer),
                }
            }
        }
        let of_other = asked.as_holder(&others).await;
        if *path == "/mint_status" {
            assert_eq!(refused(&of_other), (404, "task not found"));
        } else {
            assert_open(&name, &of_other);
        }
        assert_open(&name, &asked.as_holder(&pair).await);
    }

    assert!(contents(server).await == before, "a refused request changed something");
}

/// What is wrong with it, if anything, is its form.
#[track_caller]
fn assert_open(name: &str, answer: &Answer) {
    if !answer.is_success() {
        let (status, message) = refused(answer);
        assert_eq!(status, 400, "{name}: {message}");
        assert!(!message.contains("api_key"), "{name}: {message}");
    }
}
