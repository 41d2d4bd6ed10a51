//! What must not happen, and what does all the same.

use super::model::{Action, Attention, State, cost, total};
use super::{Noticed, Sender};
use crate::chain::View;

impl Sender {
    pub(super) fn watch(&mut self, view: &View, noticed: Noticed) -> Vec<Action> {
        let mut actions = self.watch_final(view);
        actions.extend(self.watch_settled(view));
        actions.extend(self.watch_foreign(view, noticed));
        actions.extend(self.watch_funds(view));
        actions
    }

    /// Rule 13: what was posted is watched until the head at which it was posted is final itself.
    fn watch_final(&mut self, view: &View) -> Vec<Action> {
        let mut actions = Vec::new();
        for nonce in self.nonces(|intent| matches!(intent.state, State::Final { .. })) {
            let Some(State::Final { mined, until }) = self.intents.get(&nonce).map(|intent| intent.state) else {
                continue;
            };
            let Some(hash) = view.blocks.get(&mined.block) else {
                continue;
            };
            if *hash != mined.block_hash {
                let detail = format!(
                    "nonce {nonce} was final in block {} ({}), which is no longer in the chain",
                    mined.block, mined.block_hash
                );
                actions.extend(self.raise(nonce, Attention::LateReorg, detail));
            } else if view.finalized >= until {
                self.close(nonce);
            } else {
                self.change(nonce, |intent| intent.attention = None);
            }
        }
        actions
    }

    /// What is final cannot be unmined; a chain that says so is another chain, or lost its data.
    fn watch_settled(&mut self, view: &View) -> Option<Action> {
        if view.count >= self.settled {
            self.attention.remove(&Attention::ChainWentBack);
            return None;
        }
        let detail = format!(
            "the chain has {} transactions of this signer, but {} are final",
            view.count, self.settled
        );
        self.raise_own(Attention::ChainWentBack, detail)
    }

    /// Rule 18: the funds must cover the worst case of what is in flight and one more large transaction.
    fn watch_funds(&mut self, view: &View) -> Option<Action> {
        let next = cost(self.policy.gas_max, view.suggested.max.min(self.policy.fee_max));
        let needed = total(self.reserved(), next);
        if view.balance >= needed {
            self.attention.remove(&Attention::Funds);
            return None;
        }
        let detail = format!("the signer has {} wei and may need {needed} wei", view.balance);
        self.raise_own(Attention::Funds, detail)
    }
}
