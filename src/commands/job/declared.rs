//! The declaration of the inputs of a Job.

use super::access::ACCESS;
use crate::commands::groups::bundle::BUNDLE;
use crate::commands::inputs::declaration::{DefaultValue, Group, Input, Only, ValueKind, inputs};

pub(super) const GROUPS: &[Group] = &[ACCESS, WORK, HARDWARE, CHECKOUT, SETTINGS, FOLLOWING, BUNDLE];

inputs! {
    /// Inputs of the work.
    WORK: "What runs", "Set one of `run`, `script` and `command`, and one of `image` and `space`.";
    RUN = Input {
        kind: ValueKind::Text("SCRIPT"),
        summary: "Shell script to run, by `bash -euo pipefail` where the image has bash, else by `sh -eu`",
        elsewhere: &["cmd"],
        ..Input::new("run")
    };
    COMMAND = Input {
        kind: ValueKind::Text("JSON"),
        summary: "Command to run as it is: a JSON list, such as `[\"python\", \"train.py\"]`",
        details: "No wrapper reports its exit code.",
        ..Input::new("command")
    };
    SCRIPT = Input {
        kind: ValueKind::Text("FILE"),
        summary: "Python file of the checkout to run by `uv`, with the packages of its inline metadata (PEP 723)",
        details: "Its table `[tool.hf-jobs]` has defaults for the inputs of the same names, and for `env` and `python`.",
        elsewhere: &["file", "uv_script"],
        ..Input::new("script")
    };
    IMAGE = Input {
        kind: ValueKind::Text("IMAGE"),
        summary: "Image of the container, such as `python:3.12`",
        details: "Its entry point is not used.",
        default: DefaultValue::Words("none; for `script`, `ghcr.io/astral-sh/uv:python3.12-bookworm`"),
        elsewhere: &["docker_image", "container"],
        ..Input::new("image")
    };
    SPACE = Input {
        kind: ValueKind::Text("NAMESPACE/NAME"),
        summary: "Space whose image the container has",
        elsewhere: &["space_id"],
        ..Input::new("space")
    };
}

inputs! {
    /// Inputs of the hardware.
    HARDWARE: "Hardware, time and cost", "";
    FLAVOR = Input {
        kind: ValueKind::Text("NAME"),
        summary: "Hardware of the Job, such as `a10g-small`",
        default: DefaultValue::Value("cpu-basic"),
        elsewhere: &["hardware", "gpu"],
        ..Input::new("flavor")
    };
    TIMEOUT = Input {
        kind: ValueKind::Text("DURATION"),
        summary: "Longest time of an attempt, such as `90s`, `30m` or `2h`",
        default: DefaultValue::Value("30m"),
        ..Input::new("timeout")
    };
    ATTEMPTS = Input {
        kind: ValueKind::Text("NUMBER"),
        summary: "Number of times that the Hub may start the command, until it succeeds",
        default: DefaultValue::Value("1"),
        elsewhere: &["retries"],
        ..Input::new("attempts")
    };
    MAX_COST = Input {
        kind: ValueKind::Text("DOLLARS"),
        summary: "Largest cost in US dollars, such as `0.60`",
        details: "A Job whose price × `timeout` × `attempts` is higher is refused before anything is created.",
        default: DefaultValue::Words("no limit"),
        ..Input::new("max_cost")
    };
}

inputs! {
    /// Inputs of the checkout and of the output.
    CHECKOUT: "Checkout and output", "With `source_dir` or `bucket`, files that the Job writes to `/output` come back into the workspace.";
    SOURCE_DIR = Input {
        kind: ValueKind::Text("FOLDER"),
        summary: "Folder of the checkout to send to the Job, such as `.`",
        details: "It is at `/workspace`, the working directory of a script. A `command` has it read-only.",
        elsewhere: &["path", "folder", "directory", "working_directory"],
        ..Input::new("source_dir")
    };
    INCLUDE = Input {
        kind: ValueKind::Text("PATTERNS"),
        summary: "Patterns of the files to send, one per line in gitignore syntax",
        default: DefaultValue::Words("every file"),
        only: &[Only::With(SOURCE_DIR.name)],
        ..Input::new("include")
    };
    EXCLUDE = Input {
        kind: ValueKind::Text("PATTERNS"),
        summary: "Patterns of files that are not sent, one per line in gitignore syntax",
        only: &[Only::With(SOURCE_DIR.name)],
        ..Input::new("exclude")
    };
    BUCKET = Input {
        kind: ValueKind::Text("NAMESPACE/NAME"),
        summary: "Private bucket for the checkout and the output, which is created if it is missing",
        details: "A public one is refused.",
        default: DefaultValue::Words("`jobs-artifacts` of the namespace, as in the official command line"),
        ..Input::new("bucket")
    };
    KEEP_OUTPUT = Input {
        kind: ValueKind::Flag,
        summary: "Leave the output in the bucket after it was fetched",
        details: "The step that fetches it decides: with `wait: false`, that is the one with `job_id`.",
        default: DefaultValue::Value("true"),
        ..Input::new("keep_output")
    };
}

inputs! {
    /// Inputs of the container.
    SETTINGS: "Settings of the container", "";
    VARIABLES = Input {
        kind: ValueKind::Text("LINES"),
        summary: "Variables of the container, one `KEY=VALUE` per line",
        details: "Members of the namespace can read them on the page of the Job.",
        elsewhere: &["vars", "env", "env_vars", "environment"],
        ..Input::new("variables")
    };
    SECRETS = Input {
        kind: ValueKind::Text("NAMES"),
        summary: "Names of secret variables, separated by newlines or commas",
        details: "The `env:` of the step holds their values.",
        ..Input::new("secrets")
    };
    PASS_HF_TOKEN = Input {
        kind: ValueKind::Flag,
        summary: "Pass the token of this step to the container, as the secret variable `HF_TOKEN`",
        default: DefaultValue::Value("false"),
        ..Input::new("pass_hf_token")
    };
    VOLUMES = Input {
        kind: ValueKind::Text("LINES"),
        summary: "Folders of the Hub to mount, one `TYPE:namespace/name[/path]:/mount[:ro]` per line",
        details: "`TYPE` is `bucket`, `model`, `dataset` or `space`. The form of the official command line, `hf://buckets/namespace/name:/mount`, is read as well.",
        ..Input::new("volumes")
    };
    NAME = Input {
        kind: ValueKind::Text("TEXT"),
        summary: "Name of the Job on its page",
        default: DefaultValue::Words("the name of the GitHub repository"),
        ..Input::new("name")
    };
    LABELS = Input {
        kind: ValueKind::Text("LINES"),
        summary: "Labels of the Job, one `KEY=VALUE` per line, to find it in lists",
        details: "Labels with the GitHub repository, the run, the attempt and the commit are always added.",
        ..Input::new("labels")
    };
}

inputs! {
    /// Inputs of the wait.
    FOLLOWING: "Following", "";
    WAIT = Input {
        kind: ValueKind::Flag,
        summary: "Follow the Job to its end",
        details: "`false` leaves it running, and another step can follow it with `job_id`.",
        default: DefaultValue::Value("true"),
        ..Input::new("wait")
    };
    JOB_ID = Input {
        kind: ValueKind::Text("ID"),
        summary: "Job of another step or workflow to follow, as its id, `namespace/id` or the address of its page",
        details: "Nothing is created, and of the inputs above only `hf_token`, `namespace` and `keep_output` have an effect. Like a Job of this step, it is cancelled with the step.",
        elsewhere: &["job"],
        ..Input::new("job_id")
    };
}
