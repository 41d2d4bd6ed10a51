use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use crate::access::Role;
use crate::asset::{Asset, AssetView, Decimals};
use crate::ctx::Ctx;
use crate::error::Error;
use crate::operation::{Fingerprint, IdempotencyKey, Operation, Replay};
use crate::types::{Address, Amount, AssetId};
use crate::wallet::Proof;

/// The asset of a mint, as far as it never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    pub asset: AssetId,
    pub decimals: Decimals,
    /// Its contract was there before us, and what fits one transaction of it was measured.
    pub is_adopted: bool,
}

/// One recipient and what it is to receive, in base units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MintLine {
    pub recipient: Address,
    pub amount: Amount,
}

/// A request whose caller is known and whose wallet verification was proven.
#[derive(Clone)]
pub struct Request {
    pub ctx: Ctx,
    pub asset: AssetId,
    pub lines: Vec<MintLine>,
    pub proof: Proof,
    pub idempotency: Option<(IdempotencyKey, Fingerprint)>,
    /// Renders the first answer for storing under the key: the dialect's words, called inside the commit.
    pub render: fn(&Issued) -> Result<Stored, Error>,
}

/// An answer as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// The asset after a commit, its own lines included: the same for every request that the commit accepted.
#[derive(Debug)]
pub struct After {
    pub asset: Asset,
    pub view: AssetView,
    /// What a dialect renders alike for every caller, rendered once.
    pub rendered: OnceLock<String>,
}

/// An accepted request.
#[derive(Clone, Debug)]
pub struct Issued {
    pub operation: Operation,
    pub after: Arc<After>,
    /// The caller's roles on the asset.
    pub roles: BTreeSet<Role>,
}

/// What became of one request.
#[derive(Debug)]
pub enum Verdict {
    Accepted(Box<Issued>),
    /// The request was answered before.
    Replayed(Replay),
    /// The proof rested on a remembered success, and the credential changed: prove again at full cost.
    Stale,
    Refused(Error),
}
