//! What the Transfer logs of the tokens tell, against what was asked for and what the books observed.

use std::collections::HashMap;
use std::hash::Hash;

use moneyer::asset::Asset;
use moneyer::audit;
use moneyer::chain::Rpc;
use moneyer::chain::contracts::events::{self, Transfer};
use moneyer::config::Chain;
use moneyer::db::{Db, Tx};
use moneyer::error::Error;
use moneyer::types::{Address, Amount};
use serde::Deserialize;

use crate::Outcome;
use crate::journal::Acknowledged;
use crate::order::Line;

/// Every transfer of the tokens, in the order of the chain.
pub struct Logs {
    pub mints: Vec<Transfer>,
    /// What holders moved by themselves.
    pub moves: Vec<Transfer>,
}

#[tokio::main(flavor = "current_thread")]
pub async fn read(chain: &Chain, assets: &[Asset]) -> Outcome<Logs> {
    let rpc = Rpc::connect(chain)?;
    let tokens: Vec<Address> = assets.iter().map(|asset| asset.address).collect();
    let head = rpc.head().await?.number;
    let logs = rpc.logs(&tokens, 0, head).await?;
    let (mints, moves) = events::decode_transfers(&logs)
        .into_iter()
        .partition(|transfer| transfer.from.is_zero());
    Ok(Logs { mints, moves })
}

#[derive(Debug, Default)]
pub struct Compared {
    /// Not where it must be.
    pub missing: usize,
    /// There more often than it may be.
    pub surplus: usize,
    pub faults: Vec<String>,
}

impl Compared {
    pub fn add(&mut self, other: Self) {
        self.missing += other.missing;
        self.surplus += other.surplus;
        self.faults.extend(other.faults);
    }
}

/// Every line that was acknowledged, or committed before its answer was lost, is one mint; no other is there.
pub fn compare_mints(mints: &[Transfer], acknowledged: &[Acknowledged], others: &[(Address, Line)]) -> Compared {
    let told = acknowledged
        .iter()
        .flat_map(|mint| mint.lines.iter().map(|line| (mint.asset, *line)));
    let asked = told.chain(others.iter().copied());
    let asked = asked.map(|(asset, line)| (asset, line.recipient, line.amount));
    let found = mints.iter().map(|mint| (mint.token, mint.to, mint.amount));
    let words = ["is not on the chain", "is on the chain and nobody asked for it"];
    compare(asked, found, words, |(asset, recipient, amount)| {
        format!("{amount} of {asset} to {recipient}")
    })
}

/// What the audit log says of a movement that the books observed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Observed {
    transaction: String,
    log_index: String,
    from: Address,
    to: Address,
    amount: Amount,
}

/// A movement by its transaction and its log.
type Moved = (String, String, Address, Address, Amount);

/// Every movement on the chain is observed once, and nothing else is.
pub fn compare_moves(db: &Db, assets: &[Asset], moves: &[Transfer]) -> Outcome<Compared> {
    let mut all = Compared::default();
    for asset in assets {
        let on_chain = moves.iter().filter(|moved| moved.token == asset.address).map(|moved| {
            let (transaction, index) = (moved.transaction.to_string(), moved.index.to_string());
            (transaction, index, moved.from, moved.to, moved.amount)
        });
        let (observed, unexplained) = db.read_blocking(|tx| observed(tx, asset))?;
        let words = ["was not observed", "was observed and is not there"];
        let name = |(transaction, _, from, to, amount): &Moved| format!("{amount} of {from} to {to} in {transaction}");
        all.add(compare(on_chain, observed.into_iter(), words, name));
        let inexplicable = format!("{unexplained} movements of {} could not be posted", asset.address);
        all.faults.extend((unexplained > 0).then_some(inexplicable));
    }
    Ok(all)
}

/// What the books observed of one token, and how much they could not follow.
fn observed(tx: &mut Tx<'_>, asset: &Asset) -> Result<(Vec<Moved>, usize), Error> {
    let events = audit::of_asset(tx, asset.id, "transfer.observed")?.into_iter();
    let moved = events.map(|event| {
        let told: Observed = serde_json::from_str(&event.data).map_err(Error::internal)?;
        Ok((told.transaction, told.log_index, told.from, told.to, told.amount))
    });
    let moved = moved.collect::<Result<_, Error>>()?;
    Ok((moved, audit::of_asset(tx, asset.id, "transfer.unexplained")?.len()))
}

/// Each as often here as there. The words are for what is missing, and for what is there more often.
fn compare<T: Eq + Hash>(
    expected: impl Iterator<Item = T>,
    found: impl Iterator<Item = T>,
    [missing, surplus]: [&str; 2],
    name: impl Fn(&T) -> String,
) -> Compared {
    let mut left: HashMap<T, i64> = HashMap::new();
    for one in expected {
        *left.entry(one).or_default() += 1;
    }
    for one in found {
        *left.entry(one).or_default() -= 1;
    }
    let mut compared = Compared::default();
    for (one, count) in left.into_iter().filter(|(_, count)| *count != 0) {
        let times = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
        let name = name(&one);
        if count > 0 {
            compared.missing += times;
            compared.faults.push(format!("{name} {missing} ({times})"));
        } else {
            compared.surplus += times;
            compared.faults.push(format!("{name} {surplus} ({times})"));
        }
    }
    compared
}
