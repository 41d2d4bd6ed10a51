use std::collections::BTreeMap;
use std::sync::Arc;

use super::document::Document;
use super::problem::PolicyError;
use super::rule::Rule;
use super::set::{Policies, Policy};

/// The files of a folder, by policy id.
pub(super) struct Sources {
    pub baseline: Document,
    pub templates: BTreeMap<String, Document>,
    pub assets: BTreeMap<String, Document>,
}

/// Lays each policy on top of what it extends: the baseline always, then its templates in their order, then its own
/// rules. All of them count together; a rule whose id is known already takes the earlier one's place, and may do so
/// only by being tighter.
pub(super) fn effective(sources: &Sources, errors: &mut Vec<PolicyError>) -> Option<Policies> {
    let Sources {
        baseline,
        templates,
        assets,
    } = sources;
    for (name, byte) in &baseline.extends {
        errors.push(error_at(
            baseline,
            *byte,
            format!("the baseline extends nothing, found `{name}`"),
        ));
    }
    let base: Vec<Rule> = baseline.rules.iter().map(|(rule, _)| rule.clone()).collect();
    let mut lay = |document: &Document, allowed: &BTreeMap<String, Document>| {
        let mut rules = base.clone();
        for template in extended(document, allowed, errors) {
            add(&mut rules, template, document, errors);
        }
        add(&mut rules, document, document, errors);
        Arc::new(policy(document, rules))
    };
    let none = BTreeMap::new();
    let policies = Policies {
        templates: templates
            .iter()
            .map(|(id, document)| (id.clone(), lay(document, &none)))
            .collect(),
        assets: assets
            .iter()
            .map(|(id, document)| (id.clone(), lay(document, templates)))
            .collect(),
        baseline: Arc::new(policy(baseline, base)),
    };
    errors.is_empty().then_some(policies)
}

/// The templates that a document extends. A template extends the baseline only: one step is enough to read.
fn extended<'d>(
    document: &Document,
    templates: &'d BTreeMap<String, Document>,
    errors: &mut Vec<PolicyError>,
) -> Vec<&'d Document> {
    let mut found = Vec::new();
    for (name, byte) in &document.extends {
        match name.strip_prefix("templates/").and_then(|id| templates.get(id)) {
            Some(template) => found.push(template),
            None if name == "baseline" => {}
            None => {
                let mut error = error_at(document, *byte, format!("extends `{name}`, which is not there"));
                error.known = std::iter::once("baseline".to_owned())
                    .chain(templates.keys().map(|id| format!("templates/{id}")))
                    .collect();
                errors.push(error);
            }
        }
    }
    found
}

/// Adds the rules of `source` for `document`, which is `source` itself or extends it.
fn add(rules: &mut Vec<Rule>, source: &Document, document: &Document, errors: &mut Vec<PolicyError>) {
    for (rule, byte) in &source.rules {
        let Some(earlier) = rules.iter_mut().find(|earlier| earlier.id == rule.id) else {
            rules.push(rule.clone());
            continue;
        };
        if !rule.may_replace(earlier) {
            let mut message = format!(
                "the rule `{}` may only tighten `{}` ({}:{}): {}",
                rule.id,
                earlier.name,
                earlier.origin.file,
                earlier.origin.line,
                earlier.check.tighter(),
            );
            if source.file != document.file {
                message.push_str(&format!(" (extended by {})", document.file));
            }
            errors.push(error_at(source, *byte, message));
        }
        *earlier = rule.clone();
    }
}

fn policy(document: &Document, rules: Vec<Rule>) -> Policy {
    Policy {
        id: document.id.clone(),
        version: document.version,
        owner: document.owner.clone(),
        review_by: document.review_by,
        rules,
    }
}

fn error_at(document: &Document, byte: usize, message: String) -> PolicyError {
    PolicyError::at(&document.file, &document.text, byte, message)
}
