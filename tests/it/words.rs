//! The words to avoid, in all text of this repository.
//!
//! Comments, messages and pages use the words of an engineer at the terminal: they name the actor, and doc comments
//! start with a verb or a noun.

use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use crate::contract::read;

/// Words and phrases to avoid.
const WORDS: &str =
    r"(?i)(\b|_)(told|tells|whoever|nobody|somebody|so many|so long|(are|has|have) to be|is to|aside)(\b|_)";

/// First words of doc comments and docstrings to avoid.
const FIRST_WORDS: &str =
    r#"^\s*(//[/!] |""")(What|Whatever|Whether|Who|Whoever|Whose|Where|Why|How|When|That)\b"#;

/// Lines that may have such a word: the path, a part of the line, and the reason.
const ALLOWED: &[(&str, &str, &str)] = &[];

/// Endings of files that are recorded, generated, or binary.
const SKIPPED: &[&str] = &[".snap", ".snap.new", ".lock", ".png", "package-lock.json"];

/// Folders with recorded or mutated text of other programs.
const SKIPPED_FOLDERS: &[&str] =
    &["tests/fixtures/space-logs/", "tests/fuzz/corpus/", "proxy-template/tests/corpus/"];

struct Hit {
    path: String,
    number: usize,
    line: String,
}

impl Hit {
    fn is_allowed(&self) -> bool {
        ALLOWED.iter().any(|(path, part, _)| self.path == *path && self.line.contains(part))
    }
}

/// Finds the words to avoid in a file. A word that occurs twice in a line counts twice.
fn hits(path: &str, text: &str) -> Vec<Hit> {
    // Compiled once, because there are hundreds of files.
    static WORDS_REGEX: LazyLock<Regex> = LazyLock::new(|| Regex::new(WORDS).unwrap());
    static FIRST_WORDS_REGEX: LazyLock<Regex> = LazyLock::new(|| Regex::new(FIRST_WORDS).unwrap());
    let (words, first_words) = (&*WORDS_REGEX, &*FIRST_WORDS_REGEX);
    let mut hits = Vec::new();
    let mut was_doc = false;
    for (index, line) in text.lines().enumerate() {
        let is_doc = line.trim_start().starts_with("///") || line.trim_start().starts_with("//!");
        let count = words.find_iter(line).count() + usize::from(!was_doc && first_words.is_match(line));
        was_doc = is_doc;
        let hit = || Hit { path: path.to_owned(), number: index + 1, line: line.trim().to_owned() };
        hits.extend((0..count).map(|_| hit()).filter(|hit| !hit.is_allowed()));
    }
    hits
}

/// Returns the paths of the text files in the repository, without ignored ones.
fn paths() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let walk = ignore::WalkBuilder::new(root).hidden(false).build();
    let files = walk.map(|entry| entry.unwrap()).filter(|entry| entry.path().is_file());
    let paths = files.map(|entry| entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned());
    let is_text = |path: &String| {
        !path.starts_with(".git/")
            && path != ".git"
            && path != "tests/it/words.rs"
            && !SKIPPED.iter().any(|end| path.ends_with(end))
            && !SKIPPED_FOLDERS.iter().any(|folder| path.starts_with(folder))
    };
    paths.filter(is_text).collect()
}

#[test]
fn no_text_has_words_to_avoid() {
    let mut found = Vec::new();
    for path in paths() {
        let bytes = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(&path)).unwrap();
        // Seeds of fuzzers and samples are binary.
        let Ok(text) = String::from_utf8(bytes) else { continue };
        let hits = hits(&path, &text);
        found.extend(hits.iter().map(|hit| format!("{}:{}: {}", hit.path, hit.number, hit.line)));
    }
    assert!(found.is_empty(), "{} words to avoid:\n{}", found.len(), found.join("\n"));
}

#[test]
fn words_to_avoid_are_found() {
    for (text, count) in [
        ("the caller is told, and nobody answers", 2),
        ("so long\nas it has to be", 2),
        ("/// What it returns.", 1),
        ("/// Returns the name.\n/// What follows is a detail.", 0),
        ("//! Where it stands.\nfn a() {}\n    /// Whether it is.", 2),
        ("    \"\"\"Whether it is.\"\"\"", 1),
        ("// What a comment says is free to begin like this", 0),
        ("fn callers_are_told() {}", 1),
        ("it is to run, and its address is tomorrow's", 1),
        ("/// Why it stays.", 1),
        ("untold, besides", 0),
    ] {
        assert_eq!(hits("x.rs", text).len(), count, "{text}");
    }
}

#[test]
fn allowed_lines_exist_and_have_a_reason() {
    for (path, part, reason) in ALLOWED {
        assert!(!reason.is_empty(), "{path}: {part}");
        assert!(read(path).lines().any(|line| line.contains(part)), "{path} has no line with `{part}`");
    }
}
