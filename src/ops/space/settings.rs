//! Variables, secrets and volumes: current × wanted × policy → writes, and the writes carried out.
//!
//! Each write restarts the Space: what is as it should be is not written.

use std::collections::{BTreeMap, BTreeSet};

use hub::{Hub, HubError, MountedVolume, Repo, SettingKind, Volume};

use super::options::{NamedSecret, SettingsOptions, SettingsStrategy, Variable};
use crate::failure::{Code, Failure, Result};

/// What a Space has now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Current {
    pub variables: BTreeMap<String, String>,
    /// The names: nobody can read the values.
    pub secrets: BTreeSet<String>,
}

/// One thing to write, and the reason for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    pub change: Change,
    /// The end of a sentence.
    pub because: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    SetVariable(Variable),
    SetSecret(NamedSecret),
    Delete(SettingKind, String),
}

/// What a deploy does to the settings, in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettingsPlan {
    pub writes: Vec<Write>,
    /// Secrets that are left, since nobody knows whether they differ.
    pub left: Vec<String>,
}

impl Change {
    pub fn kind(&self) -> SettingKind {
        match self {
            Self::SetVariable(_) => SettingKind::Variable,
            Self::SetSecret(_) => SettingKind::Secret,
            Self::Delete(kind, _) => *kind,
        }
    }

    pub fn key(&self) -> &str {
        match self {
            Self::SetVariable(variable) => &variable.key,
            Self::SetSecret(secret) => &secret.key,
            Self::Delete(_, key) => key,
        }
    }

    pub fn is_deletion(&self) -> bool {
        matches!(self, Self::Delete(..))
    }

    /// Writes it to the Hub.
    pub async fn write(&self, hub: &Hub, space: &Repo) -> Result<(), HubError> {
        match self {
            Self::SetVariable(variable) => hub.set_variable(space, &variable.key, &variable.value).await,
            Self::SetSecret(secret) => hub.set_secret(space, &secret.key, &secret.value).await,
            Self::Delete(kind, key) => hub.delete_setting(space, *kind, key).await,
        }
    }
}

/// Whether these inputs say anything of variables and secrets.
pub fn are_named(wanted: &SettingsOptions) -> bool {
    let overwrites = [SettingKind::Variable, SettingKind::Secret].map(|kind| overwrites(wanted, kind));
    overwrites.contains(&true) || !wanted.variables.is_empty() || !wanted.secrets.is_empty()
}

/// Returns true if unnamed settings of this kind are deleted: only if the input for the kind is given.
fn overwrites(wanted: &SettingsOptions, kind: SettingKind) -> bool {
    let given = match kind {
        SettingKind::Variable => wanted.variables_given,
        SettingKind::Secret => wanted.secrets_given,
    };
    given && wanted.strategy == SettingsStrategy::Overwrite
}

/// Reads what a Space has.
pub async fn read(hub: &Hub, space: &Repo) -> Result<Current> {
    let (variables, secrets) = tokio::try_join!(hub.variables(space), hub.secret_names(space))?;
    Ok(Current { variables, secrets: secrets.into_iter().collect() })
}

/// Refuses names that the Space has as the other kind: with both, it would not start.
pub fn check_collisions(current: &Current, wanted: &SettingsOptions, settings_page: &str) -> Result<()> {
    let variables = wanted.variables.iter().map(|variable| &variable.key);
    let secrets = wanted.secrets.iter().map(|secret| &secret.key);
    let mut collisions: Vec<String> = variables
        .filter(|key| current.secrets.contains(*key))
        .map(|key| format!("`{key}` is to be a variable, and the Space has a secret of this name"))
        .collect();
    collisions.extend(
        secrets
            .filter(|key| current.variables.contains_key(*key))
            .map(|key| format!("`{key}` is to be a secret, and the Space has a variable of this name")),
    );
    if collisions.is_empty() {
        return Ok(());
    }
    Err(Failure::new(Code::SettingsCollision, collisions.join("; "))
        .hint(format!(
            "a Space with both does not start: delete the old one at {settings_page}, or choose another name"
        ))
        .hint("nothing was changed"))
}

