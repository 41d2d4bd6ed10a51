//! What to send, when to send it again, and when to believe that it happened: a state machine without I/O, clock or
//! randomness. `Sender` is one key on one chain.
//!
//! *Intent*: one transaction-to-be at one nonce, for life. *Attempt*: one signed form of it; all share the nonce, so at
//! most one can ever be mined: that is the guard against doubling. *View*: one reading of the chain. *Final*: the view's
//! finalized block has reached it. *Work*: what the intent is for; *no-op*: a transfer of nothing to ourselves.
//!
//! The rules are the twenty of specs/chain.md, section 5; each function names its own. Here live 2, 5 to 12, 17 to 19
//! and the watch after final of 13. The driver's part of the bargain:
//! - one holder of the lease has one `Sender` and feeds it every event in the order in which they happened; after any
//!   failure to commit it throws the `Sender` away and loads another (rules 3, 19);
//! - after each step it saves what `take_changed` returns, in one transaction, before it does what the actions say;
//!   actions may be done late, twice or, when it dies, not at all: they are asked for again;
//! - what was mined stays `Mined` until `Finalised` is reported, so books and row become final in one commit;
//! - the raw bytes of an attempt, once stored, are never replaced (rule 4);
//! - in a view `head` and `finalized` are read first, then `count` at the number of that head, then `receipts` and
//!   `blocks`: the hash of a block that was read before the number of the final one proves nothing (rule 17). A receipt may
//!   be one that an earlier view had, when this one still has its block: the hash of a block stands for all that is in it,
//!   so of rule 12's two questions, the block's hash and the receipt, the first answers both.
//!
//! Guarantee after a crash at any point: what is loaded again sends the same bytes at the same nonces. Only patience and
//! the evidence against a missing transaction start anew, which makes decisions later, never different.

mod fees;
mod foreign;
mod model;
mod observe;
mod policy;
mod report;
mod room;
mod send;
mod watch;

use std::collections::{BTreeMap, BTreeSet};

use crate::chain::{Block, Fees};
use crate::types::{Amount, Hash32, Timestamp};

pub use foreign::{Foreign, Noticed};
pub use model::{
    Action, Attempt, Attention, Cancelled, Content, Event, FILLER_GAS, Intent, Mark, Mined, Outcome, Passed, Sending,
    State, Work,
};
pub use policy::{Patience, Policy};
pub use room::{NoRoom, Slot};

/// What the database knows besides the rows that are not closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// One more than the highest nonce that any row ever had; none before the first.
    pub rows_end: Option<u64>,
    /// One more than the highest nonce whose row is final or closed.
    pub settled: u64,
    /// The highest head seen.
    pub head: Option<u64>,
    pub foreign: Foreign,
}

/// What the next view must contain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pub receipts: Vec<Hash32>,
    pub blocks: Vec<u64>,
}

/// The picture of one key on one chain: every intent that is not closed.
#[derive(Clone, Debug)]
pub struct Sender {
    policy: Policy,
    intents: BTreeMap<u64, Intent>,
    rows_end: Option<u64>,
    settled: u64,
    sight: Option<Sight>,
    head_known: Option<u64>,
    /// Views in a row that lay behind.
    stale: u32,
    /// The lowest unmined nonce, and since when it is the lowest.
    lowest: Option<(u64, Mark)>,
    /// The lowest nonce that nobody holds, and since when.
    gap: Option<(u64, Mark)>,
    /// Where the last offer was refused, and when: the next better one waits from then on.
    refusal: Option<(u64, Mark)>,
    foreign: Foreign,
    /// What is wrong with the sender itself.
    attention: BTreeSet<Attention>,
    changed: BTreeSet<u64>,
}

/// What is kept of the last view.
#[derive(Clone, Copy, Debug)]
struct Sight {
    head: Block,
    count: u64,
    balance: Amount,
    suggested: Fees,
    now: Timestamp,
}

impl Sight {
    fn mark(&self) -> Mark {
        Mark {
            block: self.head.number,
            at: self.now,
        }
    }
}

impl Sender {
    /// From the rows that are not closed, in any order.
    pub fn load(policy: Policy, rows: impl IntoIterator<Item = Intent>, known: Known) -> Self {
        let intents: BTreeMap<u64, Intent> = rows.into_iter().map(|intent| (intent.nonce, intent)).collect();
        Self {
            policy,
            rows_end: known.rows_end,
            settled: intents
                .values()
                .fold(known.settled, |settled, intent| match intent.state {
                    State::Final { .. } | State::Closed => settled.max(intent.nonce.saturating_add(1)),
                    State::Assigned | State::Signed | State::Sent | State::Mined(_) | State::Unknown => settled,
                }),
            intents,
            sight: None,
            head_known: known.head,
            stale: 0,
            lowest: None,
            gap: None,
            refusal: None,
            foreign: known.foreign,
            attention: match known.foreign.needs_a_person() {
                true => BTreeSet::from([Attention::KeyUsedElsewhere]),
                false => BTreeSet::new(),
            },
            changed: BTreeSet::new(),
        }
    }

