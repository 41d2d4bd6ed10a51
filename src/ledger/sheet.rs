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
    totals: Totals,
    accounts: HashMap<Address, Account>,
    /// Posted plus pending over all wallets of an identity.
    held: HashMap<IdentityId, Amount>,
    changed: BTreeSet<Address>,
    /// How many identities of a country became holders, or ceased to be.
    countries: BTreeMap<CountryCode, i64>,
    postings: Vec<Posting>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SheetError {
    #[error("an amount passes 2^256-1")]
    Overflow,
    #[error("a balance would be negative")]
    Negative,
    #[error("an account of the operation was not loaded")]
    NotLoaded,
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
            .or_insert_with(|| Account::empty(line.recipient, Some(line.identity)));
        account.identity = account.identity.or(Some(line.identity));
        account.pending = account.pending.checked_add(line.amount).unwrap_or(Amount::MAX);
        self.changed.insert(line.recipient);
        let held = self.held.entry(line.identity).or_default();
        let is_new = held.is_zero() && !line.amount.is_zero();
        *held = held.checked_add(line.amount).unwrap_or(Amount::MAX);
        if is_new {
            self.count(line.country, 1);
        }
    }

    fn release(
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
    pub identity: IdentityId,
    pub country: Option<CountryCode>,
    pub amount: Amount,
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
            identity,
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
