use std::fmt;
use std::sync::Arc;

use super::model::{Fact, FactSet, Facts, Operation};
use super::module::{Candidate, ComplianceModule};
use super::registry;
use super::report::Outcome;
use super::standing::Standing;
use crate::error::Refusal;
use crate::policy::{Check, Origin, PolicySet, Rule, When};
use crate::types::Hash32;

/// Names of the base rules in findings.
pub const RULE_REGISTERED: &str = "recipient-registered";
pub const RULE_FROZEN: &str = "recipient-not-frozen";
/// The name of what is wrong with the rules themselves.
pub const RULE_POLICY: &str = "policy";

/// Everything that applies to one asset and one operation, in the order in which it is judged: the baseline and the
/// asset's policy, then the attached modules. Built once per revision of the asset and of the policies.
#[derive(Debug)]
pub struct RuleSet {
    pub(super) rules: Vec<BoundRule>,
    pub(super) needs: FactSet,
    /// Why nobody may pass, whatever the rules say.
    pub(super) problems: Vec<BoundProblem>,
    pub(super) registered: Named,
    pub(super) frozen: Named,
    pub(super) policy: Named,
    policy_hash: Hash32,
}

/// A module as it is attached to an asset.
#[derive(Clone, Debug)]
pub struct Attached {
    /// The type id: what findings name.
    pub name: Arc<str>,
    pub check: Check,
}

/// Where a rule comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleSource {
    Base,
    Policy(Origin),
    Module,
}

impl fmt::Display for RuleSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base => f.write_str("base rule"),
            Self::Policy(Origin { file, line }) => write!(f, "{file}:{line}"),
            Self::Module => f.write_str("attached module"),
        }
    }
}

/// What rules are bound to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Binding {
    pub decimals: u8,
    pub operation: Operation,
}

/// How a verdict names its rule.
#[derive(Debug)]
pub(super) struct Named {
    pub name: Arc<str>,
    pub source: Arc<RuleSource>,
}

#[derive(Debug)]
pub(super) struct BoundProblem {
    pub named: Named,
    pub refusal: Refusal,
}

#[derive(Debug)]
pub(super) struct BoundRule {
    pub named: Named,
    when: When,
    facts: FactSet,
    module: Box<dyn ComplianceModule>,
}

impl RuleSet {
    /// Never fails: a policy that is not loaded, or an amount that the asset's decimals cannot hold, becomes a rule set
    /// that refuses everybody and says why. `policy` is the id of the asset's policy file, none for the baseline alone.
    pub fn build(
        set: &PolicySet,
        policy: Option<&str>,
        attached: &[Attached],
        decimals: u8,
        operation: Operation,
    ) -> Self {
        let binding = Binding { decimals, operation };
        let mut rules = Self::empty(set.hash);
        match set.for_asset(policy) {
            Some(policy) => rules.add_policy(&policy.rules, binding),
            None => rules.refuse(Refusal::PolicyMissing {
                policy: policy.unwrap_or("baseline").to_owned(),
            }),
        }
        rules.add_modules(attached, binding);
        rules
    }

    /// A rule set that refuses everybody: no policy is loaded, or the loaded one must not be used.
    pub fn refusing(refusal: Refusal) -> Self {
        let mut rules = Self::empty(Hash32::ZERO);
        rules.refuse(refusal);
        rules
    }

    /// Adds a reason why nobody may pass: an attached module that cannot be read, a replica with other policies.
    pub fn refuse(&mut self, refusal: Refusal) {
        let named = Named::base(RULE_POLICY);
        self.problems.push(BoundProblem { named, refusal });
    }

    /// What a loader has to fetch besides recipients and frozen addresses.
    pub fn needs(&self) -> FactSet {
        self.needs
    }

    /// The hash of the policies that it was built from; zero for [`Self::refusing`].
    pub fn policy_hash(&self) -> Hash32 {
        self.policy_hash
    }

    pub(super) fn empty(policy_hash: Hash32) -> Self {
        Self {
            rules: Vec::new(),
            needs: FactSet::NONE,
            problems: Vec::new(),
            registered: Named::base(RULE_REGISTERED),
            frozen: Named::base(RULE_FROZEN),
            policy: Named::base(RULE_POLICY),
            policy_hash,
        }
    }

    pub(super) fn add_policy(&mut self, rules: &[Rule], binding: Binding) {
        for rule in rules {
            let source = Arc::new(RuleSource::Policy(rule.origin.clone()));
            self.bind(
                Named {
                    name: Arc::clone(&rule.name),
                    source,
                },
                &rule.when,
                &rule.check,
                binding,
            );
        }
    }

    pub(super) fn add_modules(&mut self, attached: &[Attached], binding: Binding) {
        let source = Arc::new(RuleSource::Module);
        for Attached { name, check } in attached {
            let named = Named {
                name: Arc::clone(name),
                source: Arc::clone(&source),
            };
            self.bind(named, &When::Always, check, binding);
        }
    }

    fn bind(&mut self, named: Named, when: &When, check: &Check, binding: Binding) {
        let module = match registry::bind(check, binding.decimals) {
            Ok(module) => module,
            Err(error) => {
                let refusal = Refusal::PolicyError {
                    reason: format!("{}: {error}", check.kind()),
                };
                return self.problems.push(BoundProblem { named, refusal });
            }
        };
        if module.operations().contains(&binding.operation) {
            let facts = match when {
                When::Always => module.facts(),
                When::RecipientCountry(_) => module.facts().union(FactSet::of(&[Fact::Identity])),
            };
            self.needs = self.needs.union(facts);
            self.rules.push(BoundRule {
                named,
                when: when.clone(),
                facts,
                module,
            });
        }
    }

    #[cfg(test)]
    pub(super) fn add_module_for_test(&mut self, module: Box<dyn ComplianceModule>) {
        let facts = module.facts();
        self.rules.push(BoundRule {
            named: Named::base(module.kind()),
            when: When::Always,
            facts,
            module,
        });
    }

    /// Facts that are needed and have not been loaded. The identity always is.
    pub(super) fn missing(&self, facts: &Facts) -> FactSet {
        self.needs.without(facts.loaded).without(FactSet::of(&[Fact::Identity]))
    }
}

impl Named {
    fn base(name: &str) -> Self {
        Self {
            name: name.into(),
            source: Arc::new(RuleSource::Base),
        }
    }
}

impl BoundRule {
    pub fn judge(&self, standing: &Standing<'_>, candidate: &Candidate<'_>) -> Outcome {
        if self.facts.contains(Fact::Identity) && candidate.identity().is_err() {
            return Outcome::NotJudged;
        }
        match self.concerns(candidate) {
            Ok(true) => {}
            Ok(false) => return Outcome::NotConcerned,
            Err(refusal) => return Outcome::Refused(refusal),
        }
        // A panic is a defect of ours; it must refuse this line, not take the group of requests down with it.
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.module.check(standing, candidate)));
        match checked {
            Ok(Ok(())) => Outcome::Passed,
            Ok(Err(refusal)) => Outcome::Refused(refusal),
            Err(_) => Outcome::Refused(Refusal::ModuleError {
                reason: format!("{} panicked", self.module.kind()),
            }),
        }
    }

    fn concerns(&self, candidate: &Candidate<'_>) -> Result<bool, Refusal> {
        match &self.when {
            When::Always => Ok(true),
            When::RecipientCountry(countries) => {
                let country = candidate.identity()?.country.ok_or(Refusal::CountryUnknown)?;
                Ok(countries.contains(&country))
            }
        }
    }
}
