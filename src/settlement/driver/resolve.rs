//! Carries out what a person decided about a nonce, if it is still true.

use serde_json::json;

use super::collections::NFT;
use super::finalise::{Ends, settle};
use super::{Session, watch};
use crate::audit;
use crate::chain::contracts::events::{self, Transfer};
use crate::error::Error;
use crate::operation::{Operation, OperationKind};
use crate::settlement::model::Part;
use crate::settlement::resolve::{self, Decision, Resolution};
use crate::settlement::sender::{Attention, Event, Intent, State};
use crate::settlement::{observe, store};
use crate::types::AssetId;

/// A case as it is now.
struct Facts {
    part: Part,
    attention: Option<String>,
    /// Operations of it that have not ended.
    open: Vec<Operation>,
}

impl Session {
    pub(super) async fn resolve(&mut self) -> Result<(), Error> {
        let key = self.key;
        self.hear_of_others().await?;
        let decided = self.driver.db.read(move |tx| store::resolutions(tx, &key)).await?;
        for resolution in decided {
            let facts = self.facts_of(resolution.nonce).await?;
            let intent = self.sender.intent(resolution.nonce);
            let is_passed = self.sender.has_passed(resolution.nonce);
            match ends_of(&resolution, &facts, (intent, is_passed)) {
                Ok(ends) => self.carry_out(resolution, &facts, ends).await?,
                Err(why) => self.put_back(resolution, why).await?,
            }
        }
        Ok(())
    }

    /// What a person knows by now of others who use the key.
    async fn hear_of_others(&mut self) -> Result<(), Error> {
        let known = self.sender.foreign();
        if !known.needs_a_person() {
            return Ok(());
        }
        let key = self.key;
        let found = self.driver.db.read(move |tx| store::foreign(tx, &key)).await?;
        let Some((foreign, _)) = found.filter(|(foreign, _)| foreign.acknowledged > known.acknowledged) else {
            return Ok(());
        };
        let end = foreign.acknowledged;
        tracing::warn!(end, "a person knows of the nonces below this one that others used");
        self.follow(Event::Acknowledged { end }).await
    }

    async fn facts_of(&self, nonce: u64) -> Result<Facts, Error> {
        let key = self.key;
        self.driver
            .db
            .read(move |tx| {
                let part = store::part(tx, &key, nonce)?;
                let mut open = Vec::new();
                for (asset, numbers) in super::act::by_asset(&part.operations) {
                    open.extend(crate::operation::of_numbers(tx, asset, &numbers)?);
                }
                open.retain(|operation| !operation.status.is_final());
                Ok(Facts {
                    attention: store::attention_of(tx, &key, nonce)?,
                    part,
                    open,
                })
            })
            .await
    }

    /// The intent's row and its operations end in one commit with the events.
    async fn carry_out(&mut self, resolution: Resolution, facts: &Facts, ends: Ends) -> Result<(), Error> {
        let (key, now, nonce) = (self.key, self.driver.now(), resolution.nonce);
        let mut after = self.sender.clone();
        let is_refused = after.intent(nonce).is_some_and(Intent::is_refused);
        let actions = after.step(match is_refused {
            true => Event::SignAgain { nonce },
            false => Event::Resolved { nonce },
        });
        if after.intent(nonce).is_some_and(Intent::is_refused) {
            let why = format!("nonce {nonce} cannot be paid for now: see the signer's funds and chain.fee_max_gwei");
            return self.put_back(resolution, why).await;
        }
        let moved = match resolution.decision {
            Decision::Failed => self.moved_by(nonce, &facts.part).await?,
            Decision::Again | Decision::Done => Ok(Vec::new()),
        };
        let moved = match moved {
            Ok(moved) => moved,
            Err(why) => return self.put_back(resolution, why).await,
        };
        let changed: Vec<Intent> = after.take_changed();
        let is_closed = changed
            .iter()
            .any(|intent| intent.nonce == nonce && intent.state == State::Closed);
        let effect = json!({ "kind": facts.part.kind, "operations": ids(&facts.open) });
        let event = resolve::event(&key, "settlement.resolved", &resolution, effect);
        let asset = facts.part.asset;
        let written = self.write(move |tx| {
            for intent in &changed {
                store::save_intent(tx, &key, intent, now)?;
            }
            settle(tx, &ends, None, now)?;
            let moved: Vec<&Transfer> = moved.iter().collect();
            let drift = match asset {
                Some(asset) if !moved.is_empty() => observe::post_of_asset(tx, asset, &moved, now)?,
                Some(_) | None => Vec::new(),
            };
            if ends.registrations_again {
                store::change_entries_of(tx, &key, nonce, now)?;
            }
            store::set_attention(tx, &key, nonce, None)?;
            store::delete_resolution(tx, &key, nonce)?;
            audit::append(tx, now, vec![event.clone()])?;
            Ok(drift)
        });
        watch::tell(&written.await?);
        self.sender = after;
        if is_closed {
            self.about.remove(&nonce);
        } else if !is_refused {
            self.flagged = self.flagged.saturating_sub(1);
        }
        tracing::warn!(nonce, decision = resolution.decision.code(), "resolved by a person");
        self.act(actions).await
    }

