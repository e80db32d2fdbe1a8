//! What a Gradio app says about itself: `/config` and the API schema, and which endpoint to call.
//!
//! Shapes as measured on Gradio 4.44, 5.50 and 6.31: `GET /config` and `GET {prefix}/info`, where `prefix` is
//! the `api_prefix` of the config (empty before Gradio 5).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::options::{Expect, Stop, Subject, quoted};

/// Names that authors give to the function of an app, tried in this order.
const USUAL_NAMES: [&str; 6] = ["/generate", "/predict", "/run", "/infer", "/chat", "/process"];
/// How many endpoints a message lists.
const MAX_LISTED: usize = 12;

/// The part of `/config` that a call needs.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Config {
    pub(super) version: String,
    #[serde(default)]
    pub(super) protocol: Option<String>,
    #[serde(default)]
    api_prefix: Option<String>,
    #[serde(default)]
    pub(super) components: Vec<Component>,
    pub(super) dependencies: Vec<Dependency>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Component {
    id: i64,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    props: Value,
    /// Whether the schema leaves it out.
    #[serde(default)]
    skip_api: Option<bool>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Dependency {
    /// The `fn_index` of a call; before Gradio 4.18 the place in the list.
    #[serde(default)]
    id: Option<i64>,
    /// A name without a slash, or `false`.
    #[serde(default)]
    api_name: Value,
    #[serde(default)]
    inputs: Vec<i64>,
    #[serde(default)]
    outputs: Vec<i64>,
}

/// The API schema.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Schema {
    /// By name, with a leading slash.
    pub(super) named_endpoints: BTreeMap<String, Signature>,
    /// Endpoints that the app does not list: `show_api=False`, in Gradio 6 `api_visibility="undocumented"`. They can
    /// be called by name, and are neither chosen nor suggested.
    #[serde(skip)]
    pub(super) undocumented: BTreeMap<String, Signature>,
}

impl Schema {
    fn signature(&self, name: &str) -> Option<&Signature> {
        self.named_endpoints.get(name).or_else(|| self.undocumented.get(name))
    }

