//! A driver as the real one: a database that survives, a process that does not, and commits in between.

use std::collections::{BTreeMap, VecDeque};

use moneyer::settlement::sender::{
    Action, Attempt, Attention, Cancelled, Content, Event, FILLER_GAS, Foreign, Intent, Known, NoRoom, Outcome, Policy,
    Sender, State, Work,
};
use moneyer::types::Timestamp;

use crate::chain::{Payload, Tx};
use crate::weather::World;

const GAS: u64 = 60_000;

/// What becomes of a work, as the books say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    Waiting,
    Taken,
    Done,
    Failed,
    Cancelled,
}

#[derive(Clone, Debug)]
struct Row {
    intent: Intent,
    raw: BTreeMap<u16, Tx>,
    work: Option<usize>,
    /// A cancellation was committed: nothing of the work may be sent any more.
    stopped: bool,
}

pub enum Stop {
    Crash,
    /// An invariant does not hold.
    Broken(String),
}

type Done = Result<(), Stop>;

pub struct Driver {
    pub world: World,
    policy: Policy,
    pub items: Vec<Item>,
    /// The tick at which each work is asked for.
    arrivals: Vec<u64>,
    ticks: u64,
    stops_wished: Vec<bool>,
    rows: BTreeMap<u64, Row>,
    rows_end: Option<u64>,
    head: Option<u64>,
    foreign: Foreign,
    /// Others used nonces below this one before this process looked, and no person has said anything yet.
    unexplained: u64,
    now: Timestamp,
    sender: Option<Sender>,
    seen: Option<Seen>,
}

/// Of the last view that did not lie behind.
#[derive(Clone, Copy)]
struct Seen {
    balance: u128,
    suggested: u128,
    count: u64,
}

fn broken(what: String) -> Done {
    Err(Stop::Broken(what))
}

impl Driver {
    pub fn new(mut world: World, policy: Policy, works: usize, within_ticks: u64) -> Self {
        let arrivals = (0..works).map(|_| world.random.below(within_ticks)).collect();
        Self {
            world,
            arrivals,
            ticks: 0,
            policy,
            items: vec![Item::Waiting; works],
            stops_wished: vec![false; works],
            rows: BTreeMap::new(),
            rows_end: None,
            head: None,
            foreign: Foreign::default(),
            unexplained: 0,
            now: Timestamp::from_seconds(1_700_000_000),
            sender: None,
            seen: None,
        }
    }

    pub fn is_finished(&self) -> bool {
        let settled = |item: &Item| matches!(item, Item::Done | Item::Failed | Item::Cancelled);
        self.items.iter().all(settled) && self.rows.values().all(|row| row.intent.state == State::Closed)
    }

    pub fn unfinished(&self) -> String {
        let open = self.rows.values().filter(|row| row.intent.state != State::Closed);
        let open: Vec<String> = open.take(3).map(|row| format!("{:?}", row.intent)).collect();
        let waiting = self.items.iter().filter(|item| **item == Item::Waiting).count();
        let room = self.sender.as_ref().map(|sender| sender.room(GAS));
        let alarms: Vec<_> = self.sender.iter().flat_map(Sender::alarms).collect();
        format!("{waiting} works wait, room {room:?}, alarms {alarms:?}, rows {open:#?}")
    }

    /// One look and what follows from it. A crash is not an error: the next tick loads from the database.
    pub fn tick(&mut self, seconds: u64) -> Result<(), String> {
        self.ticks += 1;
        self.now = self.now.plus_seconds(i64::try_from(seconds).unwrap());
        let mut sender = self.sender.take().unwrap_or_else(|| self.load());
        match self.work(&mut sender) {
            Ok(()) => self.sender = Some(sender),
            Err(Stop::Crash) => self.world.tally.count("a crash"),
            Err(Stop::Broken(what)) => {
                self.sender = Some(sender);
                return Err(what);
            }
        }
        Ok(())
    }

    fn load(&self) -> Sender {
        let is_closed = |row: &&Row| row.intent.state == State::Closed;
        let closed_end = self
            .rows
            .values()
            .filter(is_closed)
            .map(|row| row.intent.nonce + 1)
            .max();
        let known = Known {
            rows_end: self.rows_end,
            settled: closed_end.unwrap_or(0),
            head: self.head,
            foreign: self.foreign,
        };
        let open = self.rows.values().filter(|row| !is_closed(row));
        Sender::load(self.policy, open.map(|row| row.intent.clone()), known)
    }

