use std::time::Duration;

use diesel::prelude::*;

use crate::db::schema::{webhook_attempts, webhook_deliveries, webhook_events};
use crate::db::{Page, Tx};
use crate::error::Error;
use crate::on;
use crate::types::{AssetId, DeliveryId, Timestamp, WebhookEventId, WebhookId};
use crate::webhook::model::stored;
use crate::webhook::{Attempt, Delivery, DeliveryState, EventKind};

type DeliveryRow = (
    (DeliveryId, WebhookId, AssetId, WebhookEventId),
    String,
    (String, i32, Option<Timestamp>),
    Option<DeliveryId>,
    (Timestamp, Option<Timestamp>),
);

type Columns = (
    (
        webhook_deliveries::id,
        webhook_deliveries::subscription_id,
        webhook_deliveries::asset_id,
        webhook_deliveries::event_id,
    ),
    webhook_events::kind,
    (
        webhook_deliveries::state,
        webhook_deliveries::attempts,
        webhook_deliveries::due_at,
    ),
    webhook_deliveries::replay_of,
    (webhook_deliveries::created_at, webhook_deliveries::ended_at),
);

const DELIVERY: Columns = (
    (
        webhook_deliveries::id,
        webhook_deliveries::subscription_id,
        webhook_deliveries::asset_id,
        webhook_deliveries::event_id,
    ),
    webhook_events::kind,
    (
        webhook_deliveries::state,
        webhook_deliveries::attempts,
        webhook_deliveries::due_at,
    ),
    webhook_deliveries::replay_of,
    (webhook_deliveries::created_at, webhook_deliveries::ended_at),
);

fn delivery_of(row: DeliveryRow) -> Result<Delivery, Error> {
    let ((id, subscription, collection, event), kind, (state, attempts, due_at), replay_of, times) = row;
    Ok(Delivery {
        id,
        subscription,
        collection,
        event,
        kind: stored(EventKind::parse(&kind), &kind)?,
        state: stored(DeliveryState::parse(&state), &state)?,
        attempts: u32::try_from(attempts).unwrap_or(0),
        due_at,
        replay_of,
        created_at: times.0,
        ended_at: times.1,
    })
}

/// Newest first; the cursor is the id of the last one seen. One more than the page tells that there are more.
pub(in crate::webhook) fn deliveries(
    tx: &mut Tx<'_>,
    subscription: WebhookId,
    state: Option<DeliveryState>,
    after: Option<DeliveryId>,
    page: &Page,
) -> Result<Vec<Delivery>, Error> {
    let rows: Vec<DeliveryRow> = on!(tx, c => {
        let mut query = webhook_deliveries::table
            .inner_join(
                webhook_events::table.on(webhook_events::asset_id
                    .eq(webhook_deliveries::asset_id)
                    .and(webhook_events::id.eq(webhook_deliveries::event_id))),
            )
            .filter(webhook_deliveries::subscription_id.eq(subscription))
            .select(DELIVERY)
            .into_boxed();
        if let Some(state) = state {
            query = query.filter(webhook_deliveries::state.eq(state.text()));
        }
        if let Some(after) = after {
            query = query.filter(webhook_deliveries::id.lt(after));
        }
        let query = query.order(webhook_deliveries::id.desc());
        query.offset(page.offset).limit(page.limit.saturating_add(1)).load(c)
    })?;
    rows.into_iter().map(delivery_of).collect()
}

/// With its body, which may be long.
pub(in crate::webhook) fn delivery(
    tx: &mut Tx<'_>,
    subscription: WebhookId,
    id: DeliveryId,
) -> Result<Option<(Delivery, Option<String>)>, Error> {
    let query = webhook_deliveries::table
        .inner_join(
            webhook_events::table.on(webhook_events::asset_id
                .eq(webhook_deliveries::asset_id)
                .and(webhook_events::id.eq(webhook_deliveries::event_id))),
        )
        .filter(webhook_deliveries::subscription_id.eq(subscription))
        .filter(webhook_deliveries::id.eq(id))
        .select((DELIVERY, webhook_deliveries::body));
    let row: Option<(DeliveryRow, Option<String>)> = on!(tx, c => query.first(c).optional())?;
    row.map(|(row, body)| Ok((delivery_of(row)?, body))).transpose()
}

/// First attempt first.
pub(in crate::webhook) fn attempts_of(
    tx: &mut Tx<'_>,
    subscription: WebhookId,
    id: DeliveryId,
) -> Result<Vec<Attempt>, Error> {
    type Row = (i32, Timestamp, i64, Option<i32>, Option<String>, Option<String>);
    let query = webhook_attempts::table
        .filter(webhook_attempts::subscription_id.eq(subscription))
        .filter(webhook_attempts::delivery_id.eq(id))
        .order(webhook_attempts::number)
        .select((
            webhook_attempts::number,
            webhook_attempts::at,
            webhook_attempts::took_ms,
            webhook_attempts::status,
            webhook_attempts::error,
            webhook_attempts::answer,
        ));
    let rows: Vec<Row> = on!(tx, c => query.load(c))?;
    let attempts = rows
        .into_iter()
        .map(|(number, at, took_ms, status, error, answer)| Attempt {
            number: u32::try_from(number).unwrap_or(0),
            at,
            took: Duration::from_millis(u64::try_from(took_ms).unwrap_or(0)),
            status: status.and_then(|status| u16::try_from(status).ok()),
            error,
            answer,
        });
    Ok(attempts.collect())
}
