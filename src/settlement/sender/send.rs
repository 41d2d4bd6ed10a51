//! What is due to be signed, sent, sent again, offered more for, or filled.

use super::model::{Action, Attempt, Attention, Cancelled, Content, Intent, Mark, State, cost};
use super::{Sender, Sight, fees};
use crate::chain::Fees;

impl Sender {
    pub(super) fn send_what_is_due(&mut self) -> Vec<Action> {
        let Some(sight) = self.sight else {
            return Vec::new();
        };
        let mut actions = Vec::new();
        actions.extend(self.fill_gap(sight));
        self.prepare_first_attempts(sight);
        actions.extend(self.replace_cancelled(sight));
        actions.extend(self.bump_lowest(sight));
        actions.extend(self.sign_unsigned(sight));
        actions.extend(self.broadcast_due(sight));
        actions.extend(self.restore_final(sight));
        actions
    }

    /// Intents that no block holds, that the chain still waits for, and that are within the bound of rule 9: after a deep
    /// reorganisation there may be more.
    fn window(&self, sight: Sight) -> Vec<u64> {
        let waiting = self
            .intents
            .range(sight.count..)
            .filter(|(_, intent)| intent.is_waiting());
        waiting
            .take(self.policy.in_flight_max)
            .map(|(nonce, _)| *nonce)
            .collect()
    }

    /// Rule 9: a nonce that nobody holds blocks all above it; who used it may come back, so it is not filled at once.
    fn fill_gap(&mut self, sight: Sight) -> Option<Action> {
        let Some(missing) = self.lowest_missing() else {
            self.gap = None;
            return None;
        };
        let since = match self.gap {
            Some((nonce, since)) if nonce == missing => since,
            _ => sight.mark(),
        };
        self.gap = Some((missing, since));
        let is_due = self.policy.fill.is_over(since, sight.mark());
        is_due.then_some(Action::Fill { nonce: missing })
    }

    /// A row without attempts gets its first one: after a crash too, at the nonce it has (rule 6).
    pub(super) fn prepare_first_attempts(&mut self, sight: Sight) {
        let fees = fees::first(sight.suggested, self.policy.fee_max);
        for nonce in self.window(sight) {
            self.change(nonce, |intent| {
                if intent.attempts.is_empty() {
                    add_attempt(intent, fees);
                }
            });
        }
    }

    /// Rule 11: a cancelled intent whose no-op could not be paid for when it was cancelled.
    fn replace_cancelled(&mut self, sight: Sight) -> Vec<Action> {
        let mut actions = Vec::new();
        for nonce in self.window(sight) {
            let lacks_noop = self.intents.get(&nonce).is_some_and(lacks_noop);
            if lacks_noop {
                actions.extend(self.outbid(nonce, sight));
            }
        }
        actions
    }

    /// Rule 10: the lowest unmined nonce only, when the chain waits for nothing below it.
    fn bump_lowest(&mut self, sight: Sight) -> Option<Action> {
        let lowest = self.window(sight).first().copied();
        let Some(nonce) = lowest else {
            self.lowest = None;
            return None;
        };
        let since = match self.lowest {
            Some((known, since)) if known == nonce => since,
            _ => sight.mark(),
        };
        self.lowest = Some((nonce, since));
        if nonce != sight.count || !self.is_bump_due(nonce, since, sight) {
            return None;
        }
        self.outbid(nonce, sight)
    }

    /// The newest attempt that may be mined was sent and nobody took it for long enough. What cannot be mined at today's base
    /// fee counts from when it was sent; what merely waits counts from when nothing stood before it; and where the node
    /// refused a better offer, the next one waits as long again.
    fn is_bump_due(&self, nonce: u64, lowest_since: Mark, sight: Sight) -> bool {
        let Some(intent) = self.intents.get(&nonce) else {
            return false;
        };
        let Some(newest) = intent.attempts.iter().rev().find(|attempt| !attempt.refused) else {
            return false;
        };
        let refused = self.refusal.filter(|(refused, _)| *refused == nonce);
        if refused.is_some_and(|(_, mark)| !self.policy.bump.is_over(mark, sight.mark())) {
            return false;
        }
        let Some(sending) = newest.sent else {
            return false;
        };
        let is_underpriced = newest.fees.max < sight.head.base_fee;
        let is_later = lowest_since.block > sending.first.block;
        let since = if is_later && !is_underpriced {
            lowest_since
        } else {
            sending.first
        };
        self.policy.bump.is_over(since, sight.mark())
    }

    /// Adds an attempt that pays more, or offers a refused one again that pays as much; at the ceiling, or without the funds,
    /// it stops and says so (rules 10, 18).
    pub(super) fn outbid(&mut self, nonce: u64, sight: Sight) -> Option<Action> {
        let intent = self.intents.get(&nonce)?;
        let highest = highest_fees(intent);
        let gas_limit = intent.gas_limit;
        let Some(fees) = self.next_fees(intent, highest, sight.suggested) else {
            let detail = format!(
                "nonce {nonce} offers {} wei per gas and may offer at most {}",
                highest.map_or(0, |fees| fees.max),
                self.policy.fee_max
            );
            return self.raise(nonce, Attention::FeeCeiling, detail);
        };
        let needed = cost(gas_limit, fees.max);
        if sight.balance < needed {
            let detail = format!(
                "nonce {nonce} needs {needed} wei to be sent again, the signer has {}",
                sight.balance
            );
            return self.raise_own(Attention::Funds, detail);
        }
        self.change(nonce, |intent| {
            if highest.is_none() || !offer_again(intent, fees) {
                add_attempt(intent, fees);
            }
            intent.attention = intent.attention.filter(|attention| *attention != Attention::FeeCeiling);
        });
        None
    }

