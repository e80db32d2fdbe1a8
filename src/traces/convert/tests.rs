//! Tests of the conversion of files.

use hub::Secret;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::traces::Emails;

/// Sessions in memory.
#[derive(Default)]
struct Kept(Vec<Vec<u8>>);

impl Sink for Kept {
    fn begin(&mut self, number: u64) -> io::Result<()> {
        self.0.push(Vec::new());
        assert_eq!(self.0.len() as u64, number);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let session = self.0.last_mut().ok_or(io::ErrorKind::NotFound)?;
        session.extend_from_slice(bytes);
        Ok(())
    }
}

fn converted(input: &str) -> Result<(Converted, Vec<String>), TraceError> {
    let redaction = Redaction::new(&[Secret::new("a-value-of-a-secret")], Emails::Keep);
    let options = ConvertOptions { redaction: &redaction, name: "run" };
    let mut kept = Kept::default();
    // A reader with a small buffer, because lines end anywhere.
    let mut reader = io::BufReader::with_capacity(7, input.as_bytes());
    let converted = convert(&mut reader, &mut kept, options)?;
    Ok((converted, kept.0.into_iter().map(|bytes| String::from_utf8(bytes).unwrap()).collect()))
}

fn lines(session: &str) -> Vec<Value> {
    session.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const CLAUDE: &str = concat!(
    r#"{"type":"user","sessionId":"s","uuid":"u","message":{"role":"user","content":"hi"},"n":1.50}"#,
    "\r\n\n",
    r#"{"type":"assistant","sessionId":"s","uuid":"v","message":{"content":[]}}"#,
);

#[test]
fn native_sessions_pass_through_byte_by_byte() {
    let codex = "{\"timestamp\":\"t\",\"type\":\"session_meta\",\"payload\":{\"id\":\"x\"}}\n{\"type\":\"event_msg\",\"payload\":{}}\n";
    let pi = "{\"type\":\"session\",\"version\":3,\"id\":\"x\",\"cwd\":\"/w\"}\n{\"type\":\"message\",\"message\":{}}\n";
    let own = "{\"type\":\"session\",\"harness\":\"llama.app\",\"id\":\"x\"}\n{\"type\":\"message\",\"message\":{}}\n";
    for (text, format) in
        [(CLAUDE, Format::ClaudeCode), (codex, Format::Codex), (pi, Format::Pi), (own, Format::Session)]
    {
        let (result, sessions) = converted(text).unwrap();
        assert_eq!((result.format, result.sessions, result.rows), (Some(format), 1, 2));
        assert_eq!(sessions, [text]);
        assert!(result.redactions.is_empty() && !result.is_cut_off);
    }
}

#[test]
fn a_native_session_loses_only_its_secrets() {
    let text = CLAUDE.replace("\"hi\"", "\"it is a-value-of-a-secret.\"");
    let (result, sessions) = converted(&text).unwrap();
    assert_eq!(sessions, [CLAUDE.replace("\"hi\"", "\"it is ***.\"")]);
    assert_eq!(result.redactions.values().sum::<u64>(), 1);
}

#[test]
fn messages_in_lines_become_one_session() {
    let text = "{\"role\":\"user\",\"content\":\"hi\"}\n\n{\"role\":\"assistant\",\"content\":\"ho\"}\n";
    let (result, sessions) = converted(text).unwrap();
    assert_eq!((result.format, result.sessions, result.rows), (Some(Format::Other), 1, 3));
    assert_eq!(
        sessions[0].lines().next().unwrap(),
        r#"{"type":"session","harness":"custom","id":"run"}"#,
        "the header comes first"
    );
    assert_eq!(
        lines(&sessions[0])[2],
        json!({"type": "message", "message": {"role": "assistant", "content": "ho"}})
    );
}

#[test]
fn each_conversation_becomes_a_session() {
    let text = concat!(
        "{\"id\":7,\"title\":\"One\",\"agent\":\"mine\",\"type\":\"x\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}\n",
        "{\"conversations\":[{\"from\":\"human\",\"value\":\"b\"},{\"from\":\"gpt\",\"value\":\"c\"}]}\n",
        "{\"prompt\":\"d\",\"system\":\"s\",\"response\":\"e\",\"score\":1}\n",
        "[{\"role\":\"user\",\"content\":\"f\"}]\n",
    );
    let (result, sessions) = converted(text).unwrap();
    assert_eq!((result.sessions, result.rows), (4, 4 + 1 + 2 + 3 + 1));
    let heads: Vec<Value> = sessions.iter().map(|session| lines(session)[0].clone()).collect();
    assert_eq!(
        heads[0],
        json!({"type": "session", "harness": "mine", "id": "7", "name": "One", "original_type": "x"})
    );
    assert_eq!(heads[1]["id"], "run-2");
    assert_eq!(heads[2]["score"], 1);
    let roles = |session: &str| -> Vec<String> {
        lines(session)[1..].iter().map(|line| line["message"]["role"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(roles(&sessions[1]), ["user", "assistant"]);
    assert_eq!(roles(&sessions[2]), ["system", "user", "assistant"]);
}

#[test]
fn parts_with_another_key_begin_another_session() {
    let part = |key: &str, text: &str| {
        format!("{{\"session_id\":\"{key}\",\"role\":\"user\",\"content\":\"{text}\"}}\n")
    };
    let text = [part("a", "1"), part("a", "2"), part("b", "3")].concat();
    let (_, sessions) = converted(&text).unwrap();
    let heads: Vec<Value> = sessions.iter().map(|session| lines(session)[0]["id"].clone()).collect();
    assert_eq!((heads, lines(&sessions[0]).len()), (vec![json!("a"), json!("b")], 3));
}

#[test]
fn lists_and_documents_over_several_lines_are_read() {
    for text in [
        "[\n {\"role\": \"user\",\n \"content\": \"a\"},\n {\"role\": \"assistant\", \"content\": \"b\"}\n]\n",
        "{\n \"messages\": [\n {\"role\": \"user\", \"content\": \"a\"},\n {\"role\": \"assistant\", \"content\": \"b\"}]\n}\n",
    ] {
        let (result, sessions) = converted(text).unwrap();
        assert_eq!((result.sessions, lines(&sessions[0]).len()), (1, 3), "{text}");
    }
    assert_eq!(converted("\u{feff} \n").unwrap().0.format, None);
    assert_eq!(converted("\u{feff}[]").unwrap().0.sessions, 0);
}

#[test]
fn results_are_linked_to_their_calls() {
    let text = concat!(
        "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"ls\"}},{\"function\":{\"name\":\"cat\"}}]}\n",
        "{\"role\":\"tool\",\"content\":\"1\"}\n{\"role\":\"tool\",\"content\":\"2\"}\n{\"role\":\"tool\",\"content\":\"3\"}\n",
    );
    let (_, sessions) = converted(text).unwrap();
    let ids: Vec<Value> =
        lines(&sessions[0])[2..].iter().map(|line| line["message"]["toolCallId"].clone()).collect();
    assert_eq!(ids, [json!("call-1"), json!("call-2"), Value::Null]);
}

#[test]
fn faults_name_their_line() {
    for (text, fault) in [
        ("{\"role\":\"user\",\"content\":\"a\"}\n{\"role\":\n", "line 2 is no JSON object"),
        ("{\"role\":\"user\",\"content\":\"a\"}\n\n7\n", "line 3 is no JSON object"),
        ("7\n", "line 1 is no JSON object"),
        ("no json\n", "line 1 is no JSON object"),
        ("[{\"a\":1}, 7]", "element 2 is no JSON object"),
        ("[{\"a\":1}\n", "line 2 is no JSON object"),
        (&format!("{CLAUDE}\n[]\n"), "line 4 is no JSON object"),
    ] {
        assert_eq!(converted(text).unwrap_err().to_string(), fault, "{text}");
    }
    let mut bytes = &b"{\"a\":1}\n\xff\xfe\n"[..];
    let redaction = Redaction::new(&[], Emails::Keep);
    let options = ConvertOptions { redaction: &redaction, name: "run" };
    let fault = convert(&mut bytes, &mut Kept::default(), options).unwrap_err().to_string();
    assert_eq!(fault, "line 2 is no UTF-8");
}

#[test]
fn a_last_line_that_was_cut_off_is_left_out() {
    let (result, sessions) = converted(&format!("{CLAUDE}\n{{\"type\":\"user\",\"mess")).unwrap();
    assert!(result.is_cut_off && sessions[0].ends_with("}}\n"));
    let (result, _) = converted("{\"role\":\"user\",\"content\":\"a\"}\n{\"role\":\"us").unwrap();
    assert_eq!((result.is_cut_off, result.rows), (true, 2));
}

/// A sink whose disk is full.
struct Full;

impl Sink for Full {
    fn begin(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn write(&mut self, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }
}

#[test]
fn a_full_disk_is_an_error() {
    let redaction = Redaction::new(&[], Emails::Keep);
    let options = ConvertOptions { redaction: &redaction, name: "run" };
    let result = convert(&mut CLAUDE.as_bytes(), &mut Full, options);
    assert!(matches!(result, Err(TraceError::Write(error)) if error.kind() == io::ErrorKind::StorageFull));
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[ -~é]{0,12}".prop_map(Value::from),
        Just(json!("it is a-value-of-a-secret.")),
    ];
    let key = prop_oneof![
        Just("role"),
        Just("content"),
        Just("messages"),
        Just("type"),
        Just("id"),
        Just("tool_calls"),
        Just("name"),
        Just("session_id"),
        Just("prompt"),
        Just("response"),
        Just("function"),
        Just("a-value-of-a-secret"),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Any objects become sessions: a header and messages with a role and a text, without a secret.
    #[test]
    fn any_objects_become_sessions(
        values in proptest::collection::vec(
            proptest::collection::btree_map("role|content|messages|id|type|x", any_value(), 1..5), 1..5,
        ),
    ) {
        let text: String = values.iter().map(|value| format!("{}\n", json!(value))).collect();
        let (result, sessions) = converted(&text).unwrap();
        prop_assert_eq!(result.sessions as usize, sessions.len());
        for session in &sessions {
            prop_assert!(!session.contains("a-value-of-a-secret"), "{session}");
            let lines = lines(session);
            if result.format != Some(Format::Other) {
                continue;
            }
            prop_assert_eq!(&lines[0]["type"], "session");
            prop_assert!(lines[0]["harness"].is_string() && lines[0]["id"].is_string(), "{session}");
            for line in &lines[1..] {
                let message = &line["message"];
                let role = message["role"].as_str().unwrap_or_default();
                prop_assert!(["user", "assistant", "system", "tool"].contains(&role), "{session}");
                prop_assert!(message["content"].is_string(), "{session}");
            }
        }
    }
}
