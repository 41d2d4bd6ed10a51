use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Account, HolderLine, Phase, Posting, Side};
use crate::types::{Address, Amount, AssetId, CountryCode, IdentityId, Timestamp};

/// The totals on an asset's row, read under its lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    pub supply: Amount,
    pub pending: Amount,
    /// Identities that hold something, posted or pending.
    pub holders: i64,
    /// Wallets with a posted balance.
    pub balances: i64,
    /// The number of the next operation.
    pub next_operation: i64,
}

/// The books of one asset in memory: opened under the row lock, changed by the operations of a commit in their order,
/// written once by [`super::save`]. Nothing on it is visible to anybody before.
#[derive(Debug)]
pub struct Sheet {
    asset: AssetId,
    pub(super) totals: Totals,
    pub(super) accounts: HashMap<Address, Account>,
    /// Posted plus pending over all wallets of an identity.
    held: HashMap<IdentityId, Amount>,
    pub(super) changed: BTreeSet<Address>,
    /// How many identities of a country became holders, or ceased to be.
    countries: BTreeMap<CountryCode, i64>,
    pub(super) postings: Vec<Posting>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SheetError {
    #[error("an amount passes 2^256-1")]
    Overflow,
    #[error("a balance would be negative")]
    Negative,
    #[error("an account of the operation was not loaded")]
    NotLoaded,
    #[error("it moves from nobody to nobody")]
    Nobody,
}

impl Sheet {
    /// Opens the books of an asset whose row is locked, with the accounts given by [`super::accounts`].
    pub fn open(asset: AssetId, totals: Totals, accounts: Vec<Account>) -> Self {
        let mut held: HashMap<IdentityId, Amount> = HashMap::new();
        for account in &accounts {
            if let (Some(identity), Some(amount)) = (account.identity, account.held()) {
                let sum = held.entry(identity).or_default();
                *sum = sum.checked_add(amount).unwrap_or(Amount::MAX);
            }
        }
        let accounts = accounts.into_iter().map(|account| (account.wallet, account)).collect();
        Self {
            asset,
            totals,
            accounts,
            held,
            changed: BTreeSet::new(),
            countries: BTreeMap::new(),
            postings: Vec::new(),
        }
    }

    pub fn asset(&self) -> AssetId {
        self.asset
    }

    pub fn supply(&self) -> Amount {
        self.totals.supply
    }

    pub fn pending(&self) -> Amount {
        self.totals.pending
    }

    /// How many identities hold (posted or pending).
    pub fn holders(&self) -> i64 {
        self.totals.holders
    }

    /// How many wallets have a posted balance.
    pub fn balances(&self) -> i64 {
        self.totals.balances
    }

    pub fn next_operation(&self) -> i64 {
        self.totals.next_operation
    }

    /// Gives out the number of the next operation.
    pub fn number(&mut self) -> i64 {
        let number = self.totals.next_operation;
        self.totals.next_operation = number.saturating_add(1);
        number
    }

    pub fn held_by(&self, identity: IdentityId) -> Amount {
        self.held.get(&identity).copied().unwrap_or_default()
    }

    pub fn held(&self) -> &HashMap<IdentityId, Amount> {
        &self.held
    }

    pub fn is_frozen(&self, wallet: &Address) -> bool {
        self.accounts.get(wallet).is_some_and(|account| account.frozen)
    }

