//! Against a SQLite file of its own; `tests/` runs the same commands on PostgreSQL.

use std::time::Duration;

use secrecy::{SecretBox, SecretString};

use super::*;
use crate::audit::EventFilter;
use crate::ctx::Actor;
use crate::db::{Db, Settings};
use crate::types::RequestId;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

struct Fixture {
    db: Db,
    vault: Vault,
    _folder: tempfile::TempDir,
}

fn vault() -> Vault {
    let key = |byte| SecretBox::new(Box::new([byte; 32]));
    Vault::new(&key(1), &key(2))
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        let settings = Settings {
            url: SecretString::from(url),
            connections_max: 4,
            wait: Duration::from_secs(5),
        };
        let db = Db::connect(&settings).unwrap();
        db.migrate(false).unwrap();
        Self {
            db,
            vault: vault(),
            _folder: folder,
        }
    }

    fn write<T>(&self, work: impl Fn(&mut Tx<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.db.write_blocking(work)
    }

    /// The first admin, ready to act.
    fn admin(&self) -> Ctx {
        let user = self.write(|tx| bootstrap_admin(tx, NOW, "First", wallet(1))).unwrap();
        ctx(&user)
    }

    fn user(&self, byte: u8) -> User {
        let new = NewUser {
            name: format!("User {byte}"),
            wallet: wallet(byte),
        };
        self.write(|tx| create_user(tx, By::command_line(NOW), new.clone()))
            .unwrap()
    }

    fn key(&self, owner: &User, expires_at: Option<Timestamp>) -> IssuedKey {
        let new = NewKey {
            user: owner.id,
            name: None,
            kind: KeyKind::Test,
            expires_at,
        };
        self.write(|tx| create_key(tx, &self.vault, &ctx(owner), new.clone()))
            .unwrap()
    }

    fn door(&self, kind: KeyKind) -> Door {
        let vault = std::sync::Arc::new(vault());
        Door::new(self.db.clone(), vault, kind, RateLimit::per_minute(None)).unwrap()
    }

    fn authenticate(&self, token: &str, now: Timestamp) -> Result<Authenticated, Error> {
        let key = ApiKey::parse(token).ok_or(Error::Unauthenticated)?;
        let ids = [key.id().clone()];
        let mut known = self.db.read_blocking(|tx| store::candidates(tx, &ids))?;
        let candidate = known.remove(key.id()).ok_or(Error::Unauthenticated)?;
        rules::admit(candidate, key.hash(&self.vault), now)
    }

    fn actions(&self) -> Vec<String> {
        let list = |tx: &mut Tx<'_>| audit::list(tx, &EventFilter::default(), &Page::default());
        let (events, _) = self.db.read_blocking(list).unwrap();
        events.into_iter().map(|event| event.action).collect()
    }
}

fn wallet(byte: u8) -> Address {
    Address::from_bytes([byte; 20])
}

fn ctx(user: &User) -> Ctx {
    Ctx {
        actor: user.actor(),
        request_id: RequestId::generate(),
        now: NOW,
    }
}

#[test]
fn the_first_admin_is_made_once() {
    let system = Fixture::new();
    system.admin();

    let second = system.write(|tx| bootstrap_admin(tx, NOW, "Second", wallet(2)));

    assert!(matches!(second, Err(Error::Conflict(_))));
    assert_eq!(system.write(count_users).unwrap(), 1);
}

#[test]
fn a_user_who_exists_can_become_the_first_admin() {
    let system = Fixture::new();
    let user = system.user(1);

    let admin = system
        .write(|tx| bootstrap_admin(tx, NOW, "Ignored", wallet(1)))
        .unwrap();

    assert_eq!(admin, user);
}

