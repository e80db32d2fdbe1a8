//! Creation of a repo, with as much as the Hub takes in one call: settings, hardware and small files.

use crate::failure::{Failure, Result};
use crate::folder::{Source, SourceFile};
use crate::ops::space::{AtCreation, hardware};
use crate::text::human_bytes;
use hub::{
    CreateRepo, Creation, Flavor, NewFile, NewSpace, Payment, Preupload, PreuploadFile, Refusal, RefusalKind,
    RepoInfo, RepoPath, RepoType, SleepTime, SpaceSdk, UploadMode,
};

use super::card::{README, check_card};
use super::context::Context;
use super::large_names::has_large_name;
use super::options::Origin;
use super::plan::Created;
use super::plan_base::repo_paths;
use super::report::AccessChange;

/// Largest number of files that are sent with the creation. More files take a commit. The source of the proxy Space fits,
/// so that it is created in one call.
const MAX_FILES: usize = 100;
/// Largest size of the files that are sent with the creation.
const MAX_BYTES: u64 = 1_000_000;

/// A repo that this deploy has created.
#[derive(Default)]
pub(super) struct NewRepo {
    /// The Hub's answer was lost. The files are most likely this deploy's, and the settings are read.
    pub(super) is_unanswered: bool,
    pub(super) files: Vec<Created>,
    pub(super) hardware: AtCreation,
    /// State of a model or a dataset, and the Hub's answer about its files, if both are known without asking.
    pub(super) known: Option<(Box<RepoInfo>, Preupload)>,
}

/// Creates the repo. Returns `None` if it exists already.
pub(super) async fn create_repo(
    context: &Context<'_>,
    sdk: Option<SpaceSdk>,
    source: &Source,
) -> Result<Option<NewRepo>> {
    let plain = plain_files(context, source)?;
    let known = known_of_new(context, &plain);
    let mut create = CreateRepo {
        visibility: context.options.visibility,
        space: sdk.map(|sdk| new_space(context, sdk)),
        files: first_files(context, plain),
    };
    let mut new_repo = NewRepo::default();
    let generated_card = source.get(README).filter(|_| context.options.origin == Origin::Model);
    let creation =
        create_with_granted_hardware(context, &mut create, &mut new_repo.hardware, generated_card).await?;
    new_repo.hardware.granted = create.space.as_ref().and_then(|space| space.hardware);
    if creation == Creation::Existed {
        return Ok(None);
    }
    new_repo.is_unanswered = creation == Creation::Unanswered;
    new_repo.known = known.filter(|_| !new_repo.is_unanswered);
    context.record_access(Some(create.visibility), AccessChange::Created);
    log_created(context, &create);
    new_repo.files = create
        .files
        .into_iter()
        .map(|file| Created { path: file.path, size: file.content.len() as u64 })
        .collect();
    let bytes: u64 = new_repo.files.iter().map(|file| file.size).sum();
    context.recorder.record(|report| report.bytes_uploaded += bytes);
    Ok(Some(new_repo))
}

/// Creates the repo with the first hardware that the Hub grants, and without files that the Hub refuses. A generated card
/// that is the reason ends the run.
async fn create_with_granted_hardware(
    context: &Context<'_>,
    create: &mut CreateRepo,
    at_creation: &mut AtCreation,
    generated_card: Option<&SourceFile>,
) -> Result<Creation> {
    let Context { options, hub, repo, log, .. } = context;
    let mut creation = hub.create_repo(repo, create).await;
    if let Err(error) = &creation
        && matches!(error.status(), Some(400 | 413 | 422))
        && !create.files.is_empty()
    {
        if let Some(readme) = generated_card {
            check_card(context, readme).await?;
        }
        log.info(&format!("the Hub does not take the files along, they follow in a commit: {error}"));
        create.files.clear();
        creation = hub.create_repo(repo, create).await;
    }
    let refused = &mut at_creation.refused;
    loop {
        let error = match creation {
            Ok(creation) => return Ok(creation),
            Err(error) => error,
        };
        let asked = create.space.as_ref().and_then(|space| space.hardware);
        let Some(refusal) = error.refusal().filter(|refusal| is_about_payment(refusal)).cloned() else {
            return Err(none_granted(error, refused));
        };
        let is_needed = options.space.hardware.is_needed;
        let Some(flavor) = asked else {
            if is_needed && !refused.is_empty() {
                return Err(hardware::refused(hub, repo, refused).await.into());
            }
            return Err(none_granted(error, refused));
        };
        let rules_out_all = flavor.is_basic() || is_about_the_sdk(&refusal);
        let is_final = if is_needed { !is_about_hardware(&refusal) } else { rules_out_all };
        if is_final {
            return Err(none_granted(error, refused));
        }
        log.info(&format!("the Hub does not grant the hardware `{flavor}`: {refusal}"));
        refused.push((flavor, refusal));
        let next = first_wanted(context, refused);
        if next.is_none() && (options.space.hardware.required || (is_needed && rules_out_all)) {
            return Err(hardware::refused(hub, repo, refused).await.into());
        }
        if let Some(space) = &mut create.space {
            space.hardware = next;
            space.sleep_time = sleep_time_of(context, next);
        }
        creation = hub.create_repo(repo, create).await;
    }
}

/// Logs the new repo in one line. Its files and settings are folded below it.
fn log_created(context: &Context<'_>, create: &CreateRepo) {
    let Context { hub, repo, log, .. } = context;
    let files = match create.files.len() {
        0 => String::new(),
        1 => " with its file".to_owned(),
        files => format!(" with its {files} files"),
    };
    let visibility = create.visibility.as_str();
    let title = format!("created the {repo} ({visibility}){files}: {}/{}", hub.endpoint(), repo.page());
    let contents = contents(create);
    if contents.is_empty() || context.options.origin == Origin::Proxy {
        return log.info(&title);
    }
    let _group = log.group(&title);
    contents.iter().for_each(|line| log.info(line));
}

