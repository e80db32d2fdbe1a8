//! The file of inputs: JSON lines, or one text per line.

use std::collections::HashMap;

use serde_json::Value;

use crate::commands::inputs::diagnostics::Diagnostics;
use crate::ops::inference::{Item, Operation};

/// Largest number of faults that are reported.
const MAX_FAULTS: usize = 20;

/// A file of inputs.
#[derive(Debug, Clone, Copy)]
pub(super) struct InputFile<'a> {
    /// Path as the user wrote it.
    pub(super) path: &'a str,
    pub(super) text: &'a str,
    pub(super) operation: Operation,
}

impl InputFile<'_> {
    /// Reads the inputs. Those without an id get the number of their line.
    pub(super) fn read(self, diagnostics: &mut Diagnostics) -> Vec<Item> {
        let lines = self.text.trim_start_matches('\u{feff}').lines().zip(1..);
        let lines: Vec<(&str, u32)> = lines.filter(|(line, _)| !line.trim().is_empty()).collect();
        if lines.is_empty() {
            diagnostics.fault_in_file(self.path, 1, None, "holds no input");
        }
        let is_json = lines.first().is_some_and(|(line, _)| line.trim_start().starts_with('{'));
        let mut ids: HashMap<String, u32> = HashMap::new();
        let (mut items, mut faults) = (Vec::new(), 0);
        for (line, number) in lines {
            let read = if is_json { self.json(line, number) } else { Ok(text_item(line, number)) };
            let read = read.and_then(|item| match ids.insert(item.id.clone(), number) {
                None => Ok(item),
                Some(first) => Err(format!("repeats `{}`, the id of line {first}", item.id)),
            });
            match read {
                Ok(item) => items.push(item),
                Err(sentence) => {
                    faults += 1;
                    if faults <= MAX_FAULTS {
                        diagnostics.fault_in_file(self.path, number, None, &sentence);
                    }
                }
            }
        }
        items
    }

    fn json(self, line: &str, number: u32) -> Result<Item, String> {
        let value: Value =
            serde_json::from_str(line).map_err(|error| format!("is no JSON object: {error}"))?;
        let id = match &value["id"] {
            Value::Null => number.to_string(),
            Value::String(id) if !id.is_empty() && !id.chars().any(char::is_control) => id.clone(),
            Value::Number(id) => id.to_string(),
            _ => return Err("must have an `id` of text on one line, or none".to_owned()),
        };
        let input = value["input"].clone();
        let is_text = input.as_str().is_some_and(|text| !text.trim().is_empty());
        let is_messages = self.operation == Operation::Generate
            && input.as_array().is_some_and(|messages| {
                !messages.is_empty() && messages.iter().all(|message| message["role"].is_string())
            });
        if !is_text && !is_messages {
            let messages = if self.operation == Operation::Generate { ", or a list of messages" } else { "" };
            return Err(format!("must have an `input` of text{messages}"));
        }
        Ok(Item { id, input })
    }
}

fn text_item(line: &str, number: u32) -> Item {
    Item { id: number.to_string(), input: line.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::inputs::place::InputPlace;

    fn read(text: &str, operation: Operation) -> (Vec<Item>, String) {
        let mut diagnostics = Diagnostics::new(InputPlace::Workflow);
        let items = InputFile { path: "in.jsonl", text, operation }.read(&mut diagnostics);
        let faults = diagnostics.accept(Some(())).err().map(|failure| failure.message);
        (items, faults.unwrap_or_default())
    }

    #[test]
    fn lines_are_texts_or_json() {
        let (items, faults) = read("hello\n\nworld\n", Operation::Embed);
        assert_eq!((items[1].id.as_str(), &items[1].input), ("3", &Value::from("world")));
        assert_eq!(faults, "");
        let json = "{\"id\": \"a\", \"input\": \"x\"}\n{\"id\": 7, \"input\": [{\"role\": \"user\", \"content\": \"y\"}]}\n";
        let (items, faults) = read(json, Operation::Generate);
        assert_eq!((items.len(), items[1].id.as_str(), faults.as_str()), (2, "7", ""));
        let (_, faults) = read(json, Operation::Classify);
        assert_eq!(faults, "`in.jsonl:2` must have an `input` of text");
    }

    #[test]
    fn all_faults_have_their_lines() {
        let (_, faults) = read(
            "{\"input\": \"x\"}\n{\"id\": \"1\", \"input\": \"y\"}\n{\"input\": 3}\nno\n",
            Operation::Embed,
        );
        let wanted = "3 invalid inputs:\n`in.jsonl:2` repeats `1`, the id of line 1\n`in.jsonl:3` must have an `input` of text\n\
                      `in.jsonl:4` is no JSON object: ";
        assert!(faults.starts_with(wanted), "{faults}");
        assert_eq!(read("\n\n", Operation::Embed).1, "`in.jsonl:1` holds no input");
    }
}
