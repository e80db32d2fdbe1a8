//! The container of a Job: a mount namespace with a root of its own, where this machine allows it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

/// Isolation of the processes on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Isolation {
    /// Namespaces of their own, made by `unshare` with these arguments.
    Namespaces(Vec<&'static str>),
    /// No namespaces. Mount paths in the command lead to a folder of the Job.
    Folder,
}

/// Arguments of `unshare`: as root, and as another user.
const ROOT: &[&str] = &["--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"];
const USER: &[&str] =
    &["--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"];

/// Makes the root of a container, and runs the command in it.
///
/// `$1` is an empty folder, `$2` is `yes` for an image without bash, and `source`, `target`, `ro` or `rw` of each volume
/// follow up to `--`.
const ENTER: &str = r#"
set -eu
root=$1 without_bash=$2
shift 2
mount -t tmpfs -o mode=755 job "$root"
for entry in /*; do
  name=${entry#/}
  if [ -L "$entry" ]; then
    cp -P "$entry" "$root/$name"
  elif [ "$name" = tmp ]; then
    mkdir -m 1777 "$root/tmp"
  elif [ "$name" = proc ]; then
    mkdir "$root/proc"
    mount -t proc proc "$root/proc"
  elif [ -d "$entry" ]; then
    mkdir "$root/$name"
    mount --rbind "$entry" "$root/$name"
  fi
done
if [ "$without_bash" = yes ]; then
  : >"$root/.no-bash"
  for shell in /bin/bash /usr/bin/bash; do
    if [ -e "$root$shell" ]; then mount --bind "$root/.no-bash" "$root$shell"; fi
  done
fi
while [ "$1" != -- ]; do
  mkdir -p "$root$2"
  mount --bind "$1" "$root$2"
  if [ "$3" = ro ]; then mount -o remount,bind,ro "$root$2"; fi
  shift 3
done
shift
exec chroot "$root" "$@"
"#;

/// A volume whose files are in a folder of this machine.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    pub(super) folder: PathBuf,
    pub(super) mount: String,
    pub(super) read_only: bool,
}

impl Isolation {
    /// Finds the strongest isolation of this machine. Prints the reason if there are no namespaces.
    pub(super) fn find() -> Self {
        let mut reason = String::new();
        for arguments in [ROOT, USER] {
            let tried = std::process::Command::new("unshare")
                .args(arguments)
                .args(["mount", "-t", "tmpfs", "job", "/mnt"])
                .stdin(Stdio::null())
                .output();
            match tried {
                Ok(output) if output.status.success() => return Self::Namespaces(arguments.to_vec()),
                Ok(output) => reason = String::from_utf8_lossy(&output.stderr).trim().to_owned(),
                Err(error) => reason = error.to_string(),
            }
        }
        eprintln!("Jobs run without namespaces of their own: {reason}");
        Self::Folder
    }

    /// Returns the command that runs `words` in the container. `root` is an empty folder.
    pub(super) fn command(
        &self,
        words: &[String],
        root: &Path,
        volumes: &[Bound],
        has_bash: bool,
    ) -> Command {
        match self {
            Self::Namespaces(arguments) => {
                let mut command = Command::new("unshare");
                let without_bash = if has_bash { "no" } else { "yes" };
                command.args(arguments).args(["sh", "-c", ENTER, "enter"]).arg(root).arg(without_bash);
                for volume in volumes {
                    let mode = if volume.read_only { "ro" } else { "rw" };
                    command.arg(&volume.folder).arg(&volume.mount).arg(mode);
                }
                command.arg("--").args(words).current_dir("/");
                command
            }
            Self::Folder => {
                // The path of each volume leads to its folder, and all other paths stay.
                let lead = |text: &String| {
                    let replace = |text: String, volume: &Bound| {
                        text.replace(&volume.mount, &volume.folder.to_string_lossy())
                    };
                    volumes.iter().fold(text.clone(), replace)
                };
                let words: Vec<String> = words.iter().map(lead).collect();
                let (program, arguments) =
                    words.split_first().map_or(("true", &[][..]), |(p, a)| (p.as_str(), a));
                let mut command = Command::new(program);
                command.args(arguments).current_dir(root);
                command
            }
        }
    }
}
