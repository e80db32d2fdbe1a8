//! Rules of `requirements.txt` and `packages.txt`.

use std::sync::LazyLock;

use regex::Regex;

use super::super::refusal::Fault;

/// A package of PyPI by its name, with extras, versions and a marker.
static REQUIREMENT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\s*(?:\[[A-Za-z0-9._,\s-]*\])?\s*(?:(?:[<>=!~]=?|===)\s*[A-Za-z0-9.*+!_-]+\s*,?\s*)*(?:;[^@/\\]*)?$"#,
    )
    .ok()
});
/// A package of Debian by its name (Debian policy, 5.6.1).
static DEBIAN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^[a-z0-9][a-z0-9+.-]+$").ok());

/// Returns the lines that name something else than a package of the registry. Addresses, paths and options would install
/// code of an unknown author.
pub(super) fn check(path: &str, text: &str) -> Vec<Fault> {
    let (pattern, rule) = match path {
        "requirements.txt" => (&REQUIREMENT, "is no package of PyPI with its versions"),
        _ => (&DEBIAN, "is no package of Debian"),
    };
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, without_comment(line)));
    let is_package = |line: &str| pattern.as_ref().is_some_and(|pattern| pattern.is_match(line));
    lines
        .filter(|(_, line)| !line.is_empty() && !is_package(line))
        .map(|(number, _)| Fault::at(path, number, format!("the line {rule}")))
        .collect()
}

/// Returns a line without its comment. A `#` in an address starts none.
fn without_comment(line: &str) -> &str {
    let line = line.trim();
    if line.starts_with('#') {
        return "";
    }
    line.find(" #").map_or(line, |at| &line[..at]).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_of_the_registries_are_accepted() {
        let lines =
            |path: &str, text: &str| check(path, text).iter().map(|fault| fault.line).collect::<Vec<_>>();
        let good = "# for the model\ntransformers>=5.2,<6\ntimm\npillow ~= 11.0  # images\nqwen-vl-utils[decord]==0.0.8\n\nx==1.*; python_version < \"3.13\"\n";
        assert_eq!(lines("requirements.txt", good), []);
        for bad in [
            "git+https://example.com/x",
            "x @ https://example.com/x.whl",
            "https://example.com/x.whl",
            "./x.whl",
            "-e .",
            "--index-url https://example.com",
            "-r other.txt",
            "x --global-option=y",
            "x; sys_platform == 'a' @ b",
            "${X}",
        ] {
            assert_eq!(lines("requirements.txt", &format!("timm\n{bad}\n")), [Some(2)], "{bad}");
        }
        assert_eq!(lines("packages.txt", "ffmpeg\nlibgl1\n# x\nlibstdc++6\n"), []);
        assert_eq!(lines("packages.txt", "ffmpeg; rm\n-o x\n./x.deb\n"), [Some(1), Some(2), Some(3)]);
    }
}
