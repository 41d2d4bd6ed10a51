//! Compares the books with the chain at one final block (specs/chain.md section 5, rule 20). Differences are told, never
//! repaired.
//!
//! Both are read for the same block: the last whose transfers were posted, while nothing of ours up to it is unposted and
//! nothing beyond it is posted. Pause, cap and freeze are compared only while no change of the asset is under way.

use super::logs::{self, Posted, Scope};
use super::model::Token;
use super::{nft, store};
use crate::asset::{self, Asset, Lifecycle};
use crate::chain::contracts::{returned, token};
use crate::chain::{At, Call, Revert, Rpc};
use crate::db::{Db, Tx};
use crate::error::Error;
use crate::ledger::{self, Account};
use crate::types::{Address, Amount};

/// Questions of one request to the node.
const CALLS_MAX: usize = 200;

/// What a comparison found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciled {
    pub block: u64,
    pub assets: usize,
    /// Transfer logs that were compared with what was posted.
    pub logs: usize,
    /// One sentence per difference. Empty means that books and chain agree.
    pub drift: Vec<String>,
}

/// Compares every asset that settles on the chain: what the contracts say now, and every log since they are there. None
/// while the books are not at one block: something of ours is about to be posted, or no chain was joined.
pub async fn reconcile(db: &Db, rpc: &Rpc) -> Result<Option<Reconciled>, Error> {
    let read = db.snapshot(|tx| {
        let Some(books) = read_books(tx)? else { return Ok(None) };
        let posted = Posted::read(tx, &books.scope)?;
        Ok(Some((books, posted)))
    });
    let Some((books, posted)) = read.await? else {
        return Ok(None);
    };
    let mut found = compare_books(rpc, &books).await?;
    let (logs, drift) = logs::compare_all(db, rpc, &books.scope, posted).await?;
    found.logs = logs;
    found.drift.extend(drift);
    Ok(Some(found))
}

/// As [`reconcile`] without the logs, whose scope is returned instead.
pub(super) async fn reconcile_state(db: &Db, rpc: &Rpc) -> Result<Option<(Reconciled, Scope)>, Error> {
    let Some(books) = db.snapshot(read_books).await? else {
        return Ok(None);
    };
    let found = compare_books(rpc, &books).await?;
    Ok(Some((found, books.scope)))
}

async fn compare_books(rpc: &Rpc, books: &Books) -> Result<Reconciled, Error> {
    let block = books.scope.block;
    let mut drift = Vec::new();
    for expected in &books.assets {
        drift.extend(compare(rpc, expected, block).await?);
    }
    for expected in &books.collections {
        drift.extend(nft::compare(rpc, expected, block).await?);
    }
    Ok(Reconciled {
        block,
        assets: books.assets.len().saturating_add(books.collections.len()),
        logs: 0,
        drift,
    })
}

struct Books {
    scope: Scope,
    assets: Vec<Expected>,
    collections: Vec<nft::Expected>,
}

/// What the contract of an asset should say.
struct Expected {
    asset: Asset,
    token: Token,
    accounts: Vec<Account>,
    is_changing: bool,
}

fn read_books(tx: &mut Tx<'_>) -> Result<Option<Books>, Error> {
    let Some(chain) = store::chain(tx)? else {
        return Ok(None);
    };
    let block = chain.observed_block;
    if !store::are_books_at(tx, chain.chain_id, block)? {
        return Ok(None);
    }
    let scope = Scope::read(tx, chain.chain_id, block)?;
    let assets = scope.tokens.iter().map(|token| {
        Ok(Expected {
            asset: asset::find(tx, token.asset)?,
            accounts: ledger::all_accounts(tx, token.asset)?,
            is_changing: store::is_changing(tx, token.asset)?,
            token: *token,
        })
    });
    let assets = assets.collect::<Result<_, Error>>()?;
    let collections = scope.collections.iter().map(|token| nft::expected(tx, token));
    let collections = collections.collect::<Result<_, Error>>()?;
    Ok(Some(Books {
        scope,
        assets,
        collections,
    }))
}

