use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Login, Target};
use crate::error::Error;
use crate::types::{
    Address, Amount, AssetId, DeliveryId, EnvironmentId, MintRequestId, Timestamp, UserId, WebhookEventId, WebhookId,
};

/// How a body looks and what proves where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// As Immutable's Hub sends it (immutable.md section 9 B), with the headers of Standard Webhooks beside its own.
    Immutable,
    /// Standard Webhooks 1.0, our own words inside.
    Standard,
    /// As Certhis sends it: a login and a password of the receiver's.
    Certhis,
}

impl Scheme {
    pub const ALL: [Self; 3] = [Self::Immutable, Self::Standard, Self::Certhis];

    pub const fn text(self) -> &'static str {
        match self {
            Self::Immutable => "immutable",
            Self::Standard => "standard",
            Self::Certhis => "certhis",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.text() == text)
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    MintAccepted,
    MintSucceeded,
    /// Also refused by the rules at once, or taken back.
    MintFailed,
}

impl EventKind {
    pub const ALL: [Self; 3] = [Self::MintAccepted, Self::MintSucceeded, Self::MintFailed];

    pub const fn text(self) -> &'static str {
        match self {
            Self::MintAccepted => "mint_request.accepted",
            Self::MintSucceeded => "mint_request.succeeded",
            Self::MintFailed => "mint_request.failed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.text() == text)
    }
}

/// Whose mints a webhook is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    System,
    /// Of every collection that is linked to it when something happens.
    Environment(EnvironmentId),
    Collection(AssetId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Active,
    /// Is told nothing new; what waited before goes on when it is active again.
    Disabled,
    Deleted,
}

impl State {
    pub const fn text(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Deleted => "deleted",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Disabled, Self::Deleted]
            .into_iter()
            .find(|state| state.text() == text)
    }
}

/// Somebody who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    pub id: WebhookId,
    pub scope: Scope,
    pub target: Target,
    pub scheme: Scheme,
    pub events: Vec<EventKind>,
    pub state: State,
    /// The secret before this one signs too until then.
    pub retiring_until: Option<Timestamp>,
    /// None for one that was made at the command line. With a login: who gave it.
    pub created_by: Option<UserId>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Clone, Debug)]
pub struct NewSubscription {
    pub scope: Scope,
    pub target: Target,
    pub scheme: Scheme,
    /// None is all.
    pub events: Option<Vec<EventKind>>,
}

/// A receiver that is shown a login of its own.
#[derive(Clone, Debug)]
pub struct Registration {
    pub target: Target,
    pub login: Login,
    /// None is all, or those that the collection's webhook is told already.
    pub events: Option<Vec<EventKind>>,
}

/// What changes of a subscription; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct SubscriptionChange {
    pub target: Option<Target>,
    pub events: Option<Vec<EventKind>>,
    pub is_active: Option<bool>,
    /// For [`Scheme::Certhis`] alone.
    pub login: Option<Login>,
}

impl SubscriptionChange {
    pub(super) fn is_nothing(&self) -> bool {
        self.target.is_none() && self.events.is_none() && self.is_active.is_none() && self.login.is_none()
    }
}

/// Which subscriptions a list has; all that is given must match.
#[derive(Clone, Copy, Debug, Default)]
pub struct SubscriptionFilter {
    pub environment: Option<EnvironmentId>,
    pub collection: Option<AssetId>,
    /// None but those of an environment or a collection.
    pub without_system: bool,
}

/// Where something happened.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    pub collection: AssetId,
    pub environment: Option<EnvironmentId>,
}

/// One thing that happened to a mint request.
#[derive(Clone, Debug)]
pub struct Change {
    pub kind: EventKind,
    pub subject: MintRequestId,
    pub news: MintNews,
}

/// A mint request as it was when something happened to it: the `data` of [`Scheme::Standard`], and what the other schemes
/// are rendered from. Times are RFC 3339 with microseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MintNews {
    pub mint_request_id: String,
    pub collection_address: Address,
    /// `ERC721` or `ERC1155`.
    pub contract_type: String,
    pub reference_id: String,
    pub owner_address: Address,
    /// None until the contract has given it.
    pub token_id: Option<Amount>,
    pub amount: Amount,
    pub metadata_id: Option<String>,
    /// `pending`, `succeeded` or `failed`.
    pub status: String,
    pub error: Option<String>,
    pub transaction_hash: Option<String>,
    pub activity_id: Option<String>,
    pub created_at: String,
    pub updated_at: String,
}

/// What somebody is told, once and for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub id: WebhookEventId,
    pub kind: EventKind,
    pub collection: AssetId,
    pub subject: MintRequestId,
    pub news: MintNews,
    pub at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    Pending,
    Delivered,
    /// Its last attempt failed.
    Failed,
    /// The subscription was deleted before it was delivered.
    Cancelled,
}

impl DeliveryState {
    pub const ALL: [Self; 4] = [Self::Pending, Self::Delivered, Self::Failed, Self::Cancelled];

    pub const fn text(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.text() == text)
    }
}

/// One event on its way to one subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub id: DeliveryId,
    pub subscription: WebhookId,
    pub collection: AssetId,
    pub event: WebhookEventId,
    pub kind: EventKind,
    pub state: DeliveryState,
    pub attempts: u32,
    /// When it is tried next; none once it has ended.
    pub due_at: Option<Timestamp>,
    pub replay_of: Option<DeliveryId>,
    pub created_at: Timestamp,
    pub ended_at: Option<Timestamp>,
}

/// A delivery with what is sent and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryLog {
    pub delivery: Delivery,
    /// As it is kept; none before the first attempt.
    pub body: Option<String>,
    /// The first one first.
    pub attempts: Vec<Attempt>,
}

/// One attempt to deliver, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub number: u32,
    pub at: Timestamp,
    pub took: Duration,
    /// Of the answer; 2xx is success.
    pub status: Option<u16>,
    /// Why there was no answer.
    pub error: Option<String>,
    /// How the answer's text begins.
    pub answer: Option<String>,
}

impl Attempt {
    pub fn is_success(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

/// How much waits, and how late the first of it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    pub waiting: i64,
    /// When the delivery that is tried first should be tried.
    pub first_due: Option<Timestamp>,
}

/// What is stored was parsed before; a value that no longer parses is a fault of the database.
pub(super) fn stored<T>(value: Option<T>, what: &str) -> Result<T, Error> {
    value.ok_or_else(|| Error::internal(format!("a stored webhook does not read back: {what}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back() {
        for scheme in Scheme::ALL {
            assert_eq!(Scheme::parse(scheme.text()), Some(scheme));
        }
        for kind in EventKind::ALL {
            assert_eq!(EventKind::parse(kind.text()), Some(kind));
        }
        for state in DeliveryState::ALL {
            assert_eq!(DeliveryState::parse(state.text()), Some(state));
        }
        for state in [State::Active, State::Disabled, State::Deleted] {
            assert_eq!(State::parse(state.text()), Some(state));
        }
    }

    #[test]
    fn success_is_any_status_that_begins_with_2() {
        for (status, is_success) in [(199, false), (200, true), (299, true), (300, false), (404, false)] {
            let attempt = Attempt {
                number: 1,
                at: Timestamp::from_seconds(0),
                took: Duration::ZERO,
                status: Some(status),
                error: None,
                answer: None,
            };
            assert_eq!(attempt.is_success(), is_success, "{status}");
        }
    }
}
