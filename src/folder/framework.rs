//! Detects the framework of a Python app.

use super::sdk::{imports, python_app};
use super::{Source, SourceFile};

/// Frameworks that serve an app without Gradio, by the name that is imported.
const FRAMEWORKS: [&str; 12] = [
    "streamlit",
    "fastapi",
    "flask",
    "dash",
    "django",
    "nicegui",
    "chainlit",
    "shiny",
    "solara",
    "quart",
    "fasthtml",
    "litestar",
];
/// Maximum number of files that are searched for an import of Gradio.
const MAX_FILES: usize = 2_000;

/// An app file that imports a framework, in a folder that does not import Gradio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherFramework {
    /// Name that is imported.
    pub name: &'static str,
    pub file: String,
    /// Line of the import, counted from 1.
    pub line: u32,
}

/// Finds the app of another framework in a folder that is going to be a Gradio Space.
///
/// One import of Gradio is enough for a Gradio app, because such an app may also use FastAPI.
pub fn other_than_gradio(source: &Source) -> Option<OtherFramework> {
    let file = python_app(source)?;
    let text = source.text(&file)?;
    let (line, name) = text.lines().enumerate().find_map(|(index, line)| {
        let name = FRAMEWORKS.iter().find(|name| imports(line, name))?;
        Some((u32::try_from(index + 1).ok()?, *name))
    })?;
    let mentions_gradio = |text: &str| {
        text.lines().any(|line| line.split('#').next().is_some_and(|code| code.contains("gradio")))
    };
    if mentions_gradio(&text) {
        return None;
    }
    let is_python = |file: &&SourceFile| file.path.as_str().ends_with(".py");
    let uses_gradio = |file: &SourceFile| {
        source.text(file.path.as_str()).is_some_and(|text| text.lines().any(|line| imports(line, "gradio")))
    };
    let requires_gradio = source.text("requirements.txt").is_some_and(|text| {
        let is_gradio = |line: &str| {
            line.trim_start().strip_prefix("gradio").is_some_and(|rest| !rest.starts_with(['_', '-']))
        };
        text.lines().any(is_gradio)
    });
    // An installed package may import Gradio.
    let has_gradio = name != "streamlit" && requires_gradio
        || source.files.iter().filter(is_python).take(MAX_FILES).any(uses_gradio);
    (!has_gradio).then_some(OtherFramework { name, file, line })
}

#[cfg(test)]
mod tests {
    use super::super::testing::source;
    use super::*;

    fn found(files: &[(&str, &str)]) -> Option<(&'static str, String, u32)> {
        other_than_gradio(&source(files)).map(|found| (found.name, found.file, found.line))
    }

    #[test]
    fn app_of_another_framework_is_found() {
        type Case<'a> = (&'a [(&'a str, &'a str)], (&'static str, &'a str, u32));
        let cases: [Case<'_>; 6] = [
            (&[("app.py", "import os\nimport streamlit as st\n")], ("streamlit", "app.py", 2)),
            (&[("app.py", "from flask import Flask\n"), ("util.py", "import os")], ("flask", "app.py", 1)),
            (&[("app.py", "# no gradio\nfrom fastapi import FastAPI\n")], ("fastapi", "app.py", 2)),
            (&[("streamlit_app.py", "import streamlit")], ("streamlit", "streamlit_app.py", 1)),
            (&[("dashboard.py", "import dash, flask")], ("flask", "dashboard.py", 1)),
            (
                &[
                    ("README.md", "---\napp_file: ./web/main.py\n---\n"),
                    ("web/main.py", "import nicegui"),
                    ("app.py", ""),
                ],
                ("nicegui", "web/main.py", 1),
            ),
        ];
        for (files, (name, file, line)) in cases {
            assert_eq!(found(files), Some((name, file.to_owned(), line)), "{files:?}");
        }
    }

    #[test]
    fn app_with_gradio_is_a_gradio_app() {
        let cases: [&[(&str, &str)]; 8] = [
            &[("app.py", "import fastapi, my_ui\n"), ("requirements.txt", "my-ui\ngradio>=5\n")],
            &[(
                "app.py",
                "from fastapi import FastAPI\nimport gradio as gr\ngr.mount_gradio_app(app, demo, '/')",
            )],
            &[("app.py", "import fastapi\nimport ui\n"), ("ui.py", "import gradio")],
            &[
                ("app.py", "import fastapi\nfrom web.ui import demo\n"),
                ("web/ui.py", "    from gradio import Blocks"),
            ],
            &[("app.py", "import flask, importlib\nui = importlib.import_module('gradio')\n")],
            &[("app.py", "import streamlit_gradio_bridge\n")],
            &[("app.py", "print('hello')"), ("other.py", "import flask")],
            &[("index.html", "import flask")],
        ];
        for files in cases {
            assert_eq!(found(files), None, "{files:?}");
        }
    }
}
