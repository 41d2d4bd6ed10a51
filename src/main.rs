//! Arguments and configuration; starts one subcommand. See `moneyer --help`.

use std::process::ExitCode;

use clap::Parser;
use moneyer::cli::{Cli, Failure, run};

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, message }) => {
            eprintln!("moneyer: {message}");
            ExitCode::from(code)
        }
    }
}
