//! The declaration of an output. action.yml, the table in README and the outputs of each run follow from it.

use crate::action::driver;

/// An output of an action.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    pub name: &'static str,
    /// Description in action.yml and README, as sentences.
    pub description: &'static str,
    /// The value holds only words and numbers of this program. A secret that happens to be one of them, such as
    /// `false`, must not change it.
    pub is_own_word: bool,
}

impl Output {
    /// Returns an output that may hold text from outside, where secrets are removed.
    pub const fn text(name: &'static str, description: &'static str) -> Self {
        Self { name, description, is_own_word: false }
    }

    /// Returns an output that holds only words and numbers of this program.
    pub const fn own_word(name: &'static str, description: &'static str) -> Self {
        Self { name, description, is_own_word: true }
    }
}

/// Outputs of the run bundle, which the driver sets for each command that has outputs.
pub(crate) const RUN_ID: Output = Output::own_word(
    driver::RUN_ID,
    "Id of this run, which names its bundle: unique among attempts and jobs.",
);
pub(crate) const BUNDLE_PATH: Output = Output::own_word(
    driver::BUNDLE_PATH,
    "Folder of the run bundle, relative to the workspace. Empty if it could not be written, or is turned off.",
);

/// Returns true for an output of the list that holds only words and numbers of this program.
pub(crate) fn is_own_word(outputs: &[Output], name: &str) -> bool {
    outputs.iter().any(|output| output.name == name && output.is_own_word)
}

/// Declares the outputs of a command, each with the expression of its value: a list of them, and the function that
/// renders a report. The outputs of the run bundle come after them.
macro_rules! outputs {
    ($visibility:vis, ($report:ident: &$type:ty, $timings:ident), $($output:expr => $value:expr;)+) => {
        /// The outputs, in the order of action.yml.
        $visibility const OUTPUTS: &[$crate::commands::outputs::Output] =
            &[$($output,)+ $crate::commands::outputs::RUN_ID, $crate::commands::outputs::BUNDLE_PATH];

        /// Returns every output of the report with its value. An output without a value is empty.
        pub(crate) fn outputs(
            $report: &$type,
            $timings: &[$crate::action::journal::Timing],
        ) -> Vec<(&'static str, String)> {
            vec![$(($output.name, $value)),+]
        }
    };
}
pub(crate) use outputs;
