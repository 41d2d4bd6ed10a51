//! Who may do what on an asset: the parts `accessControl` and `userPermissions` of the asset object.

use serde::Serialize;
use utoipa::ToSchema;

use crate::access::{Held, Permission, Role};
use crate::types::{Address, Hash32, keccak256};

/// A wallet that holds a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoleHolder {
    #[schema(value_type = String, example = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")]
    id: Address,
    is_contract: bool,
}

/// Which role grants and revokes which.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoleAdmin {
    #[schema(example = "0x9459D52E60edBD3178f00F9055f6C117a21b4220-supplyManagement")]
    id: String,
    /// keccak256 of the role's name on chain; zero for `admin`.
    #[schema(value_type = String, example = "0x47b7a6ef32f924153c4c0c2f871f8856bd114b4903c167827ef0f0694c583e27")]
    role: Hash32,
    #[schema(example = "supplyManagement")]
    role_field_name: &'static str,
    #[schema(value_type = String, example = "0x0000000000000000000000000000000000000000000000000000000000000000")]
    admin_role: Hash32,
    #[schema(example = "admin")]
    admin_field_name: &'static str,
}

macro_rules! access_control {
    ($($field:ident = $name:literal),+ $(,)?) => {
        /// Holders of the roles on this asset, under all the names that the reference knows.
        #[derive(Clone, Debug, Serialize, ToSchema)]
        #[serde(rename_all = "camelCase")]
        pub struct AccessControl {
            #[schema(value_type = String, example = "0x9459D52E60edBD3178f00F9055f6C117a21b4220")]
            id: Address,
            $(#[serde(rename = $name)] #[schema(example = json!([]))] $field: Vec<RoleHolder>,)+
            role_admins: Vec<RoleAdmin>,
        }

        impl AccessControl {
            pub fn of(asset: Address, grants: &[(Role, Address)]) -> Self {
                Self {
                    id: asset,
                    $($field: holders_of($name, grants),)+
                    role_admins: Role::ASSET.iter().map(|role| role_admin(asset, *role)).collect(),
                }
            }
        }
    };
}

access_control! {
    addon_manager = "addonManager",
    addon_module = "addonModule",
    addon_registry_module = "addonRegistryModule",
    admin = "admin",
    auditor = "auditor",
    claim_policy_manager = "claimPolicyManager",
    claim_issuer = "claimIssuer",
    compliance_manager = "complianceManager",
    custodian = "custodian",
    emergency = "emergency",
    funds_manager = "fundsManager",
    governance = "governance",
    identity_manager = "identityManager",
    identity_registry_module = "identityRegistryModule",
    organisation_identity_manager = "organisationIdentityManager",
    sale_admin = "saleAdmin",
    supply_management = "supplyManagement",
    system_manager = "systemManager",
    system_module = "systemModule",
    token_factory_module = "tokenFactoryModule",
    token_factory_registry_module = "tokenFactoryRegistryModule",
    token_manager = "tokenManager",
    trusted_issuers_meta_registry_module = "trustedIssuersMetaRegistryModule",
}

fn holders_of(name: &str, grants: &[(Role, Address)]) -> Vec<RoleHolder> {
    let holders = grants.iter().filter(|(role, _)| role.as_str() == name);
    holders
        .map(|(_, id)| RoleHolder {
            id: *id,
            is_contract: false,
        })
        .collect()
}

fn role_admin(asset: Address, role: Role) -> RoleAdmin {
    RoleAdmin {
        id: format!("{asset}-{role}"),
        role: role_id(role),
        role_field_name: role.as_str(),
        admin_role: role_id(Role::Admin),
        admin_field_name: Role::Admin.as_str(),
    }
}

/// The number of a role on chain: `keccak256("SUPPLY_MANAGEMENT_ROLE")` for `supplyManagement` (dalp.md section 4).
fn role_id(role: Role) -> Hash32 {
    if role == Role::Admin {
        return Hash32::ZERO;
    }
    let mut name = String::new();
    for character in role.as_str().chars() {
        if character.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(character.to_ascii_uppercase());
    }
    keccak256(format!("{name}_ROLE").as_bytes())
}

/// What the caller holds on this asset and may therefore do.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserPermissions {
    roles: UserRoles,
    /// Whether the caller may use the asset at all.
    #[schema(example = true)]
    is_allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_allowed_reason: Option<String>,
    actions: Actions,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserRoles {
    admin: bool,
    custodian: bool,
    emergency: bool,
    governance: bool,
    supply_management: bool,
}

impl UserPermissions {
    pub fn of(held: &Held) -> Self {
        let has = |role: Role| held.asset.contains(&role);
        Self {
            roles: UserRoles {
                admin: has(Role::Admin),
                custodian: has(Role::Custodian),
                emergency: has(Role::Emergency),
                governance: has(Role::Governance),
                supply_management: has(Role::SupplyManagement),
            },
            is_allowed: true,
            not_allowed_reason: None,
            actions: Actions::of(held),
        }
    }
}

macro_rules! actions {
    ($($field:ident = $name:literal: $permission:expr),+ $(,)?) => {
        /// The reference's 24 actions, by roles alone: neither pause nor features nor maturity are looked at, and
        /// updateCollateral needs trust for its topic besides.
        #[derive(Clone, Copy, Debug, Serialize, ToSchema)]
        pub struct Actions {
            $(#[serde(rename = $name)] $field: bool,)+
        }

        impl Actions {
            fn of(held: &Held) -> Self {
                Self { $($field: needs_nothing_or($permission, held),)+ }
            }
        }
    };
}

actions! {
    burn = "burn": Some(Permission::Burn),
    grant_role = "grantRole": Some(Permission::GrantAssetRole),
    revoke_role = "revokeRole": Some(Permission::RevokeAssetRole),
    mint = "mint": Some(Permission::Mint),
    pause = "pause": Some(Permission::Pause),
    add_compliance_module = "addComplianceModule": Some(Permission::AddComplianceModule),
    approve = "approve": None,
    forced_recover = "forcedRecover": Some(Permission::ForcedRecover),
    freeze_address = "freezeAddress": Some(Permission::FreezeAddress),
    freeze_partial = "freezePartial": Some(Permission::FreezePartial),
    unfreeze_partial = "unfreezePartial": Some(Permission::UnfreezePartial),
    recover_erc20 = "recoverERC20": Some(Permission::RecoverErc20),
    recover_tokens = "recoverTokens": Some(Permission::RecoverTokens),
    redeem = "redeem": None,
    mature = "mature": Some(Permission::Mature),
    remove_compliance_module = "removeComplianceModule": Some(Permission::RemoveComplianceModule),
    set_cap = "setCap": Some(Permission::SetCap),
    set_yield_schedule = "setYieldSchedule": Some(Permission::SetYieldSchedule),
    transfer = "transfer": None,
    forced_transfer = "forcedTransfer": Some(Permission::ForcedTransfer),
    unpause = "unpause": Some(Permission::Unpause),
    update_collateral = "updateCollateral": None,
    withdraw_denomination_asset = "withdrawDenominationAsset": Some(Permission::WithdrawDenominationAsset),
    top_up_denomination_asset = "topUpDenominationAsset": None,
}

fn needs_nothing_or(permission: Option<Permission>, held: &Held) -> bool {
    permission.is_none_or(|permission| permission.is_given_by(held))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn permissions(roles: &[Role]) -> Value {
        let held = Held {
            asset: roles.iter().copied().collect(),
            ..Held::default()
        };
        serde_json::to_value(UserPermissions::of(&held)).unwrap()
    }

    fn allowed(permissions: &Value) -> Vec<&str> {
        let actions = permissions["actions"].as_object().unwrap();
        actions
            .iter()
            .filter(|(_, is)| **is == json!(true))
            .map(|(name, _)| name.as_str())
            .collect()
    }

    #[test]
    fn there_are_the_references_actions_and_role_names() {
        let nobody = permissions(&[]);
        let control = serde_json::to_value(AccessControl::of(Address::ZERO, &[])).unwrap();

        assert_eq!(nobody["actions"].as_object().unwrap().len(), 24);
        assert_eq!(nobody["roles"].as_object().unwrap().len(), 5);
        assert_eq!(control.as_object().unwrap().len(), 23 + 2);
        for role in Role::ALL {
            assert!(control[role.as_str()].is_array(), "{role}");
        }
    }

    #[test]
    fn nobody_in_particular_may_do_what_needs_no_role() {
        let nobody = [
            "approve",
            "redeem",
            "topUpDenominationAsset",
            "transfer",
            "updateCollateral",
        ];

        assert_eq!(allowed(&permissions(&[])), nobody);
        assert_eq!(allowed(&permissions(&[Role::Auditor])), nobody);
    }

    #[test]
    fn supply_management_adds_its_four_actions() {
        let permissions = permissions(&[Role::SupplyManagement]);

        let allowed = allowed(&permissions);
        assert!(
            ["burn", "mint", "setCap", "withdrawDenominationAsset"]
                .iter()
                .all(|a| allowed.contains(a))
        );
        assert_eq!(allowed.len(), 5 + 4);
    }

    #[test]
    fn a_role_has_its_number_on_chain() {
        assert_eq!(role_id(Role::Admin), Hash32::ZERO);
        assert_eq!(role_id(Role::SupplyManagement), keccak256(b"SUPPLY_MANAGEMENT_ROLE"));
        assert_eq!(role_id(Role::Custodian), keccak256(b"CUSTODIAN_ROLE"));
    }
}
