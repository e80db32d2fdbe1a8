//! The repo: its name, type and visibility.

use hub::{ParseError, RepoName, RepoType, SpaceSdk, Visibility, suggest};

use crate::action::GithubContext;
use crate::commands::inputs::declaration::{DefaultValue, Input, Only, ValueKind, inputs};
use crate::commands::inputs::diagnostics::Diagnostics;
use crate::commands::inputs::parse::{self, Parsed};
use crate::commands::inputs::values::{Field, Values};

inputs! {
    /// Inputs of the repo.
    REPO: "Repo", "";
    HUGGINGFACE_REPO = Input {
        kind: ValueKind::Text("NAMESPACE/NAME"),
        summary: "Repo to deploy to, as `name` or `namespace/name`",
        details: "Without a namespace it belongs to the user of `hf_token`. A deploy without `hf_token` needs the namespace.",
        default: DefaultValue::Words("the name of the GitHub repository"),
        elsewhere: &[
            "repo_id", "repo", "repository", "repo_name", "space", "space_id", "space_name", "hf_repo", "hf_space",
            "hf_space_id", "huggingface_space",
        ],
        ..Input::new("huggingface_repo")
    };
    REPO_TYPE = Input {
        kind: ValueKind::Choice(&["space", "model", "dataset"]),
        summary: "Type of the repo",
        default: DefaultValue::Passed("space"),
        elsewhere: &["type"],
        ..Input::new("repo_type")
    };
    SPACE_SDK = Input {
        kind: ValueKind::Choice(&["gradio", "docker", "static", "streamlit"]),
        summary: "SDK of the Space",
        details: "`streamlit` deploys a Docker Space, because the Hub no longer has that SDK.",
        default: DefaultValue::Words("the SDK in the README card, or the one that fits the files"),
        only: &[Only::Spaces],
        elsewhere: &["sdk"],
        ..Input::new("space_sdk")
    };
    // No default of action.yml: `false` of the user contradicts `visibility: private`, and `false` of the runner does not.
    PRIVATE = Input {
        kind: ValueKind::Flag,
        summary: "Make the repo private",
        details: "Also makes an existing public repo private; `false` never makes a private repo public.",
        default: DefaultValue::Value("false"),
        ..Input::new("private")
    };
    VISIBILITY = Input {
        kind: ValueKind::Choice(&["public", "private", "protected"]),
        summary: "Visibility of the repo, also of an existing one",
        details: "Only Spaces can be `protected`. A contradiction to `private` is an error.",
        default: DefaultValue::Words("`private` if the input `private` is `true`, else `public` for a new repo"),
        elsewhere: &["public"],
        ..Input::new("visibility")
    };
}

/// Word of `kvokka/huggingface` for the name of the GitHub repository.
const LEGACY_DEFAULT: &str = "same_with_github_repo";

/// Reads the name of the repo; `None` is a fault.
pub(crate) fn name(
    values: &Values,
    github: &GithubContext,
    diagnostics: &mut Diagnostics,
) -> Option<RepoName> {
    if let Some(text) = values.given(&HUGGINGFACE_REPO) {
        if text == LEGACY_DEFAULT {
            diagnostics.fault(&HUGGINGFACE_REPO, format!("must not be `{LEGACY_DEFAULT}`: leave it out, which takes the name of the GitHub repository"));
            return None;
        }
        return diagnostics.take(&HUGGINGFACE_REPO, text.parse());
    }
    let Some(name) = github.repository_name() else {
        diagnostics
            .fault(&HUGGINGFACE_REPO, "must name the repo: it is empty, and so is `GITHUB_REPOSITORY`");
        return None;
    };
    let named: Result<RepoName, ParseError> = name.parse();
    let named = named.map_err(|refusal| {
        format!(
            "must name the repo: the name of the GitHub repository cannot stand in for it, which {refusal}"
        )
    });
    diagnostics.take(&HUGGINGFACE_REPO, named)
}

/// Reads the type of the repo; `None` is a fault.
pub(crate) fn repo_type(values: &Values, diagnostics: &mut Diagnostics) -> Option<RepoType> {
    match values.field(&REPO_TYPE, str::parse, diagnostics) {
        Field::Given(repo_type) => Some(repo_type),
        Field::Absent => Some(parse::default(&REPO_TYPE, str::parse)),
        Field::Invalid => None,
    }
}

/// Reads the SDK. It is not judged for another type, where it has no effect.
pub(crate) fn space_sdk(
    values: &Values,
    repo_type: Option<RepoType>,
    diagnostics: &mut Diagnostics,
) -> Option<SpaceSdk> {
    match repo_type {
        Some(RepoType::Model | RepoType::Dataset) => None,
        Some(RepoType::Space) | None => values.field(&SPACE_SDK, parse_sdk, diagnostics).ok(),
    }
}

/// Parses an SDK. The refusal of a framework names the SDK that runs its apps.
fn parse_sdk(text: &str) -> Parsed<SpaceSdk> {
    text.parse().map_err(|refusal| ParseError(format!("{refusal}{}", advice_for_framework(text))))
}

/// Frameworks whose apps the Hub runs in Docker Spaces.
const DOCKER_FRAMEWORKS: &[&str] = &["flask", "fastapi", "django", "node", "nodejs", "express", "nextjs"];

/// Returns the end of a refusal: the SDK that runs the apps of a framework.
fn advice_for_framework(text: &str) -> &'static str {
    let name = suggest::letters_of(text);
    match name.as_str() {
        "html" => ": set `static` for plain pages",
        name if DOCKER_FRAMEWORKS.contains(&name) => {
            ": set `docker`, and add a Dockerfile that starts the app"
        }
        _ => "",
    }
}

/// Visibility of the repo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct VisibilityChoice {
    /// Visibility of a new repo.
    pub(crate) visibility: Visibility,
    /// Changes an existing repo as well.
    pub(crate) is_given: bool,
    /// True if `private: false` stands alone.
    pub(crate) private_is_false: bool,
}

pub(crate) fn visibility(
    values: &Values,
    repo_type: Option<RepoType>,
    diagnostics: &mut Diagnostics,
) -> VisibilityChoice {
    let private = values.field(&PRIVATE, parse::boolean, diagnostics);
    let field: Field<Visibility> = values.field(&VISIBILITY, str::parse, diagnostics);
    let Field::Given(visibility) = field else {
        return match private {
            Field::Given(true) => {
                VisibilityChoice { visibility: Visibility::Private, is_given: true, private_is_false: false }
            }
            Field::Given(false) | Field::Absent | Field::Invalid => VisibilityChoice {
                visibility: Visibility::Public,
                is_given: false,
                private_is_false: private == Field::Given(false),
            },
        };
    };
    if let Field::Given(private) = private
        && private != (visibility == Visibility::Private)
    {
        let (visibility, input) = (visibility.as_str(), values.quoted(&PRIVATE));
        diagnostics.fault(
            &VISIBILITY,
            format!("contradicts {input}: `{visibility}` and `{private}` (leave {input} out)"),
        );
    }
    if let Some(other) = repo_type.filter(|repo_type| *repo_type != RepoType::Space)
        && visibility == Visibility::Protected
    {
        diagnostics.fault(
            &VISIBILITY,
            format!("must be `public` or `private` for a {}: only Spaces can be `protected`", other.noun()),
        );
    }
    VisibilityChoice { visibility, is_given: true, private_is_false: false }
}
