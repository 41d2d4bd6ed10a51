//! The story of the demo, told once: people, assets, who may hold them, and the first mints.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::cast::{self, Name};
use super::manifest::{Assets, Recipients, World};
use super::offer;
use super::secrets::Secrets;
use super::setup::{self, People};
use super::{certhis, collections};
use crate::access::{self, Role, Scope};
use crate::app::App;
use crate::asset::{Asset, Settlement};
use crate::compliance::{self, SANCTIONS_SAMPLE, SanctionsFile, Shrink};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::identity::{self, ClaimData, ClaimTerms};
use crate::ledger::Freeze;
use crate::mint::{Issued, MintLine, Request, Stored, Verdict};
use crate::operation::Status;
use crate::servicing::{self, CollateralUpdate};
use crate::settlement;
use crate::types::{Address, Amount, CountryCode, OperationId, Timestamp, TopicName};

/// What the trusted issuer is trusted for; the first three it claims of recipients.
const PERSON_TOPICS: [&str; 3] = ["knowYourCustomer", "antiMoneyLaundering", "accreditedInvestor"];
const COLLATERAL_TOPIC: &str = "collateral";
/// Within the year for which the topic may be vouched.
const COLLATERAL_SECONDS: i64 = 364 * 86_400;
const SANCTIONS_NAME: &str = "moneyer demo sample";
/// The baseline refuses a list that is a week old.
const SANCTIONS_RENEWAL_SECONDS: i64 = 86_400;
/// Recipients of the first mints are the last of the approved ones: who tries the others finds them empty.
const FIRST_HOLDERS: usize = 8;
/// Whole units.
const EQUITY_EACH: &str = "250";
const STABLECOIN_EACH: &str = "1000";
/// How long the node's blocks may take, on a machine that is busy.
const SITE_LOOK: Duration = Duration::from_millis(50);
const SITE_LOOKS_MAX: u32 = 1_200;
const FINAL_WITHIN: Duration = Duration::from_secs(60);

struct Issue {
    equity: Asset,
    stablecoin: Asset,
    paused: Asset,
    /// What was asked of the chain for them.
    operations: Vec<OperationId>,
}

/// A few transactions. The first leaves the mark; until the last the world is nobody's, and another start makes it anew.
pub(super) async fn make_world(app: &App, secrets: &mut Secrets) -> Result<World, Error> {
    let people = setup::people(app, secrets).await?;
    renew_sanctions(app).await?;
    let recipients = cast::recipients(secrets)?;
    let settlement = secrets.settlement();
    wait_for_site(app, settlement).await?;
    let issue = issue_assets(app, &people, settlement).await?;
    let mut operations = issue.operations.clone();
    operations.extend(approve(app, &people, &recipients, &issue).await?);
    let holders = recipients.approved.rchunks(FIRST_HOLDERS).next().unwrap_or_default();
    let collections = match settlement {
        Settlement::Book => None,
        Settlement::Evm => {
            let (collections, asked) = collections::make(app, &people, secrets.new_wallet()?, holders).await?;
            operations.extend(asked);
            Some(collections)
        }
    };
    let certhis = match &collections {
        None => None,
        Some(collections) => Some(certhis::entry(app, secrets, collections).await?),
    };
    operations.push(mint(app, &people, &issue.equity, EQUITY_EACH, holders).await?);
    operations.push(mint(app, &people, &issue.stablecoin, STABLECOIN_EACH, holders).await?);
    finish(app, &operations).await?;
    Ok(World {
        users: people.into_manifest(),
        assets: Assets {
            equity: offer::entry(&issue.equity),
            stablecoin: offer::entry(&issue.stablecoin),
            paused: offer::entry(&issue.paused),
        },
        recipients,
        collections,
        certhis,
    })
}

/// Waits until the chain's contracts have addresses; the book needs none.
async fn wait_for_site(app: &App, settlement: Settlement) -> Result<(), Error> {
    let site = async || match settlement {
        Settlement::Book => Ok(()),
        Settlement::Evm => app.db().read(settlement::site).await.map(|_| ()),
    };
    for _ in 0..SITE_LOOKS_MAX {
        match site().await {
            Err(Error::Unavailable(_)) => tokio::time::sleep(SITE_LOOK).await,
            other => return other,
        }
    }
    site().await
}

