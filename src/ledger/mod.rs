//! Who holds what: double entry per asset, in two phases.
//!
//! *Account*: a wallet on one asset. *Posted* is final and held; *pending* is on its way in, reserved but not yet held;
//! *frozen* is a part of posted. *Posting*: one line of an operation on one account. Every operation of an asset has one
//! issuance line against its holder lines, so its debits equal its credits.
//!
//! What moved on a chain without us is posted at once, as *observed*: a debit of who had it, a credit of who has it. What
//! the holders of an adopted token had before is posted at once too, as its *opening*.
//!
//! A mint is pending when it is accepted and posted (or voided) when it is final; with `Book` settlement both happen in
//! one commit. So is what a burn or a forced transfer takes; until then it is *leaving* the account that still has it.
//!
//! Invariants, checked by [`verify`] after every test and by `moneyer check`: for each asset and operation debits equal
//! credits; posted balances of the holders sum to the supply and pending issues to the pending supply; each balance is the
//! sum of its postings; supply + pending never passes the cap; the holder counters, of all and per country,
//! equal a recount; no posting is without an operation.
//!
//! The asset's row is locked by the caller before anything here is written.

mod check;
mod model;
mod moves;
mod opening;
mod sheet;
mod store;

pub use check::verify;
pub use model::{Account, HolderLine, Phase, Posting, Side};
pub use opening::Opening;
pub use sheet::{IssueLine, Movement, Party, Sheet, SheetError, Totals};

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::db::{Page, Tx};
use crate::error::Error;
use crate::types::{Address, Amount, AssetId, CountryCode, IdentityId, Timestamp};

/// The accounts of these wallets, and every other account of these identities: at most two queries.
pub fn accounts(
    tx: &mut Tx<'_>,
    asset: AssetId,
    wallets: &[Address],
    identities: &[IdentityId],
) -> Result<Vec<Account>, Error> {
    store::accounts(tx, asset, wallets, identities)
}

pub fn account(tx: &mut Tx<'_>, asset: AssetId, wallet: Address) -> Result<Option<Account>, Error> {
    store::account(tx, asset, wallet)
}

/// Every account of an asset, also the empty ones.
pub fn all_accounts(tx: &mut Tx<'_>, asset: AssetId) -> Result<Vec<Account>, Error> {
    store::all_accounts(tx, asset)
}

/// Accounts with a posted balance, the last changed first, how many there are, and the cursor of the next page.
pub fn holders(tx: &mut Tx<'_>, asset: AssetId, page: &Page) -> Result<(Vec<Account>, i64, Option<String>), Error> {
    let (accounts, cursor) = store::holders(tx, asset, page)?;
    Ok((accounts, store::holder_count(tx, asset)?, cursor))
}

/// Freezes or thaws a wallet on an asset; false when it was so already.
pub fn set_frozen(
    tx: &mut Tx<'_>,
    asset: AssetId,
    wallet: Address,
    frozen: Freeze,
    now: Timestamp,
) -> Result<bool, Error> {
    let before = store::account(tx, asset, wallet)?;
    let wanted = frozen == Freeze::Frozen;
    if before.as_ref().is_some_and(|account| account.frozen == wanted) || (before.is_none() && !wanted) {
        return Ok(false);
    }
    let account = before.unwrap_or_else(|| Account::empty(wallet, None));
    let account = Account {
        frozen: wanted,
        updated_at: now,
        ..account
    };
    store::save_accounts(tx, asset, &[account])?;
    Ok(true)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freeze {
    Frozen,
    Free,
}

/// Locks the assets on which these identities hold something: before [`move_country`], and before any other lock.
pub fn lock_held_by(tx: &mut Tx<'_>, identities: &[IdentityId]) -> Result<(), Error> {
    store::assets_held_by(tx, identities).map(|_| ())
}

/// Moves an identity from one country's holder counters to another's, on every asset where it holds.
pub fn move_country(
    tx: &mut Tx<'_>,
    identity: IdentityId,
    from: Option<CountryCode>,
    to: Option<CountryCode>,
) -> Result<(), Error> {
    let changes: Vec<(CountryCode, i64)> = from
        .map(|country| (country, -1))
        .into_iter()
        .chain(to.map(|country| (country, 1)))
        .collect();
    if from == to {
        return Ok(());
    }
    for asset in store::assets_held_by(tx, &[identity])? {
        store::add_country_counts(tx, asset, &changes)?;
    }
    Ok(())
}

/// How many identities of each country hold the asset.
pub fn holders_by_country(tx: &mut Tx<'_>, asset: AssetId) -> Result<HashMap<CountryCode, u64>, Error> {
    store::country_counts(tx, asset)
}

/// What an operation gave to whom, in the order of its lines; of a burn, what it takes from whom.
pub fn lines_of(tx: &mut Tx<'_>, asset: AssetId, operation: i64) -> Result<Vec<HolderLine>, Error> {
    let Legs { taken, given } = legs_of(tx, asset, operation)?;
    Ok(if given.is_empty() { taken } else { given })
}

/// What an operation took from whom and gave to whom, each in the order of its lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Legs {
    pub taken: Vec<HolderLine>,
    pub given: Vec<HolderLine>,
}

