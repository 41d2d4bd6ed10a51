//! One group of requests on its way through a commit: who still waits for a verdict, and what is to be written.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use super::facts::Loaded;
use super::model::{After, Issued, MintLine, Request, Stored, Verdict};
use super::{Judge, events, rules};
use crate::access::{Held, Permission, Role};
use crate::asset::{self, Asset};
use crate::audit::{self, Event};
use crate::compliance::Run;
use crate::db::Tx;
use crate::error::{Error, Finding};
use crate::identity::Collateral;
use crate::ledger::{self, IssueLine, Sheet};
use crate::operation::{self, IdempotencyKey, NewOperation, Operation, Plan, Remembered, Replay};
use crate::settlement;
use crate::types::{Address, Amount, AssetId, Hash32, Timestamp};
use crate::wallet::{self, Proof, Spend};

pub(super) struct Round<'r> {
    asset: Asset,
    /// The one clock reading of the commit, under the asset's lock.
    now: Timestamp,
    entries: Vec<Entry<'r>>,
    grants: Vec<(Role, Address)>,
    backing: Collateral,
    sheet: Option<Sheet>,
    policy_hash: Option<Hash32>,
    events: Vec<Event>,
}

struct Entry<'r> {
    request: &'r Request,
    roles: BTreeSet<Role>,
    state: State,
}

enum State {
    Waiting,
    Accepted(Box<Operation>),
    Replayed(Replay),
    Stale,
    Refused(Error),
}

impl<'r> Round<'r> {
    pub fn open(asset: Asset, requests: &'r [Request], now: Timestamp) -> Self {
        let entries = requests
            .iter()
            .map(|request| Entry {
                request,
                roles: BTreeSet::new(),
                state: State::Waiting,
            })
            .collect();
        Self {
            asset,
            now,
            entries,
            grants: Vec::new(),
            backing: Collateral::None,
            sheet: None,
            policy_hash: None,
            events: Vec::new(),
        }
    }

    pub fn asset(&self) -> &Asset {
        &self.asset
    }

    pub fn asset_id(&self) -> AssetId {
        self.asset.id
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    fn waiting(&self) -> impl Iterator<Item = &Entry<'r>> {
        self.entries
            .iter()
            .filter(|entry| matches!(entry.state, State::Waiting))
    }

    pub fn waiting_lines(&self) -> impl Iterator<Item = &'r MintLine> + '_ {
        self.waiting().flat_map(|entry| entry.request.lines.iter())
    }

    /// Turns away who lacks the role; each such refusal is an event of the asset. `grants` are all on the asset.
    pub fn check_roles(&mut self, grants: Vec<(Role, Address)>) {
        let asset = self.asset.id;
        let mut roles: HashMap<Address, BTreeSet<Role>> = HashMap::new();
        for (role, wallet) in &grants {
            roles.entry(*wallet).or_default().insert(*role);
        }
        for entry in &mut self.entries {
            let ctx = &entry.request.ctx;
            entry.roles = roles.get(&ctx.actor.wallet).cloned().unwrap_or_default();
            let held = Held {
                asset: entry.roles.clone(),
                ..Held::default()
            };
            if Permission::Mint.is_given_by(&held) {
                continue;
            }
            self.events.push(events::forbidden(asset, ctx));
            entry.state = State::Refused(Permission::Mint.refusal());
        }
        self.grants = grants;
    }

