//! Against a SQLite file of its own; `tests/api` does the same on PostgreSQL, over HTTP.

use std::time::Duration;

use secrecy::{SecretBox, SecretString};

use super::*;
use crate::access::{NewUser, User, create_user};
use crate::audit::EventFilter;
use crate::db::{Page, Settings};
use crate::types::Address;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const MARKER: TestMarker = TestMarker::BeforeHyphen;

struct Fixture {
    db: Db,
    vault: Vault,
    owner: User,
    environment: Environment,
    _folder: tempfile::TempDir,
}

fn by(now: Timestamp) -> By {
    By::command_line(now)
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            url: SecretString::from(format!("sqlite:{}", folder.path().join("test.db").display())),
            connections_max: 4,
            wait: Duration::from_secs(5),
        };
        let db = Db::connect(&settings).unwrap();
        db.migrate(false).unwrap();
        let key = |byte| SecretBox::new(Box::new([byte; 32]));
        let (owner, environment) = db
            .write_blocking(|tx| {
                let new = NewUser {
                    name: "Studio".to_owned(),
                    wallet: Address::from_bytes([7; 20]),
                };
                let owner = create_user(tx, by(NOW), new)?;
                let project = create_project(tx, by(NOW), "Game")?;
                let environment = create(tx, by(NOW), new_environment(project.id, &owner, "sandbox"))?;
                Ok((owner, environment))
            })
            .unwrap();
        Self {
            db,
            vault: Vault::new(&key(1), &key(2)),
            owner,
            environment,
            _folder: folder,
        }
    }

    fn write<T>(&self, work: impl Fn(&mut Tx<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.db.write_blocking(work)
    }

    fn create(&self, purpose: KeyPurpose) -> Result<IssuedEnvironmentKey, Error> {
        self.write(|tx| create_key(tx, &self.vault, MARKER, by(NOW), self.environment.id, purpose))
    }

    fn rotate(&self, id: &KeyId, overlap: i64, now: Timestamp) -> Result<IssuedEnvironmentKey, Error> {
        let old = (self.environment.id, id);
        self.write(|tx| rotate_key(tx, &self.vault, MARKER, by(now), old, overlap))
    }

    fn authenticate(&self, token: &str, now: Timestamp) -> Result<Caller, Error> {
        self.db.read_blocking(|tx| authenticate(tx, &self.vault, token, now))
    }

    fn is_open(&self, issued: &IssuedEnvironmentKey, now: Timestamp) -> bool {
        self.authenticate(issued.key.reveal(), now).is_ok()
    }

    fn events(&self) -> Vec<crate::audit::Recorded> {
        let list = |tx: &mut Tx<'_>| audit::list(tx, &EventFilter::default(), &Page::default());
        let (mut events, _) = self.db.read_blocking(list).unwrap();
        events.reverse();
        events
    }
}

fn new_environment(project: ProjectId, owner: &User, name: &str) -> NewEnvironment {
    NewEnvironment {
        project,
        name: name.to_owned(),
        chain: "local".to_owned(),
        test: true,
        tier: Tier::Standard,
        owner: owner.id,
    }
}

#[test]
fn a_secret_key_acts_for_the_owner_of_its_environment() {
    let system = Fixture::new();
    let issued = system.create(KeyPurpose::Secret).unwrap();

    let caller = system.authenticate(issued.key.reveal(), NOW).unwrap();

    assert_eq!(caller.environment, system.environment);
    assert_eq!(caller.actor, system.owner.actor());
    assert_eq!(caller.key, issued.stored.id);
    assert!(issued.key.reveal().starts_with("sk_imapik_test-"));
}

#[test]
fn what_is_not_an_accepted_secret_key_opens_nothing() {
    let system = Fixture::new();
    let publishable = system.create(KeyPurpose::Publishable).unwrap();
    let secret = system.create(KeyPurpose::Secret).unwrap();
    let longer = format!("{}0", secret.key.reveal());

    for token in [
        "",
        "sk_imapik-",
        publishable.key.reveal(),
        &longer,
        &secret.stored.start,
    ] {
        assert!(
            matches!(system.authenticate(token, NOW), Err(Error::Unauthenticated)),
            "{token}"
        );
    }
}

