//! What an operator does about transactions that need a person.

use std::time::Duration;

use clap::Subcommand;

use super::Failure;
use crate::app::App;
use crate::error::Error;
use crate::operation::{self, Operation};
use crate::settlement::{self, Case, Decision, ForeignUse, Health, Progress};
use crate::types::{OperationId, Timestamp};

/// How long a decision waits for the process that carries it out.
const PATIENCE_LOOKS: u32 = 50;
const LOOK: Duration = Duration::from_millis(200);
/// Operations that are told at once.
const OPERATIONS_MAX: i64 = 500;

#[derive(Subcommand)]
pub(super) enum SettlementCommand {
    /// List what needs a person: nonces with their transactions, and operations.
    List,
    /// Decide what became of a nonce; the process that settles carries it out.
    Resolve {
        /// Of the signer, as `list` shows it.
        nonce: u64,
        /// again: nothing of it happened, its operations are planned anew; failed: they have failed; done: what was asked
        /// for is so. A nonce whose transactions the node refused is signed anew with again. Compare with a block explorer
        /// first: planning again what was mined after all does it twice.
        #[arg(long = "as", value_parser = Decision::parse, value_name = "again|failed|done")]
        decision: Decision,
        /// Why, for the audit log.
        #[arg(long)]
        reason: String,
    },
    /// Say that you know of the nonces up to this one that others used with the signer's key; the process that settles goes
    /// on sending. After a restore: first compare what waits (`list`) with a block explorer.
    Acknowledge {
        /// The last one that others used, as `list` shows it.
        nonce: u64,
        /// A waiting operation that is done on the chain already, or is not to be done: it fails. May be repeated.
        #[arg(long, value_parser = OperationId::parse, value_name = "OPERATION")]
        failed: Vec<OperationId>,
        /// Why, for the audit log.
        #[arg(long)]
        reason: String,
    },
}

pub(super) async fn run(app: &App, now: Timestamp, command: SettlementCommand) -> Result<(), Failure> {
    match command {
        SettlementCommand::List => list(app).await,
        SettlementCommand::Resolve {
            nonce,
            decision,
            reason,
        } => resolve(app, now, nonce, decision, reason).await,
        SettlementCommand::Acknowledge { nonce, failed, reason } => {
            let written = app
                .db()
                .write(move |tx| settlement::acknowledge(tx, nonce, &failed, &reason, now));
            written.await.map_err(usage)?;
            println!("acknowledged up to nonce {nonce}: a server that settles goes on when it looks at the chain next");
            Ok(())
        }
    }
}

async fn list(app: &App) -> Result<(), Failure> {
    let now = app.now();
    let (foreign, cases, operations, health) = app
        .db()
        .read(move |tx| {
            let operations = operation::needing_a_person(tx, OPERATIONS_MAX)?;
            let (foreign, cases) = (settlement::foreign_use(tx)?, settlement::cases(tx)?);
            Ok((foreign, cases, operations, settlement::health(tx, now)?))
        })
        .await?;
    // What concerns the signer or the node as a whole has neither a nonce nor an operation.
    if let Some(Health::Degraded(trouble)) = health {
        println!("the chain: {trouble}");
    }
    if let Some(foreign) = &foreign {
        println!("{}", told(foreign));
    }
    for case in &cases {
        println!("{}", described(case));
    }
    let is_told = |one: &Operation| {
        cases
            .iter()
            .flat_map(|case| &case.operations)
            .any(|known| known.id == one.id)
    };
    let others: Vec<&Operation> = operations.iter().filter(|operation| !is_told(operation)).collect();
    for operation in &others {
        println!("{}", line_of(operation));
    }
    if foreign.is_none() && cases.is_empty() && others.is_empty() {
        println!("no nonce and no operation needs a person");
    }
    Ok(())
}

fn told(foreign: &ForeignUse) -> String {
    let (sender, last, rows_end, since) = (foreign.sender, foreign.last, foreign.rows_end, foreign.since);
    let mut text = format!(
        "key_used_elsewhere since {since}: the chain has transactions of {sender} up to nonce {last}, this database has \
         {rows_end} nonces"
    );
    if foreign.held.is_some() {
        text.push_str(
            "\n  They were there when settlement began: this may be a restored backup, and nothing new is sent.\n  Compare \
             what waits with the transactions of these nonces; what is done there already is named with --failed OPERATION.",
        );
    }
    text.push_str(&format!(
        "\n  Then: moneyer admin settlement acknowledge {last} --reason …"
    ));
    for operation in foreign.held.iter().flatten() {
        text.push_str("\n  waits: ");
        text.push_str(&line_of(operation));
    }
    text
}

fn described(case: &Case) -> String {
    let since = case.since.map_or_else(String::new, |since| format!(" since {since}"));
    let mut text = format!(
        "nonce {} ({}, {}): {}{since}",
        case.nonce, case.kind, case.state, case.attention
    );
    for transaction in &case.transactions {
        text.push_str(&format!("\n  signed: {transaction}"));
    }
    for operation in &case.operations {
        text.push_str("\n  ");
        text.push_str(&line_of(operation));
    }
    text
}

fn line_of(operation: &Operation) -> String {
    let (id, kind, asset) = (operation.id, operation.kind.text(), operation.asset);
    let why = match (&operation.attention, &operation.error) {
        (Some((reason, _)), _) => format!(": {reason}"),
        (None, Some(error)) => format!(": {error}"),
        (None, None) => String::new(),
    };
    format!(
        "operation {id} ({kind} of asset {asset}, {}){why}",
        operation.status.text()
    )
}

async fn resolve(app: &App, now: Timestamp, nonce: u64, decision: Decision, reason: String) -> Result<(), Failure> {
    app.db()
        .write(move |tx| settlement::decide(tx, nonce, decision, &reason, now))
        .await
        .map_err(usage)?;
    for _look in 0..PATIENCE_LOOKS {
        match app.db().write(move |tx| settlement::progress(tx, nonce)).await? {
            Progress::Done => {
                println!("nonce {nonce} is resolved: {}", decision.code());
                return Ok(());
            }
            Progress::Refused(why) => return Err(Failure { code: 1, message: why }),
            Progress::Waits => tokio::time::sleep(LOOK).await,
        }
    }
    println!("noted: nonce {nonce} is resolved when a server that settles looks at the chain next");
    Ok(())
}

/// Nothing was written.
fn usage(error: Error) -> Failure {
    match error {
        Error::Conflict(problem) => Failure::usage(problem),
        Error::Invalid(_) | Error::NotFound(_) => Failure::usage(error.to_string()),
        other => other.into(),
    }
}
