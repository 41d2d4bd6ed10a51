use super::{Credential, Evidence, Method, Proof, Shown};
use crate::error::{Error, Issue};
use crate::types::Timestamp;

/// Wrong codes in a row that lock a method.
pub(super) const FAILURES_MAX: u32 = 5;
/// The first lock; each further one without a success between doubles it.
const LOCK_SECONDS_FIRST: i64 = 15 * 60;
const LOCK_SECONDS_MAX: i64 = 24 * 3_600;

/// Wrong (or not yet judged) codes in a row, and the locks that followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Attempts {
    pub failures: u32,
    /// Locks since the last success.
    pub lock_count: u32,
    /// Set while locked, and after that until the next attempt.
    pub locked_until: Option<Timestamp>,
}

impl Attempts {
    /// Counts one attempt before its code is looked at, so that guesses at once are counted like guesses one by one. The
    /// last attempt of a row sets the lock already: a crash before its code is judged leaves the method locked, not open.
    /// A success takes all of it back.
    ///
    /// Errors: the seconds left while the method is locked.
    pub(super) fn reserve(self, now: Timestamp) -> Result<Self, u64> {
        if let Some(left) = self.locked_seconds(now) {
            return Err(left);
        }
        let before = if self.locked_until.is_some() { 0 } else { self.failures };
        let failures = before.saturating_add(1);
        if failures < FAILURES_MAX {
            return Ok(Self {
                failures,
                lock_count: self.lock_count,
                locked_until: None,
            });
        }
        let lock_count = self.lock_count.saturating_add(1);
        Ok(Self {
            failures,
            lock_count,
            locked_until: Some(now.plus_seconds(lock_seconds(lock_count))),
        })
    }

    /// Whole seconds until the lock ends, rounded up; none when there is no lock.
    pub(super) fn locked_seconds(self, now: Timestamp) -> Option<u64> {
        let micros = self.locked_until?.micros().saturating_sub(now.micros());
        let seconds = u64::try_from(micros).ok()?.div_ceil(Timestamp::SECOND.unsigned_abs());
        (seconds > 0).then_some(seconds)
    }

    pub(super) fn left(self) -> u32 {
        FAILURES_MAX.saturating_sub(self.failures)
    }
}

fn lock_seconds(lock_count: u32) -> i64 {
    let doublings = lock_count.saturating_sub(1);
    let factor = 2_i64.checked_pow(doublings).unwrap_or(i64::MAX);
    LOCK_SECONDS_FIRST.saturating_mul(factor).min(LOCK_SECONDS_MAX)
}

/// Whether a code is checked to act, or to end the set-up of the method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    SetUp,
    Pending,
}

/// The credential that a code is checked against: it must exist and be at the right stage.
pub(super) fn usable(credential: Option<Credential>, method: Method, stage: Stage) -> Result<Credential, Error> {
    let missing = Error::VerificationMissing {
        method: method.as_str(),
    };
    let credential = credential.ok_or(missing)?;
    match (stage, credential.confirmed) {
        (Stage::SetUp, true) | (Stage::Pending, false) => Ok(credential),
        (Stage::SetUp, false) => Err(Error::VerificationMissing {
            method: method.as_str(),
        }),
        (Stage::Pending, true) => Err(Error::Conflict(format!("{method} is confirmed already"))),
    }
}

pub(super) fn limited(method: Method, retry_after_seconds: u64) -> Error {
    Error::Limited {
        retry_after_seconds,
        method: Some(method.as_str()),
    }
}

pub(super) fn failed(method: Method, attempts: Attempts) -> Error {
    Error::ChallengeFailed {
        method: method.as_str(),
        attempts_left: Some(attempts.left()),
    }
}

/// The version of a set of codes that is stored beside the one that counts, and not confirmed yet.
pub(super) fn pending_set(credential: &Credential) -> Option<i64> {
    let waits = credential.confirmed && credential.method == Method::SecretCodes;
    waits.then(|| credential.secret.parse().ok()).flatten()
}

