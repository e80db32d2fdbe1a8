//! Executable files that a Dockerfile starts. They lose their mode, because the Hub's commits have no file modes.

use std::os::unix::fs::PermissionsExt as _;

use super::sdk::{DOCKERFILE, instructions};
use super::{FileContent, Source, SourceFile};

/// A file that is not executable on the Hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartedFile {
    /// Path relative to the folder.
    pub path: String,
    /// Path as the Dockerfile names it.
    pub command: String,
}

/// Programs that start the command after them.
const WRAPPERS: &[&str] =
    &["tini", "dumb-init", "catatonit", "env", "exec", "nohup", "time", "gosu", "su-exec"];
const SHELLS: &[&str] = &["sh", "bash", "ash", "dash", "zsh"];

/// Finds the executable files of the folder that the Dockerfile starts and does not make executable itself.
pub fn files_started_by_mode(source: &Source) -> Vec<StartedFile> {
    let Some(dockerfile) = source.text(DOCKERFILE) else { return Vec::new() };
    let mut started: Vec<StartedFile> = Vec::new();
    for command in commands(&dockerfile) {
        let Some(file) = file_of(&command, source) else { continue };
        let path = file.path.as_str();
        let is_new = started.iter().all(|other| other.path != path);
        if is_new && is_executable(file) && !sets_mode(&dockerfile, path) {
            started.push(StartedFile { path: path.to_owned(), command });
        }
    }
    started
}

/// Returns the programs that the build and the last stage start.
fn commands(dockerfile: &str) -> Vec<String> {
    let (mut built, mut entry, mut arguments) = (Vec::new(), None, None);
    for instruction in instructions(dockerfile) {
        let Some((name, rest)) = instruction.trim().split_once(char::is_whitespace) else { continue };
        let rest = rest.trim().to_owned();
        match name.to_ascii_uppercase().as_str() {
            "FROM" => (entry, arguments) = (None, None),
            "RUN" => built.extend(started_words(without_flags(&rest))),
            "ENTRYPOINT" => entry = Some(rest),
            "CMD" => arguments = Some(rest),
            _ => {}
        }
    }
    let last = match (entry, arguments) {
        (Some(entry), arguments) => {
            let words = started_words(&entry);
            // A wrapper alone starts the program of CMD. Other entry points take CMD as their arguments.
            let starts_cmd = words.is_empty();
            let cmd = arguments.filter(|_| starts_cmd).map(|cmd| started_words(&cmd));
            words.into_iter().chain(cmd.into_iter().flatten()).collect()
        }
        (None, Some(cmd)) => started_words(&cmd),
        (None, None) => Vec::new(),
    };
    built.extend(last);
    built
}

/// Removes flags such as `--mount=…` before the command of a `RUN`.
fn without_flags(mut command: &str) -> &str {
    while command.starts_with("--") {
        let Some((_, rest)) = command.split_once(char::is_whitespace) else { return "" };
        command = rest.trim_start();
    }
    command
}

/// Returns the program of a command in exec form (JSON) or shell form.
fn started_words(command: &str) -> Vec<String> {
    match serde_json::from_str::<Vec<String>>(command) {
        Ok(words) => started_of(&words),
        Err(_) => shell_words(command),
    }
}

/// Returns the program of each simple command in a line of shell.
fn shell_words(line: &str) -> Vec<String> {
    line.split(['&', '|', ';', '\n', '(', ')'])
        .flat_map(|simple| {
            let words: Vec<String> = simple
                .split_whitespace()
                .map(|word| word.trim_matches(['"', '\'']).to_owned())
                .skip_while(|word| word.contains('=') && !word.contains('/'))
                .collect();
            started_of(&words)
        })
        .collect()
}

fn started_of(words: &[String]) -> Vec<String> {
    let Some((program, rest)) = words.split_first() else { return Vec::new() };
    let name = program.rsplit('/').next().unwrap_or(program);
    if SHELLS.contains(&name) {
        let line = rest.iter().position(|word| word.starts_with('-') && word.ends_with('c'));
        return line.and_then(|at| rest.get(at + 1)).map_or_else(Vec::new, |line| shell_words(line));
    }
    if WRAPPERS.contains(&name) {
        let options = |word: &&String| word.starts_with('-') || word.contains('=');
        let skipped = rest.iter().take_while(options).count();
        // The first argument of `gosu` and `su-exec` is a user.
        let user = usize::from(matches!(name, "gosu" | "su-exec"));
        return started_of(rest.get(skipped + user..).unwrap_or_default());
    }
    vec![program.clone()]
}

/// Returns the file of the folder that a command probably names: the one with the longest common end of the path.
fn file_of<'a>(command: &str, source: &'a Source) -> Option<&'a SourceFile> {
    let mut end = command.trim_start_matches("./").trim_start_matches('/');
    loop {
        if let Some(file) = source.get(end) {
            return Some(file);
        }
        (_, end) = end.split_once('/')?;
    }
}

