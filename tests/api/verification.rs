//! Wallet verification as somebody meets it who mints (dalp.md A8).

use futures_util::future::join_all;
use moneyer::audit::EventFilter;
use moneyer::wallet::{self, Algorithm, Enrolment, Method, Pin, SecretCodes, Shown};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::both_databases;
use crate::footprint::Footprint;
use crate::support::{Answer, Database, PIN, Server, recipient, wallet as somebodys_wallet};

const WRONG: &str = "000000";

both_databases! {
    five_wrong_pins_lock_and_the_right_one_waits_to_the_second,
    each_lock_lasts_twice_as_long_until_a_success,
    a_success_begins_the_count_anew,
    of_fifty_guesses_at_once_on_two_processes_at_most_five_are_looked_at,
    the_count_survives_a_restart,
    a_lock_elsewhere_holds_against_a_pin_remembered_here,
    a_change_elsewhere_ends_a_pin_remembered_here,
    a_removed_pin_is_remembered_by_nobody,
    wrong_codes_lock_one_method_of_one_user_and_nothing_else,
    each_wrong_code_is_one_event_and_so_is_the_lock,
    a_method_that_is_not_set_up_is_told,
    of_twenty_mints_with_one_password_at_once_one_goes_ahead,
    a_password_of_each_algorithm_is_good_once_within_its_skew,
    each_secret_code_is_good_once_with_or_without_its_hyphen,
    of_ten_mints_with_one_secret_code_at_once_one_goes_ahead,
    a_code_is_spent_also_when_the_rules_then_refuse,
    a_pin_is_remembered_for_less_than_a_minute_and_good_after_it,
}

fn body(method: &str, code: &str) -> Value {
    let mut body = Server::mint_body(json!(recipient(0)), "1");
    body["walletVerification"] = json!({ "secretVerificationCode": code, "verificationType": method });
    body
}

/// The issuer mints one unit of the deposit.
async fn mint_with(server: &Server, method: &str, code: &str) -> Answer {
    let path = Server::mint_path(&server.world.deposit);
    server.post(&server.world.issuer, &path, &body(method, code)).await
}

async fn mint_with_pin(server: &Server, pin: &str) -> Answer {
    mint_with(server, "PINCODE", pin).await
}

async fn supply(server: &Server) -> String {
    server.asset(&server.world.deposit).await.supply.to_string()
}

/// Wrong codes until the method locks.
async fn lock(server: &Server) {
    for left in [4, 3, 2, 1, 0] {
        let data = mint_with_pin(server, WRONG).await.error(401, "CHALLENGE_FAILED");
        assert_eq!(data, json!({ "verificationType": "PINCODE", "attemptsLeft": left }));
    }
}

/// A locked method: the seconds that are left.
#[track_caller]
fn locked_seconds(answer: &Answer) -> u64 {
    let data = answer.error(429, "RATE_LIMIT_EXCEEDED");
    let seconds = data["retryAfter"].as_u64().unwrap();
    assert_eq!(answer.header("Retry-After"), Some(seconds.to_string().as_str()));
    assert_eq!(data["verificationType"], "PINCODE");
    seconds
}

async fn set_pin(server: &Server, pin: &str) {
    let issuer = &server.world.issuer;
    let hash = server
        .app
        .verifier()
        .hash_pin(issuer.user, Pin::parse(pin).unwrap())
        .await
        .unwrap();
    server
        .write(issuer, move |tx, ctx| wallet::change_pin(tx, ctx, &hash, Shown::Code))
        .await;
}

