//! What an agent takes from holders: burns, and forced transfers, in two phases. What was reserved is *leaving* one account
//! and, of a transfer, pending on the other, until it is final. It counts as held on both sides for so long, so that no
//! limit is passed whichever way it ends. The supply falls when a burn is posted; the pending supply is of issues alone.

use std::collections::HashMap;

use super::sheet::{Movement, Party, Sheet, SheetError};
use super::{Account, Phase, Side};
use crate::types::{Address, Amount};

impl Sheet {
    /// What may be taken from a wallet: posted, and not leaving already. A freeze is no obstacle to an agent, who takes
    /// what is frozen last (ERC-3643, `burn` and `forcedTransfer`).
    pub fn takeable(&self, wallet: &Address) -> Amount {
        let account = self.accounts.get(wallet);
        let left = account.and_then(|account| account.posted.checked_sub(account.leaving));
        left.unwrap_or(Amount::ZERO)
    }

    /// Reserves an operation's moves, each from a wallet to another, or to nobody when all of them are burned. Every
    /// account of both identities must be on the sheet. Either all of it is on the sheet afterwards or, on an error,
    /// nothing.
    pub fn reserve_moves(&mut self, operation: i64, moves: &[Movement]) -> Result<(), SheetError> {
        self.check_moves(moves)?;
        let mut line = 0;
        for one in moves {
            if let Some(to) = one.to {
                self.promise(&to, one.amount);
                self.move_posting(operation, line, Side::Credit, one.to, one.amount);
                line += 1;
            }
        }
        for one in moves {
            if let Some(account) = one.from.and_then(|from| self.accounts.get_mut(&from.wallet)) {
                account.leaving = account.leaving.checked_add(one.amount).unwrap_or(Amount::MAX);
                self.changed.insert(account.wallet);
                self.move_posting(operation, line, Side::Debit, one.from, one.amount);
                line += 1;
            }
        }
        let burned = Amount::checked_sum(moves.iter().filter(|one| one.to.is_none()).map(|one| one.amount));
        if let Some(burned) = burned.filter(|burned| !burned.is_zero()) {
            self.move_posting(operation, line, Side::Credit, None, burned);
        }
        for posting in self
            .postings
            .iter_mut()
            .filter(|posting| posting.operation == operation)
        {
            posting.phase = Phase::Pending;
        }
        Ok(())
    }

    fn check_moves(&self, moves: &[Movement]) -> Result<(), SheetError> {
        let mut leaving: HashMap<Address, Amount> = HashMap::new();
        for one in moves {
            let from = one.from.ok_or(SheetError::Nobody)?;
            if !self.accounts.contains_key(&from.wallet) {
                return Err(SheetError::NotLoaded);
            }
            let sum = leaving.entry(from.wallet).or_default();
            *sum = sum.checked_add(one.amount).ok_or(SheetError::Overflow)?;
            if *sum > self.takeable(&from.wallet) {
                return Err(SheetError::Negative);
            }
        }
        Ok(())
    }

    /// The supply bounds every balance. A wallet that was registered since it began to hold counts with all it has.
    fn promise(&mut self, to: &Party, amount: Amount) {
        let empty = || Account::empty(to.wallet, to.identity);
        let account = self.accounts.entry(to.wallet).or_insert_with(empty);
        let was_registered = account.identity.is_some();
        account.identity = account.identity.or(to.identity);
        account.pending = account.pending.checked_add(amount).unwrap_or(Amount::MAX);
        let all = account.held().unwrap_or(Amount::MAX);
        let identity = account.identity;
        self.changed.insert(to.wallet);
        if let Some(identity) = identity {
            self.hold_for(identity, to.country, if was_registered { amount } else { all });
        }
    }

    /// Makes moves final that were reserved on this sheet and are not stored yet.
    pub fn post_reserved_moves(&mut self, operation: i64, moves: &[Movement]) -> Result<(), SheetError> {
        for posting in self
            .postings
            .iter_mut()
            .filter(|posting| posting.operation == operation)
        {
            posting.phase = Phase::Posted;
        }
        self.post_moves(moves)
    }

