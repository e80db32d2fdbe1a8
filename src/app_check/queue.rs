//! One call over the queue: join, listen, wait for the end.
//!
//! `POST {prefix}/queue/join` puts the call into the queue; `GET {prefix}/queue/data?session_hash=…` is the
//! stream of what becomes of it. A server that loses the stream forgets the call with its session (gradio
//! `routes.py`, `queue_data`: `clean_events` on disconnect).

use std::time::Duration;

use reqwest::header::ACCEPT;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;
use url::Url;

use super::api::Endpoint;
use super::edge::{self, Answer, Edge, Trouble};
use super::events::{Step, Story};
use super::health;
use super::options::{Latency, Stop};
use crate::action::Log;
use crate::sse::Decoder;

/// The largest answer to a join, in bytes.
const MAX_ANSWER: usize = 1 << 20;
/// The largest result that is read, in bytes. One event of the stream carries it, and it is in memory about twice.
const MAX_RESULT: usize = 200 << 20;
/// How long a stream may be silent; Gradio sends a heartbeat every 15 seconds.
const QUIET_TIMEOUT: Duration = Duration::from_secs(75);
/// How long a stream that was opened again may bring nothing but heartbeats: a server that forgot the call with the
/// first stream sends those for ever.
const RESUME_TIMEOUT: Duration = Duration::from_secs(20);
/// Time that a call may take beyond twice `max_latency`.
const WORK_PATIENCE: Duration = Duration::from_secs(30);
/// Time that a generator may yield before its steps are judged, because it may never end.
const ENDLESS: Duration = Duration::from_secs(300);
/// The time from one such look to the next.
const ENDLESS_PAUSE: Duration = Duration::from_secs(30);
/// How often a stream that broke off is opened again.
const MAX_RECONNECTS: u32 = 3;
/// How often the call is made when the server forgot it.
const MAX_CALLS: u32 = 2;
/// The pause before joining a full queue again.
const QUEUE_PAUSE: Duration = Duration::from_secs(3);
/// How often joining is tried where the answer may be lost: the call may be made each time.
const MAX_JOINS: u32 = 3;

/// A call that succeeded.
#[derive(Debug, Clone)]
pub(super) struct Finished {
    /// One value for each output of the endpoint.
    pub(super) data: Vec<Value>,
    pub(super) latency: Latency,
    /// True if a generator went on: the values are those of its last step.
    pub(super) is_cut: bool,
}

/// Limits that end a call before the app does.
#[derive(Clone, Copy)]
pub(super) struct Limits<'a> {
    pub(super) deadline: Instant,
    /// The longest that the work may take.
    pub(super) work: Option<Duration>,
    /// Judges the last step of a generator that may never end.
    pub(super) is_enough: &'a (dyn Fn(&[Value]) -> bool + Sync),
}

/// A call in the queue.
struct Joined {
    session: String,
    /// When that was asked for.
    at: Instant,
}

/// How one stream ended.
enum Ending {
    Finished(Vec<Value>),
    /// A generator has yielded for long, and its last step is enough.
    Enough(Vec<Value>),
    /// The time ran out.
    TooLate(Stop),
    /// It broke off.
    Cut(String),
    /// The server does not know the session any more.
    Forgotten,
}

