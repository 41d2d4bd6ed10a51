//! A server with people, assets and recipients to try everything on.

use clap::Args;

use crate::config::Sources;
use crate::start::Failure;

#[derive(Args)]
pub struct DemoArgs {
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: String,
}

pub async fn run(args: DemoArgs, _: Sources) -> Result<(), Failure> {
    Err(Failure::usage(format!("{} not yet", args.listen)))
}
