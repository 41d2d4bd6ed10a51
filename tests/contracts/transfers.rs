//! Transfers by holders, by agents, and the recovery of a lost wallet.

use serde_json::{Value, json};

use crate::evm::{Contract, somebody};
use crate::stage::{Stage, ZERO};

/// The first holder has 100 and holders may transfer.
fn open() -> Stage {
    let stage = Stage::with_a_hundred();
    stage.settings().send("setHolderTransfers", json!([true]));
    stage
}

fn by_first(stage: &Stage) -> Contract<'static> {
    stage.token.by(&stage.holders[0])
}

#[test]
fn holders_transfer_only_where_the_owner_allows_it() {
    let stage = Stage::with_a_hundred();
    let [a, b, c] = stage.holders.as_slice() else {
        panic!("three holders")
    };
    let first = by_first(&stage);
    assert_eq!(stage.token.view("holderTransfers", json!([])), json!(false));
    first.send("approve", json!([c, 10]));

    assert_eq!(first.revert("transfer", json!([b, 1])), "HolderTransfersOff()");
    assert_eq!(first.revert("batchTransfer", json!([[b], [1]])), "HolderTransfersOff()");
    assert_eq!(
        first.by(c).revert("transferFrom", json!([a, b, 1])),
        "HolderTransfersOff()"
    );

    let allowed = stage.settings().send("setHolderTransfers", json!([true]));
    assert_eq!(allowed.events, ["HolderTransfersSet(true)"]);
    first.send("transfer", json!([b, 1]));
    first.by(c).send("transferFrom", json!([a, b, 2]));
    first.send("batchTransfer", json!([[b, c], [3, 4]]));
    assert_eq!((stage.balance(a), stage.balance(b), stage.balance(c)), (90, 6, 4));
    assert_eq!(stage.token.view("allowance", json!([a, c])), json!("8"));
}

#[test]
fn a_holders_transfer_asks_pause_freezes_registry_and_free_balance() {
    let stage = open();
    let [a, b, c] = stage.holders.as_slice() else {
        panic!("three holders")
    };
    let first = by_first(&stage);
    let stranger = somebody();
    let revert = |to: &str, amount: u64| first.revert("transfer", json!([to, amount]));

    assert_eq!(revert(b, 101), format!("FreeBalanceTooLow(0, {a}, 100, 101)"));
    stage.token.send("freezePartialTokens", json!([a, 40]));
    assert_eq!(revert(b, 61), format!("FreeBalanceTooLow(0, {a}, 60, 61)"));
    first.send("transfer", json!([b, 60]));
    assert_eq!(revert(&stranger, 0), format!("RecipientNotVerified(0, {stranger})"));
    stage.token.send("setAddressFrozen", json!([c, true]));
    assert_eq!(revert(c, 0), format!("RecipientFrozen(0, {c})"));
    stage.token.send("setAddressFrozen", json!([a, true]));
    assert_eq!(revert(b, 0), format!("SenderFrozen(0, {a})"));
    stage.token.send("setAddressFrozen", json!([a, false]));
    stage.system.registry.send("deleteIdentity", json!([a]));
    assert_eq!(revert(b, 0), format!("SenderNotVerified(0, {a})"));
    stage.token.send("pause", json!([]));
    assert_eq!(revert(b, 0), "TokenPaused()");
}

#[test]
fn a_batch_of_transfers_names_the_line() {
    let stage = open();
    let [a, b, c] = stage.holders.as_slice() else {
        panic!("three holders")
    };
    let first = by_first(&stage);
    let stranger = somebody();
    let revert = |to: Value, amounts: Value| first.revert("batchTransfer", json!([to, amounts]));

    // The second line sees what the first one left.
    assert_eq!(
        revert(json!([b, c]), json!([60, 41])),
        format!("FreeBalanceTooLow(1, {a}, 40, 41)")
    );
    assert_eq!(
        revert(json!([b, stranger]), json!([1, 1])),
        format!("RecipientNotVerified(1, {stranger})")
    );
    assert_eq!(revert(json!([b]), json!([1, 1])), "LengthMismatch()");
    first.send("batchTransfer", json!([[b, c], [60, 40]]));
}

#[test]
fn spending_for_a_holder_needs_an_allowance() {
    let stage = open();
    let [a, b, c] = stage.holders.as_slice() else {
        panic!("three holders")
    };

    let revert = stage.token.by(c).revert("transferFrom", json!([a, b, 1]));

    assert_eq!(revert, format!("ERC20InsufficientAllowance({c}, 0, 1)"));
}

#[test]
fn a_forced_transfer_needs_neither_the_holders_will_nor_an_open_token() {
    let stage = Stage::with_a_hundred();
    let [a, b, _] = stage.holders.as_slice() else {
        panic!("three holders")
    };
    stage.token.send("freezePartialTokens", json!([a, 70]));
    stage.token.send("setAddressFrozen", json!([a, true]));
    stage.system.registry.send("deleteIdentity", json!([a]));
    stage.token.send("pause", json!([]));

    let mined = stage.token.send("forcedTransfer", json!([a, b, 50]));

    assert_eq!(
        mined.events,
        [format!("TokensUnfrozen({a}, 20)"), format!("Transfer({a}, {b}, 50)")]
    );
    assert_eq!((stage.balance(a), stage.frozen(a), stage.balance(b)), (50, 50, 50));
    assert_eq!(stage.token.view("forcedTransfer", json!([a, b, 50])), json!(true));
}

