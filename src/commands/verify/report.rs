//! The report of the check.

use crate::app_check::CheckResult;

/// The result of the check: `None` before its end.
#[derive(Debug, Default)]
pub(super) struct VerifyReport(pub(super) Option<CheckResult>);
