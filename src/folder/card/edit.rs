//! Completes the card of a Space in a copy of its README.

use serde_yaml::Value;

use super::DEFAULT_PORT;
use super::error::{CardError, CardFault};
use super::front_matter::{line_end, repair_opening_fence, split, without_bom};
use super::message_line::line_of_message;
use super::yaml_edit::{CannotEdit, Editor, scalar};
use hub::SpaceSdk;

/// Log phrase for a README whose opening fence was repaired.
pub const REPAIRED: &str = "remove the blanks after the first `---`, which hide the metadata from the Hub";

/// Facts that a card of a Space should have.
#[derive(Debug, Clone)]
pub struct CardFacts<'a> {
    /// Name of the repo: the title of a new card.
    pub title: &'a str,
    pub sdk: SpaceSdk,
    /// Written if the SDK has such a key and this is not the Hub's default.
    pub app_file: Option<String>,
    pub app_port: Option<u16>,
    /// Version of Gradio that the folder pins.
    pub sdk_version: Option<String>,
}

/// An edited copy of a README.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardEdit {
    pub bytes: Vec<u8>,
    /// Log phrase for each change.
    pub changes: Vec<String>,
    /// SDK that the card named before, if it was another one.
    pub replaced_sdk: Option<String>,
}

/// Returns the README with a card that has `sdk`: `None` if nothing needs to change.
///
/// A card that names an SDK is left alone, with two exceptions: it names another one than `facts.sdk`, or it names
/// `streamlit`, which the Hub no longer supports and which becomes `docker`. Then the value is replaced in its line,
/// `sdk_version` is removed, because it was the version of the other SDK, and `app_file` or `app_port` is added if it is
/// missing and needed. A value that is no SDK at all is left for the Hub, whose error names the allowed values.
///
/// All other bytes stay as they are, with one exception: the byte order mark of a README that gets a new card is
/// removed, because the official client finds no card after one.
pub fn complete(readme: Option<&[u8]>, facts: &CardFacts<'_>) -> Result<Option<CardEdit>, CardError> {
    let readme = readme.unwrap_or_default();
    if let Some(repaired) = repair_opening_fence(readme) {
        let unchanged = || CardEdit { bytes: repaired.clone(), changes: Vec::new(), replaced_sdk: None };
        let mut edit = complete(Some(&repaired), facts)?.unwrap_or_else(unchanged);
        edit.changes.insert(0, REPAIRED.to_owned());
        return Ok(Some(edit));
    }
    let Some(matter) = split(readme)? else { return new_card(readme, facts).map(Some) };
    let mut editor = Editor::new(matter.yaml, matter.line_end).map_err(|error| matter.yaml_error(error))?;
    let wanted = facts.sdk.hub_name();
    let found = match editor.meaning().get("sdk") {
        None | Some(Value::Null) => None,
        Some(Value::String(found)) if found == wanted || found.parse::<SpaceSdk>().is_err() => {
            return Ok(None);
        }
        Some(Value::String(found)) => Some(found.clone()),
        Some(_) => return Ok(None),
    };
    let changes = set_sdk(&mut editor, found.as_deref(), facts).map_err(|CannotEdit| {
        let line = line_of_message(readme, "\"sdk\"").unwrap_or(matter.fence);
        CardFault::CannotSetSdk(facts.sdk).at(line)
    })?;
    let bytes = [matter.head, editor.text().as_bytes(), matter.tail].concat();
    Ok(Some(CardEdit { bytes, changes, replaced_sdk: found }))
}

/// Sets `sdk`, which was `found`, and the keys that the SDK needs. Returns a log phrase for each change.
fn set_sdk(
    editor: &mut Editor,
    found: Option<&str>,
    facts: &CardFacts<'_>,
) -> Result<Vec<String>, CannotEdit> {
    let mut changes = Vec::new();
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
    for (key, value) in sdk_keys(facts) {
        if !editor.meaning().contains_key(key) {
            editor.set(key, &value)?;
            changes.push(format!("add `{key}: {}`", scalar(&value)));
        }
    }
    Ok(changes)
}

/// Returns the keys that the SDK needs beside `sdk`, without those that have the Hub's default.
fn sdk_keys(facts: &CardFacts<'_>) -> Vec<(&'static str, Value)> {
    let default_file = match facts.sdk.hub_name() {
        "docker" => {
            let port = facts.app_port.filter(|port| *port != DEFAULT_PORT);
            return port.map(|port| ("app_port", Value::from(port))).into_iter().collect();
        }
        "static" => "index.html",
        _ => "app.py",
    };
    let file = facts.app_file.as_deref().filter(|file| *file != default_file);
    // Without it, the Hub replaces the version that the folder pins by one of its own choice.
    let version = facts.sdk_version.as_deref().filter(|_| facts.sdk == SpaceSdk::Gradio);
    let version = version.map(|version| ("sdk_version", Value::from(version)));
    version.into_iter().chain(file.map(|file| ("app_file", Value::from(file)))).collect()
}

