use std::collections::BTreeSet;

use serde_json::Value;

use super::{RuleKind, country_list};
use crate::policy::parameter::Parameter;
use crate::policy::reader::{Fields, Reader};
use crate::types::CountryCode;

/// The recipient's country is one of the listed ones. An unknown country is refused (compliance.md 3.2, trap 8); an empty
/// list refuses everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountryAllow {
    pub countries: BTreeSet<CountryCode>,
}

impl RuleKind for CountryAllow {
    const NAME: &'static str = "country_allow";
    const ABOUT: &'static str = "the recipient's country must be listed";
    const TIGHTER: &'static str = "a subset of the countries";
    const PARAMETERS: &'static [Parameter] = country_list::PARAMETERS;

    fn read(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        country_list::read(fields, reader).map(|countries| Self { countries })
    }

    fn is_at_least_as_tight_as(&self, other: &Self) -> bool {
        self.countries.is_subset(&other.countries)
    }

    fn lists_nothing(&self) -> bool {
        self.countries.is_empty()
    }

    fn canonical(&self) -> Value {
        country_list::canonical(&self.countries)
    }
}
