//! The log of a run: for the runner, for a terminal, or for a file.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hub::Secret;
use indicatif::ProgressBar;

use super::commands::{self, Annotation, Level};
use super::redact::Redactor;
use crate::failure::{Failure, Place};
use crate::text::log_lines;

/// Who reads the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The GitHub runner, which carries out workflow commands.
    GitHub,
    /// A person at a terminal: there is a progress bar.
    Terminal,
    /// A file or another program.
    Plain,
}

impl Mode {
    /// Reads `GITHUB_ACTIONS`, which is `true` in every step of a workflow (GitHub docs, "Variables
    /// reference").
    pub fn from_vars(vars: &[(String, String)], is_terminal: bool) -> Self {
        let is = |name: &str, value: &str| vars.iter().any(|(n, v)| n == name && v == value);
        if is("GITHUB_ACTIONS", "true") {
            Self::GitHub
        } else if is_terminal && !is("TERM", "dumb") {
            Self::Terminal
        } else {
            Self::Plain
        }
    }
}

/// A handle to the log; clones write to the same one. Every line loses its secrets, its invisible
/// characters and its power over the runner on the way out.
#[derive(Clone)]
pub struct Log(Arc<Shared>);

struct Shared {
    mode: Mode,
    writer: Mutex<Writer>,
    redactor: Redactor,
    /// What was warned about, for the report.
    warnings: Mutex<Vec<String>>,
    /// How many groups are open.
    depth: AtomicUsize,
    /// The bar at the bottom of a terminal, which lines are printed above.
    bar: Mutex<Option<ProgressBar>>,
}

struct Writer {
    to: Box<dyn Write + Send>,
    /// The token that gives the runner its commands back, while text from outside is printed.
    resume: Option<String>,
}

impl Writer {
    /// Writes lines that are ready. A log that is no longer read does not end a deploy.
    fn write(&mut self, lines: &[String]) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let _ = self.to.write_all(text.as_bytes()).and_then(|()| self.to.flush());
    }

    fn stop_commands(&mut self) {
        if self.resume.is_none() {
            let token = crate::text::random_token();
            self.write(&[commands::stop_commands(&token)]);
            self.resume = Some(token);
        }
    }

    fn resume_commands(&mut self) {
        if let Some(token) = self.resume.take() {
            self.write(&[commands::resume_commands(&token)]);
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("mode", &self.0.mode).finish_non_exhaustive()
    }
}

impl Log {
    pub fn new(mode: Mode, writer: Box<dyn Write + Send>) -> Self {
        Self(Arc::new(Shared {
            mode,
            writer: Mutex::new(Writer { to: writer, resume: None }),
            redactor: Redactor::default(),
            warnings: Mutex::default(),
            depth: AtomicUsize::new(0),
            bar: Mutex::default(),
        }))
    }

    /// The log of this process.
    pub fn to_stdout(vars: &[(String, String)]) -> Self {
        // Lines go to stdout, where the runner reads commands; a bar goes to stderr.
        let is_terminal = io::stdout().is_terminal() && io::stderr().is_terminal();
        Self::new(Mode::from_vars(vars, is_terminal), Box::new(io::stdout()))
    }

    pub fn mode(&self) -> Mode {
        self.0.mode
    }

    /// One line, or more where the text has more.
    pub fn info(&self, text: &str) {
        self.print(text);
    }

    /// A warning, which is also kept for the report.
    pub fn warning(&self, text: &str) {
        self.keep(text);
        self.annotate(Annotation::new(Level::Warning, text));
    }

    /// A warning about a line of a file.
    pub fn warning_at(&self, place: &Place) {
        self.keep(&format!("{}: {}", spot(place), place.message));
        self.annotate(at(Level::Warning, place));
    }

    /// Something that the user may want to know, and need not change.
    pub fn notice(&self, text: &str) {
        self.annotate(Annotation::new(Level::Notice, text));
    }

    pub fn error(&self, text: &str) {
        self.annotate(Annotation::new(Level::Error, text));
    }

    /// Why the run failed: where, what, by which causes, and what to do next.
    pub fn failure(&self, failure: &Failure) {
        for place in &failure.places {
            self.annotate(at(Level::Error, place));
        }
        self.annotate(Annotation {
            title: Some(failure.code.as_str()),
            ..Annotation::new(Level::Error, &failure.message)
        });
        for cause in failure.causes() {
            self.print(&format!("caused by: {cause}"));
        }
        for hint in &failure.hints {
            self.print(&format!("hint: {hint}"));
        }
    }

