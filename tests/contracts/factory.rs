//! Addresses known beforehand, creation that may be sent twice, and nobody else's salts.

use moneyer::types::{Address, Hash32, keccak256};
use serde_json::json;

use crate::abi::from_hex;
use crate::evm::{Contract, funded};
use crate::stage::{Stage, System, ZERO, abi, node, salt};

fn create2(factory: &Contract<'_>, salt_text: &str, code_hash: &Hash32) -> String {
    let factory = Address::parse(&factory.address).unwrap();
    Address::create2(&factory, &Hash32::parse(salt_text).unwrap(), code_hash).to_string()
}

/// ERC-1167's creation code.
fn clone_of(implementation: &str) -> Vec<u8> {
    from_hex(&format!(
        "3d602d80600a3d3981f3363d3d373d3d3d363d73{}5af43d82803e903d91602b57fd5bf3",
        &implementation[2..]
    ))
}

#[test]
fn a_token_is_where_create2_says() {
    let system = System::new();
    let implementation = system.factory.view("tokenImplementation", json!([]));

    let token = system.token(7, 0);

    let code = clone_of(implementation.as_str().unwrap());
    assert_eq!(token.address, create2(&system.factory, &salt(7), &keccak256(&code)));
    assert_eq!(token.view("symbol", json!([])), json!("ACME"));
}

#[test]
fn collections_are_where_create2_says() {
    let system = System::new();
    for standard in ["721", "1155"] {
        let implementation = system.factory.view(&format!("erc{standard}Implementation"), json!([]));

        let collection = system.collection(standard);

        let code = clone_of(implementation.as_str().unwrap());
        assert_eq!(
            collection.address,
            create2(&system.factory, &salt(1), &keccak256(&code))
        );
        assert_eq!(collection.view("name", json!([])), json!("Acme Art"));
        assert_eq!(collection.view("symbol", json!([])), json!("ART"));
        assert_eq!(collection.view("baseURI", json!([])), json!("https://meta.test/"));
        assert_eq!(
            collection.view("contractURI", json!([])),
            json!("https://meta.test/art")
        );
    }
}

#[test]
fn a_deployment_is_where_create2_says_and_may_be_repeated() {
    let system = System::new();
    let code = abi("MoneyerIdentityRegistry").creation(&json!([system.owner, system.agent]));
    let hash = keccak256(&from_hex(&code));
    let predicted = system
        .factory
        .view("predictDeployment", json!([salt(5), hash.to_string()]));

    let first = system.factory.send("deploy", json!([salt(5), code]));
    let again = system.factory.send("deploy", json!([salt(5), code]));

    assert_eq!(predicted, json!(create2(&system.factory, &salt(5), &hash)));
    assert_eq!(
        first.events,
        [format!("Deployed({}, {})", predicted.as_str().unwrap(), salt(5))]
    );
    assert_eq!(again.events, Vec::<String>::new());
}

#[test]
fn a_token_that_is_sent_twice_is_created_once() {
    let system = System::new();
    let token = system.token(1, 1_000);
    token.send("unpause", json!([]));
    token.by(&system.owner).send("setCap", json!([2_000]));

    let again = system
        .factory
        .send("createToken", json!([salt(1), system.parameters(1_000)]));

    assert_eq!(again.events, Vec::<String>::new());
    assert_eq!(token.view("paused", json!([])), json!(false));
    assert_eq!(token.view("cap", json!([])), json!("2000"));
}

#[test]
fn other_parameters_at_a_taken_salt_are_refused() {
    let system = System::new();
    let token = system.token(1, 1_000);

    let revert = system
        .factory
        .revert("createToken", json!([salt(1), system.parameters(1_001)]));

    assert_eq!(revert, format!("ParametersDiffer({})", token.address));
    let collection = system.collection("721");
    let other = json!(["Other", "ART", "", "", system.owner, system.agent]);
    let revert = system.factory.revert("createCollection721", json!([salt(1), other]));
    assert_eq!(revert, format!("ParametersDiffer({})", collection.address));
}

#[test]
fn a_creation_that_fails_leaves_its_salt_free() {
    let system = System::new();
    let wrong = json!(["Acme", "ACME", 18, 0, ZERO, ZERO, system.owner, system.agent, false]);

    let revert = system.factory.ask("createToken", json!([salt(1), wrong])).unwrap_err();

    // The token's own error, which the factory passes on: NotAContract(address) of the registry.
    assert_eq!(revert, format!("NotAContract({ZERO})"));
    system.token(1, 0);
}

#[test]
fn only_the_owner_creates() {
    let system = System::new();
    let factory = system.factory.by(&system.outsider);
    let refused = format!("OwnableUnauthorizedAccount({})", system.outsider);
    let parameters = json!(["", "", "", "", system.owner, system.agent]);

    assert_eq!(factory.revert("deploy", json!([salt(1), "0x00"])), refused);
    assert_eq!(
        factory.revert("createToken", json!([salt(1), system.parameters(0)])),
        refused
    );
    assert_eq!(
        factory.revert("createCollection721", json!([salt(1), parameters])),
        refused
    );
    assert_eq!(
        factory.revert("createCollection1155", json!([salt(1), parameters])),
        refused
    );
    assert_eq!(factory.revert("setImplementations", json!([ZERO, ZERO, ZERO])), refused);
}

#[test]
fn implementations_are_named_once() {
    let system = System::new();
    let view = |name: &str| system.factory.view(name, json!([]));
    let named = ["tokenImplementation", "erc721Implementation", "erc1155Implementation"].map(view);

    let again = system.factory.send("setImplementations", json!(named));
    let revert = system
        .factory
        .revert("setImplementations", json!([named[0], named[0], named[2]]));

    assert_eq!(again.events, Vec::<String>::new());
    assert_eq!(revert, "ImplementationsAlreadySet()");
}

#[test]
fn a_factory_without_implementations_predicts_and_creates_nothing() {
    let owner = funded(node());
    let factory = Contract::deploy(node(), &abi("MoneyerFactory"), &owner, json!([owner]));

    assert_eq!(
        factory.revert("predictToken", json!([salt(1)])),
        "ImplementationsNotSet()"
    );
    let nobody = format!("NotAContract({owner})");
    assert_eq!(
        factory.revert("setImplementations", json!([owner, owner, owner])),
        nobody
    );
}

#[test]
fn clones_and_implementations_are_set_up_once() {
    let stage = Stage::new();
    let system = &stage.system;
    let implementation = system.factory.view("tokenImplementation", json!([]));
    let bare = Contract::at(
        node(),
        &abi("MoneyerToken"),
        implementation.as_str().unwrap(),
        &system.owner,
    );
    let parameters = json!(["Art", "ART", "", "", system.outsider, system.outsider]);

    for token in [&bare, &stage.token] {
        let revert = token.revert("initialize", json!([system.parameters(0)]));
        assert_eq!(revert, "InvalidInitialization()");
    }
    for standard in ["721", "1155"] {
        let revert = system.collection(standard).revert("initialize", json!([parameters]));
        assert_eq!(revert, "InvalidInitialization()");
    }
}