    fn work(&mut self, sender: &mut Sender) -> Done {
        if let Some(view) = self.world.view(&sender.wanted()) {
            let before = sender.clone();
            let balance = view.balance.to_string().parse().unwrap();
            let seen = Seen {
                balance,
                suggested: view.suggested.max,
                count: view.count,
            };
            let number = view.head.number;
            let mut actions = sender.step(Event::Observed {
                view: view.clone(),
                now: self.now,
            });
            if sender.head() == Some(number) {
                self.look_for_others(&before, seen.count);
                self.seen = Some(seen);
            }
            self.judge_alarms(&before, &actions)?;
            judge_bumps(&before, sender, view.count)?;
            if self.world.strikes(self.world.weather.twice, "a tick that ran twice") {
                actions.extend(sender.step(Event::Observed { view, now: self.now }));
            }
            self.save(sender)?;
            self.perform(sender, actions)?;
        }
        self.take_works(sender)?;
        self.cancel_one(sender)?;
        self.be_the_person(sender)
    }

    fn crash_point(&mut self) -> Done {
        let crashes = self.world.random.happens(self.world.weather.crash);
        if crashes { Err(Stop::Crash) } else { Ok(()) }
    }

    fn save(&mut self, sender: &mut Sender) -> Done {
        self.crash_point()?;
        self.commit(sender)
    }

    /// What need not be saved is not.
    fn commit(&mut self, sender: &mut Sender) -> Done {
        for mut intent in sender.take_changed() {
            intent.passed = None;
            let Some(row) = self.rows.get_mut(&intent.nonce) else {
                return broken(format!("nonce {} was changed without a row", intent.nonce));
            };
            row.stopped |= intent.cancelled == Cancelled::Yes;
            row.intent = intent;
        }
        self.head = sender.head();
        Ok(())
    }

    fn perform(&mut self, sender: &mut Sender, actions: Vec<Action>) -> Done {
        let mut queue = VecDeque::from(actions);
        while let Some(action) = queue.pop_front() {
            self.crash_point()?;
            if !sender.stands(&action) {
                continue;
            }
            let more = self.act(sender, action)?;
            self.save(sender)?;
            if self.world.random.happens(500) {
                queue.extend(more);
            } else {
                more.into_iter().rev().for_each(|action| queue.push_front(action));
            }
        }
        Ok(())
    }

    fn act(&mut self, sender: &mut Sender, action: Action) -> Result<Vec<Action>, Stop> {
        match action {
            Action::Sign {
                nonce,
                attempt,
                fees,
                content,
            } => {
                if self
                    .world
                    .strikes(self.world.weather.no_signature, "a signer without an answer")
                {
                    return Ok(Vec::new());
                }
                self.judge_signing(sender, nonce, attempt, content)?;
                let row = self.row(nonce)?;
                let payload = match (content, row.work) {
                    (Content::Work, Some(work)) => Payload::Work(work),
                    (Content::Noop, _) => Payload::Noop,
                    (Content::Work, None) => return Err(Stop::Broken(format!("filler {nonce} has no work"))),
                };
                let tx = Tx::new(nonce, fees, payload);
                row.raw.insert(attempt, tx);
                let actions = sender.step(Event::Signed {
                    nonce,
                    attempt,
                    hash: tx.hash,
                    content,
                });
                self.commit(sender)?;
                Ok(actions)
            }
            Action::Broadcast { nonce, attempt } => {
                self.judge_sending(nonce, attempt)?;
                let row = self.row(nonce)?;
                let Some(tx) = row.raw.get(&attempt).copied() else {
                    return Err(Stop::Broken(format!(
                        "attempt {attempt} of {nonce} is sent without stored bytes"
                    )));
                };
                let known = sender.intent(nonce).and_then(|intent| intent.attempt(attempt)?.sent);
                let outcome = self.world.send(tx, known.is_some_and(|sending| sending.accepted));
                self.crash_point()?;
                Ok(sender.step(Event::Sent {
                    nonce,
                    attempt,
                    outcome,
                    now: self.now,
                }))
            }
            Action::Finalise { nonce } => self.finalise(sender, nonce),
            Action::Fill { nonce } => {
                self.world.tally.count("a gap filled");
                self.insert(sender, Intent::new(nonce, Work::Filler, FILLER_GAS), None)
            }
            Action::Alarm { nonce, reason, .. } => {
                self.judge_alarm(nonce, reason)?;
                if reason == Attention::KeyUsedElsewhere {
                    let acknowledged = self.foreign.acknowledged;
                    self.foreign = Foreign {
                        acknowledged,
                        ..sender.foreign()
                    };
                }
                Ok(Vec::new())
            }
        }
    }

