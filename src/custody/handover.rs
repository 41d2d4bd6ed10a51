//! A token goes from a custodial wallet to one that its owner names: one transaction, signed by the custodial key.
//!
//! Source of its rules: specs/chain.md, rules 1 to 5, for a sender that sends one transaction after the other.

use std::time::Duration;

use serde_json::{Value, json};

use super::store;
use super::wallet::CustodialWallet;
use crate::audit::{self, Event, Stream};
use crate::chain::contracts::collection as contract;
use crate::chain::{Call, Rpc, Sent, Signed, Transaction, View};
use crate::collection::{self, Collection, ContractType, OwnerFilter, Window};
use crate::db::{Db, Tx};
use crate::error::{Error, Issue};
use crate::types::{Address, Amount, AssetId, Hash32, Timestamp, TokenId};

/// Percent of the estimate that a transaction may use: the state may change until it is mined.
const GAS_PERCENT: u64 = 130;
/// How often it is looked whether a transaction is final, and for how long by one command.
const LOOK: Duration = Duration::from_secs(1);
const LOOKS: u32 = 600;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandoverStatus {
    /// Signed and kept, perhaps sent.
    Signed,
    Done,
    /// In a final block, and nothing moved.
    Reverted,
}

impl HandoverStatus {
    pub const fn text(self) -> &'static str {
        match self {
            Self::Signed => "signed",
            Self::Done => "done",
            Self::Reverted => "reverted",
        }
    }
}

/// One transaction of a custodial wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    pub wallet: Address,
    pub nonce: u64,
    pub collection: AssetId,
    pub token_id: TokenId,
    pub amount: Amount,
    pub recipient: Address,
    pub signed: Signed,
}

/// What a wallet holds of one token, as the register says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    pub collection: Collection,
    pub token_id: TokenId,
    pub amount: Amount,
}

/// How far one command came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The token is the recipient's, in this final transaction.
    Done(Hash32),
    /// The contract refused in this final transaction; the token is where it was.
    Reverted(Hash32),
    /// The wallet cannot pay for gas: it lacks so many wei. Nothing was signed.
    Unfunded(Amount),
    /// It was sent and is not final yet: run it again to go on watching.
    Waiting(Hash32),
}

/// Everything that the wallet holds.
pub fn holdings(tx: &mut Tx<'_>, wallet: &Address) -> Result<Vec<Holding>, Error> {
    let filter = OwnerFilter {
        accounts: vec![*wallet],
        ..OwnerFilter::default()
    };
    let (mut holdings, mut window) = (Vec::new(), Window::first(Window::LIMIT_MAX));
    loop {
        let page = collection::owners(tx, &filter, &window)?;
        let ids: Vec<AssetId> = page.items.iter().map(|one| one.collection).collect();
        let collections = collection::find_many(tx, &ids)?;
        holdings.extend(page.items.into_iter().filter_map(|one| {
            Some(Holding {
                collection: collections.get(&one.collection)?.clone(),
                token_id: one.token_id,
                amount: one.balance,
            })
        }));
        match page.next {
            Some(cursor) => window.cursor = Some(cursor),
            None => return Ok(holdings),
        }
    }
}

/// Where a hand-over happens.
pub struct Place<'p> {
    pub db: &'p Db,
    pub rpc: &'p Rpc,
    /// Asked at each step: a block may take minutes.
    pub now: &'p (dyn Fn() -> Timestamp + Send + Sync),
}

/// Goes on with what an earlier command began, if it left a transaction open: it is sent again, never signed again.
pub async fn resume(place: &Place<'_>, wallet: &CustodialWallet) -> Result<Option<(Handover, Outcome)>, Error> {
    let address = wallet.address();
    let open = place.db.read(move |tx| store::open_handover(tx, &address)).await?;
    let Some(open) = open else { return Ok(None) };
    let outcome = place.finish(open.clone()).await?;
    Ok(Some((open, outcome)))
}

/// Hands a token over. What was signed is in the database before it is sent: after a crash [`resume`] goes on.
///
/// Errors: `Invalid` when the contract would refuse (with its reason); `Conflict` while another transaction of the wallet
/// is open; `Unavailable` when the chain is away.
pub async fn hand_over(
    place: &Place<'_>,
    wallet: &CustodialWallet,
    holding: &Holding,
    recipient: Address,
) -> Result<Outcome, Error> {
    let address = wallet.address();
    if place
        .db
        .read(move |tx| store::open_handover(tx, &address))
        .await?
        .is_some()
    {
        return Err(Error::Conflict("A transaction of this wallet is on its way".to_owned()));
    }
    let view = place.view(&address, &[]).await?;
    let call = call_of(&address, holding, recipient);
    let gas = place.gas(&call).await?;
    let transaction = Transaction {
        chain_id: place.rpc.chain_id(),
        nonce: view.count,
        to: Some(call.to),
        value: Amount::ZERO,
        data: call.data,
        gas_limit: gas,
        fees: view.suggested,
    };
    let cost = transaction
        .cost_max()
        .ok_or_else(|| Error::internal("the cost of a transaction"))?;
    if let Some(missing) = cost.checked_sub(view.balance).filter(|missing| !missing.is_zero()) {
        return Ok(Outcome::Unfunded(missing));
    }
    let signed = wallet
        .signer()
        .await?
        .sign(&transaction)
        .await
        .map_err(Error::internal)?;
    let handover = Handover {
        wallet: address,
        nonce: transaction.nonce,
        collection: holding.collection.id,
        token_id: holding.token_id,
        amount: holding.amount,
        recipient,
        signed,
    };
    let (row, now) = (handover.clone(), (place.now)());
    let keep = move |tx: &mut Tx<'_>| {
        store::insert_handover(tx, &row, now)?;
        record(tx, &row, "custody.handover_signed", now)
    };
    place.db.write(keep).await?;
    place.finish(handover).await
}

