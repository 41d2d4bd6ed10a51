//! One sequence: every step is done to the server and to the model, and what comes of it is compared.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::future::join_all;
use moneyer::db::Tx;
use moneyer::error::{Error, Finding};
use moneyer::mint::{self, Issued, Lanes, MintLine, Stored, Verdict};
use moneyer::operation::{IdempotencyKey, Status};
use moneyer::policy::PolicySet;
use moneyer::types::{Address, Amount, AssetId, Timestamp, sha256};
use moneyer::wallet::{Method, Proof};
use moneyer::{asset, audit, config, reports};
use moneyer::{identity, ledger};

use crate::cast;
use crate::changes::{expect, perform, said};
use crate::chooser::{BOOKS, Chooser, Step};
use crate::model::{self, Ask, Caller, Model, Outcome, units};
use crate::support::{PIN, Person, Server};

/// Steps between two looks at every balance.
const STEPS_BETWEEN_LOOKS: usize = 50;
/// How often the invariants are recounted from the postings on the way.
const RECOUNTS: usize = 4;

/// What a sequence saw, to tell a thorough one from one that was refused everything.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub steps: usize,
    pub outcomes: BTreeMap<&'static str, usize>,
    pub slugs: BTreeMap<String, usize>,
}

pub(super) struct Sequence<'s> {
    server: &'s Server,
    policies: Arc<PolicySet>,
    lanes: Lanes,
    /// What the lanes read: the time of the model.
    clock: Arc<AtomicI64>,
    proofs: BTreeMap<Caller, Proof>,
    trusted: Address,
    model: Model,
    tally: Tally,
}

