//! The title of a card, with an end that shows that the Space is a copy.

use serde_yaml::Value;

use super::edit::CardEdit;
use super::error::CardError;
use super::front_matter::split;
use super::yaml_edit::Editor;

/// Returns the README with `end` behind the title of its card: `None` if it is there, if there is no card, and if the
/// card cannot be edited line by line. `title` is that of a card without one.
pub fn end_title(readme: &[u8], title: &str, end: &str) -> Result<Option<CardEdit>, CardError> {
    let Some(matter) = split(readme)? else { return Ok(None) };
    let mut editor = Editor::new(matter.yaml, matter.line_end).map_err(|error| matter.yaml_error(error))?;
    let title = match editor.meaning().get("title") {
        Some(Value::String(title)) => title.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Null) | None => title.to_owned(),
        // The Hub refuses it, and says why.
        Some(_) => return Ok(None),
    };
    if title.ends_with(end) {
        return Ok(None);
    }
    let title = format!("{title}{end}");
    if editor.set("title", &title.as_str().into()).is_err() {
        return Ok(None);
    }
    let bytes = [matter.head, editor.text().as_bytes(), matter.tail].concat();
    Ok(Some(CardEdit { bytes, changes: vec![format!("title it `{title}`")], replaced_sdk: None }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn title_gets_its_end_once() {
        for (readme, expected) in [
            (
                "---\ntitle: Hello\nsdk: static\n---\n# x\n",
                "---\ntitle: \"Hello (PR 12)\"\nsdk: static\n---\n# x\n",
            ),
            ("---\ntitle: \"A: b\" # c\n---\n", "---\ntitle: \"A: b (PR 12)\" # c\n---\n"),
            ("---\nsdk: static\n---\n", "---\nsdk: static\ntitle: \"app (PR 12)\"\n---\n"),
            ("---\ntitle: 7\n---\n", "---\ntitle: \"7 (PR 12)\"\n---\n"),
            ("---\r\ntitle: Hello\r\n---\r\n", "---\r\ntitle: \"Hello (PR 12)\"\r\n---\r\n"),
        ] {
            let edit = end_title(readme.as_bytes(), "app", " (PR 12)").unwrap().unwrap();
            assert_eq!(String::from_utf8_lossy(&edit.bytes), expected);
            assert_eq!(end_title(&edit.bytes, "app", " (PR 12)"), Ok(None));
        }
        for readme in ["# no card\n", "---\n{title: x}\n---\n", "---\ntitle: [x]\n---\n"] {
            assert_eq!(end_title(readme.as_bytes(), "app", " (PR 12)"), Ok(None), "{readme}");
        }
    }
}
