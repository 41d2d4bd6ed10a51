//! Every query of webhooks.

mod delivery;
mod log;
mod prune;
mod subscription;

pub(super) use delivery::{
    Claimed, Ending, cancel_waiting, claim, deleted_with_waiting, end_attempt, insert_deliveries, insert_events,
    put_body, with_due,
};
pub(super) use log::{attempts_of, deliveries, delivery};
pub(super) use prune::prune;
pub(super) use subscription::{
    SealedSecrets, audience, backlog, by_id, certhis_of, insert, list, lock, put_change, put_creator, put_secrets,
    put_state, secrets_of,
};
