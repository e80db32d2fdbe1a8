//! From the words of a log to one cause and one fix.

/// What a log's words mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    pub cause: String,
    pub fix: String,
}

/// One row: all of these words, in any case, mean this.
struct Row {
    words: &'static [&'static str],
    cause: &'static str,
    fix: &'static str,
}

const fn row(words: &'static [&'static str], cause: &'static str, fix: &'static str) -> Row {
    Row { words, cause, fix }
}

/// The rows, the more special ones first.
const ROWS: &[Row] = &[
    row(
        &["torch version in requirements.txt is not compatible with zerogpu"],
        "requirements.txt pins a torch that ZeroGPU does not run",
        "remove the version of `torch` from requirements.txt",
    ),
    row(
        &["conflicting dependencies"],
        "the requirements contradict each other",
        "remove the pins of `pydantic`, `uvicorn`, `huggingface_hub` or `jinja2` from requirements.txt, and let pip choose",
    ),
    row(
        &["resolutionimpossible"],
        "the requirements contradict each other",
        "remove the pins of `pydantic`, `uvicorn`, `huggingface_hub` or `jinja2` from requirements.txt, and let pip choose",
    ),
    row(
        &["no module named 'pkg_resources'"],
        "a package needs an old setuptools",
        "add `setuptools<81` to requirements.txt",
    ),
    row(
        &["cannot import name 'hffolder'"],
        "an old Gradio meets a new huggingface_hub",
        "set `sdk_version` in README.md to 5.0 or later",
    ),
    row(
        &["cuda has been initialized before importing"],
        "CUDA starts before the `spaces` package is imported",
        "make `import spaces` the first import of the app",
    ),
    row(
        &["no @spaces.gpu function detected"],
        "ZeroGPU hardware, and no function that asks for it",
        "decorate at least one function with `@spaces.GPU`, or choose other hardware",
    ),
    row(
        &["zerogpu init", "10.0%"],
        "the start on ZeroGPU hangs in a compilation",
        "set the variable `NUMBA_DISABLE_CUDA` to `1`",
    ),
    row(
        &["weights only load failed"],
        "a checkpoint is a pickle, which torch no longer loads by default",
        "convert the weights to safetensors, or load them with `weights_only=False` if you trust them",
    ),
    row(
        &["is_traceable_wrapper_subclass"],
        "a dependency replaced torch by an older version",
        "pin `torch` in requirements.txt to the version that the app was written for",
    ),
    row(
        &["undefined symbol"],
        "a compiled package does not fit the installed torch",
        "install wheels that were built for the same torch and Python",
    ),
    row(
        &["no kernel image is available"],
        "a compiled package does not know this GPU",
        "use a newer wheel of the package that is named above, or other hardware",
    ),
    row(
        &["internal assert failed", "cudacachingallocator"],
        "the GPU's memory allocator gave up",
        "set the variable `PYTORCH_CUDA_ALLOC_CONF` to `expandable_segments:True`",
    ),
    row(
        &["cuda out of memory"],
        "the GPU has too little memory",
        "choose the next larger `hardware`, or a smaller model",
    ),
    row(
        &["outofmemoryerror"],
        "the GPU has too little memory",
        "choose the next larger `hardware`, or a smaller model",
    ),
    row(
        &["cannot access gated repo"],
        "the app loads a gated model without access",
        "accept the model's terms, and give the Space a secret `HF_TOKEN` that can read it",
    ),
    row(
        &["gatedrepoerror"],
        "the app loads a gated model without access",
        "accept the model's terms, and give the Space a secret `HF_TOKEN` that can read it",
    ),
    row(
        &["does not appear to have a file named"],
        "the app loads a repo that lacks a file, such as an adapter without its base model",
        "load the base model first, and then the adapter",
    ),
    row(
        &["can't load tokenizer"],
        "the app loads a repo that has no tokenizer",
        "load the tokenizer from the base model's repo",
    ),
    row(
        &["no space left on device"],
        "the disk of the Space is full",
        "load less, or attach a volume with the input `volumes`",
    ),
    row(
        &["address already in use"],
        "the app opens its port twice",
        "start one server only, and let it listen on the Space's port",
    ),
    row(
        &["collision on variables and secrets names"],
        "a name is a variable and a secret at once",
        "delete one of the two in the settings of the Space",
    ),
    row(
        &["workload was not healthy after"],
        "the app did not answer in time on the Space's port",
        "let it listen on 0.0.0.0 and on `app_port` (7860 unless README.md says otherwise); a slow start needs `startup_duration_timeout` in README.md",
    ),
    row(
        &["unhashable type: 'dict'"],
        "an old Gradio meets a new Starlette",
        "set `sdk_version` in README.md to a current Gradio, or pin `starlette<1` in requirements.txt",
    ),
    row(
        &["dict' object is not hashable"],
        "an old Gradio meets a new Starlette",
        "set `sdk_version` in README.md to a current Gradio, or pin `starlette<1` in requirements.txt",
    ),
    row(
        &["unknown task"],
        "transformers 5 removed this pipeline",
        "pin `transformers<5`, or call the model without a pipeline",
    ),
    row(
        &["got unsupported scalartype bfloat16"],
        "NumPy knows no bfloat16",
        "convert the tensor with `.float()` before `.numpy()`",
    ),
    row(
        &["torchcodec"],
        "the audio or video decoder is missing",
        "add `ffmpeg` to packages.txt, or decode with PyAV",
    ),
    row(
        &["examples must be nested list"],
        "`gr.Interface(examples=…)` got a flat list for several inputs",
        "write each example as a list of its own",
    ),
    row(
        &["pre-paid credit balance"],
        "the credits of the account are used up",
        "add credits, or run on other hardware",
    ),
    row(
        &["401 client error"],
        "the app asks the Hub without a valid token",
        "give the Space a secret `HF_TOKEN` that can read what it loads",
    ),
    row(
        &["repository not found"],
        "the app loads a repo that does not exist, or that it cannot see",
        "check the name; for a private repo, give the Space a secret `HF_TOKEN` that can read it",
    ),
];

