//! The splits of files: by their names, as the `datasets` library finds them, or by patterns.

use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// Words in names, with the split that they mean (`SPLIT_KEYWORDS` of the library).
const KEYWORDS: [(&str, &str); 11] = [
    ("train", "train"),
    ("training", "train"),
    ("validation", "validation"),
    ("valid", "validation"),
    ("val", "validation"),
    ("dev", "validation"),
    ("test", "test"),
    ("testing", "test"),
    ("eval", "test"),
    ("evaluation", "test"),
    ("evaluate", "test"),
];

/// Error of a file whose split is not clear.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// Words of two splits in one name.
    #[error("has the words of two splits in its name: `{0}` and `{1}`")]
    TwoWords(String, String),
    /// Patterns of two splits match.
    #[error("is matched by two splits: `{0}` and `{1}`")]
    TwoPatterns(String, String),
}

/// Returns the split that the path of a file names; `None` if it names none.
///
/// The name of the file decides, then the nearest folder. In a folder `data`, `NAME-00000-of-00003` names any split.
pub fn split_by_name(path: &str) -> Result<Option<String>, SplitError> {
    let parts: Vec<&str> = path.split('/').rev().collect();
    if let [file, "data", ..] = parts.as_slice()
        && let Some(name) = shard_name(file)
    {
        return Ok(Some(name.to_owned()));
    }
    for part in parts {
        if let Some(split) = split_of_words(part)? {
            return Ok(Some(split.to_owned()));
        }
    }
    Ok(None)
}

/// Returns the name in front of `-00000-of-00003.…`.
fn shard_name(file: &str) -> Option<&str> {
    let stem = file.split('.').next()?;
    let (rest, total) = stem.rsplit_once("-of-")?;
    let (name, number) = rest.rsplit_once('-')?;
    let is_number = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(total) && is_number(number) && is_split_name(name)).then_some(name)
}

fn split_of_words(name: &str) -> Result<Option<&'static str>, SplitError> {
    let lower = name.to_lowercase();
    let mut found: Option<&'static str> = None;
    for word in lower.split(|c: char| !c.is_alphabetic()) {
        let Some((_, split)) = KEYWORDS.iter().find(|(keyword, _)| *keyword == word) else { continue };
        match found {
            Some(first) if first != *split => {
                return Err(SplitError::TwoWords(first.to_owned(), (*split).to_owned()));
            }
            _ => found = Some(split),
        }
    }
    Ok(found)
}

/// Returns true for a name that the library accepts for a split: words of letters, digits and `_`, with dots between.
pub fn is_split_name(name: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '_');
    name.split('.').all(is_word) && name != "all"
}

/// Splits with the patterns of their files.
#[derive(Debug, Clone)]
pub struct NamedSplits {
    splits: Vec<(String, Gitignore)>,
}

impl NamedSplits {
    /// Makes the splits, in their order. A split may stand more than once.
    ///
    /// # Errors
    ///
    /// A pattern is not valid: the pattern, and the reason.
    pub fn new<'a>(
        patterns: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> std::result::Result<Self, (String, String)> {
        let mut builders: Vec<(String, GitignoreBuilder)> = Vec::new();
        for (split, pattern) in patterns {
            let at = builders.iter().position(|(name, _)| name == split).unwrap_or_else(|| {
                builders.push((split.to_owned(), GitignoreBuilder::new("")));
                builders.len() - 1
            });
            let added = builders[at].1.add_line(None, pattern);
            added.map_err(|error| (pattern.to_owned(), error.to_string()))?;
        }
        let splits = builders.into_iter().map(|(name, builder)| {
            let built = builder.build().map_err(|error| (name.clone(), error.to_string()))?;
            Ok((name, built))
        });
        Ok(Self { splits: splits.collect::<std::result::Result<_, (String, String)>>()? })
    }

    /// Returns the names of the splits.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.splits.iter().map(|(name, _)| name.as_str())
    }

    /// Returns the split of the file at a path; `None` if no pattern matches.
    pub fn split_of(&self, path: &str) -> std::result::Result<Option<&str>, SplitError> {
        let matching = |matcher: &Gitignore| matcher.matched_path_or_any_parents(path, false).is_ignore();
        let mut found = self.splits.iter().filter(|(_, matcher)| matching(matcher));
        match (found.next(), found.next()) {
            (Some((first, _)), Some((second, _))) => {
                Err(SplitError::TwoPatterns(first.clone(), second.clone()))
            }
            (first, _) => Ok(first.map(|(name, _)| name.as_str())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_and_folders_have_splits() {
        for (path, split) in [
            ("train.jsonl", Some("train")),
            ("my_train_set.csv", Some("train")),
            ("Training-01.csv", Some("train")),
            ("train1.csv", Some("train")),
            ("trainer.csv", None),
            ("valid/part-0.csv", Some("validation")),
            ("train/dev.csv", Some("validation")),
            ("data/train-00000-of-00002.parquet", Some("train")),
            ("data/easy_2-00000-of-00001.parquet", Some("easy_2")),
            ("easy-00000-of-00001.parquet", None),
            ("en/test/a/b.json", Some("test")),
            ("rows.csv", None),
        ] {
            assert_eq!(split_by_name(path).unwrap().as_deref(), split, "{path}");
        }
        let error = split_by_name("train-test.csv").unwrap_err();
        assert_eq!(error.to_string(), "has the words of two splits in its name: `train` and `test`");
    }

    #[test]
    fn patterns_name_splits() {
        let splits = NamedSplits::new([("train", "a/*.csv"), ("hard", "/b/"), ("train", "c.csv")]).unwrap();
        for (path, split) in [
            ("a/1.csv", Some("train")),
            ("x/c.csv", Some("train")),
            ("b/deep/2.csv", Some("hard")),
            ("x/b/2.csv", None),
        ] {
            assert_eq!(splits.split_of(path).unwrap(), split, "{path}");
        }
        let both = NamedSplits::new([("one", "*.csv"), ("two", "a.csv")]).unwrap();
        assert!(both.split_of("a.csv").is_err());
        assert!(NamedSplits::new([("one", "a{")]).is_err());
    }

    #[test]
    fn names_of_splits_are_words() {
        assert!(is_split_name("train") && is_split_name("a_1.b") && is_split_name("größe"));
        for name in ["", "all", "a-b", "a..b", "a b", "."] {
            assert!(!is_split_name(name), "{name}");
        }
    }
}