    fn row(&mut self, nonce: u64) -> Result<&mut Row, Stop> {
        self.rows
            .get_mut(&nonce)
            .ok_or_else(|| Stop::Broken(format!("nonce {nonce} has no row")))
    }

    /// The row and its nonce in one commit; a nonce is taken once for ever.
    fn insert(&mut self, sender: &mut Sender, intent: Intent, work: Option<usize>) -> Result<Vec<Action>, Stop> {
        let nonce = intent.nonce;
        if self.rows.contains_key(&nonce) {
            return Err(Stop::Broken(format!("nonce {nonce} is taken twice")));
        }
        let row = Row {
            intent: intent.clone(),
            raw: BTreeMap::new(),
            work,
            stopped: false,
        };
        self.rows.insert(nonce, row);
        self.rows_end = self.rows_end.max(Some(nonce + 1));
        if let Some(work) = work {
            self.items[work] = Item::Taken;
        }
        self.crash_point()?;
        Ok(sender.step(Event::Assigned { intent }))
    }

    fn take_works(&mut self, sender: &mut Sender) -> Done {
        for work in 0..self.items.len() {
            let is_due = self.items[work] == Item::Waiting && self.arrivals[work] <= self.ticks;
            if !is_due || self.world.random.happens(200) {
                continue;
            }
            let slot = match sender.room(GAS) {
                Ok(slot) => slot,
                Err(NoRoom::Funds { .. }) => {
                    self.world.tally.count("no room for lack of funds");
                    break;
                }
                Err(_) => break,
            };
            self.judge_room()?;
            let actions = self.insert(sender, Intent::new(slot.nonce, Work::Planned, GAS), Some(work))?;
            self.save(sender)?;
            self.perform(sender, actions)?;
        }
        Ok(())
    }

    /// Somebody no longer wants a work that may already be on its way.
    fn cancel_one(&mut self, sender: &mut Sender) -> Done {
        if !self.world.random.happens(self.world.weather.cancel) {
            return Ok(());
        }
        let taken = self
            .rows
            .values()
            .filter_map(|row| row.work.map(|work| (row.intent.nonce, work)));
        let taken: Vec<_> = taken.filter(|(_, work)| self.items[*work] == Item::Taken).collect();
        let at = self.world.random.below(taken.len() as u64) as usize;
        let Some((nonce, work)) = taken.get(at).copied() else {
            return Ok(());
        };
        self.world.tally.count("a cancellation");
        self.stops_wished[work] = true;
        let actions = sender.step(Event::Cancel { nonce });
        self.save(sender)?;
        self.perform(sender, actions)
    }

    /// Settles in one commit what the sender says is final, after asking the oracle.
    fn finalise(&mut self, sender: &mut Sender, nonce: u64) -> Result<Vec<Action>, Stop> {
        let Some(intent) = sender.intent(nonce).cloned() else {
            return Err(Stop::Broken(format!("nonce {nonce} is final and unknown")));
        };
        let Some(mined) = intent.state.mined() else {
            return Err(Stop::Broken(format!(
                "nonce {nonce} is final in state {:?}",
                intent.state
            )));
        };
        let hash = intent.attempt(mined.attempt).and_then(|attempt| attempt.hash);
        let truth = self.world.chain.at_nonce(nonce);
        let is_true = truth.is_some_and(|(block, tx, success)| {
            block <= self.world.chain.finalized() && Some(tx.hash) == hash && success == mined.success
        });
        if !is_true {
            return Err(Stop::Broken(format!(
                "nonce {nonce} is no final {mined:?}: the chain has {truth:?}"
            )));
        }
        let work = self.row(nonce)?.work;
        if let (Some(work), Some(outcome)) = (work, intent.outcome()) {
            self.settle(work, outcome)?;
        }
        let actions = sender.step(Event::Finalised { nonce });
        self.commit(sender)?;
        Ok(actions)
    }

