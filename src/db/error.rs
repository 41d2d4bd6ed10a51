//! What the database says, in our words. A broken constraint has a name, and the name says what the caller did.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use crate::error::Error;

/// The transaction lost against another one; [`super::Db::write`] runs it again.
pub(super) const BUSY: &str = "the database is busy";
/// The connection is gone; nothing was acknowledged.
pub(super) const LOST: &str = "the database connection was lost";

/// Unique constraints that a caller can break, as PostgreSQL names them and as SQLite lists their columns.
const UNIQUE: &[(&str, &str, &str)] = &[
    ("users_wallet_unique", "users.wallet", "A user with this wallet exists"),
    ("api_keys_pk", "api_keys.id", "The API key id is taken, try again"),
    (
        "identities_address_unique",
        "identities.address",
        "An identity with this address exists",
    ),
    (
        "identity_wallets_pk",
        "identity_wallets.wallet",
        "The wallet belongs to an identity",
    ),
    (
        "claim_topics_pk",
        "claim_topics.name",
        "A claim topic with this name exists",
    ),
    (
        "claim_topics_number_unique",
        "claim_topics.number",
        "A claim topic with this number exists",
    ),
    (
        "trusted_issuers_pk",
        "trusted_issuers.issuer",
        "The issuer is trusted for this topic",
    ),
    (
        "claims_active_unique",
        "claims.identity_id",
        "An active claim of this issuer and topic exists",
    ),
    (
        "assets_address_unique",
        "assets.address",
        "An asset with this address exists",
    ),
    ("role_grants_pk", "role_grants.scope", "The role is granted"),
    (
        "idempotency_keys_pk",
        "idempotency_keys.user_id",
        "The idempotency key is in use",
    ),
];

impl From<DieselError> for Error {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::NotFound => Self::NotFound("row"),
            DieselError::DatabaseError(kind, information) => {
                from_database(kind, information.constraint_name(), information.message())
            }
            DieselError::BrokenTransactionManager => Self::Unavailable(LOST),
            other => Self::internal(other),
        }
    }
}

fn from_database(kind: DatabaseErrorKind, constraint: Option<&str>, message: &str) -> Error {
    match kind {
        DatabaseErrorKind::SerializationFailure => Error::Unavailable(BUSY),
        // A primary that became a standby takes no writes: another connection may find the new one.
        DatabaseErrorKind::ClosedConnection
        | DatabaseErrorKind::UnableToSendCommand
        | DatabaseErrorKind::ReadOnlyTransaction => Error::Unavailable(LOST),
        // What a row refers to was there when the transaction looked: another one took it away, or began to refer to what
        // this one takes away. Looking again tells the caller which.
        DatabaseErrorKind::ForeignKeyViolation => Error::Unavailable(BUSY),
        DatabaseErrorKind::UniqueViolation => unique(constraint, message),
        _ if is_busy(message) => Error::Unavailable(BUSY),
        _ if is_lost(message) => Error::Unavailable(LOST),
        _ => Error::internal(format!("database: {message}")),
    }
}

fn unique(constraint: Option<&str>, message: &str) -> Error {
    let known = UNIQUE
        .iter()
        .find(|(name, columns, _)| constraint == Some(*name) || message.contains(columns));
    match known {
        Some((_, _, text)) => Error::AlreadyExists((*text).to_owned()),
        None => Error::internal(format!("database: {message}")),
    }
}

/// Deadlock and lock time-out on PostgreSQL (40P01, 55P03), a busy file on SQLite: Diesel has no kind for them.
fn is_busy(message: &str) -> bool {
    [
        "deadlock detected",
        "lock timeout",
        "database is locked",
        "could not obtain lock",
    ]
    .iter()
    .any(|text| message.contains(text))
}

/// What PostgreSQL says while it stops or starts, and what libpq says when the socket is gone.
fn is_lost(message: &str) -> bool {
    [
        "server closed the connection",
        "terminating connection",
        "the database system is",
        "connection to server",
        "no connection to the server",
        "could not receive data",
        "SSL connection has been closed",
    ]
    .iter()
    .any(|text| message.contains(text))
}

/// The database is away, rather than busy.
pub fn is_away(error: &Error) -> bool {
    is_connection_lost(error)
}

pub(super) fn is_retryable(error: &Error) -> bool {
    matches!(error, Error::Unavailable(reason) if *reason == BUSY)
}

pub(super) fn is_unknown(error: &Error) -> bool {
    matches!(error, Error::OutcomeUnknown(_))
}

pub(super) fn is_connection_lost(error: &Error) -> bool {
    matches!(error, Error::Unavailable(reason) if *reason == LOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_constraint_becomes_what_the_caller_did() {
        let postgres = unique(
            Some("users_wallet_unique"),
            "duplicate key value violates unique constraint",
        );
        let sqlite = unique(None, "UNIQUE constraint failed: users.wallet");

        assert!(matches!(postgres, Error::AlreadyExists(text) if text == "A user with this wallet exists"));
        assert!(matches!(sqlite, Error::AlreadyExists(text) if text == "A user with this wallet exists"));
        assert!(matches!(unique(Some("unheard_of"), ""), Error::Internal(_)));
    }

    #[test]
    fn what_may_be_tried_again_is_told_from_what_may_not() {
        let deadlock = from_database(DatabaseErrorKind::Unknown, None, "deadlock detected");
        let check = from_database(DatabaseErrorKind::CheckViolation, None, "violates check constraint");

        assert!(is_retryable(&deadlock));
        assert!(!is_retryable(&check));
    }
}
