//! The outputs of the check.

use super::report::VerifyReport;
use crate::commands::groups::check_outputs::{
    RECOMMENDED_DURATION_SECONDS, VERIFY_LATENCY_SECONDS, VERIFY_STATUS, latency, recommended_duration,
    status,
};
use crate::commands::outputs::outputs;

outputs! {
    pub(super), (report: &VerifyReport, _timings),
    VERIFY_STATUS => status(report.0.as_ref());
    VERIFY_LATENCY_SECONDS => latency(report.0.as_ref());
    RECOMMENDED_DURATION_SECONDS => recommended_duration(report.0.as_ref());
}
