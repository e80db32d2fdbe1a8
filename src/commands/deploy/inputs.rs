//! The inputs of the deploy: the groups that it has, and the options that they make.

use std::path::PathBuf;

use hub::{Credentials, RepoName, RepoType};
use url::Url;

use crate::action::GithubContext;
use crate::app_check::Check;
use crate::commands::groups::settings::SettingsPolicy;
use crate::commands::groups::{
    app_check, bundle, commit, files, hardware, preview as preview_group, proxy, repo, settings, sign_in,
};
use crate::commands::inputs::declaration::{DefaultValue, Group, Input, Only, ValueKind, inputs};
use crate::commands::inputs::diagnostics::{Accepted, Diagnostics};
use crate::commands::inputs::values::Values;
use crate::commands::inputs::{parse, time};
use crate::failure::Result;
use crate::failure::preview::WITHOUT_SECRETS;
use crate::ops::bundle_bucket::BundleBucket;
use crate::ops::deploy::options::{DeployOptions, LeaveOpen, OnFailure, Origin, SpaceOptions};
use crate::ops::preview::{DeploymentOptions, PreviewOptions};
use crate::ops::proxy_space::ProxyOptions;

use super::preview;

pub use proxy::{PROXY_SECRETS, PROXY_SETTINGS};

/// Groups of the inputs, in the order of action.yml and README.
pub const GROUPS: &[Group] = &[
    repo::REPO,
    sign_in::SIGN_IN,
    files::FILES,
    commit::COMMIT,
    settings::SETTINGS,
    hardware::HARDWARE_GROUP,
    WAITING,
    app_check::APP_CHECK,
    proxy::PROXY,
    preview_group::PREVIEW_GROUP,
    bundle::BUNDLE,
];

inputs! {
    /// Inputs of the time after the commit.
    WAITING: "Waiting for the Space", "These inputs have an effect for Spaces only.";
    WAIT = Input {
        kind: ValueKind::Flag,
        summary: "Wait until the Space runs this commit",
        default: DefaultValue::Value("true"),
        only: &[Only::Spaces],
        ..Input::new("wait")
    };
    TIMEOUT = Input {
        kind: ValueKind::Text("DURATION"),
        summary: "Longest time to wait for the Space, such as `90s`, `10m` or `2h`",
        details: "The Hub gives an app 30 minutes to start.",
        // Longer than the Hub gives an app to start, so that the Hub's own diagnosis is seen.
        default: DefaultValue::Value("40m"),
        only: &[Only::Spaces, Only::With(WAIT.name)],
        elsewhere: &["timeout_minutes"],
        ..Input::new("timeout")
    };
    ON_FAILURE = Input {
        kind: ValueKind::Choice(&["keep", "rollback"]),
        summary: "Reaction to a Space that does not start, or does not pass its check",
        details: "`rollback` restores the commit before.",
        default: DefaultValue::Value("keep"),
        only: &[Only::Spaces],
        elsewhere: &["rollback"],
        ..Input::new("on_failure")
    };
    LEAVE_OPEN_ON_FAILURE = Input {
        kind: ValueKind::Choice(&["none", "dev-mode"]),
        summary: "State in which a preview or a private Space stays that does not start, or does not pass its check",
        details: "`dev-mode` opens it by SSH and in an editor, to be looked into, and comes before a rollback. It needs a PRO, Team or Enterprise plan.",
        default: DefaultValue::Value("none"),
        only: &[Only::Spaces, Only::With(WAIT.name)],
        elsewhere: &["dev_mode_on_failure", "dev_mode"],
        ..Input::new("leave_open_on_failure")
    };
}

/// The deploy that a workflow asks for, with every rule of the contract applied.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// `Credentials::Anonymous` only in a dry run, which may read public repos, and in a run that is skipped.
    pub credentials: Credentials,
    /// Ends the run at once, because it has no token, and no way to one: the reason.
    pub skip: Option<&'static str>,
    /// The Hub: `HF_ENDPOINT`, as in the official clients.
    pub endpoint: Url,
    pub deploy: DeployOptions,
    /// `Some` exactly if `create_proxy` is true.
    pub proxy: Option<ProxyOptions>,
    /// The preview that the run deploys.
    pub preview: Option<PreviewOptions>,
    /// Deployment on GitHub of a run without a preview.
    pub deployment: Option<DeploymentOptions>,
    /// Bucket that gets the run bundle.
    pub bundle_bucket: Option<BundleBucket>,
}

impl Inputs {
    /// Reads the inputs from the variables of GitHub's runner. Returns them with warnings for the log, or one failure
    /// that names all faults.
    pub fn from_vars(vars: impl IntoIterator<Item = (String, String)>) -> Result<(Self, Vec<String>)> {
        let accepted = Self::from_values(&Values::from_runner(vars, GROUPS)?)?;
        Ok((accepted.inputs, accepted.warnings))
    }

