//! The values of a generator, step by step. Pure.
//!
//! From the second step on, Gradio sends differences (gradio `utils.py`, `diff`): a list of
//! `[action, path, value]`. A path without parts is the whole value.

use serde_json::Value;

/// Applies the differences of one step to the value of one output. Returns `None` if they do not fit.
pub(super) fn apply(mut value: Value, edits: &Value) -> Option<Value> {
    for edit in edits.as_array()? {
        let [action, path, new] = edit.as_array()?.as_slice() else { return None };
        let path = path.as_array()?.as_slice();
        let action = action.as_str()?;
        match path.split_last() {
            None => edit_here(&mut value, action, new)?,
            Some((last, way)) => {
                let parent = way.iter().try_fold(&mut value, |value, part| step(value, part))?;
                edit_inside(parent, last, action, new)?;
            }
        }
    }
    Some(value)
}

fn step<'a>(value: &'a mut Value, part: &Value) -> Option<&'a mut Value> {
    match value {
        Value::Array(items) => items.get_mut(usize::try_from(part.as_u64()?).ok()?),
        Value::Object(map) => map.get_mut(part.as_str()?),
        _ => None,
    }
}

fn edit_here(value: &mut Value, action: &str, new: &Value) -> Option<()> {
    match (action, &mut *value, new) {
        ("replace", _, _) => *value = new.clone(),
        ("append", Value::String(text), Value::String(more)) => text.push_str(more),
        ("append", Value::Array(items), Value::Array(more)) => items.extend(more.iter().cloned()),
        _ => return None,
    }
    Some(())
}

fn edit_inside(parent: &mut Value, part: &Value, action: &str, new: &Value) -> Option<()> {
    match (action, &mut *parent) {
        ("add", Value::Object(map)) => {
            map.insert(part.as_str()?.to_owned(), new.clone());
        }
        ("add", Value::Array(items)) => {
            let place = usize::try_from(part.as_u64()?).ok()?;
            items.insert(place.min(items.len()), new.clone());
        }
        ("delete", Value::Object(map)) => {
            map.remove(part.as_str()?);
        }
        ("delete", Value::Array(items)) => {
            let place = usize::try_from(part.as_u64()?).ok().filter(|place| *place < items.len())?;
            items.remove(place);
        }
        _ => edit_here(step(parent, part)?, action, new)?,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn edits_change_the_value() {
        for (value, edits, expected) in [
            (json!("a"), json!([["append", [], "b"]]), json!("ab")),
            (json!("a"), json!([["replace", [], {"x": 1}]]), json!({"x": 1})),
            (json!("a"), json!([]), json!("a")),
            (
                json!([{"role": "user", "content": "hi"}]),
                json!([["add", [1], {"role": "bot", "content": "h"}], ["append", [1, "content"], "ello"]]),
                json!([{"role": "user", "content": "hi"}, {"role": "bot", "content": "hello"}]),
            ),
            (
                json!({"a": [1, 2], "b": 3}),
                json!([["delete", ["a", 0], null], ["delete", ["b"], null]]),
                json!({"a": [2]}),
            ),
            (json!({"a": 1}), json!([["add", ["b"], 2], ["replace", ["a"], 3]]), json!({"a": 3, "b": 2})),
        ] {
            assert_eq!(apply(value, &edits), Some(expected), "{edits}");
        }
    }

    #[test]
    fn edits_that_do_not_fit_return_none() {
        for edits in [
            json!("text"),
            json!([["append", [], 1]]),
            json!([["replace", [9, "x"], 1]]),
            json!([["delete", [5], null]]),
            json!([["vanish", [], null]]),
            json!([["append", []]]),
        ] {
            assert_eq!(apply(json!(["a"]), &edits), None, "{edits}");
        }
    }
}
