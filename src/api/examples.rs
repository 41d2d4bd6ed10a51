//! Examples of bodies, put together from the examples of their fields, so that a body that grows keeps its example.
//!
//! What may be null is null, unless the field or its type has an example of its own. Text and numbers that may not be null
//! and have no example are left out, and a test finds them missing.

use serde_json::{Map, Value, json};
use utoipa::openapi::{OpenApi, RefOr, Schema};

/// A type that contains itself has no end.
const DEPTH_MAX: usize = 16;

/// Gives an example to every type that a route takes or answers with and that has none of its own.
pub fn complete(document: &mut OpenApi) {
    let paths = serde_json::to_value(&document.paths).unwrap_or_default();
    let mut bodies = Vec::new();
    references(&paths, &mut bodies);
    let Some(components) = &mut document.components else {
        return;
    };
    let types = Types(serde_json::to_value(&components.schemas).unwrap_or_default());
    for (name, schema) in &mut components.schemas {
        if let RefOr::T(schema) = schema
            && bodies.contains(name)
            && let Some(example) = types.example(&json!({ "$ref": reference(name) }), DEPTH_MAX)
        {
            set(schema, example);
        }
    }
}

fn reference(name: &str) -> String {
    format!("#/components/schemas/{name}")
}

/// The names of all types that are mentioned.
fn references(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let name = fields
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(|text| text.rsplit('/').next());
            names.extend(name.map(str::to_owned));
            fields.values().for_each(|field| references(field, names));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn set(schema: &mut Schema, example: Value) {
    let place = match schema {
        Schema::Array(schema) => &mut schema.example,
        Schema::Object(schema) => &mut schema.example,
        Schema::OneOf(schema) => &mut schema.example,
        Schema::AllOf(schema) => &mut schema.example,
        Schema::AnyOf(schema) => &mut schema.example,
        _ => return,
    };
    place.get_or_insert(example);
}

/// The named types of the document, as JSON.
struct Types(Value);

impl Types {
    fn example(&self, schema: &Value, depth: usize) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        let own = schema.get("example").or_else(|| schema.get("examples")?.get(0));
        if let Some(example) = own {
            return Some(example.clone());
        }
        if schema.get("$ref").is_some() {
            return self.example(self.named(schema)?, depth);
        }
        if let Some(Value::Array(parts)) = schema.get("allOf") {
            let parts = parts.iter().filter_map(|part| self.example(part, depth));
            return Some(Value::Object(parts.filter_map(fields).flatten().collect()));
        }
        if let Some(Value::Array(variants)) = schema.get("oneOf").or_else(|| schema.get("anyOf")) {
            return self.example_of_one(variants, depth);
        }
        match schema.get("type") {
            Some(Value::Array(types)) if types.contains(&json!("null")) => Some(Value::Null),
            Some(Value::String(name)) => self.example_of_type(name, schema, depth),
            _ => None,
        }
    }

    fn named(&self, schema: &Value) -> Option<&Value> {
        let name = schema.get("$ref")?.as_str()?.rsplit('/').next()?;
        self.0.get(name)
    }

    fn example_of_one(&self, variants: &[Value], depth: usize) -> Option<Value> {
        let is_null = |variant: &Value| variant.get("type") == Some(&json!("null"));
        let first = variants.iter().find(|variant| !is_null(variant))?;
        let has_its_own = self.named(first).unwrap_or(first).get("example").is_some();
        if variants.iter().any(is_null) && !has_its_own {
            return Some(Value::Null);
        }
        self.example(first, depth)
    }

    fn example_of_type(&self, name: &str, schema: &Value, depth: usize) -> Option<Value> {
        match name {
            "boolean" => Some(Value::Bool(false)),
            "array" => {
                let item = self.example(schema.get("items")?, depth)?;
                Some(Value::Array(vec![item]))
            }
            "object" => {
                let properties = schema.get("properties").and_then(Value::as_object);
                let examples = properties.into_iter().flatten().filter_map(|(name, property)| {
                    let example = self.example(property, depth)?;
                    Some((name.clone(), example))
                });
                Some(Value::Object(examples.collect()))
            }
            _ => None,
        }
    }
}

fn fields(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(fields) => Some(fields),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types() -> Types {
        Types(json!({
            "Inner": { "type": "object", "properties": { "id": { "type": "string", "example": "7" } } },
            "Shown": { "type": "object", "example": { "id": "8" } },
            "Outer": { "allOf": [
                { "$ref": "#/components/schemas/Inner" },
                { "type": "object", "properties": {
                    "list": { "type": "array", "items": { "$ref": "#/components/schemas/Inner" } },
                    "may_be": { "oneOf": [{ "$ref": "#/components/schemas/Inner" }, { "type": "null" }] },
                    "shown": { "oneOf": [{ "$ref": "#/components/schemas/Shown" }, { "type": "null" }] },
                    "note": { "type": ["string", "null"] },
                    "said": { "type": ["string", "null"], "example": "yes" },
                    "unsaid": { "type": "string" },
                    "is": { "type": "boolean" },
                } },
            ] },
            "Endless": { "type": "array", "items": { "$ref": "#/components/schemas/Endless" } },
        }))
    }

    #[test]
    fn an_example_is_made_of_those_of_the_fields() {
        let example = types().example(&json!({ "$ref": "#/components/schemas/Outer" }), DEPTH_MAX);

        let expected = json!({
            "id": "7", "list": [{ "id": "7" }], "may_be": null, "shown": { "id": "8" }, "note": null, "said": "yes",
            "is": false,
        });
        assert_eq!(example, Some(expected));
    }

    #[test]
    fn a_type_that_contains_itself_has_no_example() {
        let example = types().example(&json!({ "$ref": "#/components/schemas/Endless" }), DEPTH_MAX);

        assert_eq!(example, None);
    }
}