/// The issuer's authenticator app.
async fn enrol(server: &Server, algorithm: Algorithm) -> totp_rs::Totp {
    let issuer = &server.world.issuer;
    let enrolment = Enrolment::generate("Moneyer", &issuer.wallet, algorithm).unwrap();
    let app = totp_rs::Totp::from_url(enrolment.uri.expose_secret()).unwrap();
    let vault = std::sync::Arc::clone(server.app.vault());
    server
        .write(issuer, move |tx, ctx| {
            wallet::begin_otp(tx, &vault, ctx, &enrolment, Shown::Code)
        })
        .await;
    let (verifier, ctx) = (server.app.verifier(), server.ctx(issuer));
    let first = SecretString::from(code_now(server, &app));
    let proof = verifier.prove_enrolment(server.app.db(), &ctx, &first).await.unwrap();
    server
        .write(issuer, move |tx, ctx| wallet::confirm_otp(tx, ctx, &proof))
        .await;
    server.advance(30);
    app
}

fn code_now(server: &Server, app: &totp_rs::Totp) -> String {
    app.generate(u64::try_from(server.now().seconds()).unwrap()).to_string()
}

async fn secret_codes(server: &Server) -> Vec<String> {
    let set = SecretCodes::generate().unwrap();
    let codes = set
        .as_slice()
        .iter()
        .map(|code| code.expose_secret().to_owned())
        .collect();
    let vault = std::sync::Arc::clone(server.app.vault());
    server
        .write(&server.world.issuer, move |tx, ctx| {
            wallet::put_codes(tx, &vault, ctx, &set, Shown::Code)?;
            wallet::confirm_codes(tx, ctx)
        })
        .await;
    codes
}

fn successes(answers: &[Answer]) -> usize {
    answers.iter().filter(|answer| answer.is_success()).count()
}

async fn five_wrong_pins_lock_and_the_right_one_waits_to_the_second(server: &Server) {
    lock(server).await;

    assert_eq!(locked_seconds(&mint_with_pin(server, PIN).await), 900);
    server.advance(899);
    assert_eq!(locked_seconds(&mint_with_pin(server, PIN).await), 1);
    assert_eq!(supply(server).await, "0");
    server.advance(1);
    mint_with_pin(server, PIN).await.ok();
}

async fn each_lock_lasts_twice_as_long_until_a_success(server: &Server) {
    for seconds in [900, 1_800, 3_600] {
        lock(server).await;
        assert_eq!(locked_seconds(&mint_with_pin(server, WRONG).await), seconds);
        server.advance(seconds as i64);
    }
    mint_with_pin(server, PIN).await.ok();

    lock(server).await;
    assert_eq!(locked_seconds(&mint_with_pin(server, PIN).await), 900);
}

async fn a_success_begins_the_count_anew(server: &Server) {
    for _ in 0..3 {
        for _ in 0..4 {
            mint_with_pin(server, WRONG).await.error(401, "CHALLENGE_FAILED");
        }
        mint_with_pin(server, PIN).await.ok();
        // Not remembered any more: a remembered success takes no wrong code back.
        server.advance(60);
    }
    assert_eq!(supply(server).await, "3");
}

async fn of_fifty_guesses_at_once_on_two_processes_at_most_five_are_looked_at(server: &Server) {
    let replica = server.replica();
    let guesses = (0..50).map(|number| {
        let server = if number % 2 == 0 { server } else { &replica };
        async move { mint_with_pin(server, &format!("9{number:05}")).await }
    });

    let answers = join_all(guesses).await;

    let tried = answers.iter().filter(|answer| answer.status.as_u16() == 401).count();
    let others = answers
        .iter()
        .filter(|answer| [429, 503].contains(&answer.status.as_u16()))
        .count();
    assert_eq!((tried, tried + others), (5, 50));
    for server in [server, &replica] {
        locked_seconds(&mint_with_pin(server, PIN).await);
    }
    replica.stop().await;
}

