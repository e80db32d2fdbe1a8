//! The repo and the branch: made where they are missing, and seen by whom they should be.

use hub::{
    CreateRepo, Creation, Flavor, HubError, Lookup, NewFile, NewSpace, Payment, Preupload, PreuploadFile,
    Refusal, RefusalKind, RepoInfo, RepoPath, RepoType, Revision, SleepTime, SpaceSdk, UploadMode,
};

use crate::failure::{Code, Failure, Result};
use crate::folder::Source;
use crate::ops::deploy::options::DeployOptions;
use crate::ops::deploy::plan::Created;
use crate::ops::space::{AtCreation, hardware};
use crate::report::{AccessChange, InFlight, Sent};
use crate::text::human_bytes;

use super::{Deploy, Target, remote};

/// Limits of the files that are sent with the creation of a Space, by number and by bytes. More files need a commit. The source
/// of the proxy Space must fit, so that it is created in one call.
const MAX_FILES: usize = 100;
const MAX_BYTES: u64 = 1_000_000;

/// Endings that the Hub keeps in its storage for large files, whatever they hold: the rules of the
/// `.gitattributes` that it gives to a new repo; most of the second half are a dataset's only.
const LARGE: &str = "7z arrow bin bz2 ckpt ftz gz h5 joblib mlmodel model msgpack npy npz onnx ot parquet pb \
    pickle pkl pt pth rar safetensors tar tflite tgz wasm xz zip zst \
    aac bmp flac gif jpeg jpg lz4 mds mp3 mp4 ogg pcm png raw sam tiff wav webm webp";

/// A repo that this deploy created, with what it was created with.
#[derive(Default)]
pub(super) struct Born {
    /// The Hub's answer was lost: the files are most likely this deploy's, the settings are looked at.
    pub(super) unanswered: bool,
    pub(super) files: Vec<Created>,
    pub(super) hardware: AtCreation,
    /// What is known of a model or a dataset, and of the files for it, without asking.
    pub(super) known: Option<(Box<RepoInfo>, Preupload)>,
}

