//! The text of the comment, in GitHub's Markdown.
//!
//! Text from outside mentions no person, refers to no issue and is no HTML: it stands in code, or is escaped. The word
//! of the first state stands in no later text, because people and programs search for it.

use std::time::Duration;

use hub::{HardwareName, Repo, shorten};
use jiff::Timestamp;

use super::comment_mark::{CommentMark, PreviewState, RunAttempt};
use crate::action::{Log, markdown};
use crate::app_check::{CheckResult, CheckStatus};
use crate::failure::Failure;
use crate::ops::check;
use crate::ops::deploy::DryPlan;
use crate::ops::deploy::plan::Action;
use crate::ops::space::DevModeAccess;
use crate::text::{human_bytes, human_duration, plain};

// GitHub takes 65,536 characters. These limits keep every comment far below that.

/// Most characters of a line of a message or of a log, of a hint, and of a path.
const MAX_LINE: usize = 600;
const MAX_PATH: usize = 200;
/// Number of lines of a message, of lines of a log, and of changes of a plan.
const MESSAGE_LINES: usize = 30;
const LOG_LINES: usize = 15;
const SHOWN_CHANGES: usize = 50;
/// Invisible character that parts a word.
const JOINER: char = '\u{2060}';

/// Facts that every comment of a run has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentPage {
    /// The repo on the Hub that the comment is about.
    pub subject: Repo,
    /// Page of that repo.
    pub page: String,
    /// The head of the pull request.
    pub head: Option<HeadCommit>,
    pub run: RunAttempt,
    /// Page of the workflow run.
    pub run_url: Option<String>,
}

/// Head commit of a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadCommit {
    /// In hexadecimal.
    pub sha: String,
    /// Page on GitHub.
    pub url: String,
}

/// Facts of a preview at the end of a run.
#[derive(Debug, Clone, Default)]
pub struct PreviewFacts {
    /// Public address of the app.
    pub address: Option<String>,
    pub check: Option<CheckResult>,
    pub hardware: Vec<HardwareFacts>,
    /// Ways into a Space that is in dev mode.
    pub dev_mode: Option<DevModeAccess>,
    /// False if the workflow does not wait for the Space.
    pub is_awaited: bool,
    /// Time that the run took.
    pub took: Duration,
}

/// Hardware of a preview, or of its proxy.
#[derive(Debug, Clone)]
pub struct HardwareFacts {
    pub name: HardwareName,
    /// Price of an hour in US dollars, for paid hardware.
    pub price: Option<f64>,
    pub is_of_proxy: bool,
}

/// A failure, without secrets.
#[derive(Debug, Clone, Default)]
pub struct FailureFacts {
    pub code: &'static str,
    /// Message and causes.
    pub lines: Vec<String>,
    pub hint: Option<String>,
    /// End of the log that shows the failure.
    pub log: Vec<String>,
}

impl FailureFacts {
    /// Removes the secrets from a failure, before any character of it is escaped.
    pub fn of(failure: &Failure, log: &Log) -> Self {
        let redacted = |lines: &[String]| lines.iter().map(|line| log.redact(line)).collect();
        let mut lines: Vec<String> = failure.message.lines().map(str::to_owned).collect();
        lines.extend(failure.causes());
        Self {
            code: failure.code.as_str(),
            lines: redacted(&lines),
            hint: failure.hints.first().map(|hint| log.redact(hint)),
            log: redacted(&failure.log_lines),
        }
    }
}

