//! Starts that were interrupted.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::stage::Place;

/// The log of SQLite grows with what was written: a measure of how far a start came that needs no clock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demo_that_was_killed_while_it_was_set_up_begins_anew_at_the_next_start() {
    for at_least in [1, 150_000, 400_000, 700_000, 1_000_000] {
        killed_and_begun_anew(&["--settlement", "book"], at_least).await;
    }
}

/// With the contracts on their way, and with the mints.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demo_that_was_killed_while_its_chain_was_set_up_begins_anew_at_the_next_start() {
    for at_least in [500_000, 1_200_000] {
        killed_and_begun_anew(&[], at_least).await;
    }
}

async fn killed_and_begun_anew(more: &[&str], at_least: u64) {
    let written = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
    {
        let place = Place::new(None);
        let log = place.path("demo.db-wal");
        let mut demo = place.start(more);
        demo.until("log", |_| written(&log) >= at_least).await;
        demo.kill();

        let mut demo = place.start(more);
        let manifest = demo.ready().await;

        let approved = &manifest.recipients("approved")[0];
        let slugs = manifest.slugs("equity", approved).await;
        assert_eq!(slugs, BTreeSet::new(), "killed at {at_least}");
    }
}
