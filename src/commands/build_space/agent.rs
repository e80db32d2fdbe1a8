//! The inputs of the agent that edits the files.

use hub::{Flavor, ParseError, RepoName, Secret};

use super::declared::{
    AGENT_HARDWARE, AGENT_MAX_COST, AGENT_MODEL, AGENT_TIMEOUT, AGENT_TOKEN, BUILDER, DRY_RUN, MODE, TOKEN,
};
use crate::commands::groups::model::RUNTIME;
use crate::commands::groups::sign_in;
use crate::commands::inputs::declaration::Only;
use crate::commands::inputs::diagnostics::Diagnostics;
use crate::commands::inputs::parse::{self, Parsed};
use crate::commands::inputs::time;
use crate::commands::inputs::values::Values;
use crate::model::RuntimeChoice;
use crate::ops::build_space::{AgentOptions, BuildMode};

/// Author of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Builder {
    Template,
    Agent,
}

/// Facts about the run that decide if an agent can work in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) builder: Builder,
    pub(super) mode: BuildMode,
    /// `None` is a fault.
    pub(super) runtime: Option<RuntimeChoice>,
    pub(super) dry_run: bool,
}

/// Reads the options of the agent; `None` without one, and after a fault.
pub(super) fn read(
    values: &Values,
    run: Run,
    hf_token: Option<&Secret>,
    diagnostics: &mut Diagnostics,
) -> Option<AgentOptions> {
    let model = values.value(&AGENT_MODEL, model, diagnostics);
    let own_token = sign_in::token(values, &AGENT_TOKEN, diagnostics);
    let timeout = time::read_or_default(values, &AGENT_TIMEOUT, diagnostics);
    let max_cost = values.value(&AGENT_MAX_COST, parse::dollars, diagnostics);
    let hardware = values.value(&AGENT_HARDWARE, str::parse::<Flavor>, diagnostics);
    let inference_endpoint = sign_in::router(values.environment(), diagnostics);
    let place = values.place();
    if run.builder == Builder::Template {
        let because = format!("`{}` is not set", place.setting(&BUILDER, "agent"));
        values.warn_without(Only::With(BUILDER.name), because, diagnostics);
        return None;
    }
    let agentless = match run {
        Run { mode: BuildMode::SafeScaffold, .. } => {
            Some(place.setting(&MODE, BuildMode::SafeScaffold.as_str()))
        }
        Run { runtime: Some(RuntimeChoice::Static), .. } => Some(place.setting(&RUNTIME, "static")),
        _ => None,
    };
    if let Some(setting) = agentless {
        let sentence = format!("must be `template` with `{setting}`, whose page has no inference to write");
        diagnostics.fault(&BUILDER, sentence);
    }
    if run.dry_run {
        let builder = place.setting(&BUILDER, "agent");
        let because = "a dry run starts no Job, so that the files are those of the template";
        diagnostics.warn(format!("`{builder}` has no effect with {}: {because}", values.quoted(&DRY_RUN)));
        return None;
    }
    if own_token.is_none() && values.given(&AGENT_TOKEN).is_none() {
        let (own, deploy) = (values.quoted(&AGENT_TOKEN), values.quoted(&TOKEN));
        diagnostics.warn(format!(
            "the Job of the agent gets the token of {deploy}: a token that only calls Inference Providers, as {own}, is safer"
        ));
    }
    let token = own_token.or_else(|| hf_token.cloned())?;
    let hardware = hardware.as_str().to_owned();
    Some(AgentOptions { model, token, timeout, max_cost, hardware, inference_endpoint: inference_endpoint? })
}

/// Parses a model of Inference Providers, maybe with a provider or a policy.
fn model(text: &str) -> Parsed<String> {
    let (name, route) = match text.split_once(':') {
        Some((name, route)) => (name, Some(route)),
        None => (text, None),
    };
    let is_route = |route: &str| {
        !route.is_empty() && route.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let id = name.parse::<RepoName>()?.full();
    match id {
        Some(_) if route.is_none_or(is_route) => Ok(text.to_owned()),
        _ => Err(ParseError("must be `namespace/name`, maybe with `:provider` after it".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_may_name_its_provider() {
        for good in ["Qwen/Qwen3-Coder-Next", "Qwen/Qwen3-Coder-Next:cheapest", "a/b:fireworks-ai"] {
            assert_eq!(model(good).as_deref(), Ok(good));
        }
        for bad in ["gpt", "a/b:", "a/b:c:d", "a/b c", "a/b:$(x)", "https://huggingface.co/a/b"] {
            assert!(model(bad).is_err(), "{bad}");
        }
    }
}
