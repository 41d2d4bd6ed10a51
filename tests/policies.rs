//! The policies as they are shipped, and what a person sees who makes a mistake in them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    reason = "tests fail by panicking"
)]
#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use moneyer::compliance::{self, Facts, Operation, RuleSet, Run};
use moneyer::policy::{self, PolicyError, PolicySet, ReviewState};
use moneyer::types::Timestamp;

const SCHEMA: &str = "schema/policy.schema.json";

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")
}

fn load(dir: &Path) -> PolicySet {
    policy::load(dir).unwrap_or_else(|errors| panic!("{}", written(&errors)))
}

fn written(errors: &[PolicyError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A copy of the shipped folder with one file replaced.
fn with(path: &str, text: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy(&shipped(), dir.path());
    fs::write(dir.path().join(path), text).unwrap();
    dir
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target)
        } else {
            drop(fs::copy(entry.path(), target))
        }
    }
}

const HEADING: &str = r#"
[policy]
id = "acme"
version = 1
owner = "compliance@example.org"
review_by = 2027-06-30
"#;

/// The errors of a folder with `assets/acme.toml` made of the heading and `rules`, which begin at line 7.
fn errors_of(rules: &str) -> Vec<PolicyError> {
    let dir = with("assets/acme.toml", &format!("{HEADING}{rules}"));
    policy::load(dir.path()).unwrap_err()
}

#[test]
fn the_shipped_policies_load_and_their_golden_cases_come_out_as_written() {
    let set = load(&shipped());

    compliance::admit(&set).unwrap_or_else(|errors| panic!("{}", written(&errors)));

    assert!(set.for_asset(Some("demo-equity")).is_some());
    assert!(
        set.for_asset(Some("baseline")).is_none(),
        "the baseline is not an asset's policy"
    );
    assert_eq!(set.for_asset(None).unwrap().id, "baseline");
}

#[test]
fn an_asset_whose_policy_is_not_loaded_cannot_be_minted() {
    let set = load(&shipped());
    let rules = RuleSet::build(&set, Some("acme"), &[], 18, Operation::Mint);
    let facts = Facts::new(Timestamp::from_seconds(1_780_000_000));

    let findings = Run::new(&rules, &facts).judge(&[]);

    let slugs: Vec<&str> = findings.iter().map(|finding| finding.refusal.slug()).collect();
    assert_eq!(slugs, ["policy_missing"]);
}

#[test]
fn the_schema_is_what_the_program_would_write() {
    let fresh = format!("{}\n", serde_json::to_string_pretty(&policy::editor_schema()).unwrap());

    let stored = fs::read_to_string(shipped().join(SCHEMA)).unwrap_or_default();

    assert!(
        stored == fresh,
        "stale: cargo test --test policies -- --ignored write_the_schema"
    );
}

#[test]
#[ignore = "writes a file of the repository"]
fn write_the_schema() {
    let fresh = format!("{}\n", serde_json::to_string_pretty(&policy::editor_schema()).unwrap());
    fs::write(shipped().join(SCHEMA), fresh).unwrap();
}

#[test]
fn a_golden_case_that_comes_out_otherwise_refuses_the_folder_at_its_line() {
    let suite = r#"[suite]
policy = "demo-equity"
now = 2026-06-01T12:00:00Z

[people.half]
country = "DE"
claims = [{ topic = "kyc" }]

[[case]]
name = "somebody expected too much"
lines = [{ to = "half", amount = "1" }]
refused = []
"#;
    let dir = with("tests/wrong.toml", suite);

    let errors = compliance::admit(&load(dir.path())).unwrap_err();

    assert_eq!(errors.len(), 1);
    let place = (errors[0].file.as_str(), errors[0].line, errors[0].column);
    assert_eq!(place, ("tests/wrong.toml", 9, 1));
    assert_eq!(
        errors[0].message,
        "the case `somebody expected too much` expects nothing refused, got refused [0 demo-equity/aml claim_missing]"
    );
}

#[test]
fn a_golden_case_with_a_misspelt_name_is_an_error_and_not_a_passing_case() {
    let dir = with(
        "tests/wrong.toml",
        "[suite]\npolicy = \"demo-equty\"\nnow = 2026-06-01\n[[case]]\nname = \"x\"\n",
    );

    let errors = compliance::admit(&load(dir.path())).unwrap_err();

    assert_eq!((errors[0].line, errors[0].column), (2, 10), "{}", written(&errors));
}

