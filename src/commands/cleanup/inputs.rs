//! The inputs of the clean-up.

use hub::RepoName;

use crate::action::GithubContext;
use crate::commands::groups::bundle;
use crate::commands::groups::preview::{self, GithubRun};
use crate::commands::groups::repo;
use crate::commands::groups::sign_in::{self, HubAccess};
use crate::commands::inputs::declaration::{DefaultValue, Group, Input, ValueKind, inputs};
use crate::commands::inputs::diagnostics::{Accepted, Diagnostics};
use crate::commands::inputs::time;
use crate::commands::inputs::values::Values;
use crate::failure::Result;
use crate::github::GithubOptions;
use crate::ops::bundle_bucket::BundleBucket;
use crate::ops::cleanup::previews::PreviewCleanup;

pub(super) const GROUPS: &[Group] = &[PREVIEWS, TOKENS, bundle::BUNDLE];

inputs! {
    /// Inputs of the previews.
    PREVIEWS: "Previews", "";
    HUGGINGFACE_REPO = Input {
        summary: "Space whose previews are cleaned up, as `name` or `namespace/name`",
        details: "Without a namespace it belongs to the user of `hf_token`. It does not have to exist.",
        ..repo::HUGGINGFACE_REPO
    };
    PREVIEW_SUFFIX = Input {
        summary: "Suffix of the names of previews, as in the deploy; `{number}` is that of the pull request",
        details: "",
        only: &[],
        ..preview::PREVIEW_SUFFIX
    };
    OLDER_THAN = Input {
        kind: ValueKind::Text("DURATION"),
        summary: "Time without a change after which the preview of an open pull request is deleted as well, such as `14d`",
        default: DefaultValue::Words("none; the previews of open pull requests stay"),
        ..Input::new("older_than")
    };
    DRY_RUN = Input {
        kind: ValueKind::Flag,
        summary: "Show the decisions, and change nothing on the Hub and on GitHub",
        default: DefaultValue::Value("false"),
        ..Input::new("dry_run")
    };
}

inputs! {
    /// Inputs of the sign-in on both sides.
    TOKENS: "Tokens", "";
    HF_TOKEN = Input {
        summary: "Hugging Face token with write access to the previews",
        details: "The token that deploys them has it.",
        default: DefaultValue::Required,
        ..sign_in::HF_TOKEN
    };
    GITHUB_TOKEN = Input {
        summary: "Token for pull requests, comments and deployments on GitHub",
        ..preview::GITHUB_TOKEN
    };
}

/// Inputs of a clean-up.
pub(super) struct CleanupInputs {
    pub(super) access: HubAccess,
    pub(super) cleanup: PreviewCleanup,
    pub(super) github: GithubOptions,
    pub(super) bundle_bucket: Option<BundleBucket>,
}

impl CleanupInputs {
    pub(super) fn from_values(values: &Values) -> Result<Accepted<Self>> {
        let mut diagnostics = values.diagnostics();
        let inputs = validate(values, &mut diagnostics);
        diagnostics.accept(inputs)
    }
}

/// Applies every rule. `None` means that a fault was noted.
fn validate(values: &Values, diagnostics: &mut Diagnostics) -> Option<CleanupInputs> {
    let context = GithubContext::from_vars(|name| values.environment().exact(name));
    let space: Option<RepoName> = repo::name(values, &context, diagnostics);
    let suffix = preview::suffix(values, diagnostics);
    let older_than = time::read(values, &OLDER_THAN, diagnostics).ok();
    let dry_run = values.flag(&DRY_RUN, diagnostics);
    let access = sign_in::write_access(values, diagnostics);
    if values.given(&GITHUB_TOKEN).is_none() {
        diagnostics.fault(&GITHUB_TOKEN, "must hold a token, because GitHub is asked for the pull requests");
    }
    let GithubRun { repository, run, options, .. } = preview::run(values, &context, diagnostics)?;
    let run_url = context.run_url;
    let cleanup = PreviewCleanup { space: space?, suffix, repository, older_than, dry_run, run, run_url };
    let bundle_bucket = bundle::read(values, diagnostics);
    if dry_run && bundle_bucket.is_some() {
        diagnostics.warn_without_effect(&[&bundle::BUNDLE_BUCKET], bundle::DRY_RUN);
    }
    let bundle_bucket = bundle_bucket.filter(|_| !dry_run);
    Some(CleanupInputs { access: access?, cleanup, github: options?, bundle_bucket })
}
