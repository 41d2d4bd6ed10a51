//! The process side: who is due, one claim after the other, a request each, and what came of it.
//!
//! A *lane* is one claim of one subscription that this process is telling: a receiver that is slow holds up its own lane and
//! no other, and gives the lane back when its claim is done ([`super::turns`]). Several processes may have a lane for one
//! subscription; each takes deliveries that no other has.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::render::{Outgoing, Renderers};
use super::secret::{Credentials, Keyring};
use super::send::{Answer, Sender, Sent};
use super::store::{self, Claimed, Ending};
use super::turns::{Told, Turns};
use super::{Attempt, State, Subscription, backlog};
use crate::access::Vault;
use crate::config::Webhooks;
use crate::db::{Db, Tx};
use crate::error::Error;
use crate::types::{RowId, Timestamp, WebhookId};

/// Seconds from the first attempt to each (immutable.md section 9 B).
const ATTEMPTS_AT: [i64; 5] = [0, 60, 300, 1_800, 7_200];
/// Four times what an attempt may take at most: whoever is merely slow keeps its claim.
const LEASE_SECONDS: i64 = 120;
/// How often it is looked for what is due.
const POLL: Duration = Duration::from_millis(500);
/// Looks between two measures of the backlog: 15 s.
const LOOKS_PER_MEASURE: u32 = 30;
/// Deliveries of one claim. Few: a receiver is not to be run over.
const TOGETHER_MAX: i64 = 8;
/// What the database did not take is not tried again at once.
const REST: Duration = Duration::from_secs(5);

