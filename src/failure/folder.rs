//! Advice about the folder: errors, and lines for the log.

use std::fmt::Display;
use std::io;
use std::path::Path;

use super::{Code, Failure, SourceLocation};
use crate::folder::card::{CardError, CardFault};
use crate::folder::sdk::SdkReason;
use crate::folder::{EmptyReason, Error, LeftOut, MissingFolder, MissingReason, PatternList, UnusedPattern};
use crate::setting::{
    CACHE_PATH, DEFAULT_EXCLUDES, EXCLUDE, INCLUDE, SOURCE_DIR, SPACE_SDK, in_workflow_or_terminal,
};
use crate::text::{name_some, quoted_all, quoted_path};

fn checkout_hint() -> &'static str {
    in_workflow_or_terminal(
        "run actions/checkout in this job, before this step: the workspace starts empty",
        "check the path, and the folder in which you run this command",
    )
}

fn empty_hint() -> &'static str {
    in_workflow_or_terminal(
        "check where the build step writes to, and that it runs in this job, before this step",
        "check where the build writes to, and run it first",
    )
}

fn build_hint() -> &'static str {
    in_workflow_or_terminal(
        "if a step makes the folder, run it in this job, before this step",
        "if a build makes the folder, run it first",
    )
}

fn submodule_hint() -> &'static str {
    in_workflow_or_terminal(
        "set `submodules: true` for actions/checkout, so that it fetches the submodules",
        "run `git submodule update --init --recursive`",
    )
}

fn pointer_hint() -> &'static str {
    in_workflow_or_terminal(
        "set `lfs: true` for actions/checkout, so that it fetches the content",
        "run `git lfs pull`",
    )
}

/// Returns the hint for a folder that changes while it is deployed.
pub(super) fn changed_hint() -> String {
    let reader = in_workflow_or_terminal("this step", "this command");
    format!("let nothing write to {SOURCE_DIR} while {reader} runs")
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let failure = Self::new(code(&error), error.to_string());
        let failure = hints(&error).into_iter().fold(failure, Self::hint);
        match cause(error) {
            Some(cause) => failure.caused_by(cause),
            None => failure,
        }
    }
}

fn code(error: &Error) -> Code {
    match error {
        Error::Missing(_) | Error::NotAFolder(_) | Error::Empty { .. } | Error::NothingLeft { .. } => {
            Code::SourceMissing
        }
        Error::FolderUnreadable { .. } | Error::Unreadable(_) | Error::FileUnreadable { .. } => {
            Code::SourceUnreadable
        }
        Error::BadPatterns(_) | Error::IgnoreFileNotUtf8(_) => Code::InvalidInput,
        Error::RefusedPaths(_) => Code::InvalidPath,
        Error::Links(_) => Code::LinkOutsideSource,
        Error::LfsPointers(_) => Code::LfsPointer,
        Error::TooLarge(_) => Code::SourceTooLarge,
        Error::FileChanged { .. } => Code::SourceChanged,
    }
}

fn hints(error: &Error) -> Vec<String> {
    match error {
        Error::Missing(missing) => missing_hints(missing),
        Error::NothingLeft { left_out, unused_patterns, .. } => {
            nothing_left_hints(*left_out, unused_patterns)
        }
        Error::FolderUnreadable { .. } | Error::IgnoreFileNotUtf8(_) | Error::FileUnreadable { .. } => {
            Vec::new()
        }
        Error::NotAFolder(_) => vec![format!("{SOURCE_DIR} names the folder that holds the files")],
        Error::Empty { reason: EmptyReason::Submodule, .. } => vec![submodule_hint().to_owned()],
        Error::Empty { reason: EmptyReason::NothingBuilt, .. } => vec![empty_hint().to_owned()],
        Error::Empty { reason: EmptyReason::NoCheckout, .. } => vec![checkout_hint().to_owned()],
        Error::BadPatterns(_) => vec![
            "patterns have the syntax of .gitignore; put a `\\` before a `[` or `{` that stands for itself"
                .to_owned(),
        ],
        Error::Unreadable(_) => {
            let reader = in_workflow_or_terminal("this step", "this user");
            vec![format!("leave out with {EXCLUDE} what is not needed, or make it readable for {reader}")]
        }
        Error::RefusedPaths(_) => vec![format!("rename the files, or leave them out with {EXCLUDE}")],
        Error::Links(_) => vec![format!(
            "put the files themselves in the place of the links, or leave the links out with {EXCLUDE}"
        )],
        Error::LfsPointers(_) => {
            vec![pointer_hint().to_owned(), format!("leave out with {EXCLUDE} what is meant to be a pointer")]
        }
        Error::TooLarge(_) => vec![format!("split the file or folder, or leave it out with {EXCLUDE}")],
        Error::FileChanged { .. } => vec![changed_hint()],
    }
}

