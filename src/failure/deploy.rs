//! Advice on failed deploys.

use std::fmt::Display;

use crate::text::count;
use hub::{Access, OrgRole, Repo, RepoType, Revision, SpaceSdk, WhoAmI};

use super::folder::CARD_HINT;
use super::rights::has_plan;
use super::token_page::token_page;
use super::{Code, Failure, SourceLocation};
use crate::setting::{
    CREATE_PR, EXCLUDE, HF_TOKEN, HUGGINGFACE_REPO, MAX_DELETES, PATH_IN_REPO, PRUNE, REPO_TYPE, REVISION,
    SECRETS, SECRETS_IN_FILES, SOURCE_DIR, SPACE_SDK,
};

const ONE_DEPLOY_AT_A_TIME: &str = "another writer commits to this branch: run one deploy at a time, with a `concurrency` group in a workflow";

/// Returns the failure of a run without a namespace: neither `huggingface_repo` nor a token names one.
pub fn namespace_missing() -> Failure {
    Failure::new(
        Code::TokenMissing,
        format!("{HUGGINGFACE_REPO} has no namespace, and there is no token whose user could be it"),
    )
    .hint(format!("write `namespace/name`, or set {HF_TOKEN}"))
}

/// Returns the failure of a source that has only files that are never deployed.
pub fn nothing_to_deploy(only: &str) -> Failure {
    Failure::new(Code::SourceMissing, format!("the source folder holds nothing to deploy but `{only}`"))
        .hint(format!("set {SOURCE_DIR} to the folder that holds the files to deploy"))
}

/// Returns the failure of a Streamlit Space whose folder has no app.
pub fn streamlit_app_missing() -> Failure {
    Failure::new(Code::SourceMissing, "the folder has no Streamlit app to write a Dockerfile for")
        .hint("name the app `app.py`, `streamlit_app.py` or `src/streamlit_app.py`, or add a Dockerfile")
}

/// Returns the failure of a card whose metadata block the Hub refuses.
pub fn card_refused(errors: &[String], places: Vec<SourceLocation>) -> Failure {
    let message = format!("the Hub refuses the metadata of README.md: {}", errors.join("; "));
    Failure::new(Code::InvalidCard, message).hint(CARD_HINT).at(places)
}

/// Returns the failure of a Gradio Space whose app imports another framework, at `place`.
pub fn other_framework(framework: &str, place: SourceLocation) -> Failure {
    let way_out = if framework == "streamlit" {
        format!("set {}, or add a Dockerfile to the folder", SPACE_SDK.with("streamlit"))
    } else {
        format!("add a Dockerfile to the folder that starts the {framework} app on port 7860")
    };
    Failure::new(Code::InvalidInput, place.message.clone())
        .hint(way_out)
        .hint("if the app does use Gradio, import it in a Python file of the folder; nothing was changed")
        .at([place])
}

/// An app file that neither the folder nor the Hub has.
#[derive(Debug)]
pub struct MissingApp<'a> {
    pub sdk: SpaceSdk,
    pub path: &'a str,
    /// The card names the file.
    pub is_named: bool,
    pub source_dir: &'a str,
    /// App file of the folder under another name.
    pub other_app: Option<&'a str>,
    /// Subfolder that has the file.
    pub subfolder: Option<&'a str>,
    /// File whose name differs only in case.
    pub other_case: Option<&'a str>,
    /// SDK that the files of the folder look like, if it is another.
    pub other_sdk: Option<SpaceSdk>,
}

