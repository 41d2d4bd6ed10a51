//! Where the units of a demo exist: on the chain of its own node, or in the book.

use std::path::PathBuf;
use std::time::Duration;

use super::folder::Folder;
use super::node::{self, Node};
use super::secrets::Secrets;
use super::{DemoArgs, Start};
use crate::asset::Settlement;
use crate::config::{Chain, Endpoint, Finality, KeySource};
use crate::error::Error;
use crate::start::Failure;

/// What the manifest and the console call the demo's chain.
pub(super) const CHAIN_NAME: &str = "moneyer-local";
/// The chain is on this machine: looking often costs little, and callers wait.
const POLL: Duration = Duration::from_millis(250);
const TIMEOUT: Duration = Duration::from_secs(5);
/// A node that was killed comes back a block or two behind.
const LAG_PATIENCE: Duration = Duration::from_secs(1);

pub(super) enum Ground {
    /// `why` tells what a chain lacked, where one was wanted.
    Book {
        why: Option<String>,
    },
    Chain {
        binary: PathBuf,
    },
}

impl Ground {
    /// Where an earlier start was, else where the arguments say; without a word from either on a chain if there can be one.
    pub(super) async fn choose(args: &DemoArgs, folder: &Folder, how: Start) -> Result<Self, Failure> {
        let kept = kept(folder, how)?;
        let wanted = match (kept, args.settlement) {
            (Some(kept), Some(asked)) if kept != asked => {
                return Err(Failure::usage(format!(
                    "the demo in {} settles in {}: leave --settlement {} out, or begin anew with --reset",
                    folder.path().display(),
                    words(kept),
                    asked.as_str()
                )));
            }
            (Some(settlement), _) | (None, Some(settlement)) => Some(settlement),
            (None, None) => None,
        };
        if wanted == Some(Settlement::Book) {
            return Ok(Self::Book { why: None });
        }
        let given = args.node.clone();
        let found = tokio::task::spawn_blocking(move || node::find(given.as_deref())).await;
        match found.map_err(Error::internal)? {
            Ok(binary) => Ok(Self::Chain { binary }),
            Err(why) if wanted.is_some() || args.node.is_some() => {
                Err(Failure::usage(format!("cannot settle on a chain: {why}")))
            }
            Err(why) => {
                tracing::warn!("the demo settles in its book: {why}");
                Ok(Self::Book { why: Some(why) })
            }
        }
    }

    pub(super) fn settlement(&self) -> Settlement {
        match self {
            Self::Book { .. } => Settlement::Book,
            Self::Chain { .. } => Settlement::Evm,
        }
    }

    /// Starts the node where there is one. A world whose chain is gone is refused: its database fits no other.
    pub(super) async fn start(&self, folder: &Folder, secrets: &Secrets) -> Result<Option<Node>, Failure> {
        let Self::Chain { binary } = self else {
            return Ok(None);
        };
        let (place, binary) = (folder.node(), binary.clone());
        if secrets.world.is_some() && !Node::has_chain(&place) {
            return Err(Failure::usage(format!(
                "the chain of this demo is gone from {}, and its database fits no other: bring it back, or begin anew \
                 with --reset",
                place.display()
            )));
        }
        let signer = secrets.signer()?;
        let node = tokio::task::spawn_blocking(move || Node::start(binary, &place, &signer)).await;
        Ok(Some(node.map_err(Error::internal)??))
    }
}

/// How the server reaches the node.
pub(super) fn chain(node: &Node, secrets: &Secrets) -> Result<Chain, Failure> {
    let endpoint = Endpoint::parse(&node.url()).map_err(Error::internal)?;
    let key = KeySource::Key(secrets.signer_key()?);
    Ok(Chain {
        name: CHAIN_NAME.to_owned(),
        finality: Finality::Depth(1),
        poll: POLL,
        timeout: TIMEOUT,
        lag_patience: LAG_PATIENCE,
        saved: Some(node.saved()),
        ..Chain::new(node::CHAIN_ID, vec![endpoint], key)
    })
}

/// A chain that the database does not know: what to do about it.
pub(super) fn misfit(failure: Failure, folder: &Folder) -> Failure {
    Failure {
        message: format!(
            "{}; bring the right chain back to {}, or begin anew with --reset",
            failure.message,
            folder.node().display()
        ),
        ..failure
    }
}

/// The node goes last: settlement puts its work down before.
pub(super) async fn stop(node: Option<Node>) -> Result<(), Failure> {
    let Some(node) = node else { return Ok(()) };
    Ok(tokio::task::spawn_blocking(move || node.stop())
        .await
        .map_err(Error::internal)?)
}

/// What the world of an earlier start settles on.
fn kept(folder: &Folder, how: Start) -> Result<Option<Settlement>, Failure> {
    match how {
        Start::Anew => Ok(None),
        Start::Continue => {
            let kept = Secrets::load(folder)?.filter(|secrets| secrets.world.is_some());
            Ok(kept.map(|secrets| secrets.settlement()))
        }
    }
}

fn words(settlement: Settlement) -> &'static str {
    match settlement {
        Settlement::Book => "its book",
        Settlement::Evm => "its own chain",
    }
}