/// Sends what is due, under a claim each.
pub struct Deliverer {
    db: Db,
    vault: Arc<Vault>,
    sender: Sender,
    renderers: Renderers,
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// What one claim took.
#[derive(Clone)]
struct Batch {
    subscription: Subscription,
    claim: RowId,
    keys: Arc<Keyring>,
    /// With its body, or why it has none.
    deliveries: Vec<(Claimed, Result<Outgoing, String>)>,
}

impl Deliverer {
    pub fn new(
        db: Db,
        vault: Arc<Vault>,
        settings: &Webhooks,
        renderers: Renderers,
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Self {
        Self {
            db,
            vault,
            sender: Sender::new(settings),
            renderers,
            now: Arc::new(now),
        }
    }

    /// Tries everything that is due once, and returns when all of it was: how many attempts that were.
    pub async fn deliver_due(self: &Arc<Self>) -> Result<usize, Error> {
        let due = self.with_due().await?;
        let lanes = due.into_iter().map(|id| self.empty(id));
        Ok(try_join_all(lanes).await?.into_iter().sum())
    }

    /// Until the token ends it; then what is being sent is finished.
    pub async fn run(self: Arc<Self>, cancel: CancellationToken) {
        let mut lanes = JoinSet::new();
        let mut ids: HashMap<tokio::task::Id, WebhookId> = HashMap::new();
        let mut turns = Turns::default();
        let mut ticks = tokio::time::interval(POLL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looks = 0_u32;
        loop {
            tokio::select! {
                () = cancel.cancelled() => break,
                Some(ended) = lanes.join_next_with_id() => {
                    let (task, told) = ended.unwrap_or_else(|error| (error.id(), Told::default()));
                    if let Some(id) = ids.remove(&task) {
                        turns.close(id, told);
                    }
                }
                _ = ticks.tick() => {
                    if looks.is_multiple_of(LOOKS_PER_MEASURE) {
                        self.measure().await;
                    }
                    looks = looks.wrapping_add(1);
                    // At ticks alone: the database asks each subscription for it.
                    turns.note_due(self.due_or_none().await);
                }
            }
            for id in turns.open() {
                let lane = Arc::clone(&self).lane(id, cancel.clone());
                ids.insert(lanes.spawn(lane).id(), id);
            }
        }
        while lanes.join_next().await.is_some() {}
    }

    /// One claim.
    async fn lane(self: Arc<Self>, id: WebhookId, cancel: CancellationToken) -> Told {
        if cancel.is_cancelled() {
            return Told::default();
        }
        match self.tell_some(id).await {
            Ok(told) => told,
            Err(error) => {
                metrics::counter!("webhook_delivery_failures_total").increment(1);
                tracing::warn!(webhook = %id, %error, "deliveries were not taken; they are tried again");
                tokio::select! {
                    () = cancel.cancelled() => {}
                    () = tokio::time::sleep(REST) => {}
                }
                Told::default()
            }
        }
    }

    async fn with_due(&self) -> Result<Vec<WebhookId>, Error> {
        let now = (self.now)();
        self.db.read(move |tx| store::with_due(tx, now)).await
    }

    async fn due_or_none(&self) -> Vec<WebhookId> {
        self.with_due().await.unwrap_or_else(|error| {
            metrics::counter!("webhook_delivery_failures_total").increment(1);
            tracing::warn!(%error, "it is not known which deliveries are due");
            Vec::new()
        })
    }

    /// One claim after the other until nothing of the subscription is due.
    async fn empty(&self, id: WebhookId) -> Result<usize, Error> {
        let mut attempts = 0_usize;
        loop {
            match self.tell_some(id).await?.attempts {
                0 => return Ok(attempts),
                more => attempts = attempts.saturating_add(more),
            }
        }
    }

    /// Tries what one claim takes.
    async fn tell_some(&self, id: WebhookId) -> Result<Told, Error> {
        let Some(batch) = self.claim(id).await? else {
            return Ok(Told::default());
        };
        let tried = batch
            .deliveries
            .iter()
            .map(|(claimed, outgoing)| self.attempt(&batch, claimed, outgoing));
        let took = join_all(tried).await;
        let attempts = batch.deliveries.len();
        Ok(Told {
            attempts,
            took: took.into_iter().max(),
            has_more: i64::try_from(attempts).is_ok_and(|attempts| attempts >= TOGETHER_MAX),
        })
    }

    /// None when the subscription is not active any more.
    async fn claim(&self, id: WebhookId) -> Result<Option<Batch>, Error> {
        let (vault, renderers, now) = (Arc::clone(&self.vault), self.renderers.clone(), (self.now)());
        let claim = RowId::generate();
        let taken = self.db.write(move |tx| {
            let Some(subscription) = store::by_id(tx, id)?.filter(|found| found.state == State::Active) else {
                return Ok(None);
            };
            let keys = keyring(tx, &vault, &subscription, now)?;
            let until = now.plus_seconds(LEASE_SECONDS);
            let mut deliveries = Vec::new();
            for claimed in store::claim(tx, id, claim, (now, until), TOGETHER_MAX)? {
                let outgoing = outgoing_of(tx, &renderers, &subscription, &claimed)?;
                deliveries.push((claimed, outgoing));
            }
            Ok(Some(Batch {
                subscription,
                claim,
                keys: Arc::new(keys),
                deliveries,
            }))
        });
        taken.await
    }

    /// How long the request took. What cannot be written is not known, so the lease runs out and the event is sent again.
    async fn attempt(&self, batch: &Batch, claimed: &Claimed, outgoing: &Result<Outgoing, String>) -> Duration {
        let at = (self.now)();
        let Subscription { id, target, scheme, .. } = &batch.subscription;
        let headers = |body: &str| {
            let headers = batch.keys.headers(*scheme, claimed.event.id, at, body);
            headers.map_err(|error| error.to_string())
        };
        let mut sent = match outgoing.as_ref().map(|one| (one, headers(&one.body))) {
            Ok((one, Ok(headers))) => self.sender.send(target, &headers, &one.body).await,
            Ok((_, Err(reason))) => unsent(reason),
            Err(reason) => unsent(reason.clone()),
        };
        if let (Ok(Outgoing { is_personal: true, .. }), Ok(answer)) = (outgoing, &mut sent.outcome) {
            answer.text.clear();
        }
        let took = sent.took;
        metrics::histogram!("webhook_attempt_seconds", "scheme" => scheme.text()).record(took.as_secs_f64());
        let attempt = attempt_of(claimed, at, sent);
        let ending = ending_of(&attempt);
        let (id, delivery, claim, now) = (*id, claimed.id, batch.claim, (self.now)());
        tell(id, claimed, &attempt, ending);
        let written = self
            .db
            .write(move |tx| store::end_attempt(tx, id, (delivery, claim), &attempt, ending, now));
        match written.await {
            Ok(true) => count(ending),
            Ok(false) => metrics::counter!("webhook_deliveries_total", "result" => "lost").increment(1),
            Err(error) => {
                metrics::counter!("webhook_delivery_failures_total").increment(1);
                tracing::warn!(webhook = %id, %delivery, %error, "an attempt was not recorded: it is made again");
            }
        }
        took
    }

    async fn measure(&self) {
        let now = (self.now)();
        match self.db.read(backlog).await {
            Ok(backlog) => {
                let waiting = f64::from(u32::try_from(backlog.waiting).unwrap_or(u32::MAX));
                metrics::gauge!("webhook_waiting").set(waiting);
                let late = backlog
                    .first_due
                    .map_or(0, |due| now.seconds().saturating_sub(due.seconds()));
                let late = f64::from(u32::try_from(late.max(0)).unwrap_or(u32::MAX));
                metrics::gauge!("webhook_oldest_due_seconds").set(late);
            }
            Err(error) => tracing::debug!(%error, "the backlog of webhooks was not measured"),
        }
    }
}

fn keyring(tx: &mut Tx<'_>, vault: &Vault, subscription: &Subscription, now: Timestamp) -> Result<Keyring, Error> {
    let sealed = store::secrets_of(tx, subscription.id)?;
    let open = |sealed: &str| Credentials::open(vault, subscription.id, subscription.scheme, sealed);
    let retiring = sealed.retiring.filter(|(_, until)| now < *until);
    Ok(Keyring {
        current: open(&sealed.current)?,
        retiring: retiring.map(|(sealed, _)| open(&sealed)).transpose()?,
    })
}

/// With the body as it was rendered, or as it is now. One that cannot be rendered fails alone.
fn outgoing_of(
    tx: &mut Tx<'_>,
    renderers: &Renderers,
    subscription: &Subscription,
    claimed: &Claimed,
) -> Result<Result<Outgoing, String>, Error> {
    let made = tx.nested(|tx| {
        let body = match &claimed.body {
            Some(body) => body.clone(),
            None => renderers.body(tx, subscription.scheme, &claimed.event)?,
        };
        let outgoing = renderers.outgoing(tx, subscription, &claimed.event, &body)?;
        Ok((body, outgoing))
    });
    match made {
        Ok((body, outgoing)) => {
            if claimed.body.is_none() {
                store::put_body(tx, subscription.id, claimed.id, &body)?;
            }
            Ok(Ok(outgoing))
        }
        Err(error @ (Error::Unavailable(_) | Error::OutcomeUnknown(_))) => Err(error),
        Err(error) => {
            tracing::error!(webhook = %subscription.id, event = %claimed.event.id, %error, "an event has no body");
            Ok(Err("the event could not be rendered".to_owned()))
        }
    }
}

fn unsent(reason: String) -> Sent {
    Sent {
        took: Duration::ZERO,
        outcome: Err(reason),
    }
}

fn attempt_of(claimed: &Claimed, at: Timestamp, sent: Sent) -> Attempt {
    let (status, error, answer) = match sent.outcome {
        Ok(Answer { status, text }) => (Some(status), None, (!text.is_empty()).then_some(text)),
        Err(reason) => (None, Some(reason), None),
    };
    Attempt {
        number: claimed.attempts.saturating_add(1),
        at,
        took: sent.took,
        status,
        error,
        answer,
    }
}

/// The wait between two attempts counts from the one before: whoever was away does not make up for it in a burst.
fn ending_of(attempt: &Attempt) -> Ending {
    if attempt.is_success() {
        return Ending::Delivered;
    }
    let made = usize::try_from(attempt.number).unwrap_or(usize::MAX);
    let before = made.checked_sub(1).and_then(|place| ATTEMPTS_AT.get(place));
    match (before, ATTEMPTS_AT.get(made)) {
        (Some(before), Some(next)) => Ending::Retried(attempt.at.plus_seconds(next.saturating_sub(*before))),
        (_, None) | (None, Some(_)) => Ending::Failed,
    }
}

/// Bodies and answers are in the delivery log, not in this one.
fn tell(webhook: WebhookId, claimed: &Claimed, attempt: &Attempt, ending: Ending) {
    let (delivery, event, number) = (claimed.id, claimed.event.id, attempt.number);
    let (status, error) = (attempt.status, attempt.error.as_deref());
    match ending {
        Ending::Delivered => tracing::debug!(%webhook, %delivery, %event, number, status, "delivered"),
        Ending::Retried(next) => {
            tracing::info!(%webhook, %delivery, %event, number, status, error, %next, "not delivered, tried again");
        }
        Ending::Failed => {
            tracing::warn!(%webhook, %delivery, %event, number, status, error, "not delivered: send it again by hand");
        }
    }
}

fn count(ending: Ending) {
    let result = match ending {
        Ending::Delivered => "delivered",
        Ending::Retried(_) => "retried",
        Ending::Failed => {
            metrics::counter!("webhook_given_up_total").increment(1);
            "failed"
        }
    };
    metrics::counter!("webhook_deliveries_total", "result" => result).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(number: u32, status: Option<u16>) -> Attempt {
        Attempt {
            number,
            at: Timestamp::from_seconds(1_000),
            took: Duration::ZERO,
            status,
            error: None,
            answer: None,
        }
    }

    #[test]
    fn five_attempts_are_made_at_0_1_5_30_and_120_minutes() {
        let mut at = 0;
        for (number, minutes) in (1..).zip([1, 5, 30, 120]) {
            let Ending::Retried(next) = ending_of(&attempt(number, Some(500))) else {
                panic!("attempt {number} is not the last one")
            };
            at += next.seconds() - 1_000;
            assert_eq!(at, minutes * 60);
        }
        assert_eq!(ending_of(&attempt(5, None)), Ending::Failed);
        assert_eq!(ending_of(&attempt(6, None)), Ending::Failed);
        assert_eq!(ending_of(&attempt(5, Some(204))), Ending::Delivered);
        assert!(matches!(ending_of(&attempt(1, Some(302))), Ending::Retried(_)));
    }
}
