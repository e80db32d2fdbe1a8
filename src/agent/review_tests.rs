use hub::Secret;
use proptest::prelude::*;

use super::super::editable::MAX_FILE_BYTES;
use super::super::job_result::{Compiled, Ended, LeftOut};
use super::*;
use crate::model::Severity;
use crate::templates::{RenderInput, Template, render};

/// A secret of the run, without the form of a token.
const SECRET: &str = "hf_secret-of-the-run";

fn ours(template: Template) -> Vec<GeneratedFile> {
    let mut input = RenderInput::new(template, "acme/my-model", "0123abc");
    input.base_model = Some("acme/base".to_owned());
    render(&input).unwrap()
}

/// Returns the result of a Job that compiled the app.
fn finished() -> JobResult {
    JobResult {
        schema: 1,
        ended: Ended::Finished,
        message: None,
        exit_code: Some(0),
        has_own_user: true,
        requests: 4,
        input_tokens: 1000,
        output_tokens: 100,
        cost_usd: Some(0.01),
        compiled: Some(vec![Compiled { path: APP.to_owned(), ok: true, message: String::new() }]),
        refused: Vec::new(),
        sessions: 1,
    }
}

/// A folder that an agent returned.
struct Folder(tempfile::TempDir);

impl Folder {
    /// Returns the files that the agent got, without a change.
    fn unchanged(ours: &[GeneratedFile]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for file in ours.iter().filter(|file| EDITABLE.contains(&file.path)) {
            folder.write(file.path, &file.text);
        }
        folder
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    fn app(&self) -> String {
        std::fs::read_to_string(self.0.path().join(APP)).unwrap()
    }

    /// Replaces a text of the app, which must be there.
    fn edit(&self, old: &str, new: &str) {
        let app = self.app();
        assert!(app.contains(old), "{old}");
        self.write(APP, app.replacen(old, new, 1));
    }

    fn review(&self, ours: &[GeneratedFile], result: &JobResult) -> Result<Reviewed, Refusal> {
        let known = Redactor::default();
        known.register(&Secret::new(SECRET));
        review(self.0.path(), ours, &known, result)
    }
}

/// Lets an agent change the files of a chat, and returns the faults.
fn faults_of(change: impl FnOnce(&Folder, &mut JobResult)) -> String {
    let ours = ours(Template::Chat);
    let folder = Folder::unchanged(&ours);
    let mut result = finished();
    change(&folder, &mut result);
    let refusal = folder.review(&ours, &result).unwrap_err();
    let lines: Vec<String> = refusal.faults.iter().map(ToString::to_string).collect();
    assert!(!lines.concat().contains(SECRET), "{lines:?}");
    lines.join("\n")
}

#[test]
fn unchanged_files_of_each_template_are_accepted() {
    for template in Template::ALL.iter().filter(|one| one.manifest().sdk == hub::SpaceSdk::Gradio) {
        let ours = ours(*template);
        let folder = Folder::unchanged(&ours);
        assert_eq!(folder.review(&ours, &finished()), Ok(Reviewed::Files(ours)), "{template}");
    }
}

#[test]
fn good_edits_are_accepted_and_other_files_stay_ours() {
    let ours = ours(Template::Chat);
    let folder = Folder::unchanged(&ours);
    folder.edit("\"do_sample\": temperature > 0", "\"do_sample\": temperature > 0.01");
    let header: String = folder.app().split_inclusive('\n').take(3).collect();
    folder.edit(&header, "");
    let app = folder.app();
    folder.write(APP, format!("\u{feff}{}", app.replace('\n', "\r\n")));
    folder.write("requirements.txt", "transformers>=5\ntimm\n");
    folder.write("packages.txt", "ffmpeg\n");
    folder.write(BLOCKERS_FILE, "[]");
    let mut result = finished();
    result.refused.push(LeftOut { path: "notes.md".to_owned(), reason: LeftOutReason::OtherName });
    let Ok(Reviewed::Files(files)) = folder.review(&ours, &result) else { panic!("the files are good") };
    let names: Vec<&str> = files.iter().map(|file| file.path).collect();
    assert_eq!(names, [".hf-factory.json", "README.md", "app.py", "packages.txt", "requirements.txt"]);
    let text = |path: &str| files.iter().find(|file| file.path == path).unwrap().text.clone();
    assert_eq!(text(APP), format!("{header}{app}"), "the comment at the start is back");
    assert_eq!(text("requirements.txt"), "transformers>=5\ntimm\n");
    assert_eq!((&files[0], &files[1]), (&ours[0], &ours[1]));
}

#[test]
fn deleted_and_foreign_files_are_faults() {
    let remove = |folder: &Folder, name: &str| std::fs::remove_file(folder.0.path().join(name)).unwrap();
    let link = |folder: &Folder, name: &str| {
        let _ = std::fs::remove_file(folder.0.path().join(name));
        std::os::unix::fs::symlink("/etc/passwd", folder.0.path().join(name)).unwrap();
    };
    assert_eq!(faults_of(|folder, _| remove(folder, APP)), "app.py: was deleted");
    assert_eq!(faults_of(|folder, _| remove(folder, "requirements.txt")), "requirements.txt: was deleted");
    assert_eq!(faults_of(|folder, _| link(folder, APP)), "app.py: is a link");
    assert_eq!(faults_of(|folder, _| link(folder, "data")), "data: is a link");
    assert_eq!(faults_of(|folder, _| link(folder, BLOCKERS_FILE)), "TECHNICAL_BLOCKERS.json: is a link");
    for name in ["README.md", ".hf-factory.json", "helper.py", ".env", "app.py.bak"] {
        let found = faults_of(|folder, _| folder.write(name, "x"));
        assert_eq!(found, format!("{name}: is no file that the agent may add"));
    }
    let found = faults_of(|folder, _| {
        remove(folder, APP);
        std::fs::create_dir(folder.0.path().join(APP)).unwrap();
    });
    assert_eq!(found, "app.py: is no file");
    let large = "x".repeat(usize::try_from(MAX_FILE_BYTES).unwrap() + 1);
    assert_eq!(
        faults_of(|folder, _| folder.write("packages.txt", large)),
        "packages.txt: is larger than 256 kB"
    );
    assert_eq!(faults_of(|folder, _| folder.write(APP, b"\xff")), "app.py: is no UTF-8 text");
    for hidden in ["\0", "# x\rimport os\n", "\u{202e}", "\u{1b}[2K"] {
        let found = faults_of(|folder, _| folder.write(APP, format!("{}{hidden}", folder.app())));
        assert!(found.contains(", which hides what the file does"), "{hidden:?}: {found}");
    }
    let missing = review(Path::new("/nowhere"), &[], &Redactor::default(), &finished()).unwrap_err();
    assert!(missing.faults[0].to_string().starts_with(".: cannot be read: "), "{missing:?}");
}

#[test]
fn entries_that_the_program_left_out_are_faults_unless_they_do_no_harm() {
    for (reason, text) in [
        (LeftOutReason::Link, "x: is a link"),
        (LeftOutReason::TooLarge, "x: is too large"),
        (LeftOutReason::Special, "x: is neither a file nor a folder"),
    ] {
        let found = faults_of(|_, result| result.refused.push(LeftOut { path: "x".to_owned(), reason }));
        assert_eq!(found, text);
    }
    for path in ["helper.py", "helper/model.py"] {
        let found = faults_of(|folder, result| {
            folder.edit("import gradio as gr\n", "import gradio as gr\nfrom helper import load\n");
            result.refused.push(LeftOut { path: path.to_owned(), reason: LeftOutReason::OtherName });
        });
        assert_eq!(found, "app.py:7: imports `helper`, which the agent may not add");
    }
}

#[test]
fn secrets_are_faults_in_each_file() {
    let token = format!("hf_{}", "q7Zk2VbN9xTfLw4RcYg8HsJd5MpAeU3vKi");
    let found = faults_of(|folder, _| {
        folder.edit("MODEL_ID = ", &format!("TOKEN = \"{token}\"\nMODEL_ID = "));
        folder.write("requirements.txt", format!("timm\n# {SECRET}\n"));
    });
    assert_eq!(
        found,
        "app.py:10: holds a Hugging Face token\nrequirements.txt:2: holds a secret of this run"
    );
}

#[test]
fn broken_rules_are_faults_with_their_lines() {
    for (old, new, fault) in [
        (
            "import spaces  # before torch, because ZeroGPU replaces CUDA\nimport torch\n",
            "import torch\nimport spaces\n",
            "app.py:4: breaks the rule that `spaces` is imported before any module that touches CUDA",
        ),
        (
            "@spaces.GPU(duration=60)\n",
            "",
            "app.py: breaks the rule that a function is decorated with `@spaces.GPU`",
        ),
        ("DEVICE = ", "REVISION = None\nDEVICE = ", "sets `MODEL_ID` or `REVISION` again"),
        ("DEVICE = ", "x, MODEL_ID = 1, 'evil/model'\nDEVICE = ", "sets `MODEL_ID` or `REVISION` again"),
        ("show_error=True", "", "breaks the rule that `launch` has `show_error=True`"),
        ("api_name=\"predict\"", "api_name=\"chat\"", "app.py: has no endpoint with `api_name=\"predict\"`"),
        (
            "MODEL_ID = \"acme/my-model\"",
            "MODEL_ID = \"evil/model\"",
            "app.py: lacks the line `MODEL_ID = \"acme/my-model\"`",
        ),
        ("REVISION = \"0123abc\"", "REVISION = \"main\"", "app.py: lacks the line `REVISION = \"0123abc\"`"),
        (
            "dtype=DTYPE",
            "dtype=DTYPE, trust_remote_code=True",
            "runs the code of the model, which `trust_remote_code` does not allow",
        ),
        (
            "    inputs = encode(conversation(message, history))\n",
            "    raise NotImplementedError\n",
            "holds a placeholder",
        ),
    ] {
        let found = faults_of(|folder, _| folder.edit(old, new));
        assert!(found.lines().count() == 1 && found.contains(fault), "{new}: {found}");
    }
    let found = faults_of(|folder, _| folder.write("requirements.txt", "torch\ngit+https://example.com/x\n"));
    assert_eq!(
        found,
        "requirements.txt:1: breaks the rule that the requirements name no `gradio`, `spaces`, `huggingface_hub` or `torch`\n\
         requirements.txt:2: the line is no package of PyPI with its versions"
    );
}

#[test]
fn app_that_python_does_not_compile_is_a_fault() {
    let broken = Compiled {
        path: APP.to_owned(),
        ok: false,
        message: "SyntaxError: '(' was never closed (app.py, line 7)".to_owned(),
    };
    let found = faults_of(|_, result| result.compiled = Some(vec![broken]));
    assert_eq!(found, "app.py: is no valid Python: SyntaxError: '(' was never closed (app.py, line 7)");
    assert_eq!(faults_of(|_, result| result.compiled = Some(Vec::new())), "app.py: was not compiled");
    let found = faults_of(|_, result| result.compiled = None);
    assert_eq!(found, "app.py: was not compiled, because the Job has no `python3`");
}

#[test]
fn code_of_the_model_stays_allowed_where_the_run_trusts_it() {
    let mut input = RenderInput::new(Template::Chat, "acme/my-model", "0123abc");
    input.trust_remote_code = true;
    let ours = render(&input).unwrap();
    let folder = Folder::unchanged(&ours);
    assert!(folder.app().contains("trust_remote_code=True"));
    assert_eq!(folder.review(&ours, &finished()), Ok(Reviewed::Files(ours)));
}

#[test]
fn obstacles_come_before_the_files() {
    let ours = ours(Template::Chat);
    let folder = Folder::unchanged(&ours);
    folder.write(APP, "broken(");
    folder.write(
        BLOCKERS_FILE,
        r#"[{"id":"needs_own_server","severity":"blocker","evidence":"the card","fix":"none"}]"#,
    );
    let Ok(Reviewed::Blockers(blockers)) = folder.review(&ours, &finished()) else { panic!("an obstacle") };
    assert_eq!((blockers[0].id.as_str(), blockers[0].severity), ("needs_own_server", Severity::Blocker));
    let found = faults_of(|folder, _| folder.write(BLOCKERS_FILE, "none"));
    assert!(found.starts_with("TECHNICAL_BLOCKERS.json: must be a list of objects"), "{found}");
}

#[test]
fn load_without_the_commit_is_a_fault() {
    let found = faults_of(|folder, _| folder.write(APP, folder.app().replace(", revision=REVISION", "")));
    assert_eq!(found, "app.py: loads the model without `revision=REVISION`");
}

#[test]
fn word_in_a_comment_runs_no_code_of_the_model() {
    let ours = ours(Template::Chat);
    let folder = Folder::unchanged(&ours);
    folder.edit("DEVICE = ", "# The card asks for trust_remote_code=True, which is not needed.\nDEVICE = ");
    assert!(folder.review(&ours, &finished()).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The review of any answer ends, and accepts no secret and no other file.
    #[test]
    fn accepted_files_have_no_secret(
        at in 0..4000_usize,
        text in "(?s)(\\PC|[ \"'#(:\n]|def f\\(x|pass|TODO|import torch|hf_secret-of-the-run|api_name=){0,12}",
        blockers in "(?s)(\\PC|[\\[\\]{}\",:]|\"id\"|\"evidence\"){0,20}",
        has_blockers: bool,
    ) {
        let ours = ours(Template::Chat);
        let folder = Folder::unchanged(&ours);
        let mut app = folder.app();
        let at = (0..=at.min(app.len())).rev().find(|at| app.is_char_boundary(*at)).unwrap_or_default();
        app.insert_str(at, &text);
        folder.write(APP, app);
        if has_blockers {
            folder.write(BLOCKERS_FILE, blockers);
        }
        match folder.review(&ours, &finished()) {
            Ok(Reviewed::Files(files)) => {
                prop_assert!(files.iter().all(|file| !file.text.contains(SECRET)));
                let names = |files: &[GeneratedFile]| files.iter().map(|file| file.path).collect::<Vec<_>>();
                prop_assert_eq!(names(&files), names(&ours));
            }
            Ok(Reviewed::Blockers(blockers)) => prop_assert!(!blockers.is_empty()),
            Err(refusal) => {
                let found: String = refusal.faults.iter().map(ToString::to_string).collect();
                prop_assert!(!refusal.faults.is_empty() && !found.contains(SECRET), "{}", found);
            }
        }
    }
}
