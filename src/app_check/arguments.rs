//! Finds one value for each parameter of an endpoint, from the arguments of the user. Pure.

use serde_json::{Map, Value, json};

use super::api::{Endpoint, Parameter, Slot};
use super::error::{CheckError, CheckFailure};
use super::quote::quoted;

/// Source of the value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Argument {
    /// The argument of the user. May name files.
    Given(Value),
    /// The default of the function, or an example of the component. Sent as it is.
    Filled(Value),
    /// A file of this kind, made by the check.
    Sample(Sample),
}

/// A file for a parameter without an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sample {
    Image,
    Audio,
    Text,
}

/// Finds a value for each parameter: by place, by name, its default, an example of the component, or a sample of its
/// type. Does not count states.
///
/// # Errors
///
/// Arguments that are unknown, too many, given twice or missing, all before anything is sent, because the server's own
/// answer to an unknown name is a bare 500.
pub(super) fn fill(
    endpoint: &Endpoint,
    args: &[Value],
    kwargs: &Map<String, Value>,
) -> Result<Vec<Argument>, CheckError> {
    let parameters = &endpoint.parameters;
    let names: Vec<&str> = parameters.iter().filter_map(|one| one.parameter_name.as_deref()).collect();
    let shown = quoted(&endpoint.name);
    let known = || names.iter().map(|name| (*name).to_owned()).collect();
    if let Some(unknown) = kwargs.keys().find(|name| !names.contains(&name.as_str())) {
        let detail = format!("`{shown}` has no argument `{}`", quoted(unknown));
        let failure = CheckFailure::ArgumentUnknown { endpoint: shown, parameters: known() };
        return Err(CheckError::new(failure, detail));
    }
    if args.len() > parameters.len() {
        let (given, taken) = (args.len(), parameters.len());
        let detail = format!("{given} arguments are given for the {taken} of `{shown}`");
        let failure = CheckFailure::TooManyArguments { endpoint: shown, parameters: known() };
        return Err(CheckError::new(failure, detail));
    }
    let fill_one = |(place, parameter): (usize, &Parameter)| {
        let by_name = parameter.parameter_name.as_deref().and_then(|name| kwargs.get(name));
        match (args.get(place), by_name) {
            (Some(_), Some(_)) => {
                let detail =
                    format!("{} of `{shown}` is given by place and by name", title(parameter, place));
                Err(CheckError::new(CheckFailure::ArgumentGivenTwice, detail))
            }
            (Some(value), None) | (None, Some(value)) => Ok(Argument::Given(value.clone())),
            (None, None) => stand_in(parameter).ok_or_else(|| {
                let detail = format!("{} of `{shown}` is not given", title(parameter, place));
                CheckError::new(CheckFailure::ArgumentMissing, detail)
            }),
        }
    };
    parameters.iter().enumerate().map(fill_one).collect()
}

/// Puts the values into the slots that the server counts, which include states and hidden inputs.
pub(super) fn arrange(slots: &[Slot], values: Vec<Value>) -> Vec<Value> {
    let mut values = values.into_iter();
    slots
        .iter()
        .map(|slot| match slot {
            Slot::Parameter => values.next().unwrap_or_default(),
            Slot::Hidden(value) => value.clone(),
        })
        .collect()
}

/// Returns the name of a parameter, for a message.
pub(super) fn title(parameter: &Parameter, place: usize) -> String {
    let name = parameter.parameter_name.as_deref().or(parameter.label.as_deref()).unwrap_or_default();
    if name.is_empty() { format!("argument {}", place + 1) } else { format!("`{}`", quoted(name)) }
}

fn stand_in(parameter: &Parameter) -> Option<Argument> {
    let component = parameter.component.to_ascii_lowercase();
    let default = &parameter.parameter_default;
    if parameter.parameter_has_default && !(component == "multimodaltextbox" && is_empty_message(default)) {
        return Some(Argument::Filled(default.clone()));
    }
    match component.as_str() {
        "image" | "imageeditor" | "imageslider" | "gallery" => return Some(Argument::Sample(Sample::Image)),
        "audio" => return Some(Argument::Sample(Sample::Audio)),
        "multimodaltextbox" => return Some(Argument::Filled(json!({"text": "Hello", "files": []}))),
        "file" | "uploadbutton" => return Some(Argument::Sample(Sample::Text)),
        _ => {}
    }
    if !parameter.example_input.is_null() {
        return Some(Argument::Filled(parameter.example_input.clone()));
    }
    by_schema(&parameter.schema).map(Argument::Filled)
}

