//! NFT mints: sent, judged when the contract refuses them, and read from their receipts.

use std::collections::HashMap;

use super::preflight::{gas_limit, without_margin};
use super::{Session, act, mints};
use crate::asset::{self, Asset, AssetKind};
use crate::chain::contracts::factory::NewCollection;
use crate::chain::contracts::{collection as contract, events, factory, returned};
use crate::chain::{Receipt, Revert};
use crate::collection::{self, MintRequest, Minted};
use crate::db::Tx;
use crate::error::Error;
use crate::operation::{self, Operation, Plan, Status};
use crate::settlement::model::{Order, Part};
use crate::settlement::nft::{self, Batch};
use crate::settlement::plan::{Together, Waiting};
use crate::settlement::reverts::{self, Reverts};
use crate::settlement::sender::{Event, Intent, Work};
use crate::settlement::store;
use crate::types::{Address, AssetId};

/// The kind of an intent that mints into a collection.
pub(super) const NFT: &str = "nft";

/// Gas of creating a collection from the factory's code, and of each byte of its texts: a fresh slot holds 32.
const GAS_OF_CREATION: u64 = 1_500_000;
const GAS_OF_BYTE: u64 = 800;

/// A batch that the contract would take now.
struct Checked {
    batch: Batch,
    data: Vec<u8>,
    gas_limit: u64,
}

/// Some requests may go, and some were refused, each with the reason.
struct Judged {
    checked: Option<Checked>,
    refused: Vec<(i64, String)>,
}

impl Session {
    /// False when there is no room for more.
    pub(super) async fn send_nfts(&mut self, waiting: &Waiting, together: Together) -> Result<bool, Error> {
        let (asset, operations) = (waiting.asset.id, together.operations);
        let numbers: Vec<i64> = operations.iter().map(|operation| operation.sequence).collect();
        let loaded = self.driver.db.read(move |tx| {
            Ok((
                collection::find(tx, asset)?,
                collection::requests_of(tx, asset, &numbers)?,
                store::reverts(tx, asset, &numbers)?,
            ))
        });
        let (collection, mut requests, reverts) = loaded.await?;
        if self.place(self.driver.settings.gas_per_transaction_max).is_none() {
            return Ok(false);
        }
        let ruled = self
            .rule(waiting, requests.iter().filter_map(mints::request).collect())
            .await?;
        requests.retain(|request| request.sequence.is_none_or(|number| !ruled.contains(&number)));
        // The planner's order is that of the callers' turns.
        let place = |request: &MintRequest| operations.iter().position(|one| Some(one.sequence) == request.sequence);
        requests.sort_by_key(place);
        for mut batch in nft::batches(&collection, requests) {
            let mut refused = give_up(&mut batch, &reverts, self.gas_bound());
            let in_company = reverts::together(batch.requests.iter().map(|one| of(&reverts, one)));
            let is_whole = in_company >= batch.requests.len();
            batch.requests.truncate(in_company);
            if self.place(self.driver.settings.gas_per_transaction_max).is_none() {
                return Ok(false);
            }
            let starved = batch.requests.iter().map(|one| of(&reverts, one).starved).max();
            let judged = self.judge(batch, starved.unwrap_or(0)).await?;
            refused.extend(judged.refused);
            for (number, reason) in refused {
                if let Some(operation) = operations.iter().find(|operation| operation.sequence == number) {
                    self.refuse(operation.clone(), reason).await?;
                }
            }
            if let Some(checked) = judged.checked {
                self.assign_nfts(checked, is_whole && !together.is_full).await?;
            }
        }
        Ok(true)
    }

