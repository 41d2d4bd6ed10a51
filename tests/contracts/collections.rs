//! The ERC-721 and the ERC-1155 with the signatures of Immutable's presets.

use serde_json::{Value, json};

use crate::abi::{Abi, selector};
use crate::evm::somebody;
use crate::stage::{System, ZERO, read};

/// 2^128: where ids by quantity begin.
const THRESHOLD: &str = "340282366920938463463374607431768211456";
const BELOW: &str = "340282366920938463463374607431768211455";
const NEXT: &str = "340282366920938463463374607431768211457";
const THIRD: &str = "340282366920938463463374607431768211458";
/// The text, padded on the right.
const MINTER_ROLE: &str = "0x4d494e5445525f524f4c45000000000000000000000000000000000000000000";

#[test]
fn ids_are_minted_to_many_at_once() {
    let collection = System::new().collection("721");
    let (a, b) = (somebody(), somebody());

    let mined = collection.send("mintBatch", json!([[[a, [7, BELOW]], [b, [8]]]]));

    let transfer = |to: &str, id: &str| format!("Transfer({ZERO}, {to}, {id})");
    assert_eq!(
        mined.events,
        [transfer(&a, "7"), transfer(&a, BELOW), transfer(&b, "8")]
    );
    assert_eq!(collection.view("ownerOf", json!([8])), json!(b));
    assert_eq!(collection.view("tokenURI", json!([8])), json!("https://meta.test/8"));
    assert_eq!(
        (
            read(&collection, "balanceOf", json!([a])),
            read(&collection, "totalSupply", json!([]))
        ),
        (2, 3)
    );
}

#[test]
fn a_bad_id_is_named_with_its_line() {
    let system = System::new();
    let collection = system.collection("721");
    let a = system.outsider.clone();
    collection.send("mintBatch", json!([[[a, [7, 9]]]]));
    collection.by(&a).send("burn", json!([9]));
    let revert = |lines: Value| collection.revert("mintBatch", json!([lines]));

    assert_eq!(
        revert(json!([[a, [1]], [a, [THRESHOLD]]])),
        format!("TokenIdAboveThreshold(1, {THRESHOLD})")
    );
    assert_eq!(revert(json!([[a, [1]], [a, [7]]])), "TokenAlreadyMinted(1, 7)");
    assert_eq!(revert(json!([[a, [2, 2]]])), "TokenAlreadyMinted(0, 2)");
    assert_eq!(revert(json!([[a, [9]]])), "TokenBurned(0, 9)");
    assert_eq!(revert(json!([[a, [1]], [ZERO, [2]]])), "RecipientZero(1)");
    assert_eq!(read(&collection, "totalSupply", json!([])), 1);
}

#[test]
fn quantities_take_the_next_ids_in_the_order_of_the_lines() {
    let collection = System::new().collection("721");
    let (a, b) = (somebody(), somebody());
    assert_eq!(
        collection.view("mintBatchByQuantityThreshold", json!([])),
        json!(THRESHOLD)
    );

    let first = collection.send("mintBatchByQuantity", json!([[[a, 1], [b, 1]]]));
    let second = collection.send("mintBatchByQuantity", json!([[[a, 1]]]));

    let transfer = |to: &str, id: &str| format!("Transfer({ZERO}, {to}, {id})");
    assert_eq!(first.events, [transfer(&a, THRESHOLD), transfer(&b, NEXT)]);
    assert_eq!(second.events, [transfer(&a, THIRD)]);
    assert_eq!(read(&collection, "totalSupply", json!([])), 3);
    let next = collection.view("mintBatchByQuantityNextTokenId", json!([]));
    assert_eq!(next, json!("340282366920938463463374607431768211459"));
    assert_eq!(
        collection.revert("mintBatchByQuantity", json!([[[a, 1], [b, 0]]])),
        "QuantityZero(1)"
    );
    assert_eq!(
        collection.revert("mintBatchByQuantity", json!([[[a, 1], [ZERO, 1]]])),
        "RecipientZero(1)"
    );
}

