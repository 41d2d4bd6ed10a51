//! Setting up, changing and removing wallet verification over HTTP (dalp.md A8).

use moneyer::access::{self, By, KeyKind, NewKey, NewUser};
use moneyer::types::Timestamp;
use serde_json::{Value, json};

use crate::both_databases;
use crate::support::{Person, Server, wallet};

/// Somebody with a key and nothing set up.
async fn newcomer(server: &Server) -> Person {
    let vault = std::sync::Arc::clone(server.app.vault());
    let now = server.now();
    let made = server.app.db().write(move |tx| {
        let by = By::command_line(now);
        let new = NewUser {
            name: "newcomer".to_owned(),
            wallet: wallet(700),
        };
        let user = access::create_user(tx, by.clone(), new)?;
        let key = NewKey {
            user: user.id,
            name: None,
            kind: KeyKind::Test,
            expires_at: None,
        };
        let issued = access::create_key(tx, &vault, by, key)?;
        Ok(Person {
            name: user.name,
            user: user.id,
            wallet: user.wallet,
            key: issued.key.reveal().to_owned(),
        })
    });
    made.await.unwrap()
}

fn code(method: &str, text: &str) -> Value {
    json!({ "secretVerificationCode": text, "verificationType": method })
}

fn with(method: &str, text: &str) -> Value {
    json!({ "walletVerification": code(method, text) })
}

fn app_of(enabled: &Value) -> totp_rs::Totp {
    totp_rs::Totp::from_url(enabled["totpURI"].as_str().unwrap()).unwrap()
}

fn shown(app: &totp_rs::Totp, at: Timestamp) -> String {
    app.generate(u64::try_from(at.seconds()).unwrap()).to_string()
}

async fn verification_types(server: &Server, person: &Person) -> Value {
    server.get(person, "/api/user/me").await.ok()["verificationTypes"].clone()
}

both_databases! {
    what_was_begun_with_the_key_alone_ends_when_the_first_method_is_set_up,
    two_first_methods_at_once_are_one,
    a_new_set_in_place_of_the_only_method_leaves_no_moment_for_the_key_alone,
    a_new_set_of_codes_counts_once_it_is_stored_and_until_then_the_old_one_does,
    a_pin_is_not_hashed_for_a_change_that_would_be_refused,
    a_one_time_code_is_spent_although_the_pin_was_not_hashed,
    a_pin_of_a_wrong_type_is_not_repeated,
    the_first_method_needs_the_key_alone_and_every_later_one_a_code,
    a_pin_has_six_digits_is_changed_with_a_code_and_removed_with_one,
    a_secret_in_another_form_is_refused_and_not_repeated,
    one_time_passwords_count_from_their_first_good_code_on,
    an_enrolment_has_an_issuer_and_an_algorithm_within_bounds,
    secret_codes_count_once_they_are_stored_and_each_once,
    a_code_is_spent_although_the_change_is_refused,
    five_wrong_codes_lock_for_a_quarter_of_an_hour,
    a_replayed_set_up_shows_no_secret_and_another_pin_under_its_key_is_a_conflict,
}

async fn the_first_method_needs_the_key_alone_and_every_later_one_a_code(server: &Server) {
    let person = &newcomer(server).await;
    let post = async |path: &str, body: &Value| server.post(person, path, body).await;

    let enabled = post(
        "/api/auth/pincode/enable",
        &json!({ "pincode": "111111", "password": "ignored" }),
    )
    .await
    .ok();
    assert_eq!(enabled, json!({ "success": true, "verificationTypes": ["PINCODE"] }));
    let refused = post("/api/auth/two-factor/enable", &json!({})).await;
    assert_eq!(refused.issues(), ["walletVerification required"]);
    let refused = post("/api/auth/secret-codes/generate", &json!({})).await;
    assert_eq!(refused.issues(), ["walletVerification required"]);
    let refused = post("/api/auth/pincode/disable", &json!({})).await;
    assert_eq!(refused.issues(), ["walletVerification required"]);
    let wrong = post("/api/auth/two-factor/enable", &with("PINCODE", "222222")).await;
    assert_eq!(
        wrong.error(401, "CHALLENGE_FAILED"),
        json!({ "verificationType": "PINCODE", "attemptsLeft": 4 })
    );
    post("/api/auth/two-factor/enable", &with("PINCODE", "111111"))
        .await
        .ok();
    assert_eq!(verification_types(server, person).await, json!(["PINCODE"]));
}

