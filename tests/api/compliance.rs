//! Who may receive (dalp.md A9): registration, freezing, claims, lists, the modules of an asset; every failing line is told.

use std::sync::mpsc;
use std::time::Duration;

use moneyer::compliance::{self, SanctionsFile, Shrink};
use moneyer::db::Tx;
use moneyer::error::Error;
use moneyer::identity::{self, ClaimTerms, Revocation};
use moneyer::ledger::Freeze;
use moneyer::servicing;
use moneyer::types::{Address, CountryCode};
use serde_json::json;

use crate::both_databases;
use crate::steps::{DAY, claim, import_sanctions_now, mint_lines, refused, register, with_module};
use crate::support::{START, Server, batch, recipient, topic, wallet};

both_databases! {
    a_recipient_must_be_registered_and_not_only_created,
    a_frozen_recipient_receives_nothing_until_it_is_free,
    who_lacks_several_claims_is_told_all_of_them,
    a_claim_counts_from_its_first_second_to_the_one_before_its_last,
    a_revoked_claim_counts_no_more_and_a_new_one_does,
    an_issuer_that_is_trusted_no_more_stands_behind_nothing,
    the_baseline_blocks_countries_and_listed_addresses_on_every_asset,
    a_sanctions_list_counts_for_a_week_and_not_a_microsecond_longer,
    two_imports_of_sanctions_at_once_are_judged_one_after_the_other,
    lines_are_judged_one_after_the_other_and_nothing_of_a_refused_batch_stays,
    modules_of_an_asset_are_judged_beside_the_baseline,
    a_supply_limit_holds_inside_on_and_outside_its_edge,
    every_failing_line_of_a_full_batch_is_told,
    while_another_policy_is_in_force_every_mint_is_refused,
}

async fn a_recipient_must_be_registered_and_not_only_created(server: &Server) {
    let deposit = server.world.deposit;
    let created = wallet(900);
    server
        .write(&server.world.officer, move |tx, ctx| {
            identity::create(tx, ctx, created).map(|_| ())
        })
        .await;

    let lines = [(wallet(999), "1"), (recipient(0), "1"), (created, "1")];
    let findings = refused(server, &deposit, &lines, "RECIPIENT_IDENTITY_NOT_FOUND").await;

    assert_eq!(findings, ["0 identity_unknown", "2 identity_unknown"]);
    assert_eq!(
        mint_lines(server, &deposit, &lines).await.message(),
        "Recipient identity not found"
    );
}

async fn a_frozen_recipient_receives_nothing_until_it_is_free(server: &Server) {
    let deposit = server.asset(&server.world.deposit).await;
    let freeze = |freeze| {
        server.write(&server.world.custodian, move |tx, ctx| {
            servicing::freeze_address(tx, ctx, deposit.id, recipient(3), freeze)
        })
    };
    mint_lines(server, &server.world.deposit, &[(recipient(3), "1")])
        .await
        .ok();
    freeze(Freeze::Frozen).await;

    let lines = [(recipient(2), "1"), (recipient(3), "1")];
    let findings = refused(server, &server.world.deposit, &lines, "RECIPIENT_NOT_COMPLIANT").await;
    assert_eq!(findings, ["1 recipient_frozen"]);
    assert_eq!(
        mint_lines(server, &server.world.deposit, &lines).await.message(),
        "Recipient not compliant"
    );
    mint_lines(server, &server.world.bond, &[(recipient(3), "1")])
        .await
        .ok();

    freeze(Freeze::Free).await;
    mint_lines(server, &server.world.deposit, &lines).await.ok();
}

