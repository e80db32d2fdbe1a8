//! Settings of the proxy, read once at the start. All invalid variables are reported at once.

mod read;
mod settings;

pub use self::settings::{
    AuthMode, CheckPauses, Config, EdgeMode, Fault, LogFormat, PassAuthorization, PublicHost, Timeouts,
    VARIABLES,
};
