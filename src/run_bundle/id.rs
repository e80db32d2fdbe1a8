//! The id of a run.

use std::fmt;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// Number of hexadecimal digits that keep runs of one moment apart.
const DIGITS: usize = 6;

/// Id of a run, which names its folder: `gh-42-1-1f0c9a` in a workflow, `20261127T173000Z-1f0c9a` on a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunId(String);

impl RunId {
    /// Makes an id for the attempt of a run of a workflow. The random end differs between the jobs of a matrix.
    pub(super) fn of_workflow(run: u64, attempt: u64) -> Self {
        Self(format!("gh-{run}-{attempt}-{}", random_end()))
    }

    /// Makes an id for a run outside of a workflow.
    pub(super) fn of_moment(now: Timestamp) -> Self {
        Self(format!("{}-{}", now.strftime("%Y%m%dT%H%M%SZ"), random_end()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for RunId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

fn random_end() -> String {
    let mut token = crate::text::random_token();
    token.truncate(DIGITS);
    token
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_documented_forms() {
        let now: Timestamp = "2026-11-27T17:30:00.25Z".parse().unwrap();
        let ids = [RunId::of_workflow(42, 3), RunId::of_moment(now)].map(|id| id.to_string());
        assert!(ids[0].starts_with("gh-42-3-") && ids[1].starts_with("20261127T173000Z-"), "{ids:?}");
        for id in &ids {
            let (_, end) = id.rsplit_once('-').unwrap();
            assert!(end.len() == 6 && end.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        }
        assert_ne!(RunId::of_workflow(42, 3), RunId::of_workflow(42, 3));
    }
}
