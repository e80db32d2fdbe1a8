use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use super::*;

/// A log with the stage of its Space, from `tests/fixtures/space-logs`.
struct Fixture {
    /// The name of the row, and after a dot the name of the variant.
    name: String,
    kind: LogKind,
    hub: Option<String>,
    log: String,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/space-logs")
}

fn fixtures() -> Vec<Fixture> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    paths.iter().map(|path| fixture(path)).collect()
}

/// Reads a fixture: `build` or `run` in the first line, after a colon the Hub's message, then `---` and the log.
fn fixture(path: &std::path::Path) -> Fixture {
    let text = std::fs::read_to_string(path).unwrap();
    let (head, log) = text.split_once("---\n").unwrap();
    let (kind, hub) = head.split_once(':').unwrap();
    let kind = match kind {
        "build" => LogKind::Build,
        "run" => LogKind::Run,
        other => panic!("{}: `{other}` is no log", path.display()),
    };
    let hub = Some(hub.trim().to_owned()).filter(|hub| !hub.is_empty());
    let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
    Fixture { name, kind, hub, log: log.replace("\\e", "\u{1b}") }
}

fn read(fixture: &Fixture) -> Option<Diagnosis> {
    let text = without_colors(&fixture.log);
    let log: Vec<&str> = text.lines().collect();
    diagnose(&Evidence { hub: fixture.hub.as_deref(), kind: fixture.kind, log: &log })
}

#[test]
fn each_log_matches_its_row() {
    let mut read_as = String::new();
    for fixture in fixtures() {
        let name = &fixture.name;
        let found = read(&fixture).unwrap_or_else(|| panic!("{name}: no cause"));
        assert_eq!(found.name, name.split('.').next().unwrap(), "{name}: {found:?}");
        let _ = writeln!(read_as, "{name}\n  {}", found.cause);
        for fix in &found.fixes {
            let _ = writeln!(read_as, "  hint: {fix}");
        }
        if let Some(spot) = &found.spot {
            let line = spot.line.map(|line| format!(":{line}")).unwrap_or_default();
            let find = spot.find.as_ref().map(|find| format!(" at `{find}`")).unwrap_or_default();
            let _ = writeln!(read_as, "  place: {}{line}{find}", spot.file);
        }
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder());
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("causes", read_as));
}

#[test]
fn each_row_has_a_log() {
    let names: Vec<String> = fixtures().into_iter().map(|fixture| fixture.name).collect();
    let read: BTreeSet<&str> = names.iter().map(|name| name.split('.').next().unwrap()).collect();
    let missing: Vec<&str> =
        TABLE.causes.iter().map(|row| row.name.as_str()).filter(|name| !read.contains(name)).collect();
    assert!(!TABLE.causes.is_empty(), "causes.yaml cannot be read");
    assert!(missing.is_empty(), "no log for {missing:?}");
}

#[test]
fn table_can_be_read() {
    let table: Result<table::Table, _> = serde_yaml::from_str(include_str!("causes.yaml"));
    table.unwrap();
}

#[test]
fn healthy_log_has_no_cause() {
    for (kind, hub, log) in [
        (
            LogKind::Run,
            None,
            "INFO: Application startup complete.\n* Running on local URL:  http://0.0.0.0:7860",
        ),
        (
            LogKind::Build,
            None,
            "ERROR: pip's dependency resolver does not currently take into account all the packages that are installed.",
        ),
        (LogKind::Build, Some("Job failed with exit code: 1. Reason: cache miss: [ 5/12] COPY . ."), ""),
        (LogKind::Run, Some(""), ""),
    ] {
        let lines: Vec<&str> = log.lines().collect();
        assert_eq!(diagnose(&Evidence { hub, kind, log: &lines }), None, "{log}");
    }
}

#[test]
fn name_in_capitals_is_a_setting_only_if_it_is_missing() {
    for line in [
        "sqlite3.OperationalError: no such table: USER_SESSIONS",
        "ValueError: unknown attention backend FLASH_ATTN",
    ] {
        let found = diagnose(&Evidence { hub: None, kind: LogKind::Run, log: &[line] }).unwrap();
        assert_eq!(found.name, "run_error_line", "{found:?}");
    }
}

#[test]
fn last_traceback_of_an_app_outweighs_earlier_lines() {
    let log = [
        "WARNING: 401 Client Error for url, going on without a token",
        "Traceback (most recent call last):",
        "  File \"/home/user/app/app.py\", line 5, in <module>",
        "KeyError: 'DB_URL'",
    ];
    let found = diagnose(&Evidence { hub: None, kind: LogKind::Run, log: &log }).unwrap();
    assert_eq!(found.name, "missing_key");
    let spot = found.spot.unwrap();
    assert_eq!((spot.file.as_str(), spot.line), ("app.py", Some(5)));
}

#[test]
fn quoted_text_of_a_log_has_no_backticks() {
    let log = [format!(
        "KeyError: 'ABC'\nModuleNotFoundError: No module named 'x'\nfatal: `a` {}",
        "x".repeat(999)
    )];
    let log: Vec<&str> = log[0].lines().skip(2).collect();
    let found = diagnose(&Evidence { hub: None, kind: LogKind::Run, log: &log }).unwrap();
    assert_eq!(found.cause.matches('`').count(), 2, "{}", found.cause);
    assert!(found.cause.chars().count() < 220, "{}", found.cause);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(16))]
    #[test]
    fn any_text_is_read(hub in "\\PC{0,80}", lines in proptest::collection::vec("(ERROR: |File \"|Error: |\\{|\\}|\\PC){0,12}", 0..6)) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        for kind in [LogKind::Build, LogKind::Run] {
            let _ = diagnose(&Evidence { hub: Some(&hub), kind, log: &lines });
        }
    }
}
