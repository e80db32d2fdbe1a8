//! Files with sessions of agents: copies for the upload, without secrets and in the format that the Hub shows.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use hub::Secret;
use tempfile::TempDir;

use crate::action::journal::Phase;
use crate::action::{Counter, Progress};
use crate::dataset_files::{Fault, Faults};
use crate::failure::{Code, Failure, Result, dataset as advice};
use crate::folder::{FileContent, Source, SourceFile};
use crate::image;
use crate::ops::Session;
use crate::text::{count, name_some, quoted_all};
use crate::traces::{
    self, ConvertOptions, Emails, Format, Place, Redaction, RedactionCounts, Sink, TraceError,
};

use super::check::MAX_FAULTS;
use super::report::SessionFacts;

/// Endings of files with sessions.
const SESSION_ENDINGS: [&str; 3] = ["jsonl", "ndjson", JSON];
/// Ending of files that may hold sessions, or settings and the like.
const JSON: &str = "json";
/// Endings of pictures, sound, films and pages, which hold no text to search.
const MEDIA_ENDINGS: [&str; 16] = [
    "png", "jpg", "jpeg", "gif", "webp", "bmp", "ico", "avif", "mp3", "wav", "ogg", "flac", "mp4", "webm",
    "mov", "pdf",
];
/// Largest text that is searched, because a secret may have several lines.
const MAX_TEXT: u64 = 64 << 20;

/// Treatment of the secrets in sessions.
#[derive(Debug, Clone)]
pub enum Redacts {
    /// Replaces these values, and everything that looks like a secret.
    Secrets { values: Vec<Secret>, emails: Emails },
    /// Uploads the files as they are.
    Nothing,
}

/// A source with copies of its files.
#[derive(Debug)]
pub(super) struct Sessions {
    pub(super) source: Source,
    pub(super) facts: SessionFacts,
    /// An empty list: all is right.
    pub(super) faults: Vec<Fault>,
    /// Copies, on the disk until this is dropped.
    pub(super) copies: Option<TempDir>,
}

/// Puts copies without secrets in the place of the files. The folder of the user stays as it is.
///
/// # Errors
///
/// No file holds sessions, a file cannot be read, or the disk is full. Faults of the content are in the result.
pub(super) async fn copy_sessions(
    source: Source,
    redacts: &Redacts,
    session: &Session<'_>,
) -> Result<Sessions> {
    if !source.files.iter().any(|file| has_ending(file, &SESSION_ENDINGS)) {
        return Err(advice::no_sessions(&[]));
    }
    let log = session.log;
    let _phase = session.journal.enter(Phase::Check, "check");
    let redaction = match redacts {
        Redacts::Secrets { values, emails } => {
            log.info(&format!("searching {} for secrets", count(source.files.len(), "file")));
            Some(Redaction::new(values, *emails))
        }
        Redacts::Nothing => {
            log.warning(&advice::raw_sessions());
            None
        }
    };
    let label = if redaction.is_some() { "searching" } else { "reading" };
    let progress = Progress::start_reading(log, label, source.files.iter().map(|file| file.size).sum());
    let counter = progress.counter();
    // A thread of its own, because a signal has to end the run also while a large file is read.
    let work = move || match redaction {
        Some(redaction) => Copies::new(source, redaction, counter)?.make(),
        None => as_they_are(source, &counter),
    };
    let joined = tokio::task::spawn_blocking(work).await;
    drop(progress);
    let (sessions, remarks) = joined.map_err(|error| {
        Failure::new(Code::Internal, "the search for secrets ended early").caused_by(error)
    })??;
    if sessions.facts.files == 0 && sessions.faults.is_empty() {
        return Err(advice::no_sessions(&remarks.no_session));
    }
    for (paths, advice) in [
        (&remarks.no_session, advice::holding_no_session as fn(&str) -> String),
        (&remarks.cut_off, advice::sessions_cut_off),
        (&remarks.not_searched, advice::not_searched),
    ] {
        if !paths.is_empty() {
            log.warning(&advice(&name_some(&quoted_all(paths))));
        }
    }
    Ok(sessions)
}

/// Files that a warning names.
#[derive(Debug, Default)]
struct Remarks {
    no_session: Vec<String>,
    cut_off: Vec<String>,
    not_searched: Vec<String>,
}

