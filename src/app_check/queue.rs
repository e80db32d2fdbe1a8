//! One call over the queue: join, listen, wait for the end.
//!
//! `POST {prefix}/queue/join` puts the call into the queue; `GET {prefix}/queue/data?session_hash=…` is the
//! stream of its progress. A server that loses the stream forgets the call with its session (gradio
//! `routes.py`, `queue_data`: `clean_events` on disconnect).

use std::time::Duration;

use hub::sse::Decoder;
use reqwest::header::ACCEPT;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;
use url::Url;

use super::answer::{self, Answer, Overlong, RequestError, login_required, rate_limited};
use super::api::Endpoint;
use super::call_progress::{CallProgress, CallStep};
use super::error::{CheckError, CheckFailure, HttpAnswer};
use super::latency::Latency;
use super::session::Session;
use crate::setting::MAX_LATENCY;
use crate::text::random_token;

/// Largest answer to a join, in bytes.
const MAX_ANSWER: usize = 1 << 20;
/// Largest result, in bytes. One event of the stream has it, and it is in memory about twice.
const MAX_RESULT: usize = 200 << 20;
/// Longest silence of a stream. Gradio sends a heartbeat every 15 s.
const QUIET_TIMEOUT: Duration = Duration::from_secs(75);
/// Longest time that a stream may send only heartbeats after it was opened again, because a server that forgot the call
/// sends those for ever.
const RESUME_TIMEOUT: Duration = Duration::from_secs(20);
/// Time that a call may take beyond twice `max_latency`.
const WORK_GRACE: Duration = Duration::from_secs(30);
/// Time that a generator may yield before its steps are judged, because it may never end.
const ENDLESS: Duration = Duration::from_secs(300);
/// Time between two such judgements.
const ENDLESS_PAUSE: Duration = Duration::from_secs(30);
/// The most times that a stream is opened again.
const MAX_RECONNECTS: u32 = 3;
/// The most calls, because the server may forget one.
const MAX_CALLS: u32 = 2;
/// Pause before another join of a full queue.
const QUEUE_PAUSE: Duration = Duration::from_secs(3);
/// The most joins after a lost answer, each of which may make the call.
const MAX_JOINS: u32 = 3;
/// Pause before a stream is opened again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);

/// A call that succeeded.
#[derive(Debug, Clone)]
pub(super) struct CallOutcome {
    /// One value for each output of the endpoint.
    pub(super) data: Vec<Value>,
    pub(super) latency: Latency,
    /// Worst place in the queue that the app reported, from 0.
    pub(super) rank_max: Option<i64>,
    /// True if a generator went on, and the values are those of its last step.
    pub(super) is_cut: bool,
}

/// Judges the last step of a generator that may never end.
type IsEnough<'a> = &'a (dyn Fn(&[Value]) -> bool + Sync);

/// A call in the queue.
struct QueuedCall<'a> {
    session: &'a Session<'a>,
    is_enough: IsEnough<'a>,
    /// Its id on the server.
    session_hash: String,
    /// Time of the request.
    joined: Instant,
    progress: CallProgress,
}

/// Reading of a stream: the first, or another one after a break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    First,
    Resumed,
}

/// End of one stream.
enum StreamEnd {
    Finished(Vec<Value>),
    /// A generator has yielded for long, and its last step is enough.
    Enough(Vec<Value>),
    /// The time ran out.
    TooLate(CheckError),
    /// It broke off.
    Broken(String),
    /// The server does not know the session any more.
    Forgotten,
}

