//! Compliance: may these recipients receive these amounts of this asset?
//!
//! **Words.** A *compliance module* is one check of one rule. A [`RuleSet`] holds everything that applies to one asset
//! and one operation: the baseline, the asset's own policy, the modules attached to it, bound to its decimals; it is
//! built once per revision of the asset. [`Facts`] are what the database says, loaded for a whole group of requests. A
//! [`Run`] judges the requests of a group one after the other, on top of the facts and of what it let pass before.
//!
//! **Invariants.**
//! - Judging is pure: no clock, no query, no randomness. The same rules, facts and requests give the same verdicts.
//! - Every rule is judged for every line, and every failure is reported.
//! - Lines are judged in order on a running state: the same recipient twice adds up, and a holder's place taken by one
//!   line is not there for the next. A refused line takes nothing, so the lines without findings would pass alone.
//! - A request with a finding leaves no trace in the run; so does one that is rolled back because another rule refused.
//! - Limits are inclusive, ends of validity exclusive (compliance.md 3.2, trap 3).
//! - It fails closed: a policy that is missing or does not fit the asset, a fact that was not loaded, a stale list, a
//!   panic in a module: each refuses.
//!
//! Two base rules stand before all others and cannot be configured: the recipient's identity is registered, and its
//! address is not frozen on the asset (dalp.md A9). For an unregistered recipient only rules about the address and the
//! amount are judged.

mod activation;
mod facts;
mod golden;
mod model;
mod module;
mod modules;
mod registry;
mod report;
mod rules;
mod run;
mod sanctions;
mod standing;

pub use activation::{activate_policy, active_policy, policy_refusal, record_policy};
pub use facts::{Subject, facts};
pub use golden::admit;
pub use model::{Fact, FactSet, Facts, Operation, SanctionsFacts};
pub use module::{Candidate, ComplianceModule};
pub use report::{Outcome, Report, Verdict};
pub use rules::{Attached, RULE_FROZEN, RULE_POLICY, RULE_REGISTERED, RuleSet, RuleSource};
pub use run::Run;
pub use sanctions::{SANCTIONS_SAMPLE, SanctionsFile, SanctionsList, Shrink, import_sanctions, newest_sanctions_list};
pub use standing::Standing;