#[test]
fn every_mistake_is_told_with_its_line_and_column() {
    let cases: [(&str, usize, usize, &str, &str); 19] = [
        (
            "[[rule]]\nid = \"a\"\nwhy = \"x\"\nchek.sanctions = { max_age = \"7d\" }\n",
            10,
            1,
            "unknown key `chek`",
            "check",
        ),
        (
            "[[rule]]\nid = \"a\"\ncheck.sanction = { max_age = \"7d\" }\n",
            9,
            7,
            "unknown kind of check `sanction`",
            "sanctions",
        ),
        (
            "[[rule]]\nid = \"a\"\ncheck.sanctions = { maxage = \"7d\" }\n",
            9,
            21,
            "unknown key `maxage`",
            "max_age",
        ),
        (
            "[[rule]]\nid = \"a\"\ncheck.sanctions = { max_age = \"7 days\" }\n",
            9,
            31,
            "365d",
            "",
        ),
        (
            "[[rule]]\nid = \"a\"\ncheck.identity = { require = \"kyc and aml or accredited\" }\n",
            9,
            43,
            "add parentheses",
            "",
        ),
        (
            "[[rule]]\nid = \"a\"\ncheck.identity = { require = \"(kyc and aml\" }\n",
            9,
            31,
            "never closed",
            "",
        ),
        (
            "[[rule]]\nid = \"a\"\ncheck.identity = { require = \"kyc and amll\" }\n",
            9,
            39,
            "unknown topic `amll`",
            "aml",
        ),
        (
            "[[rule]]\nid = \"a\"\ncheck.identity = { require = \"\" }\n",
            9,
            31,
            "is empty",
            "",
        ),
        (
            "[[rule]]\nid = \"a\"\ncheck.identity = { require = \"kyc\", issuers = [\"acme\"] }\n",
            9,
            48,
            "unknown issuer `acme`",
            "",
        ),
        (
            "[[rule]]\nid = \"a\"\ncheck.country_allow = { groups = [\"eaa\"] }\n",
            9,
            35,
            "unknown country group `eaa`",
            "eea",
        ),
        (
            "[[rule]]\nid = \"a\"\ncheck.country_allow = { countries = [\"FR\", \"FX\"] }\n",
            9,
            44,
            "two-letter",
            "",
        ),
        (
            "[[rule]]\nid = \"a\"\ncheck.country_allow = { countries = [] }\n",
            9,
            1,
            "lists nothing",
            "",
        ),
        (
            "[[rule]]\nid = \"a\"\ncheck.max_holding = { max = 2.5 }\n",
            9,
            29,
            "found a number with a fraction",
            "",
        ),
        (
            "[[rule]]\nid = \"a\"\ncheck.holder_limit = { max = 0 }\n",
            9,
            30,
            "at least 1",
            "",
        ),
        (
            "[[rule]]\nid = \"A\"\ncheck.holder_limit = { max = 5 }\n",
            8,
            6,
            "a-z",
            "",
        ),
        (
            "[[rule]]\nid = \"a\"\nwhen = { recipient_country = [] }\ncheck.holder_limit = { max = 5 }\n",
            9,
            30,
            "names no country",
            "",
        ),
        ("[[rule]]\nid = \"a\"\n", 7, 1, "the key `check` is missing", ""),
        ("[[rule]]\nid = \"a\"\ncheck.holder_limit = { max = 5\n", 9, 31, "", ""),
        (
            "[[rule]]\nid = \"blocked-countries\"\ncheck.country_block = { countries = [\"KP\"] }\n",
            7,
            1,
            "may only tighten `baseline/blocked-countries` (baseline.toml:15)",
            "",
        ),
    ];

    for (rules, line, column, part, known) in cases {
        let errors = errors_of(rules);
        let error = &errors[0];
        let place = (error.file.as_str(), error.line, error.column);
        assert_eq!(
            place,
            ("assets/acme.toml", line, column),
            "{rules}\n{}",
            written(&errors)
        );
        assert!(error.message.contains(part), "{rules}\n{}", written(&errors));
        assert!(
            known.is_empty() || error.known.iter().any(|word| word == known),
            "{rules}\n{}",
            written(&errors)
        );
        assert_eq!(
            Some(error.excerpt.as_str()),
            format!("{HEADING}{rules}").lines().nth(line - 1)
        );
    }
}

#[test]
fn a_message_shows_the_line_the_place_and_the_alternatives() {
    let errors = errors_of("[[rule]]\nid = \"a\"\ncheck.sanctions = { maxage = \"7d\" }\n");

    assert_eq!(
        errors[0].to_string(),
        "assets/acme.toml:9:21: unknown key `maxage`\n   |\n 9 | check.sanctions = { maxage = \"7d\" }\n   |                     ^\n   known here: max_age"
    );
}

