use std::fmt;

use crate::types::{Amount, TopicName};

/// A claim topic as a rule names it. A module may give the number of a topic whose name the definitions do not list;
/// it is then compared by number, and its digits stand for the name in findings.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    Named(TopicName),
    Numbered { digits: TopicName, number: Amount },
}

impl Topic {
    pub fn name(&self) -> &TopicName {
        match self {
            Self::Named(name) => name,
            Self::Numbered { digits, .. } => digits,
        }
    }

    pub fn matches(&self, name: &TopicName) -> bool {
        match self {
            Self::Named(own) => own == name,
            Self::Numbered { number, .. } => name.number() == *number,
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.name(), f)
    }
}
