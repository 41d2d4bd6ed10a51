use std::collections::{HashMap, HashSet};

use crate::identity::Recipient;
use crate::types::{Address, Amount, CountryCode, IdentityId, Timestamp, TopicName};

/// What is asked for. A mint is not a transfer from nobody: modules say in which operations they take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Mint,
    Transfer,
    Burn,
}

/// One group of facts that a module may look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The recipient's identity. A module that needs it is not asked about an unregistered recipient.
    Identity,
    /// The claims of the recipients.
    Claims,
    /// [`Facts::held`].
    Held,
    /// [`Facts::holders`].
    Holders,
    /// [`Facts::holders_by_country`].
    HoldersByCountry,
    /// [`Facts::issued`].
    Issued,
    /// [`Facts::sanctions`].
    Sanctions,
    /// [`Facts::trusted_topics`].
    TrustedTopics,
}

/// A set of [`Fact`]s: what a loader must fetch, or has fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FactSet(u8);

impl FactSet {
    pub const NONE: Self = Self(0);
    pub const ALL: Self = Self::of(&Self::FACTS);
    const FACTS: [Fact; 8] = [
        Fact::Identity,
        Fact::Claims,
        Fact::Held,
        Fact::Holders,
        Fact::HoldersByCountry,
        Fact::Issued,
        Fact::Sanctions,
        Fact::TrustedTopics,
    ];

    pub const fn of(facts: &[Fact]) -> Self {
        let mut set = Self::NONE;
        let mut rest = facts;
        while let Some((fact, more)) = rest.split_first() {
            set = set.union(Self(Self::bit(*fact)));
            rest = more;
        }
        set
    }

    const fn bit(fact: Fact) -> u8 {
        match fact {
            Fact::Identity => 1,
            Fact::Claims => 1 << 1,
            Fact::Held => 1 << 2,
            Fact::Holders => 1 << 3,
            Fact::HoldersByCountry => 1 << 4,
            Fact::Issued => 1 << 5,
            Fact::Sanctions => 1 << 6,
            Fact::TrustedTopics => 1 << 7,
        }
    }

    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub const fn contains(self, fact: Fact) -> bool {
        self.0 & Self::bit(fact) != 0
    }

    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = Fact> {
        Self::FACTS.into_iter().filter(move |fact| self.contains(*fact))
    }
}

/// What the database says about the recipients of a group of requests and about the asset, read under the asset's lock.
/// A fixed number of set-based queries fills it, whatever the size of the group.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The one clock reading of the commit.
    pub now: Timestamp,
    /// What has been loaded. A rule that needs more refuses. Recipients and frozen addresses are always loaded.
    pub loaded: FactSet,
    /// By wallet; an unknown wallet has no entry.
    pub recipients: HashMap<Address, Recipient>,
    /// Wallets that are frozen on the asset.
    pub frozen: HashSet<Address>,
    /// Base units that an identity holds over all its wallets, posted and pending; no entry for nothing.
    pub held: HashMap<IdentityId, Amount>,
    /// Identities that hold something, posted or pending.
    pub holders: u64,
    /// The same by the country that each had when it became a holder.
    pub holders_by_country: HashMap<CountryCode, u64>,
    /// Base units issued and not burned, posted and pending.
    pub issued: Amount,
    /// The newest imported list; none when nothing has been imported.
    pub sanctions: Option<SanctionsFacts>,
    /// Topics that have at least one trusted issuer now.
    pub trusted_topics: HashSet<TopicName>,
}

impl Facts {
    /// Takes lines out that the books count already, for whoever judges them once more: or each would stand in its own way.
    pub fn set_aside<'l>(&mut self, lines: impl Iterator<Item = &'l (Address, Amount)>) {
        for (wallet, amount) in lines {
            self.issued = self.issued.checked_sub(*amount).unwrap_or(self.issued);
            let Some(recipient) = self.recipients.get(wallet) else {
                continue;
            };
            let Some(held) = self.held.get_mut(&recipient.identity) else {
                continue;
            };
            *held = held.checked_sub(*amount).unwrap_or(*held);
            if !held.is_zero() || amount.is_zero() {
                continue;
            }
            self.holders = self.holders.saturating_sub(1);
            if let Some(holders) = recipient
                .country
                .and_then(|country| self.holders_by_country.get_mut(&country))
            {
                *holders = holders.saturating_sub(1);
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SanctionsFacts {
    /// The list's name.
    pub list: String,
    pub as_of: Timestamp,
    /// Those of the group's wallets that are on it.
    pub hits: HashSet<Address>,
}

impl Facts {
    /// Nothing known yet.
    pub fn new(now: Timestamp) -> Self {
        Self {
            now,
            loaded: FactSet::NONE,
            recipients: HashMap::new(),
            frozen: HashSet::new(),
            held: HashMap::new(),
            holders: 0,
            holders_by_country: HashMap::new(),
            issued: Amount::ZERO,
            sanctions: None,
            trusted_topics: HashSet::new(),
        }
    }
}
