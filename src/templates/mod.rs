//! Space templates: one for each kind of model, and the files of a Space that they become.
//!
//! Pure: the facts of a model in, files out, and the same files for the same facts.

mod catalogue;
mod manifest;
mod template;

pub use catalogue::SAMPLE_VIDEO_FILE;
pub use manifest::{Argument, Manifest, Output, WeightsDtype};
pub use template::Template;
