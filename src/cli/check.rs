use super::{Failure, open, settings};
use crate::config::Sources;
use crate::reports;

pub(super) async fn check(sources: &Sources) -> Result<(), Failure> {
    let app = open(&settings(sources)?)?;
    let found = app.db().snapshot(reports::verify).await?;
    println!(
        "{} assets, {} mints, {} recipients compared",
        found.assets, found.mints, found.recipients
    );
    if found.faults.is_empty() {
        println!("sound: ledger, operations and audit log agree");
        return Ok(());
    }
    for fault in &found.faults {
        println!("FAULT {fault}");
    }
    Err(Failure {
        code: 1,
        message: format!("{} faults", found.faults.len()),
    })
}
