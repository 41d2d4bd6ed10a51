//! Where a right ends: one's own needs no role, a refusal tells nothing, trust and role are both needed, and what was
//! taken away is gone at once.

use moneyer::access::{Role, Scope};
use moneyer::audit::EventFilter;
use serde_json::json;

use super::stage::{Stage, required_roles};
use crate::both_databases;
use crate::support::{Answer, Server};

/// How many refusals the audit log tells of.
async fn refusals(server: &Server) -> usize {
    let filter = EventFilter {
        action: Some("access.refused".to_owned()),
        ..EventFilter::default()
    };
    server.events(filter).await.len()
}

/// All of an answer but what names the request.
fn seen(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.text.clone())
}

both_databases! {
    what_is_ones_own_needs_no_role,
    a_list_has_nothing_of_others,
    a_refusal_does_not_tell_whether_something_is_there,
    a_claim_needs_the_role_and_the_trust,
    a_right_that_was_taken_away_is_gone_at_once,
}

async fn what_is_ones_own_needs_no_role(server: &Server) {
    let stage = Stage::set(server).await;
    let me = &stage.bystander;
    let (wallet, asset) = (me.wallet, stage.asset);

    for path in [
        format!("/api/user/by-id/{}", me.user),
        format!("/api/user/by-wallet/{wallet}"),
        "/api/system/identity/me".to_owned(),
        format!("/api/system/identity/by-wallet/{wallet}"),
        format!("/api/system/identity/by-id/{}", stage.identity),
        format!("/api/system/identity/claims/list?accountId={wallet}"),
        format!("/api/token/{asset}/holder?holderAddress={wallet}"),
        format!("/api/operations/{}", stage.operation),
        format!("/api/auth/api-key/get?id={}", stage.key),
    ] {
        server.get(me, &path).await.ok();
    }
    let mine = server.get(me, "/api/operations").await.ok();
    assert_eq!(mine["operations"].as_array().unwrap().len(), 1);
    let key = json!({ "keyId": stage.key, "enabled": false });
    server.post(me, "/api/auth/api-key/update", &key).await.ok();
    server.post(me, "/api/auth/api-key/delete", &key).await.ok();
    server
        .verified()
        .post(&server.world.outsider, "/api/system/identity", &json!({}))
        .await
        .ok();
    assert_eq!(refusals(server).await, 0);
}

