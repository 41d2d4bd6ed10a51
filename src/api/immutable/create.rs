//! `POST /v1/collections`: a collection for the environment of the key (seed 003, immutable.md part A): a new contract, or one
//! that is there already.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, post};
use serde::Deserialize;
use tokio::time::timeout;

use super::asked::{Body, address};
use super::call::Spending;
use super::once::{Kept, Once};
use super::quota::{ReadStanding, What};
use super::shown::{Shown, result};
use super::{Caller, ImmutableError};
use crate::access::quota::Account;
use crate::chain::Rpc;
use crate::chain::collection::{CollectionFacts, Standard};
use crate::collection::{self, Collection, ContractType, Profile, Right};
use crate::db::Tx;
use crate::error::{Error, Issue};
use crate::servicing::{self, CollectionTerms};
use crate::settlement::{self, FoundCollection};
use crate::types::Address;

/// How long the history of one contract may take to be read: nobody who has a key keeps our node busy for hours.
const READ_WITHIN: Duration = Duration::from_secs(60);
/// The chain may be read on between a look and its commit; each further look reads only what is new.
const LOOKS_MAX: usize = 8;

#[derive(Deserialize)]
struct CollectionBody {
    name: Option<String>,
    symbol: Option<String>,
    description: Option<String>,
    icon_url: Option<String>,
    collection_image_url: Option<String>,
    /// Where the metadata of its tokens is: `{metadata_api_url}/{token_id}`.
    metadata_api_url: Option<String>,
    /// `ERC721` or `ERC1155`; ERC721 when left out. A contract that is there says what it is.
    contract_type: Option<String>,
    contract_address: Option<String>,
}

/// What is asked for.
struct Wish {
    standard: Option<ContractType>,
    contract: Option<Address>,
    terms: CollectionTerms,
}

impl CollectionBody {
    fn wish(self, caller: &Caller) -> Result<Wish, Error> {
        let standard = self.contract_type.as_deref().map(|text| {
            ContractType::parse(text).ok_or_else(|| Error::invalid("contract_type", "must be ERC721 or ERC1155"))
        });
        let contract = self.contract_address.as_deref();
        let contract = contract.map(|text| address("contract_address", text)).transpose()?;
        if contract.is_none() && self.name.as_deref().is_none_or(|name| name.trim().is_empty()) {
            return Err(Error::Invalid(vec![Issue::new("name", "required", "is required")]));
        }
        Ok(Wish {
            standard: standard.transpose()?,
            contract,
            terms: CollectionTerms {
                environment: Some(caller.known.environment.id),
                profile: Profile {
                    name: self.name,
                    symbol: self.symbol,
                    description: self.description,
                    image: self.collection_image_url.or(self.icon_url),
                    base_uri: self.metadata_api_url.as_deref().map(followed_by_ids),
                    ..Profile::default()
                },
                metadata_api_url: self.metadata_api_url,
                hosting: None,
                policy: None,
            },
        })
    }
}

/// The contract puts the id right behind it.
fn followed_by_ids(url: &str) -> String {
    format!("{}/", url.trim_end_matches('/'))
}

/// A contract of ours whose administrator is the owner of the environment; or one that is there, whose administrator is.
#[post("/v1/collections")]
pub(super) async fn create_collection(caller: Caller, body: Body) -> Result<HttpResponse, ImmutableError> {
    let wish = body.parse::<CollectionBody>()?.wish(&caller)?;
    let once = Once::of(&caller, &body)?;
    if let Some(first) = once.replay(&caller).await? {
        return Ok(first);
    }
    let spending = spending(&caller);
    let standing = caller.spend(&spending).await?;
    let answer = Answering {
        once: once.clone(),
        shown: Shown::of(caller.app.gate()),
        standing: ReadStanding {
            rate: spending.rate,
            standing,
        },
    };
    let mut has_read = false;
    let made = match wish.contract {
        None => deploy(&caller, wish, answer).await,
        Some(contract) => link(&caller, contract, wish, answer, &mut has_read).await,
    };
    match has_read {
        // Reading the chain is paid for, whatever comes of it.
        true => once.answer(&caller, made).await,
        false => once.answer_paid(&caller, &spending, made).await,
    }
}

fn spending(caller: &Caller) -> Spending {
    let rate = caller.app.gate().collection_rate();
    Spending {
        account: Account::new(caller.known.environment.id, "collection", rate),
        rate,
        tokens: 1,
        what: What::Collections(rate),
    }
}

/// Makes the collection, and renders the answer in the same transaction.
#[derive(Clone)]
struct Answering {
    once: Once,
    shown: Shown,
    standing: ReadStanding,
}

impl Answering {
    async fn made<C>(self, caller: &Caller, change: C) -> Result<Kept, ImmutableError>
    where
        C: Fn(&mut Tx<'_>, &collection::Caller<'_>) -> Result<Collection, Error> + Send + 'static,
    {
        let Self { once, shown, standing } = self;
        let change = move |tx: &mut Tx<'_>, by: &collection::Caller<'_>| {
            let body = result(shown.collection(&change(tx, by)?));
            Ok(Kept::new(StatusCode::CREATED, standing.headers(), &body)?)
        };
        once.made(caller, change).await
    }
}