    pub fn idempotency_keys(&self) -> Vec<&'r IdempotencyKey> {
        self.waiting()
            .filter_map(|entry| entry.request.idempotency.as_ref())
            .map(|(key, _)| key)
            .collect()
    }

    /// Answers requests that were answered before.
    pub fn replay(&mut self, answers: &HashMap<IdempotencyKey, Remembered>) {
        for entry in &mut self.entries {
            let (State::Waiting, Some((key, fingerprint))) = (&entry.state, &entry.request.idempotency) else {
                continue;
            };
            if let Some(remembered) = answers.get(key) {
                entry.state = match remembered.replay(fingerprint) {
                    Ok(replay) => State::Replayed(replay),
                    Err(error) => State::Refused(error),
                };
            }
        }
    }

    /// Spends the codes of who still waits. A code that verified is spent whether or not the rules then refuse.
    pub fn spend(&mut self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let waiting: Vec<usize> = self.waiting_indexes();
        let proofs: Vec<Proof> = waiting
            .iter()
            .filter_map(|i| self.entries.get(*i))
            .map(|entry| entry.request.proof.clone())
            .collect();
        if proofs.is_empty() {
            return Ok(());
        }
        let spent = wallet::spend(tx, &proofs, self.now)?;
        for (index, spend) in waiting.into_iter().zip(spent) {
            let Some(entry) = self.entries.get_mut(index) else {
                continue;
            };
            match spend {
                Spend::Spent => {}
                Spend::Stale => entry.state = State::Stale,
                Spend::Refused(error) => entry.state = State::Refused(error),
            }
        }
        Ok(())
    }

    fn waiting_indexes(&self) -> Vec<usize> {
        let waiting = self
            .entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| matches!(entry.state, State::Waiting));
        waiting.map(|(index, _)| index).collect()
    }

    /// Turns away every request that still waits, for a reason that is not about the request.
    pub fn refuse_all(&mut self, why: &str) {
        for index in self.waiting_indexes() {
            self.set(index, State::Refused(Error::Conflict(why.to_owned())));
        }
    }

    /// Judges every request that still waits, in its order of arrival, on what the accepted ones before it leave behind.
    pub fn judge(&mut self, loaded: Loaded) -> Result<(), Error> {
        let Loaded {
            mut sheet,
            rules,
            facts,
            backing,
        } = loaded;
        let mut run = Run::new(&rules, &facts);
        self.backing = backing;
        self.policy_hash = Some(rules.policy_hash());
        for index in self.waiting_indexes() {
            let Some(entry) = self.entries.get_mut(index) else {
                continue;
            };
            let request = entry.request;
            let findings = rules::judge(&self.asset, &sheet, backing, &mut run, &request.lines, self.now);
            if !findings.is_empty() {
                self.refuse(index, findings);
                continue;
            }
            let operation = accept(
                &self.asset,
                &mut sheet,
                request,
                &facts.recipients,
                self.policy_hash,
                self.now,
            )?;
            self.events.push(events::accepted(&operation, request));
            self.set(index, State::Accepted(Box::new(operation)));
        }
        self.sheet = Some(sheet);
        Ok(())
    }

    fn set(&mut self, index: usize, state: State) {
        if let Some(entry) = self.entries.get_mut(index) {
            entry.state = state;
        }
    }

    fn refuse(&mut self, index: usize, findings: Vec<Finding>) {
        let Some(entry) = self.entries.get(index) else { return };
        for finding in &findings {
            metrics::counter!("refusals_total", "slug" => finding.refusal.slug()).increment(1);
        }
        self.events.push(events::refused(
            self.asset.id,
            entry.request,
            &findings,
            self.policy_hash,
        ));
        self.set(index, State::Refused(Error::Refused(findings)));
    }

    /// Writes everything that was decided and answers every request.
    pub fn write(mut self, tx: &mut Tx<'_>, judge: &Judge) -> Result<Vec<Verdict>, Error> {
        let operations: Vec<Operation> = self
            .entries
            .iter()
            .filter_map(|entry| match &entry.state {
                State::Accepted(operation) => Some(operation.as_ref().clone()),
                State::Waiting | State::Replayed(_) | State::Stale | State::Refused(_) => None,
            })
            .collect();
        if let Some(sheet) = self.sheet.take().filter(|_| !operations.is_empty()) {
            self.asset.supply = sheet.supply();
            self.asset.pending = sheet.pending();
            self.asset.holders = sheet.holders();
            self.asset.balances = sheet.balances();
            self.asset.next_operation = sheet.next_operation();
            operation::enqueue(tx, &operations)?;
            ledger::save(tx, sheet, self.now)?;
        }
        audit::append(tx, self.now, std::mem::take(&mut self.events))?;
        self.answer(tx, !operations.is_empty(), judge)
    }

    fn answer(self, tx: &mut Tx<'_>, any_accepted: bool, judge: &Judge) -> Result<Vec<Verdict>, Error> {
        let after = match any_accepted {
            true => {
                let known = asset::Known {
                    fixtures: judge.fixtures(tx, &self.asset)?,
                    grants: self.grants,
                    collateral: self.backing,
                };
                Some(Arc::new(After {
                    view: asset::view_with(tx, &self.asset, known, self.now, judge.base_currency())?,
                    asset: self.asset,
                    rendered: OnceLock::new(),
                }))
            }
            false => None,
        };
        let mut answers = Vec::new();
        let mut verdicts = Vec::with_capacity(self.entries.len());
        for entry in self.entries {
            let verdict = match (entry.state, &after) {
                (State::Accepted(operation), Some(after)) => {
                    let issued = Issued {
                        operation: *operation,
                        after: Arc::clone(after),
                        roles: entry.roles,
                    };
                    if let Some((key, fingerprint)) = &entry.request.idempotency {
                        let answer = (entry.request.render)(&issued)?;
                        answers.push((key.clone(), remembered(&answer, *fingerprint, &issued, self.now)));
                    }
                    Verdict::Accepted(Box::new(issued))
                }
                (State::Replayed(replay), _) => Verdict::Replayed(replay),
                (State::Stale, _) => Verdict::Stale,
                (State::Refused(error), _) => Verdict::Refused(error),
                (State::Waiting | State::Accepted(_), _) => {
                    Verdict::Refused(Error::internal("a request was not judged"))
                }
            };
            verdicts.push(verdict);
        }
        operation::remember(tx, &answers)?;
        Ok(verdicts)
    }
}

