//! The pages agree with the product: links, headings of error codes, quotes, dependencies and lengths.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use hf_deploy::commands::deploy::inputs::Inputs;
use hf_deploy::failure::Code;

use crate::contract::{action_folders, differences, planted, read, rows, section};

/// Pages for readers, beside those of the further actions. Links between them are checked.
const PAGES: &[&str] = &[
    "README.md",
    "AGENTS.md",
    "SECURITY.md",
    "CHANGELOG.md",
    ".github/SUPPORT.md",
    ".github/docs/deploy.md",
    ".github/docs/run-bundle.md",
    ".github/docs/previews.md",
    "tests/bench/README.md",
    "proxy-template/README.md",
];

/// Lines of README outside of `<details>`, at most: a reader should find the way in a few screens.
const MAX_VISIBLE_LINES: usize = 480;

/// Lines of AGENTS.md, at most.
const MAX_AGENTS_LINES: usize = 330;

/// Finds links of a page to missing files, headings and workflows.
fn link_faults(page: &str, text: &str) -> Vec<String> {
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let pictures = text.split(['"', '\'']).filter(|text| text.starts_with(".github/"));
    let is_broken = |target: &&str| !leads_somewhere(page, text, target);
    links
        .chain(pictures)
        .filter(is_broken)
        .map(|target| format!("{page}: `{target}` leads nowhere"))
        .collect()
}

fn leads_somewhere(page: &str, text: &str, target: &str) -> bool {
    if target.starts_with("https://") || target == "../../releases" {
        return true;
    }
    // GitHub shows README at `blob/main/`, so two steps up is the repository on GitHub.
    if let Some(workflow) = target.strip_prefix("../../actions/workflows/") {
        return exists(&format!(".github/workflows/{}", workflow.trim_end_matches("/badge.svg")));
    }
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    if file.is_empty() {
        return anchors(text).contains(heading);
    }
    let file = resolve(page, file);
    exists(&file) && (heading.is_empty() || anchors(&read(&file)).contains(heading))
}

/// Resolves a relative link of a page to a path below the root of the repository.
fn resolve(page: &str, link: &str) -> String {
    let mut path = PathBuf::from(page);
    path.pop();
    for part in Path::new(link).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            other => path.push(other),
        }
    }
    path.to_string_lossy().into_owned()
}

fn exists(path: &str) -> bool {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists()
}

/// Returns the anchors that GitHub gives to the headings of a page.
fn anchors(text: &str) -> BTreeSet<String> {
    text.lines().filter(|line| line.starts_with('#')).map(anchor).collect()
}

fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// Counts the lines outside of `<details>`; each folded part counts as one.
fn visible_lines(text: &str) -> usize {
    let mut is_folded = false;
    let mut count = 0;
    for line in text.lines() {
        match line {
            "</details>" => is_folded = false,
            "<details>" => {
                is_folded = true;
                count += 1;
            }
            _ if is_folded => {}
            _ => count += 1,
        }
    }
    count
}

/// Finds error codes without a heading in SUPPORT.md, and headings without a code.
fn heading_faults(support: &str) -> Vec<String> {
    let lines = section(support, "Error codes").lines();
    let headings: Vec<&str> =
        lines.filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`')).collect();
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    differences(&headings, &codes, "SUPPORT.md")
}

/// Finds error codes that README does not link in the row of their exit code.
fn exit_code_faults(readme: &str) -> Vec<String> {
    let table = section(readme, "Troubleshooting");
    let row = |code: &Code| {
        let start = format!("| {} | ", code.kind().exit_code());
        table.lines().find(|line| line.starts_with(&start)).unwrap_or_default()
    };
    let link = |code: &Code| format!("[`{0}`](.github/SUPPORT.md#{0})", code.as_str());
    let missing = Code::ALL.iter().filter(|code| !row(code).contains(&link(code)));
    let mut faults: Vec<String> =
        missing.map(|code| format!("README does not link `{}`", code.as_str())).collect();
    let links = table.matches("[`").count();
    if links != Code::ALL.len() {
        faults.push(format!("README links {links} codes of {}", Code::ALL.len()));
    }
    faults
}

