//! Books that begin with what holders had before them.

use super::Side;
use super::sheet::{Party, Sheet, SheetError};
use crate::types::Amount;

/// What a wallet had when these books began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    pub party: Party,
    pub amount: Amount,
    /// The wallet may not move anything.
    pub frozen: bool,
    /// A part of the amount.
    pub frozen_amount: Amount,
}

impl Sheet {
    /// Posts what wallets had before these books began, as one operation that is final; every account is new. Wallets
    /// that are only frozen have an amount of zero. Either all of it is on the sheet afterwards or, on an error, nothing.
    pub fn take_over(&mut self, operation: i64, openings: &[Opening]) -> Result<(), SheetError> {
        let total = Amount::checked_sum(openings.iter().map(|one| one.amount)).ok_or(SheetError::Overflow)?;
        if openings.iter().any(|one| one.frozen_amount > one.amount) {
            return Err(SheetError::Negative);
        }
        self.totals.supply = self.totals.supply.checked_add(total).ok_or(SheetError::Overflow)?;
        let mut line = 0;
        for one in openings {
            self.give(&one.party, one.amount);
            if let Some(account) = self.accounts.get_mut(&one.party.wallet) {
                account.frozen = one.frozen;
                account.frozen_amount = one.frozen_amount;
            }
            if !one.amount.is_zero() {
                self.move_posting(operation, line, Side::Credit, Some(one.party), one.amount);
                line += 1;
            }
        }
        if !total.is_zero() {
            self.move_posting(operation, line, Side::Debit, None, total);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Totals;
    use crate::types::{Address, AssetId, CountryCode, IdentityId};

    fn sheet() -> Sheet {
        let totals = Totals {
            supply: Amount::ZERO,
            pending: Amount::ZERO,
            holders: 0,
            balances: 0,
            next_operation: 1,
        };
        Sheet::open(AssetId::generate(), totals, Vec::new())
    }

    fn opening(byte: u8, identity: Option<IdentityId>, amount: u64, frozen_amount: u64) -> Opening {
        Opening {
            party: Party {
                wallet: Address::from_bytes([byte; 20]),
                identity,
                country: CountryCode::parse_alpha2("BE").ok(),
            },
            amount: Amount::from(amount),
            frozen: amount == 0,
            frozen_amount: Amount::from(frozen_amount),
        }
    }

    #[test]
    fn what_holders_had_is_posted_with_its_freezes_and_counted() {
        let (mut sheet, one) = (sheet(), Some(IdentityId::generate()));

        sheet
            .take_over(
                1,
                &[
                    opening(1, one, 5, 2),
                    opening(2, one, 6, 0),
                    opening(3, None, 7, 0),
                    opening(4, None, 0, 0),
                ],
            )
            .unwrap();

        assert_eq!(
            (sheet.supply(), sheet.holders(), sheet.balances()),
            (Amount::from(18), 1, 3)
        );
        assert_eq!(sheet.postings().len(), 4, "three holders and the issuance");
        assert_eq!(
            sheet.accounts[&Address::from_bytes([1; 20])].frozen_amount,
            Amount::from(2)
        );
        assert!(sheet.is_frozen(&Address::from_bytes([4; 20])));
    }

    #[test]
    fn more_frozen_than_there_is_and_more_than_the_largest_amount_are_refused() {
        let mut sheet = sheet();
        let most = Opening {
            amount: Amount::MAX,
            ..opening(1, None, 1, 0)
        };

        let refused =
            [vec![opening(1, None, 5, 6)], vec![most, opening(2, None, 1, 0)]].map(|all| sheet.take_over(1, &all));

        assert_eq!(refused, [Err(SheetError::Negative), Err(SheetError::Overflow)]);
        assert!(sheet.postings().is_empty() && sheet.supply().is_zero());
    }
}