    /// Issues an operation's lines as pending. Either all of them are on the sheet afterwards or, on an error, none.
    pub fn reserve(&mut self, operation: i64, lines: &[IssueLine]) -> Result<(), SheetError> {
        let total = Amount::checked_sum(lines.iter().map(|line| line.amount)).ok_or(SheetError::Overflow)?;
        let pending = self.totals.pending.checked_add(total).ok_or(SheetError::Overflow)?;
        // One account can never hold more than was issued, so if the issue fits every balance does.
        pending.checked_add(self.totals.supply).ok_or(SheetError::Overflow)?;
        self.totals.pending = pending;
        let mut next_line = 0;
        for line in lines {
            self.hold(line);
            self.postings.push(Posting {
                operation,
                line: next_line,
                kind: "holder",
                account: line.recipient,
                side: Side::Credit,
                amount: line.amount,
                phase: Phase::Pending,
            });
            next_line += 1;
        }
        self.postings.push(Posting {
            operation,
            line: next_line,
            kind: "issuance",
            account: Address::ZERO,
            side: Side::Debit,
            amount: total,
            phase: Phase::Pending,
        });
        Ok(())
    }

    /// Makes lines final that were reserved on this sheet and are not stored yet.
    pub fn post_reserved(&mut self, operation: i64) -> Result<(), SheetError> {
        let mut lines = Vec::new();
        for posting in self
            .postings
            .iter_mut()
            .filter(|posting| posting.operation == operation)
        {
            posting.phase = Phase::Posted;
            if posting.side == Side::Credit {
                lines.push(HolderLine {
                    line: posting.line,
                    recipient: posting.account,
                    amount: posting.amount,
                    phase: Phase::Pending,
                });
            }
        }
        self.post(&lines)
    }

    pub(super) fn post(&mut self, lines: &[HolderLine]) -> Result<(), SheetError> {
        let total = Amount::checked_sum(lines.iter().map(|line| line.amount)).ok_or(SheetError::Overflow)?;
        self.totals.pending = self.totals.pending.checked_sub(total).ok_or(SheetError::Negative)?;
        self.totals.supply = self.totals.supply.checked_add(total).ok_or(SheetError::Overflow)?;
        for line in lines {
            let account = self.accounts.get_mut(&line.recipient).ok_or(SheetError::NotLoaded)?;
            account.pending = account.pending.checked_sub(line.amount).ok_or(SheetError::Negative)?;
            if account.posted.is_zero() && !line.amount.is_zero() {
                self.totals.balances = self.totals.balances.saturating_add(1);
            }
            account.posted = account.posted.checked_add(line.amount).ok_or(SheetError::Overflow)?;
            self.changed.insert(line.recipient);
        }
        Ok(())
    }

    /// Posts what moved on the chain without us. Every account of both identities must be on the sheet. Either all of it
    /// is on the sheet afterwards or, on an error, nothing: what the books cannot follow is drift, not a posting.
    pub fn observe(&mut self, operation: i64, movement: &Movement) -> Result<(), SheetError> {
        let Movement { from, to, amount } = *movement;
        let supply = match (from, to) {
            (None, None) => return Err(SheetError::Nobody),
            (None, Some(_)) => self.totals.supply.checked_add(amount).ok_or(SheetError::Overflow)?,
            (Some(_), None) => self.totals.supply.checked_sub(amount).ok_or(SheetError::Negative)?,
            (Some(_), Some(_)) => self.totals.supply,
        };
        supply.checked_add(self.totals.pending).ok_or(SheetError::Overflow)?;
        if let Some(from) = from {
            self.take(&from, amount)?;
        }
        if let Some(to) = to {
            self.give(&to, amount);
        }
        self.totals.supply = supply;
        self.move_posting(operation, 0, Side::Debit, movement.from, amount);
        self.move_posting(operation, 1, Side::Credit, movement.to, amount);
        Ok(())
    }

    /// What is frozen does not move: our token's contract would have refused it.
    fn take(&mut self, party: &Party, amount: Amount) -> Result<(), SheetError> {
        let account = self.accounts.get_mut(&party.wallet).ok_or(SheetError::NotLoaded)?;
        let left = account.posted.checked_sub(amount).ok_or(SheetError::Negative)?;
        if left < account.frozen_amount {
            return Err(SheetError::Negative);
        }
        account.posted = left;
        if left.is_zero() && !amount.is_zero() {
            self.totals.balances = self.totals.balances.saturating_sub(1);
        }
        let identity = account.identity;
        self.changed.insert(party.wallet);
        match identity {
            Some(identity) => self.release(identity, party.country, amount),
            None => Ok(()),
        }
    }

