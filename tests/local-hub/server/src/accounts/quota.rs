//! The request quota: fixed windows of five minutes per caller and bucket.

use axum::http::HeaderMap;

use crate::accounts::registry::Accounts;
use crate::http::answer::HubError;
use crate::util::{lock, now_ms};

const WINDOW_MS: u64 = 300_000;

/// Values of the `RateLimit` headers.
pub(crate) struct Usage {
    pub(crate) bucket: &'static str,
    pub(crate) left: u64,
    /// Seconds until the window ends.
    pub(crate) seconds: u64,
    pub(crate) quota: u64,
}

fn bucket(path: &str) -> &'static str {
    if path.starts_with("/api/resolve-cache/") || (path.contains("/resolve/") && !path.starts_with("/api/")) {
        "resolvers"
    } else if path.starts_with("/api/") {
        "api"
    } else {
        "pages"
    }
}

impl Accounts {
    fn window(&self, headers: &HeaderMap, path: &str, count: bool) -> (Usage, u64) {
        let token = headers.get("authorization").and_then(|v| v.to_str().ok()).unwrap_or_default();
        let bucket = bucket(path);
        let pro = self.find(|u| u.is_pro && token.ends_with(&u.token)).is_some();
        // Quotas of the documented plans: anonymous, free, PRO.
        let row = match bucket {
            "api" => [500, 1000, 2500],
            "resolvers" => [3000, 5000, 12_000],
            _ => [100, 200, 400],
        };
        let plan = if token.is_empty() { 0 } else { 1 + usize::from(pro) };
        let quota = self.policy.get().requests_per_window.unwrap_or(row[plan]);
        let now = now_ms();
        let mut table = lock(&self.windows);
        let slot = table.entry(format!("{token}/{bucket}")).or_insert((now, 0));
        if now - slot.0 >= WINDOW_MS {
            *slot = (now, 0);
        }
        if count {
            slot.1 += 1;
        }
        let seconds = (WINDOW_MS - (now - slot.0)).div_ceil(1000);
        (Usage { bucket, left: quota.saturating_sub(slot.1), seconds, quota }, slot.1)
    }

    pub(crate) fn usage(&self, headers: &HeaderMap, path: &str) -> Usage {
        self.window(headers, path, false).0
    }

    /// Counts the request. Returns 429 if the policy enforces a quota and it is used up.
    pub(crate) fn over_quota(&self, headers: &HeaderMap, path: &str) -> Option<HubError> {
        let (usage, used) = self.window(headers, path, true);
        (self.policy.get().requests_per_window.is_some() && used > usage.quota)
            .then(|| HubError::new(429, "You have exceeded the rate limit, please retry later"))
    }
}
