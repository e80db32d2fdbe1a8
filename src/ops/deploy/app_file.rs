//! The file that a Space starts, and the refusal of a deploy without it.

use super::context::Context;
use crate::failure::Failure;
use crate::failure::deploy::MissingApp;
use crate::folder::{Source, card, sdk};
use hub::SpaceSdk;

/// File that the Hub starts, or shows first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AppFile {
    sdk: SpaceSdk,
    pub(super) path: String,
    /// The card names it.
    is_named: bool,
}

impl AppFile {
    /// Reads the app file from the card of the Space: `None` if the Hub makes the file itself.
    pub(super) fn of(sdk: SpaceSdk, readme: Option<&[u8]>) -> Option<Self> {
        let card = readme.and_then(|readme| card::Card::read(readme).ok().flatten());
        let text = |key: &str| card.as_ref().and_then(|card| card.text(key));
        let (default, named) = match sdk {
            SpaceSdk::Docker | SpaceSdk::Streamlit => (sdk::DOCKERFILE, None),
            SpaceSdk::Static if text("app_build_command").is_some() => return None,
            SpaceSdk::Static => ("index.html", text("app_file")),
            SpaceSdk::Gradio => ("app.py", text("app_file")),
        };
        let named = named.map(|path| path.trim_start_matches("./")).filter(|path| !path.is_empty());
        Some(Self { sdk, path: named.unwrap_or(default).to_owned(), is_named: named.is_some() })
    }

    /// Returns the refusal of a new Space, which can start only from the folder.
    pub(super) fn missing_in_new_space(&self, context: &Context<'_>, source: &Source) -> Failure {
        self.missing(&context.source_dir(), source, |missing| missing.in_new_space())
    }

    /// Returns the refusal of a deploy that deletes the app file.
    pub(super) fn deleted(&self, context: &Context<'_>, source: &Source) -> Failure {
        self.missing(&context.source_dir(), source, |missing| missing.deleted_from(&context.repo))
    }

    /// Returns the refusal of a deploy after which neither the folder nor the Hub has the app file.
    pub(super) fn absent(&self, context: &Context<'_>, source: &Source) -> Failure {
        self.missing(&context.source_dir(), source, |missing| missing.absent_from(&context.repo))
    }

    fn missing(
        &self,
        source_dir: &str,
        source: &Source,
        refuse: impl FnOnce(&MissingApp<'_>) -> Failure,
    ) -> Failure {
        let other_app = sdk::app_file(source, self.sdk);
        let differs_in_case = |path: &str| path != self.path && path.eq_ignore_ascii_case(&self.path);
        let paths = source.files.iter().map(|file| file.path.as_str());
        refuse(&MissingApp {
            sdk: self.sdk,
            path: &self.path,
            is_named: self.is_named,
            source_dir,
            other_app: other_app.as_deref().filter(|own| **own != *self.path),
            subfolder: subfolder_with(source, &self.path),
            other_case: paths.into_iter().find(|path| differs_in_case(path)),
            other_sdk: sdk::sdk_of_files(source).filter(|guess| guess.hub_name() != self.sdk.hub_name()),
        })
    }
}

/// Returns the subfolder nearest to the root that has this file.
fn subfolder_with<'s>(source: &'s Source, file: &str) -> Option<&'s str> {
    let folders = source.files.iter().filter_map(|other| {
        let folder = other.path.as_str().strip_suffix(file)?.strip_suffix('/')?;
        (!folder.is_empty()).then_some(folder)
    });
    folders.min_by_key(|folder| (folder.matches('/').count(), *folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use SpaceSdk::{Docker, Gradio, Static, Streamlit};

    #[test]
    fn app_file_follows_from_the_card() {
        let cases = [
            (Gradio, "", Some("app.py")),
            (Gradio, "---\nsdk: gradio\napp_file: ./src/run.py\n---\n", Some("src/run.py")),
            (Gradio, "---\napp_file: ''\n---\n", Some("app.py")),
            (Gradio, "---\n[\n---\n", Some("app.py")),
            (Static, "---\nsdk: static\n---\n", Some("index.html")),
            (Static, "---\napp_file: dist/index.html\n---\n", Some("dist/index.html")),
            (Static, "---\napp_build_command: npm run build\napp_file: dist/index.html\n---\n", None),
            (Docker, "---\napp_file: x\n---\n", Some("Dockerfile")),
            (Streamlit, "", Some("Dockerfile")),
        ];
        for (sdk, readme, expected) in cases {
            let app = AppFile::of(sdk, Some(readme.as_bytes()));
            assert_eq!(app.map(|app| app.path).as_deref(), expected, "{readme:?}");
        }
    }
}
