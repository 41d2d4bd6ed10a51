//! How a connection to PostgreSQL begins.

use std::sync::Once;

use diesel::connection::SimpleConnection as _;
use diesel::pg::PgConnection;
use diesel::sql_types::Text;
use diesel::{Connection as _, QueryableByName, RunQueryDsl as _};

/// Nobody waits for ever for a row that somebody forgot to let go, and a transaction that lost its owner ends.
const TIMEOUTS: &str = "SET lock_timeout = '10s'; SET statement_timeout = '60s'; \
     SET idle_in_transaction_session_timeout = '60s'";
/// Diesel passes on the codes of few errors: the others are told apart by their English texts.
const ENGLISH: &str = "SET lc_messages = 'C'";

pub(super) fn open(url: &str) -> Result<PgConnection, diesel::ConnectionError> {
    let mut connection = PgConnection::establish(url)?;
    connection
        .batch_execute(TIMEOUTS)
        .map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
    // Our queries are look-ups of milliseconds, and compiling one takes longer than running it. An engine that speaks
    // the protocol and knows no such setting compiles nothing.
    if let Err(error) = connection.batch_execute("SET jit = off") {
        tracing::debug!(%error, "the database has no setting jit");
    }
    speak_english(&mut connection);
    Ok(connection)
}

/// PostgreSQL lets a superuser choose the language, and nobody else unless told so; where we may not, a lock that timed
/// out is not known for what it is and ends as a 500 instead of a 503.
fn speak_english(connection: &mut PgConnection) {
    static WARNED: Once = Once::new();
    let Some(language) = language_of(connection).filter(|language| !is_english(language)) else {
        return;
    };
    if let Err(error) = connection.batch_execute(ENGLISH) {
        WARNED.call_once(|| {
            tracing::warn!(
                %error, language,
                "the database answers in a language that is not understood: ALTER ROLE … SET lc_messages = 'C'"
            );
        });
    }
}

#[derive(QueryableByName)]
struct Setting {
    #[diesel(sql_type = Text)]
    lc_messages: String,
}

/// None where the engine has no such setting.
fn language_of(connection: &mut PgConnection) -> Option<String> {
    let setting: Option<Setting> = diesel::sql_query("SHOW lc_messages").get_result(connection).ok();
    setting.map(|setting| setting.lc_messages)
}

/// The empty name stands for what the server's own environment says, which nobody but its administrator knows.
fn is_english(locale: &str) -> bool {
    let language = locale.split(['_', '.', '-']).next().unwrap_or_default();
    ["C", "POSIX", "en", "English"].contains(&language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn english_is_told_from_other_languages_by_the_name_of_the_locale() {
        for english in [
            "C",
            "C.UTF-8",
            "POSIX",
            "en_GB.UTF-8",
            "en-US-u-va-posix",
            "English_Ireland.1252",
        ] {
            assert!(is_english(english), "{english}");
        }
        for other in ["de_DE.UTF-8", "es", "Czech_Czechia.1250", ""] {
            assert!(!is_english(other), "{other}");
        }
    }
}
