//! One request at the edge.

use std::net::SocketAddr;

use base64::Engine as _;
use serde_json::{Value, json};

use crate::spaces::script::Reported;
use crate::util::unique_hex;

/// The visitor, and the state of the Space at this moment.
pub(super) struct Visit {
    pub(super) id: String,
    pub(super) repo_id: String,
    pub(super) is_static: bool,
    pub(super) private: bool,
    pub(super) now: Reported,
    /// `custom_headers` of the card.
    pub(super) custom: Vec<(String, String)>,
    pub(super) app_file: String,
    pub(super) request_id: String,
    pub(super) peer: SocketAddr,
}

impl Visit {
    /// Returns an `X-Ip-Token`: a token whose payload has the visitor's address.
    pub(super) fn ip_token(&self) -> String {
        let part = |v: Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(v.to_string());
        let (head, ip) = (json!({"alg": "EdDSA"}), json!({"ip": self.peer.ip().to_string()}));
        format!("{}.{}.{}", part(head), part(ip), unique_hex(43))
    }
}
