//! The subcommands.
//!
//! Exit codes: 0 done; 1 it failed, or `check` found a fault; 2 settings, arguments or the place are wrong and nothing
//! was done; 3 `check` could not compare. Every failure is one sentence on standard error.

mod admin;
mod check;
mod custody;
mod environment;
mod keystore;
mod serve;
mod settlement;

use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::api::openapi;
use crate::config::Sources;
use crate::error::Error;
pub use crate::start::Failure;
use crate::start::{expect_secrets, open, open_existing, settings};
use crate::{server, telemetry};

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
    /// Compare ledger, operations, audit log and chain. Exit 1 when anything differs, 3 when it could not be compared.
    Check {
        /// Also print the head of every stream of the audit log, to be noted elsewhere.
        #[arg(long)]
        heads: bool,
    },
    /// Print the OpenAPI document of the asset API. A server has it at /openapi.json, and those of the other two APIs at
    /// /v1/openapi.json and /mint/openapi.json.
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
    // Those that serve log as their settings say; the others have a result to print, and warnings beside it.
    if matches!(
        cli.command,
        Command::Check { .. } | Command::Migrate { .. } | Command::Admin(_)
    ) {
        telemetry::start_warnings().map_err(Failure::usage)?;
    }
    match cli.command {
        Command::Demo(args) => crate::demo::run(args, sources).await,
        Command::Openapi => print_openapi(),
        Command::Settings => settings(&sources).and_then(|config| print_all(&config.describe())),
        Command::Serve(args) => serve::serve(args, sources).await,
        Command::Work => serve::work(&sources).await,
        Command::Migrate { dry_run } => migrate(&sources, dry_run),
        Command::Check { heads } => check::check(&sources, heads).await,
        Command::Admin(admin) => admin::run(admin, &sources).await,
    }
}

fn print_openapi() -> Result<(), Failure> {
    print_all(&openapi::render(&server::document()).map_err(Error::internal)?)
}

/// Whoever reads may have seen enough before the end.
fn print_all(text: &str) -> Result<(), Failure> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::internal(error).into()),
        Ok(()) | Err(_) => Ok(()),
    }
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
