//! The values of the inputs as text, from a workflow or from a command line.

use std::collections::BTreeMap;

use super::declaration::{DefaultValue, Group, Input, Only, find};
use super::diagnostics::Diagnostics;
use super::environment::{Environment, given};
use super::names;
use super::parse;
use super::place::{self, InputPlace};
use crate::failure::{Code, Failure, Result};

/// Values of the declared inputs, and the environment beside them.
pub(crate) struct Values {
    declared: &'static [Group],
    place: InputPlace,
    texts: BTreeMap<String, String>,
    environment: Environment,
}

/// Value of an input after parsing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field<T> {
    /// Left out, or empty.
    Absent,
    /// A fault was noted.
    Invalid,
    Given(T),
}

impl<T> Field<T> {
    /// Returns the value if it is given and valid.
    pub(crate) fn ok(self) -> Option<T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Absent | Self::Invalid => None,
        }
    }

    /// Returns the value, or the default. An invalid value gets the default too, because its fault ends the run.
    pub(crate) fn or(self, default: T) -> T {
        self.ok().unwrap_or(default)
    }
}

impl Values {
    /// Reads the `INPUT_*` variables of GitHub's runner.
    pub(crate) fn from_runner(
        vars: impl IntoIterator<Item = (String, String)>,
        declared: &'static [Group],
    ) -> Result<Self> {
        let environment = Environment::new(vars);
        // envy folds the case of all names, and would strip the beginning of `input_file` as well, so that it gets
        // declared names only, without their prefix.
        let known = declared.iter().flat_map(|group| group.inputs).filter_map(|input| {
            let value = environment.exact(&names::runner_variable(input.name))?.to_owned();
            Some((input.name.to_owned(), value))
        });
        let texts = envy::from_iter(known).map_err(|error| {
            Failure::new(Code::Internal, "cannot read the inputs from the environment").caused_by(error)
        })?;
        Ok(Self { declared, place: InputPlace::Workflow, texts, environment })
    }

    /// Reads the options of a command, and its secrets from the environment.
    pub(crate) fn from_options(
        options: &clap::ArgMatches,
        vars: impl IntoIterator<Item = (String, String)>,
        declared: &'static [Group],
    ) -> Self {
        let environment = Environment::new(vars);
        let value = |input: &Input| {
            if input.is_secret {
                environment.exact(&place::variable(input)).map(str::to_owned)
            } else {
                options.get_one::<String>(input.name).cloned()
            }
        };
        let inputs = declared.iter().flat_map(|group| group.inputs);
        let texts = inputs.filter_map(|input| Some((input.name.to_owned(), value(input)?))).collect();
        Self { declared, place: InputPlace::CommandLine, texts, environment }
    }

    /// Returns diagnostics that have the misspelt names, and never show a secret input. A name in the place of a token
    /// is no secret.
    pub(crate) fn diagnostics(&self) -> Diagnostics {
        let mut diagnostics = Diagnostics::new(self.place);
        let inputs = self.declared.iter().flat_map(|group| group.inputs);
        let secrets = inputs.filter(|input| input.is_secret).filter_map(|input| self.given(input));
        secrets
            .filter(|text| super::tokens::named_variable(text).is_none())
            .for_each(|text| diagnostics.hide(text));
        self.check_names(&mut diagnostics);
        diagnostics
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }

    pub(crate) fn place(&self) -> InputPlace {
        self.place
    }

    /// Returns the name of an input in backticks, as the user writes it.
    pub(crate) fn quoted(&self, input: &Input) -> String {
        format!("`{}`", self.place.name(input))
    }

    /// Returns the text of an input exactly as it is set.
    pub(crate) fn text(&self, input: &Input) -> Option<&str> {
        debug_assert!(find(self.declared, input.name).is_some(), "`{}` is not declared", input.name);
        self.texts.get(input.name).map(String::as_str)
    }

    /// Returns the text without white space around it, if anything is left.
    pub(crate) fn given(&self, input: &Input) -> Option<&str> {
        given(self.text(input))
    }

    /// Returns the text, without white space around it, as a value of its own.
    pub(crate) fn string(&self, input: &Input) -> Option<String> {
        self.given(input).map(str::to_owned)
    }

    /// Parses an input that may be left out.
    pub(crate) fn field<T, E: ToString>(
        &self,
        input: &Input,
        parse: impl FnOnce(&str) -> std::result::Result<T, E>,
        diagnostics: &mut Diagnostics,
    ) -> Field<T> {
        match self.given(input).map(parse) {
            None => Field::Absent,
            Some(parsed) => diagnostics.take(input, parsed).map_or(Field::Invalid, Field::Given),
        }
    }

