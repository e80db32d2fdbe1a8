//! The container of a Job: a mount namespace with a root of its own, where this machine allows it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

/// Isolation of the processes on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Isolation {
    /// Namespaces of their own, made by `unshare` with these arguments.
    Namespaces(Vec<&'static str>),
    /// No namespaces. Mount paths in the command lead to folders of the Job.
    Folder,
}

/// Working directory that a command makes for itself, which this machine must not get.
const WORKSPACE: &str = "/workspace";

/// Folder in a container with the programs of its image.
const PROGRAMS: &str = "/image";

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
  elif [ "$name" = root ] && [ ! -w /root ]; then
    mkdir -m 700 "$root/root"
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bound {
    pub(super) folder: PathBuf,
    pub(super) mount: String,
    pub(super) read_only: bool,
}

/// Programs that the images have and this machine has not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Programs {
    pub(super) bound: Vec<Bound>,
    /// Folders in front of `PATH`.
    pub(super) path: Option<String>,
}

impl Isolation {
    /// Finds the strongest isolation of this machine. Prints the reason if there are no namespaces.
    pub(super) fn find() -> Self {
        Self::by("unshare").unwrap_or_else(|reason| {
            eprintln!("Jobs run without namespaces of their own: {reason}");
            Self::Folder
        })
    }

    /// Tries the namespaces that `program` makes. Returns the reason if there are none.
    fn by(program: &str) -> Result<Self, String> {
        let mut reason = String::new();
        for arguments in [ROOT, USER] {
            let tried = std::process::Command::new(program)
                .args(arguments)
                .args(["mount", "-t", "tmpfs", "job", "/mnt"])
                .stdin(Stdio::null())
                .output();
            match tried {
                Ok(output) if output.status.success() => return Ok(Self::Namespaces(arguments.to_vec())),
                Ok(output) => reason = String::from_utf8_lossy(&output.stderr).trim().to_owned(),
                Err(error) => reason = format!("cannot run `{program}`: {error}"),
            }
        }
        Err(reason)
    }

    /// Returns the home of the user in the container.
    pub(super) fn home<'a>(&self, root: &'a Path) -> &'a Path {
        match self {
            Self::Namespaces(_) => Path::new("/root"),
            Self::Folder => root,
        }
    }

    /// Returns the places of the programs in the folders of `path`, which may belong to a home that is closed to other
    /// users of the container. The folder above `bin` comes with it, because programs find their libraries there.
    pub(super) fn programs(&self, path: Option<&str>) -> Programs {
        let Self::Namespaces(_) = self else {
            return Programs { bound: Vec::new(), path: path.map(str::to_owned) };
        };
        let folders = path.into_iter().flat_map(|path| path.split(':')).enumerate();
        let placed = folders.map(|(number, folder)| {
            let mount = format!("{PROGRAMS}/{number}");
            let (folder, place) = match folder.strip_suffix("/bin") {
                Some(above) => (above, format!("{mount}/bin")),
                None => (folder, mount.clone()),
            };
            (Bound { folder: folder.into(), mount, read_only: true }, place)
        });
        let (bound, places): (Vec<Bound>, Vec<String>) = placed.unzip();
        Programs { bound, path: path.map(|_| places.join(":")) }
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
                let workspace = (WORKSPACE, root.join("workspace"));
                let mut places: Vec<(&str, PathBuf)> =
                    volumes.iter().map(|volume| (volume.mount.as_str(), volume.folder.clone())).collect();
                if volumes.iter().all(|volume| volume.mount != WORKSPACE) {
                    places.push(workspace);
                }
                let words: Vec<String> = words.iter().map(|word| lead(word, &places)).collect();
                let (program, arguments) =
                    words.split_first().map_or(("true", &[][..]), |(p, a)| (p.as_str(), a));
                let mut command = Command::new(program);
                command.args(arguments).current_dir(root);
                command
            }
        }
    }
}

/// Replaces each path in a text that begins at one of the `places` by a path in its folder.
fn lead(text: &str, places: &[(&str, PathBuf)]) -> String {
    let is_of_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let (mut led, mut rest, mut before) = (String::with_capacity(text.len()), text, None);
    while let Some(first) = rest.chars().next() {
        let is_inside = before.is_some_and(|c| is_of_name(c) || c == '/');
        let place = places.iter().filter(|_| !is_inside).find_map(|(mount, folder)| {
            let after = rest.strip_prefix(mount)?;
            (!after.starts_with(is_of_name)).then_some((folder, after))
        });
        if let Some((folder, after)) = place {
            led.push_str(&folder.to_string_lossy());
            (before, rest) = (None, after);
        } else {
            led.push(first);
            (before, rest) = (Some(first), &rest[first.len_utf8()..]);
        }
    }
    led
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_without_namespaces_has_a_reason() {
        let reason = Isolation::by("/no/such/unshare").unwrap_err();
        assert!(reason.starts_with("cannot run `/no/such/unshare`: "), "{reason}");
        assert_eq!(Isolation::by("false"), Err(String::new()));
    }

    #[test]
    fn programs_of_an_image_have_a_place_that_all_users_reach() {
        let container = Isolation::Namespaces(ROOT.to_vec());
        let programs = container.programs(Some("/home/ada/a:/home/ada/b/bin"));
        assert_eq!(programs.path.as_deref(), Some("/image/0:/image/1/bin"));
        let mounts: Vec<_> = programs.bound.iter().map(|one| (one.folder.to_str(), one.read_only)).collect();
        assert_eq!(mounts, [(Some("/home/ada/a"), true), (Some("/home/ada/b"), true)]);
        assert_eq!(container.programs(None), Programs { bound: Vec::new(), path: None });
        let path = Isolation::Folder.programs(Some("/home/ada/a")).path;
        assert_eq!(path.as_deref(), Some("/home/ada/a"));
    }

    #[test]
    fn only_whole_paths_lead_to_the_folders_of_a_job() {
        let places = [("/output", PathBuf::from("/j/o")), ("/workspace", PathBuf::from("/j/w"))];
        for (text, expected) in [
            ("cp a /output && cd /workspace/x", "cp a /j/o && cd /j/w/x"),
            ("--junitxml=/output/junit.xml '/output'", "--junitxml=/j/o/junit.xml '/j/o'"),
            ("cat /outputs data/output ./output //output", "cat /outputs data/output ./output //output"),
            ("ü/output", "ü/output"),
        ] {
            assert_eq!(lead(text, &places), expected);
        }
    }
}
