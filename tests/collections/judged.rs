//! What changes between the wish and its transaction, and what a receipt says that cannot be.

use diesel::prelude::*;
use moneyer::chain::contracts::token as views;
use moneyer::chain::{Call, Rpc};
use moneyer::collection::{self, ContractType, Profile, RequestStatus};
use moneyer::compliance::{self, SanctionsFile, Shrink};
use moneyer::db::schema::nft_tokens;
use moneyer::on;
use moneyer::operation::{self, Of};
use moneyer::settlement::{self, Decision};
use moneyer::types::{Address, Amount, RowId};

use crate::game::{Game, by_id, deploy, player, token};
use crate::stage::Stage;
use crate::support::Database;

/// Rule 14 of specs/chain.md section 5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_who_is_sanctioned_before_the_transaction_gets_no_token_and_the_others_do() {
    for database in [Database::Sqlite, Database::Postgres] {
        let mut game = Game::start(database, ContractType::Erc721).await;
        game.stands().await;
        game.stage.stop_settling().await;
        let (listed, free) = (player(), player());
        game.accept(vec![by_id("listed", listed, 1), by_id("free", free, 2)])
            .await;
        let list = format!("address\n{listed}\n");
        let admin = game.server().world.admin.clone();
        game.server()
            .write(&admin, move |tx, ctx| {
                let file = SanctionsFile {
                    name: "newer",
                    as_of: ctx.now,
                    bytes: list.as_bytes(),
                    shrink: Shrink::Accept,
                };
                compliance::import_sanctions(tx, ctx.now, &file).map(|_| ())
            })
            .await;

        game.stage.settle().await;

        let refused = game.ended("listed").await;
        assert_eq!(refused.status, RequestStatus::Failed);
        let reason = refused.error.unwrap();
        assert!(reason.contains("address_sanctioned"), "{reason}");
        assert_eq!(refused.transaction, None);
        game.succeeded("free").await;
        assert_eq!(game.has(listed, token(1)).await, Amount::ZERO);
        assert_eq!(game.reconciled().await.drift, Vec::<String>::new());
        game.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contract_keeps_the_texts_with_which_it_was_asked_for_whatever_is_shown_since() {
    let mut stage = Stage::start(Database::Sqlite).await;
    stage
        .wait("the contracts", async || {
            let site = stage.server.app.db().read(settlement::site).await;
            site.is_ok().then_some(())
        })
        .await;
    stage.stop_settling().await;
    let collection = deploy(&stage, ContractType::Erc721).await;
    let mut game = Game { stage, collection };
    let shown = Profile {
        description: Some("shown".to_owned()),
        base_uri: Some("x".repeat(Profile::TEXT_LENGTH_MAX)),
        ..Profile::default()
    };
    game.ask(move |tx, caller, id| collection::refresh_collection(tx, caller, id, &shown))
        .await
        .unwrap();

    game.stage.settle().await;
    game.stands().await;

    let rpc = Rpc::connect(&game.stage.chain).unwrap();
    for (question, text) in [(views::name(), "Swords of old"), (views::symbol(), "swd")] {
        let call = Call {
            from: Address::ZERO,
            to: game.collection.address,
            data: question,
        };
        let said = rpc.call(&call).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(said.contains(text), "{said:?}");
    }
    game.finish().await;
}

/// A contract of others may log what cannot be. Its mint waits for a person, and nobody else waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_that_mints_a_token_twice_holds_up_nobody_else() {
    for database in [Database::Sqlite, Database::Postgres] {
        let mut game = Game::start(database, ContractType::Erc721).await;
        game.stands().await;
        game.stage.stop_settling().await;
        game.accept(vec![by_id("twice", player(), 7)]).await;
        let id = game.collection.id;
        let owner = game.server().database.owner();
        let now = game.server().now();
        // As if the contract had minted token 7 before.
        let row = (
            nft_tokens::asset_id.eq(id),
            nft_tokens::token_id.eq(token(7)),
            nft_tokens::id.eq(RowId::generate()),
            nft_tokens::total_supply.eq(Amount::ONE),
            nft_tokens::indexed_at.eq(now),
            nft_tokens::updated_at.eq(now),
        );
        let inserted =
            owner.write(move |tx| Ok(on!(tx, c => diesel::insert_into(nft_tokens::table).values(row).execute(c))?));
        inserted.await.unwrap();
        game.stage.settle().await;
        game.stage.until_told("transactions ended and need a person").await;

        game.accept(vec![by_id("other", player(), 8)]).await;

        game.succeeded("other").await;
        let open = game
            .server()
            .read(move |tx| operation::list(tx, Of::Asset(id), &moneyer::db::Page::default()))
            .await;
        let told: Vec<String> = open.into_iter().filter_map(|one| Some(one.attention?.0)).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("the token has an owner already"), "{told:?}");
        let gone = nft_tokens::table.filter(nft_tokens::token_id.eq(token(7)));
        let gone = owner.write(move |tx| Ok(on!(tx, c => diesel::delete(gone).execute(c))?));
        gone.await.unwrap();
        let cases = game.server().read(settlement::cases).await;
        let nonce = cases[0].nonce;
        let decided = game
            .server()
            .app
            .db()
            .write(move |tx| settlement::decide(tx, nonce, Decision::Failed, "looked at", now));
        decided.await.unwrap();
        assert_eq!(game.ended("twice").await.status, RequestStatus::Failed);
        game.finish().await;
    }
}