    /// Finds the endpoint that a user named, with or without its slash.
    pub(super) fn find(&self, wanted: &str) -> Option<&str> {
        let bare = wanted.trim_start_matches('/');
        let all = self.named_endpoints.keys().chain(self.undocumented.keys());
        all.map(String::as_str).find(|name| name.trim_start_matches('/') == bare)
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Signature {
    #[serde(default)]
    pub(super) parameters: Vec<Parameter>,
    #[serde(default)]
    pub(super) returns: Vec<Return>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Parameter {
    #[serde(default)]
    pub(super) label: Option<String>,
    #[serde(default)]
    pub(super) parameter_name: Option<String>,
    #[serde(default)]
    pub(super) parameter_has_default: bool,
    #[serde(default)]
    pub(super) parameter_default: Value,
    /// A JSON schema.
    #[serde(rename = "type", default)]
    pub(super) schema: Value,
    #[serde(default)]
    pub(super) component: String,
    #[serde(default)]
    pub(super) example_input: Value,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Return {
    #[serde(default)]
    pub(super) label: Option<String>,
    #[serde(default)]
    pub(super) component: String,
}

/// One place in the `data` of a call.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Slot {
    /// The next parameter of the schema.
    Parameter,
    /// Something that callers do not see: `null` for a state, which the server fills in, or the value that
    /// the component has on the page.
    Hidden(Value),
}

/// An endpoint that can be called.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    /// With its leading slash.
    pub(super) name: String,
    pub(super) fn_index: i64,
    pub(super) slots: Vec<Slot>,
    pub(super) parameters: Vec<Parameter>,
    /// One for each place in the output `data`; `None` is a state.
    pub(super) returns: Vec<Option<Return>>,
}

impl Config {
    /// What stands before the paths of the API: empty, or `/gradio_api`.
    pub(super) fn prefix(&self) -> &str {
        self.api_prefix.as_deref().unwrap_or("").trim_end_matches('/')
    }

    /// Whether calls go over `queue/join` and `queue/data` with a session.
    pub(super) fn is_supported(&self) -> bool {
        matches!(self.protocol.as_deref(), Some("sse_v2" | "sse_v2.1" | "sse_v3"))
    }

    fn component(&self, id: i64) -> Option<&Component> {
        self.components.iter().find(|component| component.id == id)
    }

    /// The place of a component in `data`.
    fn slot(&self, id: i64) -> Slot {
        match self.component(id) {
            Some(component) if component.kind == "state" => Slot::Hidden(Value::Null),
            Some(component) if component.skip_api == Some(true) => {
                Slot::Hidden(component.props.get("value").cloned().unwrap_or_default())
            }
            _ => Slot::Parameter,
        }
    }

    /// Joins an endpoint of the schema with what the config knows about it.
    pub(super) fn endpoint(&self, schema: &Schema, name: &str) -> Result<Endpoint, Stop> {
        let bare = name.trim_start_matches('/');
        let found = self
            .dependencies
            .iter()
            .enumerate()
            .find(|(_, dependency)| dependency.api_name.as_str() == Some(bare));
        let Some((place, dependency)) = found else {
            return Err(Stop::failed(format!(
                "the app's config does not know its endpoint `{}`",
                quoted(name)
            )));
        };
        let signature = schema.signature(name).cloned().unwrap_or_default();
        let slots: Vec<Slot> = dependency.inputs.iter().map(|id| self.slot(*id)).collect();
        let open = slots.iter().filter(|slot| **slot == Slot::Parameter).count();
        if open != signature.parameters.len() {
            let known = signature.parameters.len();
            return Err(Stop::failed(format!(
                "the app's config and its schema disagree on `{}`: {open} inputs, {known} parameters",
                quoted(name)
            )));
        }
        let mut returns = signature.returns.into_iter();
        let returns = dependency
            .outputs
            .iter()
            .map(|id| match self.slot(*id) {
                Slot::Parameter => Some(returns.next().unwrap_or_default()),
                Slot::Hidden(_) => None,
            })
            .collect();
        let fn_index = dependency.id.unwrap_or(i64::try_from(place).unwrap_or_default());
        Ok(Endpoint { name: name.to_owned(), fn_index, slots, parameters: signature.parameters, returns })
    }
}

/// Chooses an endpoint: the one that was named; else the only one; else the first of the usual names; else
/// the only one that returns what is expected.
///
/// # Errors
///
/// There is no endpoint, not the one that was named, or more than one to choose from.
pub(super) fn choose<'a>(
    schema: &'a Schema,
    wanted: Option<&str>,
    expect: Option<Expect>,
) -> Result<&'a str, Stop> {
    let names: Vec<&str> = schema.named_endpoints.keys().map(String::as_str).collect();
    if let Some(wanted) = wanted {
        return schema.find(wanted).ok_or_else(|| {
            let bare = wanted.trim_start_matches('/');
            let stop =
                Stop::failed(format!("the app has no endpoint `/{}`", quoted(bare))).about(Subject::Input);
            match names[..] {
                [] => stop.hint("leave `api_name` out: the app lists no endpoint"),
                _ => stop.hint(format!("set `api_name` to one of its endpoints: {}", listed(&names))),
            }
        });
    }
    if names.is_empty() {
        return Err(Stop::failed("the app has no endpoint with a name")
            .about(Subject::Input)
            .hint("give the event an `api_name` in the app, or leave the call out"));
    }
    if let [only] = names[..] {
        return Ok(only);
    }
    if let Some(usual) = USUAL_NAMES.iter().find_map(|usual| names.iter().copied().find(|name| name == usual))
    {
        return Ok(usual);
    }
    let fitting: Vec<&str> = schema
        .named_endpoints
        .iter()
        .filter(|(_, signature)| signature.returns.iter().any(|given| promises(given, expect)))
        .map(|(name, _)| name.as_str())
        .collect();
    match fitting[..] {
        [only] => Ok(only),
        _ => Err(Stop::failed(format!("the app has {} endpoints, and none is named", names.len()))
            .about(Subject::Input)
            .hint(format!("set `api_name` to one of: {}", listed(&names)))),
    }
}

fn promises(given: &Return, expect: Option<Expect>) -> bool {
    expect.is_some_and(|expect| expect != Expect::Any && promised(&given.component) == Some(expect))
}

/// What a component holds when it is an output; `None` where that is anything.
pub(super) fn promised(component: &str) -> Option<Expect> {
    match component.to_ascii_lowercase().as_str() {
        "image" | "gallery" | "annotatedimage" | "imageslider" | "imageeditor" => Some(Expect::Image),
        "video" | "playablevideo" => Some(Expect::Video),
        "audio" => Some(Expect::Audio),
        "textbox" | "textarea" | "label" | "highlightedtext" | "markdown" | "html" | "code" | "chatbot"
        | "number" => Some(Expect::Text),
        _ => None,
    }
}

