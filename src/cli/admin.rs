//! What an operator does on the database directly, so that nobody is ever locked out of their own server. Every change is
//! an audit event by `admin`.

use std::path::PathBuf;

use clap::Subcommand;

use super::custody::{self, CustodyCommand};
use super::environment::{self, EnvironmentCommand, PlanCommand, ProjectCommand};
use super::keystore::{self, KeystoreCommand};
use super::settlement::{self, SettlementCommand};
use super::{Failure, expect_secrets, open, open_existing, settings};
use crate::access::{self, By, KeyKind, NewKey, NewUser};
use crate::app::App;
use crate::compliance::{SanctionsFile, Shrink};
use crate::config::{Config, Sources};
use crate::db::Page;
use crate::error::Error;
use crate::types::{Address, KeyId, Timestamp, UserId};
use crate::wallet;
use crate::{compliance, identity};

#[derive(Subcommand)]
pub(super) enum Admin {
    /// Create the first administrator and show its API key once.
    Bootstrap {
        /// What people call the administrator.
        #[arg(long)]
        name: String,
        /// The administrator's wallet address.
        #[arg(long)]
        wallet: String,
    },
    /// Users, and the locks and methods with which they verify.
    #[command(subcommand)]
    User(UserCommand),
    /// API keys of users.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Sanctions lists.
    #[command(subcommand)]
    Sanctions(SanctionsCommand),
    /// The policy in force.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Transactions that need a person.
    #[command(subcommand)]
    Settlement(SettlementCommand),
    /// Encrypted key files.
    #[command(subcommand)]
    Keystore(KeystoreCommand),
    /// What is built on the minting API.
    #[command(subcommand)]
    Project(ProjectCommand),
    /// The environments of projects, and their keys.
    #[command(subcommand)]
    Environment(EnvironmentCommand),
    /// Plans of readers, and their rate-limit keys.
    #[command(subcommand)]
    RatePlan(PlanCommand),
    /// Wallets that are kept for e-mail addresses.
    #[command(subcommand)]
    Custody(CustodyCommand),
}

#[derive(Subcommand)]
pub(super) enum UserCommand {
    /// List the users.
    List,
    /// Create a user and show its API key once.
    Create {
        /// What people call the user.
        #[arg(long)]
        name: String,
        /// The user's wallet address; one user per wallet.
        #[arg(long)]
        wallet: String,
    },
    /// End the locks of a user's verification methods.
    Unlock {
        /// Id of the user, as `list` shows it.
        user: String,
    },
    /// Remove all verification methods of a user, who then sets up the first one with the API key alone.
    ResetVerification {
        /// Id of the user.
        user: String,
    },
}

#[derive(Subcommand)]
pub(super) enum KeyCommand {
    /// List the API keys of a user.
    List {
        /// Id of the user.
        user: String,
    },
    /// Create an API key for a user and show it once.
    Create {
        /// Id of the user.
        user: String,
    },
    /// Disable an API key.
    Disable {
        /// Id of the user.
        user: String,
        /// Id of the key, as `list` shows it.
        key: String,
    },
}

#[derive(Subcommand)]
pub(super) enum SanctionsCommand {
    /// Import a sanctions list (CSV with a column `address`); the newest import counts.
    Import {
        /// The list.
        file: PathBuf,
        /// The list's own name.
        #[arg(long)]
        name: String,
        /// When the list was published (RFC 3339); today without it.
        #[arg(long)]
        as_of: Option<String>,
        /// Accept a list that is more than 10 % shorter than the one before.
        #[arg(long)]
        accept_shrink: bool,
    },
}

#[derive(Subcommand)]
pub(super) enum PolicyCommand {
    /// Put the policies in the configured folder in force.
    Activate,
    /// Show which policy is loaded and which is in force.
    Show,
}

