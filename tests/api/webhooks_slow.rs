//! Receivers that say nothing beside one that answers: nobody waits for the slowness of others.

use std::sync::Arc;
use std::time::Duration;

use moneyer::access::environment::Tier;
use moneyer::collection::{Collection, Minting as Way};
use moneyer::config::Webhooks;
use moneyer::start;
use moneyer::types::Network;
use moneyer::webhook::{self, NewSubscription, Scheme, Scope, Target};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::minting::{found, mint, wish};
use super::minting_shell::{Minting, minting};
use crate::both_databases;
use crate::support::{Receiver, Reply, Server};

both_databases! {
    options: crate::webhooks::options();
    a_receiver_that_answers_does_not_wait_for_seventy_that_do_not,
    a_lane_is_given_back_with_work_left,
}

/// More than there are lanes.
const SILENT: usize = 70;
/// Enough of them to keep every lane until the end of the test, were it kept until nothing is due.
const EVENTS: usize = 40;

async fn subscribe(server: &Server, collection: &Collection, url: String, count: usize) {
    let (vault, scope) = (server.app.vault().clone(), Scope::Collection(collection.id));
    let targets = server.app.targets().clone();
    server
        .write(&server.world.admin, move |tx, ctx| {
            for number in 0..count {
                let new = NewSubscription {
                    scope,
                    target: Target::parse(&format!("{url}&n={number}"), &targets).unwrap(),
                    scheme: Scheme::Standard,
                    events: None,
                };
                webhook::subscribe(tx, &vault, ctx, new)?;
            }
            Ok(())
        })
        .await;
}

/// Seventy receivers that say nothing and have much to be told, one that answers, and a process that tells them; it gives up
/// a request after so long.
struct Stage {
    silent: Receiver,
    quick: Receiver,
    game: Minting,
    shields: Collection,
    delivering: JoinHandle<()>,
}

impl Stage {
    async fn set(server: &Server, timeout: Duration) -> Self {
        let game = minting(server, "Game", Tier::Standard).await;
        let (swords, shields) = (
            found(server, &game, Way::Hybrid, 801).await,
            found(server, &game, Way::Hybrid, 802).await,
        );
        let (silent, quick) = (Receiver::start(), Receiver::start());
        silent.answer(Reply::Silence);
        subscribe(server, &swords, silent.url(), SILENT).await;
        subscribe(server, &shields, quick.url(), 1).await;
        let wishes: Vec<Value> = (0..EVENTS).map(|number| wish(&number.to_string(), None)).collect();
        mint(server, &game, &swords, Value::Array(wishes)).await;
        let settings = Webhooks {
            private_networks: vec![Network::parse("127.0.0.0/8").unwrap()],
            timeout,
        };
        let deliverer = Arc::new(start::deliverer(&server.app, &settings));
        let delivering = tokio::spawn(deliverer.run(CancellationToken::new()));
        // Every lane is taken.
        silent.wait_for(64).await;
        Self {
            silent,
            quick,
            game,
            shields,
            delivering,
        }
    }

    async fn tell_quick(&self, server: &Server, number: usize) {
        let wishes = json!([wish(&number.to_string(), None)]);
        mint(server, &self.game, &self.shields, wishes).await;
        self.quick.wait_for(number + 1).await;
    }
}

async fn a_receiver_that_answers_does_not_wait_for_seventy_that_do_not(server: &Server) {
    let stage = Stage::set(server, Duration::from_secs(30)).await;

    for number in 0..3 {
        stage.tell_quick(server, number).await;
    }

    // What was said to the silent until then is one claim each, of eight: they all wait.
    assert!(stage.silent.count() <= SILENT * 8, "{}", stage.silent.count());
    stage.delivering.abort();
}

async fn a_lane_is_given_back_with_work_left(server: &Server) {
    let stage = Stage::set(server, Duration::from_millis(500)).await;

    stage.tell_quick(server, 0).await;

    // Lanes that were kept until nothing is due make room when they turn out slow, and have made 64 times 40 requests by then.
    assert!(stage.silent.count() < 64 * EVENTS * 3 / 4, "{}", stage.silent.count());
    stage.delivering.abort();
}
