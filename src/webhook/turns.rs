//! Whose turn it is to be told: no receiver waits for the slowness of others.
//!
//! A lane is one claim of one subscription. Whoever was served longest ago comes first, and of those who were never served
//! whoever has waited longest. A lane that is open for longer than [`SLOW_AFTER`] is *slow*, and makes room for another
//! one; a subscription whose last requests took longer is told in a few lanes that all such subscriptions share, until it is
//! quick again. So a quick receiver waits for [`SLOW_AFTER`] per [`LANES_MAX`] receivers that turn out slow just now, and not
//! for those that are known to be. Where more than [`OPEN_LANES_MAX`] turn out slow together, as after a restart, it waits
//! once for the first of them to end: for an attempt at most.

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

/// How a lane ended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    pub attempts: usize,
    /// The slowest request; what the database took does not count. None where nothing was sent.
    pub took: Option<Duration>,
    pub has_more: bool,
}

#[derive(Default)]
pub(super) struct Turns {
    /// In the order of who has waited longest.
    due: Vec<WebhookId>,
    open: HashMap<WebhookId, Lane>,
    served: HashMap<WebhookId, Served>,
    last_turn: u64,
}

impl Turns {
    /// These have something due, whoever has waited longest first, and nobody else has.
    pub fn note_due(&mut self, due: Vec<WebhookId>) {
        if self.served.len() > KNOWN_MAX {
            let due: HashSet<&WebhookId> = due.iter().collect();
            self.served.retain(|id, _| due.contains(id));
        }
        self.due = due;
    }

    /// Opens as many lanes as there is room for.
    pub fn open(&mut self) -> Vec<WebhookId> {
        let is_waiting = |id: &WebhookId| !self.open.contains_key(id);
        let mut waiting: Vec<WebhookId> = self.due.iter().copied().filter(is_waiting).collect();
        waiting.sort_by_key(|id| self.served.get(id).map_or(0, |served| served.turn));
        let began_slow = self.open.values().filter(|lane| lane.began_slow).count();
        let quick = self.open.values().filter(|lane| !lane.is_slow()).count();
        let mut slow_room = SLOW_LANES_MAX.saturating_sub(began_slow);
        let mut room = LANES_MAX.saturating_sub(quick);
        let mut opened = Vec::new();
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
            opened.push(id);
        }
        opened
    }

    /// A lane has ended. What has more is due again at once.
    pub fn close(&mut self, id: WebhookId, told: Told) {
        if self.open.remove(&id).is_none() {
            return;
        }
        self.due.retain(|due| *due != id);
        if told.has_more {
            self.due.push(id);
        }
        let was_slow = match told.took {
            Some(took) => took > SLOW_AFTER,
            None => self.served.get(&id).is_some_and(|served| served.was_slow),
        };
        self.last_turn = self.last_turn.saturating_add(1);
        let turn = self.last_turn;
        self.served.insert(id, Served { turn, was_slow });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(count: usize) -> Vec<WebhookId> {
        (0..count).map(|_| WebhookId::generate()).collect()
    }

    fn opened(turns: &mut Turns, due: &[WebhookId]) -> Vec<WebhookId> {
        turns.note_due(due.to_vec());
        turns.open()
    }

    fn told(took: Duration, has_more: bool) -> Told {
        Told {
            attempts: 1,
            took: Some(took),
            has_more,
        }
    }

    const QUICK: Duration = Duration::from_millis(10);
    const SLOW: Duration = Duration::from_millis(2_001);

    /// As if these had been told slowly.
    fn slow(turns: &mut Turns, ids: &[WebhookId]) {
        for id in ids {
            assert_eq!(opened(turns, &[*id]), [*id]);
            turns.close(*id, told(SLOW, false));
        }
    }

    #[test]
    fn there_are_64_lanes_at_once_and_one_for_a_subscription() {
        let (mut turns, due) = (Turns::default(), ids(66));

        assert_eq!(opened(&mut turns, &due), due[..64]);
        assert_eq!(turns.open(), []);
        turns.close(due[3], told(QUICK, false));
        assert_eq!(turns.open(), due[64..65]);
    }

    #[test]
    fn whoever_was_served_longest_ago_comes_first() {
        let (mut turns, due) = (Turns::default(), ids(3));
        opened(&mut turns, &due);
        for place in [1, 0, 2] {
            turns.close(due[place], told(QUICK, false));
        }
        let new = WebhookId::generate();

        let again = opened(&mut turns, &[due[0], due[1], due[2], new]);

        assert_eq!(again, [new, due[1], due[0], due[2]]);
    }

    #[test]
    fn who_has_more_is_told_again_without_another_look_and_who_has_not_waits_for_one() {
        let (mut turns, due) = (Turns::default(), ids(2));
        opened(&mut turns, &due);

        turns.close(due[0], told(QUICK, true));
        turns.close(due[1], told(QUICK, false));

        assert_eq!(turns.open(), due[..1]);
        assert_eq!(opened(&mut turns, &due), due[1..]);
    }

    #[test]
    fn those_known_to_be_slow_share_a_few_lanes_and_leave_the_others_free() {
        let (mut turns, known, quick) = (Turns::default(), ids(100), ids(70));
        slow(&mut turns, &known);
        let due: Vec<WebhookId> = known.iter().chain(&quick).copied().collect();

        let opened = opened(&mut turns, &due);

        let of = |ids: &[WebhookId]| opened.iter().filter(|id| ids.contains(id)).count();
        assert_eq!((of(&known), of(&quick)), (SLOW_LANES_MAX, LANES_MAX));
    }

    /// Whether a subscription with such a past shares the few lanes.
    fn counts_as_slow(past: &[Option<Duration>]) -> bool {
        let (mut turns, known, id) = (Turns::default(), ids(SLOW_LANES_MAX), WebhookId::generate());
        slow(&mut turns, &known);
        for took in past {
            assert_eq!(opened(&mut turns, &[id]), [id]);
            let told = Told {
                took: *took,
                ..Told::default()
            };
            turns.close(id, told);
        }
        assert_eq!(opened(&mut turns, &known), known);
        opened(&mut turns, &[id]).is_empty()
    }

    #[test]
    fn a_receiver_is_slow_after_2_seconds_and_until_it_is_quick_again() {
        assert!(!counts_as_slow(&[None]), "what the database took is not the receiver's");
        assert!(!counts_as_slow(&[Some(SLOW_AFTER)]));
        assert!(counts_as_slow(&[Some(SLOW)]));
        assert!(
            counts_as_slow(&[Some(SLOW), None]),
            "nothing was sent: nothing new is known"
        );
        assert!(!counts_as_slow(&[Some(SLOW), Some(QUICK)]));
    }
}
