//! The inputs of a call of Inference Providers.

use std::path::{Path, PathBuf};

use hub::{ParseError, RepoId, RepoName, Secret, shorten};
use serde_json::{Map, Value};
use url::Url;

use super::input_file::InputFile;
use crate::commands::groups::{app_check, bundle, sign_in};
use crate::commands::inputs::declaration::{DefaultValue, Group, Input, ValueKind, inputs};
use crate::commands::inputs::diagnostics::{Accepted, Diagnostics};
use crate::commands::inputs::parse::{self, Parsed, SHOWN, refuse};
use crate::commands::inputs::time;
use crate::commands::inputs::values::Values;
use crate::failure::{Code, Result};
use crate::ops::bundle_bucket::BundleBucket;
use crate::ops::inference::{Expectations, InferenceOptions, Item, Operation, ResultsPath, Routing};

pub(super) const GROUPS: &[Group] = &[MODEL_CALL, BATCH, EXPECTATIONS, bundle::BUNDLE];

inputs! {
    /// Inputs of the call.
    MODEL_CALL: "Model", "";
    OPERATION = Input {
        kind: ValueKind::Choice(&["generate", "embed", "classify", "usage"]),
        summary: "Kind of work",
        details: "`generate` asks a chat model, `embed` and `classify` ask `hf-inference`, and `usage` shows the bill of this period without a call.",
        default: DefaultValue::Value("generate"),
        ..Input::new("operation")
    };
    MODEL = Input {
        kind: ValueKind::Text("NAMESPACE/NAME"),
        summary: "Model on the Hub",
        details: "Required, except for `usage`.",
        ..Input::new("model")
    };
    TOKEN = Input {
        summary: "Token that may call Inference Providers (`inference.serverless.write`)",
        is_secret: true,
        default: DefaultValue::Required,
        ..Input::new("hf_token")
    };
    INPUT = Input { summary: "Text for the model", ..Input::new("input") };
    ROUTING = Input {
        kind: ValueKind::Text("WORD"),
        summary: "Provider of a chat model: `fastest`, `cheapest`, `preferred`, or the name of a provider",
        default: DefaultValue::Value("fastest"),
        ..Input::new("routing")
    };
    BILL_TO = Input {
        kind: ValueKind::Text("NAMESPACE"),
        summary: "Organization that pays",
        default: DefaultValue::Words("the user of the token"),
        ..Input::new("bill_to")
    };
    PARAMS = Input {
        kind: ValueKind::Text("JSON"),
        summary: "Parameters of the model, as a JSON object, such as `{\"temperature\": 0}`",
        ..Input::new("params")
    };
    MAX_TOKENS = Input {
        kind: ValueKind::Text("NUMBER"),
        summary: "Largest number of tokens of an answer",
        default: DefaultValue::Words("that of the provider"),
        ..Input::new("max_tokens")
    };
    STREAM = Input {
        kind: ValueKind::Flag,
        summary: "Print the answer of a chat model to the log as it comes",
        default: DefaultValue::Value("false"),
        ..Input::new("stream")
    };
}

inputs! {
    /// Inputs about many inputs of the model.
    BATCH: "Many inputs", "";
    INPUT_FILE = Input {
        kind: ValueKind::Text("FILE"),
        summary: "File of inputs, in place of `input`: JSON lines with `input` and maybe `id`, or one text per line",
        ..Input::new("input_file")
    };
    OUTPUT_FILE = Input {
        kind: ValueKind::Text("FILE"),
        summary: "File for the results, as JSON lines in the order of the inputs",
        details: "Results that it has stay, and their inputs are not sent again.",
        default: DefaultValue::Words("`.hf-deploy/inference.jsonl`, which each run starts anew"),
        ..Input::new("output_file")
    };
    CONCURRENCY = Input {
        kind: ValueKind::Text("NUMBER"),
        summary: "Number of inputs at the same time",
        details: "At most 32.",
        default: DefaultValue::Value("4"),
        ..Input::new("concurrency")
    };
    MAX_COST = Input {
        kind: ValueKind::Text("USD"),
        summary: "Cost in US dollars at which no further input of a chat model is sent",
        default: DefaultValue::Words("no limit"),
        ..Input::new("max_cost")
    };
    WORKSPACE = Input {
        kind: ValueKind::Text("FOLDER"),
        summary: "Folder of the files that inputs name",
        default: DefaultValue::Value("."),
        ..Input::new("workspace")
    };
}

inputs! {
    /// Inputs about the results.
    EXPECTATIONS: "Expectations", "";
    EXPECT_CONTAINS = Input {
        summary: "Text that each answer must contain",
        default: DefaultValue::Words("any answer"),
        ..Input::new("expect_contains")
    };
    EXPECT_REGEX = Input {
        kind: ValueKind::Text("REGEX"),
        summary: "Regular expression that each answer must match",
        default: DefaultValue::Words("any answer"),
        ..Input::new("expect_regex")
    };
    EXPECT_LABEL = Input {
        summary: "Label that must have the highest score, with `classify`",
        default: DefaultValue::Words("any label"),
        ..Input::new("expect_label")
    };
    MAX_LATENCY = Input {
        kind: ValueKind::Text("DURATION"),
        summary: "Longest time that each answer may take, such as `20s`",
        default: DefaultValue::Words("no limit"),
        ..Input::new("max_latency")
    };
}

