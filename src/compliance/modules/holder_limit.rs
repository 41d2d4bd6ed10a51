use super::RECEIVING;
use crate::compliance::model::{Fact, FactSet, Operation};
use crate::compliance::module::{Candidate, ComplianceModule};
use crate::compliance::standing::Standing;
use crate::error::Refusal;
use crate::policy::HolderLimit;

#[derive(Debug)]
pub(in crate::compliance) struct HolderLimitModule(HolderLimit);

impl HolderLimitModule {
    pub fn new(rule: &HolderLimit) -> Self {
        Self(rule.clone())
    }
}

impl ComplianceModule for HolderLimitModule {
    fn kind(&self) -> &'static str {
        "holder_limit"
    }

    fn operations(&self) -> &'static [Operation] {
        RECEIVING
    }

    fn facts(&self) -> FactSet {
        FactSet::of(&[Fact::Identity, Fact::Held, Fact::Holders, Fact::HoldersByCountry])
    }

    fn check(&self, standing: &Standing<'_>, candidate: &Candidate<'_>) -> Result<(), Refusal> {
        let recipient = candidate.identity()?;
        if candidate.amount.is_zero() || !standing.held(recipient.identity).is_zero() {
            return Ok(());
        }
        if !self.0.per_country.is_empty() {
            let country = recipient.country.ok_or(Refusal::CountryUnknown)?;
            let holders = standing.holders_in(country);
            if let Some(max) = self.0.per_country.get(&country).copied().filter(|max| holders >= *max) {
                return Err(Refusal::HolderLimitCountry { country, max, holders });
            }
        }
        let holders = standing.holders();
        match self.0.max.filter(|max| holders >= *max) {
            Some(max) => Err(Refusal::HolderLimit { max, holders }),
            None => Ok(()),
        }
    }
}
