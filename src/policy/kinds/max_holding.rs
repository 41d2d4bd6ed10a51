use serde_json::{Value, json};

use super::RuleKind;
use crate::policy::parameter::{Form, Parameter};
use crate::policy::reader::{Fields, Reader};
use crate::policy::whole::WholeAmount;

/// One identity holds at most `max` over all its wallets, pending included. Holding exactly the maximum is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaxHolding {
    /// Inclusive.
    pub max: WholeAmount,
}

impl RuleKind for MaxHolding {
    const NAME: &'static str = "max_holding";
    const ABOUT: &'static str = "one identity may hold at most this much over all its wallets";
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
