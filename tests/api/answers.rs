//! The bodies on the wire, as files: a change of one is seen in review (dalp.md A7, A13, and the seed's two examples).

use moneyer::access::Scope;
use moneyer::asset::{AssetKind, AssetName, NewAsset};
use moneyer::servicing;
use moneyer::types::Address;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::both_databases;
use crate::footprint::Footprint;
use crate::steps::{mint_lines, register};
use crate::support::{Answer, PIN, Role, Server, golden, recipient, token, wallet, with_pin};

both_databases! {
    the_seeds_first_example_has_the_documented_answer,
    the_seeds_second_example_has_the_documented_answer,
    every_error_has_its_reviewed_body,
    each_caller_is_told_its_own_rights,
    the_holders_are_told_as_the_reference_tells_them,
    a_mint_is_told_as_operation_and_as_event,
    a_dry_run_reports_every_failing_rule_and_line,
}

/// The asset of the seed's answer.
async fn acme(server: &Server) -> Address {
    let acme = NewAsset {
        name: AssetName::parse("ACME Holdings Common Stock").unwrap(),
        ..token(AssetKind::Equity, "ACME")
    };
    server.found(acme).await
}

/// What differs from run to run, replaced by what it is: the asset, its identity, the policy, then ids in the order in
/// which they appear, and what is hashed over them.
async fn told(server: &Server, asset: &Address, body: &Value) -> Value {
    let row = server.asset(asset).await;
    let identity = server
        .read(move |tx| moneyer::identity::by_wallet(tx, &row.address))
        .await;
    let names = [
        (asset.to_string(), "<asset>"),
        (row.id.to_string(), "<id of the asset>"),
        (identity.address.to_string(), "<identity of the asset>"),
        (server.world.issuer.user.to_string(), "<issuer>"),
        (server.app.policy().hash.to_string(), "<policy>"),
    ];
    let mut text = body.to_string();
    for (value, name) in names {
        text = text.replace(&value, name);
    }
    let mut ids = Vec::new();
    without_chance(&mut ids, serde_json::from_str(&text).unwrap())
}

fn without_chance(ids: &mut Vec<String>, value: Value) -> Value {
    match value {
        Value::String(text) if is_id(&text) => {
            let known = ids.iter().position(|id| *id == text);
            let number = known.unwrap_or_else(|| {
                ids.push(text);
                ids.len() - 1
            });
            json!(format!("<id {}>", number + 1))
        }
        Value::Array(items) => items.into_iter().map(|item| without_chance(ids, item)).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| match name.as_str() {
                "leafHash" => (name, json!("<hash>")),
                _ => (name, without_chance(ids, value)),
            });
            Value::Object(fields.collect())
        }
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => plain,
    }
}

