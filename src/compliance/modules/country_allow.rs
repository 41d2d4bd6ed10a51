use super::RECEIVING;
use crate::compliance::model::{Fact, FactSet, Operation};
use crate::compliance::module::{Candidate, ComplianceModule};
use crate::compliance::standing::Standing;
use crate::error::Refusal;
use crate::policy::CountryAllow;

#[derive(Debug)]
pub(in crate::compliance) struct CountryAllowModule(CountryAllow);

impl CountryAllowModule {
    pub fn new(rule: &CountryAllow) -> Self {
        Self(rule.clone())
    }
}

impl ComplianceModule for CountryAllowModule {
    fn kind(&self) -> &'static str {
        "country_allow"
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
            Ok(())
        } else {
            Err(Refusal::CountryNotAllowed { country })
        }
    }
}
