use super::RECEIVING;
use crate::compliance::model::{Fact, FactSet, Operation};
use crate::compliance::module::{Candidate, ComplianceModule};
use crate::compliance::standing::Standing;
use crate::error::Refusal;
use crate::policy::{MaxHolding, WholeAmountError};
use crate::types::Amount;

#[derive(Debug)]
pub(in crate::compliance) struct MaxHoldingModule {
    max: Amount,
}

impl MaxHoldingModule {
    /// Refused when the asset's decimals cannot hold the rule's amount.
    pub fn new(rule: &MaxHolding, decimals: u8) -> Result<Self, WholeAmountError> {
        rule.max.scale(decimals).map(|max| Self { max })
    }
}

impl ComplianceModule for MaxHoldingModule {
    fn kind(&self) -> &'static str {
        "max_holding"
    }

    fn operations(&self) -> &'static [Operation] {
        RECEIVING
    }

    fn facts(&self) -> FactSet {
        FactSet::of(&[Fact::Identity, Fact::Held])
    }

    fn check(&self, standing: &Standing<'_>, candidate: &Candidate<'_>) -> Result<(), Refusal> {
        let held = standing.held(candidate.identity()?.identity);
        // A sum beyond 2^256-1 is above every maximum.
        let within = held
            .checked_add(candidate.amount)
            .is_some_and(|after| after <= self.max);
        if within {
            Ok(())
        } else {
            Err(Refusal::MaxHolding {
                max: self.max,
                held,
                requested: candidate.amount,
            })
        }
    }
}
