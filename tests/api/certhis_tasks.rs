//! Tasks of Certhis' mint API, from the wish to the token, on collections whose mints a test makes final itself.

use moneyer::access::environment::Tier;
use moneyer::audit::EventFilter;
use moneyer::certhis;
use moneyer::collection::{self, Minting, RequestFilter, Window};
use moneyer::compliance::SANCTIONS_SAMPLE;
use moneyer::db::Bulk;
use moneyer::types::{Address, Amount, EnvironmentId, RowId};
use serde_json::{Value, json};

use super::certhis_shop::{Pair, Shop, refused};
use super::minting::settle;
use super::minting_shell::minting;
use crate::both_databases;
use crate::support::{Database, Options, Server, golden, recipient};

both_databases! {
    a_task_tells_what_became_of_it,
    an_id_that_is_taken_is_refused_and_a_free_one_is_found,
    an_id_that_the_contract_does_not_take_is_refused,
    amounts_share_the_number_of_their_token,
    a_recipient_whom_the_rules_refuse_fails_with_the_reason,
    tasks_are_listed_newest_first_fifty_at_a_time,
    the_tasks_of_another_collection_are_not_there,
    a_mint_costs_the_environment_of_the_collection,
    two_who_mint_at_once_get_two_tokens,
}

/// Names and types as published (seed 004): `?` where null was shown or a notion is missing.
const NFT: &[(&str, &str)] = &[
    ("id", "integer"),
    ("nft_id", "integer"),
    ("collection_id", "integer"),
    ("owner_address", "string"),
    ("creator_address", "string"),
    ("ipfs_object.name", "string"),
    ("ipfs_object.description", "string"),
    ("ipfs_object.image", "string"),
    ("ipfs_object.attributes", "list"),
    ("collection_object.id", "integer"),
    ("collection_object.collection_id", "integer"),
    ("collection_object.collection_name", "string"),
    ("collection_object.collection_logo", "null"),
    ("collection_object.collection_header", "null"),
    ("collection_object.collection_symbole", "string"),
    ("collection_object.collection_tax", "integer"),
    ("collection_object.collection_address", "string"),
    ("collection_object.root_price", "string"),
    ("collection_object.certhis_tax", "null"),
    ("collection_object.price_for_mint", "integer"),
    ("collection_object.whitelist", "string"),
    ("collection_object.collection_full", "integer"),
    ("collection_object.root", "string"),
    ("collection_object.mintable_activate", "integer"),
    ("collection_object.collection_type", "integer"),
    ("collection_object.currency_for_mint", "string"),
    ("collection_object.collection_price", "null"),
    ("label_object.label_name", "null"),
    ("label_object.label_logo", "null"),
    ("label_object.label_tax", "integer"),
    ("label_object.contract_id", "integer"),
    ("owner_object.id", "integer"),
    ("owner_object.pseudo", "null"),
    ("owner_object.profile_pic", "null"),
    ("owner_object.header_pic", "null"),
    ("creator_object.pseudo", "null"),
    ("creator_object.profile_pic", "null"),
    ("creator_object.header_pic", "null"),
    ("currency_object.name", "string"),
    ("currency_object.decimals", "integer"),
    ("currency_object.symbol", "string"),
    ("currency_object.logoURI", "string"),
    ("collection_currency_object.name", "string"),
    ("collection_currency_object.decimals", "integer"),
    ("collection_currency_object.symbol", "string"),
    ("chain_id", "integer"),
    ("extra_price_collection", "null"),
    ("extra_currency_collection", "string"),
    ("token_uri", "string"),
    ("sellable_type", "integer"),
    ("sellable_currency", "string"),
    ("sellable_amount", "string"),
    ("royalties", "integer"),
    ("created", "string"),
    ("updated", "string"),
    ("minted", "integer"),
    ("chain_name", "string"),
    ("is_sbt", "bool"),
];

