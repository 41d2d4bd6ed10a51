//! The load bench: the real server in its own process, driven over HTTP. Each sub-command prints one line of JSON.
//!
//! `bin/bench mint …` measures; `bin/bench kill …` kills the server again and again and compares what it acknowledged
//! with what it has; `bin/bench settle …` measures settlement on a node, `bin/bench nft …` that of tokens.

#![expect(
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "figures are rounded anyway, and a benchmark that is wrong should stop"
)]

#[path = "load/bare.rs"]
mod bare;
#[path = "load/ceiling.rs"]
mod ceiling;
#[path = "load/chaos.rs"]
mod chaos;
#[path = "load/client.rs"]
mod client;
#[path = "load/evil.rs"]
mod evil;
#[path = "load/journal.rs"]
mod journal;
#[path = "load/kill.rs"]
mod kill;
#[path = "load/logs.rs"]
mod logs;
#[path = "load/mint.rs"]
mod mint;
#[path = "load/nft.rs"]
mod nft;
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    reason = "the tests' own, which fail by panicking"
)]
#[path = "../tests/support/node.rs"]
mod node;
#[path = "load/order.rs"]
mod order;
#[path = "load/people.rs"]
mod people;
#[path = "load/person.rs"]
mod person;
#[path = "load/place.rs"]
mod place;
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    reason = "the tests' own, which fail by panicking"
)]
#[path = "../tests/support/proxy.rs"]
mod proxy;
#[path = "load/reconcile.rs"]
mod reconcile;
#[path = "load/server.rs"]
mod server;
#[path = "load/settle.rs"]
mod settle;
#[path = "load/world.rs"]
mod world;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Parser)]
#[command(name = "bin/bench")]
struct Arguments {
    /// Cargo says so to every benchmark.
    #[arg(long, hide = true, global = true)]
    bench: bool,
    /// Any database of the PostgreSQL server to use; bin/bench sets it.
    #[arg(
        long,
        hide = true,
        global = true,
        env = "MONEYER_TEST_POSTGRES",
        hide_env_values = true
    )]
    postgres: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Mints per second over HTTP, with real keys and PINs.
    Mint(mint::MintArgs),
    /// Random faults of network, node, chain and processes while mints settle on a local chain; exit code 1 when anything was
    /// lost or doubled.
    ChaosChain(chaos::ChaosArgs),
    /// SIGKILL at random moments under load; exit code 1 when anything was lost or doubled.
    Kill(kill::KillArgs),
    /// Mint requests of many clients for one collection, until their tokens are final on a node; exit code 1 when one is lost
    /// or doubled.
    Nft(nft::NftArgs),
    /// Mints that come all at once, until they are final on a node; exit code 1 when one is lost, doubled or split.
    Settle(settle::SettleArgs),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let maintenance = arguments.postgres.as_deref();
    let outcome = match &arguments.command {
        Command::Mint(args) => mint::run(args, maintenance).map(|line| (line, true)),
        Command::ChaosChain(args) => chaos_report(args, maintenance),
        Command::Kill(args) => kill_report(args, maintenance),
        Command::Nft(args) => nft_report(args, maintenance),
        Command::Settle(args) => settle_report(args, maintenance),
    };
    match outcome {
        Ok((line, is_sound)) => {
            println!("{line}");
            if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The line, and whether the run is sound.
fn kill_report(args: &kill::KillArgs, maintenance: Option<&str>) -> Outcome<(String, bool)> {
    let report = kill::run(args, maintenance)?.judge(args)?;
    Ok((serde_json::to_string(&report)?, report.is_sound()))
}

fn settle_report(args: &settle::SettleArgs, maintenance: Option<&str>) -> Outcome<(String, bool)> {
    let report = settle::run(args, maintenance)?;
    Ok((serde_json::to_string(&report)?, report.is_sound()))
}

fn nft_report(args: &nft::NftArgs, maintenance: Option<&str>) -> Outcome<(String, bool)> {
    let report = nft::run(args, maintenance)?;
    Ok((serde_json::to_string(&report)?, report.is_sound()))
}

fn chaos_report(args: &chaos::ChaosArgs, maintenance: Option<&str>) -> Outcome<(String, bool)> {
    let report = chaos::run(args, maintenance)?;
    Ok((serde_json::to_string(&report)?, report.is_sound()))
}
