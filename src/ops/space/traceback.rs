//! Python tracebacks in the lines of a log.

use std::fmt;

/// Folders that hold the app in the images of Spaces, because a path below them is short when it is shown.
const APP_FOLDERS: [&str; 6] =
    ["/home/user/app/", "/usr/src/app/", "/workspace/", "/code/", "/app/", "/src/"];
/// Parts of a path that belong to Python or to an installed package.
const LIBRARIES: [&str; 4] = ["site-packages/", "dist-packages/", "/lib/python", "/lib64/python"];
/// Longest exception text, in bytes, because it becomes part of a message.
const MAX_EXCEPTION: usize = 300;

/// An exception that a Python program reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traceback {
    /// The line that names it: `ValueError: model not loaded`.
    pub exception: String,
    /// The innermost line of the app's own code, if the traceback has one.
    pub origin: Option<CodeLine>,
    /// The index of the traceback's first line among the lines that were read.
    pub first_line: usize,
}

/// A line of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeLine {
    /// Relative to the folder of the app where that is known, otherwise as the traceback has it.
    pub file: String,
    /// Counted from 1.
    pub line: u32,
}

impl fmt::Display for CodeLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}", self.file, self.line)
    }
}

/// ``` `ValueError: model not loaded` (app.py, line 3) ```, for the end of a sentence.
impl fmt::Display for Traceback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.exception.replace('`', "'"))?;
        match &self.origin {
            Some(origin) => write!(f, " ({origin})"),
            None => Ok(()),
        }
    }
}

/// Finds the last traceback that is complete. A syntax error counts as well, which Python reports without a heading.
pub fn last_traceback<'a>(lines: impl IntoIterator<Item = &'a str>) -> Option<Traceback> {
    let mut last = None;
    let mut open: Option<Open> = None;
    for (index, line) in lines.into_iter().enumerate() {
        let line = without_margin(line);
        if line.trim_end().ends_with("Traceback (most recent call last):") {
            open = Some(Open { first_line: index, origin: None });
            continue;
        }
        if let Some(frame) = frame(line) {
            let open = open.get_or_insert(Open { first_line: index, origin: None });
            if let Frame::File(own) = frame
                && !is_library(&own.file)
            {
                open.origin = Some(CodeLine { file: shortened(&own.file).to_owned(), line: own.line });
            }
            continue;
        }
        let Some(found) = &open else { continue };
        if line.starts_with(char::is_whitespace) || line.is_empty() {
            continue;
        }
        if is_exception(line) {
            let mut exception = line.trim().to_owned();
            if exception.len() > MAX_EXCEPTION {
                exception.truncate(exception.floor_char_boundary(MAX_EXCEPTION));
                exception.push('…');
            }
            let Open { first_line, origin } = found.clone();
            last = Some(Traceback { exception, origin, first_line });
        }
        open = None;
    }
    last
}

/// A traceback whose exception has not been read yet.
#[derive(Clone)]
struct Open {
    first_line: usize,
    origin: Option<CodeLine>,
}

/// Removes the bars that exception groups are drawn with.
fn without_margin(line: &str) -> &str {
    let inner = line.trim_start();
    match inner.strip_prefix("| ").or_else(|| inner.strip_prefix("+ ")) {
        Some(inner) => inner,
        None => line,
    }
}

/// A frame of a traceback.
enum Frame {
    File(CodeLine),
    /// Code without a file, such as `<string>`.
    NoFile,
}

/// Reads `  File "app.py", line 3, in <module>`.
fn frame(line: &str) -> Option<Frame> {
    let rest = line.strip_prefix([' ', '\t'])?.trim_start().strip_prefix("File \"")?;
    let (file, rest) = rest.split_once("\", line ")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    let line = digits.parse().ok()?;
    if file.starts_with('<') {
        return Some(Frame::NoFile);
    }
    Some(Frame::File(CodeLine { file: file.to_owned(), line }))
}

