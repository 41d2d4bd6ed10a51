//! What the driver reports about what it did.

use super::Sender;
use super::model::{Action, Attention, Cancelled, Content, Intent, Mark, Sending, State};
use crate::chain::Sent;
use crate::types::{Hash32, Timestamp};

impl Sender {
    /// A committed row. A nonce that is held already keeps its intent (rule 6).
    pub(super) fn assigned(&mut self, intent: Intent) -> Vec<Action> {
        let nonce = intent.nonce;
        if self.intents.contains_key(&nonce) {
            return Vec::new();
        }
        self.rows_end = self.rows_end.max(nonce.checked_add(1));
        self.intents.insert(nonce, intent);
        if let Some(sight) = self.sight {
            self.prepare_first_attempts(sight);
        }
        self.sign(nonce).into_iter().collect()
    }

    /// Bytes are stored. Those of work that was cancelled meanwhile stay where they are, and a no-op outbids them.
    pub(super) fn signed(&mut self, nonce: u64, attempt: u16, hash: Hash32, content: Content) -> Vec<Action> {
        self.change(nonce, |intent| {
            if let Some(attempt) = intent.attempt_mut(attempt).filter(|attempt| attempt.hash.is_none()) {
                attempt.hash = Some(hash);
                attempt.content = content;
            }
            if intent.is_waiting() {
                intent.state = intent.waiting_state();
            }
        });
        let is_wanted = self
            .intents
            .get(&nonce)
            .is_some_and(|intent| intent.content() == content);
        if is_wanted {
            self.broadcast_first(nonce).into_iter().collect()
        } else {
            self.replace_by_noop(nonce)
        }
    }

    /// Rule 5: only a proven refusal of something never accepted decides anything; otherwise the next view will tell.
    pub(super) fn sent(&mut self, nonce: u64, attempt: u16, outcome: &Sent, now: Timestamp) -> Vec<Action> {
        let Some(sight) = self.sight else {
            return Vec::new();
        };
        let mark = Mark {
            block: sight.head.number,
            at: now,
        };
        match outcome {
            Sent::Accepted => self.record_sending(nonce, attempt, mark, true),
            Sent::Unclear(_) => self.record_sending(nonce, attempt, mark, false),
            Sent::Refused(text) => return self.refused(nonce, attempt, mark, text),
        }
        let next = self.intents.range(nonce..).nth(1).map(|(next, _)| *next);
        next.and_then(|next| self.broadcast_first(next)).into_iter().collect()
    }

    fn record_sending(&mut self, nonce: u64, attempt: u16, mark: Mark, accepted: bool) {
        self.change(nonce, |intent| {
            if let Some(attempt) = intent.attempt_mut(attempt) {
                let before = attempt.sent;
                attempt.sent = Some(Sending {
                    first: before.map_or(mark, |sending| sending.first),
                    last: Some(mark),
                    accepted: accepted || before.is_some_and(|sending| sending.accepted),
                });
            }
            if intent.is_waiting() {
                intent.state = intent.waiting_state();
            }
        });
    }

    /// Rule 5: bytes that can never be mined leave a hole, which a no-op fills at the same nonce; the work is planned anew
    /// when the no-op is final. While another attempt may still be mined nothing is missing. A refused no-op needs a
    /// person.
    fn refused(&mut self, nonce: u64, attempt: u16, mark: Mark, text: &str) -> Vec<Action> {
        let Some(known) = self.intents.get(&nonce).and_then(|intent| intent.attempt(attempt)) else {
            return Vec::new();
        };
        if known.sent.is_some_and(|sending| sending.accepted) {
            self.record_sending(nonce, attempt, mark, false);
            return Vec::new();
        }
        let content = known.content;
        self.refusal = Some((nonce, mark));
        self.change(nonce, |intent| {
            if let Some(attempt) = intent.attempt_mut(attempt) {
                attempt.refused = true;
            }
        });
        let detail = format!("the node refuses attempt {attempt} of nonce {nonce} for good: {text}");
        let alarm = self.raise(nonce, Attention::Refused, detail);
        let has_another = self
            .intents
            .get(&nonce)
            .is_some_and(|intent| intent.current().is_some());
        let mut actions: Vec<Action> = alarm.into_iter().collect();
        if content == Content::Work && !has_another {
            actions.extend(self.cancel(nonce));
        }
        actions
    }

