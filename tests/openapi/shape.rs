//! Whether a value has the shape that a schema of the document describes: enough of JSON Schema for what we write.

use serde_json::{Map, Value};

/// The example of a body: its own, or that of its type, or a list of one of the items' type.
pub fn example_of(document: &Value, body: &Value) -> Option<Value> {
    if let Some(example) = body.get("example") {
        return Some(example.clone());
    }
    let schema = resolve(document, &body["schema"]);
    if let Some(example) = schema.get("example") {
        return Some(example.clone());
    }
    let items = resolve(document, schema.get("items")?);
    items.get("example").map(|example| Value::Array(vec![example.clone()]))
}

/// Where a value does not fit, and why.
pub fn misfits(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(document, schema, value, "$", &mut found);
    found
}

fn resolve<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    match schema["$ref"].as_str() {
        Some(reference) => {
            let target = document.pointer(&reference[1..]).expect("a reference leads somewhere");
            resolve(document, target)
        }
        None => schema,
    }
}

fn compare(document: &Value, schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
    let schema = resolve(document, schema);
    for key in ["oneOf", "anyOf"] {
        if let Some(variants) = schema[key].as_array() {
            let fits = |variant: &Value| {
                let mut misfits = Vec::new();
                compare(document, variant, value, path, &mut misfits);
                misfits.is_empty()
            };
            if !variants.iter().any(fits) {
                found.push(format!("{path} fits none of {key}: {value}"));
            }
            return;
        }
    }
    if !has_type(schema, value) {
        found.push(format!("{path} is not {}: {value}", schema["type"]));
        return;
    }
    match value {
        Value::Object(fields) => compare_fields(document, schema, fields, path, found),
        Value::Array(items) => {
            let count = items.len() as u64;
            let within = schema["minItems"].as_u64().is_none_or(|min| count >= min)
                && schema["maxItems"].as_u64().is_none_or(|max| count <= max);
            if !within {
                found.push(format!("{path} has {count} items"));
            }
            for (index, item) in items.iter().enumerate() {
                compare(document, &schema["items"], item, &format!("{path}.{index}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn has_type(schema: &Value, value: &Value) -> bool {
    let names: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => return true,
    };
    let is = |name: &&str| match *name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type"),
    };
    names.iter().any(is)
}

/// What an object may and must have, from itself and from all that it is made of.
#[derive(Default)]
struct Form {
    properties: Map<String, Value>,
    required: Vec<String>,
    is_open: bool,
}

impl Form {
    fn add(&mut self, document: &Value, schema: &Value) {
        let schema = resolve(document, schema);
        let parts = schema["allOf"].as_array();
        for part in parts.into_iter().flatten() {
            self.add(document, part);
        }
        let properties = schema["properties"].as_object();
        self.is_open |= properties.is_none() && parts.is_none() || schema["additionalProperties"] == true;
        self.properties.extend(properties.cloned().unwrap_or_default());
        let required = schema["required"].as_array().into_iter().flatten();
        self.required
            .extend(required.filter_map(Value::as_str).map(str::to_owned));
    }
}

fn compare_fields(document: &Value, schema: &Value, fields: &Map<String, Value>, path: &str, found: &mut Vec<String>) {
    let mut form = Form::default();
    form.add(document, schema);
    for name in form.required.iter().filter(|name| !fields.contains_key(*name)) {
        found.push(format!("{path} lacks {name}"));
    }
    for (name, value) in fields {
        match form.properties.get(name) {
            Some(property) => compare(document, property, value, &format!("{path}.{name}"), found),
            None if form.is_open => {}
            None => found.push(format!("{path} has an unknown {name}")),
        }
    }
}