/// Every name with what is there, objects opened.
fn described(value: &Value) -> Vec<(String, &'static str)> {
    let mut found = Vec::new();
    for (name, field) in value.as_object().unwrap() {
        let kind = match field {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(number) if number.is_u64() => "integer",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "list",
            Value::Object(_) => {
                let inner = described(field);
                found.extend(inner.into_iter().map(|(inner, kind)| (format!("{name}.{inner}"), kind)));
                continue;
            }
        };
        found.push((name.clone(), kind));
    }
    found
}

fn to(number: u16) -> String {
    recipient(number).to_string()
}

async fn created(shop: &Shop<'_>, pair: &Pair, form: &[(&str, &str)]) -> i64 {
    Shop::created(shop.mint(pair, form).await)
}

async fn status(shop: &Shop<'_>, pair: &Pair, task: i64) -> Value {
    shop.status(pair, task).await.ok()["data"].clone()
}

async fn a_task_tells_what_became_of_it(server: &Server) {
    let shop = Shop::open(server, Minting::Hybrid, 1).await;
    let pair = shop.pair().await;
    let uri = "https://example.test/0.json";
    let task = created(&shop, &pair, &[("wallet", &to(0)), ("token_uri", uri)]).await;

    let waiting = status(&shop, &pair, task).await;
    assert_eq!(
        (&waiting["nft"], &waiting["status"], &waiting["message"]),
        (&Value::Null, &json!(0), &json!("queued"))
    );
    assert_eq!(waiting["wallet"], json!(to(0)));
    server.advance(10);
    settle(server, &shop.collection, 0).await;

    let done = status(&shop, &pair, task).await;
    assert_eq!((&done["status"], &done["message"]), (&json!(2), &json!("success")));
    let mut found = described(&done["nft"]);
    let mut published: Vec<_> = NFT.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
    found.sort();
    published.sort();
    assert_eq!(found, published);
    golden("certhis_status.json", &done);
    golden("certhis_tasks.json", &json!(shop.tasks(&pair, "0").await));
}

async fn an_id_that_is_taken_is_refused_and_a_free_one_is_found(server: &Server) {
    let shop = Shop::open(server, Minting::Hybrid, 1).await;
    let pair = shop.pair().await;
    let asked = created(&shop, &pair, &[("wallet", &to(0)), ("nft_id", "1")]).await;
    // The server gives the lowest that are free.
    let (first, second) = (
        created(&shop, &pair, &[("wallet", &to(1))]).await,
        created(&shop, &pair, &[("wallet", &to(2))]).await,
    );

    let again = shop.mint(&pair, &[("wallet", &to(0)), ("nft_id", "1")]).await;
    assert_eq!(refused(&again), (400, "nft_id already minted"));
    settle(server, &shop.collection, 0).await;
    let minted = shop.mint(&pair, &[("wallet", &to(0)), ("nft_id", "0")]).await;
    assert_eq!(refused(&minted), (400, "nft_id already minted"));

    for (task, id, given) in [(asked, 1, json!(1)), (first, 0, Value::Null), (second, 2, Value::Null)] {
        assert_eq!(status(&shop, &pair, task).await["nft"]["nft_id"], json!(id));
        let tasks = shop.tasks(&pair, "0").await;
        let listed = tasks.iter().find(|one| one["id"] == json!(task)).unwrap();
        assert_eq!(listed["nft_id"], given, "what was asked for");
        assert!(listed["nft_index"].is_u64());
    }
    assert_eq!(shop.tasks(&pair, "0").await.len(), 3);
}

