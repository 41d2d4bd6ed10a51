//! Against a SQLite file of its own; `tests/` runs the same commands on PostgreSQL.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretBox, SecretString};

use super::*;
use crate::access::{self, NewUser};
use crate::audit::EventFilter;
use crate::db::{Db, Page, Settings};
use crate::types::RequestId;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const PIN: &str = "123456";

struct Fixture {
    db: Db,
    verifier: Verifier,
    user: User,
    _folder: tempfile::TempDir,
}

fn vault() -> Arc<Vault> {
    let key = |byte| SecretBox::new(Box::new([byte; 32]));
    Arc::new(Vault::new(&key(1), &key(2)))
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        let settings = Settings {
            url: SecretString::from(url),
            connections_max: 4,
            wait: Duration::from_secs(20),
        };
        let db = Db::connect(&settings).unwrap();
        db.migrate(false).unwrap();
        let new = NewUser {
            name: "Issuer".into(),
            wallet: Address::from_bytes([7; 20]),
        };
        let user = db
            .write_blocking(|tx| access::create_user(tx, By::command_line(NOW), new.clone()))
            .unwrap();
        Self {
            db,
            verifier: Verifier::new(vault()).unwrap(),
            user,
            _folder: folder,
        }
    }

    async fn with_pin() -> Self {
        let fixture = Self::new();
        fixture.enable_pin(PIN, Shown::KeyAlone).await.unwrap();
        fixture
    }

    fn ctx(&self, now: Timestamp) -> Ctx {
        Ctx {
            actor: self.user.actor(),
            request_id: RequestId::generate(),
            now,
        }
    }

    fn write<T>(&self, work: impl Fn(&mut Tx<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.db.write_blocking(work)
    }

    async fn enable_pin(&self, pin: &str, shown: Shown) -> Result<(), Error> {
        let hash = self
            .verifier
            .hash_pin(self.user.id, Pin::parse(pin).unwrap())
            .await
            .unwrap();
        self.write(|tx| enable_pin(tx, &self.ctx(NOW), &hash, shown))
    }

    async fn prove(&self, method: Method, code: &str, now: Timestamp) -> Result<Proof, Error> {
        let code = SecretString::from(code);
        self.verifier
            .prove(&self.db, self.user.actor(), now, method, &code)
            .await
    }

    async fn prove_pin(&self, pin: &str, now: Timestamp) -> Result<Proof, Error> {
        self.prove(Method::Pincode, pin, now).await
    }

    fn spend(&self, proofs: &[Proof], now: Timestamp) -> Vec<Spend> {
        self.write(|tx| spend(tx, proofs, now)).unwrap()
    }

    /// A confirmed one-time password, and what its app shows at an instant.
    async fn with_otp(&self, algorithm: Algorithm, shown: Shown) -> totp_rs::Totp {
        let enrolment = Enrolment::generate("Test", &self.user.wallet, algorithm).unwrap();
        self.write(|tx| begin_otp(tx, &vault(), &self.ctx(NOW), &enrolment, shown))
            .unwrap();
        let app = totp_rs::Totp::from_url(enrolment.uri.expose_secret()).unwrap();
        // The code of the step before, so that the one of NOW is still free.
        let code = SecretString::from(code_at(&app, NOW.plus_seconds(-30)));
        let first = self
            .verifier
            .prove_enrolment(&self.db, &self.ctx(NOW), &code)
            .await
            .unwrap();
        self.write(|tx| confirm_otp(tx, &self.ctx(NOW), &first)).unwrap();
        app
    }

    fn with_codes(&self, shown: Shown) -> Vec<String> {
        let set = SecretCodes::generate().unwrap();
        self.write(|tx| put_codes(tx, &vault(), &self.ctx(NOW), &set, shown))
            .unwrap();
        self.write(|tx| confirm_codes(tx, &self.ctx(NOW))).unwrap();
        set.as_slice()
            .iter()
            .map(|code| code.expose_secret().to_owned())
            .collect()
    }

    fn events(&self) -> Vec<(String, String)> {
        let list = |tx: &mut Tx<'_>| audit::list(tx, &EventFilter::default(), &Page::first(200));
        let (events, _) = self.db.read_blocking(list).unwrap();
        events.into_iter().map(|event| (event.action, event.data)).collect()
    }

    fn count_of(&self, action: &str) -> usize {
        self.events().iter().filter(|(of, _)| of == action).count()
    }
}

