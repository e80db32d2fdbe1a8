//! The layers of AGENTS.md, and no cycles between files: read from the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

/// Sources of one crate: path of a file, relative to its root module's folder, and its text.
type Sources = BTreeMap<String, String>;

/// A path with `::` in it, as the source has it.
type Segments = Vec<String>;

/// One file of a crate as far as names go. Test code is left out.
#[derive(Debug, Default)]
struct Module {
    file: String,
    /// Modules that it declares.
    children: BTreeSet<String>,
    /// Names that it defines.
    items: BTreeSet<String>,
    /// Names that it imports, with the paths behind them. A glob has the name `*`.
    imports: Vec<(String, Segments)>,
    /// Paths that it uses, except for re-exports.
    paths: BTreeSet<Segments>,
}

/// Name of the library in paths of the binary.
const LIBRARY: &str = "hf_deploy";

/// Crates of this project that have a row without being modules of the library.
const OTHER_CRATES: [&str; 2] = ["hub", "hf_proxy"];

/// All modules of a crate, by their path from its root; and the module for which the root stands, if it has a row.
#[derive(Debug, Default)]
struct Crate(BTreeMap<Segments, Module>, Option<String>);

impl Crate {
    fn read(sources: &Sources) -> Self {
        let mut all = Self::default();
        let root = if sources.contains_key("lib.rs") { "lib.rs" } else { "mod.rs" };
        all.add(sources, &[], root, "");
        all
    }

    /// Reads one file that stands for a module: a binary, or a module that another folder has.
    fn read_file(name: &str, text: &str) -> Self {
        let mut all = Self(BTreeMap::new(), Some(name.to_owned()));
        let sources = Sources::from([(format!("{name}.rs"), text.to_owned())]);
        all.add(&sources, &[], &format!("{name}.rs"), "");
        all
    }

