use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use super::super::error::{EmptyReason, MissingReason};
use super::*;

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

/// Checks that reading fails with a message that has all of `texts`.
#[track_caller]
fn check_error(options: &SourceOptions, texts: &[&str]) {
    let message = read(options).unwrap_err().to_string();
    for text in texts {
        assert!(message.contains(text), "{text:?} is not in {message:?}");
    }
}

fn pointer_text() -> String {
    format!("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 9\n", "4d".repeat(32))
}

#[test]
fn all_files_are_read_but_those_that_are_never_sent() {
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
    assert!(source.left_out.special.is_empty() && source.left_out.ignored.is_empty());
}

#[test]
fn walk_and_filter_agree() {
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
            assert_eq!(source.filter.hides(path), !expected.contains(&path), "{path}");
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
    assert!(source.left_out.special.is_empty() && source.left_out.ignored.is_empty());
    let exclude = vec!["data/".to_owned(), "sub/shared/deep".to_owned()];
    let source = read(&SourceOptions { exclude, ..options(&folder) }).unwrap();
    assert_eq!(paths(&source), ["chain", "link", "real/deep/x", "real/file", "sub/shared/file"]);
}

#[test]
fn links_in_a_circle_are_named() {
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
    check_error(&options(&folder), &texts);
    let exclude = ["up", "self", "to-b"].map(str::to_owned).to_vec();
    let source = read(&SourceOptions { exclude, ..options(&folder) }).unwrap();
    assert_eq!(paths(&source), ["a/x", "ok"]);
}

#[test]
fn links_that_multiply_each_other_are_limited() {
    let folder = tempfile::tempdir().unwrap();
    for level in 0..20 {
        let path = folder.path().join(level.to_string());
        fs::create_dir(&path).unwrap();
        for link in ["l", "r"] {
            symlink(format!("../{}", level + 1), path.join(link)).unwrap();
        }
    }
    fs::create_dir(folder.path().join("20")).unwrap();
    check_error(&options(&folder), &["cannot follow ", "one of more than 10000 to folders"]);
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
    check_error(&options(&folder), &texts);
    let exclude = ["far*", "dangling", "circle", "token", "git"].map(str::to_owned).to_vec();
    assert_eq!(paths(&read(&SourceOptions { exclude, ..options(&folder) }).unwrap()), ["ok"]);
    let include = vec!["ok".to_owned()];
    assert_eq!(paths(&read(&SourceOptions { include, ..options(&folder) }).unwrap()), ["ok"]);
}

#[test]
fn pointers_are_named_unless_excluded() {
    let pointer = pointer_text();
    let folder = folder(&[("a.bin", &pointer), ("b/c.bin", &pointer), ("ok.bin", "x")]);
    check_error(&options(&folder), &["found a Git LFS pointer", "2 files: `a.bin`, `b/c.bin`"]);
    let exclude = vec!["/a.bin".to_owned(), "b".to_owned()];
    assert_eq!(paths(&read(&SourceOptions { exclude, ..options(&folder) }).unwrap()), ["ok.bin"]);
}

#[test]
fn names_that_the_hub_refuses_are_all_named() {
    let folder = folder(&[("a\nb", ""), ("..\\up", ""), ("back\\slash", ""), (".GIT/x", ""), ("fine", "")]);
    let latin1 = std::ffi::OsStr::from_bytes(b"caf\xe9");
    fs::write(folder.path().join(latin1), "").unwrap();
    let texts = [
        "the Hub refuses 4 paths",
        r#""a\nb" (has the control"#,
        r#""..\\up" (begins with `..\`"#,
        r#""caf\xE9" (is not UTF-8)"#,
        ".GIT/x",
    ];
    check_error(&options(&folder), &texts);
    let exclude = ["caf*", "a?b", "..*", ".GIT"].map(str::to_owned).to_vec();
    assert_eq!(
        paths(&read(&SourceOptions { exclude, ..options(&folder) }).unwrap()),
        ["back\\slash", "fine"]
    );
}

#[test]
fn file_over_the_limit_of_the_hub_is_refused() {
    let folder = folder(&[("ok", "")]);
    let sparse = fs::File::create(folder.path().join("huge")).unwrap();
    sparse.set_len(MAX_FILE_BYTES).unwrap();
    assert_eq!(read(&options(&folder)).unwrap().total_size(), MAX_FILE_BYTES);
    sparse.set_len(MAX_FILE_BYTES + 1).unwrap();
    check_error(&options(&folder), &["the Hub takes files of at most 500 GB", "`huge` has 500 GB"]);
}

