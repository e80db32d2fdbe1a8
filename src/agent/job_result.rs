//! The result of the Job in which the agent ran, as its program wrote it.

use serde::Deserialize;

/// Version of the format.
const SCHEMA: u32 = 1;

/// The content of `result.json`. Its texts may be those of the agent.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct JobResult {
    pub schema: u32,
    pub ended: Ended,
    /// Reason why it did not finish.
    #[serde(default)]
    pub message: Option<String>,
    /// Exit code of the agent; `None` if a signal ended it.
    #[serde(default)]
    pub exit_code: Option<i32>,
    /// The agent ran as another user than the program that holds the token.
    #[serde(default)]
    pub has_own_user: bool,
    /// Number of requests to the model.
    #[serde(default)]
    pub requests: u64,
    #[serde(default)]
    pub input_tokens: u64,
    #[serde(default)]
    pub output_tokens: u64,
    /// Cost of the requests in US dollars; `None` without a price.
    #[serde(default)]
    pub cost_usd: Option<f64>,
    /// Result of Python's compiler for each of its files; `None` where there is no Python.
    #[serde(default)]
    pub compiled: Option<Vec<Compiled>>,
    /// Entries of the agent's folder that the program did not return.
    #[serde(default)]
    pub refused: Vec<LeftOut>,
    /// Number of files with sessions.
    #[serde(default)]
    pub sessions: usize,
}

/// End of the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// By itself, with success.
    Finished,
    TimeLimit,
    /// The limit of the cost, or of the requests where the model has no price.
    CostLimit,
    /// With an error.
    Failed,
}

/// Result of Python's compiler for a file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Compiled {
    pub path: String,
    pub ok: bool,
    #[serde(default)]
    pub message: String,
}

/// An entry that was not returned.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LeftOut {
    pub path: String,
    pub reason: LeftOutReason,
}

/// Reason why an entry was not returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOutReason {
    /// The agent may not add this name.
    OtherName,
    Link,
    TooLarge,
    /// Neither a file nor a folder nor a link.
    Special,
}

impl Ended {
    /// Returns the word of the result.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::TimeLimit => "time_limit",
            Self::CostLimit => "cost_limit",
            Self::Failed => "failed",
        }
    }
}

impl JobResult {
    /// Reads the result.
    ///
    /// # Errors
    ///
    /// The text is no result of this version. The reason is one sentence.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        let result: Self = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        match result.schema {
            SCHEMA => Ok(result),
            other => Err(format!("its schema is {other} and not {SCHEMA}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_is_read_and_others_are_not() {
        let text = br#"{"schema":1,"ended":"cost_limit","exit_code":null,"requests":3,"input_tokens":10,
            "output_tokens":2,"cost_usd":0.5,"compiled":[{"path":"app.py","ok":false,"message":"no"}],
            "refused":[{"path":"x","reason":"link"}]}"#;
        let result = JobResult::read(text).unwrap();
        assert_eq!((result.ended, result.exit_code, result.cost_usd), (Ended::CostLimit, None, Some(0.5)));
        assert_eq!(result.refused, [LeftOut { path: "x".to_owned(), reason: LeftOutReason::Link }]);
        for other in ["", "{}", "[]", r#"{"schema":1,"ended":"well"}"#] {
            assert!(JobResult::read(other.as_bytes()).is_err(), "{other}");
        }
        let newer = String::from_utf8_lossy(text).replace("\"schema\":1", "\"schema\":2");
        assert_eq!(JobResult::read(newer.as_bytes()).unwrap_err(), "its schema is 2 and not 1");
    }
}
