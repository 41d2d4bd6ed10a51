//! Which waiting operations go next, and why others do not: pure.
//!
//! The changes of an asset go in the order in which they were accepted and before its mints; assets that are to be
//! paused, or on which somebody is to be frozen, go before all others. Waiting mints of one asset share a transaction,
//! whole operations only, up to the gas bound (specs/chain.md part A); those of a collection in turns of their callers,
//! and apart by the function that mints them.

use std::collections::{HashMap, HashSet};

use super::gas::GasBook;
use super::lot::{Group, Lot};
use super::turns::in_turns;
use super::{Placement, moves};
use crate::asset::{Asset, Lifecycle};
use crate::operation::{Operation, OperationKind, Plan};
use crate::types::AssetId;

const NO_CONTRACT: &str = "waits for the asset's contract";

/// One asset with operations that wait.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub asset: Asset,
    pub placement: Placement,
    /// In their order.
    pub operations: Vec<Operation>,
    /// A change that is signed or sent and not mined.
    pub change_on_its_way: Option<OperationKind>,
    /// Of a collection's mints, by number: which may share a transaction.
    pub lots: HashMap<i64, Lot>,
    /// Those of which a transaction that had room for more is not mined yet.
    pub partly_filled: HashSet<Group>,
}

/// Mints that go in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Together {
    pub group: Group,
    pub operations: Vec<Operation>,
    /// Others of the group found no room in it.
    pub is_full: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    /// One transaction each, in this order.
    pub changes: Vec<Operation>,
    /// The asset that waits longest first.
    pub mints: Vec<Together>,
    pub held: Vec<Held>,
    /// A transaction was filled and leaves mints behind that may go now, too.
    pub leaves_more: bool,
}

/// Operations that are not sent yet, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub asset: AssetId,
    pub numbers: Vec<i64>,
    pub reason: String,
}

/// `gas_usable` is what one transaction may spend.
pub(super) fn choose(waiting: &[Waiting], gas: &GasBook, gas_usable: u64) -> Choice {
    let mut choice = Choice::default();
    let (urgent, others): (Vec<&Waiting>, Vec<&Waiting>) = waiting.iter().partition(|asset| is_urgent(asset));
    for asset in urgent.into_iter().chain(others) {
        let (mints, changes): (Vec<&Operation>, Vec<&Operation>) = asset
            .operations
            .iter()
            .partition(|operation| operation.kind == OperationKind::Mint);
        for change in &changes {
            match why_no_change(asset, change, changes.first().copied()) {
                Some(reason) => choice.held.push(Held {
                    asset: asset.asset.id,
                    numbers: vec![change.sequence],
                    reason,
                }),
                None => choice.changes.push((*change).clone()),
            }
        }
        if mints.is_empty() {
            continue;
        }
        let mints = match asset.asset.kind.is_collection() {
            true => in_turns(mints),
            false => mints,
        };
        // A burn or a forced transfer that waits for something keeps no mint from going.
        let first_to_go = changes
            .iter()
            .find(|change| !moves::takes(change.kind) || change.hold.is_none());
        match why_not(asset, first_to_go.copied()) {
            Some(reason) => choice.held.push(Held {
                asset: asset.asset.id,
                numbers: mints.iter().map(|mint| mint.sequence).collect(),
                reason,
            }),
            None => {
                for (group, mints) in grouped(asset, mints) {
                    let cost = |lines| gas.planned(&asset.placement, group, lines);
                    let operations = fitting(&mints, cost, gas_usable);
                    let is_full = operations.len() < mints.len();
                    choice.leaves_more |= is_full;
                    // Alone a mint goes at once; what comes while it is on its way is gathered until a transaction is full.
                    if is_full || !asset.partly_filled.contains(&group) {
                        choice.mints.push(Together {
                            group,
                            operations,
                            is_full,
                        });
                    }
                }
            }
        }
    }
    choice
}

