use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::day::Day;
use crate::types::Hash32;

/// Requests that named a publishable key and are not written yet: of this process, until somebody writes them. Keys are
/// looked up when they are written, so that counting costs no query; one that nobody knows is forgotten then.
#[derive(Default)]
pub struct UsageBuffer {
    counts: Mutex<HashMap<(Hash32, Day), i64>>,
}

/// Counts by the keyed hash of a key, and day.
pub type UsageCounts = Vec<((Hash32, Day), i64)>;

impl UsageBuffer {
    /// Made-up keys must not fill the memory; what is over it is not counted.
    pub const KEYS_MAX: usize = 10_000;

    /// Counts a request. True for the first since the last [`Self::take`]: somebody should write soon.
    pub fn note(&self, key: Hash32, day: Day) -> bool {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = counts.is_empty();
        if counts.len() < Self::KEYS_MAX || counts.contains_key(&(key, day)) {
            let count = counts.entry((key, day)).or_insert(0);
            *count = count.saturating_add(1);
        } else {
            metrics::counter!("publishable_usage_lost_total").increment(1);
        }
        is_first
    }

    /// All that was counted; the buffer is empty then.
    pub fn take(&self) -> UsageCounts {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *counts).into_iter().collect()
    }

    /// Puts back what could not be written.
    pub fn put_back(&self, counts: UsageCounts) {
        let mut held = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, count) in counts {
            if held.len() < Self::KEYS_MAX || held.contains_key(&key) {
                let entry = held.entry(key).or_insert(0);
                *entry = entry.saturating_add(count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> Hash32 {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&u64::try_from(number).unwrap().to_be_bytes());
        Hash32::from_bytes(bytes)
    }

    #[test]
    fn what_was_counted_is_taken_once_and_may_be_put_back() {
        let (buffer, day) = (UsageBuffer::default(), Day::from_number(1));

        assert!(buffer.note(key(1), day));
        assert!(!buffer.note(key(1), day));
        let taken = buffer.take();
        assert_eq!(taken, [((key(1), day), 2)]);
        assert_eq!(buffer.take(), []);
        assert!(buffer.note(key(1), day));
        buffer.put_back(taken);
        assert_eq!(buffer.take(), [((key(1), day), 3)]);
    }

    #[test]
    fn made_up_keys_do_not_fill_the_memory_and_do_not_hinder_a_key_that_is_there() {
        let (buffer, day) = (UsageBuffer::default(), Day::from_number(1));
        for number in 0..=UsageBuffer::KEYS_MAX {
            buffer.note(key(number), day);
        }
        buffer.note(key(0), day);

        let counts: HashMap<_, _> = buffer.take().into_iter().collect();

        assert_eq!(counts.len(), UsageBuffer::KEYS_MAX);
        assert_eq!(counts[&(key(0), day)], 2);
    }
}
