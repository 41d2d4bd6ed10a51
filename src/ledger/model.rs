use crate::error::Error;
use crate::types::{Address, Amount, IdentityId, Timestamp};

/// A wallet's balances on one asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub wallet: Address,
    /// The identity at the time of the first holding; limits count identities.
    pub identity: Option<IdentityId>,
    pub posted: Amount,
    pub pending: Amount,
    pub frozen_amount: Amount,
    pub frozen: bool,
    /// When the first unit was acquired: hold periods count from here.
    pub acquired_at: Option<Timestamp>,
    pub updated_at: Timestamp,
    /// A part of posted that is on its way out.
    pub leaving: Amount,
}

impl Account {
    pub fn empty(wallet: Address, identity: Option<IdentityId>) -> Self {
        Self {
            wallet,
            identity,
            posted: Amount::ZERO,
            pending: Amount::ZERO,
            frozen_amount: Amount::ZERO,
            frozen: false,
            acquired_at: None,
            updated_at: Timestamp::from_micros(0),
            leaving: Amount::ZERO,
        }
    }

    /// What the rules count: held and on its way in.
    pub fn held(&self) -> Option<Amount> {
        self.posted.checked_add(self.pending)
    }

    /// What the holder may move: nothing while the address is frozen, and nothing of what is frozen or leaving.
    pub fn available(&self) -> Amount {
        if self.frozen {
            return Amount::ZERO;
        }
        let free = self.posted.checked_sub(self.frozen_amount);
        free.and_then(|free| free.checked_sub(self.leaving))
            .unwrap_or(Amount::ZERO)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Pending,
    Posted,
    Voided,
}

impl Phase {
    pub const fn text(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Posted => "posted",
            Self::Voided => "voided",
        }
    }

    pub fn parse(text: &str) -> Result<Self, Error> {
        match text {
            "pending" => Ok(Self::Pending),
            "posted" => Ok(Self::Posted),
            "voided" => Ok(Self::Voided),
            other => Err(Error::internal(format!("unknown posting state {other}"))),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Debit,
    Credit,
}

impl Side {
    pub const fn text(self) -> &'static str {
        match self {
            Self::Debit => "debit",
            Self::Credit => "credit",
        }
    }
}

/// One line of an operation on one account. The issuance account has the zero address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    pub operation: i64,
    pub line: i32,
    pub kind: &'static str,
    pub account: Address,
    pub side: Side,
    pub amount: Amount,
    pub phase: Phase,
}

/// A line of an operation as its requester wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HolderLine {
    pub line: i32,
    /// Who receives; of a burn, whose units are burned.
    pub recipient: Address,
    pub amount: Amount,
    pub phase: Phase,
}
