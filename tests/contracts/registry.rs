//! Who is verified, and how a mirror keeps the registry as it should be.

use serde_json::{Value, json};

use crate::evm::{many, somebody};
use crate::stage::{System, ZERO};

struct Registered {
    system: System,
    wallet: String,
    identity: String,
}

fn registered() -> Registered {
    let registered = Registered {
        system: System::new(),
        wallet: somebody(),
        identity: somebody(),
    };
    let arguments = json!([registered.wallet, registered.identity, 756]);
    registered.system.registry.send("registerIdentity", arguments);
    registered
}

impl Registered {
    fn view(&self, function: &str) -> Value {
        self.system.registry.view(function, json!([self.wallet]))
    }

    fn sync(&self, identity: &str, country: u16, verified: bool) -> Vec<String> {
        let entries = json!([[[self.wallet, identity, country, verified]]]);
        self.system.registry.send("batchSync", entries).events
    }
}

#[test]
fn a_registered_wallet_is_verified() {
    let Registered {
        system,
        wallet,
        identity,
    } = &registered();
    let view = |function: &str, wallet: &str| system.registry.view(function, json!([wallet]));

    assert_eq!(view("isVerified", wallet), json!(true));
    assert_eq!(view("contains", wallet), json!(true));
    assert_eq!(view("identity", wallet), json!(identity));
    assert_eq!(view("investorCountry", wallet), json!("756"));

    assert_eq!(view("isVerified", identity), json!(false));
    assert_eq!(view("contains", identity), json!(false));
    assert_eq!(view("identity", identity), json!(ZERO));
    assert_eq!(view("investorCountry", identity), json!("0"));
}

#[test]
fn registering_many_logs_each_and_names_the_line_that_is_taken() {
    let Registered { system, wallet, .. } = &registered();
    let wallets = many(2);
    let identities = many(3);

    let mined = system
        .registry
        .send("batchRegisterIdentity", json!([wallets, identities[..2], [756, 276]]));
    let taken = json!([[somebody(), wallet], identities[..2], [756, 276]]);
    let revert = system.registry.revert("batchRegisterIdentity", taken);

    let expected = [
        format!("IdentityRegistered({}, {})", wallets[0], identities[0]),
        format!("CountryUpdated({}, 756)", wallets[0]),
        format!("IdentityRegistered({}, {})", wallets[1], identities[1]),
        format!("CountryUpdated({}, 276)", wallets[1]),
    ];
    assert_eq!(mined.events, expected);
    assert_eq!(revert, format!("AlreadyRegistered(1, {wallet})"));
}

#[test]
fn lengths_that_differ_and_zero_addresses_are_refused() {
    let system = System::new();
    let (one, two) = (many(1), many(2));
    let batch = |wallets: &[String], identities: &[String], countries: Value| {
        system
            .registry
            .revert("batchRegisterIdentity", json!([wallets, identities, countries]))
    };

    assert_eq!(batch(&two, &one, json!([1, 2])), "LengthMismatch()");
    assert_eq!(batch(&two, &two, json!([1])), "LengthMismatch()");
    assert_eq!(
        batch(&two, &[somebody(), ZERO.to_owned()], json!([1, 2])),
        "RegistrationZero(1)"
    );
    let zero_wallet = json!([ZERO, somebody(), 1]);
    assert_eq!(
        system.registry.revert("registerIdentity", zero_wallet),
        "RegistrationZero(0)"
    );
    let entries = json!([[[somebody(), somebody(), 1, true], [ZERO, somebody(), 1, true]]]);
    assert_eq!(system.registry.revert("batchSync", entries), "RegistrationZero(1)");
}

#[test]
fn a_registration_can_be_changed_and_ended() {
    let registered = registered();
    let Registered {
        system,
        wallet,
        identity,
    } = &registered;
    let other = somebody();

    let changed = system.registry.send("updateIdentity", json!([wallet, other])).events;
    let moved = system.registry.send("updateCountry", json!([wallet, 40])).events;

    assert_eq!(changed, [format!("IdentityUpdated({identity}, {other})")]);
    assert_eq!(moved, [format!("CountryUpdated({wallet}, 40)")]);
    assert_eq!(
        (registered.view("identity"), registered.view("investorCountry")),
        (json!(other), json!("40"))
    );

    let ended = system.registry.send("deleteIdentity", json!([wallet])).events;
    assert_eq!(ended, [format!("IdentityRemoved({wallet}, {other})")]);
    assert_eq!(registered.view("isVerified"), json!(false));
}

