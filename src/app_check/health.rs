//! The check over HTTP: the front page of the app, or its `health_path`.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::LOCATION;
use tokio::time::Instant;
use url::Url;

use super::answer::{Answer, PASSED_ON, RequestError, login_required, rate_limited};
use super::client::AppClient;
use super::connection::ConnectionWatch;
use super::error::{CheckError, CheckFailure};
use super::quote::{excerpt, quoted};
use super::session::Session;
use crate::setting::HEALTH_CONTAINS;

/// Part of a page that is searched, in bytes.
const MAX_PAGE: usize = 4 << 20;
/// Part of a page that an error quotes, in characters.
const MAX_SHOWN: usize = 200;
/// The most redirects on the app's own origin that are followed.
const MAX_REDIRECTS: usize = 3;
/// Longest pause between two attempts.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// Result of one attempt.
enum Attempt {
    /// The app answers at this address.
    Passed(Url),
    /// Another attempt may pass.
    Retry(CheckError),
    Failed(CheckError),
}

/// Waits until the app answers as expected, and returns the address of that answer.
pub(super) async fn wait(session: &Session<'_>) -> Result<Url, CheckError> {
    let path = session.check.health_path.as_deref().unwrap_or("/");
    let url = session.client.url(path)?;
    let mut reported = String::new();
    let report = |reason: &str| {
        if reported != reason {
            session.observer.info(&format!("waiting for the app to answer: {reason}"));
            reported = reason.to_owned();
        }
    };
    let left = session.deadline.saturating_duration_since(Instant::now());
    let mut watch = ConnectionWatch::new(session.client.base(), session.observer, left);
    repeat(session.deadline, || attempt(session, path, url.clone()), &mut watch, report).await
}

