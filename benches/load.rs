//! The load bench: the real server in its own process, driven over HTTP. Each sub-command prints one line of JSON.
//!
//! `bin/bench mint …` measures; `bin/bench kill …` kills the server again and again and compares what it acknowledged
//! with what it has.

#![allow(dead_code, reason = "each kind of load uses its own part of the modules")]
#![expect(
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "figures are rounded anyway, and a benchmark that is wrong should stop"
)]

#[path = "load/ceiling.rs"]
mod ceiling;
#[path = "load/client.rs"]
mod client;
#[path = "load/journal.rs"]
mod journal;
#[path = "load/mint.rs"]
mod mint;
#[path = "load/order.rs"]
mod order;
#[path = "load/place.rs"]
mod place;
#[path = "load/server.rs"]
mod server;
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
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let maintenance = arguments.postgres.as_deref();
    let outcome = match &arguments.command {
        Command::Mint(args) => mint::run(args, maintenance),
    };
    match outcome {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
