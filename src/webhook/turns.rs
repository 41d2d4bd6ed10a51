//! Whose turn it is to be told: no receiver waits for the slowness of others.
//!
//! A lane is one claim of one subscription. Whoever was served longest ago comes first, and of those who were never served
//! whoever has waited longest. A lane that is open for longer than [`SLOW_AFTER`] is *slow*, and makes room for another
//! one; a subscription whose last lane was slow is told in a few lanes that all such subscriptions share, and little at a
//! time, until it is quick again. So a quick receiver waits for [`SLOW_AFTER`] per [`LANES_MAX`] receivers that turn out slow
//! just now, and not for those that are known to be.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::telemetry::Stopwatch;
use crate::types::WebhookId;

/// Lanes that are not slow.
pub(super) const LANES_MAX: usize = 64;
/// Lanes of subscriptions that were slow when they were told last.
pub(super) const SLOW_LANES_MAX: usize = 16;
/// All of them: what they may cost of memory and sockets.
pub(super) const OPEN_LANES_MAX: usize = 256;
/// Deliveries of one claim. Few: a receiver is not to be run over.
pub(super) const TOGETHER_MAX: i64 = 8;
/// Of a claim for a slow subscription.
pub(super) const SLOW_TOGETHER_MAX: i64 = 2;
/// Most receivers answer within a tenth of it.
pub(super) const SLOW_AFTER: Duration = Duration::from_secs(2);
/// Subscriptions that are remembered; more than a deployment has.
const KNOWN_MAX: usize = 10_000;

/// What is remembered of a subscription that was told here.
#[derive(Clone, Copy, Debug)]
struct Served {
    /// Greater is later.
    turn: u64,
    was_slow: bool,
}

/// A lane that is open.
#[derive(Clone, Copy)]
struct Lane {
    since: Stopwatch,
    began_slow: bool,
}

impl Lane {
    fn is_slow(&self) -> bool {
        self.began_slow || self.since.elapsed() > SLOW_AFTER
    }
}

#[derive(Default)]
pub(super) struct Turns {
    open: HashMap<WebhookId, Lane>,
    served: HashMap<WebhookId, Served>,
    last_turn: u64,
}

/// A lane to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub id: WebhookId,
    /// Deliveries to claim.
    pub together: i64,
}

impl Turns {
    /// Opens as many lanes as there is room for; `due` is in the order of who has waited longest.
    pub fn open(&mut self, due: &[WebhookId]) -> Vec<Turn> {
        if self.served.len() > KNOWN_MAX {
            let due: HashSet<&WebhookId> = due.iter().collect();
            self.served.retain(|id, _| due.contains(id));
        }
        let mut waiting: Vec<WebhookId> = due.iter().copied().filter(|id| !self.open.contains_key(id)).collect();
        waiting.sort_by_key(|id| self.served.get(id).map_or(0, |served| served.turn));
        let began_slow = self.open.values().filter(|lane| lane.began_slow).count();
        let quick = self.open.values().filter(|lane| !lane.is_slow()).count();
        let mut slow_room = SLOW_LANES_MAX.saturating_sub(began_slow);
        let mut room = LANES_MAX.saturating_sub(quick);
        let mut turns = Vec::new();
        for id in waiting {
            let is_slow = self.served.get(&id).is_some_and(|served| served.was_slow);
            let kind = if is_slow { &mut slow_room } else { &mut room };
            if *kind == 0 || self.open.len() >= OPEN_LANES_MAX {
                continue;
            }
            *kind = kind.saturating_sub(1);
            let lane = Lane {
                since: Stopwatch::start(),
                began_slow: is_slow,
            };
            self.open.insert(id, lane);
            let together = if is_slow { SLOW_TOGETHER_MAX } else { TOGETHER_MAX };
            turns.push(Turn { id, together });
        }
        turns
    }

    /// A lane has ended.
    pub fn close(&mut self, id: WebhookId) {
        let Some(lane) = self.open.remove(&id) else { return };
        self.last_turn = self.last_turn.saturating_add(1);
        let served = Served {
            turn: self.last_turn,
            was_slow: lane.since.elapsed() > SLOW_AFTER,
        };
        self.served.insert(id, served);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(count: usize) -> Vec<WebhookId> {
        (0..count).map(|_| WebhookId::generate()).collect()
    }

    fn opened(turns: &mut Turns, due: &[WebhookId]) -> Vec<WebhookId> {
        turns.open(due).into_iter().map(|turn| turn.id).collect()
    }

    /// As if the subscription had been told slowly.
    fn slow(turns: &mut Turns, id: WebhookId) {
        turns.served.insert(
            id,
            Served {
                turn: 1,
                was_slow: true,
            },
        );
    }

    #[test]
    fn there_are_64_lanes_at_once_and_one_for_a_subscription() {
        let (mut turns, due) = (Turns::default(), ids(66));

        assert_eq!(opened(&mut turns, &due), due[..64]);
        assert_eq!(opened(&mut turns, &due), []);
        turns.close(due[3]);
        assert_eq!(opened(&mut turns, &due), due[64..65]);
    }

    #[test]
    fn whoever_was_served_longest_ago_comes_first() {
        let (mut turns, due) = (Turns::default(), ids(3));
        opened(&mut turns, &due);
        for place in [1, 0, 2] {
            turns.close(due[place]);
        }
        let new = WebhookId::generate();

        let again = opened(&mut turns, &[due[0], due[1], due[2], new]);

        assert_eq!(again, [new, due[1], due[0], due[2]]);
    }

    #[test]
    fn those_known_to_be_slow_share_a_few_lanes_and_leave_the_others_free() {
        let (mut turns, known, quick) = (Turns::default(), ids(100), ids(70));
        known.iter().for_each(|id| slow(&mut turns, *id));
        let due: Vec<WebhookId> = known.iter().chain(&quick).copied().collect();

        let opened = turns.open(&due);

        let of = |ids: &[WebhookId], together: i64| {
            let lanes = opened.iter().filter(|turn| ids.contains(&turn.id));
            lanes.inspect(|turn| assert_eq!(turn.together, together)).count()
        };
        assert_eq!(of(&known, SLOW_TOGETHER_MAX), SLOW_LANES_MAX);
        assert_eq!(of(&quick, TOGETHER_MAX), LANES_MAX);
    }

    #[test]
    fn who_is_quick_again_is_not_slow_any_more() {
        let (mut turns, id) = (Turns::default(), WebhookId::generate());
        slow(&mut turns, id);
        assert_eq!(turns.open(&[id])[0].together, SLOW_TOGETHER_MAX);

        turns.close(id);

        assert_eq!(turns.open(&[id])[0].together, TOGETHER_MAX);
    }
}
