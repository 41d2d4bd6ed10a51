use std::time::Duration;

use moka::sync::Cache;

use crate::types::Hash32;

/// Keys that were refused a moment ago: whoever goes on with one is told the same without the database. A key that was
/// refused never becomes good again, so that nobody is turned away who would be let in.
pub struct RefusedKeys(Cache<Hash32, ()>);

impl Default for RefusedKeys {
    fn default() -> Self {
        Self(
            Cache::builder()
                .max_capacity(Self::COUNT_MAX)
                .time_to_live(Self::KEPT)
                .build(),
        )
    }
}

impl RefusedKeys {
    /// Some 10 MB.
    const COUNT_MAX: u64 = 100_000;
    const KEPT: Duration = Duration::from_secs(60);

    pub fn knows(&self, hash: &Hash32) -> bool {
        self.0.contains_key(hash)
    }

    pub fn note(&self, hash: Hash32) {
        self.0.insert(hash, ());
    }
}
