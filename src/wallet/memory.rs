use std::time::Duration;

use moka::sync::Cache;
use secrecy::{ExposeSecret as _, SecretBox, SecretString};

use crate::access::{Vault, random_bytes};
use crate::error::Error;
use crate::types::{Hash32, Timestamp, UserId};

/// How long a PIN that was right stands for itself (dalp.md A8: at most 60 s).
const REMEMBERED_SECONDS: i64 = 60;
/// About 100 bytes each; beyond it the least used are forgotten, which costs a hash and nothing else.
const REMEMBERED_MAX: u64 = 100_000;

/// PINs that were right a moment ago, as keyed hashes under a key that dies with the process: a run of changes by one
/// person costs one Argon2. A hit says nothing about now: whoever spends it compares version and lock with the database.
pub(super) struct Memory {
    keys: Vault,
    versions: Cache<UserId, i64>,
    successes: Cache<Hash32, Timestamp>,
}

impl Memory {
    pub(super) fn new() -> Result<Self, Error> {
        let key = SecretBox::new(Box::new(random_bytes()?));
        let ttl = Duration::from_secs(REMEMBERED_SECONDS.unsigned_abs());
        Ok(Self {
            keys: Vault::new(&key, &key),
            versions: Cache::builder().max_capacity(REMEMBERED_MAX).time_to_live(ttl).build(),
            successes: Cache::builder().max_capacity(REMEMBERED_MAX).time_to_live(ttl).build(),
        })
    }

    pub(super) fn remember(&self, user: UserId, version: i64, pin: &SecretString, now: Timestamp) {
        self.versions.insert(user, version);
        self.successes.insert(self.name(user, version, pin), now);
    }

    /// The version of the credential that this PIN was right for.
    pub(super) fn recall(&self, user: UserId, pin: &SecretString, now: Timestamp) -> Option<i64> {
        let version = self.versions.get(&user)?;
        let at = self.successes.get(&self.name(user, version, pin))?;
        (now < at.plus_seconds(REMEMBERED_SECONDS)).then_some(version)
    }

    pub(super) fn forget(&self, user: UserId) {
        self.versions.invalidate(&user);
    }

    fn name(&self, user: UserId, version: i64, pin: &SecretString) -> Hash32 {
        let parts: [&[u8]; 4] = [
            user.as_uuid().as_bytes(),
            super::Method::Pincode.as_str().as_bytes(),
            &version.to_be_bytes(),
            pin.expose_secret().as_bytes(),
        ];
        self.keys.mac("wallet.success", &parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    #[test]
    fn a_success_is_recalled_for_less_than_a_minute_and_for_this_user_and_pin_only() {
        let memory = Memory::new().unwrap();
        let (user, other) = (UserId::generate(), UserId::generate());
        let (right, wrong) = (SecretString::from("123456"), SecretString::from("123457"));
        memory.remember(user, 7, &right, NOW);
        let end = NOW.plus_seconds(60);

        assert_eq!(memory.recall(user, &right, NOW), Some(7));
        assert_eq!(
            memory.recall(user, &right, Timestamp::from_micros(end.micros() - 1)),
            Some(7)
        );
        assert_eq!(memory.recall(user, &right, end), None);
        assert_eq!(memory.recall(user, &wrong, NOW), None);
        assert_eq!(memory.recall(other, &right, NOW), None);
    }

    #[test]
    fn a_newer_version_and_a_forgotten_user_are_not_recalled() {
        let memory = Memory::new().unwrap();
        let user = UserId::generate();
        let (old, new) = (SecretString::from("111111"), SecretString::from("222222"));
        memory.remember(user, 1, &old, NOW);
        memory.remember(user, 2, &new, NOW);

        assert_eq!(memory.recall(user, &old, NOW), None);
        assert_eq!(memory.recall(user, &new, NOW), Some(2));
        memory.forget(user);
        assert_eq!(memory.recall(user, &new, NOW), None);
    }
}
