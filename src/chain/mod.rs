//! What an EVM chain defines, as plain functions: encoding, hashing and recovery. Nothing here talks to a node.
//!
//! *Key*: how ERC-734 names the key of an account, keccak256(abi.encode(address)). *Claim*: ERC-735 as ONCHAINID's
//! `Identity.sol` and `ClaimIssuer.sol` read it. *Shape*: the ABI types of a claim's data. *Account*: what a private key
//! controls.

mod account;
mod claim;
mod model;
mod shape;

pub use account::account_of;
pub use claim::{ClaimSignature, SignatureError, claim_signer, key_hash};
pub use model::{Block, Call, Fees, Log, Receipt, Revert, Sent, Signed, Transaction, View};
pub use shape::{ClaimShape, ClaimValue, ShapeError, ValueError};

#[cfg(test)]
pub use claim::testing;
