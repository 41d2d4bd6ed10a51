//! What goes wrong, and how often: per mille, drawn once per seed so that some histories know only one fault.

use std::collections::HashMap;

use moneyer::chain::{Sent, View};
use moneyer::settlement::sender::Wanted;
use moneyer::types::{Amount, Hash32};

use crate::chain::{Chain, FinalityRule, Offer, Tx};
use crate::random::Random;

#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    pub crash: u64,
    pub blind: u64,
    pub stale: u64,
    pub torn: u64,
    pub null: u64,
    pub request_lost: u64,
    pub reply_lost: u64,
    pub dropped: u64,
    pub forgotten: u64,
    pub reorg: u64,
    pub shorter: u64,
    pub foreign: u64,
    pub spike: u64,
    pub poor: u64,
    pub no_signature: u64,
    pub cancel: u64,
    pub no_block: u64,
    pub twice: u64,
}

impl Weather {
    pub fn drawn(random: &mut Random) -> Self {
        let mut some = |worst: u64| {
            if random.happens(450) {
                random.between(1, worst)
            } else {
                0
            }
        };
        Self {
            crash: some(60),
            blind: some(300),
            stale: some(200),
            torn: some(500),
            null: some(500),
            request_lost: some(200),
            reply_lost: some(200),
            dropped: some(150),
            forgotten: some(40),
            reorg: some(150),
            shorter: some(300),
            foreign: some(60),
            spike: some(60),
            poor: some(40),
            no_signature: some(200),
            cancel: some(60),
            no_block: some(600),
            twice: some(200),
        }
    }
}

