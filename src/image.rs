//! Provides what an image with only this binary lacks: a temporary directory and a CA bundle.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use pem::{EncodeConfig, LineEnding, Pem};
use tempfile::TempDir;

/// Creates a folder that is deleted when it is dropped. Creates `/tmp` too, because an image may have none.
pub(crate) fn temporary_folder() -> io::Result<TempDir> {
    let place = std::env::temp_dir();
    std::fs::create_dir_all(&place)?;
    tempfile::tempdir_in(place)
}

/// Writes the compiled-in root certificates to the file that `SSL_CERT_FILE` names, unless it exists.
///
/// hf-xet reads them only from there.
pub(crate) fn provide_roots(path: &Path) -> io::Result<()> {
    let mut file = match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(error),
    };
    file.write_all(roots().as_bytes())
}

/// Returns the compiled-in root certificates as PEM.
fn roots() -> String {
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
    let certificates: Vec<Pem> = roots.iter().map(|der| Pem::new("CERTIFICATE", der.as_ref())).collect();
    pem::encode_many_config(&certificates, EncodeConfig::new().set_line_ending(LineEnding::LF))
}