async fn a_pin_has_six_digits_is_changed_with_a_code_and_removed_with_one(server: &Server) {
    let person = &newcomer(server).await;
    let post = async |path: &str, body: &Value| server.post(person, path, body).await;
    for bad in ["", "12345", "1234567", "12345x"] {
        let answer = post("/api/auth/pincode/enable", &json!({ "pincode": bad })).await;
        assert_eq!(answer.issues(), ["pincode format"]);
    }
    let missing = post("/api/auth/pincode/update", &json!({ "newPincode": "222222" })).await;
    missing.error(404, "VERIFICATION_ID_NOT_FOUND");
    post("/api/auth/pincode/enable", &json!({ "pincode": "111111" }))
        .await
        .ok();
    let twice = json!({ "pincode": "333333", "walletVerification": code("PINCODE", "111111") });
    post("/api/auth/pincode/enable", &twice).await.error(409, "CONFLICT");

    let change = json!({ "newPincode": "222222", "walletVerification": code("PINCODE", "111111") });
    post("/api/auth/pincode/update", &change).await.ok();
    post("/api/auth/pincode/disable", &with("PINCODE", "111111"))
        .await
        .error(401, "CHALLENGE_FAILED");
    let gone = post("/api/auth/pincode/disable", &with("PINCODE", "222222")).await.ok();
    assert_eq!(gone["verificationTypes"], json!([]));
    post("/api/auth/pincode/disable", &json!({}))
        .await
        .error(404, "VERIFICATION_ID_NOT_FOUND");
}

async fn a_secret_in_another_form_is_refused_and_not_repeated(server: &Server) {
    let person = &newcomer(server).await;

    for (path, body, issue) in [
        ("pincode/enable", json!({ "pincode": 735_911 }), "pincode type"),
        ("pincode/enable", json!({ "pincode": ["735911"] }), "pincode type"),
        ("pincode/enable", json!({}), "pincode required"),
        ("pincode/update", json!({ "newPincode": 735_911 }), "newPincode type"),
        (
            "pincode/disable",
            json!({ "walletVerification": "735911" }),
            "walletVerification type",
        ),
        ("two-factor/verify-totp", json!({ "code": 735_911 }), "code type"),
    ] {
        let answer = server.post(person, &format!("/api/auth/{path}"), &body).await;
        assert_eq!(answer.issues(), [issue], "{path} {body}");
        assert!(!answer.text.contains("735911"), "{path}: {}", answer.text);
    }
}

async fn one_time_passwords_count_from_their_first_good_code_on(server: &Server) {
    for algorithm in ["SHA1", "SHA256"] {
        let person = &newcomer_of(server, algorithm).await;
        let post = async |path: &str, body: &Value| server.post(person, path, body).await;
        let body = json!({ "issuer": "Acme Bank", "algorithm": algorithm });
        let enabled = post("/api/auth/two-factor/enable", &body).await.ok();
        let app = app_of(&enabled);

        assert!(
            enabled["qrCode"]
                .as_str()
                .unwrap()
                .starts_with("data:image/png;base64,")
        );
        assert_eq!(
            (&enabled["algorithm"], &enabled["period"]),
            (&json!(algorithm), &json!(30))
        );
        assert_eq!(verification_types(server, person).await, json!([]));
        let wrong = post("/api/auth/two-factor/verify-totp", &json!({ "code": "abc" })).await;
        wrong.error(401, "CHALLENGE_FAILED");
        let first = json!({ "code": shown(&app, server.now()) });
        let verified = post("/api/auth/two-factor/verify-totp", &first).await.ok();
        assert_eq!(verified["verificationTypes"], json!(["OTP"]));
        post("/api/auth/two-factor/verify-totp", &first)
            .await
            .error(409, "CONFLICT");

        // The confirming code is used up, the next one works once.
        let used = with("OTP", &shown(&app, server.now()));
        post("/api/auth/two-factor/disable", &used)
            .await
            .error(401, "CHALLENGE_FAILED");
        server.advance(30);
        let next = with("OTP", &shown(&app, server.now()));
        let gone = post("/api/auth/two-factor/disable", &next).await.ok();
        assert_eq!(gone["verificationTypes"], json!([]));
    }
}

async fn an_enrolment_has_an_issuer_and_an_algorithm_within_bounds(server: &Server) {
    let person = &newcomer(server).await;
    let body = json!({ "issuer": "a:b" });
    assert_eq!(
        server.post(person, "/api/auth/two-factor/enable", &body).await.issues(),
        ["issuer range"]
    );
    let body = json!({ "algorithm": "MD5" });
    assert_eq!(
        server.post(person, "/api/auth/two-factor/enable", &body).await.issues(),
        ["algorithm format"]
    );
    let missing = server
        .post(person, "/api/auth/two-factor/verify-totp", &json!({ "code": "123456" }))
        .await;
    missing.error(404, "VERIFICATION_ID_NOT_FOUND");
}

