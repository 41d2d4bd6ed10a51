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
//! Units exist on the chain of a node that the demo starts, or in its book (*ground*); neither has a value.
//!
//! Source: the demo's part of the README, specs/demo.md.

mod announcement;
mod cast;
mod certhis;
mod collections;
mod exchange;
mod folder;
mod ground;
mod manifest;
mod node;
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
use crate::config::{Config, Log, Mode, Sources};
use crate::start::{self, Failure, bind};
use crate::telemetry;
use announcement::Announcement;
use folder::Folder;
use ground::Ground;
use secrets::Secrets;

/// What is printed for people is not to be lost among the steps of every transaction.
const QUIET: &str = "info,moneyer::settlement=warn,actix_server=warn,r2d2=off";

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
    /// Where units exist: evm (the default, on a node that the demo starts) or book.
    #[arg(long, value_parser = Settlement::parse)]
    settlement: Option<Settlement>,
    /// The EVM node's program, anvil. Without it: the one in contracts/node_modules, then the PATH, then npm installs it.
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
    let folder = Folder::open(&args.data, args.manifest.as_deref())?;
    let mut config = configure(&args, sources, &folder)?;
    telemetry::start_logs(&config.log).map_err(Failure::usage)?;
    let listener = bind(args.listen)?;
    let metrics = bind(args.metrics_listen)?;

    let how = if args.reset { Start::Anew } else { Start::Continue };
    let ground = Ground::choose(&args, &folder, how).await?;
    let mut secrets = place::claim(&config, &folder, how, ground.settlement()).await?;
    folder.remove_manifest()?;
    let node = ground.start(&folder, &secrets).await?;
    config.secrets = secrets.keys()?;
    config.chain = node.as_ref().map(|node| ground::chain(node, &secrets)).transpose()?;
    if let Some(chain) = &config.chain {
        config.minting.chain_name.clone_from(&chain.name);
    }
    let app = start::open(&config)?;
    start::prepare(&app, config.mode, true).await?;
    let cancel = CancellationToken::new();
    let settling = start::settle(&app, &config, secrets.demo.clone(), cancel.clone()).await;
    let settling = settling.map_err(|failure| ground::misfit(failure, &folder))?;
    fill(&app, &folder, &mut secrets).await?;

    let announcement = Announcement::new(&listener, &metrics, &folder, secrets, (ground, node.as_ref()))?;
    let working = start::work(&app, &config, cancel.clone());
    tokio::spawn(announcement.when_ready());
    start::run(app, &config, listener, metrics, cancel).await?;
    start::settled(settling).await;
    start::delivered(Some(working)).await;
    ground::stop(node).await
}

/// A demo is a development server; its listeners, its database, its chain and its keys are its own, whatever else is configured.
fn configure(args: &DemoArgs, mut sources: Sources, folder: &Folder) -> Result<Config, Failure> {
    let has_database = sources.flags.iter().any(|(setting, _)| *setting == "database.url");
    sources.flags.push(("mode", "development".to_owned()));
    let mut config = start::settings(&sources)?;
    config.mode = Mode::Development;
    config.server.listen = args.listen;
    config.metrics_listen = args.metrics_listen;
    config.chain = None;
    if config.log.filter == Log::FILTER_DEFAULT {
        config.log.filter = QUIET.to_owned();
    }
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
