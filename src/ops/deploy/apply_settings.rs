//! Writes the settings of a Space: hardware, volumes, variables and secrets, after the upload and before the commit,
//! because each write restarts the Space.

use crate::failure::Result;
use crate::failure::deploy_log as advice;
use crate::ops::space::hardware::{HardwareError, HardwareRequest};
use crate::ops::space::settings::{Restart, SettingChange, SettingsPlan};
use crate::ops::space::{AtCreation, CurrentSettings, HardwareStatus, SettingsOptions, hardware, settings};
use hub::{RepoInfo, RepoType, Runtime, SettingKind};

use super::context::Context;
use super::options::Origin;
use super::remote_settings::{RemoteSettings, read_settings, wants_settings};
use super::report::WrittenSetting;
use super::settings_undo::SettingsUndo;

/// Settings of a Space after [`apply_settings`].
#[derive(Debug, Default)]
pub(super) struct AppliedSettings {
    /// Result of the request for hardware, if there was one.
    pub(super) hardware: Option<HardwareStatus>,
    /// Something was written.
    pub(super) is_changed: bool,
    /// The way back to the variables before this deploy.
    pub(super) undo: Option<SettingsUndo>,
}

impl AppliedSettings {
    /// Keeps the settings, because the files that belong to them are on the branch.
    pub(super) fn keep(&mut self) {
        if let Some(undo) = &mut self.undo {
            undo.keep();
        }
    }
}

/// Applies the settings of the options. `new_space` is the hardware of a Space that this deploy has created with its
/// settings.
pub(super) async fn apply_settings(
    context: &Context<'_>,
    settings: &mut RemoteSettings,
    new_space: Option<&AtCreation>,
    info: &RepoInfo,
    restart: Restart,
) -> Result<AppliedSettings> {
    let mut applied = AppliedSettings::default();
    let is_untouched = new_space.is_none() && !context.options.affects_live_branch();
    if context.options.repo_type != RepoType::Space || is_untouched {
        return Ok(applied);
    }
    let machine = machine(context, info).await?;
    applied.hardware = apply_hardware(context, new_space, &machine).await?;
    applied.is_changed = applied.hardware == Some(HardwareStatus::Granted);
    if new_space.is_some() {
        applied.is_changed |= log_settings_at_creation(context);
        return Ok(applied);
    }
    applied.is_changed |= apply_volumes(context, &machine).await?;
    // Another writer has created the Space since the first look.
    if settings.current.is_none() && wants_settings(context) {
        settings.current = read_settings(context).await?;
    }
    if let Some(current) = &settings.current {
        applied.undo = write_settings(context, current, restart).await?;
        applied.is_changed |= applied.undo.is_some();
    }
    Ok(applied)
}

/// Logs the settings of a dry run against a Space that does not exist.
pub(super) fn log_first_settings(context: &Context<'_>) {
    let wanted = &context.options.space;
    for flavor in wanted.hardware.wanted.iter().take(1) {
        context.log.info(&format!("would ask for the hardware `{flavor}`"));
    }
    let plan = settings::diff(&CurrentSettings::default(), &wanted.settings, Restart::Expected);
    log_plan(context, &plan);
    for volume in wanted.settings.volumes.iter().flatten() {
        context.log.info(&format!("would mount {volume}"));
        context.recorder.record(|report| report.planned.volumes = true);
    }
}

/// Returns the hardware of the Space. The Hub is asked only if it matters and the look at the repo did not say.
async fn machine(context: &Context<'_>, info: &RepoInfo) -> Result<Runtime> {
    let wanted = &context.options.space;
    let matters = !wanted.hardware.wanted.is_empty()
        || wanted.hardware.sleep_time.is_some()
        || wanted.settings.volumes.is_some();
    match &info.runtime {
        Some(machine) => Ok(machine.clone()),
        None if matters => Ok(context.hub.runtime(&context.repo).await?),
        None => Ok(Runtime::default()),
    }
}

async fn apply_hardware(
    context: &Context<'_>,
    new_space: Option<&AtCreation>,
    machine: &Runtime,
) -> Result<Option<HardwareStatus>> {
    let wanted = &context.options.space.hardware;
    if context.options.dry_run {
        hardware::preview(wanted, machine, context.log);
        return Ok(None);
    }
    let at_creation = new_space.cloned().unwrap_or_default();
    let request = HardwareRequest { wanted, machine, at_creation: &at_creation };
    let settled = hardware::settle(&context.hub, &context.repo, request, context.log).await;
    context.recorder.record(|report| match &settled {
        Ok(settled) => {
            report.hardware_status = settled.status;
            report.space_hardware.clone_from(&settled.flavor);
        }
        Err(HardwareError::Refused(_)) => {
            report.hardware_status = Some(HardwareStatus::ManualHardwareRequired);
        }
        Err(HardwareError::Hub(_)) => {}
    });
    Ok(settled?.status)
}

