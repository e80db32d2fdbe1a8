//! The report about an account.

use crate::failure::{Code, Failure};
use crate::ops::account::{Facts, Feature};

/// The account with its features: `None` before the Hub described it.
#[derive(Debug, Default)]
pub(super) struct StatusReport {
    pub(super) account: Option<(Facts, Vec<Feature>)>,
    pub(super) failure: Option<Failure>,
}

impl StatusReport {
    /// Returns the code of the failure, if there is one.
    pub(super) fn code(&self) -> Option<Code> {
        self.failure.as_ref().map(|failure| failure.code)
    }
}
