//! Nonces of ours that others used, beyond all that we ever held (rule 8).

use super::Sender;
use super::model::{Action, Attention};
use crate::chain::View;

/// What others did with the key: nonces beyond all of our rows that the chain counts all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Foreign {
    /// One more than the highest of them; 0 while there is none.
    pub end: u64,
    pub noticed: Noticed,
    /// Below it a person knows of them.
    pub acknowledged: u64,
}

/// When those that no person has acknowledged were found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Noticed {
    /// They came between two looks of one process: what it knows is whole, so they only call a person.
    #[default]
    WhileLooking,
    /// They were there at its first look. The rows may be those of a restored backup, and what waits may have been sent
    /// since: nothing new is sent.
    AtFirstLook,
}

impl Foreign {
    pub fn needs_a_person(self) -> bool {
        self.acknowledged < self.end
    }

    pub fn stops(self) -> bool {
        self.needs_a_person() && self.noticed == Noticed::AtFirstLook
    }
}

impl Sender {
    /// To be saved with the alarm about it.
    pub fn foreign(&self) -> Foreign {
        self.foreign
    }

    /// Where transactions begin that are neither ours nor known to a person, when the chain or a pool has so many; none when
    /// all of them are. Before the first row the key may have a history.
    pub fn unknown_beyond(&self, count: u64) -> Option<u64> {
        let told_end = self.rows_end?.max(self.foreign.end).max(self.foreign.acknowledged);
        (count > told_end).then_some(told_end)
    }

    pub(super) fn watch_foreign(&mut self, view: &View, noticed: Noticed) -> Option<Action> {
        let told_end = self.unknown_beyond(view.count)?;
        if !self.foreign.stops() {
            self.foreign.noticed = noticed;
        }
        self.foreign.end = view.count;
        self.attention.insert(Attention::KeyUsedElsewhere);
        Some(Action::Alarm {
            nonce: None,
            reason: Attention::KeyUsedElsewhere,
            detail: format!(
                "nonces {told_end} to {} were used elsewhere",
                view.count.saturating_sub(1)
            ),
        })
    }

    /// A person has compared books and chain up to there.
    pub(super) fn acknowledged(&mut self, end: u64) -> Vec<Action> {
        self.foreign.acknowledged = self.foreign.acknowledged.max(end);
        if !self.foreign.needs_a_person() {
            self.attention.remove(&Attention::KeyUsedElsewhere);
        }
        Vec::new()
    }
}