/// Rows of the table: a name, and Markdown that is safe in a cell.
type Rows = Vec<(&'static str, String)>;

impl CommentPage {
    /// Returns the hidden line by which the comment is found.
    pub fn mark(&self) -> CommentMark {
        CommentMark { subject: self.subject.clone(), run: self.run }
    }

    /// Returns texts in which the name of the repo stands, and the mark. A secret that is part of them is none, and must
    /// not damage the mark or an address.
    pub fn ordinary(&self) -> [String; 3] {
        let name = self.subject.id.to_string();
        let host = name.replace(|c: char| !c.is_ascii_alphanumeric(), "-").to_ascii_lowercase();
        [self.mark().to_string(), format!("{}/", self.page), host]
    }

    /// Renders the comment at the start of a run.
    pub fn building(&self) -> String {
        self.body(PreviewState::Building, &self.preview(), &[], Vec::new())
    }

    /// Renders the comment of a preview that runs.
    pub fn ready(&self, facts: &PreviewFacts) -> String {
        let title = match &facts.address {
            Some(url) => markdown::link(url, url),
            None => self.preview(),
        };
        let mut rows = vec![("Space", self.link())];
        rows.extend(facts.check.as_ref().map(|check| ("Check", described_check(check))));
        if !facts.is_awaited {
            rows.push(("Check", "none: the workflow does not wait for the Space".to_owned()));
        }
        rows.extend(ending(facts));
        self.body(PreviewState::Ready, &title, &[], rows)
    }

    /// Renders the comment of a run that failed.
    pub fn failed(&self, facts: &PreviewFacts, failure: &FailureFacts) -> String {
        let mut rows = Rows::new();
        rows.extend(facts.address.as_ref().map(|url| ("App", markdown::link(url, url))));
        rows.push(("Space", self.link()));
        if let Some(access) = &facts.dev_mode {
            rows.extend(access.ssh.as_ref().map(|ssh| ("SSH", markdown::cell_code(&format!("ssh {ssh}")))));
            rows.push(("Editor", markdown::link(&access.editor, &access.editor)));
        }
        rows.extend(ending(facts));
        let parts = [failure_part(failure), log_part(&failure.log)];
        self.body(PreviewState::Failed, &self.preview(), &parts, rows)
    }

    /// Renders the comment of a run that was cancelled.
    pub fn cancelled(&self) -> String {
        self.body(PreviewState::Cancelled, &self.preview(), &[], vec![("Space", self.link())])
    }

    /// Renders the comment of a run that was killed, as another run finds it.
    pub fn killed(&self) -> String {
        let rows = vec![("Reason", "the run was killed: start it again".to_owned())];
        self.body(PreviewState::Cancelled, &self.name(), &[], rows)
    }

    /// Renders the comment of a preview that is deleted.
    pub fn deleted(&self) -> String {
        self.body(PreviewState::Deleted, &self.name(), &[], vec![("Time", finished(None))])
    }

    /// Renders the comment with the plan of a deploy to a model or a dataset.
    pub fn planned(&self, planned: &DryPlan, took: Duration) -> String {
        let title = format!("plan for the {} {}", self.subject.repo_type.noun(), self.link());
        let rows = vec![("Files", counts(planned)), ("Time", finished(Some(took)))];
        self.body(PreviewState::Ready, &title, &[changes(planned)], rows)
    }

    fn body(&self, state: PreviewState, title: &str, parts: &[String], mut rows: Rows) -> String {
        if let Some(head) = &self.head {
            let short = head.sha.get(..7).unwrap_or(&head.sha);
            rows.push(("Commit", markdown::link(short, &head.url)));
        }
        rows.extend(self.run_url.as_ref().map(|url| ("Run", markdown::link("log of the workflow run", url))));
        let mut text = format!("{} {title}\n\n", state.heading());
        if let [first, ..] = parts {
            text.push_str(first);
        }
        if !rows.is_empty() {
            text.push_str("| | |\n| --- | --- |\n");
            rows.iter().for_each(|(name, value)| text.push_str(&format!("| {name} | {value} |\n")));
            text.push('\n');
        }
        parts.iter().skip(1).for_each(|part| text.push_str(part));
        format!("{text}{}\n", self.mark())
    }

    fn link(&self) -> String {
        markdown::link(&self.subject.id.to_string(), &self.page)
    }

    /// Returns the name without its page, which may be gone.
    fn name(&self) -> String {
        format!("preview {}", markdown::cell_code(&self.subject.id.to_string()))
    }

    fn preview(&self) -> String {
        format!("preview {}", self.link())
    }
}

/// Returns the rows about hardware and time.
fn ending(facts: &PreviewFacts) -> Rows {
    let mut rows = Rows::new();
    for HardwareFacts { name, price, is_of_proxy } in &facts.hardware {
        let price = price.map(|price| format!(": ${price:.2} an hour while it runs"));
        let label = if *is_of_proxy { "Hardware of the proxy" } else { "Hardware" };
        rows.push((label, format!("{}{}", markdown::cell_code(name.as_str()), price.unwrap_or_default())));
    }
    rows.push(("Time", finished(Some(facts.took))));
    rows
}

/// Renders the time of now, and the time that the run took.
fn finished(took: Option<Duration>) -> String {
    let now = Timestamp::now().strftime("%Y-%m-%d %H:%M:%S UTC");
    let took = took.map(|took| format!(", after {}", human_duration(took))).unwrap_or_default();
    format!("finished at {now}{took}")
}

/// Describes the result of the check as the job summary does, with the latency where its words have none.
fn described_check(result: &CheckResult) -> String {
    let words = check::describe(result, &inert(&result.detail, markdown::cell, markdown::cell_code));
    match result.latency().filter(|_| result.status != CheckStatus::FullInferenceSuccess) {
        Some(latency) => format!("{words} in {:.2} s", latency.wall.as_secs_f64()),
        None => words,
    }
}

fn failure_part(failure: &FailureFacts) -> String {
    let lines: Vec<String> =
        failure.lines.iter().take(MESSAGE_LINES).map(|line| cut(line, MAX_LINE)).collect();
    let mut text = format!("Error {}:\n\n{}\n", markdown::code(failure.code), fenced(&lines.join("\n")));
    if let Some(hint) = &failure.hint {
        text.push_str(&format!("Next: {}\n\n", inert(hint, markdown::text, markdown::code)));
    }
    text
}

fn log_part(lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let last = &lines[lines.len().saturating_sub(LOG_LINES)..];
    let short: Vec<String> = last.iter().map(|line| cut(line, MAX_LINE)).collect();
    let log = fenced(&short.join("\n"));
    format!("<details>\n<summary>The end of the log</summary>\n\n{log}\n</details>\n\n")
}

fn counts(planned: &DryPlan) -> String {
    let plan = &planned.plan;
    format!(
        "{} to add, {} to update, {} to delete, {} unchanged: {}, of which {} travel as large files (LFS or Xet)",
        plan.count(Action::Add),
        plan.count(Action::Update),
        plan.count(Action::Delete),
        plan.unchanged,
        human_bytes(plan.bytes()),
        human_bytes(planned.large_bytes)
    )
}

fn changes(planned: &DryPlan) -> String {
    let all = &planned.plan.changes;
    if all.is_empty() {
        return "Nothing would change.\n\n".to_owned();
    }
    let mut text = "| Change | Path | Size |\n| --- | --- | ---: |\n".to_owned();
    for change in all.iter().take(SHOWN_CHANGES) {
        let (verb, size) = match change.action {
            Action::Add => ("add", human_bytes(change.size)),
            Action::Update => ("update", human_bytes(change.size)),
            Action::Delete => ("delete", String::new()),
        };
        let path = without_first_state(&markdown::cell_code(&cut(change.path.as_str(), MAX_PATH)));
        text.push_str(&format!("| {verb} | {path} | {size} |\n"));
    }
    if all.len() > SHOWN_CHANGES {
        text.push_str(&format!("\nshowing {SHOWN_CHANGES} of {}\n", all.len()));
    }
    text.push('\n');
    text
}

/// Renders a sentence that may hold text from outside. One that GitHub could take for a mention or a reference becomes
/// `code`, because a backslash does not stop GitHub from that.
fn inert(sentence: &str, text: fn(&str) -> String, code: fn(&str) -> String) -> String {
    let sentence = cut(sentence, MAX_LINE);
    let lower = sentence.to_ascii_lowercase();
    let triggers = ["@", "#", "gh-", "/issues/", "/pull/", "/discussions/", "/commit/"];
    let is_trigger = triggers.iter().any(|trigger| lower.contains(trigger));
    without_first_state(&if is_trigger { code(&sentence) } else { text(&sentence) })
}

/// Cuts a text after its hidden characters are visible, which makes it longer.
fn cut(text: &str, limit: usize) -> String {
    shorten(&plain(text), limit)
}

fn fenced(text: &str) -> String {
    without_first_state(&markdown::fenced(text))
}

/// Parts the word of the first state by an invisible character.
fn without_first_state(text: &str) -> String {
    let word = PreviewState::Building.as_str().to_ascii_lowercase();
    let lower = text.to_ascii_lowercase();
    let mut parted = String::with_capacity(text.len());
    let mut from = 0;
    for (at, _) in lower.match_indices(&word) {
        parted.push_str(&text[from..=at]);
        parted.push(JOINER);
        from = at + 1;
    }
    parted.push_str(&text[from..]);
    parted
}

#[cfg(test)]
mod tests {
    use hub::{RepoName, RepoType};

    use super::*;
    use crate::ops::deploy::plan::{Change, Plan};

    fn page() -> CommentPage {
        let id = "ada/app-pr-12".parse::<RepoName>().unwrap().full().unwrap();
        CommentPage {
            subject: Repo { repo_type: RepoType::Space, id },
            page: "https://hub.example/spaces/ada/app-pr-12".to_owned(),
            head: Some(HeadCommit {
                sha: "0123456789abcdef".to_owned(),
                url: "https://github.example/octo/hello/commit/0123456789abcdef".to_owned(),
            }),
            run: RunAttempt { id: 42, attempt: 1 },
            run_url: Some("https://github.example/octo/hello/actions/runs/42".to_owned()),
        }
    }

    fn failure() -> FailureFacts {
        FailureFacts {
            code: "space_build_failed",
            lines: vec!["Building failed, fixes #1, says @octocat <b>".to_owned()],
            hint: Some("ask @octocat, closes #2".to_owned()),
            log: vec!["--> BUILDING".to_owned(), "```".to_owned(), "</details> @mona".to_owned()],
        }
    }

    #[test]
    fn every_body_has_its_state_in_the_first_line_and_its_mark_in_the_last() {
        let facts =
            PreviewFacts { address: Some("https://ada-app.hf.space".to_owned()), ..PreviewFacts::default() };
        let planned = DryPlan::default();
        for (body, word) in [
            (page().building(), "Building"),
            (page().ready(&facts), "Ready"),
            (page().failed(&facts, &failure()), "Failed"),
            (page().cancelled(), "Cancelled"),
            (page().killed(), "Cancelled"),
            (page().deleted(), "Deleted"),
            (page().planned(&planned, Duration::ZERO), "Ready"),
        ] {
            assert!(body.lines().next().unwrap().contains(&format!(" {word}: ")), "{body}");
            assert_eq!(CommentMark::read(&body), Some(page().mark()));
            assert_eq!(PreviewState::read(&body).map(PreviewState::as_str), Some(word));
            let is_first = word == "Building";
            assert_eq!(body.to_lowercase().contains("building"), is_first, "{body}");
        }
    }

    /// The word of a state can be part of the name of a Space. Its place is the beginning of the first line.
    #[test]
    fn a_name_with_the_word_of_a_state_does_not_change_the_state() {
        let id = "ada/building-deleted-pr-12".parse::<RepoName>().unwrap().full().unwrap();
        let subject = Repo { repo_type: RepoType::Space, id };
        let page = CommentPage { page: format!("https://hub.example/{}", subject.page()), subject, ..page() };
        for (body, state) in [
            (page.building(), PreviewState::Building),
            (page.ready(&PreviewFacts::default()), PreviewState::Ready),
            (page.cancelled(), PreviewState::Cancelled),
            (page.deleted(), PreviewState::Deleted),
        ] {
            assert_eq!(PreviewState::read(&body), Some(state));
            assert_eq!(CommentMark::read(&body), Some(page.mark()));
            // All of the rest is the name.
            let rest = body.to_lowercase().replace("building-deleted", "");
            assert_eq!(rest.matches("building").count(), usize::from(state == PreviewState::Building));
        }
    }

    #[test]
    fn text_from_outside_stands_in_code() {
        let body = page().failed(&PreviewFacts::default(), &failure());
        let mut fence: Option<&str> = None;
        for line in body.lines() {
            if let Some(end) = fence {
                fence = (line != end).then_some(end);
            } else if line.starts_with("```") {
                fence = line.strip_suffix("text");
            } else {
                let outside: String = line.split('`').step_by(2).collect();
                assert!(
                    !outside.contains('@') && !outside.contains("#1") && !outside.contains("#2"),
                    "{line}"
                );
            }
        }
        assert!(body.contains("````text\n"), "{body}");
        assert!(body.contains("Next: `ask @octocat, closes #2`"), "{body}");
    }

    #[test]
    fn longest_body_fits() {
        let mut failure = failure();
        failure.lines = vec!["\u{202e}".repeat(10_000); 100];
        failure.log = vec!["\u{202e}".repeat(10_000); 100];
        let failed = page().failed(&PreviewFacts::default(), &failure);
        let change = |index: usize| Change {
            path: format!("{index}/{}", "\u{202e}".repeat(80)).parse().unwrap(),
            action: Action::Add,
            size: 1,
            large: false,
            candidate: None,
        };
        let plan = Plan { changes: (0..60).map(change).collect(), ..Plan::default() };
        let planned = page().planned(&DryPlan { plan, large_bytes: 0 }, Duration::ZERO);
        assert!(planned.contains("showing 50 of 60"));
        for body in [failed, planned] {
            assert!(body.chars().count() <= 60_000, "{}", body.chars().count());
        }
    }
}
