//! The rules of a mint about the asset (dalp.md A7, A9): their edges, their order, and what a refusal leaves behind.

use moneyer::asset::{AssetKind, BasisPoints, Collateral, NewAsset};
use moneyer::audit::EventFilter;
use moneyer::identity;
use moneyer::ledger::Freeze;
use moneyer::servicing;
use moneyer::types::Amount;
use serde_json::{Value, json};

use crate::both_databases;
use crate::steps::{DAY, collateralize, import_sanctions_now, mint_lines, refused};
use crate::support::{START, Server, recipient, token, topic, wallet};

both_databases! {
    a_zero_is_refused_alone_and_inside_a_batch,
    a_cap_holds_inside_on_and_outside_its_edge,
    collateral_holds_inside_on_and_outside_its_edge,
    collateral_counts_until_the_very_second_of_its_expiry,
    a_ratio_of_collateral_is_rounded_up,
    collateral_of_an_issuer_that_is_trusted_no_more_is_none,
    a_bond_is_minted_until_the_second_before_it_matures,
    a_paused_asset_is_not_minted_until_it_goes_on,
    the_same_recipient_twice_is_two_lines_that_add_up,
    when_several_kinds_fail_the_first_in_order_names_the_answer_and_all_are_told,
    the_codes_come_in_their_documented_order,
    a_refusal_is_recorded_with_its_findings_and_lines,
}

async fn a_zero_is_refused_alone_and_inside_a_batch(server: &Server) {
    let deposit = server.world.deposit;

    assert_eq!(
        refused(server, &deposit, &[(recipient(0), "0")], "INPUT_VALIDATION_FAILED").await,
        ["0 amount_zero"]
    );
    let lines = [(recipient(0), "1"), (recipient(1), "0"), (recipient(2), "000")];
    assert_eq!(
        refused(server, &deposit, &lines, "INPUT_VALIDATION_FAILED").await,
        ["1 amount_zero", "2 amount_zero"]
    );

    assert_eq!(
        mint_lines(server, &deposit, &lines).await.message(),
        "Amount must be positive"
    );
}

async fn a_cap_holds_inside_on_and_outside_its_edge(server: &Server) {
    let bond = server.world.bond;

    mint_lines(server, &bond, &[(recipient(0), "99999")]).await.ok();
    let answer = mint_lines(server, &bond, &[(recipient(1), "1"), (recipient(2), "1")]).await;
    assert_eq!(answer.findings(), ["- cap_exceeded"]);
    let data = answer.error(422, "SUPPLY_CAP_EXCEEDED");
    assert_eq!(answer.message(), "Exceeds supply cap");
    assert_eq!(
        (&data["cap"], &data["supply"], &data["pending"], &data["requested"]),
        (&json!("100000"), &json!("99999"), &json!("0"), &json!("2"))
    );
    mint_lines(server, &bond, &[(recipient(1), "1")]).await.ok();
    assert_eq!(
        refused(server, &bond, &[(recipient(1), "1")], "SUPPLY_CAP_EXCEEDED").await,
        ["- cap_exceeded"]
    );
}

async fn collateral_holds_inside_on_and_outside_its_edge(server: &Server) {
    let stablecoin = server.world.stablecoin;

    mint_lines(server, &stablecoin, &[(recipient(0), "999999999999")])
        .await
        .ok();
    let answer = mint_lines(server, &stablecoin, &[(recipient(0), "2")]).await;
    assert_eq!(answer.findings(), ["- collateral_short"]);
    let data = answer.error(422, "INSUFFICIENT_COLLATERAL");
    assert_eq!(answer.message(), "Insufficient collateral");
    assert_eq!(
        (&data["required"], &data["available"], &data["expiry"]),
        (
            &json!("1000000000001"),
            &json!("1000000000000"),
            &json!("2026-07-01T12:00:00.000Z")
        )
    );
    mint_lines(server, &stablecoin, &[(recipient(0), "1")]).await.ok();
    let more = refused(server, &stablecoin, &[(recipient(0), "1")], "INSUFFICIENT_COLLATERAL").await;
    assert_eq!(more, ["- collateral_short"]);
}

