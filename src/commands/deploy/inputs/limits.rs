//! Limits of one commit, and of the deletions of a deploy.

use super::faults::Findings;
use super::parse::{Parsed, not_like, size};
use super::raw::Raw;
use super::value;
use crate::ops::deploy::options::{CommitLimits, DeleteLimit};

/// A number of files, or a percentage of those that are there.
pub(super) fn deletes(text: &str) -> Parsed<DeleteLimit> {
    let (digits, is_percent) =
        text.strip_suffix('%').map_or((text, false), |digits| (digits.trim_end(), true));
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.parse() {
        Ok(most) if plain && is_percent && most <= 100 => Ok(DeleteLimit::Percent(most)),
        Ok(most) if plain && !is_percent => Ok(DeleteLimit::Files(most)),
        _ => not_like("a number of files like `20`, or a percentage like `50%`", text),
    }
}

pub(super) fn read(raw: &Raw, findings: &mut Findings) -> Option<CommitLimits> {
    let files = value("max_commit_files", raw.max_commit_files.as_deref(), files, findings);
    let bytes = value("max_commit_size", raw.max_commit_size.as_deref(), size, findings);
    let usual = CommitLimits::default();
    Some(CommitLimits { files: files?.unwrap_or(usual.files), bytes: bytes?.unwrap_or(usual.bytes) })
}

fn files(text: &str) -> Parsed<usize> {
    match text.parse() {
        Ok(files) if files > 0 => Ok(files),
        _ => not_like("a number of files, like `1000`", text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deletions_are_limited_by_number_or_by_percentage() {
        assert_eq!(deletes("0").ok(), Some(DeleteLimit::Files(0)));
        assert_eq!(deletes("20").ok(), Some(DeleteLimit::Files(20)));
        assert_eq!(deletes("50 %").ok(), Some(DeleteLimit::Percent(50)));
        for text in ["", "%", "-1", "+1", "101%", "1.5", "half", "10 files"] {
            assert!(deletes(text).is_err(), "{text}");
        }
        assert!(DeleteLimit::Files(2).allows(2, 2) && !DeleteLimit::Files(2).allows(3, 9));
        assert!(DeleteLimit::Percent(50).allows(5, 10) && !DeleteLimit::Percent(50).allows(6, 10));
        assert!(DeleteLimit::Percent(0).allows(0, 0) && !DeleteLimit::Percent(0).allows(1, 1000));
    }

    #[test]
    fn sizes_and_numbers() {
        for (text, bytes) in [
            ("100MB", 100_000_000),
            ("512 kB", 512_000),
            ("1.5GB", 1_500_000_000),
            ("64KiB", 65_536),
            ("7", 7),
        ] {
            assert_eq!(size(text).ok(), Some(bytes), "{text}");
        }
        for text in ["", "0", "0MB", "MB", "1.5", "-1", "1 XB", "18446744073709551615GB"] {
            assert!(size(text).is_err(), "{text}");
        }
        assert_eq!(files("1").ok(), Some(1));
        assert!(files("0").is_err() && files("many").is_err() && files("-1").is_err());
    }
}
