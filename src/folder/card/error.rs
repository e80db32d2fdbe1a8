//! Errors of a card that cannot be read or edited.

use hub::SpaceSdk;

/// Error of a card that cannot be read or edited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("README.md, line {line}: {fault}")]
pub struct CardError {
    /// Line of README.md, counted from 1.
    pub line: u32,
    pub fault: CardFault,
}

/// Reason why a card cannot be read or edited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CardFault {
    #[error("README.md is UTF-16; the Hub reads UTF-8 only")]
    Utf16,
    #[error("the metadata block is not UTF-8")]
    NotUtf8,
    #[error("the metadata block is not closed by a line `---`")]
    NotClosed,
    #[error("the metadata block is no YAML: {0}")]
    NotYaml(String),
    /// The block is valid, but no edit of its lines makes this SDK the value of `sdk`.
    #[error("cannot edit the metadata block")]
    CannotSetSdk(SpaceSdk),
    /// The block is valid, but no edit of its lines adds this key.
    #[error("cannot add `{0}` to the metadata block")]
    CannotAdd(&'static str),
    #[error("cannot write a metadata block")]
    CannotWrite,
}

impl CardFault {
    /// Makes the error of this fault in a line of README.md, counted from 1.
    pub(super) fn at(self, line: u32) -> CardError {
        CardError { line, fault: self }
    }
}