/// To a contract only when it takes such tokens (the safe kind): what a person names by mistake does not swallow it.
fn call_of(wallet: &Address, holding: &Holding, recipient: Address) -> Call {
    let id = holding.token_id.amount();
    let data = match holding.collection.contract_type() {
        ContractType::Erc721 => contract::safe_transfer_721(*wallet, recipient, id),
        ContractType::Erc1155 => contract::safe_transfer_1155(*wallet, recipient, id, holding.amount),
    };
    Call {
        from: *wallet,
        to: holding.collection.address,
        data,
    }
}

impl Place<'_> {
    /// Sends, and watches until it is final.
    async fn finish(&self, handover: Handover) -> Result<Outcome, Error> {
        let hash = handover.signed.hash;
        for _ in 0..LOOKS {
            let view = self.view(&handover.wallet, &[hash]).await?;
            let receipt = view.receipts.get(&hash).and_then(Option::as_ref);
            match receipt {
                Some(receipt) if receipt.block_number <= view.finalized => {
                    return self.end(handover, receipt.success).await;
                }
                Some(_) => {}
                None if view.count > handover.nonce => {
                    return Err(Error::Conflict(format!(
                        "nonce {} of {} was used by another transaction than {hash}: somebody else has the seed",
                        handover.nonce, handover.wallet
                    )));
                }
                None => self.send(&handover).await,
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(Outcome::Waiting(hash))
    }

    /// Safe to repeat: the same bytes.
    async fn send(&self, handover: &Handover) {
        match self.rpc.send(&handover.signed.raw).await {
            Sent::Accepted => {}
            Sent::Unclear(reason) | Sent::Refused(reason) => {
                tracing::warn!(%reason, tx.hash = %handover.signed.hash, "a hand-over was not taken by the node");
            }
        }
    }

    async fn end(&self, handover: Handover, success: bool) -> Result<Outcome, Error> {
        let (hash, now) = (handover.signed.hash, (self.now)());
        let (status, action, outcome) = match success {
            true => (HandoverStatus::Done, "custody.handed_over", Outcome::Done(hash)),
            false => (
                HandoverStatus::Reverted,
                "custody.handover_reverted",
                Outcome::Reverted(hash),
            ),
        };
        let write = move |tx: &mut Tx<'_>| {
            if store::end_handover(tx, &handover, status, now)? {
                record(tx, &handover, action, now)?;
            }
            Ok(())
        };
        self.db.write(write).await?;
        Ok(outcome)
    }

    async fn view(&self, wallet: &Address, hashes: &[Hash32]) -> Result<View, Error> {
        let view = self.rpc.view(wallet, hashes, &[]).await;
        view.map_err(|failure| {
            tracing::warn!(%failure, "the chain could not be read");
            Error::Unavailable("the chain does not answer")
        })
    }

    async fn gas(&self, call: &Call) -> Result<u64, Error> {
        let estimate = self.rpc.estimate_gas(call).await;
        let estimate = estimate.map_err(|failure| {
            tracing::warn!(%failure, "gas could not be estimated");
            Error::Unavailable("the chain does not answer")
        })?;
        let gas = estimate.map_err(|revert| {
            let message = format!("the contract refuses: {}", revert.reason);
            Error::Invalid(vec![Issue::new("to", "refused", message)])
        })?;
        let gas = gas.saturating_mul(GAS_PERCENT).div_euclid(100);
        Ok(gas.min(self.rpc.gas_per_transaction_max()))
    }
}

fn record(tx: &mut Tx<'_>, handover: &Handover, action: &'static str, now: Timestamp) -> Result<(), Error> {
    let data: Value = json!({
        "amount": handover.amount, "from": handover.wallet, "nonce": handover.nonce.to_string(),
        "to": handover.recipient, "tokenId": handover.token_id, "transaction": handover.signed.hash,
    });
    let event = Event {
        stream: Stream::Asset(handover.collection),
        actor: "admin".to_owned(),
        action,
        asset: Some(handover.collection),
        operation: None,
        subjects: vec![handover.wallet, handover.recipient],
        data,
    };
    audit::append(tx, now, vec![event])
}
