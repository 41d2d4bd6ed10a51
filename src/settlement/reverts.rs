//! How operations go again whose transaction was reverted in a block, though the node took it when it was tried: a hook that
//! looks at what gas costs, an estimate that was too low.
//!
//! Nobody knows whose fault it was. Each goes again in half the company, so that of n operations together the one at fault
//! is alone after log2 n reverts; alone it has a second chance and then fails. Source: specs/chain.md section 5, rule 15.

/// What ran out of gas so often goes in a transaction of its own.
const ALONE_AFTER: u32 = 2;
/// What ran out of gas so often fails: each time it had more, at last all that there is.
const STARVED_MAX: u32 = 4;
/// What was reverted alone so often fails. Once may be bad luck: what it needs changed between the trial and the block.
const REVERTED_ALONE_MAX: u32 = 2;

/// What the reverted transactions of an operation say of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reverts {
    /// How often one ran out of gas.
    pub starved: u32,
    /// Operations in the smallest of them; none when there is no such transaction.
    company: Option<usize>,
    /// How often it was alone in one that had gas left.
    alone: u32,
}

/// Why a transaction was reverted, as far as its receipt tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Gas,
    Other,
}

impl Reverts {
    /// One more transaction, of so many operations.
    pub fn count(&mut self, company: usize, cause: Cause) {
        self.company = Some(self.company.map_or(company, |smallest| smallest.min(company)));
        match cause {
            Cause::Gas => self.starved = self.starved.saturating_add(1),
            Cause::Other if company == 1 => self.alone = self.alone.saturating_add(1),
            Cause::Other => {}
        }
    }

    /// Operations that may share its next transaction, itself included.
    fn company_max(self) -> usize {
        if self.starved >= ALONE_AFTER {
            return 1;
        }
        self.company.map_or(usize::MAX, |smallest| (smallest / 2).max(1))
    }

    /// Why it is not sent again; `gas_max` is what one transaction may spend.
    pub fn why_given_up(self, gas_max: u64) -> Option<String> {
        if self.starved >= STARVED_MAX {
            return Some(format!("ran out of gas {} times, at last with {gas_max}", self.starved));
        }
        (self.alone >= REVERTED_ALONE_MAX).then(|| {
            format!(
                "was reverted {} times alone in a block, though the node had tried it",
                self.alone
            )
        })
    }
}

/// How many of these, from the front, may go together; one at least, if there is one.
pub(super) fn together(operations: impl IntoIterator<Item = Reverts>) -> usize {
    let (mut count, mut bound) = (0_usize, usize::MAX);
    for reverts in operations {
        bound = bound.min(reverts.company_max());
        if count >= bound {
            break;
        }
        count = count.saturating_add(1);
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(history: &[(usize, Cause)]) -> Reverts {
        let mut reverts = Reverts::default();
        for (company, cause) in history {
            reverts.count(*company, *cause);
        }
        reverts
    }

    #[test]
    fn who_is_at_fault_is_alone_after_as_many_reverts_as_the_batch_can_be_halved_and_fails_alone_the_second_time() {
        for (batch, reverts_max) in [(1, 2), (2, 3), (3, 3), (100, 8), (128, 9)] {
            let (mut reverts, mut company, mut count) = (Reverts::default(), batch, 0);
            while reverts.why_given_up(1).is_none() {
                reverts.count(company, Cause::Other);
                company = reverts.company_max().min(company);
                count += 1;
            }
            assert_eq!(count, reverts_max, "{batch} operations");
        }
        let reason = of(&[(1, Cause::Other), (1, Cause::Other)]).why_given_up(1).unwrap();
        assert!(reason.contains("reverted 2 times alone"), "{reason}");
    }

    #[test]
    fn what_runs_out_of_gas_is_alone_the_third_time_and_fails_after_the_fourth() {
        let starved = |times| of(&vec![(40, Cause::Gas); times]);

        assert_eq!([0, 1, 2].map(|times| starved(times).company_max()), [usize::MAX, 20, 1]);
        assert_eq!(starved(3).why_given_up(9), None);
        let reason = starved(4).why_given_up(9).unwrap();
        assert_eq!(reason, "ran out of gas 4 times, at last with 9");
    }

    #[test]
    fn nobody_goes_in_larger_company_than_each_of_them_may_have() {
        let (fresh, halved, alone) = (of(&[]), of(&[(6, Cause::Other)]), of(&[(2, Cause::Other)]));

        assert_eq!(together([]), 0);
        assert_eq!(together([fresh; 50]), 50);
        assert_eq!(together([halved, fresh, fresh, fresh]), 3);
        assert_eq!(together([fresh, fresh, halved, fresh]), 3);
        assert_eq!(together([fresh, fresh, fresh, halved]), 3);
        assert_eq!(together([fresh, alone, fresh]), 1);
        assert_eq!(together([alone, fresh]), 1);
    }
}