fn missing_hints(missing: &MissingFolder) -> Vec<String> {
    match &missing.reason {
        MissingReason::EmptyCheckout => vec![checkout_hint().to_owned()],
        MissingReason::OutsideCheckout { inside } => {
            let inside = inside.as_deref().map(|inside| format!(": {}", did_you_mean(inside)));
            vec![format!(
                "this step runs in a container that has the checkout only: write {SOURCE_DIR} relative to it{}",
                inside.unwrap_or_default()
            )]
        }
        MissingReason::Wildcards => {
            vec![format!("{SOURCE_DIR} names one folder, without `*`: choose the files in it with {INCLUDE}")]
        }
        MissingReason::NotMade { similar } => {
            let similar = similar.as_deref().map(did_you_mean);
            similar.into_iter().chain([build_hint().to_owned()]).collect()
        }
    }
}

fn did_you_mean(folder: &Path) -> String {
    format!("did you mean {}?", quoted_path(folder))
}

fn nothing_left_hints(left_out: usize, unused: &[UnusedPattern]) -> Vec<String> {
    let entries = if left_out == 1 { "entry" } else { "entries" };
    let hint = if left_out == 0 {
        // A bare checkout, or a folder of empty folders.
        checkout_hint().to_owned()
    } else {
        format!(
            "{INCLUDE}, {EXCLUDE}, .hfignore, .gitignore and the defaults leave out all there is ({left_out} {entries})"
        )
    };
    std::iter::once(hint).chain(unused.iter().map(unused_pattern_warning)).collect()
}

/// Returns the error that led to this one.
fn cause(error: Error) -> Option<io::Error> {
    match error {
        Error::FolderUnreadable { source, .. }
        | Error::FileUnreadable { source, .. }
        | Error::FileChanged { source, .. } => Some(source),
        Error::Unreadable(paths) => paths.into_iter().next().map(|(_, error)| error),
        _ => None,
    }
}

/// Returns the failure of a card that cannot be read or edited. `readme` is the path of README.md in the checkout, if the
/// card is there and not on the Hub.
pub fn card_failure(error: &CardError, readme: Option<String>) -> Failure {
    let message = error.fault.to_string();
    let hint = match error.fault {
        CardFault::CannotSetSdk(sdk) => {
            format!("write `sdk: {}` into the metadata block, on a line of its own", sdk.hub_name())
        }
        _ => CARD_HINT.to_owned(),
    };
    Failure::new(Code::InvalidCard, format!("the metadata of README.md cannot be read: {message}"))
        .hint(hint)
        .at(readme.map(|file| SourceLocation { file, line: Some(error.line), message }))
}

/// Hint for a card with an error.
pub const CARD_HINT: &str = "correct the block between the `---` lines at the top of README.md";

/// Returns the reason for an SDK, as the end of a sentence in the log.
pub fn sdk_reason(reason: SdkReason) -> String {
    match reason {
        SdkReason::Requested => format!("{SPACE_SDK} says so"),
        SdkReason::Card => "the README card says so".to_owned(),
        SdkReason::Dockerfile => "the folder has a Dockerfile".to_owned(),
        SdkReason::IndexHtml => "the folder has an index.html and no app.py".to_owned(),
        SdkReason::Default => {
            format!("the default, because neither {SPACE_SDK} nor a file names another one")
        }
    }
}

/// Returns the warning about a pattern that matches nothing.
pub fn unused_pattern_warning(unused: &UnusedPattern) -> String {
    let list = match unused.list {
        PatternList::Include => INCLUDE,
        PatternList::Exclude => EXCLUDE,
    };
    let warning = format!("{list}: the pattern `{}` matches nothing", unused.pattern);
    match unused.parts().as_slice() {
        [] => warning,
        [rest @ .., last] => {
            let rest: Vec<String> = rest.iter().map(|part| format!("`{part}`")).collect();
            format!("{warning}: write {} and `{last}`, each on a line of its own", rest.join(", "))
        }
    }
}

/// Returns the line about a cache of digests that cannot be used.
pub fn cache_not_used(cause: &dyn Display) -> String {
    format!("{CACHE_PATH} is not used: {cause}; it is written anew")
}

/// Returns the warning about a cache of digests that cannot be written.
pub fn cache_not_written(error: &io::Error) -> String {
    format!("cannot write {CACHE_PATH}: {error}")
}

/// Returns lines for the log about files that are left out on purpose.
pub fn left_out_notes(left_out: &LeftOut) -> Vec<String> {
    let mut notes = Vec::new();
    if !left_out.by_default.is_empty() {
        let names = name_some(&quoted_all(&left_out.by_default));
        let setting = DEFAULT_EXCLUDES.with("false");
        notes.push(format!("left out by default: {names} ({setting} sends them)"));
    }
    if !left_out.caches.is_empty() {
        let caches: Vec<String> = left_out.caches.iter().cloned().collect();
        let names = name_some(&quoted_all(&caches));
        notes.push(format!("left out, because their own `.gitignore` says so: {names}"));
    }
    notes
}

