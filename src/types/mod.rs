//! Newtypes and nothing else: text becomes a type once, at the door, and nobody behind the door checks again.
//!
//! Every type has a private field, a `parse` (or `try_from`) that says what is wrong, a `Display` that prints the one
//! canonical form, and its unit tests. No I/O, no clock, no randomness except the generators of ids.

mod address;
mod amount;
mod country;
mod country_table;
mod currency;
mod dnum;
mod hash;
mod id;
mod isin;
mod network;
mod reference;
mod timestamp;
mod token_id;
mod topic;

pub use address::{Address, AddressError};
pub use amount::{Amount, AmountError};
pub use country::{CountryCode, CountryError};
pub use currency::{Currency, CurrencyError};
pub use dnum::{Dnum, DnumError};
pub use hash::{Hash32, keccak256, personal_message_hash, sha256};
pub use id::{
    ActivityId, AssetId, ClaimId, DeliveryId, EnvironmentId, IdError, IdentityId, KeyId, MetadataId, MintFileId,
    MintRequestId, OperationId, ProjectId, RequestId, RowId, SanctionsListId, UserId, WebhookEventId, WebhookId,
};
pub use isin::{Isin, IsinError};
pub use network::{Network, NetworkError};
pub use reference::{ReferenceError, ReferenceId};
pub use timestamp::{Timestamp, TimestampError};
pub use token_id::TokenId;
pub use topic::{TopicName, TopicNameError};