/// Repeats an attempt until it passes or fails, and returns the last error at the deadline.
async fn repeat<F: Future<Output = Attempt>>(
    deadline: Instant,
    mut attempt: impl FnMut() -> F,
    watch: &mut ConnectionWatch<'_>,
    mut report: impl FnMut(&str),
) -> Result<Url, CheckError> {
    let mut pause = Duration::from_secs(1);
    let mut last: Option<CheckError> = None;
    loop {
        let Ok(result) = tokio::time::timeout_at(deadline, attempt()).await else {
            let silent = || CheckError::new(CheckFailure::TimedOut, "the app did not answer in time");
            return Err(last.unwrap_or_else(silent));
        };
        match result {
            Attempt::Passed(url) => return Ok(url),
            Attempt::Failed(error) => return Err(error),
            Attempt::Retry(error) => {
                watch.note(&error).await?;
                if Instant::now() + pause >= deadline {
                    return Err(error);
                }
                report(&error.detail);
                last = Some(error);
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

async fn attempt(session: &Session<'_>, path: &str, url: Url) -> Attempt {
    let check = session.check;
    let has_path = check.health_path.is_some();
    let is_expected = |answer: &Answer| has_path && answer.status.as_u16() == check.health_status;
    let (url, answer) = match follow(&session.client, path, url, is_expected).await {
        Ok(found) => found,
        Err(attempt) => return attempt,
    };
    let has_right_status = is_expected(&answer) || (!has_path && answer.status.is_success());
    if is_edge_page(&answer) {
        let detail = "the Hub still shows its own page in place of the app";
        Attempt::Retry(CheckError::new(CheckFailure::HubPage, detail))
    } else if has_right_status {
        judge_text(session, path, url, &answer)
    } else {
        judge_status(session, path, &answer)
    }
}

/// Fetches a page, following redirects on the app's own host unless the answer is the expected one.
async fn follow(
    client: &AppClient,
    path: &str,
    mut url: Url,
    is_expected: impl Fn(&Answer) -> bool,
) -> Result<(Url, Answer), Attempt> {
    for _ in 0..=MAX_REDIRECTS {
        let answer = client.peek(url.clone(), MAX_PAGE).await.map_err(|error| unanswered(path, &error))?;
        let leads_on = answer.status.is_redirection() && answer.headers.contains_key(LOCATION);
        if !leads_on || is_expected(&answer) {
            return Ok((url, answer));
        }
        url = next(client, &url, &answer).ok_or_else(|| Attempt::Failed(leaves(path, &url, &answer)))?;
    }
    let detail = format!("`GET {}` redirects in circles", quoted(path));
    Err(Attempt::Failed(CheckError::new(CheckFailure::RedirectLoop, detail)))
}

/// Returns the address to which a path of the app leads, if there is a page.
pub(super) async fn landing(client: &AppClient, path: &str) -> Option<Url> {
    let url = client.url(path).ok()?;
    let (url, answer) = follow(client, path, url, |_| false).await.ok()?;
    answer.status.is_success().then_some(url)
}

/// Judges the text of an answer that has the right status.
fn judge_text(session: &Session<'_>, path: &str, url: Url, answer: &Answer) -> Attempt {
    let Some(wanted) = &session.check.health_contains else { return Attempt::Passed(url) };
    let text = String::from_utf8_lossy(&answer.body);
    if text.contains(wanted.as_str()) {
        return Attempt::Passed(url);
    }
    // Secrets are removed before the cut, because half a secret is not recognized.
    let shown = excerpt(&session.observer.redact(&text), MAX_SHOWN);
    let shown = if shown.is_empty() { "the answer is empty".to_owned() } else { format!("`{shown}`") };
    let detail =
        format!("`GET {}` answered without {HEALTH_CONTAINS}, `{}`: {shown}", quoted(path), quoted(wanted));
    Attempt::Failed(CheckError::new(CheckFailure::TextMissing, detail))
}

/// Judges an answer that does not have the right status.
fn judge_status(session: &Session<'_>, path: &str, answer: &Answer) -> Attempt {
    let check = session.check;
    let detail = format!("`GET {}` answered {}", quoted(path), answer.describe());
    let failure = CheckFailure::UnexpectedStatus {
        answer: answer.summary(),
        path: check.health_path.clone(),
        may_be_private: session.client.may_be_private() && !answer.headers.contains_key(PASSED_ON),
    };
    match answer.status {
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            Attempt::Retry(CheckError::new(failure, detail))
        }
        StatusCode::TOO_MANY_REQUESTS => Attempt::Retry(rate_limited(answer)),
        StatusCode::UNAUTHORIZED => Attempt::Failed(login_required(path)),
        status if status != StatusCode::NOT_FOUND && check.health_path.is_some() => {
            let expected = check.health_status;
            let detail = format!("{detail}, where {expected} is expected");
            Attempt::Failed(CheckError::new(failure, detail))
        }
        _ => Attempt::Failed(CheckError::new(failure, detail)),
    }
}

fn unanswered(path: &str, error: &RequestError) -> Attempt {
    let detail = format!("`GET {}`: {error}", quoted(path));
    let failure = match error {
        RequestError::NoConnection(_) => CheckFailure::NoConnection,
        _ => CheckFailure::Unreachable,
    };
    let check_error = CheckError::new(failure, detail);
    if error.is_transient() { Attempt::Retry(check_error) } else { Attempt::Failed(check_error) }
}

/// Returns the target of a redirect, if that is on the app's own host.
fn next(client: &AppClient, from: &Url, answer: &Answer) -> Option<Url> {
    let location = answer.headers.get(LOCATION)?.to_str().ok()?;
    client.own(&from.join(location).ok()?)
}

fn leaves(path: &str, from: &Url, answer: &Answer) -> CheckError {
    let location = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let host = from.join(location).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let status = answer.status.as_u16();
    let detail = format!(
        "`GET {}` answered {status} and leads to another host, where the check does not follow: `{}`",
        quoted(path),
        quoted(&host)
    );
    CheckError::new(CheckFailure::RedirectToOtherHost, detail)
}

/// Returns true for a page of the Hub in place of an app that does not run: it has the Hub's own words, and not the
/// headers that the edge adds to answers of the app.
fn is_edge_page(answer: &Answer) -> bool {
    const WORDS: [&str; 4] =
        ["check its status on hf.co", "preparing space", "space is building", "starting space"];
    if answer.headers.contains_key(PASSED_ON) || answer.body.len() > 256 << 10 {
        return false;
    }
    let text = String::from_utf8_lossy(&answer.body).to_lowercase();
    WORDS.iter().any(|words| text.contains(words))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;

    use super::super::observer::tests::TestObserver;
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: body.to_owned().into(),
        }
    }

    fn app() -> (Url, TestObserver) {
        ("http://a.example/".parse().unwrap(), TestObserver::default())
    }

    fn retry(detail: &str) -> Attempt {
        Attempt::Retry(CheckError::new(CheckFailure::Unreachable, detail))
    }

    #[test]
    fn page_of_the_edge_is_not_the_app() {
        let mut page = answer(200, "<h1>Your space is building, check its status on hf.co</h1>");
        assert!(is_edge_page(&page));
        page.headers.insert("x-proxied-host", "http://10.0.0.1".parse().unwrap());
        assert!(!is_edge_page(&page));
        assert!(!is_edge_page(&answer(200, "<h1>Planets</h1>")));
    }

    #[tokio::test(start_paused = true)]
    async fn attempt_is_repeated_until_it_passes() {
        let (url, observer) = app();
        let mut attempts = vec![Attempt::Passed(url.clone()), retry("502"), retry("503")];
        let mut watch = ConnectionWatch::new(&url, &observer, Duration::from_secs(60));
        let mut reported = Vec::new();
        let result = repeat(
            Instant::now() + Duration::from_secs(60),
            || std::future::ready(attempts.pop().unwrap()),
            &mut watch,
            |reason| reported.push(reason.to_owned()),
        );
        assert!(result.await.is_ok());
        assert_eq!(reported, ["503", "502"]);
    }

    #[tokio::test(start_paused = true)]
    async fn deadline_returns_the_last_error() {
        let start = Instant::now();
        let deadline = start + Duration::from_secs(30);
        let never = || std::future::ready(retry("502"));
        let (url, observer) = app();
        let mut watch = ConnectionWatch::new(&url, &observer, Duration::from_secs(30));
        let error = repeat(deadline, never, &mut watch, |_| {}).await.unwrap_err();
        assert_eq!(error.detail, "502");
        assert!(start.elapsed() <= Duration::from_secs(30));
    }
}
