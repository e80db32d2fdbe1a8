//! What an image that holds only this binary lacks, made when it is needed.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use pem::{EncodeConfig, LineEnding, Pem};
use tempfile::TempDir;

/// A folder that is deleted when it is dropped. There may be no `/tmp` yet to make it in.
pub(crate) fn temporary_folder() -> io::Result<TempDir> {
    let place = std::env::temp_dir();
    std::fs::create_dir_all(&place)?;
    tempfile::tempdir_in(place)
}

/// Writes the compiled-in roots of trust to the file where `SSL_CERT_FILE` says that roots are, unless it is there.
///
/// The transfer engine looks for them there, and takes them from nowhere else.
pub(crate) fn provide_roots(path: &Path) -> io::Result<()> {
    let mut file = match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(error),
    };
    file.write_all(roots().as_bytes())
}

/// The compiled-in roots, as PEM.
fn roots() -> String {
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
    let certificates: Vec<Pem> = roots.iter().map(|der| Pem::new("CERTIFICATE", der.as_ref())).collect();
    pem::encode_many_config(&certificates, EncodeConfig::new().set_line_ending(LineEnding::LF))
}
