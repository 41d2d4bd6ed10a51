//! What tokens, stacks and the collection show.

use moneyer::collection::{self, ContractType, Metadata, NewMintRequest, Profile};
use moneyer::error::Error;
use moneyer::types::MetadataId;

use crate::game::{Game, by_id, named, player, token};
use crate::support::Database;

async fn shows(game: &Game, id: u64) -> Option<Metadata> {
    let asset = game.collection.id;
    game.server()
        .read(move |tx| collection::metadata_of(tx, asset, token(id)))
        .await
}

async fn stack_of(game: &Game, id: u64) -> MetadataId {
    let asset = game.collection.id;
    let nft = game
        .server()
        .read(move |tx| collection::nft(tx, asset, token(id)))
        .await;
    nft.metadata_id.unwrap()
}

fn described(name: &str, id: u64, what: &str) -> NewMintRequest {
    NewMintRequest {
        metadata: Some(named(what)),
        ..by_id(name, player(), id)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_the_same_content_are_a_stack_and_one_leaves_it_with_words_of_its_own() {
    for database in [Database::Sqlite, Database::Postgres] {
        let game = Game::start(database, ContractType::Erc721).await;
        let wishes = vec![
            described("one", 1, "Sword"),
            described("two", 2, "Sword"),
            described("three", 3, "Axe"),
            by_id("four", player(), 4),
        ];
        game.accept(wishes).await;
        // What is about to be minted can be shown already.
        assert_eq!(shows(&game, 1).await, Some(named("Sword")));
        assert_eq!(shows(&game, 9).await, None);
        game.all_ended(4).await;
        let stack = stack_of(&game, 1).await;
        assert_eq!(stack_of(&game, 2).await, stack);
        assert_ne!(stack_of(&game, 3).await, stack);
        assert_eq!(shows(&game, 4).await, None);

        let one = [(token(1), named("Excalibur"))];
        game.ask(move |tx, caller, id| collection::refresh_tokens(tx, caller, id, &one))
            .await
            .unwrap();

        assert_eq!(shows(&game, 1).await, Some(named("Excalibur")));
        assert_eq!(shows(&game, 2).await, Some(named("Sword")));
        assert_ne!(stack_of(&game, 1).await, stack);
        let all = [(stack, named("Rusty sword"))];
        game.ask(move |tx, caller, id| collection::refresh_stacks(tx, caller, id, &all))
            .await
            .unwrap();
        assert_eq!(shows(&game, 2).await, Some(named("Rusty sword")));
        assert_eq!(shows(&game, 1).await, Some(named("Excalibur")));
        game.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_of_what_is_not_there_changes_nothing() {
    let game = Game::start(Database::Sqlite, ContractType::Erc721).await;
    game.accept(vec![described("one", 1, "Sword")]).await;
    game.all_ended(1).await;

    let tokens = [(token(1), named("Axe")), (token(2), named("Axe"))];
    let refused = game.ask(move |tx, caller, id| collection::refresh_tokens(tx, caller, id, &tokens));
    assert!(matches!(refused.await, Err(Error::NotFound("token"))));
    let stacks = [(MetadataId::generate(), named("Axe"))];
    let refused = game.ask(move |tx, caller, id| collection::refresh_stacks(tx, caller, id, &stacks));
    assert!(matches!(refused.await, Err(Error::NotFound("metadata"))));

    assert_eq!(shows(&game, 1).await, Some(named("Sword")));
    game.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collections_own_words_are_replaced_as_a_whole() {
    let game = Game::start_waiting(Database::Sqlite, ContractType::Erc721).await;
    let profile = Profile {
        description: Some("Old swords".to_owned()),
        ..Profile::default()
    };
    let new = profile.clone();

    let refreshed = game
        .ask(move |tx, caller, id| collection::refresh_collection(tx, caller, id, &new))
        .await
        .unwrap();

    assert_eq!(refreshed.profile, profile);
    let long = Profile {
        name: Some("x".repeat(Profile::NAME_LENGTH_MAX + 1)),
        ..Profile::default()
    };
    let refused = game.ask(move |tx, caller, id| collection::refresh_collection(tx, caller, id, &long));
    assert!(matches!(refused.await, Err(Error::Invalid(_))));
    game.finish().await;
}