/// Packages whose module has another name.
const PACKAGES: &[(&str, &str)] =
    &[("PIL", "Pillow"), ("cv2", "opencv-python-headless"), ("sklearn", "scikit-learn"), ("yaml", "pyyaml")];

/// Reads texts in order, such as the error message, the first error of the build log and the end of the
/// run log: the first one that means something decides.
pub fn diagnose<'a>(texts: impl IntoIterator<Item = &'a str>) -> Option<Diagnosis> {
    texts.into_iter().find_map(read)
}

fn read(text: &str) -> Option<Diagnosis> {
    let lower = text.to_lowercase();
    let found = ROWS.iter().find(|row| row.words.iter().all(|words| lower.contains(words)));
    match found {
        Some(row) => Some(Diagnosis { cause: row.cause.to_owned(), fix: row.fix.to_owned() }),
        None => missing_module(text),
    }
}

/// `No module named 'x.y'`: the package is that of the first part.
fn missing_module(text: &str) -> Option<Diagnosis> {
    let (_, rest) = text.split_once("No module named ")?;
    let name: String = rest
        .trim_start_matches(['\'', '"'])
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    if name.is_empty() {
        return None;
    }
    let package =
        PACKAGES.iter().find(|(module, _)| *module == name).map_or(name.as_str(), |(_, package)| package);
    Some(Diagnosis {
        cause: format!("the app imports `{name}`, which is not installed"),
        fix: format!("add `{package}` to requirements.txt"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_what_they_mean() {
        for (text, fix) in [
            (
                "ModuleNotFoundError: No module named 'cv2'",
                "add `opencv-python-headless` to requirements.txt",
            ),
            ("ModuleNotFoundError: No module named 'einops.layers'", "add `einops` to requirements.txt"),
            ("No module named 'pkg_resources'", "add `setuptools<81` to requirements.txt"),
            (
                "torch.OutOfMemoryError: CUDA out of memory. Tried",
                "choose the next larger `hardware`, or a smaller model",
            ),
            ("Launch timed out, workload was not healthy after 30 min", "let it listen on 0.0.0.0"),
            ("ERROR: ResolutionImpossible: for help", "remove the pins"),
        ] {
            let found = diagnose([text]).unwrap_or_else(|| panic!("{text}"));
            assert!(found.fix.starts_with(fix), "{text}: {found:?}");
        }
        assert_eq!(diagnose(["all is well", ""]), None);
    }

    #[test]
    fn the_first_text_that_means_something_decides() {
        let found = diagnose(["exit 1", "CUDA out of memory", "No space left on device"]).unwrap();
        assert_eq!(found.cause, "the GPU has too little memory");
    }

    #[test]
    fn the_words_of_the_table_are_lower_case() {
        for row in ROWS {
            assert!(row.words.iter().all(|words| *words == words.to_lowercase()), "{:?}", row.words);
        }
    }
}
