//! Who is told what happened to mint requests, and how: subscriptions, what they are told, and every attempt to tell it.
//!
//! *Subscription*: a target (an HTTPS address), a scope (one collection, the collections of one environment, or all), the
//! kinds of events it wants, and a *scheme* (how a body looks and is signed). *Event*: what happened to one request, as it
//! was then; its id stays the same however often it is sent, so that a receiver knows a repetition. *Delivery*: one event
//! on its way to one subscription. *Attempt*: one request, and what came of it. *Replay*: a delivery of the same event and
//! body once more, by hand. *Claim*: who tries a delivery now, until its lease ends.
//!
//! Invariants: events and deliveries are rows of the transaction of the change ([`note`]), so none is lost and none is told
//! of what was not committed; a delivery is tried by one process at a time; what one attempt says is written by whoever
//! holds the claim, or not at all. A process that dies between sending and writing leaves a lease that runs out, and the
//! event is sent again under its id: at least once. Order is not promised. The body is rendered once, in the transaction
//! of its first claim, and every repetition sends the same bytes; but personal data ([`Personal`]), which is put in on the
//! way out for as long as it is known here, and is in no log.
//!
//! Limits: five attempts, at 0, 1 min, 5 min, 30 min and 2 h; 30 s each; deliveries that ended are kept for 30 days. Where
//! it may be sent: [`target`]. Sources: immutable.md A and section 9 B; certhis.md; Standard Webhooks 1.0.0.

mod deliver;
mod login;
mod model;
mod render;
mod secret;
mod send;
mod store;
mod target;
mod turns;

use serde_json::{Value, json};

pub use deliver::Deliverer;
pub use login::{end_login, register_login, registered_login};
pub use model::{
    Attempt, Backlog, Change, Delivery, DeliveryLog, DeliveryState, Event, EventKind, MintNews, NewSubscription,
    Registration, Scheme, Scope, Source, State, Subscription, SubscriptionChange, SubscriptionFilter,
};
pub use render::{Personal, Render, Renderers};
pub use secret::{Login, LoginError, LoginName, LoginPassword, Secret};
pub use target::{Target, TargetError, TargetRules};

use crate::access::{By, Vault, environment};
use crate::audit::{self, Stream};
use crate::db::{Cursor, Page, Tx};
use crate::error::Error;
use crate::types::{DeliveryId, Timestamp, WebhookEventId, WebhookId};
use store::SealedSecrets;

/// How long a secret that was replaced may still sign.
pub const OVERLAP_SECONDS_MAX: i64 = 7 * 86_400;
/// How long the log of what has ended is kept.
const KEPT_SECONDS: i64 = 30 * 86_400;

// --- subscriptions --------------------------------------------------------------------------------------------------

/// A new subscription and, for the only time but a rotation, its secret. Asks for no right, as every function here: the
/// caller of the route does.
///
/// Errors: `NotFound` for the environment, `Invalid` for an empty list of events, and for a scheme that needs a login
/// instead ([`register_login`]).
pub fn subscribe(
    tx: &mut Tx<'_>,
    vault: &Vault,
    by: impl Into<By>,
    new: NewSubscription,
) -> Result<(Subscription, Secret), Error> {
    match new.scheme {
        Scheme::Immutable | Scheme::Standard => {}
        Scheme::Certhis => return Err(Error::invalid("scheme", "certhis takes a login and a password")),
    }
    let (id, secret) = (WebhookId::generate(), Secret::generate()?);
    let sealed = secret.seal(vault, id)?;
    let subscription = found(tx, &by.into(), id, new, &sealed)?;
    Ok((subscription, secret))
}

/// Errors: `NotFound`, also for one that was deleted.
pub fn find(tx: &mut Tx<'_>, id: WebhookId) -> Result<Subscription, Error> {
    store::by_id(tx, id)?.ok_or(Error::NotFound("webhook"))
}

