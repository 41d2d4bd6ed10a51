//! `GET /api/operations` (dalp.md A11): what became of what was asked.

use reqwest::Method;
use serde_json::{Value, json};

use crate::both_databases;
use crate::steps::mint_lines;
use crate::support::{Role, Server, recipient, wallet};

both_databases! {
    a_mint_is_found_by_its_operation_with_every_line,
    an_operation_is_for_its_requester_the_assets_roles_and_the_auditor,
    operations_of_an_asset_are_numbered_without_a_gap,
    own_operations_are_listed_newest_first_in_pages,
    an_unknown_operation_is_told_from_a_malformed_one,
    a_preference_is_acknowledged,
}

async fn minted(server: &Server) -> String {
    let lines = [(recipient(0), "5"), (recipient(1), "6")];
    let answer = mint_lines(server, &server.world.equity, &lines).await;
    answer.header("X-Operation-Id").unwrap().to_owned()
}

async fn a_mint_is_found_by_its_operation_with_every_line(server: &Server) {
    let id = minted(server).await;

    let operation = server
        .get(&server.world.issuer, &format!("/api/operations/{id}"))
        .await
        .ok();

    assert_eq!(operation["id"], json!(id));
    assert_eq!(
        (&operation["kind"], &operation["status"]),
        (&json!("mint"), &json!("succeeded"))
    );
    assert_eq!(
        (&operation["asset"], &operation["number"]),
        (&json!(server.world.equity), &json!(2))
    );
    assert_eq!(operation["total"], r#"["11",18]"#);
    let expected = json!([
        { "index": 0, "recipient": recipient(0), "amount": r#"["5",18]"#, "status": "posted" },
        { "index": 1, "recipient": recipient(1), "amount": r#"["6",18]"#, "status": "posted" },
    ]);
    assert_eq!(operation["lines"], expected);
    assert_eq!(operation["transactionHashes"], json!([]));
    assert_eq!(operation["policyHash"], json!(server.app.policy().hash));
    assert_eq!(operation["createdAt"], "2026-06-01T12:00:00.000Z");
    assert_eq!(operation["finishedAt"], "2026-06-01T12:00:00.000Z");
    for field in ["blockNumber", "confirmations", "error", "attention"] {
        assert_eq!(operation[field], Value::Null, "{field}");
    }
}

async fn an_operation_is_for_its_requester_the_assets_roles_and_the_auditor(server: &Server) {
    let world = &server.world;
    let path = format!("/api/operations/{}", minted(server).await);

    for person in world.on_assets.values().chain([&world.system[&Role::Auditor]]) {
        server.get(person, &path).await.ok();
    }
    for person in [&world.outsider, &world.admin, &world.trusted] {
        server.get(person, &path).await.error(404, "NOT_FOUND");
    }
    server
        .call(Method::GET, None, &path)
        .send()
        .await
        .error(401, "UNAUTHORIZED");
    // The requester still sees it without the role.
    let (equity, grant) = (
        server.asset(&world.equity).await,
        [(world.issuer.wallet, Role::SupplyManagement)],
    );
    server
        .write(&world.admin, move |tx, ctx| {
            moneyer::access::revoke(tx, ctx, moneyer::access::Scope::Asset(equity.id), &grant)
        })
        .await;
    server.get(&world.issuer, &path).await.ok();
}

async fn operations_of_an_asset_are_numbered_without_a_gap(server: &Server) {
    for (number, good) in [true, false, true, false, true].into_iter().enumerate() {
        let recipient = if good { recipient(0) } else { wallet(999) };
        let answer = server.mint(&server.world.equity, &recipient, number + 1).await;
        assert_eq!(answer.is_success(), good);
    }

    let list = server.get(&server.world.issuer, "/api/operations").await.ok();

    let operations = list["operations"]
        .as_array()
        .unwrap_or_else(|| list.as_array().unwrap());
    let numbers: Vec<i64> = operations
        .iter()
        .map(|operation| operation["number"].as_i64().unwrap())
        .collect();
    // The first operation was the start of the asset.
    assert_eq!(numbers, [4, 3, 2]);
}

async fn own_operations_are_listed_newest_first_in_pages(server: &Server) {
    let mut ids = Vec::new();
    for number in 0..5 {
        let asset = if number % 2 == 0 {
            server.world.equity
        } else {
            server.world.deposit
        };
        let answer = server.mint(&asset, &recipient(0), 1).await;
        ids.insert(0, answer.header("X-Operation-Id").unwrap().to_owned());
        server.advance(1);
    }

    let mut listed = Vec::new();
    for offset in [0, 2, 4] {
        let page = server
            .get(
                &server.world.issuer,
                &format!("/api/operations?limit=2&offset={offset}"),
            )
            .await
            .ok();
        let operations = page["operations"]
            .as_array()
            .unwrap_or_else(|| page.as_array().unwrap())
            .clone();
        listed.extend(
            operations
                .iter()
                .map(|operation| operation["id"].as_str().unwrap().to_owned()),
        );
    }

    assert_eq!(listed, ids);
    let others = server.get(&server.world.outsider, "/api/operations").await.ok();
    assert_eq!(
        others["operations"]
            .as_array()
            .unwrap_or_else(|| others.as_array().unwrap())
            .len(),
        0
    );
}

async fn an_unknown_operation_is_told_from_a_malformed_one(server: &Server) {
    let unknown = "/api/operations/0198a0de-0000-7000-8000-000000000000";

    server.get(&server.world.issuer, unknown).await.error(404, "NOT_FOUND");
    server
        .get(&server.world.issuer, "/api/operations/17")
        .await
        .error(400, "BAD_REQUEST");
}

async fn a_preference_is_acknowledged(server: &Server) {
    let path = Server::mint_path(&server.world.equity);
    let body = Server::mint_body(json!(recipient(0)), "1");
    for (preferred, applied) in [
        ("wait=5", Some("wait=5")),
        ("wait=999", Some("wait=60")),
        ("respond-async", Some("respond-async")),
        ("handling=lenient", None),
    ] {
        let answer = server
            .request(Method::POST, &server.world.issuer, &path)
            .header("Prefer", preferred)
            .json(&body)
            .send()
            .await;

        assert_eq!(answer.header("Preference-Applied"), applied, "{preferred}");
        // With `Book` settlement the mint is final at once, whatever was preferred.
        answer.ok();
    }
}
