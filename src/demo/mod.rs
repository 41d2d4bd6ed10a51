//! A server with people, assets and recipients to try everything on: `moneyer demo`.
//!
//! *World*: what the demo made in its database, with the keys and codes of its people. *Secrets*: the world and the
//! demo's own pepper and data key in `DIR/secrets.json`; only a demo keeps such things in clear, so that it can tell them
//! again at its next start. *Manifest*: the world and where it is served, for programs. *Mark*: the audit event by which
//! a demo knows its database again.
//!
//! Invariants: nothing is written to a database that holds anything but a demo's mark, and nothing of a demo is wiped
//! unless somebody said `--reset`, or it was stopped before it was ever ready. Every change is made by the functions that
//! the routes call, and leaves their audit events. The manifest appears, whole, once `/readyz` answers.
//!
//! Source: the demo's part of the README. Settlement is *book*: nothing here is on a chain or has a value.

mod announcement;
mod cast;
mod folder;
mod manifest;
mod offer;
mod place;
mod secrets;
mod seed;
mod setup;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::asset::Settlement;
use crate::config::{Config, Mode, Sources};
use crate::start::{self, Failure, bind};
use crate::telemetry;
use announcement::Announcement;
use folder::Folder;
use secrets::Secrets;

#[derive(Args)]
pub struct DemoArgs {
    /// Address and port to serve on.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Address and port of the metrics listener; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    metrics_listen: SocketAddr,
    /// The demo's own folder: its database, unless --database names one, and its keys.
    #[arg(long, default_value = "./data/demo")]
    data: PathBuf,
    /// Where units exist: book (the default, and all that the demo has) or evm.
    #[arg(long, value_parser = Settlement::parse)]
    settlement: Option<Settlement>,
    /// The EVM node's program; settlement in the book needs none.
    #[arg(long)]
    node: Option<PathBuf>,
    /// Where the manifest is written; DIR/manifest.json without it.
    #[arg(long)]
    manifest: Option<PathBuf>,
    /// Begin anew: wipes what a demo made, and nothing else.
    #[arg(long)]
    reset: bool,
}

/// What a start does with what an earlier one left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    Continue,
    Anew,
}

pub async fn run(args: DemoArgs, sources: Sources) -> Result<(), Failure> {
    refuse_evm(args.settlement)?;
    let folder = Folder::open(&args.data, args.manifest.as_deref())?;
    let mut config = configure(&args, sources, &folder)?;
    telemetry::start_logs(&config.log).map_err(Failure::usage)?;
    let listener = bind(args.listen)?;
    let metrics = bind(args.metrics_listen)?;

    let how = if args.reset { Start::Anew } else { Start::Continue };
    let mut secrets = place::claim(&config, &folder, how).await?;
    folder.remove_manifest()?;
    config.secrets = secrets.keys()?;
    let app = start::open(&config)?;
    start::prepare(&app, config.mode, true).await?;
    fill(&app, &folder, &mut secrets).await?;

    let announcement = Announcement::new(&listener, &metrics, &folder, secrets)?;
    let cancel = CancellationToken::new();
    start::work(&app, cancel.clone());
    tokio::spawn(announcement.when_ready());
    start::run(app, &config, listener, metrics, cancel).await
}

fn refuse_evm(settlement: Option<Settlement>) -> Result<(), Failure> {
    match settlement {
        None | Some(Settlement::Book) => Ok(()),
        Some(Settlement::Evm) => Err(Failure::usage(
            "the demo does not settle on a chain: leave --settlement evm out and it settles in its book; a server with chain.rpc and a signer does",
        )),
    }
}

/// A demo is a development server; its listeners, its database and its keys are its own, whatever else is configured.
fn configure(args: &DemoArgs, mut sources: Sources, folder: &Folder) -> Result<Config, Failure> {
    let has_database = sources.flags.iter().any(|(setting, _)| *setting == "database.url");
    sources.flags.push(("mode", "development".to_owned()));
    let mut config = start::settings(&sources)?;
    config.mode = Mode::Development;
    config.server.listen = args.listen;
    config.metrics_listen = args.metrics_listen;
    if !has_database {
        config.database.url = folder.database_url();
    }
    Ok(config)
}

/// Makes the world at the first start; later only the sanctions list is renewed, which would be too old after a week.
async fn fill(app: &App, folder: &Folder, secrets: &mut Secrets) -> Result<(), Failure> {
    if secrets.world.is_some() {
        return Ok(seed::renew_sanctions(app).await?);
    }
    secrets.world = Some(seed::make_world(app, secrets).await?);
    secrets.save(folder)
}
