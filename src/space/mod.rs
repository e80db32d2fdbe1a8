//! What a Space has beside its files: settings and hardware.

pub mod hardware;
pub mod settings;

pub use hardware::{AtCreation, HardwareStatus};
pub use settings::Current;