impl<'s> Sequence<'s> {
    pub(super) async fn begin(server: &'s Server) -> Self {
        let policies = cast::policies();
        let (world, set) = (Arc::clone(&server.world), Arc::clone(&policies));
        let begin = move |tx: &mut Tx<'_>| {
            let mut model = cast::begin(tx, &world, &set)?;
            for number in 0..BOOKS {
                let book = cast::open(tx, &world, &set, number, &model.people, model.now)?;
                model.books.push(book);
            }
            Ok((model, identity::by_wallet(tx, &world.trusted.wallet)?.address))
        };
        let (model, trusted) = server.app.db().write(begin).await.unwrap();
        // Small commits, so that lanes take more than one.
        let settings = config::Lanes {
            waiting_max: 10_000,
            commit_max: 120,
        };
        let clock = Arc::new(AtomicI64::new(model.now.micros()));
        let reading = Arc::clone(&clock);
        let now = Arc::new(move || Timestamp::from_micros(reading.load(Ordering::SeqCst)));
        let mut sequence = Self {
            server,
            lanes: Lanes::new(server.app.db().clone(), Arc::clone(&policies), now, None, &settings).unwrap(),
            clock,
            policies,
            proofs: BTreeMap::new(),
            trusted,
            model,
            tally: Tally::default(),
        };
        for caller in [Caller::Issuer, Caller::Outsider] {
            let proof = sequence.prove(caller).await;
            sequence.proofs.insert(caller, proof);
        }
        sequence
    }

    async fn prove(&self, caller: Caller) -> Proof {
        let (app, person, pin) = (&self.server.app, self.person(caller), PIN.into());
        let proof = app
            .verifier()
            .prove(app.db(), person.actor(), self.model.now, Method::Pincode, &pin);
        proof.await.unwrap()
    }

    fn person(&self, caller: Caller) -> &Person {
        match caller {
            Caller::Issuer => &self.server.world.issuer,
            Caller::Outsider => &self.server.world.outsider,
        }
    }

    pub(super) async fn go(mut self, seed: u64, steps: usize) -> Tally {
        let mut chooser = Chooser::new(seed);
        for number in 0..steps {
            let step = chooser.next(&self.model);
            let told = format!("seed {seed}, step {number}: {step:?}");
            self.take(step, &told).await;
            self.compare_totals(&told).await;
            if number % STEPS_BETWEEN_LOOKS == 0 {
                self.compare_balances(&told).await;
            }
            if number % (steps / RECOUNTS).max(1) == 0 {
                self.recount(&told).await;
            }
        }
        self.compare_balances("the end").await;
        self.recount("the end").await;
        self.tally.steps = steps;
        self.tally
    }

    async fn take(&mut self, step: Step, told: &str) {
        match step {
            Step::Group(asks) => self.group(asks, told).await,
            Step::Lanes(asks) => self.through_lanes(asks, told).await,
            Step::Advance(seconds) => {
                self.model.now = self.model.now.plus_seconds(seconds);
                self.clock.store(self.model.now.micros(), Ordering::SeqCst);
            }
            Step::Replace(number) => self.replace(number).await,
            other => {
                let expected = expect(&mut self.model, &other);
                let found = self.change(other).await;
                assert_eq!(found, expected, "{told}");
            }
        }
    }

    async fn replace(&mut self, number: usize) {
        let (world, policies) = (Arc::clone(&self.server.world), Arc::clone(&self.policies));
        let (people, now) = (self.model.people.clone(), self.model.now);
        let open = move |tx: &mut Tx<'_>| cast::open(tx, &world, &policies, number, &people, now);
        self.model.books[number] = self.server.app.db().write(open).await.unwrap();
    }

    // --- mints ------------------------------------------------------------------------------------------------------

    async fn group(&mut self, asks: Vec<Ask>, told: &str) {
        let asset = self.model.books[asks[0].book].asset;
        let requests: Vec<mint::Request> = asks.iter().map(|ask| self.request(ask)).collect();
        if let [ask] = &asks[..] {
            self.compare_check(ask, &requests[0], told).await;
        }
        let lanes = self.lanes.clone();
        let issue = move |tx: &mut Tx<'_>| mint::issue(tx, lanes.judge(), asset, &requests);
        let verdicts = self.server.app.db().write(issue).await;
        let found: Vec<Outcome> = verdicts.unwrap().into_iter().map(outcome).collect();
        self.compare_outcomes(&asks, &found, told);
    }

    async fn through_lanes(&mut self, asks: Vec<Ask>, told: &str) {
        let requests = asks.iter().map(|ask| self.request(ask));
        let submitted: Vec<_> = requests.map(|request| self.lanes.submit(request)).collect();
        let verdicts = join_all(submitted).await;
        let found: Vec<Outcome> = verdicts.into_iter().map(|verdict| outcome(verdict.unwrap())).collect();
        self.compare_outcomes(&asks, &found, told);
    }

    fn compare_outcomes(&mut self, asks: &[Ask], found: &[Outcome], told: &str) {
        let expected = self.model.mint(asks);
        assert_eq!(found, expected, "{told}");
        for outcome in expected {
            let name = match outcome {
                Outcome::Accepted(..) => "accepted",
                Outcome::Replayed(_) => "replayed",
                Outcome::Conflict => "conflict",
                Outcome::Forbidden => "forbidden",
                Outcome::Refused(findings) => {
                    for (_, slug) in findings {
                        *self.tally.slugs.entry(slug).or_default() += 1;
                    }
                    "refused"
                }
            };
            *self.tally.outcomes.entry(name).or_default() += 1;
        }
    }

    /// What a dry run says is what the mint will be told.
    async fn compare_check(&self, ask: &Ask, request: &mint::Request, told: &str) {
        let (lanes, request) = (self.lanes.clone(), request.clone());
        let (now, asset) = (request.ctx.now, request.asset);
        let check = move |tx: &mut Tx<'_>| {
            let asset = asset::find(tx, asset)?;
            mint::check(tx, lanes.judge(), &request.ctx, &asset, &request.lines)
        };
        match self.server.app.db().read(check).await {
            Ok(report) => {
                let expected = self.model.findings(ask.book, &ask.lines, now);
                let expected: Vec<_> = expected
                    .into_iter()
                    .map(|(line, slug)| (line, slug.to_owned()))
                    .collect();
                assert_eq!(findings(&report.findings), expected, "check, {told}");
            }
            Err(Error::Forbidden { .. }) => {
                let may = ask.caller == Caller::Issuer && self.model.books[ask.book].may_mint;
                assert!(!may, "check, {told}");
            }
            Err(other) => panic!("check: {other}, {told}"),
        }
    }

    fn request(&self, ask: &Ask) -> mint::Request {
        let asset = self.model.books[ask.book].asset;
        let person = self.person(ask.caller);
        let lines = ask.lines.iter().map(|(recipient, units)| MintLine {
            recipient: *recipient,
            amount: model::amount(*units),
        });
        let key = ask.key.as_ref().map(|key| IdempotencyKey {
            user: person.user,
            route: format!("POST /api/token/{asset}/mint"),
            key: key.clone(),
        });
        mint::Request {
            ctx: person.ctx(self.model.now.plus_seconds(-ask.age_seconds)),
            asset,
            lines: lines.collect(),
            proof: self.proofs[&ask.caller].clone(),
            idempotency: key.map(|key| (key, sha256(format!("{:?}", ask.lines).as_bytes()))),
            render,
        }
    }

    // --- changes ----------------------------------------------------------------------------------------------------

    async fn change(&self, step: Step) -> String {
        let (world, now) = (Arc::clone(&self.server.world), self.model.now);
        let (model, trusted) = (self.model.clone(), self.trusted);
        let change = move |tx: &mut Tx<'_>| perform(tx, &world, &model, now, &trusted, &step);
        said(&self.server.app.db().write(change).await)
    }

    // --- comparing --------------------------------------------------------------------------------------------------

    async fn compare_totals(&self, told: &str) {
        let assets: Vec<AssetId> = self.model.books.iter().map(|book| book.asset).collect();
        let read = move |tx: &mut Tx<'_>| {
            assets
                .iter()
                .map(|asset| asset::find(tx, *asset))
                .collect::<Result<Vec<_>, _>>()
        };
        let rows = self.server.app.db().read(read).await.unwrap();
        for (book, row) in self.model.books.iter().zip(rows) {
            let (holders, _) = self.model.holders_of(book);
            assert_eq!(units(row.supply), book.supply(), "supply, {told}");
            assert_eq!(row.pending, Amount::ZERO, "pending, {told}");
            assert_eq!(row.cap.map(units), book.cap, "cap, {told}");
            assert_eq!(row.is_paused(), book.is_paused, "paused, {told}");
            assert_eq!(usize::try_from(row.holders), Ok(holders), "holders, {told}");
            assert_eq!(row.next_operation, book.next_operation, "operations, {told}");
        }
    }

    async fn compare_balances(&self, told: &str) {
        let wallets = self.model.wallets();
        for book in &self.model.books {
            let (asset, asked) = (book.asset, wallets.clone());
            let read = move |tx: &mut Tx<'_>| {
                let accounts = ledger::accounts(tx, asset, &asked, &[])?;
                let countries = ledger::holders_by_country(tx, asset)?;
                let mut events = |action| audit::of_asset(tx, asset, action).map(|events| events.len());
                let events = model::Events {
                    accepted: events("mint.accepted")?,
                    refused: events("mint.refused")?,
                    forbidden: events("access.refused")?,
                };
                Ok((accounts, countries, events))
            };
            let (accounts, countries, events) = self.server.app.db().read(read).await.unwrap();
            for account in &accounts {
                assert_eq!(
                    units(account.posted),
                    book.balance(&account.wallet),
                    "{}, {told}",
                    account.wallet
                );
                assert_eq!(account.pending, Amount::ZERO, "{}, {told}", account.wallet);
                assert_eq!(
                    account.frozen,
                    book.frozen.contains(&account.wallet),
                    "{}, {told}",
                    account.wallet
                );
            }
            let known: BTreeSet<Address> = accounts.iter().map(|account| account.wallet).collect();
            let mut held = book.balances.iter().filter(|(_, units)| !units.is_zero());
            assert!(held.all(|(wallet, _)| known.contains(wallet)), "{told}");
            assert!(book.frozen.is_subset(&known), "{told}");
            let countries = countries.into_iter().filter(|(_, holders)| *holders > 0);
            let countries: BTreeMap<&str, u64> = countries.map(|(country, n)| (country.alpha2(), n)).collect();
            assert_eq!(countries, self.model.holders_of(book).1, "{told}");
            assert_eq!(events, book.events, "{told}");
        }
    }

    async fn recount(&self, told: &str) {
        let found = self.server.app.db().read(reports::verify).await.unwrap();
        assert_eq!(found.faults, Vec::<String>::new(), "{told}");
    }
}

