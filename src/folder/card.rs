//! The card of a Space: the front matter of README.md that tells the Hub how to run it.
//!
//! Keys and their meaning: hub docs, "Spaces configuration reference". A README without a card gets one in
//! the uploaded copy only, never in the working tree.

use hub::SpaceSdk;
use serde_yaml::{Mapping, Value};

use super::front_matter::{self, FrontMatter, LineEnd, YamlError, without_bom};
use super::yaml_edit::{self, CannotEdit, Editor};

pub use super::card_place::line_of;

/// The port the Hub expects of a Docker Space whose card names none.
pub const DEFAULT_PORT: u16 = 7860;

/// A card that cannot be read or edited; it is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("README.md, line {line}: {message}")]
pub struct CardError {
    /// In README.md, counted from 1.
    pub line: u32,
    pub message: String,
}

impl CardError {
    pub(super) fn new(line: u32, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }

    fn in_yaml(matter: &FrontMatter<'_>, error: &YamlError) -> Self {
        let line = matter.fence.saturating_add(error.line);
        Self::new(line, format!("the metadata block is no YAML: {}", error.message))
    }
}

/// A card as it was read.
#[derive(Debug, Clone)]
pub struct Card {
    yaml: String,
    keys: Mapping,
}

impl Card {
    /// The card of a README; None when it has none.
    pub fn read(readme: &[u8]) -> Result<Option<Self>, CardError> {
        let Some(matter) = front_matter::split(readme)? else { return Ok(None) };
        let keys = front_matter::parse(matter.yaml).map_err(|error| CardError::in_yaml(&matter, &error))?;
        Ok(Some(Self { yaml: matter.yaml.to_owned(), keys }))
    }

    /// The value of `key`, if that is a string.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.keys.get(key)?.as_str()
    }

    /// The value of `app_port`, if that is a port.
    pub fn app_port(&self) -> Option<u16> {
        let port = self.keys.get("app_port")?;
        port.as_u64().and_then(|port| port.try_into().ok()).or_else(|| port.as_str()?.parse().ok())
    }

    /// Whether `tags` lists this one.
    pub fn has_tag(&self, tag: &str) -> bool {
        let tags = self.keys.get("tags").and_then(Value::as_sequence);
        tags.is_some_and(|tags| tags.iter().any(|one| one.as_str() == Some(tag)))
    }

    /// The value of `key` as it is written, if that is one line: a version `3.10` is a number in YAML.
    pub(super) fn written(&self, key: &str) -> Option<String> {
        yaml_edit::written_value(&self.yaml, key)
    }
}

/// The `sdk` key of the front matter, if it can be read.
pub fn card_sdk(readme: &[u8]) -> Option<String> {
    Card::read(readme).ok().flatten()?.text("sdk").map(str::to_owned)
}

/// What a card should say.
#[derive(Debug, Clone)]
pub struct CardFacts<'a> {
    /// The repo's name: the title of a new card.
    pub title: &'a str,
    pub sdk: SpaceSdk,
    /// Written where the SDK has such a key and this is not the Hub's default.
    pub app_file: Option<String>,
    pub app_port: Option<u16>,
    /// The version of Gradio that the folder pins.
    pub sdk_version: Option<String>,
}

/// An edited copy of a README.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardEdit {
    pub bytes: Vec<u8>,
    /// What was done, one phrase for each change.
    pub changes: Vec<String>,
    /// The SDK that the card named, if it named another one: worth a warning.
    pub replaced_sdk: Option<String>,
}

/// The README whose metadata the Hub sees: `None` where it sees them, or where there are none.
pub fn mended(readme: &[u8]) -> Option<Vec<u8>> {
    front_matter::without_blanks_after_fence(readme)
}

/// The phrase for a README that was mended.
pub const MENDED: &str = "remove the blanks after the first `---`, which hide the metadata from the Hub";

