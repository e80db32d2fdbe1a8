//! The declaration of outputs. action.yml, the table in README and the outputs of each run follow from it.

pub use crate::action::outputs::Output;
use crate::failure::Failure;

/// Output of most commands, whose value is that of `error_code`.
pub(crate) const ERROR_CODE: Output =
    Output::own_word("error_code", "Stable name of the error that ended the run. Empty after a success.");

/// Returns the code of a failure, or nothing.
pub(crate) fn error_code(failure: Option<&Failure>) -> String {
    failure.map(|failure| failure.code.as_str().to_owned()).unwrap_or_default()
}

/// Declares the outputs of a command, each with the expression of its value. The outputs of the run bundle come after
/// them.
macro_rules! outputs {
    ($visibility:vis, ($report:ident: &$type:ty, $timings:ident), $($output:expr => $value:expr;)+) => {
        /// The outputs, in the order of action.yml.
        $visibility const OUTPUTS: $crate::action::outputs::Outputs<$type> = $crate::action::outputs::Outputs {
            declared: &[$($output,)+ $crate::action::outputs::RUN_ID, $crate::action::outputs::BUNDLE_PATH],
            values: |$report, $timings| vec![$($value),+],
        };
    };
}
pub(crate) use outputs;