/// Parameters that other inputs set.
const OWN_PARAMS: [&str; 5] = ["inputs", "messages", "model", "stream", "stream_options"];
/// Id of the only input.
const ALONE: &str = "input";
/// Largest number of inputs at the same time.
const MAX_CONCURRENCY: usize = 32;

/// Inputs of a run.
#[derive(Debug)]
pub(super) struct InferenceInputs {
    /// `None` shows the usage.
    pub(super) options: Option<InferenceOptions>,
    pub(super) bill_to: Option<String>,
    /// The Hub: `HF_ENDPOINT`.
    pub(super) endpoint: Url,
    pub(super) router: Url,
    pub(super) token: Secret,
    pub(super) bundle_bucket: Option<BundleBucket>,
}

/// Kind of work, as the input names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Infer(Operation),
    Usage,
}

impl InferenceInputs {
    pub(super) fn from_values(values: &Values) -> Result<Accepted<Self>> {
        let mut diagnostics = values.diagnostics();
        let inputs = validate(values, &mut diagnostics);
        diagnostics.accept(inputs)
    }
}

/// Inputs that each operation reads.
const READ_BY_EACH: [&str; 3] = [OPERATION.name, TOKEN.name, bundle::BUNDLE_BUCKET.name];

/// Applies every rule. `None` means that a fault was noted.
fn validate(values: &Values, diagnostics: &mut Diagnostics) -> Option<InferenceInputs> {
    if values.given(&TOKEN).is_none() {
        diagnostics.fault_with_code(
            Code::TokenMissing,
            &TOKEN,
            "must hold a token that may call Inference Providers",
        );
    }
    let token = sign_in::token(values, &TOKEN, diagnostics);
    let endpoint = sign_in::endpoint(values.environment(), diagnostics);
    let router = sign_in::router(values.environment(), diagnostics);
    let bill_to = values.field(&BILL_TO, namespace, diagnostics).ok();
    let options = match values.value(&OPERATION, work, diagnostics) {
        Work::Usage => {
            let idle: Vec<&Input> = GROUPS
                .iter()
                .flat_map(|group| group.inputs)
                .filter(|input| !READ_BY_EACH.contains(&input.name) && values.asks(input))
                .collect();
            diagnostics.warn_without_effect(&idle, "`operation` is `usage`");
            None
        }
        Work::Infer(operation) => Some(options(values, operation, diagnostics)?),
    };
    let bundle_bucket = bundle::read(values, diagnostics);
    Some(InferenceInputs {
        options,
        bill_to,
        endpoint: endpoint?,
        router: router?,
        token: token?,
        bundle_bucket,
    })
}

fn options(values: &Values, operation: Operation, diagnostics: &mut Diagnostics) -> Option<InferenceOptions> {
    let workspace: PathBuf = values.value(&WORKSPACE, str::parse, diagnostics);
    let model = values.required(&MODEL, model, diagnostics);
    let items = items(values, operation, &workspace, diagnostics);
    let results = match values.field(&OUTPUT_FILE, parse::path, diagnostics).ok() {
        Some(path) => ResultsPath::Named(parse::below(&workspace, path)),
        None => ResultsPath::Own(workspace),
    };
    let options = InferenceOptions {
        operation,
        // Without a model, its fault ends the run.
        model: model.clone().unwrap_or_else(|| RepoId { namespace: String::new(), name: String::new() }),
        params: values.field(&PARAMS, params, diagnostics).or(Map::new()),
        max_tokens: values.field(&MAX_TOKENS, positive, diagnostics).ok(),
        routing: values.value(&ROUTING, routing, diagnostics),
        stream: values.flag(&STREAM, diagnostics),
        expectations: Expectations {
            contains: values.string(&EXPECT_CONTAINS),
            regex: values.field(&EXPECT_REGEX, app_check::regex, diagnostics).ok(),
            label: values.string(&EXPECT_LABEL),
            max_latency: time::read(values, &MAX_LATENCY, diagnostics).ok(),
        },
        max_cost: values.field(&MAX_COST, cost, diagnostics).ok(),
        concurrency: values.value(&CONCURRENCY, concurrency, diagnostics),
        items,
        results,
    };
    refuse_contradictions(values, &options, diagnostics);
    model.map(|_| options)
}

