//! A demo from its first start to its wipe.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Mutex;

use moneyer::types::{Address, keccak256};
use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{Manifest, ONE, Place, THOUSAND, moneyer, supply};
use crate::support::{Database, Signer, TestDatabase, http};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demo_keeps_what_its_manifest_and_its_printed_lines_promise_on_sqlite() {
    life(&Place::new(None), &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demo_in_the_book_keeps_what_its_manifest_and_its_printed_lines_promise() {
    life(&Place::new(None), &["--settlement", "book"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demo_keeps_what_its_manifest_and_its_printed_lines_promise_on_postgres() {
    let database = TestDatabase::empty(Database::Postgres).await;
    life(&Place::new(Some(database.url.clone())), &[]).await;
    database.remove().await;
}

async fn life(place: &Place, more: &[&str]) {
    let mut demo = place.start(more);
    let manifest = demo.ready().await;
    assert_eq!(manifest.is_on_chain(), more.is_empty());
    the_manifest_has_everything(&manifest);
    the_documented_examples_are_answered_as_documented(&manifest).await;
    a_hundred_recipients_are_minted_to_in_one_call(&manifest, place).await;
    everybody_is_who_the_manifest_says(&manifest).await;
    every_recipient_is_of_its_kind(&manifest).await;
    the_stablecoin_has_its_collateral(&manifest).await;
    printed_lines_work(&manifest, &demo.printed(), place).await;
    assert!(place.refusal(&[]).contains("another demo runs in"));
    if manifest.is_on_chain() {
        manifest.books_and_chain_agree().await;
        tokens_are_minted_with_the_keys_of_the_manifest(&manifest).await;
        the_owners_wallet_signs_in_and_mints(&manifest).await;
    }

    let before = manifest.supply_after_one_more().await;
    demo.kill();
    fs::write(place.path("manifest.json"), "not the manifest").unwrap();
    let mut demo = place.start(&[]);
    let again = demo.ready().await;
    for part in ["users", "assets", "recipients", "collections", "certhis"] {
        assert_eq!(again.0[part], manifest.0[part], "{part}");
    }
    assert_eq!(again.supply_after_one_more().await, before + 1);
    let other = if again.is_on_chain() { "book" } else { "evm" };
    demo.stop();
    assert!(place.refusal(&["--settlement", other]).contains("--reset"));
    let checked = moneyer(&["check", "--database", &place.database_url()])
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));

    fs::rename(place.path("secrets.json"), place.path("elsewhere.json")).unwrap();
    assert!(place.refusal(&[]).contains("whose keys are not in"));
    let mut demo = place.start(&[more, &["--reset"]].concat());
    let anew = demo.ready().await;
    assert_ne!(anew.0["users"], manifest.0["users"]);
    assert_eq!(
        anew.slugs("equity", &anew.recipients("approved")[0]).await,
        BTreeSet::new()
    );
}

fn the_manifest_has_everything(manifest: &Manifest) {
    let parts: BTreeSet<&str> = manifest.0.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = BTreeSet::from(["assets", "baseUrl", "metricsUrl", "recipients", "settlement", "users"]);
    if manifest.is_on_chain() {
        expected.insert("chain");
        expected.insert("certhis");
        expected.insert("collections");
        assert_eq!(manifest.text("/chain/name"), "moneyer-local");
        assert_eq!(manifest.text("/chain/id"), "eip155:31337");
        assert_eq!(manifest.rpc("eth_chainId", json!([])), "0x7a69");
    }
    assert_eq!(parts, expected);

    let users = manifest.0["users"].as_object().unwrap();
    let expected = "admin auditor custodian emergency governor issuer officer officer2 outsider trustedIssuer";
    assert_eq!(users.keys().cloned().collect::<Vec<_>>().join(" "), expected);
    for (name, user) in users {
        let count = if name == "issuer" { 7 } else { 4 };
        assert_eq!(user.as_object().unwrap().len(), count, "{name}");
    }
    assert_eq!(users["issuer"]["totpAlgorithm"], "SHA1");
    assert_eq!(users["issuer"]["secretCodes"].as_array().unwrap().len(), 16);

    assert_eq!(manifest.recipients("approved").len(), 120);
    for kind in ["unregistered", "unverified", "blockedCountry", "frozen"] {
        assert!(!manifest.recipients(kind).is_empty(), "{kind}");
    }
    let all = addresses(&manifest.0);
    for address in &all {
        assert_eq!(Address::parse(address).unwrap().to_string(), *address);
    }
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    let assets = &manifest.0["assets"];
    assert_eq!(assets["equity"]["cap"], "1000000000000000000000000");
    assert_eq!(assets["stablecoin"]["collateral"], "1000000000000");
    assert_eq!(assets["stablecoin"]["decimals"], 6);
}

/// The two examples of "Mint assets", and a code of each kind.
async fn the_documented_examples_are_answered_as_documented(manifest: &Manifest) {
    let approved = manifest.recipients("approved");
    let before = manifest.supply_after_one_more().await;
    let otp = json!({ "secretVerificationCode": password(manifest), "verificationType": "OTP" });
    let code = &manifest.0["users"]["issuer"]["secretCodes"][0];
    let code = json!({ "secretVerificationCode": code, "verificationType": "SECRET_CODES" });

    let (status, single) = manifest
        .mint("equity", approved[0].clone(), json!([THOUSAND, 18]), otp)
        .await;
    let amounts = json!([
        ["500000000000000000000", 18],
        ["300000000000000000000", 18],
        ["200000000000000000000", 18]
    ]);
    let (status_of_batch, batch) = manifest.mint("equity", json!(approved[1..4]), amounts, code).await;

    assert_eq!((status, status_of_batch), (200, 200), "{single} {batch}");
    assert_eq!(single["id"], manifest.0["assets"]["equity"]["address"]);
    let documented = [
        ("type", json!("equity")),
        ("name", json!("ACME Holdings Common Stock")),
        ("symbol", json!("ACME")),
        ("decimals", json!(18)),
        ("basePrice", json!("[\"10000\",2]")),
        ("basePriceCurrencyCode", json!("USD")),
        ("capped", json!({ "cap": "[\"1000000000000000000000000\",18]" })),
    ];
    for (field, value) in documented {
        assert_eq!(single[field], value, "{field}");
    }
    assert_eq!(single["pausable"]["paused"], false);
    for field in [
        "createdAt",
        "identity",
        "accessControl",
        "complianceModuleConfigs",
        "userPermissions",
        "stats",
    ] {
        assert!(!single[field].is_null(), "{field}");
    }
    let thousand: u128 = THOUSAND.parse().unwrap();
    assert_eq!(supply(&single), before + thousand);
    assert_eq!(supply(&batch), before + 2 * thousand);
}

/// What an authenticator app shows now.
fn password(manifest: &Manifest) -> String {
    let seed = manifest.text("/users/issuer/totpSecret");
    let seed = data_encoding::BASE32_NOPAD.decode(seed.as_bytes()).unwrap();
    let totp = totp_rs::Builder::new().with_secret(seed).build().unwrap();
    totp.generate_current().to_string()
}

async fn a_hundred_recipients_are_minted_to_in_one_call(manifest: &Manifest, place: &Place) {
    let before = manifest.supply_after_one_more().await;
    let body: Value = serde_json::from_slice(&fs::read(place.path("mint-100.json")).unwrap()).unwrap();
    assert_eq!(body["recipients"].as_array().unwrap().len(), 100);

    let url = manifest.url("equity", "mint");
    let (status, headers, asset) = manifest.post_for_headers("issuer", &url, &body).await;

    assert_eq!(status, 200, "{asset}");
    assert_eq!(supply(&asset), before + 100 * ONE.parse::<u128>().unwrap());
    assert_eq!(headers.contains_key("x-transaction-hash"), manifest.is_on_chain());
    if manifest.is_on_chain() {
        let hash = headers["x-transaction-hash"].to_str().unwrap();
        the_receipt_has_every_transfer(manifest, hash, &body["recipients"]);
        manifest.books_and_chain_agree().await;
        let id = headers["x-operation-id"].to_str().unwrap();
        let url = format!("{}/api/operations/{id}", manifest.text("/baseUrl"));
        let operation = manifest.get("issuer", &url).await;
        assert_eq!(operation["transactionHashes"], json!([hash]));
        assert_eq!(operation["chain"], "eip155:31337");
    }
}

/// A hundred Transfer logs of the token, from nobody to each recipient, with the right amount.
fn the_receipt_has_every_transfer(manifest: &Manifest, transaction: &str, recipients: &Value) {
    let receipt = manifest.rpc("eth_getTransactionReceipt", json!([transaction]));
    assert_eq!(receipt["status"], "0x1");
    let topic = |address: &str| format!("0x{:0>64}", address.trim_start_matches("0x").to_lowercase());
    let transfer = keccak256(b"Transfer(address,address,uint256)").to_string();
    let amount = format!("0x{:064x}", ONE.parse::<u128>().unwrap());
    let nobody = Address::ZERO.to_string();
    let expected: Vec<Value> = recipients
        .as_array()
        .unwrap()
        .iter()
        .map(|recipient| json!([[transfer, topic(&nobody), topic(recipient.as_str().unwrap())], amount]))
        .collect();
    let logs = receipt["logs"].as_array().unwrap().iter();
    let equity = manifest.asset("equity");
    let found: Vec<Value> = logs
        .map(|log| {
            assert_eq!(Address::parse(log["address"].as_str().unwrap()).unwrap(), equity);
            json!([log["topics"], log["data"]])
        })
        .collect();
    assert_eq!(found.len(), 100);
    assert_eq!(found, expected);
}

fn addresses(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) if text.starts_with("0x") => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(addresses).collect(),
        Value::Object(fields) => {
            let public = fields.iter().filter(|(name, _)| *name != "ownerPrivateKey");
            public.flat_map(|(_, field)| addresses(field)).collect()
        }
        _ => Vec::new(),
    }
}

async fn everybody_is_who_the_manifest_says(manifest: &Manifest) {
    let body = json!({ "recipients": manifest.recipients("approved")[0], "amounts": "1" });
    for user in manifest.0["users"].as_object().unwrap().keys() {
        for asset in ["equity", "stablecoin", "paused"] {
            let (status, answer) = manifest.post(user, &manifest.url(asset, "mint/check"), &body).await;
            let expected = if user == "issuer" { 200 } else { 403 };
            assert_eq!(status, expected, "{user}: {answer}");
        }
    }
    let metrics = http().get(manifest.text("/metricsUrl")).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    for line in [
        "mints_total",
        "policy_active 1",
        "db_retries_total 0",
        "job_failures_total{job=\"mint-files\"} 0",
        "webhook_deliveries_total{result=\"failed\"} 0",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
}

async fn every_recipient_is_of_its_kind(manifest: &Manifest) {
    let slug = |text: &str| BTreeSet::from([text.to_owned()]);
    for (kind, equity, stablecoin) in [
        ("approved", BTreeSet::new(), BTreeSet::new()),
        ("unregistered", slug("identity_unknown"), slug("identity_unknown")),
        ("unverified", slug("claim_missing"), BTreeSet::new()),
        ("blockedCountry", slug("country_blocked"), slug("country_blocked")),
        ("frozen", slug("recipient_frozen"), BTreeSet::new()),
    ] {
        for recipient in manifest.recipients(kind) {
            assert_eq!(manifest.slugs("equity", &recipient).await, equity, "{kind}");
            assert_eq!(manifest.slugs("stablecoin", &recipient).await, stablecoin, "{kind}");
        }
    }
    let approved = &manifest.recipients("approved")[0];
    assert_eq!(manifest.slugs("paused", approved).await, slug("asset_paused"));
}

async fn the_stablecoin_has_its_collateral(manifest: &Manifest) {
    let approved = manifest.recipients("approved")[0].clone();
    let mint = |amount: u128| {
        let amounts = json!([amount.to_string(), 6]);
        manifest.mint("stablecoin", approved.clone(), amounts, manifest.pin())
    };
    let (_, asset) = mint(1).await;
    let left = 1_000_000_000_000 - supply(&asset);

    let (above, answer) = mint(left + 1).await;
    let (exact, _) = mint(left).await;

    assert_eq!((above, exact), (422, 200), "{answer}");
}

/// The collections of the manifest have tokens, its keys open them, and the key of another project does not.
async fn tokens_are_minted_with_the_keys_of_the_manifest(manifest: &Manifest) {
    let key = |name: &str| manifest.text(&format!("/collections/{name}/secretKey"));
    assert_eq!(key("erc721"), key("erc1155"));
    assert_ne!(key("erc721"), key("other"));
    assert!(key("other").starts_with("sk_imapik_test-"));
    assert!(
        manifest
            .text("/collections/publishableKey")
            .starts_with("pk_imapik_test-")
    );
    for (name, tokens) in [("erc721", 3), ("erc1155", 1), ("other", 1)] {
        let url = format!("{}/nfts", manifest.collection_url(name));
        let found = http().get(url).send().await.unwrap().text().await.unwrap();
        let found: Value = serde_json::from_str(&found).unwrap();
        assert_eq!(found["result"].as_array().unwrap().len(), tokens, "{found}");
    }

    let url = format!("{}/nfts/mint-requests", manifest.collection_url("erc721"));
    let wish = json!({ "assets": [{ "reference_id": "tried", "owner_address": manifest.recipients("approved")[0] }] });
    let ask = async |key: String| {
        let request = http().post(&url).header("x-immutable-api-key", key);
        let request = request.header("Content-Type", "application/json");
        request.body(wish.to_string()).send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask(key("other")).await, 403);
    assert_eq!(ask(key("erc721")).await, 202);
    let minted = async {
        loop {
            let request = http()
                .get(format!("{url}/tried"))
                .header("x-immutable-api-key", key("erc721"));
            let answer: Value = serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap();
            match answer["result"][0]["status"].as_str() {
                Some("pending") => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
                status => return (status.map(str::to_owned), answer),
            }
        }
    };
    let (status, answer) = tokio::time::timeout(std::time::Duration::from_secs(90), minted)
        .await
        .unwrap();
    assert_eq!(status.as_deref(), Some("succeeded"), "{answer}");
}

/// The wallet of the manifest gets a key pair of Certhis' mint API, and a token with it.
async fn the_owners_wallet_signs_in_and_mints(manifest: &Manifest) {
    let (base, wallet) = (manifest.text("/baseUrl"), manifest.text("/certhis/ownerWallet"));
    let owner = Signer::from_hex(&manifest.text("/certhis/ownerPrivateKey"));
    assert_eq!(owner.address().to_string(), wallet);
    let index = manifest.0["certhis"]["collectionIndex"].clone();
    let pair = Mutex::new(Vec::new());
    let ask = async |method: Method, path: String, body: Value| -> Value {
        let request = http().request(method, format!("{base}{path}")).json(&body);
        let headers: Vec<(&str, String)> = pair.lock().unwrap().clone();
        let request = headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, value));
        serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap()
    };

    let challenge = ask(Method::GET, format!("/sign?wallet={wallet}"), Value::Null).await;
    let signature = owner.sign(challenge["data"]["signature"].as_str().unwrap());
    let form = json!({ "collection_index": index, "wallet": wallet, "signature": signature });
    let access = ask(Method::POST, "/mint_access".to_owned(), form).await;
    let part = |name: &str| {
        access["data"][name]
            .as_str()
            .unwrap_or_else(|| panic!("{access}"))
            .to_owned()
    };
    *pair.lock().unwrap() = vec![("x-api-key", part("api_key")), ("x-api-secret", part("api_secret"))];
    let form = json!({ "wallet": manifest.recipients("approved")[0] });
    let task = ask(Method::POST, "/mint".to_owned(), form).await["data"]["task_id"].clone();

    let ended = async {
        loop {
            let status = ask(Method::GET, format!("/mint_status?task_id={task}"), Value::Null).await;
            match status["data"]["status"].as_u64() {
                Some(0 | 1) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
                _ => return status,
            }
        }
    };
    let ended = tokio::time::timeout(std::time::Duration::from_secs(90), ended)
        .await
        .unwrap();
    assert_eq!(ended["data"]["status"], 2, "{ended}");
    assert_eq!(ended["data"]["nft"]["collection_id"], index);
    assert_eq!(ended["data"]["nft"]["nft_id"], 0);
}

