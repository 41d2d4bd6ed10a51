//! Our bindings against our contracts: every creation, address, batch and refusal as the node has it.

use moneyer::chain::contracts::collection::{self, Stack};
use moneyer::chain::contracts::events::decode_transfers;
use moneyer::chain::contracts::factory::{self, Implementation, NewCollection, NewToken};
use moneyer::chain::contracts::registry::{self, Person, Registration, WalletEntry};
use moneyer::chain::contracts::returned;
use moneyer::chain::contracts::token::{self, Switch};
use moneyer::chain::token::{NoToken, inspect};
use moneyer::chain::{At, Call, Receipt, Revert, Rpc};
use moneyer::types::{Address, Amount, CountryCode, Hash32};

use crate::node::Node;
use crate::stage::*;

const SALT: Hash32 = Hash32::from_bytes([7; 32]);

/// The factory, its implementations, a registry and an unpaused token of ours.
struct Stage {
    rpc: Rpc,
    node: Node,
    factory: Address,
    registry: Address,
    token: Address,
}

impl Stage {
    async fn set_up() -> Self {
        let node = manual();
        let rpc = rpc(&[node.url()]);
        let us = account(0);
        let factory = factory::created_address(&us, 0);
        mined(&node, &rpc, None, factory::creation_code(us)).await;
        for implementation in Implementation::ALL {
            mined(&node, &rpc, Some(factory), implementation.deploy()).await;
        }
        mined(&node, &rpc, Some(factory), factory::set_implementations(&factory)).await;
        mined(&node, &rpc, Some(factory), registry::deploy(&SALT, us, us)).await;
        let registry = factory::deployed_address(&factory, &SALT, &registry::creation_code(us, us));
        mined(
            &node,
            &rpc,
            Some(factory),
            factory::create_token(&SALT, &new_token(registry)),
        )
        .await;
        let token = Implementation::Token.clone_address(&factory, &SALT);
        mined(&node, &rpc, Some(token), token::unpause()).await;
        Self {
            rpc,
            node,
            factory,
            registry,
            token,
        }
    }

    async fn mined(&self, to: Address, data: Vec<u8>) -> Receipt {
        mined(&self.node, &self.rpc, Some(to), data).await
    }

    async fn register(&self, wallets: &[Address]) {
        let entries: Vec<WalletEntry> = wallets.iter().map(|wallet| entry(*wallet)).collect();
        for part in entries.chunks(100) {
            self.mined(self.registry, registry::batch_sync(part)).await;
        }
    }

    async fn ask(&self, to: Address, data: Vec<u8>) -> Result<Vec<u8>, Revert> {
        self.rpc.call(&self.call(to, data)).await.unwrap()
    }

    fn call(&self, to: Address, data: Vec<u8>) -> Call {
        let from = account(0);
        Call { from, to, data }
    }
}

fn new_token(registry: Address) -> NewToken {
    NewToken {
        name: "Bond 2030".to_owned(),
        symbol: "BOND".to_owned(),
        decimals: 6,
        cap: Some(Amount::from(1_000_000)),
        identity_registry: registry,
        onchain_id: Address::ZERO,
        owner: account(0),
        agent: account(0),
        holder_transfers: Switch::Off,
    }
}

fn entry(wallet: Address) -> WalletEntry {
    let person = Person {
        identity: Address::from_bytes([0xaa; 20]),
        country: Some(CountryCode::parse_alpha2("BE").unwrap()),
    };
    WalletEntry {
        wallet,
        registration: Registration::Verified(person),
    }
}

fn wallet(number: u16) -> Address {
    let mut bytes = [0x11; 20];
    bytes[18..].copy_from_slice(&number.to_be_bytes());
    Address::from_bytes(bytes)
}

#[tokio::test]
async fn every_contract_is_where_the_formulas_say() {
    let stage = Stage::set_up().await;
    let mut places = vec![stage.factory, stage.registry, stage.token];
    places.extend(Implementation::ALL.map(|implementation| implementation.address(&stage.factory)));

    for place in places {
        assert!(!stage.rpc.code(&place).await.unwrap().is_empty(), "{place}");
    }
    let named = stage.ask(stage.factory, factory::token_implementation()).await.unwrap();
    assert_eq!(
        returned::address(&named),
        Some(Implementation::Token.address(&stage.factory))
    );
}

#[tokio::test]
async fn a_creation_that_is_sent_again_changes_nothing() {
    let stage = Stage::set_up().await;

    let again = factory::create_token(&SALT, &new_token(stage.registry));
    let receipt = stage.mined(stage.factory, again).await;

    assert!(receipt.logs.is_empty());
    let paused = stage.ask(stage.token, token::paused()).await.unwrap();
    assert_eq!(returned::flag(&paused), Some(false), "it was not set up again");
}

