//! What happens on the chain without us, and whether the books still say what the chain says.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::Session;
use crate::error::Error;
use crate::settlement::logs::{self, Read, Scope};
use crate::settlement::model::Token;
use crate::settlement::sender::State;
use crate::settlement::{Reconciled, nft, observe, reconcile, store};
use crate::types::Timestamp;

/// Between two comparisons of books and chain.
const RECONCILED_EVERY_SECONDS: i64 = 3_600;
/// After a failure, and while the books are between two blocks.
const TRIED_AGAIN_AFTER_SECONDS: i64 = 5;
/// Differences that are logged one by one.
const DRIFT_LOGGED_MAX: usize = 20;

/// When the chain is watched next.
#[derive(Debug)]
pub(super) struct Watch {
    observe_at: Timestamp,
    reconcile_at: Timestamp,
    /// The comparison that runs beside the looks: it asks the node about every holder, which may take minutes.
    comparing: JoinSet<Result<Option<(Reconciled, Scope)>, Error>>,
    /// Logs that are to be compared with what was posted, part by part.
    logs: Option<Scope>,
    /// Differences between books and chain at the last comparison.
    pub drift: u64,
}

impl Watch {
    pub(super) fn from(now: Timestamp) -> Self {
        Self {
            observe_at: now,
            reconcile_at: now,
            comparing: JoinSet::new(),
            logs: None,
            drift: 0,
        }
    }
}

