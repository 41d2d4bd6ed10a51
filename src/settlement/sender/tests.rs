//! One rule after the other, without weather. `tests/settlement_simulator.rs` plays them all together.

use std::collections::HashMap;

use super::*;
use crate::chain::{Receipt, Sent, View};

const GWEI: u128 = 1_000_000_000;
const CEILING: u128 = 200 * GWEI;

fn policy() -> Policy {
    Policy::public(CEILING, 4, 1_000_000)
}

/// A chain as a test wants it, and a clock of 15 seconds a block.
struct Stage {
    sender: Sender,
    head: u64,
    depth: u64,
    count: u64,
    base_fee: u128,
    balance: Amount,
    branch: u64,
    receipts: HashMap<Hash32, Receipt>,
}

impl Stage {
    fn new() -> Self {
        Self::with(Vec::new(), Known::default())
    }

    fn with(rows: Vec<Intent>, known: Known) -> Self {
        Self {
            sender: Sender::load(policy(), rows, known),
            head: 100,
            depth: 3,
            count: 0,
            base_fee: GWEI,
            balance: Amount::parse("1000000000000000000000").unwrap(),
            branch: 0,
            receipts: HashMap::new(),
        }
    }

    /// With this many intents sent and accepted.
    fn sent(count: u64) -> Self {
        let mut stage = Self::new();
        stage.look();
        for _ in 0..count {
            let actions = stage.take();
            stage.obey(actions);
        }
        stage.look();
        stage
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(i64::try_from(self.head).unwrap() * 15)
    }

    fn block_hash(&self, number: u64) -> Hash32 {
        hash(&[1, self.branch, number])
    }

    fn view(&self) -> View {
        let wanted = self.sender.wanted();
        let receipts = wanted.receipts.iter();
        let blocks = wanted.blocks.iter().filter(|number| **number <= self.head);
        View {
            head: Block {
                number: self.head,
                hash: self.block_hash(self.head),
                parent: Hash32::ZERO,
                base_fee: self.base_fee,
                gas_limit: 30_000_000,
                time: 0,
            },
            finalized: self.head - self.depth,
            count: self.count,
            balance: self.balance,
            receipts: receipts.map(|hash| (*hash, self.receipts.get(hash).cloned())).collect(),
            blocks: blocks.map(|number| (*number, self.block_hash(*number))).collect(),
            suggested: Fees {
                max: self.base_fee * 2 + GWEI,
                priority: GWEI,
            },
        }
    }

    fn look(&mut self) -> Vec<Action> {
        let (view, now) = (self.view(), self.now());
        self.sender.step(Event::Observed { view, now })
    }

    fn blocks(&mut self, count: u64) -> Vec<Action> {
        self.head += count;
        self.look()
    }

    fn take(&mut self) -> Vec<Action> {
        let slot = self.sender.room(60_000).unwrap();
        let intent = Intent::new(slot.nonce, Work::Planned, 60_000);
        self.sender.step(Event::Assigned { intent })
    }

    /// Does what is asked; the node takes everything.
    fn obey(&mut self, actions: Vec<Action>) {
        let mut queue = std::collections::VecDeque::from(actions);
        while let Some(action) = queue.pop_front() {
            let more = match action {
                Action::Sign {
                    nonce,
                    attempt,
                    content,
                    ..
                } => {
                    let hash = tx(nonce, attempt);
                    self.sender.step(Event::Signed {
                        nonce,
                        attempt,
                        hash,
                        content,
                    })
                }
                Action::Broadcast { nonce, attempt } => self.answer(nonce, attempt, Sent::Accepted),
                Action::Finalise { nonce } => self.sender.step(Event::Finalised { nonce }),
                Action::Fill { nonce } => {
                    let intent = Intent::new(nonce, Work::Filler, FILLER_GAS);
                    self.sender.step(Event::Assigned { intent })
                }
                Action::Alarm { .. } => Vec::new(),
            };
            queue.extend(more);
        }
    }

    fn answer(&mut self, nonce: u64, attempt: u16, outcome: Sent) -> Vec<Action> {
        let now = self.now();
        self.sender.step(Event::Sent {
            nonce,
            attempt,
            outcome,
            now,
        })
    }

    /// An attempt sits in the present head.
    fn mine(&mut self, nonce: u64, attempt: u16, success: bool) {
        let receipt = Receipt {
            transaction: tx(nonce, attempt),
            block_number: self.head,
            block_hash: self.block_hash(self.head),
            success,
            gas_used: 0,
            logs: Vec::new(),
        };
        self.receipts.insert(tx(nonce, attempt), receipt);
        self.count = self.count.max(nonce + 1);
    }

    fn state(&self, nonce: u64) -> State {
        self.sender.intent(nonce).unwrap().state
    }

    fn attempts(&self, nonce: u64) -> usize {
        self.sender.intent(nonce).unwrap().attempts.len()
    }

    /// What a process finds that starts after this one died.
    fn reload(&mut self) {
        let rows: Vec<Intent> = self.sender.intents().cloned().collect();
        let rows_end = rows.iter().map(|row| row.nonce + 1).max();
        let known = Known {
            rows_end,
            settled: 0,
            head: Some(self.head),
            foreign: self.sender.foreign(),
        };
        self.sender = Sender::load(policy(), rows, known);
    }
}

