use std::collections::BTreeSet;
use std::fmt;

use crate::types::AssetId;

/// Where a role is held: in the whole system, or on one asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    System,
    Asset(AssetId),
}

/// What a wallet is trusted with (dalp.md section 4 and A15). Names are the reference's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// In both scopes: grants and revokes roles, nothing operational.
    Admin,
    SystemManager,
    TokenManager,
    ComplianceManager,
    AddonManager,
    ClaimPolicyManager,
    ClaimIssuer,
    IdentityManager,
    Governance,
    SupplyManagement,
    Custodian,
    Emergency,
    /// In both scopes: reads records, changes nothing.
    Auditor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not the name of a role")]
pub struct RoleError;

impl Role {
    pub const ALL: [Self; 13] = [
        Self::Admin,
        Self::SystemManager,
        Self::TokenManager,
        Self::ComplianceManager,
        Self::AddonManager,
        Self::ClaimPolicyManager,
        Self::ClaimIssuer,
        Self::IdentityManager,
        Self::Governance,
        Self::SupplyManagement,
        Self::Custodian,
        Self::Emergency,
        Self::Auditor,
    ];
    /// What the access manager grants: the reference's eight and the auditor.
    pub const SYSTEM: [Self; 9] = [
        Self::Admin,
        Self::SystemManager,
        Self::TokenManager,
        Self::ComplianceManager,
        Self::AddonManager,
        Self::ClaimPolicyManager,
        Self::ClaimIssuer,
        Self::IdentityManager,
        Self::Auditor,
    ];
    /// What an asset's admin grants: the reference's five and the auditor.
    pub const ASSET: [Self; 6] = [
        Self::Admin,
        Self::Governance,
        Self::SupplyManagement,
        Self::Custodian,
        Self::Emergency,
        Self::Auditor,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::SystemManager => "systemManager",
            Self::TokenManager => "tokenManager",
            Self::ComplianceManager => "complianceManager",
            Self::AddonManager => "addonManager",
            Self::ClaimPolicyManager => "claimPolicyManager",
            Self::ClaimIssuer => "claimIssuer",
            Self::IdentityManager => "identityManager",
            Self::Governance => "governance",
            Self::SupplyManagement => "supplyManagement",
            Self::Custodian => "custodian",
            Self::Emergency => "emergency",
            Self::Auditor => "auditor",
        }
    }

    pub fn parse(text: &str) -> Result<Self, RoleError> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or(RoleError)
    }

    /// The roles that can be held in this scope.
    pub fn of(scope: Scope) -> &'static [Self] {
        match scope {
            Scope::System => &Self::SYSTEM,
            Scope::Asset(_) => &Self::ASSET,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Role {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What one wallet holds: on the asset in question (empty when there is none), and in the system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub asset: BTreeSet<Role>,
    pub system: BTreeSet<Role>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_reads_back_from_its_name_and_has_a_scope() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Ok(role));
            assert!(Role::SYSTEM.contains(&role) || Role::ASSET.contains(&role), "{role}");
        }
        assert_eq!(Role::parse("Admin"), Err(RoleError));
        assert_eq!(Role::parse("tokenFactoryModule"), Err(RoleError));
    }

    #[test]
    fn only_admin_and_auditor_exist_in_both_scopes() {
        let both = Role::ALL
            .into_iter()
            .filter(|role| Role::SYSTEM.contains(role) && Role::ASSET.contains(role));

        assert_eq!(both.collect::<Vec<_>>(), [Role::Admin, Role::Auditor]);
    }
}
