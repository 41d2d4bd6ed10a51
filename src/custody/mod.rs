//! Wallets that we keep for people of whom only an e-mail address is known, until they have a wallet of their own.
//!
//! *Seed*: 32 bytes, kept encrypted outside the database; every wallet is made from it and from the e-mail address alone,
//! so that nothing but the seed has to be backed up. *Custodial wallet*: an account whose key is
//! HMAC-SHA256(seed, "moneyer.custody.wallet.1" ‖ number ‖ address), number being 0 unless that is no key of secp256k1
//! (about 2^-128). Not BIP-32: nobody else has to find these wallets, and no public key of a parent can leak them all.
//! *Hand-over*: a token goes on the chain from a custodial wallet to one that its owner names.
//!
//! Invariants: an e-mail address is on no chain and in no event, a keyed hash of it is; the same address (in any case of
//! its letters) is the same wallet for ever; a transaction of a custodial wallet is in the database, signed, before it is
//! sent, and one nonce of a wallet is one transaction.
//!
//! Who loses the seed loses the wallets: production starts only when somebody says of which seed there is a backup.
//! Source: certhis.md, decisions.

mod email;
mod handover;
mod send;
mod store;
mod wallet;

pub use email::{Email, EmailError};
pub use handover::{Handover, HandoverStatus, Holding, Outcome, Place, hand_over, holdings, resume};
pub use send::{Step, Subject, send};
pub use wallet::{CustodialWallet, Custody};

use serde_json::json;

use crate::access::Vault;
use crate::audit::{self, Event, Stream};
use crate::db::Tx;
use crate::error::Error;
use crate::types::{Address, Hash32, Timestamp};

/// What stands for an e-mail address in tables and events.
pub fn email_hash(vault: &Vault, email: &Email) -> Hash32 {
    vault.mac("custody.email", &[email.reveal().as_bytes()])
}

/// The wallet of an e-mail address, noted as ours; the first time is an event by `actor`.
pub fn wallet_of(
    tx: &mut Tx<'_>,
    vault: &Vault,
    custody: &Custody,
    email: &Email,
    (actor, now): (&str, Timestamp),
) -> Result<Address, Error> {
    let address = custody.wallet(email)?.address();
    let hash = email_hash(vault, email);
    if store::insert_wallet(tx, hash, address, now)? {
        let event = Event {
            stream: Stream::of_subject(&address),
            actor: actor.to_owned(),
            action: "custody.wallet_opened",
            asset: None,
            operation: None,
            subjects: vec![address],
            data: json!({ "emailHash": hash, "wallet": address }),
        };
        audit::append(tx, now, vec![event])?;
    }
    Ok(address)
}