/// Newest first, with the cursor of the next page. Errors: `Invalid` for a cursor that this list did not give out.
pub fn list(
    tx: &mut Tx<'_>,
    filter: SubscriptionFilter,
    page: &Page,
) -> Result<(Vec<Subscription>, Option<String>), Error> {
    let after = position(page, |text| WebhookId::parse(text).ok())?;
    let found = store::list(tx, filter, after, page)?;
    Ok(cut(found, page, |subscription| subscription.id.to_string()))
}

/// Another target, other events, another login, or whether it is told anything at all. What waits is sent to where it is to
/// go now.
///
/// Errors: `NotFound`; `Invalid` when nothing is to change, for an empty list of events, and for a login that is missing or
/// out of place (path `login`): what one receiver is shown goes to no other.
pub fn update(
    tx: &mut Tx<'_>,
    vault: &Vault,
    by: impl Into<By>,
    id: WebhookId,
    change: &SubscriptionChange,
) -> Result<Subscription, Error> {
    let by = by.into();
    if change.is_nothing() {
        return Err(Error::invalid(
            "",
            "nothing to change: give url, events, login or active",
        ));
    }
    let change = SubscriptionChange {
        events: change.events.clone().map(checked).transpose()?,
        ..change.clone()
    };
    let known = lock(tx, id)?;
    login::check(&known, &change)?;
    if let Some(login) = &change.login {
        login::put(tx, vault, &by, id, login)?;
    }
    store::put_change(tx, id, &change, by.now)?;
    let changed = find(tx, id)?;
    let mut data = described(&changed);
    if let (Value::Object(fields), Some(_)) = (&mut data, &change.login) {
        fields.insert("login".to_owned(), json!("replaced"));
    }
    record(tx, &by, &changed, "webhook.updated", data)?;
    Ok(changed)
}

/// Puts a new secret in the place of the one that signs, which signs too for `overlap_seconds` from now. What was still
/// signing from an earlier rotation ends now.
///
/// Errors: `NotFound`; `Conflict` for one that has a login and no secret; `Invalid` for an overlap out of bounds.
pub fn rotate_secret(
    tx: &mut Tx<'_>,
    vault: &Vault,
    by: impl Into<By>,
    id: WebhookId,
    overlap_seconds: i64,
) -> Result<(Subscription, Secret), Error> {
    let by = by.into();
    if !(0..=OVERLAP_SECONDS_MAX).contains(&overlap_seconds) {
        let message = format!("must be from 0 to {OVERLAP_SECONDS_MAX}");
        return Err(Error::invalid("overlapSeconds", message));
    }
    match lock(tx, id)?.scheme {
        Scheme::Immutable | Scheme::Standard => {}
        Scheme::Certhis => return Err(Error::Conflict("The webhook has a login and no secret".to_owned())),
    }
    let (secret, old) = (Secret::generate()?, store::secrets_of(tx, id)?);
    let until = by.now.plus_seconds(overlap_seconds);
    let secrets = SealedSecrets {
        current: secret.seal(vault, id)?,
        retiring: (overlap_seconds > 0).then_some((old.current, until)),
    };
    store::put_secrets(tx, id, &secrets, by.now)?;
    let changed = find(tx, id)?;
    let data = json!({ "replacedSignsUntil": changed.retiring_until });
    record(tx, &by, &changed, "webhook.secret_rotated", data)?;
    Ok((changed, secret))
}

/// What waits for it is not sent any more; what is being sent at this moment still arrives. Errors: `NotFound`.
pub fn delete(tx: &mut Tx<'_>, by: impl Into<By>, id: WebhookId) -> Result<Subscription, Error> {
    let by = by.into();
    let known = lock(tx, id)?;
    store::put_state(tx, id, State::Deleted, by.now)?;
    let cancelled = store::cancel_waiting(tx, id, by.now)?;
    record(tx, &by, &known, "webhook.deleted", json!({ "cancelled": cancelled }))?;
    Ok(Subscription {
        state: State::Deleted,
        updated_at: by.now,
        ..known
    })
}

