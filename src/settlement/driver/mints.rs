//! Mints on their way into a transaction.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::collections::NFT;
use super::preflight::{Checked, Judged};
use super::{Session, act};
use crate::asset;
use crate::collection::{self, MintRequest};
use crate::db::Tx;
use crate::error::Error;
use crate::ledger;
use crate::operation::{self, Operation, OperationKind, Status};
use crate::settlement::finish;
use crate::settlement::lot::Group;
use crate::settlement::model::{ChainRecord, Mirrored, Order, Part, Placement};
use crate::settlement::plan::{Held, Together, Waiting};
use crate::settlement::reverts::Reverts;
use crate::settlement::ruling::{Ruling, Sendable};
use crate::settlement::sender::{Event, Intent, Work};
use crate::settlement::store;
use crate::types::{Address, Amount, AssetId};

/// One mint with its lines.
#[derive(Clone, Debug)]
pub(super) struct Mint {
    pub operation: Operation,
    pub lines: Vec<(Address, Amount)>,
    pub reverts: Reverts,
}

/// Mints of one asset that may share a transaction.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub token: Address,
    pub placement: Placement,
    pub mints: Vec<Mint>,
}

impl Session {
    /// False when there is no room for more.
    pub(super) async fn send_mints(&mut self, waiting: &Waiting, together: Together) -> Result<bool, Error> {
        if let Some(reason) = self.refuses(waiting.asset.id) {
            self.note_refusing(waiting.asset.address, &reason);
            let numbers = together.operations.iter().map(|operation| operation.sequence);
            let held = Held {
                asset: waiting.asset.id,
                numbers: numbers.collect(),
                reason,
            };
            self.hold_mints(waiting, vec![held]).await?;
            return Ok(true);
        }
        let asked = together.operations.len();
        let batch = self.ready(waiting, together.operations).await?;
        if batch.mints.is_empty() {
            return Ok(true);
        }
        if self.place(self.driver.settings.gas_per_transaction_max).is_none() {
            return Ok(false);
        }
        let batch = self.judge_again(waiting, batch).await?;
        let has_room = !together.is_full || batch.mints.len() < asked;
        let Judged { checked, refused } = self.preflight(batch).await?;
        self.refuse_mints(waiting, refused).await?;
        let Some(checked) = checked else { return Ok(true) };
        self.assign(checked, (together.group, has_room)).await?;
        Ok(true)
    }

    /// Mints that the contract refuses: for good, or for now.
    async fn refuse_mints(&mut self, waiting: &Waiting, refused: Vec<(Mint, String)>) -> Result<(), Error> {
        let mut held = Vec::new();
        for (mint, refusal) in refused {
            let recipients = mint.lines.iter().map(|line| line.0).collect();
            match self.why_for_now(&mint.operation, recipients, &refusal).await? {
                Some(reason) => held.push(Held {
                    asset: mint.operation.asset,
                    numbers: vec![mint.operation.sequence],
                    reason,
                }),
                None => self.refuse(mint.operation, refusal).await?,
            }
        }
        self.hold_mints(waiting, held).await
    }

    /// What an operation waits for that the contract refuses now and may take later; none where it has failed. The books
    /// know a change that the contract does not: it was accepted while the operation was looked at. Or the contract knew a
    /// receiver, and the block that told it was replaced since the chain was looked at.
    pub(super) async fn why_for_now(
        &self,
        operation: &Operation,
        receivers: Vec<Address>,
        refusal: &str,
    ) -> Result<Option<String>, Error> {
        let (operation, chain) = (operation.clone(), self.chain.clone());
        let found = self.driver.db.read(move |tx| {
            if let Some(change) = operation::open_change(tx, &operation)? {
                return Ok(Some(change.text().to_owned()));
            }
            let placement = store::placements(tx, &[operation.asset])?.pop();
            if placement.is_none_or(|placement| placement.adopted) {
                return Ok(None);
            }
            let mirrored = store::mirrored(tx, &chain, &receivers)?;
            let is_open = |wallet: &&Address| match mirrored.get(*wallet) {
                Some(Mirrored::Mined { is_final, .. }) => !is_final,
                Some(Mirrored::OnItsWay) => true,
                None => false,
            };
            let open = receivers.iter().find(is_open);
            Ok(open.map(|wallet| format!("the registration of {wallet}")))
        });
        let found = found.await?;
        Ok(found.map(|what| format!("waits for {what} to be final; until then the contract says: {refusal}")))
    }

    /// Whether a recipient of the mint is frozen, or not registered on the chain.
    pub(super) async fn would_be_held(&self, placement: &Placement, mint: &Mint) -> Result<bool, Error> {
        let (chain, placement, mint) = (self.chain.clone(), *placement, mint.clone());
        let unready = move |tx: &mut Tx<'_>| unready(tx, &chain, &placement, std::slice::from_ref(&mint));
        Ok(!self.driver.db.read(unready).await?.is_empty())
    }

