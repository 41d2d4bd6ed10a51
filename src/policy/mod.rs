//! Policies: rules as data, in a folder of TOML files that officers own and review.
//!
//! **Words.** A *rule* has an id, a reason, a condition (*when*) and one *check* of a closed set of *kinds*. The
//! *baseline* applies to every asset; an asset may name a policy of its own, which adds to it. A *template* is a
//! policy to extend. *Definitions* are the words that rules use: claim topics, issuers, country groups. A *module* is a
//! check that the asset API attaches to one asset.
//!
//! **Invariants.** Rules add up: all of them must pass, and a rule with a known id may only tighten the earlier one. An
//! unknown key, kind, topic, group or issuer, an empty list of rules, a malformed value: the folder does not load, and
//! every fault is reported with file, line and column. Two sets with the same hash decide alike. Amounts are
//! whole-token text and become base units when rules are bound to an asset.
//!
//! This module reads and checks rules; what they mean for a recipient is in `compliance`.
//!
//! Source: compliance.md 2.3 and 3.1; dalp.md section 6 for modules and expressions.

mod canonical;
mod definitions;
mod document;
mod duration;
mod editor;
mod expression;
mod kinds;
mod loader;
mod merge;
pub mod module;
pub(crate) mod node;
pub(crate) mod parameter;
mod problem;
pub(crate) mod reader;
mod rule;

mod set;
mod topic;
mod whole;

pub use definitions::{CountryGroup, Definitions, IssuerDefinition, TopicDefinition};
pub(crate) use document::{parse_toml, place_all};
pub use duration::{Duration, DurationError};
pub use editor::editor_schema;
pub use expression::Expression;
pub use kinds::{
    AddressBlock, Check, CountryAllow, CountryBlock, HolderLimit, Identity, IdentityAllow, IdentityBlock, Issuers,
    ListedIssuer, MaxHolding, Sanctions, SupplyLimit,
};
pub use loader::load;
pub use problem::PolicyError;
pub(crate) use problem::Problem;
pub use rule::{Origin, Rule, When};
pub use set::{ENGINE_VERSION, Policy, PolicySet, Review, ReviewState, SourceFile};
pub use topic::Topic;
pub use whole::{WholeAmount, WholeAmountError};
