//! The inputs of a Space that is made from a model.

use std::path::PathBuf;
use std::time::Duration;

use hub::{Credentials, RepoName, Visibility};
use url::Url;

use crate::action::GithubContext;
use crate::app_check::Mode;
use crate::commands::groups::{app_check, bundle, model, sign_in};
use crate::commands::inputs::declaration::{DefaultValue, Group, Input, ValueKind, inputs};
use crate::commands::inputs::diagnostics::{Accepted, Diagnostics};
use crate::commands::inputs::parse::{self, Parsed};
use crate::commands::inputs::time;
use crate::commands::inputs::values::Values;
use crate::failure::{Code, Result};
use crate::ops::build_space::{BuildMode, BuildOptions, ModelQuestion};
use crate::ops::bundle_bucket::BundleBucket;
use crate::ops::deploy::options::Provenance;

pub(super) const GROUPS: &[Group] =
    &[model::MODEL_GROUP, SPACE_OF_MODEL, model::RUNTIME_GROUP, CHECK_OF_SPACE, bundle::BUNDLE];

inputs! {
    /// Inputs of the Space.
    SPACE_OF_MODEL: "Space", "";
    TOKEN = Input {
        summary: "Token with write access to the Space",
        details: "A dry run of a public model works without.",
        is_secret: true,
        default: DefaultValue::Required,
        ..Input::new("hf_token")
    };
    SPACE = Input {
        kind: ValueKind::Text("NAMESPACE/NAME"),
        summary: "Space to make or update",
        details: "One that this action did not make is never written to.",
        default: DefaultValue::Words("the name of the model, in the namespace of the token's user"),
        ..Input::new("space")
    };
    MODE = Input {
        kind: ValueKind::Choice(&["full-inference-gated", "full-inference-attempt", "safe-scaffold"]),
        summary: "Demand on the app",
        details: "`full-inference-gated` requires that a call returns the promised type. `full-inference-attempt` also accepts an app that only answers. `safe-scaffold` makes a page about the model that loads nothing.",
        default: DefaultValue::Value("full-inference-gated"),
        ..Input::new("mode")
    };
    BUILDER = Input {
        kind: ValueKind::Text("NAME"),
        summary: "Author of the files: `template`",
        default: DefaultValue::Value("template"),
        ..Input::new("builder")
    };
    VISIBILITY = Input {
        kind: ValueKind::Choice(&["private", "protected", "public"]),
        summary: "Visibility of the Space",
        details: "It changes an existing Space only if it is set.",
        default: DefaultValue::Value("private"),
        ..Input::new("visibility")
    };
    OVERWRITE = Input {
        kind: ValueKind::Flag,
        summary: "Give a Space that this action made for another model to this one",
        default: DefaultValue::Value("false"),
        ..Input::new("overwrite")
    };
    DRY_RUN = Input {
        kind: ValueKind::Flag,
        summary: "Recommend and generate the files into the run bundle, and change nothing on the Hub",
        default: DefaultValue::Value("false"),
        ..Input::new("dry_run")
    };
    TIMEOUT = Input {
        kind: ValueKind::Text("DURATION"),
        summary: "Longest wait for the Space and its check, such as `30m`",
        details: "The Hub gives an app 30 minutes to start, and an hour if it loads more than 10 GB.",
        default: DefaultValue::Value("75m"),
        ..Input::new("timeout")
    };
    FAIL_ON = Input {
        kind: ValueKind::Text("WORDS"),
        summary: "Results that fail the step, separated by lines or commas",
        details: "The words of `gate_status`, or `none`.",
        default: DefaultValue::Words("`failed`, `technical_blocker`, `manual_hardware_required`, and `health_only` unless the app is static or `mode` accepts it"),
        ..Input::new("fail_on")
    };
}

/// Inputs of the check. Its call is that of the model's examples, unless an input names another.
const CHECK_OF_SPACE: Group = Group {
    title: "App check",
    intro: "By default, the check calls the app with an example of the model's author, or of the template.",
    inputs: &[
        app_check::VERIFY,
        app_check::HEALTH_PATH,
        app_check::HEALTH_STATUS,
        app_check::HEALTH_CONTAINS,
        app_check::API_NAME,
        app_check::API_ARGS,
        app_check::API_KWARGS,
        app_check::EXPECT,
        app_check::EXPECT_CONTAINS,
        app_check::EXPECT_REGEX,
        app_check::MAX_LATENCY,
    ],
};

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
    }
    let token = sign_in::token(values, &TOKEN, diagnostics);
    let space = values.field(&SPACE, str::parse::<RepoName>, diagnostics).ok();
    let mode = values.value(&MODE, mode, diagnostics);
    values.value(&BUILDER, builder, diagnostics);
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
        provenance: Provenance {
            repository: github.repository,
            sha: github.sha,
            commit_url: github.commit_url,
            run_url: github.run_url,
        },
        tls_roots: environment.var("SSL_CERT_FILE").map(PathBuf::from),
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

fn builder(text: &str) -> Parsed<()> {
    match text {
        "template" => Ok(()),
        "agent" => parse::refuse("must be `template`: this version has no agent that writes the files"),
        other => parse::not_like("`template`", other),
    }
}

#[cfg(test)]
mod tests {
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
    fn faults_say_what_to_set() {
        let token = &[("HF_TOKEN", "hf_a")][..];
        for (arguments, secrets, message) in [
            (&[][..], &[][..], "`HF_TOKEN` must hold a token with write access"),
            (
                &["--builder", "agent"],
                token,
                "`--builder` must be `template`: this version has no agent that writes the files",
            ),
            (&["--builder", "hand"], token, "`--builder` must be `template`, not `hand`"),
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
