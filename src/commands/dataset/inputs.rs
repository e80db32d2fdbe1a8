//! The inputs of an upload of a dataset.

use std::path::PathBuf;

use hub::{Credentials, RepoName, RepoType, Visibility};
use url::Url;

use crate::action::GithubContext;
use crate::commands::groups::{commit, files, sign_in};
use crate::commands::inputs::declaration::{DefaultValue, Group, Input, ValueKind, inputs};
use crate::commands::inputs::diagnostics::{Accepted, Diagnostics};
use crate::commands::inputs::parse;
use crate::commands::inputs::values::{Field, Values};
use crate::failure::Result;
use crate::ops::dataset::upload::DatasetOptions;
use crate::ops::deploy::options::{DeployOptions, Origin, Provenance, SpaceOptions};

pub(super) const GROUPS: &[Group] = &[DATASET, sign_in::SIGN_IN, FILES, commit::COMMIT];

inputs! {
    /// Inputs of the dataset.
    DATASET: "Dataset", "";
    PATH = Input {
        kind: ValueKind::Text("PATH"),
        summary: "File or folder of the dataset, relative to the root of the checkout",
        default: DefaultValue::Required,
        elsewhere: &["source_dir", "file", "folder", "directory", "local_path"],
        ..Input::new("path")
    };
    REPO = Input {
        kind: ValueKind::Text("NAMESPACE/NAME"),
        summary: "Dataset on the Hub, as `name` or `namespace/name`",
        details: "Without a namespace it belongs to the user of `hf_token`. It is created if it is missing.",
        default: DefaultValue::Required,
        elsewhere: &["repo_id", "huggingface_repo", "dataset", "dataset_id"],
        ..Input::new("repo")
    };
    PRIVATE = Input {
        kind: ValueKind::Flag,
        summary: "Make the dataset private",
        details: "`true` also makes an existing public dataset private; `false` never makes a private one public.",
        default: DefaultValue::Words("`true` for a new dataset; an existing one keeps its visibility"),
        ..Input::new("private")
    };
}

/// Inputs of the files.
const FILES: Group = Group {
    title: "Files",
    intro: "",
    inputs: &[
        files::INCLUDE,
        files::EXCLUDE,
        files::DEFAULT_EXCLUDES,
        files::PATH_IN_REPO,
        files::PRUNE,
        files::MAX_DELETES,
        files::SECRETS_IN_FILES,
        files::CACHE_PATH,
    ],
};

/// Reason for which a run without a token is skipped.
pub(super) const SKIPPED: &str =
    "GitHub gives no secrets to this run (a fork, or Dependabot), and `missing_token` is `skip`";

/// Inputs of a run.
#[derive(Debug)]
pub(super) struct DatasetInputs {
    /// `None` skips the run.
    pub(super) credentials: Option<Credentials>,
    /// The Hub: `HF_ENDPOINT`.
    pub(super) endpoint: Url,
    pub(super) options: DatasetOptions,
}

impl DatasetInputs {
    pub(super) fn from_values(values: &Values) -> Result<Accepted<Self>> {
        let mut diagnostics = values.diagnostics();
        let inputs = validate(values, &mut diagnostics);
        diagnostics.accept(inputs)
    }
}

/// Applies every rule. `None` means that a fault was noted.
fn validate(values: &Values, diagnostics: &mut Diagnostics) -> Option<DatasetInputs> {
    let environment = values.environment();
    let github = GithubContext::from_vars(|name| environment.exact(name));
    let workspace = github.workspace.clone();
    let path = values.required(
        &PATH,
        |text| Ok::<_, hub::ParseError>(files::source_dir(text, workspace.as_deref())),
        diagnostics,
    );
    let repo: Option<RepoName> = values.required(&REPO, str::parse, diagnostics);
    let private = values.field(&PRIVATE, parse::boolean, diagnostics);
    let dry_run = values.flag(&commit::DRY_RUN, diagnostics);
    let kind = sign_in::RunKind { is_dry_run: dry_run, may_lack_token: false };
    let sign_in = sign_in::read(values, &github, kind, diagnostics);
    if let (Some(Credentials::Anonymous), Some(RepoName { namespace: None, .. })) =
        (&sign_in.credentials, &repo)
    {
        let token = values.quoted(&sign_in::HF_TOKEN);
        diagnostics.fault(&REPO, format!("must be `namespace/name` in a dry run without {token}"));
    }
    let files = files::read(values, &github, diagnostics);
    let commit = commit::read(values, Some(RepoType::Dataset), diagnostics);
    let endpoint = sign_in::endpoint(environment, diagnostics);
    let deploy = DeployOptions {
        repo: repo?,
        repo_type: RepoType::Dataset,
        space_sdk: None,
        visibility: if private == Field::Given(false) { Visibility::Public } else { Visibility::Private },
        visibility_given: private == Field::Given(true),
        private_is_false: private == Field::Given(false),
        origin: Origin::Checkout,
        file_mark: None,
        preview: None,
        secrets_in_files: files.secrets_in_files,
        source_dir: path?,
        workspace: github.workspace,
        path_in_repo: files.path_in_repo,
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
        provenance: Provenance {
            repository: github.repository,
            sha: github.sha,
            commit_url: github.commit_url,
            run_url: github.run_url,
        },
        commit_limits: commit.limits,
        dry_run,
        space: SpaceOptions::off(workspace.unwrap_or_else(|| PathBuf::from("."))),
        has_proxy: false,
        tls_roots: environment.var("SSL_CERT_FILE").map(PathBuf::from),
    };
    Some(DatasetInputs {
        credentials: sign_in.credentials,
        endpoint: endpoint?,
        options: DatasetOptions { deploy },
    })
}
