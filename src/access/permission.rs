use std::collections::BTreeSet;

use super::{Held, Role};
use crate::error::Error;

/// The roles that give a right: any one of them is enough. `asset` are roles held on the asset in question, `system` are
/// roles held in the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Givers {
    pub asset: &'static [Role],
    pub system: &'static [Role],
}

/// The one table of rights: a row becomes a variant and its line of the matrix in tests/golden/permissions.txt.
macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident, $text:literal: asset [$($asset:ident),*], system [$($system:ident),*];)+) => {
        /// A right that some route needs. What needs no role (a transfer of one's own) has no line here, and neither has
        /// what follows from something else than a role (an update of collateral needs trust for its topic).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Permission {
            $($(#[$doc])* $name),+
        }

        impl Permission {
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The reference's name of the action where it has one.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }

        /// Which roles give this right.
        pub const fn roles(permission: Permission) -> Givers {
            match permission {
                $(Permission::$name => Givers {
                    asset: &[$(Role::$asset),*],
                    system: &[$(Role::$system),*],
                }),+
            }
        }
    };
}

// Source: dalp.md section 4 (roles and system permission map), A1, A9, A14. The system's `admin` may also read users,
// because it creates them.
permissions! {
    // Supply
    Mint, "mint": asset [SupplyManagement], system [];
    Burn, "burn": asset [SupplyManagement], system [];
    SetCap, "setCap": asset [SupplyManagement], system [];
    WithdrawDenominationAsset, "withdrawDenominationAsset": asset [SupplyManagement], system [];
    // Holders
    FreezeAddress, "freezeAddress": asset [Custodian], system [];
    FreezePartial, "freezePartial": asset [Custodian], system [];
    UnfreezePartial, "unfreezePartial": asset [Custodian], system [];
    ForcedTransfer, "forcedTransfer": asset [Custodian], system [];
    ForcedRecover, "forcedRecover": asset [Custodian], system [];
    // Emergency
    Pause, "pause": asset [Emergency], system [];
    Unpause, "unpause": asset [Emergency], system [];
    RecoverErc20, "recoverERC20": asset [Emergency], system [];
    RecoverTokens, "recoverTokens": asset [Emergency], system [];
    // Governance
    AddComplianceModule, "addComplianceModule": asset [Governance], system [];
    RemoveComplianceModule, "removeComplianceModule": asset [Governance], system [];
    Mature, "mature": asset [Governance], system [];
    SetYieldSchedule, "setYieldSchedule": asset [Governance], system [];
    // Roles on the asset
    GrantAssetRole, "grantRole": asset [Admin], system [];
    RevokeAssetRole, "revokeRole": asset [Admin], system [];
    /// Holders, balances, operations and audit events: of an asset for all its roles, of everything for the auditor.
    ReadRecords, "readRecords": asset [Admin, Governance, SupplyManagement, Custodian, Emergency, Auditor], system [Auditor];
    // System
    CreateAsset, "tokenCreate": asset [], system [TokenManager];
    GrantSystemRole, "systemGrantRole": asset [], system [Admin];
    RevokeSystemRole, "systemRevokeRole": asset [], system [Admin];
    CreateUser, "userCreate": asset [], system [Admin, IdentityManager];
    /// A wallet may hold roles before it has a user: whoever makes that user and gets its first key acts with them.
    CreateUserWithRoles, "userCreateWithRoles": asset [], system [Admin];
    ListUsers, "userList": asset [], system [Admin, IdentityManager, ClaimIssuer];
    ReadUser, "userRead": asset [], system [Admin, SystemManager, IdentityManager, ClaimIssuer];
    CreateIdentity, "identityCreate": asset [], system [IdentityManager];
    RegisterIdentity, "identityRegister": asset [], system [IdentityManager];
    ReadIdentity, "identityRead": asset [], system [SystemManager, ClaimIssuer, IdentityManager];
    ListIdentities, "identityList": asset [], system [SystemManager, ClaimIssuer, IdentityManager];
    ListClaims, "claimList": asset [], system [ClaimIssuer, IdentityManager];
    IssueClaim, "claimCreate": asset [], system [ClaimIssuer];
    RevokeClaim, "claimRevoke": asset [], system [ClaimIssuer];
    ManageClaimTopics, "topicManage": asset [], system [ClaimPolicyManager];
    ManageTrustedIssuers, "trustedIssuerManage": asset [], system [ClaimPolicyManager];
    /// Projects, environments, their keys and tiers, and the plans of readers.
    ManageProjects, "projectManage": asset [], system [SystemManager];
    ReadProjects, "projectRead": asset [], system [SystemManager, TokenManager];
    /// Who is told of the mints of an environment or a collection, and what they were told.
    ManageWebhooks, "webhookManage": asset [], system [Admin, SystemManager];
    /// The same for all collections.
    ManageSystemWebhooks, "webhookManageSystem": asset [], system [Admin];
}

impl Permission {
    pub fn is_given_by(self, held: &Held) -> bool {
        let givers = roles(self);
        givers.asset.iter().any(|role| held.asset.contains(role))
            || givers.system.iter().any(|role| held.system.contains(role))
    }

    /// What a caller without the right is told: every role that would give it, each once.
    pub fn refusal(self) -> Error {
        let givers = roles(self);
        let names: BTreeSet<Role> = givers.asset.iter().chain(givers.system).copied().collect();
        Error::Forbidden {
            required: names.into_iter().map(Role::as_str).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a` is a role on the asset, `s` a role in the system.
    fn matrix() -> String {
        let mut text =
            String::from("What each role may do. `a`: held on the asset in question, `s`: held in the system.\n\n");
        text.push_str(&format!("{:<26}", ""));
        for role in Role::ALL {
            text.push_str(&format!(" {role}"));
        }
        text.push('\n');
        for permission in Permission::ALL {
            text.push_str(&format!("{:<26}", permission.as_str()));
            for role in Role::ALL {
                let givers = roles(*permission);
                let mark = match (givers.asset.contains(&role), givers.system.contains(&role)) {
                    (true, true) => "a+s",
                    (true, false) => "a",
                    (false, true) => "s",
                    (false, false) => ".",
                };
                text.push_str(&format!(" {mark:^width$}", width = role.as_str().len()));
            }
            while text.ends_with(' ') {
                text.pop();
            }
            text.push('\n');
        }
        text
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test's switch, not a setting of the server")]
    fn the_matrix_is_the_one_that_was_reviewed() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/permissions.txt");
        if std::env::var("UPDATE_GOLDEN").is_ok() {
            std::fs::write(path, matrix()).unwrap();
        }

        let reviewed = std::fs::read_to_string(path).unwrap_or_default();

        assert_eq!(
            matrix(),
            reviewed,
            "run the test with UPDATE_GOLDEN=1 and review the change"
        );
    }

    #[test]
    fn every_right_is_given_by_roles_of_the_scope_they_are_held_in() {
        for permission in Permission::ALL {
            let givers = roles(*permission);

            assert!(
                givers.asset.iter().all(|role| Role::ASSET.contains(role)),
                "{permission:?}"
            );
            assert!(
                givers.system.iter().all(|role| Role::SYSTEM.contains(role)),
                "{permission:?}"
            );
            assert!(!givers.asset.is_empty() || !givers.system.is_empty(), "{permission:?}");
        }
    }

    #[test]
    fn the_same_role_in_the_other_scope_gives_nothing() {
        let on_asset = Held {
            asset: BTreeSet::from([Role::Admin]),
            system: BTreeSet::new(),
        };
        let in_system = Held {
            asset: BTreeSet::new(),
            system: BTreeSet::from([Role::Admin]),
        };

        assert!(Permission::GrantAssetRole.is_given_by(&on_asset));
        assert!(!Permission::GrantAssetRole.is_given_by(&in_system));
        assert!(Permission::GrantSystemRole.is_given_by(&in_system));
        assert!(!Permission::GrantSystemRole.is_given_by(&on_asset));
    }

    #[test]
    fn the_auditor_reads_and_does_nothing_else() {
        let auditor = Held {
            asset: BTreeSet::from([Role::Auditor]),
            system: BTreeSet::from([Role::Auditor]),
        };
        let given = Permission::ALL
            .iter()
            .filter(|permission| permission.is_given_by(&auditor));

        assert_eq!(given.collect::<Vec<_>>(), [&Permission::ReadRecords]);
    }

    #[test]
    fn a_refusal_names_each_role_once() {
        let Error::Forbidden { required } = Permission::ReadRecords.refusal() else {
            panic!("not a refusal of a right")
        };

        assert_eq!(required.iter().filter(|name| **name == "auditor").count(), 1);
    }
}
