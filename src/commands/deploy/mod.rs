//! The deploy action: its inputs, its outputs, and the call of its operation.

mod bundle;
pub mod facts;
pub mod inputs;
pub mod ordinary;
pub mod outputs;
mod preview;
pub mod summary;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::action::outputs::Outputs;
use crate::action::{Handles, Log, Report, drive};
use crate::failure::{Failure, Result, cancelled};
use crate::ops::deploy::DeployReport;
use crate::ops::deploy::report::Status;
use crate::ops::preview as preview_operation;
use crate::ops::proxy_space::{Whole, deploy_whole};
use crate::ops::{Session, bundle_bucket, check};
use crate::run_bundle::{BundleFile, RunFacts};

use super::command::{ActionFiles, Command, Invocation, connect};
use super::inputs::values::Values;
use inputs::{GROUPS, Inputs};

pub(super) static COMMAND: Command = Command {
    name: "deploy",
    about: "Deploy a folder to a Hugging Face Space, model or dataset",
    details: "A call without a command is `deploy --from-inputs`, as the action runs it.",
    groups: GROUPS,
    outputs: outputs::OUTPUTS.declared,
    action: Some(ActionFiles {
        manifest: "action.yml",
        readme: "README.md",
        open_groups: 3,
        open_outputs: 6,
    }),
    run: |call| Box::pin(run(call)),
};

async fn run(call: Invocation) -> u8 {
    let values = call.values(&COMMAND);
    let files = call.output_files();
    drive(call.log, files, call.cancelled, |handles| deploy_from(values, handles)).await
}

impl Report for DeployReport {
    const OUTPUTS: Outputs<Self> = outputs::OUTPUTS;

    fn cancelled(&self) -> Failure {
        cancelled::deploy(self)
    }

    fn fail(&mut self, failure: Failure) {
        self.fail(failure);
    }

    fn end(&mut self, took: Duration) {
        self.took = Some(took);
    }

    fn ordinary_text(&self) -> Vec<String> {
        ordinary::of_report(self)
    }

    fn summary(&self, warnings: &[String]) -> Option<String> {
        Some(summary::summary(self, warnings))
    }

    fn facts(&self) -> RunFacts {
        bundle::facts(self)
    }

    fn bundle_files(&self) -> Vec<BundleFile> {
        self.check.iter().flat_map(|check| check::bundle_files(check, "tests")).collect()
    }

    fn closing_line(&self) -> Option<String> {
        let verdict = match self.status() {
            Status::Failed | Status::RolledBack | Status::Cancelled | Status::Skipped => return None,
            // There is no page any more, and the log has said so.
            Status::Deleted => return None,
            Status::DryRun => return Some("dry run: nothing was changed".to_owned()),
            Status::Unchanged => "unchanged",
            Status::Deployed if self.not_waited_for && self.has_changed_files() => {
                "committed; not waited for"
            }
            Status::Deployed if self.not_waited_for => "changed the settings; not waited for",
            Status::Deployed if self.has_changed_files() => "deployed",
            Status::Deployed if self.settings_changed() => "changed the settings",
            Status::Deployed => "changed the proxy",
        };
        if let Some(url) = self.pull_request_url() {
            return Some(match self.status() {
                Status::Deployed => format!("proposed: {url} (merge it to deploy)"),
                _ => format!("{verdict}: {url}"),
            });
        }
        let app = self.space_url.clone().filter(|_| self.revision.is_none());
        let place = self.branch_url().or(app).or_else(|| self.repo_url())?;
        Some(format!("{verdict}: {place}"))
    }
}

async fn deploy_from(values: Result<Values>, handles: Handles<DeployReport>) -> Result<()> {
    let Handles { log, recorder, .. } = &handles;
    let inputs = read_inputs(&values?, log)?;
    let endpoint = inputs.endpoint.as_str().trim_end_matches('/').to_owned();
    recorder.record(|report| report.endpoint = endpoint);
    recorder.record(|report| report.preview.is_preview = inputs.preview.is_some());
    if let Some(reason) = inputs.skip {
        log.notice(&format!("skipped: {reason}"));
        recorder.record(|report| report.status = Some(Status::Skipped));
        return Ok(());
    }
    recorder.record(|report| report.auth = inputs.credentials.method());
    let hub = connect(&inputs.endpoint, inputs.credentials.clone(), log)?;
    bundle_bucket::push_at_end(inputs.bundle_bucket.clone(), &hub, log, &handles.journal).await?;
    let session = Session { hub: &hub, log, journal: &handles.journal };
    let whole = Whole { deploy: &inputs.deploy, proxy: inputs.proxy.as_ref() };
    match (&inputs.preview, &inputs.deployment) {
        (Some(preview), _) => preview_operation::run(preview, whole, &session, recorder).await,
        (None, Some(deployment)) if !inputs.deploy.dry_run => {
            preview_operation::deploy_with_record(deployment, whole, &session, recorder).await
        }
        (None, _) => deploy_whole(whole, &session, recorder).await.map(drop),
    }
}

fn read_inputs(values: &Values, log: &Log) -> Result<Inputs> {
    let inputs = Inputs::from_values(values)?.logged(log);
    warn_about_ordinary_secrets(&inputs, log);
    Ok(inputs)
}

/// Names the secrets that stay visible in the outputs, because they are part of ordinary text.
fn warn_about_ordinary_secrets(inputs: &Inputs, log: &Log) {
    let repo = inputs.deploy.repo.full().map_or_else(|| inputs.deploy.repo.name.clone(), |id| id.to_string());
    let proxy_secrets = inputs.proxy.iter().flat_map(|proxy| &proxy.secrets);
    let names: Vec<String> = inputs
        .deploy
        .space
        .settings
        .secrets
        .iter()
        .chain(proxy_secrets)
        .filter(|secret| ordinary::holds(secret.value.expose(), &[&repo]))
        .map(|secret| format!("`{}`", secret.key))
        .collect();
    if !names.is_empty() {
        log.warning(&format!(
            "so short or so common that it is part of ordinary text, such as names and addresses: the value of {} (the log masks it from four characters on, the outputs keep such text; what is no secret belongs into `variables`)",
            names.join(", ")
        ));
    }
}
