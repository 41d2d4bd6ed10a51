use diesel::prelude::*;

use crate::db::schema::{webhook_deliveries, webhook_subscriptions};
use crate::db::{Page, Tx};
use crate::error::Error;
use crate::on;
use crate::types::{AssetId, EnvironmentId, Timestamp, UserId, WebhookId};
use crate::webhook::model::stored;
use crate::webhook::{
    Backlog, EventKind, Scheme, Scope, Source, State, Subscription, SubscriptionChange, SubscriptionFilter, Target,
};

/// What signs, sealed: the secret, and the one before it with the end of its time.
#[derive(Clone, Debug)]
pub(in crate::webhook) struct SealedSecrets {
    pub current: String,
    pub retiring: Option<(String, Timestamp)>,
}

type Row = (
    WebhookId,
    (Option<EnvironmentId>, Option<AssetId>),
    String,
    String,
    String,
    String,
    Option<Timestamp>,
    Option<UserId>,
    (Timestamp, Timestamp),
);

/// Everything but the secrets.
type Columns = (
    webhook_subscriptions::id,
    (webhook_subscriptions::environment_id, webhook_subscriptions::asset_id),
    webhook_subscriptions::url,
    webhook_subscriptions::scheme,
    webhook_subscriptions::events,
    webhook_subscriptions::state,
    webhook_subscriptions::retiring_until,
    webhook_subscriptions::created_by,
    (webhook_subscriptions::created_at, webhook_subscriptions::updated_at),
);

const COLUMNS: Columns = (
    webhook_subscriptions::id,
    (webhook_subscriptions::environment_id, webhook_subscriptions::asset_id),
    webhook_subscriptions::url,
    webhook_subscriptions::scheme,
    webhook_subscriptions::events,
    webhook_subscriptions::state,
    webhook_subscriptions::retiring_until,
    webhook_subscriptions::created_by,
    (webhook_subscriptions::created_at, webhook_subscriptions::updated_at),
);

fn subscription_of(row: Row) -> Result<Subscription, Error> {
    let (id, (environment, collection), url, scheme, events, state, retiring_until, created_by, times) = row;
    let scope = match (environment, collection) {
        (None, None) => Scope::System,
        (Some(environment), _) => Scope::Environment(environment),
        (None, Some(collection)) => Scope::Collection(collection),
    };
    Ok(Subscription {
        id,
        scope,
        target: stored(Target::stored(&url), "url")?,
        scheme: stored(Scheme::parse(&scheme), &scheme)?,
        events: kinds_of(&events)?,
        state: stored(State::parse(&state), &state)?,
        retiring_until,
        created_by,
        created_at: times.0,
        updated_at: times.1,
    })
}

fn kinds_of(words: &str) -> Result<Vec<EventKind>, Error> {
    let words = words.split(' ');
    words.map(|word| stored(EventKind::parse(word), word)).collect()
}

fn words_of(events: &[EventKind]) -> String {
    let words: Vec<&str> = events.iter().map(|kind| kind.text()).collect();
    words.join(" ")
}

fn scope_columns(scope: Scope) -> (Option<EnvironmentId>, Option<AssetId>) {
    match scope {
        Scope::System => (None, None),
        Scope::Environment(environment) => (Some(environment), None),
        Scope::Collection(collection) => (None, Some(collection)),
    }
}

pub(in crate::webhook) fn insert(tx: &mut Tx<'_>, new: &Subscription, secret: &str) -> Result<(), Error> {
    let (environment, collection) = scope_columns(new.scope);
    let row = (
        webhook_subscriptions::id.eq(new.id),
        webhook_subscriptions::environment_id.eq(environment),
        webhook_subscriptions::asset_id.eq(collection),
        webhook_subscriptions::url.eq(new.target.to_string()),
        webhook_subscriptions::scheme.eq(new.scheme.text()),
        webhook_subscriptions::events.eq(words_of(&new.events)),
        webhook_subscriptions::state.eq(new.state.text()),
        webhook_subscriptions::secret.eq(secret),
        webhook_subscriptions::created_by.eq(new.created_by),
        webhook_subscriptions::created_at.eq(new.created_at),
        webhook_subscriptions::updated_at.eq(new.updated_at),
    );
    on!(tx, c => diesel::insert_into(webhook_subscriptions::table).values(row).execute(c))?;
    Ok(())
}

