//! The inputs of a Space that is made from a model.

use std::path::PathBuf;
use std::time::Duration;

use hub::{Access, Credentials, RepoName, Visibility, token_form};
use url::Url;

use crate::action::GithubContext;
use crate::app_check::Mode;
use crate::commands::groups::{app_check, bundle, commit, model, sign_in};
use crate::commands::inputs::diagnostics::{Accepted, Diagnostics};
use crate::commands::inputs::parse::{self, Parsed};
use crate::commands::inputs::time;
use crate::commands::inputs::values::Values;
use crate::failure::{Code, Result};
use crate::ops::build_space::{BuildMode, BuildOptions, ModelQuestion};
use crate::ops::bundle_bucket::BundleBucket;

use super::agent::{self, Builder};
use super::declared::{BUILDER, DRY_RUN, FAIL_ON, MODE, OVERWRITE, SPACE, TIMEOUT, TOKEN, VISIBILITY};

/// Inputs of a run.
#[derive(Debug)]
pub(super) struct BuildInputs {
    pub(super) options: BuildOptions,
    /// The Hub: `HF_ENDPOINT`.
    pub(super) endpoint: Url,
    pub(super) credentials: Credentials,
    /// Bucket that gets the run bundle.
    pub(super) bundle_bucket: Option<BundleBucket>,
}

impl BuildInputs {
    pub(super) fn from_values(values: &Values) -> Result<Accepted<Self>> {
        let mut diagnostics = values.diagnostics();
        let inputs = validate(values, &mut diagnostics);
        diagnostics.accept(inputs)
    }
}

/// Applies every rule. `None` means that a fault was noted.
fn validate(values: &Values, diagnostics: &mut Diagnostics) -> Option<BuildInputs> {
    let environment = values.environment();
    let github = GithubContext::from_vars(|name| environment.exact(name));
    let question = model::read(values, diagnostics);
    let dry_run = values.flag(&DRY_RUN, diagnostics);
    if values.given(&TOKEN).is_none() && !dry_run {
        diagnostics.fault_with_code(Code::TokenMissing, &TOKEN, "must hold a token with write access");
        let dry_run = values.place().setting(&DRY_RUN, "true");
        diagnostics
            .hint(format!("make a token at {}", token_form(sign_in::DEFAULT_ENDPOINT, Access::Write, None)));
        diagnostics.hint(format!("set `{dry_run}` to try a public model without a token"));
    }
    let token = sign_in::token(values, &TOKEN, diagnostics);
    let space = values.field(&SPACE, str::parse::<RepoName>, diagnostics).ok();
    let mode = values.value(&MODE, mode, diagnostics);
    let builder = values.value(&BUILDER, builder, diagnostics);
    let visibility = values.value(&VISIBILITY, str::parse::<Visibility>, diagnostics);
    let overwrite = values.flag(&OVERWRITE, diagnostics);
    let timeout: Duration = time::read_or_default(values, &TIMEOUT, diagnostics);
    let workspace = github.workspace.clone().unwrap_or_else(|| PathBuf::from("."));
    let check = app_check::read(values, workspace, diagnostics);
    if check.mode == Mode::Off && mode != BuildMode::SafeScaffold {
        let scaffold = values.place().setting(&MODE, BuildMode::SafeScaffold.as_str());
        let sentence =
            format!("must not be `false` without `{scaffold}`: nothing else proves that the app works");
        diagnostics.fault(&app_check::VERIFY, sentence);
    }
    let fail_on = values.field(&FAIL_ON, app_check::statuses, diagnostics).ok();
    let endpoint = sign_in::endpoint(environment, diagnostics);
    let bundle_bucket = bundle::read(values, diagnostics);
    if dry_run && bundle_bucket.is_some() {
        diagnostics.warn_without_effect(&[&bundle::BUNDLE_BUCKET], bundle::DRY_RUN);
    }
    let kind = agent::Run {
        builder,
        mode,
        runtime: question.as_ref().map(|question| question.settings.runtime),
        dry_run,
    };
    let agent = agent::read(values, kind, token.as_ref(), diagnostics);
    let question = ModelQuestion { wants_prices: dry_run, ..question? };
    if let (Some(token), Some(of_space)) = (&token, &question.space_token)
        && token.expose() == of_space.expose()
    {
        let deploy = values.quoted(&TOKEN);
        let sentence = format!("must not be the token of {deploy}: make one that only reads the model");
        diagnostics.fault(&model::SPACE_HF_TOKEN, sentence);
    }
    let options = BuildOptions {
        question,
        space,
        mode,
        visibility,
        visibility_given: values.given(&VISIBILITY).is_some(),
        overwrite,
        dry_run,
        timeout,
        check,
        fail_on,
        provenance: commit::provenance(&github),
        tls_roots: environment.var("SSL_CERT_FILE").map(PathBuf::from),
        agent,
    };
    Some(BuildInputs {
        options,
        endpoint: endpoint?,
        credentials: token.map_or(Credentials::Anonymous, Credentials::Token),
        bundle_bucket: bundle_bucket.filter(|_| !dry_run),
    })
}

