//! What a mint may look like (dalp.md A2, A4, A5), and what is said of one that does not.

use moneyer::types::Address;
use serde_json::{Value, json};

use crate::both_databases;
use crate::footprint::Footprint;
use crate::support::{PIN, Role, Server, recipient, wallet};

both_databases! {
    one_recipient_is_minted_to_and_the_asset_comes_back_with_its_new_supply,
    each_form_of_one_amount_mints_the_same,
    two_texts_are_a_batch_and_a_number_behind_a_text_makes_one_dnum,
    amounts_that_are_none_are_refused_with_their_place,
    a_dnum_of_another_scale_is_refused_naming_both,
    the_largest_amount_of_all_fits_and_one_more_is_refused,
    addresses_are_taken_in_lower_case_or_with_a_right_checksum,
    a_batch_has_one_to_a_hundred_recipients,
    lists_of_different_length_do_not_match,
    everything_that_is_wrong_is_said_at_once,
    the_verification_is_asked_for_in_its_form,
    a_wrong_code_is_never_repeated_in_an_answer,
    unknown_fields_of_a_mint_are_dropped,
    a_misspelt_field_is_named_where_it_would_be_missed_by_nobody,
    a_misspelt_filter_is_named,
    an_asset_is_named_by_its_address_in_any_good_spelling,
}

async fn supply(server: &Server, asset: &Address) -> String {
    server.asset(asset).await.supply.to_string()
}

/// Sends a body that is malformed: `path code` of each issue.
async fn issues(server: &Server, body: &Value) -> Vec<String> {
    let path = Server::mint_path(&server.world.equity);
    server.post(&server.world.issuer, &path, body).await.issues()
}

async fn issues_of(server: &Server, recipients: &Value, amounts: &Value) -> Vec<String> {
    issues(server, &Server::mint_body(recipients.clone(), amounts.clone())).await
}

