//! Certhis' mint API on a real node: from the signature of the owner to the token in a wallet.

use std::sync::Arc;

use moneyer::audit::EventFilter;
use moneyer::chain::Rpc;
use moneyer::collection::{Caller, Collection, ContractType, Profile, Right};
use moneyer::config::{self, SeedSource};
use moneyer::custody::{self, CustodialWallet, Custody, Email, Holding, Outcome, Place};
use moneyer::error::Error;
use moneyer::servicing::{self, CollectionTerms};
use moneyer::settlement;
use moneyer::types::{Address, Amount, personal_message_hash};
use secrecy::SecretBox;
use serde_json::{Value, json};

use crate::certhis_shop::{Pair, Shop, get, post, refused};
use crate::game::player;
use crate::stage::Stage;
use crate::support::{Database, Options, Signer};

pub const BOTH: [Database; 2] = [Database::Sqlite, Database::Postgres];
const GAS_PER_TRANSACTION: u64 = 1 << 24;

pub async fn started(database: Database) -> Stage {
    let wallets = Options::default()
        .with("certhis.email_wallets", "true")
        .with("certhis.custody_seed", "5e".repeat(32));
    Stage::start_reading_with(database, GAS_PER_TRANSACTION, wallets).await
}

/// Waits for the contracts that collections are made by.
pub async fn contracts(stage: &Stage) {
    stage
        .wait("the contracts", async || {
            let site = stage.server.app.db().read(settlement::site).await;
            site.is_ok().then_some(())
        })
        .await;
}

/// A collection of ours whose contract belongs to this wallet.
pub async fn deployed(stage: &Stage, standard: ContractType, owner: Address) -> Collection {
    contracts(stage).await;
    let policies = Arc::clone(stage.server.app.policy());
    stage
        .server
        .write(&stage.server.world.creator, move |tx, ctx| {
            let caller = Caller {
                ctx,
                right: Right::Role,
            };
            let terms = CollectionTerms {
                profile: Profile {
                    name: Some("BillboardX".to_owned()),
                    symbol: Some("BLLBRDX".to_owned()),
                    ..Profile::default()
                },
                ..CollectionTerms::default()
            };
            Ok(servicing::deploy_collection(tx, &caller, &policies, (standard, owner), terms)?.0)
        })
        .await
}

/// The answer about a task once it has ended.
async fn ended(stage: &Stage, shop: &Shop<'_>, pair: &Pair, task: i64) -> Value {
    stage
        .wait("a task to end", async || {
            let data = shop.status(pair, task).await.ok()["data"].clone();
            let status = data["status"].as_u64().unwrap();
            assert_eq!(data["nft"].is_null(), status != 2, "{data}");
            (status > 1).then_some(data)
        })
        .await
}

