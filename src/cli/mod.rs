//! The subcommands.
//!
//! Exit codes: 0 done; 1 it failed, or `check` found a fault; 2 settings, arguments or the place are wrong and nothing
//! was done. Every failure is one sentence on standard error.

mod admin;
mod check;
mod custody;
mod environment;
mod keystore;
mod serve;
mod settlement;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::api::openapi;
use crate::config::Sources;
use crate::error::Error;
use crate::server;
pub use crate::start::Failure;
use crate::start::{open, settings};

#[derive(Parser)]
#[command(
    name = "moneyer",
    version,
    about = "Issues units of tokenized assets to recipients who may hold them"
)]
pub struct Cli {
    /// Settings file (TOML). Also MONEYER_CONFIG.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    /// Database: postgres://… or sqlite:PATH.
    #[arg(long, global = true)]
    database: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API (and, unless told otherwise, do the background work).
    Serve(ServeArgs),
    /// Do the background work only.
    Work,
    /// Bring the schema up to this binary's.
    Migrate {
        /// Say what would be done.
        #[arg(long)]
        dry_run: bool,
    },
    /// A server with people, assets and recipients to try everything on.
    Demo(crate::demo::DemoArgs),
    /// Compare ledger, operations and audit log; exit 1 when anything differs.
    Check,
    /// Print the OpenAPI document.
    Openapi,
    /// Print the settings in force, secrets masked.
    Settings,
    /// What an operator does on the database directly.
    #[command(subcommand)]
    Admin(admin::Admin),
}

#[derive(Args)]
pub(crate) struct ServeArgs {
    /// Address and port to serve on.
    #[arg(long)]
    listen: Option<String>,
    /// Address and port of the metrics listener.
    #[arg(long)]
    metrics_listen: Option<String>,
    /// Do not migrate at the start.
    #[arg(long)]
    no_migrate: bool,
    /// Leave the background work to `moneyer work`.
    #[arg(long)]
    no_workers: bool,
}

pub async fn run(cli: Cli) -> Result<(), Failure> {
    let mut sources = Sources {
        file: cli.config,
        flags: Vec::new(),
    };
    if let Some(url) = cli.database {
        sources.flags.push(("database.url", url));
    }
    match cli.command {
        Command::Demo(args) => crate::demo::run(args, sources).await,
        Command::Openapi => print_openapi(),
        Command::Settings => settings(&sources).map(|config| print!("{}", config.describe())),
        Command::Serve(args) => serve::serve(args, sources).await,
        Command::Work => serve::work(&sources).await,
        Command::Migrate { dry_run } => migrate(&sources, dry_run),
        Command::Check => check::check(&sources).await,
        Command::Admin(admin) => admin::run(admin, &sources).await,
    }
}

fn print_openapi() -> Result<(), Failure> {
    let text = openapi::render(&server::document()).map_err(Error::internal)?;
    print!("{text}");
    Ok(())
}

fn migrate(sources: &Sources, dry_run: bool) -> Result<(), Failure> {
    let app = open(&settings(sources)?)?;
    let report = app.db().migrate(dry_run)?;
    for version in &report.applied {
        println!("applied {version}");
    }
    for version in &report.pending {
        println!("pending {version}");
    }
    if report.applied.is_empty() && report.pending.is_empty() {
        println!("the schema is up to date");
    }
    Ok(())
}
