//! The order of the modules: a file uses only modules of its own layer and of earlier ones, and no cycle of files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The layers, from the lowest. A module at the top of the crate belongs to one of them.
const LAYERS: &[&[&str]] = &[
    &["secret", "sync", "units", "values"],
    &["policy"],
    &["config"],
    &["http"],
    &["upstream"],
    &["ops"],
    &["serve"],
    &["lib"],
];

/// A module path such as `["http", "request"]`. The crate root is `["lib"]`.
type Module = Vec<String>;

/// The text of each module without its tests.
type Sources = BTreeMap<Module, String>;

#[test]
fn modules_use_only_earlier_layers_and_no_file_is_in_a_cycle() {
    let sources = read_sources();
    assert!(sources.len() > 40, "only {} files were read", sources.len());
    let faults = faults(&sources);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A breach that is planted in the real sources is found.
#[test]
fn planted_breaches_are_found() {
    for (module, planted, want) in [
        (
            "policy::paths",
            "use crate::ops::metrics::Metrics;",
            "policy::paths uses the later layer of ops::metrics",
        ),
        (
            "policy::paths",
            "fn f() { crate::serve::server::serve() }",
            "policy::paths uses the later layer of serve::server",
        ),
        (
            "http::fields",
            "use crate::{secret, upstream::{io::Wire, pool}};",
            "http::fields uses the later layer of upstream::pool",
        ),
        (
            "http::fields",
            "use super::super::config::Config;\nuse super::super::ops::state;",
            "http::fields uses the later layer of ops::state",
        ),
        (
            "policy::address",
            "use super::limits::Limits;",
            "cycle: policy::address, policy::jobs, policy::limits",
        ),
        (
            "upstream::io",
            "use crate::upstream::{connect::{Connector, ConnectError}};",
            "cycle: upstream::connect, upstream::connection, upstream::io",
        ),
        ("values", "use crate::Proxy;", "values uses the later layer of lib"),
    ] {
        let mut sources = read_sources();
        let module = module.split("::").map(str::to_owned).collect::<Module>();
        let text = sources.get_mut(&module).expect("the planted module exists");
        text.push_str(planted);
        let faults = faults(&sources);
        assert!(faults.iter().any(|fault| fault == want), "{planted}: {faults:?}");
    }
}

#[test]
fn comments_strings_and_tests_are_no_uses() {
    let text = "//! [`crate::ops`]\n/* crate::ops */ const A: &str = \"crate::ops\";\n#[cfg(test)]\nmod tests {\n    use crate::ops;\n}\n";
    assert!(!code_of(text).contains("crate::ops"));
    assert!(code_of("let quote = '\"'; use crate::ops;").contains("crate::ops"));
}

fn read_sources() -> Sources {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut sources) = (vec![root.clone()], Sources::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".rs") && !name.ends_with("_tests.rs") && name != "main.rs" {
                let text = std::fs::read_to_string(&path).unwrap();
                sources.insert(module_of(path.strip_prefix(&root).unwrap()), code_of(&text));
            }
        }
    }
    sources
}

fn module_of(path: &Path) -> Module {
    let mut parts: Module = PathBuf::from(path)
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

/// Returns the code without comments, strings and the tests at its end.
fn code_of(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(['/', '"', '\'']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |at| at + 2)
        } else if rest.starts_with('"') {
            string_end(rest)
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") {
            rest[1..].find('\'').map_or(1, |at| at + 2)
        } else {
            out.push_str(&rest[..1]);
            1
        };
        rest = &rest[end..];
    }
    out + rest
}

/// Returns the length of the string at the beginning of `text`.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// Returns each use of a later layer, and each cycle of files.
fn faults(sources: &Sources) -> Vec<String> {
    let layer = |module: &Module| LAYERS.iter().position(|layer| layer.contains(&module[0].as_str()));
    let (mut faults, mut edges) = (vec![], BTreeMap::<&Module, BTreeSet<Module>>::new());
    for (module, text) in sources {
        if layer(module).is_none() {
            faults.push(format!("{} is in no layer", module.join("::")));
        }
        let used: BTreeSet<Module> =
            uses(module, text, sources).into_iter().filter(|to| to != module).collect();
        for to in used.iter().filter(|to| layer(to) > layer(module)) {
            faults.push(format!("{} uses the later layer of {}", module.join("::"), to.join("::")));
        }
        edges.insert(module, used);
    }
    let reachable = |from: &Module| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(next) = open.pop() {
            for to in edges.get(&next).into_iter().flatten() {
                if seen.insert(to.clone()) {
                    open.push(to.clone());
                }
            }
        }
        seen
    };
    let all: BTreeMap<&Module, BTreeSet<Module>> =
        sources.keys().map(|module| (module, reachable(module))).collect();
    let mut cycles = BTreeSet::new();
    for (module, reached) in all.iter().filter(|(module, reached)| reached.contains(**module)) {
        let members = reached.iter().filter(|other| all[other].contains(*module));
        cycles.insert(members.map(|member| member.join("::")).collect::<Vec<_>>().join(", "));
    }
    faults.extend(cycles.into_iter().map(|cycle| format!("cycle: {cycle}")));
    faults
}

/// Returns the modules that a file names by `crate::`, `self::` or `super::`.
fn uses(module: &Module, text: &str, sources: &Sources) -> Vec<Module> {
    let mut found = vec![];
    for (start, word) in ["crate::", "self::", "super::"].iter().flat_map(|word| text.match_indices(word)) {
        let before = text[..start].chars().next_back().unwrap_or(' ');
        if before.is_alphanumeric() || before == '_' || before == ':' || before == '$' {
            continue;
        }
        let mut base = match word {
            "crate::" => vec![],
            // A file's module is the parent of what it declares.
            "self::" => module.clone(),
            _ => module[..module.len() - 1].to_vec(),
        };
        let mut rest = &text[start + word.len()..];
        while let Some(after) = rest.strip_prefix("super::") {
            base.pop();
            rest = after;
        }
        for path in tree(rest) {
            let full: Module = base.iter().cloned().chain(path).collect();
            found.push(file_of(full, sources));
        }
    }
    found
}

/// Returns the file with the longest part of `path`, or the crate root.
fn file_of(mut path: Module, sources: &Sources) -> Module {
    while !path.is_empty() && !sources.contains_key(&path) {
        path.pop();
    }
    if path.is_empty() { vec!["lib".to_owned()] } else { path }
}

/// Returns the paths of a use tree such as `a::{b, c::{d, e}}`, or the one path of an expression.
fn tree(text: &str) -> Vec<Module> {
    let text = text.trim_start();
    let Some(inner) = text.strip_prefix('{') else {
        let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let below = rest.strip_prefix("::").map(tree).unwrap_or_default();
        if below.is_empty() {
            return if name.is_empty() { vec![] } else { vec![vec![name.to_owned()]] };
        }
        return below
            .into_iter()
            .map(|path| std::iter::once(name.to_owned()).chain(path).collect())
            .collect();
    };
    let (mut paths, mut depth, mut from) = (vec![], 0, 0);
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                paths.extend(tree(&inner[from..at]));
                from = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    paths
}
