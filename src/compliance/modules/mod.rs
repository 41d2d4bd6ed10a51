//! The checks, one file per rule kind. Each holds its parameters bound to an asset and judges one line at a time.

mod address_block;
mod country_allow;
mod country_block;
mod holder_limit;
mod identity;
mod identity_allow;
mod identity_block;
mod max_holding;
mod sanctions;
mod supply_limit;

pub(super) use address_block::AddressBlockModule;
pub(super) use country_allow::CountryAllowModule;
pub(super) use country_block::CountryBlockModule;
pub(super) use holder_limit::HolderLimitModule;
pub(super) use identity::IdentityModule;
pub(super) use identity_allow::IdentityAllowModule;
pub(super) use identity_block::IdentityBlockModule;
pub(super) use max_holding::MaxHoldingModule;
pub(super) use sanctions::SanctionsModule;
pub(super) use supply_limit::SupplyLimitModule;

use super::model::Operation;

/// Rules about who receives: a burn has no recipient.
const RECEIVING: &[Operation] = &[Operation::Mint, Operation::Transfer];
/// Rules about how much there is: a transfer does not change it.
const ISSUING: &[Operation] = &[Operation::Mint];
