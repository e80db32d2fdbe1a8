//! A Space for a model: from the facts of the model to a checked app.

mod recommend;

pub use recommend::{ModelQuestion, recommend};
