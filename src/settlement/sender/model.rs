use std::fmt;

use ruint::aliases::U256;

use crate::chain::{Fees, Sent, View};
use crate::types::{Amount, Hash32, Timestamp};

/// Gas that a transfer of nothing to oneself needs at least (Yellow Paper, `G_transaction`); some chains ask for more, and
/// their nodes say how much.
pub const FILLER_GAS: u64 = 21_000;

/// A block height and a time, for waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub block: u64,
    pub at: Timestamp,
}

/// One transaction-to-be at one nonce, which it keeps for life (rule 6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    pub nonce: u64,
    pub work: Work,
    pub gas_limit: u64,
    pub state: State,
    /// In the order of their numbers, which start at 0.
    pub attempts: Vec<Attempt>,
    pub cancelled: Cancelled,
    pub attention: Option<Attention>,
    /// Need not be saved: after a restart the evidence is gathered again.
    pub passed: Option<Passed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// What the store keeps under this nonce.
    Planned,
    /// Nothing: it fills a nonce that nobody held.
    Filler,
}

/// Whether the work must not go out any more. Then every further attempt is a no-op; one sent before may still win.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    No,
    Yes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing is signed.
    Assigned,
    /// Signed bytes are stored; as far as we know none was sent.
    Signed,
    Sent,
    /// A block holds one of the attempts; the block may still vanish.
    Mined(Mined),
    /// The books say so too. Watched until the head of that time is final itself (rule 13).
    Final {
        mined: Mined,
        until: u64,
    },
    /// The chain passed the nonce and no attempt has a receipt (rule 8). It needs a person.
    Unknown,
    /// Nothing is left to do or to watch.
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mined {
    pub attempt: u16,
    pub block: u64,
    pub block_hash: Hash32,
    pub success: bool,
}

/// One form of an intent. Its bytes, once stored, are what is sent, again and again (rule 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub number: u16,
    pub fees: Fees,
    pub content: Content,
    /// None until the signed bytes are stored.
    pub hash: Option<Hash32>,
    pub sent: Option<Sending>,
    /// Proven never to have been accepted.
    pub refused: bool,
}

/// What an attempt would do if it were mined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    Work,
    /// Sends nothing to ourselves.
    Noop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sending {
    /// Since when it competes; starts again when a block that held it vanishes.
    pub first: Mark,
    /// None when it is owed a broadcast at once.
    pub last: Option<Mark>,
    /// An endpoint said at least once that it has it.
    pub accepted: bool,
}

/// The head at which the chain was first seen beyond a nonce none of whose attempts has a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    pub block: u64,
    pub hash: Hash32,
    /// Complete looks at different heads since that block is final, `Policy::missing_blocks` deep.
    pub reads: u32,
    /// The head of the last look that counted.
    pub last: u64,
}

/// What became of an intent's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// Mined and reverted: it had no effect.
    Reverted,
    /// Another attempt, a no-op, was mined: the work never ran and may be planned anew (rule 7).
    NotDone,
}

/// Why a person should look. With a nonce it is about that intent, without about the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attention {
    /// Something else was mined at our nonce (rule 8).
    NonceTaken,
    /// Offering more would exceed the configured ceiling (rule 10).
    FeeCeiling,
    /// The node will never take these bytes (rule 5).
    Refused,
    /// What was final, and posted, is no longer in the chain (rule 13).
    LateReorg,
    /// The funds do not cover what is in flight and one more transaction (rule 18).
    Funds,
    /// The chain has fewer transactions of ours than are final.
    ChainWentBack,
    /// The chain has transactions of ours at nonces that we never took.
    KeyUsedElsewhere,
}

#[derive(Clone, Debug)]
pub enum Event {
    Observed {
        view: View,
        now: Timestamp,
    },
    /// A row with this nonce was committed.
    Assigned {
        intent: Intent,
    },
    /// The bytes of this attempt are stored. `content` is what they do.
    Signed {
        nonce: u64,
        attempt: u16,
        hash: Hash32,
        content: Content,
    },
    Sent {
        nonce: u64,
        attempt: u16,
        outcome: Sent,
        now: Timestamp,
    },
    /// The transaction that settles the operations and marks the row final was committed.
    Finalised {
        nonce: u64,
    },
    /// The work must not go out any more, if that can still be helped (rule 11).
    Cancel {
        nonce: u64,
    },
    /// A person found out what became of an unknown intent and settled its operations.
    Resolved {
        nonce: u64,
    },
    /// A person says that whatever made the node refuse every attempt is no more (rule 5).
    SignAgain {
        nonce: u64,
    },
    /// A person knows of the nonces below this one that others used.
    Acknowledged {
        end: u64,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Sign, store bytes and hash, commit; then report `Signed`. Nothing is reported when signing failed: it is asked
    /// for again at the next look.
    Sign {
        nonce: u64,
        attempt: u16,
        fees: Fees,
        content: Content,
    },
    /// Send the stored bytes; then report `Sent`.
    Broadcast { nonce: u64, attempt: u16 },
    /// Settle the operations by `Intent::outcome` and mark the row final in one transaction; then report `Finalised`.
    Finalise { nonce: u64 },
    /// Insert a row of `Work::Filler` with `FILLER_GAS` at this nonce and commit; then report `Assigned`.
    Fill { nonce: u64 },
    /// Tell a person. Raised once while it lasts.
    Alarm {
        nonce: Option<u64>,
        reason: Attention,
        detail: String,
    },
}

// --- small answers ------------------------------------------------------------------------------------------------------

impl Intent {
    pub fn new(nonce: u64, work: Work, gas_limit: u64) -> Self {
        Self {
            nonce,
            work,
            gas_limit,
            state: State::Assigned,
            attempts: Vec::new(),
            cancelled: Cancelled::No,
            attention: None,
            passed: None,
        }
    }

