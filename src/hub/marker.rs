//! Markers, by which a write is found after a lost answer.

use std::fmt;

/// Beginning of every marker. A commit with another marker than the wanted one was made by another run, even if its
/// title is the same.
pub(crate) const MARK: &str = "Deploy-Id: ";

/// A line that no other commit message and no other description has: `Deploy-Id: ` and an id.
///
/// It is a trailer as `git interpret-trailers` reads it.
///
/// ```
/// let marker = hub::Marker::new(0x17);
/// assert_eq!(marker.as_str(), "Deploy-Id: 0000000000000017");
/// assert_eq!(marker.of_part(2).as_str(), "Deploy-Id: 0000000000000017-000002");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker(String);

impl Marker {
    /// Makes the marker of an id, which should be random, because no other write may have it.
    pub fn new(id: u64) -> Self {
        Self(format!("{MARK}{id:016x}"))
    }

    /// Makes the marker of one part of a write.
    ///
    /// The number has a fixed width, so that no marker is the beginning of another.
    #[must_use]
    pub fn of_part(&self, number: usize) -> Self {
        Self(format!("{self}-{number:06}"))
    }

    /// Makes the marker of a write that goes on with what the first one has left out.
    #[must_use]
    pub fn of_rest(&self) -> Self {
        Self(format!("{self}-again"))
    }

    /// Returns the marker as messages have it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
