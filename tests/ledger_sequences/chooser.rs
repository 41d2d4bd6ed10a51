//! What happens next: mostly things that could go well, often at the very edge of what is allowed, sometimes nonsense.

use std::collections::BTreeSet;

use moneyer::types::{Address, Timestamp};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

use crate::model::{Ask, Backing, Caller, Claim, EMBARGOED, Line, Model, Rule, Topic, Units, most};

/// The assets that are in use at a time: each is of a kind of its own.
pub(super) const BOOKS: usize = 6;
const LINES_MAX: usize = 100;
const DAY: i64 = 86_400;

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// All requests for one asset in one commit.
    Group(Vec<Ask>),
    /// Requests for any asset, through their lanes.
    Lanes(Vec<Ask>),
    Pause(usize),
    Unpause(usize),
    SetCap(usize, Units),
    Freeze(usize, Address),
    Free(usize, Address),
    Back(usize, Backing),
    Grant(usize),
    Revoke(usize),
    Claim(usize, Topic, Claim),
    RevokeClaim(usize, Topic),
    Register(usize, &'static str),
    Trust(Topic),
    Distrust(Topic),
    ImportSanctions,
    Advance(i64),
    /// A new asset of the same kind takes the place of the old one.
    Replace(usize),
}

pub(super) struct Chooser {
    rng: StdRng,
    keys: usize,
}

