//! From the arguments that a user gave to one value for each parameter of an endpoint. Pure.

use serde_json::{Map, Value, json};

use super::api::{Endpoint, Parameter, Slot, listed};
use super::options::{Stop, Subject, quoted};

/// Where the value of a parameter comes from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Argument {
    /// The user gave it; it may name files.
    Given(Value),
    /// It goes as it is: the default of the function, an example of the component.
    Filled(Value),
    /// A file of this kind, made here.
    Sample(Sample),
}

/// A file for a parameter that nobody gave one for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sample {
    Image,
    Audio,
    Text,
}

/// Finds a value for each parameter: by place, by name, its default, an example of the component, or a
/// sample of its type. States are not counted.
///
/// # Errors
///
/// Arguments that are unknown, too many, given twice or missing, all before anything is sent, because the server's own
/// answer to an unknown name is a bare 500.
pub(super) fn fill(
    endpoint: &Endpoint,
    args: &[Value],
    kwargs: &Map<String, Value>,
) -> Result<Vec<Argument>, Stop> {
    let parameters = &endpoint.parameters;
    let names: Vec<&str> = parameters.iter().filter_map(|one| one.parameter_name.as_deref()).collect();
    let shown = quoted(&endpoint.name);
    let known = || match names[..] {
        [] => format!("`{shown}` takes no arguments"),
        _ => format!("`{shown}` takes: {}", listed(&names)),
    };
    if let Some(unknown) = kwargs.keys().find(|name| !names.contains(&name.as_str())) {
        return Err(Stop::failed(format!("`{shown}` has no argument `{}`", quoted(unknown)))
            .about(Subject::Input)
            .hint(known()));
    }
    if args.len() > parameters.len() {
        let (given, taken) = (args.len(), parameters.len());
        return Err(Stop::failed(format!("{given} arguments are given for the {taken} of `{shown}`"))
            .about(Subject::Input)
            .hint(known()));
    }
    let fill_one = |(place, parameter): (usize, &Parameter)| {
        let by_name = parameter.parameter_name.as_deref().and_then(|name| kwargs.get(name));
        match (args.get(place), by_name) {
            (Some(_), Some(_)) => Err(Stop::failed(format!(
                "{} of `{shown}` is given by place and by name",
                title(parameter, place)
            ))
            .about(Subject::Input)),
            (Some(value), None) | (None, Some(value)) => Ok(Argument::Given(value.clone())),
            (None, None) => stand_in(parameter).ok_or_else(|| {
                Stop::failed(format!("{} of `{shown}` is not given", title(parameter, place)))
                    .about(Subject::Input)
                    .hint("give it in `api_args` or `api_kwargs`")
            }),
        }
    };
    parameters.iter().enumerate().map(fill_one).collect()
}

/// Puts the values into the places that the server counts, states and hidden inputs among them.
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

/// How a message names a parameter.
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

/// Reports whether a message has neither text nor files. Gradio 4 and 6 name it as the default of a multimodal chat,
/// and no user sends it.
fn is_empty_message(message: &Value) -> bool {
    let is_empty = |value: &Value| match value {
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        other => other.is_null(),
    };
    ["text", "files"].iter().all(|name| message.get(name).is_none_or(is_empty))
}

/// A value that a JSON schema allows, for the simple ones.
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
        fill(&endpoint(), &args, &kwargs).map_err(|stop| stop.detail)
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
    fn a_multimodal_chat_gets_a_message() {
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
    fn faults_are_found_before_anything_is_sent() {
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
    fn hidden_inputs_keep_their_places() {
        let slots = [Slot::Parameter, Slot::Hidden(Value::Null), Slot::Parameter];
        assert_eq!(arrange(&slots, vec![json!(1), json!(2)]), [json!(1), Value::Null, json!(2)]);
    }
}
