//! The description that a Gradio app gives of itself: `/config` and the API schema. Chooses the endpoint to call.
//!
//! Shapes as measured on Gradio 4.44, 5.50 and 6.31: `GET /config` and `GET {prefix}/info`, where `prefix` is
//! the `api_prefix` of the config (empty before Gradio 5).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::error::{CheckError, CheckFailure};
use super::options::Expect;
use super::quote::quoted;

/// Names that authors give to the function of an app, tried in this order.
const USUAL_NAMES: [&str; 6] = ["/generate", "/predict", "/run", "/infer", "/chat", "/process"];

/// Part of `/config` that a call needs.
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
    /// True if the schema leaves it out.
    #[serde(default)]
    skip_api: Option<bool>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Dependency {
    /// The `fn_index` of a call. Before Gradio 4.18, that is the place in the list.
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
    /// Endpoints that the app does not list: `show_api=False`, in Gradio 6 `api_visibility="undocumented"`. The check
    /// calls them by name, and neither chooses nor suggests them.
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

/// One position in the `data` of a call.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Slot {
    /// The next parameter of the schema.
    Parameter,
    /// A value that callers do not see: `null` for a state, which the server fills in, or the value of the component
    /// on the page.
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
    /// One for each position in the output `data`. `None` is a state.
    pub(super) returns: Vec<Option<Return>>,
}

impl Config {
    /// Returns the start of all paths of the API: empty, or `/gradio_api`.
    pub(super) fn prefix(&self) -> &str {
        self.api_prefix.as_deref().unwrap_or("").trim_end_matches('/')
    }

    /// Returns true if calls go over `queue/join` and `queue/data` with a session.
    pub(super) fn is_supported(&self) -> bool {
        matches!(self.protocol.as_deref(), Some("sse_v2" | "sse_v2.1" | "sse_v3"))
    }

    fn component(&self, id: i64) -> Option<&Component> {
        self.components.iter().find(|component| component.id == id)
    }

    /// Returns the position of a component in `data`.
    fn slot(&self, id: i64) -> Slot {
        match self.component(id) {
            Some(component) if component.kind == "state" => Slot::Hidden(Value::Null),
            Some(component) if component.skip_api == Some(true) => {
                Slot::Hidden(component.props.get("value").cloned().unwrap_or_default())
            }
            _ => Slot::Parameter,
        }
    }

    /// Joins the schema and the config of an endpoint.
    pub(super) fn endpoint(&self, schema: &Schema, name: &str) -> Result<Endpoint, CheckError> {
        let bare = name.trim_start_matches('/');
        let found = self
            .dependencies
            .iter()
            .enumerate()
            .find(|(_, dependency)| dependency.api_name.as_str() == Some(bare));
        let Some((place, dependency)) = found else {
            let detail = format!("the app's config does not know its endpoint `{}`", quoted(name));
            return Err(CheckError::new(CheckFailure::InvalidApi, detail));
        };
        let signature = schema.signature(name).cloned().unwrap_or_default();
        let slots: Vec<Slot> = dependency.inputs.iter().map(|id| self.slot(*id)).collect();
        let open = slots.iter().filter(|slot| **slot == Slot::Parameter).count();
        if open != signature.parameters.len() {
            let known = signature.parameters.len();
            let detail = format!(
                "the app's config and its schema disagree on `{}`: {open} inputs, {known} parameters",
                quoted(name)
            );
            return Err(CheckError::new(CheckFailure::InvalidApi, detail));
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

/// Chooses an endpoint: `wanted`, or else the only one, or else the first of the usual names, or else the only one
/// that returns the expected content.
///
/// # Errors
///
/// There is no endpoint, not the wanted one, or more than one to choose from.
pub(super) fn choose<'a>(
    schema: &'a Schema,
    wanted: Option<&str>,
    expect: Option<Expect>,
) -> Result<&'a str, CheckError> {
    let names: Vec<&str> = schema.named_endpoints.keys().map(String::as_str).collect();
    if let Some(wanted) = wanted {
        return schema.find(wanted).ok_or_else(|| {
            let detail = format!("the app has no endpoint `/{}`", quoted(wanted.trim_start_matches('/')));
            CheckError::new(CheckFailure::EndpointUnknown { endpoints: owned(&names) }, detail)
        });
    }
    if names.is_empty() {
        return Err(CheckError::new(CheckFailure::NoEndpoint, "the app has no endpoint with a name"));
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
        _ => {
            let detail = format!("the app has {} endpoints, and none is named", names.len());
            Err(CheckError::new(CheckFailure::EndpointAmbiguous { endpoints: owned(&names) }, detail))
        }
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn promises(given: &Return, expect: Option<Expect>) -> bool {
    expect.is_some_and(|expect| expect != Expect::Any && promised(&given.component) == Some(expect))
}

/// Returns the content that a component has as an output, or `None` if any content is possible.
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
            Err(error) => error.detail,
        }
    }

    #[test]
    fn endpoint_is_the_named_the_only_the_usual_or_the_fitting_one() {
        let two = [("/draw", "Image"), ("/say", "Textbox")];
        assert_eq!(chosen(&two, Some("draw"), None), "/draw");
        assert_eq!(chosen(&two, Some("/draw"), None), "/draw");
        assert_eq!(chosen(&two, Some("sing"), None), "the app has no endpoint `/sing`");
        assert_eq!(chosen(&two[..1], None, None), "/draw");
        assert_eq!(
            chosen(&[("/a", "Image"), ("/predict", "Image"), ("/run", "Image")], None, None),
            "/predict"
        );
        assert_eq!(chosen(&two, None, Some(Expect::Text)), "/say");
        assert_eq!(chosen(&two, None, Some(Expect::Video)), "the app has 2 endpoints, and none is named");
        assert_eq!(chosen(&two, None, Some(Expect::Any)), "the app has 2 endpoints, and none is named");
        assert_eq!(chosen(&two, None, None), "the app has 2 endpoints, and none is named");
        assert_eq!(chosen(&[], None, None), "the app has no endpoint with a name");
    }

    #[test]
    fn undocumented_endpoint_is_found_by_name_only() {
        let mut schema = schema(&[("/draw", "Image")]);
        schema.undocumented.insert("/hidden".to_owned(), Signature::default());
        assert_eq!(choose(&schema, Some("hidden"), None).unwrap(), "/hidden");
        assert_eq!(choose(&schema, None, None).unwrap(), "/draw");
        let error = choose(&schema, Some("hid"), None).unwrap_err();
        assert_eq!(error.failure, CheckFailure::EndpointUnknown { endpoints: vec!["/draw".to_owned()] });
    }

    #[test]
    fn state_has_a_slot_and_no_parameter() {
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
