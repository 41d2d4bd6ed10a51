//! Who owns a collection is what its contract says, not what it said when the collection came here.

use std::sync::Arc;

use moneyer::chain::collection::is_owned_by;
use moneyer::chain::{At, Rpc};
use moneyer::collection::{self, Collection, ContractType};
use moneyer::types::Address;
use reqwest::Method;
use serde_json::{Value, json};

use crate::certhis::{BOTH, contracts, deployed, started};
use crate::certhis_shop::{Pair, Shop, post, refused};
use crate::game::player;
use crate::stage::Stage;
use crate::support::abi::Abi;
use crate::support::evm::Contract;
use crate::support::{Database, Role, Signer};

const NO_KEYS: (u16, &str) = (400, "api_key or api_secret invalid");
const NOT_THE_OWNER: (u16, &str) = (403, "wallet is not the owner of this collection");
const AWAY: (u16, &str) = (
    503,
    "temporarily unavailable: the chain does not say who owns the collection",
);
const ADMIN: &str = "0x0000000000000000000000000000000000000000000000000000000000000000";
/// More than lie above the block that this node calls final.
const FINAL: u64 = 70;

/// The contract makes somebody else its administrator, who is alone after it.
fn give_away(stage: &Stage, collection: &Collection, from: Address, to: Address) {
    share(stage, collection, from, to);
    as_owner(stage, collection, from, "renounceRole", from);
}

/// The contract makes somebody else its administrator too.
fn share(stage: &Stage, collection: &Collection, from: Address, to: Address) {
    as_owner(stage, collection, from, "grantRole", to);
}

fn as_owner(stage: &Stage, collection: &Collection, owner: Address, function: &str, whom: Address) {
    let abi = Arc::new(Abi::of("MoneyerERC721"));
    let owner = owner.to_string();
    stage.node.impersonate(&owner);
    stage.node.set_balance(&owner, 10_u128.pow(20));
    let contract = Contract::at(&stage.node, &abi, collection.address.to_string(), &owner);
    contract.send(function, json!([ADMIN, whom.to_string()]));
}

async fn stands(stage: &Stage, collection: &Collection) {
    let id = collection.id;
    stage
        .wait("the contract", async || {
            let stands = stage.server.read(move |tx| moneyer::settlement::stands(tx, id)).await;
            stands.then_some(())
        })
        .await;
}

async fn mint(shop: &Shop<'_>, pair: &Pair) -> crate::support::Answer {
    shop.mint(pair, &[("wallet", &player().to_string())]).await
}

async fn webhook(shop: &Shop<'_>, pair: &Pair) -> Value {
    let call = shop.server.call(Method::GET, None, "/get_webhook");
    let call = call.header("api_key", &pair.key).header("api_secret", &pair.secret);
    call.send().await.ok()["data"]["webhook"].clone()
}

/// All that there are.
async fn webhooks(stage: &Stage) -> Value {
    let manager = &stage.server.world.system[&Role::SystemManager];
    stage.server.get(manager, "/api/webhooks").await.ok()
}

async fn register(shop: &Shop<'_>, pair: &Pair) {
    let form = [
        ("webhook", "https://shop.example/hook"),
        ("webhook_pass", "c0rrect horse"),
        ("webhook_login", "shop"),
    ];
    let headers = [("api_key", pair.key.as_str()), ("api_secret", &pair.secret)];
    post(shop.server, "/register_webhook", &headers, &form).await.ok();
}

