//! Receivers that say nothing beside one that answers: nobody waits for the slowness of others.

use std::sync::Arc;
use std::time::Duration;

use moneyer::access::environment::Tier;
use moneyer::collection::Minting as Way;
use moneyer::config::Webhooks;
use moneyer::start;
use moneyer::types::Network;
use moneyer::webhook::{self, NewSubscription, Scheme, Scope, Target};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::minting::{found, mint, wish};
use super::minting_shell::minting;
use crate::both_databases;
use crate::support::{Receiver, Reply, Server};

both_databases! {
    options: crate::webhooks::options();
    a_receiver_that_answers_does_not_wait_for_seventy_that_do_not,
}

/// More than there are lanes.
const SILENT: usize = 70;
/// Enough of them to keep every lane until the end of the test, were it kept until nothing is due.
const EVENTS: usize = 40;

async fn subscribe(server: &Server, collection: &moneyer::collection::Collection, url: String, count: usize) {
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

async fn a_receiver_that_answers_does_not_wait_for_seventy_that_do_not(server: &Server) {
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
        timeout: Duration::from_secs(30),
    };
    let cancel = CancellationToken::new();
    let delivering = tokio::spawn(Arc::new(start::deliverer(&server.app, &settings)).run(cancel.clone()));
    // Every lane is taken by somebody who says nothing for half a minute.
    silent.wait_for(64).await;

    for number in 0..3 {
        mint(server, &game, &shields, json!([wish(&number.to_string(), None)])).await;
        quick.wait_for(number + 1).await;
    }

    // What was said to the silent until then is a few requests each: they all wait.
    assert!(silent.count() <= SILENT * 8, "{}", silent.count());
    delivering.abort();
    cancel.cancel();
}
