use super::RECEIVING;
use crate::compliance::model::{Fact, FactSet, Operation};
use crate::compliance::module::{Candidate, ComplianceModule};
use crate::compliance::standing::Standing;
use crate::error::Refusal;
use crate::policy::IdentityBlock;

#[derive(Debug)]
pub(in crate::compliance) struct IdentityBlockModule(IdentityBlock);

impl IdentityBlockModule {
    pub fn new(rule: &IdentityBlock) -> Self {
        Self(rule.clone())
    }
}

impl ComplianceModule for IdentityBlockModule {
    fn kind(&self) -> &'static str {
        "identity_block"
    }

    fn operations(&self) -> &'static [Operation] {
        RECEIVING
    }

    fn facts(&self) -> FactSet {
        FactSet::of(&[Fact::Identity])
    }

    fn check(&self, _standing: &Standing<'_>, candidate: &Candidate<'_>) -> Result<(), Refusal> {
        let blocked = self.0.identities.contains(&candidate.identity()?.identity_address);
        if blocked {
            Err(Refusal::RecipientBlocked)
        } else {
            Ok(())
        }
    }
}