// --- what is told ---------------------------------------------------------------------------------------------------

/// Tells what happened in a collection, in the transaction in which it happens. `changes` is asked only when somebody is
/// to be told anything.
pub fn note(
    tx: &mut Tx<'_>,
    source: &Source,
    now: Timestamp,
    changes: impl FnOnce() -> Vec<Change>,
) -> Result<(), Error> {
    let audience = store::audience(tx, source)?;
    if audience.is_empty() {
        return Ok(());
    }
    let (mut events, mut deliveries) = (Vec::new(), Vec::new());
    for change in changes() {
        let wants = |(_, kinds): &&(WebhookId, Vec<EventKind>)| kinds.contains(&change.kind);
        let concerned: Vec<WebhookId> = audience.iter().filter(wants).map(|(id, _)| *id).collect();
        if concerned.is_empty() {
            continue;
        }
        let event = Event {
            id: WebhookEventId::generate(),
            kind: change.kind,
            collection: source.collection,
            subject: change.subject,
            news: change.news,
            at: now,
        };
        deliveries.extend(concerned.into_iter().map(|id| (id, source.collection, event.id)));
        events.push(event);
    }
    store::insert_events(tx, &events)?;
    store::insert_deliveries(tx, &deliveries, None, now)?;
    Ok(())
}

// --- the log of deliveries ------------------------------------------------------------------------------------------

/// Newest first, with the cursor of the next page. Errors: `Invalid` for a cursor that this list did not give out.
pub fn deliveries(
    tx: &mut Tx<'_>,
    subscription: WebhookId,
    state: Option<DeliveryState>,
    page: &Page,
) -> Result<(Vec<Delivery>, Option<String>), Error> {
    let after = position(page, |text| DeliveryId::parse(text).ok())?;
    let found = store::deliveries(tx, subscription, state, after, page)?;
    Ok(cut(found, page, |delivery| delivery.id.to_string()))
}

/// One delivery with its body and attempts. Errors: `NotFound`, also for one of another subscription.
pub fn delivery(tx: &mut Tx<'_>, subscription: WebhookId, id: DeliveryId) -> Result<DeliveryLog, Error> {
    let (delivery, body) = store::delivery(tx, subscription, id)?.ok_or(Error::NotFound("delivery"))?;
    Ok(DeliveryLog {
        delivery,
        body,
        attempts: store::attempts_of(tx, subscription, id)?,
    })
}

/// Sends what was sent, or given up, once more: a new delivery of the same event and body, with attempts of its own.
///
/// Errors: `NotFound`; `Conflict` for one that is still tried, and for a subscription that is not active.
pub fn replay(tx: &mut Tx<'_>, by: impl Into<By>, subscription: WebhookId, id: DeliveryId) -> Result<Delivery, Error> {
    let by = by.into();
    let known = lock(tx, subscription)?;
    if known.state != State::Active {
        return Err(Error::Conflict("The webhook is not active".to_owned()));
    }
    let (old, body) = store::delivery(tx, subscription, id)?.ok_or(Error::NotFound("delivery"))?;
    if old.state == DeliveryState::Pending {
        return Err(Error::Conflict("The delivery is still being tried".to_owned()));
    }
    let row = (subscription, old.collection, old.event);
    let ids = store::insert_deliveries(tx, &[row], Some((old.id, body)), by.now)?;
    let new = ids
        .first()
        .ok_or_else(|| Error::internal("a delivery was not written"))?;
    let data = json!({ "delivery": new, "event": old.event, "replayOf": old.id });
    record(tx, &by, &known, "webhook.replayed", data)?;
    Ok(delivery(tx, subscription, *new)?.delivery)
}

