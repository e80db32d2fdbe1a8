//! Preparation before the repo is touched: the SDK, the card and the files as they are uploaded.

use crate::failure::SourceLocation;
use crate::failure::deploy_log as advice;
use crate::failure::folder::sdk_reason;
use crate::failure::{self, Result};
use crate::folder::executables::{StartedFile, files_started_by_mode};
use crate::folder::near_misses::{NearMiss, near_misses};
use crate::folder::{Source, SourceFile, card, framework, sdk, streamlit};
use crate::setting::SPACE_SDK;
use hub::{Lookup, RepoType, SpaceSdk};

use super::app_file::AppFile;
use super::card::{
    README, check_card, complete_card, insert, log_changes, mark_title, read_all, readme_on_hub, repair_card,
};
use super::context::Context;
use super::dataset_files::add_dataset_files;
use super::options::Origin;
use super::plan_base::GIT_ATTRIBUTES;

const DOCKERFILE: &str = "Dockerfile";

/// A source that is ready to be planned, and the state of the repo.
pub(super) struct Prepared {
    /// The folder as it is uploaded. The folder itself is never changed.
    pub(super) source: Source,
    /// Spaces only.
    pub(super) sdk: Option<SpaceSdk>,
    /// File that the Space starts.
    pub(super) app_file: Option<AppFile>,
    pub(super) lookup: Lookup,
}

/// Completes the files, looks the repo up, and lets the Hub check the card, before anything is written.
pub(super) async fn prepare(context: &Context<'_>, mut source: Source) -> Result<Prepared> {
    let is_whole_repo = context.options.path_in_repo.is_none();
    if is_whole_repo {
        leave_out_git_attributes(context, &mut source)?;
        repair_card(context, &mut source)?;
    }
    if context.options.repo_type != RepoType::Space {
        warn_about_names_and_modes(context, &source, None);
        if let Some(files) = &context.options.dataset {
            let lookup = add_dataset_files(context, files, &mut source).await?;
            return Ok(Prepared { source, sdk: None, app_file: None, lookup });
        }
        let readme = source.get(README).filter(|_| is_whole_repo);
        let lookup = look_up_and_check(context, readme).await?;
        return Ok(Prepared { source, sdk: None, app_file: None, lookup });
    }
    let own = source.get(README).filter(|_| is_whole_repo).map(read_all).transpose()?;
    if own.as_deref().and_then(card::card_sdk).is_some() {
        return prepare_with_card(context, source).await;
    }
    prepare_without_card(context, source, own).await
}

/// Prepares a Space whose card names no SDK, or is not in the folder.
async fn prepare_without_card(
    context: &Context<'_>,
    mut source: Source,
    own: Option<Vec<u8>>,
) -> Result<Prepared> {
    let is_whole_repo = context.options.path_in_repo.is_none();
    let lookup = context.hub.look_up(&context.repo, &context.options.revision).await?;
    // The card on the Hub is completed and not replaced, because people edit it there.
    let held = readme_on_hub(context, &lookup).await?;
    let kept = own.as_deref().zip(held.as_deref()).and_then(|(own, held)| card::keep_hub_keys(held, own));
    if let Some(edit) = kept {
        log_changes(context, &edit.changes);
        insert(&mut source, README, edit.bytes.into())?;
    }
    let (sdk, is_guess) = choose_sdk(context, &source, held.as_deref());
    if is_whole_repo {
        let is_new = matches!(lookup, Lookup::NoRepo(_));
        refuse_other_framework(context, sdk, &source, Strictness::of(is_guess && is_new))?;
        add_streamlit(context, sdk, &mut source)?;
        if !source.filter.hides(README) {
            let readme = source.get(README).map(read_all).transpose()?.or_else(|| held.clone());
            complete_card(context, sdk, readme, &mut source)?;
            mark_title(context, held.as_deref(), &mut source)?;
        }
    }
    let card = if is_whole_repo { sdk::readme(&source).or(held) } else { held };
    let app_file = AppFile::of(sdk, card.as_deref()).filter(|_| !is_profile(context));
    if let Some(app) = app_file.as_ref().filter(|_| is_whole_repo) {
        refuse_new_without(context, app, &source, &lookup)?;
    }
    if is_whole_repo && let Some(readme) = source.get(README) {
        check_card(context, readme).await?;
    }
    Ok(Prepared { source, sdk: Some(sdk), app_file, lookup })
}

