//! What judging costs with the facts in hand. The limit is 100 µs for 100 recipients under the demo's policy.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot be set up should stop"
)]

use std::collections::HashSet;
use std::path::Path;

use divan::{Bencher, black_box};
use moneyer::compliance::{FactSet, Facts, Operation, RuleSet, Run, SanctionsFacts};
use moneyer::error::Line;
use moneyer::identity::{ClaimFact, Recipient};
use moneyer::policy::{self, PolicySet};
use moneyer::types::{Address, Amount, ClaimId, CountryCode, IdentityId, Timestamp, TopicName};

const RECIPIENTS: u8 = 100;
const DAY_SECONDS: i64 = 86_400;

fn main() {
    divan::main();
}

fn policies() -> PolicySet {
    policy::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")).expect("the shipped policies load")
}

fn wallet(number: u8) -> Address {
    let mut bytes = [7; 20];
    bytes[19] = number;
    Address::from_bytes(bytes)
}

fn claim(topic: &str, now: Timestamp) -> ClaimFact {
    ClaimFact {
        id: ClaimId::generate(),
        topic: TopicName::parse(topic).expect("a topic"),
        issuer: wallet(255),
        trusted: true,
        signature_valid: true,
        issued_at: now.plus_seconds(-DAY_SECONDS),
        not_before: now.plus_seconds(-DAY_SECONDS),
        expires_at: now.plus_seconds(DAY_SECONDS),
        revoked_at: None,
    }
}

/// Recipients with three claims each, every second of whom holds something already.
fn facts() -> Facts {
    let now = Timestamp::from_seconds(1_780_000_000);
    let mut facts = Facts::new(now);
    facts.loaded = FactSet::ALL;
    facts.sanctions = Some(SanctionsFacts {
        list: "bench".to_owned(),
        as_of: now,
        hits: HashSet::new(),
    });
    for number in 0..RECIPIENTS {
        let recipient = Recipient {
            wallet: wallet(number),
            identity: IdentityId::generate(),
            identity_address: wallet(number),
            registered: true,
            country: CountryCode::parse_alpha2("FR").ok(),
            claims: ["accreditedInvestor", "antiMoneyLaundering", "knowYourCustomer"]
                .map(|topic| claim(topic, now))
                .into(),
        };
        if number % 2 == 0 {
            facts.held.insert(recipient.identity, Amount::from(5));
        }
        facts.recipients.insert(recipient.wallet, recipient);
    }
    facts
}

fn lines() -> Vec<(Line, Amount)> {
    (0..RECIPIENTS)
        .map(|number| {
            (
                Line {
                    index: usize::from(number),
                    recipient: wallet(number),
                },
                Amount::from(1_000),
            )
        })
        .collect()
}

fn rules() -> RuleSet {
    RuleSet::build(&policies(), Some("demo-equity"), &[], 18, Operation::Mint)
}

#[divan::bench]
fn judge_100_recipients(bencher: Bencher) {
    let (rules, facts, lines) = (rules(), facts(), lines());
    assert!(Run::new(&rules, &facts).judge(&lines).is_empty());

    bencher.bench(|| Run::new(black_box(&rules), black_box(&facts)).judge(black_box(&lines)));
}

#[divan::bench]
fn judge_one_recipient(bencher: Bencher) {
    let (rules, facts, lines) = (rules(), facts(), lines());

    bencher.bench(|| Run::new(black_box(&rules), black_box(&facts)).judge(black_box(&lines[..1])));
}

/// Every rule fails for everyone: the findings are built.
#[divan::bench]
fn refuse_100_recipients(bencher: Bencher) {
    let (rules, mut facts, lines) = (rules(), facts(), lines());
    facts.sanctions = None;
    facts
        .recipients
        .values_mut()
        .for_each(|recipient| recipient.claims.clear());

    bencher.bench(|| Run::new(black_box(&rules), black_box(&facts)).judge(black_box(&lines)));
}

#[divan::bench]
fn report_100_recipients(bencher: Bencher) {
    let (rules, facts, lines) = (rules(), facts(), lines());

    bencher.bench(|| Run::new(black_box(&rules), black_box(&facts)).report(black_box(&lines)));
}

#[divan::bench]
fn build_a_rule_set(bencher: Bencher) {
    let set = policies();

    bencher.bench(|| RuleSet::build(black_box(&set), Some("demo-equity"), &[], 18, Operation::Mint));
}
