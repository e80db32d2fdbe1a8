//! The error of a wait that ended without the commit running.

use hub::SpaceSdk;

use super::cause::SpaceFailure;
use super::diagnosis::Diagnosis;
use super::port::WrongAddress;

/// A Space that does not run the commit, with the evidence.
#[derive(Debug)]
pub struct SpaceError {
    pub cause: SpaceFailure,
    /// One sentence.
    pub message: String,
    /// The kind of the Space, if it is known.
    pub sdk: Option<SpaceSdk>,
    /// The wait was for a commit, and not for any app that runs.
    pub is_about_commit: bool,
    /// The Space was paused again after it was woken.
    pub is_paused_again: bool,
    /// The app listens at another address than the one that the Hub uses.
    pub wrong_address: Option<WrongAddress>,
    /// The cause that a log names.
    pub diagnosis: Option<Diagnosis>,
    /// The whole message of the Hub, if there is no log.
    pub hub_message: Option<String>,
    /// The address of the log, if it may say more.
    pub log_url: Option<String>,
    /// The request to the Hub that failed.
    pub hub_error: Option<hub::Error>,
}

impl SpaceError {
    pub(super) fn new(cause: SpaceFailure, message: impl Into<String>) -> Self {
        Self {
            cause,
            message: message.into(),
            sdk: None,
            is_about_commit: true,
            is_paused_again: false,
            wrong_address: None,
            diagnosis: None,
            hub_message: None,
            log_url: None,
            hub_error: None,
        }
    }

    pub(super) fn of_hub(cause: SpaceFailure, error: hub::Error) -> Self {
        Self { hub_error: Some(error), ..Self::new(cause, String::new()) }
    }
}