fn hash(parts: &[u64]) -> Hash32 {
    let bytes: Vec<u8> = parts.iter().flat_map(|part| part.to_be_bytes()).collect();
    let mut padded = [0_u8; 32];
    padded[..bytes.len()].copy_from_slice(&bytes);
    Hash32::from_bytes(padded)
}

fn tx(nonce: u64, attempt: u16) -> Hash32 {
    hash(&[2, nonce, u64::from(attempt)])
}

fn alarms(actions: &[Action]) -> Vec<(Option<u64>, Attention)> {
    let alarm = |action: &Action| match action {
        Action::Alarm { nonce, reason, .. } => Some((*nonce, *reason)),
        Action::Sign { .. } | Action::Broadcast { .. } | Action::Finalise { .. } | Action::Fill { .. } => None,
    };
    actions.iter().filter_map(alarm).collect()
}

fn broadcast(nonce: u64, attempt: u16) -> Action {
    Action::Broadcast { nonce, attempt }
}

// --- rule 2 -----------------------------------------------------------------------------------------------------------

#[test]
fn the_next_nonce_is_the_chains_count_or_one_beyond_the_highest_row() {
    let mut stage = Stage::new();
    assert_eq!(stage.sender.next_nonce(), None);

    stage.count = 7;
    stage.look();
    assert_eq!(stage.sender.next_nonce(), Some(7));

    stage.take();
    assert_eq!(stage.sender.next_nonce(), Some(8));

    stage.count = 0;
    stage.head += 1;
    stage.look();
    assert_eq!(stage.sender.next_nonce(), Some(8));
}

#[test]
fn a_closed_row_keeps_its_nonce_for_ever() {
    let known = Known {
        rows_end: Some(5),
        settled: 5,
        ..Known::default()
    };
    let mut stage = Stage::with(Vec::new(), known);
    stage.count = 4;

    stage.look();

    assert_eq!(stage.sender.next_nonce(), Some(5));
}

// --- rules 4 and 6: crashes -------------------------------------------------------------------------------------------

#[test]
fn a_row_without_signed_bytes_is_signed_after_a_crash_at_its_nonce() {
    let mut stage = Stage::new();
    stage.look();
    stage.take();

    stage.reload();
    let actions = stage.look();

    assert!(
        matches!(
            actions.as_slice(),
            [Action::Sign {
                nonce: 0,
                attempt: 0,
                ..
            }]
        ),
        "{actions:?}"
    );
    assert_eq!(stage.attempts(0), 1);
}

#[test]
fn signed_bytes_that_were_never_sent_are_sent_after_a_crash_and_never_built_again() {
    let mut stage = Stage::new();
    stage.look();
    stage.take();
    stage.sender.step(Event::Signed {
        nonce: 0,
        attempt: 0,
        hash: tx(0, 0),
        content: Content::Work,
    });

    stage.reload();
    let actions = stage.look();

    assert_eq!(actions, [broadcast(0, 0)]);
}

#[test]
fn what_was_sent_and_not_recorded_is_found_by_its_hash() {
    let mut stage = Stage::new();
    stage.look();
    stage.take();
    stage.sender.step(Event::Signed {
        nonce: 0,
        attempt: 0,
        hash: tx(0, 0),
        content: Content::Work,
    });
    stage.reload();
    stage.mine(0, 0, true);

    let actions = stage.look();

    assert_eq!(actions, []);
    assert!(matches!(stage.state(0), State::Mined(_)));
}

#[test]
fn the_hash_of_an_attempt_is_never_replaced() {
    let mut stage = Stage::sent(1);

    stage.sender.step(Event::Signed {
        nonce: 0,
        attempt: 0,
        hash: tx(9, 9),
        content: Content::Work,
    });

    assert_eq!(stage.sender.intent(0).unwrap().attempts[0].hash, Some(tx(0, 0)));
}

// --- rule 5 -----------------------------------------------------------------------------------------------------------

#[test]
fn an_unclear_answer_decides_nothing_and_the_same_bytes_are_sent_again_later() {
    let mut stage = Stage::new();
    stage.look();
    stage.take();
    stage.sender.step(Event::Signed {
        nonce: 0,
        attempt: 0,
        hash: tx(0, 0),
        content: Content::Work,
    });
    assert_eq!(stage.answer(0, 0, Sent::Unclear("time-out".to_owned())), []);

    assert_eq!(stage.blocks(2), []);
    assert_eq!(stage.blocks(1), [broadcast(0, 0)]);
}

