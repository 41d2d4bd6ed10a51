//! E-mail addresses of recipients: sealed with their tasks, until their time has come.

use serde_json::json;

use super::store;
use super::task::{self, Means, NewTask, Recipient};
use crate::access::Vault;
use crate::audit::{self, Event, Stream};
use crate::ctx::Ctx;
use crate::custody::Email;
use crate::db::Tx;
use crate::error::Error;
use crate::types::{Address, AssetId, RowId, Timestamp, UserId};

const DAY_SECONDS: i64 = 86_400;
const SEALED: &str = "certhis.email";

/// The address of a new task, if it has one, and until when it is kept.
pub(super) fn sealed(
    ctx: &Ctx,
    means: &Means<'_>,
    id: RowId,
    new: &NewTask,
) -> Result<Option<(String, Timestamp)>, Error> {
    let Recipient::Email(email) = &new.recipient else {
        return Ok(None);
    };
    let sealed = means
        .vault
        .seal(SEALED, &[id.as_uuid().as_bytes()], email.reveal().as_bytes())?;
    let seconds = DAY_SECONDS.saturating_mul(means.email_retention_days.into());
    Ok(Some((sealed, ctx.now.plus_seconds(seconds))))
}

/// To whom the task of a mint request was, by the request's reference, for the owner whose key pair it came with; none for
/// anybody else, for a recipient with an address of the chain, and for one whose e-mail address is forgotten.
pub fn recipient_email(
    tx: &mut Tx<'_>,
    vault: &Vault,
    (collection, reference): (AssetId, &str),
    owner: UserId,
) -> Result<Option<Email>, Error> {
    let Some(id) = task::id_in(reference) else {
        return Ok(None);
    };
    let Some(sealed) = store::email(tx, (collection, id), owner)? else {
        return Ok(None);
    };
    let opened = vault.open(SEALED, &[id.as_uuid().as_bytes()], &sealed)?;
    let text = std::str::from_utf8(&opened).map_err(Error::internal)?;
    Email::parse(text).map(Some).map_err(Error::internal)
}

/// Removes e-mail addresses whose time has come. A job.
pub fn forget_emails(tx: &mut Tx<'_>, now: Timestamp) -> Result<usize, Error> {
    let forgotten = store::forget_emails(tx, now)?;
    if forgotten > 0 {
        let event = Event {
            stream: Stream::of_subject(&Address::ZERO),
            actor: "system".to_owned(),
            action: "certhis_task.emails_forgotten",
            asset: None,
            operation: None,
            subjects: Vec::new(),
            data: json!({ "tasks": forgotten }),
        };
        audit::append(tx, now, vec![event])?;
    }
    Ok(forgotten)
}
