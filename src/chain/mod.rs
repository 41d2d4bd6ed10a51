//! An EVM chain: what it defines, what a node says about it, and what is sent to it. The only module besides `types` that
//! names the chain's library; everything it gives and takes is in our own types.
//!
//! Plain functions: encoding, hashing, recovery ([`contracts`], claims, [`Transaction`], reverts, fees). Asynchronous, and
//! never inside a database transaction: [`Rpc`] (one chain through its endpoints) and a remote [`Signer`].
//!
//! *Key*: how ERC-734 names the key of an account, keccak256(abi.encode(address)). *Claim*: ERC-735 as ONCHAINID's
//! `Identity.sol` and `ClaimIssuer.sol` read it. *Shape*: the ABI types of a claim's data. *Account*: what a private key
//! controls. *Personal signature*: of a text that a wallet showed to its owner. *View*: one consistent reading of the chain by one endpoint. *Offer*: handing a signed transaction to a node;
//! its answer proves less than it says (specs/chain.md, rule 5).
//!
//! Invariants: what an endpoint says counts only when it serves our chain and is not behind what was seen before; answers
//! of two endpoints are never mixed; numbers that do not fit are errors; no key, and no part of an endpoint's address but
//! its host, is ever printed.

mod account;
mod claim;
pub mod collection;
pub mod contracts;
mod failure;
mod fees;
mod model;
mod node;
mod offer;
mod personal;
mod pool;
mod revert;
mod rpc;
mod shape;
mod signer;
pub mod token;
mod transaction;
mod trial;
mod view;
mod wire;

pub use account::account_of;
pub use claim::{ClaimSignature, SignatureError, claim_signer, key_hash};
pub use failure::{Failure, is_refused};
pub use fees::FeePolicy;
pub use model::{Block, Call, Fees, Log, Receipt, Revert, Sent, Signed, Transaction, View};
pub use personal::{PersonalSignature, PersonalSignatureError};
pub use rpc::Rpc;
pub use shape::{ClaimShape, ClaimValue, ShapeError, ValueError};
pub use signer::{Signer, create_keystore, keystore_key};
pub use trial::At;

#[cfg(test)]
pub use claim::testing;