#[test]
fn a_forced_transfer_asks_the_recipient_the_amount_and_the_balance() {
    let stage = Stage::with_a_hundred();
    let [a, b, c] = stage.holders.as_slice() else {
        panic!("three holders")
    };
    let stranger = somebody();
    stage.token.send("setAddressFrozen", json!([c, true]));
    let revert = |from: &str, to: &str, amount: u64| stage.token.revert("forcedTransfer", json!([from, to, amount]));

    assert_eq!(revert(a, &stranger, 1), format!("RecipientNotVerified(0, {stranger})"));
    assert_eq!(revert(a, c, 1), format!("RecipientFrozen(0, {c})"));
    assert_eq!(revert(a, b, 0), "AmountZero(0)");
    assert_eq!(revert(a, b, 101), format!("BalanceTooLow(0, {a}, 100, 101)"));
    stage.token.send("forcedTransfer", json!([a, b, 100]));
}

#[test]
fn a_batch_of_forced_transfers_names_the_line() {
    let stage = Stage::with_a_hundred();
    let [a, b, c] = stage.holders.as_slice() else {
        panic!("three holders")
    };
    let call = "batchForcedTransfer";
    let revert = |from: Value, to: Value, amounts: Value| stage.token.revert(call, json!([from, to, amounts]));

    let too_much = format!("BalanceTooLow(1, {a}, 40, 41)");
    assert_eq!(revert(json!([a, a]), json!([b, c]), json!([60, 41])), too_much);
    assert_eq!(revert(json!([a, a]), json!([b]), json!([1, 1])), "LengthMismatch()");
    assert_eq!(revert(json!([a, a]), json!([b, c]), json!([1])), "LengthMismatch()");
    stage.token.send(call, json!([[a, b], [b, c], [60, 10]]));
    assert_eq!((stage.balance(a), stage.balance(b), stage.balance(c)), (40, 50, 10));
}

// --- recovery -------------------------------------------------------------------------------------------------------

/// The first holder's wallet with 100, 30 of them frozen, its investor, and the investor's new wallet.
fn lost() -> (Stage, String, String) {
    let stage = Stage::with_a_hundred();
    let investor = stage.system.registry.view("identity", json!([stage.holders[0]]));
    let investor = investor.as_str().unwrap().to_owned();
    let wallet = somebody();
    stage.token.send("freezePartialTokens", json!([stage.holders[0], 30]));
    stage
        .system
        .registry
        .send("registerIdentity", json!([wallet, investor, 756]));
    (stage, investor, wallet)
}

#[test]
fn a_recovery_moves_everything_and_what_is_frozen_stays_frozen() {
    let (stage, investor, wallet) = lost();
    let old = &stage.holders[0];
    stage.token.send("setAddressFrozen", json!([old, true]));
    stage.token.send("pause", json!([]));

    let mined = stage.token.send("recoveryAddress", json!([old, wallet, investor]));

    let expected = [
        format!("TokensUnfrozen({old}, 30)"),
        format!("Transfer({old}, {wallet}, 100)"),
        format!("TokensFrozen({wallet}, 30)"),
        format!("AddressFrozen({wallet}, true, {})", stage.system.agent),
        format!("RecoverySuccess({old}, {wallet}, {investor})"),
    ];
    assert_eq!(mined.events, expected);
    assert_eq!((stage.balance(old), stage.frozen(old)), (0, 0));
    assert_eq!(
        (stage.balance(&wallet), stage.frozen(&wallet), stage.supply()),
        (100, 30, 100)
    );
    assert_eq!(stage.token.view("isFrozen", json!([wallet])), json!(true));
    assert_eq!(
        stage
            .token
            .revert("recoveryAddress", json!([old, stage.holders[1], investor])),
        format!("NotTheInvestor({}, {investor})", stage.holders[1])
    );
}

#[test]
fn a_recovery_adds_to_what_the_new_wallet_has() {
    let (stage, investor, wallet) = lost();
    stage.mint(&wallet, 10);
    stage.token.send("freezePartialTokens", json!([wallet, 5]));

    stage
        .token
        .send("recoveryAddress", json!([stage.holders[0], wallet, investor]));

    assert_eq!((stage.balance(&wallet), stage.frozen(&wallet)), (110, 35));
    assert_eq!(stage.token.view("isFrozen", json!([wallet])), json!(false));
}

#[test]
fn a_recovery_works_after_the_lost_wallet_left_the_registry() {
    let (stage, investor, wallet) = lost();
    let old = &stage.holders[0];
    stage.system.registry.send("deleteIdentity", json!([old]));

    stage.token.send("recoveryAddress", json!([old, wallet, investor]));

    assert_eq!(stage.balance(&wallet), 100);
}

#[test]
fn a_recovery_is_only_to_a_wallet_of_the_same_investor() {
    let (stage, investor, wallet) = lost();
    let [old, other, _] = stage.holders.as_slice() else {
        panic!("three holders")
    };
    let stranger = somebody();
    let revert = |from: &str, to: &str, who: &str| stage.token.revert("recoveryAddress", json!([from, to, who]));

    assert_eq!(
        revert(old, other, &investor),
        format!("NotTheInvestor({other}, {investor})")
    );
    assert_eq!(
        revert(other, &wallet, &investor),
        format!("NotTheInvestor({other}, {investor})")
    );
    assert_eq!(revert(old, &wallet, ZERO), format!("NotTheInvestor({wallet}, {ZERO})"));
    assert_eq!(
        revert(old, &stranger, &investor),
        format!("RecipientNotVerified(0, {stranger})")
    );
    stage.token.send("burn", json!([old, 100]));
    assert_eq!(
        revert(old, &wallet, &investor),
        format!("BalanceTooLow(0, {old}, 0, 1)")
    );
    stage.token.send("setAddressFrozen", json!([wallet, true]));
    assert_eq!(revert(old, &wallet, &investor), format!("RecipientFrozen(0, {wallet})"));
}