    /// What the transaction of an intent moved after all, in units of its token. When its operations fail nothing else posts
    /// it, for it is ours; tokens with ids are known by their places, and are observed in any case. The error is for a person.
    async fn moved_by(&self, nonce: u64, part: &Part) -> Result<Result<Vec<Transfer>, String>, Error> {
        let Some(token) = part.to.filter(|_| matches!(part.kind.as_str(), "mint" | "moves")) else {
            return Ok(Ok(Vec::new()));
        };
        let key = self.key;
        let Some((transaction, block)) = self.driver.db.read(move |tx| store::mined_in(tx, &key, nonce)).await? else {
            return Ok(Ok(Vec::new()));
        };
        let receipt = self.driver.rpc.receipt(&transaction).await?;
        let Some(receipt) = receipt.filter(|receipt| receipt.block_hash == block) else {
            let why = format!("the receipt of {transaction} is not to be had in block {block}: decide again later");
            return Ok(Err(why));
        };
        let mut moved = events::decode_transfers(&receipt.logs);
        moved.retain(|transfer| transfer.token == token && !transfer.amount.is_zero());
        Ok(Ok(moved))
    }

    async fn put_back(&self, resolution: Resolution, why: String) -> Result<(), Error> {
        let (key, nonce) = (self.key, resolution.nonce);
        tracing::warn!(nonce, %why, "a decision was not carried out");
        self.write(move |tx| store::refuse_resolution(tx, &key, nonce, &why))
            .await
    }
}

fn ids(operations: &[Operation]) -> Vec<String> {
    operations.iter().map(|operation| operation.id.to_string()).collect()
}

/// What a decision does to the operations, or why it must not be carried out. The chain has or has not passed the nonce.
fn ends_of(
    resolution: &Resolution,
    facts: &Facts,
    (intent, is_passed): (Option<&Intent>, bool),
) -> Result<Ends, String> {
    let nonce = resolution.nonce;
    match intent.map(|intent| (intent.state, intent.attention)) {
        Some((State::Unknown, _)) => not_mined(resolution, facts),
        Some((State::Final { .. }, Some(Attention::LateReorg))) => match resolution.decision {
            // Nobody would send it again, and every nonce above it would wait for ever.
            Decision::Done if !is_passed => Err(format!(
                "the chain has lost nonce {nonce}, and it is being sent again: --as done when it is mined"
            )),
            Decision::Done => Ok(Ends::default()),
            Decision::Again | Decision::Failed => Err(format!(
                "nonce {nonce} was final and is posted: only --as done, which keeps the books as they are"
            )),
        },
        Some((State::Final { .. } | State::Closed, _)) | None if facts.attention.is_some() => mined(resolution, facts),
        Some((State::Assigned | State::Signed | State::Sent, _)) if intent.is_some_and(Intent::is_refused) => {
            match resolution.decision {
                Decision::Again => Ok(Ends::default()),
                Decision::Failed | Decision::Done => Err(format!(
                    "nothing is mined at nonce {nonce} yet: --as again, which signs an empty transaction for it once more; \
                     when that is final, what it was for has failed"
                )),
            }
        }
        Some((State::Assigned | State::Signed | State::Sent | State::Mined(_), _)) => {
            Err(format!("nonce {nonce} is on its way, and no decision is needed"))
        }
        Some((State::Final { .. } | State::Closed, _)) | None => Err(format!("nonce {nonce} needs no person any more")),
    }
}

/// The chain passed the nonce with a transaction that is not ours.
fn not_mined(resolution: &Resolution, facts: &Facts) -> Result<Ends, String> {
    let is_registry = facts.part.kind == "registry";
    match resolution.decision {
        Decision::Again => Ok(Ends {
            again: numbers(&facts.open),
            registrations_again: is_registry,
            ..Ends::default()
        }),
        Decision::Failed | Decision::Done if is_registry => {
            Err("the registry must be told what it was not told: --as again".to_owned())
        }
        Decision::Failed => Ok(failed(resolution, facts)),
        Decision::Done if facts.open.iter().all(can_be_done_by_others) => Ok(Ends {
            succeeded: numbers(&facts.open),
            ..Ends::default()
        }),
        Decision::Done => Err(
            "units that moved without us are posted as observed when their block is final, and \
             contracts are created by us: --as again or --as failed"
                .to_owned(),
        ),
    }
}

/// Ours was mined, and did not do what it was to do.
fn mined(resolution: &Resolution, facts: &Facts) -> Result<Ends, String> {
    match resolution.decision {
        Decision::Again if facts.part.kind == "registry" => Ok(Ends {
            registrations_again: true,
            ..Ends::default()
        }),
        Decision::Again => Err(format!(
            "the transaction of nonce {} was mined: --as done or --as failed",
            resolution.nonce
        )),
        Decision::Failed => Ok(failed(resolution, facts)),
        // Which token belongs to which request, the receipt alone says.
        Decision::Done if facts.part.kind == NFT => Err(format!(
            "the receipt of nonce {} does not say whose tokens are whose: --as failed; what was minted is observed",
            resolution.nonce
        )),
        Decision::Done => Ok(Ends {
            succeeded: numbers(&facts.open),
            ..Ends::default()
        }),
    }
}

/// A switch or a limit of a contract; nothing that has lines in the ledger.
fn can_be_done_by_others(operation: &Operation) -> bool {
    operation.lines == 0 && operation.kind != OperationKind::Create
}

fn failed(resolution: &Resolution, facts: &Facts) -> Ends {
    let reason = format!("ended by a person: {}", resolution.reason);
    let failed = numbers(&facts.open).into_iter();
    Ends {
        failed: failed.map(|(asset, number)| (asset, number, reason.clone())).collect(),
        ..Ends::default()
    }
}

fn numbers(operations: &[Operation]) -> Vec<(AssetId, i64)> {
    let numbers = operations.iter().map(|operation| (operation.asset, operation.sequence));
    numbers.collect()
}