/// Waits until everything is final, so that the demo opens on a world at rest.
async fn finish(app: &App, operations: &[OperationId]) -> Result<(), Error> {
    for id in operations {
        let operation = settlement::wait(app.db(), *id, FINAL_WITHIN).await?;
        if operation.status != Status::Succeeded {
            let why = operation.error.or(operation.hold).unwrap_or_default();
            let (kind, status) = (operation.kind.text(), operation.status.text());
            return Err(Error::internal(format!("a {kind} of the demo is {status}: {why}")));
        }
    }
    Ok(())
}

/// Imports the made-up sample with today's date, unless it was today already or somebody imported a list of their own.
pub(super) async fn renew_sanctions(app: &App) -> Result<(), Error> {
    let now = app.now();
    app.db()
        .write(move |tx| {
            let list = compliance::newest_sanctions_list(tx)?;
            let is_good = |as_of: Timestamp| as_of > now.plus_seconds(-SANCTIONS_RENEWAL_SECONDS);
            if list.is_some_and(|list| list.name != SANCTIONS_NAME || is_good(list.as_of)) {
                return Ok(());
            }
            let file = SanctionsFile {
                name: SANCTIONS_NAME,
                as_of: now,
                bytes: SANCTIONS_SAMPLE,
                shrink: Shrink::Refuse,
            };
            compliance::import_sanctions(tx, now, &file).map(|_| ())
        })
        .await
}

/// The admin creates the assets and grants the roles; who may do so unpauses two of them.
async fn issue_assets(app: &App, people: &People, settlement: Settlement) -> Result<Issue, Error> {
    let (admin, emergency) = (people.ctx(app, Name::Admin)?, people.ctx(app, Name::Emergency)?);
    let (grants, policies) = (people.asset_grants(), Arc::clone(app.policy()));
    app.db()
        .write(move |tx| {
            let mut operations = Vec::new();
            let mut create = |new| {
                let (asset, operation) = servicing::create(tx, &admin, &policies, new)?;
                operations.extend(operation);
                let scope = Scope::Asset(asset.id);
                access::grant(tx, &admin, scope, &grants)?;
                // Given to whoever creates an asset; here it is the governor's.
                access::revoke(tx, &admin, scope, &[(admin.actor.wallet, Role::Governance)])?;
                Ok::<_, Error>(asset)
            };
            let equity = create(offer::equity(settlement)?)?;
            let stablecoin = create(offer::stablecoin(settlement)?)?;
            let paused = create(offer::paused(settlement)?)?;
            operations.push(servicing::unpause(tx, &emergency, equity.id)?);
            operations.push(servicing::unpause(tx, &emergency, stablecoin.id)?);
            Ok(Issue {
                equity,
                stablecoin,
                paused,
                operations,
            })
        })
        .await
}

/// An officer registers people and trusts an issuer; the issuer makes its claims; the custodian freezes.
async fn approve(
    app: &App,
    people: &People,
    recipients: &Recipients,
    issue: &Issue,
) -> Result<Vec<OperationId>, Error> {
    let officer = people.ctx(app, Name::Officer)?;
    let issuer = people.ctx(app, Name::TrustedIssuer)?;
    let custodian = people.ctx(app, Name::Custodian)?;
    let (equity, stablecoin) = (issue.equity.id, issue.stablecoin.id);
    let entries = registrations(recipients)?;
    let (recipients, topics) = (recipients.clone(), topics()?);
    app.db()
        .write(move |tx| {
            let identities = identity::register_many(tx, &officer, &entries)?;
            let own = identity::create(tx, &issuer, issuer.actor.wallet)?;
            identity::add_trusted_issuer(tx, &officer, &own.address, &topics)?;
            claim(tx, &issuer, &recipients, &identities)?;
            let collateral = CollateralUpdate {
                amount: offer::collateral(),
                expires_at: issuer.now.plus_seconds(COLLATERAL_SECONDS),
            };
            servicing::update_collateral(tx, &issuer, stablecoin, collateral)?;
            let mut operations = Vec::new();
            for address in &recipients.frozen {
                operations.extend(servicing::freeze_address(
                    tx,
                    &custodian,
                    equity,
                    *address,
                    Freeze::Frozen,
                )?);
            }
            Ok(operations)
        })
        .await
}

fn registrations(recipients: &Recipients) -> Result<Vec<(Address, CountryCode)>, Error> {
    let free = [&recipients.approved, &recipients.frozen, &recipients.unverified];
    let free = free.into_iter().flatten().copied().zip(cast::countries()?);
    let blocked = cast::blocked_country()?;
    let blocked = recipients.blocked_country.iter().map(|wallet| (*wallet, blocked));
    Ok(free.chain(blocked).collect())
}

