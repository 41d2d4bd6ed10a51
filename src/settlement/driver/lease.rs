//! The lease under which one process has the key: every commit checks it, and extends it when it is time to.

use std::sync::atomic::Ordering;

use super::Session;
use crate::db::Tx;
use crate::error::Error;
use crate::job::{self, Lease};
use crate::settlement::model::SenderKey;
use crate::types::Timestamp;

/// A holder that is dead keeps the key for so long.
pub(super) const LEASE_SECONDS: i64 = 15;
/// The lease is extended when so much of it is gone.
const LEASE_RENEWED_AFTER: i64 = 5;

impl Session {
    /// Extends the lease when it is time to, also in the middle of a long look; an error when it went to somebody else.
    pub(super) async fn keep_lease(&self) -> Result<(), Error> {
        match self.is_lease_due(self.driver.now()) {
            true => self.write(|_| Ok(())).await,
            false => Ok(()),
        }
    }

    fn is_lease_due(&self, now: Timestamp) -> bool {
        now.seconds().saturating_sub(self.lease_since.load(Ordering::Relaxed)) >= LEASE_RENEWED_AFTER
    }

    /// One transaction under the lease, which it extends when it is time to.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Tx<'_>) -> Result<T, Error> + Send + Sync + 'static,
    ) -> Result<T, Error> {
        let (lease, now) = (self.lease.clone(), self.driver.now());
        let is_due = self.is_lease_due(now);
        let guarded = move |tx: &mut Tx<'_>| {
            match is_due {
                true => extend(tx, &lease, now)?,
                false => job::require(tx, &lease)?,
            }
            work(tx)
        };
        let done = self.driver.db.write(guarded).await?;
        if is_due {
            self.lease_since.store(now.seconds(), Ordering::Relaxed);
        }
        Ok(done)
    }
}

fn extend(tx: &mut Tx<'_>, lease: &Lease, now: Timestamp) -> Result<(), Error> {
    let kept = job::acquire_for(tx, &lease.name, &lease.owner, now, LEASE_SECONDS)?;
    match kept {
        Some(kept) if kept.fence == lease.fence => Ok(()),
        Some(_) | None => Err(Error::Conflict("the sender's lease went to another process".to_owned())),
    }
}

pub(super) fn lease_name(key: &SenderKey) -> String {
    format!("sender:{}:{}", key.chain_id, key.sender)
}