    /// The supply bounds every balance, and it was seen to fit. A wallet that was registered since it began to hold counts
    /// with all that it has.
    pub(super) fn give(&mut self, party: &Party, amount: Amount) {
        let empty = || Account::empty(party.wallet, party.identity);
        let account = self.accounts.entry(party.wallet).or_insert_with(empty);
        let was_registered = account.identity.is_some();
        account.identity = account.identity.or(party.identity);
        if account.posted.is_zero() && !amount.is_zero() {
            self.totals.balances = self.totals.balances.saturating_add(1);
        }
        account.posted = account.posted.checked_add(amount).unwrap_or(Amount::MAX);
        let all = account.held().unwrap_or(Amount::MAX);
        let identity = account.identity;
        self.changed.insert(party.wallet);
        if let Some(identity) = identity {
            self.hold_for(identity, party.country, if was_registered { amount } else { all });
        }
    }

    pub(super) fn move_posting(&mut self, operation: i64, line: i32, side: Side, party: Option<Party>, amount: Amount) {
        self.postings.push(Posting {
            operation,
            line,
            kind: if party.is_some() { "holder" } else { "issuance" },
            account: party.map_or(Address::ZERO, |party| party.wallet),
            side,
            amount,
            phase: Phase::Posted,
        });
    }

    /// `countries` are those of the identities of the lines, as they are now.
    pub(super) fn void(
        &mut self,
        lines: &[HolderLine],
        countries: &HashMap<IdentityId, CountryCode>,
    ) -> Result<(), SheetError> {
        let total = Amount::checked_sum(lines.iter().map(|line| line.amount)).ok_or(SheetError::Overflow)?;
        self.totals.pending = self.totals.pending.checked_sub(total).ok_or(SheetError::Negative)?;
        for line in lines {
            let account = self.accounts.get_mut(&line.recipient).ok_or(SheetError::NotLoaded)?;
            account.pending = account.pending.checked_sub(line.amount).ok_or(SheetError::Negative)?;
            self.changed.insert(line.recipient);
            if let Some(identity) = account.identity {
                self.release(identity, countries.get(&identity).copied(), line.amount)?;
            }
        }
        Ok(())
    }

    fn hold(&mut self, line: &IssueLine) {
        let account = self
            .accounts
            .entry(line.recipient)
            .or_insert_with(|| Account::empty(line.recipient, line.identity));
        let was_registered = account.identity.is_some();
        account.identity = account.identity.or(line.identity);
        account.pending = account.pending.checked_add(line.amount).unwrap_or(Amount::MAX);
        let all = account.held().unwrap_or(Amount::MAX);
        let identity = account.identity;
        self.changed.insert(line.recipient);
        if let Some(identity) = identity {
            self.hold_for(identity, line.country, if was_registered { line.amount } else { all });
        }
    }

    pub(super) fn hold_for(&mut self, identity: IdentityId, country: Option<CountryCode>, amount: Amount) {
        let held = self.held.entry(identity).or_default();
        let is_new = held.is_zero() && !amount.is_zero();
        *held = held.checked_add(amount).unwrap_or(Amount::MAX);
        if is_new {
            self.count(country, 1);
        }
    }

    pub(super) fn release(
        &mut self,
        identity: IdentityId,
        country: Option<CountryCode>,
        amount: Amount,
    ) -> Result<(), SheetError> {
        let held = self.held.entry(identity).or_default();
        *held = held.checked_sub(amount).ok_or(SheetError::Negative)?;
        if held.is_zero() && !amount.is_zero() {
            self.count(country, -1);
        }
        Ok(())
    }

