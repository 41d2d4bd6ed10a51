//! What the mint API in Certhis' dialect keeps besides the collections that it mints into.
//!
//! *Challenge*: a text that a wallet signs to show who it is; filed under the wallet, or under an id of its own. *Key pair*:
//! an `api_key` and an `api_secret` that mint into one collection, in the name of the wallet that owns it. *Task*: one wish
//! to mint that came with a key pair: a mint request of the collection like any other, and what only this dialect says of
//! it. *Number*: collections, tasks, tokens, key pairs and wallets have small numbers here; they are no order.
//!
//! Invariants: a signature of a challenge opens something once, within ten minutes; a collection has one key pair at most
//! that opens anything; a pair that was replaced is refused from the next request on, by every process; the secret is
//! shown once and kept as a keyed hash; the e-mail address of a recipient is encrypted and goes when its time has come.
//!
//! Who owns a collection is what its contract says in the newest block: its administrator or its owner
//! ([`crate::chain::collection::is_owned_by`]). It is asked when a pair is asked for, and again by whoever uses a pair whose
//! last reading is [`KeyHolder::OWNER_SECONDS`] old: that long the pair of somebody who gave the collection away may still
//! open it, and no longer. What was accepted until then goes ahead. While the chain does not answer such a pair opens
//! nothing.
//!
//! What a reorganisation may take back ends nothing: whoever gave the collection away is refused as soon as a reading says
//! so, and their pair and webhook end when a final block says the same, or at the sign-in of another owner, who has to wait
//! for nothing. Where several wallets own a collection (administrators), whoever signed in last has the one pair.
//!
//! Source: certhis.md and seed 004.

mod challenge;
mod check;
mod email;
mod key;
mod nft;
mod store;
mod task;

pub use challenge::{Challenge, Filing, NewChallenge, challenge, open_challenge, prune_challenges, spend};
pub use check::verify;
pub use email::{forget_emails, recipient_email};
pub use key::{Ask, KeyHolder, KeyPair, Owner, authenticate, confirm, end, key_pair};
pub use nft::{Minted, minted};
pub use task::{
    Asked, Means, NewTask, Recipient, Task, TaskStatus, TokenUri, TokenUriError, mint, task, task_named, tasks,
};
