//! How many lines of one operation are sure to fit one transaction of a token that is not ours: an operation is never
//! split, so a larger one is refused at acceptance (specs/chain.md part A).

use std::collections::HashSet;

use super::driver::without_margin;
use super::gas::PER_LINE_FOREIGN;
use super::store;
use crate::asset::Asset;
use crate::chain::contracts::{registry, returned, token};
use crate::chain::token::TokenFacts;
use crate::chain::{At, Call, Rpc};
use crate::db::Db;
use crate::error::Error;
use crate::types::{Address, Amount};

/// Recipients that the estimate is made with.
const SAMPLE: usize = 10;
/// Wallets of ours that are looked at for a sample, besides the holders.
const WALLETS_MAX: i64 = 50;
/// The first balance of a wallet: a storage slot that was empty instead of one that is changed (EIP-2200 and EIP-2929,
/// 22,100 instead of 5,000 gas; also what was measured, specs/chain.md section 3).
const GAS_OF_FIRST_BALANCE: u64 = 17_100;
/// What a transaction costs whoever the recipients are, generously: 21,000 and a token behind two proxies.
const GAS_OF_TRANSACTION: u64 = 200_000;
/// Recipients differ: claims are found at the first issuer or at the last.
const MARGIN_PERCENT: u64 = 115;

/// A token that is being measured.
#[derive(Clone, Copy)]
pub(super) struct Measured<'m> {
    pub address: &'m Address,
    pub facts: &'m TokenFacts,
    pub signer: &'m Address,
    /// Wallets that hold something.
    pub holders: &'m [Address],
}

/// Measures by estimates what a line of a mint costs, for wallets that the token's registry verifies, and what a line of a
/// forced transfer costs, between its holders; the dearer one counts. Without two wallets the usual cost is taken. Should
/// that be too little, the first operation that does not fit corrects it.
pub(super) async fn measure(db: &Db, rpc: &Rpc, measured: Measured<'_>) -> Result<i32, Error> {
    let sample = measured.verified(db, rpc).await?;
    let mints: Vec<(Address, Amount)> = sample.iter().map(|wallet| (*wallet, Amount::ONE)).collect();
    let mint = measured.per_line(rpc, &mints, token::batch_mint).await?;
    // Each holder gives once, to somebody who is another.
    let others = sample.iter().cycle().skip(1);
    let pairs = measured
        .holders
        .iter()
        .filter(|holder| sample.contains(holder))
        .zip(others);
    let transfers: Vec<(Address, Address, Amount)> = pairs
        .filter(|(from, to)| from != to)
        .map(|(from, to)| (*from, *to, Amount::ONE))
        .collect();
    let transfer = measured.per_line(rpc, &transfers, token::batch_forced_transfer).await?;
    let line = mint.map_or(PER_LINE_FOREIGN, |line| line.saturating_add(GAS_OF_FIRST_BALANCE));
    let line = line.max(transfer.unwrap_or(0));
    Ok(fitting(line, without_margin(rpc.gas_per_transaction_max())))
}

