//! Variables that should be secrets.

use crate::commands::inputs::declaration::Input;
use crate::commands::inputs::diagnostics::Diagnostics;
use crate::commands::inputs::place::InputPlace;
use crate::folder::leaks;
use crate::ops::deploy::options::SecretsInFiles;
use crate::ops::space::Variable;

/// Refuses variables that look like secrets, because all visitors of the Space can read variables. The policy may allow
/// them, with a warning or without.
pub(super) fn check(
    input: &Input,
    variables: &[Variable],
    policy: SecretsInFiles,
    diagnostics: &mut Diagnostics,
) {
    let leaks: Vec<(&str, &str)> = variables
        .iter()
        .filter_map(|variable| {
            Some((variable.key.as_str(), leaks::in_variable(&variable.key, &variable.value)?))
        })
        .collect();
    if leaks.is_empty() {
        return;
    }
    match policy {
        SecretsInFiles::Ignore => {}
        SecretsInFiles::Warn => {
            for (key, why) in leaks {
                let name = diagnostics.name(input);
                diagnostics.warn(format!(
                    "`{name}` holds `{key}`, which {why}: all visitors of the Space can read it"
                ));
            }
        }
        SecretsInFiles::Error => {
            for (key, why) in &leaks {
                diagnostics.fault(
                    input,
                    format!(
                        "must not hold `{key}`, which {why}: all visitors of the Space can read variables"
                    ),
                );
            }
            let keys: Vec<&str> = leaks.iter().map(|(key, _)| *key).collect();
            advise(&keys, diagnostics);
        }
    }
}

fn advise(keys: &[&str], diagnostics: &mut Diagnostics) {
    let names = keys.join(", ");
    match diagnostics.place() {
        InputPlace::Workflow => {
            let env: Vec<String> =
                keys.iter().map(|key| format!("`{key}: ${{{{ secrets.{key} }}}}`")).collect();
            diagnostics.hint(format!(
                "write `secrets: {names}` instead, and in the step's `env:` {}",
                env.join(" and ")
            ));
            diagnostics.hint("if everybody may read it, set `secrets_in_files: warn`");
        }
        InputPlace::CommandLine => {
            diagnostics.hint(format!("write `--secrets={names}` instead, and set the variables"));
            diagnostics.hint("if everybody may read it, set `--secrets-in-files=warn`");
        }
    }
}
