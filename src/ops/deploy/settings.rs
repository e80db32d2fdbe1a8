//! The Space around the files: hardware, volumes, variables and secrets, before the commit.

use hub::{Lookup, RepoInfo, RepoType, Runtime, SettingKind, SpaceSdk};

use crate::failure::Result;
use crate::ops::deploy::options::Origin;
use crate::ops::space::SettingsOptions;
use crate::ops::space::hardware::{HardwareError, HardwareRequest};
use crate::ops::space::settings::{Restart, SettingChange, SettingsPlan};
use crate::ops::space::{CurrentSettings, HardwareStatus, hardware, settings};
use crate::report::WrittenSetting;

use super::open::Born;
use super::prepare::Prepared;
use super::remote::may_not;
use super::visibility::Audience;
use super::{Deploy, Target};

/// What is known of a Space beside its files, and how far this deploy is with it.
#[derive(Default)]
pub(super) struct Surroundings {
    /// What it had before this deploy: `None` while it does not exist, and where nothing is wanted.
    current: Option<CurrentSettings>,
    /// They are settled once, however often the plan is made.
    settled: bool,
    /// Its audience: `None` while it does not exist.
    pub(super) audience: Option<Audience>,
    /// The kind of the Space.
    pub(super) sdk: Option<SpaceSdk>,
}

