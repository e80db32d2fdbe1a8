//! Hosts that refuse each token at once: the Hub and GitHub of a step that only its inputs may fail.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

/// A listener that answers each request with 401.
pub(crate) struct RefusingHosts(String);

impl RefusingHosts {
    /// Starts it. It ends with the process.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
                lines.find(String::is_empty);
                let _ = stream.write_all(
                    b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
                );
            }
        });
        Self(address)
    }

    pub(crate) fn address(&self) -> &str {
        &self.0
    }
}
