//! What mints were seen to cost: how many fit one transaction, and with which limit one is tried. A node finds an estimate
//! by running the transaction a dozen times; where the book knows better, once is enough.

use std::collections::HashMap;

use super::Placement;
use super::lot::Group;

/// What one recipient of a mint is taken to cost before anything is known about its token, in gas: our token with a
/// recipient that is new to it, and a foreign one that looks a claim up (specs/chain.md section 3).
const PER_LINE_OWN: u64 = 40_000;
pub(super) const PER_LINE_FOREIGN: u64 = 110_000;

/// What a transaction costs besides its lines is at most about this: 21,000, the supply, two proxies.
const PER_TRANSACTION_MAX: u64 = 150_000;

/// A transaction of up to so many times the lines of one that was seen costs what that one says.
const TIMES_LARGER_MAX: u64 = 4;

/// Of what a transaction costs less than was expected, this part is believed at once: others may not be as cheap (their
/// recipients have no balance yet).
const BELIEVED_PART: u64 = 8;

/// One transaction, or what several say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    gas: u64,
    /// At least 1.
    lines: u64,
}

impl Seen {
    /// A smaller transaction has nearly the same costs besides its lines.
    fn scaled_to(self, lines: u64) -> u64 {
        let missing = self.lines.saturating_sub(lines);
        let besides = share(PER_TRANSACTION_MAX.min(self.gas), missing, self.lines);
        share(self.gas, lines, self.lines).saturating_add(besides)
    }
}

/// What the mints of each group were seen to cost in this session.
#[derive(Clone, Debug, Default)]
pub(super) struct GasBook(HashMap<Group, Seen>);

impl GasBook {
    /// What a transaction with so many lines is taken to cost, known or not.
    pub fn planned(&self, placement: &Placement, group: Group, lines: u64) -> u64 {
        let unknown = if placement.adopted {
            PER_LINE_FOREIGN
        } else {
            PER_LINE_OWN
        };
        match self.0.get(&group.by_cost()) {
            Some(seen) => seen.scaled_to(lines),
            None => lines.saturating_mul(unknown),
        }
    }

    /// What a transaction with so many lines will cost; none while nothing is known of one that is not much smaller.
    pub fn expected(&self, group: Group, lines: usize) -> Option<u64> {
        let lines = whole(lines);
        let seen = self.0.get(&group.by_cost())?;
        (lines <= seen.lines.saturating_mul(TIMES_LARGER_MAX)).then(|| seen.scaled_to(lines))
    }

    /// Learns from an estimate or a receipt. What costs more than was known counts at once, what costs less by and by; a
    /// much larger transaction says more than a smaller one, and a much smaller one nothing.
    pub fn learn(&mut self, group: Group, gas: u64, lines: usize) {
        let group = group.by_cost();
        let lines = whole(lines).max(1);
        let new = Seen { gas, lines };
        let Some(known) = self.0.get(&group).copied() else {
            self.0.insert(group, new);
            return;
        };
        if lines.saturating_mul(TIMES_LARGER_MAX) < known.lines {
            return;
        }
        let before = share(known.gas, lines, known.lines);
        let is_larger = lines >= known.lines.saturating_mul(2);
        let gas = match before.checked_sub(gas).filter(|_| !is_larger) {
            Some(less) => before.saturating_sub(less.div_ceil(BELIEVED_PART)),
            None => gas,
        };
        self.0.insert(group, Seen { gas, lines });
    }
}

fn whole(lines: usize) -> u64 {
    u64::try_from(lines).unwrap_or(u64::MAX)
}

/// `of * part / whole`, rounded up.
fn share(of: u64, part: u64, whole: u64) -> u64 {
    let product = u128::from(of).saturating_mul(u128::from(part));
    u64::try_from(product.div_ceil(u128::from(whole.max(1)))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settlement::lot::Lot;
    use crate::types::{Address, AssetId};

    fn placement(adopted: bool) -> Placement {
        Placement {
            asset: AssetId::generate(),
            chain_id: 31_337,
            registry: Address::ZERO,
            adopted,
            holder_transfers: false,
            recipients_max: 100,
            first_block: Some(1),
            observed_block: None,
        }
    }

    #[test]
    fn before_anything_is_known_lines_are_taken_to_be_dear_and_nothing_is_expected() {
        let (own, foreign) = (placement(false), placement(true));
        let book = GasBook::default();

        assert_eq!(book.planned(&own, Group::units(own.asset), 2), 2 * PER_LINE_OWN);
        assert_eq!(
            book.planned(&foreign, Group::units(foreign.asset), 2),
            2 * PER_LINE_FOREIGN
        );
        assert_eq!(book.expected(Group::units(own.asset), 1), None);
    }

    #[test]
    fn up_to_four_times_the_lines_cost_what_was_seen() {
        let placement = placement(false);
        let units = Group::units(placement.asset);
        let mut book = GasBook::default();

        book.learn(units, 3_000_000, 100);

        assert_eq!(book.expected(units, 100), Some(3_000_000));
        assert_eq!(book.expected(units, 400), Some(12_000_000));
        assert_eq!(book.expected(units, 401), None);
        assert_eq!(book.planned(&placement, units, 401), 12_030_000);
        // Half the lines and half of what there is besides.
        assert_eq!(book.expected(units, 50), Some(1_500_000 + 75_000));
        assert_eq!(book.expected(units, 1), Some(30_000 + 148_500));
    }

    #[test]
    fn what_costs_more_counts_at_once_and_what_costs_less_by_and_by() {
        let units = Group::units(AssetId::generate());
        let mut book = GasBook::default();

        book.learn(units, 1_000, 10);
        book.learn(units, 200, 10);
        assert_eq!(book.expected(units, 10), Some(900));
        book.learn(units, 2_000, 10);
        assert_eq!(book.expected(units, 10), Some(2_000));
    }

    #[test]
    fn a_large_transaction_says_more_than_a_small_one() {
        let units = Group::units(AssetId::generate());
        let mut book = GasBook::default();

        book.learn(units, 72_000, 1);
        book.learn(units, 60_000, 2);
        assert_eq!(book.expected(units, 2), Some(60_000), "twice the lines are believed");
        book.learn(units, 2_500_000, 100);
        book.learn(units, 600_000, 24);
        assert_eq!(
            book.expected(units, 100),
            Some(2_500_000),
            "a quarter of the lines says nothing"
        );
        book.learn(units, 700_000, 25);
        assert_eq!(book.expected(units, 100), Some(2_800_000));
    }

    #[test]
    fn the_ways_to_mint_tokens_cost_each_their_own_whoever_gets_them() {
        let asset = AssetId::generate();
        let group = |lot| Group { asset, lot: Some(lot) };
        let to = |byte| group(Lot::ToOne(Address::from_bytes([byte; 20])));
        let mut book = GasBook::default();

        book.learn(group(Lot::ById), 3_000, 10);
        book.learn(to(1), 500, 10);

        assert_eq!(book.expected(group(Lot::ById), 10), Some(3_000));
        assert_eq!(book.expected(group(Lot::ByQuantity), 10), None);
        assert_eq!(book.expected(to(2), 10), Some(500));
    }
}
