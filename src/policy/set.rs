use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::canonical;
use super::definitions::Definitions;
use super::rule::Rule;
use crate::types::{Hash32, Timestamp, sha256};

/// Raised when the meaning of a rule kind changes, so that the same files under another engine have another hash.
pub const ENGINE_VERSION: u32 = 1;

/// Everything a folder of policies says, checked and laid on top of each other. Immutable; a reload makes a new one.
#[derive(Debug)]
pub struct PolicySet {
    /// sha256 of the canonical JSON of every effective policy, the definitions and the engine version. Two servers with
    /// the same hash decide alike.
    pub hash: Hash32,
    pub definitions: Definitions,
    /// Every file that has a say, in the order of its path.
    pub files: Vec<SourceFile>,
    /// Golden cases: run when a set is admitted, without a say in any decision.
    pub golden: Vec<SourceFile>,
    baseline: Arc<Policy>,
    templates: BTreeMap<String, Arc<Policy>>,
    assets: BTreeMap<String, Arc<Policy>>,
}

/// A file as it was read, for the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Relative to the folder, with forward slashes.
    pub path: Arc<str>,
    /// Of the bytes, without any reading of them.
    pub hash: Hash32,
    pub text: Arc<str>,
}

impl SourceFile {
    pub(super) fn new(path: &str, text: String) -> Self {
        Self {
            path: path.into(),
            hash: sha256(text.as_bytes()),
            text: text.into(),
        }
    }
}

/// The effective rules of the baseline, a template or an asset: its own on top of those it extends.
#[derive(Clone, Debug)]
pub struct Policy {
    pub id: String,
    pub version: u64,
    pub owner: String,
    pub review_by: NaiveDate,
    pub rules: Vec<Rule>,
}

/// What the calendar says of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    pub policy: String,
    pub review_by: NaiveDate,
    pub state: ReviewState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReviewState {
    /// Within [`PolicySet::REVIEW_WARNING_DAYS`] of the date.
    DueSoon,
    /// The date is past; a new version is not to be activated before the date has been moved by a review.
    Overdue,
}

impl PolicySet {
    pub const REVIEW_WARNING_DAYS: i64 = 30;

    pub(super) fn new(
        definitions: Definitions,
        files: Vec<SourceFile>,
        golden: Vec<SourceFile>,
        policies: Policies,
    ) -> Self {
        let Policies {
            baseline,
            templates,
            assets,
        } = policies;
        let mut set = Self {
            hash: Hash32::ZERO,
            definitions,
            files,
            golden,
            baseline,
            templates,
            assets,
        };
        set.hash = sha256(set.canonical_text().as_bytes());
        set
    }

    /// The policy of an asset: its own file's, or the baseline's when it names none. None when the named policy is not
    /// loaded, which must refuse (`policy_missing`).
    pub fn for_asset(&self, policy: Option<&str>) -> Option<Arc<Policy>> {
        match policy {
            None => Some(Arc::clone(&self.baseline)),
            Some(id) => self.assets.get(id).cloned(),
        }
    }

    /// A policy by the name that `extends` uses: `baseline`, `templates/<name>`, or an asset policy's id.
    pub fn named(&self, name: &str) -> Option<Arc<Policy>> {
        match (name, name.strip_prefix("templates/")) {
            ("baseline", _) => Some(Arc::clone(&self.baseline)),
            (_, Some(template)) => self.templates.get(template).cloned(),
            (id, None) => self.assets.get(id).cloned(),
        }
    }

    pub fn asset_policy_ids(&self) -> impl Iterator<Item = &str> {
        self.assets.keys().map(String::as_str)
    }

    /// Policies whose review is due or overdue at `now`.
    pub fn reviews(&self, now: Timestamp) -> Vec<Review> {
        let today = now.to_chrono().date_naive();
        let all = std::iter::once(&self.baseline)
            .chain(self.templates.values())
            .chain(self.assets.values());
        all.filter_map(|policy| {
            let days_left = policy.review_by.signed_duration_since(today).num_days();
            let state = match days_left {
                ..0 => ReviewState::Overdue,
                0..=Self::REVIEW_WARNING_DAYS => ReviewState::DueSoon,
                _ => return None,
            };
            Some(Review {
                policy: policy.id.clone(),
                review_by: policy.review_by,
                state,
            })
        })
        .collect()
    }

    /// What the hash is taken of, so that an auditor can take it again.
    pub fn canonical_text(&self) -> String {
        let of = |policies: &BTreeMap<String, Arc<Policy>>| -> BTreeMap<String, Value> {
            policies
                .iter()
                .map(|(id, policy)| (id.clone(), policy.canonical()))
                .collect()
        };
        canonical::write(&json!({
            "engine": ENGINE_VERSION,
            "baseline": self.baseline.canonical(),
            "templates": of(&self.templates),
            "assets": of(&self.assets),
            "definitions": self.definitions.canonical(),
        }))
    }
}

/// The effective policies that a loader hands over.
pub(super) struct Policies {
    pub baseline: Arc<Policy>,
    pub templates: BTreeMap<String, Arc<Policy>>,
    pub assets: BTreeMap<String, Arc<Policy>>,
}

impl Policy {
    fn canonical(&self) -> Value {
        json!({
            "id": self.id,
            "version": self.version,
            "rules": self.rules.iter().map(Rule::canonical).collect::<Vec<_>>(),
        })
    }
}