fn is_library(file: &str) -> bool {
    LIBRARIES.iter().any(|part| file.contains(part))
}

fn shortened(file: &str) -> &str {
    APP_FOLDERS.iter().find_map(|folder| file.strip_prefix(folder)).unwrap_or(file)
}

/// `ValueError: text`, `torch.cuda.OutOfMemoryError: text`, `KeyboardInterrupt`.
fn is_exception(line: &str) -> bool {
    let name = line.split_once(':').map_or(line, |(name, _)| name).trim_end();
    !name.is_empty()
        && name.split('.').all(|part| {
            part.starts_with(|c: char| c.is_alphabetic() || c == '_')
                && part.chars().all(|c| c.is_alphanumeric() || c == '_')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(log: &str) -> Option<String> {
        last_traceback(log.lines()).map(|traceback| traceback.to_string())
    }

    #[test]
    fn exception_is_shown_with_the_innermost_line_of_the_app() {
        let log = r#"* Running on local URL:  http://0.0.0.0:7860
Traceback (most recent call last):
  File "/usr/local/lib/python3.10/site-packages/gradio/queueing.py", line 625, in process_events
    response = await route_utils.call_process_api(
  File "/home/user/app/app.py", line 9, in greet
    return model(name)
  File "/home/user/app/lib/model.py", line 3, in model
    raise ValueError("model not loaded")
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/usr/local/lib/python3.10/json/__init__.py", line 346, in loads
    return _default_decoder.decode(s)
ValueError: model not loaded
INFO: request done"#;
        assert_eq!(found(log).as_deref(), Some("`ValueError: model not loaded` (lib/model.py, line 3)"));
        assert_eq!(last_traceback(log.lines()).unwrap().first_line, 1);
    }

    #[test]
    fn last_of_several_tracebacks_is_found() {
        let log = r#"Traceback (most recent call last):
  File "app.py", line 1, in <module>
KeyError: 'a'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "app.py", line 4, in <module>
    raise RuntimeError("A is not set") from error
RuntimeError: A is not set
"#;
        assert_eq!(found(log).as_deref(), Some("`RuntimeError: A is not set` (app.py, line 4)"));
    }

    #[test]
    fn syntax_error_needs_no_heading() {
        let log = "  File \"/home/user/app/app.py\", line 2\n    def greet(name:\n             ^\nSyntaxError: '(' was never closed\n";
        assert_eq!(found(log).as_deref(), Some("`SyntaxError: '(' was never closed` (app.py, line 2)"));
    }

    #[test]
    fn exception_group_is_read_to_its_inner_exception() {
        let log = r#"  + Exception Group Traceback (most recent call last):
  |   File "/app/main.py", line 3, in main
  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/app/main.py", line 7, in work
    |     raise ValueError("x")
    | ValueError: x
    +------------------------------------"#;
        assert_eq!(found(log).as_deref(), Some("`ValueError: x` (main.py, line 7)"));
    }

    #[test]
    fn exception_without_code_of_the_app_has_no_origin() {
        let log = "Traceback (most recent call last):\n  File \"<frozen runpy>\", line 198, in _run\n  File \"/usr/lib/python3/dist-packages/x.py\", line 1, in y\nKeyboardInterrupt\n";
        assert_eq!(found(log).as_deref(), Some("`KeyboardInterrupt`"));
    }

    #[test]
    fn other_text_holds_no_traceback() {
        assert_eq!(found(""), None);
        assert_eq!(found("ValueError: not raised, printed"), None);
        assert_eq!(found("Traceback (most recent call last):\n  File \"app.py\", line 1, in x"), None);
        assert_eq!(found("Traceback (most recent call last):\nthe log goes on here\n"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(text in "(Traceback \\(most recent call last\\):|  File \"|\", line |[0-9]{1,12}|Error: |\n| |\\PC){0,40}") {
            let _ = found(&text);
        }
    }
}
