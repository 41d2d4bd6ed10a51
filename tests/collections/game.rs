//! A studio with a collection on the chain, and what it asks of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moneyer::access::{self, Role, Scope};
use moneyer::chain::contracts::collection as contract;
use moneyer::chain::contracts::returned;
use moneyer::chain::{Call, Rpc};
use moneyer::collection::{
    self, Activity, ActivityFilter, Caller, Collection, ContractType, Metadata, MintRequest, NewMintRequest,
    OwnerFilter, Ownership, Profile, RequestFilter, RequestStatus, Requested, Right, Window,
};
use moneyer::ctx::Ctx;
use moneyer::db::Tx;
use moneyer::error::Error;
use moneyer::servicing::{self, CollectionTerms};
use moneyer::settlement::{self, Reconciled};
use moneyer::types::{Address, Amount, AssetId, Hash32, ReferenceId, TokenId};

use crate::stage::Stage;
use crate::support::{Database, Person, Server, World};

static NEXT: AtomicU64 = AtomicU64::new(1);

/// Somebody whom nobody here knows.
pub fn player() -> Address {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let hash = moneyer::types::keccak256(&number.to_be_bytes());
    Address::try_from(&hash.as_bytes()[12..]).unwrap()
}

pub fn reference(text: &str) -> ReferenceId {
    ReferenceId::parse(text).unwrap()
}

pub fn token(id: u64) -> TokenId {
    TokenId::from(Amount::from(id))
}

/// 2^128 and so much more: what is minted by quantity.
pub fn given(number: u64) -> TokenId {
    let first = Amount::parse("340282366920938463463374607431768211456").unwrap();
    TokenId::from(first.checked_add(Amount::from(number)).unwrap())
}

pub fn by_quantity(name: &str, owner: Address) -> NewMintRequest {
    NewMintRequest {
        reference: reference(name),
        owner,
        token_id: None,
        amount: None,
        metadata: None,
    }
}

pub fn by_id(name: &str, owner: Address, id: u64) -> NewMintRequest {
    NewMintRequest {
        token_id: Some(token(id)),
        ..by_quantity(name, owner)
    }
}

pub fn amount_of(name: &str, owner: Address, id: u64, amount: u64) -> NewMintRequest {
    NewMintRequest {
        amount: Some(Amount::from(amount)),
        ..by_id(name, owner, id)
    }
}

pub fn named(name: &str) -> Metadata {
    Metadata {
        name: Some(name.to_owned()),
        ..Metadata::default()
    }
}

pub struct Game {
    pub stage: Stage,
    pub collection: Collection,
}

impl Game {
    pub async fn start(database: Database, standard: ContractType) -> Self {
        let stage = Stage::start(database).await;
        let collection = deploy(&stage, standard).await;
        Self { stage, collection }
    }

    /// Settlement stands still: what is accepted waits.
    pub async fn start_waiting(database: Database, standard: ContractType) -> Self {
        let mut game = Self::start(database, standard).await;
        game.stage.stop_settling().await;
        game
    }

    pub fn server(&self) -> &Server {
        &self.stage.server
    }

    fn issuer(&self) -> Person {
        self.server().world.issuer.clone()
    }

    pub async fn finish(self) {
        self.stage.finish().await;
    }

    // --- asking -----------------------------------------------------------------------------------------------------

