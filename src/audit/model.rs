use serde_json::{Value, json};

use super::{canonical_json, leaf_hash};
use crate::types::{Address, AssetId, Hash32, OperationId, Timestamp};

/// The system's events are spread over this many streams, so that unrelated changes do not wait for one row.
const SYSTEM_SHARDS: u8 = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Asset(AssetId),
    /// A shard of the system, chosen by the subject so that the events of one subject stay in order.
    System(u8),
}

impl Stream {
    /// The shard of a wallet or an identity address.
    pub fn of_subject(subject: &Address) -> Self {
        let byte = subject.as_bytes().iter().fold(0, |sum: u8, byte| sum ^ byte);
        Self::System(byte % SYSTEM_SHARDS)
    }

    /// The shard of what has an id and no address.
    pub fn of_id(id: &uuid::Uuid) -> Self {
        let byte = id.as_bytes().iter().fold(0, |sum: u8, byte| sum ^ byte);
        Self::System(byte % SYSTEM_SHARDS)
    }

    pub fn name(&self) -> String {
        match self {
            Self::Asset(asset) => format!("asset:{asset}"),
            Self::System(shard) => format!("system:{shard:02}"),
        }
    }
}

/// One change, or one refusal, about to be recorded.
#[derive(Clone, Debug)]
pub struct Event {
    pub stream: Stream,
    /// `user:<id>`, `system`, or `admin` for the command line.
    pub actor: String,
    /// What happened, `noun.verb` in the past tense: `mint.accepted`, `identity.registered`.
    pub action: &'static str,
    pub asset: Option<AssetId>,
    pub operation: Option<OperationId>,
    /// Accounts the event is about, for the filter `recipient`. Empty where postings of the operation tell it.
    pub subjects: Vec<Address>,
    /// Holds no secrets and no personal data.
    pub data: Value,
}

/// An event with its number and hash.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub stream: String,
    pub sequence: i64,
    pub at: Timestamp,
    pub actor: String,
    pub action: String,
    pub asset: Option<AssetId>,
    pub operation: Option<OperationId>,
    /// Canonical JSON.
    pub data: String,
    pub leaf_hash: Hash32,
}

impl Recorded {
    pub(super) fn seal(stream: &str, sequence: i64, at: Timestamp, event: &Event) -> Self {
        let mut recorded = Self {
            stream: stream.to_owned(),
            sequence,
            at,
            actor: event.actor.clone(),
            action: event.action.to_owned(),
            asset: event.asset,
            operation: event.operation,
            data: canonical_json(&event.data),
            leaf_hash: Hash32::ZERO,
        };
        recorded.leaf_hash = recorded.computed_hash();
        recorded
    }

    /// The hash that the stored columns give; anything else than `leaf_hash` means that a column was changed.
    pub fn computed_hash(&self) -> Hash32 {
        let quoted = |text: &str| json!(text).to_string();
        let id = |id: Option<String>| id.map_or_else(|| "null".to_owned(), |id| quoted(&id));
        // Written out instead of built as a value: `data` is canonical already and may be long.
        leaf_hash(&format!(
            r#"{{"action":{},"actor":{},"assetId":{},"at":{},"data":{},"operationId":{},"sequence":{},"stream":{}}}"#,
            quoted(&self.action),
            quoted(&self.actor),
            id(self.asset.map(|asset| asset.to_string())),
            quoted(&self.at.to_micros_text()),
            self.data,
            id(self.operation.map(|operation| operation.to_string())),
            self.sequence,
            quoted(&self.stream),
        ))
    }
}

/// Where a stream ends: it fixes every event of it up to this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub stream: String,
    /// Of the last event.
    pub sequence: i64,
    pub head: Hash32,
}

/// What `GET /api/audit` filters by; everything given must match.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    pub asset: Option<AssetId>,
    pub action: Option<String>,
    pub actor: Option<String>,
    pub recipient: Option<Address>,
    /// Inclusive.
    pub from: Option<Timestamp>,
    /// Exclusive.
    pub to: Option<Timestamp>,
    pub stream: Option<String>,
    /// Only later numbers, the oldest first: how somebody follows a stream without missing an event.
    pub after_sequence: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_changed_column_changes_the_hash() {
        let event = Event {
            stream: Stream::System(3),
            actor: "system".into(),
            action: "mint.accepted",
            asset: Some(AssetId::generate()),
            operation: None,
            subjects: Vec::new(),
            data: json!({ "b": "1", "a": [] }),
        };
        let sealed = Recorded::seal("system:03", 7, Timestamp::from_seconds(1), &event);

        let changed = [
            Recorded {
                sequence: 8,
                ..sealed.clone()
            },
            Recorded {
                at: Timestamp::from_micros(1_000_001),
                ..sealed.clone()
            },
            Recorded {
                actor: "admin".into(),
                ..sealed.clone()
            },
            Recorded {
                action: "mint.refused".into(),
                ..sealed.clone()
            },
            Recorded {
                asset: None,
                ..sealed.clone()
            },
            Recorded {
                operation: Some(OperationId::generate()),
                ..sealed.clone()
            },
            Recorded {
                data: "{}".into(),
                ..sealed.clone()
            },
            Recorded {
                stream: "system:04".into(),
                ..sealed.clone()
            },
        ];

        assert_eq!(sealed.computed_hash(), sealed.leaf_hash);
        assert!(changed.iter().all(|event| event.computed_hash() != sealed.leaf_hash));
    }

    #[test]
    fn the_hash_is_over_exactly_the_documented_canonical_object() {
        let event = Event {
            stream: Stream::System(3),
            actor: "user:\"x\"".into(),
            action: "a.b",
            asset: None,
            operation: None,
            subjects: Vec::new(),
            data: json!({ "b": 1, "a": null }),
        };
        let sealed = Recorded::seal("system:03", 1, Timestamp::from_seconds(0), &event);

        let documented = canonical_json(&json!({
            "stream": "system:03", "sequence": 1, "at": "1970-01-01T00:00:00.000000Z", "actor": "user:\"x\"",
            "action": "a.b", "assetId": null, "operationId": null, "data": { "a": null, "b": 1 },
        }));
        assert_eq!(sealed.leaf_hash, leaf_hash(&documented));
    }
}
