//! Our contracts, and any other with the same functions: what to send to them, what their answers mean, where they are.
//! Everything here is plain: bytes in, bytes out.
//!
//! *Calldata*: four bytes that name a function and its arguments (Solidity, "Contract ABI Specification"). The token's
//! functions are those of ERC-3643, the collections' those of Immutable's presets, so one binding serves ours and theirs.
//! *Salt*: 32 bytes that fix where the factory puts a contract (EIP-1014).

mod bindings;
pub mod collection;
mod errors;
pub mod events;
pub mod factory;
pub mod registry;
pub mod returned;
pub mod token;

pub(super) use errors::errors;
