//! The declaration of an input. action.yml, the tables in README, `--help` and the checks of names follow from it.

/// An input of an action, which is an option of its command as well.
#[derive(Debug, Clone, Copy)]
pub struct Input {
    /// Name under `with:`; on the command line, `-` replaces `_`.
    pub name: &'static str,
    pub kind: ValueKind,
    /// Meaning in a few words, without a period. The words of a choice follow it.
    pub summary: &'static str,
    /// Further sentences; may be empty. The default follows them.
    pub details: &'static str,
    pub default: DefaultValue,
    /// The value is masked. On the command line it comes from the environment, because other users of the machine can
    /// read arguments.
    pub is_secret: bool,
    /// On the command line, the value stands without the name of the input.
    pub is_positional: bool,
    /// Conditions under which the input has an effect. An empty list is always.
    pub only: &'static [Only],
    /// Names of the same input in other tools, which no spelling leads from.
    pub elsewhere: &'static [&'static str],
    /// Names of switches in other tools, with the word that this input has for `true` and for `false`.
    pub switches: &'static [(&'static str, [&'static str; 2])],
}

/// Form of a value.
#[derive(Debug, Clone, Copy)]
pub enum ValueKind {
    /// Text, which `--help` shows as this placeholder.
    Text(&'static str),
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// Meaning of an input that is left out or empty.
#[derive(Debug, Clone, Copy)]
pub enum DefaultValue {
    /// A value that action.yml has as well, so that the runner passes it to each run.
    Passed(&'static str),
    /// A value.
    Value(&'static str),
    /// A value in words.
    Words(&'static str),
    /// No default, because the command cannot run without the input.
    Required,
}

/// Condition under which an input has an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Only {
    /// The repo is a Space.
    Spaces,
    /// The input of this name is on, or set.
    With(&'static str),
}

/// Inputs that belong together. Commands share groups.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// Heading of the table in README and of the options in `--help`.
    pub title: &'static str,
    /// Text between the heading and the table in README; may be empty.
    pub intro: &'static str,
    pub inputs: &'static [Input],
}

impl Input {
    /// Returns an input that others are made of: a text without a default.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            kind: ValueKind::Text("TEXT"),
            summary: "",
            details: "",
            default: DefaultValue::Words("none"),
            is_secret: false,
            is_positional: false,
            only: &[],
            elsewhere: &[],
            switches: &[],
        }
    }

    /// Returns the description without the default.
    pub fn meaning(&self) -> String {
        let words = match self.kind {
            ValueKind::Choice(words) => format!(": {}", listed(words)),
            ValueKind::Text(_) | ValueKind::Flag => String::new(),
        };
        let details = if self.details.is_empty() { String::new() } else { format!(" {}", self.details) };
        format!("{}{words}.{details}", self.summary)
    }

    /// Returns the description in action.yml.
    pub fn description(&self) -> String {
        match self.default {
            DefaultValue::Required => format!("{} Required.", self.meaning()),
            default => format!("{} Default: {}.", self.meaning(), default.shown()),
        }
    }

    /// Returns the words of a choice.
    pub(crate) fn choices(&self) -> &'static [&'static str] {
        match self.kind {
            ValueKind::Choice(words) => words,
            ValueKind::Flag => &["true", "false"],
            ValueKind::Text(_) => &[],
        }
    }
}

impl DefaultValue {
    /// Returns the default of action.yml.
    pub fn passed(self) -> Option<&'static str> {
        match self {
            Self::Passed(value) => Some(value),
            Self::Value(_) | Self::Words(_) | Self::Required => None,
        }
    }

    /// Returns the default, unless it is only described.
    pub(crate) fn value(self) -> Option<&'static str> {
        match self {
            Self::Passed(value) | Self::Value(value) => Some(value),
            Self::Words(_) | Self::Required => None,
        }
    }

    /// Returns the default as Markdown.
    pub fn shown(self) -> String {
        match self {
            Self::Passed(value) | Self::Value(value) => format!("`{value}`"),
            Self::Words(words) => words.to_owned(),
            Self::Required => "required".to_owned(),
        }
    }
}

/// Lists words in backticks, such as "`a`, `b` or `c`".
fn listed(words: &[&str]) -> String {
    match words {
        [all @ .., last] if !all.is_empty() => format!("`{}` or `{last}`", all.join("`, `")),
        _ => format!("`{}`", words.join("`, `")),
    }
}

/// Returns the input of this name.
pub(crate) fn find(groups: &'static [Group], name: &str) -> Option<&'static Input> {
    groups.iter().flat_map(|group| group.inputs).find(|input| input.name == name)
}

/// Declares a group of inputs: a constant for each input, and one for the group.
macro_rules! inputs {
    (
        $(#[$meta:meta])*
        $group:ident: $title:literal, $intro:literal;
        $($(#[$input_meta:meta])* $name:ident = $input:expr;)+
    ) => {
        $($(#[$input_meta])* pub(crate) const $name: $crate::commands::inputs::declaration::Input = $input;)+

        $(#[$meta])*
        pub(crate) const $group: $crate::commands::inputs::declaration::Group =
            $crate::commands::inputs::declaration::Group {
                title: $title,
                intro: $intro,
                inputs: &[$($name),+],
            };
    };
}
pub(crate) use inputs;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn description_ends_with_the_default() {
        let wait = Input {
            kind: ValueKind::Choice(&["yes", "no", "later"]),
            summary: "Wait for the Space",
            details: "Not for models.",
            default: DefaultValue::Value("later"),
            ..Input::new("wait")
        };
        assert_eq!(
            wait.description(),
            "Wait for the Space: `yes`, `no` or `later`. Not for models. Default: `later`."
        );
        let bare = Input { summary: "Text of it", ..Input::new("text") };
        assert_eq!(bare.description(), "Text of it. Default: none.");
        let required = Input { default: DefaultValue::Required, ..bare };
        assert_eq!(required.description(), "Text of it. Required.");
    }
}