/// Returns a README with a new card before the text that it has.
fn new_card(readme: &[u8], facts: &CardFacts<'_>) -> Result<CardEdit, CardError> {
    let body = without_bom(readme);
    let line_end = line_end(body);
    let cannot = |_| CardFault::CannotWrite.at(1);
    let mut editor = Editor::new("", line_end).map_err(|_| CardFault::CannotWrite.at(1))?;
    editor.set("title", &facts.title.into()).map_err(cannot)?;
    let mut changes = set_sdk(&mut editor, None, facts).map_err(cannot)?;
    let fence = format!("---{line_end}");
    let bytes = [fence.as_bytes(), editor.text().as_bytes(), fence.as_bytes(), body].concat();
    let change = if readme.is_empty() { "add a README.md" } else { "add a metadata block" };
    changes.insert(0, change.to_owned());
    Ok(CardEdit { bytes, changes, replaced_sdk: None })
}

#[cfg(test)]
mod tests {
    use super::super::card_sdk;
    use super::*;
    use proptest::prelude::*;

    fn facts(sdk: SpaceSdk) -> CardFacts<'static> {
        CardFacts { title: "my-app", sdk, app_file: None, app_port: None, sdk_version: None }
    }

    #[track_caller]
    fn check(readme: &str, facts: &CardFacts<'_>, expected: &str) -> CardEdit {
        let edit = complete(Some(readme.as_bytes()), facts).unwrap().expect("a change");
        assert_eq!(String::from_utf8_lossy(&edit.bytes), expected);
        assert_eq!(complete(Some(&edit.bytes), facts), Ok(None), "a second time changes nothing");
        assert!(!edit.changes.is_empty());
        edit
    }

    #[test]
    fn readme_without_a_card_gets_one() {
        let gradio = facts(SpaceSdk::Gradio);
        let edit = check("# Hello\n", &gradio, "---\ntitle: my-app\nsdk: gradio\n---\n# Hello\n");
        assert_eq!(edit.changes, ["add a metadata block", "add `sdk: gradio`"]);
        check("", &gradio, "---\ntitle: my-app\nsdk: gradio\n---\n");
        check("a\r\nb\n", &gradio, "---\r\ntitle: my-app\r\nsdk: gradio\r\n---\r\na\r\nb\n");
        check("\u{feff}# Hello", &gradio, "---\ntitle: my-app\nsdk: gradio\n---\n# Hello");
        check("---\n\nA rule\n", &gradio, "---\ntitle: my-app\nsdk: gradio\n---\n---\n\nA rule\n");
        let edit = complete(None, &gradio).unwrap().unwrap();
        assert_eq!(edit.changes[0], "add a README.md");
        let odd = CardFacts { title: "1.0", app_file: Some("my app.py".into()), ..gradio };
        check("", &odd, "---\ntitle: \"1.0\"\nsdk: gradio\napp_file: \"my app.py\"\n---\n");
    }

    #[test]
    fn keys_of_the_sdk_are_written_unless_they_have_the_default() {
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
        assert_eq!(complete(Some(theirs), &pinned(SpaceSdk::Gradio)), Ok(None));
    }

    #[test]
    fn opening_fence_is_repaired() {
        let gradio = facts(SpaceSdk::Gradio);
        let edit = check("--- \nsdk: gradio\n---\nbody", &gradio, "---\nsdk: gradio\n---\nbody");
        assert_eq!(edit.changes, [REPAIRED]);
        let edit = check("---\t\ntitle: x\n---\n", &gradio, "---\ntitle: x\nsdk: gradio\n---\n");
        assert_eq!(edit.changes, [REPAIRED, "add `sdk: gradio`"]);
    }

    #[test]
    fn card_without_sdk_keeps_its_keys() {
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
    fn card_with_an_sdk_is_left_alone() {
        let docker = CardFacts { app_port: Some(80), ..facts(SpaceSdk::Docker) };
        for readme in [
            "---\nsdk: docker\n---\n",
            "---\nsdk: 'docker' # yes\nsdk_version: 1\n---\n",
            "---\nsdk: dokcer\n---\n",
            "---\nsdk: 3\n---\n",
            "---\n{sdk: docker}\n---\n",
        ] {
            assert_eq!(complete(Some(readme.as_bytes()), &docker), Ok(None), "{readme:?}");
        }
        let streamlit = facts(SpaceSdk::Streamlit);
        assert_eq!(complete(Some(b"---\nsdk: docker\n---\n"), &streamlit), Ok(None));
    }

    #[test]
    fn another_sdk_is_replaced_in_its_line() {
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
    fn errors_name_the_line() {
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
            let error = complete(Some(readme.as_bytes()), &facts(SpaceSdk::Docker)).unwrap_err();
            assert_eq!(error.line, line, "{readme:?}: {error}");
        }
        let error = complete(Some(b"---\n\n{sdk: streamlit}\n---\n"), &facts(SpaceSdk::Docker)).unwrap_err();
        assert_eq!(error.fault, CardFault::CannotSetSdk(SpaceSdk::Docker));
    }

    fn sdks() -> impl Strategy<Value = SpaceSdk> {
        use SpaceSdk::{Docker, Gradio, Static, Streamlit};
        proptest::sample::select(vec![Docker, Gradio, Static, Streamlit])
    }

    proptest! {
        #[test]
        fn body_stays_and_a_second_edit_changes_nothing(
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
                if let Ok(Some(edit)) = complete(Some(readme), &facts) {
                    prop_assert!(edit.bytes.ends_with(without_bom(rest)));
                    let named = card_sdk(&edit.bytes);
                    prop_assert_eq!(named.as_deref(), Some(sdk.hub_name()));
                    prop_assert_eq!(complete(Some(&edit.bytes), &facts), Ok(None));
                }
            }
        }
    }
}
