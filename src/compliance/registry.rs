use super::module::ComplianceModule;
use super::modules::{
    AddressBlockModule, CountryAllowModule, CountryBlockModule, HolderLimitModule, IdentityAllowModule,
    IdentityBlockModule, IdentityModule, MaxHoldingModule, SanctionsModule, SupplyLimitModule,
};
use crate::policy::{Check, WholeAmountError};

/// The module that checks a rule, bound to an asset's decimals. One line per kind.
pub(super) fn bind(check: &Check, decimals: u8) -> Result<Box<dyn ComplianceModule>, WholeAmountError> {
    Ok(match check {
        Check::Identity(rule) => Box::new(IdentityModule::new(rule)),
        Check::CountryAllow(rule) => Box::new(CountryAllowModule::new(rule)),
        Check::CountryBlock(rule) => Box::new(CountryBlockModule::new(rule)),
        Check::AddressBlock(rule) => Box::new(AddressBlockModule::new(rule)),
        Check::IdentityBlock(rule) => Box::new(IdentityBlockModule::new(rule)),
        Check::IdentityAllow(rule) => Box::new(IdentityAllowModule::new(rule)),
        Check::Sanctions(rule) => Box::new(SanctionsModule::new(rule)),
        Check::MaxHolding(rule) => Box::new(MaxHoldingModule::new(rule, decimals)?),
        Check::HolderLimit(rule) => Box::new(HolderLimitModule::new(rule)),
        Check::SupplyLimit(rule) => Box::new(SupplyLimitModule::new(rule, decimals)?),
    })
}
