//! The model of a Space, and the wishes for its app and its hardware.

use hub::{Flavor, ParseError, RepoId, RepoName, Revision, shorten, suggest};

use super::hardware::flavor;
use super::sign_in;
use crate::commands::inputs::declaration::{DefaultValue, Input, ValueKind, inputs};
use crate::commands::inputs::diagnostics::Diagnostics;
use crate::commands::inputs::lists;
use crate::commands::inputs::parse::{self, Parsed, SHOWN, refuse};
use crate::commands::inputs::values::Values;
use crate::model::{RuntimeChoice, Settings};
use crate::ops::build_space::ModelQuestion;
use crate::templates::Template;

inputs! {
    /// Inputs of the model and its app.
    MODEL_GROUP: "Model", "";
    MODEL = Input {
        kind: ValueKind::Text("MODEL"),
        summary: "Model on the Hub: `namespace/name`, or the address of its page",
        default: DefaultValue::Required,
        is_positional: true,
        elsewhere: &["model_id", "huggingface_model", "repo_id"],
        ..Input::new("model")
    };
    REVISION = Input {
        kind: ValueKind::Text("REVISION"),
        summary: "Branch, tag or commit of the model",
        default: DefaultValue::Words("`main`, or the revision in the address"),
        ..Input::new("revision")
    };
    TASK = Input {
        kind: ValueKind::Text("TASK"),
        summary: "Task of the model, such as `text-generation`",
        default: DefaultValue::Words("the `pipeline_tag` of the model"),
        elsewhere: &["pipeline_tag"],
        ..Input::new("task")
    };
    TEMPLATE = Input {
        kind: ValueKind::Text("NAME"),
        summary: "Template of the app, such as `chat`",
        default: DefaultValue::Words("the one for library and task"),
        ..Input::new("template")
    };
    USE_BASE_MODEL = Input {
        kind: ValueKind::Flag,
        summary: "Load the base model if the weights of the model cannot be used, such as `.gguf` files",
        default: DefaultValue::Value("false"),
        ..Input::new("use_base_model")
    };
    TRUST_REMOTE_CODE = Input {
        kind: ValueKind::Flag,
        summary: "Run the Python code of the model in the Space",
        details: "`revision` must be a commit then.",
        default: DefaultValue::Value("false"),
        ..Input::new("trust_remote_code")
    };
    ALLOW_PICKLE = Input {
        kind: ValueKind::Flag,
        summary: "Load weights that are pickle files, which can run any code",
        default: DefaultValue::Value("false"),
        ..Input::new("allow_pickle")
    };
    REQUIRE_LICENSE = Input {
        kind: ValueKind::Flag,
        summary: "Refuse a model that names no license",
        default: DefaultValue::Value("false"),
        ..Input::new("require_license")
    };
    SPACE_HF_TOKEN = Input {
        summary: "Read-only token for the Space, as its secret `HF_TOKEN`",
        details: "Gated and private models need it, and `runtime: provider`. Never pass the token of the deploy.",
        is_secret: true,
        elsewhere: &["space_token", "hf_read_token", "read_token"],
        ..Input::new("space_hf_token")
    };
}

inputs! {
    /// Inputs of the machine that runs the app.
    RUNTIME_GROUP: "Hardware", "";
    RUNTIME = Input {
        kind: ValueKind::Choice(&["auto", "zero-gpu", "gpu", "cpu", "static", "provider"]),
        summary: "Kind of machine",
        details: "`auto` takes `hardware_preference`, then `cpu-basic` for a small model on a paid plan, then paid hardware. `static` runs in the browser, and `provider` asks Inference Providers.",
        default: DefaultValue::Value("auto"),
        ..Input::new("runtime")
    };
    HARDWARE_PREFERENCE = Input {
        kind: ValueKind::Text("NAME"),
        summary: "Hardware to ask for first",
        default: DefaultValue::Value("zero-a10g"),
        elsewhere: &["hardware", "space_hardware", "flavor"],
        ..Input::new("hardware_preference")
    };
    ALLOW_FALLBACK = Input {
        kind: ValueKind::Flag,
        summary: "Take paid hardware if the preferred one cannot be had",
        default: DefaultValue::Value("false"),
        ..Input::new("allow_fallback")
    };
    FALLBACK_HARDWARE = Input {
        kind: ValueKind::Text("NAMES"),
        summary: "Paid hardware in the order of preference, separated by newlines or commas",
        default: DefaultValue::Words("the smallest GPU that suffices"),
        ..Input::new("fallback_hardware")
    };
    MAX_HOURLY_PRICE = Input {
        kind: ValueKind::Text("USD"),
        summary: "Largest price of an hour of hardware, in US dollars",
        default: DefaultValue::Words("no limit"),
        ..Input::new("max_hourly_price")
    };
}

