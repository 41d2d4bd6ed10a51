use std::fmt::Write as _;

use data_encoding::HEXLOWER;
use uuid::Uuid;

use super::store;
use crate::access::random_bytes;
use crate::chain::{PersonalSignature, Rpc};
use crate::db::Tx;
use crate::error::Error;
use crate::types::{Address, Timestamp};

/// Whose challenge it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filing {
    /// The wallet's latest: a new one takes its place.
    Wallet,
    /// Under an id that nobody else knows: nobody can replace it.
    Own,
}

#[derive(Clone, Debug)]
pub struct NewChallenge {
    pub wallet: Address,
    /// What the caller wants to be named in the text.
    pub contract: Option<String>,
    /// Text in front of ours.
    pub header: Option<String>,
    pub filing: Filing,
}

impl NewChallenge {
    pub const HEADER_LENGTH_MAX: usize = 500;
    pub const CONTRACT_LENGTH_MAX: usize = 100;
}

/// A text that is waiting to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    pub(super) filed_under: String,
    pub wallet: Address,
    pub message: String,
    pub expires_at: Timestamp,
}

impl Challenge {
    /// Long enough to find the wallet's device.
    pub const SECONDS: i64 = 600;

    /// The id under which it is filed, if it is not filed under the wallet.
    pub fn sign_id(&self) -> Option<&str> {
        let id = self.filed_under.as_str();
        Uuid::parse_str(id).is_ok().then_some(id)
    }

    /// Whether the wallet signed it: an account by its key, a contract by its own rule (ERC-1271), where there is a chain
    /// to ask. Errors: `Unavailable` when the chain does not answer.
    pub async fn is_signed(&self, signature: &PersonalSignature, rpc: Option<&Rpc>) -> Result<bool, Error> {
        let message = self.message.as_bytes();
        if signature.signer(message) == Some(self.wallet) {
            return Ok(true);
        }
        let Some(rpc) = rpc else { return Ok(false) };
        let taken = signature.is_taken_by(rpc, &self.wallet, message).await;
        taken.map_err(|failure| {
            tracing::warn!(%failure, wallet = %self.wallet, "a contract could not be asked about a signature");
            Error::Unavailable("the chain does not answer")
        })
    }
}

/// A new text for a wallet to sign. Asks for no right: it proves nothing before it is signed.
pub fn challenge(tx: &mut Tx<'_>, new: &NewChallenge, now: Timestamp) -> Result<Challenge, Error> {
    let nonce: [u8; 16] = random_bytes()?;
    let expires_at = now.plus_seconds(Challenge::SECONDS);
    let challenge = Challenge {
        filed_under: match new.filing {
            Filing::Wallet => under_wallet(&new.wallet),
            Filing::Own => Uuid::new_v4().to_string(),
        },
        wallet: new.wallet,
        message: message(new, &HEXLOWER.encode(&nonce), now, expires_at),
        expires_at,
    };
    store::put_challenge(tx, &challenge)?;
    Ok(challenge)
}

/// The challenge under an id, else the wallet's latest; none when it is another wallet's, was used, or is too old.
pub fn open_challenge(
    tx: &mut Tx<'_>,
    wallet: &Address,
    sign_id: Option<&str>,
    now: Timestamp,
) -> Result<Option<Challenge>, Error> {
    let filed_under = match sign_id {
        None => under_wallet(wallet),
        Some(text) => match Uuid::parse_str(text) {
            Ok(id) => id.to_string(),
            Err(_) => return Ok(None),
        },
    };
    let found = store::challenge(tx, &filed_under)?;
    Ok(found.filter(|challenge| challenge.wallet == *wallet && now < challenge.expires_at))
}

/// Uses it up; false when somebody else did, or a new one took its place.
pub fn spend(tx: &mut Tx<'_>, challenge: &Challenge) -> Result<bool, Error> {
    store::take_challenge(tx, challenge)
}

/// Removes what nobody can use any more.
pub fn prune_challenges(tx: &mut Tx<'_>, now: Timestamp) -> Result<usize, Error> {
    store::prune_challenges(tx, now)
}

fn under_wallet(wallet: &Address) -> String {
    wallet.to_string()
}

/// Its wording is not published. It says what the signature is good for, so that nobody gives it away for something else.
fn message(new: &NewChallenge, nonce: &str, now: Timestamp, expires_at: Timestamp) -> String {
    let mut text = String::new();
    if let Some(header) = &new.header {
        let _ = write!(text, "{header}\n\n");
    }
    text.push_str(
        "Sign in to this mint API. Whoever has this signature can get the keys that mint into your collections.\n\n",
    );
    let _ = writeln!(text, "Wallet: {}", new.wallet);
    if let Some(contract) = &new.contract {
        let _ = writeln!(text, "Contract: {contract}");
    }
    let _ = write!(text, "Nonce: {nonce}\nIssued at: {now}\nGood until: {expires_at}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_the_wallet_and_its_end_and_begins_with_the_callers_words() {
        let new = NewChallenge {
            wallet: Address::from_bytes([7; 20]),
            contract: Some("63".to_owned()),
            header: Some("Welcome to the shop".to_owned()),
            filing: Filing::Wallet,
        };
        let now = Timestamp::from_seconds(0);

        let text = message(&new, "abc", now, now.plus_seconds(Challenge::SECONDS));

        assert!(text.starts_with("Welcome to the shop\n\nSign in"), "{text}");
        let end = format!(
            "Wallet: {}\nContract: 63\nNonce: abc\nIssued at: 1970-01-01T00:00:00.000Z\nGood until: 1970-01-01T00:10:00.000Z",
            new.wallet
        );
        assert!(text.ends_with(&end), "{text}");
    }
}
