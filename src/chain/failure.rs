use crate::error::Error;

/// Why a reading of the chain failed. Nothing was changed by it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Per endpoint its host and what happened.
    #[error("no endpoint answers: {0}")]
    Unreachable(String),
    #[error("{endpoint} is at block {head}, behind block {seen} that was already seen")]
    Behind { endpoint: String, head: u64, seen: u64 },
    /// What it says is of the past.
    #[error("{endpoint} is still catching up with its chain")]
    Syncing { endpoint: String },
    #[error("{endpoint} serves chain {found}, not {expected}")]
    WrongChain {
        endpoint: String,
        expected: u64,
        found: u64,
    },
    /// The node understood the question and refused it.
    #[error("{endpoint} answers: {message} ({code})")]
    Refused {
        endpoint: String,
        code: i64,
        message: String,
    },
    /// What the node says is not what the protocol allows.
    #[error("{endpoint} gives a malformed answer: {reason}")]
    Malformed { endpoint: String, reason: String },
    /// The head changed during every attempt to read it in one piece.
    #[error("the chain moved during every reading of {endpoint}")]
    Moved { endpoint: String },
    /// The remote signer, or the key, or what either gave.
    #[error("the signer fails: {0}")]
    Signer(String),
    /// The settings cannot be used.
    #[error("{0}")]
    Settings(String),
}

/// What a node says is cut to this many characters before it reaches a log or a person.
const TEXT_LENGTH_MAX: usize = 300;

pub(super) fn bounded(text: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(TEXT_LENGTH_MAX).map(printable).collect()
}

/// What an [`Error`] says of a question that the node refused.
const REFUSED: &str = "the node refuses what it is asked";

/// Whether the node was there, and would not answer this one question: others may be answered.
pub fn is_refused(error: &Error) -> bool {
    matches!(error, Error::Unavailable(REFUSED))
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        tracing::warn!(%failure, "the chain cannot be used");
        match failure {
            Failure::Signer(_) => Self::Unavailable("the signer cannot be used"),
            Failure::Refused { .. } => Self::Unavailable(REFUSED),
            Failure::Unreachable(_)
            | Failure::Behind { .. }
            | Failure::Syncing { .. }
            | Failure::WrongChain { .. }
            | Failure::Malformed { .. }
            | Failure::Moved { .. }
            | Failure::Settings(_) => Self::Unavailable("the chain cannot be read"),
        }
    }
}