#[test]
fn one_wallet_has_one_user_and_a_second_leaves_nothing_behind() {
    let system = Fixture::new();
    let first = system.user(5);
    let again = NewUser {
        name: "Again".into(),
        wallet: wallet(5),
    };

    let second = system.write(|tx| create_user(tx, By::command_line(NOW), again.clone()));

    assert!(matches!(second, Err(Error::AlreadyExists(_))));
    assert_eq!(system.write(|tx| user_by_wallet(tx, &wallet(5))).unwrap(), first);
    assert_eq!(system.actions(), ["user.created"]);
}

#[test]
fn users_are_listed_page_by_page() {
    let system = Fixture::new();
    for byte in 1..=5 {
        system.user(byte);
    }

    let (first, next) = system.write(|tx| list_users(tx, &Page::first(3))).unwrap();
    let page = Page {
        cursor: next,
        ..Page::first(3)
    };
    let (second, end) = system.write(|tx| list_users(tx, &page)).unwrap();

    assert_eq!((first.len(), second.len(), end), (3, 2, None));
    assert!(first.iter().all(|user| !second.contains(user)));
    let forged = Page {
        cursor: Some("bm9uc2Vuc2U".into()),
        ..Page::first(3)
    };
    assert!(matches!(
        system.write(|tx| list_users(tx, &forged)),
        Err(Error::Invalid(_))
    ));
}

