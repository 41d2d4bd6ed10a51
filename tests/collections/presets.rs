//! Immutable's presets 2.2.14, installed from npm: contracts that nobody here wrote, deployed by a studio of its own and
//! taken over.

use std::sync::Arc;

use moneyer::chain::Rpc;
use moneyer::collection::{Caller, Collection, ContractType, MintKind, RequestStatus, Right};
use moneyer::error::Error;
use moneyer::servicing::{self, CollectionTerms};
use moneyer::settlement;
use moneyer::types::{Address, Amount, TokenId};
use serde_json::json;

use crate::game::{Game, amount_of, by_id, by_quantity, deploy, given, may_mint, player, token, transactions};
use crate::node::ACCOUNTS;
use crate::stage::Stage;
use crate::support::Database;
use crate::support::evm::funded;
use crate::support::presets::Preset;

/// Looks and takes over; looks again where the chain was read on meanwhile.
async fn adopt(stage: &Stage, address: Address) -> Result<Collection, Error> {
    stage
        .wait("the contracts", async || {
            let site = stage.server.app.db().read(settlement::site).await;
            site.is_ok().then_some(())
        })
        .await;
    let rpc = Rpc::connect(&stage.chain).unwrap();
    let mut found = None;
    for _attempt in 0..200 {
        let db = stage.server.app.db();
        let looked = match settlement::look_at_collection(db, &rpc, address, 0, found.take()).await {
            Ok(looked) => looked,
            // Its block is not final yet.
            Err(Error::Unavailable(_)) => {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        let (ctx, policies) = (
            stage.server.ctx(&stage.server.world.creator),
            Arc::clone(stage.server.app.policy()),
        );
        let (world, seen) = (Arc::clone(&stage.server.world), looked.clone());
        let adopted = db
            .write(move |tx| {
                let caller = Caller {
                    ctx: &ctx,
                    right: Right::Role,
                };
                let terms = CollectionTerms::default();
                let collection = servicing::adopt_collection(tx, &caller, &policies, &seen, terms)?;
                may_mint(tx, &ctx, &world, collection.id)?;
                Ok(collection)
            })
            .await;
        match adopted {
            Err(Error::Conflict(_)) => found = Some(looked),
            other => return other,
        }
    }
    panic!("the chain is always ahead");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hybrid_preset_is_taken_over_with_what_it_holds_and_minted_into() {
    for database in [Database::Sqlite, Database::Postgres] {
        let stage = Stage::start(database).await;
        let preset = Preset::deploy(&stage.node, &funded(&stage.node), "ImmutableERC721");
        let (old, new, other) = (player(), player(), player());
        let refused = adopt(&stage, preset.address()).await;
        let Err(Error::NotAllowed(sentence)) = refused else {
            panic!("{refused:?}");
        };
        assert!(sentence.contains("grantMinterRole"), "{sentence}");
        assert!(
            sentence.contains(&preset.owner) && sentence.contains("0x3dd1eb61"),
            "{sentence}"
        );
        preset.let_mint(&preset.owner);
        preset.let_mint(ACCOUNTS[0]);
        preset.contract.send("mintBatch", json!([[[old.to_string(), [1, 2]]]]));
        let as_old = preset.contract.by(&old.to_string());
        stage.node.set_balance(&old.to_string(), 10_u128.pow(20));
        as_old.send("transferFrom", json!([old.to_string(), other.to_string(), 2]));

        let collection = adopt(&stage, preset.address()).await.unwrap();

        assert!(collection.adopted);
        assert_eq!(collection.contract_type(), ContractType::Erc721);
        assert_eq!(collection.profile.name.as_deref(), Some("Heroes"));
        let game = Game { stage, collection };
        // What happened in the last block before is seen once it is final.
        let has_other = async || (game.has(other, token(2)).await == Amount::ONE).then_some(());
        game.stage.wait("the token that was given away", has_other).await;
        assert_eq!(game.has(old, token(1)).await, Amount::ONE);
        game.accept(vec![by_quantity("a", new), by_id("b", new, 7), by_quantity("c", other)])
            .await;
        let requests = game.all_ended(3).await;
        assert_eq!(transactions(&requests).len(), 2);
        for (name, id) in [("a", given(0)), ("b", token(7)), ("c", given(1))] {
            let request = game.succeeded(name).await;
            assert_eq!(request.token_id, Some(id), "{name}");
            assert_eq!(game.owner_on_chain(id).await, request.owner);
        }
        let found = game.reconciled().await;
        assert_eq!(found.drift, Vec::<String>::new());
        game.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_preset_that_mints_by_id_alone_takes_any_id_and_gives_none() {
    let stage = Stage::start(Database::Sqlite).await;
    let preset = Preset::deploy(&stage.node, &funded(&stage.node), "ImmutableERC721MintByID");
    preset.let_mint(ACCOUNTS[0]);
    let collection = adopt(&stage, preset.address()).await.unwrap();
    let game = Game { stage, collection };
    let who = player();

    let refused = game.request(vec![by_quantity("a", who)]).await;
    assert!(matches!(refused, Err(Error::Invalid(_))));
    let mut wish = by_id("b", who, 1);
    wish.token_id = Some(TokenId::from(Amount::MAX));
    game.accept(vec![wish]).await;

    let request = game.succeeded("b").await;
    assert_eq!(
        (request.kind, request.token_id),
        (MintKind::ById, Some(TokenId::from(Amount::MAX)))
    );
    game.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_preset_of_amounts_takes_one_owner_a_transaction_and_one_that_refuses_fails_alone() {
    let stage = Stage::start(Database::Postgres).await;
    let preset = Preset::deploy(&stage.node, &funded(&stage.node), "ImmutableERC1155");
    preset.let_mint(ACCOUNTS[0]);
    let collection = adopt(&stage, preset.address()).await.unwrap();
    let refuses = preset.address();
    let game = Game { stage, collection };
    let (a, b) = (player(), player());

    game.accept(vec![
        amount_of("one", a, 1, 10),
        amount_of("two", b, 1, 20),
        amount_of("three", a, 2, 30),
        amount_of("four", refuses, 1, 1),
    ])
    .await;
    let requests = game.all_ended(4).await;

    assert_eq!(transactions(&requests).len(), 2);
    assert_eq!(game.found("four").await.status, RequestStatus::Failed);
    for (account, id, amount) in [(a, 1, 10), (b, 1, 20), (a, 2, 30)] {
        assert_eq!(game.has(account, token(id)).await, Amount::from(amount));
        assert_eq!(game.amount_on_chain(account, token(id)).await, Amount::from(amount));
    }
    let found = game.reconciled().await;
    assert_eq!(found.drift, Vec::<String>::new());
    game.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_collection_is_not_taken() {
    let stage = Stage::start(Database::Sqlite).await;
    let token = stage.asset("CHAIN").await;
    let nobody = player();

    for address in [token, nobody] {
        let refused = adopt(&stage, address).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    }
    let ours = deploy(&stage, ContractType::Erc721).await;
    let game = Game {
        stage,
        collection: ours,
    };
    game.stands().await;
    let twice = adopt(&game.stage, game.collection.address).await;
    assert!(matches!(twice, Err(Error::AlreadyExists(_))), "{twice:?}");
    game.finish().await;
}
