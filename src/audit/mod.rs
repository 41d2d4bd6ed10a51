//! Append-only events: who changed what, when, and what was refused.
//!
//! *Stream*: the events of one subject, numbered from 1 without a gap: an asset, or one of 64 shards of the system by
//! subject. *Leaf hash*: SHA-256 of `0x00` and the canonical JSON of the event, the leaf of RFC 6962 section 2.1, so that
//! a stream can become a Merkle log without touching what is stored.
//!
//! *Head*: of a stream, rolled over its leaf hashes; it fixes everything that came before.
//!
//! Canonical form: one JSON object without spaces, keys sorted by their bytes, no floating-point numbers, with exactly
//! `action`, `actor`, `assetId` (or null), `at` (UTC, microseconds, `Z`), `data`, `operationId` (or null), `sequence`,
//! `stream`. Amounts are strings, addresses EIP-55.
//!
//! Events are written in the transaction of the change they tell of: an event without its change, or a change without
//! its event, cannot be committed. Nothing updates or deletes an event: the database refuses it.

mod canonical;
mod model;
mod store;

pub use canonical::canonical_json;
pub use model::{Event, EventFilter, Head, Recorded, Stream};

use crate::db::{Page, Tx};
use crate::error::Error;
use crate::types::{AssetId, Hash32, Timestamp, sha256};

/// Appends the events, in order, each to its stream. Numbers come from the locked row of the stream, so they have no gap
/// and two transactions never share one.
pub fn append(tx: &mut Tx<'_>, at: Timestamp, events: Vec<Event>) -> Result<(), Error> {
    let mut streams: Vec<String> = events.iter().map(|event| event.stream.name()).collect();
    streams.sort_unstable();
    streams.dedup();
    for stream in streams {
        let of_stream = events.iter().filter(|event| event.stream.name() == stream);
        append_to(tx, at, &stream, of_stream)?;
    }
    Ok(())
}

/// Keeps the stream's row until the commit: for changes of one subject that have to come one after the other and have no
/// row of their own to lock.
pub fn lock(tx: &mut Tx<'_>, stream: &Stream) -> Result<(), Error> {
    store::lock_stream(tx, &stream.name()).map(|_| ())
}

fn append_to<'e>(
    tx: &mut Tx<'_>,
    at: Timestamp,
    stream: &str,
    events: impl Iterator<Item = &'e Event>,
) -> Result<(), Error> {
    let (first, mut head) = store::lock_stream(tx, stream)?;
    let mut recorded = Vec::new();
    let mut subjects = Vec::new();
    for (sequence, event) in (first..).zip(events) {
        subjects.extend(event.subjects.iter().map(|account| (*account, sequence)));
        let event = Recorded::seal(stream, sequence, at, event);
        head = next_head(&head, &event.leaf_hash);
        recorded.push(event);
    }
    store::insert(tx, stream, &recorded, &subjects)?;
    let next = recorded.last().map_or(first, |event| event.sequence.saturating_add(1));
    store::advance(tx, stream, next, head)
}

/// Events that match, newest first, and the cursor of the next page.
pub fn list(tx: &mut Tx<'_>, filter: &EventFilter, page: &Page) -> Result<(Vec<Recorded>, Option<String>), Error> {
    store::list(tx, filter, page)
}

/// The heads of all streams, or of one, in the order of their names, and the cursor of the next page.
pub fn heads(tx: &mut Tx<'_>, of: Option<Stream>, page: &Page) -> Result<(Vec<Head>, Option<String>), Error> {
    store::heads(tx, of.map(|stream| stream.name()), page)
}

/// Checks every stream from its first event: numbers without a gap, leaf hashes that match, the head of the row. One
/// sentence per fault; empty means sound.
pub fn verify(tx: &mut Tx<'_>) -> Result<Vec<String>, Error> {
    let mut faults = Vec::new();
    for (stream, next, head) in store::streams(tx)? {
        let mut expected = 1;
        let mut rolled = Hash32::ZERO;
        while let Some(page) = store::events_from(tx, &stream, expected)? {
            for event in page {
                if event.sequence != expected {
                    faults.push(format!("audit stream {stream}: event {expected} is missing"));
                }
                if event.computed_hash() != event.leaf_hash {
                    faults.push(format!("audit stream {stream}: event {} was changed", event.sequence));
                }
                rolled = next_head(&rolled, &event.leaf_hash);
                expected = event.sequence.saturating_add(1);
            }
        }
        if expected != next || rolled != head {
            faults.push(format!(
                "audit stream {stream}: ends at {} and not at {}",
                expected - 1,
                next - 1
            ));
        }
    }
    Ok(faults)
}

/// The recorded events of one asset with this action, oldest first: what reconciliation compares with the ledger.
pub fn of_asset(tx: &mut Tx<'_>, asset: AssetId, action: &str) -> Result<Vec<Recorded>, Error> {
    store::of_asset(tx, asset, action)
}

/// The head after an event: `SHA-256(head ‖ leaf hash)`, from 32 zero bytes on. A changed event changes every later head,
/// so a head that somebody else has seen fixes all that came before it.
fn next_head(head: &Hash32, leaf: &Hash32) -> Hash32 {
    sha256(&[head.as_bytes().as_slice(), leaf.as_bytes().as_slice()].concat())
}

/// `SHA-256(0x00 ‖ leaf)` as RFC 6962 section 2.1 has it.
pub(crate) fn leaf_hash(canonical: &str) -> Hash32 {
    let mut bytes = Vec::with_capacity(canonical.len().saturating_add(1));
    bytes.push(0);
    bytes.extend_from_slice(canonical.as_bytes());
    sha256(&bytes)
}