fn topics() -> Result<Vec<TopicName>, Error> {
    let names = PERSON_TOPICS.iter().chain([&COLLATERAL_TOPIC]);
    names
        .map(|name| TopicName::parse(name).map_err(Error::internal))
        .collect()
}

/// Every claim of everybody but the unverified.
fn claim(
    tx: &mut Tx<'_>,
    issuer: &Ctx,
    recipients: &Recipients,
    identities: &[identity::Identity],
) -> Result<(), Error> {
    let unverified: BTreeSet<&Address> = recipients.unverified.iter().collect();
    let verified = identities
        .iter()
        .filter(|identity| !unverified.contains(&identity.account));
    let targets: Vec<Address> = verified.map(|identity| identity.address).collect();
    let data = ClaimData::Values(json!({ "claim": "demo" }));
    for topic in PERSON_TOPICS {
        let topic = TopicName::parse(topic).map_err(Error::internal)?;
        identity::issue_many(tx, issuer, &topic, &data, &targets, &ClaimTerms::default())?;
    }
    Ok(())
}

/// The same to each, through the lane that every mint passes.
async fn mint(
    app: &App,
    people: &People,
    asset: &Asset,
    each: &str,
    recipients: &[Address],
) -> Result<OperationId, Error> {
    let ctx = people.ctx(app, Name::Issuer)?;
    let amount = Amount::parse_whole(each, asset.decimals.get()).map_err(Error::internal)?;
    let lines = recipients.iter().map(|recipient| MintLine {
        recipient: *recipient,
        amount,
    });
    let request = Request {
        lines: lines.collect(),
        asset: asset.id,
        proof: setup::prove(app, &ctx, people.member(Name::Issuer)?).await?,
        ctx,
        idempotency: None,
        render: nothing_to_render,
    };
    match app.lanes().submit(request).await? {
        Verdict::Accepted(issued) => Ok(issued.operation.id),
        Verdict::Refused(error) => Err(error),
        Verdict::Replayed(_) | Verdict::Stale => {
            Err(Error::internal("a mint of the demo was neither made nor refused"))
        }
    }
}

/// Only an answer under an idempotency key is rendered for storing.
fn nothing_to_render(_: &Issued) -> Result<Stored, Error> {
    Err(Error::internal("a mint of the demo has no answer to store"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::app::Clock;
    use crate::compliance::SanctionsList;
    use crate::config::Config;
    use crate::policy;

    fn app(folder: &Path) -> App {
        let url = ("database.url", format!("sqlite:{}", folder.join("test.db").display()));
        let config = Config::from_layers(toml::Table::new(), Vec::new(), &[url]).unwrap();
        let app = App::new(&config, policy::load(&config.policies).unwrap(), Clock::movable()).unwrap();
        app.db().migrate(false).unwrap();
        app
    }

    async fn newest(app: &App) -> SanctionsList {
        app.db().read(compliance::newest_sanctions_list).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn the_sample_is_imported_again_once_it_is_a_day_old() {
        let folder = tempfile::tempdir().unwrap();
        let app = app(folder.path());
        renew_sanctions(&app).await.unwrap();
        let first = newest(&app).await;

        app.clock().advance(SANCTIONS_RENEWAL_SECONDS - 1);
        renew_sanctions(&app).await.unwrap();
        let before = newest(&app).await;
        app.clock().advance(1);
        renew_sanctions(&app).await.unwrap();
        let after = newest(&app).await;

        assert_eq!(before, first);
        assert_eq!((after.as_of, after.entries), (app.now(), first.entries));
    }

    #[tokio::test]
    async fn a_list_of_somebody_else_stays_in_force_however_old_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let app = app(folder.path());
        let now = app.now();
        let import = move |tx: &mut Tx<'_>| {
            let file = SanctionsFile {
                name: "somebody's own",
                as_of: now,
                bytes: SANCTIONS_SAMPLE,
                shrink: Shrink::Refuse,
            };
            compliance::import_sanctions(tx, now, &file)
        };
        let own = app.db().write(import).await.unwrap();

        app.clock().advance(30 * SANCTIONS_RENEWAL_SECONDS);
        renew_sanctions(&app).await.unwrap();

        assert_eq!(newest(&app).await, own);
    }
}
