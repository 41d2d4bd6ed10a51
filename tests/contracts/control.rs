//! What a token is created as, freezes, pause, settings, and who may do what.

use serde_json::{Value, json};

use crate::abi::{Abi, selector};
use crate::evm::somebody;
use crate::stage::{Stage, System, ZERO, salt};

#[test]
fn a_token_begins_as_its_parameters_say_and_paused() {
    let system = System::new();
    let (token_identity, registry) = (somebody(), system.registry.address.clone());
    let parameters = json!([
        "Acme",
        "ACM",
        6,
        500,
        registry,
        token_identity,
        system.owner,
        system.agent,
        true
    ]);
    let address = system.factory.view("predictToken", json!([salt(3)]));
    system.factory.send("createToken", json!([salt(3), parameters]));
    let token = system.token(1, 0);
    let token = crate::evm::Contract {
        address: address.as_str().unwrap().to_owned(),
        ..token
    };
    let view = |function: &str| token.view(function, json!([]));

    assert_eq!(
        (view("name"), view("symbol"), view("decimals")),
        (json!("Acme"), json!("ACM"), json!("6"))
    );
    assert_eq!(
        (view("cap"), view("totalSupply"), view("paused")),
        (json!("500"), json!("0"), json!(true))
    );
    assert_eq!(
        (view("identityRegistry"), view("compliance")),
        (json!(registry), json!(ZERO))
    );
    assert_eq!(
        (view("onchainID"), view("version")),
        (json!(token_identity), json!("1.0.0"))
    );
    assert_eq!(
        (view("owner"), view("holderTransfers")),
        (json!(system.owner), json!(true))
    );
    assert_eq!(token.view("isAgent", json!([system.agent])), json!(true));
    assert_eq!(token.view("isAgent", json!([system.owner])), json!(false));
}

#[test]
fn pausing_twice_and_unpausing_twice_are_refused() {
    let stage = Stage::new();
    let agent = &stage.system.agent;

    assert_eq!(stage.token.revert("unpause", json!([])), "TokenNotPaused()");
    assert_eq!(
        stage.token.send("pause", json!([])).events,
        [format!("Paused({agent})")]
    );
    assert_eq!(stage.token.revert("pause", json!([])), "TokenPaused()");
    assert_eq!(
        stage.token.send("unpause", json!([])).events,
        [format!("Unpaused({agent})")]
    );
}

#[test]
fn wallets_are_frozen_and_unfrozen() {
    let stage = Stage::new();
    let [a, b, _] = stage.holders.as_slice() else {
        panic!("three holders")
    };
    let agent = &stage.system.agent;
    let frozen = |wallet: &str| stage.token.view("isFrozen", json!([wallet]));

    let one = stage.token.send("setAddressFrozen", json!([a, true])).events;
    assert_eq!(one, [format!("AddressFrozen({a}, true, {agent})")]);
    assert_eq!((frozen(a), frozen(b)), (json!(true), json!(false)));
    stage.token.send("setAddressFrozen", json!([a, true]));

    stage
        .token
        .send("batchSetAddressFrozen", json!([[a, b], [false, true]]));
    assert_eq!((frozen(a), frozen(b)), (json!(false), json!(true)));
    assert_eq!(
        stage.token.revert("batchSetAddressFrozen", json!([[a, b], [true]])),
        "LengthMismatch()"
    );
}

#[test]
fn tokens_are_frozen_up_to_the_balance_and_freed_up_to_what_is_frozen() {
    let stage = Stage::with_a_hundred();
    let holder = &stage.holders[0];
    let send = |function: &str, amount: u64| stage.token.send(function, json!([holder, amount])).events;
    let revert = |function: &str, amount: u64| stage.token.revert(function, json!([holder, amount]));

    assert_eq!(send("freezePartialTokens", 60), [format!("TokensFrozen({holder}, 60)")]);
    assert_eq!(
        revert("freezePartialTokens", 41),
        format!("FreeBalanceTooLow(0, {holder}, 40, 41)")
    );
    send("freezePartialTokens", 40);
    assert_eq!(stage.frozen(holder), 100);

    assert_eq!(
        revert("unfreezePartialTokens", 101),
        format!("FrozenBalanceTooLow(0, {holder}, 100, 101)")
    );
    assert_eq!(
        send("unfreezePartialTokens", 100),
        [format!("TokensUnfrozen({holder}, 100)")]
    );
    assert_eq!(stage.frozen(holder), 0);
    assert_eq!(revert("freezePartialTokens", 0), "AmountZero(0)");
    assert_eq!(revert("unfreezePartialTokens", 0), "AmountZero(0)");
}

#[test]
fn partial_freezes_in_a_batch_name_the_line() {
    let stage = Stage::with_a_hundred();
    let [a, b, _] = stage.holders.as_slice() else {
        panic!("three holders")
    };
    let revert = |function: &str, amounts: Value| stage.token.revert(function, json!([[a, b], amounts]));

    let missing = format!("FreeBalanceTooLow(1, {b}, 0, 1)");
    assert_eq!(revert("batchFreezePartialTokens", json!([100, 1])), missing);
    stage.token.send("batchFreezePartialTokens", json!([[a, a], [10, 20]]));
    assert_eq!(stage.frozen(a), 30);
    let missing = format!("FrozenBalanceTooLow(1, {b}, 0, 1)");
    assert_eq!(revert("batchUnfreezePartialTokens", json!([30, 1])), missing);
    stage.token.send("batchUnfreezePartialTokens", json!([[a, a], [10, 5]]));
    assert_eq!(stage.frozen(a), 15);
    for function in ["batchFreezePartialTokens", "batchUnfreezePartialTokens"] {
        assert_eq!(revert(function, json!([1])), "LengthMismatch()");
    }
}

