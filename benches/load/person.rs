//! What a person does in a run full of faults: looks at the chain, and decides what no program may.

use moneyer::app::Clock;
use moneyer::error::Error;
use moneyer::operation::Plan;
use moneyer::settlement::{self, Case, Decision, Progress};
use moneyer::types::Hash32;

use crate::Outcome;
use crate::evil::Chaos;

impl Chaos<'_> {
    /// As a person does who compares the cases with the chain.
    pub fn decide(&mut self) -> Outcome<()> {
        self.decisions += u32::from(self.know_of_others()?);
        for case in self.db.read_blocking(settlement::cases)? {
            let Some(decision) = self.decision(&case) else {
                continue;
            };
            let (nonce, now) = (case.nonce, Clock::System.now());
            let decided = self.db.write_blocking(|tx| {
                match settlement::progress(tx, nonce)? {
                    Progress::Waits => return Ok(false),
                    Progress::Done | Progress::Refused(_) => {}
                }
                match settlement::decide(tx, nonce, decision, "not on the chain", now) {
                    Ok(()) => Ok(true),
                    // Since it was listed the chain brought a receipt, or the last decision was carried out.
                    Err(Error::Conflict(_)) => Ok(false),
                    Err(error) => Err(error),
                }
            })?;
            self.decisions += u32::from(decided);
        }
        Ok(())
    }

    /// Whether there were others who used the key, and a person knows of them now.
    pub fn know_of_others(&self) -> Outcome<bool> {
        let Some(foreign) = self.db.read_blocking(settlement::foreign_use)? else {
            return Ok(false);
        };
        let now = Clock::System.now();
        Ok(self.db.write_blocking(|tx| {
            match settlement::acknowledge(tx, foreign.last, &[], "these transactions are ours", now) {
                Ok(()) => Ok(true),
                // Another one came since.
                Err(Error::Conflict(_)) => Ok(false),
                Err(error) => Err(error),
            }
        })?)
    }

    /// None where the run goes on by itself.
    fn decision(&self, case: &Case) -> Option<Decision> {
        let is_registry = case.kind == "registry" && matches!(case.attention.as_str(), "reverted" | "refused_for_good");
        if is_registry {
            return Some(Decision::Again);
        }
        let mined = |hash: &Hash32| !self.node.receipt(&hash.to_string()).is_null();
        if case.state != "unknown" || case.transactions.iter().any(mined) {
            return None;
        }
        // Whom a freeze of this run is about was freed since: done now, it would come after that.
        let is_freeze = case.operations.iter().any(|operation| {
            let plan = Plan::read(operation.kind, &operation.plan);
            matches!(plan, Ok(Plan::FreezeAddress { frozen: true, .. }))
        });
        Some(if is_freeze { Decision::Failed } else { Decision::Again })
    }
}
