//! Everything of a wallet, one hand-over after the other.

use super::handover::{Handover, Holding, Outcome, Place, hand_over, holdings, resume};
use super::wallet::CustodialWallet;
use crate::error::Error;
use crate::types::Address;

/// One hand-over of a run.
#[derive(Debug)]
pub struct Step {
    pub what: Subject,
    pub outcome: Result<Outcome, Error>,
}

/// What was handed over, or was to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An earlier run had begun it.
    Begun(Handover),
    Holding(Box<Holding>),
}

impl Step {
    /// Whether the recipient has it.
    pub fn is_done(&self) -> bool {
        matches!(self.outcome, Ok(Outcome::Done(_)))
    }

    /// Nothing else can be signed before it is final: one nonce after the other.
    fn blocks(&self) -> bool {
        matches!(self.outcome, Ok(Outcome::Waiting(_)))
    }
}

/// Hands over what the wallet holds of this, after what an earlier run left open. One that fails stands in nobody's way;
/// one that is not final yet does, and ends the run. Each step is told when it is over.
///
/// Errors: what [`resume`] fails with, and the database. Empty when there was nothing to do.
pub async fn send(
    place: &Place<'_>,
    wallet: &CustodialWallet,
    recipient: Address,
    is_meant: impl Fn(&Holding) -> bool,
    mut tell: impl FnMut(&Step),
) -> Result<Vec<Step>, Error> {
    let mut steps = Vec::new();
    let mut keep = |step: Step| {
        tell(&step);
        let blocks = step.blocks();
        steps.push(step);
        blocks
    };
    let begun = resume(place, wallet).await?;
    let is_begun = |holding: &Holding| {
        let same = |one: &Handover| one.collection == holding.collection.id && one.token_id == holding.token_id;
        begun.as_ref().is_some_and(|(handover, _)| same(handover))
    };
    let mut is_blocked = begun.as_ref().is_some_and(|(handover, outcome)| {
        keep(Step {
            what: Subject::Begun(handover.clone()),
            outcome: Ok(outcome.clone()),
        })
    });
    // Read now: what was begun is gone from there, as far as the register knows.
    let address = wallet.address();
    let held = place.db.read(move |tx| holdings(tx, &address)).await?;
    for holding in held.into_iter().filter(|one| is_meant(one) && !is_begun(one)) {
        if is_blocked {
            break;
        }
        let outcome = hand_over(place, wallet, &holding, recipient).await;
        is_blocked = keep(Step {
            what: Subject::Holding(Box::new(holding)),
            outcome,
        });
    }
    Ok(steps)
}
