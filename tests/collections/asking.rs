//! What is taken, what conflicts, what is taken back.

use std::sync::Arc;

use moneyer::access::{Role, Scope};
use moneyer::collection::{self, Conflict, ContractType, NewMintRequest, RequestStatus, Requested};
use moneyer::compliance::SANCTIONS_SAMPLE;
use moneyer::error::Error;
use moneyer::operation::{self, OperationKind, Status, Turns};
use moneyer::types::{Address, OperationId};

use crate::game::{Game, amount_of, by_id, by_quantity, named, player, reference, token};
use crate::support::Database;

const BOTH: [Database; 2] = [Database::Sqlite, Database::Postgres];

fn conflict(requested: Requested) -> Conflict {
    match requested {
        Requested::Conflict(conflict) => conflict,
        Requested::Accepted(accepted) => panic!("{accepted:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reference_or_a_token_that_is_used_refuses_the_whole_call() {
    for database in BOTH {
        let game = Game::start_waiting(database, ContractType::Erc721).await;
        let who = player();
        game.accept(vec![by_id("one", who, 1), by_quantity("two", who)]).await;

        let used = game
            .request(vec![by_quantity("new", who), by_quantity("two", who)])
            .await;
        assert_eq!(conflict(used.unwrap()), Conflict::References(vec![reference("two")]));
        let used = game
            .request(vec![by_quantity("new", who), by_id("other", who, 1)])
            .await;
        assert_eq!(conflict(used.unwrap()), Conflict::TokenIds(vec![token(1)]));

        assert_eq!(game.requests().await.len(), 2);
        game.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_amounts_is_described_once() {
    let game = Game::start_waiting(Database::Sqlite, ContractType::Erc1155).await;
    let who = player();
    let described = |name: &str, id: u64, what: &str| NewMintRequest {
        metadata: Some(named(what)),
        ..amount_of(name, who, id, 1)
    };
    game.accept(vec![described("one", 1, "Sword"), described("two", 1, "Sword")])
        .await;

    let again = game.request(vec![described("three", 1, "Sword")]).await.unwrap();
    assert_eq!(conflict(again), Conflict::TokenIds(vec![token(1)]));
    let apart = game.request(vec![described("three", 2, "Sword"), described("four", 2, "Axe")]);
    assert_eq!(conflict(apart.await.unwrap()), Conflict::TokenIds(vec![token(2)]));
    game.accept(vec![amount_of("three", who, 1, 5)]).await;

    game.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_no_role_on_the_collection_mints_nothing() {
    let game = Game::start_waiting(Database::Sqlite, ContractType::Erc721).await;
    let outsider = game.server().world.outsider.clone();
    let policies = Arc::clone(game.server().app.policy());
    let wishes = vec![by_quantity("one", player())];

    let refused = game
        .ask_as(&outsider, move |tx, caller, id| {
            collection::request_mints(tx, caller, &policies, id, &wishes)
        })
        .await;

    assert!(matches!(refused, Err(Error::Forbidden { .. })));
    assert!(game.requests().await.is_empty());
    game.finish().await;
}

/// The first address of the made-up list.
fn sanctioned() -> Address {
    let text = std::str::from_utf8(SANCTIONS_SAMPLE).unwrap();
    let words = text.split([',', '\n', '"', ' ']);
    words
        .filter_map(|word| Address::parse(word.trim()).ok())
        .next()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sanctioned_recipient_fails_at_once_and_alone_and_its_reference_may_be_used_again() {
    for database in BOTH {
        let game = Game::start(database, ContractType::Erc721).await;
        let fine = player();

        let accepted = game
            .accept(vec![by_quantity("bad", sanctioned()), by_quantity("good", fine)])
            .await;

        assert_eq!(accepted[0].status, RequestStatus::Failed);
        let reason = accepted[0].error.clone().unwrap();
        assert!(reason.contains("sanctions list"), "{reason}");
        assert_eq!(accepted[0].sequence, None);
        game.succeeded("good").await;
        let again = game.accept(vec![by_quantity("bad", fine)]).await;
        assert_eq!(again[0].status, RequestStatus::Pending);
        game.succeeded("bad").await;
        assert_eq!(game.requests().await.len(), 2);
        game.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_sent_can_be_taken_back_and_made_again() {
    for database in BOTH {
        let mut game = Game::start_waiting(database, ContractType::Erc721).await;
        let who = player();
        let accepted = game.accept(vec![by_id("one", who, 5)]).await;

        let taken_back = game
            .ask(|tx, caller, id| collection::cancel(tx, caller, id, &reference("one")))
            .await
            .unwrap();

        assert_eq!(taken_back.status, RequestStatus::Failed);
        assert_eq!(taken_back.id, accepted[0].id);
        let asset = game.collection.id;
        let numbers = [accepted[0].sequence.unwrap()];
        let read = move |tx: &mut moneyer::db::Tx<'_>| moneyer::operation::of_numbers(tx, asset, &numbers);
        let operations = game.server().read(read).await;
        assert_eq!(operations[0].status, Status::Cancelled);
        let _: OperationId = operations[0].id;
        let twice = game.ask(|tx, caller, id| collection::cancel(tx, caller, id, &reference("one")));
        assert!(matches!(twice.await, Err(Error::Conflict(_))));

        let policies = Arc::clone(game.server().app.policy());
        let again = game
            .ask(move |tx, caller, id| collection::retry(tx, caller, &policies, id, &reference("one")))
            .await
            .unwrap();
        assert!(matches!(again, Requested::Accepted(_)));
        game.stage.settle().await;
        assert_eq!(game.succeeded("one").await.token_id, Some(token(5)));
        let policies = Arc::clone(game.server().app.policy());
        let done = game
            .ask(move |tx, caller, id| collection::retry(tx, caller, &policies, id, &reference("one")))
            .await;
        assert!(matches!(done, Err(Error::Conflict(_))));
        let late = game.ask(|tx, caller, id| collection::cancel(tx, caller, id, &reference("one")));
        assert!(matches!(late.await, Err(Error::Conflict(_))));
        game.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_callers_with_one_reference_get_one_mint() {
    let game = Game::start_waiting(Database::Postgres, ContractType::Erc721).await;
    let who = player();

    let (one, two) = tokio::join!(
        game.request(vec![by_quantity("same", who)]),
        game.request(vec![by_quantity("same", who)]),
    );

    let accepted = [one.unwrap(), two.unwrap()];
    let accepted = accepted.iter().filter(|one| matches!(one, Requested::Accepted(_)));
    assert_eq!(accepted.count(), 1);
    assert_eq!(game.requests().await.len(), 1);
    game.finish().await;
}

/// Whatever waits for something is looked at in turns, and hides nothing that may go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mints_that_are_held_do_not_hide_those_that_may_go_and_come_in_turns() {
    for database in BOTH {
        let game = Game::start_waiting(database, ContractType::Erc721).await;
        let asset = game.collection.id;
        let wishes = (0..25).map(|n| by_quantity(&format!("r{n}"), player()));
        game.accept(wishes.collect()).await;
        let mints_of = |mints| {
            game.server().read(move |tx| {
                let (found, next) = operation::queued(
                    tx,
                    10,
                    Turns {
                        mints,
                        ..Turns::default()
                    },
                )?;
                let found = found.into_iter().filter(|one| one.kind == OperationKind::Mint);
                Ok((found.map(|mint| mint.sequence).collect::<Vec<i64>>(), next.mints))
            })
        };
        let all = mints_of(0).await.0;
        assert_eq!(all.len(), 10);
        let (first, held): (i64, Vec<i64>) = (all[0], (all[0]..all[0] + 24).collect());
        game.server()
            .write(&game.server().world.admin, move |tx, _| {
                operation::hold(tx, asset, &held, "waits for something")
            })
            .await;

        // The last one may go; the others come ten at a time.
        let expected = [(0, first, 10, 1), (1, first + 10, 10, 2), (2, first + 20, 4, 0)];
        for (turn, begin, count, next) in expected {
            let numbers: Vec<i64> = (begin..begin + count).chain([first + 24]).collect();
            assert_eq!(mints_of(turn).await, (numbers, next));
        }
        game.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_for_much_does_not_hide_what_another_asks_for() {
    for database in BOTH {
        let game = Game::start_waiting(database, ContractType::Erc721).await;
        let other = game.server().world.outsider.clone();
        let scope = Scope::Asset(game.collection.id);
        game.server()
            .grant(scope, &[(other.wallet, Role::SupplyManagement)])
            .await;
        let wishes = (0..30).map(|n| by_quantity(&format!("r{n}"), player()));
        game.accept(wishes.collect()).await;
        let policies = Arc::clone(game.server().app.policy());
        let wish = vec![by_quantity("last", player())];
        game.ask_as(&other, move |tx, caller, id| {
            collection::request_mints(tx, caller, &policies, id, &wish)
        })
        .await
        .unwrap();

        let queued = game
            .server()
            .read(|tx| operation::queued(tx, 10, Turns::default()))
            .await
            .0;

        let mints = queued.iter().filter(|one| one.kind == OperationKind::Mint);
        let of_other = mints.clone().filter(|one| one.requested_by == other.user);
        assert_eq!((mints.count(), of_other.count()), (11, 1));
        game.finish().await;
    }
}