    /// Validates the values, whichever way they came.
    pub(crate) fn from_values(values: &Values) -> Result<Accepted<Self>> {
        let mut diagnostics = values.diagnostics();
        let inputs = validate(values, &mut diagnostics);
        diagnostics.accept(inputs)
    }
}

/// Reason for which a run without a token is skipped.
const SKIPPED: &str =
    "GitHub gives no secrets to this run (a fork, or Dependabot), and `missing_token` is `skip`";

/// Applies every rule. `None` means that a fault was noted.
fn validate(values: &Values, diagnostics: &mut Diagnostics) -> Option<Inputs> {
    let environment = values.environment();
    let github = GithubContext::from_vars(|name| environment.exact(name));
    let repo = repo::name(values, &github, diagnostics);
    let repo_type = repo::repo_type(values, diagnostics);
    let dry_run = values.flag(&commit::DRY_RUN, diagnostics);
    let preview_inputs = preview_group::read(values, diagnostics);
    let may_lack_token = preview::may_lack_token(&preview_inputs, &github);
    let is_preview = preview::is_for_preview(&preview_inputs, &github);
    let has_previews = preview_inputs.is_wanted;
    let kind = sign_in::RunKind { is_dry_run: dry_run, may_lack_token };
    let sign_in = sign_in::read(values, &github, kind, diagnostics);
    let preview = preview::read(values, &github, preview_inputs, (repo.as_ref(), repo_type), diagnostics);
    if let Some(preview) = &preview {
        preview.check_sign_in(sign_in.credentials.as_ref(), diagnostics);
    }
    let deployment = if is_preview { None } else { preview::read_deployment(values, &github, diagnostics) };
    let repo = preview.as_ref().map(|preview| preview.repo.clone()).or(repo);
    require_namespace(values, &sign_in, repo.as_ref(), diagnostics);
    let space_sdk = repo::space_sdk(values, repo_type, diagnostics);
    let visibility = repo::visibility(values, repo_type, diagnostics);
    let visibility = preview.as_ref().map_or(visibility, |preview| preview.visibility(visibility));
    let source_dir = files::read_source_dir(values, &github, diagnostics);
    let path_in_repo = files::read_path_in_repo(values, diagnostics);
    let files = files::read(values, &github, diagnostics);
    let commit = commit::read(values, repo_type, diagnostics);
    let commit = match &preview {
        Some(preview) => preview.commit(values, commit, diagnostics),
        None => commit,
    };
    let workspace = github.workspace.clone().unwrap_or_else(|| PathBuf::from("."));
    let policy = SettingsPolicy {
        secrets_are_withheld: sign_in.secrets_are_withheld,
        secrets_in_files: files.secrets_in_files,
    };
    let space = match repo_type {
        Some(RepoType::Space) | None => {
            let space = read_space(values, workspace, policy, diagnostics);
            SpaceOptions { leave_open: leave_open(values, has_previews, diagnostics), ..space }
        }
        Some(other @ (RepoType::Model | RepoType::Dataset)) => {
            let because = format!("a {} does not run as a Space does", other.noun());
            values.warn_without(Only::Spaces, because, diagnostics);
            SpaceOptions::off(workspace)
        }
    };
    if has_previews {
        preview::refuse_own_mark(&space.settings, diagnostics);
    }
    let space = match &preview {
        Some(preview) => preview.space(space),
        None => space,
    };
    let proxy = proxy::read(values, repo.as_ref(), repo_type, sign_in.secrets_are_withheld, diagnostics);
    if repo_type == Some(RepoType::Space) && (commit.create_pr || !commit.revision.is_main()) {
        warn_of_futile_wait(values, &space, diagnostics);
    }
    let endpoint = sign_in::endpoint(environment, diagnostics);
    let bundle_bucket = bundle::read(values, diagnostics);
    if dry_run && bundle_bucket.is_some() {
        diagnostics.warn_without_effect(&[&bundle::BUNDLE_BUCKET], bundle::DRY_RUN);
    }
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        if environment.var(name).is_some() {
            diagnostics.warn(format!(
                "`{name}` is set, and the requests to the Hub do not use it, so that a proxy cannot intercept the token"
            ));
        }
    }
    let proxy = proxy.map(|proxy| ProxyOptions {
        deploy_token: sign_in.credentials.as_ref().and_then(Credentials::token).cloned(),
        ..proxy
    });
    let deploy = DeployOptions {
        repo: repo?,
        repo_type: repo_type?,
        space_sdk,
        visibility: visibility.visibility,
        visibility_given: visibility.is_given,
        private_is_false: visibility.private_is_false,
        origin: Origin::Checkout,
        preview: preview.as_ref().and_then(|preview| preview.copy.clone()),
        file_mark: None,
        secrets_in_files: files.secrets_in_files,
        source_dir,
        workspace: github.workspace.clone(),
        path_in_repo,
        cache_path: files.cache_path,
        include: files.include,
        exclude: files.exclude,
        default_excludes: files.default_excludes,
        prune: files.prune,
        max_deletes: files.max_deletes,
        revision: commit.revision,
        create_pr: commit.create_pr,
        commit_message: commit.message,
        commit_description: commit.description,
        provenance: commit::provenance(&github),
        commit_limits: commit.limits,
        dry_run,
        space,
        has_proxy: proxy.is_some(),
        tls_roots: environment.var("SSL_CERT_FILE").map(PathBuf::from),
        dataset: None,
    };
    Some(Inputs {
        skip: sign_in.credentials.is_none().then_some(if may_lack_token { WITHOUT_SECRETS } else { SKIPPED }),
        credentials: sign_in.credentials.unwrap_or(Credentials::Anonymous),
        endpoint: endpoint?,
        deploy,
        proxy,
        preview: preview.map(|preview| preview.options),
        deployment,
        bundle_bucket: bundle_bucket.filter(|_| !dry_run),
    })
}

