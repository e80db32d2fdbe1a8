//! One folder per command: its inputs, its outputs, and the call of its operation.

pub mod deploy;