    /// As the issuer.
    pub async fn ask<T: Send + 'static>(
        &self,
        change: impl Fn(&mut Tx<'_>, &Caller<'_>, AssetId) -> Result<T, Error> + Send + Sync + 'static,
    ) -> Result<T, Error> {
        self.ask_as(&self.issuer(), change).await
    }

    pub async fn ask_as<T: Send + 'static>(
        &self,
        person: &Person,
        change: impl Fn(&mut Tx<'_>, &Caller<'_>, AssetId) -> Result<T, Error> + Send + Sync + 'static,
    ) -> Result<T, Error> {
        let (ctx, id) = (self.server().ctx(person), self.collection.id);
        let change = move |tx: &mut Tx<'_>| {
            let caller = Caller {
                ctx: &ctx,
                right: Right::Role,
            };
            change(tx, &caller, id)
        };
        self.server().app.db().write(change).await
    }

    pub async fn request(&self, requests: Vec<NewMintRequest>) -> Result<Requested, Error> {
        let policies = Arc::clone(self.server().app.policy());
        self.ask(move |tx, caller, id| collection::request_mints(tx, caller, &policies, id, &requests))
            .await
    }

    pub async fn accept(&self, requests: Vec<NewMintRequest>) -> Vec<MintRequest> {
        match self.request(requests).await.unwrap() {
            Requested::Accepted(accepted) => accepted,
            Requested::Conflict(conflict) => panic!("{conflict:?}"),
        }
    }

    // --- looking ----------------------------------------------------------------------------------------------------

    pub async fn found(&self, name: &str) -> MintRequest {
        let (id, name) = (self.collection.id, reference(name));
        self.server()
            .read(move |tx| collection::mint_request(tx, id, &name))
            .await
    }

    /// The request once it has ended.
    pub async fn ended(&self, name: &str) -> MintRequest {
        self.stage
            .wait("a mint request to end", async || {
                let request = self.found(name).await;
                (request.status != RequestStatus::Pending).then_some(request)
            })
            .await
    }

    pub async fn succeeded(&self, name: &str) -> MintRequest {
        let request = self.ended(name).await;
        assert_eq!(request.status, RequestStatus::Succeeded, "{name}: {:?}", request.error);
        request
    }

    /// Every request under its reference, newest first.
    pub async fn requests(&self) -> Vec<MintRequest> {
        let mut window = Window::first(Window::LIMIT_MAX);
        let mut all = Vec::new();
        loop {
            let (filter, part) = (
                RequestFilter {
                    collection: Some(self.collection.id),
                    ..RequestFilter::default()
                },
                window.clone(),
            );
            let slice = self
                .server()
                .read(move |tx| collection::mint_requests(tx, &filter, &part))
                .await;
            all.extend(slice.items);
            match slice.next {
                Some(next) => window.cursor = Some(next),
                None => return all,
            }
        }
    }

    pub async fn all_ended(&self, count: usize) -> Vec<MintRequest> {
        self.stage
            .wait("all mint requests to end", async || {
                let requests = self.requests().await;
                let is_open = |one: &MintRequest| one.status == RequestStatus::Pending;
                (requests.len() == count && !requests.iter().any(is_open)).then_some(requests)
            })
            .await
    }

    pub async fn owners(&self, filter: OwnerFilter) -> Vec<Ownership> {
        let filter = OwnerFilter {
            collection: Some(self.collection.id),
            ..filter
        };
        let window = Window::first(Window::LIMIT_MAX);
        let slice = self
            .server()
            .read(move |tx| collection::owners(tx, &filter, &window))
            .await;
        slice.items
    }

    /// What an account has of a token, as the register says.
    pub async fn has(&self, account: Address, id: TokenId) -> Amount {
        let filter = OwnerFilter {
            token_ids: vec![id],
            accounts: vec![account],
            ..OwnerFilter::default()
        };
        let owners = self.owners(filter).await;
        owners.first().map_or(Amount::ZERO, |one| one.balance)
    }

    pub async fn activities(&self) -> Vec<Activity> {
        let filter = ActivityFilter {
            collection: Some(self.collection.id),
            ..ActivityFilter::default()
        };
        let window = Window::first(Window::LIMIT_MAX);
        let slice = self
            .server()
            .read(move |tx| collection::activities(tx, &filter, &window))
            .await;
        slice.items
    }

    pub async fn owner_on_chain(&self, id: TokenId) -> Address {
        let data = contract::owner_of(id.amount());
        returned::address(&self.stage.ask(self.collection.address, data).await).unwrap()
    }

    pub async fn amount_on_chain(&self, account: Address, id: TokenId) -> Amount {
        let data = contract::balance_of_1155(account, id.amount());
        returned::amount(&self.stage.ask(self.collection.address, data).await).unwrap()
    }

    /// What a comparison with the chain says.
    pub async fn reconciled(&self) -> Reconciled {
        let rpc = Rpc::connect(&self.stage.chain).unwrap();
        self.stage
            .wait("books at one block", async || {
                settlement::reconcile(self.server().app.db(), &rpc).await.unwrap()
            })
            .await
    }

    /// Whether the contract stands.
    pub async fn stands(&self) {
        let rpc = Rpc::connect(&self.stage.chain).unwrap();
        self.stage
            .wait("the contract", async || {
                let call = Call {
                    from: Address::ZERO,
                    to: self.collection.address,
                    data: contract::is_minter(Address::ZERO),
                };
                let answer = rpc.call(&call).await.unwrap();
                answer.is_ok_and(|data| !data.is_empty()).then_some(())
            })
            .await
    }
}

pub fn transactions(requests: &[MintRequest]) -> BTreeSet<Hash32> {
    requests.iter().filter_map(|request| request.transaction).collect()
}

/// The issuer may mint.
pub fn may_mint(tx: &mut Tx<'_>, ctx: &Ctx, world: &World, collection: AssetId) -> Result<(), Error> {
    let grants = [(world.issuer.wallet, Role::SupplyManagement)];
    access::grant(tx, ctx, Scope::Asset(collection), &grants).map(|_| ())
}

/// A collection of ours: the creator founds it, the issuer may mint.
pub async fn deploy(stage: &Stage, standard: ContractType) -> Collection {
    stage
        .wait("the contracts", async || {
            let site = stage.server.app.db().read(settlement::site).await;
            site.is_ok().then_some(())
        })
        .await;
    let terms = CollectionTerms {
        profile: Profile {
            name: Some("Swords of old".to_owned()),
            symbol: Some("swd".to_owned()),
            base_uri: Some("https://meta.test/".to_owned()),
            ..Profile::default()
        },
        ..CollectionTerms::default()
    };
    let world = Arc::clone(&stage.server.world);
    let policies = Arc::clone(stage.server.app.policy());
    stage
        .server
        .write(&stage.server.world.creator, move |tx, ctx| {
            let caller = Caller {
                ctx,
                right: Right::Role,
            };
            let owner = ctx.actor.wallet;
            let founded = servicing::deploy_collection(tx, &caller, &policies, (standard, owner), terms.clone())?;
            may_mint(tx, ctx, &world, founded.0.id)?;
            Ok(founded.0)
        })
        .await
}
