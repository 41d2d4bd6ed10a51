//! Projects, environments and their keys, from the command line.

use std::sync::Arc;

use clap::Subcommand;

use super::Failure;
use crate::access::By;
use crate::access::environment::{self, EnvironmentChange, EnvironmentKey, KeyPurpose, KeyState, NewEnvironment, Tier};
use crate::access::plan::{self, PlanName};
use crate::app::App;
use crate::db::Tx;
use crate::error::Error;
use crate::types::{EnvironmentId, KeyId, ProjectId, Timestamp, UserId};

#[derive(Subcommand)]
pub(super) enum ProjectCommand {
    /// List the projects.
    List,
    /// Create a project.
    Create {
        /// What people call it.
        #[arg(long)]
        name: String,
    },
}

#[derive(Subcommand)]
pub(super) enum EnvironmentCommand {
    /// List the environments of a project.
    List {
        /// Id of the project.
        project: String,
    },
    /// Create an environment on the chain of this server.
    Create {
        /// Id of the project.
        project: String,
        /// What people call the environment.
        #[arg(long)]
        name: String,
        /// The user who does what its keys do.
        #[arg(long)]
        owner: String,
        #[command(flatten)]
        tier: TierArgs,
    },
    /// Put an environment into another tier.
    Tier {
        /// Id of the environment.
        environment: String,
        #[command(flatten)]
        tier: TierArgs,
    },
    /// List the keys of an environment.
    Keys {
        /// Id of the environment.
        environment: String,
    },
    /// Create the publishable or the secret key and show it once.
    CreateKey {
        /// Id of the environment.
        environment: String,
        /// publishable or secret.
        kind: String,
    },
    /// Put a new key in the place of an active one and show it once.
    RotateKey {
        /// Id of the environment.
        environment: String,
        /// Id of the key, as `keys` shows it.
        key: String,
        /// How long the old key is still accepted.
        #[arg(long, default_value_t = 0)]
        overlap_seconds: i64,
    },
    /// Refuse a key from now on.
    RevokeKey {
        /// Id of the environment.
        environment: String,
        /// Id of the key, as `keys` shows it.
        key: String,
    },
}

#[derive(clap::Args)]
pub(super) struct TierArgs {
    /// standard, partner or enterprise.
    #[arg(long, default_value = "standard")]
    tier: String,
    /// For enterprise.
    #[arg(long)]
    mints_per_minute: Option<i64>,
    /// For enterprise.
    #[arg(long)]
    mints_burst: Option<i64>,
}

impl TierArgs {
    fn parse(&self) -> Result<Tier, Failure> {
        let tier = Tier::parse(&self.tier, self.mints_per_minute, self.mints_burst);
        tier.map_err(|error| Failure::usage(error.to_string()))
    }
}

#[derive(Subcommand)]
pub(super) enum PlanCommand {
    /// List the plans of readers.
    List,
    /// Create a plan, or change it for all its keys.
    Put {
        /// Name of the plan.
        plan: String,
        /// In each window.
        #[arg(long)]
        requests: i64,
        /// How long a window is.
        #[arg(long)]
        window_seconds: i64,
    },
    /// List the rate-limit keys of a plan.
    Keys {
        /// Name of the plan.
        plan: String,
    },
    /// Create a rate-limit key and show it once.
    CreateKey {
        /// Name of the plan.
        plan: String,
    },
    /// Refuse a rate-limit key from now on.
    RevokeKey {
        /// Name of the plan.
        plan: String,
        /// Id of the key, as `keys` shows it.
        key: String,
    },
}

pub(super) async fn project(app: &App, now: Timestamp, command: ProjectCommand) -> Result<(), Failure> {
    match command {
        ProjectCommand::List => {
            for project in app.db().read(environment::list_projects).await? {
                println!("{}  {}", project.id, project.name);
            }
        }
        ProjectCommand::Create { name } => {
            let by = By::command_line(now);
            let create = move |tx: &mut Tx<'_>| environment::create_project(tx, by.clone(), &name);
            println!("{}", app.db().write(create).await?.id);
        }
    }
    Ok(())
}

pub(super) async fn run(app: &App, now: Timestamp, command: EnvironmentCommand) -> Result<(), Failure> {
    match command {
        EnvironmentCommand::List { project } => list(app, &project).await,
        EnvironmentCommand::Create {
            project,
            name,
            owner,
            tier,
        } => create(app, now, (&project, name, &owner), &tier).await,
        EnvironmentCommand::Tier { environment, tier } => {
            let (id, by) = (parse_environment(&environment)?, By::command_line(now));
            let change = EnvironmentChange {
                tier: Some(tier.parse()?),
                ..EnvironmentChange::default()
            };
            let update = move |tx: &mut Tx<'_>| environment::update(tx, by.clone(), id, &change);
            println!("{}", app.db().write(update).await?.tier.as_str());
            Ok(())
        }
        EnvironmentCommand::Keys { environment } => {
            let id = parse_environment(&environment)?;
            let keys = app.db().read(move |tx| environment::list_keys(tx, id)).await?;
            keys.iter().for_each(print_key);
            Ok(())
        }
        EnvironmentCommand::CreateKey { environment, kind } => create_key(app, now, &environment, &kind).await,
        EnvironmentCommand::RotateKey {
            environment,
            key,
            overlap_seconds,
        } => {
            let (id, key) = (parse_environment(&environment)?, parse_key(&key)?);
            rotate_key(app, now, (id, key), overlap_seconds).await
        }
        EnvironmentCommand::RevokeKey { environment, key } => {
            let (id, key, by) = (
                parse_environment(&environment)?,
                parse_key(&key)?,
                By::command_line(now),
            );
            let revoke = move |tx: &mut Tx<'_>| environment::revoke_key(tx, by.clone(), id, &key);
            print_key(&app.db().write(revoke).await?);
            Ok(())
        }
    }
}

