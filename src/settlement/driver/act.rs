//! Does what the state machine asks for, and reports it back.

use std::collections::VecDeque;

use super::preflight::with_margin;
use super::{About, Session};
use crate::chain::{Fees, Sent, Transaction};
use crate::db::Tx;
use crate::error::Error;
use crate::operation::{self, OperationKind, Status};
use crate::settlement::model::{Order, SenderKey};
use crate::settlement::sender::{Action, Attention, Content, Event, FILLER_GAS, Intent, Outcome, State, Work};
use crate::settlement::store;
use crate::types::{Amount, AssetId, Timestamp};

impl Session {
    /// Saves what changed, then does the actions and what follows from them.
    pub(super) async fn act(&mut self, actions: Vec<Action>) -> Result<(), Error> {
        self.save().await?;
        let mut actions = VecDeque::from(actions);
        while let Some(action) = actions.pop_front() {
            // What followed from a later event may have overtaken it.
            if !self.sender.stands(&action) {
                continue;
            }
            let event = match action {
                Action::Sign {
                    nonce,
                    attempt,
                    fees,
                    content,
                } => self.sign(nonce, attempt, fees, content).await?,
                Action::Broadcast { nonce, attempt } => self.broadcast(nonce, attempt).await?,
                // Posted in the same look, beside what the chain is asked for.
                Action::Finalise { nonce } => {
                    self.finals.push_back(nonce);
                    None
                }
                Action::Fill { nonce } => Some(self.fill(nonce).await?),
                Action::Alarm { nonce, reason, detail } => {
                    self.alarm(nonce, reason, &detail).await?;
                    None
                }
            };
            if let Some(event) = event {
                actions.extend(self.sender.step(event));
                self.save().await?;
            }
        }
        Ok(())
    }

    /// Writes the intents that changed, and how far their operations have come, in one transaction.
    pub(super) async fn save(&mut self) -> Result<(), Error> {
        let changed = self.sender.take_changed();
        if changed.is_empty() {
            return Ok(());
        }
        let (key, now, head) = (self.key, self.driver.now(), self.sender.head());
        let told = self.to_tell(&changed);
        let saved = changed.clone();
        self.write(move |tx| {
            for intent in &saved {
                store::save_intent(tx, &key, intent, now)?;
            }
            store::set_head(tx, key.chain_id, head)?;
            for (about, intent, status) in &told {
                tell(tx, about, intent, *status)?;
            }
            Ok(())
        })
        .await?;
        for intent in changed {
            match intent.state {
                State::Closed => {
                    self.about.remove(&intent.nonce);
                }
                State::Assigned
                | State::Signed
                | State::Sent
                | State::Mined(_)
                | State::Final { .. }
                | State::Unknown => {
                    if let Some(about) = self.about.get_mut(&intent.nonce) {
                        about.told = status_of(intent.state).or(about.told);
                    }
                }
            }
        }
        Ok(())
    }

    /// What has to be said to operations about these intents.
    fn to_tell(&self, changed: &[Intent]) -> Vec<(About, Intent, Status)> {
        let changes = changed.iter().filter_map(|intent| {
            let about = self.about.get(&intent.nonce)?;
            let status = status_of(intent.state)?;
            (about.told != Some(status) && !about.operations.is_empty())
                .then(|| (about.clone(), intent.clone(), status))
        });
        changes.collect()
    }

    /// Rule 4: nothing is sent that is not stored. A signer that does not answer is asked again at the next look.
    async fn sign(&mut self, nonce: u64, attempt: u16, fees: Fees, content: Content) -> Result<Option<Event>, Error> {
        // One that does not answer takes its time for each.
        self.keep_lease().await?;
        let key = self.key;
        let part = self.driver.db.read(move |tx| store::part(tx, &key, nonce)).await?;
        let is_first_work = attempt == 0 && content == Content::Work;
        if is_first_work && self.late.contains(&nonce) && !self.still_goes(&part).await? {
            tracing::info!(
                nonce,
                "what it carries may not go any more: its nonce is given up unsigned"
            );
            return Ok(Some(Event::Cancel { nonce }));
        }
        let gas_limit = self.sender.intent(nonce).map_or(FILLER_GAS, |intent| intent.gas_limit);
        let (to, data, gas_limit) = match content {
            Content::Work => (part.to, part.data, gas_limit),
            Content::Noop => (Some(key.sender), Vec::new(), self.gas_of_noop().await),
        };
        let transaction = Transaction {
            chain_id: key.chain_id,
            nonce,
            to,
            value: Amount::ZERO,
            data,
            gas_limit,
            fees,
        };
        let signed = match self.driver.signer.sign(&transaction).await {
            Ok(signed) => signed,
            Err(error) => {
                metrics::counter!("settlement_signer_failures_total").increment(1);
                tracing::error!(nonce, %error, "the signer did not sign; it is asked again");
                self.signer_fails = true;
                self.late.insert(nonce);
                return Ok(None);
            }
        };
        self.signer_fails = false;
        self.late.remove(&nonce);
        let hash = signed.hash;
        if attempt > 0 {
            metrics::counter!("settlement_bumps_total").increment(1);
        }
        self.write(move |tx| store::store_signed(tx, &key, (nonce, attempt), &signed, content))
            .await?;
        tracing::info!(nonce, attempt, transaction = %hash, "signed");
        Ok(Some(Event::Signed {
            nonce,
            attempt,
            hash,
            content,
        }))
    }

