//! What is settled before the repo is touched: the SDK, the card, and the words of the commit.

use hub::{Lookup, MARK, Repo, RepoPath, RepoType, SpaceSdk};

use crate::failure::folder::{CARD_HINT, card_failure, sdk_reason};
use crate::failure::{Code, Failure, Place, Result};
use crate::folder::executables::{StartedFile, files_started_by_mode};
use crate::folder::near_misses::{NearMiss, near_misses};
use crate::folder::{Source, SourceFile, card, framework, sdk, streamlit};
use crate::ops::deploy::options::DeployOptions;
use crate::ops::deploy::options::Origin;

use super::Deploy;
use super::app_file::AppFile;
use super::remote::GIT_ATTRIBUTES;

const README: &str = "README.md";
const DOCKERFILE: &str = "Dockerfile";

/// A source that is ready to be planned, and what the Hub has in its place.
pub(super) struct Prepared {
    /// The folder as it is uploaded. Nothing is written in the folder itself.
    pub(super) source: Source,
    /// Spaces only.
    pub(super) sdk: Option<SpaceSdk>,
    /// The file that the Space starts with.
    pub(super) app_file: Option<AppFile>,
    pub(super) lookup: Lookup,
}

impl Deploy<'_> {
    /// Settles what is uploaded, and asks the Hub what it thinks of the card, before anything is written.
    pub(super) async fn prepare(&self, mut source: Source) -> Result<Prepared> {
        let whole_repo = self.options.path_in_repo.is_none();
        // The Hub writes down there which files it keeps as large ones; without that, they would be pointers.
        if whole_repo && source.leave_out(GIT_ATTRIBUTES) {
            self.log.info(&format!(
                "`{GIT_ATTRIBUTES}` is left out: the Hub keeps its own, which says which files are large"
            ));
            if source.files.is_empty() {
                let message = format!("the source folder holds nothing to deploy but `{GIT_ATTRIBUTES}`");
                return Err(Failure::new(Code::SourceMissing, message)
                    .hint("set `source_dir` to the folder that holds what is to be deployed"));
            }
        }
        if whole_repo {
            self.repair_card(&mut source)?;
        }
        if self.options.repo_type != RepoType::Space {
            self.warn_of_names_and_modes(&source, None);
            let readme = source.get(README).filter(|_| whole_repo);
            let lookup = self.look_up_and_check(readme).await?;
            return Ok(Prepared { source, sdk: None, app_file: None, lookup });
        }
        let own = source.get(README).filter(|_| whole_repo).map(read_all).transpose()?;
        if own.as_deref().and_then(card::card_sdk).is_some() {
            return self.prepare_with_card(source).await;
        }
        let lookup = self.hub.look_up(&self.repo, &self.options.revision).await?;
        // The card that the Hub holds may have been edited there: it decides, and is completed, not replaced.
        let held = self.readme_on_the_hub(&lookup).await?;
        let kept = own.as_deref().zip(held.as_deref()).and_then(|(own, held)| card::keep_hub_keys(held, own));
        if let Some(edit) = kept {
            for change in &edit.changes {
                self.log.info(&format!("README.md (the uploaded copy only): {change}"));
            }
            source.replace_or_insert(known_path(README)?, edit.bytes.into());
        }
        let (sdk, is_guess) = self.choose_sdk(&source, held.as_deref());
        if whole_repo {
            let is_new = matches!(lookup, Lookup::NoRepo(_));
            self.refuse_other_framework(sdk, is_guess && is_new, &source)?;
            self.add_streamlit(sdk, &mut source)?;
            if !source.filter.hides(README) {
                let readme = source.get(README).map(read_all).transpose()?.or_else(|| held.clone());
                self.give_card(sdk, readme, &mut source)?;
            }
        }
        let card = if whole_repo { sdk::readme(&source).or(held) } else { held };
        let app_file = AppFile::of(sdk, card.as_deref()).filter(|_| !self.is_profile());
        if let Some(app) = app_file.as_ref().filter(|_| whole_repo) {
            self.refuse_without(app, &source, &lookup)?;
        }
        if whole_repo && let Some(readme) = source.get(README) {
            self.check_card(readme).await?;
        }
        Ok(Prepared { source, sdk: Some(sdk), app_file, lookup })
    }

    /// The same for a Space whose card is in the folder.
    async fn prepare_with_card(&self, mut source: Source) -> Result<Prepared> {
        let (sdk, is_guess) = self.choose_sdk(&source, None);
        self.add_streamlit(sdk, &mut source)?;
        let readme = source.get(README).map(read_all).transpose()?;
        self.give_card(sdk, readme, &mut source)?;
        let lookup = self.look_up_and_check(source.get(README)).await?;
        self.refuse_other_framework(sdk, is_guess && matches!(lookup, Lookup::NoRepo(_)), &source)?;
        let app_file = AppFile::of(sdk, sdk::readme(&source).as_deref()).filter(|_| !self.is_profile());
        if let Some(app) = &app_file {
            self.refuse_without(app, &source, &lookup)?;
        }
        Ok(Prepared { source, sdk: Some(sdk), app_file, lookup })
    }

    /// Returns the SDK, and true if it is a guess. The option decides, then the card of the folder, then the card on the
    /// Hub, then the files, because a folder that was named by mistake must not change the kind of a Space.
    fn choose_sdk(&self, source: &Source, held: Option<&[u8]>) -> (SpaceSdk, bool) {
        let held = held.map(|readme| card::repair_opening_fence(readme).unwrap_or_else(|| readme.to_owned()));
        let on_the_hub = held.and_then(|readme| card::card_sdk(&readme)?.parse::<SpaceSdk>().ok());
        let (sdk, because, is_guess) = match (self.options.space_sdk, on_the_hub) {
            (None, Some(sdk)) => {
                let other = sdk::sdk_of_files(source).filter(|other| other.hub_name() != sdk.hub_name());
                let but = other.map(|other| {
                    format!(", while the files look like {0}: `space_sdk: {0}` changes it", other.as_str())
                });
                let because = format!("the README card on the Hub says so{}", but.unwrap_or_default());
                (sdk, because, false)
            }
            (requested, _) => {
                let (sdk, reason) = sdk::choose_sdk(requested, source);
                (sdk, sdk_reason(reason).to_owned(), reason.is_guess())
            }
        };
        if self.options.origin == Origin::Checkout {
            self.log.info(&format!("SDK: {} ({because})", sdk.hub_name()));
        }
        self.warn_of_names_and_modes(source, Some(sdk));
        (sdk, is_guess)
    }

    /// Returns true for the Space `README` of a namespace, whose README.md is the profile page: it needs no app.
    fn is_profile(&self) -> bool {
        self.repo.id.name == "README"
    }

    fn refuse_without(&self, app: &AppFile, source: &Source, lookup: &Lookup) -> Result<()> {
        match lookup {
            Lookup::NoRepo(_) if source.get(&app.path).is_none() => Err(self.new_without(app, source)),
            _ => Ok(()),
        }
    }

    /// Takes out of the uploaded README.md what hides its metadata from the Hub.
    fn repair_card(&self, source: &mut Source) -> Result<()> {
        let Some(readme) = source.get(README).map(read_all).transpose()? else { return Ok(()) };
        let Some(repaired) = card::repair_opening_fence(&readme) else { return Ok(()) };
        self.log.info(&format!("README.md (the uploaded copy only): {}", card::REPAIRED));
        source.replace_or_insert(known_path(README)?, repaired.into());
        Ok(())
    }

    /// Warns of what the Hub will not see: files under other names than it looks for, and file modes.
    fn warn_of_names_and_modes(&self, source: &Source, sdk: Option<SpaceSdk>) {
        if self.options.origin == Origin::Generated || self.options.path_in_repo.is_some() {
            return;
        }
        for miss in near_misses(source, sdk) {
            let NearMiss { found, meant } = miss;
            self.log.warning(&format!(
                "`{found}` is not `{meant}`, which is the one that the Hub reads: rename it"
            ));
        }
        if sdk != Some(SpaceSdk::Docker) {
            return;
        }
        for started in files_started_by_mode(source) {
            let StartedFile { path, command } = started;
            self.log.warning(&format!("the Dockerfile starts `{command}`, and the Hub's commits keep no file modes: `{path}` will not be executable there; add `RUN chmod +x {command}` after its `COPY`, write `COPY --chmod=755`, or start it with `sh {command}`"));
        }
    }

    /// Both at once; what is wrong with the repo is told first.
    async fn look_up_and_check(&self, readme: Option<&SourceFile>) -> Result<Lookup> {
        let check = async {
            match readme {
                Some(readme) => self.check_card(readme).await,
                None => Ok(()),
            }
        };
        let (lookup, check) = tokio::join!(self.hub.look_up(&self.repo, &self.options.revision), check);
        let lookup = lookup?;
        check?;
        Ok(lookup)
    }

    /// The Hub has no Streamlit SDK any more: a Docker Space runs the app.
    fn add_streamlit(&self, sdk: SpaceSdk, source: &mut Source) -> Result<()> {
        if sdk != SpaceSdk::Streamlit {
            return Ok(());
        }
        if source.get(DOCKERFILE).is_some() || source.filter.hides(DOCKERFILE) {
            self.log.warning("the Hub no longer has a Streamlit SDK: this is deployed as a Docker Space with the folder's own Dockerfile; set `space_sdk: docker`");
            return Ok(());
        }
        let Some(dockerfile) = streamlit::dockerfile(source) else {
            return Err(Failure::new(
                Code::SourceMissing,
                "the folder has no Streamlit app to write a Dockerfile for",
            )
            .hint(
                "name the app `app.py`, `streamlit_app.py` or `src/streamlit_app.py`, or add a Dockerfile",
            ));
        };
        source.replace_or_insert(known_path(DOCKERFILE)?, dockerfile);
        self.log.warning("the Hub no longer has a Streamlit SDK: this is deployed as a Docker Space with a generated Dockerfile; to keep it under your control, add a Dockerfile to the folder and set `space_sdk: docker`");
        Ok(())
    }

    /// A Space without a card is no Space: the uploaded README gets one where it has none.
    fn give_card(&self, sdk: SpaceSdk, readme: Option<Vec<u8>>, source: &mut Source) -> Result<()> {
        let brings_readme = source.get(README).is_some();
        let facts = card::CardFacts {
            title: &self.repo.id.name,
            sdk,
            app_file: sdk::app_file(source, sdk),
            app_port: sdk::app_port(source),
            sdk_version: sdk::gradio_version(source),
        };
        let edit = card::complete(readme.as_deref(), &facts)
            .map_err(|error| card_failure(&error, brings_readme.then(|| self.annotated(README))))?;
        let Some(edit) = edit else { return Ok(()) };
        for change in &edit.changes {
            self.log.info(&format!("README.md (the uploaded copy only): {change}"));
        }
        if let Some(replaced) = &edit.replaced_sdk
            && sdk != SpaceSdk::Streamlit
        {
            let wanted = sdk.as_str();
            let place = if brings_readme { "README.md" } else { "README.md on the Hub" };
            self.log.warning(&format!("{place} says `sdk: {replaced}` and the input `space_sdk` says `{wanted}`: the uploaded copy says `{wanted}`; make them agree"));
        }
        source.replace_or_insert(known_path(README)?, edit.bytes.into());
        Ok(())
    }

    async fn readme_on_the_hub(&self, lookup: &Lookup) -> Result<Option<Vec<u8>>> {
        let Lookup::Found(info) = lookup else { return Ok(None) };
        let Some(sha) = &info.sha else { return Ok(None) };
        Ok(self.hub.read_small_file(&self.repo, sha, README).await?.map(|bytes| bytes.to_vec()))
    }

    /// Asks the Hub about the card, before anything is uploaded.
    async fn check_card(&self, readme: &SourceFile) -> Result<()> {
        let bytes = read_all(readme)?;
        let text = String::from_utf8_lossy(&bytes);
        let check = self.hub.check_card(self.options.repo_type, &text).await?;
        let place = |message: &String| Place {
            file: self.annotated(README),
            line: card::line_of_message(&bytes, message),
            message: message.clone(),
        };
        for warning in &check.warnings {
            self.log.warning_at(&place(warning));
        }
        if check.errors.is_empty() {
            return Ok(());
        }
        let message = format!("the Hub refuses the metadata of README.md: {}", check.errors.join("; "));
        Err(Failure::new(Code::InvalidCard, message).hint(CARD_HINT).at(check.errors.iter().map(place)))
    }

    /// Refuses an app of another framework in a Gradio Space, before anything is created. `is_strict` says that the Space
    /// is new, and that its SDK is only a guess.
    ///
    /// Streamlit never runs there. A server of another kind can, if it listens on port 7860: it is a warning where the SDK
    /// was chosen, or the Space exists.
    fn refuse_other_framework(&self, sdk: SpaceSdk, is_strict: bool, source: &Source) -> Result<()> {
        if sdk != SpaceSdk::Gradio {
            return Ok(());
        }
        let Some(framework::OtherFramework { name, file, line }) = framework::other_than_gradio(source)
        else {
            return Ok(());
        };
        let message =
            format!("{file} imports `{name}`, not `gradio`, and this is deployed as a Gradio Space");
        let place = Place { file: self.annotated(&file), line: Some(line), message: message.clone() };
        let is_streamlit = name == "streamlit";
        if !is_streamlit && !is_strict {
            self.log.warning_at(&place);
            return Ok(());
        }
        let way_out = if is_streamlit {
            "set `space_sdk: streamlit`, or add a Dockerfile to the folder".to_owned()
        } else {
            format!("add a Dockerfile to the folder that starts the {name} app on port 7860")
        };
        Err(Failure::new(Code::InvalidInput, message)
            .hint(way_out)
            .hint("if the app does use Gradio, import it in a Python file of the folder; nothing was changed")
            .at([place]))
    }

    /// A path of the source, relative to the checkout: where GitHub shows annotations.
    pub(super) fn annotated(&self, path: &str) -> String {
        let folder = match &self.options.workspace {
            Some(workspace) => self.options.source_dir.strip_prefix(workspace).ok(),
            None => None,
        };
        folder.map_or_else(|| path.to_owned(), |folder| folder.join(path).to_string_lossy().into_owned())
    }
}

