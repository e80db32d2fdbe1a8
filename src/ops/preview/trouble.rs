//! Trouble with GitHub, which is logged and never ends a deploy.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::action::Log;
use crate::failure::preview as advice;
use crate::github::{Error, Permission};

/// The trouble of a run. Copies share what was noticed.
#[derive(Debug, Clone)]
pub struct Trouble {
    log: Log,
    lacking: Arc<Mutex<BTreeSet<Permission>>>,
    /// Warnings so far.
    warned: Arc<Mutex<BTreeSet<String>>>,
}

impl Trouble {
    pub fn new(log: &Log) -> Self {
        Self { log: log.clone(), lacking: Arc::default(), warned: Arc::default() }
    }

    /// Returns the value of an operation, or logs why there is none: one notice for each missing permission, and one
    /// warning for each other error.
    pub fn note<T>(&self, result: Result<T, Error>) -> Option<T> {
        let error = match result {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        match error.missing_permission() {
            Some(permission) => {
                let mut lacking = self.lacking.lock().unwrap_or_else(PoisonError::into_inner);
                if lacking.insert(permission) {
                    self.log.notice(&advice::missing_permission(&error, permission.as_str()));
                }
            }
            None => {
                let warning = advice::github_trouble(&error);
                let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
                if warned.insert(warning.clone()) {
                    self.log.warning(&warning);
                }
            }
        }
        None
    }

    /// Returns true if GitHub has refused an operation for lack of this permission.
    pub fn lacks(&self, permission: Permission) -> bool {
        self.lacking.lock().unwrap_or_else(PoisonError::into_inner).contains(&permission)
    }
}