/// Returns the README with the keys of the card that the Hub holds, if its own card names no SDK: an ordinary README must
/// not take the settings of a Space away. `None` if there is nothing to keep, or if a card cannot be read.
///
/// Keys that the README has are kept as they are.
pub fn with_keys_of(held: &[u8], readme: &[u8]) -> Option<CardEdit> {
    let held = mended(held).unwrap_or_else(|| held.to_owned());
    card_sdk(&held)?.parse::<SpaceSdk>().ok()?;
    let theirs = front_matter::split(&held).ok()??;
    let Some(ours) = front_matter::split(readme).ok()? else {
        let body = without_bom(readme);
        let end = LineEnd::of(body).as_str();
        let yaml = theirs.yaml.replace("\r\n", "\n").trim_end_matches('\n').replace('\n', end);
        let bytes = [format!("---{end}{yaml}{end}---{end}").as_bytes(), body].concat();
        return Some(CardEdit { bytes, changes: vec![KEPT.to_owned()], replaced_sdk: None });
    };
    let mut merged = front_matter::parse(ours.yaml).ok()?;
    let mut yaml = ours.yaml.to_owned();
    let end = ours.line_end.as_str();
    if !yaml.is_empty() && !yaml.ends_with('\n') {
        yaml.push_str(end);
    }
    for (key, value) in front_matter::parse(theirs.yaml).ok()? {
        if merged.contains_key(&key) {
            continue;
        }
        // As it is written, because a version `3.10` is a number in YAML.
        let written = key.as_str().and_then(|key| Some((key, yaml_edit::written_value(theirs.yaml, key)?)));
        let entry = match written {
            Some((key, written)) => format!("{key}: {written}\n"),
            None => serde_yaml::to_string(&Mapping::from_iter([(key.clone(), value.clone())])).ok()?,
        };
        yaml.push_str(&entry.replace('\n', end));
        merged.insert(key, value);
    }
    let is_sound = front_matter::parse(&yaml).is_ok_and(|parsed| parsed == merged);
    let bytes = [ours.head, yaml.as_bytes(), ours.tail].concat();
    is_sound.then(|| CardEdit { bytes, changes: vec![KEPT.to_owned()], replaced_sdk: None })
}

/// The phrase for a README that keeps the keys of the card on the Hub.
const KEPT: &str = "keep the settings of the README.md on the Hub, because the folder's names no `sdk`";

/// The README with a card that has `sdk`: None when nothing needs to change.
///
/// A card that names an SDK is left alone, with two exceptions: it says something else than `facts.sdk`
/// (the input contradicts it), or it says `streamlit`, which the Hub no longer knows and which becomes
/// `docker`. Then the value is replaced in its line, `sdk_version` goes (it was the version of the other
/// SDK), and `app_file` or `app_port` is added if it is missing and needed. A value that is no SDK at all
/// is left for the Hub to judge, whose answer names the values that it takes.
///
/// Whatever is not part of a change stays byte for byte. The one exception: a byte order mark before a
/// README that gets a new card is dropped, since the official client finds no card behind one.
pub fn with_space_card(readme: Option<&[u8]>, facts: &CardFacts<'_>) -> Result<Option<CardEdit>, CardError> {
    let readme = readme.unwrap_or_default();
    if let Some(mended) = mended(readme) {
        let unchanged = || CardEdit { bytes: mended.clone(), changes: Vec::new(), replaced_sdk: None };
        let mut edit = with_space_card(Some(&mended), facts)?.unwrap_or_else(unchanged);
        edit.changes.insert(0, MENDED.to_owned());
        return Ok(Some(edit));
    }
    let Some(matter) = front_matter::split(readme)? else { return new_card(readme, facts).map(Some) };
    let mut editor =
        Editor::new(matter.yaml, matter.line_end).map_err(|error| CardError::in_yaml(&matter, &error))?;
    let wanted = facts.sdk.hub_name();
    let found = match editor.meaning().get("sdk") {
        None | Some(Value::Null) => None,
        Some(Value::String(found)) if found == wanted || found.parse::<SpaceSdk>().is_err() => {
            return Ok(None);
        }
        Some(Value::String(found)) => Some(found.clone()),
        Some(_) => return Ok(None),
    };
    let mut changes = Vec::new();
    let edited = edit(&mut editor, found.as_deref(), facts, &mut changes);
    edited.map_err(|CannotEdit| {
        let message =
            format!("cannot edit the metadata block; write `sdk: {wanted}` into it on a line of its own");
        CardError::new(line_of(readme, "\"sdk\"").unwrap_or(matter.fence), message)
    })?;
    let bytes = [matter.head, editor.text().as_bytes(), matter.tail].concat();
    Ok(Some(CardEdit { bytes, changes, replaced_sdk: found }))
}

