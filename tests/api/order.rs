//! The order of checks (dalp.md A6): who asks, which asset, the body, the role, a replay, the code, the rules.

use reqwest::Method;
use serde_json::json;

use crate::both_databases;
use crate::footprint::Footprint;
use crate::support::{PIN, Server, recipient, wallet};

both_databases! {
    the_key_comes_before_everything,
    the_asset_comes_before_the_body,
    the_body_comes_before_the_role,
    without_the_role_nothing_is_learned_about_codes_and_rules,
    without_the_role_a_remembered_code_changes_nothing,
    the_role_on_another_asset_gives_nothing_here,
    a_replay_comes_before_the_code,
    the_code_comes_before_the_rules,
}

/// A mint that the rules refuse: nobody knows the recipient.
fn refused_by_rules(pin: &str) -> serde_json::Value {
    let mut body = Server::mint_body(json!(wallet(999)), "1");
    body["walletVerification"]["secretVerificationCode"] = json!(pin);
    body
}

async fn the_key_comes_before_everything(server: &Server) {
    let world = &server.world;
    let (start, last) = world.issuer.key.split_at(world.issuer.key.len() - 1);
    let altered = format!("{start}{}", if last == "x" { "y" } else { "x" });
    for key in [None, Some(""), Some("mny_test_nonsense"), Some(altered.as_str())] {
        for path in [
            "/api/token/nonsense/mint",
            &Server::mint_path(&wallet(999)),
            &Server::mint_path(&world.equity),
        ] {
            let answer = server
                .call(Method::POST, key, path)
                .text("application/json", "{broken")
                .send()
                .await;
            answer.error(401, "UNAUTHORIZED");
        }
    }
}

async fn the_asset_comes_before_the_body(server: &Server) {
    let path = Server::mint_path(&wallet(999));

    let answer = server
        .request(Method::POST, &server.world.outsider, &path)
        .text("application/json", "{broken")
        .send()
        .await;

    answer.error(404, "NOT_FOUND");
}

async fn the_body_comes_before_the_role(server: &Server) {
    let path = Server::mint_path(&server.world.equity);

    let broken = server
        .request(Method::POST, &server.world.outsider, &path)
        .text("application/json", "{broken")
        .send()
        .await;
    let malformed = server
        .post(&server.world.outsider, &path, &Server::mint_body("0x1", "1"))
        .await;

    assert_eq!(broken.issues(), [" syntax"]);
    assert_eq!(malformed.issues(), ["recipients format"]);
}

async fn without_the_role_nothing_is_learned_about_codes_and_rules(server: &Server) {
    let world = &server.world;
    let before = Footprint::of(server, &world.equity).await;
    let path = Server::mint_path(&world.equity);
    let mut answers = Vec::new();
    for body in [
        refused_by_rules("000000"),
        refused_by_rules(PIN),
        Server::mint_body(json!(recipient(0)), "1"),
    ] {
        // Six wrong codes would have locked the method.
        for _ in 0..2 {
            answers.push(server.post(&world.custodian, &path, &body).await);
        }
    }

    for answer in &answers {
        assert_eq!(
            answer.error(403, "USER_NOT_AUTHORIZED")["requiredRoles"],
            "supplyManagement"
        );
        assert_eq!(answer.text, answers[0].text);
    }
    let after = Footprint::of(server, &world.equity).await;
    assert_eq!(after, before.and_events(answers.len() as i64), "one event for each");
}

async fn without_the_role_a_remembered_code_changes_nothing(server: &Server) {
    let world = &server.world;
    let body = Server::mint_body(json!(recipient(0)), "1");
    server
        .post(&world.issuer, &Server::mint_path(&world.deposit), &body)
        .await
        .ok();
    let equity = server.asset(&world.equity).await;
    let grant = [(world.issuer.wallet, moneyer::access::Role::SupplyManagement)];
    server
        .write(&world.admin, move |tx, ctx| {
            moneyer::access::revoke(tx, ctx, moneyer::access::Scope::Asset(equity.id), &grant)
        })
        .await;
    let before = Footprint::of(server, &world.equity).await;

    let answer = server
        .post(&world.issuer, &Server::mint_path(&world.equity), &body)
        .await;

    assert_eq!(
        answer.error(403, "USER_NOT_AUTHORIZED")["requiredRoles"],
        "supplyManagement"
    );
    assert_eq!(Footprint::of(server, &world.equity).await, before.and_events(1));
}

async fn the_role_on_another_asset_gives_nothing_here(server: &Server) {
    let world = &server.world;
    let deposit = server.asset(&world.deposit).await;
    server
        .grant(
            moneyer::access::Scope::Asset(deposit.id),
            &[(world.outsider.wallet, moneyer::access::Role::SupplyManagement)],
        )
        .await;
    let body = Server::mint_body(json!(recipient(0)), "1");

    server
        .post(&world.outsider, &Server::mint_path(&world.deposit), &body)
        .await
        .ok();
    server
        .post(&world.outsider, &Server::mint_path(&world.equity), &body)
        .await
        .error(403, "USER_NOT_AUTHORIZED");
}

async fn a_replay_comes_before_the_code(server: &Server) {
    let world = &server.world;
    let path = Server::mint_path(&world.equity);
    let send = |body: serde_json::Value| {
        server
            .request(Method::POST, &world.issuer, &path)
            .idempotency_key("order-1")
            .json(&body)
            .send()
    };
    let mut body = Server::mint_body(json!(recipient(0)), "1");
    send(body.clone()).await.ok();

    body["walletVerification"]["secretVerificationCode"] = json!("000000");
    let replay = send(body).await;

    assert_eq!(replay.header("Idempotent-Replayed"), Some("true"));
    assert_eq!(server.asset(&world.equity).await.supply.to_string(), "1");
}

async fn the_code_comes_before_the_rules(server: &Server) {
    let world = &server.world;
    let path = Server::mint_path(&world.equity);

    server
        .post(&world.issuer, &path, &refused_by_rules("000000"))
        .await
        .error(401, "CHALLENGE_FAILED");
    server
        .post(&world.issuer, &path, &refused_by_rules(PIN))
        .await
        .error(422, "RECIPIENT_IDENTITY_NOT_FOUND");
}
