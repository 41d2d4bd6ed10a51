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
        let verdicts_max = lines.len().saturating_mul(self.rules.rules.len().saturating_add(2));
        let mut report = Report {
            verdicts: Vec::with_capacity(verdicts_max),
        };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compliance::model::{Fact, Operation};
    use crate::compliance::rules::Binding;
    use crate::compliance::{Attached, ComplianceModule};
    use crate::identity::Recipient;
    use crate::policy::module::parse;
    use crate::policy::{Check, Definitions, MaxHolding, WholeAmount};
    use crate::types::{Address, Hash32, IdentityId, Timestamp};

    const BINDING: Binding = Binding {
        decimals: 0,
        operation: Operation::Mint,
    };

    fn wallet(number: u8) -> Address {
        Address::from_bytes([number; 20])
    }

    fn line(index: usize, number: u8, amount: u64) -> (Line, Amount) {
        (
            Line {
                index,
                recipient: wallet(number),
            },
            Amount::from(amount),
        )
    }

    fn facts(people: u8) -> Facts {
        let mut facts = Facts::new(Timestamp::from_seconds(1_700_000_000));
        facts.loaded = FactSet::ALL;
        for number in 1..=people {
            let recipient = Recipient {
                wallet: wallet(number),
                identity: IdentityId::generate(),
                identity_address: wallet(number),
                registered: true,
                country: None,
                claims: Vec::new(),
            };
            facts.recipients.insert(wallet(number), recipient);
        }
        facts
    }

    fn attached(type_id: &str, values: serde_json::Value) -> Attached {
        let check = parse(type_id, &values, 0, &Definitions::default()).unwrap();
        Attached {
            name: type_id.into(),
            check,
        }
    }

    fn rules(modules: &[Attached]) -> RuleSet {
        let mut rules = RuleSet::empty(Hash32::ZERO);
        rules.add_modules(modules, BINDING);
        rules
    }

    fn two_holders() -> RuleSet {
        rules(&[attached("investor-count", serde_json::json!({ "maxInvestors": 2 }))])
    }

    fn slugs(findings: &[Finding]) -> Vec<(Option<usize>, &'static str)> {
        findings
            .iter()
            .map(|finding| (finding.line.map(|line| line.index), finding.refusal.slug()))
            .collect()
    }

    #[test]
    fn an_accepted_request_counts_for_the_ones_after_it_and_a_refused_one_does_not() {
        let (rules, facts) = (two_holders(), facts(5));
        let mut run = Run::new(&rules, &facts);

        assert_eq!(run.judge(&[line(0, 1, 1)]), []);
        let refused = run.judge(&[line(0, 2, 1), line(1, 3, 1)]);
        assert_eq!(slugs(&refused), [(Some(1), "holder_limit")]);
        assert_eq!(run.judge(&[line(0, 4, 1)]), [], "the refused request left no trace");
        assert_eq!(slugs(&run.judge(&[line(0, 5, 1)])), [(Some(0), "holder_limit")]);
        assert_eq!(run.judge(&[line(0, 1, 1), line(1, 4, 1)]), [], "they hold already");
    }

    #[test]
    fn a_request_that_another_rule_refuses_is_rolled_back() {
        let (rules, facts) = (two_holders(), facts(3));
        let mut run = Run::new(&rules, &facts);

        assert_eq!(run.judge(&[line(0, 1, 1), line(1, 2, 1)]), []);
        run.rollback();

        assert_eq!(run.judge(&[line(0, 2, 1), line(1, 3, 1)]), []);
        assert_eq!(slugs(&run.judge(&[line(0, 1, 1)])), [(Some(0), "holder_limit")]);
        run.rollback();
        assert_eq!(
            slugs(&run.judge(&[line(0, 1, 1)])),
            [(Some(0), "holder_limit")],
            "only the last is taken back"
        );
    }

    #[test]
    fn a_report_has_a_verdict_for_every_rule_and_line() {
        let (rules, facts) = (two_holders(), facts(1));

        let report = Run::new(&rules, &facts).report(&[line(0, 1, 1), line(1, 9, 1)]);

        let verdicts: Vec<(usize, &str, &str)> = report
            .verdicts
            .iter()
            .map(|verdict| (verdict.line.unwrap().index, &*verdict.rule, verdict.outcome.word()))
            .collect();
        assert_eq!(
            verdicts,
            [
                (0, "recipient-registered", "passed"),
                (0, "recipient-not-frozen", "passed"),
                (0, "investor-count", "passed"),
                (1, "recipient-registered", "refused"),
                (1, "recipient-not-frozen", "passed"),
                (1, "investor-count", "not_judged"),
            ]
        );
        assert_eq!(
            report.findings(),
            Run::new(&rules, &facts).judge(&[line(0, 1, 1), line(1, 9, 1)])
        );
        let written = serde_json::to_value(&report.verdicts[3]).unwrap();
        assert_eq!(written["slug"], "identity_unknown");
        assert_eq!(written["source"], "base rule");
    }

    #[test]
    fn without_the_facts_that_a_rule_needs_nobody_passes() {
        let (rules, mut facts) = (two_holders(), facts(1));
        facts.loaded = FactSet::of(&[Fact::Claims, Fact::Held, Fact::Holders]);

        let findings = Run::new(&rules, &facts).judge(&[line(0, 1, 1)]);

        assert_eq!(slugs(&findings), [(None, "module_error")]);
        assert!(
            findings[0].refusal.message().contains("HoldersByCountry"),
            "{findings:?}"
        );
    }

    #[test]
    fn a_rule_set_that_refuses_says_so_once_and_still_tells_unknown_recipients() {
        let rules = RuleSet::refusing(Refusal::PolicyMissing {
            policy: "acme".to_owned(),
        });
        let facts = facts(1);

        let findings = Run::new(&rules, &facts).judge(&[line(0, 1, 1), line(1, 9, 1)]);

        assert_eq!(
            slugs(&findings),
            [(None, "policy_missing"), (Some(1), "identity_unknown")]
        );
        assert_eq!(findings[0].rule, "policy");
    }

    #[test]
    fn an_amount_that_the_decimals_cannot_hold_refuses_every_mint() {
        let max = WholeAmount::parse("0.5").unwrap();
        let check = Check::MaxHolding(MaxHolding { max });
        let rules = rules(&[Attached {
            name: "half".into(),
            check,
        }]);

        let findings = Run::new(&rules, &facts(1)).judge(&[line(0, 1, 1)]);

        assert_eq!(slugs(&findings), [(None, "policy_error")]);
        assert!(
            findings[0].refusal.message().contains("1 fraction digits"),
            "{findings:?}"
        );
    }

    #[derive(Debug)]
    struct Panics;

    impl ComplianceModule for Panics {
        fn kind(&self) -> &'static str {
            "panics"
        }

        fn operations(&self) -> &'static [Operation] {
            &[Operation::Mint]
        }

        fn facts(&self) -> FactSet {
            FactSet::NONE
        }

        fn check(
            &self,
            _standing: &Standing<'_>,
            _candidate: &crate::compliance::Candidate<'_>,
        ) -> Result<(), Refusal> {
            panic!("a defect")
        }
    }

    #[test]
    fn a_module_that_panics_refuses_its_line_and_leaves_the_rest_standing() {
        let mut rules = two_holders();
        rules.add_module_for_test(Box::new(Panics));

        let findings = Run::new(&rules, &facts(1)).judge(&[line(0, 1, 1)]);

        assert_eq!(slugs(&findings), [(Some(0), "module_error")]);
        assert_eq!(
            findings[0].refusal.message(),
            "A compliance module failed: panics panicked"
        );
    }

    #[test]
    fn rules_of_other_operations_are_left_out() {
        let supply = attached("token-supply-limit", serde_json::json!({ "maxSupply": "1" }));
        let mut transfers = RuleSet::empty(Hash32::ZERO);
        transfers.add_modules(
            &[supply],
            Binding {
                decimals: 0,
                operation: Operation::Transfer,
            },
        );

        assert_eq!(Run::new(&transfers, &facts(1)).judge(&[line(0, 1, 5)]), []);
        assert!(transfers.needs().is_empty());
    }

    proptest::proptest! {
        #[test]
        fn without_the_refused_lines_the_rest_of_a_request_passes(
            wanted in proptest::collection::vec((1_u8..=6, 0_u64..60), 0..40),
        ) {
            let rules = rules(&[
                attached("investor-count", serde_json::json!({ "maxInvestors": 3 })),
                attached("token-supply-limit", serde_json::json!({ "maxSupply": 200 })),
            ]);
            let facts = facts(5);
            let mut lines: Vec<_> = (0..).zip(wanted).map(|(index, (to, amount))| line(index, to, amount)).collect();

            let findings = Run::new(&rules, &facts).judge(&lines);
            lines.retain(|(line, _)| !findings.iter().any(|finding| finding.line == Some(*line)));

            proptest::prop_assert_eq!(Run::new(&rules, &facts).judge(&lines), []);
        }
    }
}
