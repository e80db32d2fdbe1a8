//! Datasets on the Hub: files with rows, and the card that describes them.

pub mod upload;
