//! What the database says, in our words. A broken constraint has a name, and the name says what the caller did.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use crate::error::Error;

/// The transaction lost against another one; [`super::Db::write`] runs it again.
pub(super) const BUSY: &str = "the database is busy";
/// The connection is gone; nothing was acknowledged.
pub(super) const LOST: &str = "the database connection was lost";
/// The file of an embedded database could not be written while a transaction was committed.
pub(super) const UNWRITTEN: &str = "the database file could not be written";
/// Not tried again by us: whoever asked decides.
pub(super) const OVERLOADED: &str = "the database is full or too slow";

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
    (
        "mint_requests_reference_unique",
        "mint_requests.asset_id, mint_requests.reference_id",
        "A mint request with this reference exists",
    ),
    (
        "mint_requests_token_unique",
        "mint_requests.asset_id, mint_requests.token_id",
        "The token id is minted or requested",
    ),
    (
        "custody_transfers_pk",
        "custody_transfers.wallet, custody_transfers.nonce",
        "A transaction of this wallet is on its way",
    ),
    ("role_grants_pk", "role_grants.scope", "The role is granted"),
    (
        "idempotency_keys_pk",
        "idempotency_keys.user_id",
        "The idempotency key is in use",
    ),
    (
        "projects_name_unique",
        "projects.name",
        "A project with this name exists",
    ),
    (
        "environments_name_unique",
        "environments.project_id",
        "The project has an environment with this name",
    ),
    (
        "environment_keys_active_unique",
        "environment_keys.environment_id",
        "The environment has an active key of this kind: rotate it",
    ),
    (
        "environment_keys_pk",
        "environment_keys.id",
        "The key id is taken, try again",
    ),
    (
        "rate_limit_keys_pk",
        "rate_limit_keys.id",
        "The key id is taken, try again",
    ),
    (
        "webhook_subscriptions_certhis_unique",
        "webhook_subscriptions.asset_id",
        "The collection has a webhook of this scheme: change or delete it",
    ),
];

impl From<DieselError> for Error {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::NotFound => Self::NotFound("row"),
            DieselError::DatabaseError(DatabaseErrorKind::Unknown, information)
                if is_deadlock(information.details()) =>
            {
                Self::Unavailable(BUSY)
            }
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
        DatabaseErrorKind::Unknown if is_busy(message) => Error::Unavailable(BUSY),
        DatabaseErrorKind::Unknown if is_lost(message) => Error::Unavailable(LOST),
        DatabaseErrorKind::Unknown if is_overloaded(message) => Error::Unavailable(OVERLOADED),
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

/// A deadlock on PostgreSQL (40P01), of which Diesel passes on no code. Its details name who waits for which lock, and the
/// names of locks are the same in every language.
fn is_deadlock(details: Option<&str>) -> bool {
    details.is_some_and(|details| details.contains("ShareLock") || details.contains("ExclusiveLock"))
}

/// Lock time-out on PostgreSQL (55P03), a busy file on SQLite: Diesel has no kind for them.
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

/// What PostgreSQL says while it stops or starts, and what libpq says when the socket is gone. Diesel asks the connection
/// itself whether it is gone; this is for what it does not ask, and for poolers in between.
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

/// The statement was undone, and at once it would fare no better.
fn is_overloaded(message: &str) -> bool {
    [
        "due to statement timeout",
        "No space left on device",
        "database or disk is full",
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
    use diesel::result::DatabaseErrorInformation;

    use super::*;

    #[test]
    fn a_full_or_slow_database_is_unavailable_and_not_asked_again_at_once() {
        for message in [
            "canceling statement due to statement timeout",
            "could not extend file: No space left on device",
            "database or disk is full",
        ] {
            let error = from_database(DatabaseErrorKind::Unknown, None, message);

            assert!(matches!(error, Error::Unavailable(OVERLOADED)), "{message}: {error}");
            assert!(!is_retryable(&error) && !is_connection_lost(&error));
        }
    }

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

    struct Deadlock(&'static str);

    impl DatabaseErrorInformation for Deadlock {
        fn message(&self) -> &str {
            "in whatever language"
        }
        fn details(&self) -> Option<&str> {
            Some(self.0)
        }
        fn hint(&self) -> Option<&str> {
            None
        }
        fn table_name(&self) -> Option<&str> {
            None
        }
        fn column_name(&self) -> Option<&str> {
            None
        }
        fn constraint_name(&self) -> Option<&str> {
            None
        }
        fn statement_position(&self) -> Option<i32> {
            None
        }
    }

    #[test]
    fn a_deadlock_is_known_by_its_locks_and_a_row_that_speaks_of_locks_is_not_one() {
        let error = |kind, details| Error::from(DieselError::DatabaseError(kind, Box::new(Deadlock(details))));
        let waits = "Prozess 7 wartet auf ShareLock-Sperre auf Transaktion 9; blockiert von Prozess 8.";

        assert!(is_retryable(&error(DatabaseErrorKind::Unknown, waits)));
        assert!(!is_retryable(&error(
            DatabaseErrorKind::Unknown,
            "Key (id)=(1) is gone."
        )));
        let row = "Failing row contains (ShareLock, deadlock detected).";
        assert!(!is_retryable(&error(DatabaseErrorKind::CheckViolation, row)));
    }

    #[test]
    fn what_may_be_tried_again_is_told_from_what_may_not() {
        let timeout = "canceling statement due to lock timeout";
        let timeout = from_database(DatabaseErrorKind::Unknown, None, timeout);
        let check = from_database(DatabaseErrorKind::CheckViolation, None, "violates check constraint");

        assert!(is_retryable(&timeout));
        assert!(!is_retryable(&check));
    }
}
