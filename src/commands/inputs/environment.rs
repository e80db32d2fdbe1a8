//! The variables of the process, as the caller passes them.

use std::collections::BTreeMap;

/// Variables of the process.
#[derive(Default)]
pub(crate) struct Environment(BTreeMap<String, String>);

impl Environment {
    pub(crate) fn new(vars: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(vars.into_iter().collect())
    }

    /// Returns a variable exactly as it is set.
    pub(crate) fn exact(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns a variable that is set to more than white space.
    pub(crate) fn var(&self, name: &str) -> Option<&str> {
        given(self.exact(name))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Returns the value without white space around it, if anything is left. YAML block scalars, and secrets that were
/// pasted into a form, end in newlines that are not part of the value.
pub(crate) fn given(value: Option<&str>) -> Option<&str> {
    value.map(str::trim).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_variable_is_not_set() {
        let vars = [("GITHUB_SHA", " \n"), ("GITHUB_REPOSITORY", " a/b\n")];
        let environment = Environment::new(vars.map(|(name, value)| (name.into(), value.into())));
        assert_eq!(environment.var("GITHUB_SHA"), None);
        assert_eq!(environment.exact("GITHUB_SHA"), Some(" \n"));
        assert_eq!(environment.var("GITHUB_REPOSITORY"), Some("a/b"));
        assert_eq!(environment.var("GITHUB_REF"), None);
    }
}
