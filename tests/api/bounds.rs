//! How large lists may be: just inside, on and just outside of what the documents of the dialects say.

use moneyer::access::environment::Tier;
use moneyer::collection::{Metadata, Minting as Way};
use reqwest::Method;
use serde_json::{Value, json};

use super::minting::{base, found, get, mint, settle, wish};
use super::minting_shell::{Minting, minting, refused};
use crate::both_databases;
use crate::support::{Answer, Server};

/// Of the body of a list of tokens to mint, however it is written.
const MINTS_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// Of the list of a refresh (immutable.md section 5).
const LIST_BYTES_MAX: usize = 228 * 1_024;

both_databases! {
    a_hundred_tokens_may_have_as_much_metadata_as_each_of_them_may,
    a_list_of_tokens_may_have_four_mebibytes_however_it_is_written,
    a_refresh_is_bounded_by_its_list_and_not_by_each_token,
}

/// Metadata of so many bytes.
fn metadata(size: usize) -> Value {
    let empty = Metadata {
        name: Some(String::new()),
        ..Metadata::default()
    };
    json!({ "name": "x".repeat(size - empty.size_bytes()) })
}

async fn a_hundred_tokens_may_have_as_much_metadata_as_each_of_them_may(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::Hybrid, 900).await;
    let assets = |last: usize| {
        let list = (0..100).map(|number| {
            let mut asset = wish(&format!("r{number}"), None);
            asset["metadata"] = metadata(if number == 99 { last } else { Metadata::SIZE_BYTES_MAX });
            asset
        });
        Value::Array(list.collect())
    };

    let over = mint(server, &minting, &swords, assets(Metadata::SIZE_BYTES_MAX + 1)).await;
    refused(&over, 400, "VALIDATION_ERROR");
    let answer = mint(server, &minting, &swords, assets(Metadata::SIZE_BYTES_MAX)).await;

    assert_eq!(answer.status, 202, "{}", answer.text);
}

async fn a_list_of_tokens_may_have_four_mebibytes_however_it_is_written(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::Hybrid, 901).await;
    let send = async |reference: &str, size: usize| -> Answer {
        let body = json!({ "assets": [wish(reference, None)] }).to_string();
        let body = format!("{body}{}", " ".repeat(size - body.len()));
        let path = format!("{}/nfts/mint-requests", base(&swords));
        let call = server
            .call(Method::POST, None, &path)
            .header("x-immutable-api-key", &minting.secret);
        call.text("application/json", body).send().await
    };

    assert_eq!(send("a", MINTS_BYTES_MAX - 1).await.status, 202);
    assert_eq!(send("b", MINTS_BYTES_MAX).await.status, 202);
    refused(&send("c", MINTS_BYTES_MAX + 1).await, 413, "VALIDATION_ERROR");
}

async fn a_refresh_is_bounded_by_its_list_and_not_by_each_token(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::ById, 902).await;
    let mut asset = wish("r1", Some("7"));
    asset["metadata"] = json!({ "name": "Sword" });
    assert_eq!(mint(server, &minting, &swords, json!([asset])).await.status, 202);
    settle(server, &swords, 0).await;
    let nft = get(server, &format!("{}/nfts/7", base(&swords))).await.ok();
    let stack = nft["result"]["metadata_id"].as_str().unwrap().to_owned();
    for (place, list, id) in [
        ("nfts", "nft_metadata", json!({ "token_id": "7" })),
        ("metadata", "metadata", json!({ "metadata_id": stack })),
    ] {
        let path = format!("{}/{place}/refresh-metadata", base(&swords));
        let answer = async |size: usize| {
            let body = sized(list, &id, size);
            refresh(server, &minting, &path, body).await
        };

        for size in [LIST_BYTES_MAX - 1, LIST_BYTES_MAX] {
            let taken = answer(size).await;
            assert_eq!(taken.status, 202, "{place} {size}: {}", taken.text);
        }
        refused(&answer(LIST_BYTES_MAX + 1).await, 400, "VALIDATION_ERROR");
    }
}

/// A list of one of so many bytes, with white space around it.
fn sized(list: &str, id: &Value, size: usize) -> String {
    let mut one = id.clone();
    one["name"] = json!("");
    let rest = size - json!([one]).to_string().len();
    one["name"] = json!("x".repeat(rest));
    assert_eq!(json!([one]).to_string().len(), size);
    serde_json::to_string_pretty(&json!({ list: [one] })).unwrap()
}

async fn refresh(server: &Server, minting: &Minting, path: &str, body: String) -> Answer {
    let call = server
        .call(Method::POST, None, path)
        .header("x-immutable-api-key", &minting.secret);
    call.text("application/json", body).send().await
}