impl Deploy<'_> {
    /// Makes the repo and the branch, where they are missing.
    pub(super) async fn open(
        &self,
        lookup: Lookup,
        sdk: Option<SpaceSdk>,
        source: &Source,
    ) -> Result<Target> {
        let DeployOptions { revision, dry_run, .. } = self.options;
        let mut born = None;
        match lookup {
            Lookup::Found(info) => return Ok(Target::Ready(info)),
            // Before a repo is made for it.
            Lookup::NoRepo(_) | Lookup::NoRevision if !self.can_make_branch(revision) => {
                return Err(self.no_such_branch(revision));
            }
            Lookup::NoRepo(_) if *dry_run => {
                let visibility = self.options.visibility;
                self.note_access(Some(visibility), AccessChange::WouldCreate);
                self.log.info(&match self.hub.has_token() {
                    true => format!(
                        "the {} does not exist yet: it would be created ({})",
                        self.repo,
                        visibility.as_str()
                    ),
                    false => format!(
                        "cannot see the {}: it does not exist, or it is private and this run has no token; planning as for a new one",
                        self.repo
                    ),
                });
                return Ok(Target::Missing);
            }
            Lookup::NoRevision if *dry_run => {
                self.log.info(&format!("the branch `{revision}` does not exist yet: it would be created"));
                return Ok(Target::Missing);
            }
            Lookup::NoRepo(refusal) => {
                let (hub, sent) = (self.hub.clone(), Sent::Creation(self.repo.clone()));
                self.ledger.update(|outcome| outcome.in_flight = Some(InFlight { hub, sent }));
                let created = self.create(sdk, source).await;
                self.ledger.update(|outcome| {
                    outcome.in_flight = None;
                    outcome.created = matches!(created, Ok(Some(_)));
                });
                match created? {
                    Some(created) => born = Some(Box::new(created)),
                    // It is there after all: made a moment ago, or hidden from this token.
                    None => self.log.info(&format!("the {} exists ({refusal})", self.repo)),
                }
            }
            Lookup::NoRevision => {}
        }
        if !revision.is_main() {
            self.make_branch(revision).await?;
        }
        Ok(Target::Created(born))
    }

    /// Creates the repo, a Space with all that it needs: `None` when it is there already.
    async fn create(&self, sdk: Option<SpaceSdk>, source: &Source) -> Result<Option<Born>> {
        let plain = self.plain_files(source)?;
        let known = self.known_of_new(&plain);
        let mut create = CreateRepo {
            visibility: self.options.visibility,
            space: sdk.map(|sdk| self.new_space(sdk)),
            files: self.first_files(plain),
        };
        let mut born = Born::default();
        let mut creation = self.hub.create_repo(&self.repo, &create).await;
        if let Err(error) = &creation
            && matches!(error.status(), Some(400 | 413 | 422))
            && !create.files.is_empty()
        {
            self.log
                .info(&format!("the Hub does not take the files along, they follow in a commit: {error}"));
            create.files.clear();
            creation = self.hub.create_repo(&self.repo, &create).await;
        }
        let creation = loop {
            let error = match creation {
                Ok(creation) => break creation,
                Err(error) => error,
            };
            let asked = create.space.as_ref().and_then(|space| space.hardware);
            let refusal = error.refusal().filter(|refusal| refusal.status == 402).cloned();
            let (Some(flavor), Some(refusal)) = (asked, refusal) else {
                return Err(none_granted(error, &born.hardware.refused));
            };
            if flavor.is_basic() || is_about_the_sdk(&refusal) {
                return Err(none_granted(error, &born.hardware.refused));
            }
            self.log.info(&format!("the Hub does not grant the hardware `{flavor}`: {refusal}"));
            let refused = &mut born.hardware.refused;
            refused.push((flavor, refusal));
            let next = self.first_wanted(refused);
            if next.is_none() && self.options.space.hardware.required {
                return Err(hardware::refused(self.hub, &self.repo, refused).await.into());
            }
            if let Some(space) = &mut create.space {
                space.hardware = next;
                space.sleep_time = self.sleep_time_of(next);
            }
            creation = self.hub.create_repo(&self.repo, &create).await;
        };
        born.hardware.granted = create.space.as_ref().and_then(|space| space.hardware);
        if creation == Creation::Existed {
            return Ok(None);
        }
        born.unanswered = creation == Creation::Unanswered;
        born.known = known.filter(|_| !born.unanswered);
        self.note_access(Some(create.visibility), AccessChange::Created);
        self.tell_created(&create);
        born.files = create
            .files
            .into_iter()
            .map(|file| Created { path: file.path, size: file.content.len() as u64 })
            .collect();
        self.ledger.update(|outcome| {
            outcome.bytes_uploaded += born.files.iter().map(|file| file.size).sum::<u64>();
        });
        Ok(Some(born))
    }

    fn tell_created(&self, create: &CreateRepo) {
        let title = format!("created the {} ({})", self.repo, create.visibility.as_str());
        let title = match create.files.len() {
            0 => return self.log.info(&title),
            1 => format!("{title}, with 1 file"),
            files => format!("{title}, with {files} files"),
        };
        let _group = self.log.group(&title);
        for file in &create.files {
            self.log.info(&format!("+ {} ({})", file.path, human_bytes(file.content.len() as u64)));
        }
    }

    fn new_space(&self, sdk: SpaceSdk) -> NewSpace {
        let settings = &self.options.space.settings;
        let hardware = self.first_wanted(&[]);
        NewSpace {
            sdk,
            hardware,
            sleep_time: self.sleep_time_of(hardware),
            variables: settings.variables.iter().map(|v| (v.key.clone(), v.value.clone())).collect(),
            secrets: settings.secrets.iter().map(|s| (s.key.clone(), s.value.clone())).collect(),
            volumes: settings.volumes.clone().unwrap_or_default(),
        }
    }

    /// The hardware to ask for, after some was refused.
    fn first_wanted(&self, refused: &[(Flavor, Refusal)]) -> Option<Flavor> {
        let wanted = &self.options.space.hardware.wanted;
        wanted.iter().copied().find(|flavor| !refused.iter().any(|(other, _)| other == flavor))
    }

    /// The time, where the hardware has one.
    fn sleep_time_of(&self, hardware: Option<Flavor>) -> Option<SleepTime> {
        let sleeps = hardware.is_some_and(|flavor| !flavor.is_basic());
        self.options.space.hardware.sleep_time.filter(|_| sleeps)
    }

    /// The files of a new Space, where the Hub need not be asked about them: with them it is born complete, and
    /// its first build is not one that fails. The Hub words that commit itself.
    fn first_files(&self, plain: Vec<NewFile>) -> Vec<NewFile> {
        let worded = self.options.commit_message.is_some() || self.options.commit_description.is_some();
        if self.options.repo_type == RepoType::Space && !worded { plain } else { Vec::new() }
    }

    /// What the Hub would say of a new model or dataset, and of plain files for it: there is nothing to compare with,
    /// and all of them are small. (Of a Space, only the Hub knows the address.)
    fn known_of_new(&self, plain: &[NewFile]) -> Option<(Box<RepoInfo>, Preupload)> {
        let limits = self.options.commit_limits;
        let bytes: u64 = plain.iter().map(|file| file.content.len() as u64).sum();
        let fits = plain.len() <= limits.files && bytes <= limits.bytes;
        if self.options.repo_type == RepoType::Space || plain.is_empty() || !fits {
            return None;
        }
        let answer = |file: &NewFile| PreuploadFile {
            path: file.path.to_string(),
            upload_mode: UploadMode::Regular,
            should_ignore: false,
            oid: None,
        };
        let files = plain.iter().map(answer).collect();
        Some((Box::default(), Preupload { files, commits: Vec::new() }))
    }

    /// The files, where they are few, small, and nothing but text: the Hub has no say in how they are sent.
    fn plain_files(&self, source: &Source) -> Result<Vec<NewFile>> {
        let elsewhere = !self.options.revision.is_main() || self.options.create_pr;
        let many = source.files.len() > MAX_FILES || source.total_size() > MAX_BYTES;
        if elsewhere || many {
            return Ok(Vec::new());
        }
        let paths = remote::repo_paths(source, self.options.path_in_repo.as_ref())?;
        let mut files = Vec::with_capacity(paths.len());
        for (path, file) in paths.into_iter().zip(&source.files) {
            if needs_the_hub(&path) {
                return Ok(Vec::new());
            }
            let bytes = file.read_to_vec().map_err(|error| file.error(error))?;
            match String::from_utf8(bytes) {
                Ok(content) if !content.contains('\0') && content.len() as u64 == file.size => {
                    files.push(NewFile { path, content });
                }
                _ => return Ok(Vec::new()),
            }
        }
        Ok(files)
    }

    async fn make_branch(&self, revision: &Revision) -> Result<()> {
        self.hub.create_branch(&self.repo, revision).await?;
        self.log.info(&format!("created the branch `{revision}`"));
        Ok(())
    }

    fn can_make_branch(&self, revision: &Revision) -> bool {
        revision.is_main() || !(self.options.create_pr || revision.as_str().starts_with("refs/"))
    }

    fn no_such_branch(&self, revision: &Revision) -> Failure {
        let message = format!("the {} has no branch `{revision}`", self.repo);
        Failure::new(Code::RevisionNotFound, message).hint("check the input `revision`")
    }
}