async fn one_recipient_is_minted_to_and_the_asset_comes_back_with_its_new_supply(server: &Server) {
    let answer = server
        .mint(&server.world.equity, &recipient(0), "1000000000000000000000")
        .await;

    assert!(answer.header("X-Operation-Id").is_some());
    let asset = answer.ok();
    assert_eq!(asset["id"], json!(server.world.equity));
    assert_eq!(asset["totalSupply"], r#"["1000000000000000000000",18]"#);
}

async fn each_form_of_one_amount_mints_the_same(server: &Server) {
    let equity = server.world.equity;
    let forms = [
        json!("1000"),
        json!(1000),
        json!(["1000", 18]),
        json!([1000, 18]),
        json!(["1000"]),
        json!([1000]),
        json!([["1000", 18]]),
        json!([[1000, 18]]),
    ];
    for (index, amounts) in forms.iter().enumerate() {
        for recipients in [json!(recipient(0)), json!([recipient(0)])] {
            let body = Server::mint_body(recipients, amounts.clone());
            server
                .post(&server.world.issuer, &Server::mint_path(&equity), &body)
                .await
                .ok();
        }
        assert_eq!(
            supply(server, &equity).await,
            ((index + 1) * 2_000).to_string(),
            "{amounts}"
        );
    }
}

async fn two_texts_are_a_batch_and_a_number_behind_a_text_makes_one_dnum(server: &Server) {
    let two = json!([recipient(0), recipient(1)]);

    // The reference mints 500 to the first and 18 to the second (dalp.md section 2, 4).
    assert_eq!(issues_of(server, &two, &json!(["500", 18])).await, ["amounts length"]);

    let body = Server::mint_body(two, json!(["500", "18"]));
    let asset = server
        .post(&server.world.issuer, &Server::mint_path(&server.world.equity), &body)
        .await
        .ok();
    assert_eq!(asset["totalSupply"], r#"["518",18]"#);
}

async fn amounts_that_are_none_are_refused_with_their_place(server: &Server) {
    let one = json!(recipient(0));
    let refused = [
        (json!(null), "amounts required"),
        (json!(""), "amounts format"),
        (json!("-1"), "amounts format"),
        (json!("+1"), "amounts format"),
        (json!(" 1"), "amounts format"),
        (json!("1.5"), "amounts format"),
        (json!("1e3"), "amounts format"),
        (json!("0x10"), "amounts format"),
        (json!("١"), "amounts format"),
        (json!(true), "amounts type"),
        (json!({ "value": "1" }), "amounts type"),
        (json!(1.5), "amounts format"),
        (json!(-1), "amounts format"),
        (json!(1e3), "amounts format"),
        (json!(9_007_199_254_740_992_u64), "amounts format"),
        (
            json!("115792089237316195423570985008687907853269984665640564039457584007913129639936"),
            "amounts format",
        ),
        (json!("9".repeat(79)), "amounts format"),
        (json!([]), "amounts range"),
        (json!([null]), "amounts.0 required"),
        (json!([true]), "amounts.0 type"),
        (json!([""]), "amounts.0 format"),
        (json!(["1", 17]), "amounts range"),
        (json!(["1", 19]), "amounts format"),
        (json!(["1", -18]), "amounts range"),
        (json!(["1", 18.5]), "amounts range"),
        (json!(["-1", 18]), "amounts format"),
        (json!([["1", "18"]]), "amounts.0 type"),
        (json!([["1", 6]]), "amounts.0 range"),
        (json!([["1", 18, 0]]), "amounts.0 type"),
        (json!([[["1", 18]]]), "amounts.0 type"),
        (json!(["1", ["2", 18]]), "amounts type"),
        (json!([["1", 18], 2]), "amounts type"),
    ];
    let before = Footprint::of(server, &server.world.equity).await;
    for (amounts, expected) in refused {
        assert_eq!(issues_of(server, &one, &amounts).await, [expected], "{amounts}");
    }
    assert_eq!(
        Footprint::of(server, &server.world.equity).await,
        before,
        "a malformed mint leaves nothing"
    );
}

async fn a_dnum_of_another_scale_is_refused_naming_both(server: &Server) {
    let body = Server::mint_body(json!(recipient(0)), json!(["1", 6]));

    let answer = server
        .post(&server.world.issuer, &Server::mint_path(&server.world.equity), &body)
        .await;

    let message = answer.error(400, "BAD_REQUEST")["issues"][0]["message"].to_string();
    assert!(message.contains('6') && message.contains("18"), "{message}");
}

async fn the_largest_amount_of_all_fits_and_one_more_is_refused(server: &Server) {
    let max = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
    let deposit = server.world.deposit;

    let asset = server.mint(&deposit, &recipient(0), max).await.ok();
    let more = server.mint(&deposit, &recipient(0), 1).await;

    assert_eq!(asset["totalSupply"], format!("[\"{max}\",0]"));
    assert_eq!(more.findings(), ["- amount_overflow"]);
    more.error(422, "SUPPLY_CAP_EXCEEDED");
}

async fn addresses_are_taken_in_lower_case_or_with_a_right_checksum(server: &Server) {
    let good = recipient(0).to_string();
    let lower = good.to_lowercase();
    let wrong = flip_one_letter(&good);
    let (long, short) = (format!("{good}0"), good[..41].to_owned());
    let no_prefix = format!("00{}", &good[2..]);
    let refused = [
        (json!(null), "recipients required"),
        (json!(7), "recipients type"),
        (json!({}), "recipients type"),
        (json!([]), "recipients range"),
        (json!([7]), "recipients.0 type"),
        (json!([null]), "recipients.0 type"),
        (json!(""), "recipients format"),
        (json!(wrong), "recipients format"),
        (json!(long), "recipients format"),
        (json!(short), "recipients format"),
        (json!(no_prefix), "recipients format"),
        (json!(format!("0x{}", "g".repeat(40))), "recipients format"),
        (json!(Address::ZERO), "recipients format"),
        // The first three recipients of the seed: 39 digits, 41 digits, a wrong checksum.
        (json!("0x742d35Cc6634C0532925a3b844Bc9e7595f0bEb"), "recipients format"),
        (
            json!("0x8e5F72f6E5b3B4D1234567890AbCdEf1234567890"),
            "recipients format",
        ),
        (json!("0x1234567890AbCdEf1234567890AbCdEf12345678"), "recipients format"),
    ];

    for (recipients, expected) in refused {
        assert_eq!(
            issues_of(server, &recipients, &json!("1")).await,
            [expected],
            "{recipients}"
        );
    }
    for address in [good, lower] {
        let body = Server::mint_body(address, "1");
        server
            .post(&server.world.issuer, &Server::mint_path(&server.world.equity), &body)
            .await
            .ok();
    }
}

async fn a_batch_has_one_to_a_hundred_recipients(server: &Server) {
    let wallets: Vec<Value> = (0..101).map(|number| json!(recipient(number))).collect();
    let lists = |length: usize| (json!(wallets[..length]), json!(vec!["1"; length]));
    let (none, no_amounts) = lists(0);
    let (too_many, amounts) = lists(101);

    assert_eq!(
        issues_of(server, &none, &no_amounts).await,
        ["recipients range", "amounts range"]
    );
    assert_eq!(
        issues_of(server, &too_many, &amounts).await,
        ["recipients range", "amounts range"]
    );
    for length in [1, 100] {
        let (recipients, amounts) = lists(length);
        let body = Server::mint_body(recipients, amounts);
        server
            .post(&server.world.issuer, &Server::mint_path(&server.world.equity), &body)
            .await
            .ok();
    }
    assert_eq!(supply(server, &server.world.equity).await, "101");
}

async fn lists_of_different_length_do_not_match(server: &Server) {
    let two = json!([recipient(0), recipient(1)]);

    for (recipients, amounts) in [
        (two.clone(), json!("1")),
        (two.clone(), json!(["1", "2", "3"])),
        (json!(recipient(0)), json!(["1", "2"])),
        (two, json!([["1", 18]])),
    ] {
        let body = Server::mint_body(recipients.clone(), amounts.clone());
        let answer = server
            .post(&server.world.issuer, &Server::mint_path(&server.world.equity), &body)
            .await;

        assert_eq!(answer.issues(), ["amounts length"], "{recipients} {amounts}");
        assert_eq!(answer.message(), "Recipients and amounts mismatch");
    }
}

async fn everything_that_is_wrong_is_said_at_once(server: &Server) {
    let body = json!({
        "recipients": [recipient(0), "0x1", Address::ZERO],
        "amounts": ["1", "-2", "x"],
        "walletVerification": { "secretVerificationCode": PIN, "verificationType": "FINGERPRINT" },
    });

    let found = issues(server, &body).await;

    let expected = [
        "recipients.1 format",
        "recipients.2 format",
        "amounts.1 format",
        "amounts.2 format",
        "walletVerification.verificationType enum",
    ];
    assert_eq!(found, expected);
}

async fn the_verification_is_asked_for_in_its_form(server: &Server) {
    let with = |verification: Value| {
        let mut body = Server::mint_body(json!(recipient(0)), "1");
        body["walletVerification"] = verification;
        body
    };
    let code = json!(PIN);

    let missing = json!({ "recipients": recipient(0), "amounts": "1" });
    assert_eq!(issues(server, &missing).await, ["walletVerification required"]);
    for (verification, path) in [
        (json!(null), "walletVerification required"),
        (json!("123456"), "walletVerification type"),
        (
            json!({ "verificationType": "PINCODE" }),
            "walletVerification.secretVerificationCode required",
        ),
        (
            json!({ "secretVerificationCode": 123456 }),
            "walletVerification.secretVerificationCode type",
        ),
        (
            json!({ "secretVerificationCode": code, "verificationType": "pincode" }),
            "walletVerification.verificationType enum",
        ),
        (
            json!({ "secretVerificationCode": code, "verificationType": 1 }),
            "walletVerification.verificationType type",
        ),
    ] {
        assert_eq!(
            issues(server, &with(verification.clone())).await,
            [path],
            "{verification}"
        );
    }
    // The type may be left out (dalp.md A15).
    let path = Server::mint_path(&server.world.equity);
    server
        .post(
            &server.world.issuer,
            &path,
            &with(json!({ "secretVerificationCode": code })),
        )
        .await
        .ok();
}

async fn a_wrong_code_is_never_repeated_in_an_answer(server: &Server) {
    let secret = "hunter2-hunter2";
    let mut body = Server::mint_body(json!("0x1"), "1");
    body["walletVerification"]["secretVerificationCode"] = json!(secret);
    let path = Server::mint_path(&server.world.equity);
    let malformed = server.post(&server.world.issuer, &path, &body).await;
    body["recipients"] = json!(recipient(0));
    let wrong = server.post(&server.world.issuer, &path, &body).await;
    body["walletVerification"]["secretVerificationCode"] = json!([secret]);
    let mistyped = server.post(&server.world.issuer, &path, &body).await;

    wrong.error(401, "CHALLENGE_FAILED");
    for answer in [malformed, wrong, mistyped] {
        assert!(!answer.text.contains(secret), "{}", answer.text);
    }
}

async fn a_misspelt_field_is_named_where_it_would_be_missed_by_nobody(server: &Server) {
    let manager = &server.world.system[&Role::TokenManager];
    let verified = json!({ "secretVerificationCode": PIN, "verificationType": "PINCODE" });
    let mut asset = json!({
        "type": "equity", "name": "Acme", "symbol": "ACMEX", "decimals": 18, "countryCode": "056",
        "basePrice": "1.00", "basePriceCurrencyCode": "USD", "class": "COMMON_EQUITY", "category": "VOTING_COMMON_STOCK",
        "polcy": "demo-equity", "capp": "1000", "walletVerification": verified,
    });
    let misspelt = server.post(manager, "/api/token/create", &asset).await;
    asset["collateral"] = json!({ "ratioBsp": 10000 });
    let inside = server.post(manager, "/api/token/create", &asset).await;
    let identity = json!({ "wallet": wallet(990), "country": "DE", "walletVerification": verified });
    let officer = &server.world.system[&Role::IdentityManager];
    let of_another_route = server.post(officer, "/api/system/identity", &identity).await;
    // As the reference takes them: a parameter of the path, and a password, which nobody has here.
    let taken = json!({ "wallet": wallet(990), "password": "x", "id": "default", "walletVerification": verified });

    assert_eq!(misspelt.issues(), ["capp unknown", "polcy unknown"]);
    assert_eq!(inside.issues(), ["collateral.ratioBsp type"]);
    assert_eq!(of_another_route.issues(), ["country unknown"]);
    server.post(officer, "/api/system/identity", &taken).await.ok();
}

async fn a_misspelt_filter_is_named(server: &Server) {
    let issuer = &server.world.issuer;

    let operations = server.get(issuer, "/api/operations?status=bogus&limit=1").await;
    let events = server
        .get(
            issuer,
            &format!("/api/audit?asset={}&acton=mint.accepted", server.world.equity),
        )
        .await;

    assert_eq!(operations.issues(), ["status unknown"]);
    assert_eq!(events.issues(), ["acton unknown"]);
}

async fn unknown_fields_of_a_mint_are_dropped(server: &Server) {
    let mut body = Server::mint_body(json!(recipient(0)), "1");
    body["memo"] = json!("for later");

    server
        .post(&server.world.issuer, &Server::mint_path(&server.world.equity), &body)
        .await
        .ok();
}

async fn an_asset_is_named_by_its_address_in_any_good_spelling(server: &Server) {
    let body = Server::mint_body(json!(recipient(0)), "1");
    let equity = server.world.equity.to_string();

    let lower = format!("/api/token/{}/mint", equity.to_lowercase());
    server.post(&server.world.issuer, &lower, &body).await.ok();
    for malformed in ["ACME", "0x1", &flip_one_letter(&equity)] {
        let answer = server
            .post(&server.world.issuer, &format!("/api/token/{malformed}/mint"), &body)
            .await;
        assert_eq!(answer.issues(), ["contract format"], "{malformed}");
    }
    let unknown = server
        .post(&server.world.issuer, &Server::mint_path(&wallet(999)), &body)
        .await;
    unknown.error(404, "NOT_FOUND");
    assert_eq!(unknown.message(), "Asset not found");
}

/// The same address with one letter in the wrong case.
/// An address in one case has no checksum (EIP-55): of the spellings that differ in one letter, one that has both cases.
fn flip_one_letter(address: &str) -> String {
    let places = address.char_indices().skip(2).filter(|(_, c)| c.is_ascii_alphabetic());
    let flipped = places.map(|(place, letter)| {
        let flipped = if letter.is_ascii_uppercase() {
            letter.to_ascii_lowercase()
        } else {
            letter.to_ascii_uppercase()
        };
        format!("{}{flipped}{}", &address[..place], &address[place + 1..])
    });
    let has_both = |text: &String| {
        let digits = &text[2..];
        digits.contains(|c: char| c.is_ascii_uppercase()) && digits.contains(|c: char| c.is_ascii_lowercase())
    };
    flipped.into_iter().find(has_both).unwrap()
}
