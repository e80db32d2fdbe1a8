//! The inputs of an upload of a dataset.

use std::path::PathBuf;

use hub::{Credentials, RepoName, RepoType, Visibility};
use url::Url;

use super::traces;
use crate::action::GithubContext;
use crate::commands::groups::{commit, files, sign_in};
use crate::commands::inputs::declaration::{DefaultValue, Group, Input, ValueKind, inputs};
use crate::commands::inputs::diagnostics::{Accepted, Diagnostics};
use crate::commands::inputs::parse::{self, Parsed};
use crate::commands::inputs::values::{Field, Values};
use crate::commands::inputs::{lists, urls};
use crate::dataset_files::{NamedSplits, is_split_name};
use crate::failure::Result;
use crate::ops::dataset::upload::{CardMode, DatasetOptions};
use crate::ops::deploy::options::{DeployOptions, Origin, SpaceOptions};

pub(super) const GROUPS: &[Group] =
    &[DATASET, sign_in::SIGN_IN, traces::TRACES, CARD_GROUP, FILES, commit::COMMIT];

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
    KIND = super::traces::KIND;
    SPLITS = Input {
        kind: ValueKind::Text("LINES"),
        summary: "Files of each split, as lines of `SPLIT=PATTERN`, such as `train=data/part-*.csv`",
        details: "Patterns have the syntax of `.gitignore`. A split may have several lines.",
        default: DefaultValue::Words("by the names of files and folders: `train`, `validation` (`val`, `dev`), `test`, else `train`"),
        elsewhere: &["split"],
        ..Input::new("splits")
    };
    CONFIG_NAME = Input {
        kind: ValueKind::Text("NAME"),
        summary: "Name of the configuration (the viewer calls it subset) that the files make up",
        details: "A repo may have several, each uploaded by itself.",
        default: DefaultValue::Value("default"),
        elsewhere: &["config", "subset"],
        ..Input::new("config_name")
    };
    PRIVATE = Input {
        kind: ValueKind::Flag,
        summary: "Make the dataset private",
        details: "`true` also makes an existing public dataset private; `false` never makes a private one public.",
        default: DefaultValue::Words("`true` for a new dataset; an existing one keeps its visibility"),
        ..Input::new("private")
    };
    MAX_ROW_SIZE = Input {
        kind: ValueKind::Text("SIZE"),
        summary: "Size of the largest row, such as `10MB`",
        details: "A larger one is an error. Row groups of Parquet may have 100 times that size. The viewer reads 300 MB at most for a page of 100 rows.",
        default: DefaultValue::Value("3MB"),
        ..Input::new("max_row_size")
    };
}

