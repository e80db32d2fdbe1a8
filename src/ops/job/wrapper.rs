//! The wrapper around the script of a Job.

use super::options::{PythonScript, RunId};

/// Folder in which the checkout is mounted for the wrapper, which copies it.
pub(super) const SOURCE: &str = "/hf-deploy/source";
/// File that lists the executable files of the checkout, because buckets have no file modes.
pub(super) const EXECUTABLES: &str = ".hf-deploy-executables";

/// Shell program that makes a copy of the checkout the working directory.
const COPY: &str = r#"mkdir -p /workspace && cp -R /hf-deploy/source/. /workspace/ && cd /workspace || exit 125
if [ -f .hf-deploy-executables ]; then
  while IFS= read -r file; do chmod +x "./$file"; done <.hf-deploy-executables
  rm -f .hf-deploy-executables
fi
"#;

/// Shell program that announces an attempt in the log. `$2` is the id of the run.
const ANNOUNCEMENT: &str = "echo \"hf-deploy $2: attempt begins\"\n";

/// Shell program that runs the script in `$1` and prints its exit code. `$2` is the id of the run.
const WRAPPER: &str = r#"if command -v bash >/dev/null 2>&1; then
  bash -euo pipefail -c "$1"
else
  sh -eu -c "$1"
fi
code=$?
echo "hf-deploy $2: exit code $code"
exit "$code""#;

/// Shell program that writes the Python script in `$1` to a file of the name `$3`, runs it by `uv`, and prints its exit
/// code. `$2` is the id of the run, and the options of `uv run` follow.
const UV_WRAPPER: &str = r#"script=$1 run=$2 name=$3
shift 3
folder=$(mktemp -d)
printf '%s' "$script" >"$folder/$name"
uv run "$@" "$folder/$name"
code=$?
echo "hf-deploy $run: exit code $code"
exit "$code""#;

/// The same for the file `$1` of the checkout.
const UV_FILE_WRAPPER: &str = r#"file=$1 run=$2
shift 2
uv run "$@" "./$file"
code=$?
echo "hf-deploy $run: exit code $code"
exit "$code""#;

/// Longest script in bytes. Linux takes arguments of up to 128 KiB (execve(2), `MAX_ARG_STRLEN`).
pub const MAX_SCRIPT: usize = 100 << 10;

/// Circumstances of a script.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting<'a> {
    pub(super) run: &'a RunId,
    pub(super) has_checkout: bool,
    /// The log of the Job may have several attempts, one after the other.
    pub(super) has_attempts: bool,
}

/// Returns the command of a Job that runs a script.
pub(super) fn command(script: &str, setting: Setting<'_>) -> Vec<String> {
    let program = setting.prepare(WRAPPER);
    ["sh", "-c", program.as_str(), "hf-deploy", script, setting.run.as_str()].map(str::to_owned).to_vec()
}

impl Setting<'_> {
    /// Returns the wrapper with what comes before the script.
    fn prepare(self, wrapper: &str) -> String {
        let announcement = if self.has_attempts { ANNOUNCEMENT } else { "" };
        let copy = if self.has_checkout { COPY } else { "" };
        [announcement, copy, wrapper].concat()
    }
}

/// Returns the command of a Job that runs a Python script.
pub(super) fn python_command(script: &PythonScript, setting: Setting<'_>) -> Vec<String> {
    let PythonScript { text, name, path_in_checkout, python } = script;
    let run = setting.run.as_str();
    let (program, arguments) = match path_in_checkout.as_deref().filter(|_| setting.has_checkout) {
        Some(path) => (setting.prepare(UV_FILE_WRAPPER), vec![path, run]),
        None => (setting.prepare(UV_WRAPPER), vec![text.as_str(), run, name.as_str()]),
    };
    let mut command = ["sh", "-c", program.as_str(), "hf-deploy"].map(str::to_owned).to_vec();
    let version = python.iter().flat_map(|version| ["--python", version]);
    command.extend(arguments.into_iter().chain(version).map(str::to_owned));
    command
}

/// Line of the log that the wrapper wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// An attempt began.
    Begin,
    /// The script ended with this exit code.
    Exit(i32),
}

/// Returns the mark that a line of the log has from the wrapper. Output without a line break stands before it.
pub(super) fn mark(line: &str, run: &RunId) -> Option<Mark> {
    let (_, mark) = line.rsplit_once(&format!("hf-deploy {run}: "))?;
    match mark.strip_prefix("exit code ") {
        Some(code) => code.parse().ok().map(Mark::Exit),
        None => (mark == "attempt begins").then_some(Mark::Begin),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_from_the_end_of_a_line() {
        let run = RunId::from_label("gh-42-1-abc").unwrap();
        for (line, expected) in [
            ("hf-deploy gh-42-1-abc: exit code 7", Some(Mark::Exit(7))),
            ("no newlinehf-deploy gh-42-1-abc: exit code 0", Some(Mark::Exit(0))),
            ("no newlinehf-deploy gh-42-1-abc: attempt begins", Some(Mark::Begin)),
            ("hf-deploy gh-42-1-xyz: exit code 7", None),
            ("hf-deploy gh-42-1-abc: exit code x", None),
            ("hf-deploy gh-42-1-abc: attempt begins now", None),
        ] {
            assert_eq!(mark(line, &run), expected, "{line}");
        }
    }

    #[test]
    fn wrapper_passes_on_the_exit_code_and_stops_at_the_first_error() {
        let run = RunId::from_label("r1").unwrap();
        let once = Setting { run: &run, has_checkout: false, has_attempts: false };
        let announced = command("echo a", Setting { has_attempts: true, ..once });
        let output = std::process::Command::new(&announced[0]).args(&announced[1..]).output().unwrap();
        assert_eq!(output.stdout, b"hf-deploy r1: attempt begins\na\nhf-deploy r1: exit code 0\n");
        for (script, code, printed) in [
            ("echo \"it's $((1 + 1))\"", 0, "it's 2\nhf-deploy r1: exit code 0\n"),
            ("echo a; exit 7; echo b", 7, "a\nhf-deploy r1: exit code 7\n"),
            ("false | true; echo b", 1, "hf-deploy r1: exit code 1\n"),
            ("echo $missing", 1, "hf-deploy r1: exit code 1\n"),
        ] {
            let command = command(script, once);
            let output = std::process::Command::new(&command[0]).args(&command[1..]).output().unwrap();
            let log = String::from_utf8(output.stdout).unwrap();
            assert_eq!((output.status.code(), log.as_str()), (Some(code), printed), "{script}");
        }
    }
}
