use std::fmt;

use crate::types::{ActivityId, Address, Amount, AssetId, Hash32, Timestamp, TokenId};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivityKind {
    Mint,
    Burn,
    Transfer,
}

impl ActivityKind {
    pub const ALL: [Self; 3] = [Self::Mint, Self::Burn, Self::Transfer];

    pub const fn text(self) -> &'static str {
        match self {
            Self::Mint => "mint",
            Self::Burn => "burn",
            Self::Transfer => "transfer",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.text() == text)
    }
}

/// A token that moved, as a final log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    pub id: ActivityId,
    pub collection: AssetId,
    pub kind: ActivityKind,
    /// None for a mint.
    pub from: Option<Address>,
    /// None for a burn.
    pub to: Option<Address>,
    pub token_id: TokenId,
    pub amount: Amount,
    pub place: Place,
    pub indexed_at: Timestamp,
}

impl Activity {
    /// As its log said.
    pub fn moved(&self) -> Moved {
        Moved {
            from: self.from.unwrap_or(Address::ZERO),
            to: self.to.unwrap_or(Address::ZERO),
            token_id: self.token_id,
            amount: self.amount,
            place: self.place,
        }
    }
}

/// Where a movement stands on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    pub transaction: Hash32,
    pub block: u64,
    pub block_hash: Hash32,
    pub transaction_index: u64,
    /// In the block.
    pub log_index: u64,
    /// In a TransferBatch; 0 elsewhere.
    pub position: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "log {} of transaction {} in block {}",
            self.log_index, self.transaction, self.block
        )
    }
}

/// A token that moved on the chain. From zero it is minted, to zero burned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    pub from: Address,
    pub to: Address,
    pub token_id: TokenId,
    pub amount: Amount,
    pub place: Place,
}

impl Moved {
    pub fn kind(&self) -> ActivityKind {
        match (self.from.is_zero(), self.to.is_zero()) {
            (true, _) => ActivityKind::Mint,
            (false, true) => ActivityKind::Burn,
            (false, false) => ActivityKind::Transfer,
        }
    }
}

/// A mint request that a final transaction did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minted {
    /// The number of its operation.
    pub sequence: i64,
    pub moved: Moved,
    /// Its share of the gas of the transaction.
    pub gas: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back() {
        for kind in ActivityKind::ALL {
            assert_eq!(ActivityKind::parse(kind.text()), Some(kind));
        }
    }
}