impl Measured<'_> {
    fn call(&self, to: &Address, data: Vec<u8>) -> Call {
        Call {
            from: *self.signer,
            to: *to,
            data,
        }
    }

    /// Some wallets that the token's registry verifies, holders first.
    async fn verified(&self, db: &Db, rpc: &Rpc) -> Result<Vec<Address>, Error> {
        let mut wallets: Vec<Address> = self.holders.iter().take(SAMPLE).copied().collect();
        wallets.extend(db.read(|tx| store::some_wallets(tx, WALLETS_MAX)).await?);
        let mut seen = HashSet::new();
        wallets.retain(|wallet| seen.insert(*wallet));
        let ask = |wallet: &Address| self.call(&self.facts.identity_registry, registry::is_verified(*wallet));
        let questions: Vec<Call> = wallets.iter().map(ask).collect();
        let answers = rpc.call_many(&questions, At::Latest).await?;
        let is_verified = |data: Vec<u8>| returned::flag(&data) == Some(true);
        let verified = wallets.iter().zip(answers);
        let verified = verified.filter(|(_, answer)| answer.clone().is_ok_and(is_verified));
        Ok(verified.map(|(wallet, _)| *wallet).take(SAMPLE).collect())
    }

    /// What each line after the first adds; none without two lines, or when the token refuses them.
    async fn per_line<L>(
        &self,
        rpc: &Rpc,
        lines: &[L],
        calldata: impl Fn(&[L]) -> Vec<u8>,
    ) -> Result<Option<u64>, Error> {
        let Some((first, others)) = lines.split_first().filter(|(_, others)| !others.is_empty()) else {
            return Ok(None);
        };
        let one = self.call(self.address, calldata(std::slice::from_ref(first)));
        let all = self.call(self.address, calldata(lines));
        let (Ok(one), Ok(all)) = (rpc.estimate_gas(&one).await?, rpc.estimate_gas(&all).await?) else {
            return Ok(None);
        };
        let others = u64::try_from(others.len()).unwrap_or(u64::MAX);
        Ok(Some(all.saturating_sub(one).div_ceil(others.max(1))))
    }
}

/// Between 1 and what a request may have at most.
fn fitting(gas_per_line: u64, usable: u64) -> i32 {
    let line = gas_per_line.saturating_mul(MARGIN_PERCENT) / 100;
    let lines = usable.saturating_sub(GAS_OF_TRANSACTION).checked_div(line);
    bounded(lines.unwrap_or(u64::MAX))
}

/// What is left to hope for after so many recipients needed that much gas, or more than can be said.
pub(super) fn corrected(lines: usize, gas: Option<u64>, usable: u64) -> i32 {
    let lines = u64::try_from(lines).unwrap_or(u64::MAX);
    let fewer = lines.saturating_sub(1);
    match gas {
        Some(gas) => bounded(share_of(lines, gas, usable).min(fewer)),
        None => bounded(lines / 2),
    }
}

fn share_of(lines: u64, gas: u64, usable: u64) -> u64 {
    let share = u128::from(lines) * u128::from(usable) * 100;
    let lines = share / u128::from(gas.max(1)) / u128::from(MARGIN_PERCENT);
    u64::try_from(lines).unwrap_or(u64::MAX)
}

fn bounded(lines: u64) -> i32 {
    let max = u64::try_from(Asset::RECIPIENTS_MAX).unwrap_or(u64::MAX);
    i32::try_from(lines.clamp(1, max)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_between_one_recipient_and_a_whole_request() {
        let line = PER_LINE_FOREIGN * MARGIN_PERCENT / 100;

        assert_eq!(fitting(PER_LINE_FOREIGN, GAS_OF_TRANSACTION + 7 * line), 7);
        assert_eq!(fitting(PER_LINE_FOREIGN, GAS_OF_TRANSACTION + 7 * line - 1), 6);
        assert_eq!(fitting(PER_LINE_FOREIGN, 0), 1);
        assert_eq!(fitting(1, u64::MAX), 100);
        assert_eq!(fitting(0, 1_000_000), 100);
    }

    #[test]
    fn one_claim_topic_leaves_room_for_a_hundred_and_three_do_not() {
        let usable = without_margin(1 << 24);

        assert_eq!(fitting(85_239 + GAS_OF_FIRST_BALANCE, usable), 100);
        assert!(fitting(85_239 + 2 * 58_000 + GAS_OF_FIRST_BALANCE, usable) < 100);
    }

    #[test]
    fn what_did_not_fit_is_corrected_downwards() {
        assert_eq!(corrected(100, Some(20_000), 10_000), 43);
        assert_eq!(corrected(2, Some(10_001), 10_000), 1);
        assert_eq!(corrected(10, None, 10_000), 5);
        assert_eq!(corrected(1, None, 10_000), 1);
        // It was estimated above the bound, whatever the share says.
        assert_eq!(corrected(10, Some(8_000), 10_000), 9);
    }
}