/// Describes the files and settings of a new repo, one line each.
fn contents(create: &CreateRepo) -> Vec<String> {
    let mut lines: Vec<String> = create
        .files
        .iter()
        .map(|file| format!("+ {} ({})", file.path, human_bytes(file.content.len() as u64)))
        .collect();
    let Some(space) = &create.space else { return lines };
    lines.extend(space.hardware.iter().map(|flavor| format!("the Hub grants the hardware `{flavor}`")));
    lines.extend(space.variables.iter().map(|(key, _)| format!("set the variable `{key}`")));
    lines.extend(space.secrets.iter().map(|(key, _)| format!("set the secret `{key}`")));
    lines.extend(space.volumes.iter().map(|volume| format!("mounted {volume}")));
    lines
}

fn new_space(context: &Context<'_>, sdk: SpaceSdk) -> NewSpace {
    let settings = &context.options.space.settings;
    let hardware = first_wanted(context, &[]);
    NewSpace {
        sdk,
        hardware,
        sleep_time: sleep_time_of(context, hardware),
        variables: settings.variables.iter().map(|v| (v.key.clone(), v.value.clone())).collect(),
        secrets: settings.secrets.iter().map(|s| (s.key.clone(), s.value.clone())).collect(),
        volumes: settings.volumes.clone().unwrap_or_default(),
    }
}

/// Returns the first wanted hardware that was not refused.
fn first_wanted(context: &Context<'_>, refused: &[(Flavor, Refusal)]) -> Option<Flavor> {
    let wanted = &context.options.space.hardware.wanted;
    wanted.iter().copied().find(|flavor| !refused.iter().any(|(other, _)| other == flavor))
}

/// Returns the sleep time, if the hardware has one.
fn sleep_time_of(context: &Context<'_>, hardware: Option<Flavor>) -> Option<SleepTime> {
    hardware.and_then(|flavor| context.options.space.hardware.sleep_time_on(flavor))
}

/// Returns the files that a new Space is created with, so that its first build does not fail. The Hub writes the
/// message of that commit, so a message of the user needs a commit of its own.
fn first_files(context: &Context<'_>, plain: Vec<NewFile>) -> Vec<NewFile> {
    let options = context.options;
    let has_own_message = options.commit_message.is_some() || options.commit_description.is_some();
    if options.repo_type == RepoType::Space && !has_own_message { plain } else { Vec::new() }
}

/// Returns the Hub's answers for a new model or dataset with plain files: there is nothing to compare with, and all of
/// them are small. Only the Hub knows the address of a Space, so it is asked.
fn known_of_new(context: &Context<'_>, plain: &[NewFile]) -> Option<(Box<RepoInfo>, Preupload)> {
    let limits = context.options.commit_limits;
    let bytes: u64 = plain.iter().map(|file| file.content.len() as u64).sum();
    let fits = plain.len() <= limits.files && bytes <= limits.bytes;
    if context.options.repo_type == RepoType::Space || plain.is_empty() || !fits {
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

/// Returns the files if they are few, small, and only text, because the Hub then has no say in how they are sent.
fn plain_files(context: &Context<'_>, source: &Source) -> Result<Vec<NewFile>> {
    let options = context.options;
    let goes_to_main = options.revision.is_main() && !options.create_pr;
    let is_large = source.files.len() > MAX_FILES || source.total_size() > MAX_BYTES;
    if !goes_to_main || is_large {
        return Ok(Vec::new());
    }
    let paths = repo_paths(source, options.path_in_repo.as_ref())?;
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

/// Adds the hardware that was refused before, if a Space without it is refused as well.
fn none_granted(error: hub::Error, refused: &[(Flavor, Refusal)]) -> Failure {
    let mut failure = Failure::from(error);
    for (flavor, refusal) in refused {
        failure.message.push_str(&format!("; the hardware `{flavor}` was refused before: {refusal}"));
    }
    failure
}

/// Returns true if the Hub asks for a plan, credits or a payment method.
fn is_about_payment(refusal: &Refusal) -> bool {
    matches!(refusal.kind(), RefusalKind::PaymentRequired(_))
}

/// Returns true if the Hub may grant other hardware.
fn is_about_hardware(refusal: &Refusal) -> bool {
    !matches!(refusal.kind(), RefusalKind::PaymentRequired(Payment::Protected | Payment::Storage))
}

/// Returns true if the Hub's plan does not allow the SDK on `cpu-basic`. A Space without the hardware would be refused
/// as well.
fn is_about_the_sdk(refusal: &Refusal) -> bool {
    refusal.kind() == RefusalKind::PaymentRequired(Payment::SdkOnFreeHardware)
}

/// Returns true if the Hub decides how a file is sent: the file may be large, or decide about others.
fn needs_the_hub(path: &RepoPath) -> bool {
    let name = path.as_str().rsplit('/').next().unwrap_or_default();
    matches!(name, ".gitattributes" | ".gitignore") || has_large_name(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hub_decides_about_large_and_special_files() {
        let needs = |path: &str| needs_the_hub(&path.parse().unwrap());
        for path in ["weights.bin", "a/b.tar.gz", ".gitignore", "x/.gitattributes", "saved_model/a.txt"] {
            assert!(needs(path), "{path}");
        }
        for path in ["app.py", "README.md", "bin", "a.binary", "tar.py", "Dockerfile"] {
            assert!(!needs(path), "{path}");
        }
    }
}