    pub(super) fn post_moves(&mut self, moves: &[Movement]) -> Result<(), SheetError> {
        for one in moves {
            if let Some(from) = one.from {
                self.send_away(&from, one.amount)?;
            }
            match one.to {
                Some(to) => self.arrive(&to, one.amount)?,
                None => {
                    self.totals.supply = self.totals.supply.checked_sub(one.amount).ok_or(SheetError::Negative)?;
                }
            }
        }
        Ok(())
    }

    fn send_away(&mut self, from: &Party, amount: Amount) -> Result<(), SheetError> {
        let account = self.accounts.get_mut(&from.wallet).ok_or(SheetError::NotLoaded)?;
        account.leaving = account.leaving.checked_sub(amount).ok_or(SheetError::Negative)?;
        account.posted = account.posted.checked_sub(amount).ok_or(SheetError::Negative)?;
        account.frozen_amount = account.frozen_amount.min(account.posted);
        if account.posted.is_zero() && !amount.is_zero() {
            self.totals.balances = self.totals.balances.saturating_sub(1);
        }
        let identity = account.identity;
        self.changed.insert(from.wallet);
        match identity {
            Some(identity) => self.release(identity, from.country, amount),
            None => Ok(()),
        }
    }

    fn arrive(&mut self, to: &Party, amount: Amount) -> Result<(), SheetError> {
        let account = self.accounts.get_mut(&to.wallet).ok_or(SheetError::NotLoaded)?;
        account.pending = account.pending.checked_sub(amount).ok_or(SheetError::Negative)?;
        if account.posted.is_zero() && !amount.is_zero() {
            self.totals.balances = self.totals.balances.saturating_add(1);
        }
        account.posted = account.posted.checked_add(amount).ok_or(SheetError::Overflow)?;
        self.changed.insert(to.wallet);
        Ok(())
    }

