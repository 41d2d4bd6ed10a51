//! Tokens that refuse every mint: they wait for a person, and the node is not asked about each of them at every look.

use super::Session;
use super::mints::{Batch, Mint};
use crate::error::Error;
use crate::operation;
use crate::types::{Address, AssetId};

/// A token that refuses everything is tried again so many looks later.
const REFUSED_FOR_LOOKS: u32 = 60;

impl Session {
    /// Why the mints of this asset are not even tried now.
    pub(super) fn refuses(&self, asset: AssetId) -> Option<String> {
        let (until, reason) = self.refusing.get(&asset)?;
        (self.driver.now() < *until).then(|| reason.clone())
    }

    pub(super) fn note_refusing(&mut self, token: Address, reason: &str) {
        let told = format!("mints of asset {token} wait for a person: {reason}");
        if !self.obstacles.contains(&told) {
            self.obstacles.push(told);
        }
    }

    /// Nothing fails: the operations wait and say why, and others go.
    pub(super) async fn flag(&mut self, batch: &Batch, reason: &str) -> Result<(), Error> {
        let asset = batch.placement.asset;
        self.passed_over
            .extend(batch.mints.iter().map(|mint| (asset, mint.operation.sequence)));
        self.note_refusing(batch.token, reason);
        let wait = self.driver.settings.poll.saturating_mul(REFUSED_FOR_LOOKS);
        let wait = i64::try_from(wait.as_secs()).unwrap_or(i64::MAX);
        let until = self.driver.now().plus_seconds(wait);
        self.refusing.insert(asset, (until, reason.to_owned()));
        let is_told = |mint: &Mint| matches!(&mint.operation.attention, Some((told, _)) if told == reason);
        let news = batch.mints.iter().filter(|mint| !is_told(mint));
        let operations: Vec<_> = news.map(|mint| (asset, mint.operation.sequence)).collect();
        if operations.is_empty() {
            return Ok(());
        }
        tracing::error!(%asset, %reason, "mints wait for a person");
        metrics::counter!("settlement_alarms_total", "reason" => "token_refuses").increment(1);
        let (now, reason) = (self.driver.now(), reason.to_owned());
        self.write(move |tx| {
            for (asset, numbers) in super::act::by_asset(&operations) {
                operation::hold(tx, asset, &numbers, &reason)?;
                operation::call_for_attention(tx, asset, &numbers, &reason, now)?;
            }
            Ok(())
        })
        .await
    }
}
