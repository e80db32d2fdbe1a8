//! Detects how a Space runs: the SDK, the app file, the port.

use super::card::{Card, DEFAULT_PORT, card_sdk};
use super::{Source, SourceFile};
use hub::SpaceSdk;

/// Name of the card.
pub const README: &str = "README.md";
/// Name of the build recipe of a Docker Space.
pub const DOCKERFILE: &str = "Dockerfile";

/// Usual places of the first page of a static Space.
const STATIC_PAGES: [&str; 4] = ["index.html", "dist/index.html", "build/index.html", "public/index.html"];

/// Usual places of a Streamlit app. The last one is that of the Hub's template.
const STREAMLIT_APPS: [&str; 3] = ["app.py", "streamlit_app.py", "src/streamlit_app.py"];

/// Reason why an SDK was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SdkReason {
    /// The caller named it.
    Requested,
    /// The README card of the folder names it.
    Card,
    /// The folder has a Dockerfile.
    Dockerfile,
    /// The folder has an index.html and no app.py.
    IndexHtml,
    /// Default.
    Default,
}

impl SdkReason {
    /// Reports whether neither the caller nor the card names the SDK.
    pub fn is_guess(self) -> bool {
        matches!(self, Self::Dockerfile | Self::IndexHtml | Self::Default)
    }
}

/// Chooses the SDK: the requested one, else that of the README card, else that of the files.
///
/// A card that cannot be read, or that names no SDK of the Hub, is ignored here, because it is refused later with the
/// line.
pub fn choose_sdk(requested: Option<SpaceSdk>, source: &Source) -> (SpaceSdk, SdkReason) {
    if let Some(sdk) = requested {
        return (sdk, SdkReason::Requested);
    }
    if let Some(sdk) = readme(source).and_then(|readme| card_sdk(&readme)?.parse().ok()) {
        return (sdk, SdkReason::Card);
    }
    match sdk_of_files(source) {
        Some(SpaceSdk::Docker) => (SpaceSdk::Docker, SdkReason::Dockerfile),
        Some(sdk) => (sdk, SdkReason::IndexHtml),
        None => (SpaceSdk::Gradio, SdkReason::Default),
    }
}

/// Returns the SDK that the files of the folder look like.
pub fn sdk_of_files(source: &Source) -> Option<SpaceSdk> {
    if source.get(DOCKERFILE).is_some() {
        return Some(SpaceSdk::Docker);
    }
    let has_page = source.get("index.html").is_some() && source.get("app.py").is_none();
    has_page.then_some(SpaceSdk::Static)
}

/// Returns the content of README.md. `None` if there is none, or if it cannot be read, which the upload reports.
pub fn readme(source: &Source) -> Option<Vec<u8>> {
    source.get(README)?.read_to_vec().ok()
}

/// Returns the card of README.md, if it can be read.
pub(super) fn card(source: &Source) -> Option<Card> {
    Card::read(&readme(source)?).ok()?
}

/// Returns the file that is run or shown first, for the key `app_file` of the card. `None` if it is ambiguous, and for
/// Docker, because the Dockerfile names it.
pub fn app_file(source: &Source, sdk: SpaceSdk) -> Option<String> {
    match sdk {
        SpaceSdk::Docker => None,
        SpaceSdk::Static => {
            STATIC_PAGES.iter().find(|page| source.get(page).is_some()).map(|page| (*page).to_owned())
        }
        SpaceSdk::Gradio => gradio_app(source),
        SpaceSdk::Streamlit => python_app(source),
    }
}

/// Returns the app: the card's `app_file`, else a usual place, else the only Python file at the top.
pub(super) fn python_app(source: &Source) -> Option<String> {
    let named = card(source)
        .and_then(|card| card.text("app_file").map(|named| named.trim_start_matches("./").to_owned()));
    named
        .into_iter()
        .chain(STREAMLIT_APPS.map(str::to_owned))
        .find(|path| source.get(path).is_some())
        .or_else(|| only(python_files(source)).map(|file| file.path.to_string()))
}

