//! How large lists may be: just inside, on and just outside of what the documents of the dialects say.

use moneyer::access::environment::Tier;
use moneyer::access::quota::{self, Account};
use moneyer::asset::{self, Books};
use moneyer::collection::{self, Metadata, Minting as Way, Moved, Place, Register};
use moneyer::error::Error;
use moneyer::types::{Address, Amount, Hash32, TokenId};
use reqwest::Method;
use serde_json::{Value, json};

use super::minting::{base, found, get, mint, settle, wish};
use super::minting_shell::{Minting, minting, refused};
use crate::both_databases;
use crate::support::{Answer, Database, Options, Server};

/// Of the body of a list of tokens to mint, however it is written.
const MINTS_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// Of the list of a refresh (immutable.md section 5).
const LIST_BYTES_MAX: usize = 228 * 1_024;

both_databases! {
    a_hundred_tokens_may_have_as_much_metadata_as_each_of_them_may,
    a_list_of_tokens_may_have_four_mebibytes_however_it_is_written,
    a_refresh_is_bounded_by_its_list_and_not_by_each_token,
    an_amount_that_does_not_fit_is_told_by_its_asset,
    an_environment_refreshes_as_many_tokens_as_a_minute_has,
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

async fn an_amount_that_does_not_fit_is_told_by_its_asset(server: &Server) {
    const MAX: &str = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
    let minting = minting(server, "Game", Tier::Standard).await;
    let potions = found(server, &minting, Way::Amounts, 903).await;
    let asset = |reference: &str, id: &str, amount: &str| {
        let mut asset = wish(reference, Some(id));
        asset["amount"] = json!(amount);
        asset
    };
    let most = MAX.strip_suffix('5').map(|digits| format!("{digits}3")).unwrap();
    assert_eq!(
        mint(server, &minting, &potions, json!([asset("a", "1", &most)]))
            .await
            .status,
        202
    );

    let over = mint(
        server,
        &minting,
        &potions,
        json!([asset("b", "2", "1"), asset("c", "3", "2"), asset("d", "3", "1")]),
    );
    let over = over.await;

    let details = refused(&over, 400, "VALIDATION_ERROR");
    let paths: Vec<&Value> = details["issues"]
        .as_array()
        .unwrap()
        .iter()
        .map(|issue| &issue["path"])
        .collect();
    assert_eq!(paths, [&json!("assets.1.amount")], "{}", over.text);
    let on = mint(
        server,
        &minting,
        &potions,
        json!([asset("b", "2", "1"), asset("d", "3", "1")]),
    )
    .await;
    assert_eq!(on.status, 202, "{}", on.text);
    refused(
        &mint(server, &minting, &potions, json!([asset("e", "4", "1")])).await,
        400,
        "VALIDATION_ERROR",
    );
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

async fn an_environment_refreshes_as_many_tokens_as_a_minute_has(server: &Server) {
    let minting = minting(server, "Game", Tier::Standard).await;
    let swords = found(server, &minting, Way::ById, 904).await;
    let asset = wish("r1", Some("1"));
    assert_eq!(mint(server, &minting, &swords, json!([asset])).await.status, 202);
    settle(server, &swords, 0).await;
    let path = format!("{}/nfts/refresh-metadata", base(&swords));
    let body = json!({ "nft_metadata": [{ "token_id": "1", "name": "x" }] }).to_string();
    let gate = server.app.gate();
    let rate = gate.refresh_rate();
    let (account, now) = (Account::new(&minting.environment, "refresh_tokens", rate), server.now());
    let rest = server
        .app
        .db()
        .write(move |tx| quota::take(tx, &account, rate, 676, now));
    assert!(matches!(rest.await.unwrap(), quota::Taken::Granted(_)));

    let last = refresh(server, &minting, &path, body.clone()).await;
    let over = refresh(server, &minting, &path, body.clone()).await;

    assert_eq!(last.status, 202, "{}", last.text);
    assert_eq!(last.body["imx_remaining_refreshes"], "0");
    refused(&over, 429, "TOO_MANY_REQUESTS_ERROR");
    assert_eq!(over.header("Retry-After"), Some("1"));
    for (hyphens, underscores) in [
        ("imx-refreshes-limit", "imx_refreshes_limit"),
        ("imx-refresh-limit-reset", "imx_refresh_limit_reset"),
        ("imx-remaining-refreshes", "imx_remaining_refreshes"),
    ] {
        assert!(over.header(hyphens).is_some());
        assert_eq!(over.header(hyphens), over.header(underscores));
    }
    server.advance(1);
    assert_eq!(refresh(server, &minting, &path, body).await.status, 202);
}

/// More than a statement of SQLite has parameters.
const MANY: u64 = 33_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_moved_in_a_collection_is_read_whatever_number_of_tokens_and_accounts_it_is() {
    for database in [Database::Sqlite, Database::Postgres] {
        let server = Server::start_with(database, &Options::default()).await;
        let minting = minting(&server, "Game", Tier::Standard).await;
        let swords = found(&server, &minting, Way::ById, 905).await;
        let number = |of: u64, length: usize| -> Vec<u8> {
            let mut bytes = vec![9; length];
            bytes[length - 8..].copy_from_slice(&of.to_be_bytes());
            bytes
        };
        let moved: Vec<Moved> = (0..MANY)
            .map(|of| Moved {
                from: Address::ZERO,
                to: Address::from_bytes(number(of, 20).try_into().unwrap()),
                token_id: TokenId::from(Amount::from(of)),
                amount: Amount::ONE,
                place: Place {
                    transaction: Hash32::from_bytes(number(of, 32).try_into().unwrap()),
                    block: of,
                    block_hash: Hash32::from_bytes([8; 32]),
                    transaction_index: 0,
                    log_index: 0,
                    position: 0,
                },
            })
            .collect();
        let now = server.now();

        let found = server
            .write(&server.world.admin, move |tx, _| {
                let news = collection::unrecorded(tx, swords.id, &moved)?;
                let wallets = news.iter().map(|one| one.to).collect();
                let asset = asset::lock(tx, swords.id)?;
                Books::open(tx, &asset, wallets)?;
                let mut register = Register::open(tx, swords.id, swords.contract_type(), &news, now)?;
                for one in &news {
                    register.apply(one).map_err(Error::internal)?;
                }
                register.save(tx)?;
                let again = Register::open(tx, swords.id, swords.contract_type(), &moved, now)?;
                let refused = moved.iter().filter(|one| again.explains(one).is_err()).count();
                let taken = collection::taken_ids(tx, swords.id, &ids(&moved))?;
                Ok((
                    news.len(),
                    refused,
                    taken.len(),
                    collection::unrecorded(tx, swords.id, &moved)?.len(),
                ))
            })
            .await;

        let many = usize::try_from(MANY).unwrap();
        assert_eq!(found, (many, many, many, 0));
        server.stop().await;
    }
}

fn ids(moved: &[Moved]) -> Vec<TokenId> {
    moved.iter().map(|one| one.token_id).collect()
}

async fn refresh(server: &Server, minting: &Minting, path: &str, body: String) -> Answer {
    let call = server
        .call(Method::POST, None, path)
        .header("x-immutable-api-key", &minting.secret);
    call.text("application/json", body).send().await
}
