use std::collections::BTreeSet;

use super::Metadata;
use crate::error::Error;
use crate::types::{
    ActivityId, Address, Amount, AssetId, EnvironmentId, Hash32, MetadataId, MintRequestId, ReferenceId, Timestamp,
    TokenId, UserId,
};

/// One wish to mint.
#[derive(Clone, Debug, PartialEq)]
pub struct NewMintRequest {
    pub reference: ReferenceId,
    pub owner: Address,
    pub token_id: Option<TokenId>,
    pub amount: Option<Amount>,
    pub metadata: Option<Metadata>,
}

impl NewMintRequest {
    /// In one call (immutable.md 3.1).
    pub const COUNT_MAX: usize = 100;

    /// What they cost of a quota: distinct token ids; each token whose id the contract gives is one (immutable.md 3.3).
    pub fn cost<'r>(requests: impl IntoIterator<Item = &'r Self>) -> i64 {
        let (mut ids, mut without) = (BTreeSet::new(), 0_usize);
        for request in requests {
            match request.token_id {
                Some(token_id) => {
                    ids.insert(token_id);
                }
                None => without = without.saturating_add(1),
            }
        }
        i64::try_from(ids.len().saturating_add(without)).unwrap_or(i64::MAX)
    }
}

/// What became of a call: all of it was taken, or nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Requested {
    /// In the order of the call. One whose recipient the rules refuse has failed already.
    Accepted(Vec<MintRequest>),
    Conflict(Conflict),
}

/// What is used already by requests that have not failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    References(Vec<ReferenceId>),
    /// Minted or requested already; of an ERC-1155: these have metadata already.
    TokenIds(Vec<TokenId>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MintKind {
    ById,
    ByQuantity,
    Amounts,
}

impl MintKind {
    pub const fn text(self) -> &'static str {
        match self {
            Self::ById => "by_id",
            Self::ByQuantity => "by_quantity",
            Self::Amounts => "amounts",
        }
    }

    pub fn parse(text: &str) -> Result<Self, Error> {
        [Self::ById, Self::ByQuantity, Self::Amounts]
            .into_iter()
            .find(|kind| kind.text() == text)
            .ok_or_else(|| Error::internal(format!("unknown kind of mint request {text}")))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestStatus {
    Pending,
    Succeeded,
    Failed,
}

impl RequestStatus {
    pub const ALL: [Self; 3] = [Self::Pending, Self::Succeeded, Self::Failed];

    pub const fn text(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.text() == text)
    }
}

/// A wish to mint and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MintRequest {
    pub id: MintRequestId,
    pub collection: AssetId,
    pub reference: ReferenceId,
    /// The number of its operation; none when the rules refused it.
    pub sequence: Option<i64>,
    pub environment: Option<EnvironmentId>,
    pub requested_by: UserId,
    pub kind: MintKind,
    pub owner: Address,
    /// As it was given, or as the contract gave it: none before that.
    pub token_id: Option<TokenId>,
    pub amount: Amount,
    pub metadata: Option<MetadataId>,
    pub status: RequestStatus,
    pub error: Option<String>,
    pub transaction: Option<Hash32>,
    pub activity: Option<ActivityId>,
    /// Its share of the gas of its transaction.
    pub gas: Option<i64>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back() {
        for kind in [MintKind::ById, MintKind::ByQuantity, MintKind::Amounts] {
            assert_eq!(MintKind::parse(kind.text()).unwrap(), kind);
        }
        for status in RequestStatus::ALL {
            assert_eq!(RequestStatus::parse(status.text()), Some(status));
        }
        assert!(MintKind::parse("hybrid").is_err());
    }
}