    pub fn attempt(&self, number: u16) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.number == number)
    }

    /// What became of the work, as far as a block says.
    pub fn outcome(&self) -> Option<Outcome> {
        let mined = self.state.mined()?;
        let content = self.attempt(mined.attempt)?.content;
        Some(match (content, mined.success) {
            (Content::Noop, _) => Outcome::NotDone,
            (Content::Work, true) => Outcome::Done,
            (Content::Work, false) => Outcome::Reverted,
        })
    }

    /// Whether nothing that was signed for it can be mined: it blocks every nonce above, and needs a person.
    pub fn is_refused(&self) -> bool {
        self.is_waiting() && !self.attempts.is_empty() && self.attempts.iter().all(|attempt| attempt.refused)
    }

    pub(super) fn attempt_mut(&mut self, number: u16) -> Option<&mut Attempt> {
        self.attempts.iter_mut().find(|attempt| attempt.number == number)
    }

    /// No block that we know of holds it, and something can still be done about it.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.state, State::Assigned | State::Signed | State::Sent)
    }

    /// What attempts do from now on.
    pub(super) fn content(&self) -> Content {
        match (self.work, self.cancelled) {
            (Work::Planned, Cancelled::No) => Content::Work,
            (Work::Planned, Cancelled::Yes) | (Work::Filler, _) => Content::Noop,
        }
    }

    /// The bytes to send: the newest that may be accepted and that we still want (rules 4, 11).
    pub(super) fn current(&self) -> Option<&Attempt> {
        let content = self.content();
        let usable = |attempt: &&Attempt| attempt.hash.is_some() && !attempt.refused && attempt.content == content;
        self.attempts.iter().rev().find(usable)
    }

    pub(super) fn unsigned(&self) -> Option<&Attempt> {
        self.attempts.last().filter(|attempt| attempt.hash.is_none())
    }

    pub(super) fn is_sent(&self) -> bool {
        self.attempts.iter().any(|attempt| attempt.sent.is_some())
    }

    pub(super) fn hashes(&self) -> impl Iterator<Item = Hash32> + '_ {
        self.attempts.iter().filter_map(|attempt| attempt.hash)
    }

    /// The state of an intent that no block holds.
    pub(super) fn waiting_state(&self) -> State {
        if self.is_sent() {
            State::Sent
        } else if self.hashes().next().is_some() {
            State::Signed
        } else {
            State::Assigned
        }
    }

    /// The most it can cost, in wei: any attempt may be the one that is mined.
    pub(super) fn cost_max(&self) -> Amount {
        let fee = self.attempts.iter().map(|attempt| attempt.fees.max).max().unwrap_or(0);
        cost(self.gas_limit, fee)
    }
}

/// Gas times wei per gas, in wei: at most 192 bits.
pub(super) fn cost(gas: u64, fee: u128) -> Amount {
    let fee = Amount::from_be_bytes(U256::from(fee).to_be_bytes());
    fee.mul_div_ceil(gas, 1).unwrap_or(Amount::MAX)
}

/// More than there is stays more than there is.
pub(super) fn total(a: Amount, b: Amount) -> Amount {
    a.checked_add(b).unwrap_or(Amount::MAX)
}

impl State {
    pub fn mined(self) -> Option<Mined> {
        match self {
            Self::Mined(mined) | Self::Final { mined, .. } => Some(mined),
            Self::Assigned | Self::Signed | Self::Sent | Self::Unknown | Self::Closed => None,
        }
    }
}

impl Attention {
    pub const ALL: [Self; 7] = [
        Self::NonceTaken,
        Self::FeeCeiling,
        Self::Refused,
        Self::LateReorg,
        Self::Funds,
        Self::ChainWentBack,
        Self::KeyUsedElsewhere,
    ];

    pub const fn code(self) -> &'static str {
        match self {
            Self::NonceTaken => "nonce_taken",
            Self::FeeCeiling => "fee_ceiling",
            Self::Refused => "refused_by_node",
            Self::LateReorg => "late_reorg",
            Self::Funds => "funds",
            Self::ChainWentBack => "chain_went_back",
            Self::KeyUsedElsewhere => "key_used_elsewhere",
        }
    }

    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|attention| attention.code() == code)
    }
}

impl fmt::Display for Attention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
