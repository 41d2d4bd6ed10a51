//! Reserve, post, void: what settlement on a chain will do with the ledger, in every order, several at a time on one
//! sheet, with what was reserved long ago.

use std::collections::{BTreeMap, HashMap};

use moneyer::asset::{self, Asset};
use moneyer::db::Tx;
use moneyer::error::Error;
use moneyer::identity;
use moneyer::ledger::{self, IssueLine, Phase, Sheet, SheetError, Totals};
use moneyer::types::{Address, Amount, AssetId, CountryCode, IdentityId, Timestamp};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

use crate::model::{Units, amount, most, units};
use crate::support::{START, Server};

/// Few, so that they meet often.
const RECIPIENTS: usize = 12;

/// What is to happen to the books in one transaction.
#[derive(Clone, Debug)]
enum Change {
    Reserve(Vec<(usize, Units)>),
    /// Reserved and made final at once, as book settlement does.
    Issue(Vec<(usize, Units)>),
    Post(i64),
    Void(i64),
}

#[derive(Clone, Debug)]
struct Known {
    lines: Vec<(usize, Units)>,
    phase: Phase,
}

/// The books once more: every operation with its lines, and nothing that is counted.
#[derive(Clone, Debug, Default)]
struct Books {
    operations: BTreeMap<i64, Known>,
    next: i64,
}

impl Books {
    fn sum(&self, phase: Phase, of: impl Fn(usize) -> bool) -> Units {
        let operations = self.operations.values().filter(|known| known.phase == phase);
        let lines = operations
            .flat_map(|known| known.lines.iter())
            .filter(|(who, _)| of(*who));
        lines.fold(Units::ZERO, |sum, (_, units)| sum + *units)
    }

    fn held(&self, who: usize) -> Units {
        self.sum(Phase::Pending, |one| one == who) + self.sum(Phase::Posted, |one| one == who)
    }

    fn fits(&self, lines: &[(usize, Units)]) -> bool {
        let more = lines.iter().fold(Units::ZERO, |sum, (_, units)| sum + *units);
        self.sum(Phase::Pending, |_| true) + self.sum(Phase::Posted, |_| true) + more <= most()
    }

    /// False when the books cannot do it: then they are as before.
    fn apply(&mut self, change: &Change) -> bool {
        let (lines, phase) = match change {
            Change::Reserve(lines) => (lines, Phase::Pending),
            Change::Issue(lines) => (lines, Phase::Posted),
            Change::Post(number) => return self.end(*number, Phase::Posted),
            Change::Void(number) => return self.end(*number, Phase::Voided),
        };
        if !self.fits(lines) {
            return false;
        }
        let lines = lines.clone();
        self.operations.insert(self.next, Known { lines, phase });
        self.next += 1;
        true
    }

    fn end(&mut self, number: i64, phase: Phase) -> bool {
        match self.operations.get_mut(&number) {
            Some(known) if known.phase == Phase::Pending => {
                known.phase = phase;
                true
            }
            Some(_) | None => false,
        }
    }
}

struct Recipient {
    wallet: Address,
    identity: IdentityId,
    country: CountryCode,
}

pub(super) async fn go(server: &Server, seed: u64, steps: usize) {
    let asset = server.asset(&server.world.deposit).await.id;
    let recipients = recipients(server).await;
    let recipients: &'static [Recipient] = recipients.leak();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut books = Books {
        next: server.asset(&server.world.deposit).await.next_operation,
        ..Books::default()
    };
    for number in 0..steps {
        let changes: Vec<Change> = (0..rng.random_range(1..=4)).map(|_| choose(&mut rng, &books)).collect();
        let told = format!("seed {seed}, step {number}: {changes:?}");
        let mut after = books.clone();
        let expected: Vec<bool> = changes.iter().map(|change| after.apply(change)).collect();
        let is_ending = |change: &Change| matches!(change, Change::Post(_) | Change::Void(_));
        let impossible = changes
            .iter()
            .zip(&expected)
            .any(|(change, done)| is_ending(change) && !done);
        let now = START.plus_seconds(number.try_into().unwrap());
        let write = move |tx: &mut Tx<'_>| perform(tx, asset, recipients, &changes, now);
        let found = server.app.db().write(write).await;

        // An ending that cannot be is a defect of whoever asks for it, and nothing of its transaction stays.
        match found {
            Ok(found) => {
                assert!(!impossible, "{told}");
                assert_eq!(found, expected, "{told}");
                books = after;
            }
            Err(Error::Internal(reason)) => assert!(impossible, "{reason}, {told}"),
            Err(other) => panic!("{other}, {told}"),
        }
        compare(server, asset, recipients, &books, &told).await;
    }
}

async fn recipients(server: &Server) -> Vec<Recipient> {
    let wallets: Vec<Address> = server.world.recipients[..RECIPIENTS].to_vec();
    server
        .read(move |tx| {
            let found = identity::recipients(tx, &wallets, START)?;
            let recipients = wallets.iter().map(|wallet| Recipient {
                wallet: *wallet,
                identity: found[wallet].identity,
                country: found[wallet].country.unwrap(),
            });
            Ok(recipients.collect())
        })
        .await
}