    /// An operation that ends before it was in any transaction.
    pub(super) async fn refuse(&self, operation: Operation, reason: String) -> Result<(), Error> {
        let now = self.driver.now();
        tracing::warn!(operation = %operation.id, %reason, "refused before it was sent");
        metrics::counter!("settlement_refused_total").increment(1);
        self.write(move |tx| finish::fail(tx, operation.asset, operation.sequence, &reason, None, now))
            .await
    }

    async fn judge_again(&mut self, waiting: &Waiting, mut batch: Batch) -> Result<Batch, Error> {
        let sendable = batch.mints.iter().map(sendable).collect();
        let ruled = self.rule(waiting, sendable).await?;
        batch.mints.retain(|mint| !ruled.contains(&mint.operation.sequence));
        Ok(batch)
    }

    /// Rule 14: whoever could hold when the mint was accepted may no longer be allowed to. Returns the numbers of those that
    /// must not go now: they were ended, or wait and say for what.
    pub(super) async fn rule(&mut self, waiting: &Waiting, mints: Vec<Sendable>) -> Result<HashSet<i64>, Error> {
        let (asset, judging) = (waiting.asset.id, Arc::clone(&self.driver.judging));
        let judged = self
            .driver
            .db
            .read(move |tx| judging(tx, asset, OperationKind::Mint, &mints));
        let rulings = judged.await?;
        let ruled = rulings.keys().copied().collect();
        let mut held = Vec::new();
        for (number, ruling) in rulings {
            let operation = waiting.operations.iter().find(|operation| operation.sequence == number);
            match (ruling, operation.cloned()) {
                (Ruling::Fails(reason), Some(operation)) => self.refuse(operation, reason).await?,
                (Ruling::Waits(reason), Some(_)) => held.push(Held {
                    asset,
                    numbers: vec![number],
                    reason,
                }),
                (Ruling::Fails(_) | Ruling::Waits(_), None) => {}
            }
        }
        self.hold_mints(waiting, held).await?;
        Ok(ruled)
    }

    /// Loads the lines and leaves out the mints whose recipients are not ready; those are held with the reason.
    async fn ready(&mut self, waiting: &Waiting, operations: Vec<Operation>) -> Result<Batch, Error> {
        let (asset, placement, chain) = (waiting.asset.id, waiting.placement, self.chain.clone());
        let loaded = self
            .driver
            .db
            .read(move |tx| {
                let mints = with_lines(tx, asset, operations)?;
                let unready = unready(tx, &chain, &placement, &mints)?;
                Ok((mints, unready))
            })
            .await?;
        let (mints, unready) = loaded;
        let held = unready.iter().map(|(number, reason)| Held {
            asset,
            numbers: vec![*number],
            reason: reason.clone(),
        });
        self.hold_mints(waiting, held.collect()).await?;
        let ready = mints
            .into_iter()
            .filter(|mint| !unready.contains_key(&mint.operation.sequence));
        Ok(Batch {
            token: waiting.asset.address,
            placement,
            mints: ready.collect(),
        })
    }

    /// These wait, and in this look nothing else waits for them.
    async fn hold_mints(&mut self, waiting: &Waiting, held: Vec<Held>) -> Result<(), Error> {
        let numbers = held
            .iter()
            .flat_map(|held| held.numbers.iter().map(|number| (held.asset, *number)));
        self.passed_over.extend(numbers);
        self.hold(std::slice::from_ref(waiting), held).await
    }

    /// Rule 14 for what has had its nonce for a while and was not signed.
    pub(super) async fn still_goes(&self, part: &Part) -> Result<bool, Error> {
        let Some(asset) = part.asset else { return Ok(true) };
        let is_mint = match part.kind.as_str() {
            "mint" => true,
            NFT => false,
            "moves" => return self.moves_still_go(&part.operations).await,
            _ => return Ok(true),
        };
        let numbers: Vec<i64> = part.operations.iter().map(|(_, number)| *number).collect();
        let (chain, judging) = (self.chain.clone(), Arc::clone(&self.driver.judging));
        self.driver
            .db
            .read(move |tx| {
                if asset::find(tx, asset)?.is_paused() {
                    return Ok(false);
                }
                if !is_mint {
                    let requests = collection::requests_of(tx, asset, &numbers)?;
                    let sendable: Vec<Sendable> = requests.iter().filter_map(request).collect();
                    return Ok(judging(tx, asset, OperationKind::Mint, &sendable)?.is_empty());
                }
                let Some(placement) = store::placements(tx, &[asset])?.into_iter().next() else {
                    return Ok(true);
                };
                let mints = load(tx, asset, &numbers)?;
                let sendable: Vec<Sendable> = mints.iter().map(sendable).collect();
                Ok(unready(tx, &chain, &placement, &mints)?.is_empty()
                    && judging(tx, asset, OperationKind::Mint, &sendable)?.is_empty())
            })
            .await
    }

