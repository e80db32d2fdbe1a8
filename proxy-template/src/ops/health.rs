//! Result of the last self-check.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::config::AuthMode;
use crate::policy::gradio::App;
use crate::sync::lock;

/// State of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamStatus {
    /// It has not been asked yet.
    Pending,
    /// It answered.
    Ok,
    /// It sleeps, starts or is broken.
    NotRunning,
    /// It does not accept the token.
    AuthRefused,
    /// It could not be reached.
    Unreachable,
}

/// Result of one question of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// This app does not show it.
    Unknown,
    /// It is true.
    Yes,
    /// It is false.
    No,
}

/// Result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthReport {
    /// State of the target.
    pub upstream: UpstreamStatus,
    /// The header of the token: true for `X-HF-Authorization`, false for `Authorization`.
    pub hf_header: bool,
    /// Yes if `X-Forwarded-Host` reaches the app.
    pub forwarded_host: Finding,
    /// Yes if the edge answers with `spaces-jwt` cookies.
    pub space_cookies: Finding,
    /// The framework of the app.
    pub app: App,
    /// The paths of the pages of a Gradio app, except for the first.
    pub pages: Vec<String>,
}

impl HealthReport {
    /// Makes the report before any check.
    pub fn pending(hf_header: bool) -> Self {
        Self {
            upstream: UpstreamStatus::Pending,
            hf_header,
            forwarded_host: Finding::Unknown,
            space_cookies: Finding::Unknown,
            app: App::Pending,
            pages: vec![],
        }
    }

    /// Renders the report for `/_proxy/healthz`.
    pub fn json(&self) -> Value {
        json!({
            "upstream": match self.upstream {
                UpstreamStatus::Pending => "pending",
                UpstreamStatus::Ok => "ok",
                UpstreamStatus::NotRunning => "not_running",
                UpstreamStatus::AuthRefused => "auth_refused",
                UpstreamStatus::Unreachable => "unreachable",
            },
            "auth_mode": if self.hf_header { "x-hf-authorization" } else { "authorization" },
            "forwarded_host": match self.forwarded_host {
                Finding::Unknown => "unknown",
                Finding::Yes => "survives",
                Finding::No => "lost",
            },
            "space_cookies": match self.space_cookies {
                Finding::Unknown => "unknown",
                Finding::Yes => "seen",
                Finding::No => "none",
            },
            "rewrite": self.needs_rewriting(),
            "gradio": match self.app {
                App::Pending | App::Unknown => "unknown",
                App::Gradio => "yes",
                App::Other => "no",
            },
        })
    }

    /// Returns true if addresses in bodies must be replaced.
    pub fn needs_rewriting(&self) -> bool {
        self.forwarded_host == Finding::No
    }
}

/// The last report, with its most used parts in atomics, because each request reads them.
#[derive(Debug)]
pub struct HealthState {
    report: Mutex<(HealthReport, Option<Instant>)>,
    hf_header: AtomicBool,
    rewrite: AtomicBool,
    app: AtomicU8,
    start: Instant,
    /// Seconds between `start` and the last check, or the one that is about to run.
    checked: AtomicU64,
}

impl HealthState {
    /// Makes the state before any check.
    pub fn new(mode: AuthMode) -> Self {
        let hf_header = mode != AuthMode::Authorization;
        Self {
            report: Mutex::new((HealthReport::pending(hf_header), None)),
            hf_header: AtomicBool::new(hf_header),
            rewrite: AtomicBool::new(false),
            app: AtomicU8::new(App::Pending as u8),
            start: Instant::now(),
            checked: AtomicU64::new(0),
        }
    }

    /// Returns the header that works: true for `X-HF-Authorization`.
    pub fn hf_header(&self) -> bool {
        self.hf_header.load(Ordering::Relaxed)
    }

