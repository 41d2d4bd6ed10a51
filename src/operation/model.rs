use serde_json::{Value, json};

use crate::error::Error;
use crate::types::{Amount, AssetId, Hash32, OperationId, RequestId, Timestamp, UserId};

/// What the contract of a collection says of itself for good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContractTexts {
    pub name: String,
    pub symbol: String,
    pub base_uri: String,
    pub contract_uri: String,
}

/// What is to be done, in types that settlement can turn into a transaction. The lines of a mint are its postings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// The asset itself: what it is stands on its row.
    Create,
    /// A collection with the texts that its contract is to keep: what it shows of itself may change before it is made.
    CreateCollection {
        texts: ContractTexts,
    },
    /// Nothing: what the holders of a token had that was there before us, up to this block.
    Adopt {
        block: u64,
    },
    Mint,
    /// Its lines are its postings, as those of a mint are.
    Burn,
    /// As a burn.
    ForcedTransfer,
    Pause,
    Unpause,
    SetCap {
        cap: Amount,
    },
    FreezeAddress {
        wallet: crate::types::Address,
        frozen: bool,
    },
    /// Nothing: units moved on the chain without us. The transaction and the place of its log in the block.
    Observed {
        transaction: Hash32,
        log_index: u64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperationKind {
    Create,
    Adopt,
    Mint,
    Burn,
    ForcedTransfer,
    Pause,
    Unpause,
    SetCap,
    FreezeAddress,
    Observed,
}

impl OperationKind {
    pub const fn text(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Adopt => "adopt",
            Self::Mint => "mint",
            Self::Burn => "burn",
            Self::ForcedTransfer => "forced-transfer",
            Self::Pause => "pause",
            Self::Unpause => "unpause",
            Self::SetCap => "set-cap",
            Self::FreezeAddress => "freeze-address",
            Self::Observed => "observed",
        }
    }

    pub fn parse(text: &str) -> Result<Self, Error> {
        [
            Self::Create,
            Self::Adopt,
            Self::Mint,
            Self::Burn,
            Self::ForcedTransfer,
            Self::Pause,
            Self::Unpause,
            Self::SetCap,
            Self::FreezeAddress,
            Self::Observed,
        ]
        .into_iter()
        .find(|kind| kind.text() == text)
        .ok_or_else(|| Error::internal(format!("unknown kind of operation {text}")))
    }
}

impl Plan {
    pub fn kind(&self) -> OperationKind {
        match self {
            Self::Create | Self::CreateCollection { .. } => OperationKind::Create,
            Self::Adopt { .. } => OperationKind::Adopt,
            Self::Mint => OperationKind::Mint,
            Self::Burn => OperationKind::Burn,
            Self::ForcedTransfer => OperationKind::ForcedTransfer,
            Self::Pause => OperationKind::Pause,
            Self::Unpause => OperationKind::Unpause,
            Self::SetCap { .. } => OperationKind::SetCap,
            Self::FreezeAddress { .. } => OperationKind::FreezeAddress,
            Self::Observed { .. } => OperationKind::Observed,
        }
    }

    /// What [`Self::to_json`] wrote for an operation of this kind.
    pub fn read(kind: OperationKind, json: &str) -> Result<Self, Error> {
        let value: Value = serde_json::from_str(json).map_err(Error::internal)?;
        let text = |name: &str| {
            let found = value.get(name).and_then(Value::as_str);
            found.ok_or_else(|| Error::internal(format!("a plan of kind {} has no {name}", kind.text())))
        };
        Ok(match kind {
            OperationKind::Create if value.get("name").is_some() => Self::CreateCollection {
                texts: ContractTexts {
                    name: text("name")?.to_owned(),
                    symbol: text("symbol")?.to_owned(),
                    base_uri: text("baseUri")?.to_owned(),
                    contract_uri: text("contractUri")?.to_owned(),
                },
            },
            OperationKind::Create => Self::Create,
            OperationKind::Adopt => Self::Adopt {
                block: text("block")?.parse().map_err(Error::internal)?,
            },
            OperationKind::Mint => Self::Mint,
            OperationKind::Burn => Self::Burn,
            OperationKind::ForcedTransfer => Self::ForcedTransfer,
            OperationKind::Pause => Self::Pause,
            OperationKind::Unpause => Self::Unpause,
            OperationKind::SetCap => Self::SetCap {
                cap: Amount::parse(text("cap")?).map_err(Error::internal)?,
            },
            OperationKind::FreezeAddress => Self::FreezeAddress {
                wallet: crate::types::Address::parse(text("wallet")?).map_err(Error::internal)?,
                frozen: value.get("frozen").and_then(Value::as_bool).unwrap_or(true),
            },
            OperationKind::Observed => Self::Observed {
                transaction: Hash32::parse(text("transaction")?)
                    .ok_or_else(|| Error::internal("a plan of kind observed has no transaction"))?,
                log_index: text("logIndex")?.parse().map_err(Error::internal)?,
            },
        })
    }

    /// Those of a plan that makes a collection.
    pub fn texts(self) -> Option<ContractTexts> {
        if let Self::CreateCollection { texts } = self {
            Some(texts)
        } else {
            None
        }
    }

