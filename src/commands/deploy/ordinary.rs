//! Ordinary text: names and addresses that the workflow itself gives, and words of this program and of the Hub.
//!
//! A secret that is part of ordinary text is no secret there, and must not damage an output.

use crate::ops::deploy::DeployReport;
use hub::{HardwareName, Stage};

/// Words that stand in logs, summaries and addresses, whatever the repo.
const WORDS: &[&str] = &[
    "true",
    "false",
    "none",
    "null",
    "main",
    "space",
    "model",
    "dataset",
    "public",
    "private",
    "protected",
    "commit",
    "files",
    "deployed",
    "unchanged",
    "failed",
    "skipped",
    "gradio",
    "docker",
    "static",
    "production",
    "development",
    "RUNNING",
    "BUILDING",
    "APP_STARTING",
    "SLEEPING",
    "PAUSED",
    "STOPPED",
    "cpu-basic",
    "zero-a10g",
    "https://huggingface.co/",
    ".hf.space/",
    "/spaces/",
    "/datasets/",
    "/commit/",
    "/discussions/",
];

/// Length of the shortest value that the log masks.
const SHORTEST: usize = 4;

/// Returns true if a secret is so short or so common that it is part of ordinary text, given the names of the repos.
pub fn holds(secret: &str, names: &[&str]) -> bool {
    let secret = secret.trim();
    let is_named = names.iter().any(|name| of_repo("", name).iter().any(|text| text.contains(secret)));
    secret.len() < SHORTEST || is_named || WORDS.iter().any(|word| word.contains(secret))
}

/// Returns the ordinary text in the outputs of a run.
pub fn of_report(report: &DeployReport) -> Vec<String> {
    let repos = report.repo.iter().chain(report.proxy.iter().filter_map(|proxy| proxy.repo.as_ref()));
    let mut ordinary: Vec<String> =
        repos.flat_map(|repo| of_repo(&report.endpoint, &repo.id.to_string())).collect();
    ordinary.extend(WORDS.iter().map(|word| (*word).to_owned()));
    if let Some(stage) = report.space_stage.as_ref().filter(|stage| !matches!(stage, Stage::Other(_))) {
        ordinary.push(stage.as_str().to_owned());
    }
    if let Some(HardwareName::Known(flavor)) = &report.space_hardware {
        ordinary.push(flavor.to_string());
    }
    let commits = [
        report.commit.as_ref().map(|commit| commit.oid.as_str()),
        report.head.as_deref(),
        report.rollback_commit.as_deref(),
    ];
    ordinary.extend(commits.into_iter().flatten().flat_map(parts_of_sha));
    ordinary
}

/// Returns the addresses of a repo: its page, and the app of a Space.
fn of_repo(endpoint: &str, name: &str) -> Vec<String> {
    let host: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let host = host.trim_matches('-');
    vec![
        format!("{endpoint}/{name}/"),
        format!("{endpoint}/spaces/{name}/"),
        format!("{endpoint}/datasets/{name}/"),
        format!("https://{host}.hf.space"),
    ]
}

/// Returns all but the first and all but the last digit: the whole could be a secret that the Hub sent back.
fn parts_of_sha(sha: &str) -> Vec<String> {
    let is_sha = sha.len() >= 40 && sha.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_sha {
        return Vec::new();
    }
    vec![sha[1..].to_owned(), sha[..sha.len() - 1].to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub::{CommitReceipt, Repo, RepoName, RepoType};

    #[test]
    fn holds_finds_secrets_that_are_ordinary_text() {
        for secret in [
            "acme",
            "chat",
            "demo-chat",
            "acme-demo-chat",
            "space",
            "RUNNING",
            "false",
            "1",
            "abc",
            "hf.space",
        ] {
            assert!(holds(secret, &["acme/demo-chat"]), "{secret}");
        }
        for secret in ["hunter2", "s3cr3t", "hf_q7Zk2VbN9xTfLw4R", "correct horse"] {
            assert!(!holds(secret, &["acme/demo-chat"]), "{secret}");
        }
    }

    #[test]
    fn ordinary_text_has_parts_of_a_commit_id_but_not_all_of_it() {
        let id = "acme/demo".parse::<RepoName>().unwrap().full().unwrap();
        let sha = "0123456789abcdef0123456789abcdef01234567";
        let commit = CommitReceipt {
            oid: hub::CommitId::new(sha),
            url: format!("https://huggingface.co/spaces/acme/demo/commit/{sha}"),
            pull_request_url: None,
            recovered: false,
        };
        let report = DeployReport {
            endpoint: "https://huggingface.co".to_owned(),
            repo: Some(Repo { repo_type: RepoType::Space, id }),
            commit: Some(commit),
            space_stage: Some(Stage::Other("CHATTING".to_owned())),
            space_hardware: Some("t4-small".to_owned().into()),
            ..DeployReport::default()
        };
        let ordinary = of_report(&report);
        let holds = |secret: &str| ordinary.iter().any(|text| text.contains(secret));
        for secret in ["4567", "cdef0123", "spaces/acme", "acme-demo.hf", "small"] {
            assert!(holds(secret), "{secret}");
        }
        for secret in [sha, "CHATTING", "hf_q7Zk2VbN9xTfLw4R"] {
            assert!(!holds(secret), "{secret}");
        }
    }
}
