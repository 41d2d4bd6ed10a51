//! What a mint must do, told a second time: small, slow, in memory, with numbers that cannot overflow. Nothing here is
//! taken from the server but addresses and times.

use std::collections::{BTreeMap, BTreeSet};

use moneyer::types::{Address, Amount, AssetId, Timestamp};
use ruint::aliases::U512;

pub(super) type Units = U512;

/// 2^256 − 1, the most that can be issued.
pub(super) fn most() -> Units {
    (Units::from(1) << 256) - Units::from(1)
}

pub(super) fn units(amount: Amount) -> Units {
    amount.to_string().parse().unwrap()
}

pub(super) fn amount(units: Units) -> Amount {
    Amount::parse(&units.to_string()).unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Topic {
    Kyc,
    Aml,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub not_before: Timestamp,
    /// Exclusive.
    pub expires_at: Timestamp,
    pub is_revoked: bool,
}

/// An identity with its wallets.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub identity: Address,
    pub wallets: Vec<Address>,
    /// None: created and not registered.
    pub country: Option<&'static str>,
    /// Superseded ones are gone.
    pub claims: BTreeMap<Topic, Vec<Claim>>,
}

/// A compliance rule of one asset, on top of the two of the baseline.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    /// One of these topics.
    Claimed(Vec<Topic>),
    HoldingMax(Units),
    Holders {
        max: usize,
        per_country: BTreeMap<&'static str, usize>,
    },
    SupplyMax(Units),
    BlockedWallets(BTreeSet<Address>),
    BlockedPeople(BTreeSet<usize>),
    OnlyCountries(BTreeSet<&'static str>),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Backing {
    pub amount: Units,
    pub not_before: Timestamp,
    /// Exclusive.
    pub expires_at: Timestamp,
}

/// An asset with its register.
#[derive(Clone, Debug)]
pub(super) struct Book {
    pub asset: AssetId,
    pub maturity: Option<Timestamp>,
    /// Required = ceil(supply × ratio ÷ 10000).
    pub collateral_bps: Option<u64>,
    pub rules: Vec<Rule>,
    pub cap: Option<Units>,
    pub backing: Option<Backing>,
    pub is_paused: bool,
    /// Whether the issuer has the role.
    pub may_mint: bool,
    pub frozen: BTreeSet<Address>,
    pub balances: BTreeMap<Address, Units>,
    pub next_operation: i64,
    /// First answers by who asked and under which key: the lines, and what was said.
    pub answers: BTreeMap<(Caller, String), (Vec<Line>, String)>,
    /// What the audit log must have.
    pub events: Events,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Events {
    pub accepted: usize,
    pub refused: usize,
    pub forbidden: usize,
}

pub(super) type Line = (Address, Units);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Caller {
    /// Has the role as long as the book says so.
    Issuer,
    Outsider,
}

/// One request to mint.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub book: usize,
    pub caller: Caller,
    pub key: Option<String>,
    pub lines: Vec<Line>,
    /// How long before its commit it arrived. The time of the commit counts.
    pub age_seconds: i64,
}

/// The line, or none for the whole request, and the slug.
pub(super) type Finding = (Option<usize>, &'static str);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The number of the operation and the total.
    Accepted(i64, Units),
    Replayed(String),
    Conflict,
    Forbidden,
    Refused(Vec<(Option<usize>, String)>),
}

pub(super) const EMBARGOED: &str = "IR";
const SANCTIONS_AGE_SECONDS_MAX: i64 = 7 * 86_400;

#[derive(Clone, Debug)]
pub(super) struct Model {
    pub now: Timestamp,
    pub people: Vec<Person>,
    /// Nobody knows these.
    pub strangers: Vec<Address>,
    pub sanctioned: BTreeSet<Address>,
    pub sanctions_as_of: Timestamp,
    pub trusted: BTreeSet<Topic>,
    pub books: Vec<Book>,
}

impl Book {
    pub(super) fn supply(&self) -> Units {
        sum(self.balances.values())
    }

    pub(super) fn balance(&self, wallet: &Address) -> Units {
        self.balances.get(wallet).copied().unwrap_or_default()
    }

    pub(super) fn held_by(&self, person: &Person) -> Units {
        person
            .wallets
            .iter()
            .fold(Units::ZERO, |sum, wallet| sum + self.balance(wallet))
    }

    pub(super) fn take_number(&mut self) -> i64 {
        self.next_operation += 1;
        self.next_operation - 1
    }
}

fn sum<'u>(units: impl Iterator<Item = &'u Units>) -> Units {
    units.fold(Units::ZERO, |sum, more| sum + *more)
}

