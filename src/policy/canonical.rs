use serde_json::Value;

/// JSON with sorted keys and no spaces: the same value always gives the same bytes, whatever order its maps keep.
pub(super) fn write(value: &Value) -> String {
    let mut text = String::new();
    write_into(&mut text, value);
    text
}

fn write_into(text: &mut String, value: &Value) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => text.push_str(&value.to_string()),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_into(text, item);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
            fields.sort_by_key(|(key, _)| *key);
            text.push('{');
            for (index, (key, value)) in fields.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write_into(text, value);
            }
            text.push('}');
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_sorted_at_every_depth_and_nothing_is_added() {
        let value = json!({ "b": [1, { "z": null, "a": "é\"" }], "a": true });

        assert_eq!(write(&value), r#"{"a":true,"b":[1,{"a":"é\"","z":null}]}"#);
    }
}