#[tokio::test]
async fn a_batch_is_minted_and_its_transfers_are_read_from_receipt_and_logs() {
    let stage = Stage::set_up().await;
    let wallets: Vec<Address> = (0..100).map(wallet).collect();
    stage.register(&wallets).await;
    let lines: Vec<(Address, Amount)> = wallets.iter().zip(1u64..).map(|(w, n)| (*w, Amount::from(n))).collect();

    let receipt = stage.mined(stage.token, token::batch_mint(&lines)).await;

    let transfers = decode_transfers(&receipt.logs);
    let minted: Vec<(Address, Amount)> = transfers.iter().map(|t| (t.to, t.amount)).collect();
    assert_eq!(minted, lines);
    assert!(transfers.iter().all(|t| t.from.is_zero() && t.token == stage.token));
    let logs = stage.rpc.logs(&[stage.token], 0, receipt.block_number).await.unwrap();
    assert_eq!(decode_transfers(&logs), transfers);
    let questions = [token::total_supply(), token::balance_of(wallets[99]), token::cap()];
    let calls = questions.map(|data| stage.call(stage.token, data));
    let at = At::Block(receipt.block_number);
    let answers = stage.rpc.call_many(&calls, at).await.unwrap();
    let amounts: Vec<Option<Amount>> = answers.iter().map(|a| returned::amount(a.as_ref().unwrap())).collect();
    let expected = [5_050, 100, 1_000_000].map(|number| Some(Amount::from(number)));
    assert_eq!(amounts, expected);
}

#[tokio::test]
async fn a_refusal_names_the_line_and_the_recipient() {
    let stage = Stage::set_up().await;
    stage.register(&[wallet(0), wallet(1), wallet(2)]).await;
    let mint = |lines: &[(Address, Amount)]| stage.call(stage.token, token::batch_mint(lines));
    let one = Amount::ONE;

    let stranger = mint(&[(wallet(0), one), (wallet(1), one), (wallet(9), one)]);
    let called = stage.rpc.call(&stranger).await.unwrap().unwrap_err();
    let estimated = stage.rpc.estimate_gas(&stranger).await.unwrap().unwrap_err();

    assert_eq!(called, estimated);
    assert_eq!((called.line, called.recipient), (Some(2), Some(wallet(9))));
    assert!(
        called.reason.starts_with("RecipientNotVerified(line 2, recipient 0x"),
        "{}",
        called.reason
    );
    assert!(!called.is_out_of_gas());

    let frozen = token::set_address_frozen(wallet(1), Switch::On);
    stage.mined(stage.token, frozen).await;
    let refused = stage
        .rpc
        .call(&mint(&[(wallet(0), one), (wallet(1), one)]))
        .await
        .unwrap()
        .unwrap_err();
    assert!(
        refused.reason.starts_with("RecipientFrozen(line 1"),
        "{}",
        refused.reason
    );
    let zero = stage
        .rpc
        .call(&mint(&[(wallet(0), Amount::ZERO)]))
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!((zero.reason.as_str(), zero.line), ("AmountZero(line 0)", Some(0)));
    let above = stage
        .rpc
        .call(&mint(&[(wallet(0), Amount::from(1_000_001))]))
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(above.reason, "CapExceeded(cap 1000000, supply 1000001)");
    let by_stranger = Call {
        from: account(1),
        ..mint(&[(wallet(0), one)])
    };
    let not_agent = stage.rpc.call(&by_stranger).await.unwrap().unwrap_err();
    assert_eq!(not_agent.reason, format!("NotAgent(caller {})", account(1)));
}

#[tokio::test]
async fn the_gas_of_a_batch_is_estimated_and_too_large_a_batch_is_out_of_gas() {
    let stage = Stage::set_up().await;
    let wallets: Vec<Address> = (0..900).map(wallet).collect();
    stage.register(&wallets).await;
    let batch = |count: usize| {
        let lines: Vec<(Address, Amount)> = wallets[..count].iter().map(|w| (*w, Amount::ONE)).collect();
        stage.call(stage.token, token::batch_mint(&lines))
    };

    let gas = stage.rpc.estimate_gas(&batch(100)).await.unwrap().unwrap();
    let too_large = stage.rpc.estimate_gas(&batch(900)).await.unwrap();

    assert!((2_000_000..5_000_000).contains(&gas), "{gas}");
    match too_large {
        Err(revert) => assert!(revert.is_out_of_gas(), "{revert:?}"),
        Ok(gas) => assert!(gas > 1 << 24, "{gas}"),
    }
}