#[test]
fn all_mistakes_of_all_files_are_told_at_once() {
    let dir = with(
        "assets/acme.toml",
        &format!("{HEADING}[[rule]]\nid = \"A\"\ncheck.holder_limit = {{ max = 0, mx = 1 }}\n"),
    );
    fs::write(dir.path().join("templates/reg-s.toml"), "[policy]\nid = \"reg-x\"\n").unwrap();

    let errors = policy::load(dir.path()).unwrap_err();

    let places: Vec<(&str, usize)> = errors.iter().map(|error| (error.file.as_str(), error.line)).collect();
    assert_eq!(
        places,
        [
            ("templates/reg-s.toml", 1),
            ("assets/acme.toml", 8),
            ("assets/acme.toml", 9),
            ("assets/acme.toml", 9),
        ],
        "{}",
        written(&errors)
    );
}

#[test]
fn a_policy_without_rules_or_with_a_foreign_id_does_not_load() {
    assert!(written(&errors_of("")).contains("the key `rule` is missing"));
    let empty = with("assets/acme.toml", &format!("rule = []\n{HEADING}"));
    assert!(written(&policy::load(empty.path()).unwrap_err()).contains("an empty policy would let everybody pass"));
    let other = with(
        "assets/other.toml",
        &format!("{HEADING}[[rule]]\nid = \"a\"\ncheck.holder_limit = {{ max = 5 }}\n"),
    );
    assert!(written(&policy::load(other.path()).unwrap_err()).contains("the id must be the file's name, `other`"));
    let twice = "[[rule]]\nid = \"a\"\ncheck.holder_limit = { max = 5 }\n";
    assert!(written(&errors_of(&format!("{twice}{twice}"))).contains("a second rule with the id `a`"));
}

#[test]
fn a_missing_baseline_or_definition_is_an_error_of_its_file() {
    for path in [
        "baseline.toml",
        "defs/topics.toml",
        "defs/issuers.toml",
        "defs/countries.toml",
    ] {
        let dir = tempfile::tempdir().unwrap();
        copy(&shipped(), dir.path());
        fs::remove_file(dir.path().join(path)).unwrap();

        let errors = policy::load(dir.path()).unwrap_err();

        assert_eq!(errors.len(), 1, "{}", written(&errors));
        assert!(
            errors[0].to_string().starts_with(&format!("{path}: cannot be read")),
            "{}",
            written(&errors)
        );
    }
    assert!(policy::load(Path::new("/there/is/no/such/folder")).is_err());
}

#[test]
fn a_policy_may_tighten_what_it_extends_and_its_rule_then_has_the_last_word() {
    let tightened = format!(
        "{}[[rule]]\nid = \"sanctions\"\ncheck.sanctions = {{ max_age = \"12h\" }}\n[[rule]]\nid = \"kyc\"\ncheck.identity = {{ require = \"kyc and aml and accredited\", max_age = \"30d\" }}\n",
        HEADING.replace(
            "version = 1",
            "version = 1\nextends = [\"baseline\", \"templates/stable-unit\"]"
        )
    );
    let dir = with("assets/acme.toml", &tightened);

    let set = load(dir.path());

    let rules: Vec<String> = set
        .for_asset(Some("acme"))
        .unwrap()
        .rules
        .iter()
        .map(|rule| rule.name.to_string())
        .collect();
    assert_eq!(rules, ["acme/sanctions", "baseline/blocked-countries", "acme/kyc"]);

    let loosened = tightened.replace("12h", "25h");
    let errors = policy::load(with("assets/acme.toml", &loosened).path()).unwrap_err();
    assert!(
        errors[0].message.contains("may only tighten `stable-unit/sanctions`"),
        "{}",
        written(&errors)
    );
    let other_kind = tightened.replace(
        "check.sanctions = { max_age = \"12h\" }",
        "check.holder_limit = { max = 5 }",
    );
    assert!(policy::load(with("assets/acme.toml", &other_kind).path()).is_err());
    let narrower = tightened.replace(
        "id = \"sanctions\"",
        "id = \"sanctions\"\nwhen = { recipient_country = [\"FR\"] }",
    );
    assert!(
        policy::load(with("assets/acme.toml", &narrower).path()).is_err(),
        "about fewer people is not tighter"
    );
    let unknown = tightened.replace("stable-unit", "stable-units");
    let errors = policy::load(with("assets/acme.toml", &unknown).path()).unwrap_err();
    assert_eq!((errors[0].line, errors[0].column), (5, 24), "{}", written(&errors));
    assert!(errors[0].known.contains(&"templates/stable-unit".to_owned()));
}

