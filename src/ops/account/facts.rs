//! Facts that the Hub reports about the account of a token. One that the token may not read is unknown, with the reason.

use std::time::Duration;

use hub::{Hub, JobsAccess, Usage, WhoAmI, ZeroGpuQuota};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::failure::Result;

/// Time allowed for each question beside the one for the user.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(10);

/// A fact, or the reason why it is unknown.
pub type Known<T> = std::result::Result<T, String>;

/// Form of a token, by its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenForm {
    /// Token of a user, or of an app for a user.
    User,
    /// Token of one repo, from an ID token. The Hub may not say anything about its user.
    OneRepo,
}

/// Facts about an account.
#[derive(Debug)]
pub struct Facts {
    /// Namespace that the features are for: `None` if neither an option nor the Hub names one.
    pub namespace: Option<String>,
    pub user: Known<WhoAmI>,
    /// ZeroGPU time of the user.
    pub quota: Known<ZeroGpuQuota>,
    /// Spending of the namespace in this month.
    pub usage: Known<Usage>,
    /// Access of the user to Jobs.
    pub jobs: Known<JobsAccess>,
}

/// Reads all facts. Without `namespace`, they are about the user's own.
///
/// # Errors
///
/// The Hub does not accept the token, or does not answer.
pub async fn read(hub: &Hub, namespace: Option<String>, form: TokenForm) -> Result<Facts> {
    let user = match hub.whoami().await {
        Ok(user) => user,
        Err(error) if form == TokenForm::OneRepo && matches!(error.status(), Some(401 | 403)) => {
            let reason = format!("this is a token of one repo, about which {}", error.cause);
            let unknown = || reason.clone();
            return Ok(Facts {
                namespace,
                user: Err(unknown()),
                quota: Err(unknown()),
                usage: Err(unknown()),
                jobs: Err(unknown()),
            });
        }
        Err(error) => return Err(error.into()),
    };
    let organization = namespace.as_deref().filter(|name| *name != user.name);
    let (from, to) = this_month(Timestamp::now());
    let (quota, usage, jobs) = tokio::join!(
        ask(hub.zero_gpu_quota()),
        ask(hub.usage(organization, from, to)),
        ask(hub.jobs_access()),
    );
    Ok(Facts { namespace: namespace.or_else(|| Some(user.name.clone())), user: Ok(user), quota, usage, jobs })
}

async fn ask<T>(question: impl Future<Output = std::result::Result<T, hub::Error>>) -> Known<T> {
    match tokio::time::timeout(QUESTION_TIMEOUT, question).await {
        Ok(answer) => answer.map_err(|error| error.cause.to_string()),
        Err(_) => Err(format!("the Hub did not answer within {} s", QUESTION_TIMEOUT.as_secs())),
    }
}

/// Returns the start of the month (UTC) and the present, in seconds since 1970.
fn this_month(now: Timestamp) -> (i64, i64) {
    let first = now.to_zoned(TimeZone::UTC).date().first_of_month();
    let start = first.to_zoned(TimeZone::UTC).map_or(now, |start| start.timestamp());
    let from = start.as_second();
    (from, now.as_second().max(from + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_begins_on_its_first_day() {
        let month = |text: &str| this_month(text.parse().unwrap());
        let seconds = |text: &str| text.parse::<Timestamp>().unwrap().as_second();
        let first = seconds("2026-11-01T00:00:00Z");
        assert_eq!(month("2026-11-27T10:00:00Z"), (first, seconds("2026-11-27T10:00:00Z")));
        assert_eq!(month("2026-11-01T00:00:00Z"), (first, first + 1));
    }
}