/// None for one that was deleted.
pub(in crate::webhook) fn by_id(tx: &mut Tx<'_>, id: WebhookId) -> Result<Option<Subscription>, Error> {
    let query = webhook_subscriptions::table
        .find(id)
        .filter(webhook_subscriptions::state.ne(State::Deleted.text()))
        .select(COLUMNS);
    let row: Option<Row> = on!(tx, c => query.first(c).optional())?;
    row.map(subscription_of).transpose()
}

/// As [`by_id`]; the row stays locked until the commit.
pub(in crate::webhook) fn lock(tx: &mut Tx<'_>, id: WebhookId) -> Result<Option<Subscription>, Error> {
    let query = webhook_subscriptions::table
        .find(id)
        .filter(webhook_subscriptions::state.ne(State::Deleted.text()))
        .select(COLUMNS);
    let row: Option<Row> = match tx {
        Tx::Pg(c) => query.for_no_key_update().first(*c).optional()?,
        Tx::Sqlite(c) => query.first(*c).optional()?,
    };
    row.map(subscription_of).transpose()
}

/// The one of scheme `certhis` that a collection has.
pub(in crate::webhook) fn certhis_of(tx: &mut Tx<'_>, collection: AssetId) -> Result<Option<Subscription>, Error> {
    let query = webhook_subscriptions::table
        .filter(webhook_subscriptions::asset_id.eq(collection))
        .filter(webhook_subscriptions::scheme.eq(Scheme::Certhis.text()))
        .filter(webhook_subscriptions::state.ne(State::Deleted.text()))
        .select(COLUMNS);
    let row: Option<Row> = on!(tx, c => query.first(c).optional())?;
    row.map(subscription_of).transpose()
}

/// Newest first; the cursor is the id of the last one seen. One more than the page tells that there are more.
pub(in crate::webhook) fn list(
    tx: &mut Tx<'_>,
    filter: SubscriptionFilter,
    after: Option<WebhookId>,
    page: &Page,
) -> Result<Vec<Subscription>, Error> {
    let rows: Vec<Row> = on!(tx, c => {
        let mut query = webhook_subscriptions::table
            .filter(webhook_subscriptions::state.ne(State::Deleted.text()))
            .select(COLUMNS)
            .into_boxed();
        if let Some(environment) = filter.environment {
            query = query.filter(webhook_subscriptions::environment_id.eq(environment));
        }
        if let Some(collection) = filter.collection {
            query = query.filter(webhook_subscriptions::asset_id.eq(collection));
        }
        if filter.without_system {
            let environment = webhook_subscriptions::environment_id.is_not_null();
            query = query.filter(environment.or(webhook_subscriptions::asset_id.is_not_null()));
        }
        if let Some(after) = after {
            query = query.filter(webhook_subscriptions::id.lt(after));
        }
        let query = query.order(webhook_subscriptions::id.desc());
        query.offset(page.offset).limit(page.limit.saturating_add(1)).load(c)
    })?;
    rows.into_iter().map(subscription_of).collect()
}

pub(in crate::webhook) fn put_change(
    tx: &mut Tx<'_>,
    id: WebhookId,
    change: &SubscriptionChange,
    now: Timestamp,
) -> Result<(), Error> {
    let target = change.target.as_ref().map(ToString::to_string);
    let state = change.is_active.map(|is_active| match is_active {
        true => State::Active,
        false => State::Disabled,
    });
    let set = (
        target.map(|url| webhook_subscriptions::url.eq(url)),
        change
            .events
            .as_ref()
            .map(|events| webhook_subscriptions::events.eq(words_of(events))),
        state.map(|state| webhook_subscriptions::state.eq(state.text())),
        webhook_subscriptions::updated_at.eq(now),
    );
    let row = webhook_subscriptions::table.find(id);
    on!(tx, c => diesel::update(row).set(set).execute(c))?;
    Ok(())
}

