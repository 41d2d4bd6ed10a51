//! Assets as their callers see them: created, listed, searched, read; their holders, events and rules.

use moneyer::access::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::both_databases;
use crate::support::{Answer, PIN, Person, Server, wallet};

both_databases! {
    an_asset_is_created_as_it_was_asked_for,
    everything_that_is_wrong_with_a_new_asset_is_told_at_once,
    a_creation_asks_for_the_body_then_the_role_then_the_code,
    a_creation_that_is_repeated_makes_one_asset,
    a_fund_a_stablecoin_and_a_bond_have_what_their_kind_has,
    assets_are_listed_in_pages,
    a_search_finds_by_name_symbol_isin_and_address,
    everybody_with_a_key_reads_an_asset_and_sees_what_they_may_do,
    holders_are_for_those_with_a_role_and_ones_own_balance_for_oneself,
    holders_come_in_pages_the_last_changed_first,
    the_events_of_an_asset_tell_who_did_what,
    the_rules_of_an_asset_are_told_in_words,
}

fn equity() -> Value {
    json!({
        "type": "equity", "name": "Créations SA", "symbol": "CREA", "decimals": "6", "countryCode": 56,
        "isin": "us0378331005", "basePrice": "100.00", "basePriceCurrencyCode": "EUR",
        "class": "COMMON_EQUITY", "category": "VOTING_COMMON_STOCK", "cap": ["1000000", 6],
        "policy": "demo-equity", "maturityDate": "2031-01-01",
        "initialModulePairs": [
            { "typeId": "country-block-list", "module": wallet(7), "values": [408] },
            { "typeId": "InvestorCountComplianceModule", "values": { "maxInvestors": 2 } },
        ],
        "walletVerification": { "secretVerificationCode": PIN },
    })
}