/// Finds quotes of SUPPORT.md that no source has, of this action or of the local Hub.
fn quote_faults(support: &str, sources: &str) -> Vec<String> {
    let text = support.split_whitespace().collect::<Vec<_>>().join(" ");
    let quotes = text.split('"').skip(1).step_by(2).flat_map(|quote| quote.split('…'));
    let parts = quotes.map(|part| part.trim_matches(|c: char| ": `".contains(c)));
    let unknown = parts.filter(|part| !sources.contains(part));
    unknown.map(|part| format!("no source has `{part}`")).collect()
}

/// Finds dependencies of the action and of the proxy that AGENTS.md does not explain, in the order of the manifests.
fn dependency_faults(manifests: [&str; 3], agents: &str) -> Vec<String> {
    let wanted: Vec<&str> = manifests.into_iter().flat_map(dependencies).collect();
    let rows = rows(section(agents, "Dependencies"));
    let found: Vec<&str> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
    let mut faults = differences(&found, &wanted, "AGENTS.md");
    let unexplained = rows.iter().filter(|row| row.get(1).is_none_or(|use_of| use_of.is_empty()));
    faults.extend(unexplained.map(|row| format!("AGENTS.md does not explain {}", row[0])));
    faults
}

/// Returns the names in the `[dependencies]` of a manifest.
fn dependencies(manifest: &str) -> Vec<&str> {
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    section
        .lines()
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty())
        .collect()
}

/// Finds files in the walk of AGENTS.md that do not exist. A bare name is a file of `src/ops/deploy`.
fn walk_faults(agents: &str) -> Vec<String> {
    let walk = section(agents, "One deploy, file by file");
    let names = walk.split('`').skip(1).step_by(2);
    let paths = names.filter(|name| name.ends_with(".rs") || name.contains('/')).map(|name| {
        let folders = ["", "src/ops/deploy/", "src/commands/deploy/"];
        (name, folders.iter().any(|folder| exists(&format!("{folder}{name}"))))
    });
    paths.filter(|(_, exists)| !exists).map(|(name, _)| format!("AGENTS.md names `{name}`")).collect()
}

#[test]
fn links_between_pages_lead_somewhere() {
    let of_actions = action_folders().into_iter().map(|folder| format!("{folder}/README.md"));
    for page in PAGES.iter().map(|page| (*page).to_owned()).chain(of_actions) {
        assert_eq!(link_faults(&page, &read(&page)), Vec::<String>::new());
    }
    for (page, text, expected) in [
        ("README.md", "[a](#b)\n# C d", "#b"),
        ("README.md", "[a](nowhere.md)", "nowhere.md"),
        ("README.md", "[a](SECURITY.md#nowhere)", "SECURITY.md#nowhere"),
        (".github/SUPPORT.md", "[a](README.md)", "README.md"),
        ("README.md", "[a](../../actions/workflows/none.yml)", "none.yml"),
        ("README.md", "<img src=\".github/none.png\">", "none.png"),
    ] {
        assert!(link_faults(page, text).iter().any(|fault| fault.contains(expected)), "{text}");
    }
    assert_eq!(link_faults("README.md", "[a](#c-d_e)\n## C `d_e`!"), Vec::<String>::new());
    let support = "[a](../SECURITY.md#threat-model)";
    assert_eq!(link_faults(".github/SUPPORT.md", support), Vec::<String>::new());
    let action = "[a](../../SUPPORT.md#error-codes) [b](../../../README.md#inputs)";
    assert_eq!(link_faults(".github/actions/new/README.md", action), Vec::<String>::new());
}

#[test]
fn readme_is_short_outside_of_its_folds() {
    let visible = visible_lines(&read("README.md"));
    assert!(visible <= MAX_VISIBLE_LINES, "{visible} lines are visible, at most {MAX_VISIBLE_LINES} may be");
    assert_eq!(visible_lines("a\n<details>\n<summary>b</summary>\n\nc\n\n</details>\nd\n"), 3);
}

#[test]
fn agents_md_is_short() {
    assert!(read("AGENTS.md").lines().count() <= MAX_AGENTS_LINES);
}