    fn settle(&mut self, work: usize, outcome: Outcome) -> Done {
        if self.items[work] != Item::Taken {
            return broken(format!("work {work} is settled twice"));
        }
        let is_unacceptable = self.world.chain.unacceptable.contains(&work);
        self.items[work] = match outcome {
            Outcome::Done => Item::Done,
            // Planned anew, or given up.
            Outcome::Reverted if self.world.random.happens(500) => Item::Waiting,
            Outcome::Reverted => Item::Failed,
            Outcome::NotDone if self.stops_wished[work] => Item::Cancelled,
            Outcome::NotDone if is_unacceptable => Item::Failed,
            Outcome::NotDone => return broken(format!("work {work} was replaced though nobody wished it")),
        };
        Ok(())
    }

    /// What was there when a process looked first, and what nobody told it of, may be the work of a later state of its own.
    fn look_for_others(&mut self, before: &Sender, count: u64) {
        let told = self.foreign.end.max(self.foreign.acknowledged);
        let is_first = before.next_nonce().is_none();
        if is_first && self.rows_end.is_some_and(|rows_end| count > rows_end.max(told)) {
            self.unexplained = self.unexplained.max(count);
        }
    }

    /// Looks into the chain and settles what the sender would not guess.
    fn be_the_person(&mut self, sender: &mut Sender) -> Done {
        if self.world.random.happens(700) {
            return Ok(());
        }
        if self.foreign.needs_a_person() {
            self.world.tally.count("a person who knows of others");
            let end = self.foreign.end;
            self.foreign.acknowledged = end;
            sender.step(Event::Acknowledged { end });
            self.unexplained = 0;
        }
        let unknown = sender.intents().filter(|intent| intent.state == State::Unknown);
        let unknown: Vec<u64> = unknown.map(|intent| intent.nonce).collect();
        for nonce in unknown {
            self.world.tally.count("a person helped");
            if let Some(work) = self.row(nonce)?.work {
                self.items[work] = Item::Waiting;
            }
            sender.step(Event::Resolved { nonce });
            // Books and row in one commit: no crash in between.
            self.commit(sender)?;
        }
        Ok(())
    }

    // --- what must hold -------------------------------------------------------------------------------------------

    /// Rules 4, 6, 10: stored bytes are never replaced; only what was sent, or must not be, is outbid; by an eighth on
    /// both caps, within the ceiling, and only where the chain waits.
    fn judge_signing(&mut self, sender: &Sender, nonce: u64, number: u16, content: Content) -> Done {
        let fee_max = self.policy.fee_max;
        let row = self.row(nonce)?;
        if row.raw.contains_key(&number) {
            return broken(format!("attempt {number} of {nonce} is built again"));
        }
        let Some(intent) = sender.intent(nonce) else {
            return broken(format!("nonce {nonce} is signed and unknown"));
        };
        let Some(attempt) = intent.attempt(number) else {
            return broken(format!("attempt {number} of {nonce} is signed and unknown"));
        };
        let competing = |other: &&Attempt| other.number < number && !other.refused;
        let mut earlier = intent.attempts.iter().filter(competing);
        let is_last_resort = content == Content::Noop && attempt.fees.max == fee_max;
        let is_floor_kept = earlier.clone().all(|other| {
            attempt.fees.max * 8 >= other.fees.max * 9 && attempt.fees.priority * 8 >= other.fees.priority * 9
        });
        if !(is_floor_kept || is_last_resort) || attempt.fees.max > fee_max || attempt.fees.priority > attempt.fees.max
        {
            return broken(format!(
                "attempt {number} of {nonce} offers {:?} after {:?}",
                attempt.fees, intent.attempts
            ));
        }
        if row.stopped && content == Content::Work {
            return broken(format!("the work of {nonce} is signed after it was cancelled"));
        }
        if let Some(last) = earlier.next_back() {
            let is_bump = last.content == content && !last.refused;
            if is_bump && last.sent.is_none() {
                return broken(format!(
                    "attempt {} of {nonce} is outbid before it was sent",
                    last.number
                ));
            }
            self.world
                .tally
                .count(if is_bump { "a bump" } else { "a replacement by a no-op" });
        }
        Ok(())
    }