#[test]
fn a_proven_refusal_is_filled_by_a_no_op_at_the_same_nonce_and_calls_a_person() {
    let mut stage = Stage::new();
    stage.look();
    stage.take();
    stage.sender.step(Event::Signed {
        nonce: 0,
        attempt: 0,
        hash: tx(0, 0),
        content: Content::Work,
    });

    let actions = stage.answer(0, 0, Sent::Refused("intrinsic gas too low".to_owned()));

    assert_eq!(alarms(&actions), [(Some(0), Attention::Refused)]);
    let is_noop = |action: &Action| {
        matches!(
            action,
            Action::Sign {
                nonce: 0,
                attempt: 1,
                content: Content::Noop,
                ..
            }
        )
    };
    assert!(actions.iter().any(is_noop), "{actions:?}");
    assert_eq!(stage.sender.room(1), Err(NoRoom::Attention(Attention::Refused)));
}

#[test]
fn the_refusal_of_what_was_accepted_before_decides_nothing() {
    let mut stage = Stage::sent(1);

    let actions = stage.answer(0, 0, Sent::Refused("intrinsic gas too low".to_owned()));

    assert_eq!(actions, []);
    assert_eq!(stage.state(0), State::Sent);
}

#[test]
fn a_refused_no_op_is_not_followed_by_another() {
    let mut stage = Stage::new();
    stage.look();
    stage.take();
    stage.sender.step(Event::Signed {
        nonce: 0,
        attempt: 0,
        hash: tx(0, 0),
        content: Content::Work,
    });
    stage.answer(0, 0, Sent::Refused("no".to_owned()));
    stage.sender.step(Event::Signed {
        nonce: 0,
        attempt: 1,
        hash: tx(0, 1),
        content: Content::Noop,
    });

    let actions = stage.answer(0, 1, Sent::Refused("no".to_owned()));

    assert_eq!(actions, []);
    assert_eq!(stage.blocks(50), []);
}

#[test]
fn what_was_refused_altogether_is_signed_once_more_when_a_person_says_so() {
    let mut stage = Stage::new();
    stage.look();
    stage.take();
    let signed = |attempt, content| Event::Signed {
        nonce: 0,
        attempt,
        hash: tx(0, attempt),
        content,
    };
    stage.sender.step(signed(0, Content::Work));
    assert_eq!(stage.sender.step(Event::SignAgain { nonce: 0 }), [], "it can be mined");
    stage.answer(0, 0, Sent::Refused("no".to_owned()));
    stage.sender.step(signed(1, Content::Noop));
    stage.answer(0, 1, Sent::Refused("no".to_owned()));
    assert!(stage.sender.intent(0).unwrap().is_refused());

    let actions = stage.sender.step(Event::SignAgain { nonce: 0 });

    let is_noop = |action: &Action| {
        matches!(
            action,
            Action::Sign {
                attempt: 2,
                content: Content::Noop,
                ..
            }
        )
    };
    assert!(actions.len() == 1 && actions.iter().all(is_noop), "{actions:?}");
    assert_eq!(stage.sender.alarms().count(), 0);
    assert_eq!(stage.sender.step(Event::SignAgain { nonce: 0 }), [], "one at a time");
    stage.obey(actions);
    stage.mine(0, 2, true);
    stage.look();
    assert_eq!(stage.sender.intent(0).unwrap().outcome(), Some(Outcome::NotDone));
}

#[test]
fn what_cannot_be_paid_for_is_not_signed_once_more_and_still_needs_a_person() {
    let mut stage = Stage::new();
    stage.look();
    stage.take();
    for (attempt, content) in [(0, Content::Work), (1, Content::Noop)] {
        stage.sender.step(Event::Signed {
            nonce: 0,
            attempt,
            hash: tx(0, attempt),
            content,
        });
        stage.answer(0, attempt, Sent::Refused("no".to_owned()));
    }
    stage.balance = Amount::ONE;
    stage.look();

    stage.sender.step(Event::SignAgain { nonce: 0 });

    let intent = stage.sender.intent(0).unwrap();
    assert!(intent.is_refused());
    assert_eq!(intent.attention, Some(Attention::Refused));
}

#[test]
fn a_better_offer_that_is_refused_is_made_again_after_the_same_patience() {
    let mut stage = Stage::sent(1);
    stage.blocks(5);
    let signed = |attempt| Event::Signed {
        nonce: 0,
        attempt,
        hash: tx(0, attempt),
        content: Content::Work,
    };
    assert_eq!(stage.sender.step(signed(1)), [broadcast(0, 1)]);
    let actions = stage.answer(0, 1, Sent::Refused("exceeds the configured cap".to_owned()));
    assert_eq!(alarms(&actions), [(Some(0), Attention::Refused)]);

    for _ in 0..3 {
        assert!(!stage.blocks(4).contains(&broadcast(0, 1)));
        assert!(stage.blocks(1).contains(&broadcast(0, 1)), "the same bytes");
        assert_eq!(stage.attempts(0), 2);
        stage.answer(0, 1, Sent::Refused("exceeds the configured cap".to_owned()));
    }

    stage.base_fee *= 3;
    let actions = stage.blocks(5);

    let is_signing = |action: &Action| matches!(action, Action::Sign { attempt: 2, .. });
    assert!(actions.iter().any(is_signing), "{actions:?}");
    let intent = stage.sender.intent(0).unwrap();
    assert!(
        intent.attempts[2].fees.max > intent.attempts[1].fees.max,
        "it pays more"
    );
}

