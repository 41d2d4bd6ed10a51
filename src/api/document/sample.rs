//! What the examples are rendered from: a collection, a token of it and the request that minted it, as if they were stored.

use uuid::Uuid;

use crate::collection::{
    Collection, Metadata, MintKind, MintRequest, Minting, Nft, Profile, RequestStatus, Verification,
};
use crate::types::{
    ActivityId, Address, Amount, AssetId, Hash32, MetadataId, MintRequestId, ReferenceId, Timestamp, TokenId, UserId,
};

pub const ID: Uuid = Uuid::from_u128(0x0197_a1f0_5c3e_7b44_9d21_3f6a_1c0e_8b57);
pub const CONTRACT: Address = Address::from_bytes([0xa1; 20]);
pub const OWNER: Address = Address::from_bytes([0x8a; 20]);
pub const TRANSACTION: Hash32 = Hash32::from_bytes([0x77; 32]);
/// 2026-11-21 10:30 UTC.
pub const NOW: Timestamp = Timestamp::from_micros(1_795_257_000_000_000);

pub fn token_id() -> TokenId {
    TokenId::from(Amount::from(7))
}

pub fn collection(profile: Profile) -> Collection {
    Collection {
        id: AssetId::from_uuid(ID),
        address: CONTRACT,
        number: Some(1),
        environment: None,
        minting: Minting::Hybrid,
        many: false,
        adopted: false,
        owner: OWNER,
        profile,
        metadata_api_url: None,
        verification: Verification::Unverified,
        policy: None,
        created_by: UserId::from_uuid(ID),
        indexed_at: NOW,
        updated_at: NOW,
        metadata_synced_at: Some(NOW),
    }
}

pub fn mint_request(reference: ReferenceId, recipient: Address) -> MintRequest {
    MintRequest {
        id: MintRequestId::from_uuid(ID),
        collection: AssetId::from_uuid(ID),
        reference,
        sequence: Some(1),
        environment: None,
        requested_by: UserId::from_uuid(ID),
        kind: MintKind::ById,
        owner: recipient,
        token_id: Some(token_id()),
        amount: Amount::ONE,
        metadata: None,
        status: RequestStatus::Succeeded,
        error: None,
        transaction: Some(TRANSACTION),
        activity: Some(ActivityId::from_uuid(ID)),
        gas: Some(51_000),
        created_at: NOW,
        updated_at: NOW,
    }
}

pub fn nft(metadata: Metadata) -> Nft {
    Nft {
        collection: AssetId::from_uuid(ID),
        token_id: token_id(),
        metadata_id: Some(MetadataId::from_uuid(ID)),
        metadata,
        total_supply: Amount::ONE,
        indexed_at: NOW,
        updated_at: NOW,
        metadata_synced_at: Some(NOW),
    }
}
