use serde_json::{Map, Value, json};

use super::document::{FILE, HEADING};
use super::duration::Duration;
use super::expression::Expression;
use super::kinds::KINDS;
use super::parameter::{Form, Parameter, Required};
use super::reader::SLUG_MAX;
use super::rule::{RULE, WHEN};

/// The JSON schema of a policy file, written from the same descriptions that the loader checks keys against. It serves
/// editors; the loader checks more (slugs against definitions, tightening, expressions).
pub fn editor_schema() -> Value {
    let mut checks = Map::new();
    for kind in KINDS {
        let mut check = table(kind.parameters, &[]);
        set(
            &mut check,
            "description",
            json!(format!("{}. Tighter: {}.", kind.about, kind.tighter)),
        );
        checks.insert(kind.name.to_owned(), check);
    }
    let check = json!({
        "type": "object",
        "additionalProperties": false,
        "minProperties": 1,
        "maxProperties": 1,
        "properties": checks,
    });
    let rule = table(RULE, &[("when", table(WHEN, &[])), ("check", check)]);
    let rules = json!({ "type": "array", "minItems": 1, "items": rule });
    let mut file = table(FILE, &[("policy", table(HEADING, &[])), ("rule", rules)]);
    set(
        &mut file,
        "$schema",
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    set(&mut file, "title", json!("A policy file of Moneyer"));
    file
}

fn set(object: &mut Value, key: &str, value: Value) {
    if let Value::Object(fields) = object {
        fields.insert(key.to_owned(), value);
    }
}

/// `inner` has the schemas of those keys that are tables of their own.
fn table(parameters: &[Parameter], inner: &[(&str, Value)]) -> Value {
    let mut properties = Map::new();
    for parameter in parameters {
        let nested = inner
            .iter()
            .find(|(name, _)| *name == parameter.name)
            .map(|(_, schema)| schema.clone());
        let mut property = nested.unwrap_or_else(|| form(parameter.form));
        set(&mut property, "description", json!(parameter.about));
        properties.insert(parameter.name.to_owned(), property);
    }
    let required: Vec<&str> = parameters
        .iter()
        .filter(|parameter| parameter.required == Required::Yes)
        .map(|parameter| parameter.name)
        .collect();
    json!({ "type": "object", "additionalProperties": false, "properties": properties, "required": required })
}

fn form(form: Form) -> Value {
    let country = "^([A-Z]{2}|[0-9]{3})$";
    let slug = format!("^[a-z0-9_-]{{1,{SLUG_MAX}}}$");
    match form {
        Form::Text => json!({ "type": "string", "minLength": 1 }),
        Form::Slug => json!({ "type": "string", "pattern": slug }),
        Form::Expression => json!({
            "oneOf": [{ "type": "string", "minLength": 1, "maxLength": Expression::TEXT_MAX }, { "type": "array" }],
        }),
        Form::Notation => json!({ "enum": ["infix", "postfix"] }),
        Form::Issuers => json!({
            "oneOf": [{ "const": "any_trusted" }, { "type": "array", "minItems": 1, "items": { "type": "string" } }],
        }),
        Form::Duration => json!({
            "type": "string",
            "pattern": "^[0-9]+(s|min|h|d)$",
            "$comment": format!("at most {} seconds", Duration::SECONDS_MAX),
        }),
        Form::WholeAmount => json!({ "type": "string", "pattern": "^[0-9]+(_[0-9]+)*(\\.[0-9]+(_[0-9]+)*)?$" }),
        Form::Count => json!({ "type": "integer", "minimum": 1 }),
        Form::CountryCounts => json!({
            "type": "object",
            "propertyNames": { "pattern": "^[A-Z]{2}$" },
            "additionalProperties": { "type": "integer", "minimum": 1 },
        }),
        Form::Countries => json!({ "type": "array", "items": { "type": "string", "pattern": country } }),
        Form::Slugs => json!({ "type": "array", "items": { "type": "string" } }),
        Form::Addresses => json!({
            "type": "array",
            "items": { "type": "string", "pattern": "^0x[0-9a-fA-F]{40}$" },
        }),
        Form::Date => json!({ "type": "string", "format": "date" }),
        Form::List => json!({ "type": "array" }),
        Form::Table => json!({ "type": "object" }),
    }
}