/// Mounts the volumes. Returns true if that changed something.
async fn apply_volumes(context: &Context<'_>, machine: &Runtime) -> Result<bool> {
    let SettingsOptions { volumes, strategy, .. } = &context.options.space.settings;
    let Some(volumes) = volumes else { return Ok(false) };
    let Some(all) = settings::diff_volumes(&machine.volumes, volumes, *strategy) else { return Ok(false) };
    let mounts: Vec<&str> = all.iter().map(|volume| volume.mount_path.as_str()).collect();
    let mounts = if mounts.is_empty() { "none".to_owned() } else { format!("`{}`", mounts.join("`, `")) };
    if context.options.dry_run {
        context.log.info(&format!("would set the volumes: {mounts}"));
        context.recorder.record(|report| report.planned.volumes = true);
        return Ok(false);
    }
    context.hub.set_volumes(&context.repo, &all).await?;
    context.log.info(&format!("set the volumes: {mounts}"));
    context.recorder.record(|report| report.written.volumes = true);
    Ok(true)
}

/// Writes variables and secrets. Returns the way back, if something was written.
async fn write_settings(
    context: &Context<'_>,
    current: &CurrentSettings,
    restart: Restart,
) -> Result<Option<SettingsUndo>> {
    let plan = settings::diff(current, &context.options.space.settings, restart);
    if context.options.dry_run {
        log_plan(context, &plan);
        return Ok(None);
    }
    let mut undo = None;
    for write in &plan.writes {
        let undo = undo.get_or_insert_with(|| SettingsUndo::register(context));
        // Noted before the write, because one whose answer is lost may have changed the variable.
        undo.note(&write.change, current);
        if let Err(error) = write.change.write(&context.hub, &context.repo).await {
            if !error.is_ambiguous() {
                undo.forget_last(&write.change);
            }
            return Err(error.into());
        }
        let is_generated = context.options.origin == Origin::Generated;
        let because = if is_generated && write.change.is_deletion() {
            "the inputs no longer ask for it"
        } else {
            write.because
        };
        context.log.info(&format!("{}: {because}", described(&write.change, "set", "deleted")));
        context.recorder.record(|report| report.written.settings.push(written(&write.change)));
    }
    log_left(context, &plan);
    Ok(undo)
}

fn log_plan(context: &Context<'_>, plan: &SettingsPlan) {
    for write in &plan.writes {
        let because = write.because;
        context.log.info(&format!("would {}: {because}", described(&write.change, "set", "delete")));
        context.recorder.record(|report| report.planned.settings.push(written(&write.change)));
    }
    log_left(context, plan);
}

fn log_left(context: &Context<'_>, plan: &SettingsPlan) {
    let names = plan.left.join("`, `");
    if context.options.origin == Origin::Generated && !plan.left.is_empty() {
        context.log.info(&format!("left the secrets as they are: `{names}`"));
    } else if !plan.left.is_empty() {
        context.log.info(&advice::secrets_left(&names));
    }
}

/// Logs the settings that the Space was created with. Returns true if there are some.
fn log_settings_at_creation(context: &Context<'_>) -> bool {
    let wanted = &context.options.space.settings;
    let writes = settings::diff(&CurrentSettings::default(), wanted, Restart::Expected).writes;
    for write in &writes {
        let described = described(&write.change, "set", "deleted");
        context.log.info(&format!("{described}: the Space was created with it"));
        context.recorder.record(|report| report.written.settings.push(written(&write.change)));
    }
    let has_volumes = wanted.volumes.as_ref().is_some_and(|volumes| !volumes.is_empty());
    if has_volumes {
        context.recorder.record(|report| report.written.volumes = true);
    }
    has_volumes || !writes.is_empty()
}

fn described(change: &SettingChange, set: &str, delete: &str) -> String {
    let verb = if change.is_deletion() { delete } else { set };
    format!("{verb} the {} `{}`", change.kind().as_str(), change.key())
}

fn written(change: &SettingChange) -> WrittenSetting {
    WrittenSetting {
        is_secret: change.kind() == SettingKind::Secret,
        key: change.key().to_owned(),
        deleted: change.is_deletion(),
    }
}
