//! Whether the app answers at all: its front page, or the path that its author named.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{LOCATION, RETRY_AFTER};
use tokio::time::Instant;
use url::Url;

use super::edge::{Answer, Edge, PASSED_ON, Trouble};
use super::options::{Check, Stop, Subject, excerpt, quoted};
use crate::action::Log;

/// How much of a page is searched, in bytes.
const MAX_PAGE: usize = 4 << 20;
/// How much of a page is shown that does not say what it should, in characters.
const SHOWN: usize = 200;
/// How often a redirect on the app's own origin is followed.
const MAX_REDIRECTS: usize = 3;
/// The longest pause between two attempts.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// What one look at the app showed.
enum Look {
    /// It answers, at this address.
    Fine(Url),
    /// Not yet, for this reason; worth another look.
    NotYet(Stop),
    /// Never.
    Wrong(Stop),
}

/// Waits until the app answers as it should, and returns the address where it does.
pub(super) async fn wait(edge: &Edge, check: &Check, deadline: Instant, log: &Log) -> Result<Url, Stop> {
    let path = check.health_path.as_deref().unwrap_or("/");
    let url = edge.url(path)?;
    let mut told = String::new();
    let last = repeat(
        deadline,
        || look(edge, check, path, url.clone(), log),
        |reason| {
            if told != reason {
                log.info(&format!("waiting for the app to answer: {reason}"));
                told = reason.to_owned();
            }
        },
    );
    last.await
}

