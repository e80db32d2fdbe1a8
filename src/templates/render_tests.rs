use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::card::{PYTHON_VERSION, SDK_VERSION};
use super::super::input::License;
use super::super::record::OWNERSHIP_TAG;
use super::super::rules::check_rules;
use super::*;

/// Texts that end a literal, a line, a comment or an element of some language.
const HOSTILE: [&str; 16] = [
    "\"",
    "'",
    "\"\"\"; import os; \"\"\"",
    "'''",
    "\\",
    "\\\"",
    "\n",
    "\r\nimport os\r\n",
    "\u{2028}\u{2029}\u{85}\u{b}\u{c}\u{1c}",
    "{{ model }} {% include 'x' %} {# x #}",
    "</script><script>alert(1)</script>",
    "--> <b>",
    "---\nsdk: docker\n---\n",
    "# coding: utf-7",
    "{MODEL_ID} %s \u{0} \u{202e}",
    "é😀漢\u{feff}",
];

fn input(template: Template) -> RenderInput {
    let mut input = RenderInput::new(template, "acme/my-model", "0123abc");
    input.base_model = Some("acme/base".to_owned());
    input.task = Some("zero-shot-classification".to_owned());
    input
}

/// Puts a text into every field that comes from outside.
fn with_text(template: Template, text: &str) -> RenderInput {
    let text = || text.to_owned();
    RenderInput {
        model: text(),
        sha: text(),
        base_model: Some(text()),
        base_sha: Some(text()),
        instance_prompt: Some(text()),
        title: Some(text()),
        license: Some(License { id: text(), name: Some(text()), link: Some(text()) }),
        hardware: Some(text()),
        variant: Some(text()),
        weights_bytes: Some(20_000_000_000),
        widget: vec![json!({
            "text": text(), "context": text(), "candidate_labels": [text()], "source_sentence": text(),
            "sentences": [text()], "table": {text(): [text()]}, "src": format!("https://huggingface.co/{}", text()),
        })],
        ..input(template)
    }
}

fn file<'a>(files: &'a [GeneratedFile], path: &str) -> &'a str {
    files.iter().find(|file| file.path == path).map(|file| file.text.as_str()).unwrap_or_default()
}

fn front_matter_of(readme: &str) -> serde_yaml::Mapping {
    let rest = readme.strip_prefix("---\n").unwrap();
    serde_yaml::from_str(rest.split_once("\n---\n").unwrap().0).unwrap()
}