/// Notes inputs that do not fit the kind of work. Those that would be unsafe to ignore are faults.
fn refuse_contradictions(values: &Values, options: &InferenceOptions, diagnostics: &mut Diagnostics) {
    let operation = options.operation;
    let word = values.place().setting(&OPERATION, operation.as_str());
    if operation != Operation::Generate {
        if options.routing != Routing::Fastest {
            diagnostics
                .fault(&ROUTING, format!("must be left out with `{word}`: only `hf-inference` does that"));
        }
        if options.max_cost.is_some() {
            let sentence = format!(
                "must be left out with `{word}`: `hf-inference` bills the time of its machines, which no answer names"
            );
            diagnostics.fault(&MAX_COST, sentence);
        }
    }
    if options.expectations.label.is_some() && operation != Operation::Classify {
        diagnostics.fault(&EXPECT_LABEL, format!("must be left out with `{word}`: it is for `classify`"));
    }
    let is_about_text = [
        (&EXPECT_CONTAINS, options.expectations.contains.is_some()),
        (&EXPECT_REGEX, options.expectations.regex.is_some()),
    ];
    for (input, _) in is_about_text.iter().filter(|(_, is_set)| *is_set && operation == Operation::Embed) {
        diagnostics.fault(input, format!("must be left out with `{word}`: an embedding is no text"));
    }
    let idle = [
        (&MAX_TOKENS, options.max_tokens.is_some() && operation != Operation::Generate),
        (&STREAM, options.stream && operation != Operation::Generate),
    ];
    let idle: Vec<&Input> = idle.iter().filter(|(_, is_idle)| *is_idle).map(|(input, _)| *input).collect();
    diagnostics.warn_without_effect(&idle, format!("`{word}`"));
    if options.stream && options.items.len() > 1 {
        diagnostics
            .fault(&STREAM, "must be `false` for many inputs: their answers would be mixed up in the log");
    }
}

fn items(
    values: &Values,
    operation: Operation,
    workspace: &Path,
    diagnostics: &mut Diagnostics,
) -> Vec<Item> {
    let [text, file] = [values.text(&INPUT), values.given(&INPUT_FILE)];
    match (text.filter(|text| !text.trim().is_empty()), file) {
        (Some(text), None) => vec![Item { id: ALONE.to_owned(), input: text.into() }],
        (None, Some(file)) => match std::fs::read_to_string(workspace.join(file)) {
            Ok(text) => InputFile { path: file, text: &text, operation }.read(diagnostics),
            Err(error) => {
                let shown = shorten(file, SHOWN);
                diagnostics.fault(&INPUT_FILE, format!("names `{shown}`, which cannot be read: {error}"));
                Vec::new()
            }
        },
        (None, None) => {
            let file = values.quoted(&INPUT_FILE);
            diagnostics
                .fault(&INPUT, format!("must hold the text for the model, or {file} name a file of them"));
            Vec::new()
        }
        (Some(_), Some(_)) => {
            let file = values.quoted(&INPUT_FILE);
            diagnostics.fault(&INPUT, format!("contradicts {file}: leave one of them out"));
            Vec::new()
        }
    }
}

fn work(text: &str) -> Parsed<Work> {
    parse::choice(&OPERATION, text, |word| match word {
        "generate" => Some(Work::Infer(Operation::Generate)),
        "embed" => Some(Work::Infer(Operation::Embed)),
        "classify" => Some(Work::Infer(Operation::Classify)),
        "usage" => Some(Work::Usage),
        _ => None,
    })
}

fn model(text: &str) -> std::result::Result<RepoId, ParseError> {
    let name: RepoName = text.parse()?;
    name.full().ok_or_else(|| ParseError("must be `namespace/name`".to_owned()))
}

/// Parses a policy of the router, or the name of a provider.
fn routing(text: &str) -> Parsed<Routing> {
    match text {
        "fastest" => Ok(Routing::Fastest),
        "cheapest" => Ok(Routing::Cheapest),
        "preferred" => Ok(Routing::Preferred),
        name if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) => {
            Ok(Routing::Provider(name.to_owned()))
        }
        _ => parse::not_like("`fastest`, `cheapest`, `preferred` or the name of a provider", text),
    }
}

fn namespace(text: &str) -> Parsed<String> {
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        return Ok(text.to_owned());
    }
    parse::not_like("the name of an organization", text)
}

fn params(text: &str) -> Parsed<Map<String, Value>> {
    let params = app_check::json_object(text)?;
    match OWN_PARAMS.iter().find(|name| params.contains_key(**name)) {
        Some(name) => refuse(format!("must not hold `{name}`, which other inputs set")),
        None => Ok(params),
    }
}

fn positive(text: &str) -> Parsed<u32> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => parse::not_like("a number of at least 1", text),
    }
}

fn concurrency(text: &str) -> Parsed<usize> {
    match text.parse() {
        Ok(number @ 1..=MAX_CONCURRENCY) => Ok(number),
        _ => parse::not_like(&format!("a number from 1 to {MAX_CONCURRENCY}"), text),
    }
}

fn cost(text: &str) -> Parsed<f64> {
    match text.trim_start_matches('$').parse::<f64>() {
        Ok(cost) if cost.is_finite() && cost > 0.0 => Ok(cost),
        _ => parse::not_like("an amount of US dollars like `0.50`", text),
    }
}