    fn count(&mut self, country: Option<CountryCode>, change: i64) {
        self.totals.holders = self.totals.holders.saturating_add(change);
        if let Some(country) = country {
            let count = self.countries.entry(country).or_default();
            *count = count.saturating_add(change);
        }
    }

    pub(super) fn totals(&self) -> Totals {
        self.totals
    }

    pub(super) fn postings(&self) -> &[Posting] {
        &self.postings
    }

    /// The accounts that changed, by address: the order in which every transaction writes them.
    pub(super) fn changed(&self, now: Timestamp) -> Vec<Account> {
        let changed = self.changed.iter().filter_map(|wallet| self.accounts.get(wallet));
        changed
            .map(|account| Account {
                acquired_at: account.acquired_at.or((!account.posted.is_zero()).then_some(now)),
                updated_at: now,
                ..account.clone()
            })
            .collect()
    }

    pub(super) fn changed_countries(&self) -> Vec<(CountryCode, i64)> {
        let changes = self.countries.iter().filter(|(_, change)| **change != 0);
        changes.map(|(country, change)| (*country, *change)).collect()
    }
}

/// One recipient of a mint with what its identity adds to the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssueLine {
    pub recipient: Address,
    /// None where the asset does not ask who its recipients are.
    pub identity: Option<IdentityId>,
    pub country: Option<CountryCode>,
    pub amount: Amount,
}

/// What moved on the chain: from nobody it was issued, to nobody it was destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Movement {
    pub from: Option<Party>,
    pub to: Option<Party>,
    pub amount: Amount,
}

