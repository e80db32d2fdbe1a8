//! Checks of a Space's files and card before a build.

use std::time::Duration;

use serde_json::Value;

use crate::core::card;
use crate::core::snapshot::Snapshot;

/// Returns true if the files are enough for a build. A static Space needs its page only if this server serves pages.
pub(super) fn has_app(sdk: &str, card: &Value, snapshot: &Snapshot, serves: bool) -> bool {
    let file = |default| card["app_file"].as_str().unwrap_or(default);
    match sdk {
        "docker" => snapshot.files.contains_key("Dockerfile"),
        "static" => !serves || snapshot.files.contains_key(file("index.html").trim_start_matches('/')),
        _ => snapshot.files.contains_key(file("app.py")),
    }
}

/// Returns the error of an invalid card. The text for a missing one is the Hub's; the others follow its YAML check.
pub(super) fn card_error(text: &str) -> Option<String> {
    if card::block(text).is_none() {
        return Some("Missing configuration in README".into());
    }
    if let Some(error) = card::validate(text, "space").0.first() {
        return Some(error["message"].as_str().unwrap_or("Invalid configuration in README").to_owned());
    }
    let card = card::front_matter(text);
    let port = &card["app_port"];
    if !port.is_null() && !port.as_u64().is_some_and(|p| (1..=65535).contains(&p)) {
        return Some("\"app_port\" must be a valid port number".into());
    }
    let path = &card["base_path"];
    if !path.is_null() && !path.as_str().is_some_and(|p| p.starts_with('/')) {
        return Some("\"base_path\" must start with /".into());
    }
    None
}

/// Parses a time of a card: `30m`, `1h`, `90s`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        _ => return None,
    };
    let number: u64 = text.get(..text.len() - 1)?.trim().parse().ok()?;
    Some(Duration::from_secs(number * unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_cards_are_parsed() {
        assert_eq!(duration("30m"), Some(Duration::from_secs(1800)));
        assert_eq!(duration("1h"), Some(Duration::from_secs(3600)));
        assert_eq!(duration("m"), None);
        assert_eq!(duration("é"), None);
    }

    #[test]
    fn invalid_cards_are_reported() {
        assert_eq!(card_error("# no card").as_deref(), Some("Missing configuration in README"));
        assert!(card_error("---\nsdk: rails\n---\n").is_some());
        assert!(card_error("---\nsdk: docker\napp_port: many\n---\n").is_some());
        assert!(card_error("---\nsdk: docker\nbase_path: x\n---\n").is_some());
        assert_eq!(card_error("---\nsdk: docker\napp_port: 8000\nbase_path: /x\n---\n"), None);
    }
}
