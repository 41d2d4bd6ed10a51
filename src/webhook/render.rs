//! What a receiver is sent of an event, in the words of the scheme of its subscription.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::{Event, Scheme, Subscription};
use crate::db::Tx;
use crate::error::Error;

/// The body of an event in the words of one scheme: compact JSON, the same for the same event.
pub type Render = Arc<dyn Fn(&mut Tx<'_>, &Event) -> Result<String, Error> + Send + Sync>;

/// A body with what the receiver is told and nobody keeps (personal data), in the place of the one that is kept; none where
/// there is nothing of that kind, or this subscription is not to be told it: it may lead elsewhere now than when the event
/// happened.
pub type Personal =
    Arc<dyn Fn(&mut Tx<'_>, &Subscription, &Event, &str) -> Result<Option<String>, Error> + Send + Sync>;

/// How each scheme is rendered that is a dialect's; [`Scheme::Standard`] is ours.
#[derive(Clone, Default)]
pub struct Renderers {
    bodies: BTreeMap<Scheme, Render>,
    personal: BTreeMap<Scheme, Personal>,
}

impl Renderers {
    #[must_use]
    pub fn with(mut self, scheme: Scheme, render: Render) -> Self {
        self.bodies.insert(scheme, render);
        self
    }

    #[must_use]
    pub fn with_personal(mut self, scheme: Scheme, personal: Personal) -> Self {
        self.personal.insert(scheme, personal);
        self
    }

    /// What is sent where this is kept.
    pub(super) fn outgoing(
        &self,
        tx: &mut Tx<'_>,
        subscription: &Subscription,
        event: &Event,
        kept: &str,
    ) -> Result<Outgoing, Error> {
        let personal = match self.personal.get(&subscription.scheme) {
            Some(personal) => personal(tx, subscription, event, kept)?,
            None => None,
        };
        Ok(Outgoing {
            is_personal: personal.is_some(),
            body: personal.unwrap_or_else(|| kept.to_owned()),
        })
    }

    pub(super) fn body(&self, tx: &mut Tx<'_>, scheme: Scheme, event: &Event) -> Result<String, Error> {
        match (self.bodies.get(&scheme), scheme) {
            (Some(render), _) => render(tx, event),
            (None, Scheme::Standard) => Ok(standard(event)),
            (None, Scheme::Immutable | Scheme::Certhis) => {
                Err(Error::internal(format!("nothing renders the scheme {}", scheme.text())))
            }
        }
    }
}

/// Standard Webhooks 1.0, "Payload structure".
fn standard(event: &Event) -> String {
    json!({ "type": event.kind.text(), "timestamp": event.at.to_micros_text(), "data": event.news }).to_string()
}

/// What a receiver is sent.
#[derive(Clone)]
pub(super) struct Outgoing {
    pub body: String,
    /// The answer may repeat it, and is not kept.
    pub is_personal: bool,
}
