//! One file per rule kind: its parameters, their bounds, and what "tighter" means for it.
//!
//! A new kind is one file here, one line in [`kinds!`]'s list, and one file in `compliance/modules`.

mod address_block;
mod country_allow;
mod country_block;
mod country_list;
mod holder_limit;
mod identity;
mod identity_allow;
mod identity_block;
mod max_holding;
mod sanctions;
mod supply_limit;

use std::collections::BTreeSet;

use serde_json::Value;

pub use address_block::AddressBlock;
pub use country_allow::CountryAllow;
pub use country_block::CountryBlock;
pub use holder_limit::HolderLimit;
pub use identity::{Identity, Issuers, ListedIssuer};
pub use identity_allow::IdentityAllow;
pub use identity_block::IdentityBlock;
pub use max_holding::MaxHolding;
pub use sanctions::Sanctions;
pub use supply_limit::SupplyLimit;

use super::node::{Entry, Node, Raw};
use super::parameter::Parameter;
use super::problem::Problem;
use super::reader::{Fields, Reader};
use super::topic::Topic;
use super::whole::WholeAmountError;

/// What a kind of rule is, apart from what it checks.
pub(crate) trait RuleKind: Sized {
    /// The key under `check`.
    const NAME: &'static str;
    const ABOUT: &'static str;
    /// When an asset's rule may replace an earlier one of the same id.
    const TIGHTER: &'static str;
    const PARAMETERS: &'static [Parameter];

    /// None when something is missing or malformed, which the reader has then been told.
    fn read(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Self>;

    /// Whether everyone whom this lets pass is also let pass by `other`.
    fn is_at_least_as_tight_as(&self, other: &Self) -> bool;

    /// An empty list, which in a policy file is a slip and does not load.
    fn lists_nothing(&self) -> bool {
        false
    }

    /// Everything that decides, for the policy hash.
    fn canonical(&self) -> Value;
}

/// One kind's descriptions, for messages and the schema.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KindInfo {
    pub name: &'static str,
    pub about: &'static str,
    pub tighter: &'static str,
    pub parameters: &'static [Parameter],
}

macro_rules! kinds {
    ($($kind:ident),+ $(,)?) => {
        /// A rule's check with its parameters.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Check {
            $($kind($kind),)+
        }

        pub(crate) const KINDS: &[KindInfo] = &[
            $(KindInfo {
                name: <$kind as RuleKind>::NAME,
                about: <$kind as RuleKind>::ABOUT,
                tighter: <$kind as RuleKind>::TIGHTER,
                parameters: <$kind as RuleKind>::PARAMETERS,
            },)+
        ];

        impl Check {
            /// The kind's name, such as `max_holding`.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => <$kind as RuleKind>::NAME,)+
                }
            }

            /// The rule for tightening of this kind, in words.
            pub(crate) fn tighter(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => <$kind as RuleKind>::TIGHTER,)+
                }
            }

            /// False also when the kinds differ.
            pub(crate) fn is_at_least_as_tight_as(&self, other: &Self) -> bool {
                match self {
                    $(Self::$kind(own) => {
                        if let Self::$kind(other) = other { own.is_at_least_as_tight_as(other) } else { false }
                    })+
                }
            }

            pub(crate) fn lists_nothing(&self) -> bool {
                match self {
                    $(Self::$kind(own) => own.lists_nothing(),)+
                }
            }

            pub(crate) fn canonical(&self) -> Value {
                match self {
                    $(Self::$kind(own) => own.canonical(),)+
                }
            }

            /// Reads the table of parameters of the kind `name`; none for an unknown kind too, without a problem.
            pub(crate) fn read(name: &str, node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
                match name {
                    $(<$kind as RuleKind>::NAME => {
                        let fields = Fields::open(node, <$kind as RuleKind>::PARAMETERS, reader)?;
                        <$kind as RuleKind>::read(&fields, reader).map(Self::$kind)
                    })+
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    Identity,
    CountryAllow,
    CountryBlock,
    AddressBlock,
    IdentityBlock,
    IdentityAllow,
    Sanctions,
    MaxHolding,
    HolderLimit,
    SupplyLimit,
}

impl Check {
    /// The claim topics that it names, for a caller who holds the registry of topics.
    pub fn topics(&self) -> BTreeSet<&Topic> {
        match self {
            Self::Identity(identity) => identity.require.topics(),
            Self::CountryAllow(_)
            | Self::CountryBlock(_)
            | Self::AddressBlock(_)
            | Self::IdentityBlock(_)
            | Self::IdentityAllow(_)
            | Self::Sanctions(_)
            | Self::MaxHolding(_)
            | Self::HolderLimit(_)
            | Self::SupplyLimit(_) => BTreeSet::new(),
        }
    }

    /// Whether its amounts can be held at the asset's decimals.
    pub(crate) fn fits(&self, decimals: u8) -> Result<(), WholeAmountError> {
        match self {
            Self::MaxHolding(MaxHolding { max }) | Self::SupplyLimit(SupplyLimit { max }) => {
                max.scale(decimals).map(|_| ())
            }
            Self::Identity(_)
            | Self::CountryAllow(_)
            | Self::CountryBlock(_)
            | Self::AddressBlock(_)
            | Self::IdentityBlock(_)
            | Self::IdentityAllow(_)
            | Self::Sanctions(_)
            | Self::HolderLimit(_) => Ok(()),
        }
    }

    /// Reads `{ <kind> = { … } }`: exactly one kind.
    pub(crate) fn read_table(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let Raw::Table(entries) = &node.value else {
            reader.wrong_type(node, "a table with one kind of check");
            return None;
        };
        let known = || KINDS.iter().map(|kind| kind.name);
        let (first, more) = entries.split_first().or_else(|| {
            reader.problem(Problem::new(&node.at, "required", "has no kind of check").knowing(known()));
            None
        })?;
        for Entry { key_at, .. } in more {
            let message = format!("one rule has one check, and this one has `{}` already", first.key);
            reader.problem(Problem::new(key_at, "unknown", message));
        }
        if !known().any(|name| name == first.key) {
            let problem = Problem::new(
                &first.key_at,
                "unknown",
                format!("unknown kind of check `{}`", first.key),
            );
            reader.problem(problem.knowing(known()));
        }
        Self::read(&first.key, &first.node, reader)
    }
}
