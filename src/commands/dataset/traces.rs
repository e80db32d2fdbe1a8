//! The inputs about sessions of agents.

use hub::Secret;

use crate::commands::groups::{settings, sign_in};
use crate::commands::inputs::declaration::{DefaultValue, Input, ValueKind, inputs};
use crate::commands::inputs::diagnostics::Diagnostics;
use crate::commands::inputs::environment::Environment;
use crate::commands::inputs::parse::{self, Parsed};
use crate::commands::inputs::values::Values;
use crate::folder::leaks;
use crate::ops::dataset::upload::Redacts;
use crate::traces::Emails;

/// Kind of a dataset: the input that decides over the others here.
pub(super) const KIND: Input = Input {
    kind: ValueKind::Choice(&["data", "traces"]),
    summary: "Content of the files",
    details: "`data` is rows, which are checked. `traces` is sessions of agents, whose copies are uploaded without their secrets.",
    default: DefaultValue::Value("data"),
    ..Input::new("kind")
};

inputs! {
    /// Inputs of sessions of agents.
    TRACES: "Sessions of agents", "These inputs have an effect with `kind: traces` only.";
    SECRETS = Input {
        kind: ValueKind::Text("NAMES"),
        summary: "Names of secrets whose values are replaced in the sessions, separated by newlines or commas",
        details: "The `env:` of the step holds their values. Its variables whose names end in `TOKEN`, `KEY`, `SECRET` or `PASSWORD` need not be named.",
        ..Input::new("secrets")
    };
    REDACT_EMAILS = Input {
        kind: ValueKind::Flag,
        summary: "Replace e-mail addresses as well",
        default: DefaultValue::Value("false"),
        ..Input::new("redact_emails")
    };
    RAW_TRACES = Input {
        kind: ValueKind::Flag,
        summary: "Upload the files as they are, with every secret in them",
        details: "Dangerous: sessions often hold tokens, private code and personal data. Nothing is replaced or converted.",
        default: DefaultValue::Value("false"),
        ..Input::new("raw_traces")
    };
}

/// Ends of the names of variables that hold secrets.
const SECRET_ENDINGS: [&str; 4] = ["TOKEN", "KEY", "SECRET", "PASSWORD"];
/// Begin of the variables that hold inputs, such as `missing_token`.
const INPUT: &str = "INPUT_";
/// Shortest value that can be replaced, in bytes. A shorter one is part of ordinary words.
const SHORTEST: usize = 4;

/// Reads the treatment of sessions; `None` for rows. `of_rows` have an effect on rows only.
pub(super) fn read(values: &Values, of_rows: &[&Input], diagnostics: &mut Diagnostics) -> Option<Redacts> {
    let (is_traces, kind) = (values.value(&KIND, kind, diagnostics), values.place());
    let (idle, word) =
        if is_traces { (of_rows, "traces") } else { (&[&SECRETS, &REDACT_EMAILS, &RAW_TRACES][..], "data") };
    warn_of_idle(values, idle, format!("`{}`", kind.setting(&KIND, word)), diagnostics);
    if !is_traces {
        return None;
    }
    let emails = if values.flag(&REDACT_EMAILS, diagnostics) { Emails::Redact } else { Emails::Keep };
    if values.flag(&RAW_TRACES, diagnostics) {
        let raw = values.quoted(&RAW_TRACES);
        let because = format!("{raw} uploads the files as they are");
        warn_of_idle(values, &[&SECRETS, &REDACT_EMAILS], because, diagnostics);
        return Some(Redacts::Nothing);
    }
    let named = settings::read_secrets(values, &SECRETS, false, diagnostics).named;
    for secret in &named {
        if secret.value.expose().trim().len() < SHORTEST {
            let (key, sentence) = (&secret.key, "whose value is shorter than four characters");
            diagnostics.fault(&SECRETS, format!("names `{key}`, {sentence}, so that it cannot be replaced"));
        }
    }
    let token = values.given(&sign_in::HF_TOKEN).map(Secret::new);
    let named = named.into_iter().map(|secret| secret.value).chain(token);
    Some(Redacts::Secrets { values: named.chain(of_environment(values.environment())).collect(), emails })
}

fn warn_of_idle(values: &Values, inputs: &[&Input], because: String, diagnostics: &mut Diagnostics) {
    let idle: Vec<&Input> = inputs.iter().copied().filter(|input| values.asks(input)).collect();
    diagnostics.warn_without_effect(&idle, because);
}

/// Parses the kind: true for sessions.
fn kind(text: &str) -> Parsed<bool> {
    parse::choice(&KIND, text, |word| match word {
        "data" => Some(false),
        "traces" => Some(true),
        _ => None,
    })
}

/// Returns the values of variables that are secrets by their names. A switch or a word such as `true` is none.
fn of_environment(environment: &Environment) -> impl Iterator<Item = Secret> {
    let is_secret = |name: &str| {
        let name = name.to_ascii_uppercase();
        !name.starts_with(INPUT) && SECRET_ENDINGS.iter().any(|ending| name.ends_with(ending))
    };
    let secrets = environment
        .iter()
        .filter(move |(name, value)| is_secret(name) && !leaks::is_harmless("", value.trim()));
    secrets.map(|(_, value)| Secret::new(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_secrets_by_the_ends_of_their_names() {
        let variables = [
            ("HF_TOKEN", "one"),
            ("apiKey", "two words"),
            ("DB_PASSWORD", "three"),
            ("CLIENT_SECRET", "four"),
            ("TOKENIZER", "bert"),
            ("MAX_TOKENS", "4000"),
            ("USE_TOKEN", "true"),
            ("EMPTY_KEY", " "),
            ("INPUT_MISSING_TOKEN", "fail"),
        ];
        let environment = Environment::new(variables.map(|(name, value)| (name.into(), value.into())));
        let mut found: Vec<String> =
            of_environment(&environment).map(|secret| secret.expose().to_owned()).collect();
        found.sort();
        assert_eq!(found, ["four", "one", "three", "two words"]);
    }
}