#[test]
fn a_better_offer_that_was_refused_and_is_taken_later_is_the_one_that_counts() {
    let mut stage = Stage::sent(1);
    stage.blocks(5);
    stage.sender.step(Event::Signed {
        nonce: 0,
        attempt: 1,
        hash: tx(0, 1),
        content: Content::Work,
    });
    stage.answer(0, 1, Sent::Refused("exceeds the configured cap".to_owned()));
    stage.blocks(5);
    stage.answer(0, 1, Sent::Accepted);
    stage.mine(0, 1, true);

    stage.look();

    assert_eq!(stage.sender.intent(0).unwrap().outcome(), Some(Outcome::Done));
}

// --- rules 7 and 8 ----------------------------------------------------------------------------------------------------

/// Something else was mined at nonce 0; ours has no receipt.
fn overtaken() -> Stage {
    let mut stage = Stage::sent(1);
    stage.head += 1;
    stage.count = 1;
    stage.look();
    stage
}

#[test]
fn a_missing_receipt_alone_is_no_evidence() {
    let mut stage = overtaken();

    for _ in 0..20 {
        assert_eq!(stage.look(), []);
    }
    assert_eq!(stage.state(0), State::Sent);
    assert_eq!(stage.sender.next_nonce(), Some(1));
}

#[test]
fn a_nonce_is_taken_when_several_looks_agree_after_the_block_is_final_long_enough() {
    let mut stage = overtaken();
    // First seen at 101; 3 blocks of depth and 6 more.
    let actions = stage.blocks(8);
    assert_eq!(alarms(&actions), []);
    assert_eq!(stage.sender.intent(0).unwrap().passed.unwrap().reads, 0);

    assert_eq!(alarms(&stage.blocks(1)), []);
    assert_eq!(alarms(&stage.blocks(1)), []);
    for _ in 0..5 {
        assert_eq!(alarms(&stage.look()), [], "the same look again is no further look");
    }
    assert_eq!(alarms(&stage.blocks(1)), [(Some(0), Attention::NonceTaken)]);

    assert_eq!(stage.state(0), State::Unknown);
    assert_eq!(stage.sender.room(1), Err(NoRoom::Attention(Attention::NonceTaken)));
    assert_eq!(alarms(&stage.look()), [], "once is enough");
}

#[test]
fn evidence_from_a_block_that_vanished_is_thrown_away() {
    let mut stage = overtaken();
    stage.branch = 1;

    assert_eq!(alarms(&stage.blocks(20)), []);
    for _ in 0..8 {
        assert_eq!(alarms(&stage.blocks(1)), []);
    }
    assert_eq!(stage.sender.intent(0).unwrap().passed.unwrap().block, 121);
}

#[test]
fn a_receipt_that_comes_late_ends_the_unknown_state() {
    let mut stage = overtaken();
    stage.blocks(9);
    stage.blocks(1);
    stage.blocks(1);
    assert_eq!(stage.state(0), State::Unknown);

    stage.mine(0, 0, true);
    stage.look();

    assert!(matches!(stage.state(0), State::Mined(_)));
    assert_eq!(stage.sender.alarms().count(), 0);
}

#[test]
fn a_nonce_that_is_free_again_is_sent_again() {
    let mut stage = overtaken();
    stage.blocks(9);
    stage.blocks(1);
    stage.blocks(1);

    stage.count = 0;
    let actions = stage.look();

    assert_eq!(actions, [broadcast(0, 0)]);
    assert_eq!(stage.state(0), State::Sent);
}

#[test]
fn every_attempt_is_looked_for() {
    let mut stage = Stage::sent(1);
    let actions = stage.blocks(5);
    stage.obey(actions);
    assert_eq!(stage.sender.wanted().receipts, [tx(0, 0), tx(0, 1)]);

    stage.mine(0, 0, true);
    stage.look();

    assert!(
        matches!(stage.state(0), State::Mined(Mined { attempt: 0, .. })),
        "the original won"
    );
}

#[test]
fn a_view_that_did_not_ask_for_every_attempt_adds_no_evidence() {
    let mut stage = overtaken();
    stage.head += 20;
    for _ in 0..5 {
        stage.head += 1;
        let (mut view, now) = (stage.view(), stage.now());
        view.receipts.clear();
        stage.sender.step(Event::Observed { view, now });
    }

    assert_eq!(stage.state(0), State::Sent);
}

#[test]
fn a_filler_that_lost_to_another_transaction_calls_nobody() {
    let mut stage = Stage::new();
    stage.look();
    let intent = Intent::new(0, Work::Filler, FILLER_GAS);
    let actions = stage.sender.step(Event::Assigned { intent });
    stage.obey(actions);
    stage.count = 1;
    stage.blocks(1);
    stage.blocks(9);
    stage.blocks(1);

    let actions = stage.blocks(1);

    assert_eq!(alarms(&actions), []);
    assert_eq!(stage.state(0), State::Closed);
}