pub fn legs_of(tx: &mut Tx<'_>, asset: AssetId, operation: i64) -> Result<Legs, Error> {
    let taken = store::lines_of(tx, asset, operation, Side::Debit)?;
    let given = store::lines_of(tx, asset, operation, Side::Credit)?;
    Ok(Legs { taken, given })
}

/// What moves or moved by an operation that takes from holders, in the order of its lines: from whom, and to whom where
/// it is not burned.
pub fn moves_of(
    tx: &mut Tx<'_>,
    asset: AssetId,
    operation: i64,
) -> Result<Vec<(Address, Option<Address>, Amount)>, Error> {
    let Legs { taken, given } = legs_of(tx, asset, operation)?;
    if !given.is_empty() && given.len() != taken.len() {
        return Err(Error::internal(format!(
            "operation {operation} does not move as much as it takes"
        )));
    }
    let to = given
        .iter()
        .map(|line| Some(line.recipient))
        .chain(std::iter::repeat(None));
    let moves = taken.iter().zip(to);
    Ok(moves.map(|(line, to)| (line.recipient, to, line.amount)).collect())
}

/// Units that moved, as the chain logs it: from zero they are minted, to zero burned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Moved {
    pub from: Address,
    pub to: Address,
    pub amount: Amount,
}

/// What these operations moved by their posted lines, each with its operation's number: one movement per line of a mint or
/// a burn, and one per pair of lines of a transfer.
pub fn moved_by(tx: &mut Tx<'_>, asset: AssetId, operations: &[i64]) -> Result<Vec<(i64, Moved)>, Error> {
    let mut legs: BTreeMap<i64, (Vec<HolderLine>, Vec<HolderLine>)> = BTreeMap::new();
    for (operation, side, line) in store::posted_lines_of(tx, asset, operations)? {
        let (taken, given) = legs.entry(operation).or_default();
        match side {
            Side::Debit => taken.push(line),
            Side::Credit => given.push(line),
        }
    }
    let moved = legs.into_iter().flat_map(|(operation, (taken, given))| {
        let count = taken.len().max(given.len());
        let party = |lines: &[HolderLine], place: usize| lines.get(place).map_or(Address::ZERO, |line| line.recipient);
        let lines = (0..count).filter_map(move |place| {
            let line = given.get(place).or_else(|| taken.get(place))?;
            let moved = Moved {
                from: party(&taken, place),
                to: party(&given, place),
                amount: line.amount,
            };
            Some((operation, moved))
        });
        lines.collect::<Vec<_>>()
    });
    Ok(moved.collect())
}

/// The pending holder lines of these operations with their operation's number, in the order of operations and lines.
pub fn pending_lines_of(tx: &mut Tx<'_>, asset: AssetId, operations: &[i64]) -> Result<Vec<(i64, HolderLine)>, Error> {
    store::pending_lines_of(tx, asset, operations)
}

