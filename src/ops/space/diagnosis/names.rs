//! Names of packages and versions: corrections of misspelt ones, and lists of existing ones.

use super::table::TABLE;

/// Number of versions that a message lists.
const NAMED_VERSIONS: usize = 3;
/// The most typing errors in a name that is still recognized.
const MAX_TYPOS: usize = 2;

/// Returns the package that provides an import.
pub(super) fn package_of_import(module: &str) -> String {
    TABLE.packages.get(module).cloned().unwrap_or_else(|| module.to_owned())
}

/// Returns the existing package for a name that is an import or has typing errors.
pub(super) fn meant(name: &str) -> Option<&'static str> {
    if let Some((_, package)) = TABLE.packages.iter().find(|(module, _)| module.eq_ignore_ascii_case(name)) {
        return Some(package);
    }
    let name = normalized(name);
    let typos = |other: &str| strsim::osa_distance(&name, &normalized(other));
    let (distance, nearest) = TABLE
        .popular
        .iter()
        .map(|popular| (typos(popular), popular.as_str()))
        .min_by_key(|(typos, _)| *typos)?;
    // A short name is near to many others.
    (distance <= MAX_TYPOS && distance * 3 <= name.len() && distance > 0).then_some(nearest)
}

/// Lists the versions around a wanted one, from pip's `1.0, 1.1, 2.0`: `; there are `1.1`, `2.0``. Returns nothing for an
/// empty list.
pub(super) fn nearest(versions: &str, wanted: &str) -> String {
    let mut known: Vec<&str> =
        versions.split(',').map(str::trim).filter(|version| !version.is_empty()).collect();
    if known.iter().any(|version| is_final(version)) {
        known.retain(|version| is_final(version));
    }
    known.sort_by_key(|version| parts(version));
    let above = known.partition_point(|version| parts(version) < parts(wanted));
    let start = above.saturating_sub(NAMED_VERSIONS - 1).min(known.len().saturating_sub(NAMED_VERSIONS));
    let named: Vec<String> =
        known.iter().skip(start).take(NAMED_VERSIONS).map(|version| format!("`{version}`")).collect();
    match named.as_slice() {
        [] => String::new(),
        [only] => format!("; there is {only}"),
        several => format!("; there are {}", several.join(", ")),
    }
}

/// Names the Debian package of a shared library.
pub(super) fn debian_package(library: &str) -> String {
    match TABLE.libraries.iter().find(|(prefix, _)| library.starts_with(prefix.as_str())) {
        Some((_, package)) => format!("`{package}`"),
        None => "its Debian package".to_owned(),
    }
}

/// Returns the name at the start of a requirement.
pub(super) fn leading_name(requirement: &str) -> String {
    requirement.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')).collect()
}

/// Spells a name as package indexes compare it (PEP 503).
fn normalized(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}

/// Returns true if a version is neither a pre-release nor a development release.
fn is_final(version: &str) -> bool {
    let version = version.split('+').next().unwrap_or_default().replace(".post", ".");
    version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// Returns the numbers of a version, for sorting.
fn parts(version: &str) -> Vec<u64> {
    version.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_around_the_wanted_one_are_listed() {
        let versions = "1.3.0, 1.26.4, 2.0.0rc1, 2.0.0, 2.1.0, 2.3.1";
        for (wanted, listed) in [
            ("3.9.0", "; there are `2.0.0`, `2.1.0`, `2.3.1`"),
            ("2.0.5", "; there are `1.26.4`, `2.0.0`, `2.1.0`"),
            ("0.1", "; there are `1.3.0`, `1.26.4`, `2.0.0`"),
        ] {
            assert_eq!(nearest(versions, wanted), listed, "{wanted}");
        }
        assert_eq!(nearest("1.0a1, 1.0b2", "2"), "; there are `1.0a1`, `1.0b2`");
        assert_eq!(nearest("1.0", "2"), "; there is `1.0`");
        assert_eq!(nearest("", "2"), "");
    }

    #[test]
    fn misspelt_names_are_corrected() {
        for (name, package) in [
            ("trasnformers", Some("transformers")),
            ("sckit-learn", Some("scikit-learn")),
            ("cv2", Some("opencv-python-headless")),
            ("pil", Some("Pillow")),
            ("my-own-package", None),
            ("tmm", Some("timm")),
            ("abc", None),
            ("gradio", None),
        ] {
            assert_eq!(meant(name), package, "{name}");
        }
    }

    #[test]
    fn packages_of_imports_and_libraries() {
        assert_eq!(package_of_import("cv2"), "opencv-python-headless");
        assert_eq!(package_of_import("einops"), "einops");
        assert_eq!(debian_package("libGL.so.1"), "`libgl1`");
        assert_eq!(debian_package("libfoo.so"), "its Debian package");
        assert_eq!(leading_name("gradio[oauth]==6.1.0"), "gradio");
    }
}
