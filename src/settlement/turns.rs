//! Whose turn it is: pure.

use std::collections::HashMap;

use crate::operation::Operation;
use crate::types::UserId;

/// Operations in turns of their requesters: the first of each, then the second of each, and so on; requesters in the order
/// of their first. Whoever asks for much does not keep the others waiting.
pub(super) fn in_turns(operations: Vec<&Operation>) -> Vec<&Operation> {
    let mut order: HashMap<UserId, usize> = HashMap::new();
    let mut asked: HashMap<UserId, usize> = HashMap::new();
    let mut placed: Vec<((usize, usize), &Operation)> = Vec::with_capacity(operations.len());
    for operation in operations {
        let next = order.len();
        let who = *order.entry(operation.requested_by).or_insert(next);
        let turn = asked.entry(operation.requested_by).or_default();
        placed.push(((*turn, who), operation));
        *turn = turn.saturating_add(1);
    }
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, operation)| operation).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::{NewOperation, Plan};
    use crate::types::{Amount, AssetId, RequestId, Timestamp};

    fn operation(sequence: i64, requested_by: UserId) -> Operation {
        Operation::queued(&NewOperation {
            asset: AssetId::generate(),
            sequence,
            plan: &Plan::Mint,
            lines: 1,
            total: Amount::ONE,
            requested_by,
            request_id: &RequestId::generate(),
            policy_hash: None,
            now: Timestamp::from_seconds(1),
        })
    }

    #[test]
    fn whoever_asks_for_one_does_not_wait_for_whoever_asks_for_many() {
        let (many, few, one) = (UserId::generate(), UserId::generate(), UserId::generate());
        let asked = [many, many, many, few, many, few, one];
        let operations: Vec<Operation> = (1..).zip(asked).map(|(n, who)| operation(n, who)).collect();

        let turns = in_turns(operations.iter().collect());

        let numbers: Vec<i64> = turns.iter().map(|operation| operation.sequence).collect();
        assert_eq!(numbers, [1, 4, 7, 2, 6, 3, 5]);
    }

    #[test]
    fn of_one_requester_the_order_stays() {
        let who = UserId::generate();
        let operations: Vec<Operation> = (1..=5).map(|n| operation(n, who)).collect();

        let turns = in_turns(operations.iter().collect());

        assert!(turns.is_sorted_by_key(|operation| operation.sequence));
    }
}
