//! One core under three dialects: the same mint leaves the same kinds of rows, whichever door it came through.

use std::collections::BTreeMap;

use moneyer::access::environment::Tier;
use moneyer::access::{Role, Scope};
use moneyer::collection::{self, MintRequest, Minting, RequestFilter, RequestStatus, Window};
use moneyer::types::EnvironmentId;
use reqwest::Method;
use serde_json::json;

use super::certhis_shop::{Pair, Shop};
use super::footprint::count;
use super::minting::settle;
use super::minting_shell::minting;
use crate::both_databases;
use crate::support::{Server, recipient, with_pin};

both_databases! {
    the_same_mint_through_three_dialects_leaves_the_same_rows,
}

/// What a mint writes; the tables of keys, tasks and quotas are each dialect's own.
const TABLES: [&str; 9] = [
    "operations",
    "postings",
    "accounts",
    "mint_requests",
    "nft_metadata",
    "nft_tokens",
    "nft_balances",
    "activities",
    "audit_events",
];

async fn counts(server: &Server) -> BTreeMap<&'static str, i64> {
    server
        .read(|tx| TABLES.into_iter().map(|table| Ok((table, count(tx, table)?))).collect())
        .await
}

/// The doors, each with a token id and a recipient of its own.
struct Doors<'s> {
    shop: Shop<'s>,
    secret: String,
    pair: Pair,
}

impl Doors<'_> {
    async fn asset_api(&self, id: u16) {
        let server = self.shop.server;
        let path = format!("/api/collections/{}/mint", self.shop.collection.address);
        let asset = json!({ "ownerAddress": recipient(id), "tokenId": id.to_string(), "metadata": { "external_url": uri(id) } });
        let call = server.request(Method::POST, &server.world.issuer, &path);
        let call = call
            .header("Prefer", "respond-async")
            .json(&with_pin(&json!({ "assets": [asset] })));
        let answer = call.send().await;
        assert_eq!(answer.status, 202, "{}", answer.text);
    }

    async fn immutable(&self, id: u16) {
        let address = self.shop.collection.address.to_string().to_lowercase();
        let path = format!("/v1/chains/book/collections/{address}/nfts/mint-requests");
        let asset = json!({ "reference_id": format!("r{id}"), "owner_address": recipient(id), "token_id": id.to_string(),
            "metadata": { "external_url": uri(id) } });
        let call = self.shop.server.call(Method::POST, None, &path);
        let call = call
            .header("x-immutable-api-key", &self.secret)
            .json(&json!({ "assets": [asset] }));
        let answer = call.send().await;
        assert_eq!(answer.status, 202, "{}", answer.text);
    }

    async fn certhis(&self, id: u16) {
        let (to, nft_id, uri) = (recipient(id).to_string(), id.to_string(), uri(id));
        let form = [("wallet", to.as_str()), ("nft_id", &nft_id), ("token_uri", &uri)];
        Shop::created(self.shop.mint(&self.pair, &form).await);
    }
}

fn uri(id: u16) -> String {
    format!("https://example.test/{id}.json")
}

/// What is the same of two requests that differ in who, which and when.
fn kind_of(request: &MintRequest) -> impl PartialEq + std::fmt::Debug {
    (
        (request.kind, request.amount, request.status, request.error.clone()),
        (request.sequence.is_some(), request.metadata.is_some(), request.gas),
        (request.transaction.is_some(), request.activity.is_some()),
    )
}

async fn the_same_mint_through_three_dialects_leaves_the_same_rows(server: &Server) {
    let studio = minting(server, "shop", Tier::Standard).await;
    let environment = EnvironmentId::parse(&studio.environment).unwrap();
    let shop = Shop::open_in(server, Minting::Hybrid, 1, Some(environment)).await;
    let role = [(server.world.issuer.wallet, Role::SupplyManagement)];
    server.grant(Scope::Asset(shop.collection.id), &role).await;
    let doors = Doors {
        pair: shop.pair().await,
        secret: studio.secret,
        shop,
    };
    // The first mint of a collection opens its books.
    doors.immutable(0).await;

    let mut left = Vec::new();
    for door in 1..4 {
        let (before, events) = (
            counts(server).await,
            server.actions_of(doors.shop.collection.id).await.len(),
        );
        match door {
            1 => doors.asset_api(1).await,
            2 => doors.immutable(2).await,
            _ => doors.certhis(3).await,
        }
        let after = counts(server).await;
        let more: BTreeMap<&str, i64> = TABLES
            .iter()
            .map(|table| (*table, after[table] - before[table]))
            .collect();
        let actions = server.actions_of(doors.shop.collection.id).await.split_off(events);
        left.push((more, actions));
    }

    assert_eq!(left[0].1, ["mint.accepted"]);
    assert_eq!(
        (
            left[0].0["operations"],
            left[0].0["mint_requests"],
            left[0].0["nft_metadata"]
        ),
        (1, 1, 1)
    );
    assert_eq!(left[0], left[1]);
    assert_eq!(left[1], left[2]);
    settle(server, &doors.shop.collection, 0).await;
    let filter = RequestFilter {
        collection: Some(doors.shop.collection.id),
        ..RequestFilter::default()
    };
    let requests = server
        .read(move |tx| collection::mint_requests(tx, &filter, &Window::first(10)))
        .await
        .items;
    assert_eq!(requests.len(), 4);
    assert!(requests.iter().all(|one| one.status == RequestStatus::Succeeded));
    let kinds: Vec<_> = requests.iter().map(kind_of).collect();
    assert!(kinds.windows(2).all(|pair| pair[0] == pair[1]), "{kinds:?}");
}
