//! The walk through the source folder, and everything that can be wrong with it.

use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::faults::{Faults, MAX_FILE_BYTES, bad_path, full_folders, name_some, shown};
use super::root::{SUBMODULE_HINT, find_root, nothing_to_deploy};
use super::rules::{IGNORE_FILE, never_travels};
use super::submodules::empty_submodules;
use super::{Content, HashCache, Rules, Source, SourceFile, SourceOptions, pointer};
use crate::failure::Result;
use crate::target::RepoPath;

pub(super) fn read(options: &SourceOptions) -> Result<Source> {
    let rules = Rules::new(&options.include, &options.exclude)?;
    let root = find_root(&options.root)?;
    let mut walk = Walk {
        root: &root,
        rules,
        cache: options.cache.as_ref(),
        own: options.cache.as_ref().map(|cache| cache.place()),
        seen: Seen::default(),
        faults: Faults::default(),
    };
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        walk.folder(&folder, &mut folders)?;
    }
    let Walk { rules, mut seen, mut faults, .. } = walk;
    seen.files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    faults.too_large.extend(full_folders(&seen.files));
    faults.into_result()?;
    if seen.files.is_empty() {
        return Err(nothing_to_deploy(&root, seen.hidden));
    }
    let notes = seen.notes();
    let mut warnings = seen.warnings();
    warnings.extend(submodule_warning(&root, &rules));
    Ok(Source { root, files: seen.files, rules, notes, warnings })
}

struct Walk<'a> {
    root: &'a Path,
    rules: Rules,
    cache: Option<&'a Arc<HashCache>>,
    /// The file that the cache lives in, which never travels.
    own: Option<PathBuf>,
    seen: Seen,
    faults: Faults,
}

/// What was found. Names are as messages show them.
#[derive(Default)]
struct Seen {
    files: Vec<SourceFile>,
    /// How many files and folders the rules left out.
    hidden: usize,
    folder_links: Vec<String>,
    folder_links_outside: Vec<String>,
    special: Vec<String>,
}

impl Walk<'_> {
    /// Looks at each entry of `folder` (relative to the root) and adds the folders in it to `folders`.
    fn folder(&mut self, folder: &Path, folders: &mut Vec<PathBuf>) -> Result<()> {
        let entries: io::Result<Vec<DirEntry>> =
            fs::read_dir(self.root.join(folder)).and_then(|entries| entries.collect());
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) => {
                self.faults.unreadable.push((shown(folder), error));
                return Ok(());
            }
        };
        if entries.iter().any(|entry| entry.file_name() == IGNORE_FILE) {
            self.ignore_file(folder)?;
        }
        for entry in entries {
            let path = folder.join(entry.file_name());
            let looked_at = entry.file_type().and_then(|kind| {
                if kind.is_dir() {
                    if self.rules.hides_entry(&path, true) {
                        self.seen.hidden += 1;
                    } else {
                        folders.push(path.clone());
                    }
                    return Ok(());
                }
                if self.rules.hides_entry(&path, false) || !self.rules.includes(&path) {
                    self.seen.hidden += 1;
                    return Ok(());
                }
                if kind.is_symlink() {
                    return self.link(&path);
                }
                self.file(&path, entry.path(), &entry.metadata()?)
            });
            if let Err(error) = looked_at {
                self.faults.unreadable.push((shown(&path), error));
            }
        }
        Ok(())
    }

    fn ignore_file(&mut self, folder: &Path) -> Result<()> {
        match fs::read(self.root.join(folder).join(IGNORE_FILE)) {
            Ok(content) => self.rules.add_ignore_file(folder, &content)?,
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {}
            Err(error) => self.faults.unreadable.push((shown(&folder.join(IGNORE_FILE)), error)),
        }
        Ok(())
    }

    /// Takes the file at `disk` as `path`.
    fn file(&mut self, path: &Path, disk: PathBuf, metadata: &Metadata) -> io::Result<()> {
        if !metadata.is_file() {
            self.seen.special.push(shown(path));
            return Ok(());
        }
        if self.own.as_ref() == Some(&disk) {
            self.seen.hidden += 1;
            return Ok(());
        }
        let Some(text) = path.to_str() else {
            self.faults.names.push(bad_path(path, "is not UTF-8"));
            return Ok(());
        };
        let repo_path = match text.parse::<RepoPath>() {
            Ok(repo_path) => repo_path,
            Err(error) => {
                self.faults.names.push(bad_path(path, &error.to_string()));
                return Ok(());
            }
        };
        let size = metadata.len();
        if size > MAX_FILE_BYTES {
            self.faults.too_large.push(format!("{} has {} GB", shown(path), size / 1_000_000_000));
        }
        if pointer::is_pointer_file(&disk, size)? {
            self.faults.pointers.push(shown(path));
        }
        self.seen.files.push(SourceFile {
            path: repo_path,
            content: Content::Disk(disk),
            size,
            cache: self.cache.cloned(),
        });
        Ok(())
    }

    /// Takes what the symbolic link `path` leads to, if that is a file inside the source.
    ///
    /// The target is judged by its canonical path, so a chain of links, or a `..` behind one, cannot lead
    /// out. What never travels by its own name does not travel by another one either: `.git/config` may
    /// hold the token of the checkout.
    fn link(&mut self, path: &Path) -> io::Result<()> {
        let target = match fs::canonicalize(self.root.join(path)) {
            Ok(target) => target,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.faults.links.push(format!("{} leads to nothing", shown(path)));
                return Ok(());
            }
            Err(error) => {
                self.faults.links.push(format!("{} cannot be followed ({error})", shown(path)));
                return Ok(());
            }
        };
        let metadata = fs::metadata(&target)?;
        let inside = target.strip_prefix(self.root).ok();
        if metadata.is_dir() {
            // `data/` in a list means this link too, though git takes a link for a file.
            if self.rules.hides_entry(path, true) {
                self.seen.hidden += 1;
            } else if inside.is_some() {
                self.seen.folder_links.push(shown(path));
            } else {
                self.seen.folder_links_outside.push(shown(path));
            }
            return Ok(());
        }
        match inside {
            None => self.faults.links.push(format!("{} leads to {}", shown(path), shown(&target))),
            Some(inside) if never_travels(inside) => {
                self.faults.links.push(format!("{} leads into {}", shown(path), shown(inside)));
            }
            Some(_) => self.file(path, target, &metadata)?,
        }
        Ok(())
    }
}

