use std::collections::{BTreeMap, HashMap, HashSet};

use super::store::{self, AssetRow, PostingRow};
use super::{Account, Phase};
use crate::db::Tx;
use crate::error::Error;
use crate::types::{Address, Amount, AssetId};

/// Operations whose postings are read at a time.
const OPERATIONS_PAGE: i64 = 2_000;

/// Recounts every asset from its postings and compares. One sentence per fault; empty means that the invariants hold.
pub fn verify(tx: &mut Tx<'_>) -> Result<Vec<String>, Error> {
    let mut faults = Vec::new();
    for asset in store::all_assets(tx)? {
        let name = asset.1.clone();
        let accounts = store::all_accounts(tx, asset.0)?;
        let counted = recount(tx, &asset)?;
        let mut found = compare(&asset, &accounts, &counted);
        found.extend(compare_countries(tx, asset.0)?);
        faults.extend(
            found
                .into_iter()
                .map(|fault| format!("asset {name} ({}): {fault}", asset.0)),
        );
    }
    Ok(faults)
}

/// What the postings say.
#[derive(Default)]
struct Counted {
    posted: HashMap<Address, Sides>,
    pending: HashMap<Address, Sides>,
    /// Issues that are not final.
    issuing: Amount,
    unbalanced: Vec<i64>,
    overflow: bool,
    /// Postings of numbers that no operation has.
    strays: i64,
}

/// Sums of an account, apart: an operation with a lower number may have been posted later.
#[derive(Clone, Copy, Default)]
struct Sides {
    credit: Amount,
    debit: Amount,
}

impl Sides {
    /// None when more was taken than given.
    fn balance(self) -> Option<Amount> {
        self.credit.checked_sub(self.debit)
    }
}

fn recount(tx: &mut Tx<'_>, asset: &AssetRow) -> Result<Counted, Error> {
    let mut counted = Counted {
        strays: store::stray_postings(tx, asset.0, asset.7)?,
        ..Counted::default()
    };
    let mut from = 0;
    // Numbers are without a gap, so the last operation is known and the loop has an end.
    while from < asset.7 {
        let to = from.saturating_add(OPERATIONS_PAGE).min(asset.7);
        let rows = store::postings_of_operations(tx, asset.0, from, to)?;
        count_page(&mut counted, &rows)?;
        from = to;
    }
    Ok(counted)
}

fn count_page(counted: &mut Counted, rows: &[PostingRow]) -> Result<(), Error> {
    let mut sides: HashMap<i64, (Amount, Amount)> = HashMap::new();
    for (operation, kind, account, side, amount, state) in rows {
        let phase = Phase::parse(state)?;
        let sums = sides.entry(*operation).or_default();
        let sum = if side == "debit" { &mut sums.0 } else { &mut sums.1 };
        match sum.checked_add(*amount) {
            Some(total) => *sum = total,
            None => counted.overflow = true,
        }
        let balances = match phase {
            Phase::Pending => &mut counted.pending,
            Phase::Posted => &mut counted.posted,
            Phase::Voided => continue,
        };
        if kind == "issuance" && phase == Phase::Pending && side == "debit" {
            match counted.issuing.checked_add(*amount) {
                Some(total) => counted.issuing = total,
                None => counted.overflow = true,
            }
        }
        if kind == "holder" {
            let sides = balances.entry(*account).or_default();
            let sum = if side == "debit" {
                &mut sides.debit
            } else {
                &mut sides.credit
            };
            match sum.checked_add(*amount) {
                Some(total) => *sum = total,
                None => counted.overflow = true,
            }
        }
    }
    counted.unbalanced.extend(
        sides
            .iter()
            .filter(|(_, (debit, credit))| debit != credit)
            .map(|(o, _)| *o),
    );
    Ok(())
}

fn compare(asset: &AssetRow, accounts: &[Account], counted: &Counted) -> Vec<String> {
    let (_, _, supply, pending, holders, balances, cap, _) = asset;
    let mut faults: Vec<String> = counted
        .unbalanced
        .iter()
        .map(|operation| format!("operation {operation}: debits differ from credits"))
        .collect();
    if counted.strays > 0 {
        faults.push(format!("{} postings belong to no operation", counted.strays));
    }
    if counted.overflow {
        faults.push("the postings pass 2^256-1".into());
    }
    let posted_sum = Amount::checked_sum(accounts.iter().map(|account| account.posted));
    if posted_sum != Some(*supply) {
        faults.push(format!("posted balances sum to {posted_sum:?}, the supply is {supply}"));
    }
    if counted.issuing != *pending {
        faults.push(format!(
            "pending issues sum to {}, the pending supply is {pending}",
            counted.issuing
        ));
    }
    let total = supply.checked_add(*pending);
    if let Some(cap) = cap.filter(|cap| total.is_none_or(|total| total > *cap)) {
        faults.push(format!("supply {supply} and pending {pending} pass the cap {cap}"));
    }
    faults.extend(accounts.iter().filter_map(|account| differs(account, counted)));
    let known: HashSet<Address> = accounts.iter().map(|account| account.wallet).collect();
    let missing = counted
        .posted
        .keys()
        .chain(counted.pending.keys())
        .filter(|wallet| !known.contains(wallet));
    faults.extend(missing.map(|wallet| format!("account {wallet} has postings and no balance")));
    let holding: HashSet<_> = accounts
        .iter()
        .filter(|a| a.held() != Some(Amount::ZERO))
        .filter_map(|a| a.identity)
        .collect();
    if i64::try_from(holding.len()) != Ok(*holders) {
        faults.push(format!("{} identities hold, the counter says {holders}", holding.len()));
    }
    let posted = accounts.iter().filter(|account| !account.posted.is_zero()).count();
    if i64::try_from(posted) != Ok(*balances) {
        faults.push(format!("{posted} wallets have a balance, the counter says {balances}"));
    }
    faults
}

/// The counters per country against the accounts that hold; a country without a counter counts none.
fn compare_countries(tx: &mut Tx<'_>, asset: AssetId) -> Result<Vec<String>, Error> {
    let mut counts: BTreeMap<i16, (i64, i64)> = BTreeMap::new();
    for (country, holders) in store::country_counters(tx, asset)? {
        counts.entry(country).or_default().0 = holders;
    }
    for (country, holders) in store::holders_recounted(tx, asset)? {
        counts.entry(country).or_default().1 = holders;
    }
    let wrong = counts.into_iter().filter(|(_, (counter, holding))| counter != holding);
    let faults = wrong.map(|(country, (counter, holding))| {
        format!("{holding} identities of country {country:03} hold, the counter says {counter}")
    });
    Ok(faults.collect())
}

fn differs(account: &Account, counted: &Counted) -> Option<String> {
    let posted = counted
        .posted
        .get(&account.wallet)
        .copied()
        .unwrap_or_default()
        .balance();
    let pending = counted.pending.get(&account.wallet).copied().unwrap_or_default();
    let is_sound =
        posted == Some(account.posted) && pending.credit == account.pending && pending.debit == account.leaving;
    if is_sound && account.frozen_amount <= account.posted {
        return None;
    }
    let text = |sum: Option<Amount>| sum.map_or_else(|| "less than nothing".to_owned(), |sum| sum.to_string());
    Some(format!(
        "account {}: balance {} posted, {} pending, {} leaving, {} frozen; its postings say {}, {} and {}",
        account.wallet,
        account.posted,
        account.pending,
        account.leaving,
        account.frozen_amount,
        text(posted),
        pending.credit,
        pending.debit
    ))
}
