//! The results in the form of JUnit, as CI systems read it (`testsuites`, `testsuite`, `testcase`).

use std::fmt::Write as _;
use std::time::Duration;

use super::options::{Target, VerifyOptions};
use super::report::EndedCheck;
use crate::failure::Failure;
use crate::text::plain;

/// Removes secrets from a text. It runs before the text is escaped, because half of a secret may need no escape.
type Redact<'a> = &'a dyn Fn(&str) -> String;

/// Renders the results. A check that did not run because the whole run failed has an `error`, and one without a
/// judgement is `skipped`.
pub(super) fn render(
    options: &VerifyOptions,
    ended: &[EndedCheck],
    failure: Option<&Failure>,
    redact: Redact<'_>,
) -> String {
    let xml = |text: &str| escape(&redact(text));
    let suite = xml(&match &options.target {
        Target::Space(id) => id.to_string(),
        Target::Url(url) => url.to_string(),
    });
    let count = |is: fn(&EndedCheck) -> bool| ended.iter().filter(|check| is(check)).count();
    let took: Duration = ended.iter().map(|check| check.took).sum();
    let missing = options.checks.get(ended.len()..).unwrap_or_default();
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{}\"",
        options.checks.len(),
        count(|check| check.has_failed),
        missing.len(),
        count(is_skipped),
        seconds(took),
    );
    let case = |name: &str, took: Duration| {
        format!("name=\"{}\" classname=\"{suite}\" time=\"{}\"", xml(name), seconds(took))
    };
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(text, "<testsuites name=\"hf-deploy verify\" {counts}>");
    let _ = writeln!(text, "  <testsuite name=\"{suite}\" {counts}>");
    for check in ended {
        let detail = xml(&check.result.detail);
        let status = check.result.status.as_str();
        let result = if check.has_failed {
            let hints: Vec<String> = check.hints.iter().map(|hint| xml(hint)).collect();
            format!("<failure type=\"{status}\" message=\"{detail}\">{}</failure>", hints.join("\n"))
        } else if is_skipped(check) {
            format!("<skipped message=\"{status}: {detail}\"/>")
        } else {
            format!("<system-out>{status}: {detail}</system-out>")
        };
        let _ = writeln!(text, "    <testcase {}>{result}</testcase>", case(&check.name, check.took));
    }
    for check in missing {
        let code = failure.map_or("", |failure| failure.code.as_str());
        let message = failure.map(|failure| xml(&failure.message)).unwrap_or_default();
        let result = format!("<error type=\"{code}\" message=\"{message}\"/>");
        let _ = writeln!(text, "    <testcase {}>{result}</testcase>", case(&check.name, Duration::ZERO));
    }
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

fn is_skipped(check: &EndedCheck) -> bool {
    !check.has_failed && check.result.is_unjudged()
}

fn seconds(took: Duration) -> String {
    format!("{:.3}", took.as_secs_f64())
}

/// Escapes a text for an attribute or for text, on one line. Characters that XML does not allow are made visible.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in plain(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // No document has these two (XML 1.0, 2.2).
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app_check::{Check, CheckFailure, CheckResult, CheckStatus, FailOn};
    use crate::failure::Code;
    use crate::ops::verify::options::NamedCheck;

    fn check(name: &str, result: CheckResult) -> EndedCheck {
        EndedCheck {
            name: name.to_owned(),
            place: None,
            has_failed: result.status == CheckStatus::Failed,
            result,
            hints: vec!["do <this> & that".to_owned()],
            took: Duration::from_millis(1500),
        }
    }

    #[test]
    fn results_are_cases_of_one_suite() {
        let named = |name: &str| NamedCheck { name: name.to_owned(), check: Check::new("."), place: None };
        let options = VerifyOptions {
            target: Target::Url("https://app.example/?a=1&b=2".parse().unwrap()),
            checks: ["good", "bad", "busy", "late"].map(named).to_vec(),
            timeout: Duration::from_secs(1),
            fail_on: FailOn::default(),
            completes: None,
            bundle_bucket: None,
            junit_path: None,
        };
        let ended = [
            check("good", CheckResult::passed(CheckStatus::HealthOnly, "fine")),
            check("bad", CheckResult::failed(CheckFailure::AppError, "it said \"<no>\u{7}hf_secret&x\"")),
            check("busy", CheckResult::failed(CheckFailure::GpuQuota, "later")),
        ];
        let failure = Failure::new(Code::SpaceCrashed, "it crashed");
        let redact = |text: &str| text.replace("hf_secret&x", "***");
        insta::assert_snapshot!(render(&options, &ended, Some(&failure), &redact), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="hf-deploy verify" tests="4" failures="1" errors="1" skipped="1" time="4.500">
          <testsuite name="https://app.example/?a=1&amp;b=2" tests="4" failures="1" errors="1" skipped="1" time="4.500">
            <testcase name="good" classname="https://app.example/?a=1&amp;b=2" time="1.500"><system-out>health_only: fine</system-out></testcase>
            <testcase name="bad" classname="https://app.example/?a=1&amp;b=2" time="1.500"><failure type="failed" message="it said &quot;&lt;no&gt;\u{7}***&quot;">do &lt;this&gt; &amp; that</failure></testcase>
            <testcase name="busy" classname="https://app.example/?a=1&amp;b=2" time="1.500"><skipped message="full_inference_candidate_health_passed: later"/></testcase>
            <testcase name="late" classname="https://app.example/?a=1&amp;b=2" time="0.000"><error type="space_crashed" message="it crashed"/></testcase>
          </testsuite>
        </testsuites>
        "#);
    }
}
