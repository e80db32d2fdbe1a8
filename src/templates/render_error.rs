//! Faults that keep a Space from being rendered.

use super::template::Template;

/// A fault that keeps a Space from being rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    #[error("cannot render the template `{template}`: the base model of the adapter is unknown")]
    MissingBase { template: Template },
    #[error("cannot render the template `{template}`: it has no page for the task `{task}`")]
    UnsupportedTask { template: Template, task: String },
    /// A fault of a template of this program.
    #[error("cannot render the template: {0}")]
    Template(String),
}