/// Makes the card say `facts.sdk`, where it said `found`.
fn edit(
    editor: &mut Editor,
    found: Option<&str>,
    facts: &CardFacts<'_>,
    changes: &mut Vec<String>,
) -> Result<(), CannotEdit> {
    let wanted = facts.sdk.hub_name();
    editor.set("sdk", &wanted.into())?;
    match found {
        None => changes.push(format!("add `sdk: {wanted}`")),
        Some(found) => changes.push(format!("replace `sdk: {found}` by `sdk: {wanted}`")),
    }
    if found.is_some() && editor.meaning().contains_key("sdk_version") {
        editor.remove("sdk_version")?;
        changes.push("remove `sdk_version`, the version of another SDK".to_owned());
    }
    for (key, value) in details(facts) {
        if !editor.meaning().contains_key(key) {
            editor.set(key, &value)?;
            changes.push(format!("add `{key}: {}`", yaml_edit::scalar(&value)));
        }
    }
    Ok(())
}

/// The keys that the SDK needs beside `sdk`, without those at the Hub's defaults.
fn details(facts: &CardFacts<'_>) -> Vec<(&'static str, Value)> {
    let default_file = match facts.sdk.hub_name() {
        "docker" => {
            let port = facts.app_port.filter(|port| *port != DEFAULT_PORT);
            return port.map(|port| ("app_port", Value::from(port))).into_iter().collect();
        }
        "static" => "index.html",
        _ => "app.py",
    };
    let file = facts.app_file.as_deref().filter(|file| *file != default_file);
    // Without it, the Hub installs a version of its own choice over the one that the folder pins.
    let version = facts.sdk_version.as_deref().filter(|_| facts.sdk == SpaceSdk::Gradio);
    let version = version.map(|version| ("sdk_version", Value::from(version)));
    version.into_iter().chain(file.map(|file| ("app_file", Value::from(file)))).collect()
}