async fn list(app: &App, project: &str) -> Result<(), Failure> {
    let project = ProjectId::parse(project).map_err(|error| Failure::usage(format!("project {project} {error}")))?;
    let environments = app.db().read(move |tx| environment::list(tx, project)).await?;
    for environment in environments {
        let (tier, chain) = (environment.tier.as_str(), &environment.chain);
        println!("{}  {}  on {chain}, {tier}", environment.id, environment.name);
    }
    Ok(())
}

async fn create(
    app: &App,
    now: Timestamp,
    (project, name, owner): (&str, String, &str),
    tier: &TierArgs,
) -> Result<(), Failure> {
    let settings = &app.gate().settings;
    let new = NewEnvironment {
        project: ProjectId::parse(project).map_err(|error| Failure::usage(format!("project {project} {error}")))?,
        name,
        chain: settings.chain_name.clone(),
        test: settings.is_test,
        tier: tier.parse()?,
        owner: UserId::parse(owner).map_err(|error| Failure::usage(format!("--owner {owner} {error}")))?,
    };
    let by = By::command_line(now);
    let create = move |tx: &mut Tx<'_>| environment::create(tx, by.clone(), new.clone());
    println!("{}", app.db().write(create).await?.id);
    Ok(())
}

async fn create_key(app: &App, now: Timestamp, environment: &str, kind: &str) -> Result<(), Failure> {
    let id = parse_environment(environment)?;
    let purpose = KeyPurpose::parse(kind).ok_or_else(|| Failure::usage("the kind must be publishable or secret"))?;
    let (vault, marker, by) = (
        Arc::clone(app.vault()),
        app.gate().settings.test_marker,
        By::command_line(now),
    );
    let create = move |tx: &mut Tx<'_>| environment::create_key(tx, &vault, marker, by.clone(), id, purpose);
    let issued = app.db().write(create).await?;
    println!("{} key (shown once): {}", purpose.as_str(), issued.key.reveal());
    Ok(())
}

async fn rotate_key(app: &App, now: Timestamp, old: (EnvironmentId, KeyId), overlap: i64) -> Result<(), Failure> {
    let (vault, marker, by) = (
        Arc::clone(app.vault()),
        app.gate().settings.test_marker,
        By::command_line(now),
    );
    let rotate =
        move |tx: &mut Tx<'_>| environment::rotate_key(tx, &vault, marker, by.clone(), (old.0, &old.1), overlap);
    let issued = app.db().write(rotate).await?;
    println!(
        "{} key (shown once): {}",
        issued.stored.purpose.as_str(),
        issued.key.reveal()
    );
    Ok(())
}

fn print_key(key: &EnvironmentKey) {
    let state = match key.state {
        KeyState::Active => "active".to_owned(),
        KeyState::Retiring { until } => format!("accepted until {until}"),
        KeyState::Ended => "ended".to_owned(),
    };
    println!("{}  {}  {state}  created {}", key.id, key.start, key.created_at);
}

pub(super) async fn plan(app: &App, now: Timestamp, command: PlanCommand) -> Result<(), Failure> {
    let by = By::command_line(now);
    match command {
        PlanCommand::List => {
            for plan in app.db().read(plan::list).await? {
                println!("{}  {} in {} s", plan.name.as_str(), plan.requests, plan.window_seconds);
            }
        }
        PlanCommand::Put {
            plan,
            requests,
            window_seconds,
        } => {
            let name = parse_plan(&plan)?;
            let put = move |tx: &mut Tx<'_>| plan::put(tx, by.clone(), &name, requests, window_seconds);
            app.db().write(put).await?;
        }
        PlanCommand::Keys { plan } => {
            let name = parse_plan(&plan)?;
            for key in app.db().read(move |tx| plan::list_keys(tx, &name)).await? {
                let state = if key.active { "active" } else { "ended" };
                println!("{}  {}  {state}  created {}", key.id, key.start, key.created_at);
            }
        }
        PlanCommand::CreateKey { plan } => {
            let (name, vault) = (parse_plan(&plan)?, Arc::clone(app.vault()));
            let create = move |tx: &mut Tx<'_>| plan::create_key(tx, &vault, by.clone(), &name);
            println!(
                "rate-limit key (shown once): {}",
                app.db().write(create).await?.key.reveal()
            );
        }
        PlanCommand::RevokeKey { plan, key } => {
            let (name, key) = (parse_plan(&plan)?, parse_key(&key)?);
            app.db()
                .write(move |tx| plan::revoke_key(tx, by.clone(), &name, &key))
                .await?;
            println!("revoked");
        }
    }
    Ok(())
}

fn parse_environment(text: &str) -> Result<EnvironmentId, Failure> {
    EnvironmentId::parse(text).map_err(|error| Failure::usage(format!("environment {text} {error}")))
}

fn parse_key(text: &str) -> Result<KeyId, Failure> {
    KeyId::parse(text).map_err(|error| Failure::usage(format!("key {error}")))
}

fn parse_plan(text: &str) -> Result<PlanName, Failure> {
    PlanName::parse(text).map_err(|error: Error| Failure::usage(error.to_string()))
}
