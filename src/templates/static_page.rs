//! The page of the static template: the inputs that each task of transformers.js needs.

use minijinja::{Value, context};

use super::examples;
use super::input::RenderInput;
use super::render_error::RenderError;
use super::template::Template;

/// Input of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Text,
    /// A text, and labels to choose from.
    Labels,
    Image,
    Audio,
}

/// The tasks with a page, the input that each needs, and an example of a text.
const TASKS: [(&str, Field, &str); 11] = [
    ("text-classification", Field::Text, "I like you. I love you"),
    ("token-classification", Field::Text, "My name is Sarah and I live in London"),
    ("feature-extraction", Field::Text, "That is a happy person"),
    ("sentence-similarity", Field::Text, "That is a happy person"),
    ("fill-mask", Field::Text, "Paris is the [MASK] of France."),
    ("zero-shot-classification", Field::Labels, "My phone is broken"),
    ("automatic-speech-recognition", Field::Audio, ""),
    ("image-classification", Field::Image, ""),
    ("object-detection", Field::Image, ""),
    ("image-segmentation", Field::Image, ""),
    ("depth-estimation", Field::Image, ""),
];

/// Returns the values of the page, which are empty for other templates.
pub(super) fn page(input: &RenderInput) -> Result<Value, RenderError> {
    if input.template != Template::StaticTransformersjs {
        return Ok(context! {});
    }
    let task = input.task.as_deref().unwrap_or_default();
    let Some((task, field, example)) = TASKS.iter().find(|(name, ..)| *name == task) else {
        return Err(RenderError::UnsupportedTask { template: input.template, task: task.to_owned() });
    };
    let author = input.widget.iter().find_map(examples::text_of);
    Ok(context! {
        // transformers.js has one pipeline for both.
        task => if *task == "sentence-similarity" { "feature-extraction" } else { task },
        is_text => matches!(field, Field::Text | Field::Labels),
        has_labels => *field == Field::Labels,
        is_image => *field == Field::Image,
        is_audio => *field == Field::Audio,
        example => author.unwrap_or_else(|| (*example).to_owned()),
    })
}

/// Reports whether the static template has a page for a task.
pub fn has_static_page(task: &str) -> bool {
    TASKS.iter().any(|(name, ..)| *name == task)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_tasks_are_refused() {
        let mut input = RenderInput::new(Template::StaticTransformersjs, "acme/m", "abc");
        assert!(page(&input).is_err());
        input.task = Some("text-to-image".to_owned());
        let error = page(&input).unwrap_err().to_string();
        assert!(error.contains("no page for the task `text-to-image`"), "{error}");
        for (task, ..) in TASKS {
            input.task = Some(task.to_owned());
            assert!(page(&input).is_ok() && has_static_page(task));
        }
    }
}