/// Prepares a Space whose card is in the folder, so that look-up and check can run side by side.
async fn prepare_with_card(context: &Context<'_>, mut source: Source) -> Result<Prepared> {
    let (sdk, is_guess) = choose_sdk(context, &source, None);
    add_streamlit(context, sdk, &mut source)?;
    let readme = source.get(README).map(read_all).transpose()?;
    complete_card(context, sdk, readme, &mut source)?;
    mark_title(context, None, &mut source)?;
    let lookup = look_up_and_check(context, source.get(README)).await?;
    let is_new = matches!(lookup, Lookup::NoRepo(_));
    refuse_other_framework(context, sdk, &source, Strictness::of(is_guess && is_new))?;
    let app_file = AppFile::of(sdk, sdk::readme(&source).as_deref()).filter(|_| !is_profile(context));
    if let Some(app) = &app_file {
        refuse_new_without(context, app, &source, &lookup)?;
    }
    Ok(Prepared { source, sdk: Some(sdk), app_file, lookup })
}

/// Leaves out `.gitattributes`, because the Hub's own one says which files are large. Without it, they would be
/// pointers.
fn leave_out_git_attributes(context: &Context<'_>, source: &mut Source) -> Result<()> {
    if !source.leave_out(GIT_ATTRIBUTES) {
        return Ok(());
    }
    context.log.info(&format!(
        "`{GIT_ATTRIBUTES}` is left out: the Hub keeps its own, which says which files are large"
    ));
    if source.files.is_empty() {
        return Err(failure::deploy::nothing_to_deploy(GIT_ATTRIBUTES));
    }
    Ok(())
}

/// Returns the SDK, and true if it is a guess. The option decides, then the card of the folder, then the card on the
/// Hub, then the files, because a wrong `source_dir` must not change the kind of a Space.
fn choose_sdk(context: &Context<'_>, source: &Source, held: Option<&[u8]>) -> (SpaceSdk, bool) {
    let held = held.map(|readme| card::repair_opening_fence(readme).unwrap_or_else(|| readme.to_owned()));
    let on_the_hub = held.and_then(|readme| card::card_sdk(&readme)?.parse::<SpaceSdk>().ok());
    let (sdk, because, is_guess) = match (context.options.space_sdk, on_the_hub) {
        (None, Some(sdk)) => {
            let other = sdk::sdk_of_files(source).filter(|other| other.hub_name() != sdk.hub_name());
            let but = other.map(|other| {
                let other = other.as_str();
                format!(", while the files look like {other}: {} changes it", SPACE_SDK.with(other))
            });
            let because = format!("the README card on the Hub says so{}", but.unwrap_or_default());
            (sdk, because, false)
        }
        (requested, _) => {
            let (sdk, reason) = sdk::choose_sdk(requested, source);
            (sdk, sdk_reason(reason), reason.is_guess())
        }
    };
    if context.options.origin == Origin::Checkout {
        context.log.info(&format!("SDK: {} ({because})", sdk.hub_name()));
    }
    warn_about_names_and_modes(context, source, Some(sdk));
    (sdk, is_guess)
}

/// Returns true for the Space `README` of a namespace, whose README.md is the profile page. It needs no app.
fn is_profile(context: &Context<'_>) -> bool {
    context.repo.id.name == "README"
}