async fn a_list_has_nothing_of_others(server: &Server) {
    let stage = Stage::set(server).await;
    let stranger = &server.world.outsider;

    let operations = server.get(stranger, "/api/operations").await.ok();
    let keys = server.get(stranger, "/api/auth/api-key/list").await.ok();
    let own = server.get(&stage.bystander, "/api/auth/api-key/list").await.ok();

    assert_eq!(operations["operations"], json!([]));
    let of = |keys: &serde_json::Value| {
        keys.as_array()
            .unwrap()
            .iter()
            .map(|key| key["userId"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(of(&keys), [json!(stranger.user)]);
    assert!(
        of(&own).iter().all(|user| *user == json!(stage.bystander.user)),
        "{own}"
    );
}

async fn a_refusal_does_not_tell_whether_something_is_there(server: &Server) {
    let stage = Stage::set(server).await;
    let (stranger, unknown, known) = (&server.world.outsider, stage.unknown, stage.bystander.wallet);
    let nothing = "00000000-0000-7000-8000-000000000000";

    for (there, not_there) in [
        (
            format!("/api/user/by-id/{}", stage.bystander.user),
            format!("/api/user/by-id/{nothing}"),
        ),
        (
            format!("/api/user/by-wallet/{known}"),
            format!("/api/user/by-wallet/{unknown}"),
        ),
        (
            format!("/api/system/identity/by-wallet/{known}"),
            format!("/api/system/identity/by-wallet/{unknown}"),
        ),
        (
            format!("/api/system/identity/by-id/{}", stage.identity),
            format!("/api/system/identity/by-id/{unknown}"),
        ),
        (
            format!("/api/system/identity/claims/list?accountId={known}"),
            format!("/api/system/identity/claims/list?accountId={unknown}"),
        ),
        (
            format!("/api/token/{}/holder?holderAddress={known}", stage.asset),
            format!("/api/token/{}/holder?holderAddress={unknown}", stage.asset),
        ),
        (
            format!("/api/operations/{}", stage.operation),
            format!("/api/operations/{nothing}"),
        ),
        (
            format!("/api/auth/api-key/get?id={}", stage.key),
            "/api/auth/api-key/get?id=AAAAAAAA".to_owned(),
        ),
    ] {
        let (there, not_there) = (
            server.get(stranger, &there).await,
            server.get(stranger, &not_there).await,
        );

        assert_eq!(seen(&there), seen(&not_there));
        assert!(!there.is_success(), "{}", there.text);
    }
    for (path, there, not_there) in [
        ("/api/system/identity/claims/revoke", stage.identity, unknown),
        ("/api/system/identity/claims/issue", stage.identity, unknown),
    ] {
        let about = |identity| {
            json!({ "targetIdentityAddress": identity, "claimTopic": "knowYourCustomer",
            "claim": { "topic": "knowYourCustomer", "data": { "claim": "checked" } } })
        };
        let there = server.verified().post(stranger, path, &about(there)).await;
        let not_there = server.verified().post(stranger, path, &about(not_there)).await;

        assert_eq!(seen(&there), seen(&not_there));
        there.error(403, "USER_NOT_AUTHORIZED");
    }
}

async fn a_claim_needs_the_role_and_the_trust(server: &Server) {
    let stage = Stage::set(server).await;
    let world = server.world.clone();
    let claim = json!({ "targetIdentityAddress": stage.identity, "claimTopic": "knowYourCustomer",
        "claim": { "topic": "knowYourCustomer", "data": { "claim": "checked" } } });
    let untrusted = &world.outsider;
    server
        .grant(Scope::System, &[(untrusted.wallet, Role::ClaimIssuer)])
        .await;

    for path in [
        "/api/system/identity/claims/issue",
        "/api/system/identity/claims/revoke",
    ] {
        server
            .verified()
            .post(untrusted, path, &claim)
            .await
            .error(403, "FORBIDDEN");
    }
    server
        .verified()
        .post(&world.trusted, "/api/system/identity/claims/issue", &claim)
        .await
        .ok();
    let role = [(world.trusted.wallet, Role::ClaimIssuer)];
    server
        .write(&world.admin, move |tx, ctx| {
            moneyer::access::revoke(tx, ctx, Scope::System, &role).map(|_| ())
        })
        .await;
    let without = server
        .verified()
        .post(&world.trusted, "/api/system/identity/claims/issue", &claim)
        .await;

    assert_eq!(
        required_roles(&without.error(403, "USER_NOT_AUTHORIZED")),
        ["claimIssuer"]
    );
    assert_eq!(refusals(server).await, 3);
}

async fn a_right_that_was_taken_away_is_gone_at_once(server: &Server) {
    let stage = Stage::set(server).await;
    let (me, path) = (&stage.bystander, Server::mint_path(&stage.asset));
    let scope = Scope::Asset(server.asset(&stage.asset).await.id);
    let role = [(me.wallet, Role::SupplyManagement)];
    let body = Server::mint_body(me.wallet.to_string(), "1");
    server.grant(scope, &role).await;
    server.post(me, &path, &body).await.ok();

    server
        .write(&server.world.admin, move |tx, ctx| {
            moneyer::access::revoke(tx, ctx, scope, &role).map(|_| ())
        })
        .await;
    // The PIN is remembered now, and the role is checked all the same.
    let refused = server.post(me, &path, &body).await;

    assert_eq!(
        required_roles(&refused.error(403, "USER_NOT_AUTHORIZED")),
        ["supplyManagement"]
    );
    assert_eq!(refusals(server).await, 1);
}