async fn who_lacks_several_claims_is_told_all_of_them(server: &Server) {
    let nobody = register(server, 500, "DE").await;
    let half = register(server, 501, "DE").await;
    claim(server, half, "knowYourCustomer", ClaimTerms::default()).await;
    let lines = [(recipient(0), "1"), (nobody, "1"), (half, "1"), (nobody, "1")];

    let findings = refused(server, &server.world.equity, &lines, "RECIPIENT_NOT_COMPLIANT").await;

    let expected = [
        "1 claim_missing",
        "1 claim_missing",
        "2 claim_missing",
        "3 claim_missing",
        "3 claim_missing",
    ];
    assert_eq!(findings, expected);
    let data = mint_lines(server, &server.world.equity, &lines)
        .await
        .error(422, "RECIPIENT_NOT_COMPLIANT");
    let second = &data["findings"][1];
    assert_eq!(second["recipient"], json!(nobody));
    assert_eq!(second["rule"], "demo-equity/aml");
    assert_eq!(second["params"], json!({ "topic": "antiMoneyLaundering" }));
}

async fn a_claim_counts_from_its_first_second_to_the_one_before_its_last(server: &Server) {
    let equity = server.world.equity;
    let window = |from: i64, to: i64| ClaimTerms {
        not_before: Some(START.plus_seconds(from)),
        expires_at: Some(START.plus_seconds(to)),
        ..ClaimTerms::default()
    };
    let timed = register(server, 500, "DE").await;
    claim(server, timed, "antiMoneyLaundering", ClaimTerms::default()).await;
    claim(server, timed, "knowYourCustomer", window(100, 200)).await;

    server.advance(99);
    assert_eq!(
        refused(server, &equity, &[(timed, "1")], "RECIPIENT_NOT_COMPLIANT").await,
        ["0 claim_not_yet_valid"]
    );
    server.advance(1);
    mint_lines(server, &equity, &[(timed, "1")]).await.ok();
    server.advance(99);
    mint_lines(server, &equity, &[(timed, "1")]).await.ok();
    server.advance(1);
    assert_eq!(
        refused(server, &equity, &[(timed, "1")], "RECIPIENT_NOT_COMPLIANT").await,
        ["0 claim_expired"]
    );
}

async fn a_revoked_claim_counts_no_more_and_a_new_one_does(server: &Server) {
    let (equity, revoked) = (server.world.equity, recipient(7));
    server
        .write(&server.world.trusted, move |tx, ctx| {
            let target = identity::by_wallet(tx, &revoked)?.address;
            identity::revoke_claim(
                tx,
                ctx,
                &Revocation {
                    target,
                    topic: topic("knowYourCustomer"),
                    issuer: None,
                },
            )
            .map(|_| ())
        })
        .await;

    assert_eq!(
        refused(server, &equity, &[(revoked, "1")], "RECIPIENT_NOT_COMPLIANT").await,
        ["0 claim_revoked"]
    );
    claim(server, revoked, "knowYourCustomer", ClaimTerms::default()).await;
    mint_lines(server, &equity, &[(revoked, "1")]).await.ok();
}

async fn an_issuer_that_is_trusted_no_more_stands_behind_nothing(server: &Server) {
    let trusted = server.world.trusted.wallet;
    let curator = &server.world.system[&moneyer::access::Role::ClaimPolicyManager];
    server
        .write(curator, move |tx, ctx| {
            let issuer = identity::by_wallet(tx, &trusted)?;
            identity::update_trusted_issuer(tx, ctx, &issuer.address, &[topic("knowYourCustomer")]).map(|_| ())
        })
        .await;

    let findings = refused(
        server,
        &server.world.equity,
        &[(recipient(0), "1")],
        "RECIPIENT_NOT_COMPLIANT",
    )
    .await;

    assert_eq!(findings, ["0 issuer_untrusted"]);
}

async fn the_baseline_blocks_countries_and_listed_addresses_on_every_asset(server: &Server) {
    let blocked = register(server, 500, "KP").await;
    let listed = Address::parse("0x14faf92550a69048684efc257670cde173f4f1ad").unwrap();
    let germany = CountryCode::parse_alpha2("DE").unwrap();
    server
        .write(&server.world.officer, move |tx, ctx| {
            identity::register_many(tx, ctx, &[(listed, germany)]).map(|_| ())
        })
        .await;

    let lines = [(blocked, "1"), (listed, "1"), (recipient(0), "1")];
    let findings = refused(server, &server.world.deposit, &lines, "RECIPIENT_NOT_COMPLIANT").await;

    assert_eq!(findings, ["0 country_blocked", "1 address_sanctioned"]);
}