fn has_ending(file: &SourceFile, endings: &[&str]) -> bool {
    let ending = file.path.as_str().rsplit_once('.').map_or("", |(_, ending)| ending);
    endings.contains(&ending.to_ascii_lowercase().as_str())
}

/// Returns true for a file with sessions. A file of JSON is one by its content, and a list of lines by its name.
fn holds_sessions(file: &SourceFile, remarks: &mut Remarks) -> Result<bool> {
    if !has_ending(file, &[JSON]) {
        return Ok(has_ending(file, &SESSION_ENDINGS));
    }
    let found = file.open().and_then(|content| traces::holds_sessions(&mut BufReader::new(content)));
    let found = found.map_err(|error| file.error(error))?;
    if !found {
        remarks.no_session.push(file.path.to_string());
    }
    Ok(found)
}

/// Counts the lines of files that are uploaded as they are.
fn as_they_are(source: Source, counter: &Counter) -> Result<(Sessions, Remarks)> {
    let (mut facts, mut remarks) = (SessionFacts::default(), Remarks::default());
    for file in &source.files {
        if holds_sessions(file, &mut remarks)? {
            facts.files += 1;
            facts.rows += count_lines(file, counter).map_err(|error| file.error(error))?;
        }
    }
    Ok((Sessions { source, facts, faults: Vec::new(), copies: None }, remarks))
}

fn count_lines(file: &SourceFile, counter: &Counter) -> io::Result<u64> {
    let mut reader = BufReader::new(counter.of_reading(file.open()?));
    let (mut lines, mut last) = (0, b'\n');
    loop {
        let buffer = reader.fill_buf()?;
        let Some(end) = buffer.last() else { return Ok(lines + u64::from(last != b'\n')) };
        last = *end;
        lines += buffer.iter().filter(|byte| **byte == b'\n').count() as u64;
        let read = buffer.len();
        reader.consume(read);
    }
}

/// The copies in the making.
struct Copies {
    source: Source,
    redaction: Redaction,
    folder: TempDir,
    facts: SessionFacts,
    faults: Vec<Fault>,
    remarks: Remarks,
    /// Number of copies.
    made: usize,
    counter: Counter,
}

impl Copies {
    fn new(source: Source, redaction: Redaction, counter: Counter) -> Result<Self> {
        let folder = image::temporary_folder().map_err(advice::no_copy)?;
        let facts = SessionFacts { sessions: Some(0), ..SessionFacts::default() };
        let (faults, remarks) = (Vec::new(), Remarks::default());
        Ok(Self { source, redaction, folder, facts, faults, remarks, made: 0, counter })
    }

    fn make(mut self) -> Result<(Sessions, Remarks)> {
        for file in std::mem::take(&mut self.source.files) {
            let path = file.path.as_str();
            if let Some(shown) = self.redaction.redacted_text(path, &mut RedactionCounts::new()) {
                self.fault(&shown, None, "has a secret in its name");
            } else if holds_sessions(&file, &mut self.remarks)? {
                self.convert(&file)?;
            } else if has_ending(&file, &MEDIA_ENDINGS) {
                self.remarks.not_searched.push(path.to_owned());
                self.counter.add(file.size);
                self.put(file);
            } else {
                self.redact(&file)?;
                self.counter.add(file.size);
            }
            if self.faults.len() >= MAX_FAULTS {
                break;
            }
        }
        let Self { source, facts, faults, folder, remarks, .. } = self;
        Ok((Sessions { source, facts, faults, copies: Some(folder) }, remarks))
    }

    fn fault(&mut self, path: &str, line: Option<u64>, sentence: &str) {
        Faults::new(path, &mut self.faults, MAX_FAULTS).push(line, sentence.to_owned());
    }