fn is_urgent(asset: &Waiting) -> bool {
    asset.operations.iter().any(|operation| match operation.kind {
        OperationKind::Pause => true,
        OperationKind::FreezeAddress => matches!(
            Plan::read(operation.kind, &operation.plan),
            Ok(Plan::FreezeAddress { frozen: true, .. })
        ),
        OperationKind::Create
        | OperationKind::Adopt
        | OperationKind::Mint
        | OperationKind::Burn
        | OperationKind::ForcedTransfer
        | OperationKind::Unpause
        | OperationKind::SetCap
        | OperationKind::Observed => false,
    })
}

/// Why no mint of this asset may be sent now.
fn why_not(asset: &Waiting, first_change: Option<&Operation>) -> Option<String> {
    if asset.placement.first_block.is_none() {
        return Some(NO_CONTRACT.to_owned());
    }
    if asset.asset.lifecycle == Lifecycle::Paused {
        return Some("the asset is paused".to_owned());
    }
    let change = first_change.map(|change| change.kind).or(asset.change_on_its_way);
    change.map(|kind| format!("waits for {} to be mined", kind.text()))
}

/// Why a change may not be sent now: what is sent where no contract stands yet succeeds there without an effect; and a burn
/// or a forced transfer is tried on the chain as it is, so what was accepted before it has to be mined.
fn why_no_change(asset: &Waiting, change: &Operation, first: Option<&Operation>) -> Option<String> {
    if change.kind == OperationKind::Create {
        return None;
    }
    if asset.placement.first_block.is_none() {
        return Some(NO_CONTRACT.to_owned());
    }
    if !moves::takes(change.kind) {
        return None;
    }
    let earlier = first.filter(|first| first.sequence != change.sequence);
    let kind = earlier.map(|earlier| earlier.kind).or(asset.change_on_its_way);
    kind.map(|kind| format!("waits for {} to be mined", kind.text()))
}

/// The mints of each group in their order, the group of the first one first.
fn grouped<'w>(asset: &Waiting, mints: Vec<&'w Operation>) -> Vec<(Group, Vec<&'w Operation>)> {
    let mut groups: Vec<(Group, Vec<&Operation>)> = Vec::new();
    let mut places: HashMap<Group, usize> = HashMap::new();
    for mint in mints {
        let group = Group {
            asset: asset.asset.id,
            lot: asset.lots.get(&mint.sequence).copied(),
        };
        let next = groups.len();
        let place = *places.entry(group).or_insert(next);
        match groups.get_mut(place) {
            Some((_, mints)) => mints.push(mint),
            None => groups.push((group, vec![mint])),
        }
    }
    groups
}

