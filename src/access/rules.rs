use std::collections::BTreeSet;

use super::{Authenticated, Grant, Role, Scope, StoredKey, User};
use crate::error::{Error, Issue};
use crate::types::{Address, Hash32, Timestamp};
use subtle::ConstantTimeEq as _;

const DAY_SECONDS: i64 = 86_400;
/// Last use is noted at most this often, so that a busy key is not a row written by every request.
const USE_NOTED_EVERY_SECONDS: i64 = 60;

/// Each wallet with each role; each pair once, in the order given.
pub(super) fn pairs(wallets: &[Address], roles: &[Role]) -> Result<Vec<Grant>, Error> {
    let empty = [("address", wallets.is_empty()), ("role", roles.is_empty())];
    let missing = empty.iter().filter(|(_, empty)| *empty);
    let issues: Vec<Issue> = missing
        .map(|(path, _)| Issue::new(path, "required", "must not be empty"))
        .collect();
    if !issues.is_empty() {
        return Err(Error::Invalid(issues));
    }
    let mut seen = BTreeSet::new();
    let all = wallets
        .iter()
        .flat_map(|wallet| roles.iter().map(|role| (*wallet, *role)));
    Ok(all.filter(|grant| seen.insert(*grant)).collect())
}

/// Every role exists in the scope, and no wallet is the zero address, whose key nobody has.
pub(super) fn grantable(scope: Scope, grants: &[Grant]) -> Result<(), Error> {
    let mut issues = Vec::new();
    for (wallet, role) in grants {
        if !Role::of(scope).contains(role) {
            let place = match scope {
                Scope::System => "the system",
                Scope::Asset(_) => "an asset",
            };
            issues.push(Issue::new("role", "range", format!("{role} is not a role of {place}")));
        }
        if wallet.is_zero() {
            issues.push(Issue::new("address", "range", "must not be the zero address"));
        }
    }
    issues.dedup();
    if issues.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(issues))
    }
}

/// Somebody must be left who can grant roles.
pub(super) fn keeps_an_admin(admins: &[Address], revoked: &[Grant]) -> Result<(), Error> {
    let stays = |admin: &Address| !revoked.contains(&(*admin, Role::Admin));
    let touched = revoked
        .iter()
        .any(|(wallet, role)| *role == Role::Admin && admins.contains(wallet));
    if touched && !admins.iter().any(stays) {
        return Err(Error::Conflict(
            "The last admin of the system cannot be revoked".to_owned(),
        ));
    }
    Ok(())
}

pub(super) fn user_name(name: &str) -> Result<(), Error> {
    text("name", name, User::NAME_LENGTH_MAX)
}

pub(super) fn key_name(name: &str) -> Result<(), Error> {
    text("name", name, StoredKey::NAME_LENGTH_MAX)
}

pub(super) fn text(path: &str, text: &str, length_max: usize) -> Result<(), Error> {
    let length = text.chars().count();
    if text.trim().is_empty() || length > length_max || text.chars().any(char::is_control) {
        let message = format!("must have 1 to {length_max} characters, not only spaces and no control characters");
        return Err(Error::Invalid(vec![Issue::new(path, "range", message)]));
    }
    Ok(())
}

/// 1 to 365 days from now, both included.
pub(super) fn expiry(now: Timestamp, expires_at: Option<Timestamp>) -> Result<(), Error> {
    let bound = |days: i64| now.plus_seconds(days.saturating_mul(DAY_SECONDS));
    let bounds = bound(StoredKey::LIFETIME_DAYS_MIN)..=bound(StoredKey::LIFETIME_DAYS_MAX);
    match expires_at {
        Some(at) if !bounds.contains(&at) => {
            let message = format!(
                "must be {} to {} days from now",
                StoredKey::LIFETIME_DAYS_MIN,
                StoredKey::LIFETIME_DAYS_MAX
            );
            Err(Error::Invalid(vec![Issue::new("expiresAt", "range", message)]))
        }
        Some(_) | None => Ok(()),
    }
}

/// What is stored of a key, next to what was found with it.
#[derive(Clone)]
pub(super) struct Candidate {
    pub hash: Hash32,
    pub enabled: bool,
    pub expires_at: Option<Timestamp>,
    pub authenticated: Authenticated,
}

/// The hash is compared in constant time; a disabled or expired key looks like an unknown one.
pub(super) fn admit(candidate: Candidate, hash: Hash32, now: Timestamp) -> Result<Authenticated, Error> {
    let same: bool = candidate.hash.as_bytes().ct_eq(hash.as_bytes()).into();
    let expired = candidate.expires_at.is_some_and(|at| at <= now);
    if same && candidate.enabled && !expired {
        Ok(candidate.authenticated)
    } else {
        Err(Error::Unauthenticated)
    }
}