/// Returns true for a message with neither text nor files: the default of a multimodal chat in Gradio 4 and 6, which
/// no user sends.
fn is_empty_message(message: &Value) -> bool {
    let is_empty = |value: &Value| match value {
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        other => other.is_null(),
    };
    ["text", "files"].iter().all(|name| message.get(name).is_none_or(is_empty))
}

/// Returns a value that a simple JSON schema allows.
fn by_schema(schema: &Value) -> Option<Value> {
    if let Some(first) = schema.get("enum").and_then(Value::as_array).and_then(|values| values.first()) {
        return Some(first.clone());
    }
    match schema.get("type")?.as_str()? {
        "string" => Some("Hello".into()),
        "number" | "integer" => Some(schema.get("minimum").cloned().unwrap_or(1.into())),
        "boolean" => Some(false.into()),
        "array" => Some(Value::Array(Vec::new())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> Endpoint {
        let parameters: Vec<Parameter> = serde_json::from_value(json!([
            {"parameter_name": "prompt", "component": "Textbox", "type": {"type": "string"}, "example_input": "Hello!!"},
            {"parameter_name": "width", "component": "Slider", "parameter_has_default": true, "parameter_default": 32},
            {"parameter_name": "style", "component": "Dropdown", "type": {"type": "string", "enum": ["oil", "ink"]}},
            {"parameter_name": "source", "component": "Image"},
            {"parameter_name": "thing", "component": "Custom", "type": {}},
        ]))
        .unwrap();
        Endpoint { name: "/draw".into(), fn_index: 0, slots: vec![], parameters, returns: vec![] }
    }

    fn filled(args: Value, kwargs: Value) -> Result<Vec<Argument>, String> {
        let (Value::Array(args), Value::Object(kwargs)) = (args, kwargs) else { panic!() };
        fill(&endpoint(), &args, &kwargs).map_err(|error| error.detail)
    }

    #[test]
    fn each_parameter_gets_a_value() {
        let given = |value| Argument::Given(value);
        assert_eq!(
            filled(json!(["a cat"]), json!({"thing": 7})).unwrap(),
            [
                given(json!("a cat")),
                Argument::Filled(json!(32)),
                Argument::Filled(json!("oil")),
                Argument::Sample(Sample::Image),
                given(json!(7)),
            ]
        );
        let all = filled(json!([]), json!({"thing": null, "width": 8})).unwrap();
        assert_eq!(all[0], Argument::Filled(json!("Hello!!")));
        assert_eq!((&all[1], &all[4]), (&given(json!(8)), &given(Value::Null)));
    }

    #[test]
    fn multimodal_chat_gets_a_message() {
        let message = |default: Value| {
            let parameter: Parameter = serde_json::from_value(json!({
                "component": "Multimodaltextbox", "parameter_has_default": true, "parameter_default": default,
            }))
            .unwrap();
            stand_in(&parameter).unwrap()
        };
        let sample = Argument::Filled(json!({"text": "Hello", "files": []}));
        assert_eq!(message(json!({"text": "", "files": []})), sample);
        assert_eq!(message(Value::Null), sample);
        let own = json!({"text": "Describe this", "files": []});
        assert_eq!(message(own.clone()), Argument::Filled(own));
    }

    #[test]
    fn invalid_arguments_are_errors() {
        assert_eq!(filled(json!([]), json!({"seed": 1})).unwrap_err(), "`/draw` has no argument `seed`");
        assert_eq!(filled(json!([]), json!({})).unwrap_err(), "`thing` of `/draw` is not given");
        assert_eq!(
            filled(json!(["a"]), json!({"prompt": "b"})).unwrap_err(),
            "`prompt` of `/draw` is given by place and by name"
        );
        assert_eq!(
            filled(json!([1, 2, 3, 4, 5, 6]), json!({})).unwrap_err(),
            "6 arguments are given for the 5 of `/draw`"
        );
    }

    #[test]
    fn hidden_inputs_keep_their_slots() {
        let slots = [Slot::Parameter, Slot::Hidden(Value::Null), Slot::Parameter];
        assert_eq!(arrange(&slots, vec![json!(1), json!(2)]), [json!(1), Value::Null, json!(2)]);
    }
}