/// Requires a namespace if there is no token, whose user could be the namespace.
fn require_namespace(
    values: &Values,
    sign_in: &sign_in::SignIn,
    repo: Option<&RepoName>,
    diagnostics: &mut Diagnostics,
) {
    if let (Some(Credentials::Anonymous), Some(RepoName { namespace: None, .. })) =
        (&sign_in.credentials, repo)
    {
        let token = values.quoted(&sign_in::HF_TOKEN);
        diagnostics.fault(
            &repo::HUGGINGFACE_REPO,
            format!(
                "must be `namespace/name` in a dry run without {token}, whose user could be the namespace"
            ),
        );
    }
}

/// Reads the options that only Spaces have. `workspace` is where the check keeps its files.
fn read_space(
    values: &Values,
    workspace: PathBuf,
    policy: SettingsPolicy,
    diagnostics: &mut Diagnostics,
) -> SpaceOptions {
    let settings = settings::read(values, policy, diagnostics);
    let hardware = hardware::read(values, diagnostics);
    let wait = values.flag(&WAIT, diagnostics);
    let timeout = time::read_or_default(values, &TIMEOUT, diagnostics);
    let check = app_check::read(values, workspace, diagnostics);
    let fail_on = app_check::fail_on(values, diagnostics);
    let on_failure = values.value(&ON_FAILURE, on_failure, diagnostics);
    if !wait {
        check_without_wait(values, &check, on_failure, diagnostics);
    }
    let wait = wait.then_some(timeout);
    SpaceOptions { settings, hardware, wait, check, fail_on, on_failure, leave_open: LeaveOpen::Never }
}

/// Reads the Spaces that stay in dev mode after a failure, in a run without a preview.
fn leave_open(values: &Values, has_previews: bool, diagnostics: &mut Diagnostics) -> LeaveOpen {
    let parse = |text: &str| {
        parse::choice(&LEAVE_OPEN_ON_FAILURE, text, |word| match word {
            "none" => Some(LeaveOpen::Never),
            "dev-mode" => Some(LeaveOpen::IfPrivate { has_previews }),
            _ => None,
        })
    };
    values.value(&LEAVE_OPEN_ON_FAILURE, parse, diagnostics)
}

/// Refuses what needs a Space that was waited for.
fn check_without_wait(values: &Values, check: &Check, on_failure: OnFailure, diagnostics: &mut Diagnostics) {
    if check.is_customized() {
        diagnostics
            .fault(&WAIT, "must not be `false` if the app is checked: only a Space that runs can be checked");
    }
    if on_failure == OnFailure::Rollback {
        let input = values.quoted(&ON_FAILURE);
        diagnostics.fault(
            &WAIT,
            format!("must not be `false` if {input} is `rollback`: the run would not see the failure"),
        );
    }
    let because = format!("{} is `false`", values.quoted(&WAIT));
    values.warn_without(Only::With(WAIT.name), because, diagnostics);
}

fn on_failure(text: &str) -> parse::Parsed<OnFailure> {
    parse::choice(&ON_FAILURE, text, |word| match word {
        "keep" => Some(OnFailure::Keep),
        "rollback" => Some(OnFailure::Rollback),
        _ => None,
    })
}

/// Warns of inputs about a running Space in a deploy that nothing runs: to a pull request, or to a branch.
fn warn_of_futile_wait(values: &Values, space: &SpaceOptions, diagnostics: &mut Diagnostics) {
    let asked = [
        (&WAIT, values.given(&WAIT).is_some() && space.wait.is_some()),
        (&TIMEOUT, values.given(&TIMEOUT).is_some()),
        (&app_check::VERIFY, space.check.is_customized()),
        (&ON_FAILURE, space.on_failure == OnFailure::Rollback),
        (&LEAVE_OPEN_ON_FAILURE, space.leave_open != LeaveOpen::Never),
    ];
    let asked: Vec<&Input> =
        asked.iter().filter(|(_, is_asked)| *is_asked).map(|(input, _)| *input).collect();
    diagnostics.warn_without_effect(&asked, "what this deploy writes does not run before it is on `main`");
}