/// How often each fault really struck, over all histories.
#[derive(Clone, Debug, Default)]
pub struct Tally(pub HashMap<&'static str, u64>);

impl Tally {
    pub fn count(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    pub fn add(&mut self, other: &Self) {
        for (what, times) in &other.0 {
            *self.0.entry(what).or_default() += times;
        }
    }
}

/// The chain, what we can see of it, and what happens to it.
pub struct World {
    pub chain: Chain,
    pub random: Random,
    pub weather: Weather,
    pub tally: Tally,
    /// The largest number of blocks for which a node may hide a receipt.
    pub null_blocks: u64,
    null_before: HashMap<Hash32, bool>,
    spike_left: u64,
}

impl World {
    pub fn new(mut random: Random, null_blocks: u64) -> Self {
        let rule = match random.below(4) {
            0 => FinalityRule::Tag {
                depth: random.between(1, 4),
                every: random.between(2, 5),
            },
            _ => FinalityRule::Depth(random.between(1, 6)),
        };
        let history = if random.happens(300) { random.below(9) } else { 0 };
        let turns_away_cheap = random.happens(500);
        let weather = Weather::drawn(&mut random);
        Self {
            chain: Chain::new(rule, history, turns_away_cheap),
            random,
            weather,
            tally: Tally::default(),
            null_blocks,
            null_before: HashMap::new(),
            spike_left: 0,
        }
    }

    pub fn calm_down(&mut self) {
        self.weather = Weather::default();
        self.chain.base_fee = 10;
        self.chain.balance = u128::from(u64::MAX);
    }

    pub fn strikes(&mut self, per_mille: u64, what: &'static str) -> bool {
        let strikes = self.random.happens(per_mille);
        if strikes {
            self.tally.count(what);
        }
        strikes
    }

    /// Some time passes: a block, or none, or fewer than before.
    pub fn pass(&mut self) {
        self.fees_move();
        if self.random.happens(self.weather.dropped) && self.chain.drop_one(&mut self.random) {
            self.tally.count("a transaction dropped from the pool");
        }
        if self.random.happens(self.weather.forgotten) && self.chain.forget_pool() {
            self.tally.count("a pool forgotten");
        }
        if self.random.happens(self.weather.reorg) {
            self.reorganise();
        }
        if !self.strikes(self.weather.no_block, "no block for a while") {
            self.block();
        }
    }

    fn block(&mut self) {
        let capacity = self.random.below(9);
        let foreign = self.strikes(self.weather.foreign, "a foreign transaction at our nonce");
        self.chain.mine(&mut self.random, capacity, foreign);
    }

    fn reorganise(&mut self) {
        let height = self.chain.height();
        let depth = self.random.between(1, 8);
        if !self.chain.unwind(&mut self.random, depth) {
            return;
        }
        self.tally.count("a reorganisation");
        if self.strikes(self.weather.shorter, "a chain that became shorter") {
            return;
        }
        while self.chain.height() < height {
            self.block();
        }
    }

    fn fees_move(&mut self) {
        if self.spike_left > 0 {
            self.spike_left -= 1;
            if self.spike_left == 0 {
                self.chain.base_fee = 10;
            }
        } else if self.strikes(self.weather.spike, "a spike of the base fee") {
            self.spike_left = self.random.between(3, 40);
            self.chain.base_fee = u128::from(self.random.between(30, 250));
        }
        if self.strikes(self.weather.poor, "a signer out of funds") {
            self.chain.balance = u128::from(self.random.below(60_000_000));
        } else if self.random.happens(100) {
            self.chain.balance = u128::from(u64::MAX);
        }
    }

    /// Between two reads the world may move on.
    fn tear(&mut self) {
        if self.strikes(self.weather.torn, "a torn view") {
            self.pass();
        }
    }

    pub fn view(&mut self, wanted: &Wanted) -> Option<View> {
        if self.strikes(self.weather.blind, "an endpoint without an answer") {
            return None;
        }
        let lag = if self.strikes(self.weather.stale, "an endpoint that lies behind") {
            self.random.between(1, 4)
        } else {
            0
        };
        let top = |chain: &Chain| chain.height().saturating_sub(lag);
        let head = self.chain.block(top(&self.chain))?;
        let finalized = self.chain.finalized().min(head.number);
        self.tear();
        // By number: after a reorganisation it may be another block's.
        let count = self.chain.count(head.number)?;
        self.tear();
        let mut receipts = HashMap::new();
        for hash in &wanted.receipts {
            let limit = top(&self.chain);
            let receipt = self
                .chain
                .receipt(*hash)
                .filter(|receipt| receipt.block_number <= limit);
            let is_hidden = receipt
                .as_ref()
                .is_some_and(|receipt| self.hides(*hash, receipt.block_number));
            receipts.insert(*hash, receipt.filter(|_| !is_hidden));
        }
        self.tear();
        let limit = top(&self.chain);
        let blocks = wanted.blocks.iter().filter(|number| **number <= limit);
        let blocks = blocks
            .filter_map(|number| Some((*number, self.chain.block(*number)?.hash)))
            .collect();
        let base_fee = head.base_fee;
        Some(View {
            head,
            finalized,
            count,
            balance: Amount::parse(&self.chain.balance.to_string()).unwrap(),
            receipts,
            blocks,
            suggested: moneyer::chain::Fees {
                max: base_fee * 2 + 2,
                priority: 2,
            },
        })
    }

    /// For some blocks after the transaction was mined, and later once, never twice running.
    fn hides(&mut self, hash: Hash32, block: u64) -> bool {
        let is_young = self.chain.height() < block + self.null_blocks;
        let hid_before = self.null_before.get(&hash).copied().unwrap_or(false);
        let hides = (is_young || !hid_before) && self.strikes(self.weather.null, "a receipt that is null for a while");
        self.null_before.insert(hash, hides && !is_young);
        hides
    }

    pub fn send(&mut self, tx: Tx, was_accepted: bool) -> Sent {
        if self.strikes(self.weather.request_lost, "a request that never arrived") {
            return Sent::Unclear("time-out".to_owned());
        }
        if was_accepted && self.strikes(self.weather.reply_lost, "a refusal of what was accepted before") {
            return Sent::Refused("intrinsic gas too low".to_owned());
        }
        let offer = self.chain.offer(tx);
        if self.strikes(self.weather.reply_lost, "a reply that never arrived") {
            return Sent::Unclear("time-out".to_owned());
        }
        match offer {
            Offer::Taken => Sent::Accepted,
            Offer::Never => Sent::Refused("intrinsic gas too low".to_owned()),
            Offer::Known | Offer::NonceTooLow | Offer::Underpriced | Offer::NoFunds => {
                Sent::Unclear(format!("{offer:?}"))
            }
        }
    }
}
