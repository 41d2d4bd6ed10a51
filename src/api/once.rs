//! `Idempotency-Key` as every dialect takes it (dalp.md A10): the first answer to a change, given again when the same request
//! comes again.

use actix_web::HttpRequest;

use crate::db::{Db, Tx};
use crate::error::Error;
use crate::operation::{self, Fingerprint, IdempotencyKey, Remembered, Replay};
use crate::types::Timestamp;

pub const HEADER: &str = "Idempotency-Key";
const LENGTH_MAX: usize = 255;

/// First answers are kept this long.
pub const REMEMBERED_SECONDS: i64 = 30 * 24 * 3_600;

/// The header as it was sent.
#[derive(Clone, Debug)]
pub struct Given(Option<String>);

impl Given {
    pub fn of(request: &HttpRequest) -> Self {
        let header = request.headers().get(HEADER);
        Self(header.map(|value| value.to_str().unwrap_or("").to_owned()))
    }

    /// None without the header. Errors: `Invalid` unless it is 1 to 255 visible ASCII characters.
    pub fn key(&self) -> Result<Option<String>, Error> {
        match &self.0 {
            None => Ok(None),
            Some(key) if (1..=LENGTH_MAX).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()) => {
                Ok(Some(key.clone()))
            }
            Some(_) => Err(Error::invalid(HEADER, "must be 1 to 255 visible ASCII characters")),
        }
    }
}

/// The caller's key and what tells this request from another; without a key it does nothing.
#[derive(Clone)]
pub struct Once {
    key: Option<IdempotencyKey>,
    fingerprint: Fingerprint,
}

impl Once {
    pub const fn new(key: Option<IdempotencyKey>, fingerprint: Fingerprint) -> Self {
        Self { key, fingerprint }
    }

    /// The first answer, if there was one. Errors: `Conflict` when the key was used with another request.
    pub async fn replay(&self, db: &Db, now: Timestamp) -> Result<Option<Replay>, Error> {
        let Some(key) = self.key.clone() else {
            return Ok(None);
        };
        let read = key.clone();
        let found = db.read(move |tx| operation::remembered(tx, &[&read], now)).await?;
        found.get(&key).map(|first| first.replay(&self.fingerprint)).transpose()
    }

    /// Nobody else acts under the key until the commit.
    pub fn claim(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<(), Error> {
        match &self.key {
            Some(key) if !operation::claim(tx, key, &self.fingerprint, now)? => Err(Error::Conflict(
                "The first request with this Idempotency-Key was answered just now".to_owned(),
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// Keeps the answer, in the transaction of the change.
    pub fn settle(&self, tx: &mut Tx<'_>, now: Timestamp, answer: Replay) -> Result<(), Error> {
        let Some(key) = &self.key else { return Ok(()) };
        let answer = Remembered {
            fingerprint: self.fingerprint,
            status: answer.status,
            headers: answer.headers,
            body: answer.body,
            operation: None,
            created_at: now,
            expires_at: Some(now.plus_seconds(REMEMBERED_SECONDS)),
        };
        operation::settle_claim(tx, key, &answer)
    }

    /// Nothing was changed: the key is free again.
    pub fn release(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        match &self.key {
            Some(key) => operation::release_claim(tx, key),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_1_to_255_visible_characters() {
        let key = |text: &str| Given(Some(text.to_owned())).key();

        assert_eq!(Given(None).key().unwrap(), None);
        for good in ["a", "order-1", &"x".repeat(255)] {
            assert_eq!(key(good).unwrap().as_deref(), Some(good));
        }
        for bad in ["", "a b", "ä", &"x".repeat(256)] {
            assert!(key(bad).is_err(), "{bad}");
        }
    }
}
