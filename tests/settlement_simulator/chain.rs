//! A chain with one account that matters, and one node with a pool. Blocks may vanish until they are final.

use std::collections::{BTreeMap, HashMap};

use moneyer::chain::{Block, Fees, Receipt};
use moneyer::types::Hash32;

use crate::random::{Random, mix};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    Work(usize),
    Noop,
    /// Signed with our key by somebody else.
    Foreign,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tx {
    pub hash: Hash32,
    pub nonce: u64,
    pub fees: Fees,
    pub payload: Payload,
}

impl Tx {
    /// The same content has the same hash, as with deterministic signatures.
    pub fn new(nonce: u64, fees: Fees, payload: Payload) -> Self {
        let (kind, work) = match payload {
            Payload::Work(work) => (1, work as u64),
            Payload::Noop => (2, 0),
            Payload::Foreign => (3, 0),
        };
        let parts = [nonce, fees.max as u64, fees.priority as u64, kind, work];
        Self {
            hash: hash(&parts),
            nonce,
            fees,
            payload,
        }
    }
}

pub fn hash(parts: &[u64]) -> Hash32 {
    let mut bytes = [0; 32];
    let mut state = parts.iter().fold(7, |state, part| mix(state ^ mix(*part)));
    for chunk in bytes.chunks_mut(8) {
        state = mix(state.wrapping_add(1));
        chunk.copy_from_slice(&state.to_be_bytes());
    }
    Hash32::from_bytes(bytes)
}

#[derive(Clone, Debug)]
struct Sealed {
    hash: Hash32,
    base_fee: u128,
    txs: Vec<(Tx, bool)>,
    /// Transactions of the account in the chain up to here.
    count: u64,
}

#[derive(Clone, Copy, Debug)]
pub enum FinalityRule {
    Depth(u64),
    /// Every `every` blocks the tag moves to the block `depth` below the head.
    Tag {
        depth: u64,
        every: u64,
    },
}

/// What the node says to an offered transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    Taken,
    Known,
    NonceTooLow,
    Underpriced,
    NoFunds,
    Never,
}

pub struct Chain {
    blocks: Vec<Sealed>,
    places: HashMap<Hash32, usize>,
    pool: BTreeMap<u64, Tx>,
    rule: FinalityRule,
    finalized: u64,
    salt: u64,
    pub base_fee: u128,
    pub balance: u128,
    /// A node like anvil turns away what cannot be in the next block; geth keeps it.
    pub turns_away_cheap: bool,
    /// Works whose transactions no node takes.
    pub unacceptable: Vec<usize>,
}

impl Chain {
    pub fn new(rule: FinalityRule, history: u64, turns_away_cheap: bool) -> Self {
        let genesis = Sealed {
            hash: hash(&[0]),
            base_fee: 10,
            txs: Vec::new(),
            count: history,
        };
        Self {
            blocks: vec![genesis],
            places: HashMap::new(),
            pool: BTreeMap::new(),
            rule,
            finalized: 0,
            salt: 0,
            base_fee: 10,
            balance: u128::from(u64::MAX),
            turns_away_cheap,
            unacceptable: Vec::new(),
        }
    }

    pub fn height(&self) -> u64 {
        self.blocks.len() as u64 - 1
    }

    pub fn finalized(&self) -> u64 {
        self.finalized
    }

    pub fn block(&self, number: u64) -> Option<Block> {
        let sealed = self.blocks.get(number as usize)?;
        Some(Block {
            number,
            hash: sealed.hash,
            parent: Hash32::ZERO,
            base_fee: sealed.base_fee,
            gas_limit: 30_000_000,
            time: number,
        })
    }

    /// Transactions of the account up to this block, if there is one.
    pub fn count(&self, number: u64) -> Option<u64> {
        self.blocks.get(number as usize).map(|sealed| sealed.count)
    }

    pub fn next_nonce(&self) -> u64 {
        self.blocks.last().map_or(0, |sealed| sealed.count)
    }

    pub fn receipt(&self, hash: Hash32) -> Option<Receipt> {
        let place = *self.places.get(&hash)?;
        let sealed = &self.blocks[place];
        let (tx, success) = sealed.txs.iter().find(|(tx, _)| tx.hash == hash)?;
        Some(Receipt {
            transaction: tx.hash,
            block_number: place as u64,
            block_hash: sealed.hash,
            success: *success,
            gas_used: 21_000,
            logs: Vec::new(),
        })
    }

