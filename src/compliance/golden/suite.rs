use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::people::{People, read_people};
use crate::compliance::model::{FactSet, Facts, SanctionsFacts};
use crate::compliance::rules::Attached;
use crate::error::Line;
use crate::policy::node::{Node, Raw};
use crate::policy::parameter::{Form, Parameter};
use crate::policy::reader::{Fields, Reader};
use crate::policy::{Policy, PolicySet, Problem, Rule, SourceFile, module};
use crate::types::{Address, Amount, CountryCode, IdentityId, Timestamp};

/// One file of golden cases.
pub(super) struct Suite {
    pub policy: Arc<Policy>,
    pub decimals: u8,
    pub rules: Vec<Rule>,
    pub cases: Vec<Case>,
}

pub(super) struct Case {
    pub name: String,
    /// Where it stands in the file.
    pub byte: usize,
    pub facts: Facts,
    pub modules: Vec<Attached>,
    pub lines: Vec<(Line, Amount)>,
    /// The findings in their order, as `<line> <rule> <slug>`.
    pub refused: Vec<String>,
}

const FILE: &[Parameter] = &[
    Parameter::required("suite", Form::Table, "what the cases are about"),
    Parameter::optional("people", Form::Table, "recipients"),
    Parameter::optional("rule", Form::List, "rules on top of the policy"),
    Parameter::required("case", Form::List, "the cases"),
];
const SUITE: &[Parameter] = &[
    Parameter::required(
        "policy",
        Form::Text,
        "\"baseline\", \"templates/<name>\" or the id of an asset's policy",
    ),
    Parameter::optional("decimals", Form::Count, "the asset's, 18 without it"),
    Parameter::required("now", Form::Date, "the clock"),
];
const CASE: &[Parameter] = &[
    Parameter::required("name", Form::Text, "what the case shows"),
    Parameter::required("lines", Form::List, "{ to, amount } with the amount in base units"),
    Parameter::required(
        "refused",
        Form::List,
        "\"<line> <rule> <slug>\", empty when all may go ahead",
    ),
    Parameter::optional("now", Form::Date, "another clock than the suite's"),
    Parameter::optional("modules", Form::List, "{ type, values } as the asset API attaches them"),
    Parameter::optional("held", Form::Table, "base units held, by person"),
    Parameter::optional("holders", Form::Count, "identities that hold something"),
    Parameter::optional("holders_by_country", Form::CountryCounts, "the same by country"),
    Parameter::optional("issued", Form::Text, "base units issued"),
    Parameter::optional("frozen", Form::List, "people whose wallet is frozen"),
    Parameter::optional(
        "sanctions",
        Form::Table,
        "{ as_of, hits }, or \"missing\"; a list of an hour ago without it",
    ),
    Parameter::optional(
        "trusted_topics",
        Form::Slugs,
        "topics that somebody is trusted to issue",
    ),
];
const LINE: &[Parameter] = &[
    Parameter::required("to", Form::Text, "a person, or an address that nobody has"),
    Parameter::required("amount", Form::Text, "base units"),
];
const MODULE: &[Parameter] = &[
    Parameter::required("type", Form::Text, "a type id in either spelling"),
    Parameter::required("values", Form::Table, "its values"),
];
const SANCTIONS: &[Parameter] = &[
    Parameter::optional(
        "as_of",
        Form::Date,
        "the list's date; an hour before the clock without it",
    ),
    Parameter::optional("hits", Form::List, "people on the list"),
];

/// What every case of a file shares.
struct Setting<'a> {
    people: &'a People,
    decimals: u8,
    now: Timestamp,
}

impl Suite {
    pub fn read(root: &Node, file: &SourceFile, set: &PolicySet, reader: &mut Reader<'_>) -> Option<Self> {
        let fields = Fields::open(root, FILE, reader)?;
        let heading = Fields::open(fields.get("suite")?, SUITE, reader)?;
        let policy_node = heading.get("policy")?;
        let name = reader.text(policy_node)?;
        let Some(policy) = set.named(name) else {
            reader.problem(Problem::new(
                &policy_node.at,
                "unknown",
                format!("there is no policy `{name}`"),
            ));
            return None;
        };
        let decimals = match heading.get("decimals") {
            Some(node) => {
                let number = reader.number(node)?;
                let decimals = number.to_string().parse().map_err(|_| "must be a number of decimals");
                reader.keep(node, decimals)?
            }
            None => 18,
        };
        let now = heading.get("now").and_then(|node| reader.instant(node))?;
        let people = fields
            .get("people")
            .map(|node| read_people(node, now, reader))
            .unwrap_or_default();
        let rule_nodes = fields.get("rule").map(|node| reader.list(node)).unwrap_or_default();
        let rules = rule_nodes
            .iter()
            .filter_map(|node| Rule::read(node, "test", &file.path, &file.text, reader))
            .collect();
        let setting = Setting {
            people: &people,
            decimals,
            now,
        };
        let case_nodes = reader.list(fields.get("case")?);
        let cases = case_nodes
            .iter()
            .filter_map(|node| Case::read(node, &setting, reader))
            .collect();
        Some(Self {
            policy,
            decimals,
            rules,
            cases,
        })
    }
}

