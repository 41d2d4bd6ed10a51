use diesel::dsl::exists;
use diesel::prelude::*;

use crate::db::schema::{webhook_attempts, webhook_deliveries, webhook_events, webhook_subscriptions};
use crate::db::{Bulk, Tx};
use crate::error::Error;
use crate::on;
use crate::types::{AssetId, DeliveryId, MintRequestId, RowId, Timestamp, WebhookEventId, WebhookId};
use crate::webhook::model::stored;
use crate::webhook::{Attempt, DeliveryState, Event, EventKind, State};

// --- what is to be told ---------------------------------------------------------------------------------------------

pub(in crate::webhook) fn insert_events(tx: &mut Tx<'_>, events: &[Event]) -> Result<(), Error> {
    let mut data = Vec::new();
    for event in events {
        data.push(serde_json::to_string(&event.news).map_err(Error::internal)?);
    }
    let ids = |of: fn(&Event) -> uuid::Uuid| events.iter().map(of).collect::<Vec<_>>();
    Bulk::into("webhook_events")
        .column("asset_id", ids(|event| *event.collection.as_uuid()))
        .column("id", ids(|event| *event.id.as_uuid()))
        .column("kind", events.iter().map(|event| event.kind.text()).collect::<Vec<_>>())
        .column("subject", ids(|event| *event.subject.as_uuid()))
        .column("data", data)
        .column("created_at", events.iter().map(|event| event.at).collect::<Vec<_>>())
        .execute(tx)?;
    Ok(())
}

/// Of these events to these subscriptions, due now. `replay_of` is for a single one.
pub(in crate::webhook) fn insert_deliveries(
    tx: &mut Tx<'_>,
    rows: &[(WebhookId, AssetId, WebhookEventId)],
    replay_of: Option<(DeliveryId, Option<String>)>,
    now: Timestamp,
) -> Result<Vec<DeliveryId>, Error> {
    let ids: Vec<DeliveryId> = rows.iter().map(|_| DeliveryId::generate()).collect();
    let (replayed, body) = replay_of.map_or((None, None), |(id, body)| (Some(*id.as_uuid()), body));
    let uuids = |of: fn(&(WebhookId, AssetId, WebhookEventId)) -> uuid::Uuid| rows.iter().map(of).collect::<Vec<_>>();
    Bulk::into("webhook_deliveries")
        .column("subscription_id", uuids(|row| *row.0.as_uuid()))
        .column("id", ids.iter().map(|id| *id.as_uuid()).collect::<Vec<_>>())
        .column("asset_id", uuids(|row| *row.1.as_uuid()))
        .column("event_id", uuids(|row| *row.2.as_uuid()))
        .column("state", vec![DeliveryState::Pending.text(); rows.len()])
        .column("attempts", vec![0_i32; rows.len()])
        .column("due_at", vec![Some(now); rows.len()])
        .column("body", vec![body; rows.len()])
        .column("replay_of", vec![replayed; rows.len()])
        .column("created_at", vec![now; rows.len()])
        .execute(tx)?;
    Ok(ids)
}

// --- who tells it ---------------------------------------------------------------------------------------------------

/// Subscriptions with something that is due and that nobody is sending; whose first delivery is due longest comes first.
pub(in crate::webhook) fn with_due(tx: &mut Tx<'_>, now: Timestamp) -> Result<Vec<WebhookId>, Error> {
    let due = webhook_deliveries::table
        .filter(webhook_deliveries::subscription_id.eq(webhook_subscriptions::id))
        .filter(webhook_deliveries::due_at.le(now))
        .filter(
            webhook_deliveries::leased_until
                .is_null()
                .or(webhook_deliveries::leased_until.lt(now)),
        );
    let first = due
        .order(webhook_deliveries::due_at)
        .limit(1)
        .select(webhook_deliveries::due_at)
        .single_value();
    let query = webhook_subscriptions::table
        .filter(webhook_subscriptions::state.eq(State::Active.text()))
        .select((webhook_subscriptions::id, first));
    let found: Vec<(WebhookId, Option<Timestamp>)> = on!(tx, c => query.load(c))?;
    let mut found: Vec<(Timestamp, WebhookId)> = found.into_iter().filter_map(|(id, due)| Some((due?, id))).collect();
    found.sort_unstable();
    Ok(found.into_iter().map(|(_, id)| id).collect())
}