async fn deploy(caller: &Caller, wish: Wish, answer: Answering) -> Result<Kept, ImmutableError> {
    let (policies, owner) = (Arc::clone(caller.app.policy()), caller.ctx.actor.wallet);
    let standard = wish.standard.unwrap_or(ContractType::Erc721);
    let terms = CollectionTerms {
        hosting: caller.app.gate().settings.metadata_url(),
        ..wish.terms
    };
    answer
        .made(caller, move |tx, by| {
            Ok(servicing::deploy_collection(tx, by, &policies, (standard, owner), terms.clone())?.0)
        })
        .await
}

/// Links a collection that is known here, or takes its contract over. `has_read` says whether the chain was read for it.
async fn link(
    caller: &Caller,
    contract: Address,
    wish: Wish,
    answer: Answering,
    has_read: &mut bool,
) -> Result<Kept, ImmutableError> {
    let known = caller.app.db().read(move |tx| {
        let found = collection::find_by_address(tx, &contract);
        match found {
            Ok(found) => Ok(Some(found)),
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    });
    if let Some(known) = known.await? {
        return link_known(caller, known, answer).await;
    }
    let Some(rpc) = caller.app.rpc() else {
        let message = "this server settles on no chain";
        return Err(Error::Invalid(vec![Issue::new("contract_address", "unsupported", message)]).into());
    };
    let facts = settlement::facts_of_collection(caller.app.db(), rpc, contract).await;
    *has_read = !matches!(facts, Err(Error::Unavailable(_)));
    // Whose contract it is is known before any of its history is read.
    let judged = facts.and_then(|facts| unfit(caller, &wish, &facts).map_or(Ok(()), Err));
    if let Err(error) = judged {
        return Err(turned_away(caller, error).await);
    }
    take_over(caller, rpc, contract, wish, answer).await
}

/// Of what is read of one contract. Nothing is written meanwhile.
async fn in_time<T>(reading: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let late = |_| Error::Unavailable("the history of the contract takes too long to read: an operator links it");
    timeout(READ_WITHIN, reading).await.map_err(late)?
}

async fn take_over(
    caller: &Caller,
    rpc: &Rpc,
    contract: Address,
    wish: Wish,
    answer: Answering,
) -> Result<Kept, ImmutableError> {
    let db = caller.app.db();
    let first_block = in_time(settlement::beginning_of_collection(db, rpc, contract)).await?;
    let mut found: Option<FoundCollection> = None;
    for _ in 0..LOOKS_MAX {
        let look = settlement::look_at_collection(db, rpc, contract, first_block, found.take());
        let looked = in_time(look).await;
        let looked = match looked {
            Ok(looked) => looked,
            Err(error @ Error::NotAllowed(_)) => return Err(turned_away(caller, error).await),
            Err(error) => return Err(error.into()),
        };
        // The administrator may have changed since.
        if let Some(error) = unfit(caller, &wish, &looked.facts) {
            return Err(turned_away(caller, error).await);
        }
        match adopt(caller, &looked, &wish.terms, answer.clone()).await {
            Err(ImmutableError::Domain(Error::Conflict(_))) => found = Some(looked),
            made => return made,
        }
    }
    Err(Error::Unavailable("the chain is read on faster than the contract").into())
}

/// A refusal that was found on the chain leaves the same trace as one of the database.
async fn turned_away(caller: &Caller, error: Error) -> ImmutableError {
    if let Error::NotAllowed(_) = &error
        && let Err(error) = caller.note_refusal(None).await
    {
        return error.into();
    }
    error.into()
}

/// Why this caller may not have this contract. Our signer mints for many: that it may mint into a contract does not say
/// whose it is.
fn unfit(caller: &Caller, wish: &Wish, facts: &CollectionFacts) -> Option<Error> {
    let standard = match facts.standard {
        Standard::Erc721 => ContractType::Erc721,
        Standard::Erc1155 => ContractType::Erc1155,
    };
    if wish.standard.is_some_and(|asked| asked != standard) {
        let message = format!("the contract is an {}", standard.text());
        return Some(Error::invalid("contract_type", message));
    }
    if facts.owner == Some(caller.ctx.actor.wallet) {
        return None;
    }
    let administrator = facts
        .owner
        .map_or_else(|| "unknown".to_owned(), |owner| owner.to_string());
    Some(Error::NotAllowed(format!(
        "The contract's administrator is {administrator}, the owner of this environment is {}: an operator links it",
        caller.ctx.actor.wallet
    )))
}

async fn adopt(
    caller: &Caller,
    found: &FoundCollection,
    terms: &CollectionTerms,
    answer: Answering,
) -> Result<Kept, ImmutableError> {
    let (policies, found, terms) = (Arc::clone(caller.app.policy()), found.clone(), terms.clone());
    answer
        .made(caller, move |tx, by| {
            servicing::adopt_collection(tx, by, &policies, &found, terms.clone())
        })
        .await
}

/// A collection that an operator brought here, linked by who may say whose it is: its owner's role on it decides.
async fn link_known(caller: &Caller, known: Collection, answer: Answering) -> Result<Kept, ImmutableError> {
    let environment = caller.known.environment.id;
    answer
        .made(caller, move |tx, by| {
            let owner = collection::Caller {
                ctx: by.ctx,
                right: Right::Role,
            };
            collection::claim(tx, &owner, known.id, environment)
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_a_url_after_one_slash() {
        assert_eq!(followed_by_ids("https://a.test/meta"), "https://a.test/meta/");
        assert_eq!(followed_by_ids("https://a.test/meta/"), "https://a.test/meta/");
    }
}
