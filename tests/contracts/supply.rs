//! Minting, burning, the cap, and what a batch costs.

use serde_json::{Value, json};

use crate::evm::{many, somebody};
use crate::stage::{HUGE, Stage, System, ZERO, read};

#[test]
fn a_mint_raises_balance_and_supply_and_logs_one_transfer() {
    let stage = Stage::new();
    let holder = &stage.holders[0];

    let mined = stage.mint(holder, 5);

    assert_eq!(mined.events, [format!("Transfer({ZERO}, {holder}, 5)")]);
    assert_eq!((stage.balance(holder), stage.supply()), (5, 5));
}

#[test]
fn a_batch_mints_every_line_in_order_and_a_recipient_may_come_twice() {
    let stage = Stage::new();
    let [a, b, _] = stage.holders.as_slice() else {
        panic!("three holders")
    };

    let mined = stage.token.send("batchMint", json!([[a, b, a], [1, 2, 3]]));

    let transfer = |to: &str, amount: u64| format!("Transfer({ZERO}, {to}, {amount})");
    assert_eq!(mined.events, [transfer(a, 1), transfer(b, 2), transfer(a, 3)]);
    assert_eq!((stage.balance(a), stage.balance(b), stage.supply()), (4, 2, 6));
}

#[test]
fn a_bad_line_stops_its_batch_and_is_named() {
    let stage = Stage::new();
    let [a, b, c] = stage.holders.as_slice() else {
        panic!("three holders")
    };
    let stranger = somebody();
    stage.token.send("setAddressFrozen", json!([c, true]));
    let revert = |recipients: Value, amounts: Value| stage.token.revert("batchMint", json!([recipients, amounts]));

    assert_eq!(
        revert(json!([a, stranger]), json!([1, 1])),
        format!("RecipientNotVerified(1, {stranger})")
    );
    assert_eq!(
        revert(json!([a, b, c]), json!([1, 1, 1])),
        format!("RecipientFrozen(2, {c})")
    );
    assert_eq!(revert(json!([a, b]), json!([1, 0])), "AmountZero(1)");
    assert_eq!(
        revert(json!([ZERO]), json!([1])),
        format!("RecipientNotVerified(0, {ZERO})")
    );
    assert_eq!(revert(json!([a, b]), json!([1])), "LengthMismatch()");
    assert_eq!(revert(json!([a]), json!([1, 1])), "LengthMismatch()");
    assert_eq!(stage.supply(), 0);
}

#[test]
fn a_suspended_recipient_is_not_verified() {
    let stage = Stage::new();
    let holder = &stage.holders[0];
    stage
        .system
        .registry
        .send("batchSync", json!([[[holder, somebody(), 756, false]]]));

    let revert = stage.token.revert("mint", json!([holder, 1]));

    assert_eq!(revert, format!("RecipientNotVerified(0, {holder})"));
}

#[test]
fn nothing_is_minted_while_paused() {
    let stage = Stage::new();
    let holder = &stage.holders[0];
    stage.token.send("pause", json!([]));

    assert_eq!(stage.token.revert("mint", json!([holder, 1])), "TokenPaused()");
    assert_eq!(stage.token.revert("batchMint", json!([[holder], [1]])), "TokenPaused()");
    stage.token.send("unpause", json!([]));
    stage.mint(holder, 1);
}

#[test]
fn the_cap_lets_through_what_reaches_it_and_nothing_above() {
    let system = System::new();
    let token = system.token(1, 10);
    token.send("unpause", json!([]));
    let holder = somebody();
    system.register(std::slice::from_ref(&holder));

    token.send("mint", json!([holder, 9]));
    assert_eq!(token.revert("mint", json!([holder, 2])), "CapExceeded(10, 11)");
    assert_eq!(
        token.revert("batchMint", json!([[holder, holder], [1, 1]])),
        "CapExceeded(10, 11)"
    );
    token.send("mint", json!([holder, 1]));
    assert_eq!(token.revert("mint", json!([holder, 1])), "CapExceeded(10, 11)");

    token.send("burn", json!([holder, 1]));
    token.send("mint", json!([holder, 1]));
}

