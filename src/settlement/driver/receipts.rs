use std::collections::HashMap;

use crate::chain::{Receipt, View};
use crate::settlement::sender::Wanted;
use crate::types::Hash32;

/// Receipts that the last look saw in blocks. The hash of a block stands for all that is in it: while the chain has the
/// same block there, its receipts are what they were, and need not be asked for, or read, again.
#[derive(Debug, Default)]
pub(super) struct Receipts(HashMap<Hash32, Receipt>);

impl Receipts {
    pub fn get(&self, transaction: &Hash32) -> Option<&Receipt> {
        self.0.get(transaction)
    }

    /// The wanted receipts that the chain has to be asked for: those that are not known from a block which the same view
    /// looks at again.
    pub fn unknown(&self, wanted: &Wanted) -> Vec<Hash32> {
        let is_known = |hash: &Hash32| {
            let receipt = self.0.get(hash);
            receipt.is_some_and(|receipt| wanted.blocks.contains(&receipt.block_number))
        };
        wanted.receipts.iter().copied().filter(|hash| !is_known(hash)).collect()
    }

    /// Puts the known ones into the view where it confirms their block, and keeps from it what the next look may use. What
    /// is in another block now, or in none, is forgotten and asked for the next time.
    pub fn complete(&mut self, view: &mut View, wanted: &Wanted) {
        for hash in &wanted.receipts {
            let Some(receipt) = self.0.remove(hash) else { continue };
            let stands = view.blocks.get(&receipt.block_number) == Some(&receipt.block_hash);
            if stands && !view.receipts.contains_key(hash) {
                view.receipts.insert(*hash, Some(receipt));
            }
        }
        let mined = view
            .receipts
            .iter()
            .filter_map(|(hash, receipt)| Some((*hash, receipt.clone()?)));
        self.0 = mined.collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::{Block, Fees};
    use crate::types::Amount;

    const MINED: Hash32 = Hash32::from_bytes([1; 32]);
    const WAITING: Hash32 = Hash32::from_bytes([2; 32]);
    const BLOCK: Hash32 = Hash32::from_bytes([7; 32]);
    const OTHER: Hash32 = Hash32::from_bytes([8; 32]);

    fn receipt() -> Receipt {
        Receipt {
            transaction: MINED,
            block_number: 5,
            block_hash: BLOCK,
            success: true,
            gas_used: 21_000,
            logs: Vec::new(),
        }
    }

    fn view(receipts: &[(Hash32, Option<Receipt>)], blocks: &[(u64, Hash32)]) -> View {
        View {
            head: Block {
                number: 6,
                hash: OTHER,
                parent: BLOCK,
                base_fee: 1,
                gas_limit: 30_000_000,
                time: 1,
            },
            finalized: 5,
            count: 1,
            balance: Amount::ONE,
            receipts: receipts.iter().cloned().collect(),
            blocks: blocks.iter().copied().collect(),
            suggested: Fees { max: 1, priority: 1 },
        }
    }

    fn wanted(blocks: &[u64]) -> Wanted {
        Wanted {
            receipts: vec![MINED, WAITING],
            blocks: blocks.to_vec(),
        }
    }

    fn seen() -> Receipts {
        let mut receipts = Receipts::default();
        receipts.complete(
            &mut view(&[(MINED, Some(receipt())), (WAITING, None)], &[]),
            &wanted(&[]),
        );
        receipts
    }

    #[test]
    fn a_receipt_is_asked_for_once_while_its_block_stands() {
        let mut receipts = seen();

        assert_eq!(receipts.unknown(&wanted(&[5])), [WAITING]);
        let mut next = view(&[(WAITING, None)], &[(5, BLOCK)]);
        receipts.complete(&mut next, &wanted(&[5]));

        assert_eq!(
            next.receipts,
            HashMap::from([(MINED, Some(receipt())), (WAITING, None)])
        );
        assert_eq!(receipts.get(&MINED), Some(&receipt()));
        assert_eq!(receipts.get(&WAITING), None);
    }

    #[test]
    fn what_a_view_does_not_confirm_is_forgotten_and_asked_for_again() {
        for blocks in [&[(5, OTHER)][..], &[]] {
            let mut receipts = seen();
            let mut next = view(&[(WAITING, None)], blocks);

            receipts.complete(&mut next, &wanted(&[5]));

            assert!(!next.receipts.contains_key(&MINED));
            assert_eq!(receipts.unknown(&wanted(&[5])), [MINED, WAITING]);
        }
    }

    #[test]
    fn a_receipt_of_a_block_that_nobody_looks_at_is_asked_for() {
        assert_eq!(seen().unknown(&wanted(&[4])), [MINED, WAITING]);
    }

    #[test]
    fn what_the_chain_says_now_counts() {
        let mut receipts = seen();
        let moved = Receipt {
            block_number: 6,
            block_hash: OTHER,
            ..receipt()
        };
        let mut next = view(&[(MINED, Some(moved.clone()))], &[(5, BLOCK)]);

        receipts.complete(&mut next, &wanted(&[4]));

        assert_eq!(receipts.get(&MINED), Some(&moved));
        assert_eq!(next.receipts[&MINED], Some(moved));
    }
}
