//! What agents do with an asset, and who becomes an agent.

use moneyer::access::Role;
use moneyer::audit::{EventFilter, Stream};
use moneyer::types::Address;
use reqwest::Method;
use serde_json::{Value, json};

use crate::both_databases;
use crate::support::{Answer, PIN, Person, Server, wallet};

both_databases! {
    an_asset_is_paused_and_unpaused_by_its_emergency_role_alone,
    both_spellings_of_pause_and_unpause_are_taken,
    two_pauses_at_once_are_one,
    a_cap_moves_down_to_what_is_issued_and_no_further,
    an_asset_without_a_cap_has_none_to_set,
    collateral_is_the_word_of_a_trusted_issuer,
    a_claim_about_an_asset_is_told_in_its_stream_whichever_way_it_was_made,
    collateral_is_above_zero_and_expires_later,
    a_frozen_address_gets_nothing_until_it_is_freed,
    a_wrong_code_changes_nothing,
    roles_are_granted_in_every_form_and_work_at_once,
    roles_are_revoked_and_stop_working_at_once,
    who_is_no_admin_of_the_asset_grants_and_revokes_nothing,
    a_role_request_that_makes_no_sense_is_refused,
}

fn with_pin(mut body: Value) -> Value {
    body["walletVerification"] = json!({ "secretVerificationCode": PIN, "verificationType": "PINCODE" });
    body
}

async fn act(server: &Server, person: &Person, asset: &Address, action: &str, body: Value) -> Answer {
    server
        .post(person, &format!("/api/token/{asset}/{action}"), &with_pin(body))
        .await
}

async fn an_asset_is_paused_and_unpaused_by_its_emergency_role_alone(server: &Server) {
    let (equity, emergency) = (server.world.equity, &server.world.emergency);

    for (role, person) in &server.world.on_assets {
        if *role != Role::Emergency {
            let refused = act(server, person, &equity, "pause", json!({})).await;
            assert_eq!(
                refused.error(403, "USER_NOT_AUTHORIZED")["requiredRoles"],
                "emergency",
                "{role}"
            );
        }
    }
    let paused = act(server, emergency, &equity, "pause", json!({})).await;
    assert!(paused.header("X-Operation-Id").is_some());
    assert_eq!(paused.ok()["pausable"]["paused"], true);
    assert_eq!(
        act(server, emergency, &equity, "pause", json!({}))
            .await
            .error(409, "CONFLICT"),
        Value::Null
    );
    let mint = server.mint(&equity, &server.world.recipients[0], 1).await;
    mint.error(422, "ASSET_PAUSED");
    assert_eq!(
        act(server, emergency, &equity, "unpause", json!({})).await.ok()["pausable"]["paused"],
        false
    );
    act(server, emergency, &equity, "unpause", json!({}))
        .await
        .error(409, "CONFLICT");
    server.mint(&equity, &server.world.recipients[0], 1).await.ok();
}

async fn both_spellings_of_pause_and_unpause_are_taken(server: &Server) {
    let path = |action| format!("/api/token/{}/{action}", server.world.equity);
    let emergency = &server.world.emergency;

    let paused = server.put(emergency, &path("pause"), &with_pin(json!({}))).await.ok();
    let unpaused = server.put(emergency, &path("unpause"), &with_pin(json!({}))).await.ok();

    assert_eq!(
        (&paused["pausable"]["paused"], &unpaused["pausable"]["paused"]),
        (&json!(true), &json!(false))
    );
    let other = server.request(Method::PATCH, emergency, &path("pause")).send().await;
    other.error(405, "METHOD_NOT_SUPPORTED");
}

async fn two_pauses_at_once_are_one(server: &Server) {
    let (equity, emergency) = (&server.world.equity, &server.world.emergency);

    let (first, second) = tokio::join!(
        act(server, emergency, equity, "pause", json!({})),
        act(server, emergency, equity, "pause", json!({}))
    );

    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    let id = server.asset(equity).await.id;
    let pauses = server
        .actions_of(id)
        .await
        .into_iter()
        .filter(|action| action == "asset.paused")
        .count();
    assert_eq!(pauses, 1);
}

