//! Faults and warnings of the inputs, collected so that one run reports all of them.

use hub::Secret;

use super::declaration::Input;
use super::place::InputPlace;
use crate::action::Log;
use crate::failure::{Code, Failure, SourceLocation};
use crate::text::plain;

/// Shortest text that is hidden as a secret in messages.
const SHORTEST_SECRET: usize = 4;

/// Faults, which end the run, and warnings, which do not.
#[derive(Default)]
pub(crate) struct Diagnostics {
    place: InputPlace,
    faults: Vec<Fault>,
    hints: Vec<String>,
    warnings: Vec<String>,
    /// Places of the faults in files.
    spots: Vec<SourceLocation>,
    /// Values that no message may repeat, because users paste tokens into the wrong input.
    secrets: Vec<Secret>,
}

/// Valid inputs, with the warnings and the secrets that were found on the way.
pub(crate) struct Accepted<T> {
    pub(crate) inputs: T,
    pub(crate) warnings: Vec<String>,
    secrets: Vec<Secret>,
}

impl<T> Accepted<T> {
    /// Masks the secrets, logs the warnings, and returns the inputs.
    pub(crate) fn logged(self, log: &Log) -> T {
        self.secrets.iter().for_each(|secret| log.mask(secret));
        self.warnings.iter().for_each(|warning| log.warning(warning));
        self.inputs
    }
}

struct Fault {
    /// Code of the failure, if this is the only fault.
    code: Code,
    /// Name of the input as the user wrote it.
    name: String,
    /// Rest of the sentence.
    sentence: String,
}

impl Diagnostics {
    pub(crate) fn new(place: InputPlace) -> Self {
        Self { place, ..Self::default() }
    }

    /// Keeps a secret out of all messages, and masks it in the log.
    pub(crate) fn hide(&mut self, secret: &str) {
        self.secrets.push(Secret::new(secret));
    }

    /// Notes a fault. The sentence follows the name of the input: "must be …", "has …".
    pub(crate) fn fault(&mut self, input: &Input, sentence: impl Into<String>) {
        self.fault_with_code(Code::InvalidInput, input, sentence);
    }

    /// Notes a fault that has its own code if no other is found.
    pub(crate) fn fault_with_code(&mut self, code: Code, input: &Input, sentence: impl Into<String>) {
        self.faults.push(Fault { code, name: self.place.name(input), sentence: sentence.into() });
    }

    /// Notes a fault of a variable, or of a name that is no input.
    pub(crate) fn fault_of_name(&mut self, name: &str, sentence: impl Into<String>) {
        let (name, sentence) = (name.to_owned(), sentence.into());
        self.faults.push(Fault { code: Code::InvalidInput, name, sentence });
    }

    /// Notes a fault of a file that an input names: of a key, or of all that stands at the line.
    pub(crate) fn fault_in_file(&mut self, file: &str, line: u32, key: Option<&str>, sentence: &str) {
        let key_shown = key.map(|key| format!(": {key}")).unwrap_or_default();
        self.fault_of_name(&format!("{file}:{line}{key_shown}"), sentence);
        let message = key.map_or_else(|| sentence.to_owned(), |key| format!("`{key}` {sentence}"));
        self.spots.push(SourceLocation { file: file.to_owned(), line: Some(line), message });
    }

    pub(crate) fn place(&self) -> InputPlace {
        self.place
    }

    /// Returns the name of an input as the user writes it.
    pub(crate) fn name(&self, input: &Input) -> String {
        self.place.name(input)
    }

    /// Adds advice for the faults, once.
    pub(crate) fn hint(&mut self, hint: impl Into<String>) {
        let hint = hint.into();
        if !self.hints.contains(&hint) {
            self.hints.push(hint);
        }
    }

    pub(crate) fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    /// Warns of inputs that this run does not read.
    pub(crate) fn warn_without_effect(&mut self, inputs: &[&Input], because: impl std::fmt::Display) {
        let names: Vec<String> = inputs.iter().map(|input| self.place.name(input)).collect();
        let verb = if names.len() == 1 { "has" } else { "have" };
        if !names.is_empty() {
            self.warn(format!("`{}` {verb} no effect: {because}", names.join("`, `")));
        }
    }

    /// Returns the parsed value, or notes why there is none.
    pub(crate) fn take<T, E: ToString>(&mut self, input: &Input, parsed: Result<T, E>) -> Option<T> {
        parsed.map_err(|error| self.fault(input, error.to_string())).ok()
    }

    /// Returns the validated inputs with the warnings, or one failure with all faults. `inputs` may be `None` after a
    /// fault only.
    pub(crate) fn accept<T>(self, inputs: Option<T>) -> Result<Accepted<T>, Failure> {
        let secrets = self.secrets.clone();
        let warnings = self.finish()?;
        match inputs {
            Some(inputs) => Ok(Accepted { inputs, warnings, secrets }),
            None => Err(Failure::new(Code::Internal, "an input was refused without a reason")),
        }
    }

    /// Returns the warnings, or one failure with all faults.
    pub(super) fn finish(self) -> Result<Vec<String>, Failure> {
        let Some(first) = self.faults.first() else {
            return Ok(self.warnings.iter().map(|warning| self.clean(warning)).collect());
        };
        let lines: Vec<String> = self
            .faults
            .iter()
            .map(|fault| format!("`{}` {}", self.clean(&fault.name), self.clean(&fault.sentence)))
            .collect();
        let failure = match lines.as_slice() {
            [line] => Failure::new(first.code, line),
            lines => Failure::new(
                Code::InvalidInput,
                format!("{} invalid inputs:\n{}", lines.len(), lines.join("\n")),
            ),
        };
        let spots = self
            .spots
            .iter()
            .map(|spot| SourceLocation { message: self.clean(&spot.message), ..spot.clone() });
        let failure = failure.at(spots.collect::<Vec<_>>());
        Err(self.hints.iter().fold(failure, |failure, hint| failure.hint(hint)))
    }

    /// Returns a text as one line that holds no secret.
    fn clean(&self, text: &str) -> String {
        let long_enough = |secret: &&str| secret.len() >= SHORTEST_SECRET;
        let words = self.secrets.iter().flat_map(|secret| secret.expose().split_whitespace());
        let mut secrets: Vec<&str> = words.filter(long_enough).collect();
        secrets.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.len()));
        let clean = secrets.into_iter().fold(text.to_owned(), |text, secret| text.replace(secret, "***"));
        plain(&clean)
    }
}