    /// A line for those who look for a fault of this action: the runner shows it when step debug logging
    /// is on, elsewhere it is dropped.
    pub fn debug(&self, text: &str) {
        if self.0.mode == Mode::GitHub {
            let text = self.redact(text);
            self.command(&[commands::debug(&text)]);
        }
    }

    /// Folds what is printed until the guard is dropped. The runner knows no groups in groups: an inner
    /// one is a line.
    #[must_use = "the group ends when this is dropped"]
    pub fn group(&self, title: &str) -> Group {
        match (self.0.mode, self.0.depth.load(Ordering::Relaxed)) {
            (Mode::GitHub, 0) => {
                let title = self.redact(title);
                self.command(&[commands::group(&title)]);
            }
            _ => self.print(title),
        }
        self.0.depth.fetch_add(1, Ordering::Relaxed);
        Group(self.clone())
    }

    /// Prints text from outside, such as the build log of a Space, while the runner carries out no commands. It goes on
    /// carrying them out at the next command of ours, or when the group ends: one pair of marks per group.
    ///
    /// The lines are harmless even without the marks ([`log_lines`]), also where other output gets in between.
    pub fn untrusted(&self, text: &str) {
        if self.0.mode != Mode::GitHub {
            return self.print(text);
        }
        let lines: Vec<String> = log_lines(&self.redact(text)).collect();
        let mut writer = lock(&self.0.writer);
        writer.stop_commands();
        writer.write(&lines);
        if self.0.depth.load(Ordering::Relaxed) == 0 {
            writer.resume_commands();
        }
    }

    /// Hides a secret from now on: here, and in the runner's own log. The mask is the only line that holds
    /// a secret, and the runner does not print it.
    pub fn mask(&self, secret: &Secret) {
        self.0.redactor.register(secret);
        if self.0.mode == Mode::GitHub {
            self.command(&commands::add_mask(secret.expose()));
        }
    }

    /// The text without any secret, for outputs and summary, which do not pass through the log.
    pub fn redact(&self, text: &str) -> String {
        self.0.redactor.redact(text).into_owned()
    }

    /// The text of an output without any secret but those that are part of ordinary text, which would damage it.
    pub fn redact_output(&self, text: &str, ordinary: &[String]) -> String {
        self.0.redactor.redact_sparing(text, ordinary).into_owned()
    }

    /// What was warned about so far.
    pub fn warnings(&self) -> Vec<String> {
        lock(&self.0.warnings).clone()
    }

    pub(super) fn set_bar(&self, bar: Option<ProgressBar>) {
        *lock(&self.0.bar) = bar;
    }

    fn keep(&self, text: &str) {
        let text = self.redact(text);
        lock(&self.0.warnings).push(text);
    }

    fn annotate(&self, annotation: Annotation<'_>) {
        let message = self.redact(annotation.message);
        let title = annotation.title.map(|title| self.redact(title));
        let file = annotation.file.map(|file| self.redact(file));
        let clean =
            Annotation { title: title.as_deref(), file: file.as_deref(), message: &message, ..annotation };
        match self.0.mode {
            Mode::GitHub => self.command(&[commands::annotation(&clean)]),
            Mode::Terminal | Mode::Plain => self.print(&readable(&clean)),
        }
    }

    fn print(&self, text: &str) {
        let indent = match self.0.mode {
            Mode::GitHub => String::new(),
            Mode::Terminal | Mode::Plain => "  ".repeat(self.0.depth.load(Ordering::Relaxed)),
        };
        let text = self.redact(text);
        let mut lines: Vec<String> = log_lines(&text).map(|line| format!("{indent}{line}")).collect();
        if lines.is_empty() {
            lines.push(String::new());
        }
        self.write(&lines);
    }

    fn write(&self, lines: &[String]) {
        let write = || lock(&self.0.writer).write(lines);
        let bar = lock(&self.0.bar).clone();
        match bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Writes commands for the runner. They come after the text from outside, during which it carries out none: a mask
    /// in the middle of that would print the secret.
    fn command(&self, lines: &[String]) {
        let mut writer = lock(&self.0.writer);
        writer.resume_commands();
        writer.write(lines);
    }
}

/// A group of lines, which ends when this is dropped.
#[derive(Debug)]
pub struct Group(Log);

impl Drop for Group {
    fn drop(&mut self) {
        let open = self.0.0.depth.fetch_sub(1, Ordering::Relaxed);
        if open == 1 && self.0.mode() == Mode::GitHub {
            self.0.command(&[commands::end_group()]);
        }
    }
}

fn at(level: Level, place: &Place) -> Annotation<'_> {
    Annotation { file: Some(&place.file), line: place.line, ..Annotation::new(level, &place.message) }
}