    /// Rule 10 where something competes. A first no-op for which the ceiling leaves no room offers the ceiling: a pool
    /// that still has the work refuses it, one that forgot the work takes it.
    fn next_fees(&self, intent: &Intent, highest: Option<Fees>, suggested: Fees) -> Option<Fees> {
        let ceiling = self.policy.fee_max;
        let Some(highest) = highest else {
            return Some(fees::first(suggested, ceiling));
        };
        let bumped = fees::bumped(highest, suggested, ceiling);
        if lacks_noop(intent) {
            return bumped.or(Some(fees::most(highest, ceiling)));
        }
        bumped
    }

    /// Rules 4 and 6: what was never signed is signed now, at the nonce it has.
    fn sign_unsigned(&self, sight: Sight) -> Vec<Action> {
        let nonces = self.window(sight).into_iter();
        nonces.filter_map(|nonce| self.sign(nonce)).collect()
    }

    pub(super) fn sign(&self, nonce: u64) -> Option<Action> {
        let attempt = self.intents.get(&nonce)?.unsigned()?;
        Some(Action::Sign {
            nonce,
            attempt: attempt.number,
            fees: attempt.fees,
            content: attempt.content,
        })
    }

    /// Rules 4, 5 and 9: stored bytes that were never sent, that a lost block owes us, or that have waited; a first
    /// broadcast only when everything below was sent, so that we open no gap ourselves.
    fn broadcast_due(&self, sight: Sight) -> Vec<Action> {
        let mut actions = Vec::new();
        for nonce in self.window(sight) {
            let Some(intent) = self.intents.get(&nonce) else {
                continue;
            };
            if let Some(current) = intent.current().filter(|attempt| self.is_broadcast_due(attempt, sight)) {
                actions.push(Action::Broadcast {
                    nonce,
                    attempt: current.number,
                });
            }
            if !intent.is_sent() {
                break;
            }
        }
        actions
    }

    /// Rule 13: what was final and vanished all the same is sent again, for it blocks every nonce above; the alarm stands.
    fn restore_final(&self, sight: Sight) -> Vec<Action> {
        let mut actions = Vec::new();
        for (nonce, intent) in self.intents.range(sight.count..) {
            let State::Final { mined, .. } = intent.state else {
                continue;
            };
            let attempt = intent.attempt(mined.attempt);
            if attempt.is_some_and(|attempt| attempt.hash.is_some() && self.is_broadcast_due(attempt, sight)) {
                actions.push(Action::Broadcast {
                    nonce: *nonce,
                    attempt: mined.attempt,
                });
            }
        }
        actions
    }

    fn is_broadcast_due(&self, attempt: &Attempt, sight: Sight) -> bool {
        match attempt.sent.map(|sending| sending.last) {
            None | Some(None) => true,
            Some(Some(last)) => self.policy.rebroadcast.is_over(last, sight.mark()),
        }
    }

    /// The first broadcast of this nonce if nothing below is unsent.
    pub(super) fn broadcast_first(&self, nonce: u64) -> Option<Action> {
        let sight = self.sight?;
        let window = self.window(sight);
        let mut below = window.iter().take_while(|other| **other < nonce);
        let is_next = below.all(|other| self.intents.get(other).is_some_and(Intent::is_sent));
        let intent = self
            .intents
            .get(&nonce)
            .filter(|_| is_next && window.contains(&nonce))?;
        let current = intent.current().filter(|attempt| attempt.sent.is_none())?;
        Some(Action::Broadcast {
            nonce,
            attempt: current.number,
        })
    }
}

/// Both caps of the best offer that may be in a pool.
fn highest_fees(intent: &Intent) -> Option<Fees> {
    let competing = intent.attempts.iter().filter(|attempt| !attempt.refused);
    let fees = competing.map(|attempt| attempt.fees);
    fees.reduce(|a, b| Fees {
        max: a.max.max(b.max),
        priority: a.priority.max(b.priority),
    })
}

pub(super) fn add_attempt(intent: &mut Intent, fees: Fees) {
    // Sixty-five thousand doublings by an eighth lie beyond any ceiling.
    let Ok(number) = u16::try_from(intent.attempts.len()) else {
        return;
    };
    let content = intent.content();
    intent.attempts.push(Attempt {
        number,
        fees,
        content,
        hash: None,
        sent: None,
        refused: false,
    });
}

/// What the node refused is offered once more, where the next offer would be the same bytes: signed again they would be one
/// more attempt, and one more after every refusal. False when there is no such attempt.
fn offer_again(intent: &mut Intent, fees: Fees) -> bool {
    let content = intent.content();
    let is_same = |attempt: &&mut Attempt| attempt.refused && attempt.content == content && attempt.fees == fees;
    let Some(attempt) = intent.attempts.iter_mut().rev().find(is_same) else {
        return false;
    };
    attempt.refused = false;
    attempt.sent = None;
    true
}

fn lacks_noop(intent: &Intent) -> bool {
    let is_noop = |attempt: &Attempt| attempt.content == Content::Noop;
    intent.cancelled == Cancelled::Yes && !intent.attempts.iter().any(is_noop)
}
