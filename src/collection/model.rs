use crate::ctx::Ctx;
use crate::error::Error;
use crate::operation::ContractTexts;
use crate::types::{Address, Amount, AssetId, EnvironmentId, MetadataId, RowId, Timestamp, TokenId, UserId};

use super::Metadata;

/// The standard of a collection's contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContractType {
    Erc721,
    Erc1155,
}

impl ContractType {
    pub const fn text(self) -> &'static str {
        match self {
            Self::Erc721 => "ERC721",
            Self::Erc1155 => "ERC1155",
        }
    }

    /// In any case.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Erc721, Self::Erc1155]
            .into_iter()
            .find(|kind| kind.text().eq_ignore_ascii_case(text))
    }
}

/// What the contract can be asked to mint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Minting {
    /// ERC-721: ids that the caller gives, the whole range.
    ById,
    /// ERC-721: ids that the contract gives.
    ByQuantity,
    /// ERC-721: ids below 2^128 are given by the caller, the others by the contract.
    Hybrid,
    /// ERC-1155: amounts of ids that the caller gives.
    Amounts,
}

impl Minting {
    pub const fn text(self) -> &'static str {
        match self {
            Self::ById => "by_id",
            Self::ByQuantity => "by_quantity",
            Self::Hybrid => "hybrid",
            Self::Amounts => "amounts",
        }
    }

    pub fn parse(text: &str) -> Result<Self, Error> {
        [Self::ById, Self::ByQuantity, Self::Hybrid, Self::Amounts]
            .into_iter()
            .find(|minting| minting.text() == text)
            .ok_or_else(|| Error::internal(format!("unknown way of minting {text}")))
    }

    pub const fn contract_type(self) -> ContractType {
        match self {
            Self::ById | Self::ByQuantity | Self::Hybrid => ContractType::Erc721,
            Self::Amounts => ContractType::Erc1155,
        }
    }
}

/// What a marketplace shows of a collection's standing; nothing here depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    Verified,
    Unverified,
    Spam,
    Inactive,
}

impl Verification {
    pub const ALL: [Self; 4] = [Self::Verified, Self::Unverified, Self::Spam, Self::Inactive];

    pub const fn text(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Unverified => "unverified",
            Self::Spam => "spam",
            Self::Inactive => "inactive",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.text() == text)
    }
}

/// What a collection shows of itself, as its owner wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    pub name: Option<String>,
    pub symbol: Option<String>,
    pub description: Option<String>,
    pub image: Option<String>,
    pub external_link: Option<String>,
    pub contract_uri: Option<String>,
    pub base_uri: Option<String>,
}

impl Profile {
    pub const NAME_LENGTH_MAX: usize = 200;
    pub const SYMBOL_LENGTH_MAX: usize = 64;
    pub const TEXT_LENGTH_MAX: usize = 4_000;

    /// What the contract keeps of it.
    pub fn texts(&self) -> ContractTexts {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        ContractTexts {
            name: text(&self.name),
            symbol: text(&self.symbol),
            base_uri: text(&self.base_uri),
            contract_uri: text(&self.contract_uri),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// Of its row among the assets: its stream, roles, operations and books are those of the asset.
    pub id: AssetId,
    pub address: Address,
    pub environment: Option<EnvironmentId>,
    pub minting: Minting,
    /// One call mints to many recipients (an ERC-1155 of ours); else one per transaction.
    pub many: bool,
    /// The contract was there before us.
    pub adopted: bool,
    /// The administrator of the contract: as it was when the collection came here, or who showed later to be it
    /// ([`super::note_owner`]). Whoever asks for rights of an owner asks the contract.
    pub owner: Address,
    /// What callers name it by who have no room for an address; none of one that an older process founded.
    pub number: Option<i64>,
    pub profile: Profile,
    pub metadata_api_url: Option<String>,
    pub verification: Verification,
    /// The policy that judges recipients; none is the baseline, which asks nobody who they are.
    pub policy: Option<String>,
    pub created_by: UserId,
    pub indexed_at: Timestamp,
    pub updated_at: Timestamp,
    pub metadata_synced_at: Option<Timestamp>,
}

impl Collection {
    pub const fn contract_type(&self) -> ContractType {
        self.minting.contract_type()
    }
}

/// What a new collection is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCollection {
    pub environment: Option<EnvironmentId>,
    pub minting: Minting,
    pub many: bool,
    pub adopted: bool,
    pub owner: Address,
    pub profile: Profile,
    pub metadata_api_url: Option<String>,
    pub policy: Option<String>,
}

/// By what a caller may act on a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// The caller's wallet holds a role that gives it.
    Role,
    /// The caller showed the secret key of this environment; the collection is linked to its project.
    Environment(EnvironmentId),
    /// The caller proved to be this wallet, which owns the collection.
    Owner(Address),
}

/// Who acts.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'c> {
    pub ctx: &'c Ctx,
    pub right: Right,
}

impl Caller<'_> {
    pub(super) fn environment(&self) -> Option<EnvironmentId> {
        match self.right {
            Right::Role | Right::Owner(_) => None,
            Right::Environment(environment) => Some(environment),
        }
    }
}

/// A token with what it shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Nft {
    pub collection: AssetId,
    pub token_id: TokenId,
    pub metadata_id: Option<MetadataId>,
    pub metadata: Metadata,
    pub total_supply: Amount,
    pub indexed_at: Timestamp,
    pub updated_at: Timestamp,
    pub metadata_synced_at: Option<Timestamp>,
}

/// A token's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TokenRow {
    pub collection: AssetId,
    pub token_id: TokenId,
    pub id: RowId,
    pub metadata_id: Option<MetadataId>,
    pub total_supply: Amount,
    pub indexed_at: Timestamp,
    pub updated_at: Timestamp,
    pub metadata_synced_at: Option<Timestamp>,
}

/// How much of a token an account has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ownership {
    pub collection: AssetId,
    pub token_id: TokenId,
    pub account: Address,
    pub balance: Amount,
    pub updated_at: Timestamp,
}

/// What one token, or a stack of tokens, shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Stack {
    pub id: MetadataId,
    pub collection: AssetId,
    pub metadata: Metadata,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back() {
        for kind in [ContractType::Erc721, ContractType::Erc1155] {
            assert_eq!(ContractType::parse(&kind.text().to_lowercase()), Some(kind));
        }
        for minting in [Minting::ById, Minting::ByQuantity, Minting::Hybrid, Minting::Amounts] {
            assert_eq!(Minting::parse(minting.text()).unwrap(), minting);
        }
        for status in Verification::ALL {
            assert_eq!(Verification::parse(status.text()), Some(status));
        }
    }
}