/// What to write. `commits` says that this deploy commits a change, which restarts the Space anyway.
pub fn diff(current: &Current, wanted: &SettingsOptions, commits: bool) -> SettingsPlan {
    let mut plan = SettingsPlan::default();
    let mut write = |change, because| plan.writes.push(Write { change, because });
    let because = "it is not named, and `settings_strategy` is `overwrite`";
    if overwrites(wanted, SettingKind::Variable) {
        for key in current.variables.keys().filter(|key| wanted.variables.iter().all(|v| v.key != **key)) {
            write(Change::Delete(SettingKind::Variable, key.clone()), because);
        }
    }
    if overwrites(wanted, SettingKind::Secret) {
        for key in current.secrets.iter().filter(|key| wanted.secrets.iter().all(|s| s.key != **key)) {
            write(Change::Delete(SettingKind::Secret, key.clone()), because);
        }
    }
    for variable in &wanted.variables {
        let because = match current.variables.get(&variable.key) {
            None => "it is new",
            Some(value) if *value == variable.value => continue,
            Some(_) => "its value changed",
        };
        write(Change::SetVariable(variable.clone()), because);
    }
    let mut left = Vec::new();
    for secret in &wanted.secrets {
        let because = if !current.secrets.contains(&secret.key) {
            "it is new"
        } else if wanted.force_secrets {
            "`force_secrets` is `true`"
        } else if commits {
            "this deploy restarts the Space anyway"
        } else {
            left.push(secret.key.clone());
            continue;
        };
        write(Change::SetSecret(secret.clone()), because);
    }
    plan.left = left;
    plan
}

/// What is to be mounted: `None` when it is already. What is mounted elsewhere stays, unless the strategy
/// is to overwrite, or nothing at all is wanted.
pub fn diff_volumes(
    current: &[MountedVolume],
    wanted: &[Volume],
    strategy: SettingsStrategy,
) -> Option<Vec<MountedVolume>> {
    let mut all: Vec<MountedVolume> = wanted.iter().map(MountedVolume::from).collect();
    if strategy == SettingsStrategy::Merge && !wanted.is_empty() {
        let stays = |volume: &&MountedVolume| wanted.iter().all(|other| other.mount != mount_of(volume));
        all.extend(current.iter().filter(stays).cloned());
    }
    let same = |a: &MountedVolume, b: &MountedVolume| {
        (&a.kind, &a.source, mount_of(a), &a.path) == (&b.kind, &b.source, mount_of(b), &b.path)
            && is_read_only(a) == is_read_only(b)
    };
    let equal = all.len() == current.len()
        && all.iter().all(|volume| current.iter().any(|other| same(volume, other)));
    (!equal).then_some(all)
}

fn mount_of(volume: &MountedVolume) -> &str {
    volume.mount_path.trim_end_matches('/')
}

