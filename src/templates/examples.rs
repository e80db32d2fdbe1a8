//! Inputs for a first call, and the examples of the app: those of the model's author, else those of the template.

use serde_json::{Map, Value, json};

use super::manifest::Argument;
use super::template::Template;

/// Endpoint of each app.
pub const ENDPOINT: &str = "/predict";

/// Files for calls, which are no part of the Space: a video of 16 frames, and a bill with words to read.
const FILES: [(&str, &[u8]); 2] = [
    ("sample.mp4", include_bytes!("files/sample.mp4")),
    ("invoice.png", include_bytes!("files/invoice.png")),
];
/// Number of examples in the app.
const MAX_EXAMPLES: usize = 5;
/// Longest text of an example, in characters.
const MAX_TEXT: usize = 2000;
/// Start of the addresses that an app surely can fetch, because it loads its model from there.
const HUB: &str = "https://huggingface.co/";

/// A first call of the app.
#[derive(Debug, Clone, PartialEq)]
pub struct SmokeCall {
    /// Arguments by place.
    pub args: Vec<Value>,
    /// Arguments by name. A parameter without one gets a sample of the check: an image or a sound.
    pub kwargs: Map<String, Value>,
    /// Files that the arguments name, for the folder of the check.
    pub files: Vec<(&'static str, &'static [u8])>,
    /// The model's author wrote the input.
    pub is_author: bool,
}

/// Returns the first call of an app: the author's first example that fits, with the short settings of the template.
pub fn smoke_call(template: Template, widget: &[Value]) -> SmokeCall {
    let manifest = template.manifest();
    let author = author_rows(template, widget).next();
    let is_author = author.is_some();
    let mut arguments = (manifest.smoke)();
    for (argument, given) in arguments.iter_mut().zip(author.into_iter().flatten()) {
        *argument = given;
    }
    let mut call = SmokeCall { args: Vec::new(), kwargs: Map::new(), files: Vec::new(), is_author };
    let has_sample = arguments.contains(&Argument::Sample);
    for (argument, name) in arguments.into_iter().zip(manifest.parameters) {
        let value = match argument {
            Argument::Sample => continue,
            Argument::Value(value) => value,
            Argument::File(name) => {
                call.files.extend(FILES.iter().copied().filter(|(file, _)| *file == name));
                json!(format!("@{name}"))
            }
        };
        if has_sample {
            call.kwargs.insert((*name).to_owned(), value);
        } else {
            call.args.push(value);
        }
    }
    call
}

/// Returns the rows of examples in the app, without settings. `None` for apps that take files, because an example
/// whose file is gone would keep the app from starting.
pub(super) fn shown(template: Template, widget: &[Value]) -> Option<Vec<Vec<Value>>> {
    let own = (template.manifest().smoke)();
    if own.iter().any(|argument| !matches!(argument, Argument::Value(_))) || own.is_empty() {
        return None;
    }
    let content = |row: Vec<Argument>| -> Vec<Value> {
        let values = row.into_iter().filter_map(|argument| match argument {
            Argument::Value(value) => Some(value),
            Argument::Sample | Argument::File(_) => None,
        });
        values.take_while(|value| value.is_string() || value.is_object()).collect()
    };
    let rows: Vec<_> = author_rows(template, widget).take(MAX_EXAMPLES).map(content).collect();
    Some(if rows.is_empty() { vec![content(own)] } else { rows })
}

/// Returns the first arguments of each example of the author that fits the template.
fn author_rows(template: Template, widget: &[Value]) -> impl Iterator<Item = Vec<Argument>> {
    widget.iter().filter_map(move |example| author_row(template, example))
}

