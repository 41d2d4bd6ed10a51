//! The policies as they are shipped, and what a person sees who makes a mistake in them.

use std::fs;
use std::path::{Path, PathBuf};

use moneyer::compliance;
use moneyer::policy::{self, PolicyError, PolicySet};

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")
}

fn load(dir: &Path) -> PolicySet {
    policy::load(dir).unwrap_or_else(|errors| panic!("{}", written(&errors)))
}

fn written(errors: &[PolicyError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_shipped_policies_load_and_their_golden_cases_come_out_as_written() {
    let set = load(&shipped());

    compliance::admit(&set).unwrap_or_else(|errors| panic!("{}", written(&errors)));

    assert!(set.for_asset(Some("demo-equity")).is_some());
}