async fn an_id_that_the_contract_does_not_take_is_refused(server: &Server) {
    let hybrid = Shop::open(server, Minting::Hybrid, 1).await;
    let by_quantity = Shop::open(server, Minting::ByQuantity, 2).await;
    let first_given = "340282366920938463463374607431768211456";
    let (last, most) = (
        "340282366920938463463374607431768211455",
        "115792089237316195423570985008687907853269984665640564039457584007913129639935",
    );
    let pair = hybrid.pair().await;
    let mint =
        async |shop: &Shop<'_>, pair: &Pair, id: &str| shop.mint(pair, &[("wallet", &to(0)), ("nft_id", id)]).await;

    assert!(mint(&hybrid, &pair, last).await.is_success());
    for id in [first_given, most] {
        assert!(
            refused(&mint(&hybrid, &pair, id).await)
                .1
                .starts_with("nft_id invalid: must be below 2^128")
        );
    }
    assert_eq!(
        refused(&mint(&hybrid, &pair, &format!("{most}0")).await),
        (400, "nft_id invalid")
    );

    let other = by_quantity.pair().await;
    assert!(
        refused(&mint(&by_quantity, &other, "1").await)
            .1
            .starts_with("nft_id invalid")
    );
    let task = created(&by_quantity, &other, &[("wallet", &to(0))]).await;
    settle(server, &by_quantity.collection, 7).await;
    assert_eq!(status(&by_quantity, &other, task).await["nft"]["nft_id"], json!(7));
}

async fn amounts_share_the_number_of_their_token(server: &Server) {
    let shop = Shop::open(server, Minting::Amounts, 1).await;
    let pair = shop.pair().await;
    let uri = ("token_uri", "https://example.test/5.json");
    let (to_0, to_1) = (to(0), to(1));
    let first = created(&shop, &pair, &[("wallet", &to_0), ("nft_id", "5"), uri]).await;
    let second = created(&shop, &pair, &[("wallet", &to_1), ("nft_id", "5")]).await;
    let other = created(&shop, &pair, &[("wallet", &to_1)]).await;

    let described = shop.mint(&pair, &[("wallet", &to_0), ("nft_id", "5"), uri]).await;
    assert_eq!(refused(&described), (400, "token_uri already set"));
    settle(server, &shop.collection, 0).await;

    let (one, two) = (status(&shop, &pair, first).await, status(&shop, &pair, second).await);
    assert_eq!(one["nft"]["id"], two["nft"]["id"]);
    assert_eq!(
        (&one["nft"]["owner_address"], &two["nft"]["owner_address"]),
        (&json!(to_0), &json!(to_1))
    );
    let third = status(&shop, &pair, other).await;
    assert_ne!(third["nft"]["id"], one["nft"]["id"]);
    assert_eq!(third["nft"]["nft_id"], json!(0));
}

/// The first address of the made-up list.
fn sanctioned() -> Address {
    let text = std::str::from_utf8(SANCTIONS_SAMPLE).unwrap();
    let mut words = text.split([',', '\n', '"', ' ']);
    words.find_map(|word| Address::parse(word.trim()).ok()).unwrap()
}

async fn a_recipient_whom_the_rules_refuse_fails_with_the_reason(server: &Server) {
    let shop = Shop::open(server, Minting::Hybrid, 1).await;
    let pair = shop.pair().await;

    let task = created(&shop, &pair, &[("wallet", &sanctioned().to_string())]).await;

    let failed = status(&shop, &pair, task).await;
    assert_eq!((&failed["status"], &failed["nft"]), (&json!(3), &Value::Null));
    assert!(
        failed["message"].as_str().unwrap().contains("sanctions list"),
        "{failed}"
    );
    assert_eq!(shop.tasks(&pair, "0").await[0]["nft_index"], Value::Null);
}

async fn tasks_are_listed_newest_first_fifty_at_a_time(server: &Server) {
    let shop = Shop::open(server, Minting::Hybrid, 1).await;
    let pair = shop.pair().await;
    let mut numbers = Vec::new();
    for _ in 0..52 {
        numbers.push(created(&shop, &pair, &[("wallet", &to(0))]).await);
    }
    numbers.reverse();
    let listed = async |offset: &str| -> Vec<i64> {
        let tasks = shop.tasks(&pair, offset).await;
        tasks.iter().map(|task| task["id"].as_i64().unwrap()).collect()
    };

    assert_eq!(listed("0").await, numbers[..50]);
    assert_eq!(listed("").await, numbers[..50]);
    assert_eq!(listed("50").await, numbers[50..]);
    assert_eq!(listed("51").await, numbers[51..]);
    assert!(listed("52").await.is_empty());
    assert!(listed("4294967295").await.is_empty());
    let query = [
        ("api_key", pair.key.as_str()),
        ("api_secret", &pair.secret),
        ("offset", "-1"),
    ];
    let answer = super::certhis_shop::get(server, "/mint_task_list", &query).await;
    assert_eq!(refused(&answer), (400, "offset invalid"));
}