    /// Parses an input that has a default.
    pub(crate) fn value<T, E: ToString>(
        &self,
        input: &Input,
        parse: impl Fn(&str) -> std::result::Result<T, E>,
        diagnostics: &mut Diagnostics,
    ) -> T {
        let default = parse::default(input, &parse);
        self.field(input, parse, diagnostics).or(default)
    }

    /// Parses an input that must be set; `None` is a fault.
    pub(crate) fn required<T, E: ToString>(
        &self,
        input: &Input,
        parse: impl FnOnce(&str) -> std::result::Result<T, E>,
        diagnostics: &mut Diagnostics,
    ) -> Option<T> {
        let field = self.field(input, parse, diagnostics);
        if matches!(field, Field::Absent) {
            diagnostics.fault(input, "must be set");
        }
        field.ok()
    }

    /// Parses a flag that has a default.
    pub(crate) fn flag(&self, input: &Input, diagnostics: &mut Diagnostics) -> bool {
        self.value(input, parse::boolean, diagnostics)
    }

    /// Returns true if an input is set to more than its default: a flag that is on, or a value that the runner does not
    /// pass to each run.
    pub(crate) fn asks(&self, input: &Input) -> bool {
        let Some(text) = self.given(input) else { return false };
        match input.default {
            DefaultValue::Passed(default) => text != default,
            DefaultValue::Value("false") => !text.eq_ignore_ascii_case("false"),
            DefaultValue::Value(_) | DefaultValue::Words(_) | DefaultValue::Required => true,
        }
    }

    /// Warns of inputs that are set, and have an effect only under a condition that does not hold.
    pub(crate) fn warn_without(
        &self,
        condition: Only,
        because: impl std::fmt::Display,
        diagnostics: &mut Diagnostics,
    ) {
        let inputs = self.declared.iter().flat_map(|group| group.inputs);
        let idle: Vec<&Input> =
            inputs.filter(|input| input.only.contains(&condition) && self.asks(input)).collect();
        diagnostics.warn_without_effect(&idle, because);
    }

    /// Notes the `INPUT_*` variables whose names look like a misspelt input. All others are left alone, because images
    /// set variables with that beginning as well.
    fn check_names(&self, diagnostics: &mut Diagnostics) {
        if self.place == InputPlace::CommandLine {
            return;
        }
        for (name, value) in self.environment.iter() {
            let Some(name) = name.strip_prefix(names::PREFIX).map(str::to_lowercase) else { continue };
            if find(self.declared, &name).is_some() {
                continue;
            }
            if let Some(advice) = names::advice(self.declared, &name, value) {
                diagnostics.fault_of_name(&name, format!("is not an input of this action: {advice}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::groups::{commit, files, sign_in};

    const DECLARED: &[Group] = &[sign_in::SIGN_IN, files::FILES, commit::COMMIT];

    fn read(vars: &[(&str, &str)]) -> Values {
        let vars = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Values::from_runner(vars, DECLARED).unwrap()
    }

    #[test]
    fn only_exact_names_of_the_runner_are_read() {
        let values = read(&[
            ("INPUT_PRUNE", "true"),
            ("input_dry_run", "true"),
            ("INPUT_INPUT_HF_TOKEN", "x"),
            ("INPUT_DRY-RUN", "true"),
            ("PRUNE", "false"),
            ("INPUT_WHATEVER_ELSE", "1"),
        ]);
        assert_eq!(values.text(&files::PRUNE), Some("true"));
        assert_eq!(values.text(&commit::DRY_RUN), None);
        assert_eq!(values.text(&sign_in::HF_TOKEN), None);
        let failure = values.diagnostics().finish().unwrap_err();
        assert_eq!(failure.message, "`dry-run` is not an input of this action: did you mean `dry_run`?");
    }

    #[test]
    fn options_and_variables_give_the_same_values() {
        let command = super::super::options::add(clap::Command::new("x"), DECLARED);
        let options = command.get_matches_from(["x", "--prune", "true", "--dry-run", "--include", "*.py"]);
        let vars = [("HF_TOKEN".to_owned(), "hf_x".to_owned()), ("INPUT_EXCLUDE".to_owned(), "y".to_owned())];
        let values = Values::from_options(&options, vars, DECLARED);
        assert_eq!(values.given(&files::PRUNE), Some("true"));
        assert_eq!(values.given(&commit::DRY_RUN), Some("true"));
        assert_eq!(values.given(&files::INCLUDE), Some("*.py"));
        assert_eq!(values.given(&files::EXCLUDE), None);
        assert_eq!(values.given(&sign_in::HF_TOKEN), Some("hf_x"));
    }

    #[test]
    fn default_asks_for_nothing() {
        let values = read(&[("INPUT_PRUNE", "auto"), ("INPUT_DRY_RUN", "False"), ("INPUT_INCLUDE", "*.py")]);
        assert!(!values.asks(&files::PRUNE) && !values.asks(&files::EXCLUDE));
        assert!(values.asks(&files::INCLUDE));
    }
}