/// Returns `app.py`, else the only Python file at the top that imports Gradio.
fn gradio_app(source: &Source) -> Option<String> {
    if source.get("app.py").is_some() {
        return Some("app.py".to_owned());
    }
    let imports = |file: &&SourceFile| {
        source.text(file.path.as_str()).is_some_and(|text| text.lines().any(|line| imports(line, "gradio")))
    };
    only(python_files(source).filter(imports)).map(|file| file.path.to_string())
}

fn python_files(source: &Source) -> impl Iterator<Item = &SourceFile> {
    source.top_files().filter(|file| file.path.as_str().ends_with(".py"))
}

/// Returns the item of an iterator of one.
fn only<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let first = items.next()?;
    items.next().is_none().then_some(first)
}

/// Reports whether a line imports a library: `import gradio`, `import x, gradio as gr`, `from gradio.themes import …`.
pub(super) fn imports(line: &str, library: &str) -> bool {
    let is_library = |module: &str| {
        let name = module.split_whitespace().next().unwrap_or_default();
        name.split('.').next() == Some(library)
    };
    match line.trim_start().split_once(char::is_whitespace) {
        Some(("import", modules)) => modules.split([',', ';', '#']).any(is_library),
        Some(("from", module)) => is_library(module),
        _ => false,
    }
}

/// Returns the version of Gradio that requirements.txt pins, for the key `sdk_version` of the card. `None` for a range,
/// and for lines that contradict each other.
pub fn gradio_version(source: &Source) -> Option<String> {
    let text = source.text("requirements.txt")?;
    let mut pins = text.lines().filter_map(gradio_pin);
    let first = pins.next()?;
    pins.all(|pin| pin == first).then(|| first.to_owned())
}

/// Returns the version of a line such as `gradio[oauth] == 5.0.0b1  # comment` (PEP 508), but not of `gradio==4.*`.
fn gradio_pin(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let (name, rest) = line.split_at_checked("gradio".len())?;
    if !name.eq_ignore_ascii_case("gradio") {
        return None;
    }
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('[').map_or(Some(rest), |extras| Some(extras.split_once(']')?.1))?;
    let rest = rest.trim_start().strip_prefix("==")?;
    let rest = rest.strip_prefix('=').unwrap_or(rest).trim_start();
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(rest.len());
    let (version, after) = rest.split_at(end);
    let is_version = version.starts_with(|c: char| c.is_ascii_digit()) && !version.ends_with('.');
    let ends = after.trim_start();
    (is_version && (ends.is_empty() || ends.starts_with([';', '#', '\\']) || ends.starts_with("--")))
        .then_some(version)
}

/// Returns the port in the last stage of the Dockerfile, for the key `app_port` of the card. `None` if it is ambiguous:
/// no `EXPOSE`, several ports without the Hub's default, a variable, a range, UDP.
pub fn app_port(source: &Source) -> Option<u16> {
    let mut ports = Vec::new();
    for instruction in instructions(&source.text(DOCKERFILE)?) {
        let mut words = instruction.split_whitespace();
        let name = words.next().unwrap_or_default();
        if name.eq_ignore_ascii_case("FROM") {
            ports.clear();
        }
        if name.eq_ignore_ascii_case("EXPOSE") {
            ports.extend(words.take_while(|word| !word.starts_with('#')).map(exposed_port));
        }
    }
    let ports: Option<Vec<u16>> = ports.into_iter().collect();
    let ports = ports?;
    if ports.contains(&DEFAULT_PORT) {
        return Some(DEFAULT_PORT);
    }
    let first = *ports.first()?;
    ports.iter().all(|port| *port == first).then_some(first)
}

fn exposed_port(word: &str) -> Option<u16> {
    let number = match word.split_once('/') {
        Some((number, protocol)) => protocol.eq_ignore_ascii_case("tcp").then_some(number)?,
        None => word,
    };
    let plain = number.bytes().all(|b| b.is_ascii_digit());
    number.parse().ok().filter(|port| plain && *port != 0)
}

