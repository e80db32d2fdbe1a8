//! Advice about errors of the Hub.

use hub::{
    Access, Cause, ContentError, ContentFault, Error, ExchangeError, Payment, Refusal, RefusalKind, Repo,
    RepoType, TokenSubject, TransferFault,
};

use super::token_page::token_page;
use super::{Code, Failure};
use crate::setting::{
    CREATE_PR, CREATE_PROXY, HARDWARE, HF_TOKEN, HUGGINGFACE_REPO, REPO_TYPE, REVISION, VISIBILITY,
};

const STATUS_PAGE: &str = "see https://status.huggingface.co, and run the job again when the Hub is back";
const DIRECT_CONNECTION: &str =
    "let this runner connect to the Hub directly, and correct the address in `HF_ENDPOINT` if that is set";
const SEND_REST: &str = "run the job again: what is already on the Hub is not sent twice";
const SEND_LESS: &str =
    "run the job again later, or deploy less often: the Hub limits requests and commits per hour";
const FETCH_REST: &str = "run the job again: what is already on the disk is not downloaded twice";
const NOTHING_COMMITTED: &str =
    "nothing was committed; run the job again: content that is in the storage is not sent twice";

/// Maps each error of the Hub to its code and hints.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match *error.cause {
            Cause::Status(refusal) => refused(message, &refusal),
            Cause::Unreachable { before_sending: true, .. } => {
                Self::new(Code::HubUnavailable, message).hint(DIRECT_CONNECTION).hint(STATUS_PAGE)
            }
            Cause::Unreachable { .. } => Self::new(Code::HubUnavailable, message).hint(STATUS_PAGE),
            Cause::TimedOut { .. } => Self::new(Code::Timeout, message).hint(SEND_REST),
            Cause::WaitTooLong { .. } => Self::new(Code::RateLimited, message).hint(SEND_LESS),
            Cause::Unknown { look } => {
                let code = if look.may_pass() { Self::from(look).code } else { Code::HubRefused };
                Self::new(code, message).hint(SEND_REST)
            }
            Cause::Unexpected { .. } => {
                Self::new(Code::HubRefused, message).hint("check that HF_ENDPOINT names a Hugging Face Hub")
            }
            Cause::Content(error) => content(error),
            Cause::Storage(_) => Self::new(Code::UploadFailed, message).hint(NOTHING_COMMITTED),
            Cause::ObjectRefused { .. } => Self::new(Code::UploadFailed, message),
            Cause::Transfer { fault, .. } => Self::new(transfer_code(fault), message).hint(NOTHING_COMMITTED),
            Cause::Download { fault, .. } => Self::new(download_code(fault), message).hint(FETCH_REST),
            Cause::Corrupt { .. } => Self::new(Code::DownloadFailed, message)
                .hint("run the job again; if the content differs again, report it to the Hub's support"),
            Cause::Disk(source) => Self::new(Code::LocalIo, message)
                .caused_by(source)
                .hint("free some space on this machine's disk"),
            Cause::UnsafePath(_) => Self::new(Code::InvalidPath, message)
                .hint("remove what is at this path in the checkout: a symbolic link is not followed"),
            Cause::PublicBucket => Self::new(Code::PublicBucket, message)
                .hint("name another bucket, or make this one private in its settings on the Hub"),
            Cause::BatchFailed { .. } => Self::new(Code::HubRefused, message).hint(SEND_REST),
            Cause::Stalled { .. } => Self::new(Code::Timeout, message).hint(NOTHING_COMMITTED),
            Cause::Scratch(source) => {
                Self::new(Code::LocalIo, format!("cannot {}", error.operation)).caused_by(source)
            }
            Cause::Setup { .. } => Self::new(Code::Internal, message),
            Cause::MalformedToken => {
                Self::new(Code::TokenInvalid, format!("{HF_TOKEN} has a character that no token has"))
                    .hint(format!("check the secret behind {HF_TOKEN} for stray characters"))
            }
            Cause::Exchange(error) => exchange(error),
        }
    }
}