    fn add(&mut self, sources: &Sources, path: &[String], file: &str, folder: &str) {
        let text = sources.get(file).unwrap_or_else(|| panic!("{file} is declared and missing"));
        let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}"));
        let mut module = Module { file: file.to_owned(), ..Module::default() };
        module.visit_file(&parsed);
        let children = module.children.clone();
        self.0.insert(path.to_vec(), module);
        for child in children {
            let inner = format!("{folder}{child}");
            let flat = format!("{inner}.rs");
            let file = if sources.contains_key(&flat) { flat } else { format!("{inner}/mod.rs") };
            let path = [path, &[child]].concat();
            self.add(sources, &path, &file, &format!("{inner}/"));
        }
    }

    /// Returns the module that defines a path as it is written in the module `from`: `None` for other crates.
    fn resolve(&self, from: &[String], path: &[String], depth: usize) -> Option<Segments> {
        let (first, rest) = path.split_first()?;
        if depth > 20 {
            return None;
        }
        match first.as_str() {
            "crate" => self.walk(&[], rest, depth),
            "self" => self.walk(from, rest, depth),
            "super" => self.walk(from.split_last()?.1, rest, depth),
            name => self.knows(from, name).then(|| self.walk(from, path, depth)).flatten(),
        }
    }

    fn knows(&self, at: &[String], name: &str) -> bool {
        let module = &self.0[at];
        module.children.contains(name)
            || module.items.contains(name)
            || module.imports.iter().any(|(import, _)| import == name)
    }

    fn walk(&self, at: &[String], path: &[String], depth: usize) -> Option<Segments> {
        let Some((first, rest)) = path.split_first() else { return Some(at.to_vec()) };
        if first == "super" {
            return self.walk(at.split_last()?.1, rest, depth);
        }
        let module = self.0.get(at)?;
        if module.children.contains(first) {
            return self.walk(&[at, std::slice::from_ref(first)].concat(), rest, depth);
        }
        if module.items.contains(first) {
            return Some(at.to_vec());
        }
        if let Some((_, import)) = module.imports.iter().find(|(name, _)| name == first) {
            return self.resolve(at, &[import, rest].concat(), depth + 1);
        }
        let globs = module.imports.iter().filter(|(name, _)| name == "*");
        let found = globs.filter_map(|(_, glob)| {
            let inner = self.resolve(at, glob, depth + 1)?;
            self.knows(&inner, first).then(|| self.walk(&inner, path, depth + 1)).flatten()
        });
        found.into_iter().next().or_else(|| Some(at.to_vec()))
    }

    /// Returns which module uses which other one of this crate.
    fn edges(&self) -> BTreeMap<Segments, BTreeSet<Segments>> {
        let edges = |(at, module): (&Segments, &Module)| {
            let used = module.paths.iter().filter_map(|path| self.resolve(at, path, 0));
            (at.clone(), used.filter(|other| other != at).collect())
        };
        self.0.iter().map(edges).collect()
    }

    /// Returns the groups of files that use each other, each with its edges.
    fn cycles(&self) -> Vec<String> {
        let edges = self.edges();
        let reach: BTreeMap<&Segments, BTreeSet<&Segments>> =
            edges.keys().map(|from| (from, reachable(from, &edges))).collect();
        let mut seen = BTreeSet::new();
        let mut cycles = Vec::new();
        for from in edges.keys() {
            let group: Vec<&Segments> =
                reach[from].iter().copied().filter(|to| reach[to].contains(from)).collect();
            if group.len() < 2 || !seen.insert(group.clone()) {
                continue;
            }
            let mut text = String::new();
            for module in &group {
                let inside = edges[*module].iter().filter(|to| group.contains(to));
                let files: Vec<&str> = inside.map(|to| self.0[to].file.as_str()).collect();
                let _ = writeln!(text, "  {} uses {}", self.0[*module].file, files.join(", "));
            }
            cycles.push(text);
        }
        cycles
    }

    /// Returns every use of a module, or of another crate of this project, that the table does not allow.
    fn breaches(&self, table: &Table) -> Vec<String> {
        let mut breaches = Vec::new();
        for (at, module) in &self.0 {
            // The root declares the modules, and is used by all of them.
            let Some(own) = at.first().map(String::as_str).or(self.1.as_deref()) else { continue };
            let Some(allowed) = table.get(own) else {
                breaches.push(format!("{}: `{own}` has no row in AGENTS.md", module.file));
                continue;
            };
            for path in &module.paths {
                let used = self.used(at, path, table);
                if let Some(used) = used.filter(|used| used != own && !allowed.contains(used)) {
                    breaches.push(format!(
                        "{}: {} (`{own}` must not use `{used}`)",
                        module.file,
                        path.join("::")
                    ));
                }
            }
        }
        breaches
    }

    /// Returns the module, or the other crate of this project, that a path leads to.
    fn used(&self, at: &[String], path: &[String], table: &Table) -> Option<String> {
        match self.resolve(at, path, 0) {
            Some(other) => other.first().cloned(),
            None => {
                let rest = path.strip_prefix(&[LIBRARY.to_owned()][..]).unwrap_or(path);
                rest.first().filter(|name| table.contains_key(*name)).cloned()
            }
        }
    }

    /// Returns every pair of modules that the sources use.
    fn uses(&self, table: &Table) -> BTreeSet<(String, String)> {
        let mut uses = BTreeSet::new();
        for (at, module) in &self.0 {
            let Some(own) = at.first().or(self.1.as_ref()) else { continue };
            let used = module.paths.iter().filter_map(|path| self.used(at, path, table));
            uses.extend(used.map(|used| (own.clone(), used)));
        }
        uses
    }
}

/// Returns the rows of the table without a module, and the uses that it allows and no source needs.
fn stale_rows(crates: &[&Crate], others: &[&str], table: &Table) -> Vec<String> {
    let mut stale = Vec::new();
    let uses: BTreeSet<_> = crates.iter().flat_map(|one| one.uses(table)).collect();
    for (module, allowed) in table {
        let is_there =
            |one: &&Crate| one.0.contains_key(std::slice::from_ref(module)) || one.1.as_ref() == Some(module);
        if !crates.iter().any(is_there) && !others.contains(&module.as_str()) {
            stale.push(format!("`{module}` has a row, and is no module"));
            continue;
        }
        let unused = allowed.iter().filter(|used| !uses.contains(&(module.clone(), (*used).clone())));
        stale.extend(unused.map(|used| format!("`{module}` does not use `{used}`, which its row allows")));
    }
    stale
}

fn reachable<'a>(
    from: &'a Segments,
    edges: &'a BTreeMap<Segments, BTreeSet<Segments>>,
) -> BTreeSet<&'a Segments> {
    let mut seen = BTreeSet::new();
    let mut open: Vec<&Segments> = edges[from].iter().collect();
    while let Some(next) = open.pop() {
        if seen.insert(next) {
            open.extend(&edges[next]);
        }
    }
    seen
}