async fn collateral_counts_until_the_very_second_of_its_expiry(server: &Server) {
    let stablecoin = server.world.stablecoin;
    server.advance(30 * DAY - 1);
    import_sanctions_now(server).await;
    mint_lines(server, &stablecoin, &[(recipient(0), "1")]).await.ok();

    server.advance(1);

    let answer = mint_lines(server, &stablecoin, &[(recipient(0), "1")]).await;
    assert_eq!(answer.findings(), ["- collateral_stale"]);
    assert_eq!(
        answer.error(422, "INSUFFICIENT_COLLATERAL")["expiry"],
        "2026-07-01T12:00:00.000Z"
    );
    collateralize(server, stablecoin, 2, START.plus_seconds(60 * DAY)).await;
    mint_lines(server, &stablecoin, &[(recipient(0), "1")]).await.ok();
    assert_eq!(
        refused(server, &stablecoin, &[(recipient(0), "1")], "INSUFFICIENT_COLLATERAL").await,
        ["- collateral_short"]
    );
}

async fn a_ratio_of_collateral_is_rounded_up(server: &Server) {
    let ratio = |bps, symbol| NewAsset {
        collateral: Some(Collateral {
            topic: topic("collateral"),
            ratio: BasisPoints::parse(bps, Collateral::RATIO_MAX).unwrap(),
        }),
        ..token(AssetKind::Deposit, symbol)
    };
    for (bps, symbol, covered) in [
        (5_000, "HALF", 200),
        (15_000, "MORE", 66),
        (10_001, "ROUND", 99),
        (20_000, "TWICE", 50),
    ] {
        let asset = server.found(ratio(bps, symbol)).await;
        let amount = covered.to_string();
        assert_eq!(
            refused(server, &asset, &[(recipient(0), "1")], "INSUFFICIENT_COLLATERAL").await,
            ["- collateral_short"]
        );
        collateralize(server, asset, 100, START.plus_seconds(DAY)).await;

        mint_lines(server, &asset, &[(recipient(0), &amount)]).await.ok();

        assert_eq!(
            refused(server, &asset, &[(recipient(0), "1")], "INSUFFICIENT_COLLATERAL").await,
            ["- collateral_short"],
            "{symbol}"
        );
    }
}

async fn collateral_of_an_issuer_that_is_trusted_no_more_is_none(server: &Server) {
    let stablecoin = server.world.stablecoin;
    mint_lines(server, &stablecoin, &[(recipient(0), "1")]).await.ok();
    let trusted = server.world.trusted.wallet;
    server
        .write(
            &server.world.system[&moneyer::access::Role::ClaimPolicyManager],
            move |tx, ctx| {
                let issuer = identity::by_wallet(tx, &trusted)?;
                identity::remove_trusted_issuer(tx, ctx, &issuer.address)
            },
        )
        .await;

    let findings = refused(server, &stablecoin, &[(recipient(0), "1")], "INSUFFICIENT_COLLATERAL").await;

    assert_eq!(findings, ["- collateral_short"]);
}

async fn a_bond_is_minted_until_the_second_before_it_matures(server: &Server) {
    let bond = server.world.bond;
    server.advance(365 * DAY - 1);
    import_sanctions_now(server).await;
    mint_lines(server, &bond, &[(recipient(0), "1")]).await.ok();

    server.advance(1);

    assert_eq!(
        refused(server, &bond, &[(recipient(0), "1")], "ASSET_MATURED").await,
        ["- asset_matured"]
    );
    assert_eq!(
        mint_lines(server, &bond, &[(recipient(0), "1")]).await.message(),
        "Asset has matured"
    );
}

async fn a_paused_asset_is_not_minted_until_it_goes_on(server: &Server) {
    let paused = server.world.paused;
    assert_eq!(
        refused(server, &paused, &[(recipient(0), "1")], "ASSET_PAUSED").await,
        ["- asset_paused"]
    );
    assert_eq!(
        mint_lines(server, &paused, &[(recipient(0), "1")]).await.message(),
        "Asset is paused"
    );
    let asset = server.asset(&paused).await.id;

    server
        .write(&server.world.emergency, move |tx, ctx| {
            servicing::unpause(tx, ctx, asset)
        })
        .await;
    mint_lines(server, &paused, &[(recipient(0), "1")]).await.ok();
    server
        .write(&server.world.emergency, move |tx, ctx| servicing::pause(tx, ctx, asset))
        .await;

    assert_eq!(
        refused(server, &paused, &[(recipient(0), "1")], "ASSET_PAUSED").await,
        ["- asset_paused"]
    );
}