fn refused(message: String, refusal: &Refusal) -> Failure {
    match refusal.kind() {
        RefusalKind::TokenRefused => Failure::new(Code::TokenInvalid, message).hint(format!(
            "check that the secret behind {HF_TOKEN} holds a token that is neither expired nor revoked"
        )),
        RefusalKind::PaymentRequired(payment) => {
            Failure::new(Code::PaymentRequired, message).hint(payment_hint(payment))
        }
        RefusalKind::Forbidden => forbidden(message),
        RefusalKind::Gated => Failure::new(Code::PermissionDenied, message)
            .hint("accept the terms on the page of the repo, as the user of the token"),
        RefusalKind::Disabled => Failure::new(Code::PermissionDenied, message)
            .hint("choose another repo: the Hub closed the access to this one"),
        RefusalKind::ModelNotSupported => Failure::new(Code::ModelNotSupported, message),
        RefusalKind::OnlyPullRequests => {
            let failure = forbidden(message);
            if CREATE_PR.is_there() {
                failure.hint(format!("to propose the change, set {}", CREATE_PR.with(true)))
            } else {
                failure
            }
        }
        RefusalKind::RevisionNotFound => {
            Failure::new(Code::RevisionNotFound, message).hint(format!("check {REVISION}"))
        }
        RefusalKind::RepoNotFound | RefusalKind::EntryNotFound => Failure::new(Code::RepoNotFound, message)
            .hint(format!(
                "check {}; a private repo that the token cannot see looks the same",
                name_of_repo()
            )),
        RefusalKind::Conflict | RefusalKind::ConflictingOperation | RefusalKind::ParentMoved => {
            Failure::new(Code::Conflict, message)
                .hint("another writer changed the repo meanwhile: run the job again")
        }
        RefusalKind::TooLarge => Failure::new(Code::HubRefused, message)
            .hint("deploy fewer or smaller files in one commit, or exclude what the repo does not need"),
        RefusalKind::RateLimited | RefusalKind::CommitQuota => {
            Failure::new(Code::RateLimited, message).hint(SEND_LESS)
        }
        RefusalKind::TimedOut => Failure::new(Code::Timeout, message).hint(SEND_REST),
        RefusalKind::ServerError => Failure::new(Code::HubUnavailable, message).hint(STATUS_PAGE),
        RefusalKind::ExchangeAborted | RefusalKind::ExchangeRefused | RefusalKind::Other => {
            Failure::new(Code::HubRefused, message)
        }
    }
}

fn forbidden(message: String) -> Failure {
    Failure::new(Code::PermissionDenied, message)
        .hint("in an organization, your role must be `write` or `admin`; `contributor` writes only to repos that you created")
        .hint(format!("the token needs write access to this repo: make one at {}", token_page(Access::Write, None)))
}

/// Returns the settings that name the repo.
fn name_of_repo() -> String {
    if !HUGGINGFACE_REPO.is_there() {
        return "the name of the repo".to_owned();
    }
    if REPO_TYPE.is_there() {
        format!("{HUGGINGFACE_REPO} and {REPO_TYPE}")
    } else {
        HUGGINGFACE_REPO.to_string()
    }
}

fn payment_hint(payment: Payment) -> String {
    match payment {
        Payment::ZeroGpu => {
            format!(
                "this namespace has reached its limit of ZeroGPU Spaces: delete or pause one, or choose other {HARDWARE}"
            )
        }
        Payment::Credits => {
            format!(
                "add a payment method or credits at https://huggingface.co/settings/billing, or choose free {HARDWARE}"
            )
        }
        Payment::Protected => {
            format!(
                "{} needs a namespace on a paid plan: use `private`, or `private` with {}",
                VISIBILITY.with("protected"),
                CREATE_PROXY.with(true)
            )
        }
        Payment::Storage => {
            "the private storage of this namespace is used up: make the repo public, free some space, or take a larger plan".to_owned()
        }
        Payment::Plan => "use a PRO, Team or Enterprise namespace, or change the plan of this one".to_owned(),
        Payment::SdkOnFreeHardware => {
            format!(
                "set {} for a Gradio app with `@spaces.GPU`, or take a PRO, Team or Enterprise plan; static Spaces are free for everyone",
                HARDWARE.with("zero-a10g")
            )
        }
    }
}

fn content(error: ContentError) -> Failure {
    let message = error.to_string();
    match error.fault {
        ContentFault::Unreadable(error) => Failure::new(Code::SourceUnreadable, message).caused_by(error),
        ContentFault::Changed(error) => {
            let failure = Failure::new(Code::SourceChanged, message).hint(super::folder::changed_hint());
            match error {
                Some(error) => failure.caused_by(error),
                None => failure,
            }
        }
    }
}

fn transfer_code(fault: TransferFault) -> Code {
    match fault {
        TransferFault::Permission => Code::PermissionDenied,
        TransferFault::Unavailable => Code::HubUnavailable,
        TransferFault::RateLimited => Code::RateLimited,
        TransferFault::TimedOut => Code::Timeout,
        TransferFault::LocalIo => Code::LocalIo,
        TransferFault::Cancelled => Code::Cancelled,
        TransferFault::Other => Code::UploadFailed,
    }
}