async fn secret_codes_count_once_they_are_stored_and_each_once(server: &Server) {
    let person = &newcomer(server).await;
    let post = async |path: &str, body: &Value| server.post(person, path, body).await;
    let generated = post("/api/auth/secret-codes/generate", &json!({})).await.ok();
    let codes: Vec<&str> = generated["secretCodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|code| code.as_str().unwrap())
        .collect();
    assert_eq!(codes.len(), 16);

    let not_yet = post("/api/auth/secret-codes/confirm", &json!({ "stored": false }))
        .await
        .ok();
    assert_eq!(not_yet["verificationTypes"], json!([]));
    let confirmed = post("/api/auth/secret-codes/confirm", &json!({ "stored": true }))
        .await
        .ok();
    assert_eq!(confirmed["verificationTypes"], json!(["SECRET_CODES"]));
    post("/api/auth/secret-codes/confirm", &json!({ "stored": true }))
        .await
        .error(409, "CONFLICT");
    let plain = codes[0].replace('-', "");
    let spend = |code: &str| json!({ "pincode": "111111", "walletVerification": self::code("SECRET_CODES", code) });
    post("/api/auth/pincode/enable", &spend(&plain)).await.ok();
    let replay = post("/api/auth/pincode/disable", &with("SECRET_CODES", codes[0])).await;
    assert_eq!(replay.error(401, "CHALLENGE_FAILED")["attemptsLeft"], 5);
    assert_eq!(server.get(person, "/api/user/me").await.ok()["secretCodesLeft"], 15);
    post("/api/auth/pincode/disable", &with("SECRET_CODES", codes[1]))
        .await
        .ok();
}

async fn a_code_is_spent_although_the_change_is_refused(server: &Server) {
    let person = &newcomer(server).await;
    let post = async |path: &str, body: &Value| server.post(person, path, body).await;
    let generated = post("/api/auth/secret-codes/generate", &json!({})).await.ok();
    post("/api/auth/secret-codes/confirm", &json!({ "stored": true }))
        .await
        .ok();
    let first = with("SECRET_CODES", generated["secretCodes"][0].as_str().unwrap());

    post("/api/auth/pincode/disable", &first)
        .await
        .error(404, "VERIFICATION_ID_NOT_FOUND");

    post("/api/auth/pincode/disable", &first)
        .await
        .error(401, "CHALLENGE_FAILED");
    assert_eq!(server.get(person, "/api/user/me").await.ok()["secretCodesLeft"], 15);
}

async fn five_wrong_codes_lock_for_a_quarter_of_an_hour(server: &Server) {
    let person = &server.world.outsider;
    let path = "/api/auth/pincode/disable";
    for left in [4, 3, 2, 1, 0] {
        let answer = server.post(person, path, &with("PINCODE", "000000")).await;
        assert_eq!(answer.error(401, "CHALLENGE_FAILED")["attemptsLeft"], left);
    }

    let locked = server.post(person, path, &with("PINCODE", crate::support::PIN)).await;

    let data = locked.error(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!(data, json!({ "retryAfter": 900, "verificationType": "PINCODE" }));
    assert_eq!(locked.header("Retry-After"), Some("900"));
    let me = server.get(person, "/api/user/me").await.ok();
    assert_eq!(
        me["verifications"][0]["lockedUntil"],
        json!(server.now().plus_seconds(900))
    );
    server.advance(900);
    server
        .post(person, path, &with("PINCODE", crate::support::PIN))
        .await
        .ok();
}

async fn a_replayed_set_up_shows_no_secret_and_another_pin_under_its_key_is_a_conflict(server: &Server) {
    let person = &newcomer(server).await;
    let send = async |path: &str, key: &str, body: Value| {
        let call = server.request(reqwest::Method::POST, person, path);
        call.idempotency_key(key).json(&body).send().await
    };
    let enable = "/api/auth/pincode/enable";

    let first = send(enable, "one", json!({ "pincode": "111111" })).await;
    let again = send(enable, "one", json!({ "pincode": "111111" })).await;
    let other = send(enable, "one", json!({ "pincode": "222222" })).await;
    assert_eq!((first.is_success(), &again.text), (true, &first.text));
    assert_eq!(again.header("Idempotent-Replayed"), Some("true"));
    other.error(409, "CONFLICT");
    let otp = send("/api/auth/two-factor/enable", "two", with("PINCODE", "111111"))
        .await
        .ok();
    let replay = send("/api/auth/two-factor/enable", "two", with("PINCODE", "111111")).await;
    assert_eq!(replay.error(409, "CONFLICT"), json!({ "algorithm": "SHA1" }));
    let verify = json!({ "code": shown(&app_of(&otp), server.now()) });
    let verified = send("/api/auth/two-factor/verify-totp", "three", verify.clone()).await;
    let replayed = send("/api/auth/two-factor/verify-totp", "three", verify).await;
    assert_eq!((verified.is_success(), &replayed.text), (true, &verified.text));
}

/// A newcomer whose wallet differs by a word, for tests that need several.
async fn newcomer_of(server: &Server, word: &str) -> Person {
    let body = json!({ "name": word, "wallet": wallet(700 + u16::try_from(word.len()).unwrap()) });
    let created = server
        .verified()
        .post(&server.world.admin, "/api/user", &body)
        .await
        .ok();
    Person {
        name: word.to_owned(),
        user: moneyer::types::UserId::parse(created["id"].as_str().unwrap()).unwrap(),
        wallet: wallet(700 + u16::try_from(word.len()).unwrap()),
        key: created["apiKey"].as_str().unwrap().to_owned(),
    }
}

async fn what_was_begun_with_the_key_alone_ends_when_the_first_method_is_set_up(server: &Server) {
    let person = &newcomer(server).await;
    let post = async |path: &str, body: &Value| server.post(person, path, body).await;
    post("/api/auth/secret-codes/generate", &json!({})).await.ok();
    let enabled = post("/api/auth/two-factor/enable", &json!({})).await.ok();
    post("/api/auth/pincode/enable", &json!({ "pincode": "111111" }))
        .await
        .ok();

    let codes = post("/api/auth/secret-codes/confirm", &json!({ "stored": true })).await;
    let first = json!({ "code": shown(&app_of(&enabled), server.now()) });
    let otp = post("/api/auth/two-factor/verify-totp", &first).await;

    codes.error(404, "VERIFICATION_ID_NOT_FOUND");
    otp.error(404, "VERIFICATION_ID_NOT_FOUND");
    assert_eq!(verification_types(server, person).await, json!(["PINCODE"]));
}

async fn two_first_methods_at_once_are_one(server: &Server) {
    let person = &newcomer(server).await;
    server
        .post(person, "/api/auth/secret-codes/generate", &json!({}))
        .await
        .ok();
    let (pin, stored) = (json!({ "pincode": "111111" }), json!({ "stored": true }));

    let (enabled, confirmed) = tokio::join!(
        server.post(person, "/api/auth/pincode/enable", &pin),
        server.post(person, "/api/auth/secret-codes/confirm", &stored),
    );

    assert_ne!(enabled.is_success(), confirmed.is_success());
    let types = verification_types(server, person).await;
    assert_eq!(types.as_array().unwrap().len(), 1);
}

async fn a_new_set_in_place_of_the_only_method_leaves_no_moment_for_the_key_alone(server: &Server) {
    let person = &newcomer(server).await;
    let post = async |path: &str, body: &Value| server.post(person, path, body).await;
    let old = post("/api/auth/secret-codes/generate", &json!({})).await.ok();
    let stored = json!({ "stored": true });
    post("/api/auth/secret-codes/confirm", &stored).await.ok();
    let code = old["secretCodes"][0].as_str().unwrap();
    let new = post("/api/auth/secret-codes/generate", &with("SECRET_CODES", code))
        .await
        .ok();

    let planted = post("/api/auth/pincode/enable", &json!({ "pincode": "111111" })).await;

    assert_eq!(planted.issues(), ["walletVerification required"]);
    post("/api/auth/secret-codes/confirm", &stored).await.ok();
    let code = new["secretCodes"][0].as_str().unwrap();
    let mut body = with("SECRET_CODES", code);
    body["pincode"] = json!("111111");
    post("/api/auth/pincode/enable", &body).await.ok();
}

async fn a_new_set_of_codes_counts_once_it_is_stored_and_until_then_the_old_one_does(server: &Server) {
    let person = &newcomer(server).await;
    let post = async |path: &str, body: &Value| server.post(person, path, body).await;
    let stored = json!({ "stored": true });
    let old = post("/api/auth/secret-codes/generate", &json!({})).await.ok();
    let old = |number: usize| with("SECRET_CODES", old["secretCodes"][number].as_str().unwrap());
    post("/api/auth/secret-codes/confirm", &stored).await.ok();

    let new = post("/api/auth/secret-codes/generate", &old(0)).await.ok();
    assert_eq!(verification_types(server, person).await, json!(["SECRET_CODES"]));
    let new = |number: usize| with("SECRET_CODES", new["secretCodes"][number].as_str().unwrap());
    // Nothing to remove: what matters is which codes are good.
    let remove = async |body: Value| server.post(person, "/api/auth/pincode/disable", &body).await;
    remove(new(0)).await.error(401, "CHALLENGE_FAILED");
    remove(old(1)).await.error(404, "VERIFICATION_ID_NOT_FOUND");
    assert_eq!(server.get(person, "/api/user/me").await.ok()["secretCodesLeft"], 14);

    post("/api/auth/secret-codes/confirm", &stored).await.ok();
    assert_eq!(server.get(person, "/api/user/me").await.ok()["secretCodesLeft"], 16);
    remove(old(2)).await.error(401, "CHALLENGE_FAILED");
    remove(new(0)).await.error(404, "VERIFICATION_ID_NOT_FOUND");
    post("/api/auth/secret-codes/confirm", &stored)
        .await
        .error(409, "CONFLICT");
}

/// Takes every seat of the pool that hashes PINs, for some seconds: a request that wants to hash is told 503 meanwhile.
async fn fill_the_hashing_pool(server: &Server) {
    let (full, mut is_full) = tokio::sync::mpsc::channel(1);
    for _ in 0..std::thread::available_parallelism().unwrap().get() * 40 {
        let (verifier, full) = (server.app.verifier().clone(), full.clone());
        tokio::spawn(async move {
            let pin = moneyer::wallet::Pin::parse("123456").unwrap();
            if verifier
                .hash_pin(moneyer::types::UserId::generate(), pin)
                .await
                .is_err()
            {
                full.try_send(()).ok();
            }
        });
    }
    is_full.recv().await.unwrap();
}

async fn a_pin_is_not_hashed_for_a_change_that_would_be_refused(server: &Server) {
    let (stranger, newcomer) = (&server.world.outsider, &newcomer(server).await);
    fill_the_hashing_pool(server).await;

    let enable = json!({ "pincode": "111111" });
    let update = json!({ "newPincode": "111111" });
    let twice = json!({ "pincode": "111111", "walletVerification": code("SECRET_CODES", "AAAAA-AAAAA") });
    let other = json!({ "newPincode": "111111", "walletVerification": code("SECRET_CODES", "AAAAA-AAAAA") });
    let post = async |person: &Person, path: &str, body: &Value| server.post(person, path, body).await;

    let no_code = post(stranger, "/api/auth/pincode/enable", &enable).await;
    assert_eq!(no_code.issues(), ["walletVerification required"]);
    let no_code = post(stranger, "/api/auth/pincode/update", &update).await;
    assert_eq!(no_code.issues(), ["walletVerification required"]);
    post(stranger, "/api/auth/pincode/update", &other)
        .await
        .error(404, "VERIFICATION_ID_NOT_FOUND");
    post(stranger, "/api/auth/pincode/enable", &twice)
        .await
        .error(404, "VERIFICATION_ID_NOT_FOUND");
    post(newcomer, "/api/auth/pincode/update", &update)
        .await
        .error(404, "VERIFICATION_ID_NOT_FOUND");
}

async fn a_one_time_code_is_spent_although_the_pin_was_not_hashed(server: &Server) {
    let person = &newcomer(server).await;
    let post = async |path: &str, body: &Value| server.post(person, path, body).await;
    let codes = post("/api/auth/secret-codes/generate", &json!({})).await.ok();
    post("/api/auth/secret-codes/confirm", &json!({ "stored": true }))
        .await
        .ok();
    let mut update = with("SECRET_CODES", codes["secretCodes"][0].as_str().unwrap());
    update["newPincode"] = json!("111111");

    let refused = post("/api/auth/pincode/update", &update).await;
    let again = post("/api/auth/pincode/update", &update).await;

    refused.error(404, "VERIFICATION_ID_NOT_FOUND");
    again.error(401, "CHALLENGE_FAILED");
}

async fn a_pin_of_a_wrong_type_is_not_repeated(server: &Server) {
    let person = &newcomer(server).await;
    for body in [
        json!({ "pincode": 918273 }),
        json!({ "pincode": "111111", "walletVerification": "918273" }),
        json!({ "pincode": "111111", "walletVerification": { "secretVerificationCode": 918273 } }),
    ] {
        let answer = server.post(person, "/api/auth/pincode/enable", &body).await;
        answer.error(400, "BAD_REQUEST");
        assert!(!answer.text.contains("918273"), "{}", answer.text);
    }
}
