//! What a view says about the intents that wait for a block or sit in one.

use super::model::{Action, Attention, Intent, Mined, Passed, State, Work};
use super::{Noticed, Sender, Sight};
use crate::chain::View;
use crate::types::Timestamp;

impl Sender {
    pub(super) fn observe(&mut self, view: &View, now: Timestamp) -> Vec<Action> {
        if self.lies_behind(view) {
            return Vec::new();
        }
        let noticed = match self.sight {
            None => Noticed::AtFirstLook,
            Some(_) => Noticed::WhileLooking,
        };
        self.sight = Some(Sight {
            head: view.head,
            count: view.count,
            balance: view.balance,
            suggested: view.suggested,
            now,
        });
        self.leave_lost_blocks(view);
        self.enter_blocks(view);

        let mut actions = self.watch(view, noticed);
        actions.extend(self.judge_passed(view));
        actions.extend(self.finalise(view));
        actions.extend(self.send_what_is_due());
        actions
    }

    /// Rule 17: a view whose head lies behind the last seen one says nothing new.
    fn lies_behind(&mut self, view: &View) -> bool {
        let is_behind = self.head_known.is_some_and(|known| view.head.number < known);
        if is_behind && self.stale < self.policy.stale_views_max {
            self.stale = self.stale.saturating_add(1);
            return true;
        }
        self.stale = 0;
        self.head_known = Some(view.head.number);
        false
    }

    /// Rule 12: a block that is no longer the one at its number held nothing. The same bytes are owed a broadcast at
    /// once. This applies to failed receipts too.
    fn leave_lost_blocks(&mut self, view: &View) {
        for nonce in self.nonces(|intent| matches!(intent.state, State::Mined(mined) if is_lost(mined, view))) {
            let Some(mark) = self.sight.map(|sight| sight.mark()) else {
                return;
            };
            self.change(nonce, |intent| {
                for sending in intent.attempts.iter_mut().filter_map(|attempt| attempt.sent.as_mut()) {
                    sending.first = mark;
                    sending.last = None;
                }
                intent.state = intent.waiting_state();
            });
        }
    }

    /// Rules 6 and 8: whichever attempt has a receipt is what happened, also when we had given up hope.
    fn enter_blocks(&mut self, view: &View) {
        let may_enter = |intent: &Intent| match intent.state {
            State::Assigned | State::Signed | State::Sent | State::Mined(_) | State::Unknown => true,
            State::Final { .. } | State::Closed => false,
        };
        for nonce in self.nonces(may_enter) {
            let found = self.intents.get(&nonce).and_then(|intent| find(intent, view));
            if let Some(mined) = found {
                self.change(nonce, |intent| {
                    intent.state = State::Mined(mined);
                    intent.attention = None;
                    intent.passed = None;
                });
            }
        }
    }

    /// Rules 7 and 8: the chain passed a nonce and no attempt has a receipt. That alone proves nothing; it does when
    /// several complete looks agree and the head of the first of them is final and still in the chain.
    fn judge_passed(&mut self, view: &View) -> Vec<Action> {
        let mut actions = Vec::new();
        for nonce in self.nonces(|intent| intent.is_waiting() || intent.state == State::Unknown) {
            if nonce >= view.count {
                self.not_passed(nonce);
                continue;
            }
            let Some(passed) = self
                .intents
                .get(&nonce)
                .and_then(|intent| self.look_again(intent, view))
            else {
                continue;
            };
            self.change(nonce, |intent| intent.passed = Some(passed));
            if passed.reads >= self.policy.missing_reads_min {
                actions.extend(self.give_up(nonce));
            }
        }
        actions
    }

    /// The evidence after this view, if this view adds any: it must have asked for every attempt, and still have the block
    /// at which the nonce was first seen passed, by now final for a while.
    fn look_again(&self, intent: &Intent, view: &View) -> Option<Passed> {
        let is_complete = intent.hashes().all(|hash| view.receipts.contains_key(&hash));
        if !is_complete {
            return None;
        }
        let anew = Passed {
            block: view.head.number,
            hash: view.head.hash,
            reads: 0,
            last: view.head.number,
        };
        let Some(passed) = intent.passed else {
            return Some(anew);
        };
        let hash = view.blocks.get(&passed.block)?;
        if *hash != passed.hash {
            return Some(anew);
        }
        let final_since = passed.block.saturating_add(self.policy.missing_blocks);
        // A tick that runs twice is one look.
        if view.finalized < final_since || view.head.number <= passed.last {
            return Some(passed);
        }
        Some(Passed {
            reads: passed.reads.saturating_add(1),
            last: view.head.number,
            ..passed
        })
    }

    /// The transaction that took the nonce is gone again: ours counts as before.
    fn not_passed(&mut self, nonce: u64) {
        self.change(nonce, |intent| {
            intent.passed = None;
            if intent.state == State::Unknown {
                intent.state = intent.waiting_state();
                intent.attention = None;
            }
        });
    }

    /// Rule 8. A filler had no work to lose: whatever else was mined filled the gap.
    fn give_up(&mut self, nonce: u64) -> Option<Action> {
        let work = self.intents.get(&nonce)?.work;
        match work {
            Work::Filler => {
                self.close(nonce);
                None
            }
            Work::Planned => {
                self.change(nonce, |intent| intent.state = State::Unknown);
                let detail = format!(
                    "the chain passed nonce {nonce} and knows none of the transactions signed for it: the key is used \
                     elsewhere"
                );
                self.raise(nonce, Attention::NonceTaken, detail)
            }
        }
    }

    /// Rule 12: final is what sits in a final block whose hash this same view confirms, with a receipt of that block; success
    /// and failure alike. Asked for until the driver reports the commit.
    fn finalise(&self, view: &View) -> Vec<Action> {
        let is_final = |intent: &Intent| matches!(intent.state, State::Mined(mined) if confirms(view, intent, mined));
        let nonces = self.nonces(is_final).into_iter();
        nonces.map(|nonce| Action::Finalise { nonce }).collect()
    }
}

/// The number now has another block, or the chain ends below it. A block that the node merely did not name is not lost.
fn is_lost(mined: Mined, view: &View) -> bool {
    match view.blocks.get(&mined.block) {
        Some(hash) => *hash != mined.block_hash,
        None => view.head.number < mined.block,
    }
}

/// The attempt that a block holds. When a reading that was torn by a reorganisation shows two, the confirmed one counts,
/// else the higher block; the next view will tell.
fn find(intent: &Intent, view: &View) -> Option<Mined> {
    let receipts = intent.attempts.iter().filter_map(|attempt| {
        let receipt = view.receipts.get(&attempt.hash?)?.as_ref()?;
        Some(Mined {
            attempt: attempt.number,
            block: receipt.block_number,
            block_hash: receipt.block_hash,
            success: receipt.success,
        })
    });
    receipts.max_by_key(|mined| (view.blocks.get(&mined.block) == Some(&mined.block_hash), mined.block))
}

fn confirms(view: &View, intent: &Intent, mined: Mined) -> bool {
    let hash = intent.attempt(mined.attempt).and_then(|attempt| attempt.hash);
    let receipt = hash.and_then(|hash| view.receipts.get(&hash)?.as_ref());
    let same_receipt = receipt.is_some_and(|receipt| {
        receipt.block_number == mined.block
            && receipt.block_hash == mined.block_hash
            && receipt.success == mined.success
    });
    let same_block = view.blocks.get(&mined.block) == Some(&mined.block_hash);
    same_receipt && same_block && mined.block <= view.finalized
}
