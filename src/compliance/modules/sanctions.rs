use super::RECEIVING;
use crate::compliance::model::{Fact, FactSet, Operation};
use crate::compliance::module::{Candidate, ComplianceModule};
use crate::compliance::standing::Standing;
use crate::error::Refusal;
use crate::policy::Sanctions;

/// A list may be dated this far ahead: publishers date by their own calendar day. A list from further in the future
/// would never grow stale, so it is refused.
const AHEAD_SECONDS_MAX: i64 = 86_400;

#[derive(Debug)]
pub(in crate::compliance) struct SanctionsModule(Sanctions);

impl SanctionsModule {
    pub fn new(rule: &Sanctions) -> Self {
        Self(rule.clone())
    }
}

impl ComplianceModule for SanctionsModule {
    fn kind(&self) -> &'static str {
        "sanctions"
    }

    fn operations(&self) -> &'static [Operation] {
        RECEIVING
    }

    fn facts(&self) -> FactSet {
        FactSet::of(&[Fact::Sanctions])
    }

    fn check(&self, standing: &Standing<'_>, candidate: &Candidate<'_>) -> Result<(), Refusal> {
        let facts = standing.sanctions().ok_or(Refusal::SanctionsListMissing)?;
        let max_age_seconds = self.0.max_age.seconds();
        let oldest = standing.now().plus_seconds(max_age_seconds.saturating_neg());
        let newest = standing.now().plus_seconds(AHEAD_SECONDS_MAX);
        if facts.as_of < oldest || facts.as_of > newest {
            return Err(Refusal::SanctionsListStale {
                as_of: facts.as_of,
                max_age_seconds,
            });
        }
        if facts.hits.contains(&candidate.wallet) {
            return Err(Refusal::AddressSanctioned {
                list: facts.list.clone(),
                as_of: facts.as_of,
            });
        }
        Ok(())
    }
}