#[test]
fn a_burned_token_is_gone_and_only_its_owner_burns_it() {
    let system = System::new();
    let collection = system.collection("721");
    let owner = &system.outsider;
    collection.send("mintBatch", json!([[[owner, [1]]]]));
    collection.send("mintBatchByQuantity", json!([[[owner, 1]]]));

    let refused = format!("ERC721InsufficientApproval({}, 1)", system.agent);
    assert_eq!(collection.revert("burn", json!([1])), refused);
    collection.by(owner).send("burn", json!([1]));
    collection.by(owner).send("burn", json!([THRESHOLD]));

    assert_eq!(read(&collection, "totalSupply", json!([])), 0);
    assert_eq!(collection.revert("ownerOf", json!([1])), "ERC721NonexistentToken(1)");
    assert_eq!(collection.revert("burn", json!([1])), "ERC721NonexistentToken(1)");
    // What was burned by quantity is not given again.
    let again = collection.send("mintBatchByQuantity", json!([[[owner, 1]]]));
    assert_eq!(again.events, [format!("Transfer({ZERO}, {owner}, {NEXT})")]);
}

#[test]
fn amounts_are_minted_to_one_and_to_many() {
    let collection = System::new().collection("1155");
    let (a, b) = (somebody(), somebody());
    let agent = &collection.caller;

    let one = collection.send("safeMint", json!([a, 1, 5, "0x"]));
    let batch = collection.send("safeMintBatch", json!([a, [1, 2], [1, 2], "0x"]));
    let many = collection.send("safeMintMany", json!([[[a, [1], [10]], [b, [2, 3], [20, 30]]], "0x"]));

    assert_eq!(one.events, [format!("TransferSingle({agent}, {ZERO}, {a}, 1, 5)")]);
    assert_eq!(
        batch.events,
        [format!(r#"TransferBatch({agent}, {ZERO}, {a}, ["1","2"], ["1","2"])"#)]
    );
    let expected = [
        format!("TransferSingle({agent}, {ZERO}, {a}, 1, 10)"),
        format!(r#"TransferBatch({agent}, {ZERO}, {b}, ["2","3"], ["20","30"])"#),
    ];
    assert_eq!(many.events, expected);
    let balances = collection.view("balanceOfBatch", json!([[a, a, b, b], [1, 2, 2, 3]]));
    assert_eq!(balances, json!(["16", "2", "20", "30"]));
    assert_eq!(read(&collection, "totalSupply(uint256)", json!([1])), 16);
    assert_eq!(collection.view("uri", json!([3])), json!("https://meta.test/3"));
}

#[test]
fn a_bad_line_of_amounts_is_named() {
    let collection = System::new().collection("1155");
    let a = somebody();
    let revert = |lines: Value| collection.revert("safeMintMany", json!([lines, "0x"]));

    assert_eq!(revert(json!([[a, [1], [1]], [a, [1, 2], [1]]])), "LengthMismatch(1)");
    assert_eq!(revert(json!([[a, [1], [1]], [a, [1, 2], [1, 0]]])), "QuantityZero(1)");
    assert_eq!(revert(json!([[a, [1], [1]], [ZERO, [1], [1]]])), "RecipientZero(1)");
    assert_eq!(collection.revert("safeMint", json!([a, 1, 0, "0x"])), "QuantityZero(0)");
    assert_eq!(
        collection.revert("safeMint", json!([ZERO, 1, 1, "0x"])),
        "RecipientZero(0)"
    );
    assert_eq!(
        collection.revert("safeMintBatch", json!([a, [1], [], "0x"])),
        "LengthMismatch(0)"
    );
}

#[test]
fn a_contract_that_takes_no_tokens_gets_none() {
    let system = System::new();
    let collection = system.collection("1155");
    let deaf = &system.factory.address;

    let revert = collection.revert(
        "safeMintMany",
        json!([[[somebody(), [1], [1]], [deaf, [1], [1]]], "0x"]),
    );

    assert_eq!(revert, format!("ERC1155InvalidReceiver({deaf})"));
    // An ERC-721 mint asks nobody.
    system.collection("721").send("mintBatch", json!([[[deaf, [1]]]]));
}

#[test]
fn amounts_are_burned_by_their_holder_or_whom_it_approved() {
    let system = System::new();
    let collection = system.collection("1155");
    let holder = &system.outsider;
    collection.send("safeMint", json!([holder, 1, 5, "0x"]));

    let refused = format!("ERC1155MissingApprovalForAll({}, {holder})", system.agent);
    assert_eq!(collection.revert("burn", json!([holder, 1, 1])), refused);
    collection.by(holder).send("burn", json!([holder, 1, 1]));
    collection
        .by(holder)
        .send("setApprovalForAll", json!([system.agent, true]));
    collection.send("burn", json!([holder, 1, 4]));

    assert_eq!(read(&collection, "totalSupply(uint256)", json!([1])), 0);
    let too_many = format!("ERC1155InsufficientBalance({holder}, 0, 1, 1)");
    assert_eq!(collection.revert("burn", json!([holder, 1, 1])), too_many);
}

#[test]
fn only_minters_mint_and_the_administrator_names_them() {
    let system = System::new();
    for (standard, calls) in [
        (
            "721",
            vec![("mintBatch", json!([[]])), ("mintBatchByQuantity", json!([[]]))],
        ),
        (
            "1155",
            vec![
                ("safeMint", json!([ZERO, 1, 1, "0x"])),
                ("safeMintBatch", json!([ZERO, [], [], "0x"])),
                ("safeMintMany", json!([[], "0x"])),
            ],
        ),
    ] {
        let collection = system.collection(standard);
        assert_eq!(collection.view("MINTER_ROLE", json!([])), json!(MINTER_ROLE));
        let owned = collection.by(&system.owner);
        owned.send("revokeMinterRole", json!([system.agent]));
        for (function, arguments) in calls {
            let refused = format!("AccessControlUnauthorizedAccount({}, {MINTER_ROLE})", system.agent);
            assert_eq!(collection.revert(function, arguments), refused, "{function}");
        }
        owned.send("grantMinterRole", json!([system.agent]));
        assert_eq!(
            collection.view("hasRole", json!([MINTER_ROLE, system.agent])),
            json!(true)
        );

        let administrator = format!("0x{}", "0".repeat(64));
        let refused = format!("AccessControlUnauthorizedAccount({}, {administrator})", system.agent);
        for function in ["grantMinterRole", "revokeMinterRole"] {
            assert_eq!(
                collection.revert(function, json!([system.agent])),
                refused,
                "{function}"
            );
        }
        for function in ["setBaseURI", "setContractURI"] {
            assert_eq!(collection.revert(function, json!(["x"])), refused, "{function}");
        }
    }
}

#[test]
fn metadata_can_move_and_standards_are_declared() {
    let system = System::new();
    for (standard, interface) in [("721", "0x80ac58cd"), ("1155", "0xd9b67a26")] {
        let collection = system.collection(standard);
        let owned = collection.by(&system.owner);

        let moved = owned.send("setBaseURI", json!(["ipfs://tokens/"])).events;
        assert_eq!(moved, ["MetadataMoved(ipfs://tokens/, https://meta.test/art)"]);
        owned.send("setContractURI", json!(["ipfs://art"]));
        assert_eq!(collection.view("baseURI", json!([])), json!("ipfs://tokens/"));
        assert_eq!(collection.view("contractURI", json!([])), json!("ipfs://art"));

        // The standard's own, ERC-165 and AccessControl's; not the one nobody may have.
        for (id, supported) in [
            (interface, true),
            ("0x01ffc9a7", true),
            ("0x7965db0b", true),
            ("0xffffffff", false),
        ] {
            assert_eq!(
                collection.view("supportsInterface", json!([id])),
                json!(supported),
                "{id}"
            );
        }
    }
}

#[test]
fn the_signatures_are_those_of_the_presets() {
    let known = [
        ("MoneyerERC721", "mintBatch((address,uint256[])[])", "0x9e2641a3"),
        (
            "MoneyerERC721",
            "mintBatchByQuantity((address,uint256)[])",
            "0xe1927859",
        ),
        ("MoneyerERC721", "mintBatchByQuantityNextTokenId()", "0x654167ea"),
        ("MoneyerERC721", "grantMinterRole(address)", "0x3dd1eb61"),
        ("MoneyerERC721", "revokeMinterRole(address)", "0x69e2f0fb"),
        (
            "MoneyerERC1155",
            "safeMint(address,uint256,uint256,bytes)",
            "0x5cfa9297",
        ),
        (
            "MoneyerERC1155",
            "safeMintBatch(address,uint256[],uint256[],bytes)",
            "0xc39dfed8",
        ),
    ];
    for (contract, signature, bytes) in known {
        assert!(Abi::of(contract).signatures().contains(&signature), "{signature}");
        assert_eq!(selector(signature), bytes);
    }
}