/// Uses noted before this instant are old enough to be noted again.
pub(super) fn note_again_before(now: Timestamp) -> Timestamp {
    now.plus_seconds(USE_NOTED_EVERY_SECONDS.saturating_neg())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctx::Actor;
    use crate::types::{AssetId, KeyId, UserId};

    fn wallet(byte: u8) -> Address {
        Address::from_bytes([byte; 20])
    }

    #[test]
    fn each_wallet_takes_each_role_once() {
        let many_roles = pairs(&[wallet(1)], &[Role::Admin, Role::Auditor, Role::Admin]).unwrap();
        let many_wallets = pairs(&[wallet(1), wallet(2), wallet(1)], &[Role::Admin]).unwrap();

        assert_eq!(many_roles, [(wallet(1), Role::Admin), (wallet(1), Role::Auditor)]);
        assert_eq!(many_wallets, [(wallet(1), Role::Admin), (wallet(2), Role::Admin)]);
    }

    #[test]
    fn empty_lists_are_refused() {
        assert!(matches!(pairs(&[], &[]), Err(Error::Invalid(issues)) if issues.len() == 2));
        assert!(matches!(pairs(&[wallet(1)], &[]), Err(Error::Invalid(_))));
    }

    #[test]
    fn a_role_of_the_other_scope_and_the_zero_address_are_refused() {
        let asset = Scope::Asset(AssetId::generate());

        assert!(grantable(Scope::System, &[(wallet(1), Role::TokenManager)]).is_ok());
        assert!(grantable(asset, &[(wallet(1), Role::TokenManager)]).is_err());
        assert!(grantable(asset, &[(wallet(1), Role::Governance)]).is_ok());
        assert!(grantable(Scope::System, &[(wallet(1), Role::Governance)]).is_err());
        assert!(grantable(Scope::System, &[(Address::ZERO, Role::Admin)]).is_err());
        assert!(grantable(asset, &[(wallet(1), Role::Auditor)]).is_ok());
        assert!(grantable(Scope::System, &[(wallet(1), Role::Auditor)]).is_ok());
    }

    #[test]
    fn the_last_admin_stays_and_the_last_but_one_may_go() {
        let revoked = [(wallet(1), Role::Admin)];

        assert!(keeps_an_admin(&[wallet(1), wallet(2)], &revoked).is_ok());
        assert!(matches!(
            keeps_an_admin(&[wallet(1)], &revoked),
            Err(Error::Conflict(_))
        ));
        assert!(keeps_an_admin(&[wallet(1)], &[(wallet(1), Role::TokenManager)]).is_ok());
        assert!(keeps_an_admin(&[wallet(1)], &[(wallet(3), Role::Admin)]).is_ok());
        let both = [(wallet(1), Role::Admin), (wallet(2), Role::Admin)];
        assert!(keeps_an_admin(&[wallet(1), wallet(2)], &both).is_err());
    }

    #[test]
    fn a_key_lives_between_one_and_365_days() {
        let now = Timestamp::from_seconds(1_000);
        let after = |micros: i64| Some(Timestamp::from_micros(now.micros() + micros));
        let day = DAY_SECONDS * Timestamp::SECOND;

        assert!(expiry(now, None).is_ok());
        assert!(expiry(now, after(day - 1)).is_err());
        assert!(expiry(now, after(day)).is_ok());
        assert!(expiry(now, after(365 * day)).is_ok());
        assert!(expiry(now, after(365 * day + 1)).is_err());
    }

    #[test]
    fn names_have_their_bounds() {
        assert!(user_name("").is_err());
        assert!(user_name("  ").is_err());
        assert!(user_name("a").is_ok());
        assert!(user_name(&"é".repeat(100)).is_ok());
        assert!(user_name(&"é".repeat(101)).is_err());
        assert!(key_name("a\nb").is_err());
    }

    #[test]
    fn a_key_is_admitted_until_the_instant_it_expires() {
        let now = Timestamp::from_seconds(1_000);
        let candidate = |enabled, expires_at| Candidate {
            hash: Hash32::from_bytes([7; 32]),
            enabled,
            expires_at,
            authenticated: Authenticated {
                actor: Actor {
                    user: UserId::generate(),
                    wallet: wallet(1),
                },
                key_id: KeyId::parse("abcd1234").unwrap(),
                last_used_at: None,
            },
        };
        let right = Hash32::from_bytes([7; 32]);
        let just_after = Timestamp::from_micros(now.micros() + 1);

        assert!(admit(candidate(true, None), right, now).is_ok());
        assert!(admit(candidate(true, Some(just_after)), right, now).is_ok());
        assert!(admit(candidate(true, Some(now)), right, now).is_err());
        assert!(admit(candidate(false, None), right, now).is_err());
        assert!(admit(candidate(true, None), Hash32::from_bytes([8; 32]), now).is_err());
    }
}