async fn repeat<F: Future<Output = Look>>(
    deadline: Instant,
    mut attempt: impl FnMut() -> F,
    mut tell: impl FnMut(&str),
) -> Result<Url, Stop> {
    let mut pause = Duration::from_secs(1);
    let mut reason: Option<Stop> = None;
    loop {
        let look = match tokio::time::timeout_at(deadline, attempt()).await {
            Ok(look) => look,
            Err(_) => {
                return Err(reason.unwrap_or_else(|| Stop::failed("the app did not answer in time")));
            }
        };
        match look {
            Look::Fine(url) => return Ok(url),
            Look::Wrong(stop) => return Err(stop),
            Look::NotYet(stop) => {
                if Instant::now() + pause >= deadline {
                    return Err(stop);
                }
                tell(&stop.detail);
                reason = Some(stop);
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

async fn look(edge: &Edge, check: &Check, path: &str, url: Url, log: &Log) -> Look {
    let asked = check.health_path.is_some();
    let is_expected = |answer: &Answer| asked && answer.status.as_u16() == check.health_status;
    let (url, answer) = match follow(edge, path, url, is_expected).await {
        Ok(found) => found,
        Err(look) => return look,
    };
    let is_right = is_expected(&answer) || (!asked && answer.status.is_success());
    if is_edge_page(&answer) {
        Look::NotYet(hub_page())
    } else if is_right {
        read(check, path, url, &answer, log)
    } else {
        judge(edge, check, path, &answer)
    }
}

/// Fetches a page, following redirects on the app's own host unless the answer is the expected one.
async fn follow(
    edge: &Edge,
    path: &str,
    mut url: Url,
    is_expected: impl Fn(&Answer) -> bool,
) -> Result<(Url, Answer), Look> {
    for _ in 0..=MAX_REDIRECTS {
        let answer = edge.peek(url.clone(), MAX_PAGE).await.map_err(|trouble| unanswered(path, &trouble))?;
        let leads_on = answer.status.is_redirection() && answer.headers.contains_key(LOCATION);
        if !leads_on || is_expected(&answer) {
            return Ok((url, answer));
        }
        url = next(edge, &url, &answer).ok_or_else(|| Look::Wrong(leaves(path, &url, &answer)))?;
    }
    Err(Look::Wrong(Stop::failed(format!("`GET {}` redirects in circles", quoted(path)))))
}

/// Returns the address where a path of the app ends up, if there is a page.
pub(super) async fn landing(edge: &Edge, path: &str) -> Option<Url> {
    let url = edge.url(path).ok()?;
    let (url, answer) = follow(edge, path, url, |_| false).await.ok()?;
    answer.status.is_success().then_some(url)
}

fn hub_page() -> Stop {
    Stop::failed("the Hub still shows its own page in place of the app")
        .hint("look at the Space's page on the Hub: it may be building, sleeping, paused or in error")
}

/// Whether an answer of the right status says what it should.
fn read(check: &Check, path: &str, url: Url, answer: &Answer, log: &Log) -> Look {
    let Some(wanted) = &check.health_contains else { return Look::Fine(url) };
    let text = String::from_utf8_lossy(&answer.body);
    if text.contains(wanted.as_str()) {
        return Look::Fine(url);
    }
    // Secrets go before the cut: nobody would know the half of one.
    let shown = excerpt(&log.redact(&text), SHOWN);
    let shown = if shown.is_empty() { "the answer is empty".to_owned() } else { format!("`{shown}`") };
    Look::Wrong(Stop::failed(format!(
        "`GET {}` answered without `health_contains`, `{}`: {shown}",
        quoted(path),
        quoted(wanted)
    )))
}

/// What an answer of another status means.
fn judge(edge: &Edge, check: &Check, path: &str, answer: &Answer) -> Look {
    let shown = quoted(path);
    let stop = Stop::failed(format!("`GET {shown}` answered {}", answer.complaint()));
    match answer.status {
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            Look::NotYet(stop)
        }
        StatusCode::TOO_MANY_REQUESTS => Look::NotYet(rate_limited(answer)),
        StatusCode::UNAUTHORIZED => Look::Wrong(login_required(path)),
        StatusCode::NOT_FOUND => Look::Wrong(not_found(edge, check, answer, stop)),
        status => {
            let expected = check.health_status;
            let stop = match &check.health_path {
                Some(_) => Stop::failed(format!("{}, where {expected} is expected", stop.detail)),
                None => stop,
            };
            Look::Wrong(match status.is_server_error() {
                true => {
                    stop.about(Subject::Exception).hint("look for the exception in the run log of the Space")
                }
                false if check.health_path.is_none() => {
                    stop.hint("an app without a front page needs `health_path`")
                }
                false => stop.hint("correct `health_path` or `health_status`, unless the app is at fault"),
            })
        }
    }
}

/// What may be behind a 404.
fn not_found(edge: &Edge, check: &Check, answer: &Answer, stop: Stop) -> Stop {
    let stop = match edge.may_be_closed() && !answer.headers.contains_key(PASSED_ON) {
        true => stop.hint("a private Space answers 404 to callers without a token"),
        false => stop,
    };
    match check.health_path.as_deref() {
        None | Some("/") => stop.hint("an app without a front page needs `health_path`"),
        Some(path) => stop.hint(format!("the app has no page at `{}`: correct `health_path`", quoted(path))),
    }
}

fn unanswered(path: &str, trouble: &Trouble) -> Look {
    let stop = Stop::failed(format!("`GET {}`: {trouble}", quoted(path)));
    if trouble.may_pass() { Look::NotYet(stop) } else { Look::Wrong(stop) }
}

/// Returns where a redirect leads, if that is on the app's own host.
fn next(edge: &Edge, from: &Url, answer: &Answer) -> Option<Url> {
    let location = answer.headers.get(LOCATION)?.to_str().ok()?;
    edge.own(&from.join(location).ok()?)
}

fn leaves(path: &str, from: &Url, answer: &Answer) -> Stop {
    let location = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let host = from.join(location).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let status = answer.status.as_u16();
    Stop::failed(format!(
        "`GET {}` answered {status} and leads to another host, where the check does not follow: `{}`",
        quoted(path),
        quoted(&host)
    ))
    .hint("if that is right, say so with `health_path` and `health_status`")
}

/// A page that the edge made because the app does not run: the Hub's own words, without the headers that
/// the edge puts on answers of the app.
fn is_edge_page(answer: &Answer) -> bool {
    const WORDS: [&str; 4] =
        ["check its status on hf.co", "preparing space", "space is building", "starting space"];
    if answer.headers.contains_key(PASSED_ON) || answer.body.len() > 256 << 10 {
        return false;
    }
    let text = String::from_utf8_lossy(&answer.body).to_lowercase();
    WORDS.iter().any(|words| text.contains(words))
}

/// 429, from the edge or from the app.
pub(super) fn rate_limited(answer: &Answer) -> Stop {
    let wait = answer.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(quoted);
    let wait = wait.map(|wait| format!(", and asks to wait: {wait}")).unwrap_or_default();
    Stop::blocked(format!("too many requests: the app's host answered 429{wait}"))
        .hint("run the check again later")
}

/// The app asks for a login of its own, which a check has not got.
pub(super) fn login_required(path: &str) -> Stop {
    Stop::blocked(format!("the app asks for a login: `{}` answered 401", quoted(path)))
        .hint("the app asks for a name and a password (`launch(auth=…)`); check it without, or with `health_path` and `health_status: 401`")
        .hint("a private Space may answer the same to a token that it does not accept")
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: body.to_owned().into(),
        }
    }

    #[test]
    fn the_page_of_the_edge_is_not_the_app() {
        let mut page = answer(200, "<h1>Your space is building, check its status on hf.co</h1>");
        assert!(is_edge_page(&page));
        page.headers.insert("x-proxied-host", "http://10.0.0.1".parse().unwrap());
        assert!(!is_edge_page(&page));
        assert!(!is_edge_page(&answer(200, "<h1>Planets</h1>")));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_ready_is_looked_at_again() {
        let url = "http://a.example/".parse().unwrap();
        let mut looks =
            vec![Look::Fine(url), Look::NotYet(Stop::failed("502")), Look::NotYet(Stop::failed("503"))];
        let mut told = Vec::new();
        let result = repeat(
            Instant::now() + Duration::from_secs(60),
            || std::future::ready(looks.pop().unwrap()),
            |reason| told.push(reason.to_owned()),
        );
        assert!(result.await.is_ok());
        assert_eq!(told, ["503", "502"]);
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends_with_the_last_reason() {
        let start = Instant::now();
        let deadline = start + Duration::from_secs(30);
        let never = || std::future::ready(Look::NotYet(Stop::failed("502")));
        let stop = repeat(deadline, never, |_| {}).await.unwrap_err();
        assert_eq!(stop.detail, "502");
        assert!(start.elapsed() <= Duration::from_secs(30));
    }
}
