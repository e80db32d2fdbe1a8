//! Attempts without a connection: a host name without an address, or a host where no program listens.

use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use super::error::{CheckError, CheckFailure};
use super::observer::CheckObserver;
use super::quote::quoted;

/// Time without a connection after which its cause is reported, because more time seldom helps.
const CONNECTION_GRACE: Duration = Duration::from_secs(60);

/// Memory of attempts without a connection.
#[derive(Debug)]
pub(super) struct ConnectionWatch<'a> {
    url: &'a Url,
    observer: &'a dyn CheckObserver,
    grace: Duration,
    /// Time of the first attempt of the current series.
    since: Option<Instant>,
    is_reported: bool,
}

impl<'a> ConnectionWatch<'a> {
    /// Returns the memory of a check that ends in `left`.
    pub(super) fn new(url: &'a Url, observer: &'a dyn CheckObserver, left: Duration) -> Self {
        Self { url, observer, grace: CONNECTION_GRACE.min(left / 4), since: None, is_reported: false }
    }

    /// Notes an attempt that may be repeated.
    ///
    /// Once after the grace time, looks the host name up. A name with an address is reported, because the app may still
    /// start to listen.
    ///
    /// # Errors
    ///
    /// The host name has no address.
    pub(super) async fn note(&mut self, error: &CheckError) -> Result<(), CheckError> {
        if error.failure != CheckFailure::NoConnection {
            self.since = None;
            return Ok(());
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        if self.is_reported || since.elapsed() < self.grace {
            return Ok(());
        }
        self.is_reported = true;
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port_or_known_default().unwrap_or_default();
        if let Err(cause) = tokio::net::lookup_host((host.trim_matches(['[', ']']), port)).await {
            let detail =
                format!("cannot resolve the host name `{}`: {}", quoted(host), quoted(&cause.to_string()));
            return Err(CheckError::new(CheckFailure::UnknownHost, detail));
        }
        self.observer.unconnected(error, since.elapsed());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::observer::tests::TestObserver;
    use super::*;

    fn refused() -> CheckError {
        CheckError::new(CheckFailure::NoConnection, "refused")
    }

    async fn minutes_without_connection(url: &str) -> (Result<(), CheckError>, usize) {
        let (url, observer) = (url.parse().unwrap(), TestObserver::default());
        let mut watch = ConnectionWatch::new(&url, &observer, Duration::from_secs(600));
        watch.note(&refused()).await.unwrap();
        tokio::time::advance(Duration::from_secs(59)).await;
        watch.note(&refused()).await.unwrap();
        tokio::time::advance(Duration::from_secs(1)).await;
        let result = watch.note(&refused()).await;
        tokio::time::advance(Duration::from_secs(60)).await;
        let _ = watch.note(&refused()).await;
        let reported = observer.warnings.lock().unwrap().len();
        (result, reported)
    }

    #[tokio::test(start_paused = true)]
    async fn host_that_accepts_no_connection_is_reported_once() {
        for url in ["http://127.0.0.1:9", "http://[::1]:9"] {
            let (result, reported) = minutes_without_connection(url).await;
            assert!(result.is_ok(), "{result:?}");
            assert_eq!(reported, 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn name_without_an_address_ends_the_check() {
        let (result, reported) = minutes_without_connection("http://nothing.invalid").await;
        let error = result.unwrap_err();
        assert_eq!(error.failure, CheckFailure::UnknownHost);
        assert!(error.detail.starts_with("cannot resolve the host name `nothing.invalid`: "), "{error}");
        assert_eq!(reported, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_begins_a_new_series() {
        let (url, observer) = ("http://127.0.0.1:9".parse().unwrap(), TestObserver::default());
        let mut watch = ConnectionWatch::new(&url, &observer, Duration::from_secs(600));
        for failure in [CheckFailure::NoConnection, CheckFailure::HubPage, CheckFailure::NoConnection] {
            watch.note(&CheckError::new(failure, "x")).await.unwrap();
            tokio::time::advance(Duration::from_secs(50)).await;
        }
        assert!(observer.warnings.lock().unwrap().is_empty());
    }
}
