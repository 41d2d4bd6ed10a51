use serde::{Deserialize, Serialize};

use super::manifest::Recipients;
use super::secrets::Secrets;
use crate::access::Role;
use crate::error::Error;
use crate::types::CountryCode;

/// More than one call of 100 can take, so that something is left to try after it.
const APPROVED: usize = 120;
/// Enough of each kind that is refused to try one alone and several in a batch.
const OF_EACH_REFUSED_KIND: usize = 3;
/// Where approved people live, in turn.
const COUNTRIES: [&str; 6] = ["BE", "DE", "FR", "NL", "ES", "US"];
/// On the baseline policy's list of embargoed countries.
const BLOCKED: &str = "KP";

/// The people of the demo who have a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Name {
    Admin,
    Issuer,
    Governor,
    Custodian,
    Emergency,
    Officer,
    Officer2,
    TrustedIssuer,
    Auditor,
    Outsider,
}

impl Name {
    pub(super) const ALL: [Self; 10] = [
        Self::Admin,
        Self::Issuer,
        Self::Governor,
        Self::Custodian,
        Self::Emergency,
        Self::Officer,
        Self::Officer2,
        Self::TrustedIssuer,
        Self::Auditor,
        Self::Outsider,
    ];

    /// As the manifest spells it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Issuer => "issuer",
            Self::Governor => "governor",
            Self::Custodian => "custodian",
            Self::Emergency => "emergency",
            Self::Officer => "officer",
            Self::Officer2 => "officer2",
            Self::TrustedIssuer => "trustedIssuer",
            Self::Auditor => "auditor",
            Self::Outsider => "outsider",
        }
    }

    /// As the console shows them.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Admin => "Demo admin",
            Self::Issuer => "Demo issuer",
            Self::Governor => "Demo governor",
            Self::Custodian => "Demo custodian",
            Self::Emergency => "Demo emergency",
            Self::Officer => "Demo officer",
            Self::Officer2 => "Demo second officer",
            Self::TrustedIssuer => "Demo trusted issuer",
            Self::Auditor => "Demo auditor",
            Self::Outsider => "Demo outsider",
        }
    }

    /// Beside `admin`, which the first user has from the start.
    pub(super) const fn system_roles(self) -> &'static [Role] {
        match self {
            Self::Admin => &[Role::TokenManager, Role::SystemManager],
            Self::Officer | Self::Officer2 => {
                &[Role::IdentityManager, Role::ComplianceManager, Role::ClaimPolicyManager]
            }
            Self::TrustedIssuer => &[Role::ClaimIssuer],
            Self::Auditor => &[Role::Auditor],
            Self::Issuer | Self::Governor | Self::Custodian | Self::Emergency | Self::Outsider => &[],
        }
    }

    /// On every asset; the admin has its own from creating them.
    pub(super) const fn asset_role(self) -> Option<Role> {
        match self {
            Self::Issuer => Some(Role::SupplyManagement),
            Self::Governor => Some(Role::Governance),
            Self::Custodian => Some(Role::Custodian),
            Self::Emergency => Some(Role::Emergency),
            Self::Admin | Self::Officer | Self::Officer2 | Self::TrustedIssuer | Self::Auditor | Self::Outsider => None,
        }
    }
}

pub(super) fn recipients(secrets: &mut Secrets) -> Result<Recipients, Error> {
    Ok(Recipients {
        approved: secrets.new_wallets(APPROVED)?,
        unregistered: secrets.new_wallets(OF_EACH_REFUSED_KIND)?,
        unverified: secrets.new_wallets(OF_EACH_REFUSED_KIND)?,
        blocked_country: secrets.new_wallets(OF_EACH_REFUSED_KIND)?,
        frozen: secrets.new_wallets(OF_EACH_REFUSED_KIND)?,
    })
}

/// Country by country, for as long as somebody asks.
pub(super) fn countries() -> Result<impl Iterator<Item = CountryCode>, Error> {
    let countries: Vec<CountryCode> = COUNTRIES
        .iter()
        .map(|text| CountryCode::parse_alpha2(text))
        .collect::<Result<_, _>>()
        .map_err(Error::internal)?;
    Ok(countries.into_iter().cycle())
}

pub(super) fn blocked_country() -> Result<CountryCode, Error> {
    CountryCode::parse_alpha2(BLOCKED).map_err(Error::internal)
}
