use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::RuleKind;
use crate::policy::parameter::{Form, Parameter};
use crate::policy::problem::Problem;
use crate::policy::reader::{Fields, Reader};
use crate::types::CountryCode;

/// At most so many identities hold the asset, in all and per country of residence. Who holds already always passes;
/// a limit lowered under the count refuses every newcomer (compliance.md 3.2, trap 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HolderLimit {
    /// Inclusive; none for no limit in all.
    pub max: Option<u64>,
    /// Inclusive. With an entry here, a newcomer of unknown country is refused.
    pub per_country: BTreeMap<CountryCode, u64>,
}

impl RuleKind for HolderLimit {
    const NAME: &'static str = "holder_limit";
    const ABOUT: &'static str = "at most so many identities may hold the asset";
    const TIGHTER: &'static str = "the same or smaller limits, and at least the same countries";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::optional("max", Form::Count, "identities in all, inclusive"),
        Parameter::optional("per_country", Form::CountryCounts, "identities per country, inclusive"),
    ];

    fn read(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let (max, per_country) = (fields.get("max"), fields.get("per_country"));
        if max.is_none() && per_country.is_none() {
            let problem = Problem::new(&fields.node().at, "required", "needs max or per_country");
            reader.problem(problem.knowing(["max", "per_country"]));
            return None;
        }
        Some(Self {
            max: max.and_then(|node| reader.count(node)),
            per_country: per_country.map(|node| reader.country_counts(node)).unwrap_or_default(),
        })
    }

    fn is_at_least_as_tight_as(&self, other: &Self) -> bool {
        let total = match (self.max, other.max) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(own), Some(other)) => own <= other,
        };
        let tight = |(country, limit)| self.per_country.get(country).is_some_and(|own: &u64| own <= limit);
        total && other.per_country.iter().all(tight)
    }

    fn lists_nothing(&self) -> bool {
        self.max.is_none() && self.per_country.is_empty()
    }

    fn canonical(&self) -> Value {
        let per_country: BTreeMap<&str, u64> = self
            .per_country
            .iter()
            .map(|(country, limit)| (country.alpha2(), *limit))
            .collect();
        json!({ "max": self.max, "per_country": per_country })
    }
}