#[test]
fn folds_are_closed() {
    let of_actions = action_folders().into_iter().map(|folder| format!("{folder}/README.md"));
    for page in std::iter::once("README.md".to_owned()).chain(of_actions) {
        let text = read(&page);
        let of = |tag: &str| text.lines().filter(|line| *line == tag).count();
        assert_eq!(of("<details>"), of("</details>"), "{page}");
        // Without a blank line, GitHub does not read the text of a fold as Markdown.
        assert_eq!(of("<details>"), text.matches("</summary>\n\n").count(), "{page}");
        assert_eq!(of("</details>"), text.matches("\n\n</details>\n").count(), "{page}");
    }
}

#[test]
fn error_codes_have_headings_in_support() {
    let support = read(".github/SUPPORT.md");
    planted(heading_faults, &support, "### `lfs_pointer`", "### `lfs_pointers`", "lacks \"lfs_pointer\"");
    planted(heading_faults, &support, "### `conflict`", "### `conflict`\n### `odd`", "\"odd\"");
}

#[test]
fn error_codes_are_linked_in_readme() {
    let readme = read("README.md");
    planted(exit_code_faults, &readme, "SUPPORT.md#lfs_pointer)", "SUPPORT.md#lfs)", "`lfs_pointer`");
    planted(exit_code_faults, &readme, "| 6 | ", "| 7 | ", "`timeout`");
    planted(exit_code_faults, &readme, "| 0 | done | |", "| 0 | done | [`odd`](#odd) |", "links");
}

#[test]
fn support_quotes_errors_literally() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = String::new();
    let mut folders = vec![root.join("src"), root.join("tests/local-hub/src"), root.join("tests/it")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            // This file plants a quote below.
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("pages.rs") {
                // Templates have pictures and videos as well.
                sources.push_str(&std::fs::read_to_string(path).unwrap_or_default());
            }
        }
    }
    let faults = |support: &str| quote_faults(support, &sources);
    let support = read(".github/SUPPORT.md");
    planted(faults, &support, "\"keeps moving\"", "\"keeps running away\"", "keeps running away");
}

#[test]
fn agents_md_explains_each_dependency() {
    let [action, hub, proxy] = ["Cargo.toml", "src/hub/Cargo.toml", "proxy-template/Cargo.toml"].map(read);
    let agents = read("AGENTS.md");
    let faults = |agents: &str| dependency_faults([&action, &hub, &proxy], agents);
    planted(faults, &agents, "| `envy` |", "| `envoy` |", "lacks \"envy\"");
    planted(faults, &agents, "| `subtle` | ", "| `subtle` |  | ", "explain `subtle`");
    let faults = |action: &str| dependency_faults([action, &hub, &proxy], &agents);
    let (from, to) = ("\n[dependencies]\n", "\n[dependencies]\nleft-pad = \"1\"\n");
    planted(faults, &action, from, to, "lacks \"left-pad\"");
}

#[test]
fn walk_of_agents_md_names_existing_files() {
    let agents = read("AGENTS.md");
    planted(walk_faults, &agents, "`src/main.rs` collects", "`src/mains.rs` collects", "`src/mains.rs`");
    planted(walk_faults, &agents, "`rollback.rs`", "`back.rs`", "`back.rs`");
}

/// Readers of the table for hub-sync get the same advice from the action itself.
#[test]
fn names_of_hub_sync_lead_to_the_names_in_the_table() {
    let readme = read("README.md");
    let table = readme.split("<summary>From huggingface/hub-sync</summary>").nth(1).unwrap();
    let table = table.split("</details>").next().unwrap();
    let renamed = rows(table).into_iter().filter(|row| row[2].starts_with("the old name is an error"));
    let mut count = 0;
    for row in renamed {
        let (old, new) = (row[0].trim_matches('`'), row[1]);
        let vars = [("INPUT_HUGGINGFACE_REPO", "a/b"), ("INPUT_HF_TOKEN", "hf_x"), ("INPUT_DRY_RUN", "true")];
        let mut vars: Vec<(String, String)> =
            vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        vars.push((format!("INPUT_{}", old.to_uppercase()), "false".to_owned()));
        let failure = Inputs::from_vars(vars).expect_err("the old name is refused");
        assert!(failure.message.contains(new.trim_matches('`')), "{}", failure.message);
        count += 1;
    }
    assert_eq!(count, 3);
}