async fn a_cap_moves_down_to_what_is_issued_and_no_further(server: &Server) {
    let (equity, issuer) = (server.world.equity, &server.world.issuer);
    server.mint(&equity, &server.world.recipients[0], 100).await.ok();

    let below = act(server, issuer, &equity, "set-cap", json!({ "newCap": "99" })).await;
    let equal = act(server, issuer, &equity, "set-cap", json!({ "newCap": ["100", 18] })).await;
    let zero = act(server, issuer, &equity, "set-cap", json!({ "newCap": "0" })).await;

    assert_eq!(below.findings(), ["- cap_below_supply"]);
    below.error(422, "SUPPLY_CAP_EXCEEDED");
    assert_eq!(equal.ok()["capped"], json!({ "cap": r#"["100",18]"# }));
    assert_eq!(zero.message(), "Amount must be positive");
    zero.error(422, "INPUT_VALIDATION_FAILED");
    server
        .mint(&equity, &server.world.recipients[0], 1)
        .await
        .error(422, "SUPPLY_CAP_EXCEEDED");
    let same = act(server, issuer, &equity, "set-cap", json!({ "newCap": "100" })).await;
    assert_eq!((same.header("X-Operation-Id"), same.is_success()), (None, true));
    for (cap, issue) in [
        (json!(null), "required"),
        (json!("1.5"), "format"),
        (json!(["5", 6]), "range"),
    ] {
        let malformed = act(server, issuer, &equity, "set-cap", json!({ "newCap": cap })).await;
        assert_eq!(malformed.issues(), [format!("newCap {issue}")]);
    }
}

async fn an_asset_without_a_cap_has_none_to_set(server: &Server) {
    let body = json!({ "newCap": "5" });

    let by_outsider = act(server, &server.world.outsider, &server.world.deposit, "set-cap", body).await;

    let data = by_outsider.error(422, "TOKEN_INTERFACE_NOT_SUPPORTED");
    assert_eq!(data["requiredInterfaces"], json!(["CAPPED"]));
}

async fn collateral_is_the_word_of_a_trusted_issuer(server: &Server) {
    let (coin, trusted) = (server.world.stablecoin, &server.world.trusted);
    let update = json!({ "amount": ["5", 6], "expiryTimestamp": "2026-06-02T00:00:00Z" });

    let by_issuer = act(server, &server.world.issuer, &coin, "update-collateral", update.clone()).await;
    let updated = act(server, trusted, &coin, "update-collateral", update.clone())
        .await
        .ok();
    let lacking = act(
        server,
        trusted,
        &server.world.equity,
        "update-collateral",
        json!({ "amount": "5", "expiryTimestamp": 1_800_000_000 }),
    )
    .await;

    assert!(by_issuer.message().contains("collateral"), "{}", by_issuer.text);
    by_issuer.error(403, "FORBIDDEN");
    let expected = json!({ "collateral": r#"["5",6]"#, "expiryTimestamp": "2026-06-02T00:00:00.000Z" });
    assert_eq!(updated["collateral"], expected);
    assert_eq!(updated["identity"]["claims"].as_array().unwrap().len(), 1);
    assert_eq!(
        lacking.error(422, "TOKEN_INTERFACE_NOT_SUPPORTED")["requiredInterfaces"],
        json!(["COLLATERAL"])
    );
    server.mint(&coin, &server.world.recipients[0], 5).await.ok();
    server
        .mint(&coin, &server.world.recipients[0], 1)
        .await
        .error(422, "INSUFFICIENT_COLLATERAL");
}

async fn collateral_is_above_zero_and_expires_later(server: &Server) {
    let update = async |amount: Value, expiry: Value| {
        let body = json!({ "amount": amount, "expiryTimestamp": expiry });
        act(
            server,
            &server.world.trusted,
            &server.world.stablecoin,
            "update-collateral",
            body,
        )
        .await
    };
    let now = server.now().seconds();

    let zero = update(json!("0"), json!(now + 1)).await;
    let past = update(json!("1"), json!(now)).await;
    let malformed = update(json!("-1"), json!("soon")).await;
    let just = update(json!("1"), json!(now + 1)).await;

    zero.error(422, "INPUT_VALIDATION_FAILED");
    assert_eq!(past.issues(), ["expiryTimestamp range"]);
    assert_eq!(malformed.issues(), ["amount format", "expiryTimestamp format"]);
    just.ok();
    server.advance(1);
    let read = server
        .get(
            &server.world.outsider,
            &format!("/api/token/{}", server.world.stablecoin),
        )
        .await
        .ok();
    assert_eq!(read["collateral"]["collateral"], r#"["0",6]"#);
}

async fn a_frozen_address_gets_nothing_until_it_is_freed(server: &Server) {
    let (equity, custodian, recipient) = (server.world.equity, &server.world.custodian, server.world.recipients[0]);
    let freeze = async |person: &Person, freeze: bool| {
        let body = json!({ "userAddress": recipient, "freeze": freeze });
        act(server, person, &equity, "freeze-address", body).await
    };

    freeze(&server.world.issuer, true)
        .await
        .error(403, "USER_NOT_AUTHORIZED");
    let first = freeze(custodian, true).await;
    let again = freeze(custodian, true).await;

    assert!(first.header("X-Operation-Id").is_some() && first.is_success());
    assert!(again.header("X-Operation-Id").is_none() && again.is_success());
    assert_eq!(
        server.mint(&equity, &recipient, 1).await.findings(),
        ["0 recipient_frozen"]
    );
    server.mint(&server.world.deposit, &recipient, 1).await.ok();
    freeze(custodian, false).await.ok();
    freeze(custodian, false).await.ok();
    server.mint(&equity, &recipient, 1).await.ok();
    for (body, issue) in [
        (json!({ "freeze": true }), "userAddress required"),
        (json!({ "userAddress": recipient }), "freeze required"),
        (
            json!({ "userAddress": Address::ZERO, "freeze": true }),
            "userAddress format",
        ),
        (json!({ "userAddress": recipient, "freeze": "yes" }), "freeze type"),
    ] {
        assert_eq!(
            act(server, custodian, &equity, "freeze-address", body.clone())
                .await
                .issues(),
            [issue],
            "{body}"
        );
    }
}

async fn a_wrong_code_changes_nothing(server: &Server) {
    let (equity, emergency) = (server.world.equity, &server.world.emergency);
    let body = json!({ "walletVerification": { "secretVerificationCode": "000000" } });

    let refused = server
        .post(emergency, &format!("/api/token/{equity}/pause"), &body)
        .await;
    let without = server
        .post(emergency, &format!("/api/token/{equity}/pause"), &json!({}))
        .await;

    refused.error(401, "CHALLENGE_FAILED");
    assert_eq!(without.issues(), ["walletVerification required"]);
    assert!(!server.asset(&equity).await.is_paused());
}

async fn roles_are_granted_in_every_form_and_work_at_once(server: &Server) {
    let (equity, admin) = (server.world.equity, &server.world.on_assets[&Role::Admin]);
    let outsider = &server.world.outsider;
    let many = json!({ "accounts": [outsider.wallet, wallet(500), wallet(500)], "role": "emergency" });
    let one = json!({ "contract": equity, "address": wallet(501), "roles": ["custodian", "auditor"] });

    let granted = act(server, admin, &equity, "grant-role", many.clone()).await.ok();
    let in_body = server.post(admin, "/api/token/grant-role", &with_pin(one)).await.ok();

    assert_eq!(granted, json!({ "accounts": [outsider.wallet, wallet(500)] }));
    assert_eq!(in_body, json!({ "accounts": [wallet(501)] }));
    act(server, outsider, &equity, "pause", json!({})).await.ok();
    act(server, admin, &equity, "grant-role", many)
        .await
        .error(409, "CONFLICT");
    let read = server.get(outsider, &format!("/api/token/{equity}")).await.ok();
    let auditors = read["accessControl"]["auditor"].as_array().unwrap();
    assert!(
        auditors.iter().any(|holder| holder["id"] == json!(wallet(501))),
        "{auditors:?}"
    );
}

async fn roles_are_revoked_and_stop_working_at_once(server: &Server) {
    let (equity, admin, emergency) = (
        server.world.equity,
        &server.world.on_assets[&Role::Admin],
        &server.world.emergency,
    );
    let path = format!("/api/token/{equity}/revoke-role");
    let body = with_pin(json!({ "address": emergency.wallet, "role": "emergency" }));

    let revoked = server.delete(admin, &path, &body).await.ok();

    assert_eq!(
        revoked,
        json!({ "addresses": [emergency.wallet], "roles": ["emergency"] })
    );
    act(server, emergency, &equity, "pause", json!({}))
        .await
        .error(403, "USER_NOT_AUTHORIZED");
    act(server, emergency, &server.world.deposit, "pause", json!({}))
        .await
        .ok();
    server.delete(admin, &path, &body).await.error(409, "CONFLICT");
}

async fn who_is_no_admin_of_the_asset_grants_and_revokes_nothing(server: &Server) {
    let equity = server.world.equity;
    let body = with_pin(json!({ "address": wallet(500), "role": "emergency" }));

    for person in [&server.world.admin, &server.world.issuer, &server.world.outsider] {
        let granted = act(server, person, &equity, "grant-role", body.clone()).await;
        assert_eq!(
            granted.error(403, "USER_NOT_AUTHORIZED")["requiredRoles"],
            "admin",
            "{}",
            person.name
        );
        let revoked = server
            .delete(person, &format!("/api/token/{equity}/revoke-role"), &body)
            .await;
        revoked.error(403, "USER_NOT_AUTHORIZED");
    }
}

async fn a_role_request_that_makes_no_sense_is_refused(server: &Server) {
    let (equity, admin) = (server.world.equity, &server.world.on_assets[&Role::Admin]);

    for (body, issue) in [
        (json!({}), "accounts required"),
        (json!({ "accounts": [wallet(1)], "role": "owner" }), "role format"),
        (json!({ "accounts": [wallet(1)], "role": "tokenManager" }), "role range"),
        (json!({ "accounts": [], "role": "custodian" }), "accounts range"),
    ] {
        let issues = act(server, admin, &equity, "grant-role", body.clone()).await.issues();
        assert!(issues.iter().any(|found| found == issue), "{body}: {issues:?}");
    }
    let many = json!({ "accounts": [wallet(1), wallet(2)], "roles": ["custodian", "auditor"] });
    act(server, admin, &equity, "grant-role", many)
        .await
        .error(422, "INPUT_VALIDATION_FAILED");
    let nowhere = with_pin(json!({ "address": wallet(1), "role": "custodian" }));
    server
        .post(admin, "/api/token/grant-role", &nowhere)
        .await
        .error(400, "BAD_REQUEST");
}

async fn a_claim_about_an_asset_is_told_in_its_stream_whichever_way_it_was_made(server: &Server) {
    let (coin, trusted) = (server.world.stablecoin, &server.world.trusted);
    let identity = server
        .read(move |tx| moneyer::identity::by_wallet(tx, &coin))
        .await
        .address;
    let before = server.asset(&coin).await;
    let expiry = server.now().plus_seconds(86_400);
    let data = json!({ "amount": "7", "expiryTimestamp": expiry.seconds().to_string() });
    let issue = json!({ "targetIdentityAddress": identity, "claim": { "topic": "collateral", "data": data } });
    let issue = with_pin(issue);
    let revoke = with_pin(json!({ "targetIdentityAddress": identity, "claimTopic": "collateral" }));

    let issued = server
        .post(trusted, "/api/system/identity/claims/issue", &issue)
        .await
        .ok();
    let revoked = server
        .post(trusted, "/api/system/identity/claims/revoke", &revoke)
        .await
        .ok();

    let filter = EventFilter {
        stream: Some(Stream::Asset(before.id).name()),
        ..EventFilter::default()
    };
    let events = server.events(filter).await;
    let [.., issue, revoke] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(
        (issue.action.as_str(), revoke.action.as_str()),
        ("asset.claim-issued", "asset.claim-revoked")
    );
    for (event, claim) in [(issue, &issued), (revoke, &revoked)] {
        let data: Value = serde_json::from_str(&event.data).unwrap();
        assert_eq!((&data["claimId"], &data["amount"]), (&claim["id"], &json!("7")));
        assert_eq!(
            (&data["topic"], &data["issuer"]),
            (&json!("collateral"), &claim["issuer"]["id"])
        );
        assert_eq!(event.actor, trusted.actor().name());
    }
    assert_eq!(server.asset(&coin).await.revision, before.revision + 2);
}
