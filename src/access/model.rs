use std::collections::BTreeSet;

use super::{ApiKey, KeyKind, Role};
use crate::ctx::{Actor, Ctx};
use crate::types::{Address, KeyId, Timestamp, UserId};

/// Who makes a change: a caller, or a person at the machine who works on the database directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// As the audit log names them.
    pub name: String,
    pub user: Option<UserId>,
    pub now: Timestamp,
}

impl By {
    pub fn command_line(now: Timestamp) -> Self {
        Self {
            name: "admin".to_owned(),
            user: None,
            now,
        }
    }
}

impl From<&Ctx> for By {
    fn from(ctx: &Ctx) -> Self {
        Self {
            name: ctx.actor.name(),
            user: Some(ctx.actor.user),
            now: ctx.now,
        }
    }
}

/// A person or program that calls us. One wallet belongs to one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub name: String,
    pub wallet: Address,
    pub created_at: Timestamp,
}

impl User {
    pub const NAME_LENGTH_MAX: usize = 100;

    pub fn actor(&self) -> Actor {
        Actor {
            user: self.id,
            wallet: self.wallet,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
    /// 1 to [`User::NAME_LENGTH_MAX`] characters.
    pub name: String,
    pub wallet: Address,
}

/// What is kept of an API key; the key itself is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    pub id: KeyId,
    pub user: UserId,
    pub name: Option<String>,
    /// Prefix and id.
    pub start: String,
    pub enabled: bool,
    pub expires_at: Option<Timestamp>,
    /// Exact to a minute.
    pub last_used_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

impl StoredKey {
    pub const NAME_LENGTH_MAX: usize = 100;
    pub const LIFETIME_DAYS_MIN: i64 = 1;
    pub const LIFETIME_DAYS_MAX: i64 = 365;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    pub user: UserId,
    pub name: Option<String>,
    pub kind: KeyKind,
    /// 1 to 365 days from now; none is for ever.
    pub expires_at: Option<Timestamp>,
}

/// A new key and, for the only time, its text.
#[derive(Debug)]
pub struct IssuedKey {
    pub stored: StoredKey,
    pub key: ApiKey,
}

/// What changes on a key; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyChange {
    pub name: Option<String>,
    pub enabled: Option<bool>,
}

/// Who a key belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    pub actor: Actor,
    pub key_id: KeyId,
    pub last_used_at: Option<Timestamp>,
}

/// A wallet and all its roles in one scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub wallet: Address,
    pub roles: BTreeSet<Role>,
}

/// A role and the wallet that holds it.
pub type Grant = (Address, Role);