/// A UUID.
fn is_id(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

async fn the_seeds_first_example_has_the_documented_answer(server: &Server) {
    let acme = acme(server).await;
    let body = json!({
        "recipients": recipient(0),
        "amounts": ["1000000000000000000000", 18],
        "walletVerification": { "secretVerificationCode": PIN, "verificationType": "PINCODE" },
    });

    let answer = server
        .post(&server.world.issuer, &Server::mint_path(&acme), &body)
        .await;

    let asset = answer.ok();
    let documented = json!({
        "id": acme,
        "type": "equity",
        "createdAt": "2026-06-01T12:00:00.000Z",
        "name": "ACME Holdings Common Stock",
        "symbol": "ACME",
        "decimals": 18,
        "basePrice": "[\"10000\",2]",
        "basePriceCurrencyCode": "USD",
        "totalSupply": "[\"1000000000000000000000\",18]",
        "pausable": { "paused": false },
        "capped": { "cap": "[\"1000000000000000000000000\",18]" },
    });
    for (field, value) in documented.as_object().unwrap() {
        assert_eq!(asset[field], *value, "{field}");
    }
    for field in [
        "identity",
        "accessControl",
        "complianceModuleConfigs",
        "userPermissions",
        "stats",
    ] {
        assert!(!asset[field].is_null(), "{field}");
    }
    golden("mint.json", &told(server, &acme, &asset).await);
}

async fn the_seeds_second_example_has_the_documented_answer(server: &Server) {
    let acme = acme(server).await;
    let body = json!({
        "recipients": [recipient(0), recipient(1), recipient(2)],
        "amounts": [
            ["500000000000000000000", 18],
            ["300000000000000000000", 18],
            ["200000000000000000000", 18],
        ],
        "walletVerification": { "secretVerificationCode": PIN, "verificationType": "PINCODE" },
    });

    let asset = server
        .post(&server.world.issuer, &Server::mint_path(&acme), &body)
        .await
        .ok();

    assert_eq!(asset["totalSupply"], "[\"1000000000000000000000\",18]");
    assert_eq!(asset["stats"]["balancesCount"], 3);
    for (number, whole) in [(0, 500), (1, 300), (2, 200)] {
        let path = format!("/api/token/{acme}/holder?holderAddress={}", recipient(number));
        let holder = server.get(&server.world.issuer, &path).await.ok();
        assert_eq!(holder["holder"]["value"], format!("[\"{whole}000000000000000000\",18]"));
    }
    golden("mint_batch.json", &told(server, &acme, &asset).await);
}

/// One body per row of the table of errors.
async fn every_error_has_its_reviewed_body(server: &Server) {
    let world = &server.world;
    let (equity, bond) = (world.equity, world.bond);
    let path = Server::mint_path(&equity);
    let (unregistered, unclaimed) = (wallet(999), register(server, 500, "DE").await);
    let bond_id = server.asset(&bond).await.id;
    let mint = |recipient: Address, amount: &str| Server::mint_body(json!(recipient), amount);
    let with_code = |method: &str, code: &str| {
        let mut body = mint(recipient(0), "1");
        body["walletVerification"] = json!({ "secretVerificationCode": code, "verificationType": method });
        body
    };
    let keyed = |body: Value| {
        server
            .request(Method::POST, &world.issuer, &path)
            .idempotency_key("k")
            .json(&body)
            .send()
    };
    keyed(mint(recipient(0), "1")).await.ok();

    let mut told: Vec<(&str, Answer)> = vec![
        (
            "no key",
            server
                .call(Method::POST, None, &path)
                .json(&mint(recipient(0), "1"))
                .send()
                .await,
        ),
        (
            "role missing",
            server.post(&world.outsider, &path, &mint(recipient(0), "1")).await,
        ),
        (
            "one field malformed",
            server.post(&world.issuer, &path, &mint(recipient(0), "-1")).await,
        ),
        (
            "several fields malformed",
            server.post(&world.issuer, &path, &json!({ "recipients": "0x1" })).await,
        ),
        (
            "lengths differ",
            server
                .post(
                    &world.issuer,
                    &path,
                    &Server::mint_body(json!([recipient(0)]), json!(["1", "2"])),
                )
                .await,
        ),
        (
            "broken JSON",
            server
                .request(Method::POST, &world.issuer, &path)
                .text("application/json", "{")
                .send()
                .await,
        ),
        (
            "not JSON",
            server
                .request(Method::POST, &world.issuer, &path)
                .text("text/plain", "x")
                .send()
                .await,
        ),
        (
            "asset unknown",
            server
                .post(
                    &world.issuer,
                    &Server::mint_path(&unregistered),
                    &mint(recipient(0), "1"),
                )
                .await,
        ),
        ("route unknown", server.get(&world.issuer, "/api/nonsense").await),
        ("method unknown", server.get(&world.issuer, &path).await),
        (
            "feature missing",
            server
                .post(
                    &world.issuer,
                    &format!("/api/token/{}/set-cap", world.deposit),
                    &json!({
                        "newCap": "1", "walletVerification": { "secretVerificationCode": PIN },
                    }),
                )
                .await,
        ),
        (
            "wrong code",
            server.post(&world.issuer, &path, &with_code("PINCODE", "000000")).await,
        ),
        (
            "method not set up",
            server.post(&world.issuer, &path, &with_code("OTP", "123456")).await,
        ),
        ("other request under the key", keyed(mint(recipient(0), "2")).await),
        (
            "already in that state",
            server
                .post(
                    &world.emergency,
                    &format!("/api/token/{}/pause", world.paused),
                    &json!({
                        "walletVerification": { "secretVerificationCode": PIN },
                    }),
                )
                .await,
        ),
        (
            "amount zero",
            server.post(&world.issuer, &path, &mint(recipient(0), "0")).await,
        ),
        (
            "asset paused",
            server
                .post(
                    &world.issuer,
                    &Server::mint_path(&world.paused),
                    &mint(recipient(0), "1"),
                )
                .await,
        ),
        (
            "cap",
            server
                .post(&world.issuer, &Server::mint_path(&bond), &mint(recipient(0), "100001"))
                .await,
        ),
        (
            "collateral",
            server
                .post(
                    &world.issuer,
                    &Server::mint_path(&world.stablecoin),
                    &mint(recipient(0), "1000000000001"),
                )
                .await,
        ),
        (
            "recipient not registered",
            server.post(&world.issuer, &path, &mint(unregistered, "1")).await,
        ),
        (
            "recipient not compliant",
            server.post(&world.issuer, &path, &mint(unclaimed, "1")).await,
        ),
    ];
    let collateral = with_pin(&json!({ "amount": "1", "expiryTimestamp": "2026-12-01T00:00:00Z" }));
    let collateral_path = format!("/api/token/{}/update-collateral", world.stablecoin);
    told.push((
        "not trusted",
        server.post(&world.issuer, &collateral_path, &collateral).await,
    ));
    let user = with_pin(&json!({ "name": "Ada", "wallet": world.outsider.wallet }));
    told.push(("there already", server.post(&world.officer, "/api/user", &user).await));
    let too_large = mint(recipient(0), &"1".repeat(1_048_577));
    told.push(("too large", server.post(&world.issuer, &path, &too_large).await));
    let roles = with_pin(&json!({ "accounts": [recipient(0), recipient(1)], "roles": ["custodian", "emergency"] }));
    let roles_path = format!("/api/token/{equity}/grant-role");
    told.push((
        "many by many",
        server.post(&world.on_assets[&Role::Admin], &roles_path, &roles).await,
    ));
    for _ in 0..4 {
        server.post(&world.issuer, &path, &with_code("PINCODE", "000000")).await;
    }
    told.push((
        "method locked",
        server.post(&world.issuer, &path, &with_code("PINCODE", PIN)).await,
    ));
    server.advance(365 * 86_400);
    server
        .write(&world.emergency, move |tx, ctx| {
            servicing::pause(tx, ctx, bond_id).map(|_| ())
        })
        .await;
    told.push((
        "asset matured",
        server
            .post(&world.issuer, &Server::mint_path(&bond), &mint(recipient(0), "1"))
            .await,
    ));

    let mut bodies = Map::new();
    for (what, answer) in told {
        assert!(!answer.is_success(), "{what}: {}", answer.text);
        answer.error(answer.status.as_u16(), answer.body["code"].as_str().unwrap());
        bodies.insert(what.to_owned(), answer.body);
    }
    golden("errors.json", &Value::Object(bodies));
}

/// Requests of one commit share everything but this.
async fn each_caller_is_told_its_own_rights(server: &Server) {
    let world = &server.world;
    let equity = server.asset(&world.equity).await;
    let grants = [Role::SupplyManagement, Role::Emergency].map(|role| (world.outsider.wallet, role));
    server.grant(Scope::Asset(equity.id), &grants).await;
    let path = Server::mint_path(&world.equity);
    let body = Server::mint_body(json!(recipient(0)), "1");

    let asked = (0..20).map(|number| {
        let person = if number % 2 == 0 {
            &world.issuer
        } else {
            &world.outsider
        };
        server.post(person, &path, &body)
    });
    let answers = futures_util::future::join_all(asked).await;

    for (number, answer) in answers.into_iter().enumerate() {
        let permissions = answer.ok()["userPermissions"].clone();
        let is_outsider = number % 2 == 1;
        assert_eq!(permissions["roles"]["supplyManagement"], true);
        assert_eq!(permissions["roles"]["emergency"], is_outsider, "{number}");
        assert_eq!(permissions["actions"]["pause"], is_outsider, "{number}");
    }
}

async fn the_holders_are_told_as_the_reference_tells_them(server: &Server) {
    let equity = server.world.equity;
    let before = Footprint::of(server, &equity).await;
    mint_lines(
        server,
        &equity,
        &[(recipient(0), "5"), (recipient(1), "6"), (recipient(0), "1")],
    )
    .await
    .ok();
    let path = format!("/api/token/{equity}");

    let answer = server.get(&server.world.issuer, &format!("{path}/holders")).await;

    golden("holders.json", &told(server, &equity, &answer.ok()).await);
    let nobody = server
        .get(
            &server.world.issuer,
            &format!("{path}/holder?holderAddress={}", recipient(9)),
        )
        .await
        .ok();
    assert_eq!(nobody["holder"], Value::Null);
    assert_eq!(Footprint::of(server, &equity).await.accounts, before.accounts + 2);
}

async fn a_mint_is_told_as_operation_and_as_event(server: &Server) {
    let (equity, issuer) = (server.world.equity, &server.world.issuer);
    let body = Server::mint_body(json!([recipient(0), recipient(1)]), json!(["5", "6"]));
    let request = server.request(Method::POST, issuer, &Server::mint_path(&equity));
    let minted = request.header("X-Request-Id", "golden-mint").json(&body).send().await;
    let id = minted.header("X-Operation-Id").unwrap().to_owned();

    let operation = server.get(issuer, &format!("/api/operations/{id}")).await.ok();
    let events = server
        .get(issuer, &format!("/api/audit?asset={equity}&limit=1"))
        .await
        .ok();

    golden("operation.json", &told(server, &equity, &operation).await);
    golden("audit_event.json", &told(server, &equity, &events["events"][0]).await);
}

async fn a_dry_run_reports_every_failing_rule_and_line(server: &Server) {
    let equity = server.world.equity;
    let unclaimed = register(server, 500, "DE").await;
    let million = "1000000000000000000000000";
    let body = json!({
        "recipients": [recipient(0), wallet(999), unclaimed],
        "amounts": [million, "0", "1"],
    });

    let report = server.check(&equity, &body).await.ok();

    assert_eq!(report["allowed"], false);
    golden("mint_check.json", &told(server, &equity, &report).await);
}