pub(in crate::webhook) fn put_state(tx: &mut Tx<'_>, id: WebhookId, state: State, now: Timestamp) -> Result<(), Error> {
    let set = (
        webhook_subscriptions::state.eq(state.text()),
        webhook_subscriptions::updated_at.eq(now),
    );
    let row = webhook_subscriptions::table.find(id);
    on!(tx, c => diesel::update(row).set(set).execute(c))?;
    Ok(())
}

pub(in crate::webhook) fn secrets_of(tx: &mut Tx<'_>, id: WebhookId) -> Result<SealedSecrets, Error> {
    type Row = (String, Option<String>, Option<Timestamp>);
    let query = webhook_subscriptions::table.find(id).select((
        webhook_subscriptions::secret,
        webhook_subscriptions::retiring_secret,
        webhook_subscriptions::retiring_until,
    ));
    let (current, retiring, until): Row = on!(tx, c => query.first(c))?;
    Ok(SealedSecrets {
        current,
        retiring: retiring.zip(until),
    })
}

pub(in crate::webhook) fn put_secrets(
    tx: &mut Tx<'_>,
    id: WebhookId,
    secrets: &SealedSecrets,
    now: Timestamp,
) -> Result<(), Error> {
    let retiring = secrets.retiring.as_ref();
    let set = (
        webhook_subscriptions::secret.eq(&secrets.current),
        webhook_subscriptions::retiring_secret.eq(retiring.map(|(secret, _)| secret)),
        webhook_subscriptions::retiring_until.eq(retiring.map(|(_, until)| *until)),
        webhook_subscriptions::updated_at.eq(now),
    );
    let row = webhook_subscriptions::table.find(id);
    on!(tx, c => diesel::update(row).set(set).execute(c))?;
    Ok(())
}

pub(in crate::webhook) fn put_creator(tx: &mut Tx<'_>, id: WebhookId, user: Option<UserId>) -> Result<(), Error> {
    let row = webhook_subscriptions::table.find(id);
    on!(tx, c => diesel::update(row).set(webhook_subscriptions::created_by.eq(user)).execute(c))?;
    Ok(())
}

/// Who is told of what happens there, and of which kinds.
pub(in crate::webhook) fn audience(
    tx: &mut Tx<'_>,
    source: &Source,
) -> Result<Vec<(WebhookId, Vec<EventKind>)>, Error> {
    let rows: Vec<(WebhookId, String)> = on!(tx, c => {
        let (environment, collection) = (webhook_subscriptions::environment_id, webhook_subscriptions::asset_id);
        let of_system = environment.is_null().and(collection.is_null());
        let of_collection = collection.is_not_null().and(collection.assume_not_null().eq(source.collection));
        let query = webhook_subscriptions::table
            .filter(webhook_subscriptions::state.eq(State::Active.text()))
            .select((webhook_subscriptions::id, webhook_subscriptions::events));
        match source.environment {
            None => query.filter(of_system.or(of_collection)).load(c),
            Some(id) => {
                let of_environment = environment.is_not_null().and(environment.assume_not_null().eq(id));
                query.filter(of_system.or(of_collection).or(of_environment)).load(c)
            }
        }
    })?;
    rows.into_iter()
        .map(|(id, words)| Ok((id, kinds_of(&words)?)))
        .collect()
}

pub(in crate::webhook) fn backlog(tx: &mut Tx<'_>) -> Result<Backlog, Error> {
    let waiting = || {
        webhook_deliveries::table
            .inner_join(
                webhook_subscriptions::table.on(webhook_subscriptions::id.eq(webhook_deliveries::subscription_id)),
            )
            .filter(webhook_subscriptions::state.eq(State::Active.text()))
            .filter(webhook_deliveries::due_at.is_not_null())
    };
    let first = waiting()
        .order(webhook_deliveries::due_at)
        .select(webhook_deliveries::due_at.assume_not_null());
    Ok(Backlog {
        waiting: on!(tx, c => waiting().count().get_result(c))?,
        first_due: on!(tx, c => first.first(c).optional())?,
    })
}