impl Case {
    fn read(node: &Node, setting: &Setting<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let fields = Fields::open(node, CASE, reader)?;
        let lines = reader.list(fields.get("lines")?);
        let modules = fields.get("modules").map(|node| reader.list(node)).unwrap_or_default();
        let refused = reader.list(fields.get("refused")?);
        Some(Self {
            name: fields.get("name").and_then(|node| reader.text(node))?.to_owned(),
            byte: node.byte(),
            facts: read_facts(&fields, setting, reader)?,
            modules: modules
                .iter()
                .filter_map(|node| read_module(node, setting, reader))
                .collect(),
            lines: (0..)
                .zip(lines)
                .filter_map(|(index, node)| read_line(index, node, setting, reader))
                .collect(),
            refused: refused
                .iter()
                .filter_map(|node| reader.text(node).map(str::to_owned))
                .collect(),
        })
    }
}

fn read_facts(fields: &Fields<'_>, setting: &Setting<'_>, reader: &mut Reader<'_>) -> Option<Facts> {
    let now = fields
        .get("now")
        .map_or(Some(setting.now), |node| reader.instant(node))?;
    let mut facts = Facts::new(now);
    facts.loaded = FactSet::ALL;
    facts.recipients = setting
        .people
        .values()
        .map(|person| (person.wallet, person.clone()))
        .collect();
    facts.sanctions = read_sanctions(fields.get("sanctions"), now, setting, reader);
    if let Some(node) = fields.get("frozen") {
        facts.frozen = read_wallets(node, setting, reader);
    }
    if let Some(node) = fields.get("held") {
        facts.held = read_held(node, setting, reader);
    }
    if let Some(node) = fields.get("holders") {
        facts.holders = reader.count(node)?;
    }
    if let Some(node) = fields.get("holders_by_country") {
        facts.holders_by_country = reader
            .country_counts(node)
            .into_iter()
            .collect::<HashMap<CountryCode, u64>>();
    }
    if let Some(node) = fields.get("issued") {
        facts.issued = reader.number(node)?;
    }
    if let Some(node) = fields.get("trusted_topics") {
        facts.trusted_topics = reader.topic_slugs(node).into_iter().collect();
    }
    Some(facts)
}

fn read_sanctions(
    node: Option<&Node>,
    now: Timestamp,
    setting: &Setting<'_>,
    reader: &mut Reader<'_>,
) -> Option<SanctionsFacts> {
    let list = "golden".to_owned();
    let hour_ago = now.plus_seconds(-3_600);
    let Some(node) = node else {
        return Some(SanctionsFacts {
            list,
            as_of: hour_ago,
            hits: HashSet::new(),
        });
    };
    if matches!(&node.value, Raw::Text(word) if word == "missing") {
        return None;
    }
    let fields = Fields::open(node, SANCTIONS, reader)?;
    let as_of = fields
        .get("as_of")
        .map_or(Some(hour_ago), |node| reader.instant(node))?;
    let hits = fields
        .get("hits")
        .map(|node| read_wallets(node, setting, reader))
        .unwrap_or_default();
    Some(SanctionsFacts { list, as_of, hits })
}

fn read_held(node: &Node, setting: &Setting<'_>, reader: &mut Reader<'_>) -> HashMap<IdentityId, Amount> {
    let Raw::Table(entries) = &node.value else {
        reader.wrong_type(node, "a table such as { alice = \"10\" }");
        return HashMap::new();
    };
    let mut held = HashMap::new();
    for entry in entries {
        match (setting.people.get(&entry.key), reader.number(&entry.node)) {
            (Some(person), Some(amount)) => {
                held.insert(person.identity, amount);
            }
            (Some(_), None) => {}
            (None, _) => {
                let problem = Problem::new(&entry.key_at, "unknown", format!("nobody is called `{}`", entry.key));
                reader.problem(problem.knowing(setting.people.keys()));
            }
        }
    }
    held
}

fn read_wallets(node: &Node, setting: &Setting<'_>, reader: &mut Reader<'_>) -> HashSet<Address> {
    reader
        .list(node)
        .iter()
        .filter_map(|item| read_wallet(item, setting, reader))
        .collect()
}

/// A person's wallet, or an address as it is.
fn read_wallet(node: &Node, setting: &Setting<'_>, reader: &mut Reader<'_>) -> Option<Address> {
    let name = reader.text(node)?;
    if let Some(person) = setting.people.get(name) {
        return Some(person.wallet);
    }
    if name.starts_with("0x") {
        return reader.address(node);
    }
    let problem = Problem::new(&node.at, "unknown", format!("nobody is called `{name}`"));
    reader.problem(problem.knowing(setting.people.keys()));
    None
}

fn read_line(index: usize, node: &Node, setting: &Setting<'_>, reader: &mut Reader<'_>) -> Option<(Line, Amount)> {
    let fields = Fields::open(node, LINE, reader)?;
    let recipient = read_wallet(fields.get("to")?, setting, reader)?;
    let amount = fields.get("amount").and_then(|node| reader.number(node))?;
    Some((Line { index, recipient }, amount))
}

fn read_module(node: &Node, setting: &Setting<'_>, reader: &mut Reader<'_>) -> Option<Attached> {
    let fields = Fields::open(node, MODULE, reader)?;
    let type_id = fields.get("type").and_then(|node| reader.text(node))?;
    let values = fields.get("values")?.clone();
    let mut modules = Reader::of_modules(reader.definitions);
    let check = module::read(type_id, values, setting.decimals, &mut modules);
    modules
        .into_problems()
        .into_iter()
        .for_each(|problem| reader.problem(problem));
    Some(Attached {
        name: type_id.into(),
        check: check?,
    })
}