fn author_row(template: Template, example: &Value) -> Option<Vec<Argument>> {
    use Template as T;
    let value = |text: Option<String>| text.map(|text| Argument::Value(text.into()));
    let text = || value(text(example, "text").or_else(|| prompt(example)));
    let labels = || value(labels(example));
    let file = || Some(source(example).unwrap_or(Argument::Sample));
    // An example without its file needs a text, or it says nothing.
    let asked = |asked: Option<Argument>| match (source(example), asked) {
        (Some(file), Some(asked)) => Some(vec![file, asked]),
        (Some(file), None) => Some(vec![file]),
        (None, Some(asked)) => Some(vec![(template.manifest().smoke)().into_iter().next()?, asked]),
        (None, None) => None,
    };
    match template {
        T::Chat
        | T::PeftChat
        | T::ProviderChat
        | T::TextGeneration
        | T::Seq2seq
        | T::TranslationMultilingual
        | T::TextClassification
        | T::TokenClassification
        | T::FillMask
        | T::TextToSpeech
        | T::TextToImage
        | T::DiffusersLora
        | T::TextToVideo => Some(vec![text()?]),
        T::ZeroShotClassification => Some(vec![text()?, labels()?]),
        T::QuestionAnswering => Some(vec![text()?, value(self::text(example, "context"))?]),
        T::TableQuestionAnswering => Some(vec![text()?, Argument::Value(table(example.get("table")?)?)]),
        T::SentenceSimilarity | T::TextRanking => {
            let source = self::text(example, "source_sentence").or_else(|| self::text(example, "query"));
            Some(vec![value(source)?, value(lines(example.get("sentences").or(example.get("texts"))?))?])
        }
        T::AudioClassification
        | T::AutomaticSpeechRecognition
        | T::DepthEstimation
        | T::ImageClassification
        | T::ImageClassificationTimm
        | T::ImageSegmentation
        | T::ImageToImageTransformers
        | T::ImageToText
        | T::ObjectDetection
        | T::VideoClassification => Some(vec![source(example)?]),
        T::DocumentQuestionAnswering
        | T::VisualQuestionAnswering
        | T::ImageTextToText
        | T::ImageToImage
        | T::ImageToVideo => asked(text()),
        T::ZeroShotAudioClassification | T::ZeroShotImageClassification | T::ZeroShotObjectDetection => {
            Some(vec![file()?, labels()?])
        }
        T::StaticTransformersjs => None,
    }
}

/// Returns the text of an example, for a page.
pub(super) fn text_of(example: &Value) -> Option<String> {
    text(example, "text")
}

/// Returns a text of an example, unless it is empty or long.
fn text(example: &Value, key: &str) -> Option<String> {
    let text = match example {
        Value::String(text) if key == "text" => text,
        other => other.get(key)?.as_str()?,
    };
    let is_usable = !text.trim().is_empty() && text.chars().take(MAX_TEXT + 1).count() <= MAX_TEXT;
    is_usable.then(|| text.to_owned())
}

/// Returns the last message of the user, or the prompt of an image.
fn prompt(example: &Value) -> Option<String> {
    let of_user = |message: &&Value| message.get("role").and_then(Value::as_str) == Some("user");
    let messages = example.get("messages").and_then(Value::as_array);
    let last = messages.and_then(|messages| messages.iter().rev().find(of_user)).and_then(|last| {
        let content = last.get("content")?;
        text(last, "content").or_else(|| content.as_array()?.iter().find_map(|part| text(part, "text")))
    });
    last.or_else(|| text(example, "prompt"))
}

/// Returns the labels of an example, separated by commas.
fn labels(example: &Value) -> Option<String> {
    let labels = match example.get("candidate_labels")? {
        Value::Array(labels) => {
            json!({"text": labels.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?.join(", ")})
        }
        labels => json!({"text": labels}),
    };
    text(&labels, "text")
}

/// Returns the sentences of an example, one per line.
fn lines(sentences: &Value) -> Option<String> {
    let lines: Option<Vec<&str>> = sentences.as_array()?.iter().map(Value::as_str).collect();
    text(&json!({"text": lines?.join("\n")}), "text")
}

/// Returns a table in the form of Gradio, from columns by name.
fn table(columns: &Value) -> Option<Value> {
    let columns = columns.as_object().filter(|columns| !columns.is_empty())?;
    let cells: Vec<&Vec<Value>> = columns.values().map(Value::as_array).collect::<Option<_>>()?;
    let height = cells.iter().map(|column| column.len()).min().filter(|height| (1..=100).contains(height))?;
    let cell = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let rows: Vec<Vec<String>> =
        (0..height).map(|row| cells.iter().map(|column| cell(&column[row])).collect()).collect();
    Some(json!({"headers": columns.keys().collect::<Vec<_>>(), "data": rows, "metadata": null}))
}

