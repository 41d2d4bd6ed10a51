use super::RECEIVING;
use crate::compliance::model::{Fact, FactSet, Operation};
use crate::compliance::module::{Candidate, ComplianceModule};
use crate::compliance::standing::Standing;
use crate::error::Refusal;
use crate::policy::CountryBlock;

#[derive(Debug)]
pub(in crate::compliance) struct CountryBlockModule(CountryBlock);

impl CountryBlockModule {
    pub fn new(rule: &CountryBlock) -> Self {
        Self(rule.clone())
    }
}

impl ComplianceModule for CountryBlockModule {
    fn kind(&self) -> &'static str {
        "country_block"
    }

    fn operations(&self) -> &'static [Operation] {
        RECEIVING
    }

    fn facts(&self) -> FactSet {
        FactSet::of(&[Fact::Identity])
    }

    fn check(&self, _standing: &Standing<'_>, candidate: &Candidate<'_>) -> Result<(), Refusal> {
        let country = candidate.identity()?.country.ok_or(Refusal::CountryUnknown)?;
        if self.0.countries.contains(&country) {
            Err(Refusal::CountryBlocked { country })
        } else {
            Ok(())
        }
    }
}