async fn the_tasks_of_another_collection_are_not_there(server: &Server) {
    let (one, two) = (
        Shop::open(server, Minting::Hybrid, 1).await,
        Shop::open(server, Minting::Hybrid, 2).await,
    );
    let (first, second) = (one.pair().await, two.pair().await);
    let task = created(&one, &first, &[("wallet", &to(0))]).await;

    assert_eq!(refused(&two.status(&second, task).await), (404, "task not found"));
    assert!(two.tasks(&second, "0").await.is_empty());
    assert_eq!(one.tasks(&first, "0").await.len(), 1);
}

async fn a_mint_costs_the_environment_of_the_collection(server: &Server) {
    let tier = Tier::Enterprise {
        per_minute: 60,
        burst: 100,
    };
    let environment = EnvironmentId::parse(&minting(server, "shop", tier).await.environment).unwrap();
    let shop = Shop::open_in(server, Minting::Hybrid, 1, Some(environment)).await;
    let pair = shop.pair().await;
    created(&shop, &pair, &[("wallet", &to(0)), ("nft_id", "1000")]).await;
    // What comes to nothing costs nothing.
    for _ in 0..3 {
        let taken = shop.mint(&pair, &[("wallet", &to(0)), ("nft_id", "1000")]).await;
        assert_eq!(refused(&taken).1, "nft_id already minted");
    }
    for _ in 1..100 {
        created(&shop, &pair, &[("wallet", &to(0))]).await;
    }

    let answer = shop.mint(&pair, &[("wallet", &to(0))]).await;
    assert_eq!(refused(&answer), (429, "too many requests"));
    assert_eq!(answer.header("Retry-After"), Some("1"));
    server.advance(1);
    created(&shop, &pair, &[("wallet", &to(0))]).await;
    assert_eq!(refused(&shop.mint(&pair, &[("wallet", &to(0))]).await).0, 429);
}

async fn two_who_mint_at_once_get_two_tokens(server: &Server) {
    let shop = Shop::open(server, Minting::Hybrid, 1).await;
    let pair = shop.pair().await;
    let form = [("wallet", to(0))];
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();

    let answers = futures_util::future::join_all((0..8).map(|_| shop.mint(&pair, &form))).await;

    let mut tasks: Vec<i64> = answers.into_iter().map(Shop::created).collect();
    tasks.sort_unstable();
    tasks.dedup();
    assert_eq!(tasks.len(), 8);
    let id = shop.collection.id;
    let filter = RequestFilter {
        collection: Some(id),
        ..RequestFilter::default()
    };
    let requests = server
        .read(move |tx| collection::mint_requests(tx, &filter, &Window::first(50)))
        .await;
    let mut ids: Vec<String> = requests
        .items
        .iter()
        .map(|one| one.token_id.unwrap().to_string())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, ["0", "1", "2", "3", "4", "5", "6", "7"]);
}

// --- e-mail recipients ------------------------------------------------------------------------------------------------

const ADA: &str = "Ada.Lovelace@Example.com";