#[test]
fn the_cap_is_the_owners_and_not_below_the_supply() {
    let stage = Stage::with_a_hundred();
    let settings = stage.settings();

    assert_eq!(settings.send("setCap", json!([100])).events, ["CapSet(100)"]);
    assert_eq!(settings.revert("setCap", json!([99])), "CapExceeded(99, 100)");
    assert_eq!(stage.token.view("cap", json!([])), json!("100"));
    settings.send("setCap", json!([0]));
    stage.mint(&stage.holders[0], 1);
    let refused = format!("OwnableUnauthorizedAccount({})", stage.system.agent);
    assert_eq!(stage.token.revert("setCap", json!([1_000])), refused);
}

#[test]
fn a_supply_beyond_256_bits_is_refused() {
    let stage = Stage::new();
    let holder = &stage.holders[0];
    stage.mint(holder, 1);

    assert_eq!(stage.token.revert("mint", json!([holder, HUGE])), "Panic(17)");
    stage.token.send("mint", json!([holder, format!("{}e", &HUGE[..65])]));
}

#[test]
fn a_burn_takes_free_tokens_first_and_then_frozen_ones() {
    let stage = Stage::with_a_hundred();
    let holder = &stage.holders[0];
    stage.token.send("freezePartialTokens", json!([holder, 60]));

    let free_only = stage.token.send("burn", json!([holder, 40]));
    assert_eq!(free_only.events, [format!("Transfer({holder}, {ZERO}, 40)")]);
    assert_eq!((stage.balance(holder), stage.frozen(holder)), (60, 60));

    let frozen_too = stage.token.send("burn", json!([holder, 1]));
    assert_eq!(
        frozen_too.events,
        [
            format!("TokensUnfrozen({holder}, 1)"),
            format!("Transfer({holder}, {ZERO}, 1)")
        ]
    );
    assert_eq!(
        (stage.balance(holder), stage.frozen(holder), stage.supply()),
        (59, 59, 59)
    );
}

#[test]
fn a_burn_works_on_a_frozen_suspended_holder_of_a_paused_token() {
    let stage = Stage::with_a_hundred();
    let holder = &stage.holders[0];
    stage.token.send("setAddressFrozen", json!([holder, true]));
    stage.system.registry.send("deleteIdentity", json!([holder]));
    stage.token.send("pause", json!([]));

    stage.token.send("burn", json!([holder, 100]));

    assert_eq!((stage.balance(holder), stage.supply()), (0, 0));
}

#[test]
fn burning_in_a_batch_names_the_line() {
    let stage = Stage::with_a_hundred();
    let [a, b, _] = stage.holders.as_slice() else {
        panic!("three holders")
    };
    stage.mint(b, 5);
    let revert = |holders: Value, amounts: Value| stage.token.revert("batchBurn", json!([holders, amounts]));

    assert_eq!(
        revert(json!([a, b]), json!([100, 6])),
        format!("BalanceTooLow(1, {b}, 5, 6)")
    );
    assert_eq!(revert(json!([a, b]), json!([1, 0])), "AmountZero(1)");
    assert_eq!(revert(json!([a]), json!([1, 2])), "LengthMismatch()");
    stage.token.send("batchBurn", json!([[a, b], [100, 5]]));
    assert_eq!(stage.supply(), 0);
}

#[test]
fn a_hundred_new_holders_cost_less_than_32_000_gas_each() {
    let stage = Stage::new();
    let holders = many(101);
    stage.system.register(&holders);
    // Whole tokens of 18 decimals, as calldata is paid by the byte.
    let amounts: Vec<String> = (1..=100).map(|n| format!("{n}000000000000000000")).collect();
    stage.mint(&holders[100], 1);

    let mined = stage.token.send("batchMint", json!([holders[..100], amounts]));

    assert_eq!(mined.events.len(), 100);
    assert!(mined.gas < 3_200_000, "{}", mined.gas);
    assert_eq!(
        read(&stage.token, "balanceOf", json!([holders[1]])),
        2_000_000_000_000_000_000
    );
}