    pub(super) fn void_moves(&mut self, moves: &[Movement]) -> Result<(), SheetError> {
        for one in moves {
            if let Some(from) = one.from {
                let account = self.accounts.get_mut(&from.wallet).ok_or(SheetError::NotLoaded)?;
                account.leaving = account.leaving.checked_sub(one.amount).ok_or(SheetError::Negative)?;
                self.changed.insert(from.wallet);
            }
            if let Some(to) = one.to {
                let account = self.accounts.get_mut(&to.wallet).ok_or(SheetError::NotLoaded)?;
                account.pending = account.pending.checked_sub(one.amount).ok_or(SheetError::Negative)?;
                let identity = account.identity;
                self.changed.insert(to.wallet);
                if let Some(identity) = identity {
                    self.release(identity, to.country, one.amount)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{IssueLine, Totals};
    use crate::types::{AssetId, CountryCode, IdentityId};

    fn party(byte: u8, identity: IdentityId) -> Party {
        Party {
            wallet: Address::from_bytes([byte; 20]),
            identity: Some(identity),
            country: CountryCode::parse_alpha2("BE").ok(),
        }
    }

    fn movement(from: Party, to: Option<Party>, amount: u64) -> Movement {
        Movement {
            from: Some(from),
            to,
            amount: Amount::from(amount),
        }
    }

    /// The party holds 12, of which 10 are frozen.
    fn held_by(party: Party) -> Sheet {
        let totals = Totals {
            supply: Amount::ZERO,
            pending: Amount::ZERO,
            holders: 0,
            balances: 0,
            next_operation: 1,
        };
        let mut sheet = Sheet::open(AssetId::generate(), totals, Vec::new());
        let line = IssueLine {
            recipient: party.wallet,
            identity: party.identity,
            country: party.country,
            amount: Amount::from(12),
        };
        sheet.reserve(1, &[line]).unwrap();
        sheet.post_reserved(1).unwrap();
        sheet.accounts.get_mut(&party.wallet).unwrap().frozen_amount = Amount::from(10);
        sheet
    }

    fn account(sheet: &Sheet, party: Party) -> (u64, u64, u64, u64) {
        let number = |amount: Amount| amount.to_string().parse().unwrap();
        let account = &sheet.accounts[&party.wallet];
        (
            number(account.posted),
            number(account.leaving),
            number(account.pending),
            number(account.frozen_amount),
        )
    }

    #[test]
    fn a_burn_is_leaving_until_it_is_posted_and_takes_what_is_frozen_last() {
        let one = party(1, IdentityId::generate());
        let mut sheet = held_by(one);
        let burn = [movement(one, None, 5)];

        sheet.reserve_moves(2, &burn).unwrap();
        assert_eq!(account(&sheet, one), (12, 5, 0, 10));
        assert_eq!(
            (sheet.supply(), sheet.takeable(&one.wallet)),
            (Amount::from(12), Amount::from(7))
        );
        sheet.post_reserved_moves(2, &burn).unwrap();

        assert_eq!(account(&sheet, one), (7, 0, 0, 7));
        assert_eq!(
            (sheet.supply(), sheet.balances(), sheet.holders()),
            (Amount::from(7), 1, 1)
        );
    }

    #[test]
    fn who_is_burned_whole_is_no_holder_any_more() {
        let one = party(1, IdentityId::generate());
        let mut sheet = held_by(one);
        let burn = [movement(one, None, 5), movement(one, None, 7)];

        sheet.reserve_moves(2, &burn).unwrap();
        sheet.post_reserved_moves(2, &burn).unwrap();

        assert_eq!(
            (sheet.supply(), sheet.balances(), sheet.holders()),
            (Amount::ZERO, 0, 0)
        );
        assert!(sheet.changed_countries().is_empty());
    }

    #[test]
    fn a_forced_transfer_moves_no_supply_and_counts_on_both_sides_until_it_is_posted() {
        let (one, two) = (party(1, IdentityId::generate()), party(2, IdentityId::generate()));
        let mut sheet = held_by(one);
        let moves = [movement(one, Some(two), 12)];

        sheet.reserve_moves(2, &moves).unwrap();
        assert_eq!(
            (account(&sheet, one), account(&sheet, two)),
            ((12, 12, 0, 10), (0, 0, 12, 0))
        );
        assert_eq!((sheet.pending(), sheet.holders()), (Amount::ZERO, 2));
        sheet.post_moves(&moves).unwrap();

        assert_eq!(
            (account(&sheet, one), account(&sheet, two)),
            ((0, 0, 0, 0), (12, 0, 0, 0))
        );
        assert_eq!(
            (sheet.supply(), sheet.holders(), sheet.balances()),
            (Amount::from(12), 1, 1)
        );
    }

    #[test]
    fn a_voided_move_was_never_there() {
        let (one, two) = (party(1, IdentityId::generate()), party(2, IdentityId::generate()));
        let mut sheet = held_by(one);
        let moves = [movement(one, Some(two), 4), movement(one, None, 1)];

        sheet.reserve_moves(2, &moves).unwrap();
        sheet.void_moves(&moves).unwrap();

        assert_eq!(
            (account(&sheet, one), account(&sheet, two)),
            ((12, 0, 0, 10), (0, 0, 0, 0))
        );
        assert_eq!((sheet.supply(), sheet.holders()), (Amount::from(12), 1));
    }

    #[test]
    fn more_than_there_is_leaves_the_sheet_as_it_was() {
        let one = party(1, IdentityId::generate());
        let mut sheet = held_by(one);
        let before = format!("{sheet:?}");

        let over = sheet.reserve_moves(2, &[movement(one, None, 12), movement(one, None, 1)]);
        let strange = sheet.reserve_moves(2, &[movement(party(9, IdentityId::generate()), None, 1)]);

        assert_eq!((over, strange), (Err(SheetError::Negative), Err(SheetError::NotLoaded)));
        assert_eq!(format!("{sheet:?}"), before);
        sheet.reserve_moves(2, &[movement(one, None, 12)]).unwrap();
    }
}
