//! Everything that is wrong with the inputs, collected on the way and told at once.

use crate::failure::{Code, Failure};
use crate::text::plain;

/// The shortest text that is treated as a token when faults are cleared of tokens.
const SHORTEST_TOKEN: usize = 4;

/// What validation found: faults end the run, warnings do not.
#[derive(Default)]
pub(super) struct Findings {
    faults: Vec<(String, String)>,
    hints: Vec<String>,
    warnings: Vec<String>,
    token_missing: bool,
    /// GitHub gave this run no secrets, and it needs none: it is passed over, or only plans.
    pub(super) does_without_secrets: bool,
    /// Values that no message may repeat, also where a user pasted a token into the wrong input.
    secrets: Vec<String>,
}

impl Findings {
    pub(super) fn hide(&mut self, secret: &str) {
        self.secrets.extend(secret.split_whitespace().map(str::to_owned));
    }

    /// Notes a fault. The sentence goes on from the input's name: "must be …", "has …".
    pub(super) fn fault(&mut self, input: &str, sentence: impl Into<String>) {
        self.faults.push((input.to_owned(), sentence.into()));
    }

    pub(super) fn hint(&mut self, hint: impl Into<String>) {
        let hint = hint.into();
        if !self.hints.contains(&hint) {
            self.hints.push(hint);
        }
    }

    pub(super) fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    /// Warns of inputs that this run does not look at.
    pub(super) fn without_effect(&mut self, inputs: &[&str], because: impl std::fmt::Display) {
        let verb = if inputs.len() == 1 { "has" } else { "have" };
        if !inputs.is_empty() {
            self.warn(format!("`{}` {verb} no effect: {because}", inputs.join("`, `")));
        }
    }

    /// Notes that there is no token, which has a code of its own when nothing else is wrong.
    pub(super) fn token_missing(&mut self, sentence: &str) {
        self.token_missing = true;
        self.fault("hf_token", sentence);
    }

    /// Keeps what was parsed, or notes why it was not.
    pub(super) fn take<T, E: ToString>(&mut self, input: &str, parsed: Result<T, E>) -> Option<T> {
        parsed.map_err(|refusal| self.fault(input, refusal.to_string())).ok()
    }

    /// The warnings, or one failure that tells every fault.
    pub(super) fn finish(self) -> Result<Vec<String>, Failure> {
        if self.faults.is_empty() {
            let warnings = self.warnings.iter().map(|warning| self.clean(warning)).collect();
            return Ok(warnings);
        }
        let message = match self.faults.as_slice() {
            [(input, sentence)] => format!("`{}` {}", self.clean(input), self.clean(sentence)),
            faults => {
                let lines: Vec<String> = faults
                    .iter()
                    .map(|(input, sentence)| format!("`{}` {}", self.clean(input), self.clean(sentence)))
                    .collect();
                format!("{} inputs are not right:\n{}", faults.len(), lines.join("\n"))
            }
        };
        let code = match self.token_missing && self.faults.len() == 1 {
            true => Code::TokenMissing,
            false => Code::InvalidInput,
        };
        Err(self.hints.iter().fold(Failure::new(code, message), |failure, hint| failure.hint(hint)))
    }

    /// One line that holds no secret.
    fn clean(&self, text: &str) -> String {
        let mut secrets: Vec<&str> =
            self.secrets.iter().map(String::as_str).filter(|secret| secret.len() >= SHORTEST_TOKEN).collect();
        secrets.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.len()));
        let mut text = text.to_owned();
        for secret in secrets {
            text = text.replace(secret, "***");
        }
        plain(&text)
    }
}