#[test]
fn the_owner_changes_settings() {
    let stage = Stage::new();
    let settings = stage.settings();
    let other = System::new().registry.address;
    let identity = somebody();

    let changed = settings.send("setIdentityRegistry", json!([other])).events;
    assert_eq!(changed, [format!("IdentityRegistryAdded({other})")]);
    let stranger = &stage.holders[0];
    assert_eq!(
        stage.token.revert("mint", json!([stranger, 1])),
        format!("RecipientNotVerified(0, {stranger})")
    );
    assert_eq!(
        settings.revert("setIdentityRegistry", json!([identity])),
        format!("NotAContract({identity})")
    );

    let named = settings.send("setOnchainID", json!([identity])).events;
    assert!(named[0].starts_with("UpdatedTokenInformation("), "{named:?}");
    assert!(named[0].ends_with(&format!(", 18, 1.0.0, {identity})")), "{named:?}");
    assert_eq!(stage.token.view("onchainID", json!([])), json!(identity));
}

#[test]
fn nobody_but_an_agent_does_an_agents_work() {
    let stage = Stage::with_a_hundred();
    let a = &stage.holders[0];
    let calls = [
        ("mint", json!([a, 1])),
        ("batchMint", json!([[], []])),
        ("burn", json!([a, 1])),
        ("batchBurn", json!([[], []])),
        ("forcedTransfer", json!([a, a, 1])),
        ("batchForcedTransfer", json!([[], [], []])),
        ("recoveryAddress", json!([a, a, a])),
        ("setAddressFrozen", json!([a, true])),
        ("batchSetAddressFrozen", json!([[], []])),
        ("freezePartialTokens", json!([a, 1])),
        ("batchFreezePartialTokens", json!([[], []])),
        ("unfreezePartialTokens", json!([a, 1])),
        ("batchUnfreezePartialTokens", json!([[], []])),
        ("pause", json!([])),
        ("unpause", json!([])),
    ];
    for caller in [&stage.system.owner, &stage.system.outsider, a] {
        for (function, arguments) in &calls {
            let revert = stage.token.by(caller).revert(function, arguments.clone());
            assert_eq!(revert, format!("NotAgent({caller})"), "{function}");
        }
    }
    stage.settings().send("removeAgent", json!([stage.system.agent]));
    assert_eq!(
        stage.token.revert("pause", json!([])),
        format!("NotAgent({})", stage.system.agent)
    );
}

#[test]
fn nobody_but_the_owner_changes_settings() {
    let stage = Stage::new();
    let registry = stage.system.registry.address.clone();
    let agent = &stage.system.agent;
    let calls = [
        ("setCap", json!([1])),
        ("setHolderTransfers", json!([true])),
        ("setIdentityRegistry", json!([registry])),
        ("setOnchainID", json!([ZERO])),
        ("addAgent", json!([agent])),
        ("removeAgent", json!([agent])),
        ("transferOwnership", json!([agent])),
    ];
    for (function, arguments) in calls {
        let revert = stage.token.revert(function, arguments);
        assert_eq!(revert, format!("OwnableUnauthorizedAccount({agent})"), "{function}");
    }
}

/// A function that is new has to be put into a test of who may call it.
#[test]
fn the_tests_know_every_function_of_the_token() {
    let abi = Abi::of("MoneyerToken");
    let agents = 15;
    let owners = 7;
    let holders = ["approve", "batchTransfer", "transfer", "transferFrom"].len();
    let once_or_by_nobody = ["initialize", "renounceOwnership"].len();
    let views = 17;

    assert_eq!(
        abi.signatures().len(),
        agents + owners + holders + once_or_by_nobody + views,
        "{:#?}",
        abi.signatures()
    );
}

#[test]
fn the_agent_interface_is_that_of_erc_3643() {
    // specs of the standard's reference implementation: names, parameters and so selectors.
    let known = [
        ("mint(address,uint256)", "0x40c10f19"),
        ("batchMint(address[],uint256[])", "0x68573107"),
        ("burn(address,uint256)", "0x9dc29fac"),
        ("batchBurn(address[],uint256[])", "0x4a6cc677"),
        ("forcedTransfer(address,address,uint256)", "0x9fc1d0e7"),
        ("setAddressFrozen(address,bool)", "0xc69c09cf"),
        ("freezePartialTokens(address,uint256)", "0x125c4a33"),
        ("unfreezePartialTokens(address,uint256)", "0x1fe56f7d"),
        ("recoveryAddress(address,address,address)", "0x9285948a"),
        ("pause()", "0x8456cb59"),
        ("unpause()", "0x3f4ba83a"),
    ];
    let abi = Abi::of("MoneyerToken");
    for (signature, bytes) in known {
        assert!(abi.signatures().contains(&signature), "{signature}");
        assert_eq!(selector(signature), bytes);
    }
    let registry = Abi::of("MoneyerIdentityRegistry");
    for (signature, bytes) in [
        ("registerIdentity(address,address,uint16)", "0x454a03e0"),
        ("batchRegisterIdentity(address[],address[],uint16[])", "0x653dc9f1"),
        ("isVerified(address)", "0xb9209e33"),
    ] {
        assert!(registry.signatures().contains(&signature), "{signature}");
        assert_eq!(selector(signature), bytes);
    }
}
