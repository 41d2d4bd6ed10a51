use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::day::Day;
use crate::types::Hash32;

/// Requests that named a publishable key and are not written yet: of this process, until somebody writes them. Keys are
/// looked up when they are written, so that counting costs no query; one that nobody knows is forgotten then.
#[derive(Default)]
pub struct UsageBuffer {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    counts: HashMap<(Hash32, Day), i64>,
    /// Somebody was told to write, and was not let go yet.
    has_writer: bool,
}

/// Counts by the keyed hash of a key, and day.
pub type UsageCounts = Vec<((Hash32, Day), i64)>;

impl UsageBuffer {
    /// Made-up keys must not fill the memory; what is over it is not counted.
    pub const KEYS_MAX: usize = 10_000;

    /// Counts a request. True when nobody is there who writes: the caller sees to it that somebody does, until
    /// [`Self::lets_writer_go`].
    pub fn note(&self, key: Hash32, day: Day) -> bool {
        let mut held = self.held();
        held.add((key, day), 1);
        !std::mem::replace(&mut held.has_writer, true)
    }

    /// All that was counted; the buffer is empty then.
    pub fn take(&self) -> UsageCounts {
        std::mem::take(&mut self.held().counts).into_iter().collect()
    }

    /// Puts back what could not be written.
    pub fn put_back(&self, counts: UsageCounts) {
        let mut held = self.held();
        for (key, count) in counts {
            held.add(key, count);
        }
    }

    /// Whether nothing is left to write. Then the next request asks for a new writer.
    pub fn lets_writer_go(&self) -> bool {
        let mut held = self.held();
        let is_done = held.counts.is_empty();
        held.has_writer = !is_done;
        is_done
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn add(&mut self, key: (Hash32, Day), requests: i64) {
        if self.counts.len() < UsageBuffer::KEYS_MAX || self.counts.contains_key(&key) {
            let count = self.counts.entry(key).or_insert(0);
            *count = count.saturating_add(requests);
        } else {
            let lost = u64::try_from(requests).unwrap_or(0);
            metrics::counter!("publishable_usage_lost_total").increment(lost);
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

        buffer.note(key(1), day);
        buffer.note(key(1), day);
        let taken = buffer.take();
        assert_eq!(taken, [((key(1), day), 2)]);
        assert_eq!(buffer.take(), []);
        buffer.note(key(1), day);
        buffer.put_back(taken);
        assert_eq!(buffer.take(), [((key(1), day), 3)]);
    }

    #[test]
    fn one_writer_is_asked_for_and_stays_until_all_is_written() {
        let (buffer, day) = (UsageBuffer::default(), Day::from_number(1));

        assert!(buffer.note(key(1), day));
        assert!(!buffer.note(key(1), day));
        let failed = buffer.take();
        assert!(!buffer.note(key(1), day));
        buffer.put_back(failed);
        assert!(!buffer.lets_writer_go());
        assert!(!buffer.note(key(2), day));
        buffer.take();
        assert!(buffer.lets_writer_go());
        assert!(buffer.note(key(1), day));
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
