//! Writes the settings of a Space: hardware, volumes, variables and secrets, after the upload and before the commit,
//! because each write restarts the Space.

use crate::failure::Result;
use crate::failure::deploy_log as advice;
use crate::ops::space::hardware::{HardwareError, HardwareRequest, HardwareResult};
use crate::ops::space::settings::{Restart, SettingChange, SettingsPlan};
use crate::ops::space::{AtCreation, CurrentSettings, HardwareStatus, SettingsOptions, hardware, settings};
use hub::{HardwareName, RepoInfo, RepoType, Runtime, SettingKind};

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
    if new_space.is_some() {
        record_settings_at_creation(context);
        return Ok(applied);
    }
    apply_volumes(context, &machine).await?;
    // Another writer has created the Space since the first look.
    if settings.current.is_none() && wants_settings(context) {
        settings.current = read_settings(context).await?;
    }
    if let Some(current) = &settings.current {
        applied.undo = write_settings(context, current, restart).await?;
    }
    Ok(applied)
}

/// Logs the settings of a dry run against a Space that does not exist.
pub(super) async fn log_first_settings(context: &Context<'_>) {
    let wanted = &context.options.space;
    preview_hardware(context, &Runtime::default()).await;
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
        preview_hardware(context, machine).await;
        return Ok(None);
    }
    let at_creation = new_space.cloned().unwrap_or_default();
    let request = HardwareRequest { wanted, machine, at_creation: &at_creation };
    let settled = hardware::settle(&context.hub, &context.repo, request, context.log).await;
    context.recorder.record(|report| match &settled {
        Ok(settled) => {
            report.hardware_status = settled.status;
            report.space_hardware.clone_from(&settled.flavor);
            report.written.sleep_time = settled.sleep_time;
        }
        Err(HardwareError::Refused(_)) => {
            report.hardware_status = Some(HardwareStatus::ManualHardwareRequired);
        }
        Err(HardwareError::Hub(_)) => {}
    });
    let HardwareResult { status, flavor, .. } = settled?;
    record_price(context, flavor.as_ref()).await;
    Ok(status)
}

/// Logs and records the hardware and the sleep time that a deploy would set.
async fn preview_hardware(context: &Context<'_>, machine: &Runtime) {
    let preview = hardware::preview(&context.options.space.hardware, machine, context.log);
    record_price(context, preview.hardware.as_ref().or(machine.flavor())).await;
    context.recorder.record(|report| {
        report.planned.hardware.clone_from(&preview.hardware);
        report.planned.sleep_time = preview.sleep_time;
    });
}

async fn record_price(context: &Context<'_>, hardware: Option<&HardwareName>) {
    let Some(hardware) = hardware else { return };
    let price = hardware::hourly_price(&context.hub, hardware).await;
    context.recorder.record(|report| report.hourly_price = price);
}

/// Mounts the volumes, if they differ.
async fn apply_volumes(context: &Context<'_>, machine: &Runtime) -> Result<()> {
    let SettingsOptions { volumes, strategy, .. } = &context.options.space.settings;
    let Some(volumes) = volumes else { return Ok(()) };
    let Some(all) = settings::diff_volumes(&machine.volumes, volumes, *strategy) else { return Ok(()) };
    let mounts: Vec<&str> = all.iter().map(|volume| volume.mount_path.as_str()).collect();
    let mounts = if mounts.is_empty() { "none".to_owned() } else { format!("`{}`", mounts.join("`, `")) };
    if context.options.dry_run {
        context.log.info(&format!("would set the volumes: {mounts}"));
        context.recorder.record(|report| report.planned.volumes = true);
        return Ok(());
    }
    context.hub.set_volumes(&context.repo, &all).await?;
    context.log.info(&format!("set the volumes: {mounts}"));
    context.recorder.record(|report| report.written.volumes = true);
    Ok(())
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
        let is_generated = context.options.origin == Origin::Proxy;
        let because = if is_generated && write.change.is_deletion() {
            "the inputs no longer ask for it"
        } else {
            &*write.because
        };
        context.log.info(&format!("{}: {because}", described(&write.change, "set", "deleted")));
        context.recorder.record(|report| report.written.settings.push(written(&write.change)));
    }
    log_left(context, &plan);
    Ok(undo)
}

fn log_plan(context: &Context<'_>, plan: &SettingsPlan) {
    for write in &plan.writes {
        let because = &write.because;
        context.log.info(&format!("would {}: {because}", described(&write.change, "set", "delete")));
        context.recorder.record(|report| report.planned.settings.push(written(&write.change)));
    }
    log_left(context, plan);
}

fn log_left(context: &Context<'_>, plan: &SettingsPlan) {
    let names = plan.left.join("`, `");
    if context.options.origin == Origin::Proxy && !plan.left.is_empty() {
        context.log.info(&format!("left the secrets as they are: `{names}`"));
    } else if !plan.left.is_empty() {
        context.log.info(&advice::secrets_left(&names));
    }
}

/// Records the settings that the Space was created with.
fn record_settings_at_creation(context: &Context<'_>) {
    let wanted = &context.options.space.settings;
    let writes = settings::diff(&CurrentSettings::default(), wanted, Restart::Expected).writes;
    context.recorder.record(|report| {
        report.written.settings.extend(writes.iter().map(|write| written(&write.change)));
        report.written.volumes |= wanted.volumes.as_ref().is_some_and(|volumes| !volumes.is_empty());
    });
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