/// Takes the lines apart as a shell does; all four are answered.
async fn printed_lines_work(manifest: &Manifest, printed: &str, place: &Place) {
    let lines: Vec<&str> = printed.lines().filter(|line| line.starts_with("curl ")).collect();
    assert_eq!(lines.len(), 4, "{printed}");
    assert!(printed.contains("nothing has a value"), "{printed}");
    let place_of_units = if manifest.is_on_chain() {
        "moneyer-local (eip155:31337)"
    } else {
        "in a local book"
    };
    assert!(printed.contains(place_of_units), "{printed}");
    let mint_100 = format!("@{}", place.path("mint-100.json").display());
    for line in lines {
        let url = line.split(' ').find(|word| word.starts_with("http://")).unwrap();
        let (head, data) = line.split_once(" -d ").unwrap();
        assert!(
            head.contains(&format!("-H 'X-Api-Key: {}'", manifest.text("/users/issuer/apiKey"))),
            "{line}"
        );
        assert!(head.contains("-H 'Content-Type: application/json'"), "{line}");
        let body = match data.strip_prefix('\'') {
            Some(quoted) => quoted.strip_suffix('\'').unwrap().to_owned(),
            None => {
                assert_eq!(data, mint_100);
                fs::read_to_string(place.path("mint-100.json")).unwrap()
            }
        };
        let (status, answer) = manifest
            .post("issuer", url, &serde_json::from_str(&body).unwrap())
            .await;
        assert_eq!(status, 200, "{line}: {answer}");
    }
}
