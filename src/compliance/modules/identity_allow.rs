use super::RECEIVING;
use crate::compliance::model::{Fact, FactSet, Operation};
use crate::compliance::module::{Candidate, ComplianceModule};
use crate::compliance::standing::Standing;
use crate::error::Refusal;
use crate::policy::IdentityAllow;

#[derive(Debug)]
pub(in crate::compliance) struct IdentityAllowModule(IdentityAllow);

impl IdentityAllowModule {
    pub fn new(rule: &IdentityAllow) -> Self {
        Self(rule.clone())
    }
}

impl ComplianceModule for IdentityAllowModule {
    fn kind(&self) -> &'static str {
        "identity_allow"
    }

    fn operations(&self) -> &'static [Operation] {
        RECEIVING
    }

    fn facts(&self) -> FactSet {
        FactSet::of(&[Fact::Identity])
    }

    fn check(&self, _standing: &Standing<'_>, candidate: &Candidate<'_>) -> Result<(), Refusal> {
        let allowed = self.0.identities.contains(&candidate.identity()?.identity_address);
        if allowed {
            Ok(())
        } else {
            Err(Refusal::RecipientNotAllowed)
        }
    }
}
