//! Groups of inputs that commands share: each file declares its inputs, and has the rules that read them.

pub(crate) mod app_check;
pub(crate) mod bundle;
pub(crate) mod check_outputs;
pub(crate) mod commit;
pub(crate) mod files;
pub(crate) mod hardware;
pub(crate) mod model;
pub(crate) mod preview;
pub(crate) mod proxy;
pub(crate) mod repo;
mod secret_variables;
pub(crate) mod settings;
pub(crate) mod sign_in;
