//! The returned folder: regular files of known names, as text.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use super::super::blockers::BLOCKERS_FILE;
use super::super::editable::{EDITABLE, MAX_FILE_BYTES};
use super::super::refusal::Fault;
use crate::text::human_bytes;

/// Files of the folder, and the faults of its other entries.
pub(super) struct Returned {
    pub(super) files: BTreeMap<&'static str, String>,
    pub(super) faults: Vec<Fault>,
}

/// Reads the files. No link is followed.
pub(super) fn read(folder: &Path) -> Returned {
    let mut returned = Returned { files: BTreeMap::new(), faults: Vec::new() };
    if let Err(error) = returned.add_entries(folder) {
        returned.faults.push(Fault::whole(".", format!("cannot be read: {error}")));
    }
    returned.faults.sort_by(|one, other| one.path.cmp(&other.path));
    returned
}

impl Returned {
    fn add_entries(&mut self, folder: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // The type of the entry itself, not that of a link's target.
            let kind = entry.file_type()?;
            let known = EDITABLE.into_iter().chain([BLOCKERS_FILE]).find(|known| *known == name);
            let fault = match known {
                _ if kind.is_symlink() => Err("is a link".to_owned()),
                None => Err("is no file that the agent may add".to_owned()),
                Some(_) if !kind.is_file() => Err("is no file".to_owned()),
                Some(path) => read_text(&entry.path()).map(|text| (path, text)),
            };
            match fault {
                Ok((path, text)) => {
                    self.files.insert(path, text);
                }
                Err(fault) => self.faults.push(Fault::whole(&name, fault)),
            }
        }
        Ok(())
    }
}

/// Reads a file. The reason why it is refused is the rest of a sentence.
fn read_text(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("is larger than {}", human_bytes(MAX_FILE_BYTES)));
    }
    let text = String::from_utf8(bytes).map_err(|_| "is no UTF-8 text".to_owned())?;
    // Python reads a file with and without the mark in the same way.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).replace("\r\n", "\n");
    match text.chars().find(|c| is_deceptive(*c)) {
        Some(c) => Err(format!("has the character {}, which hides what the file does", c.escape_unicode())),
        None => Ok(text),
    }
}

/// Returns true for control characters, and for marks that change the direction of writing. For Python, a carriage
/// return ends a line, so that code may follow what looks like a comment.
fn is_deceptive(c: char) -> bool {
    let is_direction = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    is_direction || c.is_control() && !matches!(c, '\n' | '\t')
}