async fn a_sanctions_list_counts_for_a_week_and_not_a_microsecond_longer(server: &Server) {
    server.advance(7 * DAY);
    mint_lines(server, &server.world.deposit, &[(recipient(0), "1")])
        .await
        .ok();

    server.advance(1);

    let findings = refused(
        server,
        &server.world.deposit,
        &[(recipient(0), "1")],
        "RECIPIENT_NOT_COMPLIANT",
    )
    .await;
    assert_eq!(findings, ["0 sanctions_list_stale"]);
    import_sanctions_now(server).await;
    mint_lines(server, &server.world.deposit, &[(recipient(0), "1")])
        .await
        .ok();
}

async fn two_imports_of_sanctions_at_once_are_judged_one_after_the_other(server: &Server) {
    let list = |count: u16| {
        let rows: Vec<String> = (0..count).map(|number| wallet(5_000 + number).to_string()).collect();
        format!("address\n{}\n", rows.join("\n"))
    };
    let (now, db) = (server.now().plus_seconds(60), server.app.db().clone());
    let import = move |tx: &mut Tx<'_>, csv: &str| {
        let file = SanctionsFile {
            name: "at once",
            as_of: now,
            bytes: csv.as_bytes(),
            shrink: Shrink::Refuse,
        };
        compliance::import_sanctions(tx, now, &file)
    };
    // Either alone is longer than the world's own.
    let (long, short) = (list(100), list(50));
    let (begun, has_begun) = mpsc::channel();
    let (ended, has_ended) = mpsc::channel::<()>();
    let first = {
        let db = db.clone();
        std::thread::spawn(move || {
            db.write_blocking(|tx| {
                let list = import(tx, &long)?;
                begun.send(()).unwrap();
                // The other one ends before this one commits, or waits for it.
                has_ended.recv_timeout(Duration::from_millis(300)).ok();
                Ok(list)
            })
        })
    };
    has_begun.recv().unwrap();
    let second = std::thread::spawn(move || {
        let outcome = db.write_blocking(|tx| import(tx, &short));
        ended.send(()).ok();
        outcome
    });
    let (first, second) = tokio::task::spawn_blocking(move || (first.join().unwrap(), second.join().unwrap()))
        .await
        .unwrap();

    let first = first.unwrap();
    assert!(matches!(second, Err(Error::Conflict(_))), "{second:?}");
    let in_force = server.read(compliance::newest_sanctions_list).await;
    assert_eq!(in_force, Some(first));
}

async fn lines_are_judged_one_after_the_other_and_nothing_of_a_refused_batch_stays(server: &Server) {
    let limited = server
        .found(with_module(
            "LIMIT",
            "InvestorCountComplianceModule",
            json!({ "maxInvestors": 2 }),
        ))
        .await;

    let three = [
        (recipient(0), "1"),
        (recipient(1), "1"),
        (recipient(0), "1"),
        (recipient(2), "1"),
    ];
    assert_eq!(
        refused(server, &limited, &three, "RECIPIENT_NOT_COMPLIANT").await,
        ["3 holder_limit"]
    );
    mint_lines(server, &limited, &three[..3]).await.ok();
    let asset = server.asset(&limited).await;
    assert_eq!((asset.holders, asset.supply.to_string()), (2, "3".to_owned()));
    assert_eq!(
        refused(server, &limited, &three[3..], "RECIPIENT_NOT_COMPLIANT").await,
        ["0 holder_limit"]
    );
    mint_lines(server, &limited, &[(recipient(1), "5")]).await.ok();
}

