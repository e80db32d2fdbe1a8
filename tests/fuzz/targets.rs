//! Fuzz targets: every parser of text from outside, on mutations of the inputs in `tests/fuzz/corpus`.
//!
//! Stable Rust has no coverage feedback. Instead, an input whose outcome has a new shape joins the corpus of the run. An
//! input that panics or takes too long is stored in the corpus folder, with which every later run begins.
//!
//! The file is a module of the library (`src/lib.rs`), because it calls parsers that are not public.
//!
//! `FUZZ_SECONDS` is the time for each target; the tests take [`SECONDS`]. `FUZZ_SEED` chooses other inputs.
//! `cargo test --lib fuzz::` runs them all.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use hub::{
    Cause, CommitReceipt, LogKind, Price, Refusal, RepoInfo, RepoPath, Runtime, SpaceSdk, Stage, WhoAmI, sse,
};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::de::DeserializeOwned;

use crate::action::commands::{self, Annotation, Level};
use crate::action::markdown;
use crate::app_check::{CheckFailure, CheckResult};
use crate::commands::deploy::outputs::OUTPUTS;
use crate::commands::deploy::summary::summary;
use crate::failure::{Code, Failure};
use crate::folder::card::{Card, CardFacts, card_sdk, complete, line_of_message};
use crate::ops::deploy::plan::{Action, Change, Plan};
use crate::ops::deploy::report::{DeployReport, Settings, WrittenSetting};
use crate::ops::space::LogTail;
use crate::text::{log_lines, plain};

const SECONDS: u64 = 2;
/// Time limit for one input, in a build without optimisation on a busy machine.
const SLOW: Duration = Duration::from_secs(15);
const MAX_INPUT: usize = 64 << 10;
const MAX_CORPUS: usize = 4000;

/// Pieces with a meaning in some format.
const WORDS: &[&str] = &[
    "---\n",
    "---\r\n",
    "\n...\n",
    "sdk: ",
    "sdk: docker\n",
    "\"",
    "'",
    "|\n",
    ">-\n",
    "&a ",
    "*a",
    "!!",
    "? ",
    "[[[[",
    "{",
    "}",
    "\u{feff}",
    "\t",
    "\r",
    "\n\n",
    "data: ",
    "event: close\n",
    ":",
    "data",
    "id: 1\n",
    "::set-output name=a::b",
    "::error::",
    "##[error]",
    "%0A",
    "%25",
    "```",
    "````",
    "`",
    "|",
    "<b>",
    "]( ",
    "\u{1b}[31m",
    "\u{202e}",
    "\u{200d}",
    "\u{2028}",
    "null",
    "true",
    "[]",
    "{}",
    "0",
    "-1",
    "1e308",
    "-1e308",
    "1e-400",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "0.1",
    "\\ud800",
    "\\u0000",
    "\",\"",
    "\":",
    "r=0",
    "t=0",
    ";",
    ",",
    "=",
    "\"api\";r=0;t=1",
    "Fri, 01 Jan 1999 00:00:02 GMT",
    "Fri, 31 Dec 9999 23:59:59 GMT",
];

/// Runs `target` on every input of the corpus, then on mutations for `FUZZ_SECONDS`. `target` panics on a fault and
/// returns the shape of its outcome.
#[expect(clippy::disallowed_methods, reason = "a person chooses seed and time")]
fn fuzz(name: &str, target: impl Fn(&[u8]) -> String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let mut seen = HashSet::new();
    let mut corpus = Vec::new();
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let input = std::fs::read(path).unwrap();
        seen.insert(shape(&folder, &target, &input));
        corpus.push(input);
    }
    assert!(!corpus.is_empty(), "no input for `{name}`");
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seconds = number("FUZZ_SECONDS").unwrap_or(SECONDS);
    // The same inputs each time, so that a change is red for what it did; other seeds look further.
    fastrand::seed(number("FUZZ_SEED").unwrap_or(1));
    let (started, mut runs, mut slowest) = (Instant::now(), 0u64, Duration::ZERO);
    while started.elapsed() < Duration::from_secs(seconds) {
        let mut input = corpus[fastrand::usize(..corpus.len())].clone();
        for _ in 0..fastrand::usize(1..6) {
            mutate(&mut input, &corpus);
        }
        input.truncate(MAX_INPUT);
        runs += 1;
        let began = Instant::now();
        if seen.insert(shape(&folder, &target, &input)) && corpus.len() < MAX_CORPUS {
            corpus.push(input);
        }
        slowest = slowest.max(began.elapsed());
    }
    println!("{name}: {runs} inputs of {} shapes in {seconds} s, the slowest in {slowest:?}", seen.len());
}