/// Returns warnings about files that are probably left out by mistake.
pub fn left_out_warnings(left_out: &LeftOut) -> Vec<String> {
    let mut warnings = Vec::new();
    if !left_out.special.is_empty() {
        warnings.push(format!("skipped (not a regular file or directory): {}", name_some(&left_out.special)));
    }
    let submodules: Vec<String> = left_out.empty_submodules.iter().map(|path| quoted_path(path)).collect();
    if !submodules.is_empty() {
        let subject =
            if submodules.len() == 1 { "a submodule folder is" } else { "some submodule folders are" };
        let names = name_some(&submodules);
        let hint = submodule_hint();
        warnings.push(format!("{subject} empty, so nothing of it is deployed: {names}; {hint}"));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::{FileContent, SizeChanged, SourceFile, SourceOptions, read};

    fn failure(options: &SourceOptions) -> Failure {
        read(options).unwrap_err().into()
    }

    fn options(root: &Path, checkout: &Path) -> SourceOptions {
        SourceOptions {
            root: root.to_owned(),
            workspace: Some(checkout.to_owned()),
            ..SourceOptions::default()
        }
    }

    #[test]
    fn missing_folder_has_a_hint_for_its_reason() {
        let checkout = tempfile::tempdir().unwrap();
        let checkout = checkout.path();
        std::fs::create_dir_all(checkout.join("app/web")).unwrap();
        for (folder, hints) in [
            ("App", &["did you mean `app`?", build_hint()][..]),
            ("app/wbe", &["did you mean `app/web`?", build_hint()]),
            ("dist", &[build_hint()]),
            ("app/*", &["`source_dir` names one folder, without `*`: choose the files in it with `include`"]),
            (
                "/__w/my-repo/my-repo/app",
                &[
                    "this step runs in a container that has the checkout only: write `source_dir` relative to it: did you mean `app`?",
                ],
            ),
            ("app/web", &[empty_hint()]),
        ] {
            let failure = failure(&options(&checkout.join(folder), checkout));
            assert_eq!(
                (failure.code, failure.hints.as_slice()),
                (Code::SourceMissing, &hints.iter().map(|hint| (*hint).to_owned()).collect::<Vec<_>>()[..]),
                "{folder}"
            );
        }
    }

    #[test]
    fn folder_with_everything_left_out_names_the_unused_patterns() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "").unwrap();
        let include = vec!["*.rs, *.go".to_owned()];
        let failure = failure(&SourceOptions { include, ..options(folder.path(), folder.path()) });
        assert_eq!(failure.code, Code::SourceMissing);
        assert_eq!(
            failure.hints,
            [
                "`include`, `exclude`, .hfignore, .gitignore and the defaults leave out all there is (1 entry)",
                "`include`: the pattern `*.rs, *.go` matches nothing: write `*.rs` and `*.go`, each on a line of its own",
            ]
        );
    }

    #[test]
    fn file_that_is_gone_has_changed_and_others_are_unreadable() {
        let file = SourceFile {
            path: "a.txt".parse().unwrap(),
            content: FileContent::Disk("/nowhere/a.txt".into()),
            size: 1,
            cache: None,
        };
        let resized = SizeChanged { expected: 1, found: 2 }.into();
        for (error, code) in [
            (io::ErrorKind::NotFound.into(), Code::SourceChanged),
            (resized, Code::SourceChanged),
            (io::ErrorKind::PermissionDenied.into(), Code::SourceUnreadable),
        ] {
            let failure = Failure::from(file.error(error));
            assert_eq!((failure.code, failure.causes().len()), (code, 1));
        }
    }

    #[test]
    fn left_out_files_are_named_in_the_log() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let left_out = LeftOut {
            by_default: names(&[".github/", "__pycache__/"]),
            caches: names(&[".pytest_cache/"]).into_iter().collect(),
            special: names(&["`socket`"]),
            empty_submodules: vec!["lib/a".into()],
            ..LeftOut::default()
        };
        assert_eq!(
            left_out_notes(&left_out),
            [
                "left out by default: `.github/`, `__pycache__/` (`default_excludes: false` sends them)",
                "left out, because their own `.gitignore` says so: `.pytest_cache/`"
            ]
        );
        assert_eq!(
            left_out_warnings(&left_out),
            [
                "skipped (not a regular file or directory): `socket`".to_owned(),
                format!(
                    "a submodule folder is empty, so nothing of it is deployed: `lib/a`; {}",
                    submodule_hint()
                )
            ]
        );
        assert!(
            left_out_notes(&LeftOut::default()).is_empty()
                && left_out_warnings(&LeftOut::default()).is_empty()
        );
    }
}
