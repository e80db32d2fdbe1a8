//! `.gitattributes` and `.gitignore`: rules for large files and for ignored files.

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::core::repo_type::RepoType;

const LFS_RULE: &str = " filter=lfs diff=lfs merge=lfs -text\n";

/// Patterns of a new model or Space: with the rule they make the Hub's file of 1519 bytes.
const COMMON: &str = "*.7z *.arrow *.bin *.bz2 *.ckpt *.ftz *.gz *.h5 *.joblib *.lfs.* *.mlmodel *.model *.msgpack \
    *.npy *.npz *.onnx *.ot *.parquet *.pb *.pickle *.pkl *.pt *.pth *.rar *.safetensors saved_model/**/* *.tar.* \
    *.tar *.tflite *.tgz *.wasm *.xz *.zip *.zst *tfevents*";

/// Patterns of a new dataset; a part that starts with `#` is a comment line.
const DATASET: [(&str, &str); 6] = [
    (
        "",
        "*.7z *.arrow *.avro *.bin *.bz2 *.ckpt *.ftz *.gz *.h5 *.joblib *.lfs.* *.lz4 *.mds *.mlmodel *.model \
         *.msgpack *.npy *.npz *.onnx *.ot *.parquet *.pb *.pickle *.pkl *.pt *.pth *.rar *.safetensors \
         saved_model/**/* *.tar.* *.tar *.tflite *.tgz *.wasm *.xz *.zip *.zst *tfevents*",
    ),
    ("# Audio files - uncompressed", "*.pcm *.sam *.raw"),
    ("# Audio files - compressed", "*.aac *.flac *.mp3 *.ogg *.wav"),
    ("# Image files - uncompressed", "*.bmp *.gif *.png *.tiff"),
    ("# Image files - compressed", "*.jpg *.jpeg *.webp"),
    ("# Video files - compressed", "*.mp4 *.webm"),
];

/// Returns the `.gitattributes` of a new repository.
pub(crate) fn initial(repo_type: RepoType) -> String {
    let mut out = String::new();
    if repo_type == RepoType::Dataset {
        for (comment, patterns) in DATASET {
            if !comment.is_empty() {
                out.push_str(comment);
                out.push('\n');
            }
            push_rules(&mut out, patterns);
        }
    } else {
        push_rules(&mut out, COMMON);
    }
    out
}

fn push_rules(out: &mut String, patterns: &str) {
    for pattern in patterns.split_whitespace() {
        out.push_str(pattern);
        out.push_str(LFS_RULE);
    }
}

/// Appends a rule for one path (white space is written as git's attribute files need it).
pub(crate) fn append_rule(text: &mut String, path: &str) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&path.replace(' ', "[[:space:]]"));
    text.push_str(LFS_RULE);
}

/// The large-file rules of a `.gitattributes` file; the last matching line wins.
pub(crate) struct LfsRules(Gitignore);

impl LfsRules {
    pub(crate) fn parse(text: &str) -> Self {
        let mut builder = GitignoreBuilder::new("");
        for line in text.lines() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let mut words = line.split_whitespace();
            let Some(pattern) = words.next() else { continue };
            let pattern = pattern.replace("[[:space:]]", "\\ ").replace('!', "\\!");
            for word in words {
                let rule = match word {
                    "filter=lfs" => pattern.clone(),
                    "-filter" | "!filter" => format!("!{pattern}"),
                    other if other.starts_with("filter=") => format!("!{pattern}"),
                    _ => continue,
                };
                // A pattern git itself would not understand matches nothing.
                let _ = builder.add_line(None, &rule);
            }
        }
        Self(builder.build().unwrap_or_else(|_| Gitignore::empty()))
    }

    /// Returns true if git filters this path through LFS.
    pub(crate) fn matches(&self, path: &str) -> bool {
        self.0.matched(path, false).is_ignore()
    }
}

/// The rules of a `.gitignore` at the root.
pub(crate) struct IgnoreRules(Gitignore);

impl IgnoreRules {
    pub(crate) fn parse(text: &str) -> Self {
        let mut builder = GitignoreBuilder::new("");
        for line in text.lines() {
            let _ = builder.add_line(None, line);
        }
        Self(builder.build().unwrap_or_else(|_| Gitignore::empty()))
    }

    pub(crate) fn matches(&self, path: &str) -> bool {
        self.0.matched_path_or_any_parents(path, false).is_ignore()
    }
}

/// Returns true if the first bytes of a file look binary: a NUL, another control character, or bytes that are not
/// UTF-8. A character cut off at the end of the sample is allowed.
pub(crate) fn looks_binary(sample: &[u8]) -> bool {
    let text = match std::str::from_utf8(sample) {
        Ok(text) => text,
        Err(e) if e.error_len().is_none() && sample.len() - e.valid_up_to() < 4 && sample.len() >= 256 => {
            std::str::from_utf8(&sample[..e.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return true,
    };
    text.chars().any(|c| matches!(c, '\0'..='\x06' | '\x0e'..='\x1a' | '\x7f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initial_files_have_the_size_of_the_hubs() {
        assert_eq!(initial(RepoType::Space).len(), 1519);
        assert_eq!(initial(RepoType::Model).len(), 1519);
        assert!(initial(RepoType::Dataset).contains("*.webp"));
    }

    #[test]
    fn rules_match_like_git() {
        let mut text = initial(RepoType::Model);
        text.push_str("data/*.csv filter=lfs\n*.bin -filter\n");
        append_rule(&mut text, "my file.txt");
        let rules = LfsRules::parse(&text);
        for (path, lfs) in [
            ("model.safetensors", true),
            ("deep/er/x.zip", true),
            ("saved_model/a/b.txt", true),
            ("events.tfevents.1", true),
            ("data/a.csv", true),
            ("other/data/a.csv", false),
            ("w.bin", false),
            ("app.py", false),
            ("my file.txt", true),
        ] {
            assert_eq!(rules.matches(path), lfs, "{path}");
        }
    }

    #[test]
    fn ignore_rules_match_folders_and_exceptions() {
        let rules = IgnoreRules::parse("*.log\nbuild/\n!keep.log\n");
        assert!(rules.matches("a.log") && rules.matches("build/x/y.txt") && rules.matches("d/b.log"));
        assert!(!rules.matches("keep.log") && !rules.matches("builds/x"));
    }

    #[test]
    fn binary_samples_are_detected() {
        assert!(!looks_binary("héllo\n\t".as_bytes()) && !looks_binary(b""));
        assert!(
            looks_binary(b"\x89PNG\r\n\x1a\n") && looks_binary(b"a\0b") && looks_binary(&[0xff, 0xfe, b'a'])
        );
    }
}
