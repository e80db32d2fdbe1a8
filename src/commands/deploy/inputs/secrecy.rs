//! Variables that should be secrets.

use super::SecretsInFiles;
use super::faults::Findings;
use crate::folder::leaks;
use crate::ops::space::Variable;

/// Refuses variables that look like secrets, because all visitors of the Space can read variables. `secrets_in_files`
/// lets them pass: with a warning, or without.
pub(super) fn judge(variables: &[Variable], policy: Option<SecretsInFiles>, findings: &mut Findings) {
    const INPUT: &str = "variables";
    let policy = policy.unwrap_or(SecretsInFiles::Error);
    let leaking: Vec<(&str, &str)> = variables
        .iter()
        .filter_map(|variable| {
            Some((variable.key.as_str(), leaks::in_variable(&variable.key, &variable.value)?))
        })
        .collect();
    if leaking.is_empty() || policy == SecretsInFiles::Ignore {
        return;
    }
    for (key, why) in &leaking {
        let sentence =
            format!("must not hold `{key}`, which {why}: all visitors of the Space can read variables");
        match policy {
            SecretsInFiles::Error => findings.fault(INPUT, sentence),
            SecretsInFiles::Warn | SecretsInFiles::Ignore => {
                findings.warn(format!(
                    "`{INPUT}` holds `{key}`, which {why}: all visitors of the Space can read it"
                ));
            }
        }
    }
    if policy == SecretsInFiles::Error {
        let names: Vec<&str> = leaking.iter().map(|(key, _)| *key).collect();
        let env: Vec<String> = names.iter().map(|key| format!("`{key}: ${{{{ secrets.{key} }}}}`")).collect();
        findings.hint(format!(
            "write `secrets: {}` instead, and in the step's `env:` {}",
            names.join(", "),
            env.join(" and ")
        ));
        findings.hint("if everybody may read it, set `secrets_in_files: warn`");
    }
}
