use serde_json::{Value, json};

use super::RuleKind;
use crate::policy::duration::Duration;
use crate::policy::parameter::{Form, Parameter};
use crate::policy::reader::{Fields, Reader};

/// The recipient's wallet is not on the imported sanctions list, and that list is young enough. A missing list refuses
/// everybody: an unset oracle that lets everybody pass is the trap of compliance.md 3.2, number 1. A match is necessary
/// and never sufficient evidence (OFAC FAQ 560, 562): names are screened by a vendor, whose word comes as a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sanctions {
    /// The list's as-of time may be this old, inclusive.
    pub max_age: Duration,
}

impl RuleKind for Sanctions {
    const NAME: &'static str = "sanctions";
    const ABOUT: &'static str = "the recipient's wallet must not be on the imported sanctions list";
    const TIGHTER: &'static str = "the same or a shorter max_age";
    const PARAMETERS: &'static [Parameter] = &[Parameter::required(
        "max_age",
        Form::Duration,
        "how old the list may be, inclusive",
    )];

    fn read(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let max_age = fields.get("max_age").and_then(|node| reader.duration(node))?;
        Some(Self { max_age })
    }

    fn is_at_least_as_tight_as(&self, other: &Self) -> bool {
        self.max_age <= other.max_age
    }

    fn canonical(&self) -> Value {
        json!({ "max_age_seconds": self.max_age.seconds() })
    }
}
