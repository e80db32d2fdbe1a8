//! The addresses of a Space in dev mode.

use hub::{Repo, RepoInfo};

use crate::action::Log;
use crate::failure::space_operation as advice;

/// Server of the Hub that leads an SSH connection into a Space.
const SSH_HOST: &str = "ssh.hf.space";
/// Folder of the app in a Gradio Space.
const APP_FOLDER: &str = "/home/user/app";
/// Key of the card for another folder.
const FOLDER_KEY: &str = "dev-mode-folder";

/// Addresses of a Space in dev mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevModeAccess {
    /// Target of `ssh`: `None` if the Hub does not name the subdomain.
    pub ssh: Option<String>,
    /// Editor in the browser.
    pub editor: String,
}

impl DevModeAccess {
    /// Logs the ways into the Space.
    pub fn print(&self, log: &Log) {
        match &self.ssh {
            Some(ssh) => log.info(&format!("connect with `ssh {ssh}`, with a key of {}", advice::SSH_KEYS)),
            None => log.warning("the Hub does not name the address for SSH"),
        }
        log.info(&format!("or open the editor: {}", self.editor));
    }
}

/// Returns the addresses of a Space. `endpoint` has no trailing slash.
pub fn dev_mode_access(endpoint: &str, space: &Repo, info: &RepoInfo) -> DevModeAccess {
    // It becomes part of a command line.
    let is_plain = |name: &&str| {
        let is_label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !name.is_empty() && !name.starts_with('-') && name.bytes().all(is_label)
    };
    let subdomain = info.subdomain.as_deref().filter(is_plain);
    let own_folder = info.card_data.as_ref().and_then(|card| card.get(FOLDER_KEY)?.as_str());
    let folder = own_folder.or((info.sdk.as_deref() != Some("docker")).then_some(APP_FOLDER));
    let folder = folder.filter(|folder| !folder.is_empty());
    let query = folder.map(|folder| {
        let encoded = percent_encoding::utf8_percent_encode(folder, percent_encoding::NON_ALPHANUMERIC);
        format!("?folder={}", encoded.to_string().replace("%2F", "/"))
    });
    let page = format!("{endpoint}/{}/dev-mode/vscode-web", space.page());
    DevModeAccess {
        ssh: subdomain.map(|name| format!("{name}@{SSH_HOST}")),
        editor: format!("{page}{}", query.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use hub::{RepoName, RepoType};

    use super::*;

    fn access(info: serde_json::Value) -> DevModeAccess {
        let id = "acme/App".parse::<RepoName>().unwrap().full().unwrap();
        let space = Repo { repo_type: RepoType::Space, id };
        dev_mode_access("https://hub.example", &space, &serde_json::from_value(info).unwrap())
    }

    #[test]
    fn the_card_and_the_sdk_decide_on_the_folder() {
        let page = "https://hub.example/spaces/acme/App/dev-mode/vscode-web";
        for (info, query) in [
            (serde_json::json!({ "sdk": "gradio" }), "?folder=/home/user/app"),
            (serde_json::json!({ "sdk": "docker" }), ""),
            (
                serde_json::json!({ "sdk": "docker", "cardData": { "dev-mode-folder": "/my app" } }),
                "?folder=/my%20app",
            ),
            (
                serde_json::json!({ "sdk": "gradio", "cardData": { "dev-mode-folder": 7 } }),
                "?folder=/home/user/app",
            ),
        ] {
            assert_eq!(access(info).editor, format!("{page}{query}"));
        }
    }

    #[test]
    fn a_subdomain_that_is_no_name_is_not_shown() {
        let ssh = |subdomain: &str| access(serde_json::json!({ "subdomain": subdomain })).ssh;
        assert_eq!(ssh("acme-app-1").as_deref(), Some("acme-app-1@ssh.hf.space"));
        for odd in ["", "-oProxyCommand=x", "a b", "a;b", "a@b"] {
            assert_eq!(ssh(odd), None, "{odd}");
        }
    }
}