    /// What the chain holds at a nonce: block, transaction, success.
    pub fn at_nonce(&self, nonce: u64) -> Option<(u64, Tx, bool)> {
        let place = self.blocks.iter().position(|sealed| sealed.count > nonce)?;
        let (tx, success) = self.blocks[place].txs.iter().find(|(tx, _)| tx.nonce == nonce)?;
        Some((place as u64, *tx, *success))
    }

    pub fn all(&self) -> impl Iterator<Item = (Tx, bool)> + '_ {
        self.blocks.iter().flat_map(|sealed| sealed.txs.iter().copied())
    }

    pub fn offer(&mut self, tx: Tx) -> Offer {
        if matches!(tx.payload, Payload::Work(work) if self.unacceptable.contains(&work)) {
            return Offer::Never;
        }
        if self.pool.get(&tx.nonce) == Some(&tx) {
            return Offer::Known;
        }
        if tx.nonce < self.next_nonce() {
            return Offer::NonceTooLow;
        }
        if tx.fees.max * 21_000 > self.balance {
            return Offer::NoFunds;
        }
        if self.turns_away_cheap && tx.fees.max < self.base_fee {
            return Offer::Underpriced;
        }
        // geth's price bump: at least a tenth more on both caps, and strictly more.
        let is_outbid = |known: &Tx| {
            let enough = |new: u128, old: u128| new * 10 >= old * 11 && new > old;
            enough(tx.fees.max, known.fees.max) && enough(tx.fees.priority, known.fees.priority)
        };
        if self.pool.get(&tx.nonce).is_some_and(|known| !is_outbid(known)) {
            return Offer::Underpriced;
        }
        self.pool.insert(tx.nonce, tx);
        Offer::Taken
    }

    pub fn mine(&mut self, random: &mut Random, capacity: u64, foreign: bool) {
        let mut next = self.next_nonce();
        let mut txs = Vec::new();
        if foreign {
            let fees = Fees {
                max: self.base_fee,
                priority: 1 + u128::from(random.below(1_000_000)),
            };
            txs.push((Tx::new(next, fees, Payload::Foreign), true));
            self.pool.remove(&next);
            next += 1;
        }
        while (txs.len() as u64) < capacity {
            let Some(tx) = self.pool.get(&next).copied().filter(|tx| tx.fees.max >= self.base_fee) else {
                break;
            };
            self.pool.remove(&next);
            let reverts = matches!(tx.payload, Payload::Work(_)) && random.happens(60);
            txs.push((tx, !reverts));
            next += 1;
        }
        self.salt += 1;
        let number = self.blocks.len();
        for (tx, _) in &txs {
            self.places.insert(tx.hash, number);
        }
        let sealed = Sealed {
            hash: hash(&[1, number as u64, self.salt]),
            base_fee: self.base_fee,
            txs,
            count: next,
        };
        self.blocks.push(sealed);
        self.pool.retain(|nonce, _| *nonce >= next);
        self.finalize();
    }

    fn finalize(&mut self) {
        let height = self.height();
        let reached = match self.rule {
            FinalityRule::Depth(depth) => height.saturating_sub(depth),
            FinalityRule::Tag { depth, every } if height.is_multiple_of(every) => height.saturating_sub(depth),
            FinalityRule::Tag { .. } => 0,
        };
        self.finalized = self.finalized.max(reached);
    }

    /// Takes up to `depth` blocks back, never a final one. Their transactions return to the pool, or do not.
    pub fn unwind(&mut self, random: &mut Random, depth: u64) -> bool {
        let depth = depth.min(self.height() - self.finalized);
        let returns = random.below(3);
        for _ in 0..depth {
            let Some(sealed) = self.blocks.pop() else { break };
            for (tx, _) in sealed.txs {
                self.places.remove(&tx.hash);
                let is_kept = returns == 0 || (returns == 1 && random.happens(500));
                if is_kept && tx.payload != Payload::Foreign {
                    self.pool.entry(tx.nonce).or_insert(tx);
                }
            }
        }
        depth > 0
    }

    pub fn drop_one(&mut self, random: &mut Random) -> bool {
        let at = random.below(self.pool.len() as u64) as usize;
        let nonce = self.pool.keys().nth(at).copied();
        nonce.is_some_and(|nonce| self.pool.remove(&nonce).is_some())
    }

    pub fn forget_pool(&mut self) -> bool {
        let had = !self.pool.is_empty();
        self.pool.clear();
        had
    }
}
