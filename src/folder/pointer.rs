//! Git LFS pointers: small files that replace large ones in a checkout without LFS.
//!
//! Source of the rule: the Git LFS specification, "The Pointer" (`docs/spec.md` of git-lfs).

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

const FIRST_LINE: &str = "version https://git-lfs.github.com/spec/v1";

/// The shortest text with a version, an `oid sha256:` and a `size` line. Shorter files are not opened.
const MIN_POINTER: u64 = 120;

/// "Pointer files must be less than 1024 bytes in size": longer files are not opened.
const MAX_POINTER: u64 = 1024;

/// Reports whether the file at `path` is a pointer. Opens it only if `size` is that of a pointer.
pub(super) fn is_pointer_file(path: &Path, size: u64) -> io::Result<bool> {
    if !(MIN_POINTER..=MAX_POINTER).contains(&size) {
        return Ok(false);
    }
    let mut content = Vec::new();
    File::open(path)?.take(MAX_POINTER + 1).read_to_end(&mut content)?;
    Ok(is_pointer(&content))
}

/// Reports whether `content` is a pointer: the version line first, then lines of `key value`, among them an `oid` and a
/// `size`.
fn is_pointer(content: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(content) else { return false };
    let mut lines = text.lines();
    if lines.next() != Some(FIRST_LINE) {
        return false;
    }
    let (mut oid, mut size) = (false, false);
    for line in lines {
        match line.split_once(' ') {
            Some(("oid", value)) => oid = is_oid(value),
            Some(("size", value)) => size = value.parse::<u64>().is_ok(),
            _ => {}
        }
    }
    oid && size
}

fn is_oid(value: &str) -> bool {
    let hex = value.strip_prefix("sha256:").unwrap_or_default();
    hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointer_has_a_version_an_oid_and_a_size() {
        let oid = format!("oid sha256:{}", "4d".repeat(32));
        let good = format!("{FIRST_LINE}\n{oid}\nsize 12345\n");
        assert!(good.len() as u64 >= MIN_POINTER);
        let cases = [
            (good.clone(), true),
            (good.replace('\n', "\r\n"), true),
            (format!("{FIRST_LINE}\n{oid}\nsize 1"), true),
            (format!("{FIRST_LINE}\next-0-foo sha256:{}\n{oid}\nsize 1\n", "ab".repeat(32)), true),
            (format!("\n{good}"), false),
            (format!("{FIRST_LINE}\n{oid}\n"), false),
            (format!("{FIRST_LINE}\noid sha256:beef\nsize 1\n"), false),
            (format!("{FIRST_LINE}\n{oid}\nsize many\n"), false),
            (format!("# About pointers\n{good}"), false),
            (String::new(), false),
        ];
        for (content, expected) in cases {
            assert_eq!(is_pointer(content.as_bytes()), expected, "{content:?}");
        }
        assert!(!is_pointer(b"version https://git-lfs.github.com/spec/v1\n\xff"));
    }
}
