//! What is final in the chain becomes final in the books: operations, postings, events and the intent's row in one commit.

use super::Session;
use super::act::by_asset;
use super::collections::NFT;
use super::mints::{self, Mint};
use super::planned::minted_as_planned;
use super::preflight::Fault;
use crate::chain::Receipt;
use crate::collection::Minted;
use crate::db::Tx;
use crate::error::Error;
use crate::operation::{self, Status};
use crate::settlement::finish::{self, Proof};
use crate::settlement::model::{Part, Placement};
use crate::settlement::nft;
use crate::settlement::sender::{Attempt, Content, Event, Intent, Outcome, Sender};
use crate::settlement::store;
use crate::types::{Address, AssetId, Timestamp};

/// The kind of an intent that tells the registry.
const REGISTRY: &str = "registry";
/// Why a person should look at what no node would take.
const REFUSED_FOR_GOOD: &str = "refused_for_good";
/// Transactions in a row that tell the registry in vain before a person is called.
const REGISTRY_TRIES_MAX: i64 = 3;

/// What is to be said to the operations of an intent.
#[derive(Clone, Debug, Default)]
pub(super) struct Ends {
    pub succeeded: Vec<(AssetId, i64)>,
    /// Operations of a collection that succeeded, each with its token.
    pub minted: Option<(AssetId, Vec<Minted>)>,
    pub failed: Vec<(AssetId, i64, String)>,
    /// They go back into the queue: their work never had an effect, and what stood in its way is final.
    pub again: Vec<(AssetId, i64)>,
    /// Wallets that the registry is to be told of again.
    pub registrations_again: bool,
    pub attention: Option<Alarm>,
    /// They stay as they are and need a person.
    pub flagged: Vec<(AssetId, i64)>,
}

/// Why a person should look at a transaction that is final.
#[derive(Clone, Debug)]
pub(super) struct Alarm {
    code: &'static str,
    reason: String,
}

impl Alarm {
    /// The receipt is not what was sent.
    fn result(reason: String) -> Option<Self> {
        Some(Self { code: "result", reason })
    }

    fn reverted(reason: String) -> Option<Self> {
        let code = "reverted";
        Some(Self { code, reason })
    }
}

impl Session {
    pub(super) async fn finalise(&mut self, nonce: u64) -> Result<(), Error> {
        let Some(intent) = self.sender.intent(nonce).cloned() else {
            return Ok(());
        };
        let Some(mined) = intent.state.mined() else {
            return Ok(());
        };
        let hash = intent.attempt(mined.attempt).and_then(|attempt| attempt.hash);
        let hash = hash.ok_or_else(|| Error::internal(format!("nonce {nonce} is final without a hash")))?;
        let key = self.key;
        let part = self.driver.db.read(move |tx| store::part(tx, &key, nonce)).await?;
        // The next view brings it.
        let Some(receipt) = self.receipts.get(&hash).cloned() else {
            return Ok(());
        };
        let ends = match intent.outcome() {
            Some(Outcome::Done) => {
                self.learn_from(nonce, &part, &receipt);
                self.done(&part, &receipt).await?
            }
            Some(Outcome::Reverted) => self.reverted(nonce, &part).await?,
            Some(Outcome::NotDone) | None => self.not_done(&intent, &part).await?,
        };
        let proof = Proof {
            chain_id: self.key.chain_id,
            transaction: hash,
            block_number: mined.block,
            block_hash: mined.block_hash,
        };
        self.commit(nonce, ends, proof, receipt.gas_used).await
    }

    /// What it cost says what the next ones will.
    fn learn_from(&mut self, nonce: u64, part: &Part, receipt: &Receipt) {
        let lines = match part.kind.as_str() {
            "mint" => receipt.logs.iter().filter(|log| Some(log.address) == part.to).count(),
            NFT => part.operations.len(),
            _ => return,
        };
        if let Some(mints) = self.about.get(&nonce).and_then(|about| about.mints) {
            self.gas.learn(mints, receipt.gas_used, lines);
        }
    }