#[test]
fn a_person_closes_what_is_unknown_and_nothing_else() {
    let mut stage = overtaken();
    stage.sender.step(Event::Resolved { nonce: 0 });
    assert_eq!(stage.state(0), State::Sent);
    stage.blocks(9);
    stage.blocks(1);
    stage.blocks(1);

    stage.sender.step(Event::Resolved { nonce: 0 });

    let closed = stage.sender.take_changed();
    assert_eq!(closed[0].state, State::Closed);
    assert!(stage.sender.intent(0).is_none());
    assert!(stage.sender.room(60_000).is_ok());
}

#[test]
fn a_key_that_is_used_elsewhere_is_told_once_for_each_nonce() {
    let mut stage = Stage::sent(1);
    stage.mine(0, 0, true);
    stage.count = 3;

    assert_eq!(alarms(&stage.blocks(1)), [(None, Attention::KeyUsedElsewhere)]);
    assert_eq!(alarms(&stage.blocks(1)), []);
    stage.count = 4;
    assert_eq!(alarms(&stage.blocks(1)), [(None, Attention::KeyUsedElsewhere)]);
    assert_eq!(stage.sender.room(60_000).unwrap().nonce, 4);
}

/// A process that finds rows up to nonce 4 and a chain with so many transactions.
fn began_with(count: u64, foreign: Foreign) -> Stage {
    let known = Known {
        rows_end: Some(5),
        settled: 5,
        foreign,
        ..Known::default()
    };
    let mut stage = Stage::with(Vec::new(), known);
    stage.count = count;
    stage
}

#[test]
fn nonces_that_others_used_before_the_first_look_stop_everything_new_until_a_person_knows_of_them() {
    let mut stage = began_with(5, Foreign::default());
    assert_eq!(stage.look(), []);
    assert!(stage.sender.room(60_000).is_ok(), "the rows are those of the chain");

    let mut stage = began_with(6, Foreign::default());
    assert_eq!(alarms(&stage.look()), [(None, Attention::KeyUsedElsewhere)]);
    let stopped = Err(NoRoom::Attention(Attention::KeyUsedElsewhere));
    assert_eq!(stage.sender.room(60_000), stopped);
    stage.count = 8;
    assert_eq!(alarms(&stage.blocks(1)), [(None, Attention::KeyUsedElsewhere)]);

    stage.sender.step(Event::Acknowledged { end: 6 });
    assert_eq!(stage.sender.room(60_000), stopped, "there are more by now");
    stage.sender.step(Event::Acknowledged { end: 8 });

    assert_eq!(stage.sender.room(60_000).unwrap().nonce, 8);
    assert_eq!(stage.sender.alarms().count(), 0);
}

#[test]
fn what_a_person_knows_or_was_told_of_while_looking_stops_no_later_process() {
    let known = |end, noticed, acknowledged| Foreign {
        end,
        noticed,
        acknowledged,
    };
    let room = |foreign: Foreign, count: u64| {
        let mut stage = began_with(count, foreign);
        stage.look();
        let alarms = stage.sender.alarms().count();
        (stage.sender.room(60_000).is_ok(), alarms)
    };

    assert_eq!(room(known(8, Noticed::AtFirstLook, 8), 8), (true, 0));
    assert_eq!(room(known(8, Noticed::AtFirstLook, 8), 9), (false, 1));
    assert_eq!(room(known(8, Noticed::WhileLooking, 0), 8), (true, 1));
    assert_eq!(room(known(8, Noticed::WhileLooking, 0), 9), (false, 1));
    assert_eq!(
        room(known(8, Noticed::AtFirstLook, 0), 5),
        (false, 1),
        "they are gone, and may come back"
    );
}

#[test]
fn a_key_may_have_a_history_before_our_first_row() {
    let mut stage = Stage::new();
    stage.count = 12;

    assert_eq!(stage.look(), []);
}

// --- rule 9 -----------------------------------------------------------------------------------------------------------

#[test]
fn as_many_nonces_are_in_flight_as_policy_allows_and_not_one_more() {
    let mut stage = Stage::sent(3);
    assert!(stage.sender.room(60_000).is_ok());

    stage.take();
    assert_eq!(stage.sender.room(60_000), Err(NoRoom::InFlight));

    stage.mine(0, 0, true);
    stage.look();
    assert!(stage.sender.room(60_000).is_ok());
}

#[test]
fn nothing_is_sent_for_the_first_time_before_what_lies_below() {
    let mut stage = Stage::new();
    stage.look();
    stage.take();
    stage.take();
    let signed = |nonce: u64| Event::Signed {
        nonce,
        attempt: 0,
        hash: tx(nonce, 0),
        content: Content::Work,
    };

    assert_eq!(stage.sender.step(signed(1)), []);
    assert_eq!(stage.sender.step(signed(0)), [broadcast(0, 0)]);
    assert_eq!(stage.answer(0, 0, Sent::Accepted), [broadcast(1, 0)]);
}

#[test]
fn a_node_that_forgot_its_pool_gets_the_same_bytes_again() {
    let mut stage = Stage::sent(3);

    assert_eq!(stage.blocks(2), []);
    assert_eq!(stage.blocks(1), [broadcast(0, 0), broadcast(1, 0), broadcast(2, 0)]);
}

