use serde_json::{Value, json};

use super::RuleKind;
use crate::policy::parameter::{Form, Parameter};
use crate::policy::reader::{Fields, Reader};
use crate::policy::whole::WholeAmount;

/// At most `max` is issued over the token's lifetime, pending included; what is burned may be issued again. Windows of time
/// are not part of this kind yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupplyLimit {
    /// Inclusive.
    pub max: WholeAmount,
}

impl RuleKind for SupplyLimit {
    const NAME: &'static str = "supply_limit";
    const ABOUT: &'static str = "at most this much may be issued over the token's lifetime, burned units given back";
    const TIGHTER: &'static str = "the same or a smaller max";
    const PARAMETERS: &'static [Parameter] =
        &[Parameter::required("max", Form::WholeAmount, "whole tokens, inclusive")];

    fn read(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let max = fields.get("max").and_then(|node| reader.whole_amount(node))?;
        Some(Self { max })
    }

    fn is_at_least_as_tight_as(&self, other: &Self) -> bool {
        self.max <= other.max
    }

    fn canonical(&self) -> Value {
        json!({ "max": self.max.to_string() })
    }
}
