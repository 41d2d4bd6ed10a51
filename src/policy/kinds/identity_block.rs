use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::RuleKind;
use crate::policy::parameter::{Form, Parameter};
use crate::policy::reader::{Fields, Reader};
use crate::types::Address;

/// The recipient's identity is none of the listed ones, whatever wallet of it receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityBlock {
    pub identities: BTreeSet<Address>,
}

impl RuleKind for IdentityBlock {
    const NAME: &'static str = "identity_block";
    const ABOUT: &'static str = "the recipient's identity must not be listed";
    const TIGHTER: &'static str = "at least the same identities";
    const PARAMETERS: &'static [Parameter] =
        &[Parameter::required("identities", Form::Addresses, "identity addresses")];

    fn read(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        fields.get("identities").map(|node| Self {
            identities: reader.addresses(node),
        })
    }

    fn is_at_least_as_tight_as(&self, other: &Self) -> bool {
        self.identities.is_superset(&other.identities)
    }

    fn lists_nothing(&self) -> bool {
        self.identities.is_empty()
    }

    fn canonical(&self) -> Value {
        json!({ "identities": self.identities.iter().map(Address::to_lower_hex).collect::<Vec<_>>() })
    }
}