async fn modules_of_an_asset_are_judged_beside_the_baseline(server: &Server) {
    let (french, german) = (register(server, 500, "FR").await, recipient(0));
    let cases = [
        (
            "ALLOW",
            "CountryAllowListComplianceModule",
            json!([250]),
            german,
            "country_not_allowed",
        ),
        (
            "BLOCK",
            "CountryBlockListComplianceModule",
            json!([276]),
            german,
            "country_blocked",
        ),
        (
            "ADDRESS",
            "AddressBlockListComplianceModule",
            json!([german]),
            german,
            "recipient_blocked",
        ),
        (
            "IDENTITY",
            "SMARTIdentityVerificationComplianceModule",
            json!("accreditedInvestor"),
            german,
            "claim_missing",
        ),
    ];
    for (symbol, type_id, values, refused_one, slug) in cases {
        let asset = server.found(with_module(symbol, type_id, values)).await;
        let findings = refused(server, &asset, &[(refused_one, "1")], "RECIPIENT_NOT_COMPLIANT").await;
        assert_eq!(findings, [format!("0 {slug}")], "{symbol}");
        if symbol != "IDENTITY" {
            mint_lines(server, &asset, &[(french, "1")]).await.ok();
        }
    }
}

async fn a_supply_limit_holds_inside_on_and_outside_its_edge(server: &Server) {
    let values =
        json!({ "maxSupply": 10, "periodLength": 0, "rolling": false, "useBasePrice": false, "global": false });
    let limited = server
        .found(with_module("QUOTA", "TokenSupplyLimitComplianceModule", values))
        .await;

    mint_lines(server, &limited, &[(recipient(0), "9")]).await.ok();
    let findings = refused(
        server,
        &limited,
        &[(recipient(0), "1"), (recipient(1), "1")],
        "RECIPIENT_NOT_COMPLIANT",
    )
    .await;
    assert_eq!(findings, ["1 supply_window"]);
    mint_lines(server, &limited, &[(recipient(0), "1")]).await.ok();
}

async fn every_failing_line_of_a_full_batch_is_told(server: &Server) {
    let strangers: Vec<Address> = (2_000..2_100).map(wallet).collect();

    let answer = server
        .post(
            &server.world.issuer,
            &Server::mint_path(&server.world.deposit),
            &batch(&strangers, 1),
        )
        .await;

    let expected: Vec<String> = (0..100).map(|index| format!("{index} identity_unknown")).collect();
    assert_eq!(answer.findings(), expected);
}

async fn while_another_policy_is_in_force_every_mint_is_refused(server: &Server) {
    let policy = other_policy();
    let now = server.now();
    server
        .write(&server.world.admin, move |tx, _| {
            moneyer::compliance::record_policy(tx, &policy, now)?;
            moneyer::compliance::activate_policy(tx, &policy, "admin", now)
        })
        .await;

    let findings = refused(
        server,
        &server.world.deposit,
        &[(recipient(0), "1")],
        "RECIPIENT_NOT_COMPLIANT",
    )
    .await;
    let ready = server.call(reqwest::Method::GET, None, "/readyz").send().await;

    assert_eq!(findings, ["- policy_error"]);
    assert_eq!(ready.status.as_u16(), 503);
    assert!(
        ready.body["checks"]["policy"]
            .as_str()
            .unwrap()
            .starts_with("policy_error"),
        "{}",
        ready.text
    );
}

/// As it would be loaded from a folder of which one file says more.
pub fn other_policy() -> moneyer::policy::PolicySet {
    let folder = tempfile::tempdir().unwrap();
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    copy(&shipped, folder.path());
    let file = folder.path().join("defs/countries.toml");
    let more = "\n[groups.test]\ncountries = [\"BE\"]\nsource = \"a test\"\nas_of = 2026-01-15\n";
    let text = std::fs::read_to_string(&file).unwrap() + more;
    std::fs::write(&file, text).unwrap();
    moneyer::policy::load(folder.path()).unwrap()
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target)),
        }
    }
}
