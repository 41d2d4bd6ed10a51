use std::fmt;

use super::model::{FactSet, Operation};
use super::standing::Standing;
use crate::error::Refusal;
use crate::identity::Recipient;
use crate::types::{Address, Amount};

/// One check of one rule, with its parameters bound to an asset. Pure: everything it may know is in `standing` and
/// `candidate`.
pub trait ComplianceModule: fmt::Debug + Send + Sync {
    /// The rule kind that it checks, such as `max_holding`.
    fn kind(&self) -> &'static str;

    /// In which operations it takes part.
    fn operations(&self) -> &'static [Operation];

    /// What must be loaded before it is asked.
    fn facts(&self) -> FactSet;

    /// One verdict for one line.
    fn check(&self, standing: &Standing<'_>, candidate: &Candidate<'_>) -> Result<(), Refusal>;
}

/// One line as a module sees it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    pub wallet: Address,
    pub amount: Amount,
    recipient: Option<&'a Recipient>,
}

impl<'a> Candidate<'a> {
    /// `recipient` is none for a wallet without a registered identity.
    pub fn new(wallet: Address, amount: Amount, recipient: Option<&'a Recipient>) -> Self {
        Self {
            wallet,
            amount,
            recipient,
        }
    }

    /// The registered identity. A module that declares [`Fact::Identity`](super::Fact::Identity) is asked only where
    /// there is one; another that comes here without one refuses.
    pub fn identity(&self) -> Result<&'a Recipient, Refusal> {
        self.recipient.ok_or(Refusal::IdentityUnknown)
    }
}