/// A README that begins with a new card and goes on with what is there.
fn new_card(readme: &[u8], facts: &CardFacts<'_>) -> Result<CardEdit, CardError> {
    let body = without_bom(readme);
    let line_end = LineEnd::of(body);
    let cannot = |_| CardError::new(1, "cannot write a metadata block");
    let mut editor = Editor::new("", line_end).map_err(|error| CardError::new(1, error.message))?;
    editor.set("title", &facts.title.into()).map_err(|_| cannot(CannotEdit))?;
    let mut changes = Vec::new();
    edit(&mut editor, None, facts, &mut changes).map_err(cannot)?;
    let fence = format!("---{}", line_end.as_str());
    let bytes = [fence.as_bytes(), editor.text().as_bytes(), fence.as_bytes(), body].concat();
    let what = if readme.is_empty() { "add a README.md" } else { "add a metadata block to README.md" };
    changes.insert(0, what.to_owned());
    Ok(CardEdit { bytes, changes, replaced_sdk: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn facts(sdk: SpaceSdk) -> CardFacts<'static> {
        CardFacts { title: "my-app", sdk, app_file: None, app_port: None, sdk_version: None }
    }

    #[track_caller]
    fn check(readme: &str, facts: &CardFacts<'_>, expected: &str) -> CardEdit {
        let edit = with_space_card(Some(readme.as_bytes()), facts).unwrap().expect("a change");
        assert_eq!(String::from_utf8_lossy(&edit.bytes), expected);
        assert_eq!(with_space_card(Some(&edit.bytes), facts), Ok(None), "a second time changes nothing");
        assert!(!edit.changes.is_empty());
        edit
    }

    #[test]
    fn a_readme_that_names_no_sdk_keeps_the_keys_of_the_hub() {
        let held = "---\ntitle: App\nsdk: docker\napp_port: 8000\npython_version: 3.10\nmodels:\n  - a/b\n---\n# Old\n";
        let kept = |readme: &str| {
            let edit = with_keys_of(held.as_bytes(), readme.as_bytes())?;
            Some(String::from_utf8(edit.bytes).unwrap())
        };
        let block = "title: App\nsdk: docker\napp_port: 8000\npython_version: 3.10\nmodels:\n";
        assert_eq!(kept("# New\n").unwrap(), format!("---\n{block}  - a/b\n---\n# New\n"));
        assert_eq!(
            kept("---\nlicense: mit\ntitle: Mine\n---\n# New\n").unwrap(),
            format!(
                "---\nlicense: mit\ntitle: Mine\n{}- a/b\n---\n# New\n",
                block.replace("title: App\n", "")
            )
        );
        assert!(kept("a\r\nb\r\n").unwrap().contains("sdk: docker\r\napp_port: 8000\r\n"));
        // What cannot be merged soundly is left to the Hub to judge.
        assert_eq!(kept("---\n{license: mit}\n---\n"), None);
        assert_eq!(kept("---\nlicense: [\n---\n"), None);
        assert_eq!(with_keys_of(b"# no card\n", b"# New\n"), None);
        assert_eq!(with_keys_of(b"---\nlicense: mit\n---\n", b"# New\n"), None);
    }

    #[test]
    fn a_readme_without_a_card_gets_one() {
        let gradio = facts(SpaceSdk::Gradio);
        let edit = check("# Hello\n", &gradio, "---\ntitle: my-app\nsdk: gradio\n---\n# Hello\n");
        assert_eq!(edit.changes, ["add a metadata block to README.md", "add `sdk: gradio`"]);
        check("", &gradio, "---\ntitle: my-app\nsdk: gradio\n---\n");
        check("a\r\nb\n", &gradio, "---\r\ntitle: my-app\r\nsdk: gradio\r\n---\r\na\r\nb\n");
        check("\u{feff}# Hello", &gradio, "---\ntitle: my-app\nsdk: gradio\n---\n# Hello");
        check("---\n\nA rule\n", &gradio, "---\ntitle: my-app\nsdk: gradio\n---\n---\n\nA rule\n");
        let edit = with_space_card(None, &gradio).unwrap().unwrap();
        assert_eq!(edit.changes[0], "add a README.md");
        let odd = CardFacts { title: "1.0", app_file: Some("my app.py".into()), ..gradio };
        check("", &odd, "---\ntitle: \"1.0\"\nsdk: gradio\napp_file: \"my app.py\"\n---\n");
    }

    #[test]
    fn details_are_written_where_the_sdk_has_them_and_they_are_no_defaults() {
        let cases = [
            (SpaceSdk::Docker, Some("x.py"), Some(8501), "sdk: docker\napp_port: 8501\n"),
            (SpaceSdk::Docker, None, Some(7860), "sdk: docker\n"),
            (SpaceSdk::Streamlit, Some("app.py"), None, "sdk: docker\n"),
            (SpaceSdk::Gradio, Some("main.py"), Some(80), "sdk: gradio\napp_file: main.py\n"),
            (SpaceSdk::Gradio, Some("app.py"), None, "sdk: gradio\n"),
            (SpaceSdk::Static, Some("dist/index.html"), None, "sdk: static\napp_file: dist/index.html\n"),
            (SpaceSdk::Static, Some("index.html"), None, "sdk: static\n"),
        ];
        for (sdk, file, port, expected) in cases {
            let facts =
                CardFacts { title: "t", app_file: file.map(str::to_owned), app_port: port, ..facts(sdk) };
            check("", &facts, &format!("---\ntitle: t\n{expected}---\n"));
            check("---\nx: 1 # y\n---\nb", &facts, &format!("---\nx: 1 # y\n{expected}---\nb"));
        }
    }

    #[test]
    fn a_new_gradio_card_has_the_version_that_the_folder_pins() {
        let pinned = |sdk| CardFacts { sdk_version: Some("5.0".into()), ..facts(sdk) };
        check("", &pinned(SpaceSdk::Gradio), "---\ntitle: my-app\nsdk: gradio\nsdk_version: \"5.0\"\n---\n");
        check(
            "---\nsdk: static\nsdk_version: 1\n---\n",
            &pinned(SpaceSdk::Gradio),
            "---\nsdk: gradio\nsdk_version: \"5.0\"\n---\n",
        );
        check("", &pinned(SpaceSdk::Static), "---\ntitle: my-app\nsdk: static\n---\n");
        let theirs = b"---\nsdk: gradio\n---\n";
        assert_eq!(with_space_card(Some(theirs), &pinned(SpaceSdk::Gradio)), Ok(None));
    }

    #[test]
    fn a_card_that_the_hub_does_not_see_is_mended() {
        let gradio = facts(SpaceSdk::Gradio);
        let edit = check("--- \nsdk: gradio\n---\nbody", &gradio, "---\nsdk: gradio\n---\nbody");
        assert_eq!(edit.changes, [MENDED]);
        let edit = check("---\t\ntitle: x\n---\n", &gradio, "---\ntitle: x\nsdk: gradio\n---\n");
        assert_eq!(edit.changes, [MENDED, "add `sdk: gradio`"]);
    }

    #[test]
    fn a_card_without_sdk_keeps_all_it_has() {
        let docker = CardFacts { app_port: Some(80), ..facts(SpaceSdk::Docker) };
        let cases = [
            ("---\n---\n", "---\nsdk: docker\napp_port: 80\n---\n"),
            ("---\n# c\n\nb: 2\na: 1\n---\nx", "---\n# c\n\nb: 2\na: 1\nsdk: docker\napp_port: 80\n---\nx"),
            ("---\r\na: 1\r\n---\r\nx", "---\r\na: 1\r\nsdk: docker\r\napp_port: 80\r\n---\r\nx"),
            ("---\napp_port: 9\nsdk: # ?\n---", "---\napp_port: 9\nsdk: docker # ?\n---"),
            ("---\na: |\n  sdk: x\n---\n", "---\na: |\n  sdk: x\nsdk: docker\napp_port: 80\n---\n"),
            ("---\na:\n  sdk: x\n---\n", "---\na:\n  sdk: x\nsdk: docker\napp_port: 80\n---\n"),
            ("\u{feff}---\na: 1\n---\n", "\u{feff}---\na: 1\nsdk: docker\napp_port: 80\n---\n"),
        ];
        for (readme, expected) in cases {
            check(readme, &docker, expected);
        }
    }

    #[test]
    fn a_card_with_an_sdk_is_left_alone() {
        let docker = CardFacts { app_port: Some(80), ..facts(SpaceSdk::Docker) };
        for readme in [
            "---\nsdk: docker\n---\n",
            "---\nsdk: 'docker' # yes\nsdk_version: 1\n---\n",
            "---\nsdk: dokcer\n---\n",
            "---\nsdk: 3\n---\n",
            "---\n{sdk: docker}\n---\n",
        ] {
            assert_eq!(with_space_card(Some(readme.as_bytes()), &docker), Ok(None), "{readme:?}");
        }
        let streamlit = facts(SpaceSdk::Streamlit);
        assert_eq!(with_space_card(Some(b"---\nsdk: docker\n---\n"), &streamlit), Ok(None));
    }

    #[test]
    fn streamlit_and_contradictions_are_rewritten_in_place() {
        let legacy =
            "---\ntitle: x\nsdk: streamlit # old\nsdk_version: \"1.25.0\"\napp_file: a.py\n---\nbody";
        let edit = check(
            legacy,
            &facts(SpaceSdk::Streamlit),
            "---\ntitle: x\nsdk: docker # old\napp_file: a.py\n---\nbody",
        );
        assert_eq!(edit.replaced_sdk.as_deref(), Some("streamlit"));
        assert_eq!(
            edit.changes,
            ["replace `sdk: streamlit` by `sdk: docker`", "remove `sdk_version`, the version of another SDK"]
        );
        let port = CardFacts { app_port: Some(8501), ..facts(SpaceSdk::Docker) };
        check("---\nsdk: streamlit\n---\n", &port, "---\nsdk: docker\napp_port: 8501\n---\n");
        check("---\nsdk: gradio\n---\n", &facts(SpaceSdk::Streamlit), "---\nsdk: docker\n---\n");
        let edit =
            check("---\nsdk: gradio\na: 1\n---\n", &facts(SpaceSdk::Static), "---\nsdk: static\na: 1\n---\n");
        assert_eq!(edit.replaced_sdk.as_deref(), Some("gradio"));
    }

    #[test]
    fn cards_that_cannot_be_read_or_edited_are_refused_with_the_line() {
        let cases: [(&str, u32); 7] = [
            ("---\ntitle: a\nsdk: [\n---\n", 4),
            ("---\na: 1\na: 2\n---\n", 2),
            ("---\nJust text\n---\n", 2),
            ("---\n- a\n---\n", 2),
            ("---\n\tsdk: x\n---\n", 2),
            ("---\ntitle: x\n{sdk: streamlit}\n---\n", 4),
            ("\n---\ntitle: {a: 1, sdk: x\n\n---\n", 5),
        ];
        for (readme, line) in cases {
            let error = with_space_card(Some(readme.as_bytes()), &facts(SpaceSdk::Docker)).unwrap_err();
            assert_eq!(error.line, line, "{readme:?}: {error}");
        }
        let error =
            with_space_card(Some(b"---\n\n{sdk: streamlit}\n---\n"), &facts(SpaceSdk::Docker)).unwrap_err();
        assert!(error.message.contains("`sdk: docker`"), "{error}");
        let error = Card::read(b"---\na: [\n---\n").unwrap_err();
        assert!(!error.message.contains("line"), "{error}");
    }

    #[test]
    fn what_a_card_says() {
        let card =
            Card::read(b"---\nsdk: gradio\napp_port: '80'\npython_version: 3.10\n---\n").unwrap().unwrap();
        assert_eq!((card.text("sdk"), card.text("python_version")), (Some("gradio"), None));
        assert_eq!(card.written("python_version").as_deref(), Some("3.10"));
        assert_eq!(card.app_port(), Some(80));
        for (readme, expected) in [
            ("---\nsdk: static\n---\n", Some("static")),
            ("---\nx:\n  sdk: static\n---\n", None),
            ("sdk: static", None),
            ("---\nsdk: [\n---\n", None),
        ] {
            assert_eq!(card_sdk(readme.as_bytes()).as_deref(), expected, "{readme:?}");
        }
    }

    fn sdks() -> impl Strategy<Value = SpaceSdk> {
        use SpaceSdk::{Docker, Gradio, Static, Streamlit};
        proptest::sample::select(vec![Docker, Gradio, Static, Streamlit])
    }

    proptest! {
        #[test]
        fn a_body_stays_and_a_second_time_changes_nothing(
            lines in proptest::collection::vec(
                proptest::sample::select(vec![
                    "title: a", "sdk: gradio", "sdk: streamlit # x", "sdk_version: 1.2", "# c", "", "b: |", "  sdk: x",
                    "  y", "m:", "  ---", "- i", "'sdk': static", "t: \"a", "sdk: b\"", "app_port: 1", "{", "sdk:",
                ]),
                0..8,
            ),
            crlf: bool,
            body: Vec<u8>,
            title in "[a-zA-Z0-9._-]{1,12}",
            sdk in sdks(),
            port: Option<u16>,
        ) {
            let end = if crlf { "\r\n" } else { "\n" };
            let yaml: String = lines.iter().map(|line| format!("{line}{end}")).collect();
            let tail = [format!("---{end}").as_bytes(), &body].concat();
            let readme = [format!("---{end}{yaml}").as_bytes(), &tail].concat();
            let facts = CardFacts { title: &title, sdk, app_file: Some("x.py".into()), app_port: port, sdk_version: None };
            for (readme, rest) in [(&readme, &tail), (&body, &body)] {
                if let Ok(Some(edit)) = with_space_card(Some(readme), &facts) {
                    prop_assert!(edit.bytes.ends_with(without_bom(rest)));
                    let named = card_sdk(&edit.bytes);
                    prop_assert_eq!(named.as_deref(), Some(sdk.hub_name()));
                    prop_assert_eq!(with_space_card(Some(&edit.bytes), &facts), Ok(None));
                }
            }
        }
    }
}