/// The version of the set of codes that was made last, whether it counts or not.
pub(super) fn newest_set(credential: &Credential) -> i64 {
    pending_set(credential).unwrap_or(credential.version)
}

/// The methods to show a code of, once a code is needed.
pub(super) fn protection(credentials: &[Credential]) -> Option<Vec<Method>> {
    let confirmed = credentials.iter().filter(|credential| credential.confirmed);
    let methods: Vec<Method> = confirmed.map(|credential| credential.method).collect();
    (!methods.is_empty()).then_some(methods)
}

/// The first method is set up with the API key alone; whatever comes later needs a code.
pub(super) fn may_change(credentials: &[Credential], shown: Shown) -> Result<(), Error> {
    let (Some(methods), Shown::KeyAlone) = (protection(credentials), shown) else {
        return Ok(());
    };
    let names: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
    let message = format!("is needed for this change: use {}", names.join(" or "));
    Err(Error::Invalid(vec![Issue::new(
        "walletVerification",
        "required",
        message,
    )]))
}

/// What a proof is worth against the credential as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worth {
    Good,
    Stale,
    /// Its time step, or a later one, was accepted meanwhile.
    Replayed,
}

/// For secret codes the caller looks further: whether the code is still unused.
pub(super) fn worth(proof: &Proof, credential: Option<&Credential>, now: Timestamp) -> Worth {
    let Some(credential) = credential else {
        return Worth::Stale;
    };
    let unchanged = credential.confirmed && credential.version == proof.version;
    if !unchanged || credential.attempts.locked_seconds(now).is_some() {
        return Worth::Stale;
    }
    match proof.evidence {
        Evidence::Step(step) if credential.last_step.is_some_and(|last| step <= last) => Worth::Replayed,
        Evidence::Pin | Evidence::Step(_) | Evidence::Code(_) => Worth::Good,
    }
}