    /// What follows from an event. The same event twice does no harm (rule 19).
    pub fn step(&mut self, event: Event) -> Vec<Action> {
        match event {
            Event::Observed { view, now } => self.observe(&view, now),
            Event::Assigned { intent } => self.assigned(intent),
            Event::Signed {
                nonce,
                attempt,
                hash,
                content,
            } => self.signed(nonce, attempt, hash, content),
            Event::Sent {
                nonce,
                attempt,
                outcome,
                now,
            } => self.sent(nonce, attempt, &outcome, now),
            Event::Finalised { nonce } => self.finalised(nonce),
            Event::Cancel { nonce } => self.cancel(nonce),
            Event::Resolved { nonce } => self.resolved(nonce),
            Event::SignAgain { nonce } => self.sign_again(nonce),
            Event::Acknowledged { end } => self.acknowledged(end),
        }
    }

    /// The intents that changed since the last call, closed ones included: save them before acting.
    pub fn take_changed(&mut self) -> Vec<Intent> {
        let changed = std::mem::take(&mut self.changed);
        let intents = changed.iter().filter_map(|nonce| self.intents.get(nonce)).cloned();
        let saved = intents.collect();
        self.intents.retain(|_, intent| intent.state != State::Closed);
        saved
    }

    pub fn intent(&self, nonce: u64) -> Option<&Intent> {
        self.intents.get(&nonce)
    }

    /// Whether the last view of the chain has a transaction at this nonce, ours or not.
    pub fn has_passed(&self, nonce: u64) -> bool {
        self.sight.is_some_and(|sight| sight.count > nonce)
    }

    /// In the order of their nonces.
    pub fn intents(&self) -> impl Iterator<Item = &Intent> {
        self.intents.values()
    }

    /// What a person should look at now.
    pub fn alarms(&self) -> impl Iterator<Item = (Option<u64>, Attention)> + '_ {
        let own = self.attention.iter().map(|attention| (None, *attention));
        let intents = self.intents.values();
        own.chain(intents.filter_map(|intent| Some((Some(intent.nonce), intent.attention?))))
    }

    /// The highest head seen; to be saved with what changed.
    pub fn head(&self) -> Option<u64> {
        self.head_known
    }

    /// What the next view must contain: receipts of every attempt that may have been mined, and of as many mined ones as
    /// one look can finalise; the blocks in which we believe, and those that prove how long a nonce has been passed.
    pub fn wanted(&self) -> Wanted {
        let mut receipts = Vec::new();
        let mut blocks = BTreeSet::new();
        let mut mined_receipts = 0_usize;
        for intent in self.intents.values() {
            match intent.state {
                State::Assigned | State::Signed | State::Sent | State::Unknown => {
                    receipts.extend(intent.hashes());
                    blocks.extend(intent.passed.map(|passed| passed.block));
                }
                State::Mined(mined) => {
                    blocks.insert(mined.block);
                    if mined_receipts < self.policy.mined_receipts_max {
                        mined_receipts = mined_receipts.saturating_add(1);
                        receipts.extend(intent.attempt(mined.attempt).and_then(|attempt| attempt.hash));
                    }
                }
                State::Final { mined, .. } => {
                    blocks.insert(mined.block);
                }
                State::Closed => {}
            }
        }
        Wanted {
            receipts,
            blocks: blocks.into_iter().collect(),
        }
    }

    /// Changes one intent and remembers that it did, if it really did.
    fn change(&mut self, nonce: u64, how: impl FnOnce(&mut Intent)) {
        let Some(intent) = self.intents.get_mut(&nonce) else {
            return;
        };
        let before = intent.clone();
        how(intent);
        if *intent != before {
            self.changed.insert(nonce);
        }
    }

    /// Nothing is left to do: the nonce is used up, by us or by others.
    fn close(&mut self, nonce: u64) {
        self.change(nonce, |intent| {
            intent.state = State::Closed;
            intent.attention = None;
        });
        self.settled = self.settled.max(nonce.saturating_add(1));
    }

    /// An alarm about an intent: once, until the reason changes.
    fn raise(&mut self, nonce: u64, reason: Attention, detail: String) -> Option<Action> {
        let intent = self.intents.get(&nonce)?;
        if intent.attention == Some(reason) {
            return None;
        }
        self.change(nonce, |intent| intent.attention = Some(reason));
        Some(Action::Alarm {
            nonce: Some(nonce),
            reason,
            detail,
        })
    }

    /// An alarm about the sender: once, until it is lowered.
    fn raise_own(&mut self, reason: Attention, detail: String) -> Option<Action> {
        self.attention.insert(reason).then_some(Action::Alarm {
            nonce: None,
            reason,
            detail,
        })
    }

    /// The nonces of the intents that this is true of, in order.
    fn nonces(&self, which: impl Fn(&Intent) -> bool) -> Vec<u64> {
        let intents = self.intents.values().filter(|intent| which(intent));
        intents.map(|intent| intent.nonce).collect()
    }
}

#[cfg(test)]
mod tests;
