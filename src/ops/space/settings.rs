//! Variables, secrets and volumes of a Space: the writes between the current settings and the wanted ones.
//!
//! Each write restarts the Space, so equal settings are not written.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use hub::{Hub, MountedVolume, Repo, SettingKind, Volume};

use super::options::{NamedSecret, SettingsOptions, SettingsStrategy, Variable};
use crate::setting::{FORCE_SECRETS, SETTINGS_STRATEGY};

/// Settings that a Space has now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CurrentSettings {
    pub variables: BTreeMap<String, String>,
    /// The names, because the Hub does not return the values.
    pub secrets: BTreeSet<String>,
}

/// One write, and the reason for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingWrite {
    pub change: SettingChange,
    /// The end of a sentence.
    pub because: Cow<'static, str>,
}

/// Change of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingChange {
    SetVariable(Variable),
    SetSecret(NamedSecret),
    Delete(SettingKind, String),
}

/// Writes of a deploy, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettingsPlan {
    pub writes: Vec<SettingWrite>,
    /// Secrets that are not written, because the Hub does not return their values for a comparison.
    pub left: Vec<String>,
}

/// The restart of the Space that a deploy causes without a change of settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// A commit or the creation restarts it.
    Expected,
    /// Only a write of a setting would restart it.
    None,
}

impl SettingChange {
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
    pub async fn write(&self, hub: &Hub, space: &Repo) -> Result<(), hub::Error> {
        match self {
            Self::SetVariable(variable) => hub.set_variable(space, &variable.key, &variable.value).await,
            Self::SetSecret(secret) => hub.set_secret(space, &secret.key, &secret.value).await,
            Self::Delete(kind, key) => hub.delete_setting(space, *kind, key).await,
        }
    }
}

/// Returns true if these options concern variables or secrets.
pub fn are_named(wanted: &SettingsOptions) -> bool {
    let overwrites = [SettingKind::Variable, SettingKind::Secret].map(|kind| overwrites(wanted, kind));
    overwrites.contains(&true) || !wanted.variables.is_empty() || !wanted.secrets.is_empty()
}

/// Returns true if unnamed settings of this kind are deleted, which needs the option for the kind.
fn overwrites(wanted: &SettingsOptions, kind: SettingKind) -> bool {
    let given = match kind {
        SettingKind::Variable => wanted.variables_given,
        SettingKind::Secret => wanted.secrets_given,
    };
    given && wanted.strategy == SettingsStrategy::Overwrite
}

/// Reads the settings of a Space.
pub async fn read(hub: &Hub, space: &Repo) -> Result<CurrentSettings, hub::Error> {
    let (variables, secrets) = tokio::try_join!(hub.variables(space), hub.secret_names(space))?;
    Ok(CurrentSettings { variables, secrets: secrets.into_iter().collect() })
}

/// Names that would be a variable and a secret at the same time.
#[derive(Debug)]
pub struct SettingsCollision {
    collisions: Vec<String>,
    /// The page on which a person can delete the old ones.
    pub settings_page: String,
}

impl fmt::Display for SettingsCollision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.collisions.join("; "))
    }
}

/// Refuses names that the Space has as the other kind, because a Space with both does not start.
pub fn check_collisions(
    current: &CurrentSettings,
    wanted: &SettingsOptions,
    settings_page: &str,
) -> Result<(), SettingsCollision> {
    let variables = wanted.variables.iter().map(|variable| &variable.key);
    let secrets = wanted.secrets.iter().map(|secret| &secret.key);
    let mut collisions: Vec<String> = variables
        .filter(|key| current.secrets.contains(*key))
        .map(|key| format!("cannot set the variable `{key}`: the Space has a secret of this name"))
        .collect();
    collisions.extend(
        secrets
            .filter(|key| current.variables.contains_key(*key))
            .map(|key| format!("cannot set the secret `{key}`: the Space has a variable of this name")),
    );
    if collisions.is_empty() {
        return Ok(());
    }
    Err(SettingsCollision { collisions, settings_page: settings_page.to_owned() })
}

