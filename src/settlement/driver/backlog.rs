//! What waits, with all that the planner asks about it.

use std::collections::{HashMap, HashSet};

use super::Session;
use super::report::whole;
use crate::asset;
use crate::db::Tx;
use crate::error::Error;
use crate::operation::{self, Operation, OperationKind, Turns};
use crate::settlement::lot::{self, Group};
use crate::settlement::model::Placement;
use crate::settlement::plan::Waiting;
use crate::settlement::store;
use crate::types::{AssetId, Timestamp};

/// Queued operations of each sort that are looked at together.
const BACKLOG_MAX: i64 = 2_000;

impl Session {
    pub(super) async fn backlog(&mut self) -> Result<Vec<Waiting>, Error> {
        let unmined = self.sender.intents().filter(|intent| intent.state.mined().is_none());
        let partly_filled: HashSet<Group> = unmined
            .filter_map(|intent| self.about.get(&intent.nonce))
            .filter(|about| about.has_room)
            .filter_map(|about| about.mints)
            .collect();
        let turns = self.turns_of_held;
        let loaded = self.driver.db.read(move |tx| {
            let (queued, next) = operation::queued(tx, BACKLOG_MAX, turns)?;
            Ok((load(tx, queued, &partly_filled)?, next))
        });
        let (mut backlog, next) = loaded.await?;
        // The oldest of them are in the first part.
        if turns == Turns::default() {
            metrics::gauge!("settlement_oldest_held_seconds").set(whole(oldest_held(&backlog, self.driver.now())));
        }
        self.turns_of_held = next;
        for waiting in &mut backlog {
            let asset = waiting.asset.id;
            let goes = |operation: &Operation| !self.passed_over.contains(&(asset, operation.sequence));
            waiting.operations.retain(goes);
        }
        backlog.retain(|waiting| !waiting.operations.is_empty());
        Ok(backlog)
    }
}

/// Since when the one of them was accepted that waits for longest, in seconds.
fn oldest_held(backlog: &[Waiting], now: Timestamp) -> u64 {
    let operations = backlog.iter().flat_map(|waiting| &waiting.operations);
    let held = operations.filter(|operation| operation.hold.is_some());
    let oldest = held.map(|operation| operation.created_at.seconds()).min();
    let age = oldest.map_or(0, |oldest| now.seconds().saturating_sub(oldest));
    u64::try_from(age).unwrap_or(0)
}

fn load(tx: &mut Tx<'_>, queued: Vec<Operation>, partly_filled: &HashSet<Group>) -> Result<Vec<Waiting>, Error> {
    let mut order: Vec<AssetId> = Vec::new();
    let mut by_asset: HashMap<AssetId, Vec<Operation>> = HashMap::new();
    for operation in queued {
        let operations = by_asset.entry(operation.asset).or_default();
        if operations.is_empty() {
            order.push(operation.asset);
        }
        operations.push(operation);
    }
    if order.is_empty() {
        return Ok(Vec::new());
    }
    let changes: HashMap<AssetId, OperationKind> = operation::changes_on_their_way(tx)?.into_iter().collect();
    let placements = store::placements(tx, &order)?;
    let placements: HashMap<AssetId, Placement> = placements.into_iter().map(|one| (one.asset, one)).collect();
    let mut waiting = Vec::new();
    for id in order {
        let (Some(placement), Some(mut operations)) = (placements.get(&id), by_asset.remove(&id)) else {
            continue;
        };
        operations.sort_by_key(|operation| operation.sequence);
        let asset = asset::find(tx, id)?;
        let lots = match asset.kind.is_collection() {
            true => {
                let numbers: Vec<i64> = operations.iter().map(|operation| operation.sequence).collect();
                lot::lots(tx, id, &numbers)?
            }
            false => HashMap::new(),
        };
        waiting.push(Waiting {
            asset,
            placement: *placement,
            operations,
            change_on_its_way: changes.get(&id).copied(),
            lots,
            partly_filled: partly_filled
                .iter()
                .filter(|group| group.asset == id)
                .copied()
                .collect(),
        });
    }
    Ok(waiting)
}