#[test]
fn a_chain_that_makes_no_blocks_gets_the_same_bytes_again_after_a_while() {
    let mut stage = Stage::sent(1);
    let since = stage.now();
    let at = |seconds: i64| Event::Observed {
        view: stage.view(),
        now: since.plus_seconds(seconds),
    };
    let (early, due) = (at(119), at(120));

    assert_eq!(stage.sender.step(early), []);
    assert_eq!(stage.sender.step(due), [broadcast(0, 0)]);
}

#[test]
fn a_nonce_that_nobody_holds_is_filled_after_a_while() {
    let mut stage = Stage::new();
    stage.count = 1;
    stage.look();
    stage.take();
    assert!(stage.sender.intent(1).is_some());
    stage.count = 0;

    let actions = stage.blocks(1);
    assert!(
        !actions.contains(&Action::Fill { nonce: 0 }),
        "who used it may come back"
    );
    assert_eq!(stage.sender.room(1), Err(NoRoom::Gap { nonce: 0 }));

    let actions = stage.blocks(2);
    assert!(actions.contains(&Action::Fill { nonce: 0 }), "{actions:?}");
}

#[test]
fn a_nonce_that_is_final_is_never_filled() {
    let mut stage = Stage::sent(2);
    stage.mine(0, 0, true);
    stage.mine(1, 0, true);
    stage.blocks(1);
    let actions = stage.blocks(3);
    stage.obey(actions);
    stage.blocks(10);
    stage.sender.take_changed();
    assert_eq!(stage.sender.intents().count(), 0);
    stage.count = 0;

    let actions = stage.blocks(50);

    assert_eq!(alarms(&actions), [(None, Attention::ChainWentBack)]);
    assert!(!actions.iter().any(|action| matches!(action, Action::Fill { .. })));
    assert_eq!(stage.sender.room(1), Err(NoRoom::Attention(Attention::ChainWentBack)));
}

// --- rule 10 ----------------------------------------------------------------------------------------------------------

#[test]
fn only_the_lowest_unmined_nonce_is_offered_more_by_an_eighth_on_both_caps() {
    let mut stage = Stage::sent(3);

    let actions = stage.blocks(4);
    assert!(!actions.iter().any(|action| matches!(action, Action::Sign { .. })));
    let actions = stage.blocks(1);

    let signed: Vec<_> = actions
        .iter()
        .filter(|action| matches!(action, Action::Sign { .. }))
        .collect();
    let fees = Fees {
        max: 3 * GWEI + 3 * GWEI / 8,
        priority: GWEI + GWEI / 8,
    };
    assert_eq!(
        signed,
        [&Action::Sign {
            nonce: 0,
            attempt: 1,
            fees,
            content: Content::Work
        }]
    );
    assert_eq!((stage.attempts(1), stage.attempts(2)), (1, 1));
}

#[test]
fn a_bump_follows_the_fresh_estimate_when_that_is_more() {
    let mut stage = Stage::sent(1);
    stage.base_fee = 30 * GWEI;

    stage.blocks(5);

    assert_eq!(stage.sender.intent(0).unwrap().attempts[1].fees.max, 61 * GWEI);
}

#[test]
fn what_is_blocked_by_a_gap_is_not_offered_more() {
    let mut stage = Stage::new();
    stage.count = 1;
    stage.look();
    let actions = stage.take();
    stage.obey(actions);
    stage.count = 0;

    for _ in 0..30 {
        stage.blocks(1);
    }

    assert_eq!(stage.attempts(1), 1);
}

#[test]
fn at_the_ceiling_it_stops_and_says_so_once() {
    let mut stage = Stage::sent(1);
    stage.base_fee = 99 * GWEI;
    let actions = stage.blocks(5);
    stage.obey(actions);
    assert_eq!(stage.sender.intent(0).unwrap().attempts[1].fees.max, 199 * GWEI);

    let actions = stage.blocks(5);

    assert_eq!(alarms(&actions), [(Some(0), Attention::FeeCeiling)]);
    assert_eq!(stage.attempts(0), 2);
    assert_eq!(alarms(&stage.blocks(5)), []);
    assert_eq!(stage.sender.room(1), Err(NoRoom::Attention(Attention::FeeCeiling)));
}

#[test]
fn a_base_fee_above_the_ceiling_leaves_no_room() {
    let mut stage = Stage::new();
    stage.base_fee = CEILING;
    stage.look();
    assert!(stage.sender.room(21_000).is_ok());

    stage.base_fee = CEILING + 1;
    stage.blocks(1);

    let base_fee = CEILING + 1;
    assert_eq!(stage.sender.room(21_000), Err(NoRoom::FeeCeiling { base_fee }));
}

#[test]
fn a_cap_of_zero_still_rises() {
    let nothing = Fees { max: 0, priority: 0 };

    let bumped = fees::bumped(nothing, nothing, 1).unwrap();

    assert_eq!(bumped, Fees { max: 1, priority: 1 });
    assert_eq!(fees::bumped(nothing, nothing, 0), None);
    let most = Fees {
        max: u128::MAX,
        priority: u128::MAX,
    };
    assert_eq!(fees::bumped(most, most, u128::MAX), None);
}

