//! Advice on the agent that edits the files of a Space.

use hub::RepoId;

use super::{Code, Failure};
use crate::agent::{AgentBlocker, Ended, Fault, JobResult, Refusal};
use crate::model::Severity;
use crate::text::{count, plain};

/// Number of faults that a message lists.
const MAX_FAULTS: usize = 20;

/// Way out of each failure of an agent.
const WITHOUT: &str = "set `builder: template` to deploy the files without the agent";

/// Returns the failure of files that break rules.
pub fn refused(refusal: &Refusal) -> Failure {
    let line = |fault: &Fault| plain(&fault.to_string());
    let message = match refusal.faults.as_slice() {
        [fault] => format!("cannot use the files of the agent: {}", line(fault)),
        faults => {
            let shown: Vec<String> = faults.iter().take(MAX_FAULTS).map(line).collect();
            let more = match faults.len().saturating_sub(MAX_FAULTS) {
                0 => String::new(),
                more => format!("\nand {more} more"),
            };
            let faults = count(faults.len(), "fault");
            format!("cannot use the files of the agent, because of {faults}:\n{}{more}", shown.join("\n"))
        }
    };
    Failure::new(Code::AgentRefused, message)
        .hint("run it again, because an agent answers differently each time, or set another `agent_model`")
        .hint(WITHOUT)
}

/// Returns the failure of a model that the agent could not make work.
pub fn blocked(model: &RepoId, blockers: &[AgentBlocker]) -> Failure {
    let found: Vec<&AgentBlocker> =
        blockers.iter().filter(|blocker| blocker.severity == Severity::Blocker).collect();
    let lines: Vec<String> =
        found.iter().map(|blocker| format!("`{}`: {}", blocker.id, plain(&blocker.evidence))).collect();
    let message = format!("the agent cannot make `{model}` work in a Space: {}", lines.join("\n"));
    let fixes = found.iter().map(|blocker| plain(&blocker.fix)).filter(|fix| !fix.is_empty());
    fixes.fold(Failure::new(Code::TechnicalBlocker, message), Failure::hint).hint(WITHOUT)
}

/// Returns the failure of an agent that did not finish: `None` if it did.
pub fn unfinished(result: &JobResult) -> Option<Failure> {
    let (reason, hint) = match result.ended {
        Ended::Finished => return None,
        Ended::TimeLimit => ("its time is over", "raise `agent_timeout`, or set a faster `agent_model`"),
        Ended::CostLimit => {
            ("its limit of cost is reached", "raise `agent_max_cost`, or set a cheaper `agent_model`")
        }
        Ended::Failed => ("it ended with an error", "read the end of the log of its Job"),
    };
    let message =
        result.message.as_deref().map(|message| format!(": {}", plain(message))).unwrap_or_default();
    let requests = count(usize::try_from(result.requests).unwrap_or(usize::MAX), "request");
    let code = result.exit_code.filter(|_| result.ended == Ended::Failed);
    let code = code.map(|code| format!(" (exit code {code})")).unwrap_or_default();
    let message = format!("the agent did not finish: {reason}{code} after {requests}{message}");
    Some(Failure::new(Code::AgentFailed, message).hint(hint).hint(WITHOUT))
}

/// Returns the failure of a Job without a result that can be read.
pub fn without_result(reason: &str) -> Failure {
    let message = format!("the Job of the agent left no result that can be read: {}", plain(reason));
    Failure::new(Code::AgentFailed, message).hint("read the end of the log of its Job").hint(WITHOUT)
}

/// Returns the failure of the agent's Job. Failures before its start keep their code, with the inputs of the agent.
pub fn of_job(mut failure: Failure) -> Failure {
    const MAY_NOT: &str =
        "the token of `hf_token` needs the permission `job.write` to start the Job of the agent";
    match failure.code {
        Code::JobFailed | Code::JobTimeout | Code::JobCancelled | Code::JobDeleted | Code::JobNotStarted => {
            failure.code = Code::AgentFailed;
            failure.hints = vec!["read the end of the log of its Job".to_owned()];
        }
        Code::CostExceeded => {
            failure.hints = vec![
                "raise `agent_max_cost`, lower `agent_timeout`, or choose a cheaper `agent_hardware`"
                    .to_owned(),
            ];
        }
        Code::PermissionDenied => failure.hints.insert(0, MAY_NOT.to_owned()),
        Code::InvalidInput => failure.hints = vec!["choose another `agent_hardware`".to_owned()],
        Code::Cancelled => return failure,
        _ => {}
    }
    failure.message = format!("cannot run the agent: {}", failure.message);
    failure.hint(WITHOUT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(path: &str, line: Option<usize>, text: &str) -> Fault {
        Fault { path: path.to_owned(), line, text: text.to_owned() }
    }

    #[test]
    fn each_broken_rule_is_listed_up_to_a_limit() {
        let one = refused(&Refusal { faults: vec![fault("app.py", Some(3), "holds a placeholder")] });
        assert_eq!(one.message, "cannot use the files of the agent: app.py:3: holds a placeholder");
        let many = Refusal { faults: vec![fault("a\nb", None, "is a link"); 25] };
        let message = refused(&many).message;
        assert!(
            message
                .starts_with("cannot use the files of the agent, because of 25 faults:\na\\nb: is a link\n")
        );
        assert!(message.ends_with("a\\nb: is a link\nand 5 more"), "{message}");
    }

    #[test]
    fn end_of_the_agent_has_its_limit_as_advice() {
        let of = |ended: &str| {
            let text = format!(
                r#"{{"schema":1,"ended":"{ended}","exit_code":7,"requests":1,"input_tokens":0,"output_tokens":0,"cost_usd":null,"compiled":null}}"#
            );
            unfinished(&JobResult::read(text.as_bytes()).unwrap())
        };
        assert!(of("finished").is_none());
        let failed = of("failed").unwrap();
        assert_eq!(
            failed.message,
            "the agent did not finish: it ended with an error (exit code 7) after 1 request"
        );
        assert!(of("time_limit").unwrap().hints[0].contains("`agent_timeout`"));
        assert!(of("cost_limit").unwrap().hints[0].contains("`agent_max_cost`"));
    }

    #[test]
    fn failure_of_the_job_names_the_inputs_of_the_agent() {
        let of = |code| of_job(Failure::new(code, "no").hint("raise `timeout`"));
        assert_eq!(of(Code::JobTimeout).code, Code::AgentFailed);
        let expensive = of(Code::CostExceeded);
        assert_eq!(expensive.code, Code::CostExceeded);
        assert!(
            expensive.hints[0].contains("`agent_max_cost`")
                && expensive.hints[1].contains("`builder: template`")
        );
        assert_eq!(of(Code::Cancelled).hints, ["raise `timeout`"]);
        assert_eq!(of(Code::HubUnavailable).code, Code::HubUnavailable);
    }
}