/// A delivery that this process alone may try until its lease ends.
#[derive(Clone, Debug)]
pub(in crate::webhook) struct Claimed {
    pub id: DeliveryId,
    /// Attempts that were made.
    pub attempts: u32,
    pub body: Option<String>,
    pub event: Event,
}

type ClaimedRow = (
    DeliveryId,
    i32,
    Option<String>,
    (WebhookEventId, String, AssetId, MintRequestId, String, Timestamp),
);

fn claimed_of(row: ClaimedRow) -> Result<Claimed, Error> {
    let (id, attempts, body, (event, kind, collection, subject, data, at)) = row;
    Ok(Claimed {
        id,
        attempts: u32::try_from(attempts).unwrap_or(0),
        body,
        event: Event {
            id: event,
            kind: stored(EventKind::parse(&kind), &kind)?,
            collection,
            subject,
            news: serde_json::from_str(&data).map_err(Error::internal)?,
            at,
        },
    })
}

/// Takes up to `limit` of what is due; what another process is just taking is passed over.
pub(in crate::webhook) fn claim(
    tx: &mut Tx<'_>,
    subscription: WebhookId,
    claim: RowId,
    (now, until): (Timestamp, Timestamp),
    limit: i64,
) -> Result<Vec<Claimed>, Error> {
    let due = webhook_deliveries::table
        .filter(webhook_deliveries::subscription_id.eq(subscription))
        .filter(webhook_deliveries::due_at.le(now))
        .filter(
            webhook_deliveries::leased_until
                .is_null()
                .or(webhook_deliveries::leased_until.lt(now)),
        )
        .order(webhook_deliveries::due_at)
        .limit(limit)
        .select(webhook_deliveries::id);
    let ids: Vec<DeliveryId> = match tx {
        Tx::Pg(c) => due.for_no_key_update().skip_locked().load(*c)?,
        Tx::Sqlite(c) => due.load(*c)?,
    };
    let rows = webhook_deliveries::table
        .filter(webhook_deliveries::subscription_id.eq(subscription))
        .filter(webhook_deliveries::id.eq_any(ids));
    let set = (
        webhook_deliveries::claim.eq(claim),
        webhook_deliveries::leased_until.eq(until),
    );
    on!(tx, c => diesel::update(rows).set(set).execute(c))?;
    let query = webhook_deliveries::table
        .inner_join(
            webhook_events::table.on(webhook_events::asset_id
                .eq(webhook_deliveries::asset_id)
                .and(webhook_events::id.eq(webhook_deliveries::event_id))),
        )
        .filter(webhook_deliveries::subscription_id.eq(subscription))
        .filter(webhook_deliveries::claim.eq(claim))
        .order((webhook_deliveries::due_at, webhook_deliveries::id))
        .select((
            webhook_deliveries::id,
            webhook_deliveries::attempts,
            webhook_deliveries::body,
            (
                webhook_events::id,
                webhook_events::kind,
                webhook_events::asset_id,
                webhook_events::subject,
                webhook_events::data,
                webhook_events::created_at,
            ),
        ));
    let rows: Vec<ClaimedRow> = on!(tx, c => query.load(c))?;
    rows.into_iter().map(claimed_of).collect()
}

pub(in crate::webhook) fn put_body(
    tx: &mut Tx<'_>,
    subscription: WebhookId,
    id: DeliveryId,
    body: &str,
) -> Result<(), Error> {
    let row = webhook_deliveries::table.find((subscription, id));
    on!(tx, c => diesel::update(row).set(webhook_deliveries::body.eq(body)).execute(c))?;
    Ok(())
}

