use super::{Failure, open_existing, settings};
use crate::app::App;
use crate::chain::Rpc;
use crate::config::{Config, Sources};
use crate::db::Page;
use crate::error::Error;
use crate::{audit, reports, settlement};

pub(super) async fn check(sources: &Sources, heads: bool) -> Result<(), Failure> {
    let config = settings(sources)?;
    let app = open_existing(&config).await.map_err(uncompared)?;
    let found = app.db().snapshot(reports::verify).await.map_err(unanswered)?;
    if heads {
        print_heads(&app).await.map_err(unanswered)?;
    }
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

/// What was compared agreed or did not; whoever did not answer is another matter.
fn unanswered(error: Error) -> Failure {
    uncompared(error.into())
}

fn uncompared(failure: Failure) -> Failure {
    match failure.code {
        1 => Failure { code: 3, ..failure },
        _ => failure,
    }
}

async fn print_heads(app: &App) -> Result<(), Error> {
    let mut page = Page::first(Page::LIMIT_MAX);
    loop {
        let asked = page.clone();
        let (heads, next) = app.db().read(move |tx| audit::heads(tx, None, &asked)).await?;
        for head in heads {
            println!("head {} {} {}", head.stream, head.sequence, head.head);
        }
        match next {
            Some(cursor) => page.cursor = Some(cursor),
            None => return Ok(()),
        }
    }
}

/// Where books and chain differ; nothing when no chain is configured.
async fn drift(app: &App, config: &Config) -> Result<Vec<String>, Failure> {
    let Some(chain) = &config.chain else {
        return Ok(Vec::new());
    };
    let rpc = Rpc::connect(chain).map_err(|failure| Failure::usage(failure.to_string()))?;
    let Some(found) = settlement::reconcile(app.db(), &rpc).await.map_err(unanswered)? else {
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