/// Returns the address of an example's file on the Hub.
fn source(example: &Value) -> Option<Argument> {
    let address = example.get("src")?.as_str()?;
    let is_plain = address.bytes().all(|b| b.is_ascii_graphic() && b != b'\\' && b != b'"');
    (address.starts_with(HUB) && is_plain).then(|| Argument::Value(address.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(template: Template, widget: Value) -> Value {
        let call = smoke_call(template, widget.as_array().unwrap());
        if call.kwargs.is_empty() { json!(call.args) } else { json!(call.kwargs) }
    }

    #[test]
    fn author_examples_come_first() {
        use Template::*;
        let cat = "https://huggingface.co/datasets/a/b/resolve/main/cat.jpg";
        for (template, example, expected) in [
            (Chat, json!({"text": "Hi"}), json!(["Hi", 16, 0.0])),
            (
                Chat,
                json!({"messages": [{"role": "user", "content": "A"}, {"role": "assistant", "content": "B"}, {"role": "user", "content": "C"}]}),
                json!(["C", 16, 0.0]),
            ),
            (FillMask, json!("Paris is <mask>."), json!(["Paris is <mask>."])),
            (
                ZeroShotClassification,
                json!({"text": "x", "candidate_labels": ["a", "b"]}),
                json!(["x", "a, b", false]),
            ),
            (QuestionAnswering, json!({"text": "who?", "context": "me"}), json!(["who?", "me"])),
            (
                SentenceSimilarity,
                json!({"source_sentence": "a", "sentences": ["b", "c"]}),
                json!(["a", "b\nc"]),
            ),
            (
                TableQuestionAnswering,
                json!({"text": "q", "table": {"A": [1, 2], "B": ["x", "y"]}}),
                json!(["q", {"headers": ["A", "B"], "data": [["1", "x"], ["2", "y"]], "metadata": null}]),
            ),
            (ImageClassification, json!({"src": cat}), json!([cat])),
            (VisualQuestionAnswering, json!({"src": cat, "text": "what?"}), json!([cat, "what?"])),
            (
                ImageTextToText,
                json!({"messages": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "T"}]}]}),
                json!({"prompt": "T", "max_new_tokens": 16}),
            ),
        ] {
            assert_eq!(args(template, json!([example])), expected, "{template} {example}");
            assert!(smoke_call(template, &[example]).is_author);
        }
    }

    #[test]
    fn examples_that_do_not_fit_give_way() {
        use Template::*;
        for (template, example, expected) in [
            (Chat, json!({"src": "x"}), json!(["Hello!", 16, 0.0])),
            (Chat, json!({"text": "x".repeat(2001)}), json!(["Hello!", 16, 0.0])),
            (Chat, json!({"text": 7}), json!(["Hello!", 16, 0.0])),
            (QuestionAnswering, json!({"text": "who?"}), args(QuestionAnswering, json!([]))),
            // The app would fetch an address of someone else.
            (ObjectDetection, json!({"src": "https://example.org/cat.jpg"}), json!({"threshold": 0.5})),
            (
                TableQuestionAnswering,
                json!({"text": "q", "table": {"A": 1}}),
                args(TableQuestionAnswering, json!([])),
            ),
        ] {
            assert_eq!(args(template, json!([example])), expected, "{template} {example}");
            assert!(!smoke_call(template, &[example]).is_author);
        }
    }

    #[test]
    fn samples_are_left_to_the_check() {
        let call = smoke_call(Template::AudioClassification, &[]);
        assert!(call.args.is_empty() && call.kwargs.is_empty() && call.files.is_empty());
        let call = smoke_call(Template::VideoClassification, &[]);
        assert_eq!(call.args, [json!("@sample.mp4")]);
        assert_eq!(&call.files[0].1[4..8], b"ftyp");
        let call = smoke_call(Template::DocumentQuestionAnswering, &[json!({"text": "Who pays?"})]);
        assert_eq!(call.args, [json!("@invoice.png"), json!("Who pays?")]);
        assert_eq!(&call.files[0].1[1..4], b"PNG");
    }

    #[test]
    fn app_shows_examples_without_settings() {
        assert_eq!(shown(Template::Chat, &[]), Some(vec![vec![json!("Hello!")]]));
        let widget: Vec<Value> = (0..9).map(|number| json!({"text": format!("{number}")})).collect();
        assert_eq!(shown(Template::Chat, &widget).unwrap().len(), MAX_EXAMPLES);
        assert_eq!(shown(Template::ObjectDetection, &[]), None);
        assert_eq!(shown(Template::StaticTransformersjs, &[]), None);
    }
}
