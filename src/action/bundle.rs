//! The run bundle of this process, as the variables of the runner ask for it.

use std::path::PathBuf;

use super::context::GithubContext;
use super::log::{Log, Mode};
use super::post_state::SavedState;
use crate::run_bundle::{GitFacts, RunStart};

/// Variable that turns the bundle off.
const SWITCH: &str = "HF_DEPLOY_BUNDLE";
/// Values of the variable that turn it off.
const OFF: [&str; 4] = ["false", "off", "no", "0"];

/// Begins the bundle of a run of the command `kind`: in the checkout, or in the current folder.
pub fn open(kind: &'static str, vars: &[(String, String)], log: &Log) {
    log.open_bundle(start(kind, vars, log.mode()));
}

fn start(kind: &'static str, vars: &[(String, String)], mode: Mode) -> RunStart {
    let var = |wanted: &str| vars.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let number = |name: &str| var(name)?.trim().parse::<u64>().ok();
    let GithubContext { repository, sha, run_url, workspace, .. } = GithubContext::from_vars(var);
    let is_off = var(SWITCH).is_some_and(|text| OFF.contains(&text.trim().to_ascii_lowercase().as_str()));
    // The run is the one of the main step.
    let is_post = SavedState::from_vars(vars).is_some();
    let run = number("GITHUB_RUN_ID").filter(|_| mode == Mode::GitHub);
    RunStart {
        kind,
        workflow_run: run.map(|run| (run, number("GITHUB_RUN_ATTEMPT").unwrap_or(1))),
        git: GitFacts { repo: repository, sha, run_url },
        workspace: (!is_off && !is_post).then(|| workspace.unwrap_or_else(|| PathBuf::from("."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundle_follows_the_variables() {
        let start = |vars: &[(&str, &str)], mode| {
            let vars: Vec<(String, String)> =
                vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            start("verify", &vars, mode)
        };
        let workflow = [("GITHUB_RUN_ID", "42"), ("GITHUB_RUN_ATTEMPT", "3"), ("GITHUB_WORKSPACE", "/w")];
        let in_workflow = start(&workflow, Mode::GitHub);
        assert_eq!((in_workflow.kind, in_workflow.workflow_run), ("verify", Some((42, 3))));
        assert_eq!(in_workflow.workspace, Some(PathBuf::from("/w")));
        assert_eq!(start(&workflow[..1], Mode::GitHub).workflow_run, Some((42, 1)));
        let on_terminal = start(&workflow[..1], Mode::Terminal);
        assert_eq!(on_terminal.workflow_run, None);
        assert_eq!(on_terminal.workspace, Some(PathBuf::from(".")));
        for (value, is_kept) in [("false", false), (" OFF ", false), ("0", false), ("true", true), ("", true)]
        {
            let workspace = start(&[("HF_DEPLOY_BUNDLE", value)], Mode::Plain).workspace;
            assert_eq!(workspace.is_some(), is_kept, "{value}");
        }
        assert_eq!(start(&[("STATE_started", "true")], Mode::GitHub).workspace, None, "a post step");
    }
}