fn code_at(app: &totp_rs::Totp, at: Timestamp) -> String {
    app.generate(u64::try_from(at.seconds()).unwrap()).to_string()
}

fn attempts_left(result: &Result<Proof, Error>) -> Option<u32> {
    match result {
        Err(Error::ChallengeFailed { attempts_left, .. }) => *attempts_left,
        _ => None,
    }
}

fn is_limited(result: &Result<Proof, Error>) -> bool {
    matches!(result, Err(Error::Limited { .. }))
}

fn all_spent(answers: &[Spend]) -> bool {
    answers.iter().all(|answer| matches!(answer, Spend::Spent))
}

// --- PIN ------------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn the_right_pin_proves_and_a_wrong_one_tells_how_many_are_left() {
    let fixture = Fixture::with_pin().await;

    assert_eq!(attempts_left(&fixture.prove_pin("000000", NOW).await), Some(4));
    assert_eq!(attempts_left(&fixture.prove_pin("not a pin", NOW).await), Some(3));
    let proof = fixture.prove_pin(PIN, NOW).await.unwrap();
    assert!(all_spent(&fixture.spend(&[proof], NOW)));
    assert_eq!(attempts_left(&fixture.prove_pin("000000", NOW).await), Some(4));
}

#[tokio::test]
async fn a_method_that_is_not_set_up_is_missing() {
    let fixture = Fixture::new();

    for method in Method::ALL {
        let result = fixture.prove(method, PIN, NOW).await;
        assert!(matches!(result, Err(Error::VerificationMissing { method: missing }) if missing == method.as_str()));
    }
}

#[tokio::test]
async fn five_wrong_codes_lock_and_then_the_right_one_is_not_looked_at() {
    let fixture = Fixture::with_pin().await;
    for left in [4, 3, 2, 1, 0] {
        assert_eq!(attempts_left(&fixture.prove_pin("000000", NOW).await), Some(left));
    }

    let locked = fixture.prove_pin(PIN, NOW).await;

    assert!(matches!(
        locked,
        Err(Error::Limited {
            retry_after_seconds: 900,
            method: Some("PINCODE")
        })
    ));
    assert!(is_limited(&fixture.prove_pin(PIN, NOW.plus_seconds(899)).await));
    assert!(fixture.prove_pin(PIN, NOW.plus_seconds(900)).await.is_ok());
    assert_eq!(
        (
            fixture.count_of("verification.refused"),
            fixture.count_of("verification.locked")
        ),
        (5, 1)
    );
}

#[tokio::test]
async fn a_second_lock_is_longer_and_a_success_between_makes_it_short_again() {
    let fixture = Fixture::with_pin().await;
    let lock = async |now: Timestamp| {
        for _ in 0..5 {
            assert!(attempts_left(&fixture.prove_pin("000000", now).await).is_some());
        }
        match fixture.prove_pin(PIN, now).await {
            Err(Error::Limited {
                retry_after_seconds, ..
            }) => retry_after_seconds,
            other => panic!("not locked: {other:?}"),
        }
    };
    let (second, third) = (NOW.plus_seconds(900), NOW.plus_seconds(900 + 1_800));

    assert_eq!(lock(NOW).await, 900);
    assert_eq!(lock(second).await, 1_800);
    fixture.prove_pin(PIN, third).await.unwrap();
    assert_eq!(lock(third.plus_seconds(60)).await, 900);
}