impl MissingApp<'_> {
    /// Returns the failure of a new Space that would start without its app.
    pub fn in_new_space(&self) -> Failure {
        let message = format!(
            "the folder has no `{}`, which a new {} Space starts (nothing was changed)",
            self.path,
            self.sdk.hub_name()
        );
        self.failure(message).hint(format!(
            "set {} or {}, if the files are no app",
            REPO_TYPE.with("model"),
            REPO_TYPE.with("dataset")
        ))
    }

    /// Returns the failure of a deploy that would delete the app.
    pub fn deleted_from(&self, repo: &Repo) -> Failure {
        let Self { path, source_dir, .. } = self;
        self.failure(format!(
            "this deploy would leave the {repo} without `{path}`: it deletes it, and {SOURCE_DIR} (`{source_dir}`) has none (nothing was changed)"
        ))
    }

    /// Returns the failure of a deploy after which the repo would still have no app.
    pub fn absent_from(&self, repo: &Repo) -> Failure {
        let Self { path, source_dir, .. } = self;
        self.failure(format!(
            "this deploy would leave the {repo} without `{path}`: neither the Hub nor {SOURCE_DIR} (`{source_dir}`) has one (nothing was changed)"
        ))
    }

    fn failure(&self, message: String) -> Failure {
        let failure = Failure::new(Code::SpaceWithoutApp, message).before_any_write();
        self.hints().into_iter().fold(failure, Failure::hint)
    }

    fn hints(&self) -> Vec<String> {
        let Self { path, source_dir, .. } = self;
        let mut hints = Vec::new();
        match self.other_app {
            Some(own) if self.is_named => hints
                .push(format!("correct README.md: it says `app_file: {path}`, and the folder has `{own}`")),
            Some(own) => hints.push(format!("write `app_file: {own}` into the metadata block of README.md")),
            None => {}
        }
        if let Some(folder) = self.subfolder {
            let dir = if *source_dir == "." { folder.to_owned() } else { format!("{source_dir}/{folder}") };
            hints.push(format!("set {}, if `{folder}/{path}` is the app", SOURCE_DIR.with(dir)));
        }
        if let Some(file) = self.other_case {
            hints.push(format!("rename `{file}` to `{path}`"));
        }
        if let Some(guess) = self.other_sdk {
            let file = if guess == SpaceSdk::Docker { "Dockerfile" } else { "index.html" };
            hints.push(format!(
                "set {}, if the Space should run the `{file}` of the folder",
                SPACE_SDK.with(guess.as_str())
            ));
        }
        match self.sdk {
            SpaceSdk::Docker | SpaceSdk::Streamlit => hints.push(
                format!("add a `Dockerfile` to the folder, or set {SOURCE_DIR} to the folder that holds it"),
            ),
            SpaceSdk::Static => hints.push(format!(
                "add `{path}` to the folder, or set {SOURCE_DIR} to the folder that holds the built pages"
            )),
            SpaceSdk::Gradio => hints.extend([
                format!("set {SOURCE_DIR} to the folder that holds the app, or name its file with `app_file` in README.md"),
                format!("or set {SPACE_SDK}, if the app is not a Gradio app"),
            ]),
        }
        hints
    }
}

/// Returns the failure of a path that is too long, or not allowed, below `path_in_repo`.
pub fn path_refused(error: &dyn Display) -> Failure {
    Failure::new(Code::InvalidPath, format!("a path in {PATH_IN_REPO} {error}"))
        .hint(format!("shorten {PATH_IN_REPO} or the folders of the source"))
}

/// Returns the failure of a folder in whose place the repo has a file that is none of this deploy.
pub fn file_in_the_way(repo: &Repo, path: &str) -> Failure {
    let message = format!(
        "cannot deploy into the folder `{path}`: the {repo} has a file of that name, which is none of this deploy (nothing was changed)"
    );
    Failure::new(Code::InvalidPath, message)
        .hint(format!("delete `{path}` on the Hub, or choose another folder"))
}

/// Returns the failure of a file in whose place the repo has a folder that stays.
pub fn folder_in_the_way(repo: &Repo, path: &str, files: usize, prunes: bool) -> Failure {
    let files = count(files, "file");
    let message = format!(
        "cannot deploy the file `{path}`: the {repo} has a folder of that name, with {files} that this deploy does not delete (nothing was changed)"
    );
    let failure = Failure::new(Code::InvalidPath, message)
        .hint(format!("delete the folder `{path}` on the Hub, or rename the file"));
    if prunes {
        return failure;
    }
    failure.hint(format!("or set {}, which deletes all that {SOURCE_DIR} does not have", PRUNE.with(true)))
}

/// Returns the failure of a plan that deletes more than `max_deletes` allows. `summary` has the number of deletions.
pub fn too_many_deletes(summary: &str, limit: &dyn Display) -> Failure {
    let message = format!("{summary}, and {MAX_DELETES} allows {limit} (nothing was changed)");
    Failure::new(Code::TooManyDeletes, message)
        .hint(format!("check {SOURCE_DIR}: what the folder does not have is deleted"))
        .hint(format!("leave alone what others write there with {EXCLUDE}, or raise {MAX_DELETES}"))
}

/// Returns the failure of a source with secrets. `excludes` are the patterns that leave their files out.
pub fn secrets_in_files(
    message: String,
    repo_type: RepoType,
    excludes: &str,
    places: Vec<SourceLocation>,
) -> Failure {
    let failure = Failure::new(Code::SecretsInFiles, message)
        .at(places)
        .hint(format!("leave the files out, one line each in {EXCLUDE}: {excludes}"));
    let failure = match repo_type {
        RepoType::Space => failure.hint(format!("or take the value out of the file, name it in {SECRETS}, and let the app read it from its environment")),
        RepoType::Model | RepoType::Dataset => failure,
    };
    failure.hint(no_secret())
}

fn no_secret() -> String {
    format!("if it is no secret, or may be read, set {}", SECRETS_IN_FILES.with("warn"))
}

/// Returns the failure of a repo that would become public with files that look like secrets.
pub fn secrets_on_the_hub(repo: &Repo, findings: &[String]) -> Failure {
    let message = format!(
        "cannot make the {repo} public, because it holds what looks like a secret:\n{}",
        findings.join("\n")
    );
    Failure::new(Code::SecretsInFiles, message)
        .hint("delete the files on the Hub, and replace the secrets: the history stays readable")
        .hint(no_secret())
}

