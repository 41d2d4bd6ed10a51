use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::RuleKind;
use crate::policy::parameter::{Form, Parameter};
use crate::policy::reader::{Fields, Reader};
use crate::types::Address;

/// The recipient's wallet is none of the listed ones. Judged for unregistered wallets too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressBlock {
    pub addresses: BTreeSet<Address>,
}

impl RuleKind for AddressBlock {
    const NAME: &'static str = "address_block";
    const ABOUT: &'static str = "the recipient's wallet must not be listed";
    const TIGHTER: &'static str = "at least the same addresses";
    const PARAMETERS: &'static [Parameter] = &[Parameter::required("addresses", Form::Addresses, "wallet addresses")];

    fn read(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        fields.get("addresses").map(|node| Self {
            addresses: reader.addresses(node),
        })
    }

    fn is_at_least_as_tight_as(&self, other: &Self) -> bool {
        self.addresses.is_superset(&other.addresses)
    }

    fn lists_nothing(&self) -> bool {
        self.addresses.is_empty()
    }

    fn canonical(&self) -> Value {
        json!({ "addresses": self.addresses.iter().map(Address::to_lower_hex).collect::<Vec<_>>() })
    }
}