#[test]
fn folders_with_nothing_to_deploy() {
    let empty = tempfile::tempdir().unwrap();
    check_error(&options(&empty), &["is empty", empty.path().to_str().unwrap()]);
    let below = |name: &str, parent: &tempfile::TempDir| SourceOptions {
        root: parent.path().join(name),
        ..SourceOptions::default()
    };
    let reason = |name: &str, parent: &tempfile::TempDir| match read(&below(name, parent)) {
        Err(Error::Missing(missing)) => missing.reason,
        other => panic!("not a missing folder: {other:?}"),
    };
    check_error(&below("dist", &empty), &["dist` does not exist"]);
    assert_eq!(reason("dist", &empty), MissingReason::EmptyCheckout);
    let full = folder(&[("file", ""), (".git/x", "")]);
    assert_eq!(reason("dist", &full), MissingReason::NotMade { similar: None });
    assert_eq!(reason("file/x", &full), MissingReason::NotMade { similar: None });
    check_error(&below("file", &full), &["file` is not a folder"]);
    let exclude = vec!["*".to_owned()];
    check_error(&SourceOptions { exclude, ..options(&full) }, &["nothing to deploy"]);
    let hidden_only = folder(&[(".git/x", "")]);
    check_error(&options(&hidden_only), &["nothing to deploy"]);
}

#[test]
fn empty_submodules_are_left_out() {
    let folder = folder(&[(".git/x", ""), (".gitmodules", "[submodule \"a\"]\npath = lib/a\n"), ("x", "")]);
    fs::create_dir_all(folder.path().join("lib/a")).unwrap();
    let source = read(&options(&folder)).unwrap();
    assert_eq!(source.left_out.empty_submodules, [Path::new("lib/a")]);
    let exclude = vec!["lib".to_owned()];
    let source = read(&SourceOptions { exclude, ..options(&folder) }).unwrap();
    assert!(source.left_out.empty_submodules.is_empty());
    let inner = SourceOptions { root: folder.path().join("lib/a"), ..SourceOptions::default() };
    assert!(matches!(read(&inner), Err(Error::Empty { reason: EmptyReason::Submodule, .. })));
}

#[test]
fn sockets_are_left_out() {
    let folder = folder(&[("x", ""), ("link", "-> socket")]);
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
    let source = read(&options(&folder)).unwrap();
    assert_eq!(paths(&source), ["x"]);
    assert_eq!(source.left_out.special, ["`link`", "`socket`"]);
}

#[test]
fn deep_folders_do_not_overflow_anything() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("d/".repeat(600));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("x"), "").unwrap();
    check_error(&options(&folder), &["the Hub refuses 1 path", "is longer than 1000 characters"]);
}

#[test]
fn files_that_a_gitignore_matches_are_neither_read_nor_checked() {
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
    assert_eq!(source.left_out.ignored, ignored);
    assert_eq!(source.left_out.caches.iter().collect::<Vec<_>>(), [".pytest_cache/"]);

    // A `.gitignore` that is left out has no effect.
    let exclude = vec![".gitignore".to_owned()];
    check_error(&SourceOptions { exclude, ..options(&folder) }, &["cannot follow", "`env/bin/python`"]);
}

#[test]
fn default_excludes_are_left_out() {
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
    let by_default = [".github/", "__pycache__/", "web/.DS_Store", "web/node_modules/"];
    assert_eq!(source.left_out.by_default, by_default);
    assert!(source.filter.hides("old/node_modules/x") && source.filter.hides(".github/x"));
    assert_eq!(read(&options(true, None)).unwrap().files.len(), 3, "a folder of a checkout");
    assert_eq!(read(&options(false, Some(folder.path()))).unwrap().files.len(), 6);
}

#[test]
fn patterns_that_match_nothing_are_unused() {
    let folder =
        folder(&[("a.py", ""), ("data/x.csv", ""), ("node_modules/y/z.js", ""), ("tests/old/z.txt", "")]);
    let with = |include: &[&str], exclude: &[&str]| {
        let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        let options = SourceOptions { include: owned(include), exclude: owned(exclude), ..options(&folder) };
        SourceOptions { default_excludes: true, ..options }
    };
    let unused = |options: &SourceOptions| -> Vec<String> {
        read(options).unwrap().unused_patterns.into_iter().map(|unused| unused.pattern).collect()
    };
    assert!(unused(&with(&["*.py", "data/"], &["tests/", "tests/old/", "*.js", "!x.csv", "# x"])).is_empty());
    assert_eq!(
        unused(&with(&["*.py", "*.rs"], &["*.kye", "data/, tests/", ".git*"])),
        ["*.rs", "*.kye", "data/, tests/"]
    );
    let error = read(&with(&["*.rs, *.go"], &[])).unwrap_err();
    let Error::NothingLeft { unused_patterns, left_out: 4, .. } = error else { panic!("{error:?}") };
    assert_eq!(unused_patterns[0].parts(), ["*.rs", "*.go"]);
}
