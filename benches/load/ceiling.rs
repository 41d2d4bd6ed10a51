//! What the database takes when nothing but its rows is written: the same rows as a group of mints leaves behind, by
//! set-based statements, as many requests per commit as the server merged, without HTTP, rules or reads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use diesel::prelude::*;
use moneyer::app::Clock;
use moneyer::asset::{self, Asset};
use moneyer::audit::Stream;
use moneyer::db::{Bulk, Db, Tx};
use moneyer::error::Error;
use moneyer::on;
use moneyer::types::{Address, Amount, Hash32, OperationId, Timestamp};
use serde_json::json;
use uuid::Uuid;

use crate::Outcome;
use crate::order::{Line, OrderBook};
use crate::world::World;

/// Groups that are made up beforehand; their content costs nothing while the clock runs.
const GROUPS: usize = 16;

/// What the server did per commit.
#[derive(Clone, Copy, Debug)]
pub struct Merging {
    pub recipients_per_request: usize,
    pub requests_per_commit: usize,
}

/// Recipients per second.
pub fn measure(db: &Db, world: &World, merging: Merging, seconds: u64, seed: u64) -> Outcome<f64> {
    let lanes = if db.has_single_writer() {
        1
    } else {
        world.spare_assets.len()
    };
    let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let begin = Instant::now();
    std::thread::scope(|scope| -> Outcome<()> {
        let lanes: Vec<_> = (0..lanes)
            .map(|number| {
                let assets: Vec<&Asset> = world.spare_assets.iter().skip(number).step_by(lanes).collect();
                let (stop, written) = (&stop, &written);
                scope.spawn(move || Lane::open(world, merging, seed, number).run(db, &assets, stop, written))
            })
            .collect();
        std::thread::sleep(Duration::from_secs(seconds));
        stop.store(true, Ordering::SeqCst);
        for lane in lanes {
            lane.join().map_err(|_| "a lane of the ceiling panicked")??;
        }
        Ok(())
    })?;
    Ok(written.load(Ordering::SeqCst) as f64 / begin.elapsed().as_secs_f64())
}

struct Lane {
    groups: Vec<Group>,
    issuer: Uuid,
    actor: String,
}

/// The requests of one commit.
struct Group {
    requests: Vec<Request>,
    /// Sums by account: one upsert per account and commit, as the server merges them.
    accounts: BTreeMap<Address, Amount>,
}

struct Request {
    lines: Vec<Line>,
    total: Amount,
    event: String,
}

impl Lane {
    fn open(world: &World, merging: Merging, seed: u64, number: usize) -> Self {
        let book = OrderBook::new(world);
        let mut chooser = book.chooser(number, seed ^ 0x6365_696c);
        let groups = (0..GROUPS).map(|_| {
            let requests: Vec<Request> = (0..merging.requests_per_commit)
                .map(|_| Request::new(book.draw(&mut chooser, merging.recipients_per_request).order.lines))
                .collect();
            let mut accounts: BTreeMap<Address, Amount> = BTreeMap::new();
            for line in requests.iter().flat_map(|request| &request.lines) {
                let sum = accounts.entry(line.recipient).or_default();
                *sum = sum.checked_add(line.amount).unwrap_or(Amount::MAX);
            }
            Group { requests, accounts }
        });
        let issuer = &world.issuers[0].user;
        Self {
            groups: groups.collect(),
            issuer: *issuer.id.as_uuid(),
            actor: issuer.actor().name(),
        }
    }

    fn run(&self, db: &Db, assets: &[&Asset], stop: &AtomicBool, written: &AtomicU64) -> Outcome<()> {
        for round in 0.. {
            if stop.load(Ordering::SeqCst) {
                break;
            }
            let (group, asset) = (&self.groups[round % self.groups.len()], assets[round % assets.len()]);
            let now = Clock::System.now();
            let lines = db.write_blocking(|tx| self.write(tx, asset, group, now))?;
            written.fetch_add(u64::try_from(lines)?, Ordering::SeqCst);
        }
        Ok(())
    }

    /// One commit; the number of recipients.
    fn write(&self, tx: &mut Tx<'_>, asset: &Asset, group: &Group, now: Timestamp) -> Result<usize, Error> {
        let locked = asset::lock(tx, asset.id)?;
        let first = locked.next_operation;
        let id = *asset.id.as_uuid();
        let operations: Vec<Uuid> = group
            .requests
            .iter()
            .map(|_| *OperationId::generate().as_uuid())
            .collect();
        write_accounts(tx, id, &group.accounts, now)?;
        write_postings(tx, id, &group.requests, first)?;
        self.write_operations(tx, id, &group.requests, &operations, first, now)?;
        self.write_events(tx, asset, &group.requests, &operations, first, now)?;

        let next = first + i64::try_from(group.requests.len()).map_err(Error::internal)?;
        let minted = Amount::checked_sum(group.requests.iter().map(|request| request.total));
        let supply = minted.and_then(|minted| locked.supply.checked_add(minted));
        advance(
            tx,
            asset,
            supply.ok_or_else(|| Error::internal("the supply overflows"))?,
            next,
        )?;
        Ok(group.requests.iter().map(|request| request.lines.len()).sum())
    }