#[test]
fn an_eighth_more_is_within_the_ceiling_to_the_last_wei() {
    let fees = Fees { max: 80, priority: 1 };

    assert_eq!(fees::bumped(fees, fees, 90).map(|fees| fees.max), Some(90));
    assert_eq!(fees::bumped(fees, fees, 89), None);
}

// --- rule 11 ----------------------------------------------------------------------------------------------------------

#[test]
fn work_that_was_never_signed_is_cancelled_by_signing_a_no_op_instead() {
    let mut stage = Stage::new();
    stage.look();
    stage.take();

    let actions = stage.sender.step(Event::Cancel { nonce: 0 });

    assert!(
        matches!(
            actions.as_slice(),
            [Action::Sign {
                attempt: 0,
                content: Content::Noop,
                ..
            }]
        ),
        "{actions:?}"
    );
    stage.obey(actions);
    stage.mine(0, 0, true);
    stage.look();
    assert_eq!(stage.sender.intent(0).unwrap().outcome(), Some(Outcome::NotDone));
}

#[test]
fn a_cancellation_outbids_what_was_sent_and_whichever_is_mined_counts() {
    let mut stage = Stage::sent(2);

    let actions = stage.sender.step(Event::Cancel { nonce: 1 });
    stage.obey(actions);
    stage.mine(0, 0, true);
    stage.mine(1, 0, true);
    stage.look();

    let intent = stage.sender.intent(1).unwrap();
    assert_eq!(intent.attempts[1].content, Content::Noop);
    assert_eq!(intent.outcome(), Some(Outcome::Done));
}

#[test]
fn bytes_of_cancelled_work_that_come_late_are_kept_and_not_sent() {
    let mut stage = Stage::new();
    stage.look();
    let overtaken = stage.take();
    stage.sender.step(Event::Cancel { nonce: 0 });
    assert!(!stage.sender.stands(&overtaken[0]));

    let actions = stage.sender.step(Event::Signed {
        nonce: 0,
        attempt: 0,
        hash: tx(0, 0),
        content: Content::Work,
    });

    assert!(
        matches!(
            actions.as_slice(),
            [Action::Sign {
                attempt: 1,
                content: Content::Noop,
                ..
            }]
        ),
        "{actions:?}"
    );
    assert_eq!(stage.sender.wanted().receipts, [tx(0, 0)]);
}

#[test]
fn a_no_op_for_which_the_ceiling_leaves_no_room_offers_the_ceiling() {
    let mut stage = Stage::new();
    stage.base_fee = 99 * GWEI;
    stage.look();
    let actions = stage.take();
    stage.obey(actions);

    let actions = stage.sender.step(Event::Cancel { nonce: 0 });

    let is_at_ceiling =
        |action: &Action| matches!(action, Action::Sign { fees, content: Content::Noop, .. } if fees.max == CEILING);
    assert!(actions.iter().any(is_at_ceiling), "{actions:?}");
}

// --- rules 12 and 13 --------------------------------------------------------------------------------------------------

#[test]
fn a_transaction_is_final_at_the_depth_and_not_a_block_before() {
    for success in [true, false] {
        let mut stage = Stage::sent(1);
        stage.mine(0, 0, success);
        stage.look();

        assert_eq!(stage.blocks(2), [], "{success}");
        assert_eq!(stage.blocks(1), [Action::Finalise { nonce: 0 }], "{success}");
        assert_eq!(
            stage.look(),
            [Action::Finalise { nonce: 0 }],
            "until the commit is reported"
        );
        stage.sender.step(Event::Finalised { nonce: 0 });
        assert_eq!(stage.look(), []);
    }
}

#[test]
fn a_lost_block_sends_the_same_bytes_again_at_once_also_when_they_had_failed() {
    for success in [true, false] {
        let mut stage = Stage::sent(1);
        stage.mine(0, 0, success);
        stage.look();
        stage.branch = 1;
        stage.receipts.clear();
        stage.count = 0;

        let actions = stage.look();

        assert_eq!(actions, [broadcast(0, 0)], "{success}");
        assert_eq!(stage.state(0), State::Sent);
    }
}

#[test]
fn a_transaction_that_moved_to_another_block_is_final_with_that_block() {
    let mut stage = Stage::sent(1);
    stage.mine(0, 0, true);
    stage.blocks(2);
    stage.branch = 1;
    stage.mine(0, 0, true);
    assert_eq!(stage.blocks(1), []);

    assert_eq!(stage.blocks(1), []);
    assert_eq!(stage.blocks(1), [Action::Finalise { nonce: 0 }]);
}

#[test]
fn a_view_that_shows_block_and_receipt_of_two_branches_finalises_nothing() {
    let mut stage = Stage::sent(1);
    stage.mine(0, 0, true);
    stage.look();
    stage.head += 10;
    let (mut view, now) = (stage.view(), stage.now());
    let mut torn = stage.receipts[&tx(0, 0)].clone();
    torn.block_hash = hash(&[9]);
    view.receipts.insert(tx(0, 0), Some(torn));

    let actions = stage.sender.step(Event::Observed { view, now });

    assert_eq!(actions, []);
}

