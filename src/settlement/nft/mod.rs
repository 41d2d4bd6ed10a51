//! Mints of NFT collections on their way into transactions and out of their receipts.
//!
//! Waiting requests of one collection share a transaction as far as its contract can ([`batches`]); which token each of
//! them got is read from the receipt's logs ([`minted`]), never computed (immutable.md 8.2). Everything that moves on the
//! chain without us comes from final logs too ([`post`]), and now and then the register is compared with the contract
//! ([`compare`]) and with its logs ([`compare_logs`]).

mod adopt;
mod batch;
mod finish;
mod logs;
mod observe;
mod reconcile;

pub use adopt::{FoundCollection, beginning, facts, look, take_over};
pub(super) use batch::{Batch, batches, minted};
pub(super) use finish::succeed;
pub(super) use logs::compare_logs;
pub(super) use observe::{catch_up, cut, post};
pub(super) use reconcile::{Expected, compare, expected};
