//! Behaviour from the outside, over HTTP, on both databases. One binary, because linking one costs more than its tests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    reason = "tests fail by panicking"
)]

mod support;

#[path = "api/answers.rs"]
mod answers;
#[path = "api/assets.rs"]
mod assets;
#[path = "api/away.rs"]
mod away;
#[path = "api/bounds.rs"]
mod bounds;
#[path = "api/burns.rs"]
mod burns;
#[path = "api/certhis.rs"]
mod certhis;
#[path = "api/certhis_check.rs"]
mod certhis_check;
#[path = "api/certhis_once.rs"]
mod certhis_once;
#[path = "api/certhis_secrets.rs"]
mod certhis_secrets;
#[path = "api/certhis_shop.rs"]
mod certhis_shop;
#[path = "api/certhis_tasks.rs"]
mod certhis_tasks;
#[path = "api/certhis_webhook.rs"]
mod certhis_webhook;
#[path = "api/collections.rs"]
mod collections;
#[path = "api/compliance.rs"]
mod compliance;
#[path = "api/custody.rs"]
mod custody;
#[path = "api/dry_run.rs"]
mod dry_run;
#[path = "api/enrolment.rs"]
mod enrolment;
#[path = "api/evidence.rs"]
mod evidence;
#[path = "api/footprint.rs"]
mod footprint;
#[path = "api/forms.rs"]
mod forms;
#[path = "api/framework.rs"]
mod framework;
#[path = "api/idempotency.rs"]
mod idempotency;
#[path = "api/identity.rs"]
mod identity;
#[path = "api/language.rs"]
mod language;
#[path = "api/minting.rs"]
mod minting;
#[path = "api/minting_beyond.rs"]
mod minting_beyond;
#[path = "api/minting_files.rs"]
mod minting_files;
#[path = "api/minting_shell.rs"]
mod minting_shell;
#[path = "api/one_mint.rs"]
mod one_mint;
#[path = "api/operations.rs"]
mod operations;
#[path = "api/order.rs"]
mod order;
#[path = "api/people.rs"]
mod people;
#[path = "api/projects.rs"]
mod projects;
#[path = "api/quotas.rs"]
mod quotas;
#[path = "api/reads.rs"]
mod reads;
#[path = "api/rules.rs"]
mod rules;
#[path = "api/servicing.rs"]
mod servicing;
#[path = "api/steps.rs"]
mod steps;
#[path = "api/together.rs"]
mod together;
#[path = "api/trust.rs"]
mod trust;
#[path = "api/verification.rs"]
mod verification;
#[path = "api/webhooks.rs"]
mod webhooks;
#[path = "api/webhooks_slow.rs"]
mod webhooks_slow;
