//! Suggestions for misspelt values.

use super::text::{ParseError, shorten};

/// Length of a bad value that a refusal repeats, in characters.
const SHOWN: usize = 120;

/// Returns the known name that differs from `unknown` by a few slips of the keyboard.
pub fn closest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = letters_of(unknown);
    let (distance, best) = known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&letters, &letters_of(name)), name))
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= slips(letters.len().max(letters_of(best).len()))).then_some(best)
}

/// Returns the choice that a value stands for: one that begins with it, else one that looks like it.
/// Of several, the first wins, so `choices` lists the cheapest first.
pub fn meant<'a>(text: &str, choices: &[&'a str]) -> Option<&'a str> {
    let word = letters_of(text);
    if word.len() < 2 {
        return None;
    }
    let find =
        |fits: fn(&str, &str) -> bool| choices.iter().copied().find(|name| fits(&letters_of(name), &word));
    find(|name, word| name == word)
        .or_else(|| find(|name, word| name.starts_with(word)))
        .or_else(|| closest(text, choices.iter().copied()))
        .or_else(|| find(|name, word| word.len() > 2 && name.contains(word)))
}

/// Returns the first of the choices that share the longest beginning with a value.
pub fn of_the_family<'a>(text: &str, choices: &[&'a str]) -> Option<&'a str> {
    let word = letters_of(text);
    let shared = |name: &str| {
        letters_of(name).bytes().zip(word.bytes()).take_while(|(one, other)| one == other).count()
    };
    let best = choices.iter().copied().min_by_key(|name| std::cmp::Reverse(shared(name)))?;
    (shared(best) >= 2).then_some(best)
}

/// Refuses a value that is none of `choices`.
pub fn one_of<T>(choices: &[&str], text: &str) -> Result<T, ParseError> {
    Err(refusal(choices, text))
}

/// Returns the refusal of a value that is none of `choices`, with the one that was meant.
pub fn refusal(choices: &[&str], text: &str) -> ParseError {
    let listed = match choices {
        [all @ .., last] if !all.is_empty() => format!("`{}` or `{last}`", all.join("`, `")),
        _ => format!("`{}`", choices.join("`, `")),
    };
    let meant = meant(text, choices).map(|name| format!(": did you mean `{name}`?")).unwrap_or_default();
    ParseError(format!("must be {listed}, not `{}`{meant}", shorten(text, SHOWN)))
}

/// Returns the number of slips that a name of this length may have. Short names must be closer, because two of them
/// differ by a slip or two even if they have nothing to do with each other.
fn slips(length: usize) -> usize {
    match length {
        0..=5 => 1,
        6..=11 => 2,
        _ => 3,
    }
}

/// Returns a name without what people mix up: `repo-type`, `repoType` and `repo_type` have the same letters.
pub fn letters_of(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_suggests_the_first_choice_that_begins_with_it() {
        let choices = ["gradio", "docker", "static", "streamlit"];
        for (text, expected) in [
            ("Gradio", Some("gradio")),
            ("GRADIO", Some("gradio")),
            ("st", Some("static")),
            ("stream", Some("streamlit")),
            ("dcoker", Some("docker")),
            ("lit", Some("streamlit")),
            ("s", None),
            ("vue", None),
            ("", None),
        ] {
            assert_eq!(meant(text, &choices), expected, "{text}");
        }
    }

    #[test]
    fn a_refusal_lists_the_choices() {
        let refusal = |choices: &[&str], text: &str| refusal(choices, text).0;
        assert_eq!(refusal(&["fail", "skip"], "pass"), "must be `fail` or `skip`, not `pass`");
        assert_eq!(
            refusal(&["space", "model", "dataset"], "spaces"),
            "must be `space`, `model` or `dataset`, not `spaces`: did you mean `space`?"
        );
    }
}
