//! Space templates: one for each kind of model, and the files of a Space that they become.
//!
//! Pure: the facts of a model in, files out, and the same files for the same facts.

mod card;
mod catalogue;
mod examples;
mod input;
mod literal;
mod manifest;
mod record;
mod render;
mod render_error;
mod rules;
mod static_page;
mod template;

pub use card::{PYTHON_VERSION, SDK_VERSION};
pub use examples::{ENDPOINT, SmokeCall, smoke_call};
pub use input::{Editor, GpuSize, License, RenderInput};
pub use manifest::{Argument, Manifest, Output, WeightsDtype};
pub use record::{OWNERSHIP_TAG, RECORD_FILE, Record};
pub use render::{GeneratedFile, render};
pub use render_error::RenderError;
pub use rules::{Violation, check_rules, without_texts};
pub use static_page::has_static_page;
pub use template::Template;
