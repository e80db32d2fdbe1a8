//! The deploy of the generated files: creation with files, hardware and secrets in one call, wait and check.

use std::path::{Path, PathBuf};

use super::generate::Generated;
use super::options::{BuildMode, BuildOptions};
use crate::action::Recorder;
use crate::app_check::{Check, CheckStatus, Expect, FailOn, Mode};
use crate::failure::{self, Result};
use crate::image;
use crate::model::Candidate;
use crate::ops::Session;
use crate::ops::deploy::options::{
    CommitLimits, DeployOptions, FileMark, LeaveOpen, OnFailure, Origin, Prune, SpaceOptions,
};
use crate::ops::deploy::{self, DeployReport, Deployed};
use crate::ops::space::{HardwareOptions, NamedSecret, SettingsOptions};
use crate::templates::{ENDPOINT, OWNERSHIP_TAG, RECORD_FILE};
use crate::workspace::{FOLDER, OwnFolder};
use hub::{Flavor, RepoId, RepoName, RepoType, Revision, SleepTime, SpaceSdk};

/// Names of all files that a template may have. Those that a Space no longer needs are deleted.
const FILES: &[&str] =
    &["app.py", "index.html", "packages.txt", "requirements.txt", "README.md", RECORD_FILE];
/// Secret of the Space with the token for its model.
const SPACE_TOKEN: &str = "HF_TOKEN";
/// Folder of files for the call, in `.hf-deploy`.
const CALL_FILES: &str = "call";

/// One set of files, and the hardware that the Hub is asked for with them.
pub(super) struct Round {
    /// Candidate that the files are for.
    pub(super) candidate: Candidate,
    /// In the order of the requests.
    wanted: Vec<Flavor>,
    /// Idle time on paid hardware.
    sleep_time: Option<SleepTime>,
    /// Another round follows, so that no Space is created without the hardware.
    pub(super) has_next: bool,
}

/// Splits the candidates into rounds of the same files.
pub(super) fn rounds(candidates: &[Candidate]) -> Vec<Round> {
    let groups: Vec<&[Candidate]> = candidates.chunk_by(|a, b| a.template == b.template).collect();
    let last = groups.len().saturating_sub(1);
    let round = |(index, group): (usize, &&[Candidate])| {
        let mut wanted: Vec<Flavor> = Vec::new();
        for flavor in group.iter().filter_map(|candidate| candidate.hardware) {
            if !wanted.contains(&flavor) {
                wanted.push(flavor);
            }
        }
        let sleep_time = group.iter().find_map(|candidate| candidate.sleep_time);
        Some(Round { candidate: *group.first()?, wanted, sleep_time, has_next: index < last })
    };
    groups.iter().enumerate().filter_map(round).collect()
}

impl Round {
    /// Returns the round of a Space whose hardware a person has to choose.
    pub(super) fn without_hardware(candidate: Candidate) -> Self {
        Self { candidate, wanted: Vec::new(), sleep_time: None, has_next: false }
    }

    fn hardware(&self) -> HardwareOptions {
        HardwareOptions {
            wanted: self.wanted.clone(),
            required: self.has_next,
            is_needed: true,
            sleep_time: self.sleep_time,
            sleeps_if_paid: true,
            ..HardwareOptions::default()
        }
    }
}