impl Seen {
    fn notes(&mut self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.folder_links.is_empty() {
            self.folder_links.sort_unstable();
            notes.push(format!("links to folders are not followed: {}", name_some(&self.folder_links)));
        }
        notes
    }

    fn warnings(&mut self) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.folder_links_outside.is_empty() {
            self.folder_links_outside.sort_unstable();
            warnings.push(format!(
                "links to folders outside the source are not followed, what they lead to is not deployed: {}",
                name_some(&self.folder_links_outside)
            ));
        }
        if !self.special.is_empty() {
            self.special.sort_unstable();
            warnings.push(format!(
                "not deployed, since neither a file nor a folder: {}",
                name_some(&self.special)
            ));
        }
        warnings
    }
}

fn submodule_warning(root: &Path, rules: &Rules) -> Option<String> {
    let hidden = |path: &Path| path.ancestors().any(|folder| rules.hides_entry(folder, true));
    let empty: Vec<String> =
        empty_submodules(root).iter().filter(|path| !hidden(path)).map(|path| shown(path)).collect();
    if empty.is_empty() {
        return None;
    }
    Some(format!(
        "{} empty, so nothing of it is deployed: {}; {SUBMODULE_HINT}",
        if empty.len() == 1 { "a submodule folder is" } else { "some submodule folders are" },
        name_some(&empty)
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::failure::Code;

    /// A folder with these files; a content of `-> x` makes a link to x.
    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            match content.strip_prefix("-> ") {
                Some(target) => symlink(target, path).unwrap(),
                None => fs::write(path, content).unwrap(),
            }
        }
        folder
    }

    fn options(folder: &tempfile::TempDir) -> SourceOptions {
        SourceOptions { root: folder.path().to_owned(), ..SourceOptions::default() }
    }

    fn paths(source: &Source) -> Vec<&str> {
        source.files.iter().map(|file| file.path.as_str()).collect()
    }

    #[track_caller]
    fn check_failure(options: &SourceOptions, code: Code, texts: &[&str]) {
        let failure = read(options).unwrap_err();
        assert_eq!(failure.code, code, "{failure}");
        for text in texts {
            assert!(failure.message.contains(text), "{text:?} is not in {:?}", failure.message);
        }
        assert!(!failure.hints.is_empty());
    }

    fn pointer_text() -> String {
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 9\n", "4d".repeat(32))
    }

    #[test]
    fn everything_travels_but_what_never_does() {
        let folder = folder(&[
            ("b", "22"),
            ("a/b #?%'\".txt", ""),
            ("a.txt", "1"),
            ("ü/u\u{308}", "1"),
            (".env", "1"),
            (".gitignore", "*"),
            (".git/config", "secret"),
            ("sub/.git", "gitdir: elsewhere"),
            (".cache/huggingface/x", "1"),
            (".hfignore", "# nothing"),
        ]);
        fs::create_dir(folder.path().join("empty")).unwrap();
        let source = read(&options(&folder)).unwrap();
        assert_eq!(paths(&source), [".env", ".gitignore", "a.txt", "a/b #?%'\".txt", "b", "ü/u\u{308}"]);
        assert_eq!(source.root, folder.path().canonicalize().unwrap());
        assert_eq!(source.get("b").unwrap().size, 2);
        assert_eq!((source.notes.len(), source.warnings.len()), (0, 0));
    }

    #[test]
    fn the_walk_and_the_rules_agree() {
        let folder = folder(&[
            (".hfignore", "*.tmp"),
            ("x.tmp", ""),
            ("x.py", ""),
            ("raw/x.py", ""),
            ("a/.hfignore", "!y.tmp\n/only"),
            ("a/y.tmp", ""),
            ("a/only/x", ""),
            ("a/z.py", ""),
            ("a/b/only", ""),
            ("notes.md", ""),
        ]);
        let all = ["x.tmp", "x.py", "raw/x.py", "a/y.tmp", "a/only/x", "a/z.py", "a/b/only", "notes.md"];
        let lists: [(&[&str], &[&str], &[&str]); 3] = [
            (&[], &[], &["a/b/only", "a/y.tmp", "a/z.py", "notes.md", "raw/x.py", "x.py"]),
            (&["*.py", "a/"], &["raw/"], &["a/b/only", "a/y.tmp", "a/z.py", "x.py"]),
            (&["!*.py"], &["!x.tmp"], &["a/b/only", "a/y.tmp", "notes.md", "x.tmp"]),
        ];
        for (include, exclude, expected) in lists {
            let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
            let options =
                SourceOptions { include: owned(include), exclude: owned(exclude), ..options(&folder) };
            let source = read(&options).unwrap();
            assert_eq!(paths(&source), expected);
            for path in all {
                assert_eq!(source.rules.hides(path), !expected.contains(&path), "{path}");
            }
        }
    }

    #[test]
    fn links_to_files_travel_and_links_to_folders_do_not() {
        let outside = folder(&[("secret", "")]);
        let folder = folder(&[
            ("real/file", "content"),
            ("link", "-> real/file"),
            ("chain", "-> link"),
            ("folder", "-> real"),
            ("loop/up", "-> .."),
        ]);
        symlink(outside.path(), folder.path().join("far")).unwrap();
        let source = read(&options(&folder)).unwrap();
        assert_eq!(paths(&source), ["chain", "link", "real/file"]);
        assert_eq!(source.get("chain").unwrap().read_to_vec().unwrap(), b"content");
        assert_eq!(source.get("chain").unwrap().size, 7);
        assert_eq!(source.notes, ["links to folders are not followed: `folder`, `loop/up`"]);
        assert_eq!(source.warnings.len(), 1);
        assert!(source.warnings[0].ends_with(": `far`"));

        let quiet = SourceOptions { exclude: vec!["far/".into(), "folder".into()], ..options(&folder) };
        let source = read(&quiet).unwrap();
        assert_eq!(source.notes, ["links to folders are not followed: `loop/up`"]);
        assert!(source.warnings.is_empty());
    }

    #[test]
    fn links_that_lead_out_are_all_named() {
        let outside = folder(&[("secret", "")]);
        let folder = folder(&[
            ("ok", ""),
            (".git/config", "token"),
            ("dangling", "-> nowhere"),
            ("circle", "-> circle"),
            ("token", "-> .git/config"),
        ]);
        symlink(outside.path().join("secret"), folder.path().join("far")).unwrap();
        let texts = [
            "4 symbolic links",
            "`dangling` leads to nothing",
            "`circle` cannot be followed",
            "`far` leads to `/",
            "`token` leads into `.git/config`",
        ];
        check_failure(&options(&folder), Code::LinkOutsideSource, &texts);
        let exclude = ["far", "dangling", "circle", "token"].map(str::to_owned).to_vec();
        assert_eq!(paths(&read(&SourceOptions { exclude, ..options(&folder) }).unwrap()), ["ok"]);
        let include = vec!["ok".to_owned()];
        assert_eq!(paths(&read(&SourceOptions { include, ..options(&folder) }).unwrap()), ["ok"]);
    }

    #[test]
    fn pointers_are_named_unless_excluded() {
        let pointer = pointer_text();
        let folder = folder(&[("a.bin", &pointer), ("b/c.bin", &pointer), ("ok.bin", "x")]);
        check_failure(&options(&folder), Code::LfsPointer, &["2 files: `a.bin`, `b/c.bin`"]);
        let exclude = vec!["/a.bin".to_owned(), "b".to_owned()];
        assert_eq!(paths(&read(&SourceOptions { exclude, ..options(&folder) }).unwrap()), ["ok.bin"]);
    }

    #[test]
    fn names_that_the_hub_refuses_are_all_named() {
        let folder = folder(&[("a\nb", ""), ("..\\up", ""), ("back\\slash", ""), (".GIT/x", ""), ("fine", "")]);
        let latin1 = std::ffi::OsStr::from_bytes(b"caf\xe9");
        fs::write(folder.path().join(latin1), "").unwrap();
        let texts = [
            "4 paths",
            r#""a\nb" (has the control"#,
            r#""..\\up" (begins with `..\`"#,
            r#""caf\xE9" (is not UTF-8)"#,
            ".GIT/x",
        ];
        check_failure(&options(&folder), Code::InvalidPath, &texts);
        let exclude = ["caf*", "a?b", "..*", ".GIT"].map(str::to_owned).to_vec();
        assert_eq!(paths(&read(&SourceOptions { exclude, ..options(&folder) }).unwrap()), ["back\\slash", "fine"]);
    }

    #[test]
    fn limits_of_the_hub() {
        let folder = folder(&[("ok", "")]);
        let sparse = fs::File::create(folder.path().join("huge")).unwrap();
        sparse.set_len(MAX_FILE_BYTES).unwrap();
        assert_eq!(read(&options(&folder)).unwrap().total_size(), MAX_FILE_BYTES);
        sparse.set_len(MAX_FILE_BYTES + 1).unwrap();
        check_failure(&options(&folder), Code::SourceTooLarge, &["`huge` has 500 GB"]);
    }

    #[test]
    fn folders_with_nothing_to_deploy() {
        let empty = tempfile::tempdir().unwrap();
        check_failure(&options(&empty), Code::SourceMissing, &["is empty", empty.path().to_str().unwrap()]);
        let missing = |name: &str, parent: &tempfile::TempDir| SourceOptions {
            root: parent.path().join(name),
            ..SourceOptions::default()
        };
        check_failure(&missing("dist", &empty), Code::SourceMissing, &["dist` does not exist"]);
        assert!(read(&missing("dist", &empty)).unwrap_err().hints[0].contains("actions/checkout"));
        let full = folder(&[("file", ""), (".git/x", "")]);
        assert!(read(&missing("dist", &full)).unwrap_err().hints[0].contains("before this step"));
        check_failure(&missing("file", &full), Code::SourceMissing, &["file` is not a folder"]);
        check_failure(&missing("file/x", &full), Code::SourceMissing, &["does not exist"]);
        let exclude = vec!["*".to_owned()];
        let options = SourceOptions { exclude, ..options(&full) };
        check_failure(&options, Code::SourceMissing, &["nothing to deploy"]);
        let hidden_only = folder(&[(".git/x", "")]);
        check_failure(&missing("", &hidden_only), Code::SourceMissing, &["nothing to deploy"]);
    }

    #[test]
    fn empty_submodules_are_warned_about() {
        let folder =
            folder(&[(".git/x", ""), (".gitmodules", "[submodule \"a\"]\npath = lib/a\n"), ("x", "")]);
        fs::create_dir_all(folder.path().join("lib/a")).unwrap();
        let source = read(&options(&folder)).unwrap();
        assert_eq!(source.warnings.len(), 1);
        assert!(source.warnings[0].contains("`lib/a`"), "{:?}", source.warnings);
        assert!(source.warnings[0].contains("`submodules: true`"));
        let exclude = vec!["lib".to_owned()];
        assert!(read(&SourceOptions { exclude, ..options(&folder) }).unwrap().warnings.is_empty());
        let inner = SourceOptions { root: folder.path().join("lib/a"), ..SourceOptions::default() };
        assert!(read(&inner).unwrap_err().hints[0].contains("`submodules: true`"));
    }

    #[test]
    fn sockets_are_left_out_and_told() {
        let folder = folder(&[("x", ""), ("link", "-> socket")]);
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
        let source = read(&options(&folder)).unwrap();
        assert_eq!(paths(&source), ["x"]);
        assert_eq!(source.warnings, ["not deployed, since neither a file nor a folder: `link`, `socket`"]);
    }

    #[test]
    fn deep_folders_do_not_overflow_anything() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("d/".repeat(600));
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("x"), "").unwrap();
        check_failure(&options(&folder), Code::InvalidPath, &["is longer than 1000 characters"]);
    }
}