    /// Converts a file with sessions.
    fn convert(&mut self, file: &SourceFile) -> Result<()> {
        let path = file.path.as_str();
        let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
        let name = stem.rsplit('/').next().unwrap_or(stem);
        let content = file.open().map_err(|error| file.error(error))?;
        let mut reader = BufReader::new(self.counter.of_reading(content));
        let mut sink = Files { folder: self.folder.path(), first: self.made, made: Vec::new(), open: None };
        let options = ConvertOptions { redaction: &self.redaction, name };
        let converted = match traces::convert(&mut reader, &mut sink, options) {
            Ok(converted) => converted,
            Err(TraceError::Fault { place, fault }) => {
                self.made += sink.made.len();
                match place {
                    Place::Line(line) => self.fault(path, Some(line), fault),
                    Place::Element(_) => {
                        self.fault(path, None, &format!("has an element that {fault}: {place}"));
                    }
                }
                return Ok(());
            }
            Err(TraceError::Read { source, .. }) => return Err(file.error(source).into()),
            Err(TraceError::Write(error)) => return Err(advice::no_copy(error)),
        };
        let places = sink.finish().map_err(advice::no_copy)?;
        self.made += places.len();
        if places.is_empty() {
            self.fault(path, None, if file.size == 0 { "is empty" } else { "holds no session" });
        }
        let is_one = places.len() == 1;
        for (index, place) in places.into_iter().enumerate() {
            let to = match converted.format {
                Some(Format::Other) if is_one => format!("{stem}.jsonl"),
                Some(Format::Other) => format!("{stem}-{:05}.jsonl", index + 1),
                _ => path.to_owned(),
            };
            self.add(path, &to, place)?;
        }
        if converted.is_cut_off {
            self.remarks.cut_off.push(path.to_owned());
        }
        self.facts.files += 1;
        *self.facts.sessions.get_or_insert(0) += converted.sessions;
        self.facts.rows += converted.rows;
        for (kind, number) in converted.redactions {
            *self.facts.redactions.entry(kind).or_default() += number;
        }
        Ok(())
    }

    /// Copies a file of text without its secrets.
    fn redact(&mut self, file: &SourceFile) -> Result<()> {
        let path = file.path.as_str();
        if file.size > MAX_TEXT {
            self.fault(path, None, "is larger than 64 MiB, so that it is not searched for secrets");
            return Ok(());
        }
        let content = file.read_to_vec().map_err(|error| file.error(error))?;
        let text = String::from_utf8(content).ok().filter(|text| !text.contains('\0'));
        let Some(text) = text else {
            self.fault(path, None, "is no UTF-8 text, so that it cannot be searched for secrets");
            return Ok(());
        };
        let Some(redacted) = self.redaction.redacted_file(&text, &mut self.facts.redactions) else {
            // The upload must have the bytes that were searched.
            return self.write(file, &text);
        };
        self.write(file, &redacted)
    }

    fn write(&mut self, file: &SourceFile, text: &str) -> Result<()> {
        let place = self.folder.path().join(self.made.to_string());
        self.made += 1;
        std::fs::write(&place, text).map_err(advice::no_copy)?;
        let path = file.path.as_str();
        self.add(path, path, place)
    }

    /// Adds the copy of the file `from` to the source.
    fn add(&mut self, from: &str, to: &str, place: PathBuf) -> Result<()> {
        let size = std::fs::metadata(&place).map_err(advice::no_copy)?.len();
        if self.source.get(to).is_some() {
            self.fault(
                from,
                None,
                &format!("would be uploaded as `{to}`, which is the name of another file"),
            );
            return Ok(());
        }
        match to.parse() {
            Ok(path) => self.put(SourceFile { path, content: FileContent::Disk(place), size, cache: None }),
            Err(error) => self.fault(from, None, &format!("would be uploaded as `{to}`: {error}")),
        }
        Ok(())
    }

    fn put(&mut self, file: SourceFile) {
        self.source.put(file);
    }
}

/// Sessions as files of a folder.
struct Files<'a> {
    folder: &'a Path,
    /// Number of the first file, which is its name.
    first: usize,
    made: Vec<PathBuf>,
    open: Option<BufWriter<File>>,
}

impl Files<'_> {
    fn finish(mut self) -> io::Result<Vec<PathBuf>> {
        self.close()?;
        Ok(self.made)
    }

    fn close(&mut self) -> io::Result<()> {
        self.open.take().map_or(Ok(()), |mut open| open.flush())
    }
}

impl Sink for Files<'_> {
    fn begin(&mut self, _number: u64) -> io::Result<()> {
        self.close()?;
        let place = self.folder.join((self.first + self.made.len()).to_string());
        self.open = Some(BufWriter::new(File::create_new(&place)?));
        self.made.push(place);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.open {
            Some(open) => open.write_all(bytes),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}