/// Returns the failure of a branch that does not exist and cannot be created.
pub fn no_such_branch(repo: &Repo, revision: &Revision) -> Failure {
    Failure::new(Code::RevisionNotFound, format!("the {repo} has no branch `{revision}`"))
        .hint(format!("check {REVISION}"))
}

/// Returns the failure of a repo that exists, and that the token has no access to.
pub fn repo_hidden(repo: &Repo) -> Failure {
    Failure::new(Code::PermissionDenied, format!("the {repo} exists, but this token cannot see it"))
        .hint("the token needs read and write access to this repo")
}

/// Returns the failure of a branch that moved during each attempt. `is_merged` is true if an attempt was merged with
/// commits of another writer.
pub fn branch_keeps_moving(repo: &Repo, revision: &Revision, is_merged: bool) -> Failure {
    Failure::new(Code::Conflict, format!("the branch `{revision}` of the {repo} keeps moving"))
        .hint(ONE_DEPLOY_AT_A_TIME)
        .hint(if is_merged {
            "this deploy was merged together with commits of another writer; run the job again"
        } else {
            "nothing of this deploy was committed; run the job again"
        })
}

/// Returns the failure of a deploy that was merged together with commits of another writer.
pub fn merged_with_others(repo: &Repo, revision: &Revision) -> Failure {
    let message = format!(
        "the branch `{revision}` of the {repo} keeps moving: this deploy was merged, together with commits of another writer"
    );
    Failure::new(Code::Conflict, message)
        .hint(ONE_DEPLOY_AT_A_TIME)
        .hint("run the job again: it makes the branch what the folder is")
}

/// Replaces the token hints of a run with trusted publishing, because its scope cannot be changed by the user.
pub fn explain_trusted_publishing(mut failure: Failure) -> Failure {
    if matches!(failure.code, Code::TokenInvalid | Code::PermissionDenied | Code::RepoNotFound) {
        failure.code = Code::PermissionDenied;
        failure.hints = vec![
            "a keyless token writes files to its one repo, and may be refused everything else: set variables, secrets, hardware and visibility once by hand in the settings of the repo, and leave their inputs out".to_owned(),
            format!("or pass {HF_TOKEN}"),
        ];
    }
    failure
}

/// Names the token as the cause, if the Hub does not know it.
pub fn explain_token(mut failure: Failure) -> Failure {
    if failure.code == Code::TokenInvalid {
        failure.message = format!("the Hub does not accept this token: {}", failure.message);
        failure.hints = vec![format!(
            "it may be expired, revoked or incomplete: make a new one at {}, and replace the secret behind {HF_TOKEN}",
            token_page(Access::Write, None)
        )];
    }
    failure
}

/// Names the cause of a refused write first: the user's role in the organization, or the plan.
pub fn explain_refusal(mut failure: Failure, user: &WhoAmI, repo: &Repo, create_pr: bool) -> Failure {
    let (name, namespace) = (&user.name, &repo.id.namespace);
    let role = user.orgs.iter().find(|org| org.name == *namespace).and_then(|org| org.role);
    if failure.code == Code::PermissionDenied && role == Some(OrgRole::Contributor) && !create_pr {
        failure.message = format!(
            "`{name}` has the role `contributor` in `{namespace}`, which writes only to repos that `{name}` created: {}",
            failure.message
        );
        failure.hints = vec![format!(
            "ask an admin of `{namespace}` for the role `write`, or set {} to propose the change",
            CREATE_PR.with(true)
        )];
    }
    if failure.code == Code::PaymentRequired && has_plan(user, namespace) == Some(false) {
        failure.message = format!("`{namespace}` has no paid plan: {}", failure.message);
    }
    failure
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use hub::RepoName;

    #[test]
    fn refusal_of_a_contributor_names_the_role_and_no_token() {
        let user: WhoAmI = serde_json::from_value(
            json!({"name": "ada", "orgs": [{"name": "acme", "roleInOrg": "contributor"}]}),
        )
        .unwrap();
        let id = "acme/app".parse::<RepoName>().unwrap().full().unwrap();
        let repo = Repo { repo_type: RepoType::Space, id };
        let refused = || Failure::new(Code::PermissionDenied, "cannot commit: 403").hint("make a token");
        let failure = explain_refusal(refused(), &user, &repo, false);
        assert!(failure.message.starts_with("`ada` has the role `contributor` in `acme`"), "{failure}");
        assert!(failure.hints[0].contains("role `write`") && failure.hints[0].contains("`create_pr: true`"));
        assert_eq!(failure.hints.len(), 1);
        assert_eq!(explain_refusal(refused(), &user, &repo, true).message, "cannot commit: 403");
    }
}