impl<'ast> Visit<'ast> for Module {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if is_test(attributes(item)) {
            return;
        }
        let name = match item {
            syn::Item::Const(item) => Some(&item.ident),
            syn::Item::Enum(item) => Some(&item.ident),
            syn::Item::Fn(item) => Some(&item.sig.ident),
            syn::Item::Macro(item) => item.ident.as_ref(),
            syn::Item::Static(item) => Some(&item.ident),
            syn::Item::Struct(item) => Some(&item.ident),
            syn::Item::Trait(item) => Some(&item.ident),
            syn::Item::Type(item) => Some(&item.ident),
            syn::Item::Union(item) => Some(&item.ident),
            syn::Item::Mod(item) if item.content.is_none() => {
                self.children.insert(item.ident.to_string());
                return;
            }
            syn::Item::Use(item) => {
                let is_reexport = !matches!(item.vis, syn::Visibility::Inherited);
                self.import(&item.tree, Vec::new(), is_reexport);
                return;
            }
            _ => None,
        };
        self.items.extend(name.map(ToString::to_string));
        visit::visit_item(self, item);
    }

    fn visit_stmt(&mut self, statement: &'ast syn::Stmt) {
        if let syn::Stmt::Item(syn::Item::Use(item)) = statement {
            self.import(&item.tree, Vec::new(), false);
        } else {
            visit::visit_stmt(self, statement);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !is_test(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            self.paths.insert(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        self.read_tokens(mac.tokens.clone());
        visit::visit_macro(self, mac);
    }
}

impl Module {
    fn import(&mut self, tree: &syn::UseTree, before: Segments, is_reexport: bool) {
        let mut add = |name: String, path: Segments| {
            if !is_reexport {
                self.paths.insert(path.clone());
            }
            self.imports.push((name, path));
        };
        match tree {
            syn::UseTree::Path(path) => {
                self.import(&path.tree, [before, vec![path.ident.to_string()]].concat(), is_reexport);
            }
            syn::UseTree::Name(name) if name.ident == "self" => {
                add(before.last().cloned().unwrap_or_default(), before);
            }
            syn::UseTree::Name(name) => {
                let name = name.ident.to_string();
                add(name.clone(), [before, vec![name]].concat());
            }
            syn::UseTree::Rename(rename) => {
                let from = rename.ident.to_string();
                let path = if from == "self" { before } else { [before, vec![from]].concat() };
                add(rename.rename.to_string(), path);
            }
            syn::UseTree::Glob(_) => add("*".to_owned(), before),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, before.clone(), is_reexport);
                }
            }
        }
    }

    /// Finds the paths in the tokens of a macro.
    fn read_tokens(&mut self, tokens: TokenStream) {
        let mut path: Segments = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) if colons == 2 || path.is_empty() => path.push(name.to_string()),
                TokenTree::Ident(name) => {
                    self.end_path(&mut path);
                    path.push(name.to_string());
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Group(group) => {
                    self.end_path(&mut path);
                    self.read_tokens(group.stream());
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => self.end_path(&mut path),
            }
            colons = 0;
        }
        self.end_path(&mut path);
    }

    fn end_path(&mut self, path: &mut Segments) {
        let path = std::mem::take(path);
        if path.len() > 1 {
            self.paths.insert(path);
        }
    }
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
    })
}

/// Modules, each with those that it may use.
type Table = BTreeMap<String, BTreeSet<String>>;

/// Reads the rows of AGENTS.md that have a module, in backticks, and the modules that it may use.
fn table(agents: &str) -> Table {
    let rows = agents.lines().skip_while(|line| !line.starts_with("| module | may use |")).skip(2);
    let names =
        |cell: &str| -> BTreeSet<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let rows = rows.take_while(|line| line.starts_with('|')).map(|line| {
        let mut cells = line.trim_matches('|').split('|');
        (names(cells.next().unwrap_or_default()), names(cells.next().unwrap_or_default()))
    });
    rows.flat_map(|(modules, allowed)| modules.into_iter().map(move |module| (module, allowed.clone())))
        .collect()
}

fn sources(folder: &str) -> Sources {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found = Sources::new();
    let mut open = vec![base.clone()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).expect("the folder is readable") {
            let path = entry.expect("the entry is readable").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path.strip_prefix(&base).unwrap_or(Path::new("")).to_string_lossy().into_owned();
                found.insert(name, std::fs::read_to_string(&path).expect("the source is text"));
            }
        }
    }
    found
}

#[test]
fn files_do_not_use_each_other_in_circles() {
    let mut found = String::new();
    for folder in ["src", "src/hub", "proxy-template/src", "tests/local-hub/server/src"] {
        for cycle in Crate::read(&sources(folder)).cycles() {
            let _ = writeln!(found, "{folder}:\n{cycle}");
        }
    }
    assert!(found.is_empty(), "files that use each other:\n{found}");
}