impl Chooser {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            keys: 0,
        }
    }

    pub(super) fn next(&mut self, model: &Model) -> Step {
        let book = self.rng.random_range(0..BOOKS);
        match self.rng.random_range(0..1_000) {
            0..440 => {
                let mut asks = self.asks(model, |_| book);
                let mut keys = BTreeSet::new();
                // The lanes keep two requests under one key apart.
                asks.retain(|ask| ask.key.is_none() || keys.insert((ask.caller, ask.key.clone())));
                Step::Group(asks)
            }
            440..670 => Step::Lanes(self.asks(model, |chooser| chooser.rng.random_range(0..BOOKS))),
            670..760 => self.mend(model, book),
            760..800 => self.lifecycle(model, book),
            800..845 => Step::SetCap(book, self.cap(model, book)),
            845..885 => self.freeze(model, book),
            885..915 => Step::Back(book, self.backing(model, book)),
            915..928 => self.role(model, book),
            928..950 => self.claim(model),
            950..957 => Step::RevokeClaim(self.person(model), self.topic()),
            957..967 => Step::Register(self.person(model), self.country()),
            967..972 => self.trust(model),
            972..978 => Step::ImportSanctions,
            978..992 => Step::Advance(self.seconds(model)),
            _ => Step::Replace(book),
        }
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_ratio(percent, 100)
    }

    // --- mints ------------------------------------------------------------------------------------------------------

    fn asks(&mut self, model: &Model, mut book: impl FnMut(&mut Self) -> usize) -> Vec<Ask> {
        let count = if self.chance(50) {
            1
        } else {
            self.rng.random_range(2..=7)
        };
        let mut asks: Vec<Ask> = Vec::new();
        for _ in 0..count {
            let book = book(self);
            let ask = match asks.choose(&mut self.rng) {
                Some(earlier) if self.chance(10) => earlier.clone(),
                _ => self.ask(model, book),
            };
            let age_seconds = if self.chance(20) {
                self.rng.random_range(0..=5)
            } else {
                0
            };
            asks.push(Ask { age_seconds, ..ask });
        }
        asks
    }

    fn ask(&mut self, model: &Model, book: usize) -> Ask {
        let caller = if self.chance(3) {
            Caller::Outsider
        } else {
            Caller::Issuer
        };
        let known: Vec<_> = model.books[book].answers.iter().collect();
        let known = known.choose(&mut self.rng).filter(|_| self.rng.random_ratio(8, 100));
        if let Some(((caller, key), (lines, _))) = known {
            let lines = match self.rng.random_ratio(1, 4) {
                true => self.lines(model, book),
                false => lines.clone(),
            };
            let (caller, key) = (*caller, Some(key.clone()));
            return Ask {
                book,
                caller,
                key,
                lines,
                age_seconds: 0,
            };
        }
        let key = self.chance(30).then(|| {
            self.keys += 1;
            format!("key-{}", self.keys)
        });
        let lines = self.lines(model, book);
        Ask {
            book,
            caller,
            key,
            lines,
            age_seconds: 0,
        }
    }

    fn lines(&mut self, model: &Model, book: usize) -> Vec<Line> {
        let count = match self.rng.random_range(0..100) {
            0..45 => 1,
            45..80 => self.rng.random_range(2..=8),
            80..95 => self.rng.random_range(9..=40),
            _ => LINES_MAX,
        };
        let everybody = model.wallets();
        if self.chance(10) {
            return (0..count).map(|_| self.nonsense(model, book, &everybody)).collect();
        }
        let one = Units::from(1);
        let is_good = |wallet: &Address| {
            let findings = model.findings(book, &[(*wallet, one)], model.now);
            findings.iter().all(|(line, _)| line.is_none())
        };
        let good: Vec<Address> = everybody.iter().copied().filter(is_good).collect();
        let candidates = if good.is_empty() { everybody } else { good };
        let units_max: u64 = if count < 10 { 400 } else { 40 };
        let mut lines: Vec<Line> = (0..count)
            .map(|_| {
                let wallet = *candidates.choose(&mut self.rng).unwrap();
                (wallet, Units::from(self.rng.random_range(1..=units_max)))
            })
            .collect();
        if self.chance(20) {
            self.stretch_to_the_edge(model, book, &mut lines);
        }
        lines
    }

    fn nonsense(&mut self, model: &Model, book: usize, everybody: &[Address]) -> Line {
        let wallet = *everybody.choose(&mut self.rng).unwrap();
        let units = match self.rng.random_range(0..12) {
            0 => Units::ZERO,
            1 => most(),
            2 => Units::from(1) << self.rng.random_range(0..256_usize),
            3 => self.edge(model, book, &wallet),
            _ => Units::from(self.rng.random_range(1..=300_u64)),
        };
        (wallet, units)
    }

    /// Makes one line so large that the request just fits a limit, or just does not.
    fn stretch_to_the_edge(&mut self, model: &Model, book: usize, lines: &mut [Line]) {
        let place = self.rng.random_range(0..lines.len());
        let wallet = lines[place].0;
        lines[place].1 = Units::ZERO;
        let others = lines.iter().fold(Units::ZERO, |sum, (_, units)| sum + *units);
        let edge = self.edge(model, book, &wallet);
        let room = edge.saturating_sub(others);
        let off_by = self.rng.random_range(0..=2_u64);
        let units = match off_by {
            0 => room,
            1 => room + Units::from(1),
            _ => room.saturating_sub(Units::from(1)),
        };
        lines[place].1 = units.min(most()).max(Units::from(1));
    }

    /// What is left to one of the limits of the book, for one wallet.
    fn edge(&mut self, model: &Model, book: usize, wallet: &Address) -> Units {
        let book = &model.books[book];
        let supply = book.supply();
        let mut rooms: Vec<Units> = book.cap.into_iter().map(|cap| cap.saturating_sub(supply)).collect();
        if let (Some(backing), Some(bps)) = (book.backing, book.collateral_bps) {
            let covered = backing.amount * Units::from(10_000) / Units::from(bps);
            rooms.push(covered.saturating_sub(supply));
        }
        let held = model
            .person_of(wallet)
            .map(|person| book.held_by(&model.people[person]));
        for rule in &book.rules {
            match rule {
                Rule::HoldingMax(max) => rooms.push(max.saturating_sub(held.unwrap_or_default())),
                Rule::SupplyMax(max) => rooms.push(max.saturating_sub(supply)),
                Rule::Claimed(_)
                | Rule::Holders { .. }
                | Rule::BlockedWallets(_)
                | Rule::BlockedPeople(_)
                | Rule::OnlyCountries(_) => {}
            }
        }
        // Where nothing else limits, the largest number does; reaching it ends the book, so half the way is preferred.
        if rooms.is_empty() {
            let all = most() - supply;
            rooms.push(if self.rng.random_ratio(1, 4) {
                all
            } else {
                all / Units::from(2)
            });
        }
        *rooms.choose(&mut self.rng).unwrap()
    }

    /// Takes away what keeps everybody from the book, so that mints go through again.
    fn mend(&mut self, model: &Model, book: usize) -> Step {
        if let Some(topic) = self.untrusted(model) {
            return Step::Trust(topic);
        }
        if !model.books[book].may_mint {
            return Step::Grant(book);
        }
        let anybody = [(self.good(model, book), Units::from(1))];
        let findings = model.findings(book, &anybody, model.now);
        let plenty = model.books[book].supply() * Units::from(2) + Units::from(30_000);
        match findings.first().map(|(_, slug)| *slug) {
            Some("asset_paused") => Step::Unpause(book),
            Some("cap_exceeded") => Step::SetCap(book, plenty.min(most())),
            Some("collateral_short" | "collateral_stale") => Step::Back(
                book,
                Backing {
                    amount: plenty.min(most()),
                    not_before: model.now,
                    expires_at: model.now.plus_seconds(5 * DAY),
                },
            ),
            Some("sanctions_list_stale") => Step::ImportSanctions,
            Some(_) => Step::Replace(book),
            None => self.mend_somebody(model),
        }
    }

    fn mend_somebody(&mut self, model: &Model) -> Step {
        let person = self.person(model);
        if model.people[person].country == Some(EMBARGOED) {
            return Step::Register(person, "DE");
        }
        let claim = Claim {
            not_before: model.now,
            expires_at: model.now.plus_seconds(100 * DAY),
            is_revoked: false,
        };
        Step::Claim(person, self.topic(), claim)
    }

    fn untrusted(&mut self, model: &Model) -> Option<Topic> {
        let topics = [Topic::Kyc, Topic::Aml];
        topics.into_iter().find(|topic| !model.trusted.contains(topic))
    }

    /// A wallet to which little keeps anybody from minting.
    fn good(&mut self, model: &Model, book: usize) -> Address {
        let one = Units::from(1);
        let wallets = model.wallets();
        let count = |wallet: &&Address| model.findings(book, &[(**wallet, one)], model.now).len();
        *wallets.iter().min_by_key(count).unwrap()
    }

    // --- everything else --------------------------------------------------------------------------------------------

    /// Mostly away from what holds, and back to where mints go through.
    fn lifecycle(&mut self, model: &Model, book: usize) -> Step {
        let pause = if model.books[book].is_paused {
            self.chance(10)
        } else {
            self.chance(70)
        };
        if pause { Step::Pause(book) } else { Step::Unpause(book) }
    }

    fn role(&mut self, model: &Model, book: usize) -> Step {
        let revoke = if model.books[book].may_mint {
            self.chance(70)
        } else {
            self.chance(10)
        };
        if revoke { Step::Revoke(book) } else { Step::Grant(book) }
    }

    fn trust(&mut self, model: &Model) -> Step {
        match self.untrusted(model) {
            Some(topic) => Step::Trust(topic),
            None => Step::Distrust(self.topic()),
        }
    }

    fn cap(&mut self, model: &Model, book: usize) -> Units {
        let supply = model.books[book].supply();
        match self.rng.random_range(0..10) {
            0 => Units::ZERO,
            1 => supply,
            2 => supply.saturating_sub(Units::from(1)),
            3 => supply.min(most() - Units::from(1)) + Units::from(1),
            4 => most(),
            _ => (supply + Units::from(self.rng.random_range(1..=20_000_u64))).min(most()),
        }
    }

    fn freeze(&mut self, model: &Model, book: usize) -> Step {
        let frozen: Vec<Address> = model.books[book].frozen.iter().copied().collect();
        match frozen.choose(&mut self.rng).filter(|_| frozen.len() > 3) {
            Some(wallet) => Step::Free(book, *wallet),
            None => {
                let wallets = model.wallets();
                let wallet = *wallets.choose(&mut self.rng).unwrap();
                if self.chance(85) {
                    Step::Freeze(book, wallet)
                } else {
                    Step::Free(book, wallet)
                }
            }
        }
    }

    fn backing(&mut self, model: &Model, book: usize) -> Backing {
        let supply = model.books[book].supply();
        let amount = match self.rng.random_range(0..12) {
            0 => Units::ZERO,
            1 => supply,
            2 => most(),
            _ => (supply * Units::from(2) + Units::from(self.rng.random_range(1..=30_000_u64))).min(most()),
        };
        let seconds = match self.rng.random_range(0..12) {
            0 => 0,
            1 => 1,
            _ => self.rng.random_range(1..=8 * DAY),
        };
        Backing {
            amount,
            not_before: model.now,
            expires_at: model.now.plus_seconds(seconds),
        }
    }

    fn claim(&mut self, model: &Model) -> Step {
        let not_before = if self.chance(15) {
            self.rng.random_range(1..=2 * DAY)
        } else {
            0
        };
        let valid = if self.chance(30) {
            self.rng.random_range(1..=3 * DAY)
        } else {
            self.rng.random_range(DAY..=300 * DAY)
        };
        let claim = Claim {
            not_before: model.now.plus_seconds(not_before),
            expires_at: model.now.plus_seconds(not_before + valid),
            is_revoked: false,
        };
        Step::Claim(self.person(model), self.topic(), claim)
    }

    /// Often to an instant that matters to somebody: the last second before it, or the first after.
    fn seconds(&mut self, model: &Model) -> i64 {
        let claims = model.people.iter().flat_map(|person| person.claims.values().flatten());
        let backings = model.books.iter().filter_map(|book| book.backing);
        let maturities = model.books.iter().filter_map(|book| book.maturity);
        let instants: Vec<Timestamp> = claims
            .flat_map(|claim| [claim.not_before, claim.expires_at])
            .chain(backings.map(|backing| backing.expires_at))
            .chain(maturities)
            .chain([model.sanctions_as_of.plus_seconds(7 * DAY)])
            .filter(|at| *at > model.now && *at < model.now.plus_seconds(3 * DAY))
            .collect();
        match instants.choose(&mut self.rng) {
            Some(at) if self.chance(70) => {
                let seconds = at.seconds() - model.now.seconds() + self.rng.random_range(-1..=1);
                seconds.max(1)
            }
            _ => self.rng.random_range(1..=DAY),
        }
    }

    fn person(&mut self, model: &Model) -> usize {
        self.rng.random_range(0..model.people.len())
    }

    fn topic(&mut self) -> Topic {
        if self.chance(50) { Topic::Kyc } else { Topic::Aml }
    }

    fn country(&mut self) -> &'static str {
        ["DE", "DE", "BE", "BE", "FR", "US", EMBARGOED]
            .choose(&mut self.rng)
            .unwrap()
    }
}
