//! Files that hold secrets, by their names.

use super::PRIVATE_KEY;

const CREDENTIALS: &str = "the credentials that an earlier step signed in with";

/// Returns the kind of secret that a file with this name has.
pub fn in_file_name(path: &str) -> Option<&'static str> {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name {
        "id_rsa" | "id_dsa" | "id_ecdsa" | "id_ecdsa_sk" | "id_ed25519" | "id_ed25519_sk" => {
            Some(PRIVATE_KEY)
        }
        ".netrc" | "_netrc" | ".git-credentials" => Some("a file of passwords"),
        "application_default_credentials.json" => Some(CREDENTIALS),
        "secrets.toml" if path.ends_with(".streamlit/secrets.toml") => Some("a file of secrets of Streamlit"),
        _ if name.starts_with("gha-creds-") && name.ends_with(".json") => Some(CREDENTIALS),
        _ => is_env_file(name).then_some("a file of environment variables"),
    }
}

/// Returns true for `.env`, `.env.local`, `.envrc`; not for templates such as `.env.example`, nor for `.environment`.
fn is_env_file(name: &str) -> bool {
    const TEMPLATES: &[&str] =
        &["example", "sample", "template", "tpl", "dist", "default", "defaults", "schema", "ts", "md"];
    let name = name.to_ascii_lowercase();
    let Some(rest) = name.strip_prefix(".env") else { return false };
    let is_template = rest.split(['.', '-', '_']).any(|part| TEMPLATES.contains(&part));
    (rest.is_empty() || rest == "rc" || rest.starts_with(['.', '-', '_'])) && !is_template
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_of_environment_files_are_accepted() {
        for name in [".env.dist", ".env.EXAMPLE", ".env.tpl", ".env.schema", ".env.defaults", ".env.d.ts"] {
            assert_eq!(in_file_name(name), None, "{name}");
        }
        for name in [".env", ".ENV", ".env.local", ".env.production", ".envrc"] {
            assert!(in_file_name(name).is_some(), "{name}");
        }
    }

    #[test]
    fn credential_files_are_found() {
        for path in
            ["application_default_credentials.json", "app/.streamlit/secrets.toml", "a/.env", "id_rsa"]
        {
            assert!(in_file_name(path).is_some(), "{path}");
        }
        for path in ["secrets.toml", ".streamlit/config.toml", ".env.example", "id_rsa.pub"] {
            assert_eq!(in_file_name(path), None, "{path}");
        }
    }

    #[test]
    fn secret_files_are_found_by_their_names() {
        for path in [
            ".env",
            "a/.env",
            ".env.local",
            ".env.production",
            ".env-prod",
            ".envrc",
            "id_rsa",
            "keys/id_ed25519",
            "gha-creds-0123456789abcdef.json",
            ".netrc",
            ".git-credentials",
        ] {
            assert!(in_file_name(path).is_some(), "{path}");
        }
        for path in [
            ".env.example",
            ".env.sample",
            ".env.template",
            ".env.local.example",
            ".environment",
            ".env/bin/python",
            "env",
            "id_rsa.pub",
            "gha-creds.json",
            "app.env.py",
            "environment.yml",
        ] {
            assert_eq!(in_file_name(path), None, "{path}");
        }
    }
}
