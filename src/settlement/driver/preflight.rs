//! Tries a batch of mints on the chain before a nonce is taken (rule 14), and finds out whose fault a refusal is.

use std::sync::Arc;

use super::Session;
use super::mints::{Batch, Mint};
use crate::asset;
use crate::chain::contracts::{registry, returned, token};
use crate::chain::{At, Call, Revert};
use crate::error::Error;
use crate::settlement::lot::Group;
use crate::settlement::{Placement, capacity, reverts, store};
use crate::types::{Address, Amount};

/// A gas limit is the estimate with so much on top of it: state that changes between the estimate and the block.
const MARGIN_PERCENT: u64 = 110;

/// After the first time that a transaction ran out of gas, and after every further time.
const MARGIN_AFTER_STARVING_PERCENT: [u64; 2] = [150, 200];
/// What ran out of gas so often gets all that one transaction may spend.
const EVERYTHING_AFTER: u32 = 3;

/// A token that refuses so many mints, each alone and for no fault of a line, refuses all.
const REFUSED_MAX: usize = 16;

/// What a transaction may be estimated at so that its limit stays within a bound.
pub(in crate::settlement) fn without_margin(bound: u64) -> u64 {
    part_of(bound, MARGIN_PERCENT)
}

fn part_of(bound: u64, margin_percent: u64) -> u64 {
    (u128::from(bound) * 100 / u128::from(margin_percent))
        .try_into()
        .unwrap_or(u64::MAX)
}

/// The limit of a transaction with this estimate, whose operations ran out of gas so often before.
pub(super) fn gas_limit(gas: u64, starved: u32, bound: u64) -> u64 {
    if starved >= EVERYTHING_AFTER {
        return bound;
    }
    let limit = u128::from(gas) * u128::from(margin(starved)) / 100;
    u64::try_from(limit).unwrap_or(bound).min(bound)
}

fn margin(starved: u32) -> u64 {
    let [first, further] = MARGIN_AFTER_STARVING_PERCENT;
    match starved {
        0 => MARGIN_PERCENT,
        1 => first,
        _ => further,
    }
}

/// The gas limit for what was estimated.
pub(super) fn with_margin(gas: u64) -> u64 {
    gas_limit(gas, 0, u64::MAX)
}

/// A batch that the chain would take now.
#[derive(Clone, Debug)]
pub(super) struct Checked {
    pub batch: Batch,
    pub data: Vec<u8>,
    pub gas_limit: u64,
}

/// What became of a batch: some of it may go, and some operations were refused, each with the reason.
#[derive(Clone, Debug, Default)]
pub(super) struct Judged {
    pub checked: Option<Checked>,
    pub refused: Vec<(Mint, String)>,
}

/// Why one operation cannot be minted.
pub(super) enum Fault {
    /// A line of it is bad: it fails.
    Line(String),
    /// The token refuses everything, whoever the recipients are: it needs a person, and nothing fails.
    Token(String),
}

impl Session {
    /// What one transaction may have: of this chain, and of its blocks.
    pub(super) fn gas_bound(&self) -> u64 {
        let block = self.head.map_or(u64::MAX, |head| head.gas_limit);
        self.driver.settings.gas_per_transaction_max.min(block)
    }

    /// What a transaction of a group with so many lines, which starved so often, needs without a margin; or why it is
    /// refused. Where the book knows what such a one costs it is only tried, with the limit that follows from that; what
    /// the contract says without all the gas it wants proves nothing, so a refusal is always that of an estimate.
    pub(super) async fn gas_of(
        &mut self,
        group: Group,
        (lines, starved): (usize, u32),
        call: &Call,
    ) -> Result<Result<u64, Revert>, Error> {
        let bound = self.gas_bound();
        let expected = self.gas.expected(group, lines);
        if let Some(gas) = expected.filter(|gas| *gas <= part_of(bound, margin(starved))) {
            let limit = gas_limit(gas, starved, bound);
            // The node needs a while for this: the books of something final are written meanwhile.
            let rpc = Arc::clone(&self.driver.rpc);
            let (tried, posted) = tokio::join!(rpc.call_with_gas(call, limit), self.post_next());
            posted?;
            if tried?.is_ok() {
                return Ok(Ok(gas));
            }
        }
        let estimate = self.driver.rpc.estimate_gas(call).await?;
        if let Ok(gas) = estimate {
            self.gas.learn(group, gas, lines);
        }
        Ok(estimate)
    }