async fn owner_here(stage: &Stage, collection: &Collection) -> Address {
    let id = collection.id;
    stage.server.read(move |tx| collection::find(tx, id)).await.owner
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gave_the_collection_away_mints_for_a_minute_at_most_and_whoever_got_it_at_once() {
    for database in BOTH {
        let stage = started(database).await;
        let (one, two) = (Signer::from_seed(9), Signer::from_seed(10));
        let (from, to) = (one.address(), two.address());
        let collection = deployed(&stage, ContractType::Erc721, from).await;
        stands(&stage, &collection).await;
        let shop = Shop::of(&stage.server, one, collection.clone());
        assert_eq!(refused(&shop.access(&two, None).await), NOT_THE_OWNER);
        let old = shop.pair().await;
        register(&shop, &old).await;
        give_away(&stage, &collection, from, to);
        stage.node.mine(FINAL);

        // A reading counts for a minute, and not a second longer.
        stage.server.advance(59);
        assert!(mint(&shop, &old).await.is_success());
        stage.server.advance(1);
        assert_eq!(refused(&mint(&shop, &old).await), NO_KEYS);
        assert_eq!(webhooks(&stage).await, json!([]));
        assert_eq!(refused(&shop.access(&shop.owner, None).await), NOT_THE_OWNER);
        assert_eq!(refused(&shop.access(&shop.owner, Some("1")).await), NOT_THE_OWNER);

        let shop = Shop::of(&stage.server, two, collection.clone());
        let new = shop.pair().await;
        assert!(mint(&shop, &new).await.is_success());
        assert_eq!(owner_here(&stage, &collection).await, to);
        assert_eq!(webhook(&shop, &new).await, Value::Null);
        let actions = stage.server.actions_of(collection.id).await;
        for action in ["certhis_key.ended", "collection.owner_changed", "certhis_key.created"] {
            assert!(actions.iter().any(|one| one == action), "{action}: {actions:?}");
        }
        stage.server.verify().await;
        stage.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sign_in_of_a_new_owner_ends_the_pair_and_the_webhook_of_the_old_one_at_once() {
    let stage = started(Database::Sqlite).await;
    let (one, two) = (Signer::from_seed(9), Signer::from_seed(10));
    let (from, to) = (one.address(), two.address());
    let collection = deployed(&stage, ContractType::Erc721, from).await;
    stands(&stage, &collection).await;
    let shop = Shop::of(&stage.server, one, collection.clone());
    let old = shop.pair().await;
    register(&shop, &old).await;
    give_away(&stage, &collection, from, to);

    let shop = Shop::of(&stage.server, two, collection);
    let new = shop.pair().await;

    assert_eq!(refused(&mint(&shop, &old).await), NO_KEYS);
    assert!(mint(&shop, &new).await.is_success());
    assert_eq!(webhooks(&stage).await, json!([]));
    assert_eq!(webhook(&shop, &new).await, Value::Null);
    register(&shop, &new).await;
    assert_eq!(webhook(&shop, &new).await, json!("https://shop.example/hook"));
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_that_a_reorganisation_takes_back_costs_the_owner_neither_pair_nor_webhook() {
    for database in BOTH {
        let mut stage = started(database).await;
        let (one, two) = (Signer::from_seed(9), Signer::from_seed(10));
        let (from, to) = (one.address(), two.address());
        let collection = deployed(&stage, ContractType::Erc721, from).await;
        stands(&stage, &collection).await;
        stage.stop_settling().await;
        let shop = Shop::of(&stage.server, one, collection.clone());
        let pair = shop.pair().await;
        register(&shop, &pair).await;
        let before = stage.node.head();
        give_away(&stage, &collection, from, to);

        stage.server.advance(60);
        for _ in 0..2 {
            assert_eq!(refused(&mint(&shop, &pair).await), NO_KEYS);
        }
        stage.node.stop_mining();
        stage.node.reorg(stage.node.head() - before);

        assert!(mint(&shop, &pair).await.is_success());
        assert_eq!(webhook(&shop, &pair).await, json!("https://shop.example/hook"));
        let actions = stage.server.actions_of(collection.id).await;
        assert!(!actions.iter().any(|one| one == "certhis_key.ended"), "{actions:?}");
        stage.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_administrators_whoever_signed_in_last_has_the_pair() {
    let stage = started(Database::Sqlite).await;
    let (one, two) = (Signer::from_seed(9), Signer::from_seed(10));
    let (from, to) = (one.address(), two.address());
    let collection = deployed(&stage, ContractType::Erc721, from).await;
    stands(&stage, &collection).await;
    share(&stage, &collection, from, to);
    let (first, second) = (
        Shop::of(&stage.server, one, collection.clone()),
        Shop::of(&stage.server, two, collection),
    );

    let old = first.pair().await;
    let other = second.pair().await;

    assert!(!other.secret.is_empty(), "a pair of its own, not the one of the other");
    assert_eq!(refused(&mint(&first, &old).await), NO_KEYS);
    assert!(mint(&second, &other).await.is_success());
    let again = first.pair().await;
    assert!(!again.secret.is_empty() && again.key != old.key);
    assert_eq!(refused(&mint(&second, &other).await), NO_KEYS);
    assert!(mint(&first, &again).await.is_success());
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_opens_while_the_chain_cannot_be_asked() {
    let stage = started(Database::Sqlite).await;
    let owner = Signer::from_seed(9);
    let collection = deployed(&stage, ContractType::Erc721, owner.address()).await;
    stands(&stage, &collection).await;
    let shop = Shop::of(&stage.server, owner, collection);
    let pair = shop.pair().await;
    let signature = shop.owner.sign(&shop.challenge(&shop.owner).await);
    stage.node.freeze();

    assert_eq!(refused(&shop.access_with(&shop.owner, &signature, None).await), AWAY);
    assert!(mint(&shop, &pair).await.is_success(), "the last reading is good still");
    stage.server.advance(60);
    let away = mint(&shop, &pair).await;
    assert_eq!((refused(&away), away.header("Retry-After")), (AWAY, Some("1")));
    // A process that was given no node cannot ask either.
    let replica = stage.server.replica();
    replica.advance(60);
    let elsewhere = Shop::of(&replica, Signer::from_seed(9), shop.collection.clone());
    assert_eq!(refused(&mint(&elsewhere, &pair).await), AWAY);
    replica.stop().await;

    stage.node.thaw();
    assert!(mint(&shop, &pair).await.is_success());
    // The signature was not used up.
    assert!(shop.access_with(&shop.owner, &signature, None).await.is_success());
    // A node that does not show the contract does not know either.
    let contract = shop.collection.address.to_string();
    stage.node.rpc("anvil_setCode", json!([contract, "0x"]));
    assert_eq!(refused(&shop.access(&shop.owner, None).await), AWAY);
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_its_contract_is_there_a_collection_is_its_founders_where_the_chain_can_be_asked() {
    let mut stage = started(Database::Sqlite).await;
    contracts(&stage).await;
    stage.stop_settling().await;
    let founder = Signer::from_seed(9);
    let collection = deployed(&stage, ContractType::Erc721, founder.address()).await;
    let replica = stage.server.replica();

    let elsewhere = Shop::of(&replica, Signer::from_seed(9), collection.clone());
    assert_eq!(refused(&elsewhere.access(&elsewhere.owner, None).await), AWAY);
    let shop = Shop::of(&stage.server, founder, collection);
    let other = Signer::from_seed(10);
    assert_eq!(refused(&shop.access(&other, None).await), NOT_THE_OWNER);
    let pair = shop.pair().await;
    assert!(mint(&shop, &pair).await.is_success());

    replica.stop().await;
    stage.finish().await;
}

/// Refuses every question.
const REVERT: &str = "0x60006000fd";
/// Answers every question with the word in its first slot.
const ECHO: &str = "0x60005460005260206000f3";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_and_an_owner_own_a_contract_and_nobody_owns_what_is_not_there() {
    let stage = started(Database::Sqlite).await;
    let rpc = Rpc::connect(&stage.chain).unwrap();
    let (owner, other) = (player(), player());
    let collection = deployed(&stage, ContractType::Erc1155, owner).await;
    stands(&stage, &collection).await;
    let asked =
        async |contract: Address, wallet: Address| is_owned_by(&rpc, &contract, &wallet, At::Latest).await.unwrap();

    assert_eq!(asked(collection.address, owner).await, Some(true));
    assert_eq!(asked(collection.address, other).await, Some(false));
    assert_eq!(asked(player(), owner).await, None);
    // ERC-173 alone.
    let plain = player();
    stage.node.rpc("anvil_setCode", json!([plain.to_string(), ECHO]));
    let word = format!("0x{}{}", "00".repeat(12), &owner.to_string().to_lowercase()[2..]);
    stage
        .node
        .rpc("anvil_setStorageAt", json!([plain.to_string(), ADMIN, word]));
    assert_eq!(asked(plain, owner).await, Some(true));
    assert_eq!(asked(plain, other).await, Some(false));
    // What answers nothing says nothing of anybody: a pair would end for good.
    let mute = player();
    stage.node.rpc("anvil_setCode", json!([mute.to_string(), REVERT]));
    assert!(is_owned_by(&rpc, &mute, &owner, At::Latest).await.is_err());
    // Of an older state the same is asked: who owned it then, and nothing of one that was not there.
    let before = stage.node.head();
    let heir = player();
    let erc1155 = collection.address;
    give_away(&stage, &collection, owner, heir);
    let then = async |wallet: Address, block: u64| is_owned_by(&rpc, &erc1155, &wallet, At::Block(block)).await;
    assert_eq!(asked(erc1155, owner).await, Some(false));
    assert_eq!(then(owner, before).await.unwrap(), Some(true));
    assert_eq!(then(heir, before).await.unwrap(), Some(false));
    assert!(then(owner, 0).await.is_err());
    stage.finish().await;
}