/// Runs the target on one input, and keeps the input when that is a fault.
fn shape(folder: &Path, target: &impl Fn(&[u8]) -> String, input: &[u8]) -> u64 {
    let run = || {
        let started = Instant::now();
        (catch_unwind(AssertUnwindSafe(|| target(input))), started.elapsed())
    };
    let (mut outcome, mut took) = run();
    if outcome.is_ok() && took > SLOW {
        // Once more, since a starved machine is slow at everything, and now and then.
        (outcome, took) = run();
    }
    let slow = took > SLOW;
    match outcome {
        Ok(outcome) if !slow => hash(&outcome),
        _ => {
            let path = folder.join(format!("found-{:016x}", hash(&input)));
            std::fs::write(&path, input).unwrap();
            panic!(
                "{} ({:?}): the input is kept in {}",
                if slow { "too slow" } else { "a panic" },
                took,
                path.display()
            );
        }
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn mutate(input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
    let at = fastrand::usize(..=input.len());
    let end = input.len().min(at + fastrand::usize(1..32));
    match fastrand::u8(..8) {
        0 if at < input.len() => input[at] ^= 1 << fastrand::u8(..8),
        1 if at < input.len() => input[at] = fastrand::u8(..),
        2 => drop(input.drain(at..end)),
        3 => {
            let piece = input[at..end].to_vec();
            let times = if fastrand::u8(..32) == 0 { 500 } else { fastrand::usize(1..4) };
            let to = fastrand::usize(..=input.len());
            input.splice(to..to, piece.repeat(times));
        }
        4 => {
            let other = &corpus[fastrand::usize(..corpus.len())];
            let from = fastrand::usize(..=other.len());
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        5 => {
            // A number becomes another one.
            let Some(start) = input[at..].iter().position(u8::is_ascii_digit).map(|found| at + found) else {
                return;
            };
            let length = input[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            let numbers = [
                "0",
                "-1",
                "1e308",
                "1e19",
                "9223372036854775807",
                "18446744073709551615",
                "99999999999999999999",
            ];
            let number = numbers[fastrand::usize(..numbers.len())];
            input.splice(start..start + length, number.bytes());
        }
        _ => {
            let word = WORDS[fastrand::usize(..WORDS.len())];
            input.splice(at..at, word.bytes());
        }
    }
}

/// Returns a count in steps, because outcomes that differ only in a count must have few shapes.
fn about(count: usize) -> u32 {
    usize::BITS - count.leading_zeros()
}

/// A run of which everything that others word says `text`.
fn report_that_says(text: &str) -> DeployReport {
    let path = |text: &str| text.parse::<RepoPath>().or_else(|_| "a|b".parse()).expect("a path");
    let change = |action| Change { path: path(text), action, size: 1, large: false, candidate: None };
    let mut tail = LogTail::new(LogKind::Build);
    text.lines().for_each(|line| tail.push(line));
    let receipt = CommitReceipt {
        oid: hub::CommitId::new(text),
        url: format!("https://x/{text}"),
        pull_request_url: Some(format!("https://x/{text}")),
        recovered: false,
    };
    DeployReport {
        endpoint: format!("https://{text}"),
        space_url: Some(format!("https://{text}")),
        space_hardware: Some(text.to_owned().into()),
        written: Settings {
            settings: vec![WrittenSetting { is_secret: false, key: text.to_owned(), deleted: false }],
            ..Settings::default()
        },
        plan: Some(Plan { changes: vec![change(Action::Add), change(Action::Delete)], ..Plan::default() }),
        commit: Some(receipt),
        space_stage: Some(Stage::Other(text.to_owned())),
        check: Some(CheckResult {
            endpoint: Some(text.to_owned()),
            ..CheckResult::failed(CheckFailure::QueueFull, text)
        }),
        log_tails: vec![tail],
        failure: Some(
            Failure::new(Code::HubRefused, text).hint(text).caused_by(std::io::Error::other(text.to_owned())),
        ),
        ..DeployReport::default()
    }
}

#[test]
fn the_summary_is_the_page_that_was_meant() {
    fuzz("summary", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let summary = summary(&report_that_says(&text), &[text.to_string()]);
        let (mut fence, mut columns, mut tables, mut headings, mut head) = (None::<usize>, 0, 0, 0, 0);
        for line in summary.lines() {
            let ticks = line.len() - line.trim_start_matches('`').len();
            match fence {
                Some(open) if ticks >= open && line.len() == ticks => fence = None,
                Some(_) => {}
                None if ticks >= 3 && line.ends_with("text") => fence = Some(ticks),
                None => {
                    let bars = line.match_indices('|').filter(|(at, _)| !line[..*at].ends_with('\\')).count();
                    if line.starts_with("| ---") {
                        assert_eq!(bars, head, "the head of {line:?}");
                        (columns, tables) = (bars, tables + 1);
                    } else if line.starts_with("| ") && columns > 0 {
                        assert_eq!(bars, columns, "{line:?}");
                    } else {
                        columns = 0;
                    }
                    headings += usize::from(line.starts_with('#'));
                    head = bars;
                }
            }
        }
        assert_eq!((fence, tables), (None, 2), "{summary}");
        let wanted = 4 + usize::from(text.lines().next().is_some());
        assert_eq!(headings, wanted, "{summary}");
        for value in (OUTPUTS.values)(&report_that_says(&text), &[]) {
            assert!(value.len() <= text.len() + 100);
        }
        format!("{}", about(summary.len()))
    });
}

#[test]
fn cards() {
    fuzz("card", |readme| {
        let card = Card::read(readme);
        let port = card.as_ref().ok().and_then(Option::as_ref).map(Card::app_port);
        let mut shape = format!(
            "{:?} {port:?} {:?}",
            card.as_ref().map(Option::is_some).map_err(|error| error.fault.to_string().len()),
            card_sdk(readme).is_some()
        );
        if let Err(error) = &card {
            let lines = readme.split(|byte| matches!(byte, b'\n' | b'\r')).count();
            assert!((1..=u32::try_from(lines).unwrap() + 1).contains(&error.line), "{error}");
        }
        for sdk in [SpaceSdk::Docker, SpaceSdk::Gradio] {
            let facts = CardFacts {
                title: "an \"app\": #1",
                sdk,
                app_file: Some("a.py".into()),
                app_port: Some(80),
                sdk_version: None,
            };
            let edit = complete(Some(readme), &facts);
            if let Ok(Some(edit)) = &edit {
                // What was edited says what was wanted, and needs no further edit.
                let again = complete(Some(&edit.bytes), &facts).expect("an edited card can be read");
                assert_eq!(again, None, "{}", String::from_utf8_lossy(&edit.bytes));
                assert!(card_sdk(&edit.bytes).is_some());
            }
            shape.push_str(&format!(
                "{:?}",
                edit.map(|edit| edit.map(|edit| edit.changes)).map_err(|error| error.fault.to_string().len())
            ));
        }
        for key in ["sdk", "\"sdk\"", "app_port must be a number", ""] {
            shape.push(if line_of_message(readme, key).is_some() { '+' } else { '-' });
        }
        shape
    });
}

#[test]
fn server_sent_events() {
    fuzz("sse", |bytes| {
        let whole = sse::Decoder::default().push(bytes);
        let mut decoder = sse::Decoder::default();
        let pieces: Vec<sse::Event> = bytes.chunks(3).flat_map(|piece| decoder.push(piece)).collect();
        assert_eq!(whole, pieces, "it matters where the stream is cut");
        let lengths: Vec<(u32, u32)> =
            whole.iter().take(6).map(|event| (about(event.name.len()), about(event.data.len()))).collect();
        format!("{lengths:?} {}", decoder.has_cut())
    });
}

#[test]
fn answers_of_the_hub() {
    fn is<T: DeserializeOwned>(body: &[u8]) -> bool {
        serde_json::from_slice::<T>(body).is_ok()
    }
    fuzz("answers", |body| {
        let prices = serde_json::from_slice::<Vec<Price>>(body);
        let hourly =
            prices.map(|prices| prices.iter().map(|price| price.per_hour().is_some()).collect::<Vec<_>>());
        let refusal = Refusal::read(StatusCode::BAD_REQUEST, &HeaderMap::new(), body, SystemTime::UNIX_EPOCH);
        assert!(refusal.message.chars().count() <= 601, "{}", refusal.message.len());
        let length = refusal.message.len().min(20);
        let failure = Failure::from(hub::Error::new("do it", Cause::Status(refusal)));
        format!(
            "{:?} {:?} {:?} {:?} {hourly:?} {length} {}",
            is::<RepoInfo>(body),
            serde_json::from_slice::<Runtime>(body)
                .map(|runtime| (runtime.stage.is_error(), runtime.sha.is_some()))
                .ok(),
            serde_json::from_slice::<Runtime>(body).map(|machine| machine.volumes.len().min(4)).ok(),
            is::<WhoAmI>(body),
            failure.message.len().min(90),
        )
    });
}

#[test]
fn waits_that_the_hub_asks_for() {
    fuzz("rate_limit", |bytes| {
        let mut headers = HeaderMap::new();
        for line in bytes.split(|byte| *byte == b'\n') {
            let mut parts = line.splitn(2, |byte| *byte == b':');
            let (Some(name), Some(value)) = (parts.next(), parts.next()) else { continue };
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
                headers.insert(name, value);
            }
        }
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let wait =
            |status| Refusal::read(status, &headers, b"", now).wait.map(|wait| wait.as_secs().min(700));
        let waits = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].map(wait);
        format!("{:?}", waits.map(|wait| wait.map(|seconds| (seconds <= 660, seconds.min(3)))))
    });
}

#[test]
fn what_a_gradio_app_says_about_itself() {
    fuzz("gradio_config", crate::app_check::fuzzing::config);
}

#[test]
fn what_a_gradio_app_says_during_a_call() {
    fuzz("gradio_events", crate::app_check::fuzzing::events);
}

#[test]
fn files_and_obstacles_of_an_agent() {
    fuzz("agent_answer", crate::agent::fuzzing::answer);
}

#[test]
fn result_of_an_agent() {
    fuzz("agent_result", crate::agent::fuzzing::result);
}

#[test]
fn rows_of_a_dataset() {
    use crate::dataset_files::{Faults, Format, Table, differences, read_parquet, read_text};
    fuzz("dataset_rows", |bytes| {
        let mut shape = String::new();
        let mut first: Option<Table> = None;
        for format in [Format::JsonLines, Format::Json, Format::Csv, Format::Tsv, Format::Parquet] {
            let mut list = Vec::new();
            let mut faults = Faults::new("f", &mut list, 20);
            let table = match format {
                Format::Parquet => {
                    let bytes = bytes::Bytes::copy_from_slice(bytes);
                    read_parquet(bytes, 1 << 20, &mut faults, &|_| ())
                }
                format => read_text(format, bytes, 1 << 16, &mut faults).expect("memory is read"),
            };
            let found =
                first.as_ref().map_or(0, |first| differences(&first.columns, &table.columns, format).len());
            let columns = table.columns.iter().count();
            shape.push_str(&format!(
                "{} {} {} {} ",
                about(columns),
                list.len().min(3),
                about(found),
                table.rows.min(3)
            ));
            first = first.or(Some(table));
        }
        shape
    });
}

#[test]
fn what_is_printed_stays_in_its_place() {
    fuzz("escaping", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let hidden = |text: &str| {
            text.chars().any(|c| {
                (c.is_control() && c != '\t')
                    || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            })
        };
        let lines: Vec<String> = log_lines(&text).collect();
        for line in &lines {
            assert!(
                !line.trim_start().starts_with("::") && !line.contains("##[") && !hidden(line),
                "{line:?}"
            );
        }
        let one = plain(&text);
        assert!(!hidden(&one) && !one.contains('\t'), "{one:?}");
        let made = commands::annotation(&Annotation {
            title: Some(&text),
            file: Some(&text),
            ..Annotation::new(Level::Error, &text)
        });
        assert!(
            !made.contains(['\n', '\r'])
                && made.starts_with("::error file=")
                && made.matches("::").count() >= 2
        );
        assert_eq!(commands::group(&text).lines().count(), 1);
        for cell in [
            markdown::cell(&text),
            markdown::cell_code(&text),
            markdown::link(&text, &format!("https://x/{text}")),
        ] {
            assert!(!cell.contains('\n'), "{cell:?}");
            let open = cell.match_indices('|').any(|(at, _)| !cell[..at].ends_with('\\'));
            assert!(!open, "{cell:?}");
        }
        let block = markdown::fenced(&text);
        let fence: String = block.chars().take_while(|c| *c == '`').collect();
        let closing = block.lines().skip(1).filter(|line| line.trim_start().starts_with(&fence)).count();
        assert_eq!(closing, 1, "{block:?}");
        format!("{} {} {}", about(lines.len()), about(one.len()), fence.len())
    });
}