    /// The intent's row becomes final in the commit that settles its operations.
    async fn commit(&mut self, nonce: u64, ends: Ends, proof: Proof, gas_used: u64) -> Result<(), Error> {
        let mut after: Sender = self.sender.clone();
        after.step(Event::Finalised { nonce });
        let changed: Vec<Intent> = after.take_changed();
        let (key, now) = (self.key, self.driver.now());
        let minted = ends.minted.as_ref().map_or(0, |(_, minted)| minted.len());
        let (succeeded, failed) = (ends.succeeded.len(), ends.failed.len());
        let written = self.write(move |tx| {
            for intent in &changed {
                store::save_intent(tx, &key, intent, now)?;
            }
            store::set_finished(tx, &key, nonce, Some(gas_used), now)?;
            let unexplained = settle(tx, &ends, Some(proof), now)?;
            let is_explained = unexplained.is_none();
            let alarm = unexplained.or_else(|| ends.attention.clone());
            if let Some(alarm) = &alarm {
                store::set_attention(tx, &key, nonce, Some((alarm.code, now)))?;
            }
            if ends.registrations_again {
                store::change_entries_of(tx, &key, nonce, now)?;
            }
            Ok((alarm, is_explained))
        });
        let (alarm, is_explained) = written.await?;
        let count = succeeded.saturating_add(if is_explained { minted } else { 0 });
        self.sender = after;
        if let Some(Alarm { code, reason }) = alarm {
            self.flagged = self.flagged.saturating_add(1);
            metrics::counter!("settlement_alarms_total", "reason" => code).increment(1);
            tracing::error!(nonce, transaction = %proof.transaction, "settlement needs a person: {reason}");
        }
        metrics::counter!("settlement_operations_total", "result" => "succeeded")
            .increment(u64::try_from(count).unwrap_or(0));
        metrics::counter!("settlement_operations_total", "result" => "failed")
            .increment(u64::try_from(failed).unwrap_or(0));
        tracing::info!(nonce, transaction = %proof.transaction, block = proof.block_number, operations = count, "final");
        Ok(())
    }

    /// Rule 16: the receipt must show every line exactly once, and nothing else from this token.
    async fn done(&self, part: &Part, receipt: &Receipt) -> Result<Ends, Error> {
        if part.kind == NFT {
            return self.done_nfts(part, receipt).await;
        }
        let all = Ends {
            succeeded: part.operations.clone(),
            ..Ends::default()
        };
        let (Some(asset), Some(token)) = (part.asset, part.to) else {
            return Ok(all);
        };
        let seen = match part.kind.as_str() {
            "mint" => self.seen_minted(asset, token, part, receipt).await?,
            "moves" => self.moved_as_planned(token, &part.operations, receipt).await?,
            _ => Ok(()),
        };
        match seen {
            Ok(()) => Ok(all),
            Err(reason) => Ok(flagged(part, reason)),
        }
    }

    async fn done_nfts(&self, part: &Part, receipt: &Receipt) -> Result<Ends, Error> {
        Ok(match self.minted(part, receipt).await? {
            Ok(minted) => Ends {
                minted: part.asset.map(|asset| (asset, minted)),
                ..Ends::default()
            },
            Err(reason) => flagged(part, reason),
        })
    }

    async fn reverted_nfts(&self, part: &Part) -> Result<Ends, Error> {
        let Some(asset) = part.asset else {
            return Ok(Ends::default());
        };
        let (failed, again) = self.sort_nfts(part).await?;
        Ok(Ends {
            failed: failed
                .into_iter()
                .map(|(number, reason)| (asset, number, reason))
                .collect(),
            again: again.into_iter().map(|number| (asset, number)).collect(),
            ..Ends::default()
        })
    }

    async fn seen_minted(
        &self,
        asset: AssetId,
        token: Address,
        part: &Part,
        receipt: &Receipt,
    ) -> Result<Result<(), String>, Error> {
        let numbers: Vec<i64> = part.operations.iter().map(|(_, number)| *number).collect();
        let mints = self.driver.db.read(move |tx| mints::load(tx, asset, &numbers)).await?;
        let expected = mints.iter().flat_map(|mint| mint.lines.iter().copied());
        Ok(minted_as_planned(token, expected, receipt))
    }

    /// The transaction was mined without effect. Who is at fault fails; who is not goes again, as a new intent (rule 15).
    async fn reverted(&self, nonce: u64, part: &Part) -> Result<Ends, Error> {
        match part.kind.as_str() {
            "mint" => {}
            NFT => return self.reverted_nfts(part).await,
            "moves" => {
                let reason = "the contract refused it when it was mined: what it takes had moved meanwhile";
                let failed = part
                    .operations
                    .iter()
                    .map(|(asset, number)| (*asset, *number, reason.to_owned()));
                return Ok(Ends {
                    failed: failed.collect(),
                    ..Ends::default()
                });
            }
            "change" => {
                let reason = "the contract refused the change: the chain and our books differ";
                let failed = part
                    .operations
                    .iter()
                    .map(|(asset, number)| (*asset, *number, reason.to_owned()));
                return Ok(Ends {
                    failed: failed.collect(),
                    attention: Alarm::reverted(reason.to_owned()),
                    ..Ends::default()
                });
            }
            REGISTRY => {
                let reason = "the registry reverted what it was told";
                return self.registry_in_vain(nonce, ("reverted", reason)).await;
            }
            kind => {
                return Ok(Ends {
                    attention: Alarm::reverted(format!("a transaction of kind {kind} was reverted")),
                    ..Ends::default()
                });
            }
        }
        let (Some(asset), Some(token)) = (part.asset, part.to) else {
            return Ok(Ends::default());
        };
        let numbers: Vec<i64> = part.operations.iter().map(|(_, number)| *number).collect();
        let (mints, placement) = self
            .driver
            .db
            .read(move |tx| {
                let placement = store::placements(tx, &[asset])?.into_iter().next();
                let placement = placement.ok_or_else(|| Error::internal("a mint of an asset without a contract"))?;
                Ok((mints::load(tx, asset, &numbers)?, placement))
            })
            .await?;
        let mut ends = Ends::default();
        for mint in &mints {
            self.keep_lease().await?;
            self.sort(&mut ends, token, &placement, mint).await?;
        }
        Ok(ends)
    }

