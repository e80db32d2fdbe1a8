//! The deploy: its inputs.

pub mod inputs;