pub(super) async fn run(command: Admin, sources: &Sources) -> Result<(), Failure> {
    // A key is made before there is a chain, or a database.
    if let Admin::Keystore(command) = command {
        return keystore::run(command).await;
    }
    let config = settings(sources)?;
    if let Admin::Bootstrap { name, wallet } = command {
        return bootstrap(&config, name, &wallet).await;
    }
    let app = open_existing(&config).await?;
    expect_secrets(&app).await?;
    let now = app.now();
    match command {
        Admin::Keystore(command) => keystore::run(command).await,
        Admin::Bootstrap { name, wallet } => bootstrap(&config, name, &wallet).await,
        Admin::User(command) => user(&app, now, command).await,
        Admin::Key(command) => key(&app, now, command).await,
        Admin::Sanctions(SanctionsCommand::Import {
            file,
            name,
            as_of,
            accept_shrink,
        }) => {
            let as_of = match as_of {
                None => now,
                Some(text) => Timestamp::parse(&text).map_err(|error| Failure::usage(format!("--as-of {error}")))?,
            };
            let shrink = if accept_shrink { Shrink::Accept } else { Shrink::Refuse };
            import(&app, now, &file, name, as_of, shrink).await
        }
        Admin::Policy(command) => policy(&app, now, command).await,
        Admin::Project(command) => environment::project(&app, now, command).await,
        Admin::Environment(command) => environment::run(&app, now, command).await,
        Admin::RatePlan(command) => environment::plan(&app, now, command).await,
        Admin::Settlement(command) => settlement::run(&app, now, command).await,
        Admin::Custody(command) => custody::run(&app, command).await,
    }
}

/// The first change of a database, which remembers with which secrets it was made.
async fn bootstrap(config: &Config, name: String, wallet: &str) -> Result<(), Failure> {
    let wallet = parse_wallet(wallet)?;
    if config.database.is_postgres() && config.secrets.are_development() {
        return Err(Failure::usage(
            "secrets.pepper or secrets.data_key is the development key, and no server on PostgreSQL would know the \
             administrator's key: give the server's own settings (--config or MONEYER_CONFIG)",
        ));
    }
    let app = open(config)?;
    let now = app.now();
    let vault = std::sync::Arc::clone(app.vault());
    let db = app.db().clone();
    tokio::task::spawn_blocking(move || db.migrate(false))
        .await
        .map_err(Error::internal)??;
    expect_secrets(&app).await?;
    let kind = app.key_kind();
    let issued = app
        .db()
        .write(move |tx| {
            identity::seed_topics(tx, now)?;
            let user = access::bootstrap_admin(tx, now, &name, wallet)?;
            access::keep_secret_checks(tx, &vault)?;
            access::create_key(tx, &vault, By::command_line(now), new_key(user.id, kind))
        })
        .await?;
    println!("API key (shown once): {}", issued.key.reveal());
    println!("Next: set a PIN with POST /api/auth/pincode/enable");
    Ok(())
}

async fn user(app: &App, now: Timestamp, command: UserCommand) -> Result<(), Failure> {
    match command {
        UserCommand::List => list_users(app).await,
        UserCommand::Create { name, wallet } => {
            let wallet = parse_wallet(&wallet)?;
            let (vault, kind) = (std::sync::Arc::clone(app.vault()), app.key_kind());
            let issued = app
                .db()
                .write(move |tx| {
                    let user = access::create_user(
                        tx,
                        By::command_line(now),
                        NewUser {
                            name: name.clone(),
                            wallet,
                        },
                    )?;
                    access::create_key(tx, &vault, By::command_line(now), new_key(user.id, kind))
                })
                .await?;
            println!("API key (shown once): {}", issued.key.reveal());
            Ok(())
        }
        UserCommand::Unlock { user } => {
            let user = parse_user(&user)?;
            let unlocked = app
                .db()
                .write(move |tx| {
                    let user = access::find_user(tx, user)?;
                    wallet::unlock(tx, By::command_line(now), &user)
                })
                .await?;
            let names: Vec<&str> = unlocked.iter().map(|method| method.as_str()).collect();
            println!(
                "unlocked: {}",
                if names.is_empty() {
                    "nothing was locked".to_owned()
                } else {
                    names.join(", ")
                }
            );
            Ok(())
        }
        UserCommand::ResetVerification { user } => {
            let user = parse_user(&user)?;
            app.db()
                .write(move |tx| {
                    let user = access::find_user(tx, user)?;
                    wallet::reset(tx, By::command_line(now), &user)
                })
                .await?;
            println!("verification reset: the user sets up a first method with the API key alone");
            Ok(())
        }
    }
}

