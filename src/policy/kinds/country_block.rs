use std::collections::BTreeSet;

use serde_json::Value;

use super::{RuleKind, country_list};
use crate::policy::parameter::Parameter;
use crate::policy::reader::{Fields, Reader};
use crate::types::CountryCode;

/// The recipient's country is none of the listed ones. An unknown country is refused: nobody can tell that it is not
/// listed (compliance.md 3.2, trap 8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountryBlock {
    pub countries: BTreeSet<CountryCode>,
}

impl RuleKind for CountryBlock {
    const NAME: &'static str = "country_block";
    const ABOUT: &'static str = "the recipient's country must not be listed";
    const TIGHTER: &'static str = "at least the same countries";
    const PARAMETERS: &'static [Parameter] = country_list::PARAMETERS;

    fn read(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        country_list::read(fields, reader).map(|countries| Self { countries })
    }

    fn is_at_least_as_tight_as(&self, other: &Self) -> bool {
        self.countries.is_superset(&other.countries)
    }

    fn lists_nothing(&self) -> bool {
        self.countries.is_empty()
    }

    fn canonical(&self) -> Value {
        country_list::canonical(&self.countries)
    }
}
