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
        (".gitignore", "# nothing"),
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
        let options = SourceOptions { include: owned(include), exclude: owned(exclude), ..options(&folder) };
        let source = read(&options).unwrap();
        assert_eq!(paths(&source), expected);
        for path in all {
            assert_eq!(source.rules.hides(path), !expected.contains(&path), "{path}");
        }
    }
}

#[test]
fn links_are_followed_inside_the_source() {
    let folder = folder(&[
        ("real/file", "content"),
        ("real/deep/x", ""),
        ("real/.hfignore", "*.tmp"),
        ("real/y.tmp", ""),
        ("link", "-> real/file"),
        ("chain", "-> link"),
        ("data", "-> real"),
        ("sub/shared", "-> ../data"),
    ]);
    let source = read(&options(&folder)).unwrap();
    assert_eq!(
        paths(&source),
        [
            "chain",
            "data/deep/x",
            "data/file",
            "link",
            "real/deep/x",
            "real/file",
            "sub/shared/deep/x",
            "sub/shared/file",
        ]
    );
    for path in ["chain", "data/file", "sub/shared/file"] {
        assert_eq!(source.get(path).unwrap().read_to_vec().unwrap(), b"content");
        assert_eq!(source.get(path).unwrap().size, 7);
    }
    assert_eq!((source.notes.len(), source.warnings.len()), (0, 0));
    let exclude = vec!["data/".to_owned(), "sub/shared/deep".to_owned()];
    let source = read(&SourceOptions { exclude, ..options(&folder) }).unwrap();
    assert_eq!(paths(&source), ["chain", "link", "real/deep/x", "real/file", "sub/shared/file"]);
}

#[test]
fn links_that_go_round_in_circles_are_named() {
    let folder = folder(&[
        ("a/x", ""),
        ("a/up", "-> .."),
        ("a/self", "-> ."),
        ("b/to-c", "-> ../c"),
        ("c/to-b", "-> ../b"),
        ("ok", ""),
    ]);
    let texts = [
        "4 symbolic links: ",
        "`a/self` leads to `a`, in which it lies",
        "`a/up` leads to `.`, in which it lies",
        "`b/to-c/to-b` leads to `b`",
        "`c/to-b/to-c` leads to `c`",
    ];
    check_failure(&options(&folder), Code::LinkOutsideSource, &texts);
    let exclude = ["up", "self", "to-b"].map(str::to_owned).to_vec();
    let source = read(&SourceOptions { exclude, ..options(&folder) }).unwrap();
    assert_eq!(paths(&source), ["a/x", "ok"]);
}

#[test]
fn links_that_multiply_each_other_come_to_an_end() {
    let folder = tempfile::tempdir().unwrap();
    for level in 0..20 {
        let path = folder.path().join(level.to_string());
        fs::create_dir(&path).unwrap();
        for link in ["l", "r"] {
            symlink(format!("../{}", level + 1), path.join(link)).unwrap();
        }
    }
    fs::create_dir(folder.path().join("20")).unwrap();
    check_failure(&options(&folder), Code::LinkOutsideSource, &["one of more than 10000 to folders"]);
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
        ("git", "-> .git"),
    ]);
    symlink(outside.path().join("secret"), folder.path().join("far")).unwrap();
    symlink(outside.path(), folder.path().join("far-folder")).unwrap();
    let texts = [
        "6 symbolic links: ",
        "`far-folder` leads out of the source folder, to `/",
        "`git` leads into `.git`",
        "`dangling` leads to nothing",
        "`circle` cannot be followed",
        "`far` leads out of the source folder, to `/",
        "`token` leads into `.git/config`",
    ];
    check_failure(&options(&folder), Code::LinkOutsideSource, &texts);
    let exclude = ["far*", "dangling", "circle", "token", "git"].map(str::to_owned).to_vec();
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
    assert_eq!(
        paths(&read(&SourceOptions { exclude, ..options(&folder) }).unwrap()),
        ["back\\slash", "fine"]
    );
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
    let folder = folder(&[(".git/x", ""), (".gitmodules", "[submodule \"a\"]\npath = lib/a\n"), ("x", "")]);
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

