use serde::{Deserialize, Serialize, Serializer};

use super::part::Wanted;
use crate::collection::{Metadata, NewMintRequest};
use crate::error::Error;
use crate::types::{Address, Amount, ReferenceId, TokenId};

/// A wish as it waits in its part.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredWish {
    line: i32,
    reference: String,
    owner: String,
    token_id: Option<String>,
    amount: Option<String>,
    #[serde(serialize_with = "as_json")]
    metadata: Option<Metadata>,
}

/// One after the other: a JSON value takes many times the memory of the metadata.
fn as_json<S: Serializer>(metadata: &Option<Metadata>, writer: S) -> Result<S::Ok, S::Error> {
    metadata.as_ref().map(Metadata::to_json).serialize(writer)
}

impl StoredWish {
    pub fn of(line: i32, wish: &NewMintRequest) -> Self {
        Self {
            line,
            reference: wish.reference.to_string(),
            owner: wish.owner.to_string(),
            token_id: wish.token_id.as_ref().map(ToString::to_string),
            amount: wish.amount.as_ref().map(ToString::to_string),
            metadata: wish.metadata.clone(),
        }
    }

    fn wish(self) -> Result<NewMintRequest, Error> {
        Ok(NewMintRequest {
            reference: ReferenceId::parse(&self.reference).map_err(Error::internal)?,
            owner: Address::parse(&self.owner).map_err(Error::internal)?,
            token_id: self
                .token_id
                .as_deref()
                .map(TokenId::parse)
                .transpose()
                .map_err(Error::internal)?,
            amount: self
                .amount
                .as_deref()
                .map(Amount::parse)
                .transpose()
                .map_err(Error::internal)?,
            metadata: self.metadata,
        })
    }
}

impl TryFrom<StoredWish> for Wanted {
    type Error = Error;

    fn try_from(stored: StoredWish) -> Result<Self, Error> {
        Ok(Self {
            line: stored.line,
            wish: stored.wish()?,
            stack: None,
        })
    }
}