#[test]
fn a_receipt_that_is_null_for_a_while_delays_and_changes_nothing() {
    let mut stage = Stage::sent(1);
    stage.mine(0, 0, true);
    stage.look();
    let receipts = std::mem::take(&mut stage.receipts);

    assert_eq!(stage.blocks(10), []);
    assert!(matches!(stage.state(0), State::Mined(_)));

    stage.receipts = receipts;
    assert_eq!(stage.look(), [Action::Finalise { nonce: 0 }]);
}

#[test]
fn what_is_final_is_watched_until_the_head_of_that_time_is_final() {
    let mut stage = Stage::sent(1);
    stage.mine(0, 0, true);
    stage.look();
    let actions = stage.blocks(3);
    stage.obey(actions);

    stage.blocks(2);
    assert!(matches!(stage.state(0), State::Final { .. }));
    stage.blocks(1);
    assert_eq!(stage.state(0), State::Closed);
}

#[test]
fn a_block_that_vanishes_after_it_was_final_calls_a_person_and_is_sent_again() {
    let mut stage = Stage::sent(1);
    stage.mine(0, 0, true);
    stage.look();
    let actions = stage.blocks(3);
    stage.obey(actions);
    stage.branch = 1;
    stage.receipts.clear();
    stage.count = 0;

    let actions = stage.blocks(1);

    let alarms = alarms(&actions);
    assert!(alarms.contains(&(Some(0), Attention::LateReorg)), "{actions:?}");
    assert!(actions.contains(&broadcast(0, 0)), "{actions:?}");
    assert!(
        matches!(stage.state(0), State::Final { .. }),
        "the books are a person's to correct"
    );
    stage.sender.step(Event::Resolved { nonce: 0 });
    assert_eq!(stage.state(0), State::Closed);
}

// --- rules 17, 18, 19 -------------------------------------------------------------------------------------------------

#[test]
fn a_view_that_lies_behind_is_ignored_until_it_insists() {
    let mut stage = Stage::sent(1);
    stage.mine(0, 0, true);
    stage.look();
    stage.head -= 1;
    stage.count = 0;
    stage.receipts.clear();

    for _ in 0..20 {
        assert_eq!(stage.look(), []);
        assert!(matches!(stage.state(0), State::Mined(_)));
    }
    stage.look();

    assert_eq!(stage.sender.head(), Some(99));
}

#[test]
fn no_nonce_is_taken_that_the_funds_do_not_cover_beside_what_is_in_flight() {
    let mut stage = Stage::sent(1);
    // 60,000 gas at 3 gwei in flight, and as much again.
    let both = 2 * 60_000 * 3 * GWEI;
    stage.balance = Amount::parse(&both.to_string()).unwrap();
    stage.look();
    assert!(stage.sender.room(60_000).is_ok());

    stage.balance = Amount::parse(&(both - 1).to_string()).unwrap();
    stage.look();

    assert!(matches!(stage.sender.room(60_000), Err(NoRoom::Funds { .. })));
}

#[test]
fn low_funds_are_told_once_and_again_only_after_they_were_sufficient() {
    let mut stage = Stage::new();
    let enough = stage.balance;
    stage.balance = Amount::ZERO;

    assert_eq!(alarms(&stage.look()), [(None, Attention::Funds)]);
    assert_eq!(alarms(&stage.blocks(1)), []);
    stage.balance = enough;
    stage.blocks(1);
    assert_eq!(stage.sender.alarms().count(), 0);
    stage.balance = Amount::ZERO;
    assert_eq!(alarms(&stage.blocks(1)), [(None, Attention::Funds)]);
}

#[test]
fn what_cannot_be_paid_for_is_not_offered_more() {
    let mut stage = Stage::sent(1);
    stage.balance = Amount::ONE;

    let actions = stage.blocks(5);

    assert_eq!(alarms(&actions), [(None, Attention::Funds)]);
    assert_eq!(stage.attempts(0), 1);
}

#[test]
fn a_tick_may_run_twice() {
    let mut stage = Stage::sent(2);
    stage.mine(0, 0, true);
    stage.head += 5;
    let (view, now) = (stage.view(), stage.now());

    stage.sender.step(Event::Observed {
        view: view.clone(),
        now,
    });
    let once = stage.sender.clone();
    stage.sender.step(Event::Observed { view, now });

    assert!(once.intents().eq(stage.sender.intents()));
}

#[test]
fn only_what_changed_is_saved() {
    let mut stage = Stage::sent(2);
    stage.sender.take_changed();
    stage.mine(0, 0, true);

    stage.look();

    let changed = stage.sender.take_changed();
    assert_eq!(changed.iter().map(|intent| intent.nonce).collect::<Vec<_>>(), [0]);
    stage.look();
    assert_eq!(stage.sender.take_changed(), []);
}

#[test]
fn every_attention_is_read_back_from_its_code() {
    for attention in Attention::ALL {
        assert_eq!(Attention::parse(attention.code()), Some(attention));
    }
}