/// A model as the user writes it.
#[derive(Debug, PartialEq, Eq)]
struct NamedModel {
    id: RepoId,
    /// Revision in an address.
    revision: Option<Revision>,
}

/// Reads the question about a model; `None` is a fault.
pub(crate) fn read(values: &Values, diagnostics: &mut Diagnostics) -> Option<ModelQuestion> {
    let hub = values.environment().var(sign_in::ENDPOINT).unwrap_or(sign_in::DEFAULT_ENDPOINT);
    let model = values.required(&MODEL, |text| named_model(text, hub), diagnostics);
    let revision = values.field(&REVISION, Revision::to_read, diagnostics).ok();
    let space_token = sign_in::token(values, &SPACE_HF_TOKEN, diagnostics);
    let hardware = values.given(&HARDWARE_PREFERENCE);
    let hardware_preference = match hardware {
        Some(name) => flavor(&HARDWARE_PREFERENCE, name, diagnostics),
        None => Some(Flavor::ZERO_GPU),
    };
    let names = lists::names(&FALLBACK_HARDWARE, values.text(&FALLBACK_HARDWARE), diagnostics);
    let fallback_hardware: Vec<Flavor> =
        names.into_iter().filter_map(|name| flavor(&FALLBACK_HARDWARE, name, diagnostics)).collect();
    let runtime = values.value(&RUNTIME, runtime, diagnostics);
    let allow_fallback = values.flag(&ALLOW_FALLBACK, diagnostics);
    if !fallback_hardware.is_empty() && !allow_fallback && runtime != RuntimeChoice::Gpu {
        let because = format!("{} is not set", values.quoted(&ALLOW_FALLBACK));
        diagnostics.warn_without_effect(&[&FALLBACK_HARDWARE], because);
    }
    let settings = Settings {
        task: values.field(&TASK, task, diagnostics).ok(),
        template: values.given(&TEMPLATE).and_then(|name| template(name, diagnostics)),
        runtime,
        hardware_preference: hardware_preference.unwrap_or(Flavor::ZERO_GPU),
        allow_fallback,
        fallback_hardware,
        max_hourly_price: values.field(&MAX_HOURLY_PRICE, parse::dollars, diagnostics).ok(),
        has_space_token: space_token.is_some(),
        trust_remote_code: values.flag(&TRUST_REMOTE_CODE, diagnostics),
        allow_pickle: values.flag(&ALLOW_PICKLE, diagnostics),
        use_base_model: values.flag(&USE_BASE_MODEL, diagnostics),
        require_license: values.flag(&REQUIRE_LICENSE, diagnostics),
        is_pinned: false,
    };
    let model = model?;
    let revision = revision.or(model.revision).unwrap_or_default();
    let settings = Settings { is_pinned: revision.is_commit(), ..settings };
    Some(ModelQuestion { model: model.id, revision, settings, space_token, wants_prices: false })
}

/// Parses the name of a model, or the address of its page on huggingface.co or on the Hub of the run.
fn named_model(text: &str, hub: &str) -> Parsed<NamedModel> {
    const HOSTS: [&str; 3] = ["huggingface.co", "www.huggingface.co", "hf.co"];
    let bare = without_scheme(text);
    let mut hosts = HOSTS.into_iter().chain([without_scheme(hub).trim_end_matches('/')]);
    let Some(path) = hosts.find_map(|host| bare.strip_prefix(host)?.strip_prefix('/')) else {
        if text.contains("://") {
            return refuse(format!(
                "must be `namespace/name` or an address on huggingface.co, not `{}`",
                shorten(text, SHOWN)
            ));
        }
        return Ok(NamedModel { id: full(text)?, revision: None });
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        ["spaces" | "datasets" | "collections" | "papers" | "buckets", ..] => {
            refuse(format!("must be the address of a model, not `{}`", shorten(text, SHOWN)))
        }
        [namespace, name, "tree" | "blob" | "resolve" | "commit", revision, ..] => {
            // A slash of a revision is escaped in an address.
            let revision = revision.replace("%2F", "/");
            Ok(NamedModel {
                id: full(&format!("{namespace}/{name}"))?,
                revision: Some(Revision::to_read(&revision)?),
            })
        }
        [namespace, name, ..] => Ok(NamedModel { id: full(&format!("{namespace}/{name}"))?, revision: None }),
        _ => refuse(format!("must be `namespace/name`, not `{}`", shorten(text, SHOWN))),
    }
}

