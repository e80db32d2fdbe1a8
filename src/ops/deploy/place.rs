//! Places that a log names, among the deployed files.

use super::context::Context;
use crate::failure::SourceLocation;
use crate::folder::{FileContent, Source, SourceFile};
use crate::ops::space::Spot;

/// Returns the place for an annotation, if the log names one of the user's files.
pub(super) fn find(
    context: &Context<'_>,
    source: &Source,
    spot: &Spot,
    message: String,
) -> Option<SourceLocation> {
    let file = deployed(source, &spot.file)?;
    let path = file.path.as_str();
    let line = spot.line.or_else(|| line_of(&source.text(path)?, spot.find.as_deref()?));
    Some(SourceLocation { file: context.annotated(path), line, message })
}

/// Finds the file that a path of the container ends with: `app.py` for `/home/user/app/app.py`. Generated files are
/// not the user's.
fn deployed<'a>(source: &'a Source, path: &str) -> Option<&'a SourceFile> {
    let path = path.trim_start_matches("./");
    let mut starts = std::iter::once(0).chain(path.match_indices('/').map(|(at, _)| at + 1));
    let file = starts.find_map(|start| source.get(path.get(start..)?))?;
    matches!(file.content, FileContent::Disk(_)).then_some(file)
}

/// Finds the line that holds a text, or the name at its beginning: `numpy` of `numpy==3.9.0`.
fn line_of(text: &str, wanted: &str) -> Option<u32> {
    let lowered = wanted.to_lowercase();
    let name: String =
        lowered.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.')).collect();
    let line = |wanted: &str| {
        let index = text.lines().position(|line| line.to_lowercase().contains(wanted))?;
        u32::try_from(index + 1).ok()
    };
    line(&lowered).or_else(|| line(Some(name.as_str()).filter(|name| name.len() > 1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_is_found_by_text_and_by_name() {
        let text = "torch\nNumPy[extra] == 3.9.0\nflask\n";
        assert_eq!(line_of(text, "flask"), Some(3));
        assert_eq!(line_of(text, "numpy==3.9.0"), Some(2));
        assert_eq!(line_of(text, "z"), None);
        assert_eq!(line_of(text, "pandas"), None);
    }

    #[test]
    fn file_is_found_by_the_end_of_its_path() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("lib")).unwrap();
        for file in ["app.py", "lib/model.py", "start.sh"] {
            std::fs::write(folder.path().join(file), "x").unwrap();
        }
        let options = crate::folder::SourceOptions { root: folder.path().to_owned(), ..Default::default() };
        let mut source = crate::folder::read(&options).unwrap();
        source.replace_or_insert("Dockerfile".parse().unwrap(), "FROM x".into());
        let found = |path| deployed(&source, path).map(|file| file.path.to_string());
        for (path, file) in [
            ("app.py", Some("app.py")),
            ("/home/user/app/lib/model.py", Some("lib/model.py")),
            ("./start.sh", Some("start.sh")),
            ("/srv/deep/app.py", Some("app.py")),
            ("model.py", None),
            ("/usr/lib/python3/os.py", None),
            ("Dockerfile", None),
            ("", None),
        ] {
            assert_eq!(found(path).as_deref(), file, "{path}");
        }
    }
}
