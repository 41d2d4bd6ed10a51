//! Every query of identities, their keys and claims, claim topics and trusted issuers.

mod claims;
mod identities;
mod registry;

pub(super) use claims::{
    active_claims, claim_facts, claims_of, claims_of_topic, insert_claims, revoke, signed_before, standing_claims,
    supersede, topic_facts,
};
pub(super) use identities::{
    NewIdentity, countries_of, insert_identities, insert_key, lock_many, note_changes, register_many, remove_key,
};
pub(super) use identities::{by_addresses, by_wallets, count, has_key, list, recipients};
pub(super) use registry::{Existing, delete_topic, insert_topics, is_topic_used, topic, topics, update_topic};
pub(super) use registry::{delete_trust, insert_trust, is_trusted, issuers, trust, trusted_topics};