impl Deploy<'_> {
    /// Judges what is wanted by what the Space is and has, before anything is touched.
    pub(super) async fn look_around(&self, prepared: &Prepared) -> Result<Surroundings> {
        let wanted = &self.options.space;
        if let Some(sdk) = self.sdk_of(prepared) {
            let has_volumes = wanted.settings.volumes.as_ref().is_some_and(|volumes| !volumes.is_empty());
            hardware::check_sdk(&wanted.hardware, has_volumes, sdk)?;
        }
        let exists = !matches!(prepared.lookup, Lookup::NoRepo(_));
        if exists && self.options.is_aside() {
            self.tell_untouched();
        }
        let current = async {
            match exists && !self.options.is_aside() && self.wants_settings() {
                true => self.settings_in_sight().await,
                false => Ok(None),
            }
        };
        let (current, audience) = tokio::try_join!(current, self.audience(&prepared.lookup))?;
        if let Some(audience) = audience {
            self.tell_audience(audience);
        }
        Ok(Surroundings { current, settled: false, audience, sdk: self.sdk_of(prepared) })
    }

    /// Settles what the Space has beside its files. `commits` says that a change of files will restart it
    /// anyway.
    pub(super) async fn settle(
        &self,
        around: &mut Surroundings,
        target: &Target,
        info: &RepoInfo,
        commits: bool,
    ) -> Result<()> {
        if around.settled || self.options.repo_type != RepoType::Space {
            return Ok(());
        }
        let born = match target {
            Target::Created(Some(born)) if !born.unanswered => Some(born.as_ref()),
            _ => None,
        };
        if born.is_none() && self.options.is_aside() {
            around.settled = true;
            return Ok(());
        }
        let machine = self.machine(info).await?;
        self.settle_hardware(born, &machine).await?;
        if born.is_some() {
            self.tell_settings_at_creation();
        } else {
            self.settle_volumes(&machine).await?;
            // Someone else made the Space meanwhile: it is looked at only now.
            if around.current.is_none() && self.wants_settings() {
                around.current = self.settings_in_sight().await?;
            }
            if let Some(current) = &around.current {
                self.settle_settings(current, commits).await?;
            }
        }
        around.settled = true;
        Ok(())
    }

    /// A proposal, or a branch that does not run, comes without what would change the running Space at once.
    fn tell_untouched(&self) {
        let wanted = &self.options.space;
        let settings = &wanted.settings;
        let given = [
            ("variables", !settings.variables.is_empty()),
            ("secrets", !settings.secrets.is_empty()),
            ("volumes", settings.volumes.is_some()),
            ("hardware", !wanted.hardware.wanted.is_empty()),
            ("sleep_time", wanted.hardware.sleep_time.is_some()),
            ("visibility", self.options.visibility_given),
        ];
        let given: Vec<&str> = given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect();
        if !given.is_empty() {
            self.log.warning(&format!(
                "left as they are: `{}` (they would change the running {})",
                given.join("`, `"),
                self.repo.repo_type.noun()
            ));
        }
    }

    /// A dry run against a Space that is not there.
    pub(super) fn tell_first_settings(&self) {
        let wanted = &self.options.space;
        for flavor in wanted.hardware.wanted.iter().take(1) {
            self.log.info(&format!("would ask for the hardware `{flavor}`"));
        }
        let plan = settings::diff(&CurrentSettings::default(), &wanted.settings, Restart::Expected);
        self.tell_plan(&plan);
        for volume in wanted.settings.volumes.iter().flatten() {
            self.log.info(&format!("would mount {volume}"));
            self.ledger.update(|outcome| outcome.planned.volumes = true);
        }
    }

    fn wants_settings(&self) -> bool {
        // A dry run may go without a token, and then sees no secrets.
        settings::are_named(&self.options.space.settings) && (self.hub.has_token() || !self.options.dry_run)
    }

    /// What the Space runs: where only a folder of it is deployed, the Hub knows better than the folder.
    fn sdk_of(&self, prepared: &Prepared) -> Option<SpaceSdk> {
        let chosen = prepared.sdk?;
        match &prepared.lookup {
            Lookup::Found(info) if self.options.path_in_repo.is_some() => {
                info.sdk.as_deref().and_then(|sdk| sdk.parse().ok()).or(Some(chosen))
            }
            _ => Some(chosen),
        }
    }

    /// What the Space has: a dry run does without, where the token may not look.
    async fn settings_in_sight(&self) -> Result<Option<CurrentSettings>> {
        match self.read_settings().await {
            Err(failure) if self.options.dry_run && may_not(failure.code) => {
                self.log.info("variables and secrets are not planned: this token may not look at them");
                Ok(None)
            }
            read => read.map(Some),
        }
    }

    async fn read_settings(&self) -> Result<CurrentSettings> {
        let current = settings::read(self.hub, &self.repo).await?;
        let page = format!("{}/{}/settings", self.hub.endpoint(), self.repo.page());
        settings::check_collisions(&current, &self.options.space.settings, &page)?;
        Ok(current)
    }

    /// What the Space runs on: asked for only where it matters and the look at the repo did not say.
    async fn machine(&self, info: &RepoInfo) -> Result<Runtime> {
        let wanted = &self.options.space;
        let matters = !wanted.hardware.wanted.is_empty()
            || wanted.hardware.sleep_time.is_some()
            || wanted.settings.volumes.is_some();
        match &info.runtime {
            Some(machine) => Ok(machine.clone()),
            None if matters => Ok(self.hub.runtime(&self.repo).await?),
            None => Ok(Runtime::default()),
        }
    }

    async fn settle_hardware(&self, born: Option<&Born>, machine: &Runtime) -> Result<()> {
        let wanted = &self.options.space.hardware;
        if self.options.dry_run {
            hardware::preview(wanted, machine, self.log);
            return Ok(());
        }
        let at_creation = born.map(|born| born.hardware.clone()).unwrap_or_default();
        let request = HardwareRequest { wanted, machine, at_creation: &at_creation };
        let settled = hardware::settle(self.hub, &self.repo, request, self.log).await;
        self.ledger.update(|outcome| match &settled {
            Ok(settled) => {
                outcome.hardware_status = settled.status;
                outcome.space_hardware.clone_from(&settled.flavor);
            }
            Err(HardwareError::Refused(_)) => {
                outcome.hardware_status = Some(HardwareStatus::ManualHardwareRequired);
            }
            Err(HardwareError::Hub(_)) => {}
        });
        Ok(settled.map(drop)?)
    }

    async fn settle_volumes(&self, machine: &Runtime) -> Result<()> {
        let SettingsOptions { volumes, strategy, .. } = &self.options.space.settings;
        let Some(volumes) = volumes else { return Ok(()) };
        let Some(all) = settings::diff_volumes(&machine.volumes, volumes, *strategy) else { return Ok(()) };
        let mounts: Vec<&str> = all.iter().map(|volume| volume.mount_path.as_str()).collect();
        let mounts = if mounts.is_empty() { "none".to_owned() } else { format!("`{}`", mounts.join("`, `")) };
        if self.options.dry_run {
            self.log.info(&format!("would set the volumes: {mounts}"));
            self.ledger.update(|outcome| outcome.planned.volumes = true);
            return Ok(());
        }
        self.hub.set_volumes(&self.repo, &all).await?;
        self.log.info(&format!("set the volumes: {mounts}"));
        self.ledger.update(|outcome| outcome.written.volumes = true);
        Ok(())
    }

    async fn settle_settings(&self, current: &CurrentSettings, commits: bool) -> Result<()> {
        let restart = if commits { Restart::Expected } else { Restart::None };
        let plan = settings::diff(current, &self.options.space.settings, restart);
        if self.options.dry_run {
            self.tell_plan(&plan);
            return Ok(());
        }
        for write in &plan.writes {
            // Before the write, because one whose answer is lost may have changed the variable.
            if write.change.kind() == SettingKind::Variable {
                let key = write.change.key();
                let before = (key.to_owned(), current.variables.get(key).cloned());
                self.ledger.update(|outcome| outcome.variables_before.push(before));
            }
            if let Err(error) = write.change.write(self.hub, &self.repo).await {
                if write.change.kind() == SettingKind::Variable && !error.is_ambiguous() {
                    self.ledger.update(|outcome| outcome.variables_before.pop());
                }
                return Err(error.into());
            }
            let because = match self.options.origin == Origin::Generated && write.change.is_deletion() {
                true => "the inputs no longer ask for it",
                false => write.because,
            };
            self.log.info(&format!("{}: {because}", described(&write.change, "set", "deleted")));
            self.ledger.update(|outcome| outcome.written.settings.push(written(&write.change)));
        }
        self.tell_left(&plan);
        Ok(())
    }

    fn tell_plan(&self, plan: &SettingsPlan) {
        for write in &plan.writes {
            let because = write.because;
            self.log.info(&format!("would {}: {because}", described(&write.change, "set", "delete")));
            self.ledger.update(|outcome| outcome.planned.settings.push(written(&write.change)));
        }
        self.tell_left(plan);
    }

    fn tell_left(&self, plan: &SettingsPlan) {
        let names = plan.left.join("`, `");
        if self.options.origin == Origin::Generated && !plan.left.is_empty() {
            self.log.info(&format!("left the secrets as they are: `{names}`"));
        } else if !plan.left.is_empty() {
            self.log.info(&format!("left the secrets as they are: `{names}` (they cannot be compared, and writing them restarts the Space; `force_secrets: true` writes them)"));
        }
    }

    fn tell_settings_at_creation(&self) {
        let wanted = &self.options.space.settings;
        for write in settings::diff(&CurrentSettings::default(), wanted, Restart::Expected).writes {
            self.log.info(&format!(
                "{}: the Space was created with it",
                described(&write.change, "set", "deleted")
            ));
            self.ledger.update(|outcome| outcome.written.settings.push(written(&write.change)));
        }
        if wanted.volumes.as_ref().is_some_and(|volumes| !volumes.is_empty()) {
            self.ledger.update(|outcome| outcome.written.volumes = true);
        }
    }
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
