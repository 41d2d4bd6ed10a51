//! `GET /api/token/{tokenAddress}/compliance`: everything that a mint of this asset is judged by.

use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::forms;
use super::{Call, DalpError, asset_in_path};
use crate::asset::{self, Asset, ConfiguredModule};
use crate::policy::{PolicySet, Rule, module};
use crate::types::{Address, Hash32};

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComplianceObject {
    /// Hash of all policies that are loaded.
    #[schema(value_type = String, example = "0x9c22ff5f21f0b81b113e63f7db6da94fedef11b2119b4088b89664fb9a3cb658")]
    policy_hash: Hash32,
    /// The asset's own policy on top of the baseline, or the baseline alone; null when the asset names one that is not
    /// loaded, and then nothing is minted.
    policy: Option<PolicyObject>,
    /// Modules attached to the asset, in the order of their evaluation, after the policy.
    modules: Vec<ModuleObject>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "id": "demo-equity", "version": 1, "rules": [{
    "id": "demo-equity/kyc", "why": "Only customers whose identity was checked hold this asset",
    "source": "assets/demo-equity.toml:11", "kind": "identity",
    "parameters": { "require": "kyc", "issuers": "any_trusted", "max_age_seconds": null },
}] }))]
pub struct PolicyObject {
    id: String,
    version: u64,
    rules: Vec<RuleObject>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "demo-equity/kyc", "why": "Only customers whose identity was checked hold this asset",
    "source": "assets/demo-equity.toml:11", "kind": "identity",
    "parameters": { "require": "kyc", "issuers": "any_trusted", "max_age_seconds": null },
}))]
pub struct RuleObject {
    /// As findings name it.
    id: String,
    why: String,
    /// Where it stands.
    source: String,
    kind: &'static str,
    /// The decoded expression, limits, countries.
    #[schema(value_type = Object)]
    parameters: Value,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "typeId": "CountryBlockListComplianceModule", "module": null, "values": [408],
    "kind": "country_block", "parameters": { "countries": ["KP"] },
}))]
pub struct ModuleObject {
    type_id: String,
    #[schema(value_type = Option<String>)]
    module: Option<Address>,
    #[schema(schema_with = forms::module_values)]
    values: Value,
    /// Null when the values do not read any more with the loaded definitions, and then nothing is minted.
    kind: Option<&'static str>,
    /// The decoded expression, limits, countries.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Value>,
}

fn policy_of(asset: &Asset, policies: &PolicySet) -> Option<PolicyObject> {
    let policy = policies.for_asset(asset.policy.as_deref())?;
    Some(PolicyObject {
        id: policy.id.clone(),
        version: policy.version,
        rules: policy.rules.iter().map(rule_of).collect(),
    })
}

fn rule_of(rule: &Rule) -> RuleObject {
    RuleObject {
        id: rule.name.to_string(),
        why: rule.why.clone(),
        source: format!("{}:{}", rule.origin.file, rule.origin.line),
        kind: rule.check.kind(),
        parameters: rule.check.canonical(),
    }
}

fn module_of(asset: &Asset, policies: &PolicySet, configured: ConfiguredModule) -> ModuleObject {
    let ConfiguredModule {
        type_id,
        module,
        values,
        ..
    } = configured;
    let check = module::parse(&type_id, &values, asset.decimals.get(), &policies.definitions).ok();
    ModuleObject {
        kind: check.as_ref().map(|check| check.kind()),
        parameters: check.as_ref().map(|check| check.canonical()),
        type_id,
        module,
        values,
    }
}

/// Read what a mint of the asset is judged by.
#[utoipa::path(tag = "Token", operation_id = "tokenCompliance",
    params(("tokenAddress" = String, Path, description = "Address of the asset")),
    responses((status = 200, description = "Policy and modules", body = ComplianceObject)))]
#[get("/token/{tokenAddress}/compliance")]
pub async fn compliance(call: Call, path: web::Path<String>) -> Result<HttpResponse, DalpError> {
    let asset = asset_in_path(&call, &path).await?;
    let id = asset.id;
    let configured = call.read(move |tx, _| asset::modules_of(tx, id)).await?;
    let policies = call.app.policy();
    let modules = configured.into_iter().map(|module| module_of(&asset, policies, module));
    Ok(HttpResponse::Ok().json(ComplianceObject {
        policy_hash: policies.hash,
        policy: policy_of(&asset, policies),
        modules: modules.collect(),
    }))
}