/// Takes away the log of what ended a month ago: housekeeping. What was noted for a subscription while another transaction
/// deleted it ends now, as if it had been noted before.
pub fn prune(tx: &mut Tx<'_>, now: Timestamp) -> Result<usize, Error> {
    for id in store::deleted_with_waiting(tx)? {
        store::cancel_waiting(tx, id, now)?;
    }
    store::prune(tx, now.plus_seconds(-KEPT_SECONDS))
}

/// What waits for receivers: for metrics.
pub fn backlog(tx: &mut Tx<'_>) -> Result<Backlog, Error> {
    store::backlog(tx)
}

// --- details --------------------------------------------------------------------------------------------------------

fn found(tx: &mut Tx<'_>, by: &By, id: WebhookId, new: NewSubscription, sealed: &str) -> Result<Subscription, Error> {
    if let Scope::Environment(environment) = new.scope {
        environment::find(tx, environment)?;
    }
    let subscription = Subscription {
        id,
        scope: new.scope,
        target: new.target,
        scheme: new.scheme,
        events: checked(new.events.unwrap_or_else(|| EventKind::ALL.to_vec()))?,
        state: State::Active,
        retiring_until: None,
        created_by: by.user,
        created_at: by.now,
        updated_at: by.now,
    };
    store::insert(tx, &subscription, sealed)?;
    record(tx, by, &subscription, "webhook.created", described(&subscription))?;
    Ok(subscription)
}

fn lock(tx: &mut Tx<'_>, id: WebhookId) -> Result<Subscription, Error> {
    store::lock(tx, id)?.ok_or(Error::NotFound("webhook"))
}

/// Each kind once, at least one.
fn checked(mut events: Vec<EventKind>) -> Result<Vec<EventKind>, Error> {
    events.sort_unstable();
    events.dedup();
    match events.is_empty() {
        true => Err(Error::invalid("events", "must name at least one kind of event")),
        false => Ok(events),
    }
}

fn position<I>(page: &Page, parse: impl Fn(&str) -> Option<I>) -> Result<Option<I>, Error> {
    let unknown = || Error::invalid("cursor", "is not a cursor that this list gave out");
    let cursor = page.cursor.as_deref().map(Cursor::parse::<1>).transpose();
    let Some([id]) = cursor.map_err(|_| unknown())? else {
        return Ok(None);
    };
    parse(&id).map(Some).ok_or_else(unknown)
}

/// The page, and the cursor of the next one when there is one more row.
fn cut<T>(mut rows: Vec<T>, page: &Page, id: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
    let limit = usize::try_from(page.limit).unwrap_or(0);
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| has_more);
    let next = next.map(|row| Cursor::new([id(row)]).to_string());
    (rows, next)
}

/// Without the path of the target, which may hold a token.
fn described(subscription: &Subscription) -> Value {
    let events: Vec<&str> = subscription.events.iter().map(|kind| kind.text()).collect();
    let (environment, collection) = match subscription.scope {
        Scope::System => (None, None),
        Scope::Environment(environment) => (Some(environment), None),
        Scope::Collection(collection) => (None, Some(collection)),
    };
    json!({
        "collection": collection, "environment": environment, "events": events, "host": subscription.target.host(),
        "scheme": subscription.scheme.text(), "state": subscription.state.text(),
    })
}

/// All events of a subscription are in one stream, in their order.
fn record(
    tx: &mut Tx<'_>,
    by: &By,
    subscription: &Subscription,
    action: &'static str,
    mut data: Value,
) -> Result<(), Error> {
    if let Value::Object(fields) = &mut data {
        fields.insert("webhook".to_owned(), json!(subscription.id));
    }
    let event = audit::Event {
        stream: Stream::of_id(subscription.id.as_uuid()),
        actor: by.name.clone(),
        action,
        asset: None,
        operation: None,
        subjects: Vec::new(),
        data,
    };
    audit::append(tx, by.now, vec![event])
}
