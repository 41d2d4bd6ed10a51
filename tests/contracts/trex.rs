//! T-REX from npm behaves as the specification says and our token's interface expects.

use serde_json::json;

use crate::stage::node;
use crate::trex::Trex;

#[test]
fn t_rex_mints_to_holders_with_real_claims_and_to_nobody_else() {
    let mut suite = Trex::deploy(node());
    let holders = suite.holders(3);
    let unverified = suite.registered(1);
    assert_eq!(
        (suite.is_verified(&holders[0]), suite.is_verified(&unverified[0])),
        (true, false)
    );

    let mined = suite.token.send("batchMint", json!([holders, [1, 2, 3]]));
    let revert = suite
        .token
        .revert("batchMint", json!([[holders[0], unverified[0]], [1, 1]]));

    assert_eq!(mined.events.len(), 3);
    assert_eq!(suite.token.view("balanceOf", json!([holders[2]])), json!("3"));
    assert_eq!(revert, "Error(Identity is not verified.)");
    suite.certify(&unverified[0]);
    suite.token.send("mint", json!([unverified[0], 1]));
}

#[test]
fn a_revoked_claim_ends_a_verification_at_once() {
    let mut suite = Trex::deploy(node());
    let holders = suite.holders(1);
    suite.token.send("mint", json!([holders[0], 1]));

    suite.revoke(&holders[0]);

    assert!(!suite.is_verified(&holders[0]));
    assert_eq!(
        suite.token.revert("mint", json!([holders[0], 1])),
        "Error(Identity is not verified.)"
    );
}

/// Why the server checks these itself.
#[test]
fn t_rex_mints_while_paused_and_to_frozen_wallets_and_ignores_surplus_amounts() {
    let mut suite = Trex::deploy(node());
    let holder = &suite.holders(1)[0];
    suite.token.send("setAddressFrozen", json!([holder, true]));
    suite.token.send("pause", json!([]));

    suite.token.send("mint", json!([holder, 1]));
    suite.token.send("batchMint", json!([[holder], [1, 5]]));

    assert_eq!(suite.token.view("balanceOf", json!([holder])), json!("2"));
    assert_eq!(suite.token.revert("batchMint", json!([[holder], []])), "Panic(50)");
    assert_eq!(
        suite.token.revert("mint", json!([holder, 0])),
        "Error(invalid argument - no value mint)"
    );
}

#[test]
fn only_an_agent_of_t_rex_mints_and_its_owner_grants_the_role() {
    let mut suite = Trex::deploy(node());
    let holder = &suite.holders(1)[0];
    let owned = suite.token.by(&suite.owner);

    let revert = owned.revert("mint", json!([holder, 1]));
    owned.send("addAgent", json!([suite.owner]));

    assert_eq!(revert, "Error(AgentRole: caller does not have the Agent role)");
    owned.send("mint", json!([holder, 1]));
}