async fn the_count_survives_a_restart(server: &Server) {
    for _ in 0..3 {
        mint_with_pin(server, WRONG).await.error(401, "CHALLENGE_FAILED");
    }

    let restarted = server.replica();

    assert_eq!(
        mint_with_pin(&restarted, WRONG).await.error(401, "CHALLENGE_FAILED")["attemptsLeft"],
        1
    );
    assert_eq!(
        mint_with_pin(&restarted, WRONG).await.error(401, "CHALLENGE_FAILED")["attemptsLeft"],
        0
    );
    locked_seconds(&mint_with_pin(server, PIN).await);
    restarted.stop().await;
}

async fn a_lock_elsewhere_holds_against_a_pin_remembered_here(server: &Server) {
    mint_with_pin(server, PIN).await.ok();
    let replica = server.replica();
    lock(&replica).await;

    locked_seconds(&mint_with_pin(server, PIN).await);

    assert_eq!(supply(server).await, "1");
    replica.stop().await;
}

async fn a_change_elsewhere_ends_a_pin_remembered_here(server: &Server) {
    mint_with_pin(server, PIN).await.ok();
    let replica = server.replica();
    set_pin(&replica, "654321").await;

    mint_with_pin(server, PIN).await.error(401, "CHALLENGE_FAILED");
    mint_with_pin(server, "654321").await.ok();

    assert_eq!(supply(server).await, "2");
    replica.stop().await;
}

async fn a_removed_pin_is_remembered_by_nobody(server: &Server) {
    mint_with_pin(server, PIN).await.ok();
    server
        .write(&server.world.issuer, |tx, ctx| {
            wallet::remove(tx, ctx, Method::Pincode, Shown::Code)
        })
        .await;

    let data = mint_with_pin(server, PIN).await.error(404, "VERIFICATION_ID_NOT_FOUND");

    assert_eq!(data, json!({ "verificationType": "PINCODE" }));
}

async fn wrong_codes_lock_one_method_of_one_user_and_nothing_else(server: &Server) {
    let codes = secret_codes(server).await;
    lock(server).await;

    mint_with(server, "SECRET_CODES", &codes[0]).await.ok();
    let world = &server.world;
    let deposit = server.asset(&world.deposit).await;
    server
        .grant(
            moneyer::access::Scope::Asset(deposit.id),
            &[(world.outsider.wallet, moneyer::access::Role::SupplyManagement)],
        )
        .await;
    server
        .post(
            &world.outsider,
            &Server::mint_path(&world.deposit),
            &body("PINCODE", PIN),
        )
        .await
        .ok();
}

async fn each_wrong_code_is_one_event_and_so_is_the_lock(server: &Server) {
    let before = Footprint::of(server, &server.world.deposit).await;
    lock(server).await;
    mint_with_pin(server, WRONG).await.error(429, "RATE_LIMIT_EXCEEDED");

    let filter = EventFilter {
        actor: Some(server.world.issuer.actor().name()),
        ..EventFilter::default()
    };
    let actions: Vec<String> = server
        .events(filter)
        .await
        .into_iter()
        .map(|event| event.action)
        .collect();

    let expected = [["verification.refused"; 5].as_slice(), &["verification.locked"]].concat();
    assert!(
        actions.ends_with(&expected.iter().map(ToString::to_string).collect::<Vec<_>>()),
        "{actions:?}"
    );
    assert_eq!(Footprint::of(server, &server.world.deposit).await, before.and_events(6));
}

async fn a_method_that_is_not_set_up_is_told(server: &Server) {
    for method in ["OTP", "SECRET_CODES"] {
        let data = mint_with(server, method, "123456")
            .await
            .error(404, "VERIFICATION_ID_NOT_FOUND");
        assert_eq!(data, json!({ "verificationType": method }));
    }
}

async fn of_twenty_mints_with_one_password_at_once_one_goes_ahead(server: &Server) {
    let app = enrol(server, Algorithm::Sha1).await;
    let code = code_now(server, &app);
    let replica = server.replica();

    let answers = join_all((0..20).map(|number| {
        let (server, code) = (if number % 2 == 0 { server } else { &replica }, code.clone());
        async move { mint_with(server, "OTP", &code).await }
    }))
    .await;

    assert_eq!(successes(&answers), 1);
    assert_eq!(supply(server).await, "1");
    replica.stop().await;
}

