//! Who may hold: identities, what trusted issuers claim about them, and whose claims count for what.
//!
//! *Identity*: an ONCHAINID identity of a wallet or of an asset. It is *created* (it has an address and keys) and then
//! *registered* by an identity manager, who says the country. *Key* (ERC-734): the hash of an account with a purpose on
//! an identity. *Claim topic*: a subject with the ABI types of its data and a longest validity. *Trusted issuer*: an
//! identity whose claims of some topics count. *Claim* (ERC-735): what an issuer says of an identity about a topic.
//!
//! Invariants: a wallet belongs to one identity. An identity has at most one active claim per issuer and topic; a later
//! one supersedes it. A claim is never overwritten: only its end (superseded or revoked, when, by whom) is written once.
//! Every claim expires, at the latest when its topic says. A signed claim was checked when it was stored: its signer is a
//! key of the issuer's identity with the purpose claim signer or management; it stops counting when the key is removed.
//! An unsigned claim was issued here by the issuer's own authenticated user, who is recorded. A claim counts only while
//! its issuer is trusted for its topic.
//!
//! What an issuer signed has no date, so the same words are good once: when they come again they are refused, whatever
//! became of them and whatever their signature looks like (ONCHAINID revokes by signature hash; but a second valid
//! signature is easily made of a first). To say the same again, an issuer signs other data or issues it here.
//!
//! With `Book` settlement an identity has the address that `CREATE2` would give it on a chain with the number 0.
//!
//! Personal data: a wallet, a country and claims; no names, birth dates or document numbers (compliance.md 4.6).
//!
//! Source: dalp.md A9, A15, 1.7 and 7; compliance.md 4.1 and 4.2; ERC-734, ERC-735; ONCHAINID `Identity.sol`,
//! `ClaimIssuer.sol`.

mod claims;
mod facts;
mod issuers;
mod model;
mod people;
mod rules;
mod store;
#[cfg(test)]
mod tests;
mod topics;

pub use claims::{
    active_claims, claims_by_wallet, issue_as_trusted, issue_claim, issue_many, may_issue, may_revoke, require_trusted,
    revoke_claim, standing_claims,
};
pub use facts::{asset_claims, collateral_of, countries_of, keep_countries, recipients, registrations, trusted_topics};
pub use issuers::{add_trusted_issuer, list_trusted_issuers, remove_trusted_issuer, update_trusted_issuer};
pub use model::{
    Attestation, Claim, ClaimData, ClaimFact, ClaimScheme, ClaimStatus, ClaimTerms, ClaimTopic, Collateral, Identity,
    IdentityFilter, KeyPurpose, Kind, NewClaim, NewTopic, Recipient, Revocation, TopicChange, TrustedIssuer,
};
pub use people::{
    add_key, by_address, by_wallet, create, create_for_asset, list, lock_for_registration, may_create, mine,
    read_by_address, read_by_wallet, register, register_many, remove_key,
};
pub use topics::{create_topic, delete_topic, find_topics, list_topics, seed_topics, update_topic};

use serde_json::Value;

use crate::audit::{self, Stream};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::types::Address;

/// One event about a change of this domain.
struct Change {
    stream: Stream,
    action: &'static str,
    /// Wallets and identity addresses that it is about.
    subjects: Vec<Address>,
    data: Value,
}

fn record(tx: &mut Tx<'_>, ctx: &Ctx, change: Change) -> Result<(), Error> {
    let event = audit::Event {
        stream: change.stream,
        actor: ctx.actor.name(),
        action: change.action,
        asset: None,
        operation: None,
        subjects: change.subjects,
        data: change.data,
    };
    audit::append(tx, ctx.now, vec![event])
}