/// Parses a mode. The words of other programs may have `_` in place of `-`.
fn mode(text: &str) -> Parsed<BuildMode> {
    parse::choice(&MODE, text, |word| match word.replace('_', "-").as_str() {
        "full-inference-gated" => Some(BuildMode::FullInferenceGated),
        "full-inference-attempt" => Some(BuildMode::FullInferenceAttempt),
        "safe-scaffold" => Some(BuildMode::SafeScaffold),
        _ => None,
    })
}

fn builder(text: &str) -> Parsed<Builder> {
    parse::choice(&BUILDER, text, |word| match word {
        "template" => Some(Builder::Template),
        "agent" => Some(Builder::Agent),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::declared::GROUPS;
    use super::*;
    use crate::app_check::CheckStatus;
    use crate::commands::inputs::options;

    fn read(arguments: &[&str], secrets: &[(&str, &str)]) -> Result<(BuildInputs, Vec<String>)> {
        let command = options::add(clap::Command::new("build-space"), GROUPS);
        let given = [&["build-space", "acme/model"], arguments].concat();
        let matches = command.try_get_matches_from(given).unwrap();
        let vars = secrets.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let accepted = BuildInputs::from_values(&Values::from_options(&matches, vars, GROUPS))?;
        Ok((accepted.inputs, accepted.warnings))
    }

    #[test]
    fn defaults_are_private_and_gated() {
        let (inputs, warnings) = read(&[], &[("HF_TOKEN", "hf_a")]).unwrap();
        let options = inputs.options;
        assert_eq!((options.visibility, options.visibility_given), (Visibility::Private, false));
        assert_eq!(
            (options.mode, options.overwrite, options.dry_run),
            (BuildMode::FullInferenceGated, false, false)
        );
        assert!(options.fail_on.is_none() && options.space.is_none() && warnings.is_empty());
        assert!(read(&["--dry-run"], &[]).is_ok());
        let (inputs, _) = read(&["--fail-on", "failed, health_only"], &[("HF_TOKEN", "hf_a")]).unwrap();
        let fail_on = inputs.options.fail_on.unwrap();
        assert!(fail_on.covers(CheckStatus::HealthOnly) && !fail_on.covers(CheckStatus::TechnicalBlocker));
        let (inputs, _) = read(&["--mode", "safe_scaffold"], &[("HF_TOKEN", "hf_a")]).unwrap();
        assert_eq!(inputs.options.mode, BuildMode::SafeScaffold);
    }

    #[test]
    fn agent_has_limits_and_a_token_of_its_own() {
        let secrets = &[("HF_TOKEN", "hf_deploy"), ("AGENT_HF_TOKEN", "hf_agent")][..];
        let (inputs, warnings) = read(&["--builder", "agent"], secrets).unwrap();
        let agent = inputs.options.agent.unwrap();
        assert_eq!((agent.model.as_str(), agent.token.expose()), ("Qwen/Qwen3-Coder-Next", "hf_agent"));
        assert_eq!((agent.timeout, agent.max_cost), (Duration::from_secs(1200), 1.0));
        assert_eq!(agent.hardware, "cpu-basic");
        assert_eq!(agent.inference_endpoint.as_str(), "https://router.huggingface.co/");
        assert_eq!(warnings, Vec::<String>::new());
        let arguments = [
            "--builder",
            "agent",
            "--agent-model",
            "a/b:cheapest",
            "--agent-timeout",
            "90s",
            "--agent-max-cost",
            "0.25",
            "--agent-hardware",
            "cpu-upgrade",
        ];
        let (inputs, _) = read(&arguments, secrets).unwrap();
        let agent = inputs.options.agent.unwrap();
        assert_eq!((agent.model.as_str(), agent.hardware.as_str()), ("a/b:cheapest", "cpu-upgrade"));
        assert_eq!((agent.timeout.as_secs(), agent.max_cost), (90, 0.25));
    }

    #[test]
    fn inputs_of_an_agent_without_effect_are_warnings() {
        let token = &[("HF_TOKEN", "hf_deploy")][..];
        let warnings = |arguments: &[&str], secrets: &[(&str, &str)]| {
            let (inputs, warnings) = read(arguments, secrets).unwrap();
            (inputs.options.agent.is_some(), warnings)
        };
        let (has_agent, found) = warnings(&["--builder", "agent"], token);
        assert!(has_agent);
        assert_eq!(
            found,
            [
                "the Job of the agent gets the token of `HF_TOKEN`: a token that only calls Inference Providers, as `AGENT_HF_TOKEN`, is safer"
            ]
        );
        let (has_agent, found) = warnings(&["--agent-timeout", "5m", "--agent-model", "a/b"], token);
        assert!(!has_agent);
        assert_eq!(
            found,
            ["`--agent-model`, `--agent-timeout` have no effect: `--builder=agent` is not set"]
        );
        let (has_agent, found) = warnings(&["--builder", "agent", "--dry-run"], &[]);
        assert!(!has_agent);
        assert_eq!(
            found,
            [
                "`--builder=agent` has no effect with `--dry-run`: a dry run starts no Job, so that the files are those of the template"
            ]
        );
    }

    #[test]
    fn faults_say_what_to_set() {
        let token = &[("HF_TOKEN", "hf_a")][..];
        for (arguments, secrets, message) in [
            (&[][..], &[][..], "`HF_TOKEN` must hold a token with write access"),
            (
                &["--builder", "agent", "--mode", "safe-scaffold"],
                token,
                "`--builder` must be `template` with `--mode=safe-scaffold`, whose page has no inference to write",
            ),
            (
                &["--builder", "agent", "--runtime", "static"],
                token,
                "`--builder` must be `template` with `--runtime=static`, whose page has no inference to write",
            ),
            (
                &["--builder", "agent", "--agent-model", "gpt"],
                token,
                "`--agent-model` must be `namespace/name`, maybe with `:provider` after it",
            ),
            (
                &["--builder", "agent", "--agent-max-cost", "0"],
                token,
                "`--agent-max-cost` must be an amount of US dollars, like `0.60`, not `0`",
            ),
            (&["--builder", "hand"], token, "`--builder` must be `template` or `agent`, not `hand`"),
            (
                &["--verify", "false"],
                token,
                "`--verify` must not be `false` without `--mode=safe-scaffold`: nothing else proves that the app works",
            ),
        ] {
            assert_eq!(read(arguments, secrets).unwrap_err().message, message, "{arguments:?}");
        }
    }
}
