//! Schemas of the OpenAPI document: reading and adjusting them.

use serde_json::Value;

/// Returns the breach of a query value, whose text is parsed if its schema is a number.
pub(super) fn query_breach(schema: &Value, value: &str) -> Option<String> {
    match schema["type"].as_str() {
        Some("integer") => {
            let Ok(number) = value.parse::<i64>() else { return Some("not an integer".into()) };
            if schema["minimum"].as_i64().is_some_and(|m| number < m) {
                return Some("too small".into());
            }
            schema["maximum"].as_i64().is_some_and(|m| number > m).then(|| "too large".into())
        }
        Some("boolean") => (!matches!(value, "true" | "false" | "1" | "0")).then(|| "not a boolean".into()),
        Some("array") => query_breach(&schema["items"], value),
        _ => {
            let allowed = schema["enum"].as_array()?;
            (!allowed.iter().any(|v| v.as_str() == Some(value)))
                .then(|| "not one of the allowed values".into())
        }
    }
}

/// Collects a schema and the parts that it combines.
fn parts<'a>(schema: &'a Value, out: &mut Vec<&'a Value>) {
    out.push(schema);
    for combination in ["allOf", "anyOf", "oneOf"] {
        for part in schema[combination].as_array().into_iter().flatten() {
            parts(part, out);
        }
    }
}

/// Reports members of a value, at any depth, that no schema declares. The document leaves its objects open, so the Hub
/// would ignore a misspelt member without an error.
pub(super) fn unknown_members(schemas: &[&Value], value: &Value, at: &str, out: &mut Vec<String>) {
    let mut all = Vec::new();
    for schema in schemas {
        parts(schema, &mut all);
    }
    match value {
        Value::Object(members) => {
            let closed = all.iter().any(|part| part["properties"].is_object());
            let open = all
                .iter()
                .any(|part| !matches!(part["additionalProperties"], Value::Null | Value::Bool(false)));
            for (name, member) in members {
                let declared: Vec<&Value> =
                    all.iter().filter_map(|part| part["properties"].get(name)).collect();
                if declared.is_empty() && closed && !open {
                    let place = if at.is_empty() { "in the body".to_owned() } else { format!("at {at}") };
                    out.push(format!("unknown key {name:?} {place}"));
                }
                unknown_members(&declared, member, &format!("{at}/{name}"), out);
            }
        }
        Value::Array(rows) => {
            let items: Vec<&Value> = all.iter().filter_map(|part| part.get("items")).collect();
            for (index, row) in rows.iter().enumerate() {
                unknown_members(&items, row, &format!("{at}/{index}"), out);
            }
        }
        _ => {}
    }
}

/// Drops `additionalProperties: false` inside `allOf`, because the document closes each part against the others, which
/// no value can satisfy.
pub(super) fn open_combinations(schema: &mut Value, inside: bool) {
    match schema {
        Value::Object(map) => {
            let combined = map.contains_key("allOf");
            if inside || combined {
                map.remove("additionalProperties");
            }
            for (key, value) in map.iter_mut() {
                let deeper = key == "allOf" || (inside && (key == "anyOf" || key == "oneOf"));
                open_combinations(value, deeper);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|part| open_combinations(part, inside)),
        _ => {}
    }
}

/// Removes members that OpenAPI adds to JSON Schema and that a validator reads as identifiers.
pub(super) fn clean(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            map.remove("$schema");
            if map.get("id").is_some_and(Value::is_string) {
                map.remove("id");
            }
            map.values_mut().for_each(clean);
        }
        Value::Array(list) => list.iter_mut().for_each(clean),
        _ => {}
    }
}