    /// Returns true if addresses in bodies must be replaced.
    pub fn needs_rewriting(&self) -> bool {
        self.rewrite.load(Ordering::Relaxed)
    }

    /// Returns the framework of the app.
    pub fn app(&self) -> App {
        let known = self.app.load(Ordering::Relaxed);
        let all = [App::Pending, App::Unknown, App::Gradio, App::Other];
        all.into_iter().find(|app| *app as u8 == known).unwrap_or(App::Pending)
    }

    /// Returns true if the app has a page of this path, beside the first.
    pub fn has_page(&self, path: &str) -> bool {
        lock(&self.report).0.pages.iter().any(|page| page == path)
    }

    /// Returns true once if the last check is older than `limit`, and false from then on until the next check.
    pub fn is_due(&self, now: Instant, limit: Duration) -> bool {
        let checked = self.checked.load(Ordering::Relaxed);
        let now = now.saturating_duration_since(self.start).as_secs();
        now.saturating_sub(checked) >= limit.as_secs().max(1)
            && self.checked.compare_exchange(checked, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Returns the last report and its time.
    pub fn read(&self) -> (HealthReport, Option<Instant>) {
        lock(&self.report).clone()
    }

    /// Records a report. A check without an answer keeps the modes, and is recorded with the header in use. An answer that
    /// says nothing about the app keeps the known framework, because the app may be in trouble for a moment only.
    pub fn record(&self, mut report: HealthReport) {
        let mut last = lock(&self.report);
        let answered = report.upstream == UpstreamStatus::Ok;
        if answered {
            self.hf_header.store(report.hf_header, Ordering::Relaxed);
        } else {
            report.hf_header = self.hf_header();
        }
        if answered && report.app != App::Pending {
            self.rewrite.store(report.needs_rewriting(), Ordering::Relaxed);
            self.app.store(report.app as u8, Ordering::Relaxed);
        } else {
            (report.app, report.pages) = (self.app(), std::mem::take(&mut last.0.pages));
        }
        self.checked.store(self.start.elapsed().as_secs(), Ordering::Relaxed);
        *last = (report, Some(Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_check_changes_no_mode() {
        let health = HealthState::new(AuthMode::Auto);
        let mut report = HealthReport::pending(false);
        report.upstream = UpstreamStatus::AuthRefused;
        report.app = App::Other;
        health.record(report.clone());
        assert!(health.hf_header() && health.read().0.hf_header && health.app() == App::Pending);
        report.upstream = UpstreamStatus::Ok;
        report.forwarded_host = Finding::No;
        (report.app, report.pages) = (App::Gradio, vec!["second".to_owned()]);
        health.record(report);
        assert!(!health.hf_header() && health.needs_rewriting());
        assert!(health.app() == App::Gradio && health.has_page("second"));
        health.record(HealthReport::pending(true));
        assert!(health.app() == App::Gradio && health.has_page("second") && !health.has_page(""));
    }

    #[test]
    fn an_unclear_answer_keeps_the_known_framework() {
        let health = HealthState::new(AuthMode::Auto);
        let mut report = HealthReport::pending(true);
        report.upstream = UpstreamStatus::Ok;
        health.record(report.clone());
        assert_eq!(health.app(), App::Pending);
        let gradio = HealthReport {
            app: App::Gradio,
            pages: vec!["second".to_owned()],
            forwarded_host: Finding::No,
            ..report.clone()
        };
        health.record(gradio);
        health.record(report);
        assert!(health.app() == App::Gradio && health.has_page("second") && health.needs_rewriting());
    }

    #[test]
    fn an_old_check_is_due_once() {
        let health = HealthState::new(AuthMode::Auto);
        let (limit, later) = (Duration::from_secs(600), Instant::now() + Duration::from_secs(601));
        assert!(!health.is_due(Instant::now(), limit));
        assert!(health.is_due(later, limit) && !health.is_due(later, limit));
        assert!(health.is_due(later + limit, limit));
    }
}
