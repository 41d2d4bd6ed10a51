//! Whether one more intent may be taken, and at which nonce.

use super::model::{Attention, cost, total};
use super::{Sender, fees};
use crate::chain::Fees;
use crate::types::Amount;

/// The place of the next intent: insert its row at this nonce and report `Assigned`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub nonce: u64,
}

/// Why no intent may be taken now. Each passes by itself except `Attention`, which needs a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoom {
    /// No view yet.
    NotLooked,
    Attention(Attention),
    /// As many nonces are unmined as policy allows (rule 9).
    InFlight,
    /// A lower nonce is held by nobody and is being filled first (rule 9).
    Gap {
        nonce: u64,
    },
    /// A block costs more per gas than the ceiling (rule 10).
    FeeCeiling {
        base_fee: u128,
    },
    /// In wei (rule 18).
    Funds {
        needed: Amount,
        balance: Amount,
    },
}

impl Sender {
    /// Rule 2: derived, never counted: the chain's count or one beyond the highest nonce of any row. None before the
    /// first view.
    pub fn next_nonce(&self) -> Option<u64> {
        let count = self.sight?.count;
        let live_end = self
            .intents
            .keys()
            .next_back()
            .map_or(0, |nonce| nonce.saturating_add(1));
        Some(count.max(live_end).max(self.rows_end.unwrap_or(0)))
    }

    /// A place for an intent with this gas limit.
    pub fn room(&self, gas_limit: u64) -> Result<Slot, NoRoom> {
        let sight = self.sight.ok_or(NoRoom::NotLooked)?;
        let nonce = self.next_nonce().ok_or(NoRoom::NotLooked)?;
        if let Some(attention) = self.alarms().map(|(_, attention)| attention).find(|a| stops(*a)) {
            return Err(NoRoom::Attention(attention));
        }
        if self.foreign.stops() {
            return Err(NoRoom::Attention(Attention::KeyUsedElsewhere));
        }
        if self.in_flight() >= self.policy.in_flight_max {
            return Err(NoRoom::InFlight);
        }
        if let Some(nonce) = self.lowest_missing() {
            return Err(NoRoom::Gap { nonce });
        }
        if sight.head.base_fee > self.policy.fee_max {
            return Err(NoRoom::FeeCeiling {
                base_fee: sight.head.base_fee,
            });
        }
        self.affords(
            gas_limit,
            sight.balance,
            fees::first(sight.suggested, self.policy.fee_max),
        )?;
        Ok(Slot { nonce })
    }

    /// Unmined nonces, the unknown ones excepted: they are no longer ours.
    pub fn in_flight(&self) -> usize {
        self.intents.values().filter(|intent| intent.is_waiting()).count()
    }

    /// Rule 18: the worst case of what is in flight and this one.
    fn affords(&self, gas_limit: u64, balance: Amount, fees: Fees) -> Result<(), NoRoom> {
        let needed = total(self.reserved(), cost(gas_limit, fees.max));
        if balance < needed {
            return Err(NoRoom::Funds { needed, balance });
        }
        Ok(())
    }

    /// The most that everything in flight can cost, in wei. What has no attempt yet is counted at today's fees.
    pub(super) fn reserved(&self) -> Amount {
        let first = self
            .sight
            .map_or(0, |sight| fees::first(sight.suggested, self.policy.fee_max).max);
        let waiting = self.intents.values().filter(|intent| intent.is_waiting());
        let costs = waiting.map(|intent| match intent.attempts.is_empty() {
            true => cost(intent.gas_limit, first),
            false => intent.cost_max(),
        });
        costs.fold(Amount::ZERO, total)
    }

    /// Rule 9: the lowest nonce that the chain waits for and nobody holds. What is below `settled` was ours: a chain that
    /// asks for it again has lost it, and filling would not bring it back.
    pub(super) fn lowest_missing(&self) -> Option<u64> {
        let start = self.sight?.count.max(self.settled);
        let mut expected = start;
        for nonce in self.intents.range(start..).map(|(nonce, _)| *nonce) {
            if nonce != expected {
                return Some(expected);
            }
            expected = nonce.checked_add(1)?;
        }
        (expected < self.rows_end.unwrap_or(0)).then_some(expected)
    }
}

/// Whether new nonces would only make it worse.
fn stops(attention: Attention) -> bool {
    match attention {
        Attention::NonceTaken
        | Attention::FeeCeiling
        | Attention::Refused
        | Attention::LateReorg
        | Attention::ChainWentBack => true,
        // `room` judges funds by the transaction at hand, and others by when they were noticed.
        Attention::Funds | Attention::KeyUsedElsewhere => false,
    }
}
