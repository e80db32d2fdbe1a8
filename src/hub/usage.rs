//! Quotas, spending and bills of an account.
//!
//! A fine-grained token reads them with the permission `user.billing.read`.

use std::collections::BTreeMap;

use reqwest::Method;
use serde::{Deserialize, Deserializer};

use crate::call::Call;
use crate::client::Hub;
use crate::error::Error;
use crate::url::encode;

/// ZeroGPU time of the user of the token (`GET /api/spaces/zero-gpu/quota`).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ZeroGpuQuota {
    /// All seconds of the period.
    pub base: f64,
    /// Seconds that are left.
    pub current: f64,
    /// End of the period (RFC 3339); `None` if no second was used yet.
    #[serde(default)]
    pub resets_at: Option<String>,
    /// Paid seconds beyond the quota.
    #[serde(default)]
    pub overquota_used: Option<f64>,
}

/// Spending of an account in a period (`GET …/billing/usage-v2`).
///
/// The OpenAPI document has no schema for this answer. The fields are those that clients read, such as Hugging Face's
/// own `ml-intern`; one that is missing, or has another form, is `None`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Inference Providers.
    #[serde(rename = "inferenceProviders", deserialize_with = "or_none")]
    pub inference: Option<InferenceUsage>,
    /// Jobs.
    #[serde(deserialize_with = "or_none")]
    pub jobs: Option<JobsSpending>,
}

/// Spending on Inference Providers.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InferenceUsage {
    /// Spending, in billionths of a US dollar.
    pub used_nano_usd: f64,
    /// Credits that the plan includes.
    #[serde(default)]
    pub included_nano_usd: Option<f64>,
    /// Limit that the account has set; zero for none.
    #[serde(default)]
    pub limit_nano_usd: Option<f64>,
}

/// Spending on Jobs.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobsSpending {
    /// Spending, in millionths of a US dollar.
    pub used_micro_usd: f64,
    /// Minutes that Jobs ran.
    #[serde(default)]
    pub total_minutes: Option<f64>,
}

/// Access of the user of the token to Jobs (`GET /api/settings/billing/usage/jobs`).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobsAccess {
    /// True if the user may run Jobs.
    pub has_access: bool,
    /// Spending of this period.
    pub usage: JobsSpending,
}

/// Usage in the current period (`GET /api/settings/billing/usage`).
#[derive(Debug, Clone, Deserialize)]
pub struct Bill {
    /// Lines of the bill, by kind of product.
    pub usage: BTreeMap<String, Vec<BillLine>>,
    /// The period.
    pub period: BillingPeriod,
}

/// A line of the bill.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BillLine {
    /// Name for people, such as a Space.
    #[serde(default)]
    pub label: Option<String>,
    /// Product in words.
    pub product_pretty_name: String,
    /// Cost so far, in millionths of a US dollar.
    #[serde(rename = "totalCostMicroUSD")]
    pub total_cost_micro_usd: f64,
}

/// A period of the bill.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BillingPeriod {
    /// Name of the account.
    pub entity_name: String,
    /// Its start (RFC 3339).
    pub period_start: String,
    /// Its end (RFC 3339).
    pub period_end: String,
}

/// Use of Inference Providers (`GET /api/settings/billing/usage-by-inference-session`).
#[derive(Debug, Clone, Deserialize)]
pub struct InferenceBill {
    /// Months, each with its sessions.
    pub periods: Vec<InferencePeriod>,
}

/// Use of Inference Providers in a month.
#[derive(Debug, Clone, Deserialize)]
pub struct InferencePeriod {
    /// Start of the month (RFC 3339).
    pub period: String,
    /// Sessions of callers.
    pub sessions: Vec<InferenceSession>,
}

/// Use of Inference Providers in a session.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InferenceSession {
    /// Number of requests.
    pub request_count: f64,
    /// Cost, in US cents.
    pub cost_cents: f64,
}

#[derive(Deserialize)]
struct UsageAnswer {
    #[serde(default, deserialize_with = "or_none")]
    usage: Option<Usage>,
}

/// Takes a value of another form for none.
fn or_none<'de, D: Deserializer<'de>, T: serde::de::DeserializeOwned>(
    from: D,
) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(serde_json::Value::deserialize(from)?).ok())
}

impl Hub {
    /// Returns the ZeroGPU time of the user of the token, without a retry.
    pub async fn zero_gpu_quota(&self) -> Result<ZeroGpuQuota, Error> {
        self.read_once("read the ZeroGPU quota", "/api/spaces/zero-gpu/quota").await
    }

    /// Returns the access of the user of the token to Jobs, without a retry.
    pub async fn jobs_access(&self) -> Result<JobsAccess, Error> {
        self.read_once("read the access to Jobs", "/api/settings/billing/usage/jobs").await
    }

    /// Returns the spending of the user of the token, or of an organization, between two times in seconds since 1970.
    /// There is no retry.
    pub async fn usage(&self, organization: Option<&str>, from: i64, to: i64) -> Result<Usage, Error> {
        let account = match organization {
            None => "/api/settings".to_owned(),
            Some(name) => format!("/api/organizations/{}", encode(name)),
        };
        let path = format!("{account}/billing/usage-v2?startDate={from}&endDate={to}");
        let answer: UsageAnswer = self.read_once("read the spending of this month", &path).await?;
        Ok(answer.usage.unwrap_or_default())
    }

    /// Returns the usage of the user's account in the current period.
    pub async fn bill(&self) -> Result<Bill, Error> {
        let operation = "read the usage of this period";
        let call = Call::new(operation, Method::GET, self.url("/api/settings/billing/usage")?);
        self.call(&call).await?.json(operation)
    }

    /// Returns the user's requests to Inference Providers in the current month.
    pub async fn inference_bill(&self) -> Result<InferenceBill, Error> {
        let operation = "read the usage of Inference Providers";
        let url = self.url("/api/settings/billing/usage-by-inference-session")?;
        self.call(&Call::new(operation, Method::GET, url)).await?.json(operation)
    }

    async fn read_once<T: serde::de::DeserializeOwned>(
        &self,
        operation: &str,
        path: &str,
    ) -> Result<T, Error> {
        self.call_once(&Call::new(operation, Method::GET, self.url(path)?)).await?.json(operation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_another_form_has_no_spending() {
        let read = |text: &str| serde_json::from_str::<UsageAnswer>(text).unwrap().usage.unwrap_or_default();
        let usage = read(
            r#"{"usage":{"inferenceProviders":{"usedNanoUsd":5e8,"includedNanoUsd":2e9,"numRequests":7},
                "jobs":{"usedMicroUsd":40000,"totalMinutes":2.5},"Spaces":[]},"period":{}}"#,
        );
        assert_eq!(usage.inference.map(|usage| usage.used_nano_usd), Some(5e8));
        assert_eq!(usage.jobs.map(|usage| usage.total_minutes), Some(Some(2.5)));
        for other in ["{}", r#"{"usage":[]}"#, r#"{"usage":{"inferenceProviders":{"used":1},"jobs":null}}"#] {
            assert_eq!(read(other), Usage::default(), "{other}");
        }
    }
}