async fn owner_on_chain(stage: &Stage, collection: &Collection, id: u64) -> Address {
    let data = moneyer::chain::contracts::collection::owner_of(Amount::from(id));
    let answer = stage.ask(collection.address, data).await;
    moneyer::chain::contracts::returned::address(&answer).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_a_signature_to_tokens_on_the_chain() {
    for database in BOTH {
        let stage = started(database).await;
        let owner = Signer::from_seed(9);
        let collection = deployed(&stage, ContractType::Erc721, owner.address()).await;
        let shop = Shop::of(&stage.server, owner, collection);
        let pair = shop.pair().await;
        let (one, two) = (player(), player());

        let form = [("wallet", one.to_string()), ("nft_id", "7".to_owned())];
        let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let by_id = Shop::created(shop.mint(&pair, &form).await);
        let next = Shop::created(shop.mint(&pair, &[("wallet", &two.to_string())]).await);
        let mail = Shop::created(shop.mint(&pair, &[("wallet", "ada@example.com")]).await);

        for (task, id, to) in [(by_id, 7, Some(one)), (next, 0, Some(two)), (mail, 1, None)] {
            let done = ended(&stage, &shop, &pair, task).await;
            assert_eq!(
                (&done["status"], &done["message"]),
                (&json!(2), &json!("success")),
                "{done}"
            );
            assert_eq!(done["nft"]["nft_id"], json!(id));
            assert_eq!(done["nft"]["chain_id"], json!(31_337));
            let owner = Address::parse(done["nft"]["owner_address"].as_str().unwrap()).unwrap();
            assert_eq!(done["wallet"], json!(owner));
            assert_eq!(owner_on_chain(&stage, &shop.collection, id).await, owner);
            assert!(to.is_none_or(|to| to == owner));
        }
        let listed = shop.tasks(&pair, "0").await;
        assert_eq!(listed.len(), 3);
        assert!(listed.iter().all(|task| task["nft_index"].is_u64()));
        let again = shop.mint(&pair, &[("wallet", &one.to_string()), ("nft_id", "0")]).await;
        assert_eq!(refused(&again), (400, "nft_id already minted"));
        stage.finish().await;
    }
}

/// A wallet that takes any signature of the hash in its first slot, and of nothing else: load the argument, compare, give
/// the magic word of ERC-1271 or revert.
const WALLET: &str = "0x6004356000541460 0f576000 6000fd 5b 631626ba7e60e01b600052 60206000f3";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_is_a_contract_signs_by_its_own_rule() {
    let stage = started(Database::Sqlite).await;
    let contract = player();
    stage
        .node
        .rpc("anvil_setCode", json!([contract.to_string(), WALLET.replace(' ', "")]));
    let collection = deployed(&stage, ContractType::Erc721, contract).await;
    let shop = Shop::of(&stage.server, Signer::from_seed(9), collection);
    let wallet = contract.to_string();
    let challenge = get(&stage.server, "/sign", &[("wallet", &wallet)]).await.ok();
    let text = challenge["data"]["signature"].as_str().unwrap();
    let (index, signature) = (shop.index(), "ab".repeat(130));
    let form = [
        ("collection_index", index.as_str()),
        ("wallet", &wallet),
        ("signature", &signature),
    ];
    let check = [("wallet", wallet.as_str()), ("sign_message", &signature)];

    let before = post(&stage.server, "/mint_access", &[], &form).await;
    assert_eq!(refused(&before), (400, "signature invalid"));
    assert_eq!(
        refused(&get(&stage.server, "/check", &check).await),
        (400, "bad signature")
    );
    let hash = personal_message_hash(text.as_bytes());
    let slot = format!("0x{}", "00".repeat(32));
    stage
        .node
        .rpc("anvil_setStorageAt", json!([wallet, slot, hash.to_string()]));

    assert!(get(&stage.server, "/check", &check).await.is_success());
    let opened = post(&stage.server, "/mint_access", &[], &form).await;
    assert!(opened.is_success(), "{}", opened.text);
    // The same contract took the signature once; the challenge is used up.
    assert_eq!(refused(&post(&stage.server, "/mint_access", &[], &form).await).0, 400);
    stage.finish().await;
}

/// The wallet that the server keeps for Ada.
fn adas_wallet() -> CustodialWallet {
    let settings = config::Custody {
        seed: SeedSource::Raw(SecretBox::new(Box::new([0x5e; 32]))),
        backup: None,
    };
    let email = Email::parse("ada@example.com").unwrap();
    Custody::open(&settings).unwrap().wallet(&email).unwrap()
}

/// What Ada's wallet holds once the register says that it is so much.
async fn held(stage: &Stage, wallet: &CustodialWallet, count: usize) -> Vec<Holding> {
    let address = wallet.address();
    stage
        .wait("the register", async || {
            let held = stage.server.read(move |tx| custody::holdings(tx, &address)).await;
            (held.len() == count).then_some(held)
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_we_keep_for_somebody_is_handed_over_on_the_chain() {
    for database in BOTH {
        let stage = started(database).await;
        let (wallet, ada) = (adas_wallet(), player());
        let mut shops = Vec::new();
        for (number, standard) in [(9, ContractType::Erc721), (10, ContractType::Erc1155)] {
            let owner = Signer::from_seed(number);
            let collection = deployed(&stage, standard, owner.address()).await;
            let shop = Shop::of(&stage.server, owner, collection);
            let pair = shop.pair().await;
            let task = Shop::created(
                shop.mint(&pair, &[("wallet", "ada@example.com"), ("nft_id", "3")])
                    .await,
            );
            let done = ended(&stage, &shop, &pair, task).await;
            assert_eq!(done["wallet"], json!(wallet.address()), "{done}");
            shops.push(shop);
        }
        let rpc = Rpc::connect(&stage.chain).unwrap();
        let now = || stage.server.now();
        let place = Place {
            db: stage.server.app.db(),
            rpc: &rpc,
            now: &now,
        };
        let mut holdings = held(&stage, &wallet, 2).await;
        holdings.sort_by_key(|one| one.collection.contract_type().text() == "ERC721");

        // Nobody gave it money for gas; then somebody does.
        let poor = custody::hand_over(&place, &wallet, &holdings[0], ada).await.unwrap();
        let Outcome::Unfunded(missing) = poor else {
            panic!("{poor:?}")
        };
        assert!(!missing.is_zero());
        stage
            .node
            .set_balance(&wallet.address().to_string(), 1_000_000_000_000_000_000);
        // A contract that takes no tokens would swallow it.
        let swallows = custody::hand_over(&place, &wallet, &holdings[0], shops[0].collection.address).await;
        assert!(matches!(swallows, Err(Error::Invalid(_))), "{swallows:?}");

        let sent = custody::hand_over(&place, &wallet, &holdings[0], ada).await.unwrap();
        assert!(matches!(sent, Outcome::Done(_)), "{sent:?}");
        assert_eq!(custody::resume(&place, &wallet).await.unwrap(), None);
        // The process dies after it signed; the next command sends the same bytes.
        stage.node.stop_mining();
        let dies = custody::hand_over(&place, &wallet, &holdings[1], ada);
        assert!(
            tokio::time::timeout(std::time::Duration::from_secs(3), dies)
                .await
                .is_err()
        );
        let other = custody::hand_over(&place, &wallet, &holdings[1], player()).await;
        assert!(matches!(other, Err(Error::Conflict(_))), "{other:?}");
        stage.node.mine(3);
        stage.server.advance(600);
        let (resumed, outcome) = custody::resume(&place, &wallet).await.unwrap().unwrap();
        assert_eq!((resumed.recipient, resumed.nonce), (ada, 1));
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");

        assert_eq!(owner_on_chain(&stage, &shops[0].collection, 3).await, ada);
        stage.node.mine(3);
        held(&stage, &wallet, 0).await;
        let filter = EventFilter {
            asset: Some(shops[0].collection.id),
            ..EventFilter::default()
        };
        let mut events = stage.server.events(filter).await;
        events.retain(|event| event.action.starts_with("custody."));
        let of_custody: Vec<&str> = events.iter().map(|event| event.action.as_str()).collect();
        assert_eq!(of_custody, ["custody.handover_signed", "custody.handed_over"]);
        let took = events[1].at.seconds() - events[0].at.seconds();
        assert_eq!(took, 600, "an event has the time of its step");
        stage.finish().await;
    }
}

/// The collection with one token of each id in Ada's wallet, which has money for gas.
async fn kept_for_ada(stage: &Stage, wallet: &CustodialWallet, ids: &[u64]) -> Collection {
    let owner = Signer::from_seed(9);
    let collection = deployed(stage, ContractType::Erc721, owner.address()).await;
    let shop = Shop::of(&stage.server, owner, collection);
    let pair = shop.pair().await;
    for id in ids {
        let form = [("wallet", "ada@example.com"), ("nft_id", &id.to_string())];
        let task = Shop::created(shop.mint(&pair, &form).await);
        assert_eq!(ended(stage, &shop, &pair, task).await["status"], json!(2));
    }
    held(stage, wallet, ids.len()).await;
    stage
        .node
        .set_balance(&wallet.address().to_string(), 1_000_000_000_000_000_000);
    shop.collection
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_cannot_be_handed_over_stands_in_nobodys_way() {
    for database in BOTH {
        let mut stage = started(database).await;
        let (wallet, ada) = (adas_wallet(), player());
        let collection = kept_for_ada(&stage, &wallet, &[1, 2, 3]).await;
        let holdings = held(&stage, &wallet, 3).await;
        // It left by a way that the register does not know of yet, and it is the one that comes first.
        stage.stop_settling().await;
        let (gone, from) = (holdings[0].token_id, wallet.address());
        let moves = moneyer::chain::contracts::collection::safe_transfer_721(from, player(), gone.amount());
        stage.send(&from.to_string(), collection.address, &moves);
        let rpc = Rpc::connect(&stage.chain).unwrap();
        let now = || stage.server.now();
        let place = Place {
            db: stage.server.app.db(),
            rpc: &rpc,
            now: &now,
        };

        let mut told = 0;
        let steps = custody::send(&place, &wallet, ada, |_| true, |_| told += 1)
            .await
            .unwrap();

        assert_eq!((steps.len(), told), (3, 3));
        assert!(matches!(&steps[0].outcome, Err(Error::Invalid(_))), "{steps:?}");
        assert!(steps[1..].iter().all(custody::Step::is_done), "{steps:?}");
        for holding in &holdings[1..] {
            let id = holding.token_id.to_string().parse().unwrap();
            assert_eq!(owner_on_chain(&stage, &collection, id).await, ada);
        }
        stage.settle().await;
        held(&stage, &wallet, 0).await;
        stage.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_earlier_run_began_is_finished_also_where_the_wallet_holds_nothing_any_more() {
    let stage = started(Database::Sqlite).await;
    let (wallet, ada) = (adas_wallet(), player());
    let collection = kept_for_ada(&stage, &wallet, &[1]).await;
    let rpc = Rpc::connect(&stage.chain).unwrap();
    let now = || stage.server.now();
    let place = Place {
        db: stage.server.app.db(),
        rpc: &rpc,
        now: &now,
    };
    stage.node.stop_mining();
    let dies = custody::send(&place, &wallet, ada, |_| true, |_| {});
    assert!(
        tokio::time::timeout(std::time::Duration::from_secs(3), dies)
            .await
            .is_err()
    );
    stage.node.mine(3);
    held(&stage, &wallet, 0).await;

    let steps = custody::send(&place, &wallet, ada, |_| true, |_| {}).await.unwrap();

    assert_eq!(steps.len(), 1);
    assert!(
        matches!(steps[0].what, custody::Subject::Begun(_)) && steps[0].is_done(),
        "{steps:?}"
    );
    assert_eq!(owner_on_chain(&stage, &collection, 1).await, ada);
    let again = custody::send(&place, &wallet, ada, |_| true, |_| {}).await.unwrap();
    assert!(again.is_empty(), "{again:?}");
    stage.finish().await;
}
