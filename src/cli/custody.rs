//! What an operator does for people whose wallets we keep.

use clap::Subcommand;

use super::Failure;
use crate::app::App;
use crate::custody::{self, Email, Handover, Holding, Outcome, Place};
use crate::types::{Address, Timestamp, TokenId};

#[derive(Subcommand)]
pub(super) enum CustodyCommand {
    /// Show the wallet of an e-mail address and what it holds.
    Show {
        #[arg(long)]
        email: String,
    },
    /// Send what the wallet of an e-mail address holds to a wallet that its owner names: one transaction per token. The
    /// wallet pays for gas; when it cannot, this says how much to send there.
    Send {
        #[arg(long)]
        email: String,
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

pub(super) async fn run(app: &App, now: Timestamp, command: CustodyCommand) -> Result<(), Failure> {
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
            send(app, now, &email, to, &chosen).await
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

async fn send(app: &App, now: Timestamp, email: &str, to: Address, chosen: &Chosen) -> Result<(), Failure> {
    let rpc = app
        .rpc()
        .ok_or_else(|| Failure::usage("chain.rpc is not set: there is nowhere to send to"))?;
    let wallet = wallet_of(app, email)?;
    let from = wallet.address();
    if to.is_zero() || to == from {
        return Err(Failure::usage("--to must be another wallet"));
    }
    let held = app.db().read(move |tx| custody::holdings(tx, &from)).await?;
    let held: Vec<Holding> = held.into_iter().filter(|holding| chosen.has(holding)).collect();
    if held.is_empty() {
        return Err(Failure::usage(format!("{from} holds nothing of that")));
    }
    let place = Place { db: app.db(), rpc, now };
    let resumed = custody::resume(&place, &wallet).await?;
    if let Some((handover, outcome)) = &resumed {
        told(outcome, from, &format!("{} (begun earlier)", handover.token_id))?;
    }
    let is_resumed = |holding: &Holding| {
        let same = |one: &Handover| one.collection == holding.collection.id && one.token_id == holding.token_id;
        resumed.as_ref().is_some_and(|(handover, _)| same(handover))
    };
    for holding in held.into_iter().filter(|holding| !is_resumed(holding)) {
        let outcome = custody::hand_over(&place, &wallet, &holding, to).await?;
        told(&outcome, from, &line(&holding))?;
    }
    Ok(())
}

fn told(outcome: &Outcome, from: Address, what: &str) -> Result<(), Failure> {
    let failed = |message: String| Err(Failure { code: 1, message });
    match outcome {
        Outcome::Done(transaction) => {
            println!("sent  {what}  in {transaction}");
            Ok(())
        }
        Outcome::Unfunded(missing) => failed(format!(
            "{from} cannot pay for gas: send {missing} wei there, then run this again"
        )),
        Outcome::Reverted(transaction) => failed(format!("the contract refused in {transaction}: nothing moved")),
        Outcome::Waiting(transaction) => failed(format!(
            "{transaction} is sent and not final yet: run this again to go on watching"
        )),
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
    let custody = custody.ok_or_else(|| Failure::usage("certhis.email_wallets is off: there are no such wallets"))?;
    let email = Email::parse(email).map_err(|error| Failure::usage(format!("--email {error}")))?;
    Ok(custody.wallet(&email)?)
}

fn address(flag: &str, text: &str) -> Result<Address, Failure> {
    Address::parse(text).map_err(|error| Failure::usage(format!("{flag} {error}")))
}