#[test]
fn an_environment_has_one_active_key_of_each_purpose() {
    let system = Fixture::new();
    system.create(KeyPurpose::Secret).unwrap();
    system.create(KeyPurpose::Publishable).unwrap();

    for purpose in [KeyPurpose::Secret, KeyPurpose::Publishable] {
        assert!(matches!(system.create(purpose), Err(Error::AlreadyExists(_))));
    }
}

#[test]
fn a_rotated_key_is_refused_at_once_whatever_the_clock_says() {
    let system = Fixture::new();
    let old = system.create(KeyPurpose::Secret).unwrap();

    let new = system.rotate(&old.stored.id, 0, NOW).unwrap();

    let behind = NOW.plus_seconds(-3_600);
    assert!(!system.is_open(&old, behind) && !system.is_open(&old, NOW));
    assert!(system.is_open(&new, NOW));
    assert!(matches!(system.rotate(&old.stored.id, 0, NOW), Err(Error::Conflict(_))));
}

#[test]
fn with_an_overlap_both_keys_are_accepted_until_it_ends() {
    let system = Fixture::new();
    let old = system.create(KeyPurpose::Secret).unwrap();

    let new = system.rotate(&old.stored.id, 60, NOW).unwrap();

    let end = NOW.plus_seconds(60);
    let just_before = Timestamp::from_micros(end.micros() - 1);
    assert!(system.is_open(&old, just_before) && system.is_open(&new, just_before));
    assert!(!system.is_open(&old, end) && system.is_open(&new, end));
}

#[test]
fn a_second_rotation_ends_what_the_first_left() {
    let system = Fixture::new();
    let first = system.create(KeyPurpose::Secret).unwrap();
    let second = system.rotate(&first.stored.id, 600, NOW).unwrap();

    let third = system.rotate(&second.stored.id, 600, NOW.plus_seconds(1)).unwrap();

    let now = NOW.plus_seconds(2);
    assert!(!system.is_open(&first, now));
    assert!(system.is_open(&second, now) && system.is_open(&third, now));
}

#[test]
fn an_overlap_is_taken_inside_its_bounds_only() {
    let system = Fixture::new();
    let key = system.create(KeyPurpose::Secret).unwrap();

    for outside in [-1, OVERLAP_SECONDS_MAX + 1] {
        assert!(matches!(
            system.rotate(&key.stored.id, outside, NOW),
            Err(Error::Invalid(_))
        ));
    }
    assert!(system.rotate(&key.stored.id, OVERLAP_SECONDS_MAX, NOW).is_ok());
}

#[test]
fn a_revoked_key_is_refused_and_leaves_room_for_another() {
    let system = Fixture::new();
    let key = system.create(KeyPurpose::Secret).unwrap();
    let revoke = || system.write(|tx| revoke_key(tx, by(NOW), system.environment.id, &key.stored.id));

    assert_eq!(revoke().unwrap().state, KeyState::Ended);
    assert!(matches!(revoke(), Err(Error::Conflict(_))));
    assert!(!system.is_open(&key, NOW));
    assert!(system.create(KeyPurpose::Secret).is_ok());
}

#[test]
fn a_key_of_another_environment_looks_like_none() {
    let system = Fixture::new();
    let key = system.create(KeyPurpose::Secret).unwrap();
    let other = new_environment(system.environment.project, &system.owner, "production");
    let other = system.write(|tx| create(tx, by(NOW), other.clone())).unwrap();

    let rotated = system.write(|tx| rotate_key(tx, &system.vault, MARKER, by(NOW), (other.id, &key.stored.id), 0));
    let revoked = system.write(|tx| revoke_key(tx, by(NOW), other.id, &key.stored.id));

    assert!(matches!(rotated, Err(Error::NotFound("key"))));
    assert!(matches!(revoked, Err(Error::NotFound("key"))));
    assert!(system.is_open(&key, NOW));
}

