use super::model::Fees;

/// What we are willing to pay (EIP-1559), in whole wei per gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeePolicy {
    /// Never offer more per gas.
    pub max: u128,
    /// Offer the block's proposer at least this much of it.
    pub priority_min: u128,
}

impl FeePolicy {
    /// Room for the base fee to double, and the median of what recent blocks' proposers got.
    pub fn suggest(&self, base_fee: u128, rewards: &[u128]) -> Fees {
        let priority = median(rewards).unwrap_or(0).max(self.priority_min);
        let wanted = base_fee.checked_mul(2).and_then(|double| double.checked_add(priority));
        let max = wanted.map_or(self.max, |wanted| wanted.min(self.max));
        Fees {
            max,
            priority: priority.min(max),
        }
    }
}

/// The lower one of two in the middle.
fn median(values: &[u128]) -> Option<u128> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len().checked_sub(1)?.checked_div(2)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: FeePolicy = FeePolicy {
        max: 1_000,
        priority_min: 10,
    };

    fn fees(max: u128, priority: u128) -> Fees {
        Fees { max, priority }
    }

    #[test]
    fn a_suggestion_lets_the_base_fee_double() {
        assert_eq!(POLICY.suggest(100, &[20, 40, 30]), fees(230, 30));
        assert_eq!(POLICY.suggest(0, &[]), fees(10, 10));
    }

    #[test]
    fn the_middle_of_the_rewards_counts_and_the_floor_is_the_least() {
        assert_eq!(POLICY.suggest(0, &[1, 99, 1_000]).priority, 99);
        assert_eq!(POLICY.suggest(0, &[20, 30]).priority, 20);
        assert_eq!(POLICY.suggest(0, &[9]).priority, 10);
        assert_eq!(POLICY.suggest(0, &[10]).priority, 10);
        assert_eq!(POLICY.suggest(0, &[11]).priority, 11);
    }

    #[test]
    fn a_suggestion_ends_at_the_ceiling() {
        assert_eq!(POLICY.suggest(495, &[]), fees(1_000, 10));
        assert_eq!(POLICY.suggest(496, &[]), fees(1_000, 10));
        assert_eq!(POLICY.suggest(1, &[5_000]), fees(1_000, 1_000));
        assert_eq!(POLICY.suggest(u128::MAX, &[u128::MAX]), fees(1_000, 1_000));
    }
}