    /// What a chain asks for a transfer of nothing to ourselves, as its node says, or at least.
    async fn gas_of_noop(&self) -> u64 {
        let call = self.call(self.key.sender, Vec::new());
        let estimate = self.driver.rpc.estimate_gas(&call).await;
        let gas = estimate.ok().and_then(Result::ok).map_or(FILLER_GAS, with_margin);
        gas.min(self.gas_bound()).max(FILLER_GAS)
    }

    /// Sends the stored bytes, as they are.
    async fn broadcast(&mut self, nonce: u64, attempt: u16) -> Result<Option<Event>, Error> {
        // Whoever was away for long may have been replaced.
        self.keep_lease().await?;
        let key = self.key;
        let raw = self
            .driver
            .db
            .read(move |tx| store::raw_of(tx, &key, nonce, attempt))
            .await?;
        let Some(raw) = raw else {
            return Err(Error::internal(format!(
                "attempt {attempt} of nonce {nonce} has no bytes"
            )));
        };
        let outcome = self.driver.rpc.send(&raw).await;
        match &outcome {
            Sent::Accepted => tracing::info!(nonce, attempt, "sent"),
            Sent::Unclear(reason) => {
                tracing::warn!(nonce, attempt, %reason, "sent, and the node's answer decides nothing")
            }
            Sent::Refused(reason) => tracing::error!(nonce, attempt, %reason, "refused by the node"),
        }
        let now = self.driver.now();
        Ok(Some(Event::Sent {
            nonce,
            attempt,
            outcome,
            now,
        }))
    }

    /// A row for a nonce that nobody holds.
    async fn fill(&mut self, nonce: u64) -> Result<Event, Error> {
        let order = Order {
            kind: "filler",
            asset: None,
            to: Some(self.key.sender),
            data: Vec::new(),
            operations: Vec::new(),
        };
        let intent = Intent::new(nonce, Work::Filler, FILLER_GAS);
        metrics::counter!("settlement_fillers_total").increment(1);
        self.store_intent(intent, order).await
    }

    /// Commits a new row and remembers what it is about. The event goes to the state machine.
    pub(super) async fn store_intent(&mut self, intent: Intent, order: Order) -> Result<Event, Error> {
        let (key, now) = (self.key, self.driver.now());
        let (row, operations) = (intent.clone(), order.operations.clone());
        self.write(move |tx| insert(tx, &key, &row, &order, now)).await?;
        self.remember(&intent, operations, None);
        Ok(Event::Assigned { intent })
    }

    async fn alarm(&mut self, nonce: Option<u64>, reason: Attention, detail: &str) -> Result<(), Error> {
        metrics::counter!("settlement_alarms_total", "reason" => reason.code()).increment(1);
        tracing::error!(nonce, %reason, "settlement needs a person: {detail}");
        if reason == Attention::KeyUsedElsewhere {
            let (key, foreign, now) = (self.key, self.sender.foreign(), self.driver.now());
            self.write(move |tx| store::save_foreign(tx, &key, &foreign, now))
                .await?;
        }
        let operations = nonce.and_then(|nonce| Some(self.about.get(&nonce)?.operations.clone()));
        let Some(operations) = operations.filter(|operations| !operations.is_empty()) else {
            return Ok(());
        };
        let (now, detail) = (self.driver.now(), detail.to_owned());
        self.write(move |tx| {
            for (asset, numbers) in by_asset(&operations) {
                operation::call_for_attention(tx, asset, &numbers, &detail, now)?;
            }
            Ok(())
        })
        .await
    }
}

/// The row with its nonce, and its operations taken from the queue: one transaction (rule 2).
pub(super) fn insert(
    tx: &mut Tx<'_>,
    key: &SenderKey,
    intent: &Intent,
    order: &Order,
    now: Timestamp,
) -> Result<(), Error> {
    store::insert_intent(tx, key, intent, order, now)?;
    for (asset, numbers) in by_asset(&order.operations) {
        operation::advance(tx, asset, &numbers, Status::Signed)?;
    }
    Ok(())
}

pub(super) fn by_asset(operations: &[(AssetId, i64)]) -> Vec<(AssetId, Vec<i64>)> {
    let mut found: Vec<(AssetId, Vec<i64>)> = Vec::new();
    for (asset, number) in operations {
        match found.iter_mut().find(|(known, _)| known == asset) {
            Some((_, numbers)) => numbers.push(*number),
            None => found.push((*asset, vec![*number])),
        }
    }
    found
}

/// How far the operations of an intent are; none where their end is written elsewhere.
fn status_of(state: State) -> Option<Status> {
    match state {
        State::Assigned | State::Signed => Some(Status::Signed),
        State::Sent => Some(Status::Sent),
        State::Mined(_) => Some(Status::Mined),
        State::Final { .. } | State::Unknown | State::Closed => None,
    }
}

fn tell(tx: &mut Tx<'_>, about: &About, intent: &Intent, status: Status) -> Result<(), Error> {
    for (asset, numbers) in by_asset(&about.operations) {
        operation::advance(tx, asset, &numbers, status)?;
        let creates = operation::of_numbers(tx, asset, &numbers)?
            .iter()
            .any(|operation| operation.kind == OperationKind::Create);
        if creates {
            let mined = intent.state.mined().filter(|_| intent.outcome() == Some(Outcome::Done));
            store::set_first_block(tx, asset, mined.map(|mined| mined.block))?;
        }
    }
    Ok(())
}