/// Returns the code of a Python file with every string replaced by one mark.
fn python_skeleton(text: &str) -> String {
    let string = regex::Regex::new(r#""""(?s:.*?)"""|"(?:[^"\\\n]|\\.)*"|#[^\n]*"#).unwrap();
    let skeleton = string.replace_all(text, "S").into_owned();
    // A row of examples has as many cells as fit, and a text without a use is left out.
    let examples = regex::Regex::new(r"(?m)^EXAMPLES = .*$").unwrap();
    examples.replace(&skeleton, "EXAMPLES").into_owned()
}

#[test]
fn each_template_keeps_the_rules() {
    for template in Template::ALL {
        for is_scaffold in [false, true] {
            let files = render(&RenderInput { is_scaffold, ..input(*template) }).unwrap();
            let manifest = template.manifest();
            for file in &files {
                if manifest.sdk == SpaceSdk::Gradio {
                    assert_eq!(check_rules(file.path, &file.text), [], "{template} {}", file.path);
                }
                assert!(
                    file.text.ends_with('\n') && !file.text.contains("\n\n\n\n"),
                    "{template} {}",
                    file.path
                );
            }
            assert!(files.is_sorted_by_key(|file| file.path), "{template}");
            assert_eq!(
                render(&RenderInput { is_scaffold, ..input(*template) }).unwrap(),
                files,
                "{template}"
            );
            let card = front_matter_of(file(&files, "README.md"));
            assert_eq!(card["sdk"], manifest.sdk.hub_name(), "{template}");
            assert_eq!(card["models"], serde_yaml::Value::from(vec!["acme/my-model"]), "{template}");
            assert_eq!(card["tags"], serde_yaml::Value::from(vec![OWNERSHIP_TAG]), "{template}");
            let app_file = card["app_file"].as_str().unwrap();
            assert!(file(&files, app_file).lines().take(3).any(|line| line.contains("commit 0123abc")));
        }
        assert!(!template.manifest().purpose.is_empty());
    }
}

#[test]
fn apps_declare_what_the_catalogue_says() {
    for template in Template::ALL.iter().filter(|template| template.manifest().sdk == SpaceSdk::Gradio) {
        let manifest = template.manifest();
        let files = render(&input(*template)).unwrap();
        let app = file(&files, "app.py");
        for needed in ["api_name=\"predict\"", "cache_examples=False", ".queue(max_size=20)"] {
            assert!(app.contains(needed), "{template} lacks {needed}");
        }
        let component = match manifest.output {
            super::super::Output::Chat => "gr.ChatInterface(",
            super::super::Output::Textbox => "gr.Textbox(",
            super::super::Output::Label => "gr.Label(",
            super::super::Output::HighlightedText => "gr.HighlightedText(",
            super::super::Output::Json => "gr.JSON(",
            super::super::Output::Image => "gr.Image(",
            super::super::Output::AnnotatedImage => "gr.AnnotatedImage(",
            super::super::Output::Audio => "gr.Audio(",
            super::super::Output::Video => "gr.Video(",
            super::super::Output::Page => unreachable!(),
        };
        assert!(app.contains(component), "{template} lacks {component}");
        let head = app.lines().find(|line| line.starts_with("def predict(")).unwrap();
        let names: Vec<&str> = head["def predict(".len()..]
            .split(", ")
            .filter_map(|parameter| parameter.split_once(':').map(|(name, _)| name))
            .filter(|name| *name != "history")
            .take(manifest.parameters.len() + 1)
            .collect();
        assert_eq!(names[..manifest.parameters.len()], *manifest.parameters, "{template}");
        let casts = app.contains("torch.bfloat16");
        assert_eq!(casts, manifest.dtype == WeightsDtype::Cast, "{template}");
        assert!(manifest.requirements.iter().all(|name| !name.contains(['=', '<', '>'])), "{template}");
        assert!(manifest.activation_gb >= 0.0 && (manifest.smoke)().len() <= manifest.parameters.len());
    }
}

#[test]
fn options_change_the_code() {
    let render_with = |change: fn(&mut RenderInput)| {
        let mut input = input(Template::Chat);
        change(&mut input);
        let files = render(&input).unwrap();
        (file(&files, "app.py").to_owned(), file(&files, "requirements.txt").to_owned())
    };
    let (app, requirements) = render_with(|_| ());
    assert!(
        app.contains("@spaces.GPU(duration=60)\n") && app.contains("dtype=DTYPE).to(DEVICE).eval()"),
        "{app}"
    );
    assert_eq!(requirements, "transformers\naccelerate\nsentencepiece\n");
    let (app, _) = render_with(|input| {
        input.gpu_size = GpuSize::Xlarge;
        input.duration_seconds = Some(90);
        input.trust_remote_code = true;
    });
    assert!(app.contains("@spaces.GPU(duration=90, size=\"xlarge\")\n"), "{app}");
    assert!(app.contains("revision=REVISION, trust_remote_code=True)"), "{app}");
    let (app, requirements) = render_with(|input| input.bitsandbytes = true);
    assert!(app.contains("dtype=DTYPE, device_map=\"cuda\").eval()"), "{app}");
    assert!(requirements.ends_with("bitsandbytes\n"));
    let mut lora = input(Template::DiffusersLora);
    lora.instance_prompt = Some("TOK".to_owned());
    lora.variant = Some("fp16".to_owned());
    let files = render(&lora).unwrap();
    let app = file(&files, "app.py");
    assert!(app.contains("TRIGGER = \"TOK\"\n") && app.contains(", variant=\"fp16\")"), "{app}");
    lora.base_model = None;
    assert_eq!(render(&lora), Err(RenderError::MissingBase { template: Template::DiffusersLora }));
}

#[test]
fn hostile_texts_change_no_structure() {
    for template in Template::ALL {
        let plain = render(&with_text(*template, "x")).unwrap();
        for text in HOSTILE.iter().map(|text| (*text).to_owned()).chain(["x".repeat(20_000)]) {
            let files = render(&with_text(*template, &text)).unwrap();
            assert_structure(*template, &plain, &files, &text);
        }
    }
}

fn assert_structure(template: Template, plain: &[GeneratedFile], files: &[GeneratedFile], text: &str) {
    let paths = |files: &[GeneratedFile]| files.iter().map(|file| file.path).collect::<Vec<_>>();
    assert_eq!(paths(plain), paths(files), "{template} {text:?}");
    assert_eq!(
        python_skeleton(file(files, "app.py")),
        python_skeleton(file(plain, "app.py")),
        "{template} {text:?}"
    );
    assert_eq!(file(files, "requirements.txt"), file(plain, "requirements.txt"));
    let page = file(files, "index.html");
    for mark in ["<script", "</script", "<!--", "-->", "<textarea", "</textarea", "<a ", "</title"] {
        assert_eq!(
            page.matches(mark).count(),
            file(plain, "index.html").matches(mark).count(),
            "{text:?} {mark}"
        );
    }
    let record = Record::read(file(files, RECORD_FILE).as_bytes()).unwrap();
    assert_eq!((record.model.as_str(), record.template.as_str()), (text, template.name()));
    let readme = file(files, "README.md");
    let (card, expected) = (front_matter_of(readme), front_matter_of(file(plain, "README.md")));
    assert_eq!(card.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{text:?}");
    assert_eq!(card["models"], serde_yaml::Value::from(vec![text]));
    assert_eq!((&card["sdk"], card.get("sdk_version")), (&expected["sdk"], expected.get("sdk_version")));
    assert!(card["short_description"].as_str().unwrap().chars().count() <= 60);
    let body = readme.rsplit_once("\n---\n").unwrap().1;
    assert_eq!(body.lines().count(), 6, "{body}");
}

#[test]
fn versions_are_those_that_were_tried() {
    let tried = include_str!("../../tests/fixtures/gradio/requirements-6.txt");
    assert!(tried.contains(&format!("gradio=={SDK_VERSION}\n")));
    assert_eq!(PYTHON_VERSION, "3.12");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_text_changes_no_structure(at in 0..Template::ALL.len(), text in "(?s).{1,40}") {
        prop_assume!(!text.trim().is_empty());
        let template = Template::ALL[at];
        let plain = render(&with_text(template, "x")).unwrap();
        let files = render(&with_text(template, &text)).unwrap();
        assert_structure(template, &plain, &files, &text);
    }

    #[test]
    fn any_widget_renders(at in 0..Template::ALL.len(), key in "[a-z_]{0,12}", text in "(?s).{0,20}") {
        let template = Template::ALL[at];
        for value in [json!(null), json!(text), json!([text]), json!({"role": "user"}), json!(7)] {
            let widget: Vec<Value> = ["text", "messages", "table", "src", "sentences", "candidate_labels", key.as_str()]
                .iter()
                .map(|key| json!({(*key): value}))
                .collect();
            let rendered = render(&RenderInput { widget, ..input(template) });
            prop_assert!(rendered.is_ok(), "{rendered:?}");
        }
    }
}