inputs! {
    /// Inputs of the card.
    CARD_GROUP: "Card", "";
    CARD = Input {
        kind: ValueKind::Choice(&["auto", "keep", "none"]),
        summary: "Metadata and text of README.md, in the uploaded copy",
        details: "`auto` writes a missing README.md, and adds missing keys to one that is there. `keep` only writes a missing one. `none` writes neither README.md nor metadata.json.",
        default: DefaultValue::Value("auto"),
        ..Input::new("card")
    };
    LICENSE = Input {
        kind: ValueKind::Text("NAME"),
        summary: "License of the dataset, by its name on the Hub, such as `cc-by-4.0`",
        ..Input::new("license")
    };
    TAGS = Input {
        kind: ValueKind::Text("NAMES"),
        summary: "Tags of the dataset, separated by lines or commas",
        ..Input::new("tags")
    };
    TASK_CATEGORIES = Input {
        kind: ValueKind::Text("NAMES"),
        summary: "Tasks of the dataset, by their names on the Hub, such as `text-classification`",
        default: DefaultValue::Words("the task that well-known names of columns show, such as `question` and `answer`"),
        ..Input::new("task_categories")
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
    /// The dataset viewer: `HF_DATASETS_SERVER`. `None` for another Hub, whose viewer is not known.
    pub(super) viewer: Option<Url>,
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
    let viewer = viewer(values, diagnostics);
    let splits = splits(values, diagnostics);
    let sessions = traces::read(values, &[&SPLITS, &CONFIG_NAME, &MAX_ROW_SIZE], diagnostics);
    let names = |input, diagnostics: &mut Diagnostics| {
        let names = lists::names(input, values.text(input), diagnostics);
        names.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let (tags, task_categories) = (names(&TAGS, diagnostics), names(&TASK_CATEGORIES, diagnostics));
    let card = values.value(&CARD, card, diagnostics);
    let license = values.field(&LICENSE, license, diagnostics).ok();
    if card == CardMode::None {
        let idle: Vec<&Input> =
            [&LICENSE, &TAGS, &TASK_CATEGORIES].into_iter().filter(|input| values.asks(input)).collect();
        diagnostics.warn_without_effect(&idle, format!("`{}`", values.place().setting(&CARD, "none")));
    }
    let config_name = values.value(&CONFIG_NAME, config_name, diagnostics);
    let max_row = values.value(&MAX_ROW_SIZE, parse::size, diagnostics);
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
        workspace: github.workspace.clone(),
        path_in_repo: None,
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
        space: SpaceOptions::off(workspace.unwrap_or_else(|| PathBuf::from("."))),
        has_proxy: false,
        tls_roots: environment.var("SSL_CERT_FILE").map(PathBuf::from),
        dataset: None,
    };
    let options = DatasetOptions {
        deploy,
        sessions,
        splits,
        config_name,
        card,
        license,
        tags,
        task_categories,
        max_row,
    };
    Some(DatasetInputs { credentials: sign_in.credentials, endpoint: endpoint?, viewer, options })
}

/// Environment variable of the viewer's address.
const VIEWER: &str = "HF_DATASETS_SERVER";
/// Address of the viewer of the public Hub.
const DEFAULT_VIEWER: &str = "https://datasets-server.huggingface.co";

/// Returns the address of the viewer. Another Hub has none by default, because its token and the names of its datasets
/// must not reach the public viewer.
fn viewer(values: &Values, diagnostics: &mut Diagnostics) -> Option<Url> {
    let environment = values.environment();
    let text = match (environment.var(VIEWER), environment.var(sign_in::ENDPOINT)) {
        (Some(text), _) => text,
        (None, None) => DEFAULT_VIEWER,
        (None, Some(hub)) if hub.trim_end_matches('/') == sign_in::DEFAULT_ENDPOINT => DEFAULT_VIEWER,
        (None, Some(_)) => return None,
    };
    urls::endpoint(text).map_err(|refusal| diagnostics.fault_of_name(VIEWER, refusal.0)).ok()
}

/// Reads the lines of `SPLIT=PATTERN`. `None` finds the splits by names.
fn splits(values: &Values, diagnostics: &mut Diagnostics) -> Option<NamedSplits> {
    const WANTED: &str = "`SPLIT=PATTERN` lines";
    let text = values.text(&SPLITS);
    if lists::is_another_notation(&SPLITS, WANTED, text, diagnostics) {
        return None;
    }
    let mut patterns = Vec::new();
    for (number, line) in lists::lines(text) {
        match line.split_once('=').map(|(name, pattern)| (name.trim(), pattern.trim())) {
            Some((name, _)) if !is_split_name(name) => diagnostics.fault(
                &SPLITS,
                format!(
                    "must name splits by letters, digits, `_` and `.`, and not `all`: line {number} does not"
                ),
            ),
            Some((_, "")) => diagnostics.fault(&SPLITS, format!("has no pattern on line {number}")),
            Some(pair) => patterns.push(pair),
            None => diagnostics.fault(&SPLITS, format!("must hold {WANTED}: line {number} has no `=`")),
        }
    }
    if patterns.is_empty() {
        return None;
    }
    let splits = NamedSplits::new(patterns).map_err(|(pattern, reason)| {
        diagnostics.fault(&SPLITS, format!("has the pattern `{pattern}`, which is not valid: {reason}"));
    });
    splits.ok()
}

fn card(text: &str) -> Parsed<CardMode> {
    parse::choice(&CARD, text, |word| match word {
        "auto" => Some(CardMode::Auto),
        "keep" => Some(CardMode::Keep),
        "none" => Some(CardMode::None),
        _ => None,
    })
}

fn license(text: &str) -> Parsed<String> {
    let is_name =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if is_name(text) { Ok(text.to_lowercase()) } else { parse::not_like("a name like `cc-by-4.0`", text) }
}

/// Parses the name of a configuration. The `datasets` library makes a folder of it.
fn config_name(text: &str) -> Parsed<String> {
    let is_name = text.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if is_name {
        Ok(text.to_owned())
    } else {
        parse::not_like("a name of letters, digits, `-`, `_` and `.`", text)
    }
}