/// Makes the call, and waits for its end.
///
/// # Errors
///
/// What the app raised, what the server refuses, and a result that is not there in time. A call whose stream
/// broke off is made once more where the server has forgotten it.
pub(super) async fn call(
    edge: &Edge,
    prefix: &str,
    endpoint: &Endpoint,
    data: &[Value],
    limits: Limits<'_>,
    log: &Log,
) -> Result<Finished, Stop> {
    let mut why = String::new();
    for attempt in 1..=MAX_CALLS {
        if attempt > 1 {
            log.info(&format!("the call was lost ({why}): making it once more"));
        }
        let Joined { session, at: joined } = join(edge, prefix, endpoint, data, limits.deadline, log).await?;
        let stream_url = edge.url(&format!("{prefix}/queue/data?session_hash={session}"))?;
        let mut story = Story::new();
        for stream in 0..=MAX_RECONNECTS {
            let resumed = stream > 0;
            if resumed {
                story.resume();
            }
            match listen(edge, &stream_url, joined, limits, resumed, &mut story, log).await? {
                Ending::Finished(data) => {
                    let latency = story.latency(joined.elapsed());
                    return Ok(Finished { data, latency, is_cut: false });
                }
                Ending::Enough(data) => {
                    let latency = story.latency(joined.elapsed());
                    return Ok(Finished { data, latency, is_cut: true });
                }
                Ending::TooLate(stop) => {
                    let data = story.take_last_step().ok_or(stop)?;
                    let latency = story.latency(joined.elapsed());
                    return Ok(Finished { data, latency, is_cut: true });
                }
                Ending::Forgotten => break,
                Ending::Cut(reason) => {
                    log.info(&format!("the stream of the call broke off ({reason}): opening it again"));
                    why = reason;
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            }
        }
    }
    Err(Stop::failed(format!("the app's stream broke off before the result: {why}")))
}

/// Puts the call into the queue. A full queue is tried again, and so is a join whose answer did not get through: with
/// another session, as a call may be under way in the last one.
async fn join(
    edge: &Edge,
    prefix: &str,
    endpoint: &Endpoint,
    data: &[Value],
    deadline: Instant,
    log: &Log,
) -> Result<Joined, Stop> {
    let url = edge.url(&format!("{prefix}/queue/join"))?;
    let mut told = String::new();
    let mut pauses = edge::pauses(MAX_JOINS);
    loop {
        let joined = Joined { session: crate::text::random_token(), at: Instant::now() };
        let body = request(endpoint, data, &joined.session);
        let posting = edge.post(url.clone(), &body, MAX_ANSWER);
        let answer = tokio::time::timeout_at(deadline, posting).await.unwrap_or(Err(Trouble::TimedOut));
        if matches!(&answer, Ok(answer) if answer.status.is_success()) {
            return Ok(joined);
        }
        let pause = match &answer {
            Ok(answer) if answer.status == StatusCode::SERVICE_UNAVAILABLE => Some(QUEUE_PAUSE),
            other => pauses.next().filter(|_| edge::may_pass(other)),
        };
        let stop = refusal(answer);
        let Some(pause) = pause.filter(|pause| Instant::now() + *pause < deadline) else { return Err(stop) };
        if told != stop.detail {
            log.info(&format!("{}: trying again", stop.detail));
            told = stop.detail;
        }
        tokio::time::sleep(pause).await;
    }
}

fn request(endpoint: &Endpoint, data: &[Value], session: &str) -> Value {
    json!({
        "data": data,
        "fn_index": endpoint.fn_index,
        "session_hash": session,
        "event_data": null,
        "trigger_id": null,
    })
}

/// Why the call is not in the queue.
fn refusal(answer: Result<Answer, Trouble>) -> Stop {
    let answer = match answer {
        Ok(answer) => answer,
        Err(trouble) => return Stop::failed(format!("cannot join the queue: {trouble}")),
    };
    let complaint = answer.complaint();
    match answer.status {
        StatusCode::SERVICE_UNAVAILABLE => {
            Stop::blocked(format!("the queue of the app is full: {complaint}"))
        }
        StatusCode::UNAUTHORIZED => health::login_required("/queue/join"),
        StatusCode::TOO_MANY_REQUESTS => health::rate_limited(&answer),
        StatusCode::UNPROCESSABLE_ENTITY => {
            Stop::failed(format!("the app does not take the request: {complaint}"))
        }
        _ => Stop::failed(format!("cannot join the queue: the app answered {complaint}")),
    }
}

async fn listen(
    edge: &Edge,
    url: &Url,
    joined: Instant,
    limits: Limits<'_>,
    resumed: bool,
    story: &mut Story,
    log: &Log,
) -> Result<Ending, Stop> {
    let request = edge.request(Method::GET, url.clone()).header(ACCEPT, "text/event-stream");
    let response = match tokio::time::timeout_at(limits.deadline, request.send()).await {
        Err(_) => return Ok(Ending::TooLate(too_late(story, joined))),
        Ok(Err(error)) => return Ok(Ending::Cut(edge::trouble(error).to_string())),
        Ok(Ok(response)) => response,
    };
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Ok(Ending::Forgotten),
        StatusCode::UNAUTHORIZED => return Err(health::login_required("/queue/data")),
        StatusCode::TOO_MANY_REQUESTS => {
            let answer = edge::read(response, MAX_ANSWER, true).await;
            let answer =
                answer.map_err(|trouble| Stop::blocked(format!("the app answered 429: {trouble}")))?;
            return Err(health::rate_limited(&answer));
        }
        status if status.is_server_error() => {
            return Ok(Ending::Cut(format!("the app answered {}", status.as_u16())));
        }
        status => {
            return Err(Stop::failed(format!(
                "cannot listen to the call: the app answered {}",
                status.as_u16()
            )));
        }
    }
    follow(response, joined, limits, resumed, story, log).await
}

