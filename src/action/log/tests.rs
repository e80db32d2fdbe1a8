use super::*;
use crate::failure::Code;

#[derive(Clone, Default)]
pub(in crate::action) struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Captured {
    pub(in crate::action) fn text(&self) -> String {
        String::from_utf8(lock(&self.0).clone()).unwrap()
    }
}

pub(in crate::action) fn captured(mode: Mode) -> (Log, Captured) {
    let captured = Captured::default();
    (Log::new(mode, Box::new(captured.clone())), captured)
}

fn print_one_of_each(log: &Log) {
    log.info("hello\n::error::not really");
    let group = log.group("plan: 100%");
    log.info("+ a.txt");
    drop(log.group("inner"));
    drop(group);
    log.warning("look out\ntwice");
    log.warning_at(&SourceLocation { file: "README.md".into(), line: Some(3), message: "odd".into() });
    log.notice("by the way");
    log.debug("details");
    let failure = Failure::new(Code::LocalIo, "cannot read `a`")
        .caused_by(io::Error::other("disk on fire"))
        .hint("buy a new one")
        .hint("or a used one")
        .at([SourceLocation { file: "a".into(), line: None, message: "here".into() }]);
    log.failure(&failure);
}

#[test]
fn runner_gets_workflow_commands() {
    let (log, captured) = captured(Mode::GitHub);
    print_one_of_each(&log);
    assert_eq!(
        captured.text(),
        "hello\n\
         \\u{3a}:error::not really\n\
         ::group::plan: 100%25\n\
         + a.txt\n\
         inner\n\
         ::endgroup::\n\
         ::warning::look out%0Atwice\n\
         ::warning file=README.md,line=3::odd\n\
         ::notice::by the way\n\
         ::debug::details\n\
         ::error file=a::here\n\
         ::error title=local_io::cannot read `a`%0Ahint: buy a new one\n\
         caused by: disk on fire\n\
         hint: or a used one\n"
    );
    assert_eq!(log.warnings(), ["look out\ntwice", "README.md:3: odd"]);
}

#[test]
fn terminal_and_files_get_plain_lines() {
    let (log, captured) = captured(Mode::Plain);
    print_one_of_each(&log);
    assert_eq!(
        captured.text(),
        "hello\n\
         \\u{3a}:error::not really\n\
         plan: 100%\n  + a.txt\n  inner\n\
         warning: look out\ntwice\n\
         warning: README.md:3: odd\n\
         notice: by the way\n\
         error: a: here\n\
         error[local_io]: cannot read `a`\n\
         caused by: disk on fire\n\
         hint: buy a new one\n\
         hint: or a used one\n\
         help: .github/SUPPORT.md#local_io\n"
    );
}

#[test]
fn annotation_of_a_failure_has_its_place_the_first_hint_and_a_link() {
    let vars = [
        ("GITHUB_SERVER_URL", "https://github.example"),
        ("GITHUB_ACTION_REPOSITORY", "octo/hf-deploy"),
        ("GITHUB_ACTION_REF", "v1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let place = SourceLocation { file: "app.py".into(), line: Some(2), message: "no such name".into() };
    let failure =
        Failure::new(Code::SpaceCrashed, "the app crashed: no such name").hint("name it").at([place]);
    let link = "https://github.example/octo/hf-deploy/blob/v1/.github/SUPPORT.md#space_crashed";
    for (mode, printed) in [
        (
            Mode::GitHub,
            format!(
                "::error file=app.py,line=2,title=space_crashed::the app crashed: no such name%0Ahint: name it%0Ahelp: {link}\n"
            ),
        ),
        (
            Mode::Plain,
            format!(
                "error[space_crashed]: app.py:2: the app crashed: no such name\nhint: name it\nhelp: {link}\n"
            ),
        ),
    ] {
        let (log, captured) = captured(mode);
        log.link_help(HelpPage::from_vars(&vars));
        log.failure(&failure);
        assert_eq!(captured.text(), printed);
    }
}

#[test]
fn untrusted_text_stops_commands() {
    let (log, captured) = captured(Mode::GitHub);
    log.untrusted("building\n::add-mask::e\n");
    let text = captured.text();
    let lines: Vec<&str> = text.lines().collect();
    let token = lines[0].strip_prefix("::stop-commands::").unwrap();
    assert_eq!(token.len(), 32);
    assert_eq!(lines[1..], ["building", "\\u{3a}:add-mask::e", &format!("::{token}::")]);
}

#[test]
fn group_has_one_pair_of_stop_commands() {
    let (log, captured) = captured(Mode::GitHub);
    let group = log.group("build log");
    log.untrusted("one\n");
    log.info("still ours");
    log.untrusted("two\n");
    drop(group);
    let text = captured.text();
    let token = text.lines().nth(1).unwrap().strip_prefix("::stop-commands::").unwrap();
    let marked = format!(
        "::group::build log\n::stop-commands::{token}\none\nstill ours\ntwo\n::{token}::\n::endgroup::\n"
    );
    assert_eq!(text, marked);
}

#[test]
fn commands_are_resumed_before_a_command() {
    let (log, captured) = captured(Mode::GitHub);
    let group = log.group("run log");
    log.untrusted("one\n");
    log.mask(&Secret::new("hf_secret"));
    log.untrusted("two hf_secret\n");
    log.warning("look out");
    drop(group);
    let text = captured.text();
    let lines: Vec<&str> = text.lines().collect();
    let first = format!("::{}::", lines[1].strip_prefix("::stop-commands::").unwrap());
    let second = format!("::{}::", lines[5].strip_prefix("::stop-commands::").unwrap());
    assert_ne!(first, second);
    let after =
        ["::add-mask::hf_secret", lines[5], "two ***", &second, "::warning::look out", "::endgroup::"];
    assert_eq!(lines[2..4], ["one", &first]);
    assert_eq!(lines[4..], after);
}

#[test]
fn secrets_are_printed_in_masks_only() {
    for mode in [Mode::GitHub, Mode::Terminal, Mode::Plain] {
        let (log, captured) = captured(mode);
        log.mask(&Secret::new("hf_secret"));
        log.info("a hf_secret b");
        log.warning("a hf_secret b");
        log.error("hf_secret");
        log.debug("hf_secret");
        log.untrusted("hf_secret\n");
        drop(log.group("hf_secret"));
        let place = SourceLocation { file: "hf_secret".into(), line: None, message: "hf_secret".into() };
        log.failure(
            &Failure::new(Code::Internal, "hf_secret")
                .hint("hf_secret")
                .caused_by(io::Error::other("hf_secret"))
                .at([place]),
        );
        let text = captured.text();
        let masks = usize::from(mode == Mode::GitHub);
        assert_eq!(text.matches("hf_secret").count(), masks, "{text}");
        assert_eq!(text.matches("::add-mask::hf_secret\n").count(), masks);
        assert_eq!(log.warnings(), ["a *** b"]);
        assert_eq!(log.redact("?t=hf_secret"), "?t=***");
    }
}

#[test]
fn mode_depends_on_the_environment() {
    let vars =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect::<Vec<_>>();
    assert_eq!(Mode::from_vars(&vars(&[("GITHUB_ACTIONS", "true")]), true), Mode::GitHub);
    assert_eq!(Mode::from_vars(&vars(&[]), true), Mode::Terminal);
    assert_eq!(Mode::from_vars(&vars(&[("TERM", "dumb")]), true), Mode::Plain);
    assert_eq!(Mode::from_vars(&vars(&[("GITHUB_ACTIONS", "")]), false), Mode::Plain);
}
