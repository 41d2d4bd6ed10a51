use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::arrivals::Arrivals;
use super::environment::UsageBuffer;
use super::quota::{ClientRates, Rate, Rates};
use super::refused::RefusedKeys;
use crate::config::Minting;
use crate::types::UserId;

const HOUR: Duration = Duration::from_secs(3_600);
const HOUR_SECONDS: i64 = 3_600;
/// Refusals of one user that are noted in an hour: enough to see who tries what, too few to fill the audit log.
const REFUSALS_NOTED: i64 = 60;
/// Four of the largest files at once.
const BODIES_MEBIBYTES_MAX: usize = 128;
/// Two of the largest files at once. What is read out of one takes up to ten times its room, until it is stored: its bytes,
/// and as much as 100,000 short lines need whatever its bytes are.
const FILES_MEBIBYTES_MAX: usize = 64;

/// What a process keeps for the callers of the minting API: its settings, who asked how often without a key, the usage of
/// publishable keys that is not written yet, and room for files.
pub struct Gate {
    pub settings: Minting,
    /// EIP-155; none where everything settles in the book.
    pub chain_id: Option<u64>,
    pub clients: ClientRates,
    pub usage: UsageBuffer,
    pub refused: RefusedKeys,
    /// How often users were turned away whose keys are good.
    pub refusals: Rates<UserId>,
    /// Room for the bytes of files of mint requests that arrive, in MiB.
    pub bodies: Arc<Semaphore>,
    /// Room for files that are being read, in MiB of their bytes.
    pub files: Arc<Semaphore>,
    /// Whose files these are.
    pub arrivals: Arc<Arrivals>,
}

impl Gate {
    pub fn new(settings: &Minting, chain_id: Option<u64>) -> Self {
        let requests = i64::from(settings.anonymous_requests.get());
        Self {
            clients: ClientRates::new(requests, settings.anonymous_window),
            usage: UsageBuffer::default(),
            refused: RefusedKeys::default(),
            refusals: Rates::new(REFUSALS_NOTED, HOUR),
            bodies: Arc::new(Semaphore::new(BODIES_MEBIBYTES_MAX)),
            files: Arc::new(Semaphore::new(FILES_MEBIBYTES_MAX)),
            arrivals: Arc::default(),
            settings: settings.clone(),
            chain_id,
        }
    }

    /// Tokens, or stacks, whose metadata an environment may refresh.
    pub fn refresh_rate(&self) -> Rate {
        let refreshes = i64::from(self.settings.refreshes_per_minute);
        Rate::per_minute(refreshes, refreshes)
    }

    /// Collections that an environment may create or link.
    pub fn collection_rate(&self) -> Rate {
        let collections = i64::from(self.settings.collections_per_hour);
        Rate::bounded(collections, HOUR_SECONDS, collections)
    }
}