#[tokio::test]
async fn a_lock_survives_a_restart() {
    let fixture = Fixture::with_pin().await;
    for _ in 0..5 {
        fixture.prove_pin("000000", NOW).await.unwrap_err();
    }

    let restarted = Verifier::new(vault()).unwrap();
    let code = SecretString::from(PIN);
    let result = restarted
        .prove(&fixture.db, fixture.user.actor(), NOW, Method::Pincode, &code)
        .await;

    assert!(is_limited(&result));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_guesses_at_once_to_two_replicas_are_five_tries() {
    let fixture = Arc::new(Fixture::with_pin().await);
    let replicas = [fixture.verifier.clone(), Verifier::new(vault()).unwrap()];
    let guesses = (0..50).map(|number| {
        let (fixture, verifier) = (Arc::clone(&fixture), replicas[number % 2].clone());
        tokio::spawn(async move {
            let code = SecretString::from(format!("{number:06}"));
            verifier
                .prove(&fixture.db, fixture.user.actor(), NOW, Method::Pincode, &code)
                .await
        })
    });
    let guesses: Vec<_> = guesses.collect();

    let mut results = Vec::new();
    for guess in guesses {
        results.push(guess.await.unwrap());
    }

    let tried = results.iter().filter(|result| attempts_left(result).is_some()).count();
    assert_eq!(tried, 5);
    assert_eq!(results.iter().filter(|result| is_limited(result)).count(), 45);
    assert_eq!(fixture.count_of("verification.refused"), 5);
    assert!(is_limited(&fixture.prove_pin(PIN, NOW).await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_right_pins_at_once_all_prove() {
    let fixture = Arc::new(Fixture::with_pin().await);
    let proofs = (0..50).map(|_| {
        let fixture = Arc::clone(&fixture);
        tokio::spawn(async move { fixture.prove_pin(PIN, NOW).await })
    });
    let proofs: Vec<_> = proofs.collect();

    for proof in proofs {
        assert!(proof.await.unwrap().is_ok());
    }
    assert_eq!(fixture.count_of("verification.refused"), 0);
}

#[tokio::test]
async fn a_caller_who_hangs_up_does_not_lose_an_attempt() {
    let fixture = Fixture::with_pin().await;
    for _ in 0..10 {
        let attempt = fixture.prove_pin(PIN, NOW);
        tokio::time::timeout(Duration::from_millis(1), attempt).await.ok();
    }

    // Waits for the turn of whatever is still under way.
    fixture.prove_pin(PIN, NOW).await.unwrap();
    assert_eq!(attempts_left(&fixture.prove_pin("000000", NOW).await), Some(4));
}

#[tokio::test]
async fn a_remembered_success_is_stale_once_the_pin_changed() {
    let fixture = Fixture::with_pin().await;
    fixture.prove_pin(PIN, NOW).await.unwrap();
    let hash = fixture
        .verifier
        .hash_pin(fixture.user.id, Pin::parse("654321").unwrap())
        .await
        .unwrap();
    fixture
        .write(|tx| change_pin(tx, &fixture.ctx(NOW), &hash, Shown::Code))
        .unwrap();

    let remembered = fixture.prove_pin(PIN, NOW).await.unwrap();

    assert!(matches!(fixture.spend(&[remembered], NOW)[..], [Spend::Stale]));
    let code = SecretString::from(PIN);
    let fresh = fixture
        .verifier
        .prove_fresh(&fixture.db, fixture.user.actor(), NOW, Method::Pincode, &code)
        .await;
    assert_eq!(attempts_left(&fresh), Some(4));
    let new = fixture.prove_pin("654321", NOW).await.unwrap();
    assert!(all_spent(&fixture.spend(&[new], NOW)));
}

#[tokio::test]
async fn a_remembered_success_is_worth_nothing_while_the_method_is_locked() {
    let fixture = Fixture::with_pin().await;
    fixture.prove_pin(PIN, NOW).await.unwrap();
    for _ in 0..5 {
        fixture.prove_pin("000000", NOW).await.unwrap_err();
    }

    let remembered = fixture.prove_pin(PIN, NOW).await.unwrap();

    assert!(matches!(fixture.spend(&[remembered], NOW)[..], [Spend::Stale]));
    let code = SecretString::from(PIN);
    let fresh = fixture
        .verifier
        .prove_fresh(&fixture.db, fixture.user.actor(), NOW, Method::Pincode, &code)
        .await;
    assert!(is_limited(&fresh));
}

#[tokio::test]
async fn a_removed_pin_set_anew_does_not_revive_an_old_proof() {
    let fixture = Fixture::with_pin().await;
    let old = fixture.prove_pin(PIN, NOW).await.unwrap();
    fixture
        .write(|tx| remove(tx, &fixture.ctx(NOW), Method::Pincode, Shown::Code))
        .unwrap();
    let hash = fixture
        .verifier
        .hash_pin(fixture.user.id, Pin::parse("999999").unwrap())
        .await
        .unwrap();
    fixture
        .write(|tx| enable_pin(tx, &fixture.ctx(NOW.plus_seconds(1)), &hash, Shown::KeyAlone))
        .unwrap();

    assert!(matches!(fixture.spend(&[old], NOW)[..], [Spend::Stale]));
}

// --- one-time password ----------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_one_time_password_counts_from_its_first_good_code_on() {
    for algorithm in [Algorithm::Sha1, Algorithm::Sha256] {
        let fixture = Fixture::new();
        let enrolment = Enrolment::generate("Test", &fixture.user.wallet, algorithm).unwrap();
        fixture
            .write(|tx| begin_otp(tx, &vault(), &fixture.ctx(NOW), &enrolment, Shown::KeyAlone))
            .unwrap();
        let app = totp_rs::Totp::from_url(enrolment.uri.expose_secret()).unwrap();
        let code = code_at(&app, NOW);

        assert!(matches!(
            fixture.prove(Method::Otp, &code, NOW).await,
            Err(Error::VerificationMissing { .. })
        ));
        let secret = SecretString::from(code.clone());
        let wrong = SecretString::from("000000");
        let refused = fixture
            .verifier
            .prove_enrolment(&fixture.db, &fixture.ctx(NOW), &wrong)
            .await;
        assert_eq!(attempts_left(&refused), Some(4));
        let first = fixture
            .verifier
            .prove_enrolment(&fixture.db, &fixture.ctx(NOW), &secret)
            .await
            .unwrap();
        fixture.write(|tx| confirm_otp(tx, &fixture.ctx(NOW), &first)).unwrap();
        let again = fixture.write(|tx| confirm_otp(tx, &fixture.ctx(NOW), &first));
        assert!(matches!(again, Err(Error::Conflict(_))));

        // The code that confirmed is used up; the next one is not.
        assert!(attempts_left(&fixture.prove(Method::Otp, &code, NOW).await).is_some());
        let later = NOW.plus_seconds(30);
        let proof = fixture.prove(Method::Otp, &code_at(&app, later), later).await.unwrap();
        assert!(all_spent(&fixture.spend(&[proof], later)));
    }
}

#[tokio::test]
async fn a_one_time_password_is_spent_once_also_within_one_group() {
    let fixture = Fixture::new();
    let app = fixture.with_otp(Algorithm::Sha1, Shown::KeyAlone).await;
    let code = code_at(&app, NOW);
    let (first, second) = (
        fixture.prove(Method::Otp, &code, NOW).await.unwrap(),
        fixture.prove(Method::Otp, &code, NOW).await.unwrap(),
    );

    let answers = fixture.spend(&[first.clone(), second], NOW);
    let late = fixture.spend(&[first], NOW);

    assert!(matches!(
        answers[..],
        [
            Spend::Spent,
            Spend::Refused(Error::ChallengeFailed { method: "OTP", .. })
        ]
    ));
    assert!(matches!(late[..], [Spend::Refused(_)]));
    assert_eq!(fixture.count_of("verification.refused"), 2);
}

#[tokio::test]
async fn an_older_step_is_refused_after_a_newer_one_and_replays_do_not_lock() {
    let fixture = Fixture::new();
    let app = fixture.with_otp(Algorithm::Sha1, Shown::KeyAlone).await;
    let newer = fixture
        .prove(Method::Otp, &code_at(&app, NOW.plus_seconds(30)), NOW)
        .await
        .unwrap();
    fixture.spend(&[newer], NOW);

    for _ in 0..10 {
        let older = fixture.prove(Method::Otp, &code_at(&app, NOW), NOW).await;
        assert_eq!(attempts_left(&older), Some(5));
    }
}

#[tokio::test]
async fn wrong_one_time_passwords_lock_that_method_only() {
    let fixture = Fixture::with_pin().await;
    let app = fixture.with_otp(Algorithm::Sha1, Shown::Code).await;
    for _ in 0..5 {
        fixture.prove(Method::Otp, "abcdef", NOW).await.unwrap_err();
    }

    assert!(is_limited(&fixture.prove(Method::Otp, &code_at(&app, NOW), NOW).await));
    assert!(all_spent(
        &fixture.spend(&[fixture.prove_pin(PIN, NOW).await.unwrap()], NOW)
    ));
}

#[tokio::test]
async fn a_second_enrolment_replaces_a_pending_one_and_not_a_confirmed_one() {
    let fixture = Fixture::new();
    let begin = || {
        let enrolment = Enrolment::generate("Test", &fixture.user.wallet, Algorithm::Sha1).unwrap();
        fixture.write(|tx| begin_otp(tx, &vault(), &fixture.ctx(NOW), &enrolment, Shown::KeyAlone))
    };
    begin().unwrap();
    fixture.with_otp(Algorithm::Sha1, Shown::KeyAlone).await;

    let enrolment = Enrolment::generate("Test", &fixture.user.wallet, Algorithm::Sha1).unwrap();
    let third = fixture.write(|tx| begin_otp(tx, &vault(), &fixture.ctx(NOW), &enrolment, Shown::Code));

    assert!(matches!(third, Err(Error::Conflict(_))));
}

// --- secret codes ---------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_secret_code_is_spent_once_with_or_without_its_hyphen() {
    let fixture = Fixture::new();
    let codes = fixture.with_codes(Shown::KeyAlone);
    let plain = codes[0].replace('-', "").to_lowercase();

    let proof = fixture.prove(Method::SecretCodes, &plain, NOW).await.unwrap();
    assert!(all_spent(&fixture.spend(std::slice::from_ref(&proof), NOW)));
    assert_eq!(fixture.write(|tx| secret_codes_left(tx, fixture.user.id)).unwrap(), 15);
    assert_eq!(
        attempts_left(&fixture.prove(Method::SecretCodes, &codes[0], NOW).await),
        Some(5)
    );
    assert!(matches!(fixture.spend(&[proof], NOW)[..], [Spend::Refused(_)]));
    assert_eq!(
        attempts_left(&fixture.prove(Method::SecretCodes, "AAAAA-AAAAA", NOW).await),
        Some(4)
    );
    let other = fixture.prove(Method::SecretCodes, &codes[15], NOW).await.unwrap();
    assert!(all_spent(&fixture.spend(&[other], NOW)));
}

#[tokio::test]
async fn a_new_set_counts_once_it_is_stored_and_until_then_the_old_one_does() {
    let fixture = Fixture::with_pin().await;
    let old = fixture.with_codes(Shown::Code);
    let proof = fixture.prove(Method::SecretCodes, &old[0], NOW).await.unwrap();

    let set = SecretCodes::generate().unwrap();
    fixture
        .write(|tx| put_codes(tx, &vault(), &fixture.ctx(NOW), &set, Shown::Code))
        .unwrap();
    let new = set.as_slice()[0].expose_secret().to_owned();

    assert!(attempts_left(&fixture.prove(Method::SecretCodes, &new, NOW).await).is_some());
    assert!(all_spent(&fixture.spend(&[proof], NOW)));
    assert_eq!(fixture.write(|tx| secret_codes_left(tx, fixture.user.id)).unwrap(), 15);
    let proof = fixture.prove(Method::SecretCodes, &old[2], NOW).await.unwrap();
    fixture.write(|tx| confirm_codes(tx, &fixture.ctx(NOW))).unwrap();
    assert!(matches!(fixture.spend(&[proof], NOW)[..], [Spend::Stale]));
    assert_eq!(fixture.write(|tx| secret_codes_left(tx, fixture.user.id)).unwrap(), 16);
    let twice = fixture.write(|tx| confirm_codes(tx, &fixture.ctx(NOW)));
    assert!(matches!(twice, Err(Error::Conflict(_))));
    assert!(attempts_left(&fixture.prove(Method::SecretCodes, &old[1], NOW).await).is_some());
    assert!(fixture.prove(Method::SecretCodes, &new, NOW).await.is_ok());
}

#[tokio::test]
async fn of_two_sets_made_one_after_the_other_the_first_never_counts() {
    let fixture = Fixture::with_pin().await;
    let ctx = fixture.ctx(NOW);
    let old = fixture.with_codes(Shown::Code);
    let sets = [SecretCodes::generate().unwrap(), SecretCodes::generate().unwrap()];
    for set in &sets {
        fixture
            .write(|tx| put_codes(tx, &vault(), &ctx, set, Shown::Code))
            .unwrap();
    }
    fixture.write(|tx| confirm_codes(tx, &ctx)).unwrap();

    let first = sets[0].as_slice()[0].expose_secret().to_owned();
    let second = sets[1].as_slice()[0].expose_secret().to_owned();
    assert!(attempts_left(&fixture.prove(Method::SecretCodes, &first, NOW).await).is_some());
    assert!(attempts_left(&fixture.prove(Method::SecretCodes, &old[0], NOW).await).is_some());
    assert!(fixture.prove(Method::SecretCodes, &second, NOW).await.is_ok());
}

// --- groups, set-up, administration ---------------------------------------------------------------------------------

#[tokio::test]
async fn a_group_of_all_methods_is_answered_in_order() {
    let fixture = Fixture::with_pin().await;
    let pin = fixture.prove_pin(PIN, NOW).await.unwrap();
    let app = fixture.with_otp(Algorithm::Sha1, Shown::Code).await;
    let codes = fixture.with_codes(Shown::Code);
    let otp = fixture.prove(Method::Otp, &code_at(&app, NOW), NOW).await.unwrap();
    let code = fixture.prove(Method::SecretCodes, &codes[0], NOW).await.unwrap();
    let stale = Proof {
        version: 1,
        ..pin.clone()
    };

    let answers = fixture.spend(&[code.clone(), pin.clone(), stale, otp.clone(), code, pin, otp], NOW);

    let text: Vec<&str> = answers
        .iter()
        .map(|answer| match answer {
            Spend::Spent => "spent",
            Spend::Stale => "stale",
            Spend::Refused(_) => "refused",
        })
        .collect();
    assert_eq!(
        text,
        ["spent", "spent", "stale", "spent", "refused", "spent", "refused"]
    );
}

#[tokio::test]
async fn only_the_first_method_is_set_up_with_the_key_alone() {
    let fixture = Fixture::with_pin().await;
    let ctx = fixture.ctx(NOW);
    let enrolment = Enrolment::generate("Test", &fixture.user.wallet, Algorithm::Sha1).unwrap();
    let set = SecretCodes::generate().unwrap();
    let hash = fixture
        .verifier
        .hash_pin(fixture.user.id, Pin::parse("222222").unwrap())
        .await
        .unwrap();
    let refused = |result: Result<(), Error>| matches!(result, Err(Error::Invalid(_)));

    assert!(refused(fixture.write(|tx| begin_otp(
        tx,
        &vault(),
        &ctx,
        &enrolment,
        Shown::KeyAlone
    ))));
    assert!(refused(fixture.write(|tx| put_codes(
        tx,
        &vault(),
        &ctx,
        &set,
        Shown::KeyAlone
    ))));
    assert!(refused(fixture.write(|tx| change_pin(
        tx,
        &ctx,
        &hash,
        Shown::KeyAlone
    ))));
    assert!(refused(fixture.write(|tx| remove(
        tx,
        &ctx,
        Method::Pincode,
        Shown::KeyAlone
    ))));
    let again = fixture.write(|tx| enable_pin(tx, &ctx, &hash, Shown::Code));
    assert!(matches!(again, Err(Error::Conflict(_))));
}

#[tokio::test]
async fn what_was_begun_with_the_key_alone_ends_when_the_first_method_is_set_up() {
    let fixture = Fixture::new();
    let ctx = fixture.ctx(NOW);
    let set = SecretCodes::generate().unwrap();
    let enrolment = Enrolment::generate("Thief", &fixture.user.wallet, Algorithm::Sha1).unwrap();
    let app = totp_rs::Totp::from_url(enrolment.uri.expose_secret()).unwrap();
    fixture
        .write(|tx| put_codes(tx, &vault(), &ctx, &set, Shown::KeyAlone))
        .unwrap();
    fixture
        .write(|tx| begin_otp(tx, &vault(), &ctx, &enrolment, Shown::KeyAlone))
        .unwrap();
    fixture.enable_pin(PIN, Shown::KeyAlone).await.unwrap();

    let codes = fixture.write(|tx| confirm_codes(tx, &ctx));
    let code = SecretString::from(code_at(&app, NOW));
    let otp = fixture.verifier.prove_enrolment(&fixture.db, &ctx, &code).await;

    assert!(matches!(codes, Err(Error::VerificationMissing { .. })));
    assert!(matches!(otp, Err(Error::VerificationMissing { .. })));
    assert_eq!(
        fixture.write(|tx| set_up_methods(tx, fixture.user.id)).unwrap(),
        [Method::Pincode]
    );
    assert_eq!(fixture.write(|tx| secret_codes_left(tx, fixture.user.id)).unwrap(), 0);
}

#[tokio::test]
async fn what_was_begun_with_a_code_is_confirmed_without_another() {
    let fixture = Fixture::with_pin().await;
    let ctx = fixture.ctx(NOW);
    let set = SecretCodes::generate().unwrap();
    fixture
        .write(|tx| put_codes(tx, &vault(), &ctx, &set, Shown::Code))
        .unwrap();
    fixture.with_otp(Algorithm::Sha1, Shown::Code).await;

    fixture.write(|tx| confirm_codes(tx, &ctx)).unwrap();

    assert_eq!(
        fixture.write(|tx| set_up_methods(tx, fixture.user.id)).unwrap().len(),
        3
    );
}

#[tokio::test]
async fn a_new_set_in_place_of_the_only_method_leaves_no_moment_for_the_key_alone() {
    let fixture = Fixture::new();
    let ctx = fixture.ctx(NOW);
    fixture.with_codes(Shown::KeyAlone);
    let put = |shown| {
        let set = SecretCodes::generate().unwrap();
        fixture.write(|tx| put_codes(tx, &vault(), &ctx, &set, shown))
    };
    put(Shown::Code).unwrap();

    assert!(fixture.write(|tx| needs_code(tx, fixture.user.id)).unwrap());
    assert!(matches!(
        fixture.enable_pin(PIN, Shown::KeyAlone).await,
        Err(Error::Invalid(_))
    ));
    assert!(matches!(put(Shown::KeyAlone), Err(Error::Invalid(_))));
    let gone = fixture.write(|tx| remove(tx, &ctx, Method::SecretCodes, Shown::KeyAlone));
    assert!(matches!(gone, Err(Error::Invalid(_))));
    fixture.write(|tx| confirm_codes(tx, &ctx)).unwrap();
    assert_eq!(
        fixture.write(|tx| set_up_methods(tx, fixture.user.id)).unwrap(),
        [Method::SecretCodes]
    );
}

#[tokio::test]
async fn hashing_for_one_user_leaves_the_other_cores_to_others() {
    let fixture = Fixture::new();
    let turn = fixture.verifier.turn_of(fixture.user.id).await;
    let hash = |user| fixture.verifier.hash_pin(user, Pin::parse(PIN).unwrap());

    let waiting = tokio::time::timeout(Duration::from_millis(200), hash(fixture.user.id)).await;
    let other = hash(UserId::generate()).await;

    assert!(waiting.is_err());
    assert!(other.is_ok());
    drop(turn);
    assert!(hash(fixture.user.id).await.is_ok());
}

#[tokio::test]
async fn an_administrator_resets_everything_and_the_user_begins_anew() {
    let fixture = Fixture::with_pin().await;
    let pin = fixture.prove_pin(PIN, NOW).await.unwrap();
    fixture.with_codes(Shown::Code);

    let gone = fixture
        .write(|tx| reset(tx, By::command_line(NOW), &fixture.user))
        .unwrap();

    assert_eq!(gone, [Method::Pincode, Method::SecretCodes]);
    assert_eq!(fixture.write(|tx| set_up_methods(tx, fixture.user.id)).unwrap(), []);
    assert_eq!(fixture.write(|tx| secret_codes_left(tx, fixture.user.id)).unwrap(), 0);
    assert!(matches!(fixture.spend(&[pin], NOW)[..], [Spend::Stale]));
    fixture.enable_pin("777777", Shown::KeyAlone).await.unwrap();
    assert_eq!(fixture.count_of("verification.reset"), 1);
}

#[tokio::test]
async fn an_administrator_ends_a_lock() {
    let fixture = Fixture::with_pin().await;
    for _ in 0..5 {
        fixture.prove_pin("000000", NOW).await.unwrap_err();
    }

    let unlocked = fixture
        .write(|tx| unlock(tx, By::command_line(NOW), &fixture.user))
        .unwrap();

    assert_eq!(unlocked, [Method::Pincode]);
    assert!(fixture.prove_pin(PIN, NOW).await.is_ok());
}

#[tokio::test]
async fn no_event_tells_a_code() {
    let fixture = Fixture::with_pin().await;
    let codes = fixture.with_codes(Shown::Code);
    fixture.prove_pin("424242", NOW).await.unwrap_err();
    fixture
        .prove(Method::SecretCodes, "ZZZZZ-ZZZZZ", NOW)
        .await
        .unwrap_err();

    let texts: BTreeMap<String, String> = fixture.events().into_iter().collect();

    for secret in [PIN, "424242", "ZZZZZ", &codes[0]] {
        assert!(texts.values().all(|data| !data.contains(secret)), "{secret}");
    }
    assert!(texts["verification.refused"].contains(r#""reason":"wrong""#));
}