fn choose(rng: &mut StdRng, books: &Books) -> Change {
    let numbers: Vec<i64> = books.operations.keys().copied().collect();
    let is_pending = |number: &&i64| books.operations[*number].phase == Phase::Pending;
    let pending: Vec<i64> = numbers.iter().filter(is_pending).copied().collect();
    // Now and then one that has ended, or that never was.
    let number = match rng.random_range(0..25) {
        0 => numbers.choose(rng).copied(),
        1 => Some(books.next + 7),
        _ => pending.choose(rng).copied(),
    };
    match (rng.random_range(0..10), number) {
        (0..3, Some(number)) => Change::Post(number),
        (3..6, Some(number)) => Change::Void(number),
        (6, _) => Change::Issue(lines(rng, books)),
        _ => Change::Reserve(lines(rng, books)),
    }
}

fn lines(rng: &mut StdRng, books: &Books) -> Vec<(usize, Units)> {
    let count = rng.random_range(1..=6);
    let left = most() - books.sum(Phase::Pending, |_| true) - books.sum(Phase::Posted, |_| true);
    let mut lines: Vec<(usize, Units)> = (0..count)
        .map(|_| {
            (
                rng.random_range(0..RECIPIENTS),
                Units::from(rng.random_range(1..1_000_u64)),
            )
        })
        .collect();
    match rng.random_range(0..40) {
        0 => lines[0].1 = left,
        1 => lines[0].1 = most(),
        2 | 3 => lines[0].1 = left / Units::from(2) + Units::from(1),
        _ => {}
    }
    lines
}

fn perform(
    tx: &mut Tx<'_>,
    asset: AssetId,
    recipients: &[Recipient],
    changes: &[Change],
    now: Timestamp,
) -> Result<Vec<bool>, Error> {
    let Asset {
        supply,
        pending,
        holders,
        balances,
        next_operation,
        ..
    } = asset::lock(tx, asset)?;
    let wallets: Vec<Address> = recipients.iter().map(|recipient| recipient.wallet).collect();
    let identities: Vec<IdentityId> = recipients.iter().map(|recipient| recipient.identity).collect();
    let countries: HashMap<_, _> = recipients.iter().map(|one| (one.identity, one.country)).collect();
    let accounts = ledger::accounts(tx, asset, &wallets, &identities)?;
    let totals = Totals {
        supply,
        pending,
        holders,
        balances,
        next_operation,
    };
    let mut sheet = Sheet::open(asset, totals, accounts);
    let mut done = Vec::new();
    for change in changes {
        done.push(match change {
            Change::Reserve(lines) => reserve(&mut sheet, recipients, lines)?.is_some(),
            Change::Issue(lines) => match reserve(&mut sheet, recipients, lines)? {
                Some(number) => sheet.post_reserved(number).map(|()| true).map_err(Error::internal)?,
                None => false,
            },
            Change::Post(number) => ledger::post(tx, &mut sheet, *number).map(|()| true)?,
            Change::Void(number) => ledger::void(tx, &mut sheet, *number, &countries).map(|()| true)?,
        });
    }
    ledger::save(tx, sheet, now)?;
    Ok(done)
}

/// The number of the operation; none when the largest amount is passed, and then the sheet is as it was.
fn reserve(sheet: &mut Sheet, recipients: &[Recipient], lines: &[(usize, Units)]) -> Result<Option<i64>, Error> {
    let lines: Vec<IssueLine> = lines
        .iter()
        .map(|(who, units)| IssueLine {
            recipient: recipients[*who].wallet,
            identity: Some(recipients[*who].identity),
            country: Some(recipients[*who].country),
            amount: amount(*units),
        })
        .collect();
    match sheet.reserve(sheet.next_operation(), &lines) {
        Ok(()) => Ok(Some(sheet.number())),
        Err(SheetError::Overflow) => Ok(None),
        Err(error) => Err(Error::internal(error)),
    }
}

async fn compare(server: &Server, asset: AssetId, recipients: &'static [Recipient], books: &Books, told: &str) {
    let read = move |tx: &mut Tx<'_>| {
        let wallets: Vec<Address> = recipients.iter().map(|recipient| recipient.wallet).collect();
        Ok((
            asset::find(tx, asset)?,
            ledger::accounts(tx, asset, &wallets, &[])?,
            ledger::holders_by_country(tx, asset)?,
            ledger::verify(tx)?,
        ))
    };
    let (row, accounts, countries, faults) = server.app.db().read(read).await.unwrap();
    let holders = (0..RECIPIENTS).filter(|who| !books.held(*who).is_zero()).count();

    assert_eq!(faults, Vec::<String>::new(), "{told}");
    assert_eq!(units(row.supply), books.sum(Phase::Posted, |_| true), "{told}");
    assert_eq!(units(row.pending), books.sum(Phase::Pending, |_| true), "{told}");
    assert_eq!(usize::try_from(row.holders), Ok(holders), "{told}");
    assert_eq!(row.next_operation, books.next, "{told}");
    assert_eq!(
        countries.values().sum::<u64>(),
        u64::try_from(holders).unwrap(),
        "{told}"
    );
    for (who, recipient) in recipients.iter().enumerate() {
        let account = accounts.iter().find(|account| account.wallet == recipient.wallet);
        let posted = account.map_or(Amount::ZERO, |account| account.posted);
        let pending = account.map_or(Amount::ZERO, |account| account.pending);
        assert_eq!(units(posted), books.sum(Phase::Posted, |one| one == who), "{told}");
        assert_eq!(units(pending), books.sum(Phase::Pending, |one| one == who), "{told}");
    }
}
