//! Renders a Space into a folder, for the tests of the templates with real models:
//!
//! ```sh
//! cargo run --example render_template -- FOLDER '{"template": "chat", "model": "ada/tiny", "sha": "…"}'
//! ```
//!
//! Prints the first call of the app as JSON. Files that it sends are in the folder `FOLDER.call`.

#![allow(clippy::disallowed_methods, reason = "an example is its own process")]

use anyhow::Context as _;
use hf_deploy::templates::{ENDPOINT, RenderInput, Template, render, smoke_call};
use serde_json::{Value, json};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (folder, facts) = arguments.next().zip(arguments.next()).context("expected FOLDER and FACTS")?;
    let facts: Value = serde_json::from_str(&facts).context("FACTS are no JSON")?;
    let text = |key: &str| facts.get(key).and_then(Value::as_str).map(str::to_owned);
    let template: Template = text("template").context("`template` is missing")?.parse()?;
    let input = RenderInput {
        base_model: text("base_model"),
        base_sha: text("base_sha"),
        task: text("task"),
        instance_prompt: text("instance_prompt"),
        ..RenderInput::new(
            template,
            text("model").context("`model` is missing")?,
            text("sha").context("`sha` is missing")?,
        )
    };
    std::fs::create_dir_all(&folder)?;
    for file in render(&input)? {
        std::fs::write(format!("{folder}/{}", file.path), file.text)?;
    }
    let call = smoke_call(template, &input.widget);
    std::fs::create_dir_all(format!("{folder}.call"))?;
    for (name, content) in &call.files {
        std::fs::write(format!("{folder}.call/{name}"), content)?;
    }
    let manifest = template.manifest();
    let shown = json!({
        "endpoint": ENDPOINT,
        "args": call.args,
        "kwargs": call.kwargs,
        "expect": manifest.output.content(),
        "requirements": manifest.requirements,
    });
    println!("{shown}");
    Ok(())
}