fn changed(fields: Value) -> Value {
    let mut body = equity();
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

async fn create(server: &Server, body: &Value) -> Answer {
    server.post(&server.world.creator, "/api/token/create", body).await
}

async fn get(server: &Server, person: &Person, path: &str) -> Answer {
    server.get(person, &format!("/api/token{path}")).await
}

async fn an_asset_is_created_as_it_was_asked_for(server: &Server) {
    let creator = &server.world.creator;

    let asset = create(server, &equity()).await.ok();

    let fields = [
        ("type", json!("equity")),
        ("name", json!("Créations SA")),
        ("symbol", json!("CREA")),
        ("decimals", json!(6)),
        ("isin", json!("US0378331005")),
        ("countryCode", json!("056")),
        ("basePrice", json!(r#"["10000",2]"#)),
        ("basePriceCurrencyCode", json!("EUR")),
        ("class", json!("COMMON_EQUITY")),
        ("capped", json!({ "cap": r#"["1000000",6]"# })),
        ("collateral", Value::Null),
        ("totalSupply", json!(r#"["0",6]"#)),
        ("pendingSupply", json!(r#"["0",6]"#)),
        ("policy", json!("demo-equity")),
        ("maturityDate", json!("2031-01-01T00:00:00.000Z")),
        ("pausable", json!({ "paused": true })),
        ("createdBy", json!({ "id": creator.wallet })),
        ("settlement", json!("book")),
        ("stats", json!({ "balancesCount": 0, "totalValueInBaseCurrency": null })),
    ];
    for (name, value) in fields {
        assert_eq!(asset[name], value, "{name}");
    }
    let holder = json!([{ "id": creator.wallet, "isContract": false }]);
    assert_eq!(asset["accessControl"]["admin"], holder);
    assert_eq!(asset["accessControl"]["governance"], holder);
    assert_eq!(asset["accessControl"]["supplyManagement"], json!([]));
    assert_eq!(asset["userPermissions"]["roles"]["admin"], true);
    assert_eq!(asset["userPermissions"]["actions"]["mint"], false);
    assert_eq!(asset["complianceModuleConfigs"][0]["id"], json!(wallet(7)));
    let read = get(server, creator, &format!("/{}", asset["id"].as_str().unwrap()))
        .await
        .ok();
    assert_eq!(read, asset);
}

async fn everything_that_is_wrong_with_a_new_asset_is_told_at_once(server: &Server) {
    let verification = json!({ "walletVerification": { "secretVerificationCode": PIN } });
    let required = ["countryCode", "decimals", "name", "symbol", "type"].map(|field| format!("{field} required"));
    let mut missing = create(server, &verification).await.issues();
    missing.sort_unstable();
    assert_eq!(missing, required);

    let malformed = changed(json!({
        "name": "", "symbol": "crea", "decimals": 19, "isin": "US0378331006", "countryCode": "56",
        "basePrice": "-1", "cap": "1.5", "walletVerification": null,
    }));
    let mut paths: Vec<String> = create(server, &malformed).await.issues();
    paths
        .iter_mut()
        .for_each(|issue| issue.truncate(issue.find(' ').unwrap()));
    paths.sort_unstable();
    let wrong = [
        "basePrice",
        "cap",
        "countryCode",
        "decimals",
        "isin",
        "name",
        "symbol",
        "walletVerification",
    ];
    assert_eq!(paths, wrong);

    for (fields, issue) in [
        (json!({ "class": null }), "class required"),
        (json!({ "class": "GOLD" }), "class unknown"),
        (json!({ "cap": "0" }), "cap range"),
        (json!({ "basePrice": "0.00" }), "basePrice range"),
        (json!({ "maturityDate": "2020-01-01" }), "maturityDate range"),
        (json!({ "managementFeeBps": 10 }), "managementFeeBps unsupported"),
        (json!({ "settlement": "evm" }), "settlement unsupported"),
        (json!({ "policy": "nobody-wrote-it" }), "policy unknown"),
        (
            json!({ "collateral": { "ratioBps": 20_001 } }),
            "collateral.ratioBps format",
        ),
        (
            json!({ "collateral": { "ratioBps": 1, "topic": "gold" } }),
            "collateral.topic unknown",
        ),
        (
            json!({ "initialModulePairs": [{ "typeId": "TimeLockComplianceModule" }] }),
            "initialModulePairs.0.typeId unknown",
        ),
    ] {
        assert_eq!(
            create(server, &changed(fields.clone())).await.issues(),
            [issue],
            "{fields}"
        );
    }
}

async fn a_creation_asks_for_the_body_then_the_role_then_the_code(server: &Server) {
    let outsider = &server.world.outsider;
    let wrong_code = changed(json!({ "walletVerification": { "secretVerificationCode": "000000" } }));

    let malformed = server
        .post(outsider, "/api/token/create", &changed(json!({ "name": "" })))
        .await;
    let without_role = server.post(outsider, "/api/token/create", &wrong_code).await;
    let without_code = create(server, &wrong_code).await;

    assert_eq!(malformed.issues(), ["name format"]);
    assert_eq!(
        without_role.error(403, "USER_NOT_AUTHORIZED")["requiredRoles"],
        "tokenManager"
    );
    without_code.error(401, "CHALLENGE_FAILED");
}

async fn a_creation_that_is_repeated_makes_one_asset(server: &Server) {
    let send = || {
        let request = server.request(Method::POST, &server.world.creator, "/api/token/create");
        request.idempotency_key("create-1").json(&equity()).send()
    };

    let (first, second) = (send().await, send().await);

    assert_eq!(second.header("Idempotent-Replayed"), Some("true"));
    assert_eq!(first.text, second.text);
    let found = get(server, &server.world.creator, "/search?query=CREA").await.ok();
    assert_eq!(found.as_array().unwrap().len(), 1);
}

async fn a_fund_a_stablecoin_and_a_bond_have_what_their_kind_has(server: &Server) {
    let base = json!({ "class": null, "category": null, "cap": null, "policy": null, "maturityDate": null });
    let kind = |kind: &str, fields: Value| {
        let mut body = changed(base.clone());
        body["type"] = json!(kind);
        for (name, value) in fields.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };

    let coin = create(server, &kind("stablecoin", json!({}))).await.ok();
    let fund = json!({ "class": "HEDGE", "category": "ACTIVIST", "managementFeeBps": "150" });
    let fund = create(server, &kind("fund", fund)).await.ok();
    let bond = json!({
        "basePrice": null, "cap": "10", "faceValue": "1000000", "maturityDate": 1_924_992_000,
        "denominationAsset": coin["id"],
    });
    let bond = create(server, &kind("bond", bond)).await.ok();

    let nothing = json!({ "collateral": r#"["0",6]"#, "expiryTimestamp": null });
    assert_eq!((&coin["collateral"], &coin["capped"]), (&nothing, &Value::Null));
    assert_eq!(fund["fund"], json!({ "managementFeeBps": r#"["150",0]"# }));
    let expected = json!({
        "faceValue": r#"["1000000",6]"#, "isMatured": false, "maturityDate": "2031-01-01T00:00:00.000Z",
        "denominationAsset": { "id": coin["id"], "decimals": 6, "symbol": "CREA" },
    });
    assert_eq!(bond["bond"], expected);
    assert_eq!(bond["basePrice"], Value::Null);
}

async fn assets_are_listed_in_pages(server: &Server) {
    let outsider = &server.world.outsider;
    let mut symbols = Vec::new();
    let mut path = "?orderBy=symbol&orderDirection=desc&limit=2".to_owned();

    let count = loop {
        let page = get(server, outsider, &path).await.ok();
        symbols.extend(
            page["tokens"]
                .as_array()
                .unwrap()
                .iter()
                .map(|token| token["symbol"].clone()),
        );
        match page["nextCursor"].as_str() {
            Some(cursor) => path = format!("?orderBy=symbol&orderDirection=desc&limit=2&cursor={cursor}"),
            None => break page["totalCount"].clone(),
        }
    };

    assert_eq!(count, symbols.len());
    assert_eq!(symbols, ["PAUSED", "AUSD", "ADEP", "ACME", "ABND"]);
    let equities = get(server, outsider, "?type=equity").await.ok();
    assert_eq!(
        (&equities["totalCount"], equities["tokens"].as_array().unwrap().len()),
        (&json!(2), 2)
    );
    let coins = get(server, outsider, "?type=stablecoin").await.ok();
    assert_eq!(coins["tokens"][0]["claims"][0]["name"], "collateral");
    let offset = get(server, outsider, "?orderBy=symbol&offset=4").await.ok();
    assert_eq!(offset["tokens"][0]["symbol"], "PAUSED");
    for (query, issue) in [
        ("?limit=0", "limit range"),
        ("?limit=201", "limit range"),
        ("?orderBy=price", "orderBy format"),
        ("?orderDirection=up", "orderDirection format"),
        ("?type=share", "type format"),
        ("?cursor=%25", "cursor format"),
    ] {
        assert_eq!(get(server, outsider, query).await.issues(), [issue], "{query}");
    }
}

async fn a_search_finds_by_name_symbol_isin_and_address(server: &Server) {
    let outsider = &server.world.outsider;
    let coin = server.world.stablecoin.to_string();
    let find = async |query: &str| {
        let found = get(server, outsider, &format!("/search?query={query}")).await.ok();
        let symbols = found
            .as_array()
            .unwrap()
            .iter()
            .map(|token| token["symbol"].as_str().unwrap().to_owned());
        symbols.collect::<Vec<_>>()
    };

    assert_eq!(find("acme%20hold").await.len(), 5);
    assert_eq!(find("ausd").await, ["AUSD"]);
    assert_eq!(find("US0378331005").await, ["ACME", "PAUSED"]);
    assert_eq!(find(&coin).await, ["AUSD"]);
    assert_eq!(find(&coin.to_lowercase()[..12]).await, ["AUSD"]);
    assert_eq!(find("100%25").await, [""; 0]);
    assert_eq!(
        get(server, outsider, "/search?query=acme&limit=1")
            .await
            .ok()
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        get(server, outsider, "/search?query=acme&limit=51").await.issues(),
        ["limit range"]
    );
    assert_eq!(get(server, outsider, "/search").await.issues(), ["query length"]);
}

async fn everybody_with_a_key_reads_an_asset_and_sees_what_they_may_do(server: &Server) {
    let path = format!("/{}", server.world.equity.to_string().to_lowercase());

    let outsider = get(server, &server.world.outsider, &path).await.ok();
    let issuer = get(server, &server.world.issuer, &path).await.ok();

    assert_eq!(outsider["id"], json!(server.world.equity));
    assert_eq!(outsider["userPermissions"]["actions"]["mint"], false);
    assert_eq!(issuer["userPermissions"]["actions"]["mint"], true);
    assert_eq!(issuer["userPermissions"]["roles"]["supplyManagement"], true);
    let unknown = get(server, &server.world.outsider, &format!("/{}", wallet(999))).await;
    unknown.error(404, "NOT_FOUND");
    get(server, &server.world.outsider, "/0x1")
        .await
        .error(400, "BAD_REQUEST");
}

async fn holders_are_for_those_with_a_role_and_ones_own_balance_for_oneself(server: &Server) {
    let (deposit, recipient) = (server.world.deposit, server.world.recipients[0]);
    server.mint(&deposit, &recipient, 5).await.ok();
    let holders = format!("/{deposit}/holders");
    let holder = |account| format!("/{deposit}/holder?holderAddress={account}");

    for person in server
        .world
        .on_assets
        .values()
        .chain([&server.world.system[&Role::Auditor]])
    {
        assert_eq!(
            get(server, person, &holders).await.ok()["totalCount"],
            1,
            "{}",
            person.name
        );
    }
    let outsider = &server.world.outsider;
    get(server, outsider, &holders).await.error(403, "USER_NOT_AUTHORIZED");
    get(server, outsider, &holder(recipient))
        .await
        .error(403, "USER_NOT_AUTHORIZED");
    assert_eq!(
        get(server, outsider, &holder(outsider.wallet)).await.ok()["holder"],
        Value::Null
    );
    let balance = get(server, &server.world.issuer, &holder(recipient)).await.ok();
    let expected = json!({
        "account": { "id": recipient }, "value": r#"["5",0]"#, "available": r#"["5",0]"#, "frozen": r#"["0",0]"#,
        "isFrozen": false, "lastUpdatedAt": server.now(),
    });
    assert_eq!(balance["holder"], expected);
    assert_eq!(
        get(server, outsider, &format!("/{deposit}/holder")).await.issues(),
        ["holderAddress format"]
    );
}

async fn holders_come_in_pages_the_last_changed_first(server: &Server) {
    let deposit = server.world.deposit;
    let mut expected = Vec::new();
    for recipient in &server.world.recipients[..5] {
        server.advance(1);
        server.mint(&deposit, recipient, 1).await.ok();
        expected.insert(0, json!(recipient));
    }
    let mut accounts = Vec::new();
    let mut path = format!("/{deposit}/holders?limit=2");

    loop {
        let page = get(server, &server.world.issuer, &path).await.ok();
        let balances = page["token"]["balances"].as_array().unwrap();
        accounts.extend(balances.iter().map(|balance| balance["account"]["id"].clone()));
        let Some(cursor) = page["nextCursor"].as_str() else {
            break;
        };
        path = format!("/{deposit}/holders?limit=2&cursor={cursor}");
    }

    assert_eq!(accounts, expected);
}

async fn the_events_of_an_asset_tell_who_did_what(server: &Server) {
    let (deposit, issuer) = (server.world.deposit, &server.world.issuer);
    server.mint(&deposit, &server.world.recipients[0], 5).await.ok();
    let path = format!("/{deposit}/events");

    let minted = get(server, issuer, &format!("{path}?eventName=mint.accepted"))
        .await
        .ok();
    let all = get(server, issuer, &format!("{path}?limit=1")).await.ok();
    let of_stranger = get(server, issuer, &format!("{path}?recipient={}", wallet(999)))
        .await
        .ok();

    let event = &minted["events"][0];
    assert_eq!(event["sender"], json!({ "id": issuer.wallet }));
    assert_eq!(event["emitter"], json!({ "id": deposit }));
    for missing in ["txIndex", "blockNumber", "transactionHash"] {
        assert_eq!(event[missing], Value::Null);
    }
    let values = event["values"].as_array().unwrap();
    assert!(
        values
            .iter()
            .any(|value| value["name"] == "total" && value["value"] == "5"),
        "{event}"
    );
    assert!(all["nextCursor"].is_string());
    assert_eq!(of_stranger["events"], json!([]));
    let refused = get(server, &server.world.outsider, &path).await;
    refused.error(403, "USER_NOT_AUTHORIZED");
    assert_eq!(
        get(server, issuer, &format!("{path}?from=yesterday")).await.issues(),
        ["from format"]
    );
}

async fn the_rules_of_an_asset_are_told_in_words(server: &Server) {
    let modules = json!([{ "typeId": "identity-verification", "values": "kyc and aml" }]);
    let asset = create(server, &changed(json!({ "initialModulePairs": modules })))
        .await
        .ok();

    let rules = get(
        server,
        &server.world.outsider,
        &format!("/{}/compliance", asset["id"].as_str().unwrap()),
    )
    .await;

    let rules = rules.ok();
    assert_eq!(rules["policy"]["id"], "demo-equity");
    assert!(rules["policyHash"].as_str().unwrap().starts_with("0x"));
    assert!(!rules["policy"]["rules"].as_array().unwrap().is_empty());
    let module = &rules["modules"][0];
    assert_eq!(module["typeId"], "SMARTIdentityVerificationComplianceModule");
    assert_eq!(
        (&module["kind"], &module["values"]),
        (&json!("identity"), &json!("kyc and aml"))
    );
    assert!(
        module["parameters"]["require"].as_str().unwrap().contains("and"),
        "{module}"
    );
}