    /// Another attempt, a no-op, took the nonce. What the node refused for good it would refuse again.
    async fn not_done(&self, intent: &Intent, part: &Part) -> Result<Ends, Error> {
        let reason = "the node refuses the transaction for good";
        let is_refused = |attempt: &Attempt| attempt.refused && attempt.content == Content::Work;
        if part.kind == REGISTRY {
            return self.registry_in_vain(intent.nonce, (REFUSED_FOR_GOOD, reason)).await;
        }
        if !intent.attempts.iter().any(is_refused) {
            return Ok(Ends {
                again: part.operations.clone(),
                ..Ends::default()
            });
        }
        let failed = part
            .operations
            .iter()
            .map(|(asset, number)| (*asset, *number, reason.to_owned()));
        Ok(Ends {
            failed: failed.collect(),
            attention: Some(Alarm {
                code: REFUSED_FOR_GOOD,
                reason: reason.to_owned(),
            }),
            ..Ends::default()
        })
    }

    /// Telling the registry twice does no harm, so it is told again; when that does not help a person is called, and the
    /// mints to its wallets wait.
    async fn registry_in_vain(&self, nonce: u64, (code, reason): (&'static str, &str)) -> Result<Ends, Error> {
        let key = self.key;
        let times = REGISTRY_TRIES_MAX;
        let gives_up = self
            .driver
            .db
            .read(move |tx| store::is_giving_up(tx, &key, REGISTRY, nonce, times))
            .await?;
        let reason = format!("{reason}, after {times} times in vain: its wallets wait");
        Ok(Ends {
            registrations_again: !gives_up,
            attention: gives_up.then_some(Alarm { code, reason }),
            ..Ends::default()
        })
    }

    /// Who is at fault fails; but not for what the contract says now where it would have been held for that, had it not
    /// been sent yet: then it waits in the queue.
    async fn sort(&self, ends: &mut Ends, token: Address, placement: &Placement, mint: &Mint) -> Result<(), Error> {
        let operation = (mint.operation.asset, mint.operation.sequence);
        let Some(Fault::Line(reason)) = self.fault_of(token, placement.registry, mint).await? else {
            ends.again.push(operation);
            return Ok(());
        };
        // What the books let go and the contract does not know yet is tried again, and held.
        let recipients = mint.lines.iter().map(|line| line.0).collect();
        let waits = self.why_for_now(&mint.operation, recipients, &reason).await?.is_some();
        match waits || self.would_be_held(placement, mint).await? {
            true => ends.again.push(operation),
            false => ends.failed.push((operation.0, operation.1, reason)),
        }
        Ok(())
    }
}

/// Its result is not what was sent: a person has to look.
fn flagged(part: &Part, reason: String) -> Ends {
    Ends {
        attention: Alarm::result(reason),
        flagged: part.operations.clone(),
        ..Ends::default()
    }
}

/// Without a proof it is a person's word that ends them. Returns what a person has to look at: tokens that a contract says
/// it minted and that cannot be. Their operations stay as they are.
pub(super) fn settle(
    tx: &mut Tx<'_>,
    ends: &Ends,
    proof: Option<Proof>,
    now: Timestamp,
) -> Result<Option<Alarm>, Error> {
    let mut alarm = None;
    for (asset, numbers) in by_asset(&ends.succeeded) {
        finish::succeed(tx, asset, &numbers, proof, now)?;
    }
    if let (Some((asset, minted)), Some(proof)) = (&ends.minted, proof)
        && let Err(reason) = nft::succeed(tx, *asset, minted, proof, now)?
    {
        let numbers: Vec<i64> = minted.iter().map(|one| one.sequence).collect();
        operation::call_for_attention(tx, *asset, &numbers, &reason, now)?;
        alarm = Alarm::result(reason);
    }
    for (asset, number, reason) in &ends.failed {
        finish::fail(tx, *asset, *number, reason, proof, now)?;
    }
    for (asset, numbers) in by_asset(&ends.flagged) {
        let reason = ends.attention.as_ref().map(|alarm| alarm.reason.as_str());
        let reason = reason.unwrap_or("the result is not what was sent");
        operation::call_for_attention(tx, asset, &numbers, reason, now)?;
    }
    for (asset, numbers) in by_asset(&ends.again) {
        operation::advance(tx, asset, &numbers, Status::Queued)?;
    }
    Ok(alarm)
}
