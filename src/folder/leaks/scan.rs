//! Secrets in the files of a folder.

use std::io::{self, Read as _};

use super::Leak;
use super::file_names::in_file_name;
use super::tokens::in_text;
use crate::folder::source_file::SourceFile;

/// Maximum number of bytes that are scanned of one file: the size limit of the Hub for small files.
const MAX_SCANNED: u64 = 10_000_000;

/// Size of the beginning of a file that must be text.
const HEAD: u64 = 8 * 1024;

/// Finds the secrets of a file, by its name or in its text. Only the beginning of a binary file is read.
pub fn in_file(file: &SourceFile) -> io::Result<Vec<Leak>> {
    if file.size == 0 {
        return Ok(Vec::new());
    }
    if let Some(kind) = in_file_name(file.path.as_str()) {
        return Ok(vec![Leak { line: None, kind }]);
    }
    let mut reader = file.open()?;
    let mut text = Vec::new();
    reader.by_ref().take(HEAD).read_to_end(&mut text)?;
    if text.contains(&0) {
        return Ok(Vec::new());
    }
    reader.take(MAX_SCANNED - HEAD).read_to_end(&mut text)?;
    Ok(in_text(&text))
}

#[cfg(test)]
mod tests {
    use super::in_file;
    use crate::folder::testing::source;

    #[test]
    fn name_decides_first_and_binary_files_are_skipped() {
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
            .flat_map(|file| in_file(file).unwrap().into_iter().map(|leak| (file.path.as_str(), leak.line)))
            .collect();
        assert_eq!(found, [(".env", None), ("a.py", Some(1)), ("c.txt", Some(10_001))]);
    }
}