    /// Cuts the batch to what fits one transaction and leaves out operations that the token refuses.
    pub(super) async fn preflight(&mut self, mut batch: Batch) -> Result<Judged, Error> {
        let bound = self.gas_bound();
        let mut refused = leave_out_reverted(&mut batch, bound);
        while !batch.mints.is_empty() {
            self.keep_lease().await?;
            let starved = batch.mints.iter().map(|mint| mint.reverts.starved).max().unwrap_or(0);
            // One that is alone may have what there is; several give way to each other.
            let usable = match batch.mints.len() {
                1 => without_margin(bound),
                _ => part_of(bound, margin(starved)),
            };
            let data = token::batch_mint(&lines_of(&batch.mints));
            let call = self.call(batch.token, data.clone());
            let size = (line_count(&batch.mints), starved);
            match self.gas_of(Group::units(batch.placement.asset), size, &call).await? {
                Ok(gas) if gas <= usable => {
                    let checked = Checked {
                        gas_limit: gas_limit(gas, starved, bound),
                        batch,
                        data,
                    };
                    return Ok(Judged {
                        checked: Some(checked),
                        refused,
                    });
                }
                Ok(gas) => {
                    self.correct_alone(&batch, Some(gas)).await?;
                    cut(&mut batch, &mut refused, (Some(gas), usable, bound));
                }
                Err(revert) if revert.is_out_of_gas() => {
                    self.correct_alone(&batch, None).await?;
                    cut(&mut batch, &mut refused, (None, usable, bound));
                }
                Err(revert) => {
                    let Some(bad) = self.find_bad(&batch, &revert).await? else {
                        return Ok(Judged { checked: None, refused });
                    };
                    // Each alone is fine: they stand in each other's way.
                    if bad.is_empty() {
                        let half = batch.mints.len() / 2;
                        batch.mints.truncate(half);
                    }
                    batch
                        .mints
                        .retain(|mint| !bad.iter().any(|(number, _)| *number == mint.operation.sequence));
                    refused.extend(bad.into_iter().map(|(_, refusal)| refusal));
                }
            }
        }
        Ok(Judged { checked: None, refused })
    }

    async fn correct_alone(&self, batch: &Batch, gas: Option<u64>) -> Result<(), Error> {
        match batch.mints.as_slice() {
            [mint] => self.correct(&batch.placement, mint.lines.len(), gas).await,
            _ => Ok(()),
        }
    }

    /// An operation that is alone and too large says how many lines fit: more are refused at acceptance from now on.
    pub(super) async fn correct(&self, placement: &Placement, lines: usize, gas: Option<u64>) -> Result<(), Error> {
        let recipients_max = capacity::corrected(lines, gas, without_margin(self.gas_bound()));
        if recipients_max >= placement.recipients_max {
            return Ok(());
        }
        let asset = placement.asset;
        tracing::warn!(%asset, recipients_max, "fewer recipients fit one transaction than was thought");
        self.write(move |tx| {
            asset::lock(tx, asset)?;
            store::set_recipients_max(tx, asset, recipients_max)?;
            asset::bump_revision(tx, asset)
        })
        .await
    }

    /// Which operations are at fault, by number. None when it is the token itself: everything waits and a person is told.
    async fn find_bad(&mut self, batch: &Batch, revert: &Revert) -> Result<Option<Vec<(i64, (Mint, String))>>, Error> {
        if let Some((mint, line)) = revert.line.and_then(|line| owner_of(&batch.mints, line)) {
            let reason = line_reason(mint, line, revert);
            return Ok(Some(vec![(mint.operation.sequence, (mint.clone(), reason))]));
        }
        let (mut bad, mut unclear, mut tried) = (Vec::new(), Vec::new(), 0_usize);
        for mint in &batch.mints {
            // It is not the lines of all of them.
            if tried >= REFUSED_MAX && unclear.len() == tried {
                break;
            }
            tried = tried.saturating_add(1);
            self.keep_lease().await?;
            let refusal = |reason| (mint.operation.sequence, (mint.clone(), reason));
            match self.fault_of(batch.token, batch.placement.registry, mint).await? {
                None => {}
                Some(Fault::Line(reason)) => bad.push(refusal(reason)),
                Some(Fault::Token(reason)) => unclear.push(refusal(reason)),
            }
        }
        // It takes others.
        if bad.len().saturating_add(unclear.len()) < tried {
            bad.extend(unclear);
            return Ok(Some(bad));
        }
        match unclear.as_slice() {
            [] => Ok(Some(bad)),
            [(_, (_, reason)), ..] => {
                self.flag(batch, &format!("the token refuses to mint: {reason}"))
                    .await?;
                Ok(None)
            }
        }
    }

    /// Why this operation alone would be refused; none when it would not.
    pub(super) async fn fault_of(
        &self,
        token: Address,
        registry: Address,
        mint: &Mint,
    ) -> Result<Option<Fault>, Error> {
        let Err(whole) = self.try_lines(token, &mint.lines).await? else {
            return Ok(None);
        };
        if let Some(line) = whole.line.and_then(|line| usize::try_from(line).ok()) {
            return Ok(Some(Fault::Line(line_reason(mint, line, &whole))));
        }
        // The token does not say which line it is: each is tried alone.
        let alone = mint.lines.iter().map(std::slice::from_ref);
        let calls: Vec<Call> = alone.map(|line| self.call(token, token::batch_mint(line))).collect();
        let answers = self.driver.rpc.call_many(&calls, At::Latest).await?;
        let answers = answers.into_iter().enumerate();
        let bad: Vec<(usize, Revert)> = answers
            .filter_map(|(index, answer)| Some((index, answer.err()?)))
            .collect();
        let Some((index, revert)) = bad.first() else {
            return Ok(Some(Fault::Token(whole.reason)));
        };
        let is_about_lines = bad.len() < mint.lines.len()
            || self.is_unverified(registry, mint, *index).await?
            || self.is_not_compliant(token, mint, *index).await?;
        Ok(Some(match is_about_lines {
            true => Fault::Line(line_reason(mint, *index, revert)),
            false => Fault::Token(revert.reason.clone()),
        }))
    }

