//! Text from others that wants to be more than text: in answers, logs, names and messages.
//!
//! What a run prints is read as the runner reads it. Whatever stands in it, the commands are ours, the outputs are
//! the ones that there are, and the summary is the page that was meant.

use std::time::Duration;

use local_hub::{BuildScript, Fault, FaultKind, Log, LogStep, RepoType, StageStep};
use serde_json::json;

use crate::harness::{Folder, Ran, Run, hub, static_space, static_space_with_picture};

/// Everything at once: commands old and new, escapes of them, colours, directions, Markdown, HTML, marks of ends.
const EVIL: &str = "x\n::set-output name=repo_id::EVIL\r\n ::error file=EVIL::no\n##[error]EVIL\n%0A::add-mask::e\n\
    \u{1b}[31m\u{202e}\u{2066}\u{feff}::error::EVIL\n```\n````\n</details><script>EVIL()</script>\n# EVIL\n\
    | EVIL | EVIL |\n[EVIL](javascript:EVIL)\n`code` | `a|b`\nghadelimiter_0\nrepo_id=EVIL\nEOF\u{0}";

/// Carries out what a run printed, as the runner does: `::stop-commands::` is honoured.
fn assert_in_place(ran: &Ran) {
    let mut stopped: Option<String> = None;
    for line in ran.log.split('\n') {
        assert!(!line.contains("##["), "the old command syntax: {line:?}");
        assert!(!line.chars().any(hidden), "hidden characters: {line:?}");
        assert!(line.len() < 40_000, "{} bytes in a line", line.len());
        let Some(command) = line.trim_start().strip_prefix("::") else { continue };
        let (name, data) = command.split_once("::").expect("a whole command");
        match &stopped {
            Some(token) if name == token => stopped = None,
            Some(_) => panic!("a command inside of foreign text: {line:?}"),
            None => match name.split(' ').next().unwrap() {
                "stop-commands" => stopped = Some(data.to_owned()),
                "group" | "endgroup" | "add-mask" | "warning" | "notice" => {}
                "error" => assert!(!name.contains("EVIL"), "a property from outside: {line:?}"),
                _ => panic!("a command that is none of ours: {line:?}"),
            },
        }
    }
    assert_eq!(stopped, None, "commands stay switched off");
    let mut names: Vec<_> = ran.outputs.keys().map(String::as_str).collect();
    let outputs = hf_deploy::commands::deploy::outputs::OUTPUTS.declared.iter();
    let mut known: Vec<_> = outputs.map(|output| output.name).collect();
    names.sort_unstable();
    known.sort_unstable();
    assert_eq!(names, known);
    assert_eq!(ran.output("repo_id"), "ada/app");
    assert_summary(&ran.summary);
}

