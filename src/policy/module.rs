//! Compliance modules as the asset API attaches them (`initialModulePairs`, dalp.md section 6): a type id, and values in
//! the reference's form or in the form of the rule kind that the type id stands for.

use serde_json::Value;

use super::definitions::Definitions;
use super::kinds::Check;
use super::node::{Entry, Node, Raw};
use super::parameter::{Form, Parameter};
use super::problem::Problem;
use super::reader::{Fields, Reader};
use crate::error::Issue;

/// A kind of module that can be attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModuleType {
    /// The contract's name: the spelling that answers use.
    pub type_id: &'static str,
    /// The later spelling of the same.
    pub kebab: &'static str,
    /// The rule kind it becomes.
    pub kind: &'static str,
}

const fn module_type(type_id: &'static str, kebab: &'static str, kind: &'static str) -> ModuleType {
    ModuleType { type_id, kebab, kind }
}

/// Every type id that can be attached, in both spellings.
pub const MODULE_TYPES: &[ModuleType] = &[
    module_type(
        "SMARTIdentityVerificationComplianceModule",
        "identity-verification",
        "identity",
    ),
    module_type(
        "CountryAllowListComplianceModule",
        "country-allow-list",
        "country_allow",
    ),
    module_type(
        "CountryBlockListComplianceModule",
        "country-block-list",
        "country_block",
    ),
    module_type(
        "AddressBlockListComplianceModule",
        "address-block-list",
        "address_block",
    ),
    module_type(
        "IdentityAllowListComplianceModule",
        "identity-allow-list",
        "identity_allow",
    ),
    module_type(
        "IdentityBlockListComplianceModule",
        "identity-block-list",
        "identity_block",
    ),
    module_type("TokenSupplyLimitComplianceModule", "token-supply-limit", "supply_limit"),
    module_type("InvestorCountComplianceModule", "investor-count", "holder_limit"),
];

/// The type of a type id in either spelling.
pub fn module_type_of(type_id: &str) -> Option<ModuleType> {
    MODULE_TYPES
        .iter()
        .find(|known| known.type_id == type_id || known.kebab == type_id)
        .copied()
}

/// Reads one attached module. `decimals` are the asset's: amounts that they cannot hold are refused here, at the door.
///
/// Topics may be slugs of the definitions, names or numbers; whether a name is registered is for the caller to check
/// with [`Check::topics`]. Issues have the code `unknown` for a type id or key, `unsupported` for an option of the
/// reference that this server does not have, and a path inside `values`.
pub fn parse(type_id: &str, values: &Value, decimals: u8, definitions: &Definitions) -> Result<Check, Vec<Issue>> {
    let mut reader = Reader::of_modules(definitions);
    let check = read(type_id, Node::from_json(values), decimals, &mut reader);
    let issues: Vec<Issue> = reader.into_problems().into_iter().map(Problem::into_issue).collect();
    match check {
        Some(check) if issues.is_empty() => Ok(check),
        Some(_) | None => Err(issues),
    }
}

/// The same from a tree, for golden cases.
pub(crate) fn read(type_id: &str, values: Node, decimals: u8, reader: &mut Reader<'_>) -> Option<Check> {
    let Some(module) = module_type_of(type_id) else {
        let problem = Problem::new(&values.at, "unknown", format!("unknown module type `{type_id}`"));
        let known = MODULE_TYPES.iter().flat_map(|known| [known.type_id, known.kebab]);
        reader.problem(problem.knowing(known));
        return None;
    };
    let node = in_own_form(module.kind, values, reader)?;
    let check = Check::read(module.kind, &node, reader)?;
    reader.keep(&node, check.fits(decimals))?;
    Some(check)
}

/// The reference's form of the values in our own; our own form passes as it is.
fn in_own_form(kind: &str, node: Node, reader: &mut Reader<'_>) -> Option<Node> {
    match (kind, &node.value) {
        ("identity", Raw::Text(_) | Raw::List(_)) => Some(node.wrapped("require")),
        ("identity", Raw::Table(_)) => Some(renamed(node, "expression", "require")),
        ("country_allow" | "country_block", Raw::List(_)) => Some(node.wrapped("countries")),
        ("address_block", Raw::List(_)) => Some(node.wrapped("addresses")),
        ("identity_allow" | "identity_block", Raw::List(_)) => Some(node.wrapped("identities")),
        ("supply_limit", Raw::Table(_)) if node.get("max").is_none() => supply_limit(&node, reader),
        ("holder_limit", Raw::Table(_)) if node.get("max").is_none() && node.get("per_country").is_none() => {
            investor_count(&node, reader)
        }
        _ => Some(node),
    }
}

