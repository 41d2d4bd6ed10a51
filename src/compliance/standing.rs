use std::collections::HashMap;

use super::model::{Facts, SanctionsFacts};
use crate::identity::Recipient;
use crate::policy::Topic;
use crate::types::{Amount, CountryCode, IdentityId, Timestamp};

/// The facts, with what the run has let pass so far on top of them.
#[derive(Debug)]
pub struct Standing<'f> {
    facts: &'f Facts,
    held: HashMap<IdentityId, Amount>,
    holders_by_country: HashMap<CountryCode, u64>,
    holders: u64,
    issued: Amount,
    /// What the request being judged has changed, to take it back.
    undo: Undo,
}

#[derive(Debug, Default)]
struct Undo {
    held: Vec<(IdentityId, Option<Amount>)>,
    holders_by_country: Vec<(CountryCode, Option<u64>)>,
    holders: u64,
    issued: Amount,
}

impl<'f> Standing<'f> {
    pub(super) fn new(facts: &'f Facts) -> Self {
        let mut standing = Self {
            facts,
            held: HashMap::new(),
            holders_by_country: HashMap::new(),
            holders: facts.holders,
            issued: facts.issued,
            undo: Undo::default(),
        };
        standing.keep();
        standing
    }

    pub fn now(&self) -> Timestamp {
        self.facts.now
    }

    /// Base units that the identity holds, earlier lines included.
    pub fn held(&self, identity: IdentityId) -> Amount {
        let running = self.held.get(&identity).or_else(|| self.facts.held.get(&identity));
        running.copied().unwrap_or(Amount::ZERO)
    }

    pub fn holders(&self) -> u64 {
        self.holders
    }

    pub fn holders_in(&self, country: CountryCode) -> u64 {
        let running = self
            .holders_by_country
            .get(&country)
            .or_else(|| self.facts.holders_by_country.get(&country));
        running.copied().unwrap_or(0)
    }

    /// Base units issued and not burned, earlier lines included.
    pub fn issued(&self) -> Amount {
        self.issued
    }

    pub fn sanctions(&self) -> Option<&SanctionsFacts> {
        self.facts.sanctions.as_ref()
    }

    /// Whether somebody is trusted to issue claims of the topic.
    pub fn has_trusted_issuer(&self, topic: &Topic) -> bool {
        match topic {
            Topic::Named(name) => self.facts.trusted_topics.contains(name),
            Topic::Numbered { .. } => self.facts.trusted_topics.iter().any(|name| topic.matches(name)),
        }
    }

    /// A line that nothing refused.
    pub(super) fn add(&mut self, recipient: &Recipient, amount: Amount) {
        if amount.is_zero() {
            return;
        }
        let before = self.held(recipient.identity);
        if before.is_zero() {
            self.add_holder(recipient.country);
        }
        // Sums beyond 2^256-1 stay at the largest amount: every limit is below it, and the supply check refuses them.
        let after = before.checked_add(amount).unwrap_or(Amount::MAX);
        let previous = self.held.insert(recipient.identity, after);
        self.undo.held.push((recipient.identity, previous));
        self.issued = self.issued.checked_add(amount).unwrap_or(Amount::MAX);
    }

    fn add_holder(&mut self, country: Option<CountryCode>) {
        self.holders = self.holders.saturating_add(1);
        if let Some(country) = country {
            let holders = self.holders_in(country).saturating_add(1);
            let previous = self.holders_by_country.insert(country, holders);
            self.undo.holders_by_country.push((country, previous));
        }
    }

    /// What has been added since the last call stays.
    pub(super) fn keep(&mut self) {
        self.undo = Undo {
            holders: self.holders,
            issued: self.issued,
            ..Undo::default()
        };
    }

    /// What has been added since the last [`Self::keep`] goes.
    pub(super) fn take_back(&mut self) {
        let undo = std::mem::take(&mut self.undo);
        self.holders = undo.holders;
        self.issued = undo.issued;
        for (identity, previous) in undo.held.into_iter().rev() {
            restore(&mut self.held, identity, previous);
        }
        for (country, previous) in undo.holders_by_country.into_iter().rev() {
            restore(&mut self.holders_by_country, country, previous);
        }
        self.keep();
    }
}

fn restore<K: std::hash::Hash + Eq, V>(map: &mut HashMap<K, V>, key: K, previous: Option<V>) {
    match previous {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}
