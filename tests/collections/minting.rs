//! From the wish to the final block.

use std::collections::BTreeSet;

use diesel::prelude::*;
use moneyer::collection::{ActivityKind, ContractType, OwnerFilter, RequestStatus};
use moneyer::on;
use moneyer::types::{Amount, TokenId};

use crate::game::{Game, amount_of, by_id, by_quantity, given, player, token, transactions};
use crate::support::Database;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_that_are_given_and_ids_that_are_asked_for_are_minted_in_two_transactions() {
    for database in [Database::Sqlite, Database::Postgres] {
        let game = Game::start(database, ContractType::Erc721).await;
        let (a, b) = (player(), player());

        let accepted = game
            .accept(vec![
                by_id("one", a, 7),
                by_quantity("two", b),
                by_quantity("three", a),
                by_id("four", b, 9),
                by_quantity("five", b),
            ])
            .await;
        assert!(accepted.iter().all(|one| one.status == RequestStatus::Pending));
        let requests = game.all_ended(5).await;

        assert_eq!(transactions(&requests).len(), 2);
        assert_eq!(game.succeeded("one").await.token_id, Some(token(7)));
        assert_eq!(game.succeeded("four").await.token_id, Some(token(9)));
        let names = ["two", "three", "five"];
        let mut ids = BTreeSet::new();
        for name in names {
            ids.extend(game.succeeded(name).await.token_id);
        }
        assert_eq!(ids, BTreeSet::from([given(0), given(1), given(2)]));
        for request in &requests {
            let id = request.token_id.unwrap();
            assert_eq!(game.owner_on_chain(id).await, request.owner);
            assert_eq!(game.has(request.owner, id).await, Amount::ONE);
            assert!(request.gas.unwrap() > 21_000 / 5, "{:?}", request.gas);
        }
        assert_eq!(game.reconciled().await.drift, Vec::<String>::new());
        let activities = game.activities().await;
        let of_requests: BTreeSet<_> = requests.iter().filter_map(|one| one.activity).collect();
        assert_eq!(
            activities.iter().map(|one| one.id).collect::<BTreeSet<_>>(),
            of_requests
        );
        assert!(
            activities
                .iter()
                .all(|one| one.kind == ActivityKind::Mint && one.from.is_none())
        );
        game.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn amounts_of_many_owners_share_a_transaction() {
    for database in [Database::Sqlite, Database::Postgres] {
        let game = Game::start(database, ContractType::Erc1155).await;
        let (a, b) = (player(), player());

        game.accept(vec![
            amount_of("one", a, 7, 100),
            amount_of("two", b, 7, 5),
            amount_of("three", a, 8, 1),
            amount_of("four", a, 7, 100),
        ])
        .await;
        let requests = game.all_ended(4).await;

        assert_eq!(transactions(&requests).len(), 1);
        for (account, id, amount) in [(a, 7, 200), (b, 7, 5), (a, 8, 1), (b, 8, 0)] {
            let amount = Amount::from(amount);
            assert_eq!(game.has(account, token(id)).await, amount);
            assert_eq!(game.amount_on_chain(account, token(id)).await, amount);
        }
        assert_eq!(game.reconciled().await.drift, Vec::<String>::new());
        let distinct: BTreeSet<_> = requests.iter().filter_map(|one| one.activity).collect();
        assert_eq!(distinct.len(), 4);
        game.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_wishes_become_a_few_transactions_and_a_thousand_tokens() {
    let game = Game::start(Database::Postgres, ContractType::Erc721).await;
    game.stands().await;
    let owners: Vec<_> = (0..40).map(|_| player()).collect();
    for call in 0..10 {
        let wishes = (0..100).map(|n| by_quantity(&format!("{call}-{n}"), owners[(call * 7 + n) % 40]));
        game.accept(wishes.collect()).await;
    }

    let requests = game.all_ended(1_000).await;

    let failed = requests.iter().find(|one| one.status != RequestStatus::Succeeded);
    assert_eq!(failed, None);
    let ids: BTreeSet<TokenId> = requests.iter().filter_map(|one| one.token_id).collect();
    assert_eq!(ids.len(), 1_000);
    // About 350 tokens fit the gas of a transaction; the first goes alone, and one may be cut.
    let sent = transactions(&requests).len();
    assert!((3..=8).contains(&sent), "{sent} transactions");
    assert_eq!(game.owners(OwnerFilter::default()).await.len(), 200);
    game.finish().await;
}

/// Rule 20 of specs/chain.md section 5 for tokens: who has them may agree although a movement is recorded elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_movement_that_is_recorded_in_another_place_than_its_log_is_told() {
    for database in [Database::Sqlite, Database::Postgres] {
        let game = Game::start(database, ContractType::Erc721).await;
        game.accept(vec![by_id("one", player(), 7)]).await;
        game.all_ended(1).await;
        let found = game.reconciled().await;
        assert_eq!((found.logs, found.drift), (1, Vec::<String>::new()));
        let owner = game.server().database.owner();
        let tamper = async |statement: &'static str| {
            let changed = owner.write(move |tx| Ok(on!(tx, c => diesel::sql_query(statement).execute(c))?));
            assert_eq!(changed.await.unwrap(), 1);
        };

        tamper("UPDATE activities SET log_index = log_index + 50").await;

        let told = game.reconciled().await.drift;
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("1 of token 7 from"), "{told:?}");
        assert!(told[0].ends_with("is not recorded"), "{told:?}");
        assert!(
            told[1].ends_with("was recorded and no log of the chain says so"),
            "{told:?}"
        );
        tamper("UPDATE activities SET log_index = log_index - 50").await;
        game.finish().await;
    }
}