fn read_all(file: &SourceFile) -> Result<Vec<u8>> {
    Ok(file.read_to_vec().map_err(|error| file.error(error))?)
}

fn known_path(path: &str) -> Result<RepoPath> {
    path.parse().map_err(|error| Failure::new(Code::Internal, format!("`{path}` {error}")))
}

/// The words of a commit.
pub(super) struct Message {
    pub(super) summary: String,
    pub(super) description: String,
    pub(super) marker: String,
}

/// The commit message: what the user says, then trailers (`git interpret-trailers`) that say where it
/// came from. The last one is unlike that of any other commit.
pub(super) fn commit_message(options: &DeployOptions, repo: &Repo) -> Message {
    let github = &options.provenance;
    let short_sha = github.sha.as_deref().map(|sha| &sha[..sha.len().min(7)]);
    let default = || match (&github.repository, short_sha) {
        (Some(repository), Some(sha)) => format!("Deploy {repository}@{sha}"),
        (Some(repository), None) => format!("Deploy {repository}"),
        _ => format!("Deploy {}", repo.id.name),
    };
    let wanted = options.commit_message.clone().unwrap_or_else(default);
    let wanted = wanted.trim();
    let (summary, rest) = wanted.split_once('\n').unwrap_or((wanted, ""));
    let marker = format!("{MARK}{:016x}", fastrand::u64(..));
    let mut trailers = Vec::new();
    if let Some(repository) = &github.repository {
        trailers.push(format!("Source-Repository: {repository}"));
    }
    if let Some(sha) = &github.sha {
        trailers.push(format!("Source-Commit: {sha}"));
    }
    if let Some(url) = &github.run_url {
        trailers.push(format!("Workflow-Run: {url}"));
    }
    trailers.push(marker.clone());
    let paragraphs = [rest.trim(), options.commit_description.as_deref().unwrap_or("").trim()];
    let mut description: String =
        paragraphs.iter().filter(|text| !text.is_empty()).map(|text| format!("{text}\n\n")).collect();
    description.push_str(&trailers.join("\n"));
    Message { summary: summary.trim().to_owned(), description, marker }
}
