//! The log of a run: for the runner, for a terminal, or for a file.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use hub::Secret;
use indicatif::ProgressBar;

use super::commands::{self, Annotation, Level};
use super::help::{self, HelpPage};
use crate::failure::{Code, Failure, SourceLocation};
use crate::redact::Redactor;
use crate::run_bundle::{BundleError, RunBundle, RunStart};
use crate::text::log_lines;

/// Reader of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// GitHub runner, which executes workflow commands.
    GitHub,
    /// Terminal, which gets a progress bar.
    Terminal,
    /// File or another program.
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

/// A handle to the log. Clones write to the same log. Secrets are masked in all lines, invisible characters are escaped,
/// and the runner executes no command in them.
#[derive(Clone)]
pub struct Log(Arc<Shared>);

struct Shared {
    mode: Mode,
    writer: Mutex<Writer>,
    redactor: Redactor,
    /// Page that explains error codes, if the workflow names the version of the action.
    help: Mutex<Option<HelpPage>>,
    /// Warnings so far, for the report.
    warnings: Mutex<Vec<String>>,
    /// Number of open groups.
    depth: AtomicUsize,
    /// Progress bar at the bottom of a terminal.
    bar: Mutex<Option<ProgressBar>>,
    /// Bundle of the run, if the command has one.
    bundle: OnceLock<RunBundle>,
}

struct Writer {
    to: Box<dyn Write + Send>,
    /// Token that resumes commands, while text from outside is printed.
    resume: Option<String>,
}

