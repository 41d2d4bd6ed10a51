use super::ISSUING;
use crate::compliance::model::{Fact, FactSet, Operation};
use crate::compliance::module::{Candidate, ComplianceModule};
use crate::compliance::standing::Standing;
use crate::error::Refusal;
use crate::policy::{SupplyLimit, WholeAmountError};
use crate::types::Amount;

#[derive(Debug)]
pub(in crate::compliance) struct SupplyLimitModule {
    max: Amount,
}

impl SupplyLimitModule {
    /// Refused when the asset's decimals cannot hold the rule's amount.
    pub fn new(rule: &SupplyLimit, decimals: u8) -> Result<Self, WholeAmountError> {
        rule.max.scale(decimals).map(|max| Self { max })
    }
}

impl ComplianceModule for SupplyLimitModule {
    fn kind(&self) -> &'static str {
        "supply_limit"
    }

    fn operations(&self) -> &'static [Operation] {
        ISSUING
    }

    fn facts(&self) -> FactSet {
        FactSet::of(&[Fact::Issued])
    }

    fn check(&self, standing: &Standing<'_>, candidate: &Candidate<'_>) -> Result<(), Refusal> {
        let issued = standing.issued();
        // A sum beyond 2^256-1 is above every limit.
        let within = issued
            .checked_add(candidate.amount)
            .is_some_and(|after| after <= self.max);
        if within {
            Ok(())
        } else {
            Err(Refusal::SupplyLimit {
                max: self.max,
                issued,
                requested: candidate.amount,
            })
        }
    }
}