fn remembered(answer: &Stored, fingerprint: Hash32, issued: &Issued, now: Timestamp) -> Remembered {
    Remembered {
        fingerprint,
        status: answer.status,
        headers: answer.headers.clone(),
        body: answer.body.clone(),
        operation: Some(issued.operation.id),
        created_at: now,
        // Mints are remembered for ever (dalp.md A10).
        expires_at: None,
    }
}

fn accept(
    asset: &Asset,
    sheet: &mut Sheet,
    request: &Request,
    recipients: &super::facts::Recipients,
    policy_hash: Option<Hash32>,
    now: Timestamp,
) -> Result<Operation, Error> {
    let lines: Vec<IssueLine> = request
        .lines
        .iter()
        .filter_map(|line| {
            let known = recipients.get(&line.recipient)?;
            let (identity, country) = (known.identity, known.country);
            Some(IssueLine {
                recipient: line.recipient,
                identity: Some(identity),
                country,
                amount: line.amount,
            })
        })
        .collect();
    if lines.len() != request.lines.len() {
        return Err(Error::internal("a recipient passed the rules without an identity"));
    }
    let total = Amount::checked_sum(lines.iter().map(|line| line.amount));
    let sequence = sheet.number();
    sheet.reserve(sequence, &lines).map_err(Error::internal)?;
    let operation = Operation::queued(&NewOperation {
        asset: asset.id,
        sequence,
        plan: &Plan::Mint,
        lines: i32::try_from(lines.len()).map_err(Error::internal)?,
        total: total.ok_or_else(|| Error::internal("the total of a mint passes 2^256-1"))?,
        requested_by: request.ctx.actor.user,
        request_id: &request.ctx.request_id,
        policy_hash,
        now,
    });
    settlement::accept(asset.settlement, sheet, operation, now)
}