/// Larger than every version before it, also of a credential that was removed.
pub(super) fn next_version(before: Option<i64>, now: Timestamp) -> i64 {
    now.micros().max(before.unwrap_or(0).saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Address, Hash32, UserId};
    use crate::wallet::Algorithm;

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

    fn after(attempts: Attempts, count: usize) -> Attempts {
        (0..count).fold(attempts, |attempts, _| attempts.reserve(NOW).unwrap())
    }

    #[test]
    fn four_wrong_codes_do_not_lock_and_the_fifth_does() {
        let four = after(Attempts::default(), 4);
        let five = four.reserve(NOW).unwrap();

        assert_eq!((four.locked_until, four.left()), (None, 1));
        assert_eq!(five.locked_until, Some(NOW.plus_seconds(900)));
        assert_eq!(five.left(), 0);
        assert_eq!(five.reserve(NOW), Err(900));
    }

    #[test]
    fn a_lock_ends_at_its_instant_and_leaves_five_new_attempts() {
        let locked = after(Attempts::default(), 5);
        let end = locked.locked_until.unwrap();
        let just_before = Timestamp::from_micros(end.micros() - 1);

        assert_eq!(locked.reserve(just_before), Err(1));
        let first = locked.reserve(end).unwrap();
        assert_eq!((first.failures, first.lock_count, first.locked_until), (1, 1, None));
    }

    #[test]
    fn each_lock_is_twice_the_one_before_up_to_a_day() {
        let minutes: Vec<i64> = (1..=10).map(|count| lock_seconds(count) / 60).collect();

        assert_eq!(minutes, [15, 30, 60, 120, 240, 480, 960, 1_440, 1_440, 1_440]);
        assert_eq!(lock_seconds(u32::MAX), LOCK_SECONDS_MAX);
    }

    #[test]
    fn the_second_lock_in_a_row_lasts_half_an_hour() {
        let locked = after(Attempts::default(), 5);
        let later = locked.locked_until.unwrap();

        let again = (0..5).fold(locked, |attempts, _| attempts.reserve(later).unwrap());

        assert_eq!(again.lock_count, 2);
        assert_eq!(again.locked_until, Some(later.plus_seconds(1_800)));
    }

    fn credential(version: i64, last_step: Option<i64>) -> Credential {
        Credential {
            user: UserId::generate(),
            method: Method::Otp,
            version,
            secret: String::new(),
            algorithm: Algorithm::Sha1,
            confirmed: true,
            attempts: Attempts::default(),
            last_step,
        }
    }

    fn proof(version: i64, evidence: Evidence) -> Proof {
        Proof {
            user: UserId::generate(),
            wallet: Address::ZERO,
            version,
            evidence,
        }
    }

    #[test]
    fn a_time_step_is_worth_something_once() {
        let credential = credential(1, Some(10));
        let at = |step| worth(&proof(1, Evidence::Step(step)), Some(&credential), NOW);

        assert_eq!([at(9), at(10), at(11)], [Worth::Replayed, Worth::Replayed, Worth::Good]);
    }

    #[test]
    fn a_proof_is_stale_when_its_credential_changed_was_removed_or_is_locked() {
        let locked = Credential {
            attempts: after(Attempts::default(), 5),
            ..credential(1, None)
        };
        let pending = Credential {
            confirmed: false,
            ..credential(1, None)
        };
        let pin = proof(1, Evidence::Pin);
        let code = proof(1, Evidence::Code(Hash32::ZERO));

        assert_eq!(worth(&pin, Some(&credential(1, None)), NOW), Worth::Good);
        assert_eq!(worth(&pin, Some(&credential(2, None)), NOW), Worth::Stale);
        assert_eq!(worth(&pin, None, NOW), Worth::Stale);
        assert_eq!(worth(&pin, Some(&locked), NOW), Worth::Stale);
        assert_eq!(worth(&code, Some(&pending), NOW), Worth::Stale);
        assert_eq!(worth(&pin, Some(&locked), NOW.plus_seconds(900)), Worth::Good);
    }

    #[test]
    fn only_the_first_method_needs_no_code() {
        let pending = Credential {
            confirmed: false,
            ..credential(1, None)
        };
        let set_up = [credential(1, None)];

        assert!(may_change(&[], Shown::KeyAlone).is_ok());
        assert!(may_change(&[pending], Shown::KeyAlone).is_ok());
        assert!(may_change(&set_up, Shown::Code).is_ok());
        assert!(matches!(may_change(&set_up, Shown::KeyAlone), Err(Error::Invalid(_))));
    }

    #[test]
    fn a_set_waits_beside_the_one_that_counts_and_nowhere_else() {
        let set = |method, confirmed, secret: &str| Credential {
            method,
            secret: secret.to_owned(),
            confirmed,
            ..credential(7, None)
        };
        let codes = Method::SecretCodes;

        assert_eq!(pending_set(&set(codes, true, "9")), Some(9));
        assert_eq!(newest_set(&set(codes, true, "9")), 9);
        assert_eq!(pending_set(&set(codes, true, "")), None);
        assert_eq!(newest_set(&set(codes, true, "")), 7);
        assert_eq!(pending_set(&set(codes, false, "")), None);
        assert_eq!(pending_set(&set(Method::Otp, true, "9")), None);
    }

    #[test]
    fn an_unconfirmed_method_is_not_set_up() {
        let pending = || {
            Some(Credential {
                confirmed: false,
                ..credential(1, None)
            })
        };

        let used = usable(pending(), Method::Otp, Stage::SetUp);
        assert!(matches!(used, Err(Error::VerificationMissing { method: "OTP" })));
        assert!(usable(pending(), Method::Otp, Stage::Pending).is_ok());
        assert!(usable(None, Method::Otp, Stage::Pending).is_err());
        let again = usable(Some(credential(1, None)), Method::Otp, Stage::Pending);
        assert!(matches!(again, Err(Error::Conflict(_))));
    }

    #[test]
    fn a_version_is_never_used_twice() {
        assert_eq!(next_version(None, NOW), NOW.micros());
        assert_eq!(next_version(Some(NOW.micros()), NOW), NOW.micros() + 1);
        assert_eq!(next_version(Some(5), NOW), NOW.micros());
    }
}