/// Returns the instructions of a Dockerfile, each on one line, without comments and here-documents (Dockerfile
/// reference: "Format", "Here-Documents").
pub(super) fn instructions(dockerfile: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut current = String::new();
    let mut lines = dockerfile.lines();
    while let Some(line) = lines.next() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(start) = line.strip_suffix('\\') {
            current.push_str(start);
            current.push(' ');
            continue;
        }
        current.push_str(line);
        for end in here_document_ends(&current) {
            // `<<-` allows tabs before the last line of the document.
            lines.by_ref().take_while(|line| line.trim_start_matches('\t') != end).for_each(drop);
        }
        found.push(std::mem::take(&mut current));
    }
    found.push(current);
    found
}

/// Returns the words that end the here-documents of `instruction`.
fn here_document_ends(instruction: &str) -> Vec<String> {
    let name = instruction.split_whitespace().next().unwrap_or_default();
    if !["RUN", "COPY", "ADD"].iter().any(|with_documents| name.eq_ignore_ascii_case(with_documents)) {
        return Vec::new();
    }
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    instruction
        .split("<<")
        .skip(1)
        .map(|rest| rest.trim_start_matches('-').trim_start_matches(['"', '\'']))
        .map(|rest| rest.split(|c| !is_word(c)).next().unwrap_or_default().to_owned())
        .filter(|word| word.starts_with(|c: char| c.is_alphabetic() || c == '_'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::source;
    use super::*;
    use SpaceSdk::{Docker, Gradio, Static, Streamlit};

    #[test]
    fn requested_sdk_wins_over_the_card_and_the_card_over_the_files() {
        type Case<'a> = (Option<SpaceSdk>, &'a [(&'a str, &'a str)], SpaceSdk, SdkReason);
        let card = ("README.md", "---\nsdk: static\n---\n");
        let cases: [Case<'_>; 10] = [
            (Some(Streamlit), &[card], Streamlit, SdkReason::Requested),
            (None, &[card, ("Dockerfile", "")], Static, SdkReason::Card),
            (None, &[("README.md", "---\nsdk: streamlit\n---\n")], Streamlit, SdkReason::Card),
            (
                None,
                &[("README.md", "---\nsdk: dokcer\n---\n"), ("Dockerfile", "")],
                Docker,
                SdkReason::Dockerfile,
            ),
            (None, &[("README.md", "---\nsdk: [\n---\n")], Gradio, SdkReason::Default),
            (None, &[("Dockerfile", ""), ("index.html", "")], Docker, SdkReason::Dockerfile),
            (None, &[("index.html", "")], Static, SdkReason::IndexHtml),
            (None, &[("index.html", ""), ("app.py", "")], Gradio, SdkReason::Default),
            (None, &[("sub/Dockerfile", ""), ("sub/index.html", "")], Gradio, SdkReason::Default),
            (None, &[], Gradio, SdkReason::Default),
        ];
        for (requested, files, sdk, reason) in cases {
            assert_eq!(choose_sdk(requested, &source(files)), (sdk, reason), "{files:?}");
        }
    }

    #[test]
    fn app_file_is_found_unless_it_is_ambiguous() {
        type Case<'a> = (SpaceSdk, &'a [(&'a str, &'a str)], Option<&'a str>);
        let cases: [Case<'_>; 11] = [
            (Gradio, &[("app.py", ""), ("main.py", "import gradio")], Some("app.py")),
            (Gradio, &[("main.py", "x\n  import gradio as gr\n"), ("util.py", "")], Some("main.py")),
            (Gradio, &[("main.py", "import os, gradio"), ("util.py", "# gradio")], Some("main.py")),
            (Gradio, &[("a.py", "from gradio.x import y"), ("b.py", "import gradio")], None),
            (Gradio, &[("a.py", "import gradio_client"), ("sub/b.py", "import gradio")], None),
            (Static, &[("index.html", ""), ("dist/index.html", "")], Some("index.html")),
            (Static, &[("public/index.html", ""), ("build/index.html", "")], Some("build/index.html")),
            (Static, &[("docs/index.html", "")], None),
            (Docker, &[("app.py", "")], None),
            (Streamlit, &[("src/streamlit_app.py", "")], Some("src/streamlit_app.py")),
            (Gradio, &[], None),
        ];
        for (sdk, files, expected) in cases {
            assert_eq!(app_file(&source(files), sdk).as_deref(), expected, "{files:?}");
        }
    }

    #[test]
    fn streamlit_app_is_named_by_the_card_or_in_a_usual_place() {
        let card = |file: &str| format!("---\napp_file: {file}\n---\n");
        type Case<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>);
        let cases: [Case<'_>; 9] = [
            (&[("README.md", &card("./a/b.py")), ("a/b.py", ""), ("app.py", "")], Some("a/b.py")),
            (&[("README.md", &card("gone.py")), ("app.py", "")], Some("app.py")),
            (&[("README.md", &card("[1]")), ("streamlit_app.py", "")], Some("streamlit_app.py")),
            (&[("src/streamlit_app.py", ""), ("x.py", "")], Some("src/streamlit_app.py")),
            (&[("x.py", ""), ("sub/y.py", "")], Some("x.py")),
            (&[("x.py", ""), ("y.py", "")], None),
            (&[("sub/x.py", "")], None),
            (&[("x.txt", "")], None),
            (&[], None),
        ];
        for (files, expected) in cases {
            assert_eq!(app_file(&source(files), Streamlit).as_deref(), expected, "{files:?}");
        }
    }

    #[test]
    fn pinned_version_of_gradio_is_found() {
        for (requirements, expected) in [
            ("gradio==4.44.1\n", Some("4.44.1")),
            ("numpy\nGradio[oauth, mcp] == 5.0.0b1  # new\n", Some("5.0.0b1")),
            ("gradio===4.0; python_version > '3.8'", Some("4.0")),
            ("gradio==4.44.1 --hash=sha256:00", Some("4.44.1")),
            ("gradio==4.44.1 \\\n  --hash=sha256:00", Some("4.44.1")),
            ("gradio==4.0; python_version < '3.9'\ngradio==5.0; python_version >= '3.9'", None),
            ("gradio==4.*", None),
            ("gradio==4.44.1,!=5", None),
            ("gradio>=4.44.1", None),
            ("gradio~=4.44.1", None),
            ("gradio_client==1.3.0", None),
            ("gradio", None),
            ("# gradio==4.44.1", None),
            ("gradio==", None),
            ("", None),
        ] {
            let found = gradio_version(&source(&[("requirements.txt", requirements)]));
            assert_eq!(found.as_deref(), expected, "{requirements:?}");
        }
        assert_eq!(gradio_version(&source(&[])), None);
    }

    #[test]
    fn port_is_found_unless_it_is_ambiguous() {
        let cases = [
            ("FROM x\nEXPOSE 8501\n", Some(8501)),
            ("FROM x\nexpose 80/tcp # web\n", Some(80)),
            ("FROM x AS a\nEXPOSE 1\nFROM y\nEXPOSE 2\n", Some(2)),
            ("FROM x AS a\nEXPOSE 1\nFROM y\n", None),
            ("FROM x\nEXPOSE \\\n  # a comment\n  8080\n", Some(8080)),
            ("FROM x\nEXPOSE 80 443\n", None),
            ("FROM x\nEXPOSE 80 7860\n", Some(7860)),
            ("FROM x\nEXPOSE 80\nEXPOSE 80\n", Some(80)),
            ("FROM x\nEXPOSE $PORT\n", None),
            ("FROM x\nEXPOSE 8000-8010\n", None),
            ("FROM x\nEXPOSE 53/udp\n", None),
            ("FROM x\nEXPOSE 99999\n", None),
            ("FROM x\nEXPOSE +80\n", None),
            ("FROM x\nRUN <<EOF\nEXPOSE 1\nEOF\nEXPOSE 2\n", Some(2)),
            ("FROM x\nCOPY <<-\"A\" <<B /\nEXPOSE 1\n\tA\nEXPOSE 3\nB\nEXPOSE 2\n", Some(2)),
            ("FROM x\nRUN echo $((1<<2))\nEXPOSE 2\n", Some(2)),
            ("FROM x\n# EXPOSE 1\n", None),
            ("FROM x\nEXPOSE 5 \\", Some(5)),
            ("", None),
        ];
        for (dockerfile, expected) in cases {
            assert_eq!(app_port(&source(&[("Dockerfile", dockerfile)])), expected, "{dockerfile:?}");
        }
        assert_eq!(app_port(&source(&[])), None);
    }
}
