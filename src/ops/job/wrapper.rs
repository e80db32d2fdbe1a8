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

/// Returns the command of a Job that runs a script.
pub(super) fn command(script: &str, run: &RunId, has_checkout: bool) -> Vec<String> {
    let program = with_copy(WRAPPER, has_checkout);
    ["sh", "-c", program.as_str(), "hf-deploy", script, run.as_str()].map(str::to_owned).to_vec()
}

fn with_copy(wrapper: &str, has_checkout: bool) -> String {
    if has_checkout { format!("{COPY}{wrapper}") } else { wrapper.to_owned() }
}

/// Returns the command of a Job that runs a Python script.
pub(super) fn python_command(script: &PythonScript, run: &RunId, has_checkout: bool) -> Vec<String> {
    let PythonScript { text, name, path_in_checkout, python } = script;
    let (program, arguments) = match path_in_checkout.as_deref().filter(|_| has_checkout) {
        Some(path) => (with_copy(UV_FILE_WRAPPER, true), vec![path, run.as_str()]),
        None => (with_copy(UV_WRAPPER, has_checkout), vec![text.as_str(), run.as_str(), name.as_str()]),
    };
    let mut command = ["sh", "-c", program.as_str(), "hf-deploy"].map(str::to_owned).to_vec();
    let version = python.iter().flat_map(|version| ["--python", version]);
    command.extend(arguments.into_iter().chain(version).map(str::to_owned));
    command
}

/// Returns the exit code that a line of the log has from the wrapper. Output without a line break stands before it.
pub(super) fn exit_code(line: &str, run: &RunId) -> Option<i32> {
    let mark = format!("hf-deploy {run}: exit code ");
    let (_, code) = line.rsplit_once(&mark)?;
    code.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_code_is_read_from_the_end_of_a_line() {
        let run = RunId::from_label("gh-42-1-abc").unwrap();
        assert_eq!(exit_code("hf-deploy gh-42-1-abc: exit code 7", &run), Some(7));
        assert_eq!(exit_code("no newlinehf-deploy gh-42-1-abc: exit code 0", &run), Some(0));
        assert_eq!(exit_code("hf-deploy gh-42-1-xyz: exit code 7", &run), None);
        assert_eq!(exit_code("hf-deploy gh-42-1-abc: exit code x", &run), None);
    }

    #[test]
    fn wrapper_passes_on_the_exit_code_and_stops_at_the_first_error() {
        let run = RunId::from_label("r1").unwrap();
        for (script, code, printed) in [
            ("echo \"it's $((1 + 1))\"", 0, "it's 2\nhf-deploy r1: exit code 0\n"),
            ("echo a; exit 7; echo b", 7, "a\nhf-deploy r1: exit code 7\n"),
            ("false | true; echo b", 1, "hf-deploy r1: exit code 1\n"),
            ("echo $missing", 1, "hf-deploy r1: exit code 1\n"),
        ] {
            let command = command(script, &run, false);
            let output = std::process::Command::new(&command[0]).args(&command[1..]).output().unwrap();
            let log = String::from_utf8(output.stdout).unwrap();
            assert_eq!((output.status.code(), log.as_str()), (Some(code), printed), "{script}");
        }
    }
}
