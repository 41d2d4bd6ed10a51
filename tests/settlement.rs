//! Settlement on a real node: what the ledger accepted is on the chain once, and the books say so when it is final.
//!
//! The rules of specs/chain.md section 5, and where each is driven on a node. Thousands of histories more are played
//! without one in `settlement_simulator.rs`; what a node answers to one request is in `chain/`.
//!
//! | rule | | test |
//! |---|---|---|
//! | 1 | one row per intent, one key for ever | `api/idempotency`, `crash.rs` |
//! | 2, 3 | nonce and row in one commit; one sender by lease | `processes`, `crashes::two_processes_with_one_key…`, `crashes::a_process_whose_key_was_taken…` |
//! | 4 | bytes are stored before they are sent | `steps::…after_the_signature_and_before_sending…` |
//! | 5 | an unclear answer decides nothing | `replies::a_reply_that_is_lost…`, `chain/sending` |
//! | 6 | one nonce for life | `steps::…after_the_row…`, `fees::the_original_may_win…` |
//! | 7 | no receipt is no evidence | `replies::a_receipt_that_is_null…` |
//! | 8 | a nonce that something else took needs a person | `reorgs::a_foreign_transaction_at_our_nonce…`, `backups` |
//! | 9 | so many in flight; gaps are sent again or filled | `fees::no_more_than_so_many…`, `fees::the_middle_of_five…`, `reorgs::a_nonce_that_others_used…` |
//! | 10 | only the lowest is outbid, up to a ceiling | `fees::only_the_lowest…`, `fees::a_jump_of_the_base_fee…`, `fees::at_the_ceiling…` |
//! | 11 | a no-op cancels, and whichever is mined counts | `replies::a_refused_mint_that_is_mined…`, `replies::a_no_op_that_is_mined…`, `refusals` |
//! | 12 | blocks are known by their hash | `reorgs::a_reorganisation_of_depth_three…`, `reorgs::a_revert_that_a_reorganisation_takes_back…` |
//! | 13 | books change at final, and it is watched on | `steps::…after_the_receipt…`, `reorgs::what_was_final_and_vanishes…` |
//! | 14 | tried and judged again before it is sent | `lines::one_recipient_unverified…`, `lines::who_loses_a_claim…`, `moves::a_receiver_who_is_sanctioned…`, `steps::a_forced_transfer_that_the_signer…` |
//! | 15 | whoever is at fault fails, the others go again | `lines::one_recipient_unverified…`, `lines::mints_that_run_out_of_gas…`, `reverts` |
//! | 16 | the receipt shows every line once | `mints::a_batch_of_a_hundred…`, `mints::a_receipt_that_does_not_show…` |
//! | 17 | no endpoint that lies behind is believed | `replies::an_endpoint_that_lies_behind…`, `chain/endpoints` |
//! | 18 | no nonce without funds | `fees::a_signer_without_funds…` |
//! | 19 | killed at every step | `steps`, `crashes::a_process_that_dies_at_any_moment…`, `crash.rs` |
//! | 20 | books and chain are compared, not repaired | `observed`, `logs`, and the end of every test here |
//!
//! Bad times beside the rules: a node that forgets its pool (`crashes`), the gas of one transaction and beyond
//! (`lines::operations_beyond_the_gas…`, `lines::a_mint_that_runs_out_of_all…`, refused at acceptance where it is known:
//! `adoption::more_recipients_than_fit…`), a registry that reverts (`lines`), a recipient who is frozen while his mint is
//! reverted (`reverts`), a token that would mint while it is paused (`adoption::t_rex_would_mint…`), a holder's own transfer
//! (`observed`), another chain at the start (`replies::a_server_does_not_start…`), all of them at random under load
//! (`crash.rs`, `bin/bench chaos-chain`).

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

use support::{node, proxy};

#[path = "settlement/adoption.rs"]
mod adoption;
#[path = "settlement/backups.rs"]
mod backups;
#[path = "settlement/crashes.rs"]
mod crashes;
#[path = "settlement/fees.rs"]
mod fees;
#[path = "settlement/health.rs"]
mod health;
#[path = "settlement/lines.rs"]
mod lines;
#[path = "settlement/logs.rs"]
mod logs;
#[path = "settlement/mints.rs"]
mod mints;
#[path = "settlement/moves.rs"]
mod moves;
#[path = "settlement/observed.rs"]
mod observed;
#[path = "settlement/processes.rs"]
mod processes;
#[path = "settlement/refusals.rs"]
mod refusals;
#[path = "settlement/reorgs.rs"]
mod reorgs;
#[path = "settlement/replies.rs"]
mod replies;
#[path = "settlement/reverts.rs"]
mod reverts;
#[path = "settlement/stage.rs"]
mod stage;
#[path = "settlement/steps.rs"]
mod steps;
