//! The progress of a check, for its caller.

use std::fmt;
use std::time::Duration;

use super::error::CheckError;

/// Receives the progress of a check.
pub trait CheckObserver: fmt::Debug + Send + Sync {
    /// Reports a step, in a sentence.
    fn info(&self, text: &str);

    /// Reports something that the user should change.
    fn warning(&self, text: &str);

    /// Reports that there was no connection to the app for this time. The check goes on.
    fn unconnected(&self, error: &CheckError, time: Duration);

    /// Reports lines that contain text of the app.
    fn untrusted(&self, text: &str);

    /// Removes secrets from a text, before it is cut or written to a file.
    fn redact(&self, text: &str) -> String;
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Keeps warnings, and hides the word `hf_secret`.
    #[derive(Debug, Default)]
    pub(in super::super) struct TestObserver {
        pub(in super::super) warnings: Mutex<Vec<String>>,
    }

    impl CheckObserver for TestObserver {
        fn info(&self, _: &str) {}

        fn warning(&self, text: &str) {
            self.warnings.lock().unwrap().push(text.to_owned());
        }

        fn unconnected(&self, error: &CheckError, _: Duration) {
            self.warning(&error.detail);
        }

        fn untrusted(&self, _: &str) {}

        fn redact(&self, text: &str) -> String {
            text.replace("hf_secret", "***")
        }
    }
}
