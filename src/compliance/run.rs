use std::sync::Arc;

use super::model::{FactSet, Facts};
use super::module::Candidate;
use super::report::{Outcome, Report, Verdict, finding};
use super::rules::{Named, RuleSet};
use super::standing::Standing;
use crate::error::{Finding, Line, Refusal};
use crate::types::Amount;

/// Judges the requests of one group in their order of arrival.
///
/// A request without findings counts for the ones after it, unless [`Self::rollback`] is called before the next is
/// judged: a base rule outside this module (cap, collateral) refused it.
#[derive(Debug)]
pub struct Run<'r> {
    rules: &'r RuleSet,
    facts: &'r Facts,
    standing: Standing<'r>,
    missing: FactSet,
}

/// One verdict while it is being given; findings and reports take from it what they need.
struct Given<'a> {
    line: Option<Line>,
    rule: &'a Named,
    outcome: Outcome,
}

impl<'r> Run<'r> {
    pub fn new(rules: &'r RuleSet, facts: &'r Facts) -> Self {
        Self {
            rules,
            facts,
            standing: Standing::new(facts),
            missing: rules.missing(facts),
        }
    }

    /// Every failing rule and line of one request; empty when it may go ahead.
    pub fn judge(&mut self, lines: &[(Line, Amount)]) -> Vec<Finding> {
        let mut findings = Vec::new();
        self.walk(lines, &mut |given| {
            if let Outcome::Refused(refusal) = given.outcome {
                findings.push(finding(given.line, &given.rule.name, refusal));
            }
        });
        if !findings.is_empty() {
            self.rollback();
        }
        findings
    }

    /// The same with every verdict, also the good ones.
    pub fn report(&mut self, lines: &[(Line, Amount)]) -> Report {
        let mut report = Report::default();
        self.walk(lines, &mut |given| {
            report.verdicts.push(Verdict {
                line: given.line,
                rule: Arc::clone(&given.rule.name),
                source: Arc::clone(&given.rule.source),
                outcome: given.outcome,
            });
        });
        if !report.is_accepted() {
            self.rollback();
        }
        report
    }

    /// Takes back what the request judged last has added. Without effect when it was refused here.
    pub fn rollback(&mut self) {
        self.standing.take_back();
    }

    fn walk(&mut self, lines: &[(Line, Amount)], give: &mut dyn FnMut(Given<'_>)) {
        self.standing.keep();
        self.give_problems(give);
        for (line, amount) in lines {
            self.judge_line(*line, *amount, give);
        }
    }

    /// What is wrong with the rules themselves, once for the request.
    fn give_problems(&self, give: &mut dyn FnMut(Given<'_>)) {
        for problem in &self.rules.problems {
            let outcome = Outcome::Refused(problem.refusal.clone());
            give(Given {
                line: None,
                rule: &problem.named,
                outcome,
            });
        }
        if !self.missing.is_empty() {
            let facts: Vec<String> = self.missing.iter().map(|fact| format!("{fact:?}")).collect();
            let reason = format!("facts were not loaded: {}", facts.join(", "));
            let outcome = Outcome::Refused(Refusal::ModuleError { reason });
            give(Given {
                line: None,
                rule: &self.rules.policy,
                outcome,
            });
        }
    }

    fn judge_line(&mut self, line: Line, amount: Amount, give: &mut dyn FnMut(Given<'_>)) {
        let (rules, facts) = (self.rules, self.facts);
        let recipient = facts
            .recipients
            .get(&line.recipient)
            .filter(|recipient| recipient.registered);
        let candidate = Candidate::new(line.recipient, amount, recipient);
        let mut refused = false;
        let mut give = |rule, outcome: Outcome| {
            refused |= matches!(outcome, Outcome::Refused(_));
            give(Given {
                line: Some(line),
                rule,
                outcome,
            });
        };

        let registered = passed_unless(recipient.is_none(), Refusal::IdentityUnknown);
        give(&rules.registered, registered);
        let frozen = passed_unless(facts.frozen.contains(&line.recipient), Refusal::RecipientFrozen);
        give(&rules.frozen, frozen);
        for rule in &rules.rules {
            give(&rule.named, rule.judge(&self.standing, &candidate));
        }

        if let Some(recipient) = recipient.filter(|_| !refused) {
            self.standing.add(recipient, amount);
        }
    }
}

fn passed_unless(fails: bool, refusal: Refusal) -> Outcome {
    if fails {
        Outcome::Refused(refusal)
    } else {
        Outcome::Passed
    }
}