/// Makes the pending lines of an operation final. Its accounts must be on the sheet.
///
/// An operation ends once: `Internal` when nothing of it is pending.
pub fn post(tx: &mut Tx<'_>, sheet: &mut Sheet, operation: i64) -> Result<(), Error> {
    post_all(tx, sheet, &[operation])
}

/// As [`post`] for several operations: two statements.
pub fn post_all(tx: &mut Tx<'_>, sheet: &mut Sheet, operations: &[i64]) -> Result<(), Error> {
    let lines = pending_lines(tx, sheet.asset(), operations)?;
    sheet
        .post(&lines)
        .map_err(|error| Error::internal(format!("operations {operations:?}: {error}")))?;
    store::end_pending(tx, sheet.asset(), operations, Phase::Posted)
}

/// Takes the pending lines of an operation back. Its accounts, and every account of their identities, must be on the
/// sheet; `countries` are those of the identities. `Internal` when nothing of it is pending.
pub fn void(
    tx: &mut Tx<'_>,
    sheet: &mut Sheet,
    operation: i64,
    countries: &HashMap<IdentityId, CountryCode>,
) -> Result<(), Error> {
    void_all(tx, sheet, &[operation], countries)
}

/// As [`void`] for several operations: two statements.
pub fn void_all(
    tx: &mut Tx<'_>,
    sheet: &mut Sheet,
    operations: &[i64],
    countries: &HashMap<IdentityId, CountryCode>,
) -> Result<(), Error> {
    let lines = pending_lines(tx, sheet.asset(), operations)?;
    sheet
        .void(&lines, countries)
        .map_err(|error| Error::internal(format!("operations {operations:?}: {error}")))?;
    store::end_pending(tx, sheet.asset(), operations, Phase::Voided)
}

/// Makes the pending moves of an operation final; its accounts, and every account of their identities, must be on the
/// sheet. The caller knows them from [`moves_of`], and that they are pending.
pub fn post_moves(tx: &mut Tx<'_>, sheet: &mut Sheet, operation: i64, moves: &[Movement]) -> Result<(), Error> {
    sheet
        .post_moves(moves)
        .map_err(|error| Error::internal(format!("operation {operation}: {error}")))?;
    store::end_pending(tx, sheet.asset(), &[operation], Phase::Posted)
}

/// Takes the pending moves of an operation back; as [`post_moves`].
pub fn void_moves(tx: &mut Tx<'_>, sheet: &mut Sheet, operation: i64, moves: &[Movement]) -> Result<(), Error> {
    sheet
        .void_moves(moves)
        .map_err(|error| Error::internal(format!("operation {operation}: {error}")))?;
    store::end_pending(tx, sheet.asset(), &[operation], Phase::Voided)
}

fn pending_lines(tx: &mut Tx<'_>, asset: AssetId, operations: &[i64]) -> Result<Vec<HolderLine>, Error> {
    let lines = store::pending_lines_of(tx, asset, operations)?;
    let known: HashSet<i64> = lines.iter().map(|(operation, _)| *operation).collect();
    match operations.iter().find(|operation| !known.contains(operation)) {
        Some(operation) => Err(Error::internal(format!("operation {operation} has nothing pending"))),
        None => Ok(lines.into_iter().map(|(_, line)| line).collect()),
    }
}

/// Writes what changed on the sheet: balances, new postings, and the totals on the asset's row.
pub fn save(tx: &mut Tx<'_>, sheet: Sheet, now: Timestamp) -> Result<(), Error> {
    let changed: Vec<Account> = sheet.changed(now);
    store::save_accounts(tx, sheet.asset(), &changed)?;
    store::insert_postings(tx, sheet.asset(), sheet.postings())?;
    store::add_country_counts(tx, sheet.asset(), &sheet.changed_countries())?;
    store::save_totals(tx, &sheet)
}
