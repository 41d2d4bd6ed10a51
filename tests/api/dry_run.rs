//! `POST …/mint/check` (dalp.md A12): what a mint would be told now, and nothing left behind.

use serde_json::{Value, json};

use crate::both_databases;
use crate::footprint::Footprint;
use crate::steps::{mint_lines, register};
use crate::support::{Answer, Server, batch, findings_of, recipient, wallet};

both_databases! {
    a_mint_that_may_go_ahead_is_told_so_and_nothing_is_written,
    the_findings_are_those_of_the_mint,
    a_code_is_neither_asked_for_nor_looked_at,
    the_same_role_and_the_same_body_are_asked_for,
    a_full_batch_is_checked_line_by_line,
}

fn lines(lines: &[(moneyer::types::Address, &str)]) -> Value {
    let recipients: Vec<Value> = lines.iter().map(|(recipient, _)| json!(recipient)).collect();
    let amounts: Vec<Value> = lines.iter().map(|(_, amount)| json!(amount)).collect();
    json!({ "recipients": recipients, "amounts": amounts })
}

async fn check(server: &Server, asset: &moneyer::types::Address, body: &Value) -> Answer {
    server.check(asset, body).await
}

async fn a_mint_that_may_go_ahead_is_told_so_and_nothing_is_written(server: &Server) {
    let bond = server.world.bond;
    let before = Footprint::of(server, &bond).await;

    for amount in ["1", "100000"] {
        let body = check(server, &bond, &lines(&[(recipient(0), amount)])).await.ok();
        let hash = json!(server.app.policy().hash);
        assert_eq!(body, json!({ "allowed": true, "findings": [], "policyHash": hash }));
    }

    assert_eq!(Footprint::of(server, &bond).await, before);
}

async fn the_findings_are_those_of_the_mint(server: &Server) {
    let (equity, nobody) = (server.world.equity, register(server, 500, "DE").await);
    let refused = [
        (wallet(999), "1"),
        (recipient(0), "0"),
        (nobody, "1"),
        (recipient(1), "1"),
    ];
    let before = Footprint::of(server, &equity).await;

    let checked = check(server, &equity, &lines(&refused)).await.ok();

    assert_eq!(
        Footprint::of(server, &equity).await,
        before,
        "a check leaves no event either"
    );
    assert_eq!(checked["allowed"], false);
    assert_eq!(findings_of(&checked["findings"]).len(), 4);
    let minted = mint_lines(server, &equity, &refused).await;
    assert_eq!(minted.body["data"]["findings"], checked["findings"]);
}

async fn a_code_is_neither_asked_for_nor_looked_at(server: &Server) {
    let equity = server.world.equity;
    let mut body = Server::mint_body(json!(recipient(0)), "1");
    body["walletVerification"]["secretVerificationCode"] = json!("000000");

    for _ in 0..6 {
        assert_eq!(check(server, &equity, &body).await.ok()["allowed"], true);
    }
    server.mint(&equity, &recipient(0), 1).await.ok();
}

async fn the_same_role_and_the_same_body_are_asked_for(server: &Server) {
    let world = &server.world;
    let path = format!("{}/check", Server::mint_path(&world.equity));
    let good = lines(&[(recipient(0), "1")]);
    let before = Footprint::of(server, &world.equity).await;

    let forbidden = server.post(&world.custodian, &path, &good).await;
    let malformed = server.post(&world.issuer, &path, &json!({ "amounts": "-1" })).await;
    let unknown = check(server, &wallet(999), &good).await;

    assert_eq!(
        forbidden.error(403, "USER_NOT_AUTHORIZED")["requiredRoles"],
        "supplyManagement"
    );
    assert_eq!(malformed.issues(), ["recipients required", "amounts format"]);
    unknown.error(404, "NOT_FOUND");
    assert_eq!(Footprint::of(server, &world.equity).await, before.and_events(1));
}

async fn a_full_batch_is_checked_line_by_line(server: &Server) {
    let mut recipients: Vec<_> = (0..100).map(recipient).collect();
    assert_eq!(
        check(server, &server.world.equity, &batch(&recipients, 1)).await.ok()["allowed"],
        true
    );
    recipients[99] = wallet(999);

    let checked = check(server, &server.world.equity, &batch(&recipients, 1)).await.ok();

    assert_eq!(findings_of(&checked["findings"]), ["99 identity_unknown"]);
}
