//! What burns and forced transfers have in common.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::event;
use crate::asset::{Asset, Books};
use crate::audit::{self, Event};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Finding, Line, Refusal};
use crate::ledger::{self, Sheet};
use crate::operation::{self, NewOperation, Operation, Plan};
use crate::settlement;
use crate::types::{Address, Amount, Hash32};

/// From whom, and to whom where it is not burned; base units.
pub(super) type Move = (Address, Option<Address>, Amount);

/// Lines of zero, and lines that take more than is there after the lines before them.
pub(super) fn findings(sheet: &Sheet, moves: &[Move]) -> Vec<Finding> {
    let mut taken: HashMap<Address, Amount> = HashMap::new();
    let mut findings = Vec::new();
    for (index, (from, to, amount)) in moves.iter().enumerate() {
        let mut find = |rule: &str, recipient: Address, refusal: Refusal| {
            findings.push(Finding {
                line: Some(Line { index, recipient }),
                rule: rule.to_owned(),
                refusal,
            });
        };
        if amount.is_zero() {
            find("amount-positive", to.unwrap_or(*from), Refusal::AmountZero);
        }
        let held = sheet.takeable(from);
        let before = taken.entry(*from).or_default();
        match before.checked_add(*amount).filter(|sum| *sum <= held) {
            Some(sum) => *before = sum,
            None => {
                let held = held.checked_sub(*before).unwrap_or(Amount::ZERO);
                let requested = *amount;
                find("balance", *from, Refusal::BalanceShort { held, requested });
            }
        }
    }
    findings
}

/// What is to be written of moves that the rules let pass.
pub(super) struct Taking<'m> {
    pub plan: Plan,
    pub action: &'static str,
    pub moves: &'m [Move],
    pub policy_hash: Option<Hash32>,
}

/// Reserves the moves and records them: one operation, settled as the asset settles, and its event.
pub(super) fn record_moves(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    asset: &Asset,
    mut books: Books,
    taking: Taking<'_>,
) -> Result<Operation, Error> {
    let movements = books.moves(taking.moves);
    let number = books.sheet.number();
    books.sheet.reserve_moves(number, &movements).map_err(Error::internal)?;
    let total = Amount::checked_sum(taking.moves.iter().map(|(.., amount)| *amount));
    let queued = Operation::queued(&NewOperation {
        asset: asset.id,
        sequence: number,
        plan: &taking.plan,
        lines: i32::try_from(taking.moves.len()).map_err(Error::internal)?,
        total: total.ok_or_else(|| Error::internal("the total of moves passes 2^256-1"))?,
        requested_by: ctx.actor.user,
        request_id: &ctx.request_id,
        policy_hash: taking.policy_hash,
        now: ctx.now,
    });
    let operation = settlement::accept_moves(asset.settlement, &mut books, &movements, queued, ctx.now)?;
    let event = Event {
        operation: Some(operation.id),
        ..event(ctx, asset, taking.action, Vec::new(), data(&operation, taking.moves))
    };
    operation::enqueue(tx, std::slice::from_ref(&operation))?;
    ledger::save(tx, books.sheet, ctx.now)?;
    audit::append(tx, ctx.now, vec![event])?;
    Ok(operation)
}

fn data(operation: &Operation, moves: &[Move]) -> Value {
    let lines: Vec<Value> = moves
        .iter()
        .map(|(from, to, amount)| json!({ "from": from, "to": to, "amount": amount }))
        .collect();
    json!({
        "lines": lines,
        "number": operation.sequence,
        "policyHash": operation.policy_hash,
        "requestId": operation.request_id,
        "total": operation.total,
    })
}

pub(super) fn wallets(moves: &[Move]) -> Vec<Address> {
    let to = moves.iter().filter_map(|(_, to, _)| *to);
    moves.iter().map(|(from, ..)| *from).chain(to).collect()
}
