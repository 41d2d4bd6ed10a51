//! Thousands of bad days for the sender, each from one number: crashes between any two commits, lost requests and
//! replies, null receipts, views that lie behind or are torn, reorganisations to any depth before final, a pool that
//! forgets, fees that jump, an empty purse, and somebody else who has our key. Then calm, in which everything must end.
//!
//! `MONEYER_SEEDS=100000` plays more days, `MONEYER_SEED=S` one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    reason = "tests fail by panicking"
)]

#[path = "settlement_simulator/chain.rs"]
mod chain;
#[path = "settlement_simulator/driver.rs"]
mod driver;
#[path = "settlement_simulator/random.rs"]
mod random;
#[path = "settlement_simulator/weather.rs"]
mod weather;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use driver::Driver;
use moneyer::settlement::sender::Policy;
use random::Random;
use weather::{Tally, World};

const SEEDS: u64 = 1_000;
const BAD_TICKS: u64 = 120;
const CALM_TICKS: u64 = 900;

#[test]
fn no_work_is_lost_or_doubled_on_a_thousand_bad_days() {
    let (first, count) = match (number("MONEYER_SEED"), number("MONEYER_SEEDS")) {
        (Some(seed), _) => (seed, 1),
        (None, count) => (0, count.unwrap_or(SEEDS)),
    };
    let next = AtomicU64::new(first);
    let result = Mutex::new((Tally::default(), Vec::new()));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| work(&next, first + count, &result));
        }
    });

    let (tally, failures) = result.into_inner().unwrap();
    report(&tally, &failures, count);
    assert!(failures.is_empty(), "{} of {count} days ended badly", failures.len());
    assert!(
        count < SEEDS || has_seen_everything(&tally),
        "some fault never struck: {tally:?}"
    );
}

#[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the server")]
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

fn work(next: &AtomicU64, end: u64, result: &Mutex<(Tally, Vec<(u64, String)>)>) {
    let mut tally = Tally::default();
    let mut failures = Vec::new();
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            break;
        }
        if let Err(what) = play(seed, &mut tally) {
            failures.push((seed, what));
        }
    }
    let mut result = result.lock().unwrap();
    result.0.add(&tally);
    result.1.extend(failures);
}

/// One day: bad weather, then calm until everything ended.
fn play(seed: u64, tally: &mut Tally) -> Result<(), String> {
    let mut random = Random::new(random::mix(seed.wrapping_add(1)));
    let policy = policy(&mut random);
    let works = random.between(1, 30) as usize;
    let unacceptable = if random.happens(150) {
        random.below(works as u64) as usize
    } else {
        works
    };
    let mut world = World::new(random, policy.missing_blocks);
    world.chain.unacceptable.push(unacceptable);
    let mut driver = Driver::new(world, policy, works, BAD_TICKS);
    let result = days(&mut driver);
    tally.add(&driver.world.tally);
    result
}

fn policy(random: &mut Random) -> Policy {
    let in_flight_max = random.between(1, 16) as usize;
    let fee_max = u128::from(random.between(60, 2_000));
    let gas_max = 100_000;
    let policy = match random.below(2) {
        0 => Policy::public(fee_max, in_flight_max, gas_max),
        _ => Policy::local(fee_max, in_flight_max, gas_max),
    };
    Policy {
        mined_receipts_max: random.between(1, 64) as usize,
        ..policy
    }
}

fn days(driver: &mut Driver) -> Result<(), String> {
    for _ in 0..BAD_TICKS {
        let seconds = driver.world.random.between(1, 30);
        for _ in 0..driver.world.random.below(3) {
            driver.world.pass();
            driver.judge_chain()?;
        }
        driver.tick(seconds)?;
    }
    driver.world.calm_down();
    for _ in 0..CALM_TICKS {
        driver.world.pass();
        driver.judge_chain()?;
        driver.tick(15)?;
        if driver.is_finished() {
            return driver.judge_chain();
        }
    }
    Err(format!("nothing ends: {}", driver.unfinished()))
}

fn report(tally: &Tally, failures: &[(u64, String)], count: u64) {
    let mut faults: Vec<_> = tally.0.iter().collect();
    faults.sort();
    for (what, times) in faults {
        println!("{times:>9}  {what}");
    }
    println!("{:>9}  days, {} ended badly", count, failures.len());
    let mut failures: Vec<_> = failures.iter().collect();
    failures.sort();
    for (seed, what) in failures.into_iter().take(5) {
        println!("MONEYER_SEED={seed}: {what}");
    }
}

/// A simulator without faults proves nothing.
fn has_seen_everything(tally: &Tally) -> bool {
    const FAULTS: &[&str] = &[
        "a bump",
        "a cancellation",
        "a chain that became shorter",
        "a crash",
        "a foreign transaction at our nonce",
        "a gap filled",
        "a person helped",
        "a person who knows of others",
        "a pool forgotten",
        "a receipt that is null for a while",
        "a refusal of what was accepted before",
        "a reorganisation",
        "a replacement by a no-op",
        "a reply that never arrived",
        "a request that never arrived",
        "a signer out of funds",
        "a signer without an answer",
        "a spike of the base fee",
        "a tick that ran twice",
        "a torn view",
        "a transaction dropped from the pool",
        "an endpoint that lies behind",
        "an endpoint without an answer",
        "fee_ceiling",
        "funds",
        "key_used_elsewhere",
        "nonce_taken",
        "refused_by_node",
    ];
    FAULTS.iter().all(|fault| tally.0.contains_key(fault))
}
