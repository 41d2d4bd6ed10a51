//! The one table of routes: who may call each, and a request that is valid for it.
//!
//! A parameter in a path is filled by its name ([`Stage::fill`]): `{contract}` is an asset that has every feature, `{id}`
//! an operation, `{wallet}`, `{identityId}` and `{userId}` are a bystander's, who takes no part in the matrix.
//!
//! No request changes anything, so that the rows do not depend on each other and the same request can be tried with every
//! role: a change verifies with a one-time password ([`code`]), which nobody has set up. Who lacks the right is told so
//! (403); who has it comes as far as the verification and is told 404 `VERIFICATION_ID_NOT_FOUND` (dalp.md A6: the role
//! is checked first, the code next, the rules and the rest after that). That counts for no lock.

use moneyer::access::Permission::{self, *};
use serde_json::{Value, json};

use super::stage::Stage;
use May::{Everybody, InSystem, OnAsset, Owner, OwnerOr, Public, Requester, RoleAndTrust, Trust};

pub struct Route {
    pub method: &'static str,
    pub path: &'static str,
    pub may: May,
    pub ask: fn(&Stage) -> Ask,
}

/// Who may make the request of a row.
#[derive(Clone, Copy, Debug)]
pub enum May {
    /// No key is needed.
    Public,
    /// Whoever has a key.
    Everybody,
    /// The owner of what is asked for. It is the bystander's, so nobody in the matrix; the others are told 404.
    Owner,
    /// The owner, and whoever has the right in the system.
    OwnerOr(Permission),
    /// Whoever requested the operation, and whoever has the right on its asset; the others are told 404.
    Requester(Permission),
    /// Whoever has the right on the asset of the request (or in the system, where a role there gives it too).
    OnAsset(Permission),
    /// Whoever has the right in the system.
    InSystem(Permission),
    /// Whose identity is trusted for the claim topic `collateral`; roles do not matter.
    Trust,
    /// Who has the right in the system and whose identity is trusted for the topic of the claim.
    RoleAndTrust(Permission),
}

/// What a request has beside its path.
pub enum Ask {
    Nothing,
    Query(String),
    Body(Value),
}

fn row(method: &'static str, path: &'static str, may: May, ask: fn(&Stage) -> Ask) -> Route {
    Route { method, path, may, ask }
}

fn nothing(_: &Stage) -> Ask {
    Ask::Nothing
}

/// A verification that fails without counting: nobody in these tests has one-time passwords.
pub fn code() -> Value {
    json!({ "secretVerificationCode": "000000", "verificationType": "OTP" })
}

/// A body with its verification.
fn body(mut fields: Value) -> Ask {
    fields["walletVerification"] = code();
    Ask::Body(fields)
}

fn only_code(_: &Stage) -> Ask {
    body(json!({}))
}

