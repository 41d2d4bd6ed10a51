use super::RECEIVING;
use crate::compliance::model::{FactSet, Operation};
use crate::compliance::module::{Candidate, ComplianceModule};
use crate::compliance::standing::Standing;
use crate::error::Refusal;
use crate::policy::AddressBlock;

#[derive(Debug)]
pub(in crate::compliance) struct AddressBlockModule(AddressBlock);

impl AddressBlockModule {
    pub fn new(rule: &AddressBlock) -> Self {
        Self(rule.clone())
    }
}

impl ComplianceModule for AddressBlockModule {
    fn kind(&self) -> &'static str {
        "address_block"
    }

    fn operations(&self) -> &'static [Operation] {
        RECEIVING
    }

    fn facts(&self) -> FactSet {
        FactSet::NONE
    }

    fn check(&self, _standing: &Standing<'_>, candidate: &Candidate<'_>) -> Result<(), Refusal> {
        if self.0.addresses.contains(&candidate.wallet) {
            Err(Refusal::RecipientBlocked)
        } else {
            Ok(())
        }
    }
}
