//! The files of the Space templates, read by Python's own parser and built by real versions of Gradio.

use std::path::{Path, PathBuf};
use std::process::Command;

use hf_deploy::hub::SpaceSdk;
use hf_deploy::templates::{GeneratedFile, Output, RenderInput, Template, render};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::harness::prepared_variable;

/// Returns the Python of this machine.
fn prepared_python() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("python3")).find(|path| path.is_file());
    found.expect("python3 is not on PATH: run `tests/run setup`")
}

/// Runs a script of `tests/templates`, and returns its output.
fn run(python: impl AsRef<std::ffi::OsStr>, script: &str, argument: &Path) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/templates").join(script);
    let output = Command::new(python)
        .arg(script)
        .arg(argument)
        .env("GRADIO_ANALYTICS_ENABLED", "False")
        .env("HF_HUB_OFFLINE", "1")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn gradio_templates() -> impl Iterator<Item = Template> {
    Template::ALL.iter().copied().filter(|template| template.manifest().sdk == SpaceSdk::Gradio)
}

/// Renders a template with a text in every field from outside.
fn rendered(template: Template, text: &str) -> Vec<GeneratedFile> {
    let text = || text.to_owned();
    let input = RenderInput {
        base_model: Some(text()),
        base_sha: Some(text()),
        instance_prompt: Some(text()),
        title: Some(text()),
        variant: Some(text()),
        widget: vec![json!({
            "text": text(), "context": text(), "candidate_labels": [text()], "source_sentence": text(),
            "sentences": [text()], "table": {text(): [text()]},
        })],
        ..RenderInput::new(template, text(), text())
    };
    render(&input).unwrap()
}

fn app(files: &[GeneratedFile]) -> &str {
    files.iter().find(|file| file.path == "app.py").map(|file| file.text.as_str()).unwrap_or_default()
}

#[test]
#[ignore = "needs tests/run setup"]
fn python_reads_each_text_as_it_was_given() {
    let mut texts: Vec<String> = [
        "\"",
        "'''",
        "\"\"\"\nimport os\n\"\"\"",
        "\\",
        "\\\"",
        "\r\n",
        "\u{2028}\u{2029}\u{85}\u{b}\u{c}\u{1c}",
        "\0",
        "{{ model }}{% raw %}",
        "{MODEL_ID}",
        "%s",
        "# coding: utf-7\n# +AGEAPQ-",
        "é😀漢\u{feff}\u{202e}",
        "\\N{DASH}\\x41",
    ]
    .map(str::to_owned)
    .to_vec();
    let mut runner = TestRunner::deterministic();
    let any_text = "(?s).{1,30}".prop_filter("blank", |text: &String| !text.trim().is_empty());
    texts.extend((0..20).map(|_| any_text.new_tree(&mut runner).unwrap().current()));
    texts.push("x".repeat(50_000));
    let case = |template: Template, text: &String| {
        let (plain, other) = (rendered(template, "x"), rendered(template, text));
        json!({"template": template.name(), "text": text, "plain": app(&plain), "other": app(&other)})
    };
    let cases: Vec<Value> =
        gradio_templates().flat_map(|template| texts.iter().map(move |text| case(template, text))).collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cases.json");
    std::fs::write(&file, serde_json::to_vec(&cases).unwrap()).unwrap();
    let report = run(prepared_python(), "structure.py", &file);
    assert_eq!(report, format!("{} files compared\n", cases.len()));
}

/// Builds each interface with one version of Gradio, and compares its API with the catalogue.
fn assert_interfaces(version: u8) {
    let folder = tempfile::tempdir().unwrap();
    for template in gradio_templates() {
        let own = folder.path().join(template.name());
        std::fs::create_dir(&own).unwrap();
        std::fs::write(own.join("app.py"), app(&rendered(template, "acme/model"))).unwrap();
    }
    let python = prepared_variable(&format!("HF_DEPLOY_GRADIO{version}"));
    let report = run(python, "interface.py", folder.path());
    let lines: Vec<Value> = report.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), gradio_templates().count());
    for (line, template) in lines.iter().zip(gradio_templates()) {
        let manifest = template.manifest();
        let component = match manifest.output {
            Output::Textbox => "Textbox",
            Output::Chat | Output::Json => "Json",
            Output::Label => "Label",
            Output::HighlightedText => "Highlightedtext",
            Output::Image => "Image",
            Output::AnnotatedImage => "Annotatedimage",
            Output::Audio => "Audio",
            Output::Video => "Video",
            Output::Page => unreachable!(),
        };
        assert_eq!(line["template"], template.name());
        assert!(line["gradio"].as_str().unwrap().starts_with(&version.to_string()), "{line}");
        let endpoints = line["endpoints"].as_object().unwrap();
        assert_eq!(endpoints.keys().collect::<Vec<_>>(), ["/predict"], "{line}");
        assert_eq!(endpoints["/predict"]["parameters"], json!(manifest.parameters), "{line}");
        assert_eq!(endpoints["/predict"]["returns"][0], component, "{line}");
    }
}

#[test]
#[ignore = "needs tests/run setup"]
fn gradio_5_builds_each_interface() {
    assert_interfaces(5);
}

#[test]
#[ignore = "needs tests/run setup"]
fn gradio_6_builds_each_interface() {
    assert_interfaces(6);
}
