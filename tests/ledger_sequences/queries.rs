//! How often a mint asks the database.

use std::cell::Cell;
use std::time::Duration;

use diesel::connection::{InstrumentationEvent, set_default_instrumentation};
use moneyer::asset::Asset;
use moneyer::db::{Db, Settings, Tx};
use moneyer::mint::{self, MintLine, Request, Stored, Verdict};
use moneyer::operation::IdempotencyKey;
use moneyer::types::{Address, Amount, AssetId, Hash32, RequestId};
use moneyer::wallet::{Method, Proof};

use crate::support::{PIN, START, Server};

thread_local! {
    /// Of this thread: other tests of this process count for themselves.
    static READS: Cell<usize> = const { Cell::new(0) };
    static WRITES: Cell<usize> = const { Cell::new(0) };
}

fn count(event: InstrumentationEvent<'_>) {
    if let InstrumentationEvent::StartQuery { query, .. } = event {
        let counter = match query.to_string().starts_with("SELECT") {
            true => &READS,
            false => &WRITES,
        };
        counter.with(|counter| counter.set(counter.get() + 1));
    }
}

/// What happens between two looks at the counters.
fn counted<T>(work: impl FnOnce() -> T) -> (T, usize, usize) {
    let before = (READS.get(), WRITES.get());
    let result = work();
    (result, READS.get() - before.0, WRITES.get() - before.1)
}

/// More reading queries than this for one commit, and somebody asks per line, per request or twice.
const READS_MAX: usize = 20;

/// Requests of the issuer, judged with connections that count.
struct Counter<'s> {
    server: &'s Server,
    db: Db,
    proof: Proof,
}

pub(super) async fn compare(server: &Server) {
    set_default_instrumentation(|| Some(Box::new(count))).unwrap();
    let settings = Settings {
        url: server.database.url.clone().into(),
        connections_max: 1,
        wait: Duration::from_secs(10),
    };
    let issuer = &server.world.issuer;
    let verifier = server.app.verifier();
    let pin = PIN.into();
    let proof = verifier.prove(server.app.db(), issuer.actor(), START, Method::Pincode, &pin);
    let counter = Counter {
        server,
        db: Db::connect(&settings).unwrap(),
        proof: proof.await.unwrap(),
    };
    for asset in [server.world.equity, server.world.stablecoin] {
        let asset = server.asset(&asset).await;
        tokio::task::block_in_place(|| counter.compare(&asset));
    }
}

impl Counter<'_> {
    fn compare(&self, asset: &Asset) {
        let everybody = &self.server.world.recipients;
        let (first, others) = everybody.split_first().unwrap();
        let request = |recipients: &[Address]| self.request(asset.id, recipients);
        // The first mint of an asset also builds its rules.
        self.mint(asset.id, vec![request(&[*first])]);

        let one = self.mint(asset.id, vec![request(&others[..1])]);
        let hundred = self.mint(asset.id, vec![request(&others[1..101])]);
        let again = self.mint(asset.id, vec![request(&others[1..101])]);
        let many = others.iter().map(|recipient| request(&[*recipient]));
        let group = self.mint(asset.id, many.collect());

        let reads = [one.0, hundred.0, group.0];
        assert_eq!(reads, [one.0; 3], "{}", asset.symbol);
        assert!((1..=READS_MAX).contains(&one.0), "{reads:?}");
        // Who holds already is found by identity and is counted in no country.
        assert!((1..one.0).contains(&again.0), "{again:?}, {reads:?}");
        // SQLite takes the rows of a table in chunks, PostgreSQL all at once.
        if self.db.has_single_writer() {
            let slack = 3;
            assert!(
                hundred.1 <= one.1 + slack && group.1 < others.len(),
                "{one:?} {hundred:?} {group:?}"
            );
        } else {
            // No new holder, so nothing to count by country.
            assert_eq!([hundred.1, group.1, again.1 + 1], [one.1; 3]);
        }

        let one = self.check(asset, &request(&others[..1]));
        let hundred = self.check(asset, &request(&others[1..101]));
        assert_eq!(one, hundred, "the dry run");
    }

    /// Reading and writing queries of one commit.
    fn mint(&self, asset: AssetId, requests: Vec<Request>) -> (usize, usize) {
        let judge = self.server.app.lanes().judge();
        let (verdicts, reads, writes) = counted(|| {
            self.db
                .write_blocking(|tx: &mut Tx<'_>| mint::issue(tx, judge, asset, &requests))
        });
        let verdicts = verdicts.unwrap();
        assert!(
            verdicts.iter().all(|verdict| matches!(verdict, Verdict::Accepted(_))),
            "{verdicts:?}"
        );
        (reads, writes)
    }

    fn check(&self, asset: &Asset, request: &Request) -> usize {
        let judge = self.server.app.lanes().judge();
        let check = |tx: &mut Tx<'_>| mint::check(tx, judge, &request.ctx, asset, &request.lines);
        let (report, reads, writes) = counted(|| self.db.read_blocking(check));
        assert!(report.unwrap().is_allowed());
        assert_eq!(writes, 0);
        reads
    }

    fn request(&self, asset: AssetId, recipients: &[Address]) -> Request {
        let issuer = &self.server.world.issuer;
        let key = IdempotencyKey {
            user: issuer.user,
            route: "POST /api/token/mint".to_owned(),
            key: RequestId::generate().to_string(),
        };
        let lines = recipients.iter().map(|recipient| MintLine {
            recipient: *recipient,
            amount: Amount::ONE,
        });
        Request {
            ctx: issuer.ctx(START),
            asset,
            lines: lines.collect(),
            proof: self.proof.clone(),
            idempotency: Some((key, Hash32::from_bytes([7; 32]))),
            render: |_| {
                Ok(Stored {
                    status: 200,
                    headers: Vec::new(),
                    body: String::new(),
                })
            },
        }
    }
}
