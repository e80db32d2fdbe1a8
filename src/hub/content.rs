//! Content to upload, wherever it is.

use std::fmt;
use std::io::{self, Read};

use bytes::{Buf as _, Bytes};

use crate::types::{Sha256, SizeChanged, sha256};

/// Number of bytes of a file that the Hub wants to see before it chooses how the file is uploaded
/// (`sample` in `POST /api/{type}s/{id}/preupload/{rev}`).
const SAMPLE_BYTES: u64 = 512;

/// Content to upload: a file on the disk, bytes in memory, or anything else with a known size.
///
/// Each method may block, and is called on threads where that is no harm. Content is read again for each attempt to
/// send it, and must be the same each time: content that changed is not committed.
///
/// ```
/// use std::fs::File;
/// use std::io::{self, Read, Seek, SeekFrom};
///
/// #[derive(Debug)]
/// struct OnDisk {
///     path: String,
///     size: u64,
/// }
///
/// impl hub::Content for OnDisk {
///     fn path(&self) -> &str {
///         &self.path
///     }
///
///     fn size(&self) -> u64 {
///         self.size
///     }
///
///     fn open_at(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
///         let mut file = File::open(&self.path)?;
///         file.seek(SeekFrom::Start(offset))?;
///         Ok(Box::new(file))
///     }
/// }
/// ```
pub trait Content: fmt::Debug + Send + Sync {
    /// Returns the path that errors name.
    fn path(&self) -> &str;

    /// Returns the size in bytes, as it was when the upload was planned.
    fn size(&self) -> u64;

    /// Opens the content at the byte `offset`. Content that is shorter has no more bytes to read.
    fn open_at(&self, offset: u64) -> io::Result<Box<dyn Read + Send>>;

    /// Returns the SHA-256 of the content. An implementation that knows it need not read the content again.
    fn sha256(&self) -> io::Result<Sha256> {
        sha256(self.open_at(0)?)
    }

    /// Called before the content is read as a whole. The returned function is called with the SHA-256 of what was
    /// read, so that an implementation can remember it.
    fn before_reading(&self) -> Box<dyn FnOnce(Sha256) + Send + '_> {
        Box::new(|_| ())
    }
}

/// Returns the first bytes of a content. Fails if its size is not the planned one, because the Hub refuses a sample
/// that does not fit the size.
pub(crate) fn sample(content: &dyn Content) -> io::Result<Vec<u8>> {
    let mut sample = Vec::new();
    content.open_at(0)?.take(SAMPLE_BYTES).read_to_end(&mut sample)?;
    let found = sample.len() as u64;
    if found != content.size().min(SAMPLE_BYTES) {
        return Err(SizeChanged { expected: content.size(), found }.into());
    }
    Ok(sample)
}

/// Content in memory.
#[derive(Debug, Clone)]
pub struct InMemory {
    /// Path that errors name.
    pub path: String,
    /// The content.
    pub bytes: Bytes,
}

impl Content for InMemory {
    fn path(&self) -> &str {
        &self.path
    }

    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn open_at(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let start = usize::try_from(offset).map_or(self.bytes.len(), |offset| offset.min(self.bytes.len()));
        Ok(Box::new(self.bytes.slice(start..).reader()))
    }
}

/// Error of content that cannot be uploaded.
#[derive(Debug)]
pub struct ContentError {
    /// Path of the content.
    pub path: String,
    /// Reason.
    pub fault: ContentFault,
}

/// Reason why content cannot be uploaded.
#[derive(Debug)]
pub enum ContentFault {
    /// It cannot be read.
    Unreadable(io::Error),
    /// It is not the content that the upload was planned for.
    Changed(Option<io::Error>),
}

impl ContentError {
    /// Takes a failed reading for a change where the file is gone, shorter or longer than planned.
    pub(crate) fn reading(content: &dyn Content, error: io::Error) -> Self {
        let is_resized = error.get_ref().is_some_and(|inner| inner.is::<SizeChanged>());
        let is_changed = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof);
        let fault = if is_resized || is_changed {
            ContentFault::Changed(Some(error))
        } else {
            ContentFault::Unreadable(error)
        };
        Self { path: content.path().to_owned(), fault }
    }

    /// Makes the error of content that is not what was planned.
    pub(crate) fn changed(content: &dyn Content) -> Self {
        Self { path: content.path().to_owned(), fault: ContentFault::Changed(None) }
    }
}

impl fmt::Display for ContentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fault {
            ContentFault::Unreadable(_) => write!(f, "cannot read `{}`", self.path),
            ContentFault::Changed(_) => write!(f, "`{}` changed while it was deployed", self.path),
        }
    }
}

impl std::error::Error for ContentError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.fault {
            ContentFault::Unreadable(error) | ContentFault::Changed(Some(error)) => Some(error),
            ContentFault::Changed(None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Announced(&'static [u8], u64);

    impl Content for Announced {
        fn path(&self) -> &str {
            "file"
        }

        fn size(&self) -> u64 {
            self.1
        }

        fn open_at(&self, _: u64) -> io::Result<Box<dyn Read + Send>> {
            Ok(Box::new(self.0))
        }
    }

    #[test]
    fn a_sample_is_the_beginning_of_content_of_the_planned_size() {
        let long = [b'x'; 600];
        let content = InMemory { path: "file".to_owned(), bytes: Bytes::copy_from_slice(&long) };
        assert_eq!(sample(&content).unwrap(), long[..512]);
        for (bytes, size) in [(&b"abc"[..], 2), (b"abc", 4), (b"abc", 600)] {
            let error = sample(&Announced(bytes, size)).unwrap_err();
            let error = ContentError::reading(&Announced(bytes, size), error);
            assert!(matches!(error.fault, ContentFault::Changed(Some(_))), "{error}");
        }
    }

    #[test]
    fn content_in_memory_is_read_from_any_offset() {
        let content = InMemory { path: "file".to_owned(), bytes: Bytes::from_static(b"abc") };
        for (offset, rest) in [(0, "abc"), (2, "c"), (3, ""), (4, "")] {
            assert_eq!(io::read_to_string(content.open_at(offset).unwrap()).unwrap(), rest);
        }
    }

    #[test]
    fn a_file_that_is_gone_has_changed() {
        let content = Announced(b"", 0);
        let fault = |kind| ContentError::reading(&content, io::Error::from(kind)).fault;
        assert!(matches!(fault(io::ErrorKind::NotFound), ContentFault::Changed(_)));
        assert!(matches!(fault(io::ErrorKind::PermissionDenied), ContentFault::Unreadable(_)));
    }
}
