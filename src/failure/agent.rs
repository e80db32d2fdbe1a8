//! Advice on the agent that edits the files of a Space.

use hub::RepoId;

use super::{Code, Failure};
use crate::agent::{AgentBlocker, Ended, JobResult, Refusal};
use crate::model::Severity;
use crate::setting::{
    AGENT_HARDWARE, AGENT_HF_TOKEN, AGENT_MAX_COST, AGENT_MODEL, AGENT_TIMEOUT, BUILDER, HF_TOKEN,
};
use crate::text::{count, plain};

/// Number of reasons that a message lists.
const MAX_REASONS: usize = 20;

/// Advice after an error of the Job.
const READ_THE_LOG: &str = "read the end of the log of its Job";

/// Returns the way out of each failure of an agent.
fn without_agent() -> String {
    format!("set {} to deploy the files without the agent", BUILDER.with("template"))
}

/// Returns the failure of files that break rules.
pub fn refused(refusal: &Refusal) -> Failure {
    let lines: Vec<String> = refusal.faults.iter().map(|fault| plain(&fault.to_string())).collect();
    Failure::new(Code::AgentRefused, listed("cannot use the files of the agent", "fault", &lines))
        .hint(format!(
            "run it again, because an agent answers differently each time, or set another {AGENT_MODEL}"
        ))
        .hint(without_agent())
}

/// Returns a message with one reason on its line, or with several on lines of their own.
fn listed(message: &str, noun: &str, reasons: &[String]) -> String {
    if let [reason] = reasons {
        return format!("{message}: {reason}");
    }
    let more = match reasons.len().saturating_sub(MAX_REASONS) {
        0 => String::new(),
        more => format!("\nand {more} more"),
    };
    let shown = &reasons[..reasons.len().min(MAX_REASONS)];
    format!("{message}, because of {}:\n{}{more}", count(reasons.len(), noun), shown.join("\n"))
}

/// Returns the failure of a model that the agent could not make work.
pub fn blocked(model: &RepoId, blockers: &[AgentBlocker]) -> Failure {
    let found: Vec<&AgentBlocker> =
        blockers.iter().filter(|blocker| blocker.severity == Severity::Blocker).collect();
    let lines: Vec<String> =
        found.iter().map(|blocker| format!("`{}`: {}", blocker.id, plain(&blocker.evidence))).collect();
    let message = listed(&format!("the agent cannot make `{model}` work in a Space"), "obstacle", &lines);
    let fixes = found.iter().map(|blocker| plain(&blocker.fix)).filter(|fix| !fix.is_empty());
    fixes.fold(Failure::new(Code::TechnicalBlocker, message), Failure::hint).hint(without_agent())
}

/// Returns the failure of an agent that did not finish: `None` if it did.
pub fn unfinished(result: &JobResult) -> Option<Failure> {
    let (reason, hint) = match result.ended {
        Ended::Finished => return None,
        Ended::TimeLimit => {
            ("its time is over", format!("raise {AGENT_TIMEOUT}, or set a faster {AGENT_MODEL}"))
        }
        Ended::CostLimit => (
            "its limit of cost is reached",
            format!("raise {AGENT_MAX_COST}, or set a cheaper {AGENT_MODEL}"),
        ),
        // Without a request, the model or the right of the token is often missing.
        Ended::Failed if result.requests == 0 => {
            let hint = format!(
                "check that {AGENT_MODEL} is at Inference Providers, and that {AGENT_HF_TOKEN} may call it; otherwise {READ_THE_LOG}"
            );
            ("it ended with an error", hint)
        }
        Ended::Failed => ("it ended with an error", READ_THE_LOG.to_owned()),
    };
    let message =
        result.message.as_deref().map(|message| format!(": {}", plain(message))).unwrap_or_default();
    let requests = count(usize::try_from(result.requests).unwrap_or(usize::MAX), "request");
    let code = result.exit_code.filter(|_| result.ended == Ended::Failed);
    let code = code.map(|code| format!(" (exit code {code})")).unwrap_or_default();
    let message = format!("the agent did not finish: {reason}{code} after {requests}{message}");
    Some(Failure::new(Code::AgentFailed, message).hint(hint).hint(without_agent()))
}

/// Returns the failure of a Job without a result that can be read.
pub fn without_result(reason: &str) -> Failure {
    let message = format!("the Job of the agent left no result that can be read: {}", plain(reason));
    Failure::new(Code::AgentFailed, message).hint(READ_THE_LOG).hint(without_agent())
}

/// Returns the failure of the agent's Job. Failures before its start keep their code, with the inputs of the agent.
pub fn of_job(mut failure: Failure) -> Failure {
    match failure.code {
        Code::JobFailed | Code::JobTimeout | Code::JobCancelled | Code::JobDeleted | Code::JobNotStarted => {
            failure.code = Code::AgentFailed;
            failure.hints = vec![READ_THE_LOG.to_owned()];
        }
        Code::CostExceeded => {
            failure.hints = vec![format!(
                "raise {AGENT_MAX_COST}, lower {AGENT_TIMEOUT}, or choose a cheaper {AGENT_HARDWARE}"
            )];
        }
        Code::PermissionDenied => {
            let hint = format!("use a token in {HF_TOKEN} that may start Jobs (`job.write`)");
            failure.hints.insert(0, hint);
        }
        Code::InvalidInput => failure.hints = vec![format!("choose another {AGENT_HARDWARE}")],
        Code::Cancelled => return failure,
        _ => {}
    }
    failure.message = format!("cannot run the agent: {}", failure.message);
    failure.hint(without_agent())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::Fault;

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
        let unasked = br#"{"schema":1,"ended":"failed","exit_code":null,"requests":0,"input_tokens":0,"output_tokens":0,"cost_usd":null,"compiled":null}"#;
        let unasked = unfinished(&JobResult::read(unasked).unwrap()).unwrap();
        assert!(unasked.hints[0].contains("`agent_model`") && unasked.hints[0].contains("`agent_hf_token`"));
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
