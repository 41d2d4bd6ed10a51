//! Words of JSON Schema that the documents are made of.

use serde_json::{Map, Value, json};

/// Fields of an object, or schemas of a document. The name of a field that may be left out ends in `?`.
pub type Named = Vec<(&'static str, Value)>;

pub fn text() -> Value {
    json!({ "type": "string" })
}

pub fn maybe_text() -> Value {
    json!({ "type": ["string", "null"] })
}

pub fn time() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

/// A schema of the document, by its name.
pub fn known(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// All fields are there; those whose name ends in `?` may be left out.
pub fn object(fields: Named) -> Value {
    let names = fields.iter().map(|(name, _)| *name);
    let required: Vec<&str> = names.filter(|name| !name.ends_with('?')).collect();
    let properties: Map<String, Value> = fields
        .iter()
        .map(|(name, schema)| (name.trim_end_matches('?').to_owned(), schema.clone()))
        .collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

/// Several fields of one kind.
pub fn each(names: &[&'static str], schema: &Value) -> Named {
    names.iter().map(|name| (*name, schema.clone())).collect()
}
