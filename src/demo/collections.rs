//! The collections of the demo: two games, their keys, and the first tokens.

use std::sync::Arc;

use super::cast::Name;
use super::manifest::{CollectionEntry, Collections};
use super::setup::People;
use crate::access::environment::{self, KeyPurpose, NewEnvironment, Tier};
use crate::app::App;
use crate::collection::{self, Caller, Collection, ContractType, Metadata, NewMintRequest, Profile, Requested, Right};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::operation;
use crate::policy::PolicySet;
use crate::servicing::{self, CollectionTerms};
use crate::types::{Address, Amount, EnvironmentId, OperationId, ReferenceId, TokenId};

/// Enough that nobody who tries the demo under load is held back by a quota.
const TIER: Tier = Tier::Enterprise {
    per_minute: 600_000,
    burst: 200_000,
};

/// An environment and its secret key.
struct Game {
    environment: EnvironmentId,
    secret_key: String,
}

/// Two games of the admin's: one with a collection of each standard under one key, another with one of its own. The
/// contract of the swords belongs to `owner`, the others' to the admin. What was asked of the chain is not final yet when
/// this returns.
pub(super) async fn make(
    app: &App,
    people: &People,
    owner: Address,
    holders: &[Address],
) -> Result<(Collections, Vec<OperationId>), Error> {
    let ctx = people.ctx(app, Name::Admin)?;
    let (app_of_tx, holders) = (app.clone(), holders.to_vec());
    app.db()
        .write(move |tx| {
            let policies = Arc::clone(app_of_tx.policy());
            let (arena, publishable_key) = found_game(tx, &app_of_tx, &ctx, "Demo arena", TIER)?;
            let (elsewhere, _) = found_game(tx, &app_of_tx, &ctx, "Demo elsewhere", Tier::Standard)?;
            let mut studio = Studio {
                ctx: &ctx,
                policies: &policies,
                operations: Vec::new(),
            };
            let (own, admin) = ((ContractType::Erc721, owner), ctx.actor.wallet);
            let swords = studio.deploy(tx, &arena, own, ("Demo Swords", "SWORD"))?;
            let (one, many) = ((ContractType::Erc721, admin), (ContractType::Erc1155, admin));
            let potions = studio.deploy(tx, &arena, many, ("Demo Potions", "POTION"))?;
            let cards = studio.deploy(tx, &elsewhere, one, ("Demo Cards", "CARD"))?;
            studio.mint(tx, &arena, &swords, &first_swords(&holders)?)?;
            studio.mint(tx, &arena, &potions, &first_potions(&holders)?)?;
            studio.mint(tx, &elsewhere, &cards, &first_cards(&holders)?)?;
            let collections = Collections {
                erc721: entry(&swords, &arena),
                erc1155: entry(&potions, &arena),
                other: entry(&cards, &elsewhere),
                publishable_key,
            };
            Ok((collections, studio.operations))
        })
        .await
}

fn entry(collection: &Collection, game: &Game) -> CollectionEntry {
    CollectionEntry {
        address: collection.address,
        secret_key: game.secret_key.clone(),
    }
}

/// With its publishable key.
fn found_game(tx: &mut Tx<'_>, app: &App, ctx: &Ctx, name: &str, tier: Tier) -> Result<(Game, String), Error> {
    let settings = &app.gate().settings;
    let project = environment::create_project(tx, ctx, name)?;
    let new = NewEnvironment {
        project: project.id,
        name: "sandbox".to_owned(),
        chain: settings.chain_name.clone(),
        test: settings.is_test,
        tier,
        owner: ctx.actor.user,
    };
    let environment = environment::create(tx, ctx, new)?.id;
    let mut key = |purpose| {
        let issued = environment::create_key(tx, app.vault(), settings.test_marker, ctx, environment, purpose)?;
        Ok::<_, Error>(issued.key.reveal().to_owned())
    };
    let game = Game {
        environment,
        secret_key: key(KeyPurpose::Secret)?,
    };
    Ok((game, key(KeyPurpose::Publishable)?))
}

/// What is made in one transaction, with what it asks of the chain.
struct Studio<'s> {
    ctx: &'s Ctx,
    policies: &'s PolicySet,
    operations: Vec<OperationId>,
}

impl Studio<'_> {
    fn deploy(
        &mut self,
        tx: &mut Tx<'_>,
        game: &Game,
        contract: (ContractType, Address),
        (name, symbol): (&str, &str),
    ) -> Result<Collection, Error> {
        let terms = CollectionTerms {
            environment: Some(game.environment),
            profile: Profile {
                name: Some(name.to_owned()),
                symbol: Some(symbol.to_owned()),
                ..Profile::default()
            },
            ..CollectionTerms::default()
        };
        let caller = self.caller(game);
        let (created, operation) = servicing::deploy_collection(tx, &caller, self.policies, contract, terms)?;
        self.operations.push(operation);
        Ok(created)
    }

    fn mint(
        &mut self,
        tx: &mut Tx<'_>,
        game: &Game,
        into: &Collection,
        wishes: &[NewMintRequest],
    ) -> Result<(), Error> {
        let asked = collection::request_mints(tx, &self.caller(game), self.policies, into.id, wishes)?;
        let Requested::Accepted(requests) = asked else {
            return Err(Error::internal("a token of the demo is there already"));
        };
        let numbers: Vec<i64> = requests.iter().filter_map(|request| request.sequence).collect();
        if numbers.len() != wishes.len() {
            return Err(Error::internal("a token of the demo was refused"));
        }
        let operations = operation::of_numbers(tx, into.id, &numbers)?;
        self.operations.extend(operations.iter().map(|operation| operation.id));
        Ok(())
    }

    fn caller(&self, game: &Game) -> Caller<'_> {
        Caller {
            ctx: self.ctx,
            right: Right::Environment(game.environment),
        }
    }
}

/// One by its id, the others by quantity.
fn first_swords(holders: &[Address]) -> Result<Vec<NewMintRequest>, Error> {
    let named = holders.iter().take(3).zip(["Dawn", "Dusk", "Midnight"]).enumerate();
    let wish = |(place, (holder, name)): (usize, (&Address, &str))| {
        Ok(NewMintRequest {
            token_id: (place == 0).then(|| TokenId::from(Amount::ONE)),
            metadata: Some(shows(&format!("Sword of {name}"))),
            ..wish(&format!("demo-sword-{name}"), *holder)?
        })
    };
    named.map(wish).collect()
}

fn first_potions(holders: &[Address]) -> Result<Vec<NewMintRequest>, Error> {
    let wish = |holder: &Address| {
        Ok(NewMintRequest {
            token_id: Some(TokenId::from(Amount::ONE)),
            amount: Some(Amount::from(1_000)),
            metadata: Some(shows("Potion of patience")),
            ..wish("demo-potion", *holder)?
        })
    };
    holders.iter().take(1).map(wish).collect()
}

fn first_cards(holders: &[Address]) -> Result<Vec<NewMintRequest>, Error> {
    let wish = |holder: &Address| wish("demo-card", *holder);
    holders.iter().take(1).map(wish).collect()
}

fn wish(reference: &str, owner: Address) -> Result<NewMintRequest, Error> {
    Ok(NewMintRequest {
        reference: ReferenceId::parse(reference).map_err(Error::internal)?,
        owner,
        token_id: None,
        amount: None,
        metadata: None,
    })
}

fn shows(name: &str) -> Metadata {
    Metadata {
        name: Some(name.to_owned()),
        description: Some("Made by the demo; worth nothing".to_owned()),
        ..Metadata::default()
    }
}