pub(super) fn answer(number: i64, total: Units) -> String {
    format!("operation {number} of {total}")
}

/// What the lines before one leave behind.
struct Running {
    held: Vec<Units>,
    issued: Units,
}

// --- mints ----------------------------------------------------------------------------------------------------------

impl Model {
    pub(super) fn person_of(&self, wallet: &Address) -> Option<usize> {
        self.people.iter().position(|person| person.wallets.contains(wallet))
    }

    pub(super) fn wallets(&self) -> Vec<Address> {
        let known = self.people.iter().flat_map(|person| person.wallets.iter());
        known.chain(&self.strangers).copied().collect()
    }

    /// One commit, or several: the outcome is that of one request after the other.
    pub(super) fn mint(&mut self, asks: &[Ask]) -> Vec<Outcome> {
        asks.iter().map(|ask| self.mint_one(ask)).collect()
    }

    fn mint_one(&mut self, ask: &Ask) -> Outcome {
        let book = &mut self.books[ask.book];
        if ask.caller == Caller::Outsider || !book.may_mint {
            book.events.forbidden += 1;
            return Outcome::Forbidden;
        }
        let key = ask.key.clone().map(|key| (ask.caller, key));
        if let Some((lines, answer)) = key.as_ref().and_then(|key| book.answers.get(key)) {
            return match *lines == ask.lines {
                true => Outcome::Replayed(answer.clone()),
                false => Outcome::Conflict,
            };
        }

        let findings = self.findings(ask.book, &ask.lines, self.now);
        let book = &mut self.books[ask.book];
        if !findings.is_empty() {
            book.events.refused += 1;
            let findings = findings.into_iter().map(|(line, slug)| (line, slug.to_owned()));
            return Outcome::Refused(findings.collect());
        }

        for (wallet, units) in &ask.lines {
            *book.balances.entry(*wallet).or_default() += *units;
        }
        let (number, total) = (book.take_number(), sum(ask.lines.iter().map(|(_, units)| units)));
        book.events.accepted += 1;
        if let Some(key) = key {
            book.answers.insert(key, (ask.lines.clone(), answer(number, total)));
        }
        Outcome::Accepted(number, total)
    }

    /// Everything that is wrong with a request, sorted; empty when it goes through.
    pub(super) fn findings(&self, book: usize, lines: &[Line], now: Timestamp) -> Vec<Finding> {
        let book = &self.books[book];
        let mut findings = self.of_the_whole(book, lines, now);
        let mut running = Running {
            held: self.people.iter().map(|person| book.held_by(person)).collect(),
            issued: book.supply(),
        };
        for (index, (wallet, units)) in lines.iter().enumerate() {
            let slugs = self.of_a_line(book, &running, wallet, *units, now);
            if let (true, Some(person)) = (slugs.is_empty(), self.person_of(wallet)) {
                running.held[person] += *units;
                running.issued += *units;
            }
            findings.extend(slugs.into_iter().map(|slug| (Some(index), slug)));
            if units.is_zero() {
                findings.push((Some(index), "amount_zero"));
            }
        }
        findings.sort_unstable();
        findings
    }

    fn of_the_whole(&self, book: &Book, lines: &[Line], now: Timestamp) -> Vec<Finding> {
        let mut slugs = Vec::new();
        if book.maturity.is_some_and(|maturity| now >= maturity) {
            slugs.push("asset_matured");
        }
        if book.is_paused {
            slugs.push("asset_paused");
        }
        let after = book.supply() + sum(lines.iter().map(|(_, units)| units));
        let needed = book
            .collateral_bps
            .map(|bps| (after * Units::from(bps)).div_ceil(Units::from(10_000)));
        if after > most() {
            slugs.push("amount_overflow");
        } else {
            if book.cap.is_some_and(|cap| after > cap) {
                slugs.push("cap_exceeded");
            }
            slugs.extend(needed.and_then(|needed| collateral_slug(book.backing, needed, now)));
        }
        slugs.into_iter().map(|slug| (None, slug)).collect()
    }