fn spot(place: &Place) -> String {
    match place.line {
        Some(line) => format!("{}:{line}", place.file),
        None => place.file.clone(),
    }
}

/// An annotation where there is nobody to annotate: `error: README.md:3: message`.
fn readable(annotation: &Annotation<'_>) -> String {
    let level = annotation.level.as_str();
    let title = annotation.title.map(|title| format!("[{title}]")).unwrap_or_default();
    let place = match (annotation.file, annotation.line) {
        (Some(file), Some(line)) => format!("{file}:{line}: "),
        (Some(file), None) => format!("{file}: "),
        _ => String::new(),
    };
    format!("{level}{title}: {place}{}", annotation.message)
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::failure::Code;

    #[derive(Clone, Default)]
    pub(in super::super) struct Captured(Arc<Mutex<Vec<u8>>>);

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
        pub(in super::super) fn text(&self) -> String {
            String::from_utf8(lock(&self.0).clone()).unwrap()
        }
    }

    pub(in super::super) fn captured(mode: Mode) -> (Log, Captured) {
        let captured = Captured::default();
        (Log::new(mode, Box::new(captured.clone())), captured)
    }

    fn say_everything(log: &Log) {
        log.info("hello\n::error::not really");
        let group = log.group("plan: 100%");
        log.info("+ a.txt");
        drop(log.group("inner"));
        drop(group);
        log.warning("look out\ntwice");
        log.warning_at(&Place { file: "README.md".into(), line: Some(3), message: "odd".into() });
        log.notice("by the way");
        log.debug("details");
        let failure = Failure::new(Code::LocalIo, "cannot read `a`")
            .caused_by(io::Error::other("disk on fire"))
            .hint("buy a new one")
            .at([Place { file: "a".into(), line: None, message: "here".into() }]);
        log.failure(&failure);
    }

    #[test]
    fn for_the_runner() {
        let (log, captured) = captured(Mode::GitHub);
        say_everything(&log);
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
             ::error title=local_io::cannot read `a`\n\
             caused by: disk on fire\n\
             hint: buy a new one\n"
        );
        assert_eq!(log.warnings(), ["look out\ntwice", "README.md:3: odd"]);
    }

    #[test]
    fn for_a_person() {
        let (log, captured) = captured(Mode::Plain);
        say_everything(&log);
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
             hint: buy a new one\n"
        );
    }

    #[test]
    fn text_of_others_is_marked() {
        let (log, captured) = captured(Mode::GitHub);
        log.untrusted("building\n::add-mask::e\n");
        let text = captured.text();
        let lines: Vec<&str> = text.lines().collect();
        let token = lines[0].strip_prefix("::stop-commands::").unwrap();
        assert_eq!(token.len(), 32);
        assert_eq!(lines[1..], ["building", "\\u{3a}:add-mask::e", &format!("::{token}::")]);
    }

    #[test]
    fn one_pair_of_marks_surrounds_the_text_of_a_group() {
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
    fn commands_of_ours_end_the_text_from_outside() {
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
    fn secrets_are_in_the_mask_alone() {
        for mode in [Mode::GitHub, Mode::Terminal, Mode::Plain] {
            let (log, captured) = captured(mode);
            log.mask(&Secret::new("hf_secret"));
            log.info("a hf_secret b");
            log.warning("a hf_secret b");
            log.error("hf_secret");
            log.debug("hf_secret");
            log.untrusted("hf_secret\n");
            drop(log.group("hf_secret"));
            let place = Place { file: "hf_secret".into(), line: None, message: "hf_secret".into() };
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
    fn the_mode_follows_the_environment() {
        let vars = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect::<Vec<_>>()
        };
        assert_eq!(Mode::from_vars(&vars(&[("GITHUB_ACTIONS", "true")]), true), Mode::GitHub);
        assert_eq!(Mode::from_vars(&vars(&[]), true), Mode::Terminal);
        assert_eq!(Mode::from_vars(&vars(&[("TERM", "dumb")]), true), Mode::Plain);
        assert_eq!(Mode::from_vars(&vars(&[("GITHUB_ACTIONS", "")]), false), Mode::Plain);
    }
}