/// The longest run of whole operations from the front that is taken to fit one transaction; one at least.
fn fitting(mints: &[&Operation], gas_of: impl Fn(u64) -> u64, gas_usable: u64) -> Vec<Operation> {
    let mut lines: u64 = 0;
    let mut together = Vec::new();
    for mint in mints {
        lines = lines.saturating_add(u64::try_from(mint.lines).unwrap_or(u64::MAX));
        if gas_of(lines) > gas_usable && !together.is_empty() {
            break;
        }
        together.push((*mint).clone());
    }
    together
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::NewOperation;
    use crate::types::{Address, Amount, RequestId, Timestamp, UserId};

    fn waiting(plans: &[(Plan, i32)]) -> Waiting {
        let mut asset = crate::asset::sample();
        asset.lifecycle = Lifecycle::Active;
        let operations = plans.iter().enumerate().map(|(index, (plan, lines))| {
            Operation::queued(&NewOperation {
                asset: asset.id,
                sequence: i64::try_from(index).unwrap() + 1,
                plan,
                lines: *lines,
                total: Amount::ZERO,
                requested_by: UserId::generate(),
                request_id: &RequestId::generate(),
                policy_hash: None,
                now: Timestamp::from_seconds(1),
            })
        });
        Waiting {
            operations: operations.collect(),
            placement: Placement {
                asset: asset.id,
                chain_id: 31_337,
                registry: Address::ZERO,
                adopted: false,
                holder_transfers: false,
                recipients_max: 100,
                first_block: Some(1),
                observed_block: None,
            },
            asset,
            change_on_its_way: None,
            lots: HashMap::new(),
            partly_filled: HashSet::new(),
        }
    }

    fn numbers(choice: &Choice) -> Vec<i64> {
        let mints = choice.mints.iter().flat_map(|together| &together.operations);
        mints.map(|mint| mint.sequence).collect()
    }

    fn freeze(frozen: bool) -> Plan {
        Plan::FreezeAddress {
            wallet: Address::ZERO,
            frozen,
        }
    }

    #[test]
    fn a_burn_that_waits_for_something_keeps_no_mint_from_going() {
        let gas = GasBook::default();
        let mut asset = waiting(&[(Plan::Burn, 1), (Plan::Mint, 1)]);
        let with = |asset: &Waiting| numbers(&choose(std::slice::from_ref(asset), &gas, u64::MAX));
        assert_eq!(with(&asset), Vec::<i64>::new());

        asset.operations[0].hold = Some("the receiver is frozen".to_owned());

        assert_eq!(with(&asset), [2]);
    }

    #[test]
    fn waiting_mints_share_a_transaction_up_to_the_gas_bound_and_are_never_split() {
        let asset = waiting(&[(Plan::Mint, 10), (Plan::Mint, 10), (Plan::Mint, 10)]);
        let mut gas = GasBook::default();
        gas.learn(Group::units(asset.asset.id), 1_000, 10);
        let with = |usable: u64| numbers(&choose(std::slice::from_ref(&asset), &gas, usable));

        assert_eq!(with(1_999), [1]);
        assert_eq!(with(2_000), [1, 2]);
        assert_eq!(with(2_001), [1, 2]);
        assert_eq!(with(3_000), [1, 2, 3]);
        // One that is taken to be too large is tried all the same: the estimate decides.
        assert_eq!(with(1), [1]);
    }

    #[test]
    fn while_one_with_room_is_on_its_way_only_a_full_transaction_follows() {
        let mut asset = waiting(&[(Plan::Mint, 10), (Plan::Mint, 10)]);
        asset.partly_filled = HashSet::from([Group::units(asset.asset.id)]);
        let mut gas = GasBook::default();
        gas.learn(Group::units(asset.asset.id), 1_000, 10);
        let with = |usable: u64| numbers(&choose(std::slice::from_ref(&asset), &gas, usable));

        assert!(with(2_000).is_empty());
        assert_eq!(with(1_000), [1]);
        assert!(choose(std::slice::from_ref(&asset), &gas, 1_000).leaves_more);
        assert!(!choose(std::slice::from_ref(&asset), &gas, 2_000).leaves_more);
    }

    #[test]
    fn tokens_with_ids_and_without_fill_transactions_of_their_own() {
        let mut asset = waiting(&vec![(Plan::Mint, 1); 7]);
        let lots = [(1, Lot::ById), (3, Lot::ById), (5, Lot::ById), (7, Lot::ById)].into_iter();
        let without = [2, 4, 6].map(|number| (number, Lot::ByQuantity));
        asset.lots = lots.chain(without).collect();
        let by = |lot| Group {
            asset: asset.asset.id,
            lot: Some(lot),
        };
        let mut gas = GasBook::default();
        gas.learn(by(Lot::ById), 300, 3);
        gas.learn(by(Lot::ByQuantity), 150, 3);
        asset.partly_filled = HashSet::from([by(Lot::ByQuantity)]);
        let with = |usable: u64| choose(std::slice::from_ref(&asset), &gas, usable);

        assert_eq!(
            numbers(&with(300)),
            [1, 3, 5],
            "the others wait for their own to be mined"
        );
        assert!(with(300).leaves_more);
        assert_eq!(numbers(&with(100)), [1, 2], "both are full");
        let is_full = |choice: Choice| choice.mints.iter().map(|one| one.is_full).collect::<Vec<_>>();
        assert_eq!(is_full(with(400)), [false]);
    }

    #[test]
    fn changes_go_before_mints_and_in_their_order() {
        let asset = waiting(&[(Plan::Create, 0), (Plan::Mint, 1), (Plan::Unpause, 0), (Plan::Pause, 0)]);

        let choice = choose(&[asset], &GasBook::default(), 1_000_000);

        let changes: Vec<_> = choice.changes.iter().map(|change| change.kind).collect();
        assert_eq!(
            changes,
            [OperationKind::Create, OperationKind::Unpause, OperationKind::Pause]
        );
        assert_eq!(choice.held.len(), 1);
        assert_eq!(choice.held[0].numbers, [2]);
        assert!(numbers(&choice).is_empty());
    }

    #[test]
    fn no_change_goes_where_no_contract_stands_except_the_one_that_makes_it() {
        let mut asset = waiting(&[
            (Plan::Create, 0),
            (Plan::Unpause, 0),
            (freeze(true), 0),
            (Plan::Burn, 1),
        ]);
        asset.placement.first_block = None;

        let choice = choose(&[asset], &GasBook::default(), 1_000_000);

        let changes: Vec<i64> = choice.changes.iter().map(|change| change.sequence).collect();
        assert_eq!(changes, [1]);
        let held: Vec<i64> = choice.held.iter().flat_map(|held| held.numbers.clone()).collect();
        assert_eq!(held, [2, 3, 4]);
        assert!(choice.held.iter().all(|held| held.reason == NO_CONTRACT));
    }

    #[test]
    fn a_burn_waits_for_what_was_accepted_before_it_and_holds_the_mints() {
        let asset = waiting(&[
            (Plan::Unpause, 0),
            (Plan::Burn, 1),
            (Plan::ForcedTransfer, 1),
            (Plan::Mint, 1),
        ]);
        let alone = waiting(&[(Plan::Burn, 1), (Plan::Mint, 1)]);
        let mut behind = waiting(&[(Plan::ForcedTransfer, 1)]);
        behind.change_on_its_way = Some(OperationKind::Burn);

        let choices = [asset, alone, behind].map(|asset| choose(&[asset], &GasBook::default(), 1_000_000));

        let changes = choices
            .clone()
            .map(|choice| choice.changes.iter().map(|one| one.sequence).collect::<Vec<_>>());
        assert_eq!(changes, [vec![1], vec![1], vec![]]);
        let held = choices.map(|choice| {
            choice
                .held
                .iter()
                .flat_map(|held| held.numbers.clone())
                .collect::<Vec<_>>()
        });
        assert_eq!(held, [vec![2, 3, 4], vec![2], vec![1]]);
    }

    #[test]
    fn a_pause_or_a_freeze_goes_before_the_changes_of_other_assets() {
        for (plan, first) in [(Plan::Pause, true), (freeze(true), true), (freeze(false), false)] {
            let slow = waiting(&[(Plan::Unpause, 0)]);
            let fast = waiting(&[(plan, 0)]);
            let id = fast.asset.id;

            let choice = choose(&[slow, fast], &GasBook::default(), 1_000_000);

            assert_eq!(choice.changes[0].asset == id, first);
        }
    }

    #[test]
    fn a_mint_waits_for_its_contract_for_its_asset_and_for_changes_that_are_not_mined() {
        let mint = [(Plan::Mint, 1)];
        let reason = |asset: Waiting| {
            let choice = choose(&[asset], &GasBook::default(), 1_000_000);
            choice.held.first().map(|held| held.reason.clone())
        };
        let mut uncreated = waiting(&mint);
        uncreated.placement.first_block = None;
        let mut paused = waiting(&mint);
        paused.asset.lifecycle = Lifecycle::Paused;
        let mut changing = waiting(&mint);
        changing.change_on_its_way = Some(OperationKind::Unpause);

        assert_eq!(reason(uncreated).unwrap(), "waits for the asset's contract");
        assert_eq!(reason(paused).unwrap(), "the asset is paused");
        assert_eq!(reason(changing).unwrap(), "waits for unpause to be mined");
        assert_eq!(reason(waiting(&mint)), None);
    }
}
