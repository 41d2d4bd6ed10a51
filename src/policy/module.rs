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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::policy::kinds::{HolderLimit, Issuers};
    use crate::policy::{Expression, Topic};
    use crate::types::{CountryCode, TopicName};

    fn read(type_id: &str, values: Value) -> Result<Check, Vec<Issue>> {
        parse(type_id, &values, 2, &Definitions::default())
    }

    /// Path, code and message of every issue.
    fn issues(type_id: &str, values: Value) -> Vec<(String, &'static str, String)> {
        let issues = read(type_id, values).unwrap_err();
        issues
            .into_iter()
            .map(|issue| (issue.path.join("."), issue.code, issue.message))
            .collect()
    }

    fn expression(values: Value) -> String {
        match read("identity-verification", values) {
            Ok(Check::Identity(identity)) => {
                assert_eq!(identity.issuers, Issuers::AnyTrusted);
                identity.require.to_string()
            }
            other => panic!("{other:?}"),
        }
    }

    fn topic(name: &str) -> Value {
        json!({ "nodeType": 0, "value": name })
    }

    #[test]
    fn an_expression_is_read_as_text_as_infix_nodes_and_as_postfix_nodes() {
        let (and, or, not) = (
            json!({ "nodeType": 1 }),
            json!({ "nodeType": 2 }),
            json!({ "nodeType": 3, "value": "0" }),
        );

        assert_eq!(expression(json!("(a and b) or c")), "(a and b) or c");
        assert_eq!(
            expression(json!(["(", topic("a"), and, topic("b"), ")", or, topic("c")])),
            "(a and b) or c"
        );
        let postfix = json!([topic("a"), topic("b"), and, topic("c"), or]);
        assert_eq!(
            expression(json!({ "notation": "postfix", "expression": postfix })),
            "(a and b) or c"
        );
        assert_eq!(expression(json!({ "require": "a and not b" })), "a and not b");
        assert_eq!(expression(json!([not, not, topic("a")])), "a");
        assert_eq!(
            expression(json!({ "notation": "postfix", "require": [topic("a"), topic("b"), and, not] })),
            "not a or not b"
        );
    }

    #[test]
    fn a_list_that_is_not_one_infix_expression_is_refused_at_its_node() {
        let (and, or) = (json!({ "nodeType": 1 }), json!({ "nodeType": 2 }));
        let cases = [
            (json!([]), "", "empty"),
            (json!(["(", topic("a")]), "0", "never closed"),
            (json!([topic("a"), ")"]), "1", "closes nothing"),
            (json!([topic("a"), topic("b"), and]), "1", "notation = \"postfix\""),
            (
                json!([topic("a"), and, topic("b"), or, topic("c")]),
                "3",
                "add parentheses",
            ),
            (json!([topic("a"), and]), "", "ends where"),
            (json!([{ "nodeType": 4, "value": "1" }]), "0.nodeType", "must be 0"),
            (json!([{ "nodeType": 0 }]), "0", "needs its value"),
            (json!([{ "nodeType": 0, "value": "0" }]), "0.value", "must not be zero"),
            (json!([{ "nodeType": 0, "value": 1.5 }]), "0.value", "found a number"),
            (
                json!([{ "nodeType": 0, "value": "a", "more": 1 }]),
                "0.more",
                "unknown key",
            ),
            (json!([topic("a"), "x"]), "1", "must be a node"),
            (json!(7), "", "must be a table"),
        ];

        for (values, path, part) in cases {
            let found = issues("SMARTIdentityVerificationComplianceModule", values.clone());
            assert!(
                found
                    .iter()
                    .any(|(at, _, message)| at == path && message.contains(part)),
                "{values}: {found:?}"
            );
        }
    }

    #[test]
    fn a_postfix_list_that_does_not_end_in_one_result_is_refused() {
        let (and, not) = (json!({ "nodeType": 1 }), json!({ "nodeType": 3 }));
        for list in [
            json!([topic("a"), and]),
            json!([topic("a"), topic("b")]),
            json!([not]),
            json!(["(", topic("a"), ")"]),
        ] {
            let values = json!({ "notation": "postfix", "expression": list });
            assert_eq!(
                read("identity-verification", values.clone()).unwrap_err().len(),
                1,
                "{values}"
            );
        }
        let wrong = issues(
            "identity-verification",
            json!({ "notation": "polish", "expression": "a" }),
        );
        assert_eq!(wrong[0].0, "notation");
        let text = issues(
            "identity-verification",
            json!({ "notation": "postfix", "expression": "a b and" }),
        );
        assert!(text[0].2.contains("ambiguous"), "{text:?}");
    }

    #[test]
    fn a_topic_number_is_the_name_that_it_is_the_hash_of() {
        let name = TopicName::parse("knowYourCustomer").unwrap();
        let mut definitions = Definitions::default();
        let longest_validity = crate::policy::Duration::parse("365d").unwrap();
        let kyc = crate::policy::TopicDefinition {
            name: name.clone(),
            data: "string claim".to_owned(),
            longest_validity,
            numbers: [("onchainid".to_owned(), crate::types::Amount::from(10_101_000_100_001))].into(),
        };
        definitions.topics.insert("kyc".to_owned(), kyc);

        for word in ["kyc", "knowYourCustomer", "10101000100001", &name.number().to_string()] {
            let check = parse("identity-verification", &json!([topic(word)]), 0, &definitions).unwrap();
            assert_eq!(
                check.topics().into_iter().collect::<Vec<_>>(),
                [&Topic::Named(name.clone())],
                "{word}"
            );
        }
        let Ok(Check::Identity(own)) = read("identity-verification", json!([topic(&name.number().to_string())])) else {
            panic!("a number is a topic")
        };
        let Expression::Has(numbered) = own.require else {
            panic!("one topic")
        };
        assert!(numbered.matches(&name));
        assert!(!numbered.matches(&TopicName::parse("other").unwrap()));
    }

    #[test]
    fn lists_are_read_bare_and_in_the_form_of_policies() {
        let address = "0x1111111111111111111111111111111111111111";
        for (type_id, list, key) in [
            (
                "CountryAllowListComplianceModule",
                json!([56, "250", "DE"]),
                "countries",
            ),
            ("country-block-list", json!([56]), "countries"),
            ("AddressBlockListComplianceModule", json!([address]), "addresses"),
            ("IdentityAllowListComplianceModule", json!([address]), "identities"),
            ("IdentityBlockListComplianceModule", json!([]), "identities"),
        ] {
            let bare = read(type_id, list.clone());
            assert!(bare.is_ok(), "{type_id}: {bare:?}");
            assert_eq!(bare, read(type_id, json!({ key: list })), "{type_id}");
        }
        assert_eq!(issues("country-allow-list", json!([56, 0, "056x"])).len(), 2);
        assert_eq!(issues("address-block-list", json!([address, "0x12"]))[0].0, "1");
    }

    #[test]
    fn a_supply_limit_has_the_lifetime_form_only() {
        let limit = |max: Value| json!({ "maxSupply": max, "periodLength": 0, "rolling": false, "global": false });
        assert_eq!(
            read("token-supply-limit", limit(json!("10"))),
            read("token-supply-limit", limit(json!(10)))
        );
        assert_eq!(
            read("token-supply-limit", json!({ "maxSupply": "0.25" })),
            read("token-supply-limit", json!({ "max": "0.25" }))
        );
        assert!(
            issues("token-supply-limit", limit(json!("0.125")))[0]
                .2
                .contains("3 fraction digits")
        );
        assert!(
            issues("token-supply-limit", limit(json!("0")))[0]
                .2
                .contains("more than zero")
        );
        assert_eq!(
            issues("token-supply-limit", json!({ "periodLength": 0 }))[0].1,
            "required"
        );

        for (option, value) in [
            ("periodLength", json!(30)),
            ("rolling", json!(true)),
            ("useBasePrice", json!(true)),
            ("global", json!(true)),
        ] {
            let found = issues(
                "TokenSupplyLimitComplianceModule",
                json!({ "maxSupply": "10", option: value }),
            );
            assert_eq!((found[0].0.as_str(), found[0].1), (option, "unsupported"), "{found:?}");
        }
    }

    #[test]
    fn an_investor_count_has_equal_lists_and_at_least_one_limit() {
        let read_ok = read(
            "investor-count",
            json!({ "maxInvestors": 0, "countryCodes": [250], "countryLimits": [2] }),
        );
        let per_country = [(CountryCode::parse_alpha2("FR").unwrap(), 2)].into();
        assert_eq!(read_ok, Ok(Check::HolderLimit(HolderLimit { max: None, per_country })));
        assert!(read("investor-count", json!({ "max": 5 })).is_ok());

        let refused = [
            json!({ "maxInvestors": 0 }),
            json!({}),
            json!({ "maxInvestors": 5, "global": true }),
            json!({ "maxInvestors": 5, "topicFilter": [topic("a")] }),
            json!({ "maxInvestors": 5, "countryCodes": [250], "countryLimits": [] }),
            json!({ "countryCodes": [250, "250"], "countryLimits": [1, 2] }),
            json!({ "countryCodes": [250], "countryLimits": [0] }),
            json!({ "maxInvestors": -1 }),
        ];
        for values in refused {
            assert!(
                read("InvestorCountComplianceModule", values.clone()).is_err(),
                "{values}"
            );
        }
    }

    #[test]
    fn another_type_id_is_unknown_and_the_known_ones_are_told() {
        for type_id in ["TimeLockComplianceModule", "identityverification", "", "identity"] {
            let found = issues(type_id, json!([]));
            assert_eq!(found[0].1, "unknown");
            assert!(found[0].2.contains("identity-verification"), "{found:?}");
        }
    }
}