#[test]
fn modules_use_only_those_that_agents_md_allows() {
    let agents = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("AGENTS.md"))
        .expect("AGENTS.md is there");
    let table = table(&agents);
    assert!(table.len() > 5, "AGENTS.md has no table of modules: {table:?}");
    let sources = sources("src");
    let (library, main) = (Crate::read(&sources), Crate::read_file("main", &sources["main.rs"]));
    let breaches = [library.breaches(&table), main.breaches(&table)].concat();
    assert!(breaches.is_empty(), "uses that the table in AGENTS.md does not allow:\n{}", breaches.join("\n"));
    let stale = stale_rows(&[&library, &main], &OTHER_CRATES, &table);
    assert!(stale.is_empty(), "rows of AGENTS.md that are out of date:\n{}", stale.join("\n"));
}

#[test]
fn planted_cycles_and_breaches_are_found() {
    let planted = |extra: &str| {
        let files = [
            ("lib.rs", "mod hub; pub mod ops; mod action;"),
            ("hub.rs", "pub struct Repo;"),
            ("action.rs", "use hub::Repo; pub fn log(_: Repo) {}"),
            ("ops/mod.rs", "mod deploy; pub mod space; pub use deploy::deploy;"),
            (
                "ops/deploy.rs",
                "use super::space::Space; pub fn deploy(_: Space) { crate::action::log(hub::Repo) }",
            ),
            ("ops/space.rs", &format!("pub struct Space; {extra}")),
        ];
        let sources = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let parsed = Crate::read(&sources);
        let table = table(
            "| module | may use |\n| --- | --- |\n| `hub` | |\n| `action` | `hub` |\n| `ops` | `hub`, `action` |\n",
        );
        (parsed.cycles(), parsed.breaches(&table))
    };
    assert_eq!(planted(""), (vec![], vec![]));
    for cycle in [
        "use super::deploy;",
        "fn f() { super::deploy(Space) }",
        "fn f() { let _ = format!(\"{}\", crate::ops::deploy(Space)); }",
        "fn f() { use crate::ops::deploy; deploy(Space) }",
    ] {
        let (cycles, breaches) = planted(cycle);
        assert_eq!(
            cycles,
            ["  ops/deploy.rs uses ops/space.rs\n  ops/space.rs uses ops/deploy.rs\n"],
            "{cycle}"
        );
        assert!(breaches.is_empty(), "{breaches:?}");
    }
    assert_eq!(planted("#[cfg(test)] mod tests { use super::super::deploy; }").0, Vec::<String>::new());

    let sources = [
        ("lib.rs", "mod hub; mod ops;"),
        ("hub.rs", "use crate::ops::Space;"),
        ("ops.rs", "pub struct Space;"),
    ];
    let sources = sources.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let table = table("| module | may use |\n| --- | --- |\n| `hub` | |\n| `ops` | `hub` |\n");
    let breaches = Crate::read(&sources).breaches(&table);
    assert_eq!(breaches, ["hub.rs: crate::ops::Space (`hub` must not use `ops`)"]);
}

#[test]
fn planted_stale_rows_are_found() {
    let sources = [
        ("lib.rs", "mod text; mod ops;"),
        ("text.rs", "pub fn plain() {}"),
        ("ops.rs", "use crate::text::plain; pub fn run() { plain() }"),
    ];
    let sources = sources.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let library = Crate::read(&sources);
    let main = |text: &str| Crate::read_file("main", text);
    let rows = |rows: &str| table(&format!("| module | may use |\n| --- | --- |\n{rows}"));
    let good = "| `hub` | |\n| `text` | |\n| `ops` | `text` |\n| `main` | `ops` |\n";
    let found =
        |rows: &Table| stale_rows(&[&library, &main("fn main() { hf_deploy::ops::run() }")], &["hub"], rows);
    assert_eq!(found(&rows(good)), [""; 0]);
    assert_eq!(found(&rows(&format!("{good}| `gone` | |\n"))), ["`gone` has a row, and is no module"]);
    let unused = good.replace("| `ops` | `text` |", "| `ops` | `text`, `hub` |");
    assert_eq!(found(&rows(&unused)), ["`ops` does not use `hub`, which its row allows"]);
    let breaches = main("use hf_deploy::text::plain; fn main() { plain() }").breaches(&rows(good));
    assert_eq!(breaches, ["main.rs: hf_deploy::text::plain (`main` must not use `text`)"]);
}
