//! The program of the agent's Job: its files, its settings, and the names that it is started with.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::blockers::BLOCKERS_FILE;
use super::brief::Brief;
use super::editable::{EDITABLE, MAX_FILE_BYTES};

/// Package of the agent in the npm registry.
pub const PACKAGE: &str = "@earendil-works/pi-coding-agent";
/// Version of the package, which the Job installs.
pub const PACKAGE_VERSION: &str = "1.6.0";
/// Image of the Job. It has Node, npm and Python; the small variants have no Python.
pub const IMAGE: &str = "node:24";
/// Variable of the Job with the token.
pub const TOKEN_VARIABLE: &str = "AGENT_TOKEN";
/// Script of the Job, in the folder that [`Program::write_to`] fills.
pub const SCRIPT: &str = "exec node main.mjs /output";
/// Time that the Job has beside the agent: for the installation before it, and for its files after it.
pub const EXTRA_TIME: Duration = Duration::from_secs(5 * 60);
/// Folder of the agent's files, in the output of the Job.
pub const RETURNED: &str = "space";
/// Folder of the sessions, in the output of the Job.
pub const SESSIONS: &str = "traces/raw";
/// File with the result, in the output of the Job.
pub const RESULT: &str = "result.json";

/// Number of requests after which the agent is ended, because a model without a price has no other limit of cost.
const MAX_REQUESTS: u32 = 200;
/// Folder with the agent's files, in the checkout of the Job.
const GIVEN: &str = "space";

const FILES: [(&str, &str); 5] = [
    ("main.mjs", include_str!("job/main.mjs")),
    ("agent.mjs", include_str!("job/agent.mjs")),
    ("files.mjs", include_str!("job/files.mjs")),
    ("gateway.mjs", include_str!("job/gateway.mjs")),
    ("shared.mjs", include_str!("job/shared.mjs")),
];

/// Settings of a run of the agent.
#[derive(Debug, Clone, Copy)]
pub struct Program<'a> {
    /// Model of the agent, as Inference Providers name it.
    pub model: &'a str,
    /// Address of the router of Inference Providers.
    pub router: &'a str,
    pub timeout: Duration,
    /// Largest cost of the model's answers, in US dollars.
    pub budget: f64,
}

impl Program<'_> {
    /// Writes the program, its settings and the files of the agent to the checkout of the Job.
    ///
    /// # Errors
    ///
    /// The folder cannot be written.
    pub fn write_to(&self, brief: &Brief, folder: &Path) -> io::Result<()> {
        for (name, text) in FILES {
            std::fs::write(folder.join(name), text)?;
        }
        std::fs::write(folder.join("settings.json"), self.settings())?;
        std::fs::write(folder.join("prompt.md"), &brief.prompt)?;
        let given = folder.join(GIVEN);
        std::fs::create_dir(&given)?;
        brief.write_to(&given)
    }

    fn settings(&self) -> String {
        let allowed: Vec<&str> = EDITABLE.into_iter().chain([BLOCKERS_FILE]).collect();
        json!({
            "package": PACKAGE,
            "version": PACKAGE_VERSION,
            "model": self.model,
            "router": self.router.trim_end_matches('/'),
            "seconds": self.timeout.as_secs(),
            "budget_usd": self.budget,
            "max_requests": MAX_REQUESTS,
            "allowed": allowed,
            "max_file": MAX_FILE_BYTES,
            "max_total": MAX_FILE_BYTES * allowed.len() as u64,
        })
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkout_has_the_program_its_settings_and_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let brief =
            Brief { prompt: "Edit the app.".to_owned(), files: vec![("app.py", "print()\n".to_owned())] };
        let program = Program {
            model: "a/b:cheapest",
            router: "https://router.example/",
            timeout: Duration::from_secs(90),
            budget: 0.5,
        };
        program.write_to(&brief, folder.path()).unwrap();
        let read = |path: &str| std::fs::read_to_string(folder.path().join(path)).unwrap();
        assert_eq!(
            (read("prompt.md").as_str(), read("space/app.py").as_str()),
            ("Edit the app.", "print()\n")
        );
        let settings: serde_json::Value = serde_json::from_str(&read("settings.json")).unwrap();
        assert_eq!(settings["router"], "https://router.example");
        assert_eq!((&settings["seconds"], &settings["budget_usd"]), (&90.into(), &0.5.into()));
        assert_eq!(settings["allowed"].as_array().unwrap().len(), 4);
        assert!(read("shared.mjs").contains(&format!("const TOKEN = \"{TOKEN_VARIABLE}\"")));
        for (name, text) in FILES {
            let imported = text.lines().filter_map(|line| line.split_once("from \"./"));
            for (_, other) in imported {
                let other = other.trim_end_matches("\";");
                assert!(FILES.iter().any(|(file, _)| *file == other), "{name} imports {other}");
            }
        }
    }
}
