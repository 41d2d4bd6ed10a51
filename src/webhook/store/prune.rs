use std::collections::BTreeMap;

use diesel::dsl::{exists, not};
use diesel::prelude::*;

use crate::db::Tx;
use crate::db::schema::{webhook_attempts, webhook_deliveries, webhook_events};
use crate::error::Error;
use crate::on;
use crate::types::{AssetId, DeliveryId, Timestamp, WebhookEventId, WebhookId};

/// Rows that one look at what is old takes away: short transactions, whatever there is.
const PRUNED_MAX: i64 = 5_000;
/// Ids of one statement: far below the parameters that SQLite takes.
const IDS_MAX: usize = 500;

/// Takes away deliveries that ended before then, with their attempts, and events that nobody is told any more.
pub(in crate::webhook) fn prune(tx: &mut Tx<'_>, before: Timestamp) -> Result<usize, Error> {
    let deliveries = prune_deliveries(tx, before)?;
    let events = prune_events(tx, before)?;
    Ok(deliveries.saturating_add(events))
}

fn prune_deliveries(tx: &mut Tx<'_>, before: Timestamp) -> Result<usize, Error> {
    let old = webhook_deliveries::table
        .filter(webhook_deliveries::ended_at.lt(before))
        .limit(PRUNED_MAX)
        .select((webhook_deliveries::subscription_id, webhook_deliveries::id));
    let old: Vec<(WebhookId, DeliveryId)> = on!(tx, c => old.load(c))?;
    let count = old.len();
    for (subscription, ids) in grouped(old) {
        for ids in ids.chunks(IDS_MAX) {
            let attempts = webhook_attempts::table
                .filter(webhook_attempts::subscription_id.eq(subscription))
                .filter(webhook_attempts::delivery_id.eq_any(ids));
            on!(tx, c => diesel::delete(attempts).execute(c))?;
            let deliveries = webhook_deliveries::table
                .filter(webhook_deliveries::subscription_id.eq(subscription))
                .filter(webhook_deliveries::id.eq_any(ids));
            on!(tx, c => diesel::delete(deliveries).execute(c))?;
        }
    }
    Ok(count)
}

fn prune_events(tx: &mut Tx<'_>, before: Timestamp) -> Result<usize, Error> {
    let told = webhook_deliveries::table
        .filter(webhook_deliveries::asset_id.eq(webhook_events::asset_id))
        .filter(webhook_deliveries::event_id.eq(webhook_events::id));
    let silent = webhook_events::table
        .filter(webhook_events::created_at.lt(before))
        .filter(not(exists(told)))
        .limit(PRUNED_MAX)
        .select((webhook_events::asset_id, webhook_events::id));
    let silent: Vec<(AssetId, WebhookEventId)> = on!(tx, c => silent.load(c))?;
    let count = silent.len();
    for (collection, ids) in grouped(silent) {
        for ids in ids.chunks(IDS_MAX) {
            let events = webhook_events::table
                .filter(webhook_events::asset_id.eq(collection))
                .filter(webhook_events::id.eq_any(ids));
            on!(tx, c => diesel::delete(events).execute(c))?;
        }
    }
    Ok(count)
}

fn grouped<K: Ord, T>(pairs: Vec<(K, T)>) -> BTreeMap<K, Vec<T>> {
    let mut groups: BTreeMap<K, Vec<T>> = BTreeMap::new();
    for (key, value) in pairs {
        groups.entry(key).or_default().push(value);
    }
    groups
}