/// Deploys the files to the Space, waits for it and checks its app.
pub(super) async fn publish(
    options: &BuildOptions,
    space: &RepoId,
    round: &Round,
    generated: &Generated,
    (session, recorder): (&Session<'_>, &Recorder<DeployReport>),
) -> Result<Deployed> {
    let folder = image::temporary_folder().map_err(failure::build_space::files_not_written)?;
    generated.write_to(folder.path())?;
    let manifest = generated.template.manifest();
    let is_static = manifest.sdk == SpaceSdk::Static;
    let token = options.question.space_token.iter();
    let secrets: Vec<NamedSecret> =
        token.map(|token| NamedSecret { key: SPACE_TOKEN.to_owned(), value: token.clone() }).collect();
    let accepts_failure = !options.fail_on(is_static).covers(CheckStatus::Failed);
    let deploy = DeployOptions {
        repo: RepoName { namespace: Some(space.namespace.clone()), name: space.name.clone() },
        repo_type: RepoType::Space,
        space_sdk: Some(manifest.sdk),
        visibility: options.visibility,
        visibility_given: options.visibility_given,
        private_is_false: false,
        origin: Origin::Model,
        preview: None,
        file_mark: Some(mark(options, generated)),
        secrets_in_files: None,
        source_dir: folder.path().to_owned(),
        workspace: None,
        path_in_repo: None,
        cache_path: None,
        include: Vec::new(),
        exclude: Vec::new(),
        default_excludes: false,
        prune: Prune::Named(FILES),
        max_deletes: None,
        revision: Revision::default(),
        create_pr: false,
        // A message of its own would need a commit after the creation.
        commit_message: None,
        commit_description: None,
        provenance: options.provenance.clone(),
        commit_limits: CommitLimits::default(),
        dry_run: false,
        space: SpaceOptions {
            settings: SettingsOptions {
                secrets_given: !secrets.is_empty(),
                secrets,
                ..SettingsOptions::default()
            },
            hardware: if is_static { HardwareOptions::default() } else { round.hardware() },
            wait: Some(options.timeout),
            check: check(options, generated)?,
            // The gate judges every other result.
            fail_on: if accepts_failure { FailOn(Vec::new()) } else { FailOn::default() },
            on_failure: OnFailure::Keep,
            leave_open: LeaveOpen::Never,
        },
        has_proxy: false,
        tls_roots: options.tls_roots.clone(),
        dataset: None,
    };
    deploy::deploy(&deploy, session, recorder).await
}

/// Returns the mark without which a Space is left alone.
pub(super) fn mark(options: &BuildOptions, generated: &Generated) -> FileMark {
    FileMark {
        tag: OWNERSHIP_TAG,
        record: RECORD_FILE,
        model: generated.model.clone(),
        overwrite: options.overwrite,
    }
}

/// Returns the check of the app: a call with the inputs of the model's author or of the template, unless the options
/// name another.
fn check(options: &BuildOptions, generated: &Generated) -> Result<Check> {
    let check = options.check.clone();
    let content = generated.template.manifest().output.content();
    if check.mode != Mode::Auto {
        return Ok(check);
    }
    let (Some(content), false) = (content, options.mode == BuildMode::SafeScaffold) else {
        return Ok(Check { mode: Mode::Health, ..check });
    };
    let has_own_call = check.api_name.is_some() || !check.api_args.is_empty() || !check.api_kwargs.is_empty();
    let expect = check.expect.or(match content {
        "image" => Some(Expect::Image),
        "video" => Some(Expect::Video),
        "audio" => Some(Expect::Audio),
        _ => Some(Expect::Text),
    });
    let check = Check { mode: Mode::Inference, expect, ..check };
    if has_own_call {
        return Ok(check);
    }
    let folder = write_call_files(&check.workspace, &generated.call.files)
        .map_err(failure::build_space::files_not_written)?;
    let at_folder = |value: &serde_json::Value| match value.as_str().and_then(|text| text.strip_prefix('@')) {
        Some(name) if generated.call.files.iter().any(|(file, _)| *file == name) => {
            format!("@{}", folder.join(name).display()).into()
        }
        _ => value.clone(),
    };
    Ok(Check {
        api_name: Some(ENDPOINT.to_owned()),
        api_args: generated.call.args.iter().map(at_folder).collect(),
        api_kwargs: generated
            .call
            .kwargs
            .iter()
            .map(|(name, value)| (name.clone(), at_folder(value)))
            .collect(),
        ..check
    })
}

/// Writes the files of the call to the workspace. Returns their folder, relative to the workspace.
fn write_call_files(workspace: &Path, files: &[(&'static str, &'static [u8])]) -> std::io::Result<PathBuf> {
    let relative = Path::new(FOLDER).join(CALL_FILES);
    if files.is_empty() {
        return Ok(relative);
    }
    let folder = OwnFolder::open(workspace)?.subfolder(CALL_FILES)?;
    for (name, content) in files {
        folder.write(name, content)?;
    }
    Ok(relative)
}