#[test]
fn names_are_taken_once_and_an_owner_must_exist() {
    let system = Fixture::new();
    let again = new_environment(system.environment.project, &system.owner, "sandbox");
    let nobody = NewEnvironment {
        name: "other".to_owned(),
        owner: crate::types::UserId::generate(),
        ..again.clone()
    };

    let project = system.write(|tx| create_project(tx, by(NOW), "Game"));
    let environment = system.write(|tx| create(tx, by(NOW), again.clone()));
    let owner = system.write(|tx| create(tx, by(NOW), nobody.clone()));

    assert!(matches!(project, Err(Error::AlreadyExists(_))));
    assert!(matches!(environment, Err(Error::AlreadyExists(_))));
    assert!(matches!(owner, Err(Error::NotFound("user"))));
}

#[test]
fn a_tier_changes_with_all_its_columns() {
    let system = Fixture::new();
    let change = |tier| EnvironmentChange {
        tier: Some(tier),
        ..EnvironmentChange::default()
    };
    let put = |tier| system.write(|tx| update(tx, by(NOW), system.environment.id, &change(tier)));

    let enterprise = Tier::Enterprise {
        per_minute: 60_000,
        burst: 20_000,
    };
    assert_eq!(put(enterprise).unwrap().tier, enterprise);
    assert_eq!(put(Tier::Partner).unwrap().tier, Tier::Partner);
    let nothing = system.write(|tx| update(tx, by(NOW), system.environment.id, &EnvironmentChange::default()));
    assert!(matches!(nothing, Err(Error::Invalid(_))));
}

#[test]
fn usage_is_counted_per_day_for_keys_that_are_known() {
    let system = Fixture::new();
    let key = system.create(KeyPurpose::Publishable).unwrap();
    let secret = system.create(KeyPurpose::Secret).unwrap();
    let today = Day::of(NOW);
    let count = |token: &str, day: Day, times| ((hash(&system.vault, token), day), times);
    let counts = [
        count(key.key.reveal(), today, 3),
        count(key.key.reveal(), today.minus(1), 2),
        count("pk_imapik-unknown", today, 5),
        count(secret.key.reveal(), today, 7),
    ];

    let unknown = system.write(|tx| store::add_usage(tx, &counts, NOW)).unwrap();
    system.write(|tx| store::add_usage(tx, &counts[..1], NOW)).unwrap();

    assert_eq!(unknown, 12);
    let usage = |from, to| {
        let days = system
            .db
            .read_blocking(|tx| usage(tx, system.environment.id, from, to))
            .unwrap();
        days.into_iter().map(|day| day.requests).collect::<Vec<_>>()
    };
    assert_eq!(usage(today.minus(1), today), [2, 6]);
    assert_eq!(usage(today, today), [6]);
    assert!(usage(today.minus(9), today.minus(2)).is_empty());
}

#[test]
fn every_change_is_an_event_and_none_tells_a_key() {
    let system = Fixture::new();
    let first = system.create(KeyPurpose::Secret).unwrap();
    let second = system.rotate(&first.stored.id, 10, NOW).unwrap();
    system
        .write(|tx| revoke_key(tx, by(NOW), system.environment.id, &second.stored.id))
        .unwrap();

    let events = system.events();

    let actions: Vec<&str> = events.iter().map(|event| event.action.as_str()).collect();
    for action in [
        "project.created",
        "environment.created",
        "environment_key.created",
        "environment_key.rotated",
        "environment_key.revoked",
    ] {
        assert_eq!(actions.iter().filter(|found| **found == action).count(), 1, "{action}");
    }
    for issued in [first, second] {
        let secret = issued
            .key
            .reveal()
            .strip_prefix(&issued.stored.start)
            .unwrap()
            .to_owned();
        assert!(events.iter().all(|event| !event.data.contains(&secret)));
    }
}