/// Makes the call, and waits for its end. Makes it once more if the server forgot it after its stream broke off.
///
/// # Errors
///
/// The app raised an error, the server refuses the call, or the result is not there in time.
pub(super) async fn call(
    session: &Session<'_>,
    endpoint: &Endpoint,
    data: &[Value],
    is_enough: IsEnough<'_>,
) -> Result<CallOutcome, CheckError> {
    let mut cause = String::new();
    for attempt in 1..=MAX_CALLS {
        if attempt > 1 {
            session.observer.info(&format!("the call was lost ({cause}): making it once more"));
        }
        let mut call = join(session, endpoint, data, is_enough).await?;
        let url = session.api_url(&format!("/queue/data?session_hash={}", call.session_hash))?;
        for stream in 0..=MAX_RECONNECTS {
            let stream = if stream > 0 { Stream::Resumed } else { Stream::First };
            let (data, is_cut) = match call.listen(&url, stream).await? {
                StreamEnd::Finished(data) => (data, false),
                StreamEnd::Enough(data) => (data, true),
                StreamEnd::TooLate(error) => (call.progress.take_last_step().ok_or(error)?, true),
                StreamEnd::Forgotten => break,
                StreamEnd::Broken(reason) => {
                    let observer = session.observer;
                    observer.info(&format!("the stream of the call broke off ({reason}): opening it again"));
                    cause = reason;
                    tokio::time::sleep(RECONNECT_PAUSE).await;
                    continue;
                }
            };
            let latency = call.progress.latency(call.joined.elapsed());
            let rank_max = call.progress.rank_max();
            return Ok(CallOutcome { data, latency, rank_max, is_cut });
        }
    }
    let detail = format!("the app's stream broke off before the result: {cause}");
    Err(CheckError::new(CheckFailure::StreamBroken, detail))
}

/// Puts the call into the queue. Retries a full queue, and a join whose answer was lost: the latter with another
/// session, because the last one may have a call.
async fn join<'a>(
    session: &'a Session<'a>,
    endpoint: &Endpoint,
    data: &[Value],
    is_enough: IsEnough<'a>,
) -> Result<QueuedCall<'a>, CheckError> {
    let url = session.api_url("/queue/join")?;
    let mut reported = String::new();
    let mut pauses = answer::pauses(MAX_JOINS);
    loop {
        let (session_hash, joined) = (random_token(), Instant::now());
        let body = request(endpoint, data, &session_hash);
        let posting = session.client.post(url.clone(), &body, MAX_ANSWER);
        let answer = tokio::time::timeout_at(session.deadline, posting).await;
        let answer = answer.unwrap_or(Err(RequestError::TimedOut));
        if matches!(&answer, Ok(answer) if answer.status.is_success()) {
            let progress = CallProgress::new();
            return Ok(QueuedCall { session, is_enough, session_hash, joined, progress });
        }
        let pause = match &answer {
            Ok(answer) if answer.status == StatusCode::SERVICE_UNAVAILABLE => Some(QUEUE_PAUSE),
            other => pauses.next().filter(|_| answer::is_transient(other)),
        };
        let error = refusal(answer);
        let Some(pause) = pause.filter(|pause| Instant::now() + *pause < session.deadline) else {
            return Err(error);
        };
        if reported != error.detail {
            session.observer.info(&format!("{}: trying again", error.detail));
            reported = error.detail;
        }
        tokio::time::sleep(pause).await;
    }
}

fn request(endpoint: &Endpoint, data: &[Value], session_hash: &str) -> Value {
    json!({
        "data": data,
        "fn_index": endpoint.fn_index,
        "session_hash": session_hash,
        "event_data": null,
        "trigger_id": null,
    })
}

/// Returns the error of a join without success.
fn refusal(answer: Result<Answer, RequestError>) -> CheckError {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            return CheckError::new(CheckFailure::Unreachable, format!("cannot join the queue: {error}"));
        }
    };
    let answered = answer.describe();
    let refused = CheckFailure::Refused(answer.summary());
    match answer.status {
        StatusCode::SERVICE_UNAVAILABLE => {
            CheckError::new(CheckFailure::QueueFull, format!("the queue of the app is full: {answered}"))
        }
        StatusCode::UNAUTHORIZED => login_required("/queue/join"),
        StatusCode::TOO_MANY_REQUESTS => rate_limited(&answer),
        StatusCode::UNPROCESSABLE_ENTITY => {
            CheckError::new(refused, format!("the app does not take the request: {answered}"))
        }
        _ => CheckError::new(refused, format!("cannot join the queue: the app answered {answered}")),
    }
}

