//! The facts of a deploy for its run bundle.

use hub::{Repo, RepoType};

use crate::ops::deploy::DeployReport;
use crate::ops::deploy::report::Status;
use crate::run_bundle::{RunFacts, TargetHardware, TargetSpace};

/// Returns the facts for the state of the run.
pub(super) fn facts(report: &DeployReport) -> RunFacts {
    let repo_of = |repo_type: RepoType| report.repo.as_ref().filter(|repo| repo.repo_type == repo_type);
    let space = repo_of(RepoType::Space);
    RunFacts {
        model: repo_of(RepoType::Model).map(|repo| repo.id.to_string()),
        space: space.map(|repo| repo.id.to_string()),
        gate_status: report.check.as_ref().map(|check| check.status.as_str()),
        job: None,
        target_space: space.map(|space| target_space(report, space)),
        is_skipped: report.status == Some(Status::Skipped),
    }
}

fn target_space(report: &DeployReport, space: &Repo) -> TargetSpace {
    let visibility = report.access.and_then(|access| access.visibility);
    TargetSpace {
        id: space.id.to_string(),
        url: report.repo_url(),
        app_url: report.space_url.clone(),
        visibility: visibility.map(|visibility| visibility.as_str()),
        sdk: report.sdk.map(|sdk| sdk.as_str()),
        hardware: TargetHardware {
            requested: report.wanted_hardware.map(|flavor| flavor.to_string()),
            current: report.space_hardware.as_ref().map(|hardware| hardware.as_str().to_owned()),
        },
        sha: report.commit_sha().map(str::to_owned),
        created: report.created,
    }
}

#[cfg(test)]
mod tests {
    use hub::{RepoName, SpaceSdk, Visibility};

    use super::*;
    use crate::ops::deploy::report::{AccessChange, RepoAccess};

    #[test]
    fn facts_name_the_repo_by_its_type() {
        let repo = |repo_type| {
            let id = "acme/demo".parse::<RepoName>().unwrap().full().unwrap();
            Some(Repo { repo_type, id })
        };
        let access = RepoAccess { visibility: Some(Visibility::Private), change: AccessChange::Created };
        let report = DeployReport {
            endpoint: "https://huggingface.co".to_owned(),
            repo: repo(RepoType::Space),
            access: Some(access),
            sdk: Some(SpaceSdk::Gradio),
            space_hardware: Some("t4-small".to_owned().into()),
            created: true,
            ..DeployReport::default()
        };
        let facts = facts(&report);
        assert_eq!((facts.space.as_deref(), facts.model), (Some("acme/demo"), None));
        let target = facts.target_space.unwrap();
        assert_eq!(target.url.as_deref(), Some("https://huggingface.co/spaces/acme/demo"));
        assert_eq!((target.visibility, target.sdk, target.created), (Some("private"), Some("gradio"), true));
        assert_eq!(target.hardware.current.as_deref(), Some("t4-small"));

        let model = super::facts(&DeployReport { repo: repo(RepoType::Model), ..DeployReport::default() });
        assert_eq!(
            (model.model.as_deref(), model.space, model.target_space),
            (Some("acme/demo"), None, None)
        );
        let skipped =
            super::facts(&DeployReport { status: Some(Status::Skipped), ..DeployReport::default() });
        assert!(skipped.is_skipped);
    }
}