    pub fn to_json(&self) -> Value {
        match self {
            Self::Create | Self::Mint | Self::Burn | Self::ForcedTransfer | Self::Pause | Self::Unpause => json!({}),
            Self::CreateCollection { texts } => json!({
                "name": texts.name,
                "symbol": texts.symbol,
                "baseUri": texts.base_uri,
                "contractUri": texts.contract_uri,
            }),
            Self::Adopt { block } => json!({ "block": block.to_string() }),
            Self::SetCap { cap } => json!({ "cap": cap }),
            Self::FreezeAddress { wallet, frozen } => json!({ "wallet": wallet, "frozen": frozen }),
            Self::Observed { transaction, log_index } => {
                json!({ "transaction": transaction, "logIndex": log_index.to_string() })
            }
        }
    }
}

/// The life of an operation (architecture, section 6). `Book` settlement goes from queued to succeeded in one commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Queued,
    Signed,
    Sent,
    Mined,
    Succeeded,
    Failed,
    Cancelled,
}

impl Status {
    const ALL: [Self; 7] = [
        Self::Queued,
        Self::Signed,
        Self::Sent,
        Self::Mined,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Nothing more will become of it.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Succeeded | Self::Failed | Self::Cancelled => true,
            Self::Queued | Self::Signed | Self::Sent | Self::Mined => false,
        }
    }

    pub const fn text(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Signed => "signed",
            Self::Sent => "sent",
            Self::Mined => "mined",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    pub fn parse(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|status| status.text() == text);
        found.ok_or_else(|| Error::internal(format!("unknown status {text}")))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    pub id: OperationId,
    pub asset: AssetId,
    /// The number of this operation on its asset, from 1.
    pub sequence: i64,
    pub kind: OperationKind,
    pub status: Status,
    /// JSON of the plan.
    pub plan: String,
    pub lines: i32,
    /// Sum of the lines, base units.
    pub total: Amount,
    pub requested_by: UserId,
    pub request_id: String,
    /// The policy that judged it.
    pub policy_hash: Option<Hash32>,
    pub error: Option<String>,
    /// What needs a person, and since when.
    pub attention: Option<(String, Timestamp)>,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    /// Why it was accepted and is not sent yet.
    pub hold: Option<String>,
}

/// What a new operation is made of; the rest follows.
pub struct NewOperation<'a> {
    pub asset: AssetId,
    pub sequence: i64,
    pub plan: &'a Plan,
    pub lines: i32,
    pub total: Amount,
    pub requested_by: UserId,
    pub request_id: &'a RequestId,
    pub policy_hash: Option<Hash32>,
    pub now: Timestamp,
}

impl Operation {
    /// An operation that is accepted and not yet settled.
    pub fn queued(new: &NewOperation<'_>) -> Self {
        Self {
            id: OperationId::generate(),
            asset: new.asset,
            sequence: new.sequence,
            kind: new.plan.kind(),
            status: Status::Queued,
            plan: new.plan.to_json().to_string(),
            lines: new.lines,
            total: new.total,
            requested_by: new.requested_by,
            request_id: new.request_id.to_string(),
            policy_hash: new.policy_hash,
            error: None,
            attention: None,
            created_at: new.now,
            finished_at: None,
            hold: None,
        }
    }

    #[must_use]
    pub fn succeeded(self, now: Timestamp) -> Self {
        Self {
            status: Status::Succeeded,
            finished_at: Some(now),
            ..self
        }
    }
}

/// SHA-256 over the canonical JSON of a body without its `walletVerification`, so that a retry with a fresh one-time
/// password is the same request and no hash of a PIN is kept.
pub type Fingerprint = Hash32;

/// A key is the caller's within one route: the method and the path as called.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey {
    pub user: UserId,
    pub route: String,
    pub key: String,
}

/// The first answer to a request, as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    pub fingerprint: Fingerprint,
    pub status: u16,
    /// Names and values of the headers that belong to the answer.
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub operation: Option<OperationId>,
    pub created_at: Timestamp,
    /// None is for ever.
    pub expires_at: Option<Timestamp>,
}

/// A stored answer that is given again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Remembered {
    /// The stored answer when the request is the same, else a conflict.
    pub fn replay(&self, fingerprint: &Fingerprint) -> Result<Replay, Error> {
        if self.fingerprint != *fingerprint {
            return Err(Error::Conflict(
                "This Idempotency-Key was used with another request".into(),
            ));
        }
        Ok(Replay {
            status: self.status,
            headers: self.headers.clone(),
            body: self.body.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Address;

    #[test]
    fn a_plan_is_read_as_it_was_written() {
        let wallet = Address::from_bytes([7; 20]);
        let texts = ContractTexts {
            name: "Swords".to_owned(),
            base_uri: "https://swords.example/".to_owned(),
            ..ContractTexts::default()
        };
        for plan in [
            Plan::Create,
            Plan::CreateCollection { texts },
            Plan::Adopt { block: 7 },
            Plan::Mint,
            Plan::Burn,
            Plan::ForcedTransfer,
            Plan::Pause,
            Plan::Unpause,
            Plan::SetCap { cap: Amount::MAX },
            Plan::FreezeAddress { wallet, frozen: true },
            Plan::FreezeAddress { wallet, frozen: false },
            Plan::Observed {
                transaction: Hash32::ZERO,
                log_index: 7,
            },
        ] {
            let json = plan.to_json().to_string();

            assert_eq!(Plan::read(plan.kind(), &json).unwrap(), plan);
        }
    }

    #[test]
    fn a_plan_that_lacks_a_part_is_not_read() {
        for kind in [
            OperationKind::Adopt,
            OperationKind::SetCap,
            OperationKind::FreezeAddress,
            OperationKind::Observed,
        ] {
            assert!(Plan::read(kind, "{}").is_err());
        }
    }
}