impl Writer {
    /// Writes lines. Errors are ignored, because a closed log must not fail a deploy.
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
            help: Mutex::default(),
            warnings: Mutex::default(),
            depth: AtomicUsize::new(0),
            bar: Mutex::default(),
            bundle: OnceLock::new(),
        }))
    }

    /// Returns the log of this process.
    pub fn to_stdout(vars: &[(String, String)]) -> Self {
        // Lines go to stdout, where the runner reads commands. The bar goes to stderr.
        let is_terminal = io::stdout().is_terminal() && io::stderr().is_terminal();
        Self::new(Mode::from_vars(vars, is_terminal), Box::new(io::stdout()))
    }

    /// Returns the log of a process whose stdout is for another program. The runner reads commands in stderr too.
    pub fn to_stderr(vars: &[(String, String)]) -> Self {
        Self::new(Mode::from_vars(vars, io::stderr().is_terminal()), Box::new(io::stderr()))
    }

    pub fn mode(&self) -> Mode {
        self.0.mode
    }

    /// Links the page that explains error codes, from now on.
    pub fn link_help(&self, page: Option<HelpPage>) {
        *lock(&self.0.help) = page;
    }

    /// Returns the address of the explanation of an error code, if it is known.
    pub fn help_on(&self, code: Code) -> Option<String> {
        lock(&self.0.help).as_ref().map(|page| page.of(code))
    }

    /// Prints a text of one or more lines.
    pub fn info(&self, text: &str) {
        self.print(text);
    }

    /// Prints a warning, and keeps it for the report.
    pub fn warning(&self, text: &str) {
        self.keep(text);
        self.annotate(Annotation::new(Level::Warning, text));
    }

    /// Prints a warning about a line of a file, and keeps it for the report.
    pub fn warning_at(&self, place: &SourceLocation) {
        self.keep(&format!("{}: {}", spot(place), place.message));
        self.annotate(at(Level::Warning, place));
    }

    /// Prints a notice, which needs no action.
    pub fn notice(&self, text: &str) {
        self.annotate(Annotation::new(Level::Notice, text));
    }

    /// Prints an error.
    pub fn error(&self, text: &str) {
        self.annotate(Annotation::new(Level::Error, text));
    }

    /// Prints a failure: its places, message, causes and hints, and where its code is explained.
    ///
    /// On GitHub, the annotation has the message, the first hint and the link, because the page of the run shows nothing
    /// else. It stands at the place of the failure if there is one place, and the message names it.
    pub fn failure(&self, failure: &Failure) {
        let own_place = match failure.places.as_slice() {
            [place] if failure.message.contains(&place.message) => Some(place),
            _ => None,
        };
        for place in failure.places.iter().filter(|_| own_place.is_none()) {
            self.annotate(at(Level::Error, place));
        }
        let help = self.help_on(failure.code);
        let mut message = failure.message.clone();
        let mut hints = failure.hints.iter().map(|hint| format!("hint: {hint}"));
        if self.0.mode == Mode::GitHub {
            let help = help.iter().map(|address| format!("help: {address}"));
            for line in hints.next().into_iter().chain(help) {
                message.push('\n');
                message.push_str(&line);
            }
        }
        self.annotate(Annotation {
            title: Some(failure.code.as_str()),
            message: &message,
            ..own_place.map_or_else(|| Annotation::new(Level::Error, ""), |place| at(Level::Error, place))
        });
        failure.causes().iter().for_each(|cause| self.print(&format!("caused by: {cause}")));
        hints.for_each(|hint| self.print(&hint));
        if self.0.mode != Mode::GitHub {
            self.print(&format!("help: {}", help.unwrap_or_else(|| help::in_checkout(failure.code))));
        }
    }

    /// Prints a line that the runner shows if step debug logging is on. Without a runner, nothing is printed.
    pub fn debug(&self, text: &str) {
        if self.0.mode == Mode::GitHub {
            let text = self.redact(text);
            self.command(&[commands::debug(&text)]);
        }
    }

    /// Folds the lines until the guard is dropped. An inner group is a line, because the runner does not nest groups.
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

    /// Prints text from outside, such as the build log of a Space, while commands are stopped. They are resumed before the
    /// next command, or when the group ends, so that a group has one pair of marks.
    ///
    /// The lines are harmless even without the marks (`text::log_lines`), because other output may get in between.
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

    /// Masks a secret from now on, here and in the log of the runner. The command for the runner is the only line with the
    /// secret, and the runner does not print it.
    pub fn mask(&self, secret: &Secret) {
        self.0.redactor.register(secret);
        if self.0.mode == Mode::GitHub {
            self.command(&commands::add_mask(secret.expose()));
        }
    }

    /// Masks secrets in a text for outputs and summary, because these do not pass through the log.
    pub fn redact(&self, text: &str) -> String {
        self.0.redactor.redact(text).into_owned()
    }

    /// Masks secrets in an output, except those that are part of one of the `ordinary` texts.
    pub fn redact_output(&self, text: &str, ordinary: &[String]) -> String {
        self.0.redactor.redact_sparing(text, ordinary).into_owned()
    }

    /// Returns the secrets of the run, for content that does not pass through the log.
    pub fn secrets(&self) -> Redactor {
        self.0.redactor.clone()
    }

    /// Returns the warnings so far.
    pub fn warnings(&self) -> Vec<String> {
        lock(&self.0.warnings).clone()
    }

    /// Begins the bundle of the run. It knows the secrets of this log.
    pub fn open_bundle(&self, start: RunStart) {
        let (bundle, opened) = RunBundle::open(start, self.0.redactor.clone());
        if let Err(error) = opened {
            self.warning(&error.to_string());
        }
        let _ = self.0.bundle.set(bundle);
    }

    /// Returns the bundle of the run, if the command has one.
    pub fn bundle(&self) -> Option<&RunBundle> {
        self.0.bundle.get()
    }

    /// Writes to the bundle of the run, if there is one. An error is a warning, because the run does not depend on it.
    pub fn keep_in_bundle<T>(&self, write: impl FnOnce(&RunBundle) -> Result<T, BundleError>) -> Option<T> {
        write(self.bundle()?).map_err(|error| self.warning(&error.to_string())).ok()
    }

    /// Keeps lines of a log from outside, such as the build log of a Space, in the bundle of the run.
    pub fn keep_lines(&self, name: &str, lines: &str) {
        self.keep_in_bundle(|bundle| bundle.add_log(name, lines));
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

    /// Writes commands for the runner, after resuming commands. A mask among stopped commands would be printed with the
    /// secret.
    fn command(&self, lines: &[String]) {
        let mut writer = lock(&self.0.writer);
        writer.resume_commands();
        writer.write(lines);
    }
}

/// Guard of a group of lines, which ends when it is dropped.
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

fn at(level: Level, place: &SourceLocation) -> Annotation<'_> {
    Annotation { file: Some(&place.file), line: place.line, ..Annotation::new(level, &place.message) }
}

fn spot(place: &SourceLocation) -> String {
    match place.line {
        Some(line) => format!("{}:{line}", place.file),
        None => place.file.clone(),
    }
}

/// Formats an annotation as a line: `error: README.md:3: message`.
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
pub(super) mod tests;