    /// Rules 9 and 11: no gap of our own making, nothing of a cancelled work.
    fn judge_sending(&mut self, nonce: u64, number: u16) -> Done {
        let seen = self.seen.map_or(0, |seen| seen.count);
        let row = self.row(nonce)?.clone();
        let is_first = row.intent.attempts.iter().all(|attempt| attempt.sent.is_none());
        let is_unsent =
            |row: &Row| matches!(row.intent.state, State::Assigned | State::Signed) && row.intent.nonce >= seen;
        let hole = self
            .rows
            .range(..nonce)
            .find(|(_, row)| is_unsent(row))
            .map(|(nonce, _)| *nonce);
        if let Some(hole) = hole.filter(|_| is_first) {
            return broken(format!("nonce {nonce} is sent before {hole}"));
        }
        let content = row.intent.attempt(number).map(|attempt| attempt.content);
        if row.stopped && content == Some(Content::Work) && !matches!(row.intent.state, State::Mined(_)) {
            return broken(format!("the work of {nonce} is sent after it was cancelled"));
        }
        Ok(())
    }

    /// Rules 8, 9 and 18: nothing that a restored backup may send twice, the bound, and the worst case of everything in flight and one more, as the last view had it.
    fn judge_room(&self) -> Done {
        if self.unexplained > 0 {
            return broken(format!(
                "a nonce is taken though nobody explained those below {}",
                self.unexplained
            ));
        }
        let rows: Vec<_> = self.rows.values().filter(|row| is_unmined(&row.intent)).collect();
        if rows.len() >= self.policy.in_flight_max {
            return broken(format!("{} are in flight and one more is taken", rows.len()));
        }
        let Some(Seen { balance, suggested, .. }) = self.seen else {
            return broken("a nonce is taken without a look".to_owned());
        };
        let first = suggested.min(self.policy.fee_max);
        let dearest = |row: &Row| row.intent.attempts.iter().map(|attempt| attempt.fees.max).max();
        let costs = rows
            .iter()
            .map(|row| dearest(row).unwrap_or(first) * u128::from(row.intent.gas_limit));
        let needed = costs.sum::<u128>() + first * u128::from(GAS);
        if needed > balance {
            return broken(format!("{needed} wei may be needed, {balance} are there"));
        }
        Ok(())
    }

    /// Rule 8: unknown only when the final chain really holds something else.
    fn judge_alarm(&mut self, nonce: Option<u64>, reason: Attention) -> Done {
        self.world.tally.count(reason.code());
        let (Attention::NonceTaken, Some(nonce)) = (reason, nonce) else {
            return Ok(());
        };
        let truth = self.world.chain.at_nonce(nonce);
        let is_taken =
            truth.is_some_and(|(block, tx, _)| tx.payload == Payload::Foreign && block <= self.world.chain.finalized());
        if is_taken {
            return Ok(());
        }
        broken(format!("nonce {nonce} is called taken, but the chain has {truth:?}"))
    }

    /// An alarm that rings already does not ring again.
    fn judge_alarms(&self, before: &Sender, actions: &[Action]) -> Done {
        let ringing: Vec<_> = before.alarms().collect();
        for action in actions {
            if let Action::Alarm { nonce, reason, .. } = action
                && *reason != Attention::KeyUsedElsewhere
                && ringing.contains(&(*nonce, *reason))
            {
                return broken(format!("{reason} of {nonce:?} rings twice"));
            }
        }
        Ok(())
    }

    /// Rule 6, at every moment: no work has run twice in the chain as it is.
    pub fn judge_chain(&self) -> Result<(), String> {
        let mut runs = vec![0_u32; self.items.len()];
        for (tx, success) in self.world.chain.all() {
            if let (Payload::Work(work), true) = (tx.payload, success) {
                runs[work] += 1;
            }
        }
        for (work, runs) in runs.into_iter().enumerate() {
            if runs > 1 {
                return Err(format!("work {work} ran {runs} times"));
            }
            if self.is_finished() && (runs == 1) != (self.items[work] == Item::Done) {
                return Err(format!("work {work} is {:?} and ran {runs} times", self.items[work]));
            }
        }
        Ok(())
    }
}

/// Rule 10: only where the chain waits.
fn judge_bumps(before: &Sender, after: &Sender, count: u64) -> Done {
    for intent in after.intents() {
        let known = before.intent(intent.nonce).map_or(0, |intent| intent.attempts.len());
        let is_bumped = known > 0 && intent.attempts.len() > known && intent.cancelled == Cancelled::No;
        if is_bumped && intent.nonce != count {
            return broken(format!(
                "nonce {} is outbid though the chain waits for {count}",
                intent.nonce
            ));
        }
    }
    Ok(())
}

fn is_unmined(intent: &Intent) -> bool {
    matches!(intent.state, State::Assigned | State::Signed | State::Sent)
}
