//! Golden cases: `policies/tests/*.toml`, facts on one side and the verdict on the other. They run when a set of
//! policies is admitted, before it may decide anything, and they are how an officer says what a rule was meant to do.
//!
//! A file has a `[suite]` (which policy, decimals, the clock), `[people.<name>]`, extra rules as `[[rule]]` on top of the
//! policy when a suite is about a rule kind rather than a policy, and the cases. Amounts are base units. README.md of
//! the folder shows one.

mod people;
mod suite;

use super::model::Operation;
use super::rules::{Binding, RuleSet};
use super::run::Run;
use crate::error::Finding;
use crate::policy::reader::Reader;
use crate::policy::{PolicyError, PolicySet, SourceFile, parse_toml, place_all};
use suite::{Case, Suite};

/// Runs the golden cases of a set. A case that does not come out as written refuses the set, with its file and line.
pub fn admit(set: &PolicySet) -> Result<(), Vec<PolicyError>> {
    let errors: Vec<PolicyError> = set.golden.iter().flat_map(|file| errors_of(set, file)).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn errors_of(set: &PolicySet, file: &SourceFile) -> Vec<PolicyError> {
    let root = match parse_toml(&file.path, &file.text) {
        Ok(root) => root,
        Err(errors) => return errors,
    };
    let mut reader = Reader::of_files(&set.definitions);
    let suite = Suite::read(&root, file, set, &mut reader);
    let problems = reader.into_problems();
    match suite {
        Some(suite) if problems.is_empty() => suite
            .cases
            .iter()
            .filter_map(|case| mismatch(set, file, &suite, case))
            .collect(),
        Some(_) | None => place_all(&file.path, &file.text, problems),
    }
}

fn mismatch(set: &PolicySet, file: &SourceFile, suite: &Suite, case: &Case) -> Option<PolicyError> {
    let binding = Binding {
        decimals: suite.decimals,
        operation: Operation::Mint,
    };
    let mut rules = RuleSet::empty(set.hash);
    rules.add_policy(&suite.policy.rules, binding);
    rules.add_policy(&suite.rules, binding);
    rules.add_modules(&case.modules, binding);

    let findings = Run::new(&rules, &case.facts).judge(&case.lines);

    let found: Vec<String> = findings.iter().map(written).collect();
    if found == case.refused {
        return None;
    }
    let list = |refusals: &[String]| {
        if refusals.is_empty() {
            "nothing refused".to_owned()
        } else {
            format!("refused [{}]", refusals.join(", "))
        }
    };
    let message = format!(
        "the case `{}` expects {}, got {}",
        case.name,
        list(&case.refused),
        list(&found)
    );
    Some(PolicyError::at(&file.path, &file.text, case.byte, message))
}

/// `<line> <rule> <slug>`, with `-` for a finding about the whole request.
fn written(finding: &Finding) -> String {
    let line = finding
        .line
        .map_or_else(|| "-".to_owned(), |line| line.index.to_string());
    format!("{line} {} {}", finding.rule, finding.refusal.slug())
}
