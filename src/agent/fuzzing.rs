//! Fuzz targets for what an agent returns.

use std::path::Path;

use hub::Secret;

use super::{Ended, JobResult, Reviewed, review};
use crate::redact::Redactor;
use crate::templates::{RenderInput, Template, render};

/// A secret that no answer may carry into a file.
const SECRET: &str = "hf_secret-of-the-run";

/// Reviews bytes as each of the files that an agent may change, and as its obstacles.
pub(crate) fn answer(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let input = RenderInput::new(Template::Chat, "acme/my-model", "0123abc");
    let ours = render(&input).expect("the template is valid");
    let known = Redactor::default();
    known.register(&Secret::new(SECRET));
    let result = JobResult {
        schema: 1,
        ended: Ended::Finished,
        message: None,
        exit_code: Some(0),
        has_own_user: true,
        requests: 1,
        input_tokens: 1,
        output_tokens: 1,
        cost_usd: None,
        compiled: Some(Vec::new()),
        refused: Vec::new(),
        sessions: 1,
    };
    let mut shape = String::new();
    for name in ["app.py", "requirements.txt", "packages.txt", "TECHNICAL_BLOCKERS.json"] {
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).expect("a file of the test");
        shape.push_str(&outcome(folder.path(), (&ours, &known, &result)));
        std::fs::remove_file(file).expect("a file of the test");
    }
    shape
}

fn outcome(
    folder: &Path,
    (ours, known, result): (&[crate::templates::GeneratedFile], &Redactor, &JobResult),
) -> String {
    match review(folder, ours, known, result) {
        Ok(Reviewed::Files(_)) => panic!("an answer without a compiled app is accepted"),
        Ok(Reviewed::Blockers(blockers)) => {
            assert!(!blockers.is_empty());
            for text in blockers.iter().flat_map(|one| [&one.id, &one.evidence, &one.fix]) {
                assert!(!text.contains(SECRET) && text.chars().count() <= 1001, "{text:?}");
            }
            format!("{} obstacles", blockers.len())
        }
        Err(refusal) => {
            let mut rules: Vec<&str> = refusal.faults.iter().map(|fault| fault.text.as_str()).collect();
            assert!(!rules.concat().contains(SECRET));
            rules.sort_unstable();
            rules.dedup();
            let short =
                |rule: &&str| rule.chars().filter(char::is_ascii_lowercase).take(24).collect::<String>();
            rules.iter().take(8).map(short).collect::<Vec<_>>().join(",")
        }
    }
}

/// Reads bytes as the result of the Job.
pub(crate) fn result(bytes: &[u8]) -> String {
    match JobResult::read(bytes) {
        Ok(result) => {
            let compiled = result.compiled.map(|all| all.len().min(3));
            format!("{:?} {compiled:?} {}", result.ended, result.refused.len().min(3))
        }
        Err(reason) => reason.chars().filter(char::is_ascii_lowercase).take(30).collect(),
    }
}