/// Plans the writes. A secret is written if a restart is expected anyway, because it may differ.
pub fn diff(current: &CurrentSettings, wanted: &SettingsOptions, restart: Restart) -> SettingsPlan {
    let mut plan = SettingsPlan::default();
    let mut write = |change, because| plan.writes.push(SettingWrite { change, because });
    let because = || Cow::Owned(format!("it is not named, and {SETTINGS_STRATEGY} is `overwrite`"));
    if overwrites(wanted, SettingKind::Variable) {
        for key in current.variables.keys().filter(|key| wanted.variables.iter().all(|v| v.key != **key)) {
            write(SettingChange::Delete(SettingKind::Variable, key.clone()), because());
        }
    }
    if overwrites(wanted, SettingKind::Secret) {
        for key in current.secrets.iter().filter(|key| wanted.secrets.iter().all(|s| s.key != **key)) {
            write(SettingChange::Delete(SettingKind::Secret, key.clone()), because());
        }
    }
    for variable in &wanted.variables {
        let because = match current.variables.get(&variable.key) {
            None => "it is new".into(),
            Some(value) if *value == variable.value => continue,
            Some(_) => "its value changed".into(),
        };
        write(SettingChange::SetVariable(variable.clone()), because);
    }
    let mut left = Vec::new();
    for secret in &wanted.secrets {
        let because = if !current.secrets.contains(&secret.key) {
            "it is new".into()
        } else if wanted.force_secrets {
            format!("{FORCE_SECRETS} is `true`").into()
        } else if restart == Restart::Expected {
            "this deploy restarts the Space anyway".into()
        } else {
            left.push(secret.key.clone());
            continue;
        };
        write(SettingChange::SetSecret(secret.clone()), because);
    }
    plan.left = left;
    plan
}

/// Returns the volumes to mount, or `None` if the Space has them already. Volumes at other mount paths stay, unless the
/// strategy overwrites, or no volume is wanted.
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

/// Returns true for a read-only volume. Without an answer of the Hub, a bucket is writable and a repo is not.
fn is_read_only(volume: &MountedVolume) -> bool {
    volume.read_only.unwrap_or(volume.kind != "bucket")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub::Secret;

    fn current() -> CurrentSettings {
        CurrentSettings {
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
    fn check(wanted: &SettingsOptions, restart: Restart, expected: &[&str], left: &[&str]) {
        let plan = diff(&current(), wanted, restart);
        let sign = |change: &SettingChange| if change.is_deletion() { '-' } else { '+' };
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
    fn equal_settings_are_not_written() {
        check(&wanted(&[("MODE", "slow")], &["KEY"]), Restart::None, &[], &["KEY"]);
        check(
            &wanted(&[("MODE", "fast"), ("NEW", "")], &["KEY", "FRESH"]),
            Restart::None,
            &["+variable MODE: its value changed", "+variable NEW: it is new", "+secret FRESH: it is new"],
            &["KEY"],
        );
    }

    #[test]
    fn secret_is_written_with_a_restart_or_if_forced() {
        let mut wanted = wanted(&[], &["KEY"]);
        check(&wanted, Restart::Expected, &["+secret KEY: this deploy restarts the Space anyway"], &[]);
        wanted.force_secrets = true;
        check(&wanted, Restart::None, &["+secret KEY: `force_secrets` is `true`"], &[]);
    }

    #[test]
    fn overwrite_deletes_unnamed_settings_of_a_given_list() {
        let overwrite = |variables, secrets| {
            let strategy = SettingsStrategy::Overwrite;
            SettingsOptions { strategy, ..wanted(variables, secrets) }
        };
        let because = "it is not named, and `settings_strategy` is `overwrite`";
        let [old, gone, key] =
            ["-variable OLD", "-secret GONE", "-secret KEY"].map(|change| format!("{change}: {because}"));
        check(&overwrite(&[("MODE", "slow")], &["KEY"]), Restart::None, &[&old, &gone], &["KEY"]);
        check(&overwrite(&[("MODE", "slow")], &[]), Restart::None, &[&old], &[]);
        check(&overwrite(&[], &["KEY"]), Restart::None, &[&gone], &["KEY"]);
        check(&overwrite(&[], &[]), Restart::None, &[], &[]);
        assert!(!are_named(&overwrite(&[], &[])));
        let none = SettingsOptions { secrets_given: true, ..overwrite(&[], &[]) };
        check(&none, Restart::None, &[&gone, &key], &[]);
        assert!(are_named(&none));
    }

    #[test]
    fn name_of_the_other_kind_is_refused() {
        let error = check_collisions(&current(), &wanted(&[("KEY", "x")], &["OLD"]), "https://h/settings")
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot set the variable `KEY`: the Space has a secret of this name; \
             cannot set the secret `OLD`: the Space has a variable of this name"
        );
        assert!(check_collisions(&current(), &wanted(&[("MODE", "x")], &["KEY"]), "").is_ok());
    }

    #[test]
    fn other_volumes_stay_mounted() {
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