/// Names the hardware that was asked for, where a Space without it is refused as well.
fn none_granted(error: HubError, refused: &[(Flavor, Refusal)]) -> Failure {
    let mut failure = Failure::from(error);
    for (flavor, refusal) in refused {
        failure.message.push_str(&format!("; the hardware `{flavor}` was refused before: {refusal}"));
    }
    failure
}

/// Returns true if the plan does not cover the SDK, so that the Hub would refuse the Space without hardware too.
fn is_about_the_sdk(refusal: &Refusal) -> bool {
    refusal.kind() == RefusalKind::PaymentRequired(Payment::SdkOnFreeHardware)
}

/// Whether the Hub has to say first what becomes of a file: it may be large, or decide over others.
fn needs_the_hub(path: &RepoPath) -> bool {
    let name = path.as_str().rsplit('/').next().unwrap_or_default();
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    matches!(name, ".gitattributes" | ".gitignore")
        || name.contains("tfevents")
        || name.contains(".tar.")
        || name.contains(".lfs.")
        || path.as_str().split('/').any(|part| part == "saved_model")
        || ending.is_some_and(|ending| LARGE.split_whitespace().any(|large| large == ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_the_hub_decides_about() {
        let needs = |path: &str| needs_the_hub(&path.parse().unwrap());
        for path in ["weights.bin", "a/b.tar.gz", ".gitignore", "x/.gitattributes", "saved_model/a.txt"] {
            assert!(needs(path), "{path}");
        }
        for path in ["app.py", "README.md", "bin", "a.binary", "tar.py", "Dockerfile"] {
            assert!(!needs(path), "{path}");
        }
    }
}
