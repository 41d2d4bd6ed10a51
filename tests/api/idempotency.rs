//! `Idempotency-Key` (dalp.md A10): the same request twice is one mint, also at once and on two processes.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::both_databases;
use crate::footprint::Footprint;
use crate::support::{Answer, PIN, Person, Server, recipient, wallet};

both_databases! {
    the_same_request_again_has_the_first_answer_byte_for_byte,
    of_twenty_identical_requests_at_once_on_two_processes_one_mints,
    of_twenty_different_requests_under_one_key_at_once_one_mints,
    another_request_under_the_key_is_a_conflict,
    the_order_of_fields_and_a_fresh_code_make_no_other_request,
    a_refusal_and_a_wrong_code_leave_the_key_free,
    a_key_is_its_users_and_its_paths,
    who_lost_the_role_has_no_replay,
    a_key_has_1_to_255_visible_characters,
    no_pin_and_no_hash_of_one_is_kept_with_the_answer,
}

async fn send(server: &Server, person: &Person, key: &str, body: &Value) -> Answer {
    let path = Server::mint_path(&server.world.equity);
    server
        .request(Method::POST, person, &path)
        .idempotency_key(key)
        .json(body)
        .send()
        .await
}

fn mint(amount: &str) -> Value {
    Server::mint_body(json!(recipient(0)), amount)
}

fn is_replay(answer: &Answer) -> bool {
    answer.header("Idempotent-Replayed") == Some("true")
}

async fn supply(server: &Server) -> String {
    server.asset(&server.world.equity).await.supply.to_string()
}

async fn the_same_request_again_has_the_first_answer_byte_for_byte(server: &Server) {
    let issuer = &server.world.issuer;
    let first = send(server, issuer, "order-1", &mint("5")).await;
    server.mint(&server.world.equity, &recipient(1), 3).await.ok();
    server.advance(400 * 86_400);

    let again = send(server, issuer, "order-1", &mint("5")).await;

    assert!(first.is_success() && !is_replay(&first));
    assert!(is_replay(&again));
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    assert_eq!(again.header("X-Operation-Id"), first.header("X-Operation-Id"));
    assert_eq!(again.header("Content-Type"), first.header("Content-Type"));
    assert_eq!(supply(server).await, "8");
}

async fn of_twenty_identical_requests_at_once_on_two_processes_one_mints(server: &Server) {
    let replica = server.replica();
    let answers = join_all((0..20).map(|number| {
        let server = if number % 2 == 0 { server } else { &replica };
        async move { send(server, &server.world.issuer, "order-1", &mint("5")).await }
    }))
    .await;

    let first = answers.iter().find(|answer| !is_replay(answer)).unwrap();
    assert_eq!(answers.iter().filter(|answer| is_replay(answer)).count(), 19);
    for answer in &answers {
        assert_eq!((answer.status.as_u16(), &answer.text), (200, &first.text));
    }
    assert_eq!(supply(server).await, "5");
    replica.stop().await;
}

async fn of_twenty_different_requests_under_one_key_at_once_one_mints(server: &Server) {
    let bodies: Vec<Value> = (1..=20).map(|amount| mint(&amount.to_string())).collect();

    let answers = join_all(
        bodies
            .iter()
            .map(|body| send(server, &server.world.issuer, "order-1", body)),
    )
    .await;

    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(
        statuses.iter().filter(|status| **status == 200).count(),
        1,
        "{statuses:?}"
    );
    assert_eq!(
        statuses.iter().filter(|status| **status == 409).count(),
        19,
        "{statuses:?}"
    );
}

async fn another_request_under_the_key_is_a_conflict(server: &Server) {
    let issuer = &server.world.issuer;
    send(server, issuer, "order-1", &mint("5")).await.ok();

    for other in [
        mint("6"),
        Server::mint_body(json!(recipient(1)), "5"),
        Server::mint_body(json!([recipient(0)]), "5"),
    ] {
        send(server, issuer, "order-1", &other).await.error(409, "CONFLICT");
    }
    assert_eq!(supply(server).await, "5");
}

