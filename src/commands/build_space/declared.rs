//! The declared inputs of a Space that is made from a model.

use crate::commands::groups::{app_check, bundle, model};
use crate::commands::inputs::declaration::{DefaultValue, Group, Input, Only, ValueKind, inputs};

pub(super) const GROUPS: &[Group] =
    &[model::MODEL_GROUP, SPACE_OF_MODEL, model::RUNTIME_GROUP, CHECK_OF_SPACE, AGENT, bundle::BUNDLE];

inputs! {
    /// Inputs of the Space.
    SPACE_OF_MODEL: "Space", "";
    TOKEN = Input {
        summary: "Token with write access to the Space",
        details: "A dry run of a public model works without.",
        is_secret: true,
        default: DefaultValue::Required,
        ..Input::new("hf_token")
    };
    SPACE = Input {
        kind: ValueKind::Text("NAMESPACE/NAME"),
        summary: "Space to make or update",
        details: "One that this action did not make is never written to.",
        default: DefaultValue::Words("the name of the model, in the namespace of the token's user"),
        ..Input::new("space")
    };
    MODE = Input {
        kind: ValueKind::Choice(&["full-inference-gated", "full-inference-attempt", "safe-scaffold"]),
        summary: "Demand on the app",
        details: "`full-inference-gated` requires that a call returns the promised type. `full-inference-attempt` also accepts an app that only answers. `safe-scaffold` makes a page about the model that loads nothing.",
        default: DefaultValue::Value("full-inference-gated"),
        ..Input::new("mode")
    };
    BUILDER = Input {
        kind: ValueKind::Choice(&["template", "agent"]),
        summary: "Author of the files",
        details: "`agent` lets a coding agent in a Job edit the files of the template.",
        default: DefaultValue::Value("template"),
        ..Input::new("builder")
    };
    VISIBILITY = Input {
        kind: ValueKind::Choice(&["private", "protected", "public"]),
        summary: "Visibility of the Space",
        details: "It changes an existing Space only if it is set.",
        default: DefaultValue::Value("private"),
        ..Input::new("visibility")
    };
    OVERWRITE = Input {
        kind: ValueKind::Flag,
        summary: "Give a Space that this action made for another model to this one",
        default: DefaultValue::Value("false"),
        ..Input::new("overwrite")
    };
    DRY_RUN = Input {
        kind: ValueKind::Flag,
        summary: "Recommend and generate the files into the run bundle, and change nothing on the Hub",
        default: DefaultValue::Value("false"),
        ..Input::new("dry_run")
    };
    TIMEOUT = Input {
        kind: ValueKind::Text("DURATION"),
        summary: "Longest wait for the Space and its check, such as `30m`",
        details: "The Hub gives an app 30 minutes to start, and an hour if it loads more than 10 GB.",
        default: DefaultValue::Value("75m"),
        ..Input::new("timeout")
    };
    FAIL_ON = Input {
        kind: ValueKind::Text("WORDS"),
        summary: "Results that fail the step, separated by lines or commas",
        details: "The words of `gate_status`, or `none`.",
        default: DefaultValue::Words("`failed`, `technical_blocker`, `manual_hardware_required`, and `health_only` unless the app is static or `mode` accepts it"),
        ..Input::new("fail_on")
    };
}

/// Condition of the inputs of the agent.
const OF_THE_AGENT: &[Only] = &[Only::With(BUILDER.name)];

inputs! {
    /// Inputs of the agent.
    AGENT: "Agent", "With `builder: agent` only.";
    AGENT_MODEL = Input {
        kind: ValueKind::Text("NAMESPACE/NAME"),
        summary: "Chat model of the agent at Inference Providers, which must call tools",
        details: "`:provider`, `:fastest` or `:cheapest` may follow.",
        default: DefaultValue::Value("Qwen/Qwen3-Coder-Next"),
        only: OF_THE_AGENT,
        ..Input::new("agent_model")
    };
    AGENT_TOKEN = Input {
        summary: "Token of the agent, which needs `inference.serverless.write` alone",
        details: "The Job gets it as a secret.",
        default: DefaultValue::Words("`hf_token`, with a warning"),
        is_secret: true,
        only: OF_THE_AGENT,
        ..Input::new("agent_hf_token")
    };
    AGENT_TIMEOUT = Input {
        kind: ValueKind::Text("DURATION"),
        summary: "Longest time of the agent",
        default: DefaultValue::Value("20m"),
        only: OF_THE_AGENT,
        ..Input::new("agent_timeout")
    };
    AGENT_MAX_COST = Input {
        kind: ValueKind::Text("USD"),
        summary: "Largest cost of the Job and its model together, in US dollars",
        default: DefaultValue::Value("1.00"),
        only: OF_THE_AGENT,
        ..Input::new("agent_max_cost")
    };
    AGENT_HARDWARE = Input {
        kind: ValueKind::Text("NAME"),
        summary: "Hardware of the Job",
        default: DefaultValue::Value("cpu-basic"),
        only: OF_THE_AGENT,
        ..Input::new("agent_hardware")
    };
}

/// Inputs of the check. Its call is that of the model's examples, unless an input names another.
const CHECK_OF_SPACE: Group = Group {
    title: "App check",
    intro: "By default, the check calls the app with an example of the model's author, or of the template.",
    inputs: &[
        app_check::VERIFY,
        app_check::HEALTH_PATH,
        app_check::HEALTH_STATUS,
        app_check::HEALTH_CONTAINS,
        app_check::API_NAME,
        app_check::API_ARGS,
        app_check::API_KWARGS,
        app_check::EXPECT,
        app_check::EXPECT_CONTAINS,
        app_check::EXPECT_REGEX,
        app_check::MAX_LATENCY,
    ],
};
