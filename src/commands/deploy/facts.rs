//! The facts of a deploy as Markdown for GitHub: rows of a table, in the order in which a reader needs them.

use crate::action::markdown;
use crate::app_check::{CheckResult, CheckStatus};
use crate::commands::summary_parts::{editor, ssh};
use crate::ops::check;
use crate::ops::deploy::plan::Action;
use crate::ops::deploy::report::{
    AccessChange, DeployReport, ProxyReport, ProxyState, Settings, Status, WrittenSetting,
};
use crate::ops::space::{HardwareStatus, describe_stage};
use crate::text::{count, human_bytes, human_duration};
use hub::{HardwareName, RepoType, Stage, Visibility};

/// Name of a fact, and Markdown that is safe in a cell.
pub type Fact = (&'static str, String);

/// Tense in which the changes of a run are described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tense {
    Done,
    /// A dry run, or a run that ended before its changes were on the Hub.
    Conditional,
    /// The changes were carried out, and restored.
    RolledBack,
}

impl Tense {
    pub fn of(report: &DeployReport) -> Self {
        match report.status() {
            Status::DryRun => Self::Conditional,
            Status::RolledBack => Self::RolledBack,
            _ if report.is_refused() => Self::Conditional,
            _ => Self::Done,
        }
    }
}