async fn the_order_of_fields_and_a_fresh_code_make_no_other_request(server: &Server) {
    let issuer = &server.world.issuer;
    send(server, issuer, "order-1", &mint("5")).await.ok();
    let path = Server::mint_path(&server.world.equity);
    let rewritten = format!(
        "{{ \"walletVerification\": {{\"verificationType\":\"OTP\",\"secretVerificationCode\":\"987654\"}},\n \"amounts\":\"5\", \"recipients\":\"{}\" }}",
        recipient(0)
    );

    let again = server
        .request(Method::POST, issuer, &path)
        .idempotency_key("order-1")
        .text("application/json", rewritten)
        .send()
        .await;

    assert!(is_replay(&again), "{}", again.text);
}

async fn a_refusal_and_a_wrong_code_leave_the_key_free(server: &Server) {
    let (issuer, equity) = (&server.world.issuer, server.world.equity);
    let mut wrong = mint("5");
    wrong["walletVerification"]["secretVerificationCode"] = json!("000000");
    send(server, issuer, "order-1", &wrong)
        .await
        .error(401, "CHALLENGE_FAILED");
    send(server, issuer, "order-1", &Server::mint_body(json!(wallet(999)), "5"))
        .await
        .error(422, "RECIPIENT_IDENTITY_NOT_FOUND");
    send(server, issuer, "order-1", &Server::mint_body(json!("0x1"), "5"))
        .await
        .error(400, "BAD_REQUEST");
    send(server, &server.world.outsider, "order-1", &mint("5"))
        .await
        .error(403, "USER_NOT_AUTHORIZED");
    assert_eq!(Footprint::of(server, &equity).await.idempotency_keys, 0);

    let minted = send(server, issuer, "order-1", &mint("5")).await;

    assert!(!is_replay(&minted));
    minted.ok();
    assert_eq!(Footprint::of(server, &equity).await.idempotency_keys, 1);
}

async fn a_key_is_its_users_and_its_paths(server: &Server) {
    let world = &server.world;
    let (equity, deposit) = (server.asset(&world.equity).await, Server::mint_path(&world.deposit));
    server
        .grant(
            moneyer::access::Scope::Asset(equity.id),
            &[(world.outsider.wallet, moneyer::access::Role::SupplyManagement)],
        )
        .await;

    let answers = [
        send(server, &world.issuer, "order-1", &mint("5")).await,
        send(server, &world.outsider, "order-1", &mint("5")).await,
        server
            .request(Method::POST, &world.issuer, &deposit)
            .idempotency_key("order-1")
            .json(&mint("5"))
            .send()
            .await,
    ];

    for answer in answers {
        assert!(answer.is_success() && !is_replay(&answer), "{}", answer.text);
    }
}

async fn who_lost_the_role_has_no_replay(server: &Server) {
    let world = &server.world;
    send(server, &world.issuer, "order-1", &mint("5")).await.ok();
    let (equity, grant) = (
        server.asset(&world.equity).await,
        [(world.issuer.wallet, moneyer::access::Role::SupplyManagement)],
    );
    server
        .write(&world.admin, move |tx, ctx| {
            moneyer::access::revoke(tx, ctx, moneyer::access::Scope::Asset(equity.id), &grant)
        })
        .await;

    send(server, &world.issuer, "order-1", &mint("5"))
        .await
        .error(403, "USER_NOT_AUTHORIZED");
}

async fn a_key_has_1_to_255_visible_characters(server: &Server) {
    let issuer = &server.world.issuer;
    for (number, good) in ["k", "~!@#$%^&*()", &"k".repeat(255)].into_iter().enumerate() {
        let answer = send(server, issuer, good, &mint(&(number + 1).to_string())).await;
        assert!(answer.is_success(), "{}", answer.text);
    }
    for bad in ["", "with space", &"k".repeat(256), "tab\tinside"] {
        let answer = send(server, issuer, bad, &mint("9")).await;
        assert_eq!(answer.issues(), ["Idempotency-Key format"], "{bad:?}");
    }
}

async fn no_pin_and_no_hash_of_one_is_kept_with_the_answer(server: &Server) {
    send(server, &server.world.issuer, "order-1", &mint("5")).await.ok();

    let kept = server
        .read(|tx| {
            use diesel::prelude::*;
            use moneyer::db::schema::idempotency_keys::dsl as keys;
            let all = keys::idempotency_keys.select((keys::route, keys::headers, keys::body));
            let rows: Vec<(String, String, String)> = moneyer::on!(tx, c => all.load(c))?;
            Ok(rows)
        })
        .await;

    assert_eq!(kept.len(), 1);
    assert!(!format!("{kept:?}").contains(PIN), "{kept:?}");
}
