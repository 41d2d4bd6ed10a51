//! Identity expressions: which claim topics a recipient must have.
//!
//! Three writings, one meaning: infix text (`"(kyc and aml) or qualified_institution"`), the reference's infix list of
//! nodes, and its postfix list, which must be announced with `notation = "postfix"` (dalp.md section 6). `not` binds
//! tightest; `and` and `or` beside each other need parentheses, because readers disagree about which comes first.
//! Empty, unbalanced or ambiguous is refused: never "everyone passes".
//!
//! `not` is pushed down to the topics when an expression is built, so what is evaluated has only *has* and *lacks*.

mod infix;
mod nodes;
mod text;

use std::collections::BTreeSet;
use std::fmt;

use infix::{Token, parse_infix, parse_postfix};
pub(crate) use nodes::read;
use text::parse_text;

use super::topic::Topic;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// A valid claim of the topic.
    Has(Topic),
    /// No valid claim of the topic, and somebody who is trusted to say so: without a trusted issuer for the topic
    /// nobody could have written the claim, so this fails (dalp.md A15).
    Lacks(Topic),
    All(Vec<Expression>),
    Any(Vec<Expression>),
}

/// What is wrong with an expression. `at` is the character in a text or the index in a list of nodes, from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExpressionError {
    pub at: usize,
    pub message: String,
}

impl ExpressionError {
    pub fn new(at: usize, message: impl Into<String>) -> Self {
        Self {
            at,
            message: message.into(),
        }
    }
}

impl Expression {
    /// As many as a T-REX token has room for (ERC-3643 `ClaimTopicsRegistry`); also keeps truth tables small.
    pub const TOPICS_MAX: usize = 15;
    /// Tokens of one expression, in whatever writing.
    pub const TOKENS_MAX: usize = 200;
    /// Open parentheses around one topic.
    pub const DEPTH_MAX: usize = 20;
    /// Characters of the infix text.
    pub const TEXT_MAX: usize = 2_000;
    /// Two expressions of a tightening may name more topics together; beyond this the comparison is refused.
    const TRUTH_TABLE_TOPICS_MAX: usize = 16;

    /// The expression that is true exactly when this one is false (De Morgan's laws).
    pub(crate) fn negated(self) -> Self {
        match self {
            Self::Has(topic) => Self::Lacks(topic),
            Self::Lacks(topic) => Self::Has(topic),
            Self::All(parts) => Self::Any(parts.into_iter().map(Self::negated).collect()),
            Self::Any(parts) => Self::All(parts.into_iter().map(Self::negated).collect()),
        }
    }

    pub fn topics(&self) -> BTreeSet<&Topic> {
        match self {
            Self::Has(topic) | Self::Lacks(topic) => BTreeSet::from([topic]),
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::topics).collect(),
        }
    }

    pub fn has_negation(&self) -> bool {
        match self {
            Self::Has(_) => false,
            Self::Lacks(_) => true,
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::has_negation),
        }
    }

    /// Whether everyone who satisfies this also satisfies `other`, by the truth table. False when the two name too many
    /// topics to be compared.
    pub fn implies(&self, other: &Self) -> bool {
        let topics: Vec<&Topic> = self.topics().union(&other.topics()).copied().collect();
        let (this, other) = (Table::of(self, &topics), Table::of(other, &topics));
        topics.len() <= Self::TRUTH_TABLE_TOPICS_MAX && rows(&topics).all(|row| !this.holds(row) || other.holds(row))
    }

    /// What a syntax check cannot see: too many topics, or an expression that lets everyone or nobody pass.
    pub(crate) fn check_meaning(self) -> Result<Self, ExpressionError> {
        let topics: Vec<&Topic> = self.topics().into_iter().collect();
        if topics.len() > Self::TOPICS_MAX {
            let message = format!(
                "names {} topics, at most {} are allowed",
                topics.len(),
                Self::TOPICS_MAX
            );
            return Err(ExpressionError::new(0, message));
        }
        let table = Table::of(&self, &topics);
        if rows(&topics).all(|row| table.holds(row)) {
            return Err(ExpressionError::new(0, "is always true: everyone would pass"));
        }
        if !rows(&topics).any(|row| table.holds(row)) {
            return Err(ExpressionError::new(0, "is never true: nobody could pass"));
        }
        Ok(self)
    }
}

/// An expression over the bits of a row of its truth table: a held topic is a set bit.
enum Table {
    Has(u32),
    Lacks(u32),
    All(Vec<Table>),
    Any(Vec<Table>),
}

impl Table {
    fn of(expression: &Expression, topics: &[&Topic]) -> Self {
        let bit = |topic: &Topic| {
            let position = topics
                .iter()
                .position(|other| *other == topic)
                .and_then(|at| u32::try_from(at).ok());
            position.and_then(|at| 1_u32.checked_shl(at)).unwrap_or_default()
        };
        let parts = |parts: &[Expression]| parts.iter().map(|part| Self::of(part, topics)).collect();
        match expression {
            Expression::Has(topic) => Self::Has(bit(topic)),
            Expression::Lacks(topic) => Self::Lacks(bit(topic)),
            Expression::All(all) => Self::All(parts(all)),
            Expression::Any(any) => Self::Any(parts(any)),
        }
    }

    fn holds(&self, row: u32) -> bool {
        match self {
            Self::Has(bit) => row & bit != 0,
            Self::Lacks(bit) => row & bit == 0,
            Self::All(parts) => parts.iter().all(|part| part.holds(row)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(row)),
        }
    }
}

fn rows(topics: &[&Topic]) -> std::ops::Range<u32> {
    let bits = u32::try_from(topics.len()).unwrap_or(u32::MAX);
    0..1_u32.checked_shl(bits).unwrap_or_default()
}

/// Infix text with parentheses around every group but the outermost: the canonical form, which hashes use.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (parts, word) = match self {
            Self::Has(topic) => return fmt::Display::fmt(topic, f),
            Self::Lacks(topic) => return write!(f, "not {topic}"),
            Self::All(parts) => (parts, " and "),
            Self::Any(parts) => (parts, " or "),
        };
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                f.write_str(word)?;
            }
            match part {
                Self::Has(_) | Self::Lacks(_) => write!(f, "{part}")?,
                Self::All(_) | Self::Any(_) => write!(f, "({part})")?,
            }
        }
        Ok(())
    }
}