    /// Gives a checked batch its nonce, unless something that holds it was committed since it was read.
    async fn assign(&mut self, checked: Checked, mints: (Group, bool)) -> Result<(), Error> {
        let Checked { batch, data, gas_limit } = checked;
        let Some(nonce) = self.place(gas_limit) else {
            return Ok(());
        };
        let asset = batch.placement.asset;
        let operations: Vec<(AssetId, i64)> = batch
            .mints
            .iter()
            .map(|mint| (asset, mint.operation.sequence))
            .collect();
        let order = Order {
            kind: "mint",
            asset: Some(asset),
            to: Some(batch.token),
            data,
            operations: operations.clone(),
        };
        let (key, chain, now) = (self.key, self.chain.clone(), self.driver.now());
        let intent = Intent::new(nonce, Work::Planned, gas_limit);
        let row = intent.clone();
        let taken = self
            .write(move |tx| {
                if asset::lock(tx, asset)?.is_paused() || !still_queued(tx, &batch)? {
                    return Ok(false);
                }
                if !unready(tx, &chain, &batch.placement, &batch.mints)?.is_empty() {
                    return Ok(false);
                }
                act::insert(tx, &key, &row, &order, now)?;
                Ok(true)
            })
            .await?;
        if !taken {
            return Ok(());
        }
        self.remember(&intent, operations, Some(mints));
        self.follow(Event::Assigned { intent }).await
    }
}

fn sendable(mint: &Mint) -> Sendable {
    Sendable {
        number: mint.operation.sequence,
        lines: mint.lines.clone(),
    }
}

/// What a request is to bring its owner.
pub(super) fn request(request: &MintRequest) -> Option<Sendable> {
    Some(Sendable {
        number: request.sequence?,
        lines: vec![(request.owner, request.amount)],
    })
}

/// The mints of a stored intent, in the order of its lines.
pub(super) fn load(tx: &mut Tx<'_>, asset: AssetId, numbers: &[i64]) -> Result<Vec<Mint>, Error> {
    let operations = operation::of_numbers(tx, asset, numbers)?;
    let mut mints = with_lines(tx, asset, operations)?;
    mints.sort_by_key(|mint| numbers.iter().position(|number| *number == mint.operation.sequence));
    Ok(mints)
}

fn with_lines(tx: &mut Tx<'_>, asset: AssetId, operations: Vec<Operation>) -> Result<Vec<Mint>, Error> {
    let numbers: Vec<i64> = operations.iter().map(|operation| operation.sequence).collect();
    let mut lines: BTreeMap<i64, Vec<(Address, Amount)>> = BTreeMap::new();
    for (number, line) in ledger::pending_lines_of(tx, asset, &numbers)? {
        lines.entry(number).or_default().push((line.recipient, line.amount));
    }
    let reverts = store::reverts(tx, asset, &numbers)?;
    let mints = operations.into_iter().map(|operation| Mint {
        lines: lines.remove(&operation.sequence).unwrap_or_default(),
        reverts: reverts.get(&operation.sequence).copied().unwrap_or_default(),
        operation,
    });
    Ok(mints.collect())
}

/// Mints that must not be sent now, by number, and why: a recipient is frozen, or the registry on the chain does not know
/// it yet. A foreign token has a registry of its own, which preflight asks.
fn unready(
    tx: &mut Tx<'_>,
    chain: &ChainRecord,
    placement: &Placement,
    mints: &[Mint],
) -> Result<HashMap<i64, String>, Error> {
    let wallets: HashSet<Address> = mints
        .iter()
        .flat_map(|mint| mint.lines.iter().map(|line| line.0))
        .collect();
    let mut wallets: Vec<Address> = wallets.into_iter().collect();
    wallets.sort_unstable();
    let accounts = ledger::accounts(tx, placement.asset, &wallets, &[])?;
    let frozen: HashSet<Address> = accounts.iter().filter(|one| one.frozen).map(|one| one.wallet).collect();
    let mirrored = match placement.adopted {
        true => HashMap::new(),
        false => store::mirrored(tx, chain, &wallets)?,
    };
    let reason = |wallet: &Address| {
        if frozen.contains(wallet) {
            return Some(format!("the recipient {wallet} is frozen"));
        }
        match mirrored.get(wallet) {
            Some(Mirrored::Mined { verified: true, .. }) => None,
            _ if placement.adopted => None,
            Some(Mirrored::Mined { verified: false, .. }) => Some(format!("the recipient {wallet} is not registered")),
            Some(Mirrored::OnItsWay) | None => Some(format!("waits for the registration of {wallet} to be mined")),
        }
    };
    let unready = mints.iter().filter_map(|mint| {
        let reason = mint.lines.iter().find_map(|(wallet, _)| reason(wallet))?;
        Some((mint.operation.sequence, reason))
    });
    Ok(unready.collect())
}

fn still_queued(tx: &mut Tx<'_>, batch: &Batch) -> Result<bool, Error> {
    let numbers: Vec<i64> = batch.mints.iter().map(|mint| mint.operation.sequence).collect();
    let operations = operation::of_numbers(tx, batch.placement.asset, &numbers)?;
    Ok(operations.len() == numbers.len() && operations.iter().all(|operation| operation.status == Status::Queued))
}