fn refuse_new_without(context: &Context<'_>, app: &AppFile, source: &Source, lookup: &Lookup) -> Result<()> {
    match lookup {
        Lookup::NoRepo(_) if source.get(&app.path).is_none() => {
            Err(app.missing_in_new_space(context, source))
        }
        _ => Ok(()),
    }
}

/// Warns about files that the Hub ignores because of their names, and about file modes, which it does not keep.
fn warn_about_names_and_modes(context: &Context<'_>, source: &Source, sdk: Option<SpaceSdk>) {
    let options = context.options;
    if options.origin != Origin::Checkout || options.path_in_repo.is_some() {
        return;
    }
    for miss in near_misses(source, sdk) {
        let NearMiss { found, meant } = miss;
        context.log.warning(&advice::near_miss(&found, meant));
    }
    if sdk != Some(SpaceSdk::Docker) {
        return;
    }
    for started in files_started_by_mode(source) {
        let StartedFile { path, command } = started;
        context.log.warning(&advice::file_mode_lost(&path, &command));
    }
}

/// Looks the repo up and checks the card side by side. A failure of the look-up comes first.
///
/// A generated card is checked for a Space that exists. A new one is created with few requests, and its creation checks
/// the card as well.
async fn look_up_and_check(context: &Context<'_>, readme: Option<&SourceFile>) -> Result<Lookup> {
    if context.options.origin == Origin::Model {
        let lookup = context.hub.look_up(&context.repo, &context.options.revision).await?;
        if let (Lookup::Found(_), Some(readme)) = (&lookup, readme) {
            check_card(context, readme).await?;
        }
        return Ok(lookup);
    }
    let check = async {
        match readme {
            Some(readme) => check_card(context, readme).await,
            None => Ok(()),
        }
    };
    let look_up = context.hub.look_up(&context.repo, &context.options.revision);
    let (lookup, check) = tokio::join!(look_up, check);
    let lookup = lookup?;
    check?;
    Ok(lookup)
}

/// Adds a Dockerfile for a Streamlit app, because the Hub no longer has a Streamlit SDK.
fn add_streamlit(context: &Context<'_>, sdk: SpaceSdk, source: &mut Source) -> Result<()> {
    if sdk != SpaceSdk::Streamlit {
        return Ok(());
    }
    if source.get(DOCKERFILE).is_some() || source.filter.hides(DOCKERFILE) {
        context.log.warning(&advice::streamlit_own_dockerfile());
        return Ok(());
    }
    let dockerfile = streamlit::dockerfile(source).ok_or_else(failure::deploy::streamlit_app_missing)?;
    insert(source, DOCKERFILE, dockerfile)?;
    context.log.warning(&advice::streamlit_generated_dockerfile());
    Ok(())
}

/// Reaction to an app of another framework in a Gradio Space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strictness {
    Warn,
    /// The Space is new, and its SDK is only a guess.
    Refuse,
}

impl Strictness {
    fn of(is_guess_for_new_space: bool) -> Self {
        if is_guess_for_new_space { Self::Refuse } else { Self::Warn }
    }
}

/// Refuses an app of another framework in a Gradio Space, before anything is created.
///
/// Streamlit never runs there. A server of another kind can, if it listens on port 7860. So it is a warning if the SDK
/// was chosen, or if the Space exists.
fn refuse_other_framework(
    context: &Context<'_>,
    sdk: SpaceSdk,
    source: &Source,
    strictness: Strictness,
) -> Result<()> {
    if sdk != SpaceSdk::Gradio {
        return Ok(());
    }
    let Some(framework::OtherFramework { name, file, line }) = framework::other_than_gradio(source) else {
        return Ok(());
    };
    let message = format!("{file} imports `{name}`, not `gradio`, and this is deployed as a Gradio Space");
    let place = SourceLocation { file: context.annotated(&file), line: Some(line), message };
    if name != "streamlit" && strictness == Strictness::Warn {
        context.log.warning_at(&place);
        return Ok(());
    }
    Err(failure::deploy::other_framework(name, place))
}