#[test]
fn who_is_not_registered_cannot_be_changed() {
    let system = System::new();
    let wallet = somebody();
    let refused = format!("NotRegistered({wallet})");

    assert_eq!(
        system.registry.revert("updateIdentity", json!([wallet, somebody()])),
        refused
    );
    assert_eq!(
        system.registry.revert("updateIdentity", json!([wallet, ZERO])),
        "RegistrationZero(0)"
    );
    assert_eq!(system.registry.revert("updateCountry", json!([wallet, 1])), refused);
    assert_eq!(system.registry.revert("deleteIdentity", json!([wallet])), refused);
}

#[test]
fn a_sync_makes_the_registry_say_what_its_entries_say() {
    let registered = registered();
    let (wallet, identity, other) = (&registered.wallet, &registered.identity, somebody());

    assert_eq!(
        registered.sync(identity, 756, false),
        [format!("VerificationUpdated({wallet}, false)")]
    );
    assert_eq!(
        (registered.view("isVerified"), registered.view("contains")),
        (json!(false), json!(true))
    );
    assert_eq!(
        registered.sync(identity, 756, true),
        [format!("VerificationUpdated({wallet}, true)")]
    );
    assert_eq!(registered.view("isVerified"), json!(true));

    let moved = registered.sync(&other, 40, true);
    assert_eq!(
        moved,
        [
            format!("IdentityUpdated({identity}, {other})"),
            format!("CountryUpdated({wallet}, 40)")
        ]
    );

    assert_eq!(
        registered.sync(ZERO, 0, false),
        [format!("IdentityRemoved({wallet}, {other})")]
    );
    assert_eq!(
        (registered.view("contains"), registered.view("investorCountry")),
        (json!(false), json!("0"))
    );
}

#[test]
fn a_sync_applied_again_changes_nothing() {
    let registered = registered();
    let suspended = somebody();
    let entries = json!([[
        [registered.wallet, registered.identity, 756, true],
        [suspended, suspended, 1, false],
        [somebody(), ZERO, 0, true]
    ]]);

    let first = registered.system.registry.send("batchSync", entries.clone()).events;
    let again = registered.system.registry.send("batchSync", entries).events;

    let expected = [
        format!("IdentityRegistered({suspended}, {suspended})"),
        format!("CountryUpdated({suspended}, 1)"),
        format!("VerificationUpdated({suspended}, false)"),
    ];
    assert_eq!(first, expected);
    assert_eq!(again, Vec::<String>::new());
}

#[test]
fn only_agents_write_and_only_the_owner_names_agents() {
    let Registered { system, wallet, .. } = &registered();
    // The owner is no agent either.
    for caller in [&system.outsider, &system.owner] {
        let registry = system.registry.by(caller);
        let refused = format!("NotAgent({caller})");
        assert_eq!(
            registry.revert("registerIdentity", json!([somebody(), somebody(), 1])),
            refused
        );
        assert_eq!(registry.revert("batchRegisterIdentity", json!([[], [], []])), refused);
        assert_eq!(registry.revert("batchSync", json!([[]])), refused);
        assert_eq!(registry.revert("updateIdentity", json!([wallet, somebody()])), refused);
        assert_eq!(registry.revert("updateCountry", json!([wallet, 1])), refused);
        assert_eq!(registry.revert("deleteIdentity", json!([wallet])), refused);
    }
    let refused = format!("OwnableUnauthorizedAccount({})", system.agent);
    assert_eq!(system.registry.revert("addAgent", json!([system.agent])), refused);
    assert_eq!(system.registry.revert("removeAgent", json!([system.agent])), refused);
}

#[test]
fn an_agent_can_be_named_and_removed() {
    let system = System::new();
    let (owned, outsider) = (system.registry.by(&system.owner), &system.outsider);

    let added = owned.send("addAgent", json!([outsider])).events;
    let repeated = owned.send("addAgent", json!([outsider])).events;
    assert_eq!((added, repeated), (vec![format!("AgentAdded({outsider})")], vec![]));
    assert_eq!(owned.view("isAgent", json!([outsider])), json!(true));
    system
        .registry
        .by(outsider)
        .send("registerIdentity", json!([somebody(), somebody(), 1]));

    let removed = owned.send("removeAgent", json!([outsider])).events;
    let repeated = owned.send("removeAgent", json!([outsider])).events;
    assert_eq!((removed, repeated), (vec![format!("AgentRemoved({outsider})")], vec![]));
    assert_eq!(owned.view("isAgent", json!([outsider])), json!(false));
    assert_eq!(owned.revert("addAgent", json!([ZERO])), "AddressZero()");
}