async fn with_wallets(database: Database) -> Server {
    let options = Options::default()
        .with("certhis.email_wallets", "true")
        .with("certhis.custody_seed", "5e".repeat(32))
        .with("certhis.email_retention_days", 7);
    Server::start_with(database, &options).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_with_an_e_mail_address_alone_gets_a_wallet_of_ours() {
    for database in [Database::Sqlite, Database::Postgres] {
        let server = with_wallets(database).await;
        let shop = Shop::open(&server, Minting::Hybrid, 1).await;
        let pair = shop.pair().await;

        let first = created(&shop, &pair, &[("wallet", ADA)]).await;
        let same = created(&shop, &pair, &[("wallet", &ADA.to_lowercase())]).await;
        let other = created(&shop, &pair, &[("wallet", "bob@example.com")]).await;

        let of =
            async |task: i64| Address::parse(status(&shop, &pair, task).await["wallet"].as_str().unwrap()).unwrap();
        assert_eq!(of(first).await, of(same).await);
        assert_ne!(of(first).await, of(other).await);
        settle(&server, &shop.collection, 0).await;
        assert_eq!(
            status(&shop, &pair, first).await["nft"]["owner_address"],
            json!(of(first).await)
        );
        server.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_e_mail_address_is_in_no_event_and_goes_when_its_time_has_come() {
    for database in [Database::Sqlite, Database::Postgres] {
        let server = with_wallets(database).await;
        let shop = Shop::open(&server, Minting::Hybrid, 1).await;
        let pair = shop.pair().await;
        server.advance(1);
        let from = Some(server.now());
        let task = created(&shop, &pair, &[("wallet", ADA)]).await;

        let filter = EventFilter {
            from,
            ..EventFilter::default()
        };
        let events = server.events(filter).await;
        assert!(events.iter().any(|event| event.action == "custody.wallet_opened"));
        for event in &events {
            let text = format!("{} {}", event.actor, event.data).to_lowercase();
            assert!(!text.contains("lovelace"), "{text}");
        }
        let forget = async || {
            let now = server.now();
            server
                .app
                .db()
                .write(move |tx| certhis::forget_emails(tx, now))
                .await
                .unwrap()
        };
        server.advance(7 * 86_400 - 1);
        assert_eq!(forget().await, 0);
        server.advance(1);
        assert_eq!(forget().await, 1);
        assert_eq!(forget().await, 0);
        assert!(status(&shop, &pair, task).await["wallet"].is_string(), "the task stays");
        server.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_free_id_is_found_behind_any_number_that_are_taken() {
    for database in [Database::Sqlite, Database::Postgres] {
        let server = Server::start_with(database, &Options::default()).await;
        let shop = Shop::open(&server, Minting::ById, 1).await;
        let (id, now) = (shop.collection.id, server.now());
        // All but one of 20,002 in a row, and one behind them.
        let taken: Vec<u64> = (0..20_002).filter(|number| *number != 20_000).chain([20_005]).collect();
        server
            .write(&server.world.admin, move |tx, _| {
                Bulk::into("nft_tokens")
                    .column("asset_id", vec![*id.as_uuid(); taken.len()])
                    .column(
                        "token_id",
                        taken.iter().map(|number| Amount::from(*number)).collect::<Vec<_>>(),
                    )
                    .column(
                        "id",
                        taken.iter().map(|_| *RowId::generate().as_uuid()).collect::<Vec<_>>(),
                    )
                    .column("total_supply", vec![Amount::ONE; taken.len()])
                    .column("indexed_at", vec![now; taken.len()])
                    .column("updated_at", vec![now; taken.len()])
                    .execute(tx)
                    .map(|_| ())
            })
            .await;
        let pair = shop.pair().await;

        for _ in 0..4 {
            Shop::created(shop.mint(&pair, &[("wallet", &recipient(0).to_string())]).await);
        }

        let filter = RequestFilter {
            collection: Some(id),
            ..RequestFilter::default()
        };
        let requests = server
            .read(move |tx| collection::mint_requests(tx, &filter, &Window::first(10)))
            .await;
        let ids: Vec<String> = requests
            .items
            .iter()
            .rev()
            .map(|one| one.token_id.unwrap().to_string())
            .collect();
        assert_eq!(ids, ["20000", "20002", "20003", "20004"]);
        server.stop().await;
    }
}
