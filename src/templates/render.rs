//! The files of a Space.

use std::sync::LazyLock;

use hub::SpaceSdk;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, Value, context};
use rust_embed::Embed;

use super::card::front_matter;
use super::examples;
use super::input::{GpuSize, RenderInput};
use super::literal;
use super::manifest::WeightsDtype;
use super::record::{RECORD_FILE, Record};
use super::render_error::RenderError;
use super::static_page;
use super::template::Template;

/// Name and version in the header of each file.
const GENERATOR: &str = concat!("hf-deploy ", env!("CARGO_PKG_VERSION"));

/// The templates, and the parts that they share.
#[derive(Embed)]
#[folder = "src/templates/files"]
#[include = "*.jinja"]
struct Files;

static ENVIRONMENT: LazyLock<Result<Environment<'static>, String>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    literal::add_to(&mut environment);
    for name in Files::iter() {
        let file = Files::get(&name).ok_or_else(|| format!("{name} is missing"))?;
        let text = String::from_utf8(file.data.into_owned()).map_err(|error| format!("{name}: {error}"))?;
        environment.add_template_owned(name.into_owned(), text).map_err(|error| format!("{error:#}"))?;
    }
    Ok(environment)
});

/// A file of a Space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedFile {
    pub path: &'static str,
    pub text: String,
}

/// Returns the files of a Space, by path: the same bytes for the same facts.
pub fn render(input: &RenderInput) -> Result<Vec<GeneratedFile>, RenderError> {
    let manifest = input.template.manifest();
    let needs_base = matches!(input.template, Template::PeftChat | Template::DiffusersLora);
    if needs_base && input.base_model.is_none() {
        return Err(RenderError::MissingBase { template: input.template });
    }
    let page = static_page::page(input)?;
    let values = values(input, page);
    let fill = |name: &str| -> Result<String, RenderError> {
        let environment = ENVIRONMENT.as_ref().map_err(|error| RenderError::Template(error.clone()))?;
        let template = environment.get_template(name).and_then(|template| template.render(&values));
        template.map(|text| tidy(&text)).map_err(|error| RenderError::Template(format!("{error:#}")))
    };
    let record = Record::new(&input.model, &input.sha, input.template.name());
    let record = match &input.editor {
        Some(editor) => record.edited_by(editor),
        None => record,
    };
    let record =
        serde_json::to_string_pretty(&record).map_err(|error| RenderError::Template(error.to_string()))?;
    let readme = format!("{}\n{}", front_matter(input), fill("README.md.jinja")?);
    let mut files = vec![
        GeneratedFile { path: RECORD_FILE, text: record + "\n" },
        GeneratedFile { path: "README.md", text: readme },
    ];
    if manifest.sdk == SpaceSdk::Static {
        files.push(GeneratedFile { path: "index.html", text: fill("static-transformersjs.html.jinja")? });
        return Ok(files);
    }
    let app = if input.renders_scaffold() { "scaffold" } else { input.template.name() };
    files.push(GeneratedFile { path: "app.py", text: fill(&format!("{app}.py.jinja"))? });
    if input.renders_scaffold() {
        return Ok(files);
    }
    let mut requirements = manifest.requirements.to_vec();
    if input.bitsandbytes {
        requirements.push("bitsandbytes");
    }
    let mut list = |path, names: &[&str]| {
        if !names.is_empty() {
            let lines: String = names.iter().map(|name| format!("{name}\n")).collect();
            files.push(GeneratedFile { path, text: lines });
        }
    };
    list("packages.txt", manifest.packages);
    list("requirements.txt", &requirements);
    Ok(files)
}

/// Returns the values that templates insert.
fn values(input: &RenderInput, page: Value) -> Value {
    let manifest = input.template.manifest();
    // Code of this program, which needs no filter.
    let code = |text: &'static str| Value::from_safe_string(text.to_owned());
    let when = |is_used: bool, text| code(if is_used { text } else { "" });
    let is_quantized = input.bitsandbytes;
    let placed = match (is_quantized, manifest.dtype) {
        // bitsandbytes places the weights while it loads them, and refuses to move them.
        (true, _) => "dtype=DTYPE, device_map=\"cuda\"",
        (false, WeightsDtype::Cast) => "dtype=DTYPE, device=DEVICE",
        (false, WeightsDtype::Float32) => "dtype=torch.float32, device=DEVICE",
        (false, WeightsDtype::Checkpoint | WeightsDtype::Unloaded) => "device=DEVICE",
    };
    context! {
        generator => GENERATOR,
        template => input.template.name(),
        model => input.model.as_str(),
        sha => input.sha.as_str(),
        title => input.title(),
        purpose => manifest.purpose,
        base_model => input.base_model.as_deref(),
        base_sha => input.base_sha.as_deref(),
        trigger => input.instance_prompt.as_deref().map(str::trim).unwrap_or_default(),
        variant => input.variant.as_deref(),
        duration => input.duration_seconds.unwrap_or(manifest.duration_seconds),
        is_xlarge => input.gpu_size == GpuSize::Xlarge,
        bitsandbytes => is_quantized,
        trust_remote_code => input.trust_remote_code,
        examples => Value::from(Serde(examples::shown(input.template, &input.widget))),
        placed => code(placed),
        trust => when(input.trust_remote_code, ", trust_remote_code=True"),
        device_map => when(is_quantized, ", device_map=\"cuda\""),
        to_device => when(!is_quantized, ".to(DEVICE)"),
        page => page,
        editor => input.editor.as_ref().map(|editor| format!("{} with the model {}", editor.package, editor.model)),
    }
}

/// Returns a text without blanks at the ends of lines, and with one line break at its end.
fn tidy(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.trim_start_matches('\n').lines().map(str::trim_end) {
        if line.is_empty() {
            empty += 1;
            continue;
        }
        // As formatters of Python do: two empty lines at most.
        tidy.push_str(&"\n".repeat(empty.min(2)));
        empty = 0;
        tidy.push_str(line);
        tidy.push('\n');
    }
    tidy
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
