//! The deletion of a dataset.

use hub::{ParseError, RepoId, RepoName};
use serde_json::json;

use crate::action::Journal;
use crate::commands::answer::{Answer, answer, reader};
use crate::commands::command::{Command, Invocation, open};
use crate::commands::groups::sign_in;
use crate::commands::inputs::declaration::{DefaultValue, Group, Input, ValueKind, inputs};
use crate::commands::inputs::parse::Parsed;
use crate::ops::Session;
use crate::ops::dataset::delete::{Consent, delete};

const GROUPS: &[Group] = &[DELETE, sign_in::WRITE_ACCESS];

inputs! {
    /// Inputs of the deletion.
    DELETE: "Deletion", "";
    REPO = Input {
        kind: ValueKind::Text("NAMESPACE/NAME"),
        summary: "Full name of the dataset",
        default: DefaultValue::Required,
        is_positional: true,
        ..Input::new("repo")
    };
    YES = Input {
        kind: ValueKind::Flag,
        summary: "Delete the dataset with all its files and its history, which cannot be undone",
        default: DefaultValue::Value("false"),
        ..Input::new("yes")
    };
}

pub(crate) static COMMAND: Command = reader(
    "dataset delete",
    "Delete a dataset",
    "Without `--yes`, nothing is deleted. A name that is only the beginning of others is refused.",
    GROUPS,
    |call| Box::pin(run(call)),
);

async fn run(call: Invocation) -> u8 {
    answer(call, &COMMAND, async |values, log| {
        let mut diagnostics = values.diagnostics();
        let access = sign_in::write_access(values, &mut diagnostics);
        let id = values.required(&REPO, full_name, &mut diagnostics);
        let consent = if values.flag(&YES, &mut diagnostics) { Consent::Given } else { Consent::Missing };
        let (access, id) = diagnostics.accept(access.zip(id))?.logged(log);
        let hub = open(access, log)?;
        let session = Session { hub: &hub, log, journal: &Journal::default() };
        let deleted = delete(&id, consent, &session).await?;
        Ok(Answer { json: json!({ "deleted": deleted.id.to_string() }), text: String::new() })
    })
    .await
}

fn full_name(text: &str) -> Parsed<RepoId> {
    let name: RepoName = text.parse()?;
    name.full().ok_or_else(|| ParseError("must be the full name, as `namespace/name`".to_owned()))
}
