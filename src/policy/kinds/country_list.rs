use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::policy::parameter::{Form, Parameter};
use crate::policy::problem::Problem;
use crate::policy::reader::{Fields, Reader};
use crate::types::CountryCode;

/// Both country kinds take named groups and single countries; the list is their union.
pub(super) const PARAMETERS: &[Parameter] = &[
    Parameter::optional("groups", Form::Slugs, "slugs of defs/countries.toml"),
    Parameter::optional("countries", Form::Countries, "ISO 3166-1 codes"),
];

pub(super) fn read(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<BTreeSet<CountryCode>> {
    if fields.get("groups").is_none() && fields.get("countries").is_none() {
        let problem = Problem::new(&fields.node().at, "required", "needs groups or countries");
        reader.problem(problem.knowing(["groups", "countries"]));
        return None;
    }
    let mut countries = fields
        .get("countries")
        .map(|node| reader.countries(node))
        .unwrap_or_default();
    if let Some(groups) = fields.get("groups") {
        let definitions = reader.definitions;
        for (_, group) in reader.named(groups, "country group", &definitions.countries) {
            countries.extend(&group.countries);
        }
    }
    Some(countries)
}

pub(super) fn canonical(countries: &BTreeSet<CountryCode>) -> Value {
    json!({ "countries": countries.iter().map(|country| country.alpha2()).collect::<Vec<_>>() })
}