    fn of_a_line(
        &self,
        book: &Book,
        running: &Running,
        wallet: &Address,
        units: Units,
        now: Timestamp,
    ) -> Vec<&'static str> {
        let person = self.person_of(wallet);
        let registered = person.filter(|person| self.people[*person].country.is_some());
        let mut slugs = Vec::new();
        if registered.is_none() {
            slugs.push("identity_unknown");
        }
        if book.frozen.contains(wallet) {
            slugs.push("recipient_frozen");
        }
        if now > self.sanctions_as_of.plus_seconds(SANCTIONS_AGE_SECONDS_MAX) {
            slugs.push("sanctions_list_stale");
        } else if self.sanctioned.contains(wallet) {
            slugs.push("address_sanctioned");
        }
        let of_anybody = book.rules.iter();
        slugs.extend(of_anybody.filter_map(|rule| of_a_wallet(rule, running, wallet, units)));
        if let Some(person) = registered {
            if self.people[person].country == Some(EMBARGOED) {
                slugs.push("country_blocked");
            }
            let broken = book.rules.iter();
            slugs.extend(broken.filter_map(|rule| self.of_a_person(rule, running, person, units, now)));
        }
        slugs
    }

    fn of_a_person(
        &self,
        rule: &Rule,
        running: &Running,
        person: usize,
        units: Units,
        now: Timestamp,
    ) -> Option<&'static str> {
        let country = self.people[person].country?;
        let held = running.held[person];
        match rule {
            Rule::Claimed(topics) => self.claim_slug(person, topics, now),
            Rule::HoldingMax(max) => (held + units > *max).then_some("max_holding"),
            Rule::BlockedPeople(people) => people.contains(&person).then_some("recipient_blocked"),
            Rule::OnlyCountries(countries) => (!countries.contains(country)).then_some("country_not_allowed"),
            Rule::SupplyMax(_) | Rule::BlockedWallets(_) => None,
            Rule::Holders { .. } if units.is_zero() || !held.is_zero() => None,
            Rule::Holders { max, per_country } => {
                let (all, here) = self.holders(&running.held, country);
                if per_country.get(country).is_some_and(|max| here >= *max) {
                    Some("holder_limit_country")
                } else {
                    (all >= *max).then_some("holder_limit")
                }
            }
        }
    }

    /// How many people hold something, in all and in one country.
    fn holders(&self, held: &[Units], country: &str) -> (usize, usize) {
        let holders = self.people.iter().zip(held).filter(|(_, held)| !held.is_zero());
        let here = holders.clone().filter(|(person, _)| person.country == Some(country));
        (holders.clone().count(), here.count())
    }

    /// How many people hold something of an asset, and where.
    pub(super) fn holders_of(&self, book: &Book) -> (usize, BTreeMap<&'static str, u64>) {
        let holders = self.people.iter().filter(|person| !book.held_by(person).is_zero());
        let mut countries = BTreeMap::new();
        for country in holders.clone().filter_map(|person| person.country) {
            *countries.entry(country).or_default() += 1;
        }
        (holders.count(), countries)
    }

    /// The nearest of what is wrong with the claims of these topics, of which one would do.
    fn claim_slug(&self, person: usize, topics: &[Topic], now: Timestamp) -> Option<&'static str> {
        let ranked = [
            "claim_missing",
            "issuer_untrusted",
            "claim_not_yet_valid",
            "claim_revoked",
            "claim_expired",
        ];
        let mut nearest = 0;
        for topic in topics {
            let claims = self.people[person].claims.get(topic).into_iter().flatten();
            // What was revoked and is over anyway tells nothing any more.
            for claim in claims.filter(|claim| !claim.is_revoked || now < claim.expires_at) {
                let rank = if !self.trusted.contains(topic) {
                    1
                } else if now < claim.not_before {
                    2
                } else if claim.is_revoked {
                    3
                } else if now >= claim.expires_at {
                    4
                } else {
                    return None;
                };
                nearest = nearest.max(rank);
            }
        }
        Some(ranked[nearest])
    }
}

/// The rules that need not know whose wallet it is.
fn of_a_wallet(rule: &Rule, running: &Running, wallet: &Address, units: Units) -> Option<&'static str> {
    match rule {
        Rule::SupplyMax(max) => (running.issued + units > *max).then_some("supply_window"),
        Rule::BlockedWallets(wallets) => wallets.contains(wallet).then_some("recipient_blocked"),
        Rule::Claimed(_)
        | Rule::HoldingMax(_)
        | Rule::Holders { .. }
        | Rule::BlockedPeople(_)
        | Rule::OnlyCountries(_) => None,
    }
}

fn collateral_slug(backing: Option<Backing>, needed: Units, now: Timestamp) -> Option<&'static str> {
    match backing {
        _ if needed > most() => Some("amount_overflow"),
        None => Some("collateral_short"),
        Some(backing) if now < backing.not_before => Some("collateral_short"),
        Some(backing) if now >= backing.expires_at => Some("collateral_stale"),
        Some(backing) if backing.amount < needed => Some("collateral_short"),
        Some(_) => None,
    }
}