/// Returns true if the file on the disk may be executed.
pub fn is_executable(file: &SourceFile) -> bool {
    let FileContent::Disk(path) = &file.content else { return false };
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0)
}

/// Returns true if a line of the Dockerfile sets the mode of this file, by its name or with others.
fn sets_mode(dockerfile: &str, path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    dockerfile.replace("\\\n", " ").lines().filter(|line| line.contains("chmod")).any(|line| {
        let copies = line
            .trim_start()
            .get(..4)
            .is_some_and(|word| ["COPY", "ADD "].contains(&word.to_ascii_uppercase().as_str()));
        line.contains(name)
            || line.contains('*')
            || line.contains(" -R")
            || (copies && copies_folder_of(line, path))
    })
}

/// Returns true if a line such as `COPY --chmod=755 scripts/ /app/` copies this file with its folder.
fn copies_folder_of(line: &str, path: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().skip(1).filter(|word| !word.starts_with("--")).collect();
    let sources = words.split_last().map_or(&[][..], |(_, sources)| sources);
    sources.iter().any(|source| {
        let folder = source.trim_start_matches("./").trim_end_matches('/');
        folder.is_empty()
            || folder == "."
            || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::{SourceOptions, read};
    use super::*;

    /// A folder with a Dockerfile and the executables `start.sh` and `bin/run`.
    fn started(dockerfile: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        fs::write(folder.path().join(DOCKERFILE), dockerfile).unwrap();
        for (name, mode) in [("start.sh", 0o755), ("bin/run", 0o755), ("app.py", 0o755), ("plain.sh", 0o644)]
        {
            let path = folder.path().join(name);
            fs::write(&path, "#!/bin/sh\n").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let options = SourceOptions { root: folder.path().to_owned(), ..SourceOptions::default() };
        let found = files_started_by_mode(&read(&options).unwrap());
        found.into_iter().map(|started| format!("{} {}", started.path, started.command)).collect()
    }

    #[test]
    fn started_executables_are_found() {
        for (dockerfile, expected) in [
            ("FROM x\nCOPY . /app\nENTRYPOINT [\"/app/start.sh\"]\n", "start.sh /app/start.sh"),
            ("FROM x\nCMD [\"./start.sh\", \"--port\", \"80\"]\n", "start.sh ./start.sh"),
            ("FROM x\nCMD ./bin/run --fast\n", "bin/run ./bin/run"),
            ("FROM x\nCMD cd /app && PORT=80 exec ./start.sh\n", "start.sh ./start.sh"),
            ("FROM x\nENTRYPOINT [\"tini\", \"--\", \"/app/bin/run\"]\n", "bin/run /app/bin/run"),
            (
                "FROM x\nENTRYPOINT [\"/usr/bin/tini\", \"--\"]\nCMD [\"/app/start.sh\"]\n",
                "start.sh /app/start.sh",
            ),
            ("FROM x\nCMD [\"sh\", \"-c\", \"./start.sh\"]\n", "start.sh ./start.sh"),
            ("FROM x\nCOPY start.sh /usr/local/bin/\nentrypoint [\"start.sh\"]\n", "start.sh start.sh"),
            (
                "FROM x\nRUN --mount=type=cache,target=/c ./bin/run build\nCMD [\"python\"]\n",
                "bin/run ./bin/run",
            ),
        ] {
            assert_eq!(started(dockerfile), [expected], "{dockerfile}");
        }
    }

    #[test]
    fn commands_that_work_on_the_hub_are_accepted() {
        for dockerfile in [
            "FROM x\nCMD [\"python\", \"app.py\"]\n",
            "FROM x\nENTRYPOINT [\"python\"]\nCMD [\"app.py\"]\n",
            "FROM x\nCMD sh ./start.sh\n",
            "FROM x\nCMD [\"bash\", \"/app/start.sh\"]\n",
            "FROM x\nCOPY . .\nRUN chmod +x start.sh\nCMD ./start.sh\n",
            "FROM x\nCOPY . .\nRUN apt-get update && \\\n    chmod 755 /app/start.sh\nCMD ./start.sh\n",
            "FROM x\nRUN chmod -R 755 /app\nCMD ./start.sh\n",
            "FROM x\nRUN chmod +x /app/*.sh\nCMD ./start.sh\n",
            "FROM x\nCOPY --chmod=755 start.sh /app/\nCMD ./start.sh\n",
            "FROM x\nCOPY --chmod=755 . /app/\nCMD ./start.sh\n",
            "FROM x\nCOPY --chmod=0755 bin/ /app/bin/\nCMD ./bin/run\n",
            "FROM x\nCMD ./plain.sh\n",
            "FROM x\nCMD ./elsewhere.sh\n",
            "FROM x AS a\nCMD ./start.sh\nFROM y\nCMD [\"nginx\"]\n",
            "FROM x\nRUN mkdir bin\nCMD run\n",
            "",
        ] {
            assert_eq!(started(dockerfile), [""; 0], "{dockerfile}");
        }
    }
}
