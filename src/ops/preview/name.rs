//! The names of previews: the name of the Space with a suffix that holds the number of the pull request.

use std::str::FromStr;

use hub::{MAX_REPO_NAME, ParseError, RepoId, RepoName};
use sha2::{Digest, Sha256};

/// Place of the number in a suffix.
const NUMBER: &str = "{number}";
/// Most characters of a suffix beside the number, so that a shortened name still shows whose preview it is.
const MAX_SUFFIX: usize = 40;
/// Digits of the hash in a shortened name.
const HASH: usize = 8;
/// Characters that every shortened name keeps, by which the Hub is searched.
const SEARCHED: usize = 12;

/// Suffix of the names of previews, such as `-pr-{number}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suffix {
    before: String,
    after: String,
}

/// Parts of the name of a preview.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameParts<'n> {
    /// Number of the pull request.
    pub number: u64,
    /// Text behind the suffix: empty for the preview itself, and the suffix of a proxy for its proxy.
    pub rest: &'n str,
}

impl FromStr for Suffix {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = |sentence: String| Err(ParseError(sentence));
        let Some((before, after)) = text.split_once(NUMBER) else {
            return refuse(format!(
                "must hold `{NUMBER}`, because each pull request needs a Space of its own: `{text}`"
            ));
        };
        let fixed = [before, after].concat();
        if let Some(bad) = fixed.chars().find(|c| !c.is_ascii_alphanumeric() && !"-_.".contains(*c)) {
            return refuse(format!(
                "has the character {bad:?}; beside `{NUMBER}`, only letters, digits, `-`, `_` and `.` are allowed"
            ));
        }
        if fixed.len() > MAX_SUFFIX {
            let length = fixed.len();
            return refuse(format!(
                "has {length} characters beside `{NUMBER}`, at most {MAX_SUFFIX} are allowed"
            ));
        }
        if after.starts_with(|c: char| c.is_ascii_digit()) {
            return refuse(format!("must not have a digit behind `{NUMBER}`: `{text}`"));
        }
        let suffix = Self { before: before.to_owned(), after: after.to_owned() };
        format!("space{}", suffix.text(1)).parse::<RepoName>().map_err(refused_by_hub)?;
        Ok(suffix)
    }
}

impl Suffix {
    /// Returns the suffix of a pull request.
    fn text(&self, number: u64) -> String {
        format!("{}{number}{}", self.before, self.after)
    }

    /// Returns the name of a preview. A name that is too long for the Hub is cut, and gets a hash of the whole name.
    /// `room` is the number of characters that stay free for the suffix of a proxy.
    ///
    /// # Errors
    ///
    /// The suffixes leave no room for the name.
    pub fn name(&self, of: &RepoName, number: u64, room: usize) -> Result<RepoName, ParseError> {
        let suffix = self.text(number);
        let base = &of.name;
        let name = if base.len() + suffix.len() + room <= MAX_REPO_NAME {
            format!("{base}{suffix}")
        } else {
            let end = hash_of(base) + &suffix;
            let kept = MAX_REPO_NAME.saturating_sub(end.len() + room).min(base.len());
            let start = base[..kept].trim_end_matches(['-', '_', '.']);
            if start.len() < SEARCHED {
                return Err(ParseError(format!(
                    "leaves no room for the name `{base}`: a name has at most {MAX_REPO_NAME} characters"
                )));
            }
            format!("{start}{end}")
        };
        let named = name.parse::<RepoName>().map_err(refused_by_hub)?;
        Ok(RepoName { namespace: of.namespace.clone(), ..named })
    }

    /// Returns the parts of a name that [`Suffix::name`] made from `base`, or that a proxy of such a Space has.
    pub fn parts<'n>(&self, base: &str, name: &'n str) -> Option<NameParts<'n>> {
        let whole = without_start(name, base).and_then(|end| self.numbered(end));
        whole.or_else(|| {
            let hash = hash_of(base);
            let (start, _) = name.split_once(&hash)?;
            let is_cut = !start.is_empty() && without_start(base, start).is_some();
            is_cut.then(|| self.numbered(&name[start.len() + hash.len()..])).flatten()
        })
    }

    fn numbered<'n>(&self, end: &'n str) -> Option<NameParts<'n>> {
        let from_number = without_start(end, &self.before)?;
        let digits = from_number.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = from_number.split_at(digits);
        if number.starts_with('0') {
            return None;
        }
        Some(NameParts { number: number.parse().ok()?, rest: without_start(rest, &self.after)? })
    }
}

/// Returns true for two spellings of one repo, because the Hub has no two whose names differ in case alone.
pub fn is_same(one: &RepoId, other: &RepoId) -> bool {
    one.namespace.eq_ignore_ascii_case(&other.namespace) && one.name.eq_ignore_ascii_case(&other.name)
}

/// Returns the rest of a text that begins with `start`, in any case.
fn without_start<'t>(text: &'t str, start: &str) -> Option<&'t str> {
    let (head, rest) = text.split_at_checked(start.len())?;
    head.eq_ignore_ascii_case(start).then_some(rest)
}