/// Returns the facts of a deploy.
pub fn facts(report: &DeployReport) -> Vec<Fact> {
    [
        live_now(report),
        app(report),
        report.dev_mode.as_ref().and_then(ssh),
        report.dev_mode.as_ref().map(editor),
        report.check.as_ref().map(|result| ("Check", check(result, report.failure.is_some()))),
        repo(report),
        report.pull_request_url().map(|url| ("Pull request", markdown::link(&url, &url))),
        commit(report),
        report.took.filter(|_| report.repo.is_some()).map(|took| ("Took", human_duration(took))),
        hardware(report),
        settings(report),
        report.proxy.as_deref().and_then(proxy),
        report.preview.comment_url.as_ref().map(|url| ("Comment", markdown::link(url, url))),
        files(report),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Describes what visitors meet after a rollback.
fn live_now(report: &DeployReport) -> Option<Fact> {
    if report.status() != Status::RolledBack {
        return None;
    }
    let stage = report.space_stage.as_ref().filter(|stage| **stage != Stage::Running);
    let stage = stage.map(|stage| format!(" (the Space: {})", markdown::cell(describe_stage(stage))));
    let live = match (&report.rollback_commit, &report.restored) {
        (Some(commit), Some(restored)) => format!(
            "the files of {}, restored by commit {}",
            commit_link(report, restored),
            commit_link(report, commit)
        ),
        _ => "the same files, with the variables before this run".to_owned(),
    };
    Some(("Live now", format!("{live}{}", stage.unwrap_or_default())))
}

/// Returns the address of the app. It runs the branch `main` only.
fn app(report: &DeployReport) -> Option<Fact> {
    let is_affected = report.revision.is_none() && report.pull_request_url().is_none();
    let url = report.space_url.as_ref().filter(|_| is_affected)?;
    Some(("App", markdown::link(url, url)))
}

/// Describes the result of the check. A failure of the run has the detail of a failed check.
fn check(result: &CheckResult, has_failure: bool) -> String {
    let is_said = has_failure && result.status == CheckStatus::Failed;
    check::describe(result, &if is_said { String::new() } else { markdown::cell(&result.detail) })
}

/// Describes the repo: its page, its audience, and if it is new.
fn repo(report: &DeployReport) -> Option<Fact> {
    let (repo, page) = (report.repo.as_ref()?, report.repo_url()?);
    let name = match repo.repo_type {
        RepoType::Space => "Space",
        RepoType::Model => "Model",
        RepoType::Dataset => "Dataset",
    };
    let link = markdown::link(&repo.id.to_string(), &page);
    let audience = report.access.map(|access| {
        let seen = access.visibility.map_or("public or protected", Visibility::as_str);
        match access.change {
            AccessChange::Kept | AccessChange::Changed => format!(": {seen}"),
            AccessChange::Created => format!(": {seen}, new"),
            AccessChange::WouldCreate => format!(": would be created, {seen}"),
            AccessChange::WouldChange => format!(": would become {seen}"),
        }
    });
    Some((name, format!("{link}{}", audience.unwrap_or_default())))
}

/// Links the commit on the Hub, and the commit on GitHub that it comes from.
fn commit(report: &DeployReport) -> Option<Fact> {
    let github = &report.provenance;
    let source = github.sha.as_deref().zip(github.commit_url.as_deref());
    let source = source.map(|(sha, url)| markdown::link(short(sha), url));
    let from = source.as_ref().map(|link| format!(" from {link} on GitHub")).unwrap_or_default();
    if let (Some(sha), Some(url)) = (report.commit_sha(), report.commit_url()) {
        let link = markdown::link(short(sha), &url);
        let is_own = report.has_changed_files() || report.created;
        return Some(match report.status() {
            Status::RolledBack if is_own => ("Failed commit", format!("{link}{from}")),
            _ if is_own => ("Commit", format!("{link}{from}")),
            _ => ("Commit", format!("{link}, as before")),
        });
    }
    let has_plan = report.plan.as_ref().is_some_and(|plan| !plan.is_empty());
    let is_planned = has_plan && report.status() == Status::DryRun;
    source.filter(|_| is_planned).map(|link| ("Commit", format!("would be made from {link} on GitHub")))
}

fn commit_link(report: &DeployReport, sha: &str) -> String {
    match report.repo_url() {
        Some(page) => markdown::link(short(sha), &format!("{page}/commit/{sha}")),
        None => markdown::cell_code(short(sha)),
    }
}

fn short(sha: &str) -> &str {
    sha.get(..7).unwrap_or(sha)
}

/// Describes the hardware with its price.
fn hardware(report: &DeployReport) -> Option<Fact> {
    let priced = report.planned.hardware.as_ref().or(report.space_hardware.as_ref());
    let is_free = matches!(priced, Some(HardwareName::Known(flavor)) if flavor.is_basic());
    let price = match report.hourly_price {
        Some(price) => format!(", ${price:.2} per hour"),
        None if is_free => ", free".to_owned(),
        None => String::new(),
    };
    let has = report.space_hardware.as_ref().map(|hardware| markdown::cell_code(hardware.as_str()));
    if let Some(wanted) = &report.planned.hardware {
        let now = has.map(|has| format!(" (now {has})")).unwrap_or_default();
        let wanted = markdown::cell_code(wanted.as_str());
        return Some(("Hardware", format!("would request {wanted}{price}{now}")));
    }
    let status = match report.hardware_status {
        Some(HardwareStatus::Granted) => ", granted to this run",
        Some(HardwareStatus::ManualHardwareRequired) => ", because the Hub did not grant what was requested",
        Some(HardwareStatus::Unchanged) | None => "",
    };
    match has {
        Some(has) => Some(("Hardware", format!("{has}{price}{status}"))),
        None if report.hardware_status == Some(HardwareStatus::ManualHardwareRequired) => {
            Some(("Hardware", "the Hub did not grant what was requested".to_owned()))
        }
        None => None,
    }
}

/// Describes the settings and the visibility that changed, or would change. Values of variables and secrets are never
/// rendered.
fn settings(report: &DeployReport) -> Option<Fact> {
    let is_planned = report.status() == Status::DryRun;
    let (settings, [set, delete, mount]) = if is_planned {
        (&report.planned, ["would set", "would delete", "would change the volumes"])
    } else {
        (&report.written, ["set", "deleted", "changed the volumes"])
    };
    let mut parts = Vec::new();
    for (verb, is_deletion) in [(set, false), (delete, true)] {
        for (kind, is_secret) in [("variable", false), ("secret", true)] {
            let is_meant =
                |setting: &&WrittenSetting| setting.is_secret == is_secret && setting.deleted == is_deletion;
            parts.extend(named(settings, is_meant).map(|(number, names)| {
                let kind = if number == 1 { kind.to_owned() } else { format!("{kind}s") };
                format!("{verb} the {kind} {names}")
            }));
        }
    }
    if settings.volumes {
        parts.push(mount.to_owned());
    }
    if let Some(time) = settings.sleep_time {
        parts.push(format!("{set} the sleep time ({time})"));
    }
    let visibility = report.access.filter(|access| access.change == AccessChange::Changed);
    if let Some(visibility) = visibility.and_then(|access| access.visibility) {
        parts.push(format!("made the {} {}", report.repo.as_ref()?.repo_type.noun(), visibility.as_str()));
    }
    (!parts.is_empty()).then(|| ("Settings", parts.join("; ")))
}

/// Returns the number of settings that `is_meant` picks, and their names.
fn named(settings: &Settings, is_meant: impl Fn(&&WrittenSetting) -> bool) -> Option<(usize, String)> {
    let names: Vec<String> =
        settings.settings.iter().filter(is_meant).map(|setting| markdown::cell_code(&setting.key)).collect();
    (!names.is_empty()).then(|| (names.len(), names.join(", ")))
}

/// Describes the proxy Space.
fn proxy(report: &ProxyReport) -> Option<Fact> {
    let repo = report.repo.as_ref()?;
    let (deploy, name) = (&report.deploy, markdown::cell_code(&repo.id.to_string()));
    let words = match (&report.state, &deploy.space_url) {
        (ProxyState::Deployed, Some(url)) => markdown::link(url, url),
        (ProxyState::Deployed, None) => name,
        (ProxyState::Failed, _) => format!("{name} failed"),
        (ProxyState::Pending, _) if deploy.status() != Status::DryRun => format!("{name} was not finished"),
        (ProxyState::Pending, _) if deploy.is_new_repo() => format!("would create the Space {name}, public"),
        (ProxyState::Pending, _) => {
            let has_changes = deploy.plan.as_ref().is_some_and(|plan| !plan.is_empty());
            let words =
                if has_changes || deploy.settings_changed() { "would update" } else { "would not change" };
            format!("{words} the Space {name}")
        }
    };
    Some(("Proxy", words))
}

/// Counts the changes of the files.
fn files(report: &DeployReport) -> Option<Fact> {
    let plan = report.plan.as_ref()?;
    let tense = Tense::of(report);
    let verbs = match tense {
        Tense::Conditional => ["add", "update", "delete"],
        Tense::Done | Tense::RolledBack => ["added", "updated", "deleted"],
    };
    let counts = [Action::Add, Action::Update, Action::Delete].map(|action| plan.count(action));
    let changes: Vec<String> = verbs
        .iter()
        .zip(counts)
        .filter(|(_, number)| *number > 0)
        .map(|(verb, number)| match tense {
            Tense::Conditional => format!("{verb} {number}"),
            Tense::Done | Tense::RolledBack => format!("{number} {verb}"),
        })
        .collect();
    let would = if tense == Tense::Conditional && !changes.is_empty() { "would " } else { "" };
    let mut parts: Vec<String> =
        (!changes.is_empty()).then(|| format!("{would}{}", changes.join(", "))).into_iter().collect();
    if plan.unchanged > 0 {
        parts.push(format!("{} unchanged", plan.unchanged));
    }
    if report.bytes_uploaded > 0 {
        parts.push(format!("{} uploaded", human_bytes(report.bytes_uploaded)));
    }
    if parts.is_empty() {
        parts.push(count(0, "file"));
    }
    Some(("Files", parts.join("; ")))
}