    async fn try_lines(&self, token: Address, lines: &[(Address, Amount)]) -> Result<Result<(), Revert>, Error> {
        let call = self.call(token, token::batch_mint(lines));
        Ok(self.driver.rpc.call(&call).await?.map(|_| ()))
    }

    /// Whether the token's registry says that it does not know the recipient.
    async fn is_unverified(&self, registry_at: Address, mint: &Mint, index: usize) -> Result<bool, Error> {
        let Some((recipient, _)) = mint.lines.get(index) else {
            return Ok(false);
        };
        let call = self.call(registry_at, registry::is_verified(*recipient));
        let answer = self.driver.rpc.call(&call).await?;
        Ok(answer.is_ok_and(|data| data.iter().all(|byte| *byte == 0)))
    }

    /// Whether the token's compliance contract says that the recipient may not have so much (ERC-3643, ICompliance
    /// `canTransfer`; a mint comes from nobody).
    async fn is_not_compliant(&self, token: Address, mint: &Mint, index: usize) -> Result<bool, Error> {
        let Some((recipient, amount)) = mint.lines.get(index) else {
            return Ok(false);
        };
        let answer = self.driver.rpc.call(&self.call(token, token::compliance())).await?;
        let Some(compliance) = answer.ok().and_then(|data| returned::address(&data)) else {
            return Ok(false);
        };
        if compliance.is_zero() {
            return Ok(false);
        }
        let question = self.call(compliance, token::can_transfer(Address::ZERO, *recipient, *amount));
        let answer = self.driver.rpc.call(&question).await?;
        Ok(answer.ok().and_then(|data| returned::flag(&data)) == Some(false))
    }
}

/// What was reverted too often fails, and what was reverted goes in smaller company.
fn leave_out_reverted(batch: &mut Batch, bound: u64) -> Vec<(Mint, String)> {
    let mut refused = Vec::new();
    batch.mints.retain(|mint| match mint.reverts.why_given_up(bound) {
        Some(reason) => {
            refused.push((mint.clone(), reason));
            false
        }
        None => true,
    });
    let together = reverts::together(batch.mints.iter().map(|mint| mint.reverts));
    batch.mints.truncate(together);
    refused
}

/// Whole operations leave from the back; one that is alone and too large can never be sent. Gas: what is needed, what may
/// be estimated, and what one transaction may spend.
fn cut(batch: &mut Batch, refused: &mut Vec<(Mint, String)>, (gas, usable, bound): (Option<u64>, u64, u64)) {
    let count = batch.mints.len();
    if count > 1 {
        let keep = match gas {
            Some(gas) => {
                let share = u128::from(usable) * u128::try_from(count).unwrap_or(1);
                usize::try_from(share / u128::from(gas.max(1))).unwrap_or(1)
            }
            None => count.div_ceil(2),
        };
        batch.mints.truncate(keep.clamp(1, count.saturating_sub(1)));
        return;
    }
    if let Some(mint) = batch.mints.pop() {
        let needed = gas.map_or_else(|| "more".to_owned(), |gas| gas.to_string());
        let reason =
            format!("needs {needed} gas and one transaction may spend {bound}: mint to fewer recipients at a time");
        refused.push((mint, reason));
    }
}

pub(super) fn lines_of(mints: &[Mint]) -> Vec<(Address, Amount)> {
    mints.iter().flat_map(|mint| mint.lines.iter().copied()).collect()
}

fn line_count(mints: &[Mint]) -> usize {
    mints.iter().map(|mint| mint.lines.len()).sum()
}

/// The operation to which a line of the transaction belongs, and its place there.
pub(super) fn owner_of(mints: &[Mint], line: u64) -> Option<(&Mint, usize)> {
    let mut left = usize::try_from(line).ok()?;
    for mint in mints {
        if left < mint.lines.len() {
            return Some((mint, left));
        }
        left = left.saturating_sub(mint.lines.len());
    }
    None
}

fn line_reason(mint: &Mint, line: usize, revert: &Revert) -> String {
    match mint.lines.get(line) {
        Some((recipient, _)) => format!("line {line} ({recipient}): {}", revert.reason),
        None => revert.reason.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_and_its_margin_stay_within_the_bound() {
        assert_eq!(without_margin(110), 100);
        assert_eq!(without_margin(109), 99);
        assert_eq!(without_margin(u64::MAX), 16_769_767_339_735_956_013);
    }

    #[test]
    fn what_ran_out_of_gas_gets_more_up_to_all_that_there_is() {
        let limits: Vec<u64> = (0..5).map(|starved| gas_limit(1_000, starved, 5_000)).collect();

        assert_eq!(limits, [1_100, 1_500, 2_000, 5_000, 5_000]);
        assert_eq!(gas_limit(4_000, 2, 5_000), 5_000);
    }
}
