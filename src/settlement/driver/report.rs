//! What people are told of settlement: gauges for dashboards, and one sentence in the database that every process shows
//! in its readiness.

use super::Session;
use crate::chain::{Failure, View};
use crate::error::Error;
use crate::settlement::model::Look;
use crate::settlement::sender::{Attention, Mined, State};
use crate::settlement::store;
use crate::types::Hash32;

/// Silence of a minute and a half counts as trouble.
const TOLD_EVERY_SECONDS: i64 = 10;

impl Session {
    /// Writes how it went, when that is news or was said a while ago.
    pub(super) async fn tell(&mut self, trouble: Option<String>) -> Result<(), Error> {
        metrics::gauge!("settlement_degraded").set(if trouble.is_some() { 1.0 } else { 0.0 });
        let now = self.driver.now();
        let is_news = self.told.trouble != trouble;
        let is_recent = self
            .told
            .at
            .is_some_and(|at| now.seconds().saturating_sub(at.seconds()) < TOLD_EVERY_SECONDS);
        if is_recent && !is_news {
            return Ok(());
        }
        match &trouble {
            Some(trouble) if is_news => tracing::warn!("settlement is degraded: {trouble}"),
            None if is_news => tracing::info!("settlement is well again"),
            Some(_) | None => {}
        }
        let look = Look { at: Some(now), trouble };
        let (chain, row) = (self.key.chain_id, look.clone());
        self.write(move |tx| store::set_look(tx, chain, &row)).await?;
        self.told = look;
        Ok(())
    }

    /// Keeps what a node said for [`Self::tell`]: the error that travels on says less.
    pub(super) fn ail(&mut self, failure: Failure) -> Error {
        self.ailing = Some(failure.to_string());
        failure.into()
    }

    /// What keeps operations from becoming final although the chain can be read.
    pub(super) fn trouble(&self) -> Option<String> {
        let mut troubles: Vec<String> = self
            .sender
            .alarms()
            .map(|(nonce, why)| self.alarm_text(nonce, why))
            .collect();
        if let Some(head) = self
            .head
            .filter(|head| head.base_fee > self.driver.settings.policy.fee_max)
        {
            troubles.push(format!(
                "a block costs {} wei per gas, more than chain.fee_max_gwei allows",
                head.base_fee
            ));
        }
        if self.flagged > 0 {
            troubles.push(format!(
                "{} transactions ended and need a person: moneyer admin settlement list",
                self.flagged
            ));
        }
        if self.signer_fails {
            troubles.push("the signer does not sign".to_owned());
        }
        if self.watch.drift > 0 {
            troubles.push(format!("books and chain differ in {} places", self.watch.drift));
        }
        troubles.extend(self.obstacles.iter().cloned());
        (!troubles.is_empty()).then(|| troubles.join("; "))
    }

    fn alarm_text(&self, nonce: Option<u64>, why: Attention) -> String {
        match (nonce, why) {
            (None, Attention::Funds) => format!("the signer {} is low on funds", self.key.sender),
            (Some(nonce), why) => format!("nonce {nonce} needs a person: {why}"),
            (None, why) => format!("the signer {} needs a person: {why}", self.key.sender),
        }
    }

    /// The transactions that are in a block, and in which.
    pub(super) fn in_blocks(&self) -> Vec<(u64, Hash32)> {
        let mined = self.sender.intents().filter_map(|intent| match intent.state {
            State::Mined(Mined { block_hash, .. }) => Some((intent.nonce, block_hash)),
            State::Assigned | State::Signed | State::Sent | State::Final { .. } | State::Unknown | State::Closed => {
                None
            }
        });
        mined.collect()
    }

    /// Counts a reorganisation that took blocks with transactions of ours.
    pub(super) fn count_reorg(&self, before: &[(u64, Hash32)]) {
        let left = |(nonce, hash): &&(u64, Hash32)| {
            let mined = self.sender.intent(*nonce).and_then(|intent| intent.state.mined());
            mined.is_none_or(|mined| mined.block_hash != *hash)
        };
        let nonces: Vec<u64> = before.iter().filter(left).map(|(nonce, _)| *nonce).collect();
        if !nonces.is_empty() {
            metrics::counter!("settlement_reorgs_total").increment(1);
            tracing::warn!(
                ?nonces,
                "blocks with these transactions left the chain; they are sent again"
            );
        }
    }

    pub(super) fn gauge(&self, view: &View) {
        let wei: f64 = view.balance.to_string().parse().unwrap_or(0.0);
        metrics::gauge!("settlement_signer_balance").set(wei / 1e18);
        metrics::gauge!("settlement_drift").set(whole(self.watch.drift));
        metrics::gauge!("settlement_head").set(whole(view.head.number));
        metrics::gauge!("settlement_in_flight").set(whole(count(self.sender.in_flight())));
        let now = self.driver.now().seconds();
        let oldest = self.sender.intents().filter_map(|intent| {
            let first = intent.attempts.first()?.sent?.first.at;
            matches!(intent.state, State::Sent).then_some(now.saturating_sub(first.seconds()))
        });
        let oldest = u64::try_from(oldest.max().unwrap_or(0)).unwrap_or(0);
        metrics::gauge!("settlement_oldest_in_flight_seconds").set(whole(oldest));
        let alarms = count(self.sender.alarms().count()).saturating_add(self.flagged);
        metrics::gauge!("settlement_attention").set(whole(alarms));
    }
}

/// A number for a dashboard: beyond 2^32 nobody counts.
pub(super) fn whole(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