#[tokio::test]
async fn the_registry_says_what_it_was_told() {
    let stage = Stage::set_up().await;
    stage.register(&[wallet(0)]).await;
    let standing = async || {
        let verified = stage
            .ask(stage.registry, registry::is_verified(wallet(0)))
            .await
            .unwrap();
        let contained = stage.ask(stage.registry, registry::contains(wallet(0))).await.unwrap();
        (returned::flag(&verified).unwrap(), returned::flag(&contained).unwrap())
    };
    let sync = async |registration| {
        let wallet = wallet(0);
        let entry = WalletEntry { wallet, registration };
        stage.mined(stage.registry, registry::batch_sync(&[entry])).await;
    };
    let person = match entry(wallet(0)).registration {
        Registration::Verified(person) => person,
        other => panic!("{other:?}"),
    };

    assert_eq!(standing().await, (true, true));
    sync(Registration::Suspended(person)).await;
    assert_eq!(standing().await, (false, true));
    sync(Registration::Absent).await;
    assert_eq!(standing().await, (false, false));
    let country = stage
        .ask(stage.registry, registry::investor_country(wallet(0)))
        .await
        .unwrap();
    assert_eq!(returned::number(&country), Some(0));
}

#[tokio::test]
async fn collections_are_created_and_minted_from() {
    let stage = Stage::set_up().await;
    let new = NewCollection {
        name: "Art".to_owned(),
        symbol: "ART".to_owned(),
        base_uri: "https://example.org/".to_owned(),
        contract_uri: "https://example.org/art".to_owned(),
        owner: account(0),
        minter: account(0),
    };
    stage
        .mined(stage.factory, factory::create_collection_721(&SALT, &new))
        .await;
    stage
        .mined(stage.factory, factory::create_collection_1155(&SALT, &new))
        .await;
    let unique = Implementation::Erc721.clone_address(&stage.factory, &SALT);
    let many = Implementation::Erc1155.clone_address(&stage.factory, &SALT);
    let (five, six) = (Amount::from(5), Amount::from(6));

    stage
        .mined(unique, collection::mint_batch(&[(wallet(0), vec![five, six])]))
        .await;
    stage
        .mined(unique, collection::mint_batch_by_quantity(&[(wallet(1), 2)]))
        .await;
    let stack = Stack {
        recipient: wallet(0),
        tokens: vec![(five, six)],
    };
    stage.mined(many, collection::safe_mint_many(&[stack])).await;

    let owner = stage.ask(unique, collection::owner_of(six)).await.unwrap();
    assert_eq!(returned::address(&owner), Some(wallet(0)));
    let next = stage.ask(unique, collection::next_token_id()).await.unwrap();
    let threshold = Amount::from_u128(u128::MAX).checked_add(Amount::ONE).unwrap();
    assert_eq!(returned::amount(&next), threshold.checked_add(Amount::from(2)));
    let balance = stage
        .ask(many, collection::balance_of_1155(wallet(0), five))
        .await
        .unwrap();
    assert_eq!(returned::amount(&balance), Some(six));
    for place in [unique, many] {
        let minter = stage.ask(place, collection::is_minter(account(0))).await.unwrap();
        assert_eq!(returned::flag(&minter), Some(true));
    }
}

#[tokio::test]
async fn a_token_says_what_adoption_needs() {
    let stage = Stage::set_up().await;

    let facts = inspect(&stage.rpc, &stage.token, &account(0)).await.unwrap().unwrap();
    let by_stranger = inspect(&stage.rpc, &stage.token, &account(1)).await.unwrap().unwrap();

    assert_eq!(
        (facts.name.as_str(), facts.symbol.as_str(), facts.decimals),
        ("Bond 2030", "BOND", 6)
    );
    assert_eq!((facts.total_supply, facts.paused), (Amount::ZERO, false));
    assert_eq!(
        (facts.identity_registry, facts.owner),
        (stage.registry, Some(account(0)))
    );
    assert!(facts.is_agent && facts.is_registry_agent);
    assert!(!by_stranger.is_agent && !by_stranger.is_registry_agent);

    let grant = by_stranger.grant(&stage.token, &account(1));
    assert_eq!(grant.from, account(0));
    stage.mined(grant.to, grant.data).await;
    let granted = inspect(&stage.rpc, &stage.token, &account(1)).await.unwrap().unwrap();
    assert!(granted.is_agent);
}

#[tokio::test]
async fn what_is_no_token_is_not_adopted() {
    let stage = Stage::set_up().await;

    let nothing = inspect(&stage.rpc, &wallet(0), &account(0)).await.unwrap();
    let registry = inspect(&stage.rpc, &stage.registry, &account(0)).await.unwrap();

    assert_eq!(nothing, Err(NoToken::NoContract(wallet(0))));
    assert!(matches!(registry, Err(NoToken::Lacks { .. })), "{registry:?}");
}