async fn compare(rpc: &Rpc, expected: &Expected, block: u64) -> Result<Vec<String>, Error> {
    let questions = questions(expected);
    let mut drift = Vec::new();
    for part in questions.chunks(CALLS_MAX) {
        let calls: Vec<Call> = part
            .iter()
            .map(|question| question.call(expected.token.address))
            .collect();
        let answers = rpc.call_many(&calls, At::Block(block)).await?;
        let pairs = part.iter().zip(&answers);
        drift.extend(pairs.filter_map(|(question, answer)| question.difference(answer)));
    }
    let name = expected.asset.symbol.as_str();
    Ok(drift
        .into_iter()
        .map(|what| format!("asset {name} at block {block}: {what}"))
        .collect())
}

/// One question to a token with the answer that the books give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Supply(Amount),
    /// 0 is none.
    Cap(Amount),
    Paused(bool),
    Balance(Address, Amount),
    Frozen(Address, bool),
}

fn questions(expected: &Expected) -> Vec<Question> {
    let Expected {
        asset,
        token,
        accounts,
        is_changing,
    } = expected;
    let mut questions = vec![Question::Supply(asset.supply)];
    questions.extend(
        accounts
            .iter()
            .map(|account| Question::Balance(account.wallet, account.posted)),
    );
    if *is_changing {
        return questions;
    }
    questions.push(Question::Paused(asset.lifecycle == Lifecycle::Paused));
    questions.extend(
        accounts
            .iter()
            .map(|account| Question::Frozen(account.wallet, account.frozen)),
    );
    // The standard knows no cap: a contract that is not ours need not have one.
    if !token.is_adopted() {
        questions.push(Question::Cap(asset.cap.unwrap_or(Amount::ZERO)));
    }
    questions
}

impl Question {
    fn call(&self, to: Address) -> Call {
        let data = match self {
            Self::Supply(_) => token::total_supply(),
            Self::Cap(_) => token::cap(),
            Self::Paused(_) => token::paused(),
            Self::Balance(wallet, _) => token::balance_of(*wallet),
            Self::Frozen(wallet, _) => token::is_frozen(*wallet),
        };
        Call {
            from: Address::ZERO,
            to,
            data,
        }
    }

    fn difference(&self, answer: &Result<Vec<u8>, Revert>) -> Option<String> {
        let data = match answer {
            Ok(data) => data,
            Err(revert) => return Some(format!("{} cannot be asked: {}", self.what(), revert.reason)),
        };
        let (chain, books) = match self {
            Self::Supply(amount) | Self::Cap(amount) | Self::Balance(_, amount) => (
                returned::amount(data).map(|found| found.to_string()),
                amount.to_string(),
            ),
            Self::Paused(flag) | Self::Frozen(_, flag) => {
                (returned::flag(data).map(|found| found.to_string()), flag.to_string())
            }
        };
        if chain.as_ref() == Some(&books) {
            return None;
        }
        let chain = chain.unwrap_or_else(|| "something else".to_owned());
        Some(format!(
            "{} is {chain} on the chain and {books} in the books",
            self.what()
        ))
    }

    fn what(&self) -> String {
        match self {
            Self::Supply(_) => "the supply".to_owned(),
            Self::Cap(_) => "the cap".to_owned(),
            Self::Paused(_) => "paused".to_owned(),
            Self::Balance(wallet, _) => format!("the balance of {wallet}"),
            Self::Frozen(wallet, _) => format!("the freeze of {wallet}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(amount: u64) -> Result<Vec<u8>, Revert> {
        Ok(Amount::from(amount).to_be_bytes().to_vec())
    }

    #[test]
    fn what_agrees_is_not_told() {
        assert_eq!(Question::Supply(Amount::from(5)).difference(&says(5)), None);
        assert_eq!(Question::Paused(true).difference(&says(1)), None);
        assert_eq!(Question::Cap(Amount::ZERO).difference(&says(0)), None);
    }

    #[test]
    fn a_difference_names_both_sides() {
        let wallet = Address::from_bytes([7; 20]);

        let told = Question::Balance(wallet, Amount::from(5)).difference(&says(4)).unwrap();

        assert_eq!(
            told,
            format!("the balance of {wallet} is 4 on the chain and 5 in the books")
        );
        assert!(Question::Frozen(wallet, false).difference(&says(1)).is_some());
    }

    #[test]
    fn a_contract_that_does_not_answer_is_a_difference() {
        let refused = Err(Revert {
            reason: "no".to_owned(),
            line: None,
            recipient: None,
            data: Vec::new(),
        });

        assert!(Question::Supply(Amount::ZERO).difference(&refused).is_some());
        assert!(Question::Supply(Amount::ZERO).difference(&Ok(Vec::new())).is_some());
    }
}