#[test]
fn the_hash_follows_what_is_decided_and_not_how_it_is_written() {
    let shipped_hash = load(&shipped()).hash;
    let equity = fs::read_to_string(shipped().join("assets/demo-equity.toml")).unwrap();

    let commented = with("assets/demo-equity.toml", &format!("# another comment\n{equity}"));
    assert_eq!(load(commented.path()).hash, shipped_hash);
    let golden = with(
        "tests/more.toml",
        "[suite]\npolicy = \"baseline\"\nnow = 2026-06-01\n\n[[case]]\nname = \"x\"\nlines = []\nrefused = []\n",
    );
    assert_eq!(load(golden.path()).hash, shipped_hash, "golden cases decide nothing");

    let stricter = equity.replace("require = \"aml\"", "require = \"aml and accredited\"");
    assert_ne!(
        load(with("assets/demo-equity.toml", &stricter).path()).hash,
        shipped_hash
    );
    let version = equity.replace("version = 1", "version = 2");
    assert_ne!(
        load(with("assets/demo-equity.toml", &version).path()).hash,
        shipped_hash
    );
    let topics = fs::read_to_string(shipped().join("defs/topics.toml"))
        .unwrap()
        .replace("90d", "89d");
    assert_ne!(load(with("defs/topics.toml", &topics).path()).hash, shipped_hash);
}

#[test]
fn a_review_is_announced_thirty_days_before_and_overdue_after_its_day() {
    let set = load(&shipped());
    let states = |day: &str| {
        let reviews = set.reviews(Timestamp::parse(&format!("{day}T12:00:00Z")).unwrap());
        reviews
            .iter()
            .map(|review| review.state)
            .collect::<std::collections::HashSet<_>>()
    };

    assert!(states("2027-05-30").is_empty());
    assert_eq!(states("2027-05-31"), [ReviewState::DueSoon].into());
    assert_eq!(states("2027-06-30"), [ReviewState::DueSoon].into());
    assert_eq!(states("2027-07-01"), [ReviewState::Overdue].into());
}

#[test]
fn a_rule_that_names_issuers_believes_them_only_for_their_topics_and_in_their_time() {
    let issuers = r#"
[issuers.desk]
identity = "0x1111111111111111111111111111111111111111"
topics = ["kyc"]
not_before = 2026-01-01
expires = 2026-07-01
contact = "desk@example.org"
"#;
    let suite = r#"
[suite]
policy = "baseline"
now = 2026-06-01

[people.a]
country = "FR"
claims = [{ topic = "kyc", issuer = "desk" }, { topic = "aml", issuer = "desk" }]
[people.b]
country = "FR"
claims = [{ topic = "kyc", issuer = "somebody else" }]
[people.c]
country = "FR"
claims = [{ topic = "kyc", issuer = "desk", trusted = false }]

[[rule]]
id = "kyc"
check.identity = { require = "kyc", issuers = ["desk"] }

[[case]]
name = "the desk is believed, nobody else is, and the registry has the last word"
lines = [{ to = "a", amount = "1" }, { to = "b", amount = "1" }, { to = "c", amount = "1" }]
refused = ["1 test/kyc issuer_untrusted", "2 test/kyc issuer_untrusted"]

[[case]]
name = "the end of its time is exclusive"
now = 2026-07-01T00:00:00Z
lines = [{ to = "a", amount = "1" }]
refused = ["0 test/kyc issuer_untrusted"]

[[case]]
name = "the last second of its time"
now = 2026-06-30T23:59:59Z
lines = [{ to = "a", amount = "1" }]
refused = []
"#;
    let dir = with("defs/issuers.toml", issuers);
    fs::write(dir.path().join("tests/issuers.toml"), suite).unwrap();
    compliance::admit(&load(dir.path())).unwrap_or_else(|errors| panic!("{}", written(&errors)));

    let other_topic = suite.replace("require = \"kyc\"", "require = \"aml\"");
    fs::write(dir.path().join("tests/issuers.toml"), other_topic).unwrap();
    let errors = compliance::admit(&load(dir.path())).unwrap_err();
    assert!(
        errors[0].message.contains("got refused [0 test/kyc issuer_untrusted"),
        "{}",
        written(&errors)
    );
}
