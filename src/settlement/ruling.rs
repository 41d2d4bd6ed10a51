//! What the rules of now say about an operation that was accepted by those of then and is about to be sent.
//!
//! Whoever may no longer hold fails the operation that names him. What is wrong with the rules themselves is nobody's
//! fault: the operation waits, as it does for a recipient who is frozen or whose registration was revoked. Source:
//! specs/chain.md part A, and section 5, rule 14.

use std::collections::HashMap;
use std::sync::Arc;

use crate::db::Tx;
use crate::error::{Error, Finding, Line, Refusal};
use crate::operation::OperationKind;
use crate::types::{Address, Amount, AssetId};

/// An operation that is about to be sent: its number on its asset, and who receives how much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sendable {
    pub number: i64,
    pub lines: Vec<(Address, Amount)>,
}

impl Sendable {
    /// Each line with the operation's number.
    pub fn numbered(&self) -> impl Iterator<Item = (i64, Address, Amount)> + '_ {
        self.lines
            .iter()
            .map(|(recipient, amount)| (self.number, *recipient, *amount))
    }
}

/// Why an operation that was accepted must not be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It passes by itself, or by an operator's hand.
    Waits(String),
    /// A recipient may no longer hold.
    Fails(String),
}

/// Judges operations of one asset and of one kind again by the rules of now; one without a ruling may go. Handed in,
/// because issuance stands on settlement and not the other way round.
pub type Judging =
    Arc<dyn Fn(&mut Tx<'_>, AssetId, OperationKind, &[Sendable]) -> Result<HashMap<i64, Ruling>, Error> + Send + Sync>;

impl Ruling {
    /// None when it may go. One line that fails is enough; else one that waits.
    pub fn of(findings: &[Finding]) -> Option<Self> {
        let fails = findings.iter().find(|finding| !waits(finding));
        match fails {
            Some(finding) => Some(Self::Fails(told(finding))),
            None => findings.first().map(|finding| Self::Waits(told(finding))),
        }
    }
}

/// What passes by itself or by an operator's hand.
fn waits(finding: &Finding) -> bool {
    let is_held = matches!(finding.refusal, Refusal::IdentityUnknown | Refusal::RecipientFrozen);
    finding.line.is_none() || finding.refusal.is_of_the_rules() || is_held
}

fn told(finding: &Finding) -> String {
    let (rule, refusal) = (&finding.rule, &finding.refusal);
    let what = format!("{} ({}, rule {rule})", refusal.message(), refusal.slug());
    match finding.line {
        Some(Line { index, recipient }) => format!("line {index} ({recipient}): {what}"),
        None => what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(index: Option<usize>, refusal: Refusal) -> Finding {
        Finding {
            line: index.map(|index| Line {
                index,
                recipient: Address::ZERO,
            }),
            rule: "a-rule".to_owned(),
            refusal,
        }
    }

    #[test]
    fn one_line_that_fails_fails_the_operation_whatever_else_waits() {
        let waiting = finding(Some(0), Refusal::RecipientFrozen);
        let failing = finding(Some(1), Refusal::RecipientBlocked);

        let Some(Ruling::Fails(reason)) = Ruling::of(&[waiting, failing]) else {
            panic!("it does not fail");
        };

        assert!(reason.starts_with("line 1 (0x0000"), "{reason}");
        assert!(reason.contains("recipient_blocked, rule a-rule"), "{reason}");
    }

    #[test]
    fn what_is_wrong_with_the_rules_or_passes_by_itself_waits() {
        let error = Refusal::PolicyError { reason: String::new() };

        for found in [
            finding(None, error.clone()),
            finding(Some(0), error),
            finding(Some(0), Refusal::SanctionsListMissing),
            finding(Some(0), Refusal::IdentityUnknown),
            finding(Some(0), Refusal::RecipientFrozen),
        ] {
            let slug = found.refusal.slug();
            assert!(matches!(Ruling::of(&[found]), Some(Ruling::Waits(_))), "{slug}");
        }
        assert!(Ruling::of(&[]).is_none());
    }
}