/// Names for a message, in short.
pub(super) fn listed(names: &[&str]) -> String {
    let mut text =
        names.iter().take(MAX_LISTED).map(|name| format!("`{}`", quoted(name))).collect::<Vec<_>>();
    if names.len() > MAX_LISTED {
        text.push(format!("and {} more", names.len() - MAX_LISTED));
    }
    text.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema(endpoints: &[(&str, &str)]) -> Schema {
        let named_endpoints = endpoints
            .iter()
            .map(|(name, component)| {
                let given = Return { label: None, component: (*component).to_owned() };
                ((*name).to_owned(), Signature { parameters: vec![], returns: vec![given] })
            })
            .collect();
        Schema { named_endpoints, undocumented: BTreeMap::new() }
    }

    fn chosen(endpoints: &[(&str, &str)], wanted: Option<&str>, expect: Option<Expect>) -> String {
        match choose(&schema(endpoints), wanted, expect) {
            Ok(name) => name.to_owned(),
            Err(stop) => stop.detail,
        }
    }

    #[test]
    fn the_endpoint_is_named_alone_usual_or_fitting() {
        let two = [("/draw", "Image"), ("/tell", "Textbox")];
        assert_eq!(chosen(&two, Some("draw"), None), "/draw");
        assert_eq!(chosen(&two, Some("/draw"), None), "/draw");
        assert_eq!(chosen(&two, Some("sing"), None), "the app has no endpoint `/sing`");
        assert_eq!(chosen(&two[..1], None, None), "/draw");
        assert_eq!(
            chosen(&[("/a", "Image"), ("/predict", "Image"), ("/run", "Image")], None, None),
            "/predict"
        );
        assert_eq!(chosen(&two, None, Some(Expect::Text)), "/tell");
        assert_eq!(chosen(&two, None, Some(Expect::Video)), "the app has 2 endpoints, and none is named");
        assert_eq!(chosen(&two, None, Some(Expect::Any)), "the app has 2 endpoints, and none is named");
        assert_eq!(chosen(&two, None, None), "the app has 2 endpoints, and none is named");
        assert_eq!(chosen(&[], None, None), "the app has no endpoint with a name");
    }

    #[test]
    fn an_undocumented_endpoint_is_found_by_name_alone() {
        let mut schema = schema(&[("/draw", "Image")]);
        schema.undocumented.insert("/hidden".to_owned(), Signature::default());
        assert_eq!(choose(&schema, Some("hidden"), None).unwrap(), "/hidden");
        assert_eq!(choose(&schema, None, None).unwrap(), "/draw");
        let stop = choose(&schema, Some("hid"), None).unwrap_err();
        assert_eq!(stop.hints, ["set `api_name` to one of its endpoints: `/draw`"]);
    }

    #[test]
    fn states_have_a_place_and_no_parameter() {
        let config: Config = serde_json::from_value(json!({
            "version": "5.50.0", "protocol": "sse_v3", "api_prefix": "/gradio_api",
            "components": [
                {"id": 1, "type": "number"}, {"id": 2, "type": "state", "skip_api": true},
                {"id": 3, "type": "number"}, {"id": 4, "type": "button", "skip_api": true, "props": {"value": "Go"}},
            ],
            "dependencies": [
                {"id": 7, "api_name": false, "inputs": [], "outputs": []},
                {"id": 9, "api_name": "add", "inputs": [1, 2, 3, 4], "outputs": [2, 3]},
            ],
        }))
        .unwrap();
        let schema: Schema = serde_json::from_value(json!({"named_endpoints": {"/add": {
            "parameters": [{"component": "Number"}, {"component": "Number"}],
            "returns": [{"component": "Number"}],
        }}}))
        .unwrap();
        let endpoint = config.endpoint(&schema, "/add").unwrap();
        assert_eq!((config.prefix(), endpoint.fn_index), ("/gradio_api", 9));
        let hidden = |value| Slot::Hidden(value);
        assert_eq!(
            endpoint.slots,
            [Slot::Parameter, hidden(Value::Null), Slot::Parameter, hidden(json!("Go"))]
        );
        assert!(endpoint.returns[0].is_none());
        assert_eq!(endpoint.returns[1].as_ref().unwrap().component, "Number");
    }
}