fn renamed(mut node: Node, from: &str, to: &str) -> Node {
    if let Raw::Table(entries) = &mut node.value {
        for entry in entries.iter_mut().filter(|entry| entry.key == from) {
            to.clone_into(&mut entry.key);
        }
    }
    node
}

const SUPPLY_LIMIT: &[Parameter] = &[
    Parameter::required("maxSupply", Form::WholeAmount, "whole tokens"),
    Parameter::optional("periodLength", Form::Count, "days; 0 is the token's lifetime"),
    Parameter::optional("rolling", Form::Text, "false"),
    Parameter::optional("useBasePrice", Form::Text, "false"),
    Parameter::optional("global", Form::Text, "false"),
];

fn supply_limit(node: &Node, reader: &mut Reader<'_>) -> Option<Node> {
    let fields = Fields::open(node, SUPPLY_LIMIT, reader)?;
    only(&fields, "periodLength", "a lifetime limit (0)", reader, |raw| {
        is_integer(raw, "0")
    });
    for option in ["rolling", "useBasePrice", "global"] {
        only(&fields, option, "false", reader, is_false);
    }
    fields.get("maxSupply").map(|max| max.clone().wrapped("max"))
}

const INVESTOR_COUNT: &[Parameter] = &[
    Parameter::optional("maxInvestors", Form::Count, "identities in all; 0 for no limit in all"),
    Parameter::optional("global", Form::Text, "false"),
    Parameter::optional("countryCodes", Form::Countries, "countries with a limit of their own"),
    Parameter::optional("countryLimits", Form::List, "their limits, in the same order"),
    Parameter::optional("topicFilter", Form::List, "empty"),
];

fn investor_count(node: &Node, reader: &mut Reader<'_>) -> Option<Node> {
    let fields = Fields::open(node, INVESTOR_COUNT, reader)?;
    only(&fields, "global", "false", reader, is_false);
    only(
        &fields,
        "topicFilter",
        "an empty list",
        reader,
        |raw| matches!(raw, Raw::List(items) if items.is_empty()),
    );
    let mut entries = Vec::new();
    if let Some(max) = fields.get("maxInvestors").filter(|max| !is_integer(&max.value, "0")) {
        entries.push(entry("max", max.clone()));
    }
    let list = |name: &str, reader: &mut Reader<'_>| fields.get(name).map_or(&[][..], |node| reader.list(node));
    let (codes, limits) = (list("countryCodes", reader), list("countryLimits", reader));
    if codes.len() != limits.len() {
        let at = fields
            .get("countryLimits")
            .or_else(|| fields.get("countryCodes"))
            .map_or(&node.at, |list| &list.at);
        let message = format!("{} country codes and {} country limits", codes.len(), limits.len());
        reader.problem(Problem::new(at, "format", message));
        return None;
    }
    let mut per_country: Vec<Entry> = Vec::new();
    for (code, limit) in codes.iter().zip(limits) {
        let Some(country) = reader.country(code) else { continue };
        if per_country.iter().any(|known| known.key == country.alpha2()) {
            reader.problem(Problem::new(
                &code.at,
                "format",
                format!("a second limit for {country}"),
            ));
        }
        per_country.push(entry(country.alpha2(), limit.clone()));
    }
    if !per_country.is_empty() {
        entries.push(entry(
            "per_country",
            Node {
                at: node.at.clone(),
                value: Raw::Table(per_country),
            },
        ));
    }
    Some(Node {
        at: node.at.clone(),
        value: Raw::Table(entries),
    })
}

fn entry(key: &str, node: Node) -> Entry {
    Entry {
        key: key.to_owned(),
        key_at: node.at.clone(),
        node,
    }
}

/// An option of the reference that has one supported value.
fn only(fields: &Fields<'_>, name: &str, value: &str, reader: &mut Reader<'_>, is: impl Fn(&Raw) -> bool) {
    if let Some(node) = fields.get(name).filter(|node| !is(&node.value)) {
        reader.problem(Problem::new(
            &node.at,
            "unsupported",
            format!("`{name}` supports {value} only"),
        ));
    }
}

fn is_false(raw: &Raw) -> bool {
    matches!(raw, Raw::Boolean(false))
}

fn is_integer(raw: &Raw, digits: &str) -> bool {
    matches!(raw, Raw::Integer(own) | Raw::Text(own) if own == digits)
}