#[test]
fn a_key_opens_until_it_is_disabled_and_again_once_enabled() {
    let system = Fixture::new();
    let user = system.user(1);
    let issued = system.key(&user, None);
    let change = |enabled| {
        let change = KeyChange {
            enabled: Some(enabled),
            name: None,
        };
        system
            .write(|tx| update_key(tx, &ctx(&user), user.id, &issued.stored.id, &change))
            .unwrap()
    };

    assert_eq!(
        system.authenticate(issued.key.reveal(), NOW).unwrap().actor,
        user.actor()
    );
    assert!(!change(false).enabled);
    assert!(matches!(
        system.authenticate(issued.key.reveal(), NOW),
        Err(Error::Unauthenticated)
    ));
    assert!(change(true).enabled);
    assert!(system.authenticate(issued.key.reveal(), NOW).is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_who_come_at_once_are_each_told_who_they_are() {
    let system = Fixture::new();
    let users: Vec<User> = (1..=20).map(|byte| system.user(byte)).collect();
    let keys: Vec<IssuedKey> = users.iter().map(|user| system.key(user, None)).collect();
    let foreign = ApiKey::generate(KeyKind::Test).unwrap();
    let door = system.door(KeyKind::Test);

    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..10 {
        for (user, key) in users.iter().zip(&keys) {
            let (door, actor, token) = (door.clone(), user.actor(), key.key.reveal().to_owned());
            calls.spawn(async move { assert_eq!(door.admit(&token, NOW).await.unwrap().actor, actor) });
        }
        let (door, token) = (door.clone(), foreign.reveal().to_owned());
        calls.spawn(async move { assert!(matches!(door.admit(&token, NOW).await, Err(Error::Unauthenticated))) });
    }

    assert_eq!(calls.join_all().await.len(), 210);
}

#[tokio::test]
async fn a_key_that_was_just_admitted_and_is_disabled_is_refused_by_the_next_call() {
    let system = Fixture::new();
    let user = system.user(1);
    let issued = system.key(&user, None);
    let door = system.door(KeyKind::Test);
    let disabled = KeyChange {
        enabled: Some(false),
        name: None,
    };

    assert!(door.admit(issued.key.reveal(), NOW).await.is_ok());
    system
        .write(|tx| update_key(tx, &ctx(&user), user.id, &issued.stored.id, &disabled))
        .unwrap();

    let refused = door.admit(issued.key.reveal(), NOW).await;
    assert!(matches!(refused, Err(Error::Unauthenticated)));
}

#[tokio::test]
async fn a_live_server_opens_to_no_test_key() {
    let system = Fixture::new();
    let user = system.user(1);
    let issued = system.key(&user, None);

    assert!(system.door(KeyKind::Test).admit(issued.key.reveal(), NOW).await.is_ok());
    let refused = system.door(KeyKind::Live).admit(issued.key.reveal(), NOW).await;
    assert!(matches!(refused, Err(Error::Unauthenticated)));
}

#[test]
fn a_deleted_an_expired_and_an_unknown_key_open_nothing() {
    let system = Fixture::new();
    let user = system.user(1);
    let expiry = NOW.plus_seconds(86_400);
    let (deleted, expiring) = (system.key(&user, None), system.key(&user, Some(expiry)));
    let foreign = ApiKey::generate(KeyKind::Test).unwrap();
    system
        .write(|tx| delete_key(tx, &ctx(&user), user.id, &deleted.stored.id))
        .unwrap();

    assert!(system.authenticate(deleted.key.reveal(), NOW).is_err());
    assert!(system.authenticate(expiring.key.reveal(), NOW).is_ok());
    assert!(system.authenticate(expiring.key.reveal(), expiry).is_err());
    assert!(system.authenticate(foreign.reveal(), NOW).is_err());
    assert!(system.authenticate("mny_test_", NOW).is_err());
}

#[test]
fn the_right_id_with_another_secret_opens_nothing() {
    let system = Fixture::new();
    let user = system.user(1);
    let issued = system.key(&user, None);
    let other_pepper = Vault::new(&SecretBox::new(Box::new([9; 32])), &SecretBox::new(Box::new([2; 32])));

    let same = system.authenticate(issued.key.reveal(), NOW);
    let other = Fixture {
        vault: other_pepper,
        ..system
    };
    let other = other.authenticate(issued.key.reveal(), NOW);

    assert!(same.is_ok());
    assert!(matches!(other, Err(Error::Unauthenticated)));
}

#[test]
fn the_database_does_not_know_the_key() {
    let system = Fixture::new();
    let user = system.user(1);
    let issued = system.key(&user, None);

    let folder = system._folder.path();
    let secret = issued.key.reveal().strip_prefix(issued.key.start()).unwrap();

    for entry in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
}

#[test]
fn another_users_key_looks_like_none() {
    let system = Fixture::new();
    let (owner, stranger) = (system.user(1), system.user(2));
    let id = system.key(&owner, None).stored.id;
    let change = KeyChange {
        enabled: Some(false),
        name: None,
    };

    assert!(matches!(
        system.write(|tx| find_key(tx, stranger.id, &id)),
        Err(Error::NotFound(_))
    ));
    let update = system.write(|tx| update_key(tx, &ctx(&stranger), stranger.id, &id, &change));
    assert!(matches!(update, Err(Error::NotFound(_))));
    let delete = system.write(|tx| delete_key(tx, &ctx(&stranger), stranger.id, &id));
    assert!(matches!(delete, Err(Error::NotFound(_))));
    assert!(system.write(|tx| find_key(tx, owner.id, &id)).unwrap().enabled);
}

#[test]
fn last_use_is_noted_once_a_minute() {
    let system = Fixture::new();
    let user = system.user(1);
    let issued = system.key(&user, None);
    let id = issued.stored.id.clone();
    let used = |now| {
        system.write(|tx| note_use(tx, &id, now)).unwrap();
        system.write(|tx| find_key(tx, user.id, &id)).unwrap().last_used_at
    };

    assert_eq!(used(NOW), Some(NOW));
    assert_eq!(used(NOW.plus_seconds(60)), Some(NOW));
    assert_eq!(used(NOW.plus_seconds(61)), Some(NOW.plus_seconds(61)));
    let authenticated = system.authenticate(issued.key.reveal(), NOW).unwrap();
    assert!(!is_use_worth_noting(&authenticated, NOW.plus_seconds(121)));
    assert!(is_use_worth_noting(&authenticated, NOW.plus_seconds(122)));
}

#[test]
fn keys_are_listed_newest_first_and_renamed() {
    let system = Fixture::new();
    let user = system.user(1);
    let keys: Vec<KeyId> = (0..3).map(|_| system.key(&user, None).stored.id).collect();
    let renamed = KeyChange {
        name: Some("robot".into()),
        enabled: None,
    };
    system
        .write(|tx| update_key(tx, &ctx(&user), user.id, &keys[0], &renamed))
        .unwrap();

    let (first, next) = system.write(|tx| list_keys(tx, user.id, &Page::first(2))).unwrap();
    let page = Page {
        cursor: next,
        ..Page::first(2)
    };
    let (second, end) = system.write(|tx| list_keys(tx, user.id, &page)).unwrap();

    let listed: BTreeSet<KeyId> = first.iter().chain(&second).map(|key| key.id.clone()).collect();
    assert_eq!(listed, keys.iter().cloned().collect());
    assert_eq!((first.len(), second.len(), end), (2, 1, None));
    let name = first
        .iter()
        .chain(&second)
        .find(|key| key.id == keys[0])
        .unwrap()
        .name
        .clone();
    assert_eq!(name.as_deref(), Some("robot"));
    let nothing = system.write(|tx| update_key(tx, &ctx(&user), user.id, &keys[0], &KeyChange::default()));
    assert!(matches!(nothing, Err(Error::Invalid(_))));
}

#[test]
fn a_role_gives_its_right_in_its_scope_only() {
    let system = Fixture::new();
    let admin = system.admin();
    let user = system.user(2);
    let (asset, other) = (Scope::Asset(AssetId::generate()), Scope::Asset(AssetId::generate()));
    let may = |permission, scope| system.write(|tx| require(tx, &ctx(&user), permission, scope));

    assert!(
        matches!(may(Permission::Mint, asset), Err(Error::Forbidden { required }) if required == ["supplyManagement"])
    );
    let grants = [(user.wallet, Role::SupplyManagement)];
    system.write(|tx| grant(tx, &admin, asset, &grants)).unwrap();
    assert!(may(Permission::Mint, asset).is_ok());
    assert!(may(Permission::Mint, other).is_err());
    assert!(may(Permission::Mint, Scope::System).is_err());
    system.write(|tx| revoke(tx, &admin, asset, &grants)).unwrap();
    assert!(may(Permission::Mint, asset).is_err());
}

#[test]
fn the_systems_auditor_reads_every_asset_and_an_assets_auditor_only_that_one() {
    let system = Fixture::new();
    let admin = system.admin();
    let (inside, everywhere) = (system.user(2), system.user(3));
    let (asset, other) = (Scope::Asset(AssetId::generate()), Scope::Asset(AssetId::generate()));
    system
        .write(|tx| grant(tx, &admin, asset, &[(inside.wallet, Role::Auditor)]))
        .unwrap();
    system
        .write(|tx| grant(tx, &admin, Scope::System, &[(everywhere.wallet, Role::Auditor)]))
        .unwrap();
    let reads = |user: &User, scope| {
        system
            .write(|tx| require(tx, &ctx(user), Permission::ReadRecords, scope))
            .is_ok()
    };

    assert_eq!(
        [asset, other, Scope::System].map(|scope| reads(&inside, scope)),
        [true, false, false]
    );
    assert_eq!(
        [asset, other, Scope::System].map(|scope| reads(&everywhere, scope)),
        [true, true, true]
    );
}

#[test]
fn a_role_is_granted_to_a_wallet_that_has_no_user_yet() {
    let system = Fixture::new();
    let admin = system.admin();

    system
        .write(|tx| grant(tx, &admin, Scope::System, &[(wallet(7), Role::ClaimIssuer)]))
        .unwrap();

    let roles = system
        .write(|tx| roles_in(tx, Scope::System, &[wallet(7), wallet(8)]))
        .unwrap();
    assert_eq!(roles.get(&wallet(7)), Some(&BTreeSet::from([Role::ClaimIssuer])));
    assert_eq!(roles.get(&wallet(8)), None);
    let user = system.user(7);
    assert!(
        system
            .write(|tx| require(tx, &ctx(&user), Permission::IssueClaim, Scope::System))
            .is_ok()
    );
}

#[test]
fn granting_again_adds_only_what_is_new_and_a_change_of_nothing_is_a_conflict() {
    let system = Fixture::new();
    let admin = system.admin();
    let one = [(wallet(2), Role::Auditor)];
    let two = [(wallet(2), Role::Auditor), (wallet(3), Role::Auditor)];

    assert_eq!(system.write(|tx| grant(tx, &admin, Scope::System, &one)).unwrap(), one);
    assert_eq!(
        system.write(|tx| grant(tx, &admin, Scope::System, &two)).unwrap(),
        [two[1]]
    );
    let again = system.write(|tx| grant(tx, &admin, Scope::System, &two));
    assert!(matches!(again, Err(Error::Conflict(_))));
    assert_eq!(
        system
            .write(|tx| revoke(tx, &admin, Scope::System, &two))
            .unwrap()
            .len(),
        2
    );
    let gone = system.write(|tx| revoke(tx, &admin, Scope::System, &two));
    assert!(matches!(gone, Err(Error::Conflict(_))));
    let of_roles = system
        .actions()
        .into_iter()
        .filter(|action| action.starts_with("role."));
    assert_eq!(of_roles.count(), 5);
}

#[test]
fn holders_are_listed_page_by_page_with_all_their_roles() {
    let system = Fixture::new();
    let admin = system.admin();
    let roles = [Role::Auditor, Role::TokenManager];
    for byte in 2..=4 {
        let grants = roles.map(|role| (wallet(byte), role));
        system.write(|tx| grant(tx, &admin, Scope::System, &grants)).unwrap();
    }

    let (first, next) = system
        .write(|tx| holders_in(tx, Scope::System, &Page::first(3)))
        .unwrap();
    let page = Page {
        cursor: next,
        ..Page::first(3)
    };
    let (second, end) = system.write(|tx| holders_in(tx, Scope::System, &page)).unwrap();

    let holder = |byte, roles: &[Role]| Holder {
        wallet: wallet(byte),
        roles: roles.iter().copied().collect(),
    };
    assert_eq!(first[0], holder(1, &[Role::Admin]));
    assert_eq!(first[1], holder(2, &roles));
    assert_eq!(second, [holder(4, &roles)]);
    assert_eq!((first.len(), end), (3, None));
}

#[test]
fn a_wallet_that_holds_a_role_gets_its_user_from_the_systems_admin_only() {
    let system = Fixture::new();
    let admin = system.admin();
    let officer = system.user(2);
    let officers = [(officer.wallet, Role::IdentityManager)];
    system.write(|tx| grant(tx, &admin, Scope::System, &officers)).unwrap();
    let asset = Scope::Asset(AssetId::generate());
    system
        .write(|tx| grant(tx, &admin, asset, &[(wallet(7), Role::SupplyManagement)]))
        .unwrap();
    system
        .write(|tx| grant(tx, &admin, Scope::System, &[(wallet(8), Role::Admin)]))
        .unwrap();
    let may = |ctx: &Ctx, byte| system.write(|tx| require_user_creation(tx, ctx, &wallet(byte)));

    assert!(may(&ctx(&officer), 9).is_ok());
    for byte in [7, 8] {
        let refused = may(&ctx(&officer), byte);
        assert!(matches!(refused, Err(Error::Forbidden { required }) if required == ["admin"]));
        assert!(may(&admin, byte).is_ok());
    }
    assert!(matches!(may(&ctx(&system.user(3)), 9), Err(Error::Forbidden { .. })));
}

#[test]
fn a_user_reads_themselves_and_others_only_with_the_right() {
    let system = Fixture::new();
    let admin = system.admin();
    let (user, other) = (system.user(2), system.user(3));
    let nobody = UserId::generate();

    assert_eq!(system.write(|tx| read_user(tx, &ctx(&user), user.id)).unwrap(), user);
    for id in [other.id, nobody] {
        let refused = system.write(|tx| read_user(tx, &ctx(&user), id));
        assert!(matches!(refused, Err(Error::Forbidden { .. })));
    }
    assert_eq!(system.write(|tx| read_user(tx, &admin, user.id)).unwrap(), user);
    assert!(matches!(
        system.write(|tx| read_user(tx, &admin, nobody)),
        Err(Error::NotFound(_))
    ));
    assert!(
        system
            .write(|tx| read_user_by_wallet(tx, &ctx(&user), &user.wallet))
            .is_ok()
    );
    let refused = system.write(|tx| read_user_by_wallet(tx, &ctx(&user), &wallet(9)));
    assert!(matches!(refused, Err(Error::Forbidden { .. })));
    assert!(matches!(
        system.write(|tx| read_user_by_wallet(tx, &admin, &wallet(9))),
        Err(Error::NotFound(_))
    ));
}

#[test]
fn the_last_admin_of_the_system_cannot_be_revoked() {
    let system = Fixture::new();
    let admin = system.admin();
    let (first, second) = ((wallet(1), Role::Admin), (wallet(2), Role::Admin));

    let alone = system.write(|tx| revoke(tx, &admin, Scope::System, &[first]));
    assert!(matches!(alone, Err(Error::Conflict(_))));
    system.write(|tx| grant(tx, &admin, Scope::System, &[second])).unwrap();
    let both = system.write(|tx| revoke(tx, &admin, Scope::System, &[first, second]));
    assert!(matches!(both, Err(Error::Conflict(_))));
    system.write(|tx| revoke(tx, &admin, Scope::System, &[first])).unwrap();
    let last = system.write(|tx| revoke(tx, &admin, Scope::System, &[second]));
    assert!(matches!(last, Err(Error::Conflict(_))));
}

#[test]
fn the_admin_of_an_asset_may_go_although_it_is_the_last() {
    let system = Fixture::new();
    let admin = system.admin();
    let asset = AssetId::generate();
    let grants = [(wallet(4), Role::Admin), (wallet(4), Role::Governance)];
    system
        .write(|tx| grant(tx, &admin, Scope::Asset(asset), &grants))
        .unwrap();

    system
        .write(|tx| revoke(tx, &admin, Scope::Asset(asset), &grants[..1]))
        .unwrap();

    assert_eq!(
        system.write(|tx| grants_of_asset(tx, asset)).unwrap(),
        [(Role::Governance, wallet(4))]
    );
}

#[test]
fn a_refused_right_is_recorded_for_the_wallet_that_tried() {
    let system = Fixture::new();
    let user = system.user(6);
    let note = |tx: &mut Tx<'_>| note_forbidden(tx, &ctx(&user), Scope::System, "POST /api/user", &["admin"]);

    system.write(note).unwrap();

    let filter = EventFilter {
        recipient: Some(wallet(6)),
        ..EventFilter::default()
    };
    let (events, _) = system
        .db
        .read_blocking(|tx| audit::list(tx, &filter, &Page::default()))
        .unwrap();
    assert_eq!(events[0].action, "access.refused");
    assert_eq!(
        events[0].data,
        r#"{"attempt":"POST /api/user","requiredRoles":["admin"]}"#
    );
    let actor = Actor {
        user: user.id,
        wallet: user.wallet,
    };
    assert_eq!(events[0].actor, actor.name());
}

#[test]
fn no_event_of_a_user_tells_its_name_or_its_key() {
    let system = Fixture::new();
    let user = system.user(6);
    let issued = system.key(&user, None);

    let (events, _) = system
        .db
        .read_blocking(|tx| audit::list(tx, &EventFilter::default(), &Page::default()))
        .unwrap();

    assert_eq!(events.len(), 2);
    for event in events {
        assert!(!event.data.contains("User 6"));
        assert!(
            !event
                .data
                .contains(issued.key.reveal().strip_prefix(issued.key.start()).unwrap())
        );
    }
}