#[rustfmt::skip]
pub fn table() -> Vec<Route> {
    vec![
        // the server
        row("GET", "/livez", Public, nothing),
        row("GET", "/readyz", Public, nothing),
        row("GET", "/healthz", Public, nothing),
        row("GET", "/openapi.json", Public, nothing),
        row("GET", "/docs", Public, nothing),

        // assets
        row("POST", "/api/token/create", InSystem(CreateAsset), |_| body(json!({
            "type": "deposit", "name": "Another", "symbol": "OTHER", "decimals": 2, "countryCode": "056",
            "basePrice": "1.00", "basePriceCurrencyCode": "USD" }))),
        row("POST", "/api/token/adopt", InSystem(CreateAsset), |stage| body(json!({
            "address": stage.unknown, "chain": 31_337, "type": "deposit", "countryCode": "056",
            "basePrice": "1.00", "basePriceCurrencyCode": "USD" }))),
        row("GET", "/api/token", Everybody, nothing),
        row("GET", "/api/token/search", Everybody, |_| Ask::Query("query=ACME".to_owned())),
        row("GET", "/api/token/{tokenAddress}", Everybody, nothing),
        row("GET", "/api/token/{tokenAddress}/compliance", Everybody, nothing),
        row("GET", "/api/token/{tokenAddress}/holders", OnAsset(ReadRecords), nothing),
        row("GET", "/api/token/{tokenAddress}/holder", OnAsset(ReadRecords), |stage| Ask::Query(format!("holderAddress={}", stage.bystander.wallet))),
        row("GET", "/api/token/{tokenAddress}/events", OnAsset(ReadRecords), nothing),

        // what agents do with an asset
        row("POST", "/api/token/{contract}/mint", OnAsset(Mint), |stage| body(json!({ "recipients": stage.bystander.wallet, "amounts": "1" }))),
        row("POST", "/api/token/{contract}/mint/check", OnAsset(Mint), |stage| Ask::Body(json!({ "recipients": stage.bystander.wallet, "amounts": "1" }))),
        row("POST", "/api/token/{contract}/pause", OnAsset(Pause), only_code),
        row("PUT", "/api/token/{contract}/pause", OnAsset(Pause), only_code),
        row("POST", "/api/token/{contract}/unpause", OnAsset(Unpause), only_code),
        row("PUT", "/api/token/{contract}/unpause", OnAsset(Unpause), only_code),
        row("POST", "/api/token/{contract}/set-cap", OnAsset(SetCap), |_| body(json!({ "newCap": "7" }))),
        row("POST", "/api/token/{contract}/update-collateral", Trust, |_| body(json!({ "amount": "7", "expiryTimestamp": "2026-12-01T00:00:00Z" }))),
        row("POST", "/api/token/{contract}/freeze-address", OnAsset(FreezeAddress), |stage| body(json!({ "userAddress": stage.bystander.wallet, "freeze": true }))),
        row("DELETE", "/api/token/{contract}/burn", OnAsset(Burn), |stage| body(json!({ "addresses": stage.bystander.wallet, "amounts": "1" }))),
        row("POST", "/api/token/{contract}/burn", OnAsset(Burn), |stage| body(json!({ "addresses": stage.bystander.wallet, "amounts": "1" }))),
        row("POST", "/api/token/{contract}/transfer/forced", OnAsset(ForcedTransfer), |stage| body(json!({
            "from": stage.bystander.wallet, "recipients": stage.unknown, "amounts": "1" }))),
        row("POST", "/api/token/grant-role", OnAsset(GrantAssetRole), |stage| body(json!({ "contract": stage.asset, "accounts": [stage.bystander.wallet], "role": "custodian" }))),
        row("POST", "/api/token/{contract}/grant-role", OnAsset(GrantAssetRole), |stage| body(json!({ "accounts": [stage.bystander.wallet], "role": "custodian" }))),
        row("DELETE", "/api/token/{contract}/revoke-role", OnAsset(RevokeAssetRole), |stage| body(json!({ "address": stage.bystander.wallet, "role": "custodian" }))),

        // operations and evidence
        row("GET", "/api/operations", Everybody, nothing),
        row("GET", "/api/operations/{id}", Requester(ReadRecords), nothing),
        row("GET", "/api/audit", InSystem(ReadRecords), nothing),
        row("GET", "/api/audit/heads", InSystem(ReadRecords), nothing),
        row("GET", "/api/audit/heads", OnAsset(ReadRecords), |stage| Ask::Query(format!("asset={}", stage.asset))),
        row("GET", "/api/audit", OnAsset(ReadRecords), |stage| Ask::Query(format!("asset={}", stage.asset))),

        // users and roles in the system
        row("POST", "/api/user", InSystem(CreateUser), |stage| body(json!({ "name": "Ada", "wallet": stage.unknown }))),
        row("GET", "/api/user/me", Everybody, nothing),
        row("GET", "/api/user/list", InSystem(ListUsers), nothing),
        row("GET", "/api/user/by-id/{userId}", OwnerOr(ReadUser), nothing),
        row("GET", "/api/user/by-wallet/{wallet}", OwnerOr(ReadUser), nothing),
        row("POST", "/api/system/access-manager/grant-roles", InSystem(GrantSystemRole), |stage| body(json!({ "address": stage.bystander.wallet, "role": "admin" }))),
        row("DELETE", "/api/system/access-manager/revoke-roles", InSystem(RevokeSystemRole), |stage| body(json!({ "address": stage.bystander.wallet, "role": "admin" }))),
        row("GET", "/api/system/access-manager/roles", Everybody, nothing),

        // one's own verification and keys
        row("POST", "/api/auth/pincode/enable", Everybody, |_| body(json!({ "pincode": "111111" }))),
        row("POST", "/api/auth/pincode/update", Everybody, |_| body(json!({ "newPincode": "111111" }))),
        row("POST", "/api/auth/pincode/disable", Everybody, only_code),
        row("POST", "/api/auth/two-factor/enable", Everybody, only_code),
        row("POST", "/api/auth/two-factor/verify-totp", Everybody, |_| Ask::Body(json!({ "code": "000000" }))),
        row("POST", "/api/auth/two-factor/disable", Everybody, only_code),
        row("POST", "/api/auth/secret-codes/generate", Everybody, only_code),
        row("POST", "/api/auth/secret-codes/confirm", Everybody, |_| Ask::Body(json!({ "stored": false }))),
        row("POST", "/api/auth/api-key/create", Everybody, |_| body(json!({ "name": "another" }))),
        row("POST", "/api/auth/api-key/update", Owner, |stage| Ask::Body(json!({ "keyId": stage.key, "enabled": false }))),
        row("POST", "/api/auth/api-key/delete", Owner, |stage| Ask::Body(json!({ "keyId": stage.key }))),
        row("GET", "/api/auth/api-key/get", Owner, |stage| Ask::Query(format!("id={}", stage.key))),
        row("GET", "/api/auth/api-key/list", Everybody, nothing),

        // identities and claims
        row("POST", "/api/system/identity", OwnerOr(CreateIdentity), |stage| body(json!({ "wallet": stage.unknown }))),
        row("PUT", "/api/system/identity", InSystem(RegisterIdentity), |stage| body(json!({ "wallet": stage.bystander.wallet, "country": "FR" }))),
        row("GET", "/api/system/identity/list", InSystem(ListIdentities), nothing),
        row("GET", "/api/system/identity/me", Everybody, nothing),
        row("GET", "/api/system/identity/by-wallet/{wallet}", OwnerOr(ReadIdentity), nothing),
        row("GET", "/api/system/identity/by-id/{identityId}", OwnerOr(ReadIdentity), nothing),
        row("GET", "/api/system/identity/claims/list", OwnerOr(ListClaims), |stage| Ask::Query(format!("accountId={}", stage.bystander.wallet))),
        row("POST", "/api/system/identity/claims/issue", RoleAndTrust(IssueClaim), |stage| body(json!({
            "targetIdentityAddress": stage.identity, "claim": { "topic": "knowYourCustomer", "data": { "claim": "checked" } } }))),
        row("POST", "/api/system/identity/claims/revoke", RoleAndTrust(RevokeClaim), |stage| body(json!({
            "targetIdentityAddress": stage.identity, "claimTopic": "knowYourCustomer" }))),
        row("GET", "/api/system/claim-topics", Everybody, nothing),
        row("POST", "/api/system/claim-topics", InSystem(ManageClaimTopics), |_| body(json!({ "name": "suitability", "signature": "uint8 level" }))),
        row("PUT", "/api/system/claim-topics/{name}", InSystem(ManageClaimTopics), |_| body(json!({ "validitySecondsMax": 86_400 }))),
        row("DELETE", "/api/system/claim-topics/{name}", InSystem(ManageClaimTopics), only_code),
        row("GET", "/api/system/trusted-issuers", Everybody, nothing),
        row("POST", "/api/system/trusted-issuers", InSystem(ManageTrustedIssuers), |stage| body(json!({ "issuerAddress": stage.identity, "claimTopicIds": ["collateral"] }))),
        row("PUT", "/api/system/trusted-issuers/{issuerAddress}", InSystem(ManageTrustedIssuers), |_| body(json!({ "claimTopicIds": ["collateral"] }))),
        row("DELETE", "/api/system/trusted-issuers/{issuerAddress}", InSystem(ManageTrustedIssuers), only_code),

        // collections
        row("POST", "/api/collections", InSystem(CreateAsset), |_| body(json!({ "name": "Swords", "symbol": "SWD" }))),
        row("POST", "/api/collections/adopt", InSystem(CreateAsset), |stage| body(json!({ "address": stage.unknown }))),
        row("GET", "/api/collections", Everybody, nothing),
        row("GET", "/api/collections/{collection}", Everybody, nothing),
        row("POST", "/api/collections/{collection}/link", OnAsset(GrantAssetRole), |_| body(json!({ "environmentId": null }))),
        row("POST", "/api/collections/{collection}/grant-role", OnAsset(GrantAssetRole), |stage| body(json!({
            "accounts": [stage.bystander.wallet], "role": "auditor" }))),
        row("DELETE", "/api/collections/{collection}/revoke-role", OnAsset(RevokeAssetRole), |stage| body(json!({
            "address": stage.bystander.wallet, "role": "auditor" }))),
        row("POST", "/api/collections/{collection}/mint", OnAsset(Mint), |stage| body(json!({
            "assets": [{ "ownerAddress": stage.bystander.wallet }] }))),

        // projects, environments and keys of the minting API
        row("POST", "/api/projects", InSystem(ManageProjects), |_| body(json!({ "name": "Another game" }))),
        row("GET", "/api/projects", InSystem(ReadProjects), nothing),
        row("POST", "/api/projects/{projectId}/environments", InSystem(ManageProjects), |_| body(json!({ "name": "production" }))),
        row("GET", "/api/projects/{projectId}/environments", InSystem(ReadProjects), nothing),
        row("PUT", "/api/environments/{environmentId}", InSystem(ManageProjects), |_| body(json!({ "tier": "partner" }))),
        row("POST", "/api/environments/{environmentId}/keys", InSystem(ManageProjects), |_| body(json!({ "kind": "publishable" }))),
        row("GET", "/api/environments/{environmentId}/keys", InSystem(ReadProjects), nothing),
        row("POST", "/api/environments/{environmentId}/keys/{keyId}/rotate", InSystem(ManageProjects), only_code),
        row("DELETE", "/api/environments/{environmentId}/keys/{keyId}", InSystem(ManageProjects), only_code),
        row("GET", "/api/environments/{environmentId}/usage", InSystem(ReadProjects), nothing),
        row("GET", "/api/rate-plans", InSystem(ReadProjects), nothing),
        row("PUT", "/api/rate-plans/{planName}", InSystem(ManageProjects), |_| body(json!({ "requests": 10, "windowSeconds": 60 }))),
        row("GET", "/api/rate-plans/{planName}/keys", InSystem(ReadProjects), nothing),
        row("POST", "/api/rate-plans/{planName}/keys", InSystem(ManageProjects), only_code),
        row("DELETE", "/api/rate-plans/{planName}/keys/{keyId}", InSystem(ManageProjects), only_code),

        // webhooks
        row("POST", "/api/webhooks", InSystem(ManageWebhooks), |stage| body(json!({ "url": "https://example.com/hook", "environmentId": stage.minting.environment }))),
        row("GET", "/api/webhooks", InSystem(ManageWebhooks), nothing),
        row("GET", "/api/webhooks/{webhookId}", InSystem(ManageWebhooks), nothing),
        row("PUT", "/api/webhooks/{webhookId}", InSystem(ManageWebhooks), |_| body(json!({ "active": false }))),
        row("POST", "/api/webhooks/{webhookId}/rotate", InSystem(ManageWebhooks), only_code),
        row("DELETE", "/api/webhooks/{webhookId}", InSystem(ManageWebhooks), only_code),
        row("GET", "/api/webhooks/{webhookId}/deliveries", InSystem(ManageWebhooks), nothing),
        row("GET", "/api/webhooks/{webhookId}/deliveries/{deliveryId}", InSystem(ManageWebhooks), nothing),
        row("POST", "/api/webhooks/{webhookId}/deliveries/{deliveryId}/replay", InSystem(ManageWebhooks), only_code),
    ]
}