/// Returns the text that the names of all previews of a Space contain, to search the Hub for them.
pub fn search_text(base: &str) -> &str {
    base.get(..SEARCHED).map_or(base, |start| start.trim_end_matches(['-', '_', '.']))
}

fn refused_by_hub(ParseError(refusal): ParseError) -> ParseError {
    ParseError(format!("makes a name that the Hub refuses, which {refusal}"))
}

/// Returns the part of a shortened name that keeps it unique.
fn hash_of(base: &str) -> String {
    let digest = Sha256::digest(base.to_ascii_lowercase());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("-{}", &hex[..HASH])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn suffix(text: &str) -> Suffix {
        text.parse().unwrap()
    }

    fn name(base: &str, number: u64) -> String {
        let of = base.parse().unwrap();
        suffix("-pr-{number}").name(&of, number, "-proxy".len()).unwrap().name
    }

    #[test]
    fn name_ends_with_the_number() {
        assert_eq!(name("acme/app", 12), "app-pr-12");
        let of: RepoName = "acme/app".parse().unwrap();
        let named = suffix("_{number}.preview").name(&of, 3, 0).unwrap();
        assert_eq!(named.full().unwrap().to_string(), "acme/app_3.preview");
    }

    #[test]
    fn long_names_stay_unique_and_leave_room_for_the_proxy() {
        let first = name(&format!("{}a", "x".repeat(90)), 12);
        let second = name(&format!("{}b", "x".repeat(90)), 12);
        assert_ne!(first, second);
        assert_eq!(first.len(), MAX_REPO_NAME - "-proxy".len());
        assert!(first.starts_with("xxx") && first.ends_with("-pr-12"), "{first}");
        let fits = "x".repeat(MAX_REPO_NAME - "-pr-12-proxy".len());
        assert_eq!(name(&fits, 12), format!("{fits}-pr-12"));
        let dashes = format!("{}-{}", "x".repeat(74), "y".repeat(20));
        assert!(!name(&dashes, 12).contains("--"));
        let of = "x".repeat(96).parse().unwrap();
        let refusal = suffix("-pr-{number}").name(&of, 1, 75).unwrap_err();
        assert!(refusal.to_string().starts_with("leaves no room"), "{refusal}");
    }

    #[test]
    fn parts_are_read_back() {
        let long = "y".repeat(96);
        for base in ["app", "app-pr-1", &long] {
            let made = name(base, 120);
            let parts = suffix("-pr-{number}").parts(base, &made);
            assert_eq!(parts, Some(NameParts { number: 120, rest: "" }), "{made}");
            let proxy = format!("{made}-proxy");
            assert_eq!(suffix("-pr-{number}").parts(base, &proxy).unwrap().rest, "-proxy");
        }
        let parts = suffix("-pr-{number}").parts("App", "app-pr-7");
        assert_eq!(parts, Some(NameParts { number: 7, rest: "" }));
        let parts = suffix("-PR-{number}").parts("App", "app-pr-7");
        assert_eq!(parts, Some(NameParts { number: 7, rest: "" }));
        let made = name(&long.to_uppercase(), 7);
        assert!(suffix("-pr-{number}").parts(&long, &made).is_some(), "{made}");
        for other in ["app", "app-pr-", "app-pr-x", "app-pr-012", "apppr-1", "other-pr-1", "my-app-pr-1"] {
            assert_eq!(suffix("-pr-{number}").parts("app", other), None, "{other}");
        }
    }

    #[test]
    fn suffixes_that_make_no_name_are_refused() {
        for (text, part) in [
            ("-preview", "must hold `{number}`"),
            ("", "must hold `{number}`"),
            ("/pr-{number}", "has the character '/'"),
            ("-pr {number}", "has the character ' '"),
            ("-{number}-{number}", "has the character '{'"),
            ("--{number}", "must not contain `--`"),
            ("-{number}-", "must not start or end"),
            ("-{number}1", "must not have a digit behind"),
            ("-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa{number}", "has 41 characters"),
        ] {
            let refusal = text.parse::<Suffix>().unwrap_err().to_string();
            assert!(refusal.contains(part), "{text}: {refusal}");
        }
    }

    proptest! {
        #[test]
        fn every_name_is_valid_and_read_back(
            base in "[a-z][a-z0-9_.-]{0,94}[a-z]",
            number in 1_u64..1_000_000,
            before in "-[a-z]{0,30}-?",
            room in 0_usize..20,
        ) {
            let (Ok(of), Ok(suffix)) = (base.parse::<RepoName>(), format!("{before}{{number}}").parse::<Suffix>()) else {
                return Ok(());
            };
            let Ok(RepoName { name, .. }) = suffix.name(&of, number, room) else { return Ok(()) };
            prop_assert!(name.len() + room <= MAX_REPO_NAME);
            prop_assert_eq!(suffix.parts(&base, &name), Some(NameParts { number, rest: "" }));
            prop_assert!(name.contains(search_text(&base)));
        }
    }
}
