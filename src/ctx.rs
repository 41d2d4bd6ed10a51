//! Who is calling, and when: belongs to one request or job and travels with it.

use crate::types::{Address, RequestId, Timestamp, UserId};

/// An authenticated user. Everything a user may do follows from grants to this wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Actor {
    pub user: UserId,
    pub wallet: Address,
}

impl Actor {
    /// How the audit log names this user.
    pub fn name(&self) -> String {
        format!("user:{}", self.user)
    }
}

/// One request or job of a known user. `now` is the only clock reading of the whole request.
#[derive(Clone, Debug)]
pub struct Ctx {
    pub actor: Actor,
    pub request_id: RequestId,
    pub now: Timestamp,
}
