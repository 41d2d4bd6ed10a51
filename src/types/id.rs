use std::fmt;

use uuid::Uuid;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a valid id")]
pub struct IdError;

/// One type per kind of id, so that a user can never be passed where an asset is meant. Version 7 of RFC 9562: ordered
/// by time, so that new rows land at the end of their index; never used as an order.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }

            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }

            pub fn parse(text: &str) -> Result<Self, IdError> {
                Uuid::parse_str(text).map(Self).map_err(|_| IdError)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )+ };
}

ids! {
    AssetId,
    UserId,
    IdentityId,
    ClaimId,
    OperationId,
    SanctionsListId,
    ProjectId,
    /// An environment of a project, to which collections and keys belong.
    EnvironmentId,
    MintRequestId,
    /// A file of mint requests.
    MintFileId,
    /// What one token, or a stack of tokens, shows.
    MetadataId,
    ActivityId,
    /// Of a row that nobody names: it is its place in a list.
    RowId,
    /// Somebody who is told of changes at an address of theirs.
    WebhookId,
    /// What a webhook is told; it stays the same however often it is sent.
    WebhookEventId,
    /// One event on its way to one webhook.
    DeliveryId,
}

impl UserId {
    /// Who requested what nobody here requested: it happened on a chain and was observed there.
    pub const NOBODY: Self = Self(Uuid::nil());
}

/// The public part of an API key: 8 base62 characters, enough to find its row.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(String);

impl KeyId {
    pub const LENGTH: usize = 8;

    pub fn parse(text: &str) -> Result<Self, IdError> {
        if text.len() == Self::LENGTH && text.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Ok(Self(text.to_owned()));
        }
        Err(IdError)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names one request in logs, errors and audit events: the caller's `X-Request-Id` when it is 8 to 64 characters of
/// `A-Z a-z 0-9 _ -`, else our own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(String);

impl RequestId {
    pub const LENGTH_MIN: usize = 8;
    pub const LENGTH_MAX: usize = 64;

    pub fn parse(text: &str) -> Result<Self, IdError> {
        let length = (Self::LENGTH_MIN..=Self::LENGTH_MAX).contains(&text.len());
        let characters = text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if length && characters {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError)
        }
    }

    pub fn generate() -> Self {
        Self(Uuid::now_v7().to_string())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_taken_between_its_bounds_only() {
        assert!(RequestId::parse(&"a".repeat(7)).is_err());
        assert!(RequestId::parse(&"a".repeat(8)).is_ok());
        assert!(RequestId::parse(&"a".repeat(64)).is_ok());
        assert!(RequestId::parse(&"a".repeat(65)).is_err());
        assert!(RequestId::parse("with space").is_err());
    }

    #[test]
    fn an_id_reads_back_from_its_text() {
        let id = AssetId::generate();

        assert_eq!(AssetId::parse(&id.to_string()), Ok(id));
        assert_eq!(AssetId::parse("nonsense"), Err(IdError));
    }
}
