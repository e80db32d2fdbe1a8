//! The preview that a run deploys, and the deployment on GitHub of any other run.

use hub::{Credentials, RepoName, RepoType, Revision, Visibility};

use crate::action::GithubContext;
use crate::commands::groups::commit::{self, CommitOptions};
use crate::commands::groups::preview::{self, PreviewInputs};
use crate::commands::groups::repo::VisibilityChoice;
use crate::commands::groups::{proxy, settings, sign_in};
use crate::commands::inputs::declaration::Input;
use crate::commands::inputs::diagnostics::Diagnostics;
use crate::commands::inputs::values::Values;
use crate::github::PullRequestEvent;
use crate::ops::deploy::options::{LeaveOpen, PreviewCopy, SpaceOptions};
use crate::ops::preview::marker::VARIABLE;
use crate::ops::preview::record::RecordOptions;
use crate::ops::preview::{DeploymentOptions, PreviewOptions};
use crate::ops::space::{SettingsOptions, Variable};

/// The preview of a run: its options, and how it differs from the repo of the inputs.
#[derive(Debug, Clone)]
pub(super) struct Preview {
    pub(super) options: PreviewOptions,
    /// Name of the preview: that of the repo itself for a model or a dataset.
    pub(super) repo: RepoName,
    /// `Some` for a Space.
    pub(super) copy: Option<PreviewCopy>,
    is_private: bool,
    inputs: PreviewInputs,
}

/// Reads the preview of a run of a pull request. `None` without a preview, and after a fault.
pub(super) fn read(
    values: &Values,
    github: &GithubContext,
    inputs: PreviewInputs,
    of: (Option<&RepoName>, Option<RepoType>),
    diagnostics: &mut Diagnostics,
) -> Option<Preview> {
    if !is_for_preview(&inputs, github) {
        return None;
    }
    if github.event_name.as_deref() == Some("pull_request_target") {
        diagnostics.warn("this run of `pull_request_target` has the secrets of the repository, also for a pull request of a fork: a checkout of its head runs foreign code with them, so guard the job with an environment that needs a review, or with a label");
    }
    let event = preview::event(values, diagnostics);
    let run = preview::run(values, github, diagnostics);
    let (event, run, of, repo_type): (PullRequestEvent, _, _, _) = (event?, run?, of.0?, of.1?);
    let (marker, is_space) = (run.marker(event.number), repo_type == RepoType::Space);
    let proxy_suffix = proxy::suffix(values);
    let repo =
        if is_space { inputs.name(of, event.number, proxy_suffix.len(), diagnostics)? } else { of.clone() };
    let copy = is_space.then(|| PreviewCopy {
        mark: Variable { key: VARIABLE.to_owned(), value: marker.to_string() },
        title: of.name.clone(),
        title_end: format!(" (PR {})", event.number),
    });
    let options = PreviewOptions {
        marker,
        is_closed: event.is_closed,
        head: run.head(&event),
        proxy: (!proxy_suffix.is_empty()).then(|| RepoName {
            namespace: repo.namespace.clone(),
            name: format!("{}{proxy_suffix}", repo.name),
        }),
        has_comment: inputs.has_comment,
        run: run.run,
        run_url: github.run_url.clone(),
        github: run.options,
    };
    Some(Preview { options, repo, copy, is_private: event.is_private, inputs })
}

/// Returns true if the run of a pull request gets a preview in place of a deploy.
pub(super) fn is_for_preview(inputs: &PreviewInputs, github: &GithubContext) -> bool {
    inputs.is_wanted && preview::is_of_pull_request(github)
}

/// Reads the deployment on GitHub of a run without a preview.
pub(super) fn read_deployment(
    values: &Values,
    github: &GithubContext,
    diagnostics: &mut Diagnostics,
) -> Option<DeploymentOptions> {
    const INPUT: &Input = &preview::GITHUB_DEPLOYMENT;
    let environment = preview::environment(values, diagnostics)?;
    let run = preview::run(values, github, diagnostics)?;
    let Some(commit) = github.sha.clone() else {
        diagnostics.fault(INPUT, "needs the commit of a workflow run: `GITHUB_SHA` is empty");
        return None;
    };
    let run_url = github.run_url.clone();
    let record = RecordOptions { environment, commit, is_transient: false, run_url };
    Some(DeploymentOptions { record, github: run.options })
}

/// Refuses the mark of previews among the settings of the user, because it would make the Space a preview.
pub(super) fn refuse_own_mark(options: &SettingsOptions, diagnostics: &mut Diagnostics) {
    let sentence = format!("must not name `{VARIABLE}`: the action sets it to mark the previews");
    if options.variables.iter().any(|variable| variable.key == VARIABLE) {
        diagnostics.fault(&settings::VARIABLES, sentence.clone());
    }
    if options.secrets.iter().any(|secret| secret.key == VARIABLE) {
        diagnostics.fault(&settings::SECRETS, sentence);
    }
}

impl Preview {
    /// Refuses a sign-in that cannot create a Space.
    pub(super) fn check_sign_in(&self, credentials: Option<&Credentials>, diagnostics: &mut Diagnostics) {
        if self.copy.is_some() && matches!(credentials, Some(Credentials::TrustedPublishing(_))) {
            diagnostics.fault(
                &sign_in::HF_TOKEN,
                "must be set for previews: the identity of the job cannot create Spaces, and each pull request gets a new one",
            );
        }
    }

    /// Returns the visibility: a new preview is as private as the repository on GitHub, unless an input says another.
    pub(super) fn visibility(&self, chosen: VisibilityChoice) -> VisibilityChoice {
        let is_said = chosen.is_given || chosen.private_is_false;
        if is_said || !self.is_private || self.copy.is_none() {
            return chosen;
        }
        VisibilityChoice { visibility: Visibility::Private, ..chosen }
    }

    /// Returns the commit of a preview, which goes to `main` of its Space.
    pub(super) fn commit(
        &self,
        values: &Values,
        chosen: CommitOptions,
        diagnostics: &mut Diagnostics,
    ) -> CommitOptions {
        if self.copy.is_none() {
            return chosen;
        }
        let asked: Vec<&Input> =
            [&commit::REVISION, &commit::CREATE_PR].into_iter().filter(|input| values.asks(input)).collect();
        diagnostics.warn_without_effect(&asked, "a preview is what `main` of its own Space has");
        CommitOptions { revision: Revision::default(), create_pr: false, ..chosen }
    }

    /// Returns the options of the Space with the mark and the hardware of a preview.
    pub(super) fn space(&self, mut space: SpaceOptions) -> SpaceOptions {
        if let Some(copy) = &self.copy {
            space.settings.variables.push(copy.mark.clone());
            space.hardware = self.inputs.hardware(space.hardware);
            if space.leave_open != LeaveOpen::Never {
                space.leave_open = LeaveOpen::Preview;
            }
        }
        space
    }
}

/// Returns true if a run without a token ends with success: GitHub gives none to forks and to Dependabot.
pub(super) fn may_lack_token(inputs: &PreviewInputs, github: &GithubContext) -> bool {
    let is_foreign = github.from_fork == Some(true) || github.is_by_dependabot();
    is_for_preview(inputs, github) && is_foreign
}