/// What an attempt makes of its delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::webhook) enum Ending {
    Delivered,
    /// Once more, then.
    Retried(Timestamp),
    Failed,
}

/// Records an attempt and lets the delivery go. False, and nothing is written, when the claim was lost: somebody else tries
/// it, or it was cancelled.
pub(in crate::webhook) fn end_attempt(
    tx: &mut Tx<'_>,
    subscription: WebhookId,
    (id, claim): (DeliveryId, RowId),
    attempt: &Attempt,
    ending: Ending,
    now: Timestamp,
) -> Result<bool, Error> {
    let (state, due_at) = match ending {
        Ending::Delivered => (DeliveryState::Delivered, None),
        Ending::Retried(at) => (DeliveryState::Pending, Some(at)),
        Ending::Failed => (DeliveryState::Failed, None),
    };
    let number = i32::try_from(attempt.number).map_err(Error::internal)?;
    let rows = webhook_deliveries::table
        .find((subscription, id))
        .filter(webhook_deliveries::claim.eq(claim));
    let set = (
        webhook_deliveries::state.eq(state.text()),
        webhook_deliveries::attempts.eq(number),
        webhook_deliveries::due_at.eq(due_at),
        webhook_deliveries::claim.eq(None::<RowId>),
        webhook_deliveries::leased_until.eq(None::<Timestamp>),
        webhook_deliveries::ended_at.eq(due_at.is_none().then_some(now)),
    );
    let changed = on!(tx, c => diesel::update(rows).set(set).execute(c))?;
    if changed == 0 {
        return Ok(false);
    }
    let row = (
        webhook_attempts::subscription_id.eq(subscription),
        webhook_attempts::delivery_id.eq(id),
        webhook_attempts::number.eq(number),
        webhook_attempts::at.eq(attempt.at),
        webhook_attempts::took_ms.eq(i64::try_from(attempt.took.as_millis()).unwrap_or(i64::MAX)),
        webhook_attempts::status.eq(attempt.status.map(i32::from)),
        webhook_attempts::error.eq(&attempt.error),
        webhook_attempts::answer.eq(&attempt.answer),
    );
    on!(tx, c => diesel::insert_into(webhook_attempts::table).values(row).execute(c))?;
    Ok(true)
}

/// What waits for a subscription that was deleted is not sent any more.
pub(in crate::webhook) fn cancel_waiting(
    tx: &mut Tx<'_>,
    subscription: WebhookId,
    now: Timestamp,
) -> Result<usize, Error> {
    let rows = webhook_deliveries::table
        .filter(webhook_deliveries::subscription_id.eq(subscription))
        .filter(webhook_deliveries::due_at.is_not_null());
    let set = (
        webhook_deliveries::state.eq(DeliveryState::Cancelled.text()),
        webhook_deliveries::due_at.eq(None::<Timestamp>),
        webhook_deliveries::claim.eq(None::<RowId>),
        webhook_deliveries::leased_until.eq(None::<Timestamp>),
        webhook_deliveries::ended_at.eq(now),
    );
    Ok(on!(tx, c => diesel::update(rows).set(set).execute(c))?)
}

/// Subscriptions that were deleted and that something waits for all the same.
pub(in crate::webhook) fn deleted_with_waiting(tx: &mut Tx<'_>) -> Result<Vec<WebhookId>, Error> {
    let waiting = webhook_deliveries::table
        .filter(webhook_deliveries::subscription_id.eq(webhook_subscriptions::id))
        .filter(webhook_deliveries::due_at.is_not_null());
    let query = webhook_subscriptions::table
        .filter(webhook_subscriptions::state.eq(State::Deleted.text()))
        .filter(exists(waiting))
        .select(webhook_subscriptions::id);
    Ok(on!(tx, c => query.load(c))?)
}