/// Buckets are writable where the Hub does not say; repos never are.
fn is_read_only(volume: &MountedVolume) -> bool {
    volume.read_only.unwrap_or(volume.kind != "bucket")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub::Secret;

    fn current() -> Current {
        Current {
            variables: [("MODE", "slow"), ("OLD", "1")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            secrets: ["KEY", "GONE"].map(str::to_owned).into(),
        }
    }

    fn wanted(variables: &[(&str, &str)], secrets: &[&str]) -> SettingsOptions {
        let variable = |(key, value): &(&str, &str)| Variable { key: (*key).into(), value: (*value).into() };
        let secret = |key: &&str| NamedSecret { key: (*key).into(), value: Secret::new("value") };
        SettingsOptions {
            variables: variables.iter().map(variable).collect(),
            variables_given: !variables.is_empty(),
            secrets: secrets.iter().map(secret).collect(),
            secrets_given: !secrets.is_empty(),
            ..SettingsOptions::default()
        }
    }

    #[track_caller]
    fn check(wanted: &SettingsOptions, commits: bool, expected: &[&str], left: &[&str]) {
        let plan = diff(&current(), wanted, commits);
        let sign = |change: &Change| if change.is_deletion() { '-' } else { '+' };
        let writes: Vec<String> = plan
            .writes
            .iter()
            .map(|w| {
                format!("{}{} {}: {}", sign(&w.change), w.change.kind().as_str(), w.change.key(), w.because)
            })
            .collect();
        assert_eq!(writes, expected);
        assert_eq!(plan.left, left);
    }

    #[test]
    fn only_differences_are_written() {
        check(&wanted(&[("MODE", "slow")], &["KEY"]), false, &[], &["KEY"]);
        check(
            &wanted(&[("MODE", "fast"), ("NEW", "")], &["KEY", "FRESH"]),
            false,
            &["+variable MODE: its value changed", "+variable NEW: it is new", "+secret FRESH: it is new"],
            &["KEY"],
        );
    }

    #[test]
    fn a_secret_is_written_when_the_restart_is_coming_or_when_forced() {
        let mut wanted = wanted(&[], &["KEY"]);
        check(&wanted, true, &["+secret KEY: this deploy restarts the Space anyway"], &[]);
        wanted.force_secrets = true;
        check(&wanted, false, &["+secret KEY: `force_secrets` is `true`"], &[]);
    }

    #[test]
    fn overwrite_deletes_what_is_not_named_where_the_input_is_given() {
        let overwrite = |variables, secrets| {
            let strategy = SettingsStrategy::Overwrite;
            SettingsOptions { strategy, ..wanted(variables, secrets) }
        };
        let because = "it is not named, and `settings_strategy` is `overwrite`";
        let [old, gone, key] =
            ["-variable OLD", "-secret GONE", "-secret KEY"].map(|change| format!("{change}: {because}"));
        check(&overwrite(&[("MODE", "slow")], &["KEY"]), false, &[&old, &gone], &["KEY"]);
        check(&overwrite(&[("MODE", "slow")], &[]), false, &[&old], &[]);
        check(&overwrite(&[], &["KEY"]), false, &[&gone], &["KEY"]);
        check(&overwrite(&[], &[]), false, &[], &[]);
        assert!(!are_named(&overwrite(&[], &[])));
        let none = SettingsOptions { secrets_given: true, ..overwrite(&[], &[]) };
        check(&none, false, &[&gone, &key], &[]);
        assert!(are_named(&none));
    }

    #[test]
    fn a_name_of_the_other_kind_is_refused() {
        let failure = check_collisions(&current(), &wanted(&[("KEY", "x")], &["OLD"]), "https://h/settings")
            .unwrap_err();
        assert_eq!(failure.code, Code::SettingsCollision);
        assert!(failure.message.contains("`KEY` is to be a variable"), "{failure}");
        assert!(failure.message.contains("`OLD` is to be a secret"), "{failure}");
        assert!(check_collisions(&current(), &wanted(&[("MODE", "x")], &["KEY"]), "").is_ok());
    }

    #[test]
    fn volumes_stay_where_they_are() {
        let volume = |text: &str| text.parse::<Volume>().unwrap();
        let mounted = |text: &str| MountedVolume { read_only: None, ..MountedVolume::from(&volume(text)) };
        let current = [mounted("bucket:a/b:/data"), mounted("model:a/m:/models")];
        let merge = |wanted: &[Volume]| diff_volumes(&current, wanted, SettingsStrategy::Merge);
        let overwrite = |wanted: &[Volume]| diff_volumes(&current, wanted, SettingsStrategy::Overwrite);
        assert_eq!(merge(&[volume("bucket:a/b:/data")]), None);
        assert_eq!(overwrite(&[volume("model:a/m:/models"), volume("bucket:a/b:/data")]), None);
        assert_eq!(merge(&[volume("bucket:a/c:/cache")]).unwrap().len(), 3);
        assert_eq!(merge(&[volume("bucket:a/c:/data")]).unwrap().len(), 2);
        assert_eq!(merge(&[volume("bucket:a/b:/data:ro")]).unwrap()[0].read_only, Some(true));
        assert_eq!(overwrite(&[volume("bucket:a/b:/data")]).unwrap().len(), 1);
        assert_eq!(merge(&[]), Some(Vec::new()));
        assert_eq!(diff_volumes(&[], &[], SettingsStrategy::Merge), None);
    }
}