async fn follow(
    mut response: reqwest::Response,
    joined: Instant,
    limits: Limits<'_>,
    resumed: bool,
    story: &mut Story,
    log: &Log,
) -> Result<Ending, Stop> {
    let mut decoder = Decoder::new(MAX_RESULT);
    // Until when a resumed stream has to bring news of the call: `None` once it did.
    let mut resume_by = resumed.then(|| Instant::now() + RESUME_TIMEOUT);
    // When the steps of a generator are looked at next.
    let mut look_at = None;
    loop {
        // A generator can be quicker than the clock is looked at.
        if Instant::now() >= limits.deadline {
            return Ok(Ending::TooLate(too_late(story, joined)));
        }
        if let Some(stop) = limits.overworked(story, joined) {
            return Err(stop);
        }
        let deadline = limits.next(story, joined);
        let quiet = deadline.min(Instant::now() + QUIET_TIMEOUT);
        let patience = resume_by.map_or(quiet, |resume_by| quiet.min(resume_by));
        let chunk = match tokio::time::timeout_at(patience, response.chunk()).await {
            Err(_) if resume_by == Some(patience) => return Ok(Ending::Forgotten),
            Err(_) if patience == deadline => continue,
            Err(_) => return Ok(Ending::Cut(format!("silent for {} s", QUIET_TIMEOUT.as_secs()))),
            Ok(Err(error)) => return Ok(Ending::Cut(edge::trouble(error).to_string())),
            Ok(Ok(None)) => return Ok(Ending::Cut("it ended early".to_owned())),
            Ok(Ok(Some(chunk))) => chunk,
        };
        let events = decoder.push(&chunk);
        if decoder.has_cut() {
            let most = MAX_RESULT >> 20;
            return Err(Stop::blocked(format!(
                "the result is larger than {most} MB, and the check reads no more"
            ))
            .hint("call the app with less work, or return the result as a file"));
        }
        for event in events {
            let step = story.hear(event.data, joined.elapsed(), log);
            if !matches!(step, Step::Beat) {
                resume_by = None;
            }
            match step {
                Step::Going | Step::Beat => {}
                Step::Finished(data) => return Ok(Ending::Finished(data)),
                Step::Forgotten => return Ok(Ending::Forgotten),
                Step::Failed(stop) => return Err(stop),
            }
        }
        let first_look = || joined.checked_add(story.started()?.saturating_add(ENDLESS));
        look_at = look_at.or_else(first_look);
        if look_at.is_some_and(|time| Instant::now() >= time) {
            look_at = Some(Instant::now() + ENDLESS_PAUSE);
            if story.last_step().is_some_and(limits.is_enough) {
                return Ok(Ending::Enough(story.take_last_step().unwrap_or_default()));
            }
        }
    }
}

impl Limits<'_> {
    /// Returns when the call is given up for its work. A call that ends soon after `work` is waited for, because its
    /// time is worth knowing.
    fn work_ends(self, story: &Story, joined: Instant) -> Option<Instant> {
        let patience = self.work?.saturating_mul(2).saturating_add(WORK_PATIENCE);
        joined.checked_add(story.started()?.saturating_add(patience))
    }

    /// Returns the next time at which the call is too late.
    fn next(self, story: &Story, joined: Instant) -> Instant {
        self.work_ends(story, joined).map_or(self.deadline, |end| end.min(self.deadline))
    }

    fn overworked(self, story: &Story, joined: Instant) -> Option<Stop> {
        self.work_ends(story, joined).filter(|end| Instant::now() >= *end)?;
        let took = joined.elapsed().saturating_sub(story.started()?).as_secs_f64();
        let most = self.work?.as_secs_f64();
        Some(Stop::failed(format!(
            "the work goes on after {took:.1} s, longer than `max_latency` of {most:.1} s"
        )))
    }
}

fn too_late(story: &Story, joined: Instant) -> Stop {
    let waited = joined.elapsed().as_secs();
    if story.has_started() {
        Stop::failed(format!("the call did not end within the {waited} s that were left of the timeout"))
            .hint("give the check a longer timeout, or call the app with less work")
    } else {
        Stop::failed(format!("the call waited in the queue for {waited} s, until the timeout"))
            .hint("other calls may hold the app; give the check a longer timeout")
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;

    use super::*;
    use crate::action::Mode;

    /// Follows a generator that yields a step each second, for ever.
    async fn follow_for_ever(
        work: Option<u64>,
        timeout: u64,
        enough: &str,
    ) -> (Result<Ending, Stop>, Duration) {
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
        let limits = Limits {
            deadline: now + Duration::from_secs(timeout),
            work: work.map(Duration::from_secs),
            is_enough: &is_enough,
        };
        let log = Log::new(Mode::Plain, Box::new(std::io::sink()));
        let ending = follow(response, now, limits, false, &mut Story::new(), &log).await;
        (ending, now.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_generator_without_end_is_judged_by_its_steps() {
        let (ending, after) = follow_for_ever(None, 2400, "step!!").await;
        assert!(
            matches!(ending, Ok(Ending::Enough(data)) if data[0].as_str().unwrap().starts_with("step!!!"))
        );
        assert!((300..310).contains(&after.as_secs()), "{after:?}");
        // What it yields is not what is asked for: it may come to that.
        let (ending, after) = follow_for_ever(None, 2400, "end").await;
        assert!(matches!(ending, Ok(Ending::TooLate(_))));
        assert_eq!(after.as_secs(), 2400);
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_takes_far_too_long_is_given_up() {
        let (ending, after) = follow_for_ever(Some(20), 2400, "end").await;
        let Err(stop) = ending else { panic!() };
        assert_eq!(stop.detail, "the work goes on after 70.0 s, longer than `max_latency` of 20.0 s");
        assert_eq!(after.as_secs(), 71);
    }
}