    fn write_operations(
        &self,
        tx: &mut Tx<'_>,
        asset: Uuid,
        requests: &[Request],
        operations: &[Uuid],
        first: i64,
        now: Timestamp,
    ) -> Result<(), Error> {
        let count = requests.len();
        let lines = requests
            .iter()
            .map(|request| i32::try_from(request.lines.len()).unwrap_or(i32::MAX));
        Bulk::into("operations")
            .column("asset_id", vec![asset; count])
            .column("sequence", (first..).take(count).collect::<Vec<i64>>())
            .column("id", operations.to_vec())
            .column("kind", vec!["mint"; count])
            .column("status", vec!["succeeded"; count])
            .column("plan", vec!["{}"; count])
            .column("lines", lines.collect::<Vec<_>>())
            .column(
                "total",
                requests.iter().map(|request| request.total).collect::<Vec<_>>(),
            )
            .column("requested_by", vec![self.issuer; count])
            .column("request_id", vec!["load-ceiling-0000000"; count])
            .column("policy_hash", vec![Some(Hash32::ZERO); count])
            .column("created_at", vec![now; count])
            .column("finished_at", vec![Some(now); count])
            .execute(tx)?;
        Ok(())
    }

    fn write_events(
        &self,
        tx: &mut Tx<'_>,
        asset: &Asset,
        requests: &[Request],
        operations: &[Uuid],
        first: i64,
        now: Timestamp,
    ) -> Result<(), Error> {
        let count = requests.len();
        // Out of the way of the events that the creation of the asset left in its own stream.
        let stream = format!("{}:ceiling", Stream::Asset(asset.id).name());
        Bulk::into("audit_events")
            .column("stream", vec![stream.clone(); count])
            .column("sequence", (first..).take(count).collect::<Vec<i64>>())
            .column("at", vec![now; count])
            .column("actor", vec![self.actor.clone(); count])
            .column("action", vec!["mint.accepted"; count])
            .column("asset_id", vec![Some(*asset.id.as_uuid()); count])
            .column("operation_id", operations.iter().copied().map(Some).collect::<Vec<_>>())
            .column(
                "data",
                requests.iter().map(|request| request.event.clone()).collect::<Vec<_>>(),
            )
            .column("leaf_hash", vec![Hash32::ZERO; count])
            .execute(tx)?;
        let next = first + i64::try_from(count).map_err(Error::internal)?;
        Bulk::into("audit_streams")
            .column("stream", vec![stream])
            .column("next_sequence", vec![next])
            .column("head", vec![Hash32::ZERO])
            .on_conflict(
                "ON CONFLICT (stream) DO UPDATE SET next_sequence = excluded.next_sequence, head = excluded.head",
            )
            .execute(tx)?;
        Ok(())
    }
}

impl Request {
    fn new(lines: Vec<Line>) -> Self {
        let total = Amount::checked_sum(lines.iter().map(|line| line.amount));
        let total = total.unwrap_or(Amount::MAX);
        let written: Vec<_> = lines
            .iter()
            .map(|line| json!({ "recipient": line.recipient, "amount": line.amount }))
            .collect();
        let event = json!({
            "lines": written, "number": 1, "policyHash": Hash32::ZERO, "requestId": "load-ceiling-0000000",
            "total": total, "verification": "PINCODE",
        });
        Self {
            lines,
            total,
            event: event.to_string(),
        }
    }
}

fn write_accounts(
    tx: &mut Tx<'_>,
    asset: Uuid,
    accounts: &BTreeMap<Address, Amount>,
    now: Timestamp,
) -> Result<(), Error> {
    let count = accounts.len();
    Bulk::into("accounts")
        .column("asset_id", vec![asset; count])
        .column("account", accounts.keys().copied().collect::<Vec<_>>())
        .column("identity_id", vec![Some(asset); count])
        .column("posted", accounts.values().copied().collect::<Vec<_>>())
        .column("pending", vec![Amount::ZERO; count])
        .column("frozen_amount", vec![Amount::ZERO; count])
        .column("frozen", vec![false; count])
        .column("acquired_at", vec![Some(now); count])
        .column("updated_at", vec![now; count])
        .on_conflict(
            "ON CONFLICT (asset_id, account) DO UPDATE SET posted = excluded.posted, pending = excluded.pending, \
             updated_at = excluded.updated_at",
        )
        .execute(tx)?;
    Ok(())
}

fn write_postings(tx: &mut Tx<'_>, asset: Uuid, requests: &[Request], first: i64) -> Result<(), Error> {
    let mut rows: Vec<(i64, i32, &'static str, Address, &'static str, Amount)> = Vec::new();
    for (number, request) in (first..).zip(requests) {
        for (line, of) in (0..).zip(&request.lines) {
            rows.push((number, line, "holder", of.recipient, "credit", of.amount));
        }
        let last = i32::try_from(request.lines.len()).map_err(Error::internal)?;
        rows.push((number, last, "issuance", Address::ZERO, "debit", request.total));
    }
    Bulk::into("postings")
        .column("asset_id", vec![asset; rows.len()])
        .column("operation", rows.iter().map(|row| row.0).collect::<Vec<_>>())
        .column("line", rows.iter().map(|row| row.1).collect::<Vec<_>>())
        .column("kind", rows.iter().map(|row| row.2).collect::<Vec<_>>())
        .column("account", rows.iter().map(|row| row.3).collect::<Vec<_>>())
        .column("side", rows.iter().map(|row| row.4).collect::<Vec<_>>())
        .column("amount", rows.iter().map(|row| row.5).collect::<Vec<_>>())
        .column("state", vec!["posted"; rows.len()])
        .execute(tx)?;
    Ok(())
}

fn advance(tx: &mut Tx<'_>, asset: &Asset, supply: Amount, next: i64) -> Result<(), Error> {
    use moneyer::db::schema::assets;
    let change = (assets::supply.eq(supply), assets::next_operation.eq(next));
    on!(tx, c => diesel::update(assets::table.find(asset.id)).set(change).execute(c))?;
    Ok(())
}