    /// One more attempt at the same nonce, which does what the last ones were to do. None of those can be mined.
    pub(super) fn sign_again(&mut self, nonce: u64) -> Vec<Action> {
        let is_refused = self.intents.get(&nonce).is_some_and(Intent::is_refused);
        let Some(sight) = self.sight.filter(|_| is_refused) else {
            return Vec::new();
        };
        let mut actions: Vec<Action> = self.outbid(nonce, sight).into_iter().collect();
        if let Some(sign) = self.sign(nonce) {
            self.change(nonce, |intent| intent.attention = None);
            actions.push(sign);
        }
        actions
    }

    /// The books are final. `until` is the head of this moment (rule 13).
    pub(super) fn finalised(&mut self, nonce: u64) -> Vec<Action> {
        let head = self.head_known.unwrap_or(0);
        let Some(State::Mined(mined)) = self.intents.get(&nonce).map(|intent| intent.state) else {
            return Vec::new();
        };
        self.change(nonce, |intent| {
            intent.state = State::Final {
                mined,
                until: head.max(mined.block),
            };
        });
        self.settled = self.settled.max(nonce.saturating_add(1));
        Vec::new()
    }

    /// Rule 11: a no-op at the same nonce; whichever is mined counts. Work that was never signed is simply not signed.
    pub(super) fn cancel(&mut self, nonce: u64) -> Vec<Action> {
        let Some(intent) = self.intents.get(&nonce).filter(|intent| intent.is_waiting()) else {
            return Vec::new();
        };
        if intent.content() == Content::Noop {
            return self.sign(nonce).into_iter().collect();
        }
        self.change(nonce, |intent| intent.cancelled = Cancelled::Yes);
        self.replace_by_noop(nonce)
    }

    fn replace_by_noop(&mut self, nonce: u64) -> Vec<Action> {
        let Some(intent) = self.intents.get(&nonce).filter(|intent| intent.is_waiting()) else {
            return Vec::new();
        };
        let mut actions = Vec::new();
        if intent.unsigned().is_some() {
            self.change(nonce, |intent| {
                let content = intent.content();
                if let Some(attempt) = intent.attempts.last_mut() {
                    attempt.content = content;
                }
            });
        } else if let Some(sight) = self.sight.filter(|_| !intent.attempts.is_empty()) {
            actions.extend(self.outbid(nonce, sight));
        }
        actions.extend(self.sign(nonce));
        actions
    }

    /// Whether an action still stands: events that came after it may have overtaken it. Ask right before doing it.
    pub fn stands(&self, action: &Action) -> bool {
        match action {
            Action::Sign {
                nonce,
                attempt,
                fees,
                content,
            } => self
                .intents
                .get(nonce)
                .filter(|intent| intent.is_waiting())
                .is_some_and(|intent| {
                    intent.unsigned().is_some_and(|unsigned| {
                        unsigned.number == *attempt && unsigned.fees == *fees && unsigned.content == *content
                    })
                }),
            Action::Broadcast { nonce, attempt } => self.intents.get(nonce).is_some_and(|intent| match intent.state {
                State::Assigned | State::Signed | State::Sent => {
                    intent.current().is_some_and(|current| current.number == *attempt)
                }
                State::Final { mined, .. } => mined.attempt == *attempt,
                State::Mined(_) | State::Unknown | State::Closed => false,
            }),
            Action::Finalise { nonce } => self
                .intents
                .get(nonce)
                .is_some_and(|intent| matches!(intent.state, State::Mined(_))),
            Action::Fill { nonce } => !self.intents.contains_key(nonce),
            Action::Alarm { .. } => true,
        }
    }

    /// A person settled what was unknown, or what vanished after it was final.
    pub(super) fn resolved(&mut self, nonce: u64) -> Vec<Action> {
        let needs_a_person = self
            .intents
            .get(&nonce)
            .is_some_and(|intent| intent.state == State::Unknown || intent.attention == Some(Attention::LateReorg));
        if needs_a_person {
            self.close(nonce);
        }
        Vec::new()
    }
}
