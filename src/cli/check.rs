use super::{Failure, open, settings};
use crate::app::App;
use crate::chain::Rpc;
use crate::config::{Config, Sources};
use crate::{reports, settlement};

pub(super) async fn check(sources: &Sources) -> Result<(), Failure> {
    let config = settings(sources)?;
    let app = open(&config)?;
    let found = app.db().snapshot(reports::verify).await?;
    println!(
        "{} assets, {} mints, {} recipients compared",
        found.assets, found.mints, found.recipients
    );
    if found.faults.is_empty() {
        println!("sound: ledger, operations and audit log agree");
    }
    let mut faults = found.faults;
    faults.extend(drift(&app, &config).await?);
    if faults.is_empty() {
        return Ok(());
    }
    for fault in &faults {
        println!("FAULT {fault}");
    }
    Err(Failure {
        code: 1,
        message: format!("{} faults", faults.len()),
    })
}

/// Where books and chain differ; nothing when no chain is configured.
async fn drift(app: &App, config: &Config) -> Result<Vec<String>, Failure> {
    let Some(chain) = &config.chain else {
        return Ok(Vec::new());
    };
    let rpc = Rpc::connect(chain).map_err(|failure| Failure::usage(failure.to_string()))?;
    let Some(found) = settlement::reconcile(app.db(), &rpc).await? else {
        println!("the chain was not compared: something is about to be posted, try again in a moment");
        return Ok(Vec::new());
    };
    println!(
        "{} assets and {} of their logs compared with the chain up to block {}",
        found.assets, found.logs, found.block
    );
    if found.drift.is_empty() {
        println!("sound: books and chain agree");
    }
    Ok(found.drift)
}