async fn a_password_of_each_algorithm_is_good_once_within_its_skew(server: &Server) {
    for algorithm in [Algorithm::Sha1, Algorithm::Sha256] {
        let app = enrol(server, algorithm).await;
        let (old, next) = (code_now(server, &app), {
            server.advance(30);
            code_now(server, &app)
        });
        mint_with(server, "OTP", &old).await.ok();
        mint_with(server, "OTP", &old).await.error(401, "CHALLENGE_FAILED");
        mint_with(server, "OTP", &next).await.ok();
        mint_with(server, "OTP", &old).await.error(401, "CHALLENGE_FAILED");
        mint_with(server, "OTP", &next).await.error(401, "CHALLENGE_FAILED");
        server.advance(60);
        mint_with(server, "OTP", &code_now(server, &app)).await.ok();
        server
            .write(&server.world.issuer, |tx, ctx| {
                wallet::remove(tx, ctx, Method::Otp, Shown::Code)
            })
            .await;
    }
    assert_eq!(supply(server).await, "6");
}

async fn each_secret_code_is_good_once_with_or_without_its_hyphen(server: &Server) {
    let codes = secret_codes(server).await;
    assert_eq!(codes.len(), 16);

    for (index, code) in codes.iter().enumerate() {
        let shown = if index % 2 == 0 {
            code.clone()
        } else {
            code.replace('-', "")
        };
        mint_with(server, "SECRET_CODES", &shown).await.ok();
        mint_with(server, "SECRET_CODES", code)
            .await
            .error(401, "CHALLENGE_FAILED");
    }
    assert_eq!(supply(server).await, "16");
}

async fn of_ten_mints_with_one_secret_code_at_once_one_goes_ahead(server: &Server) {
    let codes = secret_codes(server).await;
    let replica = server.replica();

    let answers = join_all((0..10).map(|number| {
        let (server, code) = (if number % 2 == 0 { server } else { &replica }, codes[3].clone());
        async move { mint_with(server, "SECRET_CODES", &code).await }
    }))
    .await;

    assert_eq!(successes(&answers), 1);
    assert_eq!(supply(server).await, "1");
    replica.stop().await;
}

async fn a_code_is_spent_also_when_the_rules_then_refuse(server: &Server) {
    let app = enrol(server, Algorithm::Sha1).await;
    let codes = secret_codes(server).await;
    let path = Server::mint_path(&server.world.deposit);
    for (method, code) in [("OTP", code_now(server, &app)), ("SECRET_CODES", codes[0].clone())] {
        let mut refused = body(method, &code);
        refused["recipients"] = json!(somebodys_wallet(999));

        server
            .post(&server.world.issuer, &path, &refused)
            .await
            .error(422, "RECIPIENT_IDENTITY_NOT_FOUND");
        mint_with(server, method, &code).await.error(401, "CHALLENGE_FAILED");
    }
    assert_eq!(supply(server).await, "0");
}

async fn a_pin_is_remembered_for_less_than_a_minute_and_good_after_it(server: &Server) {
    for _ in 0..3 {
        mint_with_pin(server, PIN).await.ok();
        server.advance(59);
        mint_with_pin(server, PIN).await.ok();
        server.advance(61);
    }
    mint_with_pin(server, WRONG).await.error(401, "CHALLENGE_FAILED");
    mint_with_pin(server, PIN).await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_right_pins_at_once_are_hashed_once_and_all_go_ahead() {
    let server = Server::start(Database::Sqlite).await;

    let answers = join_all((0..50).map(|_| mint_with_pin(&server, PIN))).await;

    assert_eq!(successes(&answers), 50);
    assert_eq!(supply(&server).await, "50");
    server.finish().await;
}
