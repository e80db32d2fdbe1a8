//! The account of a token: its user, its plan, its limits, and the features of the Hub that it may use.

mod facts;
mod features;
mod plan;
pub mod rights;

pub use facts::{Facts, Known, TokenForm, read};
pub use features::{Feature, State, features};
pub use plan::Plan;
