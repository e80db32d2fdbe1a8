//! The outputs of a step: their declarations, and their values from a report.

use super::journal::Timing;

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
pub const RUN_ID: Output =
    Output::own_word("run_id", "Id of this run, which names its bundle: unique among attempts and jobs.");
pub const BUNDLE_PATH: Output = Output::own_word(
    "bundle_path",
    "Folder of the run bundle, relative to the workspace. Empty if it could not be written, or is turned off.",
);

/// The outputs of a report.
#[derive(Debug)]
pub struct Outputs<R: 'static> {
    /// Declarations in the order of action.yml; those of the run bundle come last.
    pub declared: &'static [Output],
    /// Renders the values, in the order of the declarations. An output without a value is empty.
    pub values: fn(&R, &[Timing]) -> Vec<String>,
}

impl<R> Outputs<R> {
    /// Outputs of a command that has none.
    pub const NONE: Self = Self { declared: &[], values: |_, _| Vec::new() };

    /// Returns the outputs with their values, without those of the run bundle.
    pub fn render(&self, report: &R, timings: &[Timing]) -> Vec<(&'static Output, String)> {
        self.declared.iter().zip((self.values)(report, timings)).collect()
    }
}
