//! The file that a Space starts with, and what to do where it is missing.

use hub::SpaceSdk;

use super::Deploy;
use crate::failure::{Code, Failure};
use crate::folder::{Source, card, sdk};

/// Which file the Hub starts, or shows first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AppFile {
    sdk: SpaceSdk,
    pub(super) path: String,
    /// The card names it.
    is_named: bool,
}

impl AppFile {
    /// Reads it from the card that the Space is to have: `None` where the Hub makes the file itself.
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

    /// Returns the hint that fits what the folder has in its place.
    fn hints(&self, source: &Source, source_dir: &str) -> Vec<String> {
        let mut hints = Vec::new();
        let own = sdk::app_file(source, self.sdk);
        match own.filter(|own| *own != self.path) {
            Some(own) if self.is_named => hints.push(format!(
                "correct README.md: it says `app_file: {}`, and the folder has `{own}`",
                self.path
            )),
            Some(own) => hints.push(format!("write `app_file: {own}` into the metadata block of README.md")),
            None => {}
        }
        if let Some(folder) = folder_with(source, &self.path) {
            let dir = if source_dir == "." { folder.to_owned() } else { format!("{source_dir}/{folder}") };
            hints.push(format!("set `source_dir: {dir}`, if `{folder}/{}` is the app", self.path));
        }
        let other_case = |path: &str| path != self.path && path.eq_ignore_ascii_case(&self.path);
        if let Some(file) = source.files.iter().find(|file| other_case(file.path.as_str())) {
            hints.push(format!("rename `{}` to `{}`", file.path, self.path));
        }
        let guess = sdk::sdk_of_files(source).filter(|guess| guess.hub_name() != self.sdk.hub_name());
        if let Some(guess) = guess {
            let file = if guess == SpaceSdk::Docker { "Dockerfile" } else { "index.html" };
            hints.push(format!(
                "set `space_sdk: {}`, if the `{file}` of the folder is what the Space is to run",
                guess.as_str()
            ));
        }
        hints.push(match self.sdk {
            SpaceSdk::Docker | SpaceSdk::Streamlit => {
                "add a `Dockerfile` to the folder, or set `source_dir` to the folder that holds it".to_owned()
            }
            SpaceSdk::Static => format!(
                "add `{}` to the folder, or set `source_dir` to the folder that holds the built pages",
                self.path
            ),
            SpaceSdk::Gradio => "set `source_dir` to the folder that holds the app, `app_file` in its README.md, or `space_sdk` if it is none of that kind".to_owned(),
        });
        hints
    }
}

/// The folder nearest to the top that has this file.
fn folder_with<'s>(source: &'s Source, file: &str) -> Option<&'s str> {
    let folders = source.files.iter().filter_map(|other| {
        let folder = other.path.as_str().strip_suffix(file)?.strip_suffix('/')?;
        (!folder.is_empty()).then_some(folder)
    });
    folders.min_by_key(|folder| (folder.matches('/').count(), *folder))
}

impl Deploy<'_> {
    /// The refusal of a new Space: it has nothing but the folder to start from.
    pub(super) fn new_without(&self, app: &AppFile, source: &Source) -> Failure {
        let message = format!(
            "the folder has no `{}`, which a new {} Space starts (nothing was changed)",
            app.path,
            app.sdk.hub_name()
        );
        self.without(message, app, source)
            .hint("set `repo_type: model` or `repo_type: dataset`, if the files are no app")
    }

    /// The refusal of a deploy after which the Space would have no app.
    pub(super) fn left_without(&self, app: &AppFile, source: &Source, is_deleted: bool) -> Failure {
        let (repo, path, dir) = (&self.repo, &app.path, self.source_dir());
        let message = match is_deleted {
            true => format!(
                "this deploy would leave the {repo} without `{path}`: it deletes it, and `source_dir` (`{dir}`) has none (nothing was changed)"
            ),
            false => format!(
                "this deploy would leave the {repo} without `{path}`: neither the Hub nor `source_dir` (`{dir}`) has one (nothing was changed)"
            ),
        };
        self.without(message, app, source)
    }

    fn without(&self, message: String, app: &AppFile, source: &Source) -> Failure {
        let failure = Failure::new(Code::SpaceWithoutApp, message).before_any_write();
        app.hints(source, &self.source_dir()).into_iter().fold(failure, Failure::hint)
    }

    /// The folder as the workflow names it.
    fn source_dir(&self) -> String {
        let dir = &self.options.source_dir;
        let inside = self.options.workspace.as_ref().and_then(|workspace| dir.strip_prefix(workspace).ok());
        match inside.unwrap_or(dir).to_string_lossy() {
            text if text.is_empty() => ".".to_owned(),
            text => text.into_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SpaceSdk::{Docker, Gradio, Static, Streamlit};

    #[test]
    fn the_app_file_follows_from_the_card() {
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