#[test]
fn what_a_gitignore_matches_is_neither_taken_nor_judged() {
    let pointer = pointer_text();
    let folder = folder(&[
        (".gitignore", "env/\nvendor/\n*.db\n!keep.db\nbad\\name\n"),
        ("env/bin/python", "-> /usr/bin/env"),
        ("vendor/model.bin", &pointer),
        ("users.db", ""),
        ("keep.db", ""),
        ("sub/.gitignore", "/local\n!fine.db\n"),
        ("sub/local/dangling", "-> nowhere"),
        ("sub/fine.db", ""),
        ("sub/deep/local", ""),
        (".pytest_cache/.gitignore", "# by pytest\n*\n"),
        (".pytest_cache/README.md", ""),
        ("pkg/.gitignore", "*\n"),
        ("pkg/app.wasm", ""),
    ]);
    let source = read(&options(&folder)).unwrap();
    let expected = [".gitignore", "keep.db", "sub/.gitignore", "sub/deep/local", "sub/fine.db"];
    assert_eq!(paths(&source), expected);
    let ignored = ["env/", "pkg/.gitignore", "pkg/app.wasm", "sub/local/", "users.db", "vendor/"];
    assert_eq!(source.ignored, ignored);
    assert_eq!(source.notes, ["left out, because their own `.gitignore` says so: `.pytest_cache/`"]);

    // One that is left out itself has no say.
    let exclude = vec![".gitignore".to_owned()];
    check_failure(
        &SourceOptions { exclude, ..options(&folder) },
        Code::LinkOutsideSource,
        &["`env/bin/python`"],
    );
}

#[test]
fn the_defaults_are_left_out_and_told() {
    let folder = folder(&[
        (".github/workflows/x.yml", ""),
        (".venv/bin/python", "-> /usr/bin/env"),
        ("web/node_modules/a/.gitignore", ""),
        ("__pycache__/x.pyc", ""),
        ("web/.DS_Store", ""),
        ("web/.github/x", ""),
        ("x", ""),
    ]);
    let options = |default_excludes, workspace: Option<&Path>| SourceOptions {
        default_excludes,
        workspace: workspace.map(Path::to_owned),
        exclude: vec![".venv".to_owned()],
        ..options(&folder)
    };
    let source = read(&options(true, Some(folder.path()))).unwrap();
    assert_eq!(paths(&source), ["web/.github/x", "x"]);
    let told = "left out by default: `.github/`, `__pycache__/`, `web/.DS_Store`, `web/node_modules/` \
                (`default_excludes: false` sends them)";
    assert_eq!(source.notes, [told]);
    assert!(source.rules.hides("old/node_modules/x") && source.rules.hides(".github/x"));
    assert_eq!(read(&options(true, None)).unwrap().files.len(), 3, "a folder of a checkout");
    assert_eq!(read(&options(false, Some(folder.path()))).unwrap().files.len(), 6);
}

#[test]
fn patterns_that_match_nothing_are_known() {
    let folder =
        folder(&[("a.py", ""), ("data/x.csv", ""), ("node_modules/y/z.js", ""), ("tests/old/z.txt", "")]);
    let with = |include: &[&str], exclude: &[&str]| {
        let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        let options = SourceOptions { include: owned(include), exclude: owned(exclude), ..options(&folder) };
        SourceOptions { default_excludes: true, ..options }
    };
    let idle = |options: &SourceOptions| -> Vec<String> {
        read(options).unwrap().idle.iter().map(IdlePattern::warning).collect()
    };
    assert!(idle(&with(&["*.py", "data/"], &["tests/", "tests/old/", "*.js", "!x.csv", "# x"])).is_empty());
    assert_eq!(
        idle(&with(&["*.py", "*.rs"], &["*.kye", "data/, tests/", ".git*"])),
        [
            "`include`: the pattern `*.rs` matches nothing",
            "`exclude`: the pattern `*.kye` matches nothing",
            "`exclude`: the pattern `data/, tests/` matches nothing: write `data/` and `tests/`, each on a line of its own",
        ]
    );
    let failure = read(&with(&["*.rs, *.go"], &[])).unwrap_err();
    assert!(
        failure.hints.iter().any(|hint| hint.ends_with("each on a line of its own")),
        "{:?}",
        failure.hints
    );
}
