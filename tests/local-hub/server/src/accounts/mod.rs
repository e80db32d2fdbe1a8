//! Accounts: users and tokens, their permissions, plans and quotas.

pub(crate) mod billing;
pub(crate) mod caller;
pub(crate) mod quota;
pub(crate) mod registry;
pub(crate) mod user;
