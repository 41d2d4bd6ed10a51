//! Wallets that are kept for people: what they hold.

use std::collections::BTreeSet;

use moneyer::access::environment::Tier;
use moneyer::collection::Minting as Way;
use moneyer::custody;
use serde_json::{Value, json};

use super::minting::{found, mint, settle};
use super::minting_shell::minting;
use crate::both_databases;
use crate::support::{Server, recipient};

both_databases! {
    a_wallet_shows_everything_that_it_holds,
}

/// One more than a page of the register has.
const TOKENS: usize = 201;

async fn a_wallet_shows_everything_that_it_holds(server: &Server) {
    let (game, wallet) = (minting(server, "Game", Tier::Standard).await, recipient(0));
    for (number, count) in [(801, 100), (802, 100), (803, TOKENS - 200)] {
        let swords = found(server, &game, Way::Hybrid, number).await;
        let wishes = (0..count)
            .map(|id| json!({ "reference_id": id.to_string(), "owner_address": wallet, "token_id": id.to_string() }));
        let wishes: Vec<Value> = wishes.collect();
        mint(server, &game, &swords, Value::Array(wishes)).await;
        settle(server, &swords, 0).await;
    }

    let held = server.read(move |tx| custody::holdings(tx, &wallet)).await;

    let distinct: BTreeSet<_> = held
        .iter()
        .map(|one| (one.collection.address, one.token_id.to_string()))
        .collect();
    assert_eq!((held.len(), distinct.len()), (TOKENS, TOKENS));
}