fn download_code(fault: TransferFault) -> Code {
    match fault {
        TransferFault::Other => Code::DownloadFailed,
        fault => transfer_code(fault),
    }
}

fn exchange(error: ExchangeError) -> Failure {
    match error {
        ExchangeError::NoRepo => Failure::new(
            Code::InvalidInput,
            format!("{HUGGINGFACE_REPO} must be `namespace/name` where there is no {HF_TOKEN}"),
        )
        .hint("a keyless token belongs to one repo, and to no user whose namespace it could be"),
        ExchangeError::NoIdToken(error) => Failure::new(Code::IdTokenUnavailable, error.to_string())
            .hint("give the job `permissions: id-token: write`; runs of forks never get it")
            .hint(format!("or pass {HF_TOKEN}")),
        ExchangeError::Refused { endpoint, subject, refusal, claims } => {
            exchange_refused(&endpoint, &subject, &refusal, &claims)
        }
    }
}

/// Explains a refused exchange by the claims of the ID token.
fn exchange_refused(
    endpoint: &str,
    subject: &TokenSubject,
    refusal: &Refusal,
    claims: &[(String, String)],
) -> Failure {
    let page = format!("{endpoint}/{}/settings", subject.page());
    let shown: Vec<String> = claims.iter().map(|(name, value)| format!("`{name}` = `{value}`")).collect();
    let github = claims.iter().find(|(name, _)| name == "repository").map(|(_, value)| format!("`{value}`"));
    Failure::new(
        Code::KeylessRefused,
        format!("the Hub does not let this job write to the {subject} without a token: {refusal}"),
    )
    .hint(format!("claims of this job's ID token: {}", shown.join(", ")))
    .hint(format!(
        "at {page}, under Trusted Publishers, add GitHub Actions with the repository {}; a branch, workflow or environment must match the claims exactly",
        github.as_deref().unwrap_or("of this workflow")
    ))
    .hint(format!(
        "the {subject} must exist, because a keyless token cannot create it: create it once by hand at {endpoint}/new{}",
        match subject {
            TokenSubject::Repo(Repo { repo_type: RepoType::Space, .. }) => "-space",
            TokenSubject::Repo(Repo { repo_type: RepoType::Dataset, .. }) => "-dataset",
            TokenSubject::Repo(Repo { repo_type: RepoType::Model, .. }) => "",
            TokenSubject::Bucket(_) => "-bucket",
        }
    ))
    .hint(format!("the job needs `permissions: {{ contents: read, id-token: write }}`; or pass {HF_TOKEN}"))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use reqwest::StatusCode;
    use reqwest::header::HeaderMap;

    use super::*;

    fn failure(status: u16, body: &str) -> Failure {
        let status = StatusCode::from_u16(status).unwrap();
        let refusal = Refusal::read(status, &HeaderMap::new(), body.as_bytes(), SystemTime::UNIX_EPOCH);
        Failure::from(Error::new("do it", Cause::Status(refusal)))
    }

    #[test]
    fn each_status_has_its_code() {
        for (status, code) in [
            (401, Code::TokenInvalid),
            (402, Code::PaymentRequired),
            (403, Code::PermissionDenied),
            (404, Code::RepoNotFound),
            (412, Code::Conflict),
            (429, Code::RateLimited),
            (500, Code::HubUnavailable),
            (504, Code::Timeout),
            (400, Code::HubRefused),
        ] {
            assert_eq!(failure(status, "").code, code, "{status}");
        }
    }

    #[test]
    fn the_hint_for_a_payment_names_its_subject() {
        for (message, words) in [
            (
                "Static Spaces are free for everyone, but hosting Gradio and Docker Spaces on free cpu-basic requires a PRO subscription",
                "static Spaces are free",
            ),
            ("You have reached the maximum number of ZeroGPU Spaces", "ZeroGPU Spaces"),
            ("Please add a payment method to use this hardware", "payment method or credits"),
            ("Protected Spaces require a PRO subscription", "`visibility: protected`"),
            ("Private repository storage limit reached", "private storage"),
        ] {
            let failure = failure(402, message);
            assert!(failure.hints[0].contains(words), "{message}: {:?}", failure.hints);
        }
    }

    #[test]
    fn a_refusal_that_permits_a_pull_request_names_the_input_for_it() {
        let proposes = |body| failure(403, body).hints.iter().any(|hint| hint.contains("`create_pr: true`"));
        assert!(proposes("Forbidden: pass `create_pr=1` as a query parameter"));
        assert!(!proposes("no"));
    }
}
