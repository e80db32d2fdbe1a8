//! The framework that a Python app is written for.

use super::card::Card;
use super::sdk::{imports, only, python_files, readme};
use super::{Source, SourceFile};

/// Frameworks that serve an app by themselves, by the name that is imported.
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
/// Files that are searched for an import of Gradio.
const MAX_FILES: usize = 2_000;

/// An app file that imports a framework, where nothing in the folder imports Gradio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherFramework {
    /// The name that is imported.
    pub name: &'static str,
    pub file: String,
    /// Counted from 1.
    pub line: u32,
}

/// Finds the app of another framework in a folder that is going to be a Gradio Space.
///
/// FastAPI below Gradio, or beside it, is a Gradio app: one import of Gradio anywhere is enough.
pub fn other_than_gradio(source: &Source) -> Option<OtherFramework> {
    let file = app_file(source)?;
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
    // Gradio may be imported by an installed package.
    let has_gradio = name != "streamlit" && requires_gradio
        || source.files.iter().filter(is_python).take(MAX_FILES).any(uses_gradio);
    (!has_gradio).then_some(OtherFramework { name, file, line })
}

/// The file that the Space would start, or the one that was probably meant to be started.
fn app_file(source: &Source) -> Option<String> {
    let card = readme(source).and_then(|readme| Card::read(&readme).ok().flatten());
    let named = card
        .as_ref()
        .and_then(|card| card.text("app_file"))
        .map(|named| named.trim_start_matches("./").to_owned());
    let usual = ["app.py", "streamlit_app.py", "src/streamlit_app.py"].map(str::to_owned);
    named
        .into_iter()
        .chain(usual)
        .find(|path| source.get(path).is_some())
        .or_else(|| only(python_files(source)).map(|file| file.path.to_string()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::source;
    use super::*;

    fn found(files: &[(&str, &str)]) -> Option<(&'static str, String, u32)> {
        other_than_gradio(&source(files)).map(|found| (found.name, found.file, found.line))
    }

    #[test]
    fn apps_of_other_frameworks_are_found() {
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
    fn apps_with_gradio_are_gradio_apps() {
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