    /// Cuts the batch to what fits one transaction and leaves out requests that the contract refuses (rule 14).
    async fn judge(&mut self, mut batch: Batch, starved: u32) -> Result<Judged, Error> {
        let bound = self.gas_bound();
        let mut refused = Vec::new();
        while !batch.requests.is_empty() {
            self.keep_lease().await?;
            let data = batch.calldata();
            let call = self.call(batch.contract, data.clone());
            match self
                .gas_of(batch.group(), (batch.requests.len(), starved), &call)
                .await?
            {
                Ok(gas) if gas <= without_margin(bound) => {
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
                Ok(gas) => refused.extend(cut(&mut batch, gas, bound)),
                // Alone it is in nobody's way.
                Err(revert) if batch.requests.len() == 1 => {
                    let alone = batch.requests.pop().and_then(|request| request.sequence);
                    refused.extend(alone.map(|number| (number, revert.reason)));
                }
                Err(revert) if revert.is_out_of_gas() => halve(&mut batch),
                Err(revert) => {
                    let bad = self.find_bad_nfts(&batch, &revert).await?;
                    // Each alone is fine: they stand in each other's way.
                    if bad.is_empty() {
                        halve(&mut batch);
                    }
                    let is_bad =
                        |request: &MintRequest| bad.iter().any(|(number, _)| Some(*number) == request.sequence);
                    batch.requests.retain(|request| !is_bad(request));
                    refused.extend(bad);
                }
            }
        }
        Ok(Judged { checked: None, refused })
    }

    /// Which requests are at fault, by halves: one recipient whose hook reverts costs a few calls, and fails alone. Without
    /// the minter's role all of them are.
    async fn find_bad_nfts(&self, batch: &Batch, revert: &Revert) -> Result<Vec<(i64, String)>, Error> {
        let question = self.call(batch.contract, contract::is_minter(self.key.sender));
        let answer = self.driver.rpc.call(&question).await?;
        if answer.ok().and_then(|data| returned::flag(&data)) == Some(false) {
            let numbers = batch.numbers().into_iter();
            return Ok(numbers.map(|number| (number, revert.reason.clone())).collect());
        }
        let mut bad = Vec::new();
        let mut open: Vec<Batch> = halves(batch);
        while let Some(part) = open.pop() {
            self.keep_lease().await?;
            let Some(revert) = self.fault_of_nfts(&part).await? else {
                continue;
            };
            match part.requests.as_slice() {
                [] => {}
                [one] => bad.extend(one.sequence.map(|number| (number, revert.reason.clone()))),
                [_, _, ..] => open.extend(halves(&part)),
            }
        }
        Ok(bad)
    }

    /// Why these requests would be refused now; none when they would not.
    async fn fault_of_nfts(&self, batch: &Batch) -> Result<Option<Revert>, Error> {
        let call = self.call(batch.contract, batch.calldata());
        Ok(self.driver.rpc.call(&call).await?.err())
    }

    /// Gives a checked batch its nonce, unless something that holds it was committed since it was read.
    async fn assign_nfts(&mut self, checked: Checked, has_room: bool) -> Result<(), Error> {
        let Checked { batch, data, gas_limit } = checked;
        let Some(nonce) = self.place(gas_limit) else {
            return Ok(());
        };
        let (asset, group) = (batch.asset, batch.group());
        let operations: Vec<(AssetId, i64)> = batch.numbers().into_iter().map(|number| (asset, number)).collect();
        let order = Order {
            kind: NFT,
            asset: Some(asset),
            to: Some(batch.contract),
            data,
            operations: operations.clone(),
        };
        let (key, now, numbers) = (self.key, self.driver.now(), batch.numbers());
        let intent = Intent::new(nonce, Work::Planned, gas_limit);
        let row = intent.clone();
        let taken = self
            .write(move |tx| {
                if asset::lock(tx, asset)?.is_paused() || !are_queued(tx, asset, &numbers)? {
                    return Ok(false);
                }
                act::insert(tx, &key, &row, &order, now)?;
                Ok(true)
            })
            .await?;
        if !taken {
            return Ok(());
        }
        self.remember(&intent, operations, Some((group, has_room)));
        self.follow(Event::Assigned { intent }).await
    }

    /// What a final receipt says of the requests of an intent: which token each got, or what is wrong with it (rule 16).
    pub(super) async fn minted(&self, part: &Part, receipt: &Receipt) -> Result<Result<Vec<Minted>, String>, Error> {
        let Some((contract, _, requests)) = self.requests_of(part).await? else {
            return Ok(Ok(Vec::new()));
        };
        let transfers = events::decode_token_transfers(&receipt.logs);
        Ok(nft::minted(contract, &requests, &transfers, receipt.gas_used))
    }

    /// Of an intent that was mined without effect: who is at fault, each with the reason, and who goes again (rule 15).
    pub(super) async fn sort_nfts(&self, part: &Part) -> Result<(Vec<(i64, String)>, Vec<i64>), Error> {
        let Some((_, collection, requests)) = self.requests_of(part).await? else {
            return Ok((Vec::new(), Vec::new()));
        };
        let (mut failed, mut again) = (Vec::new(), Vec::new());
        for batch in nft::batches(&collection, requests) {
            self.keep_lease().await?;
            let bad = match self.fault_of_nfts(&batch).await? {
                Some(revert) => self.find_bad_nfts(&batch, &revert).await?,
                None => Vec::new(),
            };
            let is_bad = |number: &i64| bad.iter().any(|(bad, _)| bad == number);
            again.extend(batch.numbers().into_iter().filter(|number| !is_bad(number)));
            failed.extend(bad);
        }
        Ok((failed, again))
    }

    /// The requests of an intent in the order of its lines.
    async fn requests_of(
        &self,
        part: &Part,
    ) -> Result<Option<(Address, collection::Collection, Vec<MintRequest>)>, Error> {
        let (Some(asset), Some(contract)) = (part.asset, part.to) else {
            return Ok(None);
        };
        let numbers: Vec<i64> = part.operations.iter().map(|(_, number)| *number).collect();
        let asked = numbers.clone();
        let loaded = self.driver.db.read(move |tx| {
            Ok((
                collection::find(tx, asset)?,
                collection::requests_of(tx, asset, &asked)?,
            ))
        });
        let (collection, mut requests) = loaded.await?;
        requests.sort_by_key(|request| numbers.iter().position(|number| Some(*number) == request.sequence));
        Ok(Some((contract, collection, requests)))
    }

    /// The call that creates the contract of a collection, and its gas.
    pub(super) async fn creation_of(
        &self,
        asset: &Asset,
        change: &Operation,
    ) -> Result<(Address, Vec<u8>, u64), Error> {
        let contracts = self
            .chain
            .contracts
            .ok_or_else(|| Error::internal("the factory is not known"))?;
        let id = asset.id;
        let collection = self.driver.db.read(move |tx| collection::find(tx, id)).await?;
        let texts = Plan::read(change.kind, &change.plan)?.texts();
        // One that was accepted before plans had texts shows what it is to keep.
        let texts = texts.unwrap_or_else(|| collection.profile.texts());
        let new = NewCollection {
            name: texts.name,
            symbol: texts.symbol,
            base_uri: texts.base_uri,
            contract_uri: texts.contract_uri,
            owner: collection.owner,
            minter: self.key.sender,
        };
        let salt = super::salt_of(id);
        let data = match asset.kind {
            AssetKind::Erc721 => factory::create_collection_721(&salt, &new),
            AssetKind::Erc1155 => factory::create_collection_1155(&salt, &new),
            AssetKind::Bond | AssetKind::Equity | AssetKind::Fund | AssetKind::Stablecoin | AssetKind::Deposit => {
                return Err(Error::internal("it is no collection"));
            }
        };
        let bytes = u64::try_from(data.len()).unwrap_or(u64::MAX);
        let gas = GAS_OF_CREATION.saturating_add(bytes.saturating_mul(GAS_OF_BYTE));
        Ok((contracts.factory, data, gas))
    }
}

fn of(reverts: &HashMap<i64, Reverts>, request: &MintRequest) -> Reverts {
    let known = request.sequence.and_then(|number| reverts.get(&number));
    known.copied().unwrap_or_default()
}

/// Takes out what was reverted too often, each with the reason.
fn give_up(batch: &mut Batch, reverts: &HashMap<i64, Reverts>, bound: u64) -> Vec<(i64, String)> {
    let mut given_up = Vec::new();
    batch.requests.retain(|request| {
        let reason = of(reverts, request).why_given_up(bound);
        let known = request.sequence.zip(reason);
        let stays = known.is_none();
        given_up.extend(known);
        stays
    });
    given_up
}

/// Whole requests leave from the back; one that is alone and too large can never be sent.
fn cut(batch: &mut Batch, gas: u64, bound: u64) -> Option<(i64, String)> {
    let count = batch.requests.len();
    if count > 1 {
        let keep = u128::from(without_margin(bound)) * u128::try_from(count).unwrap_or(1) / u128::from(gas.max(1));
        let keep = usize::try_from(keep).unwrap_or(1).clamp(1, count.saturating_sub(1));
        batch.requests.truncate(keep);
        return None;
    }
    let request = batch.requests.pop()?;
    let reason = format!("needs {gas} gas and one transaction may spend {bound}");
    Some((request.sequence?, reason))
}

/// The others wait for the next look.
fn halve(batch: &mut Batch) {
    let half = batch.requests.len() / 2;
    batch.requests.truncate(half);
}

fn halves(batch: &Batch) -> Vec<Batch> {
    let half = batch.requests.len() / 2;
    let parts = batch.requests.split_at_checked(half);
    let parts = parts.into_iter().flat_map(|(front, back)| [front, back]);
    parts
        .filter(|part| !part.is_empty())
        .map(|part| batch.of(part))
        .collect()
}

fn are_queued(tx: &mut Tx<'_>, asset: AssetId, numbers: &[i64]) -> Result<bool, Error> {
    let operations = operation::of_numbers(tx, asset, numbers)?;
    Ok(operations.len() == numbers.len() && operations.iter().all(|one| one.status == Status::Queued))
}
