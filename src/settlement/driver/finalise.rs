//! What is final in the chain becomes final in the books: operations, postings, events and the intent's row in one commit.

use std::collections::HashMap;

use super::Session;
use super::act::by_asset;
use super::collections::NFT;
use super::mints::{self, Mint};
use super::preflight::Fault;
use crate::chain::Receipt;
use crate::chain::contracts::events;
use crate::collection::Minted;
use crate::db::Tx;
use crate::error::Error;
use crate::operation::{self, Status};
use crate::settlement::finish::{self, Proof};
use crate::settlement::model::Part;
use crate::settlement::nft;
use crate::settlement::sender::{Attempt, Content, Event, Intent, Outcome, Sender};
use crate::settlement::store;
use crate::types::{Address, Amount, AssetId};

/// What is to be said to the operations of an intent.
#[derive(Clone, Debug, Default)]
struct Ends {
    succeeded: Vec<(AssetId, i64)>,
    /// Operations of a collection that succeeded, each with its token.
    minted: Option<(AssetId, Vec<Minted>)>,
    failed: Vec<(AssetId, i64, String)>,
    /// They go back into the queue: their work never had an effect, and what stood in its way is final.
    again: Vec<(AssetId, i64)>,
    /// Wallets that the registry is to be told of again.
    registrations_again: bool,
    attention: Option<String>,
    /// They stay as they are and need a person.
    flagged: Vec<(AssetId, i64)>,
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
        let ends = match intent.outcome() {
            Some(Outcome::Done) => match self.receipts.get(&hash) {
                Some(receipt) => self.done(&part, receipt).await?,
                // The next view brings it.
                None => return Ok(()),
            },
            Some(Outcome::Reverted) => self.reverted(&part).await?,
            Some(Outcome::NotDone) | None => not_done(&intent, &part),
        };
        let proof = Proof {
            chain_id: self.key.chain_id,
            transaction: hash,
            block_number: mined.block,
            block_hash: mined.block_hash,
        };
        self.commit(nonce, ends, proof).await
    }

    /// The intent's row becomes final in the commit that settles its operations.
    async fn commit(&mut self, nonce: u64, ends: Ends, proof: Proof) -> Result<(), Error> {
        let mut after: Sender = self.sender.clone();
        after.step(Event::Finalised { nonce });
        let changed: Vec<Intent> = after.take_changed();
        let (key, now) = (self.key, self.driver.now());
        let minted = ends.minted.as_ref().map_or(0, |(_, minted)| minted.len());
        let count = ends.succeeded.len().saturating_add(minted);
        if let Some(reason) = &ends.attention {
            metrics::counter!("settlement_alarms_total", "reason" => "result").increment(1);
            tracing::error!(nonce, transaction = %proof.transaction, "settlement needs a person: {reason}");
        }
        let failed = ends.failed.len();
        self.write(move |tx| {
            for intent in &changed {
                store::save_intent(tx, &key, intent, now)?;
            }
            store::set_finished(tx, &key, nonce, now)?;
            settle(tx, &ends, proof, now)?;
            match ends.registrations_again {
                true => store::change_entries_of(tx, &key, nonce, now),
                false => Ok(()),
            }
        })
        .await?;
        self.sender = after;
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
        let (Some(asset), Some(token), "mint") = (part.asset, part.to, part.kind.as_str()) else {
            return Ok(all);
        };
        let numbers: Vec<i64> = part.operations.iter().map(|(_, number)| *number).collect();
        let mints = self.driver.db.read(move |tx| mints::load(tx, asset, &numbers)).await?;
        let expected = mints.iter().flat_map(|mint| mint.lines.iter().copied());
        match minted_as_planned(token, expected, receipt) {
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

    /// The transaction was mined without effect. Who is at fault fails; who is not goes again, as a new intent (rule 15).
    async fn reverted(&self, part: &Part) -> Result<Ends, Error> {
        match part.kind.as_str() {
            "mint" => {}
            NFT => return self.reverted_nfts(part).await,
            "change" => {
                let reason = "the contract refused the change: the chain and our books differ";
                let failed = part
                    .operations
                    .iter()
                    .map(|(asset, number)| (*asset, *number, reason.to_owned()));
                return Ok(Ends {
                    failed: failed.collect(),
                    attention: Some(reason.to_owned()),
                    ..Ends::default()
                });
            }
            kind => {
                return Ok(Ends {
                    attention: Some(format!("a transaction of kind {kind} was reverted")),
                    ..Ends::default()
                });
            }
        }
        let (Some(asset), Some(token)) = (part.asset, part.to) else {
            return Ok(Ends::default());
        };
        let numbers: Vec<i64> = part.operations.iter().map(|(_, number)| *number).collect();
        let (mints, registry) = self
            .driver
            .db
            .read(move |tx| {
                let registry = store::placements(tx, &[asset])?
                    .first()
                    .map(|placement| placement.registry);
                Ok((mints::load(tx, asset, &numbers)?, registry.unwrap_or(Address::ZERO)))
            })
            .await?;
        let mut ends = Ends::default();
        for mint in &mints {
            self.sort(&mut ends, token, registry, mint).await?;
        }
        Ok(ends)
    }

    async fn sort(&self, ends: &mut Ends, token: Address, registry: Address, mint: &Mint) -> Result<(), Error> {
        let operation = (mint.operation.asset, mint.operation.sequence);
        match self.fault_of(token, registry, mint).await? {
            Some(Fault::Line(reason)) => ends.failed.push((operation.0, operation.1, reason)),
            Some(Fault::Token(_)) | None => ends.again.push(operation),
        }
        Ok(())
    }
}

/// Its result is not what was sent: a person has to look.
fn flagged(part: &Part, reason: String) -> Ends {
    Ends {
        attention: Some(reason),
        flagged: part.operations.clone(),
        ..Ends::default()
    }
}

/// Another attempt, a no-op, took the nonce. What the node refused for good it would refuse again.
fn not_done(intent: &Intent, part: &Part) -> Ends {
    let is_refused = |attempt: &Attempt| attempt.refused && attempt.content == Content::Work;
    if intent.attempts.iter().any(is_refused) {
        let reason = "the node refuses the transaction for good";
        let failed = part
            .operations
            .iter()
            .map(|(asset, number)| (*asset, *number, reason.to_owned()));
        return Ends {
            failed: failed.collect(),
            attention: Some(reason.to_owned()),
            ..Ends::default()
        };
    }
    Ends {
        again: part.operations.clone(),
        registrations_again: part.kind == "registry",
        ..Ends::default()
    }
}

fn settle(tx: &mut Tx<'_>, ends: &Ends, proof: Proof, now: crate::types::Timestamp) -> Result<(), Error> {
    for (asset, numbers) in by_asset(&ends.succeeded) {
        finish::succeed(tx, asset, &numbers, proof, now)?;
    }
    if let Some((asset, minted)) = &ends.minted {
        nft::succeed(tx, *asset, minted, proof, now)?;
    }
    for (asset, number, reason) in &ends.failed {
        finish::fail(tx, *asset, *number, reason, Some(proof), now)?;
    }
    for (asset, numbers) in by_asset(&ends.flagged) {
        let reason = ends.attention.as_deref().unwrap_or("the result is not what was sent");
        operation::call_for_attention(tx, asset, &numbers, reason, now)?;
    }
    for (asset, numbers) in by_asset(&ends.again) {
        operation::advance(tx, asset, &numbers, Status::Queued)?;
    }
    Ok(())
}

/// Compares the mints of a receipt with the lines that were sent, amount by amount and recipient by recipient.
fn minted_as_planned(
    token: Address,
    expected: impl Iterator<Item = (Address, Amount)>,
    receipt: &Receipt,
) -> Result<(), String> {
    let mut left: HashMap<(Address, Amount), i64> = HashMap::new();
    for line in expected {
        let count = left.entry(line).or_default();
        *count = count.saturating_add(1);
    }
    let minted = events::decode_transfers(&receipt.logs);
    for transfer in minted.iter().filter(|transfer| transfer.token == token) {
        let count = left.entry((transfer.to, transfer.amount)).or_default();
        *count = count.saturating_sub(1);
        if transfer.from != Address::ZERO {
            return Err(format!("the mint moved units of {}", transfer.from));
        }
    }
    let wrong = left.iter().find(|(_, count)| **count != 0);
    match wrong {
        None => Ok(()),
        Some(((recipient, amount), count)) => Err(format!(
            "the receipt shows {amount} to {recipient} {} than was sent",
            if *count > 0 { "less often" } else { "more often" }
        )),
    }
}
