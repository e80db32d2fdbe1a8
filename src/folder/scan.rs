//! The search for secrets in the files of a source.

use std::io::{self, Read as _};

use super::SourceFile;
use crate::folder::leaks::{self, Leak};

/// The most that is read of one file: what the Hub takes as a small file.
const MAX_SCANNED: u64 = 10_000_000;

/// The beginning of a file that says whether it is text.
const HEAD: u64 = 8 * 1024;

impl SourceFile {
    /// The secrets that the file holds, by its name or in its text. Of a binary file, only the beginning is read.
    pub fn leaks(&self) -> io::Result<Vec<Leak>> {
        if self.size == 0 {
            return Ok(Vec::new());
        }
        if let Some(kind) = leaks::in_file_name(self.path.as_str()) {
            return Ok(vec![Leak { line: None, kind }]);
        }
        let mut reader = self.open()?;
        let mut text = Vec::new();
        reader.by_ref().take(HEAD).read_to_end(&mut text)?;
        if text.contains(&0) {
            return Ok(Vec::new());
        }
        reader.take(MAX_SCANNED - HEAD).read_to_end(&mut text)?;
        Ok(leaks::in_text(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::source;

    #[test]
    fn names_decide_first_and_binaries_are_not_searched() {
        let token = format!("hf_{}", "q7Zk2VbN9xTfLw4RcYg8HsJd5MpAeU3vKi");
        let binary = format!("\0{token}");
        let late = format!("{}{token}", "x\n".repeat(10_000));
        let files = [
            (".env", "A=1"),
            (".env.local", ""),
            ("a.py", token.as_str()),
            ("b.bin", binary.as_str()),
            ("c.txt", late.as_str()),
            ("d.txt", "nothing"),
        ];
        let source = source(&files);
        let found: Vec<_> = source
            .files
            .iter()
            .flat_map(|file| file.leaks().unwrap().into_iter().map(|leak| (file.path.as_str(), leak.line)))
            .collect();
        assert_eq!(found, [(".env", None), ("a.py", Some(1)), ("c.txt", Some(10_001))]);
    }
}