impl QueuedCall<'_> {
    /// Opens the stream of the call, and reads it.
    async fn listen(&mut self, url: &Url, stream: Stream) -> Result<StreamEnd, CheckError> {
        if stream == Stream::Resumed {
            self.progress.resume();
        }
        let request = self.session.client.request(Method::GET, url.clone());
        let request = request.header(ACCEPT, "text/event-stream");
        let response =
            match tokio::time::timeout_at(self.session.deadline, self.session.client.send(request)).await {
                Err(_) => return Ok(StreamEnd::TooLate(self.too_late())),
                Ok(Err(error)) => return Ok(StreamEnd::Broken(error.to_string())),
                Ok(Ok(response)) => response,
            };
        match response.status() {
            StatusCode::OK => self.follow(response, stream).await,
            StatusCode::NOT_FOUND => Ok(StreamEnd::Forgotten),
            StatusCode::UNAUTHORIZED => Err(login_required("/queue/data")),
            StatusCode::TOO_MANY_REQUESTS => match answer::read(response, MAX_ANSWER, Overlong::Cut).await {
                Ok(answer) => Err(rate_limited(&answer)),
                Err(error) => {
                    let detail = format!("the app answered 429: {error}");
                    Err(CheckError::new(CheckFailure::RateLimited, detail))
                }
            },
            status if status.is_server_error() => {
                Ok(StreamEnd::Broken(format!("the app answered {}", status.as_u16())))
            }
            status => {
                let status = status.as_u16();
                let detail = format!("cannot listen to the call: the app answered {status}");
                Err(CheckError::new(CheckFailure::Refused(HttpAnswer { status, code: None }), detail))
            }
        }
    }

    /// Reads a stream to its end, or to that of the call.
    async fn follow(
        &mut self,
        mut response: reqwest::Response,
        stream: Stream,
    ) -> Result<StreamEnd, CheckError> {
        let mut decoder = Decoder::new(MAX_RESULT);
        // Time by which a resumed stream must send news of the call: `None` after it did.
        let mut resume_by = (stream == Stream::Resumed).then(|| Instant::now() + RESUME_TIMEOUT);
        // Time of the next judgement of the steps of a generator.
        let mut next_judgement = None;
        loop {
            // A generator may yield so fast that no wait ever reaches the deadline.
            if Instant::now() >= self.session.deadline {
                return Ok(StreamEnd::TooLate(self.too_late()));
            }
            if let Some(error) = self.overworked() {
                return Err(error);
            }
            let deadline = self.next_deadline();
            let quiet = deadline.min(Instant::now() + QUIET_TIMEOUT);
            let wait_until = resume_by.map_or(quiet, |resume_by| quiet.min(resume_by));
            let chunk = match tokio::time::timeout_at(wait_until, response.chunk()).await {
                Err(_) if resume_by == Some(wait_until) => return Ok(StreamEnd::Forgotten),
                Err(_) if wait_until == deadline => continue,
                Err(_) => {
                    return Ok(StreamEnd::Broken(format!("silent for {} s", QUIET_TIMEOUT.as_secs())));
                }
                Ok(Err(error)) => return Ok(StreamEnd::Broken(error.to_string())),
                Ok(Ok(None)) => return Ok(StreamEnd::Broken("it ended early".to_owned())),
                Ok(Ok(Some(chunk))) => chunk,
            };
            let events = decoder.push(&chunk);
            if decoder.has_cut() {
                let max = MAX_RESULT >> 20;
                let detail = format!("the result is larger than {max} MB, and the check reads no more");
                return Err(CheckError::new(CheckFailure::ResultTooLarge, detail));
            }
            for event in events {
                let step = self.progress.on_event(event.data, self.joined.elapsed(), self.session.observer);
                if !matches!(step, CallStep::Heartbeat) {
                    resume_by = None;
                }
                match step {
                    CallStep::Running | CallStep::Heartbeat => {}
                    CallStep::Finished(data) => return Ok(StreamEnd::Finished(data)),
                    CallStep::Forgotten => return Ok(StreamEnd::Forgotten),
                    CallStep::Failed(error) => return Err(error),
                }
            }
            let started = self.progress.started();
            let first = || self.joined.checked_add(started?.saturating_add(ENDLESS));
            next_judgement = next_judgement.or_else(first);
            if next_judgement.is_some_and(|time| Instant::now() >= time) {
                next_judgement = Some(Instant::now() + ENDLESS_PAUSE);
                if self.progress.last_step().is_some_and(self.is_enough) {
                    return Ok(StreamEnd::Enough(self.progress.take_last_step().unwrap_or_default()));
                }
            }
        }
    }

    /// Returns the time at which the check gives the call up for its work. That is later than `max_latency`, because
    /// the report of a slow call has its time.
    fn work_ends(&self) -> Option<Instant> {
        let allowed = self.session.check.max_latency?.saturating_mul(2).saturating_add(WORK_GRACE);
        self.joined.checked_add(self.progress.started()?.saturating_add(allowed))
    }

    /// Returns the next time at which the call is too late.
    fn next_deadline(&self) -> Instant {
        let deadline = self.session.deadline;
        self.work_ends().map_or(deadline, |end| end.min(deadline))
    }

    fn overworked(&self) -> Option<CheckError> {
        self.work_ends().filter(|end| Instant::now() >= *end)?;
        let took = self.joined.elapsed().saturating_sub(self.progress.started()?).as_secs_f64();
        let max = self.session.check.max_latency?.as_secs_f64();
        let detail = format!("the work goes on after {took:.1} s, longer than {MAX_LATENCY} of {max:.1} s");
        Some(CheckError::new(CheckFailure::TooSlow, detail))
    }

    fn too_late(&self) -> CheckError {
        let waited = self.joined.elapsed().as_secs();
        if self.progress.has_started() {
            let detail = format!("the call did not end within the {waited} s that were left of the timeout");
            CheckError::new(CheckFailure::CallTimedOut, detail)
        } else {
            let detail = format!("the call waited in the queue for {waited} s, until the timeout");
            CheckError::new(CheckFailure::QueueTimedOut, detail)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;

    use super::*;
    use crate::app_check::artifacts::Artifacts;
    use crate::app_check::client::AppClient;
    use crate::app_check::observer::tests::TestObserver;
    use crate::app_check::options::{App, AppKind, Check};

    /// Follows a generator that yields a step each second, for ever.
    async fn follow_for_ever(
        work: Option<u64>,
        timeout: u64,
        enough: &str,
    ) -> (Result<StreamEnd, CheckError>, Duration) {
        let start = Bytes::from("data: {\"msg\":\"process_starts\"}\n\n");
        let steps = futures_util::stream::unfold(0, move |number| {
            let start = start.clone();
            async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let data = match number {
                    0 => return Some((Ok::<_, Infallible>(start), 1)),
                    1 => json!(["step"]),
                    _ => json!([[["append", [], "!"]]]),
                };
                let step = json!({"msg": "process_generating", "success": true, "output": {"data": data}});
                Some((Ok(Bytes::from(format!("data: {step}\n\n"))), number + 1))
            }
        });
        let body = reqwest::Body::wrap_stream(steps);
        let response = axum::http::Response::new(body).into();
        let now = Instant::now();
        let is_enough = |values: &[Value]| values[0].as_str().is_some_and(|text| text.starts_with(enough));
        let folder = tempfile::tempdir().unwrap();
        let check = Check { max_latency: work.map(Duration::from_secs), ..Check::new(folder.path()) };
        let app = App { url: "http://127.0.0.1".parse().unwrap(), token: None, kind: AppKind::Gradio };
        let observer = TestObserver::default();
        let session = Session {
            client: AppClient::new(&app).unwrap(),
            api_prefix: String::new(),
            check: &check,
            deadline: now + Duration::from_secs(timeout),
            observer: &observer,
            artifacts: &Artifacts::open(folder.path(), None, &observer),
        };
        let mut call = QueuedCall {
            session: &session,
            is_enough: &is_enough,
            session_hash: String::new(),
            joined: now,
            progress: CallProgress::new(),
        };
        let ending = call.follow(response, Stream::First).await;
        (ending, now.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn endless_generator_is_judged_by_its_steps() {
        let (ending, after) = follow_for_ever(None, 2400, "step!!").await;
        assert!(
            matches!(ending, Ok(StreamEnd::Enough(data)) if data[0].as_str().unwrap().starts_with("step!!!"))
        );
        assert!((300..310).contains(&after.as_secs()), "{after:?}");
        // Its steps are not enough yet, and a later one may be.
        let (ending, after) = follow_for_ever(None, 2400, "end").await;
        assert!(matches!(ending, Ok(StreamEnd::TooLate(_))));
        assert_eq!(after.as_secs(), 2400);
    }

    #[tokio::test(start_paused = true)]
    async fn call_ends_long_after_max_latency() {
        let (ending, after) = follow_for_ever(Some(20), 2400, "end").await;
        let Err(error) = ending else { panic!() };
        assert_eq!(error.detail, "the work goes on after 70.0 s, longer than `max_latency` of 20.0 s");
        assert_eq!(after.as_secs(), 71);
    }
}
