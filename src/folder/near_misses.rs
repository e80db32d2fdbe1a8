//! Files whose names differ slightly from those that the Hub reads.

use hub::SpaceSdk;

use super::Source;
use super::sdk::{DOCKERFILE, README};

/// A file at the top of the folder with a name that is probably a mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss {
    pub found: String,
    /// Name that was probably intended.
    pub meant: &'static str,
}

/// Names for which misspellings such as `requirement.txt` are recognized. A misspelt short name may be another name.
const LONG_NAMES: [&str; 3] = [DOCKERFILE, "requirements.txt", "packages.txt"];

/// Finds the near misses of files that a repo needs: a Space with this SDK, or a model or dataset.
pub fn near_misses(source: &Source, sdk: Option<SpaceSdk>) -> Vec<NearMiss> {
    let by_sdk: &[&str] = match sdk {
        Some(SpaceSdk::Gradio) => &[DOCKERFILE, "requirements.txt", "packages.txt", "app.py"],
        Some(SpaceSdk::Streamlit) => &[DOCKERFILE, "requirements.txt", "packages.txt"],
        Some(SpaceSdk::Docker) => &[DOCKERFILE],
        Some(SpaceSdk::Static) => &["index.html"],
        None => &[],
    };
    let wanted = std::iter::once(&README).chain(by_sdk);
    let missing = wanted.filter(|name| source.get(name).is_none());
    let find = |meant: &&'static str| {
        let near = source.top_files().map(|file| file.path.as_str()).find(|name| is_near(name, meant))?;
        Some(NearMiss { found: near.to_owned(), meant })
    };
    missing.filter_map(find).collect()
}

fn is_near(name: &str, meant: &'static str) -> bool {
    let lower = name.to_lowercase();
    let plain = meant.to_lowercase();
    // Windows hides extensions, and some editors add one.
    if lower == plain || lower.strip_suffix(".txt") == Some(&plain) {
        return true;
    }
    let has_digit = lower.bytes().any(|byte| byte.is_ascii_digit());
    LONG_NAMES.contains(&meant) && !has_digit && strsim::damerau_levenshtein(&lower, &plain) <= 2
}

#[cfg(test)]
mod tests {
    use super::super::testing::source;
    use super::*;
    use SpaceSdk::{Docker, Gradio, Static};

    #[test]
    fn misspelt_names_are_found() {
        for (sdk, found, meant) in [
            (Some(Docker), "Readme.md", README),
            (Some(Static), "readme.md", README),
            (None, "README.MD", README),
            (Some(Gradio), "README.md.txt", README),
            (Some(Gradio), "dockerfile", DOCKERFILE),
            (Some(Docker), "Dockerfile.txt", DOCKERFILE),
            (Some(Docker), "Dokcerfile", DOCKERFILE),
            (Some(Gradio), "requirement.txt", "requirements.txt"),
            (Some(Gradio), "Requirements.txt", "requirements.txt"),
            (Some(Gradio), "requirments.txt", "requirements.txt"),
            (Some(Gradio), "package.txt", "packages.txt"),
            (Some(Gradio), "App.py", "app.py"),
            (Some(Static), "Index.html", "index.html"),
        ] {
            let misses = near_misses(&source(&[(found, "")]), sdk);
            assert_eq!(misses, [NearMiss { found: found.to_owned(), meant }]);
        }
    }

    #[test]
    fn names_of_other_files_are_accepted() {
        for (sdk, name) in [
            (Some(Gradio), "requirements-dev.txt"),
            (Some(Gradio), "requirements2.txt"),
            (Some(Gradio), "apps.py"),
            (Some(Gradio), "README"),
            (Some(Docker), "Dockerfile.dev"),
            (Some(Docker), "requirement.txt"),
            (Some(Docker), "sub/dockerfile"),
            (None, "dockerfile"),
        ] {
            assert_eq!(near_misses(&source(&[(name, "")]), sdk), [], "{name}");
        }
        let both = source(&[("README.md", ""), ("readme.md", ""), ("Dockerfile", ""), ("dockerfile", "")]);
        assert_eq!(near_misses(&both, Some(Docker)), []);
    }
}
