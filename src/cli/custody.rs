//! What an operator does for people whose wallets we keep.

use clap::Subcommand;

use super::Failure;
use crate::app::App;
use crate::custody::{self, Email, Holding, Outcome, Place, Step, Subject};
use crate::types::{Address, TokenId};

#[derive(Subcommand)]
pub(super) enum CustodyCommand {
    /// Show the wallet of an e-mail address and what it holds.
    Show {
        /// Whose wallet.
        #[arg(long)]
        email: String,
    },
    /// Send what the wallet of an e-mail address holds to a wallet that its owner names: one transaction per token. The
    /// wallet pays for gas; when it cannot, this says how much to send there.
    Send {
        /// Whose tokens are sent.
        #[arg(long)]
        email: String,
        /// The wallet that its owner names.
        #[arg(long)]
        to: String,
        /// Only tokens of this contract.
        #[arg(long)]
        collection: Option<String>,
        /// Only this token.
        #[arg(long, requires = "collection")]
        token: Option<String>,
    },
}

/// Which tokens are sent.
#[derive(Default)]
struct Chosen {
    collection: Option<Address>,
    token: Option<TokenId>,
}

impl Chosen {
    fn has(&self, holding: &Holding) -> bool {
        self.collection
            .is_none_or(|address| holding.collection.address == address)
            && self.token.is_none_or(|token| holding.token_id == token)
    }
}

pub(super) async fn run(app: &App, command: CustodyCommand) -> Result<(), Failure> {
    match command {
        CustodyCommand::Show { email } => show(app, &email).await,
        CustodyCommand::Send {
            email,
            to,
            collection,
            token,
        } => {
            let to = address("--to", &to)?;
            let token = token.map(|text| {
                let token = TokenId::parse(&text);
                token.map_err(|error| Failure::usage(format!("--token {error}")))
            });
            let chosen = Chosen {
                collection: collection.map(|text| address("--collection", &text)).transpose()?,
                token: token.transpose()?,
            };
            send(app, &email, to, &chosen).await
        }
    }
}

async fn show(app: &App, email: &str) -> Result<(), Failure> {
    let wallet = wallet_of(app, email)?.address();
    println!("{wallet}");
    for holding in app.db().read(move |tx| custody::holdings(tx, &wallet)).await? {
        println!("  {}", line(&holding));
    }
    Ok(())
}

async fn send(app: &App, email: &str, to: Address, chosen: &Chosen) -> Result<(), Failure> {
    let rpc = app
        .rpc()
        .ok_or_else(|| Failure::usage("chain.rpc is not set: there is nowhere to send to"))?;
    let wallet = wallet_of(app, email)?;
    let from = wallet.address();
    if to.is_zero() || to == from {
        return Err(Failure::usage("--to must be another wallet"));
    }
    let now = || app.now();
    let place = Place {
        db: app.db(),
        rpc,
        now: &now,
    };
    let steps = custody::send(&place, &wallet, to, |holding| chosen.has(holding), tell).await?;
    if steps.is_empty() {
        return Err(Failure::usage(format!("{from} holds nothing of that")));
    }
    let open: Vec<String> = steps.iter().filter_map(|step| failure(step, from)).collect();
    if open.is_empty() {
        return Ok(());
    }
    Err(Failure {
        code: 1,
        message: format!("{} of {} failed:\n  {}", open.len(), steps.len(), open.join("\n  ")),
    })
}

/// As soon as it is known: each waits for its block.
fn tell(step: &Step) {
    if let Ok(Outcome::Done(transaction)) = &step.outcome {
        println!("sent  {}  in {transaction}", named(&step.what));
    }
}

/// Why a step is not done.
fn failure(step: &Step, from: Address) -> Option<String> {
    let why = match &step.outcome {
        Ok(Outcome::Done(_)) => return None,
        Ok(Outcome::Unfunded(missing)) => {
            format!("{from} cannot pay for gas: send {missing} wei there, then run this again")
        }
        Ok(Outcome::Reverted(transaction)) => format!("the contract refused in {transaction}: nothing moved"),
        Ok(Outcome::Waiting(transaction)) => {
            format!("{transaction} is sent and not final yet, and the others wait for it: run this again")
        }
        Err(error) => error.to_string(),
    };
    Some(format!("{}: {why}", named(&step.what)))
}

fn named(subject: &Subject) -> String {
    match subject {
        Subject::Begun(handover) => format!("token {} to {} (begun earlier)", handover.token_id, handover.recipient),
        Subject::Holding(holding) => line(holding),
    }
}

fn line(holding: &Holding) -> String {
    format!(
        "{} token {} × {}",
        holding.collection.address, holding.token_id, holding.amount
    )
}

fn wallet_of(app: &App, email: &str) -> Result<custody::CustodialWallet, Failure> {
    let custody = app.custody();
    let custody = custody.ok_or_else(|| {
        Failure::usage(
            "certhis.email_wallets is off: switch it on, with the seed of then, to reach wallets that were kept",
        )
    })?;
    let email = Email::parse(email).map_err(|error| Failure::usage(format!("--email {error}")))?;
    Ok(custody.wallet(&email)?)
}

fn address(flag: &str, text: &str) -> Result<Address, Failure> {
    Address::parse(text).map_err(|error| Failure::usage(format!("{flag} {error}")))
}
