use std::sync::Arc;

use serde::Serialize;
use serde::ser::SerializeMap;

use super::rules::RuleSource;
use crate::error::{Finding, Line, Refusal};

/// Every verdict of one request, line by line and in the order of the rules: the dry run's answer and the mint log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    pub verdicts: Vec<Verdict>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// None when it is about the request as a whole.
    pub line: Option<Line>,
    pub rule: Arc<str>,
    pub source: Arc<RuleSource>,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Passed,
    /// The rule's condition leaves this recipient out.
    NotConcerned,
    /// The rule is about an identity and the recipient has none that is registered, which another rule refuses.
    NotJudged,
    Refused(Refusal),
}

impl Report {
    pub fn findings(&self) -> Vec<Finding> {
        let refused = |verdict: &Verdict| match &verdict.outcome {
            Outcome::Refused(refusal) => Some(finding(verdict.line, &verdict.rule, refusal.clone())),
            Outcome::Passed | Outcome::NotConcerned | Outcome::NotJudged => None,
        };
        self.verdicts.iter().filter_map(refused).collect()
    }

    pub fn is_accepted(&self) -> bool {
        !self
            .verdicts
            .iter()
            .any(|verdict| matches!(verdict.outcome, Outcome::Refused(_)))
    }
}

pub(super) fn finding(line: Option<Line>, rule: &str, refusal: Refusal) -> Finding {
    Finding {
        line,
        rule: rule.to_owned(),
        refusal,
    }
}

impl Outcome {
    pub fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::NotConcerned => "not_concerned",
            Self::NotJudged => "not_judged",
            Self::Refused(_) => "refused",
        }
    }
}

/// `{index, recipient, rule, source, outcome}`, and `{slug, message, params}` for a refusal.
impl Serialize for Verdict {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(Line { index, recipient }) = &self.line {
            map.serialize_entry("index", index)?;
            map.serialize_entry("recipient", recipient)?;
        }
        map.serialize_entry("rule", &*self.rule)?;
        map.serialize_entry("source", &self.source.to_string())?;
        map.serialize_entry("outcome", self.outcome.word())?;
        if let Outcome::Refused(refusal) = &self.outcome {
            map.serialize_entry("slug", refusal.slug())?;
            map.serialize_entry("message", &refusal.message())?;
            map.serialize_entry("params", &refusal.params())?;
        }
        map.end()
    }
}