fn hidden(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The blocks of the summary, read as Markdown: outside of fences there is no HTML, no heading and no row that is not
/// ours.
fn assert_summary(summary: &str) {
    let mut fence: Option<String> = None;
    let (mut columns, mut head) = (0, 0);
    for line in summary.lines() {
        assert!(!line.chars().any(hidden), "hidden characters: {line:?}");
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        match &fence {
            Some(open) if ticks.len() >= open.len() && line.trim_end() == ticks => fence = None,
            Some(_) => {}
            None if ticks.len() >= 3 => fence = Some(ticks),
            None => {
                let bars = line.match_indices('|').filter(|(at, _)| !line[..*at].ends_with('\\')).count();
                if line.starts_with("| ---") {
                    assert_eq!(bars, head, "a head of another length above {line:?}");
                    columns = bars;
                } else if line.starts_with('|') && columns > 0 {
                    assert_eq!(bars, columns, "a row of another length: {line:?}");
                } else {
                    columns = 0;
                }
                head = bars;
                let heading = line.trim_start().starts_with('#');
                assert!(!heading || !line.contains("EVIL()"), "{line:?}");
                assert!(!line.starts_with("# "), "a heading of others: {line:?}");
                // The address of the token form is ours, and stands between angle brackets as GFM 6.8 has it.
                let code_away =
                    without_code(line).replace("<https://huggingface.co/settings/tokens/new?", "");
                let tag = !is_own_fold(line)
                    && code_away.match_indices('<').any(|(at, _)| !code_away[..at].ends_with('\\'));
                assert!(!tag, "HTML: {line:?}");
                let mut links = code_away.match_indices("](").map(|(at, _)| at);
                let foreign =
                    |at: usize| !code_away[..at].ends_with('\\') && !code_away[at + 2..].starts_with("http");
                assert!(!links.any(foreign), "a link to anywhere: {line:?}");
            }
        }
    }
    assert_eq!(fence, None, "a block without an end:\n{summary}");
}

/// Returns true for the lines around a list that is folded.
fn is_own_fold(line: &str) -> bool {
    let title = line.strip_prefix("<summary>").and_then(|rest| rest.strip_suffix("</summary>"));
    let is_plain = |title: &str| title.chars().all(|c| c.is_ascii_alphanumeric() || " ,".contains(c));
    matches!(line, "<details>" | "</details>") || title.is_some_and(is_plain)
}

/// A line without its code spans (GFM 6.3): from a run of backticks to the next one of the same length.
fn without_code(line: &str) -> String {
    let mut rest = line;
    let mut kept = String::new();
    while let Some(at) = rest.match_indices('`').map(|(at, _)| at).find(|at| !rest[..*at].ends_with('\\')) {
        let run = rest[at..].len() - rest[at..].trim_start_matches('`').len();
        let (before, after) = (&rest[..at], &rest[at + run..]);
        let ends =
            (0..after.len()).filter(|end| after.as_bytes()[*end..].starts_with("`".repeat(run).as_bytes()));
        let alone = |end: &usize| !after[..*end].ends_with('`') && !after[*end + run..].starts_with('`');
        let end = { ends }.find(alone).unwrap_or_else(|| panic!("an open code span: {line:?}"));
        kept.push_str(before);
        rest = &after[end + run..];
    }
    kept + rest
}

fn answers(method: &str, path_contains: &str, code: u16, body: &serde_json::Value) -> Fault {
    let headers = vec![("x-hf-warning".to_owned(), "evil; ::error::EVIL %0A::error::EVIL | `".to_owned())];
    Fault {
        method: Some(method.to_owned()),
        path_contains: path_contains.to_owned(),
        skip: 0,
        times: 99,
        kind: FaultKind::Status { code, headers, body: body.to_string() },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_the_hub_stay_in_their_place() {
    let sha = "0123456789abcdef0123456789abcdef01234567";
    let cases = [
        answers("POST", "/validate-yaml", 200, &json!({"errors": [], "warnings": [{"message": EVIL}]})),
        answers("POST", "/validate-yaml", 400, &json!({"error": EVIL})),
        answers("POST", "/validate-yaml", 200, &json!({"errors": [{"message": format!("\"{EVIL}\"")}]})),
        answers("GET", "/api/spaces/ada/app", 403, &json!({"error": [EVIL, EVIL]})),
        answers("GET", "/api/spaces/ada/app", 200, &json!({"sha": EVIL, "host": EVIL, "sdk": EVIL})),
        answers("POST", "/repos/create", 402, &json!({"error": EVIL})),
        answers("POST", "/preupload/", 200, &json!({"files": [{"path": EVIL, "uploadMode": EVIL}]})),
        answers("POST", "/preupload/", 500, &json!({"error": EVIL})),
        answers("GET", "/tree/", 400, &json!({"error_description": EVIL, "error": EVIL})),
        answers(
            "POST",
            "/commit/",
            200,
            &json!({"commitOid": EVIL, "commitUrl": EVIL, "pullRequestUrl": EVIL}),
        ),
        answers(
            "POST",
            "/commit/",
            200,
            &json!({"commitOid": sha, "commitUrl": format!("https://x/{EVIL}")}),
        ),
        answers("POST", "/commit/", 400, &json!({"error": EVIL.repeat(20_000)})),
        answers("GET", "/runtime", 200, &json!({"stage": EVIL, "sha": EVIL})),
        answers("GET", "/runtime", 200, &json!({"stage": "RUNTIME_ERROR", "sha": sha, "errorMessage": EVIL})),
    ];
    let mut runs = tokio::task::JoinSet::new();
    for fault in cases {
        runs.spawn(async move {
            let (hub, folder) = (hub().await, static_space_with_picture());
            let what = format!("{:?} {}", fault.method, fault.path_contains);
            hub.inject(fault);
            let ran = Run::new(&hub, &folder).input("timeout", "5s").run().await;
            println!("{what}: exit code {}", ran.code);
            assert_ne!(ran.code, 101, "a panic: {}", ran.stderr);
            assert_eq!(ran.stderr, "", "{what}");
            assert_in_place(&ran);
        });
    }
    while let Some(ended) = runs.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_build_stays_in_its_place() {
    let (hub, folder) = (
        hub().await,
        Folder::new(&[("README.md", "---\ntitle: Hello\nsdk: gradio\n---\n"), ("app.py", "import gradio\n")]),
    );
    let steps = vec![StageStep::error(Duration::from_millis(2500), "BUILD_ERROR", EVIL)];
    let script = BuildScript { cause: None, steps, build_log: vec![], run_log: vec![] };
    hub.space("ada/app").script_builds(vec![script]).unwrap();
    let mut log: Vec<LogStep> = EVIL.split('\n').map(|line| LogStep::Line(line.to_owned())).collect();
    log.push(LogStep::Line(EVIL.to_owned()));
    log.push(LogStep::HugeLine(10 << 20));
    log.push(LogStep::Raw(b"data: ::error::EVIL\n\ndata: \xff\xfe\x1b[2J\n\n".to_vec()));
    log.push(LogStep::Line("ERROR: EVIL ``` \u{202e}".to_owned()));
    log.push(LogStep::Stall);
    hub.space("ada/app").script_log(Log::Build, log);
    let ran = Run::new(&hub, &folder).run().await.failed(1, "space_build_failed");
    assert!(
        ran.log.contains("EVIL") && ran.summary.contains("EVIL"),
        "the log of the Space is printed:\n{}",
        ran.log
    );
    assert!(
        ran.log.len() < 1 << 20 && ran.summary.len() < 1 << 20,
        "{} and {}",
        ran.log.len(),
        ran.summary.len()
    );
    assert_in_place(&ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_messages_of_the_workflow_stay_in_their_place() {
    let branch = "a`%0A|<b>EVIL</b>\u{202e}'\"$(x)##]";
    // No variable of an environment holds a zero byte.
    let evil = EVIL.trim_end_matches('\0');
    let cases: [&[(&str, &str)]; 5] = [
        &[("commit_message", evil), ("commit_description", evil)],
        &[("revision", branch)],
        &[("revision", evil)],
        &[("path_in_repo", "a`|%0A/<b>EVIL</b>")],
        &[
            ("huggingface_repo", evil),
            ("repo_type", evil),
            ("hardware", evil),
            ("variables", evil),
            ("include", evil),
        ],
    ];
    for inputs in cases {
        let (hub, folder) = (hub().await, static_space());
        folder.write("sub/| EVIL `x` <b>.txt", "x");
        let run = inputs.iter().fold(Run::new(&hub, &folder), |run, (name, value)| run.input(name, value));
        let ran = run.run().await;
        assert!(ran.code == 0 || ran.code == 2, "{inputs:?}\n{}", ran.log);
        match inputs[0].0 {
            "huggingface_repo" => {
                let empty = ran.outputs.get("repo_id").is_some_and(String::is_empty);
                assert!(empty, "{:?}", ran.outputs);
                assert_summary(&ran.summary);
            }
            "revision" if ran.code == 2 => assert_summary(&ran.summary),
            _ => assert_in_place(&ran),
        }
        if inputs[0].1 == branch {
            assert!(hub.repo(RepoType::Space, "ada/app").head(branch).is_some(), "{}", ran.log);
        }
    }
}