impl Session {
    /// Posts what moved by itself up to the final block, and compares books and chain at the start and every hour. A
    /// failure stops nothing else: it is told and tried again.
    pub(super) async fn watch(&mut self, finalized: u64) {
        let now = self.driver.now();
        if now < self.watch.observe_at {
            return;
        }
        let result = match self.observe(finalized).await {
            Ok(is_read) => {
                if is_read && now >= self.watch.reconcile_at && self.watch.comparing.is_empty() {
                    self.begin_to_reconcile();
                }
                self.compare(now).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            metrics::counter!("settlement_watch_failures_total").increment(1);
            tracing::warn!(%error, "the chain was not watched and is again in a few seconds");
            self.watch.observe_at = now.plus_seconds(TRIED_AGAIN_AFTER_SECONDS);
        }
    }

    /// Whether everything up to the final block is read.
    async fn observe(&mut self, finalized: u64) -> Result<bool, Error> {
        let observed = self.chain.observed_block;
        if observed >= finalized {
            return Ok(observed == finalized);
        }
        let Some(until) = self.posted_until(finalized).filter(|until| *until > observed) else {
            return Ok(false);
        };
        let chain_id = self.key.chain_id;
        let from = observed.saturating_add(1);
        let (tokens, collections) = self
            .driver
            .db
            .read(move |tx| {
                Ok((
                    store::tokens(tx, chain_id, until)?,
                    store::collections(tx, chain_id, until)?,
                ))
            })
            .await?;
        if let Some(token) = tokens.iter().find(|token| !token.is_read_up_to(observed)) {
            self.catch_up(*token, observed).await?;
            return Ok(false);
        }
        if let Some(collection) = collections.iter().find(|one| !one.is_read_up_to(observed)) {
            self.catch_up_collection(*collection, observed).await?;
            return Ok(false);
        }
        let contracts: Vec<Token> = tokens.iter().chain(&collections).copied().collect();
        let first = contracts.iter().map(|contract| contract.first_block).min();
        // Before the first of our contracts there is nothing to read.
        let start = first.map_or(until, |first| first.max(from));
        let Read { transfers, moved, to } = logs::read(&self.driver.rpc, &contracts, (start, until)).await?;
        let now = self.driver.now();
        let drift = self
            .write(move |tx| {
                let mut drift = observe::post(tx, chain_id, (from, to), &tokens, &transfers, now)?;
                drift.extend(nft::post(tx, (chain_id, to), &collections, &moved, now)?);
                Ok(drift)
            })
            .await?;
        self.chain.observed_block = to;
        if !drift.is_empty() {
            self.watch.reconcile_at = now;
            tell(&drift);
        }
        Ok(to == finalized)
    }

    /// Reads a token that was adopted while its chain was read on.
    async fn catch_up(&self, token: Token, observed: u64) -> Result<(), Error> {
        let from = token.observed_block.unwrap_or(observed).saturating_add(1);
        let Read { transfers, to, .. } = logs::read(&self.driver.rpc, &[token], (from, observed)).await?;
        let now = self.driver.now();
        let drift = self
            .write(move |tx| observe::catch_up(tx, (from, to), &token, &transfers, now))
            .await?;
        tell(&drift);
        Ok(())
    }

    async fn catch_up_collection(&self, collection: Token, observed: u64) -> Result<(), Error> {
        let from = collection.observed_block.unwrap_or(observed).saturating_add(1);
        let Read { moved, to, .. } = logs::read(&self.driver.rpc, &[collection], (from, observed)).await?;
        let now = self.driver.now();
        let drift = self
            .write(move |tx| nft::catch_up(tx, (from, to), &collection, &moved, now))
            .await?;
        tell(&drift);
        Ok(())
    }

    /// The last block up to which everything of ours is posted; none while a receipt is missing, which may be in any.
    fn posted_until(&self, finalized: u64) -> Option<u64> {
        let mut until = finalized;
        for intent in self.sender.intents() {
            match intent.state {
                State::Mined(mined) => until = until.min(mined.block.saturating_sub(1)),
                State::Assigned | State::Signed | State::Sent if intent.passed.is_some() => return None,
                State::Assigned
                | State::Signed
                | State::Sent
                | State::Final { .. }
                | State::Unknown
                | State::Closed => {}
            }
        }
        Some(until)
    }

    /// In a task of its own, which needs no lease and holds up no look.
    fn begin_to_reconcile(&mut self) {
        let (db, rpc) = (self.driver.db.clone(), Arc::clone(&self.driver.rpc));
        let comparing = async move { reconcile::reconcile_state(&db, &rpc).await };
        self.watch.comparing.spawn(comparing);
    }

    async fn compare(&mut self, now: Timestamp) -> Result<(), Error> {
        let Some(ended) = self.watch.comparing.try_join_next() else {
            return self.compare_logs().await;
        };
        let Some((found, scope)) = ended.map_err(Error::internal)?? else {
            self.watch.reconcile_at = now.plus_seconds(TRIED_AGAIN_AFTER_SECONDS);
            return Ok(());
        };
        let drift = u64::try_from(found.drift.len()).unwrap_or(u64::MAX);
        self.watch.drift = drift;
        tell(&found.drift);
        tracing::info!(
            block = found.block,
            assets = found.assets,
            drift,
            "books and chain were compared"
        );
        self.watch.logs = Some(scope).filter(|scope| scope.is_whole);
        self.watch.reconcile_at = now.plus_seconds(RECONCILED_EVERY_SECONDS);
        Ok(())
    }

    /// The logs that came since they were compared last, a part at each look. A node that does not give them is asked
    /// again with the next comparison.
    async fn compare_logs(&mut self) -> Result<(), Error> {
        let Some(scope) = self.watch.logs.take() else {
            return Ok(());
        };
        let from = self.chain.compared_block.saturating_add(1);
        if from > scope.block {
            return Ok(());
        }
        let part = logs::compare_part(&self.driver.db, &self.driver.rpc, &scope, from).await?;
        let (chain_id, to) = (self.key.chain_id, part.to);
        self.write(move |tx| store::set_compared(tx, chain_id, to)).await?;
        self.chain.compared_block = to;
        let drift = u64::try_from(part.drift.len()).unwrap_or(u64::MAX);
        self.watch.drift = self.watch.drift.saturating_add(drift);
        tell(&part.drift);
        tracing::info!(
            from,
            to,
            logs = part.logs,
            drift,
            "logs were compared with what was posted"
        );
        self.watch.logs = Some(scope);
        Ok(())
    }
}

pub(super) fn tell(drift: &[String]) {
    let count = u64::try_from(drift.len()).unwrap_or(u64::MAX);
    metrics::counter!("settlement_alarms_total", "reason" => "drift").increment(count);
    for what in drift.iter().take(DRIFT_LOGGED_MAX) {
        tracing::error!("books and chain differ: {what}");
    }
    if drift.len() > DRIFT_LOGGED_MAX {
        tracing::error!(count, "books and chain differ; `moneyer check` tells all of it");
    }
}
