//! A Python script with inline metadata (PEP 723), and its table `[tool.hf-jobs]`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::declared::{SCRIPT, SOURCE_DIR};
use crate::action::GithubContext;
use crate::commands::inputs::diagnostics::Diagnostics;
use crate::commands::inputs::values::Values;
use crate::ops::job::MAX_SCRIPT;
use crate::ops::job::options::PythonScript;

/// A script of the checkout.
#[derive(Debug, Clone)]
pub(super) struct ScriptFile {
    pub(super) python: PythonScript,
    pub(super) header: Header,
}

impl ScriptFile {
    /// Reads the file that the input names; `None` is a fault, or an input that is not set.
    pub(super) fn read(
        values: &Values,
        github: &GithubContext,
        diagnostics: &mut Diagnostics,
    ) -> Option<Self> {
        let path = values.given(&SCRIPT)?;
        let root = github.workspace.clone().unwrap_or_else(|| ".".into());
        let mut script = diagnostics.take(&SCRIPT, Self::read_file(&root, path))?;
        let sent = values.given(&SOURCE_DIR).and_then(|folder| root.join(folder).canonicalize().ok());
        let file = root.join(path).canonicalize().ok();
        script.python.path_in_checkout = sent
            .zip(file)
            .and_then(|(folder, file)| Some(file.strip_prefix(folder).ok()?.to_str()?.to_owned()));
        Some(script)
    }

    fn read_file(root: &Path, path: &str) -> Result<Self, String> {
        let file = root.join(path);
        let inside = || Some(file.canonicalize().ok()?.starts_with(root.canonicalize().ok()?));
        let text = std::fs::read_to_string(&file).map_err(|error| format!("cannot be read: {error}"))?;
        if inside() != Some(true) {
            return Err("must be a file of the checkout".to_owned());
        }
        if text.len() > MAX_SCRIPT {
            return Err(format!("must be shorter than {MAX_SCRIPT} bytes"));
        }
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or("script.py");
        let name: String = name.chars().map(|c| if c.is_whitespace() { '_' } else { c }).collect();
        let header = Header::read(&text)?;
        let python = header.python.clone();
        Ok(Self { python: PythonScript { text, name, path_in_checkout: None, python }, header })
    }
}

/// Parses a setting of the header. A refusal is a fault of the script.
pub(super) fn header_value<T, E: std::fmt::Display>(
    name: &str,
    text: Option<&str>,
    parse: impl FnOnce(&str) -> Result<T, E>,
    diagnostics: &mut Diagnostics,
) -> Option<T> {
    let parsed = parse(text?).map_err(|refusal| format!("has `{name}` in its header, which {refusal}"));
    diagnostics.take(&SCRIPT, parsed)
}

/// Launch settings that a script carries. Inputs win over them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Header {
    pub(super) image: Option<String>,
    pub(super) flavor: Option<String>,
    pub(super) python: Option<String>,
    pub(super) timeout: Option<Time>,
    pub(super) name: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) secrets: Vec<String>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) volumes: Vec<String>,
    /// Settings of networks between Jobs, which this program does not make.
    network_group: Option<String>,
    network_aliases: Vec<String>,
}

/// A time with a unit, or in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum Time {
    Text(String),
    Seconds(u64),
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    tool: Tool,
}

#[derive(Default, Deserialize)]
struct Tool {
    #[serde(default, rename = "hf-jobs")]
    hf_jobs: Option<Header>,
}

impl Header {
    /// Reads the table of a script. A script without metadata or without the table has no settings.
    ///
    /// # Errors
    ///
    /// A sentence about metadata that cannot be read.
    pub(super) fn read(script: &str) -> Result<Self, String> {
        let Some(block) = metadata(script) else { return Ok(Self::default()) };
        let metadata: Metadata = toml::from_str(&block)
            .map_err(|error| format!("has metadata that cannot be read: {}", error.message()))?;
        Ok(metadata.tool.hf_jobs.unwrap_or_default())
    }

    /// Returns true if the script asks for a network between Jobs.
    pub(super) fn has_network(&self) -> bool {
        self.network_group.is_some() || !self.network_aliases.is_empty()
    }
}

impl Time {
    /// Returns the time as an input has it.
    pub(super) fn to_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Seconds(seconds) => format!("{seconds}s"),
        }
    }
}

/// Returns the content of the first block `# /// script` (PEP 723, "Specification").
fn metadata(script: &str) -> Option<String> {
    let mut lines = script.lines().skip_while(|line| line.trim_end() != "# /// script");
    lines.next()?;
    let mut block = Vec::new();
    let mut end = None;
    for line in lines {
        if line.trim_end() == "# ///" {
            // The last such line of the comment ends the block.
            end = Some(block.len());
        }
        match line.strip_prefix("# ").or_else(|| (line == "#").then_some("")) {
            Some(content) => block.push(content),
            None => break,
        }
    }
    block.truncate(end?);
    Some(block.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_the_official_client_is_read() {
        let script = r#"#!/usr/bin/env python
# /// script
# dependencies = ["rich"]
#
# [tool.hf-jobs]
# flavor = "a10g-small"
# timeout = "2h"
# secrets = ["HF_TOKEN"]
# volumes = ["hf://buckets/ada/data:/data:ro"]
#
# [tool.hf-jobs.env]
# MODE = "fast"
# ///
import rich
"#;
        let header = Header::read(script).unwrap();
        assert_eq!(header.flavor.as_deref(), Some("a10g-small"));
        assert_eq!(header.timeout.unwrap().to_text(), "2h");
        assert_eq!(header.secrets, ["HF_TOKEN"]);
        assert_eq!(header.env["MODE"], "fast");
        assert_eq!(header.volumes, ["hf://buckets/ada/data:/data:ro"]);
        let seconds =
            Header::read("# /// script\r\n# [tool.hf-jobs]\r\n# timeout = 90\r\n# ///\r\n").unwrap();
        assert_eq!(seconds.timeout.unwrap().to_text(), "90s");
    }

    #[test]
    fn scripts_without_the_table_have_no_settings() {
        for script in [
            "print(1)\n",
            "# /// script\n# dependencies = []\n# ///\n",
            "# /// script\n# never ended\n",
            "# /// other\n# [tool.hf-jobs]\n# ///\n",
        ] {
            assert_eq!(Header::read(script), Ok(Header::default()), "{script}");
        }
    }

    #[test]
    fn bad_tables_are_refused() {
        for (table, words) in [
            ("flavour = \"x\"", "unknown field"),
            ("secrets = { A = \"x\" }", "invalid type"),
            ("env = { A = 1 }", "invalid type"),
            ("flavor = ", "cannot be read"),
        ] {
            let refusal =
                Header::read(&format!("# /// script\n# [tool.hf-jobs]\n# {table}\n# ///\n")).unwrap_err();
            assert!(refusal.contains(words), "{table}: {refusal}");
        }
    }
}