/// One end of a movement, as the identities are now. A wallet that is not registered has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party {
    pub wallet: Address,
    pub identity: Option<IdentityId>,
    pub country: Option<CountryCode>,
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn line(byte: u8, identity: IdentityId, amount: u64) -> IssueLine {
        let recipient = Address::from_bytes([byte; 20]);
        IssueLine {
            recipient,
            identity: Some(identity),
            country: CountryCode::parse_alpha2("BE").ok(),
            amount: Amount::from(amount),
        }
    }

    #[test]
    fn what_is_reserved_is_pending_until_it_is_posted() {
        let mut sheet = sheet();
        let identity = IdentityId::generate();

        sheet.reserve(1, &[line(1, identity, 5), line(1, identity, 7)]).unwrap();
        assert_eq!((sheet.supply(), sheet.pending()), (Amount::ZERO, Amount::from(12)));
        sheet.post_reserved(1).unwrap();

        assert_eq!((sheet.supply(), sheet.pending()), (Amount::from(12), Amount::ZERO));
        let changed = sheet.changed(Timestamp::from_seconds(9));
        assert_eq!(changed[0].posted, Amount::from(12));
        assert_eq!(changed[0].acquired_at, Some(Timestamp::from_seconds(9)));
    }

    #[test]
    fn what_is_voided_was_never_there() {
        let mut sheet = sheet();
        let (kept, gone) = (IdentityId::generate(), IdentityId::generate());
        sheet.reserve(1, &[line(1, kept, 5)]).unwrap();
        sheet.reserve(2, &[line(2, gone, 7)]).unwrap();
        let lines = [HolderLine {
            line: 0,
            recipient: Address::from_bytes([2; 20]),
            amount: Amount::from(7),
            phase: Phase::Pending,
        }];
        let belgium = CountryCode::parse_alpha2("BE").unwrap();

        sheet.void(&lines, &HashMap::from([(gone, belgium)])).unwrap();

        assert_eq!((sheet.pending(), sheet.holders()), (Amount::from(5), 1));
        assert_eq!(sheet.changed_countries(), [(belgium, 1)]);
        assert_eq!(sheet.void(&lines, &HashMap::new()), Err(SheetError::Negative));
    }

    #[test]
    fn two_wallets_of_one_identity_are_one_holder() {
        let mut sheet = sheet();
        let identity = IdentityId::generate();

        sheet
            .reserve(
                1,
                &[
                    line(1, identity, 5),
                    line(2, identity, 7),
                    line(3, IdentityId::generate(), 1),
                ],
            )
            .unwrap();

        assert_eq!(sheet.holders(), 2);
        assert_eq!(sheet.held_by(identity), Amount::from(12));
        assert_eq!(
            sheet.changed_countries(),
            [(CountryCode::parse_alpha2("BE").unwrap(), 2)]
        );
        assert_eq!(sheet.balances(), 0, "nothing is posted yet");
        sheet.post_reserved(1).unwrap();
        sheet.reserve(2, &[line(1, identity, 5), line(4, identity, 0)]).unwrap();
        sheet.post_reserved(2).unwrap();
        assert_eq!((sheet.holders(), sheet.balances()), (2, 3));
    }

    #[test]
    fn an_issue_past_the_largest_amount_leaves_the_sheet_as_it_was() {
        let mut sheet = sheet();
        let identity = IdentityId::generate();
        let most = IssueLine {
            amount: Amount::MAX,
            ..line(1, identity, 0)
        };
        sheet.reserve(1, &[most]).unwrap();

        let refused = sheet.reserve(2, &[line(1, identity, 1)]);

        assert_eq!(refused, Err(SheetError::Overflow));
        assert_eq!((sheet.pending(), sheet.postings().len()), (Amount::MAX, 2));
    }

    fn party(byte: u8, identity: Option<IdentityId>) -> Option<Party> {
        Some(Party {
            wallet: Address::from_bytes([byte; 20]),
            identity,
            country: CountryCode::parse_alpha2(if byte == 1 { "BE" } else { "FR" }).ok(),
        })
    }

    fn movement(from: Option<Party>, to: Option<Party>, amount: u64) -> Movement {
        Movement {
            from,
            to,
            amount: Amount::from(amount),
        }
    }

    /// Identity one holds 12 in the wallet 1.
    fn held_sheet(one: IdentityId) -> Sheet {
        let mut sheet = sheet();
        sheet.reserve(1, &[line(1, one, 12)]).unwrap();
        sheet.post_reserved(1).unwrap();
        sheet
    }

    fn posted(sheet: &Sheet, byte: u8) -> Amount {
        sheet
            .accounts
            .get(&Address::from_bytes([byte; 20]))
            .map_or(Amount::ZERO, |account| account.posted)
    }

    #[test]
    fn what_a_holder_moved_to_another_leaves_the_supply_and_makes_a_holder() {
        let (one, two) = (IdentityId::generate(), IdentityId::generate());
        let mut sheet = held_sheet(one);

        sheet
            .observe(2, &movement(party(1, Some(one)), party(2, Some(two)), 5))
            .unwrap();

        assert_eq!(
            (posted(&sheet, 1), posted(&sheet, 2)),
            (Amount::from(7), Amount::from(5))
        );
        assert_eq!((sheet.supply(), sheet.holders()), (Amount::from(12), 2));
        assert_eq!(
            (sheet.held_by(one), sheet.held_by(two)),
            (Amount::from(7), Amount::from(5))
        );
        let [debit, credit] = &sheet.postings()[2..] else {
            panic!("two postings: {:?}", sheet.postings())
        };
        assert_eq!(
            (debit.side, credit.side, debit.amount),
            (Side::Debit, Side::Credit, credit.amount)
        );
        assert_eq!((debit.kind, credit.kind), ("holder", "holder"));
    }

    #[test]
    fn who_moved_everything_away_is_no_holder_any_more() {
        let (one, two) = (IdentityId::generate(), IdentityId::generate());
        let mut sheet = held_sheet(one);

        sheet
            .observe(2, &movement(party(1, Some(one)), party(2, Some(two)), 12))
            .unwrap();

        assert_eq!(sheet.holders(), 1);
        let france = CountryCode::parse_alpha2("FR").unwrap();
        assert_eq!(sheet.changed_countries(), [(france, 1)]);
    }

    #[test]
    fn between_two_wallets_of_one_identity_no_counter_moves() {
        let one = IdentityId::generate();
        let mut sheet = held_sheet(one);

        sheet
            .observe(2, &movement(party(1, Some(one)), party(1, Some(one)), 12))
            .unwrap();
        sheet
            .observe(3, &movement(party(1, Some(one)), party(3, Some(one)), 12))
            .unwrap();

        assert_eq!((sheet.holders(), sheet.held_by(one)), (1, Amount::from(12)));
        assert_eq!((posted(&sheet, 1), posted(&sheet, 3)), (Amount::ZERO, Amount::from(12)));
    }

    #[test]
    fn a_wallet_without_identity_holds_and_is_not_counted() {
        let one = IdentityId::generate();
        let mut sheet = held_sheet(one);

        sheet
            .observe(2, &movement(party(1, Some(one)), party(2, None), 5))
            .unwrap();

        assert_eq!((posted(&sheet, 2), sheet.holders()), (Amount::from(5), 1));
    }

    #[test]
    fn a_wallet_that_is_registered_later_counts_with_all_that_it_has() {
        let (one, two) = (IdentityId::generate(), IdentityId::generate());
        let mut sheet = held_sheet(one);
        sheet
            .observe(2, &movement(party(1, Some(one)), party(2, None), 5))
            .unwrap();

        sheet
            .observe(3, &movement(party(1, Some(one)), party(2, Some(two)), 1))
            .unwrap();
        assert_eq!((sheet.held_by(two), sheet.holders()), (Amount::from(6), 2));

        sheet
            .observe(4, &movement(party(2, Some(two)), party(1, Some(one)), 6))
            .unwrap();
        assert_eq!((sheet.held_by(two), sheet.holders()), (Amount::ZERO, 1));
    }

    #[test]
    fn what_others_issued_or_destroyed_moves_the_supply() {
        let one = IdentityId::generate();
        let mut sheet = held_sheet(one);

        sheet.observe(2, &movement(None, party(1, Some(one)), 3)).unwrap();
        assert_eq!(sheet.supply(), Amount::from(15));
        sheet.observe(3, &movement(party(1, Some(one)), None, 15)).unwrap();

        assert_eq!((sheet.supply(), sheet.holders()), (Amount::ZERO, 0));
        assert_eq!(sheet.postings()[2].kind, "issuance");
        assert_eq!(sheet.postings()[5].account, Address::ZERO);
    }

    #[test]
    fn what_the_books_cannot_follow_leaves_no_trace() {
        let one = IdentityId::generate();
        let mut sheet = held_sheet(one);
        let before = format!("{sheet:?}");

        let refused = [
            sheet.observe(2, &movement(party(1, Some(one)), party(2, None), 13)),
            sheet.observe(2, &movement(party(9, None), party(1, Some(one)), 1)),
            sheet.observe(2, &movement(None, None, 1)),
            sheet.observe(
                2,
                &Movement {
                    amount: Amount::MAX,
                    ..movement(None, party(2, None), 0)
                },
            ),
        ];

        let reasons = [
            SheetError::Negative,
            SheetError::NotLoaded,
            SheetError::Nobody,
            SheetError::Overflow,
        ];
        assert_eq!(refused, reasons.map(Err));
        assert_eq!(format!("{sheet:?}"), before);
    }

    #[test]
    fn debits_equal_credits_for_every_operation() {
        let mut sheet = sheet();
        sheet
            .reserve(
                1,
                &[line(1, IdentityId::generate(), 5), line(2, IdentityId::generate(), 7)],
            )
            .unwrap();

        let sum = |side: Side| {
            Amount::checked_sum(sheet.postings().iter().filter(|p| p.side == side).map(|p| p.amount)).unwrap()
        };

        assert_eq!(sum(Side::Debit), sum(Side::Credit));
    }
}