async fn the_same_recipient_twice_is_two_lines_that_add_up(server: &Server) {
    let bond = server.world.bond;

    let lines = [(recipient(0), "40000"), (recipient(0), "60001")];
    assert_eq!(
        refused(server, &bond, &lines, "SUPPLY_CAP_EXCEEDED").await,
        ["- cap_exceeded"]
    );
    let asset = mint_lines(server, &bond, &[(recipient(0), "40000"), (recipient(0), "60000")])
        .await
        .ok();

    assert_eq!(asset["totalSupply"], r#"["100000",2]"#);
    assert_eq!(asset["stats"]["balancesCount"], 1);
}

async fn when_several_kinds_fail_the_first_in_order_names_the_answer_and_all_are_told(server: &Server) {
    let bond = server.asset(&server.world.bond).await;
    server
        .write(&server.world.emergency, move |tx, ctx| {
            servicing::pause(tx, ctx, bond.id)
        })
        .await;
    server.advance(365 * DAY);
    let lines = [(wallet(999), "100001"), (recipient(0), "0")];
    let all = [
        "1 amount_zero",
        "- asset_matured",
        "- asset_paused",
        "- cap_exceeded",
        "0 identity_unknown",
        "1 sanctions_list_stale",
    ];

    let found = refused(server, &server.world.bond, &lines, "INPUT_VALIDATION_FAILED").await;
    for expected in all {
        assert!(found.contains(&expected.to_owned()), "{expected}: {found:?}");
    }
    refused(server, &server.world.bond, &lines[..1], "ASSET_MATURED").await;
}

async fn the_codes_come_in_their_documented_order(server: &Server) {
    let stablecoin = server.asset(&server.world.stablecoin).await.id;
    let capped = server
        .found(NewAsset {
            cap: Some(Amount::from(10)),
            ..token(AssetKind::Stablecoin, "CAPPED")
        })
        .await;
    let frozen = recipient(1);
    let capped_id = server.asset(&capped).await.id;
    server
        .write(&server.world.custodian, move |tx, ctx| {
            servicing::freeze_address(tx, ctx, capped_id, frozen, Freeze::Frozen)
        })
        .await;
    assert_ne!(stablecoin, capped_id);

    let too_much = [(wallet(999), "11"), (frozen, "1")];
    assert_eq!(
        mint_lines(server, &capped, &too_much).await.body["code"],
        "SUPPLY_CAP_EXCEEDED"
    );
    let uncovered = [(wallet(999), "1"), (frozen, "1")];
    assert_eq!(
        mint_lines(server, &capped, &uncovered).await.body["code"],
        "INSUFFICIENT_COLLATERAL"
    );
    collateralize(server, capped, 10, START.plus_seconds(DAY)).await;
    assert_eq!(
        mint_lines(server, &capped, &uncovered).await.body["code"],
        "RECIPIENT_IDENTITY_NOT_FOUND"
    );
    assert_eq!(
        mint_lines(server, &capped, &[(frozen, "1")]).await.body["code"],
        "RECIPIENT_NOT_COMPLIANT"
    );
    server
        .write(&server.world.emergency, move |tx, ctx| {
            servicing::pause(tx, ctx, capped_id)
        })
        .await;
    assert_eq!(
        mint_lines(server, &capped, &too_much).await.body["code"],
        "ASSET_PAUSED"
    );
}

async fn a_refusal_is_recorded_with_its_findings_and_lines(server: &Server) {
    let deposit = server.asset(&server.world.deposit).await;
    mint_lines(
        server,
        &server.world.deposit,
        &[(recipient(0), "5"), (wallet(999), "7")],
    )
    .await
    .error(422, "RECIPIENT_IDENTITY_NOT_FOUND");

    let filter = EventFilter {
        asset: Some(deposit.id),
        action: Some("mint.refused".into()),
        ..EventFilter::default()
    };
    let events = server.events(filter).await;

    assert_eq!(events.len(), 1);
    let data: Value = serde_json::from_str(&events[0].data).unwrap();
    assert_eq!(events[0].actor, server.world.issuer.actor().name());
    assert_eq!(data["findings"][0]["slug"], "identity_unknown");
    assert_eq!(data["lines"][1], json!({ "recipient": wallet(999), "amount": "7" }));
    assert_eq!(data["policyHash"], json!(server.app.policy().hash));
}