fn render(issued: &Issued) -> Result<Stored, Error> {
    let Issued { operation, .. } = issued;
    Ok(Stored {
        status: 200,
        headers: Vec::new(),
        body: model::answer(operation.sequence, units(operation.total)),
    })
}

fn outcome(verdict: Verdict) -> Outcome {
    match verdict {
        Verdict::Accepted(issued) => {
            assert_eq!(issued.operation.status, Status::Succeeded);
            Outcome::Accepted(issued.operation.sequence, units(issued.operation.total))
        }
        Verdict::Replayed(replay) => Outcome::Replayed(replay.body),
        Verdict::Refused(Error::Conflict(_)) => Outcome::Conflict,
        Verdict::Refused(Error::Forbidden { .. }) => Outcome::Forbidden,
        Verdict::Refused(Error::Refused(found)) => Outcome::Refused(findings(&found)),
        other @ (Verdict::Refused(_) | Verdict::Stale) => panic!("{other:?}"),
    }
}

fn findings(found: &[Finding]) -> Vec<(Option<usize>, String)> {
    let findings = found.iter();
    let mut findings: Vec<_> = findings
        .map(|finding| (finding.line.map(|line| line.index), finding.refusal.slug().to_owned()))
        .collect();
    findings.sort();
    findings
}