fn without_scheme(address: &str) -> &str {
    address.split_once("://").map_or(address, |(_, rest)| rest)
}

fn full(text: &str) -> Parsed<RepoId> {
    let name: RepoName = text.parse()?;
    name.full().ok_or_else(|| {
        ParseError(format!("must name the namespace as well: `namespace/{}`", shorten(text, SHOWN)))
    })
}

fn runtime(text: &str) -> Parsed<RuntimeChoice> {
    parse::choice(&RUNTIME, text, |word| match word {
        "auto" => Some(RuntimeChoice::Auto),
        "zero-gpu" => Some(RuntimeChoice::ZeroGpu),
        "gpu" => Some(RuntimeChoice::Gpu),
        "cpu" => Some(RuntimeChoice::Cpu),
        "static" => Some(RuntimeChoice::Static),
        "provider" => Some(RuntimeChoice::Provider),
        _ => None,
    })
}

/// Parses the name of a template. The list of all is a hint, because it is long.
fn template(name: &str, diagnostics: &mut Diagnostics) -> Option<Template> {
    let found = Template::ALL.iter().copied().find(|template| template.name() == name);
    if found.is_none() {
        let names: Vec<&str> = Template::ALL.iter().map(|template| template.name()).collect();
        let meant = suggest::meant(name, &names).map(|name| format!(": did you mean `{name}`?"));
        let shown = shorten(name, SHOWN);
        diagnostics.fault(
            &TEMPLATE,
            format!("must be the name of a template, not `{shown}`{}", meant.unwrap_or_default()),
        );
        diagnostics.hint(format!("the templates are `{}`", names.join("`, `")));
    }
    found
}

/// Parses the name of a task. Unknown ones are reported with the model, because the Hub adds tasks.
fn task(text: &str) -> Parsed<String> {
    let is_name =
        text.len() <= 60 && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if is_name { Ok(text.to_owned()) } else { parse::not_like("a task like `text-generation`", text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_is_named_by_its_address_too() {
        let read = |text: &str| {
            let named = named_model(text, "http://hub.internal:8080/").unwrap();
            (named.id.to_string(), named.revision.map(|revision| revision.to_string()))
        };
        let plain = ("acme/my-model".to_owned(), None);
        for text in [
            "acme/my-model",
            "https://huggingface.co/acme/my-model",
            "https://huggingface.co/acme/my-model/?library=transformers#usage",
            "hf.co/acme/my-model/discussions/3",
            "http://hub.internal:8080/acme/my-model",
        ] {
            assert_eq!(read(text), plain, "{text}");
        }
        let at = |revision: &str| ("acme/m".to_owned(), Some(revision.to_owned()));
        assert_eq!(read("https://huggingface.co/acme/m/tree/v1.0"), at("v1.0"));
        let commit = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(read(&format!("https://huggingface.co/acme/m/tree/{commit}")), at(commit));
        assert_eq!(read("https://huggingface.co/acme/m/blob/refs%2Fpr%2F1/config.json"), at("refs/pr/1"));
    }

    #[test]
    fn other_addresses_are_refused() {
        for (text, part) in [
            ("gpt2", "`namespace/gpt2`"),
            ("https://huggingface.co/spaces/acme/app", "address of a model"),
            ("https://example.com/acme/m", "an address on huggingface.co"),
            ("https://huggingface.co.example/acme/m", "an address on huggingface.co"),
            ("https://huggingface.co/acme", "must be `namespace/name`"),
            ("a/b/c", "not `a/b/c`"),
        ] {
            let refusal = named_model(text, sign_in::DEFAULT_ENDPOINT).unwrap_err().0;
            assert!(refusal.contains(part), "{text}: {refusal}");
        }
    }
}