async fn list_users(app: &App) -> Result<(), Failure> {
    let mut page = Page {
        limit: Page::LIMIT_MAX,
        ..Page::default()
    };
    loop {
        let asked = page.clone();
        let (users, next) = app.db().read(move |tx| access::list_users(tx, &asked)).await?;
        for user in users {
            println!("{}  {}  {}", user.id, user.wallet, user.name);
        }
        match next {
            Some(cursor) => page.cursor = Some(cursor),
            None => return Ok(()),
        }
    }
}

async fn key(app: &App, now: Timestamp, command: KeyCommand) -> Result<(), Failure> {
    match command {
        KeyCommand::List { user } => {
            let user = parse_user(&user)?;
            let page = Page {
                limit: Page::LIMIT_MAX,
                ..Page::default()
            };
            let (keys, _) = app.db().read(move |tx| access::list_keys(tx, user, &page)).await?;
            for key in keys {
                let state = if key.enabled { "enabled" } else { "disabled" };
                println!("{}  {}  {state}  created {}", key.id, key.start, key.created_at);
            }
            Ok(())
        }
        KeyCommand::Create { user } => {
            let user = parse_user(&user)?;
            let (vault, kind) = (std::sync::Arc::clone(app.vault()), app.key_kind());
            let issued = app
                .db()
                .write(move |tx| access::create_key(tx, &vault, By::command_line(now), new_key(user, kind)))
                .await?;
            println!("API key (shown once): {}", issued.key.reveal());
            Ok(())
        }
        KeyCommand::Disable { user, key } => {
            let user = parse_user(&user)?;
            let key = KeyId::parse(&key).map_err(|error| Failure::usage(format!("key {error}")))?;
            let change = access::KeyChange {
                enabled: Some(false),
                ..access::KeyChange::default()
            };
            app.db()
                .write(move |tx| access::update_key(tx, By::command_line(now), user, &key, &change))
                .await?;
            println!("disabled");
            Ok(())
        }
    }
}

async fn import(
    app: &App,
    now: Timestamp,
    file: &std::path::Path,
    name: String,
    as_of: Timestamp,
    shrink: Shrink,
) -> Result<(), Failure> {
    let bytes =
        std::fs::read(file).map_err(|error| Failure::usage(format!("cannot read {}: {error}", file.display())))?;
    let imported = app
        .db()
        .write(move |tx| {
            let file = SanctionsFile {
                name: &name,
                as_of,
                bytes: &bytes,
                shrink,
            };
            compliance::import_sanctions(tx, now, &file)
        })
        .await?;
    println!("imported {} addresses, sha256 {}", imported.entries, imported.sha256);
    Ok(())
}

async fn policy(app: &App, now: Timestamp, command: PolicyCommand) -> Result<(), Failure> {
    let set = std::sync::Arc::clone(app.policy());
    match command {
        PolicyCommand::Activate => {
            let hash = set.hash;
            let changed = app
                .db()
                .write(move |tx| compliance::activate_policy(tx, &set, "admin", now))
                .await?;
            println!("{hash} {}", if changed { "is in force now" } else { "was in force" });
        }
        PolicyCommand::Show => {
            let active = app.db().read(compliance::active_policy).await?;
            println!("loaded   {}", set.hash);
            println!(
                "in force {}",
                active.map_or_else(|| "none".to_owned(), |hash| hash.to_string())
            );
        }
    }
    Ok(())
}

fn new_key(user: UserId, kind: KeyKind) -> NewKey {
    NewKey {
        user,
        name: Some("command line".to_owned()),
        kind,
        expires_at: None,
    }
}

fn parse_wallet(text: &str) -> Result<Address, Failure> {
    Address::parse(text).map_err(|error| Failure::usage(format!("--wallet {error}")))
}

fn parse_user(text: &str) -> Result<UserId, Failure> {
    UserId::parse(text).map_err(|error| Failure::usage(format!("user {text} {error}")))
}
